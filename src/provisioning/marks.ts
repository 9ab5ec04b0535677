// How several texts become one, so that no text can pass for two: each is preceded by its length, written in characters
// that XML cannot carry.
import { fieldTypes, type FieldType, type FieldTypeSet } from "../codec/field-types.ts";
import type { NodeRef } from "../codec/node-ref.ts";

/** A number from 0 up: its octal digits U+0001 to U+0008, then its last four bits as one of U+0010 to U+001F. */
function makeMark(number: number): string {
  let text = String.fromCharCode(0x10 + (number & 15));
  for (let rest = number >>> 4; rest > 0; rest >>>= 3) text = String.fromCharCode(1 + (rest & 7)) + text;
  return text;
}

// What nearly every key is made of: short texts, few of them. One flat text for each number.
const MADE = 512;
const made: readonly string[] = Array.from({ length: MADE }, (_, number) => makeMark(number));

/** A number, as it stands between texts. No number's mark is the beginning of another's. */
export function mark(number: number): string {
  return number < MADE ? (made[number] as string) : makeMark(number);
}

/** A text behind its length. */
export function marked(text: string): string {
  return mark(text.length) + text;
}

/** A list behind its number of members. */
export function markedList<T>(list: readonly T[], one: (member: T) => string): string {
  let text = mark(list.length);
  for (const member of list) text += one(member);
  return text;
}

/** A reference to a node: an empty source or cache type is as good as none (X-E6). */
export function markedNode(node: NodeRef): string {
  return marked(node.nodeId) + marked(node.sourceId ?? "") + marked(node.cacheType ?? "");
}

const bits: Readonly<Record<string, number>> = Object.fromEntries(fieldTypes.map((type, bit) => [type, 1 << bit]));

/** Kinds of field as one number: a bit for each, in the order of XEP-0323 5.6. */
export function maskOf(types: Iterable<FieldType>): number {
  let mask = 0;
  for (const type of types) mask |= bits[type] as number;
  return mask;
}

/** The kinds of field in such a number. */
export function typesIn(mask: number): readonly FieldType[] {
  return fieldTypes.filter((_, bit) => (mask & (1 << bit)) !== 0);
}

/** The same, as a set. */
export function typeSetIn(mask: number): FieldTypeSet {
  return new Set(typesIn(mask));
}

/** What is no text of marks. */
export class MarksError extends Error {}

/** Reads a text of marks from its beginning; throws {@link MarksError} where it is none. */
export class MarkReader {
  readonly #text: string;
  #at: number;

  constructor(text: string, at = 0) {
    this.#text = text;
    this.#at = at;
  }

  /** Whether all of it has been read. */
  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** A number. */
  number(): number {
    let high = 0;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at++);
      if (code >= 0x10 && code <= 0x1f) return high * 16 + code - 0x10;
      // Not a number at the end of the text, which is in no range. No mark begins with a zero.
      if (!(code >= 1 && code <= 8) || (high === 0 && code === 1) || high > 0xffffff) throw new MarksError();
      high = high * 8 + code - 1;
    }
  }

  /** A text behind its length. */
  text(): string {
    const end = this.number() + this.#at;
    if (end > this.#text.length) throw new MarksError();
    const text = this.#text.slice(this.#at, end);
    this.#at = end;
    return text;
  }

  /** A list behind its number of members. */
  list<T>(one: () => T): readonly T[] {
    const length = this.number();
    // Each member takes a character at least: no number alone makes a long list.
    if (length > this.#text.length - this.#at) throw new MarksError();
    return Array.from({ length }, one);
  }

  /** A list of texts. */
  texts(): readonly string[] {
    return this.list(() => this.text());
  }

  /** A list of references to nodes. */
  nodes(): readonly NodeRef[] {
    return this.list(() => {
      const [nodeId, sourceId, cacheType] = [this.text(), this.text(), this.text()];
      return { nodeId, ...(sourceId !== "" && { sourceId }), ...(cacheType !== "" && { cacheType }) };
    });
  }

  /** Kinds of field. */
  mask(): number {
    const mask = this.number();
    if (mask >= 1 << fieldTypes.length) throw new MarksError();
    return mask;
  }
}
