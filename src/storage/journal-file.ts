import { version } from "../core/version.ts";
import { randomHex, type RandomSource } from "../core/random.ts";
import { decodeText, encodeText } from "./bytes.ts";
import { checksum, checksumLength, tryJson } from "./checksum.ts";

const blank = 0x20;
const lineFeed = 0x0a;
// In front of each block: half as many bytes of checksum as a line has characters of it, and the length.
const sumBytes = checksumLength / 2;
const headBytes = sumBytes + 4;

/** What a journal's file holds. */
export interface ReadJournal {
  /** The blocks that hold, in order. They are parts of what was read. */
  readonly blocks: readonly Uint8Array[];
  /** The checksum to go on from; `undefined` if nothing can be added to this file. */
  readonly chain: string | undefined;
  /** How many bytes from the beginning hold. */
  readonly good: number;
  /** What was wrong, if something was. */
  readonly problem: string | undefined;
  /** The format and who wrote it, if it is newer than the one known. */
  readonly newer?: { readonly format: number; readonly by: unknown };
  /** The format, if it is older than the one known. */
  readonly older?: number;
}

/** A part of a journal's file, and the checksum to go on from. */
export interface Encoded {
  /** The bytes. */
  readonly content: Uint8Array;
  /** The checksum of its end. */
  readonly chain: string;
}

/**
 * The first line of a journal's file, `<checksum> <json>`. It says name, format, the version of the library that wrote
 * it, and a generation drawn at random: blocks of another generation, should the disk bring old ones back, do not fit
 * behind it. This first line stays the same in every format to come.
 */
export function encodeHeader(name: string, format: number, random: RandomSource): Encoded {
  const line = JSON.stringify({ journal: name, format, by: version, generation: randomHex(random, 8) });
  const chain = checksum("", encodeText(line));
  return { content: encodeText(`${chain} ${line}\n`), chain };
}

/**
 * A block to go behind the checksum given: 8 bytes of checksum over the one before it, as text, and all that follows in
 * the block; 4 bytes of length, the most significant first; the content. One checksum for all of it: a file of a
 * thousand answers is read in a few milliseconds.
 */
export function encodeBlock(before: string, block: Uint8Array): Encoded {
  const content = new Uint8Array(headBytes + block.length);
  new DataView(content.buffer).setUint32(sumBytes, block.length);
  content.set(block, headBytes);
  const chain = checksum(before, content.subarray(sumBytes));
  content.set(Buffer.from(chain, "hex"));
  return { content, chain };
}

/** Reads a journal's file as far as it holds. */
export function readJournal(name: string, format: number, bytes: Uint8Array): ReadJournal {
  const first = readHeader(bytes);
  const head = first?.value as { journal?: unknown; format?: unknown; by?: unknown } | null | undefined;
  if (first === undefined || head?.journal !== name || typeof head.format !== "number") {
    return nothing(`"${name}": its first line is damaged; all ${bytes.length} bytes are dropped`);
  }
  if (head.format > format) return { ...nothing(undefined), newer: { format: head.format, by: head.by } };
  if (head.format < format) return { ...nothing(undefined), older: head.format };
  const blocks: Uint8Array[] = [];
  let { chain, end } = first;
  while (end < bytes.length) {
    const found = readBlock(chain, bytes, end);
    if (typeof found === "string") {
      const dropped = bytes.length - end;
      const problem =
        found === "torn"
          ? `"${name}": its end is torn; the last ${dropped} bytes are dropped`
          : `"${name}": block ${blocks.length + 1} is damaged; it and what follows, ${dropped} bytes, are dropped`;
      return { blocks, chain, good: end, problem };
    }
    blocks.push(found.block);
    ({ chain, end } = found);
  }
  return { blocks, chain, good: end, problem: undefined };
}

function nothing(problem: string | undefined): ReadJournal {
  return { blocks: [], chain: undefined, good: 0, problem };
}

/** The first line, if it is whole. */
function readHeader(bytes: Uint8Array): { value: unknown; chain: string; end: number } | undefined {
  const feed = bytes.indexOf(lineFeed);
  const json = checksumLength + 1;
  if (feed < json || bytes[json - 1] !== blank) return undefined;
  const content = bytes.subarray(json, feed);
  const chain = decodeText(bytes.subarray(0, checksumLength));
  return chain === checksum("", content) ? { value: tryJson(content), chain, end: feed + 1 } : undefined;
}

/** The block that starts at a place, if it is whole and fits behind the checksum given. */
function readBlock(
  before: string,
  bytes: Uint8Array,
  start: number,
): { block: Uint8Array; chain: string; end: number } | "torn" | "damaged" {
  const from = start + headBytes;
  if (from > bytes.length) return "torn";
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(start + sumBytes);
  const end = from + length;
  if (end > bytes.length) return "torn";
  const chain = checksum(before, bytes.subarray(start + sumBytes, end));
  const stored = Buffer.from(bytes.buffer, bytes.byteOffset + start, sumBytes).toString("hex");
  return stored === chain ? { block: bytes.subarray(from, end), chain, end } : "damaged";
}
