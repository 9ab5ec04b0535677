// Fields are unique by node, name and timestamp (XEP-0323 2): what of one node has been told already.

// So many moments of one field are kept one by one; of more they must come in the order of time, either way.
const MOST_KEPT = 1_000;

interface Seen {
  min: number;
  max: number;
  readonly all: Set<number>;
}

/** The names and moments of one node. Its memory is bounded, however long the history is. */
export class Moments {
  readonly #seen = new Map<string, number | Seen>();

  /**
   * Notes a moment of a field. False if it was there before; also if nobody can tell any more: of a field with very many
   * moments one that lies between those that have been.
   */
  add(name: string, ms: number): boolean {
    const seen = this.#seen.get(name);
    if (seen === undefined) {
      this.#seen.set(name, ms); // most fields have one
      return true;
    }
    if (typeof seen === "number") {
      if (seen === ms) return false;
      this.#seen.set(name, { min: Math.min(seen, ms), max: Math.max(seen, ms), all: new Set([seen, ms]) });
      return true;
    }
    const isOutside = ms < seen.min || ms > seen.max;
    const isFull = seen.all.size >= MOST_KEPT;
    if (!isOutside && (isFull || seen.all.has(ms))) return false;
    seen.min = Math.min(seen.min, ms);
    seen.max = Math.max(seen.max, ms);
    if (!isFull) seen.all.add(ms);
    return true;
  }
}
