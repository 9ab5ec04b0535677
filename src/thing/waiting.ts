// Those who wait until a Thing has come so far: `waitFor`.
import { withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { satisfies, type ThingCondition, type ThingState } from "./state.ts";

interface Waiter {
  readonly condition: ThingCondition;
  readonly resolve: (state: ThingState) => void;
  readonly reject: (reason: unknown) => void;
}

/** The calls of `waitFor` that are open. */
export class Waiting {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves to the first state that is what is waited for; rejects with `ERR_TIMEOUT`, the signal's reason, or that of {@link end}. */
  async wait(condition: ThingCondition, options: CallOptions): Promise<ThingState> {
    const name = typeof condition === "string" ? condition : "a condition";
    let waiter: Waiter | undefined;
    try {
      return await withDeadline(this.#clock, options, `waiting for ${name}`, () => {
        return new Promise<ThingState>((resolve, reject) => {
          waiter = { condition, resolve, reject };
          this.#waiters.add(waiter);
        });
      });
    } finally {
      if (waiter) this.#waiters.delete(waiter);
    }
  }

  /** There is a new state. */
  wake(state: ThingState): void {
    for (const waiter of this.#waiters) {
      try {
        if (satisfies(state, waiter.condition)) waiter.resolve(state);
      } catch (error) {
        waiter.reject(error);
      }
    }
  }

  /** No state will come any more. */
  end(reason: Error): void {
    for (const waiter of this.#waiters) waiter.reject(reason);
  }
}
