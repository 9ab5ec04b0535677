/** Fast randomness from a seed and the number of a stream, so that each stream can be had again by itself. */
export class Dice {
  #state: number;

  constructor(seed: string, index: number) {
    // FNV-1a over both, then mulberry32.
    let hash = 0x811c9dc5;
    for (const character of `${seed} ${index}`) {
      hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
    }
    this.#state = hash >>> 0;
    this.fraction();
  }

  /** From 0 up to, but without 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 up to, but without `below`. */
  below(below: number): number {
    return Math.floor(this.fraction() * below);
  }

  /** True with that probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of a list. */
  pick<T>(list: readonly T[]): T {
    const one = list[this.below(list.length)];
    if (one === undefined) throw new RangeError("an empty list");
    return one;
  }
}
