// XEP-0347 Internet of Things - Discovery 0.5.1, section 3.15: searches for public Things, and what they find.
import { ProtocolError } from "../core/errors.ts";
import { parseJid, type BareJid } from "../core/jid.ts";
import { ns } from "./namespaces.ts";
import { nodeAttributes, optionalNodeRef, type NodeRef } from "./node-ref.ts";
import { buildTags, foldTagName, parseAnyDouble, parseAnyNumberTag, parseTags, type Tag } from "./tags.ts";
import { at, el, flag, localName, nonEmpty, optional, required, type Attributes, type XmlElement } from "./xml.ts";

const strComparisons = ["strEq", "strNEq", "strGt", "strGtEq", "strLt", "strLtEq"] as const;
const numComparisons = ["numEq", "numNEq", "numGt", "numGtEq", "numLt", "numLtEq"] as const;
const strRanges = ["strRange", "strNRange"] as const;
const numRanges = ["numRange", "numNRange"] as const;

/** Compares a string tag with a text. */
export interface StrComparison {
  /** The element's name: equal, not equal, greater, greater or equal, less, less or equal. */
  readonly op: (typeof strComparisons)[number];
  /** The tag's name, in upper case. */
  readonly tag: string;
  /** What the tag is compared with. */
  readonly value: string;
}

/** Asks whether a string tag is within (`strRange`) or outside (`strNRange`) a range of texts. */
export interface StrRange {
  /** The element's name. */
  readonly op: (typeof strRanges)[number];
  /** The tag's name, in upper case. */
  readonly tag: string;
  /** The least text of the range. */
  readonly min: string;
  /** The greatest text of the range. */
  readonly max: string;
  /** True when `min` belongs to the range: `strNRange` then does not find it. */
  readonly minIncluded: boolean;
  /** True when `max` belongs to the range: `strNRange` then does not find it. */
  readonly maxIncluded: boolean;
}

/** Asks whether a string tag looks like a text with wildcards. */
export interface StrMask {
  /** The element's name. */
  readonly op: "strMask";
  /** The tag's name, in upper case. */
  readonly tag: string;
  /** The mask, such as `39487*`. */
  readonly value: string;
  /** What stands in the mask for any run of characters, also an empty one (D-E12); usually `*`. */
  readonly wildcard: string;
}

/** Compares a numeric tag with a number. */
export interface NumComparison {
  /** The element's name: equal, not equal, greater, greater or equal, less, less or equal. */
  readonly op: (typeof numComparisons)[number];
  /** The tag's name, in upper case. */
  readonly tag: string;
  /** What the tag is compared with. It may be infinite, or NaN, which equals nothing (D-E31). */
  readonly value: number;
}

/** Asks whether a numeric tag is within (`numRange`) or outside (`numNRange`) a range of numbers. */
export interface NumRange {
  /** The element's name. */
  readonly op: (typeof numRanges)[number];
  /** The tag's name, in upper case. */
  readonly tag: string;
  /** The least number of the range. */
  readonly min: number;
  /** The greatest number of the range. */
  readonly max: number;
  /** True when `min` belongs to the range: `numNRange` then does not find it. */
  readonly minIncluded: boolean;
  /** True when `max` belongs to the range: `numNRange` then does not find it. */
  readonly maxIncluded: boolean;
}

/** One of the 17 operators of XEP-0347 3.15. A Thing is found when all operators of a search hold. */
export type SearchOperator = StrComparison | StrRange | StrMask | NumComparison | NumRange;

/** Somebody searches for public Things (XEP-0347 3.15). */
export interface Search {
  /** The number of hits to skip. */
  readonly offset: number;
  /** The most Things wanted in the answer. The Registry may give fewer. */
  readonly maxCount?: number;
  /** At least one; all of them must hold. */
  readonly operators: readonly SearchOperator[];
}

/** A Thing that a search found. */
export interface FoundThing {
  /** The Thing, or the concentrator it is behind. */
  readonly jid: BareJid;
  /** Its owner: the Thing itself when it is self-owned (D-E26). */
  readonly owner: BareJid;
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
  /** Its tags. */
  readonly tags: readonly Tag[];
}

/** What a search found: one page. */
export interface Found {
  /** The Things on this page, possibly none. */
  readonly things: readonly FoundThing[];
  /** True when a search with a higher offset finds more. */
  readonly more: boolean;
}

const isOneOf = <T extends string>(names: readonly T[], name: string): name is T => names.includes(name as T);

