// What the command line tool sees of the world: injected, so that tests run it in-process.

/** The world around a command. */
export interface Io {
  /** Writes a line people or programs read. */
  readonly out: (line: string) => void;
  /** Writes a line about trouble or progress. */
  readonly err: (line: string) => void;
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True if a person watches. */
  readonly terminal: boolean;
  /** Reads a file as UTF-8. */
  readFile(path: string): Promise<string>;
  /** Writes a file that only this user may read, also in the place of one that others may read. */
  writeFile(path: string, content: string | Uint8Array): Promise<void>;
  /** Makes a new folder for files that need not last. */
  makeFolder(): Promise<string>;
  /** Removes a folder and what is in it. */
  removeFolder(path: string): Promise<void>;
  /** Asks a person for a line. */
  ask(question: string): Promise<string>;
  /**
   * Reads the next line of what a person types or a program pipes in, one at a time; `undefined` when there is none any
   * more. Lines of a program wait until they are read; what a person types before the prompt stands there is dropped.
   */
  readLine(prompt: string): Promise<string | undefined>;
  /** Asks a person for a secret, without showing it. */
  askSecret(question: string): Promise<string>;
  /** Waits for a key from a person; resolves at once where nobody watches. */
  waitForKey(prompt: string): Promise<void>;
  /** Shows a line that changes in place: each call takes the place of the one before. Nothing where nobody watches. */
  redraw(line: string): void;
  /** Hands over each key that a person presses, until what it returns is called. Nothing where nobody watches. */
  onKey(listener: (key: string) => void): () => void;
  /** Fires when the tool is to end: Ctrl-C, or a service manager's SIGTERM. */
  readonly ended: AbortSignal;
}

/** How a command ended: what `$?` holds. */
export const exitCode = {
  /** It did what it says. */
  done: 0,
  /** It was refused, or failed. */
  failed: 1,
  /** It was called wrongly. */
  usage: 2,
  /** Nobody answered in time. */
  noAnswer: 3,
  /** There was no connection. */
  noConnection: 4,
  /** There is nothing of what was asked for. */
  nothing: 5,
} as const;

/** One of {@link exitCode}. */
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];
