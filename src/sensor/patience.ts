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

/** Two bounds of one readout: one that starts anew with each message, and one for all of it. One timer, whatever comes. */
export class Patience {
  /** The longest that all of it may take, in milliseconds. */
  readonly total: number;
  readonly #clock: Clock;
  readonly #silence: number;
  readonly #later: number | undefined;
  readonly #onLate: (problem: string) => void;
  readonly #end: number;
  // The silence that is borne at present, and since when.
  #since: number;
  #bound: number;
  #timer: { readonly due: number; readonly handle: Timer };

  /** Starts to wait. */
  constructor(clock: Clock, what: string, options: PatienceOptions, onLate: (error: TimeoutError) => void) {
    const { timeout = SILENCE, totalTimeout = Math.max(TOTAL, timeout), later } = options;
    this.#clock = clock;
    this.#silence = timeout;
    this.#later = later;
    this.#onLate = (problem) => onLate(new TimeoutError(`${what}: ${problem} ms`));
    this.total = totalTimeout + (later ?? 0);
    this.#since = clock.monotonic();
    this.#bound = timeout;
    this.#end = this.#since + this.total;
    this.#timer = this.#arm(this.#since);
  }

  /** The Thing said something: the silence starts anew. */
  heard(): void {
    this.#bear(this.#silence);
  }

  /** The Thing begins later: when it was asked to, or whenever it can, as far as the bound for all goes. */
  queued(): void {
    this.#bear(this.#later === undefined ? Infinity : this.#later + this.#silence);
  }

  /** Waits no more. */
  end(): void {
    this.#timer.handle.cancel();
  }

  #bear(bound: number): void {
    this.#since = this.#clock.monotonic();
    this.#bound = bound;
    // A timer that is due earlier looks again then.
    if (this.#due() >= this.#timer.due) return;
    this.#timer.handle.cancel();
    this.#timer = this.#arm(this.#since);
  }

  #due(): number {
    return Math.min(this.#since + this.#bound, this.#end);
  }

  #arm(now: number): { readonly due: number; readonly handle: Timer } {
    const due = this.#due();
    return { due, handle: this.#clock.schedule(due - now, () => this.#look()) };
  }

  #look(): void {
    const now = this.#clock.monotonic();
    if (now >= this.#end) this.#onLate(`not done within ${this.total}`);
    else if (now >= this.#since + this.#bound) this.#onLate(`no answer within ${this.#bound}`);
    else this.#timer = this.#arm(now);
  }
}
