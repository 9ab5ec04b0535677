// Secrets of one's own, kept out of whatever is told, logged and kept: a server may say in its errors what it was given.
import { messageOf } from "../core/errors.ts";
import type { LogFields, Logger } from "../core/logger.ts";
import { HIDDEN } from "./redact.ts";

/** Gives a text without what must not be seen. */
export type Hide = (text: string) => string;

// A shorter one stands in every other word, and could be guessed anyway.
const SHORTEST = 4;

/** Hides what the secrets are at that moment. */
export function hider(secrets: () => readonly string[]): Hide {
  return (text) =>
    secrets()
      .filter(({ length }) => length >= SHORTEST)
      .reduce((shown, secret) => shown.replaceAll(secret, HIDDEN), text);
}

/** Writes to another logger, without secrets. */
export function discreetLogger(logger: Logger, hide: Hide): Logger {
  const write =
    (level: keyof Logger) =>
    (message: string, fields?: LogFields): void => {
      const shown = Object.entries(fields ?? {}).map(([name, value]) => [
        name,
        typeof value === "string" ? hide(value) : value,
      ]);
      logger[level](hide(message), fields && (Object.fromEntries(shown) as LogFields));
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** What led to a fault, unless it would show what is hidden. */
export function discreetCause(cause: unknown, hide: Hide): unknown {
  const message = cause instanceof Error ? messageOf(cause) : "";
  return hide(message) === message ? cause : undefined;
}
