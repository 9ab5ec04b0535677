import { randomFraction, type RandomSource } from "./random.ts";

/** How long to wait between tries. */
export interface BackoffOptions {
  /** The first window, in milliseconds. Default 2,000. */
  readonly first?: number;
  /** The widest window, in milliseconds. Default 300,000 (5 minutes). */
  readonly cap?: number;
}

/**
 * Waits that double, each drawn evenly from zero up to the window ("full jitter"), so that a thousand Things that
 * lost the same server do not come back in the same second. The window is capped before the draw: the spread stays.
 */
export class Backoff {
  readonly #random: RandomSource;
  readonly #first: number;
  readonly #cap: number;
  #window: number;

  constructor(random: RandomSource, options: BackoffOptions = {}) {
    this.#random = random;
    this.#first = options.first ?? 2_000;
    this.#cap = options.cap ?? 300_000;
    this.#window = Math.min(this.#first, this.#cap);
  }

  /** The next wait, in milliseconds. */
  next(): number {
    const wait = randomFraction(this.#random) * this.#window;
    this.#window = Math.min(this.#cap, this.#window * 2);
    return wait;
  }

  /** Back to the first window: something worked. */
  reset(): void {
    this.#window = Math.min(this.#first, this.#cap);
  }
}
