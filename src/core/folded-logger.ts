import type { Clock } from "./clock.ts";
import { Fold, inWords } from "./fold.ts";
import type { LogFields, Logger } from "./logger.ts";

/**
 * Writes to another logger, the same lines folded: first at once, then counted ("again, 40 times in 1 h"). A log wears
 * an SD card out as well as a state does. Debug lines pass as they come: who asks for them wants all of them.
 */
export function foldedLogger(logger: Logger, clock: Clock): Logger {
  const fold = new Fold(clock);
  const write =
    (level: "info" | "warn" | "error") =>
    (message: string, fields?: LogFields): void => {
      // A time or a size among the fields makes no other line.
      const repeats = fold.note(`${level} ${message}`, JSON.stringify(fields ?? {}).replace(/\d+/g, "0"));
      if (repeats === undefined) return;
      const again = inWords(repeats);
      logger[level](again === "" ? message : `${message} (${again})`, fields);
    };
  return {
    debug: (message, fields) => logger.debug(message, fields),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}
