import { createHash } from "node:crypto";
import type { RandomSource } from "../core/random.ts";

const BLOCK = 32; // bytes of a SHA-256

/** Randomness that can be had again: the same seed gives the same bytes. For tests and demos, never for a secret. */
export class SeededRandom implements RandomSource {
  readonly #seed: string;
  #counter = 0;
  #left = new Uint8Array(0);

  /** @param seed any text or number; it is what a failing test prints */
  constructor(seed: string | number) {
    this.#seed = String(seed);
  }

  /** The next bytes of the sequence. How they are asked for, in one piece or in many, makes no difference. */
  bytes(count: number): Uint8Array {
    const all = new Uint8Array(this.#left.length + Math.ceil(Math.max(0, count - this.#left.length) / BLOCK) * BLOCK);
    all.set(this.#left);
    for (let at = this.#left.length; at < all.length; at += BLOCK) {
      all.set(createHash("sha256").update(`${this.#counter++}:${this.#seed}`).digest(), at);
    }
    this.#left = all.slice(count);
    return all.slice(0, count);
  }
}
