// Remembered rights on disk, written as seldom as can be: an SD card takes only so many writes.
import type { Clock } from "../core/clock.ts";
import type { BareJid } from "../core/jid.ts";
import type { Journal } from "../storage/journal.ts";
import type { Storage } from "../storage/storage.ts";
import { keyStarts } from "./questions.ts";
import {
  decodeRights,
  encodeRights,
  markOf,
  useSize,
  type ReadRight,
  type StoredRight,
  type StoredUse,
} from "./rights-file.ts";
import { rightsJournal } from "./rights-journal.ts";

// What is written of the order of use beside new answers: an eighth of their bytes, and room for a few in any case.
const USE_SHARE = 1 / 8;
const LEAST_USE = 16;
// Rewriting at three times of what is live costs half a byte a byte of answer; below this size it is not worth it.
const SPARE_FACTOR = 3;
const SMALLEST_REWRITE = 16_384;

/** What the remembered rights have been good for since the start, and what they have cost. */
export interface RightsCounters {
  /** Questions that were answered from memory. */
  readonly hits: number;
  /** Questions that had to be asked. */
  readonly misses: number;
  /** Answers that gave way to others. */
  readonly evictions: number;
  /** Answers that were forgotten because nobody used them. */
  readonly expired: number;
  /** Additions to the file, which are not synced. */
  readonly additions: number;
  /** Replacements of the file, each of them synced. */
  readonly replacements: number;
  /** Bytes written to the file. */
  readonly bytesWritten: number;
}

/** What was written so far. */
export interface StoreCounters {
  /** How often something was added to the file. Not synced. */
  readonly additions: number;
  /** How often the file was replaced. Synced. */
  readonly replacements: number;
  /** How many bytes were written, in all. */
  readonly bytes: number;
}

/**
 * The file of remembered rights. It knows what stands in it, also what has given way in memory: with that it tells what
 * must be written from what need not be. One call at a time; {@link RightsCache} sees to that.
 */
export class RightsStore {
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #keepsAges: boolean;
  // For each question the place of its answer in the file, doubled, and one more if that is a grant.
  #places = new Map<string, number>();
  #next = 0;
  // When the file was as it should be last, on the monotonic clock.
  #writtenAt = 0;
  // True while the file may be another one than is known here, or hold what is to be forgotten.
  #isUncertain = true;
  // True once nothing of before can come back: who was killed in the middle of a replacement has left a new file that can
  // be read, and the old one on the disk, should the power go.
  #isDurable = false;
  #counters = { additions: 0, replacements: 0, bytes: 0 };

  /** @param keepsAges whether it matters when something was used, and not only in which order */
  constructor(storage: Storage, clock: Clock, keepsAges: boolean) {
    this.#journal = rightsJournal(storage);
    this.#clock = clock;
    this.#keepsAges = keepsAges;
  }

  get counters(): StoreCounters {
    return this.#counters;
  }

  /** True while there may be something in the file that is to go: what a failed write has left there, or damage. */
  get isUncertain(): boolean {
    return this.#isUncertain;
  }

  /** True if there is nothing in the file that could come back. */
  get isEmpty(): boolean {
    return this.#places.size === 0 && !this.#isUncertain && this.#isDurable;
  }

  /** What the file holds is not to be relied on: the next write replaces it. */
  distrust(): void {
    this.#isUncertain = true;
  }

  /** What stands in the file about this question, if anything does. */
  saidOf(key: string): "grant" | "refusal" | undefined {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    return (place & 1) === 1 ? "grant" : "refusal";
  }

