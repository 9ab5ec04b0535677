import { randomBytes } from "node:crypto";

/** Where randomness comes from. Injected everywhere; in production it must be unguessable. */
export interface RandomSource {
  /** So many random bytes. */
  bytes(count: number): Uint8Array;
}

// Asked for in larger pieces: each question takes longer than the bytes themselves. What was given out is wiped here.
const POOL = 1_024;
const LARGE = 64;
let pool = Buffer.alloc(0);
let used = 0;

/** The operating system's randomness. */
export const systemRandom: RandomSource = {
  bytes: (count) => {
    if (count > LARGE) return new Uint8Array(randomBytes(count));
    if (used + count > pool.length) {
      pool = randomBytes(POOL);
      used = 0;
    }
    const given = Uint8Array.prototype.slice.call(pool, used, used + count);
    pool.fill(0, used, used + count);
    used += count;
    return given;
  },
};

/** A text of letters, digits, `-` and `_` that holds `bytes` bytes of randomness (default 16: 128 bits). */
export function randomToken(random: RandomSource, bytes = 16): string {
  return Buffer.from(random.bytes(bytes)).toString("base64url");
}

/** A text of lower-case hexadecimal digits, two a byte: safe in user names, which servers fold to lower case. */
export function randomHex(random: RandomSource, bytes: number): string {
  return Buffer.from(random.bytes(bytes)).toString("hex");
}

/** A number from 0 up to, not including, 1. */
export function randomFraction(random: RandomSource): number {
  return Buffer.from(random.bytes(6)).readUIntBE(0, 6) / 2 ** 48;
}