const parseNumber = (element: XmlElement, attribute: string): number =>
  parseAnyDouble(required(element, attribute), at(element, attribute));

function formatDouble(value: number): string {
  if (Number.isFinite(value)) return String(value === 0 ? 0 : value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "INF" : "-INF";
}

/** Reads an integer that is not below the least one. What no program can count to is the most that it can. */
function parseCount(element: XmlElement, attribute: string, least: number): number | undefined {
  const text = optional(element, attribute)?.trim();
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || value < least) {
    throw new ProtocolError(`not an integer of at least ${least}`, at(element, attribute));
  }
  return value === 0 ? 0 : Math.min(value, Number.MAX_SAFE_INTEGER); // not -0
}

function parseOperator(element: XmlElement): SearchOperator {
  const op = localName(element);
  const tag = (): string => foldTagName(required(element, "name"));
  const ends = (): { minIncluded: boolean; maxIncluded: boolean } => ({
    minIncluded: flag(element, "minIncluded", true),
    maxIncluded: flag(element, "maxIncluded", true),
  });
  if (isOneOf(strComparisons, op)) return { op, tag: tag(), value: required(element, "value") };
  if (isOneOf(numComparisons, op)) return { op, tag: tag(), value: parseNumber(element, "value") };
  if (isOneOf(strRanges, op)) {
    return { op, tag: tag(), min: required(element, "min"), max: required(element, "max"), ...ends() };
  }
  if (isOneOf(numRanges, op)) {
    return { op, tag: tag(), min: parseNumber(element, "min"), max: parseNumber(element, "max"), ...ends() };
  }
  if (op === "strMask") {
    return { op, tag: tag(), value: required(element, "value"), wildcard: required(element, "wildcard") };
  }
  // To ignore it would find more than was asked for.
  throw new ProtocolError("an operator that XEP-0347 does not have", at(element));
}

function buildOperator(operator: SearchOperator): XmlElement {
  const { op, tag, ...rest } = operator;
  const attributes: Attributes = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, typeof value === "number" ? formatDouble(value) : value]),
  );
  return el(op, { name: tag, ...attributes });
}

/** Makes `search`. `offset` and which ends belong to a range are always written, as in Listing 40. */
export function buildSearch(value: Search): XmlElement {
  const { offset, maxCount, operators } = value;
  return el("search", { xmlns: ns.discovery, offset, maxCount }, ...operators.map(buildOperator));
}

/** Reads `search`. Without any operator, or with one that is unknown, it is refused. Elements of others are ignored. */
export function parseSearch(element: XmlElement): Search {
  if (!element.is("search", ns.discovery)) throw new ProtocolError("not a search of XEP-0347", element.name);
  const operators = element
    .getChildElements()
    .filter((child) => child.getNS() === ns.discovery)
    .map(parseOperator);
  if (operators.length === 0) throw new ProtocolError("a search without any operator", at(element));
  const maxCount = parseCount(element, "maxCount", 1);
  return {
    offset: parseCount(element, "offset", 0) ?? 0,
    ...(maxCount !== undefined && { maxCount }),
    operators,
  };
}

/** Makes `found`. `more` is always written, as in Listing 41. */
export function buildFound(value: Found): XmlElement {
  const things = value.things.map(({ jid, owner, node, tags }) =>
    el("thing", { owner, jid, ...nodeAttributes(node) }, ...buildTags(tags)),
  );
  return el("found", { xmlns: ns.discovery, more: value.more }, ...things);
}

function parseThing(element: XmlElement): FoundThing {
  const { bare: jid } = parseJid(required(element, "jid"), at(element, "jid"));
  // Without an owner, or its own owner: self-owned (D-E26). Resources are stripped (D-E7).
  const owner = nonEmpty(element, "owner");
  const node = optionalNodeRef(element);
  return {
    jid,
    owner: owner === undefined ? jid : parseJid(owner, at(element, "owner")).bare,
    ...(node !== undefined && { node }),
    // What one Thing registered must not hide all others on the page: any xs:double is taken (D-E31).
    tags: parseTags(element, parseAnyNumberTag),
  };
}

/** Reads `found`. Without `more` there is no more (D-E13). */
export function parseFound(element: XmlElement | undefined): Found {
  if (!element?.is("found", ns.discovery)) throw new ProtocolError("not a found of XEP-0347", element?.name ?? "");
  return {
    things: element.getChildren("thing", ns.discovery).map(parseThing),
    more: flag(element, "more", false),
  };
}