  /** Whether anything about somebody stands in the file, or may. */
  hasAny(jid: BareJid): boolean {
    if (this.#isUncertain || !this.#isDurable) return true;
    const starts = keyStarts(jid);
    for (const key of this.#places.keys()) if (starts.some((start) => key.startsWith(start))) return true;
    return false;
  }

  /** Whether all that stands in the file is still remembered, as far as is known. */
  hasOnly(isRemembered: (key: string) => boolean): boolean {
    if (this.#isUncertain || !this.#isDurable) return false;
    for (const key of this.#places.keys()) if (!isRemembered(key)) return false;
    return true;
  }

  /** Reads the file; the answers, longest unused first. Writes nothing. */
  async load(): Promise<{ rights: readonly ReadRight[]; problem?: string; older?: number }> {
    const { blocks, problem: damage, older } = await this.#journal.load();
    const { rights, places, next, problem: oddity } = decodeRights(blocks, this.#clock.now());
    this.#places = places;
    this.#next = next;
    const problem = damage ?? oddity;
    this.#writtenAt = this.#clock.monotonic();
    this.#isDurable = this.#journal.bytes === 0; // there was none, ever
    this.#isUncertain = problem !== undefined || older !== undefined;
    return { rights, ...(problem !== undefined && { problem }), ...(older !== undefined && { older }) };
  }

  /**
   * Brings the file up to date with what is remembered, in one write. New answers are added, and beside them which
   * older ones were used since, as far as there is room for that (`"some"`) or whatever it takes (`"all"`). A file that
   * has grown far beyond what lives is replaced. Rejects when the disk does not take it: the next call replaces the file.
   *
   * @param order all that is remembered, longest unused first
   * @param fresh the keys of what is not in the file yet, or there otherwise
   * @param live how many bytes all of it takes
   */
  async update(
    order: readonly StoredRight[],
    fresh: ReadonlySet<string>,
    live: number,
    uses: "some" | "all",
  ): Promise<void> {
    if (this.#isUncertain) return this.replace(order);
    const additions = this.#additions(order, fresh, uses);
    if (additions.length === 0) return;
    const block = encodeRights(additions, this.#clock.now());
    const most = Math.max(SMALLEST_REWRITE, SPARE_FACTOR * live);
    if (this.#journal.bytes === 0 || this.#journal.bytes + block.length > most) return this.replace(order);
    // Before the disk has it: what may stand there is not to be taken for absent.
    for (const one of additions) {
      if ("key" in one) this.#note(one.key, one.record, this.#next++);
      else this.#places.set(one.of, this.#next++ * 2 + (this.saidOf(one.of) === "grant" ? 1 : 0));
    }
    await this.#write("additions", block.length, () => this.#journal.append(block));
  }

  /** Puts this in the place of all that the file holds: durable once resolved (XEP-0324 3.5.1, P-E21). */
  async replace(order: readonly StoredRight[]): Promise<void> {
    const block = order.length === 0 ? undefined : encodeRights(order, this.#clock.now());
    await this.#write("replacements", block?.length ?? 0, () => this.#journal.rewrite(block));
    this.#isDurable = true;
    this.#places = new Map();
    for (const [place, { key, record }] of order.entries()) this.#note(key, record, place);
    this.#next = order.length;
  }

  #note(key: string, record: string, place: number): void {
    this.#places.set(key, markOf(place, record));
  }

  async #write(what: "additions" | "replacements", bytes: number, write: () => Promise<void>): Promise<void> {
    const now = this.#clock.monotonic();
    this.#isUncertain = true;
    await write();
    this.#isUncertain = false;
    this.#writtenAt = now;
    const { counters } = this;
    this.#counters = { ...counters, [what]: counters[what] + 1, bytes: counters.bytes + bytes };
  }

  /**
   * What the file does not say yet: from the first answer on that does not follow in it upon the one before, or that was
   * used since it was written.
   */
  #additions(
    order: readonly StoredRight[],
    fresh: ReadonlySet<string>,
    uses: "some" | "all",
  ): readonly (StoredRight | StoredUse)[] {
    const placeOf = (key: string): number | undefined => {
      const place = fresh.has(key) ? undefined : this.#places.get(key);
      return place === undefined ? undefined : place >> 1;
    };
    // What has given way in memory must not stand behind what has not: it would come back in its place.
    const living = new Set(order.map(({ key }) => key));
    let last = -1;
    for (const [key, place] of this.#places) if (!living.has(key)) last = Math.max(last, place >> 1);
    const since = this.#keepsAges ? this.#clock.monotonic() - this.#writtenAt : 0;
    const from = order.findIndex(({ key, unused }) => {
      const place = placeOf(key);
      if (place === undefined || place < last || unused < since) return true;
      last = place;
      return false;
    });
    if (from < 0) return [];
    const additions: (StoredRight | StoredUse)[] = [];
    let room = 0;
    for (const one of order.slice(from)) if (placeOf(one.key) === undefined) room += one.key.length + one.record.length;
    room = uses === "all" ? Infinity : Math.max(LEAST_USE, room * USE_SHARE);
    // The most recent uses first: they are the ones that count when there is no room for all.
    for (let index = order.length - 1; index >= from; index--) {
      const one = order[index] as StoredRight;
      const place = placeOf(one.key);
      if (place === undefined) additions.push(one);
      else if ((room -= useSize(place)) >= 0) additions.push({ of: one.key, place, unused: one.unused });
    }
    return additions.reverse();
  }
}
