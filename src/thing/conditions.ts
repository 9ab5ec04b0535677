// Waiting for what is done on the wire, by whoever looks whether it is so.
import { withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";

/** Conditions that somebody waits for. */
export class Conditions {
  readonly #clock: Clock;
  readonly #waiters = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something has changed: looks at all of them. */
  look(): void {
    for (const look of this.#waiters) look();
  }

  /** Waits until something is so. It goes on by itself, however long it takes: only the wait ends. */
  async until(isSo: () => boolean, options: CallOptions, what: string): Promise<void> {
    let look: () => void = () => undefined;
    try {
      await withDeadline(this.#clock, options, what, () => {
        return new Promise<void>((resolve) => {
          look = () => {
            if (isSo()) resolve();
          };
          this.#waiters.add(look);
          look();
        });
      });
    } finally {
      this.#waiters.delete(look);
    }
  }
}
