// An LED in the terminal, for people without a Pi.
import { systemClock, type Timer } from "../core/clock.ts";
import type { Io } from "./io.ts";

/** How long it is on, and off, while it blinks, in milliseconds. */
const BLINK = 400;

/** A dot that blinks in its line, with a text beside it that may change. */
export class VirtualLed {
  readonly #io: Io;
  #timer: Timer | undefined;
  #lit = false;

  constructor(io: Io) {
    this.#io = io;
  }

  /** Blinks from now on. */
  blink(text: () => string): void {
    this.stop();
    const turn = (): void => {
      this.#lit = !this.#lit;
      this.#io.redraw(`   ${this.#lit ? "●" : "○"} ${text()}`);
      this.#timer = systemClock.schedule(BLINK, turn);
    };
    turn();
  }

  /** Stops blinking, and leaves its line clear. */
  stop(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#io.redraw("");
  }
}
