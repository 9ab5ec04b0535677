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
  #waits = 0;

  constructor(random: RandomSource, options: BackoffOptions = {}) {
    this.#random = random;
    this.#first = options.first ?? 2_000;
    this.#cap = options.cap ?? 300_000;
  }

  /**
   * The next wait, in milliseconds.
   *
   * @param first the first window, if what is waited for now begins with another one; it has doubled as often all the same
   * @param cap the widest window, likewise
   */
  next(first = this.#first, cap = this.#cap): number {
    const window = Math.min(cap, first * 2 ** this.#waits++);
    return randomFraction(this.#random) * window;
  }

  /** Back to the first window: something worked. */
  reset(): void {
    this.#waits = 0;
  }
}
