// XEP-0324 3.5 and 5.2: answers about rights, remembered in memory and on disk until the server says they changed.
import { LRUCache } from "lru-cache";
import { StorageError, messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import type { Journal } from "../storage/journal.ts";
import type { Storage } from "../storage/storage.ts";
import { parseRight, type Right } from "./right.ts";
import { rightsJournal } from "./rights-journal.ts";

/** How much is remembered. */
export interface RightsOptions {
  /** The most answers. Default 1,000. */
  readonly maxEntries?: number;
  /** The most bytes, as they stand on disk. Default 262,144 (256 KiB). */
  readonly maxBytes?: number;
}

/** What a {@link RightsCache} is made of. */
export interface RightsCacheOptions extends RightsOptions {
  /** Where it is kept. */
  readonly storage: Storage;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** Background trouble: the cache on disk is damaged, or cannot be written. */
  readonly onFault: (code: "rights-damaged" | "rights-not-saved", message: string, cause?: unknown) => void;
  /** The disk takes what is written again. */
  readonly onHealed?: (code: "rights-not-saved") => void;
}

// Rewriting at two and a half times of what is live writes 1.7 bytes a byte of grant; below this size it is not worth it.
const SPARE_FACTOR = 2.5;
const SMALLEST_REWRITE = 16_384;
// What one answer may take of the bytes, and what one party may take of the entries; not less than 4 KiB and 16 entries.
const LARGEST_SHARE = 1 / 16;
// What all refusals together may take of both: strangers with many addresses must not push out what somebody may.
const REFUSALS_SHARE = 1 / 2;
// How many refusals are written by themselves between two grants. Each of them a write would let strangers wear out an SD
// card; the others go to disk with the next grant, or at a clean end, and after a power cut they are asked again.
const MOST_SINGLE_REFUSALS = 32;

/**
 * Least recently used goes first. An entry is put with the epoch at which its question was asked: when the cache was
 * cleared meanwhile, the answer is stale and is not kept.
 */
export class RightsCache {
  readonly #rights: LRUCache<string, Right>;
  readonly #journal: Journal;
  readonly #logger: Logger;
  readonly #onFault: RightsCacheOptions["onFault"];
  readonly #onHealed: () => void;
  readonly #largest: number;
  readonly #mostEach: number;
  readonly #mostRefusals: { readonly count: number; readonly bytes: number };
  #refusals = { count: 0, bytes: 0 };
  #singleRefusals = 0;
  // What is not on disk yet.
  readonly #unwritten = new Map<string, Right>();
  // Questions of which there may be a grant on disk that has given way in memory.
  #onlyOnDisk = new Set<string>();
  #epoch = 0;
  readonly #onForgotten = new Set<() => void>();
  // Who asked does not wait for the disk; the end of the Thing does.
  #written: Promise<unknown> = Promise.resolve();
  // True while there may be on disk what is to be forgotten.
  #outdated = false;
  #writable = true;
  // Use changes the order in memory only: a write for every readout would wear out the disk.
  #reordered = false;

  constructor(options: RightsCacheOptions) {
    const { storage, maxEntries = 1_000, maxBytes = 262_144 } = options;
    this.#rights = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      sizeCalculation: sizeOf,
      dispose: (right, key, why) => this.#left(right, why === "set" ? undefined : key),
    });
    this.#largest = Math.min(maxBytes, Math.max(4_096, maxBytes * LARGEST_SHARE));
    this.#mostEach = Math.max(16, Math.floor(maxEntries * LARGEST_SHARE));
    this.#mostRefusals = {
      count: Math.max(1, Math.floor(maxEntries * REFUSALS_SHARE)),
      bytes: maxBytes * REFUSALS_SHARE,
    };
    this.#journal = rightsJournal(storage);
    this.#logger = options.logger;
    this.#onFault = options.onFault;
    this.#onHealed = () => options.onHealed?.("rights-not-saved");
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
    return this.#rights.size;
  }

  /** What is remembered, most recently used first. */
  entries(): readonly Right[] {
    return [...this.#rights.values()];
  }

  /** Reads what is on disk. What is damaged is left behind, with a fault: it will be asked again. */
  async load(): Promise<void> {
    const { records, problem } = await this.#journal.load();
    let unreadable = 0;
    for (const record of records) {
      const right = parseRight(record);
      if (right === undefined) unreadable++;
      else this.#keep(right);
    }
    if (problem === undefined && unreadable === 0) return;
    this.#onFault("rights-damaged", problem ?? `${unreadable} of ${records.length} records could not be read`);
    try {
      await this.#rewrite();
    } catch (error) {
      this.#fail(error); // what was damaged is left out again at the next start
    }
  }

  /** The remembered answer; `undefined` if there is none. Makes it the most recently used. */
  get(key: string): Right | undefined {
    const [newest] = this.#rights.keys();
    if (key !== newest && this.#rights.has(key)) this.#reordered = true;
    return this.#rights.get(key);
  }

  /** As {@link get}, without counting as use. */
  peek(key: string): Right | undefined {
    return this.#rights.peek(key);
  }

  /**
   * Remembers an answer, unless the cache was cleared since its question was asked. Resolves when it is handed to the
   * disk; when there are many refusals, one that contradicts nothing there goes there later.
   */
  async put(right: Right, epoch: number): Promise<void> {
    if (epoch !== this.#epoch) return;
    const before = this.#rights.peek(right.key);
    const isNew = (before === undefined || isRefusal(before)) && !this.#onlyOnDisk.has(right.key);
    if (!this.#keep(right)) return;
    this.#unwritten.set(right.key, right);
    if (!isRefusal(right)) this.#singleRefusals = 0;
    else if (isNew && !this.#outdated && ++this.#singleRefusals > MOST_SINGLE_REFUSALS) return;
    const written = this.#write();
    this.#written = Promise.all([this.#written, written]);
    await written;
  }

  /** Never rejects: a failure is a fault. */
  async #write(): Promise<void> {
    const rights = [...this.#unwritten.values()];
    this.#unwritten.clear();
    try {
      // What a failed clear has left on disk must not come back, least of all behind newer answers.
      if (this.#outdated) await this.#rewrite();
      else await this.#journal.append(rights);
      await this.#compact();
      this.#works();
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Forgets everything: in memory at once, on disk durably once resolved (XEP-0324 3.5.1). By an empty generation in
   * the place of the old one, never by an appended record: a torn tail would undo that. Rejects with `ERR_STORAGE` if
   * the disk does not take it; it is then not to be acknowledged.
   */
  async clear(): Promise<void> {
    this.#epoch++;
    this.#singleRefusals = 0;
    this.#rights.clear();
    this.#outdated = true;
    this.#tellForgotten();
    await this.#rewrite();
    this.#works();
  }

  /** Forgets what is remembered about somebody, durably once resolved. */
  async forget(jid: BareJid): Promise<void> {
    this.#epoch++; // an answer about them that is under way must not come back in
    for (const right of this.entries()) if (right.jid === jid) this.#rights.delete(right.key);
    this.#outdated = true;
    this.#tellForgotten();
    // Also when there was none in memory: what had to give way there still stands on disk.
    await this.#rewrite();
  }

  #tellForgotten(): void {
    for (const tell of this.#onForgotten) tell();
  }

  /** Writes the order of use, if it is another one than on disk, and waits for what is being written: for a clean end. Never rejects; a failure is a fault. */
  async flush(): Promise<void> {
    try {
      if (this.#reordered || this.#unwritten.size > 0) await this.#rewrite();
    } catch (error) {
      this.#fail(error);
    }
    await this.#written;
  }

  async #compact(): Promise<void> {
    const live = this.#rights.calculatedSize;
    if (this.#journal.bytes > Math.max(SMALLEST_REWRITE, SPARE_FACTOR * live)) await this.#rewrite();
  }

  /** Oldest first, so that loading rebuilds the order. */
  async #rewrite(): Promise<void> {
    const epoch = this.#epoch;
    const onlyOnDisk = this.#onlyOnDisk;
    this.#onlyOnDisk = new Set();
    this.#reordered = false;
    this.#unwritten.clear();
    try {
      await this.#journal.rewrite([...this.#rights.rvalues()]);
    } catch (error) {
      for (const key of onlyOnDisk) this.#onlyOnDisk.add(key);
      throw error;
    }
    // One that was begun before a clear says nothing about what the clear leaves behind.
    if (epoch === this.#epoch) this.#outdated = false;
  }

  /**
   * Takes an answer in; tells whether it was taken. Nobody alone pushes the others out, neither with one huge question
   * nor with many: who has his share loses his own least recently used ones. Also what is read from disk comes through
   * here, where answers stand that had given way before.
   */
  #keep(right: Right): boolean {
    if (sizeOf(right) > this.#largest) return false;
    if (this.#rights.size >= this.#mostEach) {
      const own = this.entries().filter(({ jid, key }) => jid === right.jid && key !== right.key);
      for (const { key } of own.slice(this.#mostEach - 1)) this.#rights.delete(key);
    }
    if (isRefusal(right)) this.#makeRoomFor(right);
    this.#rights.set(right.key, right);
    return true;
  }

  /** Refusals give way to refusals. */
  #makeRoomFor(refusal: Right): void {
    const size = sizeOf(refusal);
    const { count, bytes } = this.#mostRefusals;
    while (this.#refusals.count >= count || this.#refusals.bytes + size > bytes) {
      const oldest = [...this.#rights.rvalues()].find((one) => one !== undefined && isRefusal(one));
      if (oldest === undefined) break;
      this.#rights.delete(oldest.key);
    }
    this.#refusals = { count: this.#refusals.count + 1, bytes: this.#refusals.bytes + size };
  }

  /** An answer is not in memory any more; with its key, unless another one has taken its place. */
  #left(right: Right, key: string | undefined): void {
    if (isRefusal(right)) {
      this.#refusals = { count: this.#refusals.count - 1, bytes: this.#refusals.bytes - sizeOf(right) };
    }
    if (key === undefined) return;
    this.#unwritten.delete(key);
    if (!isRefusal(right)) this.#onlyOnDisk.add(key);
  }

  #works(): void {
    this.#writable = true;
    this.#onHealed();
  }

  #fail(error: unknown): void {
    // A full disk would otherwise be told of at every question.
    if (this.#writable) this.#onFault("rights-not-saved", messageOf(error), error);
    if (!(error instanceof StorageError)) this.#logger.error("the rights cache failed", { why: messageOf(error) });
    this.#writable = false;
  }
}

const isRefusal = ({ grants }: Right): boolean => grants.length === 0;

function sizeOf(right: Right): number {
  return Math.max(1, Buffer.byteLength(JSON.stringify(right)));
}
