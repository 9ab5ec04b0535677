// XEP-0324 3.5 and 5.2: answers about rights, remembered in memory and on disk until the server says they changed.
import { LRUCache } from "lru-cache";
import { systemClock, type Clock, type Timer } from "../core/clock.ts";
import { StorageError, messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { RecordTable, type Decision } from "./decision.ts";
import { marked } from "./marks.ts";
import { keyOwner, keyStarts } from "./questions.ts";
import { isRefusal } from "./record.ts";
import { rightOf, type Right } from "./right.ts";
import { storedSize, type StoredRight } from "./rights-file.ts";
import type { RightsCacheOptions } from "./rights-options.ts";
import { RightsStore, type RightsCounters } from "./rights-store.ts";
import { Shares } from "./shares.ts";

export type { RightsCacheOptions, RightsOptions } from "./rights-options.ts";

// A moment that begins an age must not be 0, nor before it: any offset will do.
const LONG_AGO = 2 ** 42;

/**
 * Least recently used goes first. An entry is put with the epoch at which its question was asked: when the cache was
 * cleared meanwhile, the answer is stale and is not kept. Nothing is written for what is only used.
 */
export class RightsCache {
  readonly #rights: LRUCache<string, string>;
  readonly #records = new RecordTable();
  readonly #store: RightsStore;
  readonly #options: RightsCacheOptions;
  readonly #clock: Clock;
  readonly #shares: Shares;
  readonly #gatherFor: number;
  readonly #maxAge: number | undefined;
  // One write after the other: each looks at what is remembered when its turn has come.
  readonly #queue = new SerialQueue();
  #refusals = { count: 0, bytes: 0 };
  #counted = { hits: 0, misses: 0, evictions: 0, expired: 0 };
  // The keys of what is not on disk, or there otherwise.
  #fresh = new Set<string>();
  // Whether anything was used since the last write.
  #isUsed = false;
  #epoch = 0;
  readonly #onForgotten = new Set<() => void>();
  #timer: Timer | undefined;
  // When what was gathered went to disk last.
  #gatheredAt = -Infinity;
  // From the start to the end. Beyond, nothing is tried again and again on a disk that is not the Thing's.
  #isOpen = false;
  #isWritable = true;

  constructor(options: RightsCacheOptions) {
    const { storage, clock = systemClock, maxEntries = 1_000, maxBytes = 262_144, gather = 30_000, maxAge } = options;
    this.#options = options;
    this.#clock = clock;
    this.#gatherFor = gather;
    this.#maxAge = maxAge;
    this.#shares = new Shares(maxEntries, maxBytes);
    this.#store = new RightsStore(storage, clock, maxAge !== undefined);
    // Without a bound on entries of its own it takes room for them as they come.
    this.#rights = new LRUCache({
      maxSize: maxBytes,
      dispose: (record, key, why) => this.#left(record, key, why),
      ...(maxAge !== undefined && {
        ttl: maxAge,
        ttlResolution: 0,
        updateAgeOnGet: true,
        perf: { now: () => this.#moment() },
      }),
    });
  }

  /** Counts the times the cache was cleared. Taken before a question, handed to {@link put} with its answer. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Has somebody told whenever something is forgotten: in memory by then, and not yet on disk. */
  onForgotten(tell: () => void): void {
    this.#onForgotten.add(tell);
  }

  /** How many answers are remembered. */
  get count(): number {
    if (this.#maxAge !== undefined) this.#rights.purgeStale();
    return this.#rights.size;
  }

  /** How many bytes they take on disk. */
  get bytes(): number {
    return this.#rights.calculatedSize;
  }

  /** What they were good for, and what they cost. */
  get counters(): RightsCounters {
    const { additions, replacements, bytes } = this.#store.counters;
    return { ...this.#counted, additions, replacements, bytesWritten: bytes };
  }

  /** What is remembered, most recently used first. */
  entries(): readonly Right[] {
    return this.#pairs("entries").flatMap(([key, record]) => rightOf(key, record) ?? []);
  }

  /** Reads what is on disk. What is damaged is left behind, with a fault: it will be asked again. */
  async load(): Promise<void> {
    this.#isOpen = true;
    const { rights, problem, older } = await this.#store.load();
    const now = this.#moment();
    const maxAge = this.#maxAge;
    const living = maxAge === undefined ? rights : rights.filter(({ unused }) => unused < maxAge);
    for (const { key, record, size, unused } of this.#shares.withRoom(living)) {
      this.#set(key, record, size, now - unused);
    }
    if (problem !== undefined) this.#options.onFault("rights-damaged", problem);
    if (older !== undefined) {
      this.#options.logger.info("what was remembered in an older format is asked again", { format: older });
    }
    if (!this.#store.isUncertain) return;
    try {
      await this.#replace();
    } catch (error) {
      this.#fail(error); // what was damaged is left out again at the next start
    }
  }

  /** The remembered answer, if it holds in this generation of trust. Makes it the most recently used. */
  get(key: string, generation: string): Decision | undefined {
    const record = this.#rights.get(key, lookUp);
    if (record !== undefined) {
      const read = this.#records.read(record);
      if (read !== undefined && read.generation === generation) {
        this.#counted.hits++;
        this.#isUsed = true;
        return read.decision;
      }
    }
    this.missed();
    return undefined;
  }

  /** Counts a question that is asked though it is remembered: the answer does not count yet. */
  missed(): void {
    this.#counted.misses++;
  }

  /** As {@link get}, without counting as use. */
  peek(key: string, generation: string): Decision | undefined {
    const record = this.#rights.peek(key);
    const read = record === undefined ? undefined : this.#records.read(record);
    return read?.generation === generation ? read.decision : undefined;
  }

  /**
   * Remembers an answer, unless the cache was cleared since its question was asked. A grant goes to disk with others when
   * the time to gather them is over, a refusal when something else does: strangers would wear out an SD card. What takes
   * the place of another answer on disk goes there at once, but not sooner after the last write than grants would: a
   * server that says now this and now that would wear it out too.
   */
  put(key: string, record: string, epoch: number): void {
    if (epoch !== this.#epoch) return;
    const before = this.#rights.get(key, lookUp);
    if (before !== undefined) this.#isUsed = true;
    if (before === record) return;
    const copy = Buffer.from(key).toString();
    if (copy !== key) return; // no text that a disk can keep: lone surrogates, which no stream can bring
    const said = this.#store.saidOf(key);
    // What has given way in memory, and is asked again, mostly gets the same answer.
    const isOther = said !== undefined && (before !== undefined || said !== kindOf(record));
    if (!this.#keep(copy, this.#records.shared(record)) && said !== undefined) this.#store.distrust();
    const isUrgent = isOther || this.#store.isUncertain;
    if (isUrgent && this.#clock.monotonic() - this.#gatheredAt >= this.#gatherFor) void this.gathered();
    else if (isUrgent || !isRefusal(record)) this.#gather();
  }

  /**
   * Forgets everything: in memory at once, on disk durably once resolved (XEP-0324 3.5.1). By an empty generation in
   * the place of the old one, never by an appended record: a torn tail would undo that. Nothing is written if nothing is
   * there. Rejects with `ERR_STORAGE` if the disk does not take it; it is then not to be acknowledged.
   */
  async clear(): Promise<void> {
    this.#epoch++;
    this.#rights.clear();
    this.#records.clear();
    this.#fresh.clear();
    this.#tellForgotten();
    await this.#erase(() => this.#store.isEmpty);
  }

  /** Forgets what is remembered about somebody, durably once resolved. */
  async forget(jid: BareJid): Promise<void> {
    this.#epoch++; // an answer about them that is under way must not come back in
    const starts = keyStarts(jid);
    for (const key of [...this.#rights.keys()]) {
      if (starts.some((start) => key.startsWith(start))) this.#rights.delete(key);
    }
    this.#tellForgotten();
    // Also when there was none in memory: what had to give way there still stands on disk.
    await this.#erase(() => !this.#store.hasAny(jid));
  }

  /**
   * Forgets all that names a node, in the question or in the answer, durably once resolved: what is told that name next may be
   * another device. Also what names another node of that id: it is asked again.
   */
  async forgetNode({ nodeId }: NodeRef): Promise<void> {
    this.#epoch++;
    const name = marked(nodeId);
    for (const [key, record] of this.#pairs("entries")) {
      if (key.includes(name) || record.includes(name)) this.#rights.delete(key);
    }
    this.#tellForgotten();
    // Of what has given way in memory the file alone knows what it names.
    await this.#erase(() => this.#store.hasOnly((key) => this.#rights.has(key)));
  }

  /** Resolves once what was forgotten is gone from the disk too, also where that had failed. Rejects as {@link clear} does. */
  settled(): Promise<void> {
    return this.#erase(() => !this.#store.isUncertain);
  }

  /** Writes what is not on disk, and the order of use: for a clean end. Never rejects; a failure is a fault. */
  async flush(): Promise<void> {
    await this.#queue.run(() => this.#update("all"));
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** As {@link flush}; from then on nothing is written of itself, and what is cleared by hand is not tried again. */
  async stop(): Promise<void> {
    this.#isOpen = false;
    await this.flush();
  }

  #tellForgotten(): void {
    for (const tell of this.#onForgotten) tell();
  }

  /** Has what is not on disk written when the time to gather is over. */
  #gather(): void {
    if (!this.#isOpen) return;
    this.#timer ??= this.#clock.schedule(this.#gatherFor, () => void this.gathered());
  }

  /**
   * Writes what was gathered, now, and of the order of use what has room beside it, or all. Never rejects: a failure is a
   * fault.
   */
  gathered(uses: "some" | "all" = "some"): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#gatheredAt = this.#clock.monotonic();
    if (!this.#isOpen) return Promise.resolve();
    return this.#queue.run(() => this.#update(uses));
  }

  async #update(uses: "some" | "all"): Promise<void> {
    const isIdle = this.#fresh.size === 0 && !this.#store.isUncertain;
    if (isIdle && !(uses === "all" && this.#isUsed)) return;
    try {
      await this.#written((order, fresh) => this.#store.update(order, fresh, this.bytes, uses));
    } catch (error) {
      this.#fail(error);
      this.#gather();
    }
  }

  /** Makes the disk forget what memory has forgotten. */
  async #erase(isGone: () => boolean): Promise<void> {
    await this.#queue.run(async () => {
      if (isGone()) return;
      try {
        await this.#replace();
      } catch (error) {
        this.#gather(); // tried again, whether it is asked for again or not
        throw error;
      }
    });
  }

  #replace(): Promise<void> {
    return this.#written((order) => this.#store.replace(order));
  }

  async #written(write: (order: readonly StoredRight[], fresh: ReadonlySet<string>) => Promise<void>): Promise<void> {
    const fresh = this.#fresh;
    this.#fresh = new Set();
    this.#isUsed = false;
    try {
      await write(this.#inOrder(), fresh);
    } catch (error) {
      for (const key of fresh) if (this.#rights.has(key)) this.#fresh.add(key);
      throw error;
    }
    this.#isWritable = true;
    this.#options.onHealed?.("rights-not-saved");
  }

  /** All that is remembered, longest unused first. */
  #inOrder(): readonly StoredRight[] {
    const maxAge = this.#maxAge;
    return this.#pairs("rentries").map(([key, record]) => {
      const unused = maxAge === undefined ? 0 : maxAge - this.#rights.getRemainingTTL(key);
      return { key, record, unused };
    });
  }

  /** Keys and records, the most or (`rentries`) the least recently used first. A copy: it may be taken from meanwhile. */
  #pairs(from: "entries" | "rentries"): readonly (readonly [string, string])[] {
    return [...this.#rights[from]()].filter((pair): pair is [string, string] => pair[1] !== undefined);
  }

  /** Takes an answer in; tells whether it was taken. Who has his share loses his own least recently used ones. */
  #keep(key: string, record: string): boolean {
    this.#rights.delete(key);
    const size = storedSize(key, record);
    const { all, party } = this.#shares;
    if (size > party.bytes) return false;
    this.#makeRoomOfParty(key, size);
    if (isRefusal(record)) this.#makeRoomOfRefusals(size);
    this.#set(key, record, size, this.#moment());
    this.#fresh.add(key);
    while (this.#rights.size > all.count) this.#rights.pop();
    return true;
  }

  #makeRoomOfParty(key: string, size: number): void {
    const { party } = this.#shares;
    if (this.#rights.size < party.count && this.#rights.calculatedSize + size <= party.bytes) return;
    const starts = keyStarts(keyOwner(key));
    let count = 1;
    let bytes = size;
    for (const [one, record] of this.#pairs("entries")) {
      if (!starts.some((start) => one.startsWith(start))) continue;
      count++;
      bytes += storedSize(one, record);
      if (count > party.count || bytes > party.bytes) this.#giveWay(one);
    }
  }

  /** Refusals give way to refusals. */
  #makeRoomOfRefusals(size: number): void {
    const { count, bytes } = this.#shares.refusals;
    const isFull = (): boolean => this.#refusals.count >= count || this.#refusals.bytes + size > bytes;
    if (!isFull()) return;
    for (const [key, record] of this.#pairs("rentries")) {
      if (isRefusal(record)) this.#giveWay(key);
      if (!isFull()) return;
    }
  }

  #giveWay(key: string): void {
    this.#counted.evictions++;
    this.#rights.delete(key);
  }

  #set(key: string, record: string, size: number, start: number): void {
    if (isRefusal(record)) this.#count(1, size);
    this.#rights.set(key, record, { size, start });
  }

  #count(count: 1 | -1, size: number): void {
    this.#refusals = { count: this.#refusals.count + count, bytes: this.#refusals.bytes + count * size };
  }

  /** An answer is not in memory any more. */
  #left(record: string, key: string, why: LRUCache.DisposeReason): void {
    if (isRefusal(record)) this.#count(-1, storedSize(key, record));
    this.#fresh.delete(key);
    if (why === "evict") this.#counted.evictions++;
    if (why === "expire") this.#counted.expired++;
  }

  /** Time that never jumps, and is never 0. */
  #moment(): number {
    return LONG_AGO + this.#clock.monotonic();
  }

  #fail(error: unknown): void {
    // A full disk would otherwise be told of at every question.
    if (this.#isWritable) this.#options.onFault("rights-not-saved", messageOf(error), error);
    if (!(error instanceof StorageError)) {
      this.#options.logger.error("the rights cache failed", { why: messageOf(error) });
    }
    this.#isWritable = false;
  }
}

const kindOf = (record: string): "grant" | "refusal" => (isRefusal(record) ? "refusal" : "grant");
const lookUp = {}; // one for all: it would otherwise be made anew for each look
