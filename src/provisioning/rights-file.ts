// The blocks of the file of remembered rights, format 2: docs/rights-file.md describes them byte by byte.
import { isRefusal } from "./record.ts";

/** The format of what is remembered. */
export const RIGHTS_FORMAT = 2;

/** One remembered answer on its way to or from the disk. */
export interface StoredRight {
  /** The key of the question. */
  readonly key: string;
  /** Its record. */
  readonly record: string;
  /** For how long it has not been used, in milliseconds. The file has it in whole minutes. */
  readonly unused: number;
}

/** The news that an answer which stands in the file already was used since. */
export interface StoredUse {
  /** The key of the question. */
  readonly of: string;
  /** Where the answer stands, or the last use of it: how many answers and uses come before it in the file. */
  readonly place: number;
  /** For how long it has not been used, in milliseconds. The file has it in whole minutes. */
  readonly unused: number;
}

/** An answer that was read, and about how many bytes it takes: {@link storedSize}. */
export interface ReadRight extends StoredRight {
  readonly size: number;
}

/** A place, doubled, and one more if a grant stands there. */
export const markOf = (place: number, record: string): number => place * 2 + (isRefusal(record) ? 0 : 1);

/** What a file says: the answers, longest unused first. */
export interface ReadRights {
  /** The newest answer to each question, in the order of their places. */
  readonly rights: readonly ReadRight[];
  /** For each question the place of its newest answer, doubled, and one more if that is a grant. */
  readonly places: Map<string, number>;
  /** How many places there are. */
  readonly next: number;
}

const MINUTE = 60_000;
// The most bytes that a number takes here: 49 bits.
const MOST_OF_NUMBER = 7;

/** Whole minutes. */
const minutesOf = (ms: number): number => Math.max(0, Math.floor(ms / MINUTE));

/** About how many bytes an answer takes in the file. */
export function storedSize(key: string, record: string): number {
  return sizeOf(Buffer.byteLength(key), Buffer.byteLength(record));
}

const sizeOf = (key: number, record: number): number => key + record + lengthOf(key) + lengthOf(record) + 1;

/** About how many bytes the use of the answer at a place takes. */
export const useSize = (place: number): number => lengthOf(place) + 2;

/** A block of additions. */
export function encodeRights(additions: readonly (StoredRight | StoredUse)[], now: number): Uint8Array {
  let size = MOST_OF_NUMBER;
  for (const one of additions) {
    size += "key" in one ? storedSize(one.key, one.record) : useSize(one.place);
    size += MOST_OF_NUMBER;
  }
  const writer = new Writer(size);
  writer.number(minutesOf(now));
  for (const one of additions) {
    if ("key" in one) {
      writer.text(one.key);
      writer.number(minutesOf(one.unused));
      writer.text(one.record);
    } else {
      writer.number(0); // no key is empty
      writer.number(minutesOf(one.unused));
      writer.number(one.place);
    }
  }
  return writer.written;
}

/**
 * Reads the blocks of a file. What does not keep to the form is left out together with what follows it: the checksums
 * hold, so another program wrote it. `problem` says so.
 *
 * @param now the time, in milliseconds since 1970; a clock that goes behind the file's makes nothing younger
 */
export function decodeRights(blocks: readonly Uint8Array[], now: number): ReadRights & { readonly problem?: string } {
  const keys: string[] = [];
  const texts: string[] = [];
  const sizes: number[] = [];
  const unused: number[] = [];
  const places = new Map<string, number>();
  const records = new Map<string, string>();
  let problem: string | undefined;
  try {
    for (const block of blocks) {
      const reader = new Reader(block);
      const elapsed = Math.max(0, minutesOf(now) - reader.number());
      while (!reader.isAtEnd) {
        const length = reader.number();
        const given = length === 0 ? undefined : reader.take(length);
        const minutes = reader.number() + elapsed;
        const place = keys.length;
        if (given === undefined) {
          const key = keys[reader.number()];
          const known = key === undefined ? undefined : places.get(key);
          if (key === undefined || known === undefined) throw new FormError();
          const before = known >> 1;
          keys.push(key);
          texts.push(texts[before] as string);
          sizes.push(sizes[before] as number);
          places.set(key, place * 2 + (known & 1));
        } else {
          const bytes = reader.number();
          // Most answers are alike: one text for all of them.
          const text = reader.take(bytes);
          const record = records.get(text) ?? text;
          if (record === text) records.set(text, text);
          keys.push(given);
          texts.push(record);
          sizes.push(sizeOf(length, bytes));
          places.set(given, markOf(place, record));
        }
        unused.push(minutes * MINUTE);
      }
    }
  } catch (error) {
    if (!(error instanceof FormError)) throw error;
    problem = `the rights behind place ${keys.length} could not be read`;
  }
  const rights: ReadRight[] = [];
  for (let place = 0; place < unused.length; place++) {
    const key = keys[place] as string;
    if ((places.get(key) ?? 0) >> 1 !== place) continue;
    rights.push({
      key,
      record: texts[place] as string,
      unused: unused[place] as number,
      size: sizes[place] as number,
    });
  }
  return { rights, places, next: keys.length, ...(problem !== undefined && { problem }) };
}

class FormError extends Error {}

/** How many bytes a number takes: seven bits in each, the least significant first. */
function lengthOf(number: number): number {
  let length = 1;
  for (let rest = number; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

class Writer {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size);
  }

  get written(): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#at);
  }

  number(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
    this.#bytes[this.#at++] = rest;
  }

  text(text: string): void {
    this.number(Buffer.byteLength(text));
    this.#at += this.#bytes.write(text, this.#at, "utf8");
  }
}

const beyondAscii = /[\u0080-\u00ff]/;

class Reader {
  readonly #bytes: Buffer;
  // A character for each byte. What is cut out of it costs nothing, and there may be ten thousand texts; it is held for as
  // long as one of them is, which is no more than the file had bytes.
  readonly #text: string;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#text = this.#bytes.toString("latin1");
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(): number {
    let value = 0;
    for (let weight = 1; weight <= 2 ** 42; weight *= 0x80) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new FormError();
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
    }
    throw new FormError();
  }

  /** So many bytes of UTF-8, as a text. */
  take(length: number): string {
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) throw new FormError();
    this.#at = end;
    const text = this.#text.slice(start, end);
    return beyondAscii.test(text) ? this.#bytes.toString("utf8", start, end) : text;
  }
}
