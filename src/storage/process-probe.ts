import { readFile } from "node:fs/promises";
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

/** The machine's own processes: by `/proc` where there is one, otherwise only whether a process of that number runs. */
export const systemProcesses: ProcessProbe = {
  pid: process.pid,
  uid: process.getuid?.(),
  async boot() {
    return (await readProc("/proc/sys/kernel/random/boot_id"))?.trim();
  },
  async look(pid) {
    if (!exists(pid)) return { running: false };
    const text = await readProc(`/proc/${pid}/stat`);
    const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
    // A killed process whose parent has not asked for its end keeps its number (Z); it holds nothing any more.
    if (fields?.[stateAfterName] === "Z" || fields?.[stateAfterName] === "X") return { running: false };
    return { running: true, started: fields?.[startAfterName] };
  },
};
