// How a challenge is decrypted: XEP-0324 3.1.3, P-E12.
import { constants, privateDecrypt, type KeyObject } from "node:crypto";
import { ProtocolError } from "../core/errors.ts";

/** Decrypts a challenge. Rejects with {@link cannotDecrypt}, whatever went wrong. */
export type Decrypt = (challenge: Uint8Array) => Promise<Uint8Array>;

/**
 * How challenges are padded: `oaep` (RSAES-OAEP with SHA-1), `pkcs1` (RSAES-PKCS1-v1_5), or `auto`: whichever of the two a
 * challenge shows itself to be. XEP-0324 does not say (P-E12).
 */
export type Padding = "auto" | "oaep" | "pkcs1";

/** The one error there is. Which of two paddings was wrong, and how, would help who wants something else decrypted. */
export function cannotDecrypt(options?: ErrorOptions): ProtocolError {
  return new ProtocolError("the challenge could not be decrypted", "", options);
}

/**
 * Decrypts with an RSA key in memory. All that the padding allows is tried before anything fails, and a block of the wrong
 * length is tried like any other: how long it takes tells nobody why.
 */
export function decryptWith(key: KeyObject, padding: Padding): Decrypt {
  const size = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  const ways = { auto: [oaep, pkcs1], oaep: [oaep], pkcs1: [pkcs1] }[padding];
  return (challenge) => {
    const block = challenge.length === size ? challenge : new Uint8Array(size);
    for (const way of ways) {
      const bytes = way(key, block);
      if (bytes !== undefined && bytes.length > 0) return Promise.resolve(copy(bytes));
    }
    return Promise.reject(cannotDecrypt());
  };
}

/** Decrypts elsewhere, for instance in a secure element. What that says of a failure is the cause, for the device's own eyes. */
export function decryptBy(callback: (challenge: Uint8Array) => Uint8Array | Promise<Uint8Array>): Decrypt {
  return async (challenge) => {
    let bytes: unknown;
    try {
      bytes = await callback(Uint8Array.from(challenge));
    } catch (error) {
      throw cannotDecrypt({ cause: error });
    }
    if (bytes instanceof Uint8Array && bytes.length > 0) return copy(bytes);
    throw cannotDecrypt({ cause: new TypeError("certificate.decrypt: must give a Uint8Array that is not empty") });
  };
}

/** In memory of its own, and no `Buffer`: what is not needed of it is nobody's business. */
function copy(bytes: ArrayLike<number>): Uint8Array {
  return new Uint8Array(bytes);
}

/** Its own check tells what is padded otherwise apart. */
function oaep(key: KeyObject, block: Uint8Array): Uint8Array | undefined {
  try {
    return copy(privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" }, block));
  } catch {
    return undefined;
  }
}

/**
 * Node.js 20 does not take off this padding, and 22 makes up bytes where it is wrong. So Node.js does the arithmetic, and
 * the padding (RFC 8017 section 7.2.2) is taken off here: 0, 2, at least 8 bytes that are not 0, 0, then the message. All
 * bytes are looked at, wherever the first wrong one is.
 */
function pkcs1(key: KeyObject, block: Uint8Array): Uint8Array | undefined {
  let padded: Uint8Array;
  try {
    padded = copy(privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, block));
  } catch {
    return undefined; // a number that is not below the modulus
  }
  const [first = 0, second = 0] = padded;
  let separator = 0;
  let found = 0;
  for (const [index, byte] of padded.subarray(2).entries()) {
    const isZero = ((byte - 1) >> 31) & 1;
    separator |= (index + 2) & -(isZero & (found ^ 1));
    found |= isZero;
  }
  const wrong = first | (second ^ 2) | (found ^ 1) | (((separator - LEAST_PADDED) >> 31) & 1);
  return wrong === 0 ? padded.subarray(separator + 1) : undefined;
}

// Where the 0 before the message stands at the earliest.
const LEAST_PADDED = 10;
