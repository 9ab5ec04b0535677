import type { ExitCode, Io } from "./io.ts";

/** A command: its words of help, and what it does. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` shows. */
  readonly help: string;
  /** Does it. Throws what goes wrong. */
  run(args: readonly string[], io: Io): Promise<ExitCode>;
}
