// Lines that people type, or programs pipe in, over the whole life of a command.
import { clearScreenDown, createInterface, cursorTo, moveCursor, type Interface } from "node:readline";

/** Where lines come from. */
export interface LineReaderOptions {
  /** The stream that is read. */
  readonly input: NodeJS.ReadableStream;
  /** Where a terminal shows the prompt, and what is typed. */
  readonly output: NodeJS.WritableStream;
  /** A person types: what was typed before a question stood there is no answer to it. */
  readonly terminal: boolean;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** A person has pressed Ctrl-C, which readline takes from the terminal. */
  readonly interrupted: () => void;
}

/** How many lines are read ahead, where nobody types them. */
const AHEAD = 16;

/** Reads line by line. One for a stream: what is read ahead would be lost between two. */
export class LineReader {
  readonly #options: LineReaderOptions;
  readonly #lines: Interface;
  readonly #ready: string[] = [];
  #waiting: ((line: string | undefined) => void) | undefined;
  #closed = false;

  constructor(options: LineReaderOptions) {
    this.#options = options;
    const { input, output, terminal, signal, interrupted } = options;
    this.#lines = createInterface({ input, ...(terminal && { output }), terminal });
    this.#lines.on("line", (line) => this.#heard(line));
    this.#lines.once("close", () => this.#ended());
    this.#lines.on("SIGINT", interrupted);
    if (signal.aborted) this.#lines.close();
    else signal.addEventListener("abort", () => this.#lines.close(), { once: true });
  }

  /** The next line, one at a time; `undefined` when there is none any more. The prompt is shown to people only. */
  next(prompt: string): Promise<string | undefined> {
    const { terminal } = this.#options;
    if (terminal) this.#ready.length = 0;
    const line = this.#ready.shift();
    if (line !== undefined || this.#closed) return Promise.resolve(line);
    this.#lines.resume();
    if (terminal) {
      this.#lines.setPrompt(prompt);
      this.#lines.prompt();
    }
    return new Promise((resolve) => (this.#waiting = resolve));
  }

  /** Has something written above the prompt, if one stands there: it stands below then, with what was typed so far. */
  above(write: () => void): void {
    const { terminal, output } = this.#options;
    if (!terminal || this.#waiting === undefined || this.#closed) return write();
    const { rows } = this.#lines.getCursorPos();
    moveCursor(output, 0, -rows);
    cursorTo(output, 0);
    clearScreenDown(output);
    write();
    // What is drawn anew is drawn from as many lines higher up as the cursor was.
    output.write("\n".repeat(rows));
    this.#lines.prompt(true);
  }

  #heard(line: string): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) return waiting(line);
    this.#ready.push(line);
    if (!this.#options.terminal && this.#ready.length >= AHEAD) this.#lines.pause();
  }

  #ended(): void {
    this.#closed = true;
    this.#waiting?.(undefined);
  }
}
