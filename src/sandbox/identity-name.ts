// What the identity behind a certificate is called, in rules and out of them.
import { ConfigError } from "../core/errors.ts";

/** Tells whether a text is a SHA-256 fingerprint, as {@link normaliseIdentity} gives it. */
export function isFingerprint(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/**
 * A name as it is, a fingerprint in lower case without colons: `openssl x509 -fingerprint -sha256` prints it in upper
 * case with them. Throws `ERR_CONFIG` for an empty text.
 */
export function normaliseIdentity(text: string, option: string): string {
  const digits = text.replaceAll(":", "").toLowerCase();
  if (isFingerprint(digits)) return digits;
  if (text.trim() === "") throw new ConfigError(`${option}: a name or a SHA-256 fingerprint, not nothing`);
  return text;
}
