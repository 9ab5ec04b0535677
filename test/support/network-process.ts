// A process that a test started, what it says, and its end.
import { spawn } from "node:child_process";

/** A process that runs, or ran. */
export interface Running {
  readonly pid: number;
  /** All that it has written there so far. */
  stdout(): string;
  stderr(): string;
  /**
   * Waits until its output, of either kind, matches. Rejects with its last words after `ms` (30,000 if nothing else is
   * said), and when it has ended without saying it. Only what it says after the last `forget` counts.
   */
  says(pattern: RegExp, ms?: number): Promise<RegExpMatchArray>;
  /** What it has said until now is not looked at by `says` any more. */
  forget(): void;
  /** Writes a line to its standard input. */
  tell(line: string): void;
  /** Its exit code; 128 when a signal ended it. */
  readonly exited: Promise<number>;
  /** Ends it with SIGTERM, with SIGKILL if it has not ended 3 s later. Resolves when it is gone. */
  stop(): Promise<void>;
  /** Ends it as a power cut does. */
  kill(): Promise<void>;
}

/** Where and with what a process runs. */
export interface RunOptions {
  /** Variables besides those of the tests; `undefined` takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Its folder. Default: that of the tests. */
  readonly cwd?: string | undefined;
}

const LAST_WORDS = 2_000;
const LAST_OUTPUT = 500;

/** Starts a process. A command that is not there is told by `says` and an exit code. */
export function run(file: string, args: readonly string[], { env = {}, cwd }: RunOptions = {}): Running {
  const child = spawn(file, args, {
    stdio: "pipe",
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
  });
  const text = { stdout: "", stderr: "" };
  const from = { stdout: 0, stderr: 0 };
  const waiting = new Set<() => void>();
  const news = (): void => waiting.forEach((look) => look());
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (chunk: string) => {
      text[name] += chunk;
      news();
    });
  }
  child.stdin.on("error", () => undefined);
  let ended: number | undefined;
  const exited = new Promise<number>((resolve) => {
    const end = (code: number): void => {
      if (ended !== undefined) return;
      ended = code;
      news();
      resolve(code);
    };
    child.once("error", (error) => {
      text.stderr += error.message;
      end(127);
    });
    child.once("close", (code) => end(code ?? 128));
    // Its output may be held open by a child of its own: that is not waited for.
    child.once("exit", (code) => setTimeout(() => end(code ?? 128), LAST_OUTPUT));
  });
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    const insist = setTimeout(() => child.kill("SIGKILL"), 3_000);
    await exited;
    clearTimeout(insist);
  };
  return {
    pid: child.pid ?? 0,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    says: (pattern, ms = 30_000) =>
      new Promise((resolve, reject) => {
        const done = (): void => {
          clearTimeout(timer);
          waiting.delete(look);
        };
        const fail = (why: string): void => {
          done();
          const words = `${text.stdout.slice(-LAST_WORDS)}\n${text.stderr.slice(-LAST_WORDS)}`;
          reject(new Error(`${[file, ...args].join(" ")} ${why} and did not say ${String(pattern)}:\n${words}`));
        };
        const look = (): void => {
          const found = pattern.exec(text.stdout.slice(from.stdout)) ?? pattern.exec(text.stderr.slice(from.stderr));
          if (found !== null) {
            done();
            resolve(found);
          } else if (ended !== undefined) fail(`ended with ${ended}`);
        };
        const timer = setTimeout(() => fail(`ran for ${ms} ms`), ms);
        waiting.add(look);
        look();
      }),
    forget: () => {
      from.stdout = text.stdout.length;
      from.stderr = text.stderr.length;
    },
    tell: (line) => void child.stdin.write(`${line}\n`),
    exited,
    stop: () => stop("SIGTERM"),
    kill: () => stop("SIGKILL"),
  };
}
