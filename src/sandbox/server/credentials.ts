// RFC 5802, RFC 7677: what a server keeps in the place of a password.
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import type { RandomSource } from "../../core/random.ts";

/** The hash functions of SCRAM-SHA-1, SCRAM-SHA-256 and SCRAM-SHA-512. */
export type ScramHash = "sha1" | "sha256" | "sha512";

/** What is kept of a password for one hash function. */
export interface ScramKeys {
  /** Mixed into the password, so that equal passwords do not look equal. */
  readonly salt: Uint8Array;
  /** How often it is hashed. */
  readonly iterations: number;
  /** Proves a client: the hash of its key. */
  readonly storedKey: Uint8Array;
  /** Proves the server. */
  readonly serverKey: Uint8Array;
}

/** What is kept of a password. */
export type Credentials = Readonly<Record<ScramHash, ScramKeys>>;

/** RFC 7677 section 4: at least 4,096. */
export const ITERATIONS = 4_096;
const SALT_BYTES = 16;
const lengths: Readonly<Record<ScramHash, number>> = { sha1: 20, sha256: 32, sha512: 64 };

/** HMAC. */
export function hmac(hash: ScramHash, key: Uint8Array, message: string): Uint8Array {
  return new Uint8Array(createHmac(hash, key).update(message).digest());
}

/** The plain hash. */
export function digest(hash: ScramHash, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash(hash).update(bytes).digest());
}

/** Makes what is kept of a password. */
export function makeCredentials(password: string, random: RandomSource): Credentials {
  return {
    sha1: makeKeys("sha1", password, random.bytes(SALT_BYTES)),
    sha256: makeKeys("sha256", password, random.bytes(SALT_BYTES)),
    sha512: makeKeys("sha512", password, random.bytes(SALT_BYTES)),
  };
}

function makeKeys(hash: ScramHash, password: string, salt: Uint8Array): ScramKeys {
  // RFC 5802 section 2.2: SASLprep. What it maps away or forbids beyond NFKC has no place in a test's password.
  const salted = pbkdf2Sync(password.normalize("NFKC"), salt, ITERATIONS, lengths[hash], hash);
  const key = new Uint8Array(salted);
  return {
    salt,
    iterations: ITERATIONS,
    storedKey: digest(hash, hmac(hash, key, "Client Key")),
    serverKey: hmac(hash, key, "Server Key"),
  };
}

/** Compares a password in clear with what is kept. */
export function matches(credentials: Credentials, password: string): boolean {
  const { salt, storedKey } = credentials.sha256;
  return timingSafeEqual(makeKeys("sha256", password, salt).storedKey, storedKey);
}

/**
 * Credentials for a name that has no account: always the same for the same name, and no password matches them, so that
 * a guesser cannot tell (RFC 5802 section 9 warns of the salt).
 */
export function decoy(secret: Uint8Array, username: string): Credentials {
  const keys = (hash: ScramHash): ScramKeys => ({
    salt: hmac("sha256", secret, `${hash} salt ${username}`).slice(0, SALT_BYTES),
    iterations: ITERATIONS,
    storedKey: hmac(hash, secret, `stored ${username}`),
    serverKey: hmac(hash, secret, `server ${username}`),
  });
  return { sha1: keys("sha1"), sha256: keys("sha256"), sha512: keys("sha512") };
}
