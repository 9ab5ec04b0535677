import { firstFrom, type Column, type Dictionary } from "./registry-search-column.ts";

/** Goes through a column from its beginning to its end, and asks a condition of what it meets. */
export class Cursor {
  /** How many values there are to be asked. */
  readonly count: number;
  /** What it costs to ask. */
  readonly cost: number;
  /** How many did not match, of late. */
  misses = 0;
  readonly #test: (value: number) => boolean;
  readonly #places: readonly number[];
  readonly #values: readonly number[];
  #at = 0;
  /** How far it is from the first column: columns that nearly all Things have stand side by side for long stretches. */
  #lag = 0;

  constructor(column: Column, test: (value: number) => boolean, cost: number) {
    this.count = column.count;
    this.cost = cost;
    this.#test = test;
    this.#places = column.places;
    this.#values = column.values;
  }

  /** How many places there are. */
  get length(): number {
    return this.#places.length;
  }

  /** The place at an index. */
  placeAt(at: number): number {
    return this.#places[at] ?? 0;
  }

  /** Asks what stands at an index. */
  matchesAt(at: number): boolean {
    const value = this.#values[at];
    return value !== undefined && this.#test(value);
  }

  /** Asks what stands at a place that is not before the one that was asked for last; `at` is the first column's index. */
  matches(place: number, at: number): boolean {
    let own = at + this.#lag;
    if (this.#places[own] !== place) {
      own = this.#at = firstFrom(this.#places, place, this.#at);
      this.#lag = own - at;
      if (this.#places[own] !== place) return false;
    }
    return this.matchesAt(own);
  }
}

/** After so many rows it is seen which conditions leave the least. */
const STRETCH = 256;

/** Several conditions, all of which must hold. The one that has left the least so far is asked first. */
export class Conjunction {
  readonly #cursors: Cursor[];
  #asked = 0;

  constructor(cursors: readonly Cursor[]) {
    this.#cursors = [...cursors];
  }

  /** Asks all of them, until one does not match. */
  match(place: number, at: number): boolean {
    if (++this.#asked % STRETCH === 0) this.#sort();
    for (const cursor of this.#cursors) {
      if (cursor.matches(place, at)) continue;
      cursor.misses++;
      return false;
    }
    return true;
  }

  #sort(): void {
    this.#cursors.sort((a, b) => b.misses - a.misses);
    for (const cursor of this.#cursors) cursor.misses >>= 1; // what was long ago counts less
  }
}

/** A search looks at more strings than it may. */
export class TooMuchError extends Error {}

/** Counts the strings that a search looks at: in them is nearly all that it costs, where each Thing has others. */
export class Looks {
  /** How many it has looked at. */
  count = 0;
  readonly #most: number;

  constructor(most = Infinity) {
    this.#most = most;
  }

  /** One more. Throws {@link TooMuchError} if that is too many. */
  add(): void {
    if (++this.count > this.#most) throw new TooMuchError();
  }
}

/** A condition on strings as one on their codes: each string is asked once at most. */
export function onlyOnce(
  dictionary: Dictionary,
  test: (value: string) => boolean,
  looks: Looks,
): (code: number) => boolean {
  const answers = new Uint8Array(dictionary.size);
  return (code) => {
    const known = answers[code];
    if (known === 0) {
      looks.add();
      const matches = test(dictionary.string(code));
      answers[code] = matches ? 1 : 2;
      return matches;
    }
    return known === 1;
  };
}
