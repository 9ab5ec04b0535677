// XEP-0347 Internet of Things - Discovery 0.5.1, section 3.9: the text in the QR code of a Thing (Listing 14, D-E11).
import { ProtocolError } from "../core/errors.ts";
import { foldTagName, keyLast, parseNumberTag, tagProblem, type Tag } from "./tags.ts";

/** The text that an owner scans: `IoTDisco;SN:394872348732948723;#V:1.2;KEY:4857402340298342`. */
export function formatClaimText(tags: readonly Tag[]): string {
  return ["IoTDisco", formatTags(tags)].join(";");
}

/** The part behind `IoTDisco;`: tags divided by semicolons, numbers marked by `#`. */
export function formatTags(tags: readonly Tag[]): string {
  return keyLast(tags)
    .map((tag) => (tag.type === "num" ? `#${tag.name}:${tag.text}` : `${tag.name}:${escape(tag.value)}`))
    .join(";");
}

/** Reads a scanned text. Throws `ERR_PROTOCOL` saying what is wrong with it. */
export function parseClaimText(text: string): readonly Tag[] {
  const trimmed = trim(text);
  if (trimmed !== "IoTDisco" && !trimmed.startsWith("IoTDisco;")) {
    throw new ProtocolError('a claim text begins with "IoTDisco;"', "claim text");
  }
  const tags = parseTagList(trimmed.slice("IoTDisco;".length));
  if (tags.length === 0) throw new ProtocolError("a claim text names at least one tag", "claim text");
  return tags;
}

/** A claim text as it goes into a QR code, to the letter. Throws `ERR_PROTOCOL` if it is none. */
export function checkClaimText(text: string): string {
  parseClaimText(text);
  return trim(text);
}

/** Reads `SN:1;MAN:example.org;#V:1.2`. */
export function parseTagList(text: string): readonly Tag[] {
  const tags = new Map<string, Tag>();
  for (const [index, part] of splitUnescaped(text).entries()) {
    if (part === "") continue;
    const colon = part.indexOf(":");
    // By its place, not by its text: that may be a piece of a KEY that holds a semicolon.
    if (colon < 0) throw new ProtocolError("a tag is written NAME:value", `tag ${index + 1}`);
    const label = part.slice(0, colon);
    const name = foldTagName(label.replace(/^#/, ""));
    const value = unescape(part.slice(colon + 1), `tag ${name}`);
    const tag: Tag = label.startsWith("#") ? parseNumberTag(name, value, `tag ${name}`) : { name, type: "str", value };
    const problem = tags.has(name) ? "is given twice" : tagProblem(tag);
    if (problem !== undefined) throw new ProtocolError(problem, `tag ${name}`);
    tags.set(name, tag);
  }
  return [...tags.values()];
}

function escape(value: string): string {
  return value.replace(/[;\\]/g, "\\$&");
}

function unescape(value: string, path: string): string {
  return value.replace(/\\(.?)/gsu, (_, escaped: string) => {
    if (escaped === "") throw new ProtocolError("the text ends in the middle of an escape", path);
    return escaped;
  });
}

/** Without what a terminal or an editor adds. A blank at the end is none of that: it may be the last character of the KEY. */
function trim(text: string): string {
  const trimmed = text.trimStart();
  // By hand: a regular expression takes quadratic time on a text of many line breaks.
  let end = trimmed.length;
  while (end > 0 && "\r\n".includes(trimmed.charAt(end - 1))) end--;
  return trimmed.slice(0, end);
}

/** Splits at semicolons that no backslash stands before. */
function splitUnescaped(text: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === ";") {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)];
}
