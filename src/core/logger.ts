/** What is said beside a log message. Never a password, token, KEY or challenge. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where the library writes what it does. `console` can be wrapped to fit; silent by default. */
export interface Logger {
  /** What a developer wants when something is wrong. */
  debug(message: string, fields?: LogFields): void;
  /** What changes, a few lines an hour. */
  info(message: string, fields?: LogFields): void;
  /** What went wrong and heals by itself. */
  warn(message: string, fields?: LogFields): void;
  /** What went wrong and does not. */
  error(message: string, fields?: LogFields): void;
}

const nothing = (): void => undefined;

/** Says nothing. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
