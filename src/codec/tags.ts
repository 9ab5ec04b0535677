// XEP-0347 Internet of Things - Discovery 0.5.1, section 5.2: the tags a Thing registers.
import { ConfigError, ProtocolError } from "../core/errors.ts";
import { ns } from "./namespaces.ts";
import { at, el, isXmlText, required, type XmlElement } from "./xml.ts";

/** Tags as a program writes them: names as in XEP-0347 5.2 (`SN`, `MAN`, `MODEL`, `V`, …), text or number. */
export type Tags = Readonly<Record<string, string | number>>;

/** One tag. Names are upper case here: they are compared without regard to case (XEP-0347 3.6). */
export type Tag =
  | { readonly name: string; readonly type: "str"; readonly value: string }
  | {
      readonly name: string;
      readonly type: "num";
      readonly value: number;
      /** The number in the characters it came in: a claim repeats it so (D-E10). */
      readonly text: string;
    };

/** The longest name of a tag, in code points (XEP-0347 5.2, D-E28). */
export const LONGEST_TAG_NAME = 32;
/** The longest value of a string tag, in code points (XEP-0347 5.2, D-E28). */
export const LONGEST_TAG_VALUE = 128;

// Colon, hash sign and white space by XEP-0347 5.2; semicolon and backslash because claim texts do not escape names
// (D-E11).
const forbiddenInName = /[:#;\\\s\p{White_Space}]/u;
// The lexical forms of xs:double (XML Schema part 2, 3.2.5.1), white space around them aside.
const decimal = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const special: ReadonlyMap<string, number> = new Map([
  ["INF", Infinity],
  ["-INF", -Infinity],
  ["NaN", NaN],
]);
const numeric: ReadonlySet<string> = new Set(["ALT", "LAT", "LON", "V"]);
const textual: ReadonlySet<string> = new Set(
  "APT AREA BLD CITY CLASS COUNTRY KEY MAN MLOC MNR MODEL NAME PURL REGION ROOM SN STREET STREETNR".split(" "),
);

/**
 * The name of a tag as it is compared: without regard to case (XEP-0347 3.6, 5.2), so in upper case. By way of lower
 * case, since some letters (the Kelvin sign, capital sharp s) stay themselves in upper case and are equal to others all
 * the same.
 */
export function foldTagName(name: string): string {
  return name.toLowerCase().toUpperCase();
}

/** Of which type a tag must be by XEP-0347 5.2: its name in upper case. `undefined` for a name that is not predefined. */
export function predefinedType(name: string): Tag["type"] | undefined {
  return numeric.has(name) ? "num" : textual.has(name) ? "str" : undefined;
}

/** What is wrong with a tag by XEP-0347 5.2; `undefined` if nothing is. */
export function tagProblem(tag: Tag): string | undefined {
  const { name } = tag;
  if (name === "") return "a tag needs a name";
  if (Array.from(name).length > LONGEST_TAG_NAME) return `the name is longer than ${LONGEST_TAG_NAME} characters`;
  if (forbiddenInName.test(name)) return "a name must not hold : # ; \\ or white space";
  if (!isXmlText(name)) return "the name holds characters that XML forbids";
  if (tag.type === "num") return Number.isFinite(tag.value) ? undefined : "a number must be finite";
  if (Array.from(tag.value).length > LONGEST_TAG_VALUE)
    return `the value is longer than ${LONGEST_TAG_VALUE} characters`;
  if (!isXmlText(tag.value)) return "the value holds characters that XML forbids";
  // A reader of XML turns them into blanks (XML 1.0 section 3.3.3): the claim would no longer be the same.
  if (/[\t\n\r]/.test(tag.value)) return "the value holds a tab or a line break";
  return undefined;
}

/**
 * Tags of a program as tags of the protocol: checked, in the order given but with KEY last (XEP-0347 Listing 14).
 * Throws `ERR_CONFIG` naming the tag.
 */
export function toTags(tags: Tags, option = "tags"): readonly Tag[] {
  const found = new Map<string, Tag>();
  for (const [key, value] of Object.entries(tags)) {
    const name = foldTagName(key);
    const wrong = (problem: string): ConfigError => new ConfigError(`${option}.${key}: ${problem}`);
    if (typeof value !== "string" && typeof value !== "number") throw wrong("must be a string or a number");
    const tag = typeof value === "number" ? numberTag(name, value) : ({ name, type: "str", value } as const);
    const problem = tagProblem(tag);
    if (problem !== undefined) throw wrong(problem);
    if (predefinedType(name) === "num" && tag.type !== "num") throw wrong("is a number by XEP-0347 5.2");
    if (predefinedType(name) === "str" && tag.type !== "str") throw wrong("is a string by XEP-0347 5.2");
    if (found.has(name)) throw wrong("is given twice: names differ in more than case");
    found.set(name, tag);
  }
  return keyLast([...found.values()]);
}

/**
 * Changes of tags as tags of the protocol (XEP-0347 3.13, 3.14): checked as {@link toTags} does, but an empty text takes a tag
 * away, whatever its type: of a number it may be tried (D-E9). Throws `ERR_CONFIG` naming the tag.
 */
export function toTagChanges(tags: Tags, option: string): readonly Tag[] {
  if (typeof tags !== "object" || (tags as unknown) === null || Array.isArray(tags)) {
    throw new ConfigError(`${option}: must be an object, { ROOM: "Kitchen", V: 1.1 }`);
  }
  const entries = Object.entries(tags);
  const given = toTags(Object.fromEntries(entries.filter(([, value]) => value !== "")), option);
  const found = new Set(given.map(({ name }) => name));
  const emptied = entries.flatMap(([key, value]): readonly Tag[] => {
    if (value !== "") return [];
    const tag: Tag = { name: foldTagName(key), type: "str", value };
    const problem = found.has(tag.name) ? "is given twice: names differ in more than case" : tagProblem(tag);
    if (problem !== undefined) throw new ConfigError(`${option}.${key}: ${problem}`);
    found.add(tag.name);
    return [tag];
  });
  return [...given, ...emptied];
}

/** A numeric tag, the number in its shortest decimal form (D-E10). */
export function numberTag(name: string, value: number): Tag {
  const normal = value === 0 ? 0 : value; // never -0
  return { name, type: "num", value: normal, text: String(normal) };
}

/** The same tags, KEY at the end. */
export function keyLast(tags: readonly Tag[]): readonly Tag[] {
  return [...tags.filter((tag) => tag.name !== "KEY"), ...tags.filter((tag) => tag.name === "KEY")];
}

/** Reads the `str` and `num` children of an element, numbers as {@link parseNumberTag} does or as told. */
export function parseTags(element: XmlElement, readNumber = parseNumberTag): readonly Tag[] {
  return element
    .getChildElements()
    .filter((child) => child.getNS() === ns.discovery && (child.is("str") || child.is("num")))
    .map((child) => {
      const name = foldTagName(required(child, "name"));
      const value = required(child, "value");
      return child.is("str") ? { name, type: "str", value } : readNumber(name, value, at(child, "value"));
    });
}

/** Reads a number in any form that xs:double has, `INF` and `NaN` too; `-0` is 0. Throws `ERR_PROTOCOL` with the path. */
export function parseAnyDouble(text: string, path: string): number {
  const trimmed = text.trim();
  const value = special.get(trimmed) ?? (decimal.test(trimmed) ? Number(trimmed) : undefined);
  if (value === undefined) throw new ProtocolError("not an xs:double", path);
  return value === 0 ? 0 : value; // -0 is 0
}

/** Reads a numeric tag in any form that xs:double has (D-E31): what others told a Registry. */
export function parseAnyNumberTag(name: string, text: string, path: string): Tag {
  return { name, type: "num", value: parseAnyDouble(text, path), text: text.trim() };
}

/** Reads a numeric tag. `INF` and `NaN` are xs:double, but no Thing means them: refused. */
export function parseNumberTag(name: string, text: string, path: string): Tag {
  const tag = parseAnyNumberTag(name, text, path);
  if (!Number.isFinite(tag.value)) throw new ProtocolError("not a finite xs:double", path);
  return tag;
}

/** Makes `str` and `num` elements. */
export function buildTags(tags: readonly Tag[]): readonly XmlElement[] {
  return tags.map((tag) => el(tag.type, { name: tag.name, value: tag.type === "num" ? tag.text : tag.value }));
}
