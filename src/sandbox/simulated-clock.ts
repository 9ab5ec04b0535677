import { setImmediate } from "node:timers/promises";
import type { Clock, Timer } from "../core/clock.ts";
import { StateError } from "../core/errors.ts";

/** Where a {@link SimulatedClock} begins. */
export interface SimulatedClockOptions {
  /** The wall time at the start, in milliseconds since 1970. Default: 2026-01-01T00:00:00Z. */
  readonly now?: number;
}

interface Due {
  readonly at: number;
  readonly callback: () => void;
}

// A timer that sets itself again for the same moment would hold `advance` for ever.
const MOST_TIMERS = 100_000;

/** Time that passes only when told to, so that tests of minutes and days take none. */
export class SimulatedClock implements Clock {
  #wall: number;
  #monotonic = 0;
  readonly #timers = new Set<Due>();

  constructor(options: SimulatedClockOptions = {}) {
    this.#wall = options.now ?? Date.UTC(2026, 0, 1);
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  schedule(ms: number, callback: () => void): Timer {
    const due: Due = { at: this.#monotonic + Math.max(0, ms), callback };
    this.#timers.add(due);
    return { cancel: () => this.#timers.delete(due) };
  }

  /** How many timers wait: a test that has ended what it began finds 0. */
  get pending(): number {
    return this.#timers.size;
  }

  /**
   * Lets so many milliseconds pass. Timers fire in the order in which they are due, each at its own time, also those
   * set on the way. Between them promises are settled and what was ready of input and output is served.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError("advance: time runs forwards");
    const target = this.#monotonic + ms;
    await setImmediate();
    for (let fired = 0; ; fired++) {
      if (fired === MOST_TIMERS) throw new StateError(`more than ${MOST_TIMERS} timers within ${ms} ms`);
      const next = this.#earliest(target);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#moveTo(next.at);
      next.callback();
      await setImmediate();
    }
    this.#moveTo(target);
    await setImmediate();
  }

  /** Sets the wall time forwards or back, as a device without a clock battery sees it. No timer fires for it. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  /** The timer that is due first, of those due until then. The set keeps the order in which they were set. */
  #earliest(until: number): Due | undefined {
    let first: Due | undefined;
    for (const due of this.#timers) {
      if (due.at <= until && (first === undefined || due.at < first.at)) first = due;
    }
    return first;
  }

  #moveTo(moment: number): void {
    // Two advances at the same time: whoever is ahead has been there already.
    if (moment <= this.#monotonic) return;
    this.#wall += moment - this.#monotonic;
    this.#monotonic = moment;
  }
}
