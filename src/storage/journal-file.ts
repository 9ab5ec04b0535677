import { version } from "../core/version.ts";
import { randomHex, type RandomSource } from "../core/random.ts";
import { decodeText, encodeText } from "./bytes.ts";
import { checksum, checksumLength, tryJson } from "./checksum.ts";

const blank = 0x20;
const lineFeed = 0x0a;

/** What a journal's file holds. */
export interface ReadJournal {
  /** The records that hold, in order. */
  readonly records: unknown[];
  /** The checksum to go on from; `undefined` if nothing can be added to this file. */
  readonly chain: string | undefined;
  /** How many bytes from the beginning hold. */
  readonly good: number;
  /** What was wrong, if something was. */
  readonly problem: string | undefined;
  /** The format and who wrote it, if it is newer than the one known. */
  readonly newer?: { readonly format: number; readonly by: unknown };
}

/** A part of a journal's file, and the checksum to go on from. */
export interface Encoded {
  /** The bytes. */
  readonly content: Uint8Array;
  /** The checksum of its last line. */
  readonly chain: string;
}

/**
 * The file of a journal: lines `<checksum> <json>`, each checksum over the one before it and the JSON. The first line
 * says name, format, the version of the library that wrote it, and a generation drawn at random: records of another generation, should the disk bring old blocks
 * back, do not fit behind it. This first line stays the same in every format to come.
 */
export function encodeHeader(name: string, format: number, random: RandomSource): Encoded {
  return encodeRecords("", [JSON.stringify({ journal: name, format, by: version, generation: randomHex(random, 8) })]);
}

/** Lines to go behind the line of the checksum given. */
export function encodeRecords(before: string, lines: readonly string[]): Encoded {
  let chain = before;
  let text = "";
  for (const line of lines) {
    chain = checksum(chain, encodeText(line));
    text += `${chain} ${line}\n`;
  }
  return { content: encodeText(text), chain };
}

/** Reads a journal's file as far as it holds. */
export function readJournal(name: string, format: number, bytes: Uint8Array): ReadJournal {
  const first = readLine("", bytes, 0);
  const head = first?.value as { journal?: unknown; format?: unknown; by?: unknown } | null | undefined;
  if (first === undefined || head?.journal !== name || typeof head.format !== "number") {
    return nothing(`"${name}": its first line is damaged; all ${bytes.length} bytes are dropped`);
  }
  if (head.format > format) return { ...nothing(undefined), newer: { format: head.format, by: head.by } };
  if (head.format < format) return nothing(`"${name}" is in the older format ${head.format}; its records are dropped`);
  const records: unknown[] = [];
  let { chain, end } = first;
  while (end < bytes.length) {
    const line = readLine(chain, bytes, end);
    if (line === undefined) {
      return { records, chain, good: end, problem: describeDamage(name, records.length, bytes, end) };
    }
    records.push(line.value);
    ({ chain, end } = line);
  }
  return { records, chain, good: end, problem: undefined };
}

function nothing(problem: string | undefined): ReadJournal {
  return { records: [], chain: undefined, good: 0, problem };
}

/** The line that starts at a place, if it is whole and fits behind the checksum given. */
function readLine(
  before: string,
  bytes: Uint8Array,
  start: number,
): { value: unknown; chain: string; end: number } | undefined {
  const feed = bytes.indexOf(lineFeed, start);
  const json = start + checksumLength + 1;
  if (feed < json || bytes[json - 1] !== blank) return undefined;
  const content = bytes.subarray(json, feed);
  const chain = decodeText(bytes.subarray(start, json - 1));
  if (chain !== checksum(before, content)) return undefined;
  const value = tryJson(content);
  return value === undefined ? undefined : { value, chain, end: feed + 1 };
}

function describeDamage(name: string, records: number, bytes: Uint8Array, good: number): string {
  const dropped = bytes.length - good;
  return bytes.indexOf(lineFeed, good) < 0
    ? `"${name}": its end is torn; the last ${dropped} bytes are dropped`
    : `"${name}": record ${records + 1} is damaged; it and what follows, ${dropped} bytes, are dropped`;
}
