// How long a device is waited for while it reads: each wait has a bound, and all of them together.
import { raceSignal } from "../core/abort.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { TimeoutError } from "../core/errors.ts";
import type { LightAbort } from "../core/light-abort.ts";

/** Waits for a device, again and again, with one timer for all of it. */
export class DeviceWait {
  readonly #clock: Clock;
  readonly #longest: number;
  readonly #stop: LightAbort;
  readonly #until: number;
  #since: number | undefined;
  #timer: Timer | undefined;

  /**
   * @param longest the longest single wait, in milliseconds
   * @param left how long all may take
   * @param stop fired with `ERR_TIMEOUT` when the time is up
   */
  constructor(clock: Clock, longest: number, left: number, stop: LightAbort) {
    this.#clock = clock;
    this.#longest = longest;
    this.#stop = stop;
    this.#until = clock.monotonic() + left;
  }

  /** Follows what the device has promised. Rejects when the time is up, or with what ended the readout. */
  async for<T>(promise: PromiseLike<T>): Promise<T> {
    this.#since = this.#clock.monotonic();
    this.#timer ??= this.#arm();
    try {
      return await raceSignal(Promise.resolve(promise), this.#stop);
    } finally {
      this.#since = undefined;
    }
  }

  /** No more is waited for. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): Timer {
    const now = this.#clock.monotonic();
    const due = Math.min((this.#since ?? now) + this.#longest, this.#until);
    return this.#clock.schedule(due - now, () => {
      const time = this.#clock.monotonic();
      // While the reader takes its time the device has none to lose.
      const isLate = this.#since !== undefined && time - this.#since >= this.#longest;
      if (isLate || time >= this.#until)
        this.#stop.abort(new TimeoutError(`the sensor: no answer within ${this.#longest} ms`));
      else this.#timer = this.#arm();
    });
  }
}
