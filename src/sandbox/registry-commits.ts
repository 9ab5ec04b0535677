// Memory answers, the keeper keeps: nothing that the Registry has changed is told before it would survive a power cut.
import { messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { Refusal } from "../core/refusal.ts";
import type { RecordKeeper, RegistryRecord } from "./registry-records.ts";
import type { RegistryTable, TableUndo } from "./registry-table.ts";

/** Takes what came of a change, once it is kept: calling `result` gives it, or throws what went wrong. */
export type Settle<T> = (result: () => T) => void;

interface Waiting {
  readonly undo: TableUndo;
  /** Tells that all is kept, or that it is not. */
  end(kept: boolean): void;
}

// A keeper that hangs must not fill the memory. At a kilobyte each these are ten megabytes.
const MOST_WAITING = 10_000;

/**
 * Changes of the table, one after another. Each happens in memory at once; what came of it is told when the keeper has
 * kept it, and all that was there before it: so answers go out in the order of the requests, and nobody is told what a
 * power cut could undo. Changes that come while the keeper writes go to it together.
 *
 * When the keeper fails, all that is not kept is taken back, newest first, and refused by `resource-constraint`: who
 * asked may try again.
 */
export class Commits {
  readonly #table: RegistryTable;
  readonly #logger: Logger;
  #keeper: RecordKeeper | undefined;
  #waiting: Waiting[] = [];
  /** How many are at the keeper. */
  #writing = 0;
  #written: Promise<void> = Promise.resolve();
  /** What a write that failed was about: nobody knows what of it is kept. It goes along with the next one. */
  #doubtful = new Set<string>();

  constructor(table: RegistryTable, logger: Logger) {
    this.#table = table;
    this.#logger = logger;
  }

  /** From now on changes are kept. What the table holds is kept already. */
  keepIn(keeper: RecordKeeper): void {
    this.#keeper = keeper;
  }

  /**
   * Makes a change, which may throw, and settles it: before this returns if nothing has to be kept. That nothing had to
   * be changed is a promise too: as long as a write that failed leaves doubts, it is kept like a change.
   */
  run<T>(change: () => T, settle: Settle<T>): void {
    this.#settle(change, settle, (undo) => undo.size === 0 && this.#doubtful.size === 0);
  }

  /** Looks at what is there, which promises nothing, and settles it: before this returns if nothing is being written. */
  look<T>(look: () => T, settle: Settle<T>): void {
    this.#settle(look, settle, () => true);
  }

  #settle<T>(change: () => T, settle: Settle<T>, isKept: (undo: TableUndo) => boolean): void {
    if (this.#waiting.length + this.#writing >= MOST_WAITING) return settle(refuseForNow);
    const { undo, result } = this.#table.attempt(change);
    if (this.#keeper === undefined || (this.#writing === 0 && isKept(undo))) return settle(result);
    this.#waiting.push({ undo, end: (kept) => settle(kept ? result : refuseForNow) });
    if (this.#writing === 0) this.#written = this.#write(this.#keeper);
  }

  /** Resolves when nothing waits for the keeper any more. */
  async idle(): Promise<void> {
    await this.#written;
  }

  async #write(keeper: RecordKeeper): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      this.#writing = batch.length;
      const keys = new Set([...this.#doubtful, ...batch.flatMap(({ undo }) => [...undo.keys()])]);
      try {
        await this.#keep(keeper, keys);
        this.#doubtful = new Set();
        this.#tell(batch, true);
      } catch (error) {
        this.#logger.error("the Registry could not keep what changed", { why: messageOf(error) });
        // What came since was decided by what is now taken back.
        const lost = [...batch, ...this.#waiting.splice(0)];
        for (const { undo } of [...lost].reverse()) this.#table.takeBack(undo);
        for (const { undo } of lost) for (const key of undo.keys()) keys.add(key);
        this.#doubtful = keys;
        this.#tell(lost, false);
      }
    }
    this.#writing = 0;
  }

  /** All changes there are belong to the batch: memory is what is to be kept. */
  async #keep(keeper: RecordKeeper, keys: ReadonlySet<string>): Promise<void> {
    const records: RegistryRecord[] = [];
    const gone: string[] = [];
    for (const key of keys) {
      const record = this.#table.at(key);
      if (record === undefined) gone.push(key);
      else records.push(record);
    }
    if (records.length > 0) await keeper.put(records);
    if (gone.length > 0) await keeper.delete(gone);
  }

  #tell(told: readonly Waiting[], kept: boolean): void {
    for (const waiting of told) {
      try {
        waiting.end(kept);
      } catch (error) {
        this.#logger.error("the service failed", { why: messageOf(error) });
      }
    }
  }
}

function refuseForNow(): never {
  throw new Refusal("resource-constraint", "The Registry cannot keep this now. Try again later.");
}
