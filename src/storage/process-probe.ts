import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { codeOf } from "./file-system.ts";

/** What can be known of processes. Injected, so that tests can have processes die and their numbers come again. */
export interface ProcessProbe {
  /** The number of this process. */
  readonly pid: number;
  /** The number of the user it runs as; `undefined` where users have none (Windows). */
  readonly uid: number | undefined;
  /** Names the time since the machine was switched on; `undefined` where that cannot be known. */
  boot(): Promise<string | undefined>;
  /** Looks a process up. */
  look(pid: number): Promise<ProcessSighting>;
  /** By what people know a process; for messages only. Default: by its number. */
  describe?(pid: number): Promise<ProcessDescription>;
  /** The name of a user; for messages only. `undefined` where it cannot be known, which is the default. */
  userName?(uid: number): Promise<string | undefined>;
}

/** By what people know a process, as far as it can be known. */
export interface ProcessDescription {
  /** The program, and the script it runs: `node thermometer.mjs`. Never its other arguments, which may hold secrets. */
  readonly command?: string;
  /** The number of the user it runs as. */
  readonly uid?: number;
  /** How long it has been running, in milliseconds. */
  readonly ms?: number;
}

/**
 * What was seen of a process: whether it runs, and when it was started where that can be known (any unit, only ever
 * compared).
 */
export interface ProcessSighting {
  /** Whether a process of that number runs. */
  readonly running: boolean;
  /** When it was started: tells it from an earlier process of the same number. */
  readonly started?: string | undefined;
}

// proc(5): "pid (name) state ppid ... starttime ...", starttime is the 22nd. The name may hold blanks and brackets.
const stateAfterName = 0;
const startAfterName = 19;

async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "latin1");
  } catch {
    return undefined; // not Linux, hidden by its mount options, or just gone
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0); // signal 0 only asks
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM"; // there is one, of another user
  }
}

// What the kernel counts the start of a process in, on every Linux (USER_HZ): hundredths of a second since the boot.
const MS_PER_TICK = 10;
const script = /\.[cm]?[jt]s$/;
const unprintable = /[^\x20-\x7e]/g;
const LONGEST_COMMAND = 80;

const statOf = async (pid: number): Promise<readonly string[] | undefined> => {
  const text = await readProc(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
};

/** Program and script of a command line: `node thermometer.mjs`. */
function commandOf(commandLine: string): string | undefined {
  const [program = "", ...args] = commandLine.split("\0");
  const file = args.find((one) => script.test(one) && !one.startsWith("-"));
  const words = [program, ...(file === undefined ? [] : [file])].map((word) => basename(word));
  // A process may call itself what it likes, also what a terminal obeys.
  return words.join(" ").replace(unprintable, "?").slice(0, LONGEST_COMMAND) || undefined;
}

/** The machine's own processes: by `/proc` where there is one, otherwise only whether a process of that number runs. */
export const systemProcesses: ProcessProbe = {
  pid: process.pid,
  // Asked each time: a service may begin as root and become another user.
  get uid() {
    return process.getuid?.();
  },
  async boot() {
    return (await readProc("/proc/sys/kernel/random/boot_id"))?.trim();
  },
  async look(pid) {
    if (!exists(pid)) return { running: false };
    const fields = await statOf(pid);
    // A killed process whose parent has not asked for its end keeps its number (Z); it holds nothing any more.
    if (fields?.[stateAfterName] === "Z" || fields?.[stateAfterName] === "X") return { running: false };
    return { running: true, started: fields?.[startAfterName] };
  },
  async describe(pid) {
    const [fields, uptime, commandLine, status] = await Promise.all([
      statOf(pid),
      readProc("/proc/uptime"), // seconds, a blank, and more
      readProc(`/proc/${pid}/cmdline`),
      readProc(`/proc/${pid}/status`),
    ]);
    const command = commandOf(commandLine ?? "");
    const uid = /^Uid:\s+(\d+)/m.exec(status ?? "")?.[1];
    const ms = Number.parseFloat(uptime ?? "") * 1_000 - Number(fields?.[startAfterName]) * MS_PER_TICK;
    return {
      ...(command !== undefined && { command }),
      ...(uid !== undefined && { uid: Number(uid) }),
      ...(Number.isFinite(ms) && { ms: Math.max(0, ms) }),
    };
  },
  async userName(uid) {
    // passwd(5): "name:password:uid:…". Users that stand elsewhere stay numbers.
    const lines = (await readProc("/etc/passwd"))?.split("\n") ?? [];
    return lines.map((line) => line.split(":")).find((parts) => parts[2] === String(uid))?.[0];
  },
};
