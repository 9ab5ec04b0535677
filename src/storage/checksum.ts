import { createHash } from "node:crypto";
import { ConfigError } from "../core/errors.ts";
import { decodeText } from "./bytes.ts";

/** How many characters a checksum has: 64 bits of a SHA-256 in hexadecimal, far beyond what chance can hit. */
export const checksumLength = 16;

/** A checksum over a content and the checksum before it: it holds only where that one stood in front. */
export function checksum(before: string, content: Uint8Array): string {
  return createHash("sha256").update(before).update(content).digest("hex").slice(0, checksumLength);
}

/**
 * A value as one line of JSON, without line feed at the end. Throws `ERR_CONFIG` for what JSON cannot hold
 * (`undefined`, a function, a cycle).
 *
 * @param what names the value in the message
 */
export function jsonLine(value: unknown, what: string): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    // Without indentation JSON.stringify puts out no raw line feed, and lone surrogates escaped.
    text = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  if (text === undefined) throw new ConfigError(`${what}: not a JSON value`, { cause });
  return text;
}

/** Parses JSON; `undefined` if it is none. */
export function tryJson(content: Uint8Array): unknown {
  try {
    return JSON.parse(decodeText(content)) as unknown;
  } catch {
    return undefined;
  }
}
