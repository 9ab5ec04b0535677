// Which readouts there are, by who asked and under which number (XEP-0323 3.7), and how many there may be.
import { onAbort } from "../core/abort.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { AbortNotice } from "../core/light-abort.ts";
import { Refusal } from "../core/refusal.ts";

/** How a readout goes on: a slow one holds sensors and memory, a queued one no more than its request. */
export type Stage = "slow" | "queued";

// All together, and each account: nobody alone takes the room of the others.
const MOST: Readonly<Record<Stage, number>> = { slow: 32, queued: 64 };
const MOST_EACH: Readonly<Record<Stage, number>> = { slow: 16, queued: 8 };

/** A readout from its request to its end. */
export class Entry {
  readonly from: Jid;
  readonly #leave: () => void;
  readonly #hasRoom: (stage: Stage) => boolean;
  #onCancel: () => void = () => undefined;
  #isCancelled = false;
  #stage: Stage | undefined;

  constructor(from: Jid, hasRoom: (stage: Stage) => boolean, leave: () => void) {
    this.from = from;
    this.#hasRoom = hasRoom;
    this.#leave = leave;
  }

  /** Whether who asked for it wants it no more. */
  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** How it goes on; `undefined`: it is quick so far. */
  get stage(): Stage | undefined {
    return this.#stage;
  }

  /** Whether it may go on so. */
  hasRoom(stage: Stage): boolean {
    return this.#hasRoom(stage);
  }

  /** It goes on so from now on; `undefined`: neither, for the moment. */
  set stage(stage: Stage | undefined) {
    this.#stage = stage;
  }

  /** What ends it when it is cancelled; called at once if it has been. */
  onCancel(end: () => void): void {
    this.#onCancel = end;
    if (this.#isCancelled) end();
  }

  /** It is not wanted any more. */
  cancel(): void {
    this.#isCancelled = true;
    this.#onCancel();
    this.leave();
  }

  /** It has come to its end: its number may be used again. */
  leave(): void {
    this.#leave();
  }
}

/** All readouts that have been asked for and are not at their end. */
export class ReadoutTable {
  readonly #entries = new Map<string, Entry>();
  readonly #byAccount = new Map<BareJid, Set<Entry>>();

  /**
   * Takes a number for a caller, who is told apart by the full JID (XEP-0323 3.7). Throws `Refusal` while the number is
   * in use.
   *
   * @param stream fires when the stream ends: then there is nobody to be told, and the room is another one's
   */
  enter(from: Jid, seqnr: number, stream: AbortNotice): Entry {
    const id = keyOf(from, seqnr);
    if (this.#entries.has(id)) throw new Refusal("bad-request", "The sequence number is in use.");
    const entry: Entry = new Entry(
      from,
      (stage) => this.#hasRoom(from.bare, stage),
      () => {
        deaf();
        this.#leave(id, entry);
      },
    );
    const deaf = onAbort(stream, () => entry.cancel());
    this.#entries.set(id, entry);
    const own = this.#byAccount.get(from.bare);
    if (own === undefined) this.#byAccount.set(from.bare, new Set([entry]));
    else own.add(entry);
    return entry;
  }

  /** The readout that a caller has under a number. */
  find(from: Jid, seqnr: number): Entry | undefined {
    return this.#entries.get(keyOf(from, seqnr));
  }

  #hasRoom(account: BareJid, stage: Stage): boolean {
    const count = (entries: Iterable<Entry>): number => {
      let number = 0;
      for (const entry of entries) if (entry.stage === stage) number++;
      return number;
    };
    return count(this.#byAccount.get(account) ?? []) < MOST_EACH[stage] && count(this.#entries.values()) < MOST[stage];
  }

  #leave(id: string, entry: Entry): void {
    if (this.#entries.get(id) !== entry) return; // the number is another one's by now
    this.#entries.delete(id);
    const own = this.#byAccount.get(entry.from.bare);
    own?.delete(entry);
    if (own?.size === 0) this.#byAccount.delete(entry.from.bare);
  }
}

const keyOf = (from: Jid, seqnr: number): string => `${seqnr} ${from.full}`;
