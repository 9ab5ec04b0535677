// How long a reader waits: a Thing may lose power and forget the request, and say nothing more (XEP-0323 3.1).
import type { Clock, Timer } from "../core/clock.ts";
import { TimeoutError } from "../core/errors.ts";

const SILENCE = 30_000;
const TOTAL = 300_000;

/** What patience a reader has. */
export interface PatienceOptions {
  /** The longest silence, in milliseconds. */
  readonly timeout?: number | undefined;
  /** The longest that all of it may take. */
  readonly totalTimeout?: number | undefined;
  /** How long it is until the Thing is to begin, if it is told to begin later. */
  readonly later?: number;
}

/** Two bounds of one readout: one that starts anew with each message, and one for all of it. */
export class Patience {
  /** The longest that all of it may take, in milliseconds. */
  readonly total: number;
  readonly #clock: Clock;
  readonly #silence: number;
  readonly #later: number | undefined;
  readonly #late: (what: string, ms: number) => void;
  readonly #whole: Timer;
  #quiet: Timer;

  /** Starts to wait. */
  constructor(clock: Clock, what: string, options: PatienceOptions, onLate: (error: TimeoutError) => void) {
    const { timeout = SILENCE, totalTimeout = Math.max(TOTAL, timeout), later } = options;
    this.#clock = clock;
    this.#silence = timeout;
    this.#later = later;
    this.#late = (problem, ms) => onLate(new TimeoutError(`${what}: ${problem} within ${ms} ms`));
    this.total = totalTimeout + (later ?? 0);
    this.#whole = clock.schedule(this.total, () => this.#late("not done", this.total));
    this.#quiet = this.#listen(timeout);
  }

  /** The Thing said something: the silence starts anew. */
  heard(): void {
    this.#quiet.cancel();
    this.#quiet = this.#listen(this.#silence);
  }

  /** The Thing begins later: when it was asked to, or whenever it can, as far as the bound for all goes. */
  queued(): void {
    this.#quiet.cancel();
    if (this.#later !== undefined) this.#quiet = this.#listen(this.#later + this.#silence);
  }

  /** Waits no more. */
  end(): void {
    this.#quiet.cancel();
    this.#whole.cancel();
  }

  #listen(ms: number): Timer {
    return this.#clock.schedule(ms, () => this.#late("no answer", ms));
  }
}
