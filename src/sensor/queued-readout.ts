// A readout that waits for its time: XEP-0323 3.1, 3.4 (`when`), 3.7.
import type { Clock, Timer } from "../core/clock.ts";
import type { BareJid } from "../core/jid.ts";
import { LightAbort, type AbortNotice } from "../core/light-abort.ts";
import { Refusal } from "../core/refusal.ts";
import type { Grant } from "../provisioning/grants.ts";
import type { Run } from "../provisioning/running.ts";

// The wall clock may be set while it waits: it is looked at this often.
const LOOK_EVERY = 60_000;
// When no more can be read at once, it is tried again.
const AGAIN = 1_000;

/** What a readout that waits is made of. */
export interface QueuedReadoutOptions {
  readonly clock: Clock;
  readonly jid: BareJid;
  /** When it is to begin, in milliseconds since 1970. */
  readonly when: number;
  /** Asks whether it is allowed still. Rejects with a `Refusal` if it is not. */
  readonly ask: (signal: AbortNotice) => Promise<readonly Grant[]>;
  /** Whether it may begin now; otherwise it waits on. */
  readonly hasRoom: () => boolean;
  /** Begins it. */
  readonly onDue: () => void;
  /** Tells that it is not allowed any more. */
  readonly onRefused: (reason: Refusal) => void;
}

/** Tells whether a moment is still to come; wall time, since the reader names it so. */
export const isToCome = (clock: Clock, when: number): boolean => when > clock.now();

/** Waits, and asks anew when rights change meanwhile. Whoever begins it decides about it once more. */
export class QueuedReadout implements Run {
  readonly jid: BareJid;
  readonly #options: QueuedReadoutOptions;
  readonly #over = new LightAbort();
  #timer: Timer | undefined;

  constructor(options: QueuedReadoutOptions) {
    this.#options = options;
    this.jid = options.jid;
    this.#wait();
  }

  /** Fires when it waits no more. */
  get signal(): AbortNotice {
    return this.#over;
  }

  recheck(): void {
    this.#options.ask(this.#over).catch((reason: unknown) => {
      // That nobody could be asked is no answer yet: it is decided about again when it begins.
      if (reason instanceof Refusal && reason.condition === "forbidden") this.#refuse(reason);
    });
  }

  end(): void {
    this.#refuse(new Refusal("forbidden", "Access denied."));
  }

  /** It waits no more. */
  stop(): void {
    this.#timer?.cancel();
    this.#over.abort(new Refusal("forbidden", "Cancelled."));
  }

  #refuse(reason: Refusal): void {
    if (this.#over.aborted) return;
    this.stop();
    this.#options.onRefused(reason);
  }

  #wait(least = 0): void {
    const { clock, when } = this.#options;
    const left = Math.max(least, Math.min(when - clock.now(), LOOK_EVERY));
    this.#timer = clock.schedule(left, () => {
      if (isToCome(clock, when)) this.#wait();
      else if (!this.#options.hasRoom()) this.#wait(AGAIN);
      else {
        this.stop();
        this.#options.onDue();
      }
    });
  }
}
