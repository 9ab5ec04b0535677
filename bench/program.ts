// Processes of their own, in which is measured: plain Node.js on the built package.
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

const PATIENCE = 300_000;

/** How a program is run. */
export interface RunOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A running program; it says what it has to say in lines, by name and value. */
export class Program {
  readonly #child: ChildProcess;
  readonly #name: string;
  #output = "";
  #errors = "";
  #changed: () => void = () => undefined;
  readonly #ended: Promise<void>;
  readonly #onExit = (): void => void this.#child.kill("SIGKILL");

  constructor(name: string, { args = [], env = {} }: RunOptions = {}) {
    this.#name = name;
    const file = fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url));
    this.#child = spawn(process.execPath, ["--expose-gc", file, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#output += chunk.toString();
      this.#changed();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => (this.#errors += chunk.toString()));
    process.once("exit", this.#onExit);
    this.#ended = new Promise((resolve) =>
      this.#child.once("close", () => {
        process.removeListener("exit", this.#onExit);
        this.#changed();
        resolve();
      }),
    );
  }

  /** The number that it says under this name. */
  async value(name: string): Promise<number> {
    return Number(await this.says(name));
  }

  /** What it says under this name. Rejects when it ends without, or takes too long. */
  async says(name: string): Promise<string> {
    const line = new RegExp(`^${name} (\\S+)$`, "m");
    const limit = performance.now() + PATIENCE;
    for (;;) {
      const found = line.exec(this.#output)?.[1];
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null || performance.now() > limit) {
        throw new Error(`${this.#name} does not say "${name}":\n${this.#output}${this.#errors}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Tells it a line. */
  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Resolves when it has ended by itself. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Ends it; resolves when it is gone. */
  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

/** Runs a program to its end; resolves to the values that it says under these names. */
export async function valuesOf(name: string, names: readonly string[], options: RunOptions = {}): Promise<number[]> {
  const program = new Program(name, options);
  try {
    const values: number[] = [];
    for (const one of names) values.push(await program.value(one));
    return values;
  } finally {
    await program.end();
  }
}
