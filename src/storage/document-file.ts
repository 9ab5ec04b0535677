import { version } from "../core/version.ts";
import { decodeText, encodeText, joinBytes } from "./bytes.ts";
import { checksum, checksumLength, jsonLine, tryJson } from "./checksum.ts";

const blank = 0x20;
const lineFeed = 0x0a;

/**
 * The file of a document: `<checksum> {"document":name,"format":n,"by":version}`, a line feed, the value, a line feed. The
 * checksum is over all that follows it. This first line stays the same in every format to come: a library must know a
 * newer file when it sees one, and say which version has written it.
 */
export function encodeDocument(name: string, format: number, value: unknown): Uint8Array {
  const body = encodeText(
    ` ${JSON.stringify({ document: name, format, by: version })}\n${jsonLine(value, `document "${name}"`)}\n`,
  );
  return joinBytes(encodeText(checksum("", body)), body);
}

/** What a document's file holds; `undefined` if it is damaged or another document's. */
export function decodeDocument(
  name: string,
  content: Uint8Array,
): { format: number; value: unknown; by: unknown } | undefined {
  const body = content.subarray(checksumLength);
  const end = body.indexOf(lineFeed);
  if (body[0] !== blank || end < 0) return undefined;
  if (decodeText(content.subarray(0, checksumLength)) !== checksum("", body)) return undefined;
  const head = tryJson(body.subarray(1, end)) as
    { document?: unknown; format?: unknown; by?: unknown } | null | undefined;
  if (head?.document !== name || typeof head.format !== "number") return undefined;
  const value = tryJson(body.subarray(end + 1));
  return value === undefined ? undefined : { format: head.format, value, by: head.by };
}
