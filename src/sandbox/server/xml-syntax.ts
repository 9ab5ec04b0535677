// XML 1.0 and Namespaces in XML, as far as RFC 6120 section 11 lets them onto a stream. The parser that builds the
// elements forgives nearly everything; what it would forgive is refused here, before it sees it.
import { isXmlText } from "../../codec/xml.ts";
import { StreamFault } from "./stream-fault.ts";

/** A start tag, checked. */
export interface StartTag {
  /** Its name, with the prefix. */
  readonly name: string;
  /** The prefixes it declares. */
  readonly declares: readonly string[];
  /** The prefixes it uses, in its name and its attributes'. */
  readonly uses: readonly string[];
  /** It ends itself. */
  readonly empty: boolean;
}

const part = String.raw`[\p{L}_][\p{L}\p{N}\p{M}_.\-\u00B7]*`;
const qualified = `${part}(?::${part})?`;
const startOfTag = new RegExp(`<(${qualified})`, "uy");
const attribute = new RegExp(String.raw`[ \t\r\n]+(${qualified})[ \t\r\n]*=[ \t\r\n]*("[^<"]*"|'[^<']*')`, "uy");
const endOfTag = /[ \t\r\n]*(\/?)>$/y;
const endTag = new RegExp(`^</(${qualified})[ \\t\\r\\n]*>$`, "u");
// RFC 6120 section 11.1: only the five predefined entities, and characters by number.
const looseAmpersand = /&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[\da-fA-F]{1,6});)/;

const malformed = (): StreamFault => new StreamFault("not-well-formed");

/** Where the tag that begins at an index ends, after its `>`; -1 if that has not come yet. */
export function tagEnd(text: string, start: number): number {
  const stop = /["'>]/g;
  stop.lastIndex = start;
  for (let found = stop.exec(text); found !== null; found = stop.exec(text)) {
    if (found[0] === ">") return stop.lastIndex;
    const closing = text.indexOf(found[0], stop.lastIndex);
    if (closing < 0) return -1;
    stop.lastIndex = closing + 1;
  }
  return -1;
}

/** Checks character data. */
export function checkText(text: string): void {
  if (looseAmpersand.test(text) || text.includes("]]>") || !isXmlText(text)) throw malformed();
}

/** Checks the inside of a CDATA section. */
export function checkCdata(text: string): void {
  if (!isXmlText(text)) throw malformed();
}

/** Reads an end tag: its name. */
export function readEndTag(tag: string): string {
  const name = endTag.exec(tag)?.[1];
  if (name === undefined) throw malformed();
  return name;
}

/** Reads a start tag. */
export function readStartTag(tag: string): StartTag {
  startOfTag.lastIndex = 0;
  const name = startOfTag.exec(tag)?.[1];
  if (name === undefined) throw malformed();
  const names = new Set<string>();
  let at = startOfTag.lastIndex;
  for (;;) {
    attribute.lastIndex = at;
    const [, key, value] = attribute.exec(tag) ?? [];
    if (key === undefined || value === undefined) break;
    if (names.has(key)) throw malformed();
    names.add(key);
    checkText(value);
    at = attribute.lastIndex;
  }
  endOfTag.lastIndex = at;
  const end = endOfTag.exec(tag);
  if (end === null) throw malformed();
  const keys = [...names];
  return {
    name,
    declares: keys.filter((key) => key.startsWith("xmlns:")).map((key) => key.slice("xmlns:".length)),
    uses: [name, ...keys].flatMap((key) => (key.includes(":") ? [key.slice(0, key.indexOf(":"))] : [])),
    empty: end[1] === "/",
  };
}
