// How faults are told: the same one again and again is folded, and the newest is kept on disk.
import type { Clock } from "../core/clock.ts";
import { Fold, inWords } from "../core/fold.ts";
import type { Logger } from "../core/logger.ts";
import type { Fault, FaultCode } from "./faults.ts";
import type { LastFault } from "./last-fault.ts";

/** What a {@link FaultLog} is made of. */
export interface FaultLogOptions {
  /** Time. */
  readonly clock: Clock;
  /** Where each fault that is told is written too. */
  readonly logger: Logger;
  /** What is kept of them. */
  readonly last: LastFault;
  /** Tells the program of a fault. */
  readonly onFault: (fault: Fault) => void;
  /** Tells the program that what a fault was about is well again. */
  readonly onHealed: (code: FaultCode) => void;
}

/** Tells of faults, and of what has healed. */
export class FaultLog {
  readonly #options: FaultLogOptions;
  readonly #fold: Fold;

  constructor(options: FaultLogOptions) {
    this.#options = options;
    this.#fold = new Fold(options.clock);
  }

  /** A fault: told at once the first time, then counted ({@link Fold}). */
  tell(code: FaultCode, message: string, cause?: unknown): void {
    const { logger, last, onFault } = this.#options;
    last.note(code, message);
    // A time or a size in the message makes no other fault.
    const repeats = this.#fold.note(code, message.replace(/\d+/g, "0"));
    if (repeats === undefined) return;
    const again = inWords(repeats);
    logger.warn(again === "" ? message : `${message} (${again})`, { fault: code });
    onFault({ code, message, repeated: repeats.repeated, ...(cause !== undefined && { cause }) });
  }

  /** What these are about works: told once, if they were told before. */
  heal(...codes: readonly FaultCode[]): void {
    const { logger, last, onHealed } = this.#options;
    for (const code of codes) {
      last.heal(code);
      if (!this.#fold.forget(code)) continue;
      logger.info("well again", { fault: code });
      onHealed(code);
    }
  }
}
