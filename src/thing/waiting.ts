// Those who wait until a Thing has come so far: `waitFor`.
import { withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError } from "../core/errors.ts";
import { satisfies, type ThingCondition, type ThingState } from "./state.ts";

interface Waiter {
  readonly condition: ThingCondition;
  readonly resolve: (state: ThingState) => void;
  readonly reject: (reason: unknown) => void;
}

/** What keeps a Thing from what is waited for, as far as its state tells it; empty if it does not. */
export function whyNot({ link }: ThingState, hasStarted: boolean): string {
  if (!hasStarted) return "; the Thing was not started: await thing.start() first";
  return link.is === "waiting" ? `; no connection: ${link.why}` : "";
}

/** The calls of `waitFor` that are open. */
export class Waiting {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Resolves to the first state that is what is waited for; rejects with `ERR_TIMEOUT`, the signal's reason, or that of {@link end}.
   *
   * @param whyNot what to say behind the message of `ERR_TIMEOUT`
   */
  async wait(condition: ThingCondition, options: CallOptions, whyNot: () => string): Promise<ThingState> {
    const name = typeof condition === "string" ? condition : "a condition";
    let waiter: Waiter | undefined;
    try {
      return await withDeadline(this.#clock, options, `waiting for ${name}`, () => {
        return new Promise<ThingState>((resolve, reject) => {
          waiter = { condition, resolve, reject };
          this.#waiters.add(waiter);
        });
      });
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      throw new TimeoutError(error.message + whyNot(), { cause: error });
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
