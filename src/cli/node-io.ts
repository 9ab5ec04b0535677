// The real world around the command line tool.
import { chmod, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { systemClock } from "../core/clock.ts";
import type { Io } from "./io.ts";
import { LineReader } from "./line-reader.ts";

// Ctrl-C may come twice at once: from the terminal, and passed on by npm. A person's second one comes later.
const IMPATIENT = 1_000;

/** This process. Fires `ended` at the first SIGINT or SIGTERM; a second one a second later ends the process. */
export function nodeIo(): Io {
  const ended = new AbortController();
  let first: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      first ??= systemClock.monotonic();
      ended.abort(new Error(`stopped by ${signal}`));
      if (systemClock.monotonic() - first > IMPATIENT) process.exit(1);
    });
  }
  // Undefined, not false, where there is none, whatever the types say.
  const terminal = ([process.stdin.isTTY, process.stdout.isTTY] as (boolean | undefined)[]).every((is) => is === true);
  // Whoever read the output has gone (`| head -1`): there is nobody left to tell anything.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => ended.abort(new Error("the output is closed")));
  }
  let lines: LineReader | undefined;
  const above = (write: () => void): void => (lines === undefined ? write() : lines.above(write));
  return {
    out: (line) => above(() => void process.stdout.write(`${line}\n`)),
    err: (line) => above(() => void process.stderr.write(`${line}\n`)),
    env: process.env,
    terminal,
    readFile: (path) => readFile(path, "utf8"),
    writeFile: writePrivately,
    makeFolder: async () => {
      const folder = await mkdtemp(join(tmpdir(), "xmpp-thing-"));
      await chmod(folder, 0o700);
      return folder;
    },
    removeFolder: (path) => rm(path, { recursive: true, force: true }),
    ask: (question) => askLine(question, { input: process.stdin, output: process.stderr }, ended.signal),
    readLine: (prompt) => {
      lines ??= new LineReader({
        ...{ input: process.stdin, output: process.stdout, terminal, signal: ended.signal },
        interrupted: () => void process.kill(process.pid, "SIGINT"),
      });
      return lines.next(prompt);
    },
    askSecret: (question) => askHidden(question),
    waitForKey: (prompt) => (terminal ? waitForKey(prompt, ended.signal) : Promise.resolve()),
    redraw: (line) => {
      if (terminal) process.stdout.write(`\r\x1b[2K${line}`);
    },
    onKey: (listener) => (terminal ? onKey(listener) : () => undefined),
    ended: ended.signal,
  };
}

/** Writes a file of this user alone. One that others may read is taken from them before it holds anything of this. */
async function writePrivately(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    const now = await file.stat();
    // What is no file (/dev/stdout) stays as it is.
    if (now.isFile() && (now.mode & 0o077) !== 0) await file.chmod(0o600);
    await file.writeFile(content);
  } finally {
    await file.close();
  }
}

/** Reads a line. Empty when the terminal is closed (Ctrl-D). Rejects with the reason of a signal that fires (Ctrl-C). */
export async function askLine(
  question: string,
  streams: { readonly input: NodeJS.ReadableStream; readonly output: NodeJS.WritableStream },
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const lines = createInterface(streams);
  try {
    return await new Promise((resolve, reject) => {
      lines.once("close", () => resolve(""));
      // On a terminal readline takes Ctrl-C for itself.
      lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      lines.question(question, resolve);
    });
  } finally {
    lines.close();
  }
}

/** Reads a line that the terminal does not show. Rejects on Ctrl-C and Ctrl-D. */
function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  return new Promise((resolve, reject) => {
    lines.once("SIGINT", () => lines.close());
    lines.once("close", () => {
      process.stderr.write("\n");
      reject(new Error("no password was given"));
    });
    lines.question("", (answer) => {
      resolve(answer);
      lines.close();
    });
  });
}

async function waitForKey(prompt: string, ended: AbortSignal): Promise<void> {
  ended.throwIfAborted();
  process.stdout.write(prompt);
  const { stdin } = process;
  stdin.setRawMode(true);
  stdin.resume();
  await new Promise<void>((resolve, reject) => {
    const leave = (): void => {
      stdin.off("data", heard);
      ended.removeEventListener("abort", onEnd);
      stdin.setRawMode(false);
      stdin.pause();
      process.stdout.write("\n");
    };
    const heard = (keys: Buffer): void => {
      // In raw mode the terminal hands Ctrl-C over as a character. It is no key: what waits ends with the signal.
      if (keys[0] === 3) return void process.kill(process.pid, "SIGINT");
      leave();
      resolve();
    };
    const onEnd = (): void => {
      leave();
      reject(ended.reason as Error);
    };
    stdin.on("data", heard);
    ended.addEventListener("abort", onEnd, { once: true });
  });
}

function onKey(listener: (key: string) => void): () => void {
  const { stdin } = process;
  const heard = (keys: Buffer): void => {
    // In raw mode the terminal hands Ctrl-C over as a character.
    if (keys[0] === 3) process.kill(process.pid, "SIGINT");
    else listener(keys.toString());
  };
  stdin.setRawMode(true);
  stdin.resume();
  stdin.on("data", heard);
  return () => {
    stdin.off("data", heard);
    stdin.setRawMode(false);
    stdin.pause();
    process.stdout.write("\n");
  };
}
