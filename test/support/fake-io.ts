import type { Io } from "../../src/cli/io.ts";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A world for commands: remembers what was printed, and ends when it is told to. */
export class FakeIo implements Io {
  readonly #ended = new AbortController();
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  readonly ended = this.#ended.signal;
  terminal = false;
  env: Record<string, string | undefined> = {};
  secret = "";
  answer = "";
  keys = 0;

  readonly out = (line: string): void => void this.lines.push(line);
  readonly err = (line: string): void => void this.errors.push(line);

  /** What Ctrl-C does. */
  interrupt(): void {
    this.#ended.abort(new Error("stopped by SIGINT"));
  }

  /** Everything that was printed. */
  get text(): string {
    return this.lines.join("\n");
  }

  readFile(path: string): Promise<string> {
    return readFile(path, "utf8");
  }

  writeFile(path: string, content: string | Uint8Array): Promise<void> {
    return writeFile(path, content, { mode: 0o600 });
  }

  makeFolder(): Promise<string> {
    return mkdtemp(join(tmpdir(), "xmpp-thing-test-"));
  }

  removeFolder(path: string): Promise<void> {
    return rm(path, { recursive: true, force: true });
  }

  ask(question: string): Promise<string> {
    this.errors.push(question);
    return Promise.resolve(this.answer);
  }

  readonly #typed: (string | undefined)[] = [];
  #reader: ((line: string | undefined) => void) | undefined;

  /** Somebody types a line; `undefined`: nobody will any more. */
  type(line: string | undefined): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined) this.#typed.push(line);
    else reader(line);
  }

  readLine(): Promise<string | undefined> {
    if (this.#typed.length > 0) return Promise.resolve(this.#typed.shift());
    return new Promise((resolve) => (this.#reader = resolve));
  }

  askSecret(): Promise<string> {
    return Promise.resolve(this.secret);
  }

  /** The lines that were shown in place. */
  readonly drawn: string[] = [];
  readonly #listeners = new Set<(key: string) => void>();

  redraw(line: string): void {
    this.drawn.push(line);
  }

  onKey(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A person presses a key. */
  press(key: string): void {
    for (const listener of this.#listeners) listener(key);
  }

  waitForKey(): Promise<void> {
    this.keys++;
    return Promise.resolve();
  }
}
