// XEP-0347 Internet of Things - Discovery 0.5.1, section 3.15: searching for public Things in the Registry.
import type { SearchOperator } from "../codec/search.ts";
import { foldTagName, type Tag } from "../codec/tags.ts";
import { Column, Dictionary } from "./registry-search-column.ts";
import { Conjunction, Cursor, Looks, onlyOnce } from "./registry-search-cursor.ts";
import { conditionOf, ordinal } from "./registry-search-operators.ts";

/** What the index has to know of a record: who may see it, and its tags. */
export interface Searchable {
  /** Its tags, names in upper case. */
  readonly tags: readonly Tag[];
  /** Whose it is, once it is somebody's: of a self-owned Thing too. */
  readonly claim?: { readonly public: boolean; readonly at: number } | undefined;
  /** There while its owner has removed it, and that is still to be told. */
  readonly removed?: unknown;
}

/** A page of what was found. */
export interface FoundPage<T> {
  /** At most as many as were wanted. */
  readonly records: readonly T[];
  /** Whether there are more behind them. */
  readonly more: boolean;
}

/** A record, and the tags it had when it was put in: those are in the columns. */
interface Entry<T> {
  readonly record: T;
  readonly tags: readonly Tag[];
}

/** A string tag in all records: its values by their codes. */
interface StringColumn {
  readonly codes: Column;
  readonly dictionary: Dictionary;
}

/**
 * Finds public Things by their tags. It takes any record, and lets in only those that may be found: claimed and public,
 * or self-owned, and not removed (D-3.15-2). KEY never gets in (D-3.15-29).
 *
 * They are found in the order in which they got in. So whoever turns pages meets nothing twice while others come, and
 * misses at most as many as go meanwhile.
 */
export class RegistryIndex<T extends Searchable> {
  readonly #places = new Map<string, number>();
  readonly #entries = new Map<number, Entry<T>>();
  readonly #strings = new Map<string, StringColumn>();
  readonly #numbers = new Map<string, Column>();
  #next = 0;

  /** How many can be found. */
  get size(): number {
    return this.#places.size;
  }

  /**
   * Takes note of a record, as it is now: new, changed, claimed, removed. One that was there keeps its place.
   */
  put(key: string, record: T): void {
    if (!maybeFound(record)) return this.delete(key);
    const place = this.#places.get(key) ?? this.#next++;
    this.#places.set(key, place);
    this.#enter(place, record);
  }

  /** Forgets a record. Harmless if there is none. */
  delete(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    for (const tag of this.#tagsAt(place)) this.#withdraw(place, tag);
    this.#entries.delete(place);
    this.#places.delete(key);
  }

  /** Takes in what was kept, in whatever order it comes: those claimed first are found first, as before. */
  fill(records: Iterable<readonly [key: string, record: T]>): void {
    const found = [...records].filter(([, record]) => maybeFound(record));
    const at = ([, record]: readonly [string, T]): number => record.claim?.at ?? 0;
    found.sort((a, b) => at(a) - at(b) || (a[0] < b[0] ? -1 : 1));
    for (const [key, record] of found) this.put(key, record);
  }

  /**
   * Those that match all operators (D-3.15-4), from the `offset`-th on. What has a tag of that name in no record, or
   * means KEY, is found in none; nor is anything without an operator.
   * Throws `TooMuchError` once it has looked at more strings than `looks` allows.
   */
  search(operators: readonly SearchOperator[], offset: number, maxCount: number, looks = new Looks()): FoundPage<T> {
    const records: T[] = [];
    const [first, ...others] = this.#cursors(operators, looks);
    if (first === undefined) return { records, more: false };
    const all = new Conjunction(others);
    let toSkip = offset;
    for (let at = 0; at < first.length; at++) {
      if (!first.matchesAt(at) || !all.match(first.placeAt(at), at)) continue;
      if (toSkip > 0) toSkip--;
      else if (records.length === maxCount) return { records, more: true };
      else records.push((this.#entries.get(first.placeAt(at)) as Entry<T>).record); // what is in a column has an entry
    }
    return { records, more: false };
  }

  /** What goes through the columns, the shortest column first; none if there is nothing to be found in one of them. */
  #cursors(operators: readonly SearchOperator[], looks: Looks): readonly Cursor[] {
    const cursors: Cursor[] = [];
    for (const operator of operators) {
      const { tag, cost, ...asked } = conditionOf(operator);
      if (asked.type === "num") {
        const column = this.#numbers.get(tag);
        if (column === undefined) return []; // D-3.15-27
        cursors.push(new Cursor(column, asked.test, cost));
      } else {
        const column = this.#strings.get(tag);
        if (column === undefined) return [];
        cursors.push(new Cursor(column.codes, onlyOnce(column.dictionary, asked.test, looks), cost));
      }
    }
    return cursors.sort((a, b) => a.count - b.count || a.cost - b.cost);
  }

  #tagsAt(place: number): readonly Tag[] {
    return this.#entries.get(place)?.tags ?? [];
  }

  #enter(place: number, record: T): void {
    const tags = record.tags.filter((tag) => !isKey(tag));
    const types = new Map(tags.map((tag) => [tag.name, tag.type]));
    for (const tag of this.#tagsAt(place)) if (types.get(tag.name) !== tag.type) this.#withdraw(place, tag);
    this.#entries.set(place, { record, tags });
    for (const tag of tags) {
      if (tag.type === "num") obtain(this.#numbers, tag.name, () => new Column(NaN)).set(place, tag.value);
      else {
        const { codes, dictionary } = obtain(this.#strings, tag.name, newStrings);
        const before = codes.set(place, dictionary.take(ordinal(tag.value)));
        if (before !== undefined) dictionary.release(before);
      }
    }
  }

  #withdraw(place: number, tag: Tag): void {
    if (tag.type === "num") {
      const column = this.#numbers.get(tag.name);
      column?.delete(place);
      if (column?.count === 0) this.#numbers.delete(tag.name);
    } else {
      const column = this.#strings.get(tag.name);
      const code = column?.codes.delete(place);
      if (code !== undefined) column?.dictionary.release(code);
      if (column?.codes.count === 0) this.#strings.delete(tag.name);
    }
  }
}

function maybeFound({ claim, removed }: Searchable): boolean {
  return claim !== undefined && claim.public && removed === undefined;
}

function isKey(tag: Tag): boolean {
  return foldTagName(tag.name) === "KEY";
}

function newStrings(): StringColumn {
  return { codes: new Column(-1), dictionary: new Dictionary() };
}

function obtain<T>(columns: Map<string, T>, name: string, make: () => T): T {
  let column = columns.get(name);
  if (column === undefined) columns.set(name, (column = make()));
  return column;
}
