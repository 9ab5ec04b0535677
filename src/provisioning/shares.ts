// Nobody alone pushes the others out of what is remembered, and refused strangers do not push out who may.
import { keyOwner } from "./questions.ts";
import { isRefusal } from "./record.ts";

/** An amount of answers. */
export interface Amount {
  /** How many. */
  readonly count: number;
  /** How many bytes they take on disk. */
  readonly bytes: number;
}

// What one party may take of entries and bytes; not less than 16 entries and 4 KiB. One answer is bounded with it.
const PARTY_SHARE = 1 / 16;
// What all refusals together may take of both.
const REFUSALS_SHARE = 1 / 2;

/** Who may take how much of the room there is. */
export class Shares {
  /** All there is. */
  readonly all: Amount;
  /** What the answers about one address may take. */
  readonly party: Amount;
  /** What all refusals may take. */
  readonly refusals: Amount;

  constructor(maxEntries: number, maxBytes: number) {
    this.all = { count: maxEntries, bytes: maxBytes };
    this.party = {
      count: Math.max(16, Math.floor(maxEntries * PARTY_SHARE)),
      bytes: Math.min(maxBytes, Math.max(4_096, maxBytes * PARTY_SHARE)),
    };
    this.refusals = {
      count: Math.max(1, Math.floor(maxEntries * REFUSALS_SHARE)),
      bytes: maxBytes * REFUSALS_SHARE,
    };
  }

  /**
   * What of these answers has room, the most recently used first: of each party, and of all refusals, the first. Goes
   * from the last of the list to its first, and keeps its order.
   */
  withRoom<T extends { readonly key: string; readonly record: string; readonly size: number }>(
    oldestFirst: readonly T[],
  ): readonly T[] {
    // Count and bytes of each party in one number: there may be ten thousand of them at a start.
    const parties = new Map<string, number>();
    const refusals = new Tally(this.refusals);
    const all = new Tally(this.all);
    const taken: T[] = [];
    for (let index = oldestFirst.length - 1; index >= 0; index--) {
      const right = oldestFirst[index] as T;
      const { size } = right;
      const owner = keyOwner(right.key);
      const party = parties.get(owner) ?? 0;
      const isYes = !isRefusal(right.record);
      if (!all.hasRoom(size) || !this.#hasRoom(party, size) || !(isYes || refusals.hasRoom(size))) continue;
      all.add(size);
      parties.set(owner, party + ONE_MORE + size);
      if (!isYes) refusals.add(size);
      taken.push(right);
    }
    return taken.reverse();
  }

  #hasRoom(party: number, size: number): boolean {
    const count = Math.floor(party / ONE_MORE);
    return count < this.party.count && party - count * ONE_MORE + size <= this.party.bytes;
  }
}

// More than all bytes that are remembered.
const ONE_MORE = 2 ** 32;

/** Counts what was taken of an amount. */
class Tally {
  readonly #most: Amount;
  #count = 0;
  #bytes = 0;

  constructor(most: Amount) {
    this.#most = most;
  }

  hasRoom(size: number): boolean {
    return this.#count < this.#most.count && this.#bytes + size <= this.#most.bytes;
  }

  add(size: number): void {
    this.#count++;
    this.#bytes += size;
  }
}
