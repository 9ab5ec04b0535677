import { own } from "../core/own.ts";

/**
 * All values of one tag in one type: an ascending list of places, and beside it the number that stands at each. Both are
 * plain arrays of numbers, which is what JavaScript goes through fastest.
 */
export class Column {
  readonly #gone: number;
  #places: number[] = [];
  #values: number[] = [];
  #count = 0;

  /** @param gone what stands where nothing stands any more: no value may be it, and no condition may match it */
  constructor(gone: number) {
    this.#gone = gone;
  }

  /** How many values there are. */
  get count(): number {
    return this.#count;
  }

  /** The places, in ascending order; also those whose value is gone. */
  get places(): readonly number[] {
    return this.#places;
  }

  /** What stands at those places. */
  get values(): readonly number[] {
    return this.#values;
  }

  /** Puts a value at a place, and gives the one that stood there. Cheap behind all the others; else those behind move. */
  set(place: number, value: number): number | undefined {
    const at = firstFrom(this.#places, place, 0);
    if (this.#places[at] !== place) {
      this.#places.splice(at, 0, place);
      this.#values.splice(at, 0, value);
      this.#count++;
      return undefined;
    }
    const before = this.#valueAt(at);
    if (before === undefined) this.#count++;
    this.#values[at] = value;
    return before;
  }

  /** Takes the value of a place away, and gives it. Those behind move not for each, but once for many. */
  delete(place: number): number | undefined {
    const at = firstFrom(this.#places, place, 0);
    const before = this.#places[at] === place ? this.#valueAt(at) : undefined;
    if (before === undefined) return undefined;
    this.#values[at] = this.#gone;
    this.#count--;
    if (this.#places.length > 2 * this.#count + FEW) this.#tidy();
    return before;
  }

  #valueAt(at: number): number | undefined {
    const value = this.#values[at];
    return Object.is(value, this.#gone) ? undefined : value;
  }

  #tidy(): void {
    const kept = (_: number, at: number): boolean => this.#valueAt(at) !== undefined;
    const places = this.#places.filter(kept);
    this.#values = this.#values.filter(kept);
    this.#places = places;
  }
}

/** So few that are gone are not worth tidying up. */
const FEW = 32;

/**
 * The index of the first of some ascending places that is not before a given one, looked for from an index on: in steps
 * that double, then by halves. What is near is found at once.
 */
export function firstFrom(places: readonly number[], place: number, from: number): number {
  const { length } = places;
  if ((places[length - 1] ?? -1) < place) return length; // most are put behind the others
  let low = from;
  let high = from;
  for (let step = 1; high < length && (places[high] ?? 0) < place; step *= 2) {
    low = high + 1;
    high += step;
  }
  high = Math.min(high, length);
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((places[middle] ?? 0) < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Numbers for strings, each string once: so a condition is asked once of each, however many Things have it. */
export class Dictionary {
  readonly #codes = new Map<string, number>();
  readonly #strings: string[] = [];
  readonly #uses: number[] = [];
  /** Codes whose string nobody has any more. */
  readonly #free: number[] = [];

  /** One more than the highest code. */
  get size(): number {
    return this.#strings.length;
  }

  /** The code of a string, which is in use once more. */
  take(string: string): number {
    const known = this.#codes.get(string);
    if (known !== undefined) {
      this.#uses[known] = (this.#uses[known] ?? 0) + 1;
      return known;
    }
    const code = this.#free.pop() ?? this.#strings.length;
    const copy = own(string); // in one piece it is compared three times as fast, too
    this.#codes.set(copy, code);
    this.#strings[code] = copy;
    this.#uses[code] = 1;
    return code;
  }

  /** A string is in use once less. */
  release(code: number): void {
    const uses = (this.#uses[code] ?? 0) - 1;
    this.#uses[code] = uses;
    if (uses > 0) return;
    this.#codes.delete(this.#strings[code] ?? "");
    this.#strings[code] = "";
    this.#free.push(code);
  }

  /** The string of a code. */
  string(code: number): string {
    return this.#strings[code] ?? "";
  }
}
