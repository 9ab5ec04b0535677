import type { Clock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";

/** Values by their keys; `undefined` takes one away. */
export type Changes = readonly (readonly [key: string, value: unknown])[];

/** Keeps changes where they outlive the process: all or none. Resolves when no power cut takes them. */
export type Keep = (changes: Changes) => Promise<void>;

/** How long is waited before a disk that did not take something is asked again, in milliseconds. */
const RETRY = 1_000;

/**
 * Sees to it that nobody hears of a change before it is kept: what goes out meanwhile waits for the disk, in its order.
 * What changes while something is being written goes together as the next.
 */
export class Upkeep {
  readonly #keep: Keep | undefined;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #changed = new Map<string, () => unknown>();
  #held: (() => void)[] = [];
  #running: Promise<void> | undefined;
  #ending = false;

  /** @param keep without it nothing is kept, and nothing waits */
  constructor(keep: Keep | undefined, clock: Clock, logger: Logger) {
    this.#keep = keep;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Something has changed. `value` gives it, as it is when it is written. */
  changed(key: string, value: () => unknown): void {
    if (this.#keep === undefined) return;
    this.#changed.set(key, value);
    this.#running ??= this.#run(this.#keep);
  }

  /** Does something when all is kept that has changed until now: at once if it is. */
  whenKept(action: () => void): void {
    if (this.#running === undefined) action();
    else this.#held.push(action);
  }

  /** Resolves when all is kept. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Resolves when all is kept, or a disk that takes nothing was asked once more in vain. */
  async end(): Promise<void> {
    this.#ending = true;
    await this.#running;
  }

  async #run(keep: Keep): Promise<void> {
    await Promise.resolve(); // what changes in the same turn is one change
    while (this.#changed.size > 0 || this.#held.length > 0) {
      const changed = [...this.#changed];
      const held = this.#held;
      this.#changed.clear();
      this.#held = [];
      try {
        if (changed.length > 0) await keep(changed.map(([key, value]) => [key, value()]));
      } catch (error) {
        this.#logger.error("accounts have changed, and that is not kept: nothing goes out until it is", {
          why: messageOf(error),
        });
        for (const [key, value] of changed) this.#changed.set(key, value);
        this.#held = [...held, ...this.#held];
        if (this.#ending) return;
        await new Promise<void>((resolve) => this.#clock.schedule(RETRY, resolve));
        continue;
      }
      for (const action of held) action();
    }
    this.#running = undefined;
  }
}
