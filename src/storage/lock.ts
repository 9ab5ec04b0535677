import { join } from "node:path";
import { durationText } from "../core/duration.ts";
import { StorageError } from "../core/errors.ts";
import { decodeText, encodeText } from "./bytes.ts";
import { codeOf, type FileSystem, type OpenFile } from "./file-system.ts";
import type { ProcessProbe } from "./process-probe.ts";

/** A folder held by this process. */
export interface FolderLock {
  /** Gives the folder free. */
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  readonly started?: string | undefined;
  readonly boot?: string | undefined;
}

const lockFile = /^\.lock-(\d{1,15})$/;
const triesAtMost = 100;

/** Tells whether a file name in a folder is a lock's. */
export function isLockName(name: string): boolean {
  return lockFile.test(name);
}

/**
 * Takes a folder for this process. Rejects with `ERR_STORAGE`, naming the holder, when a running process has it (also
 * this one).
 *
 * Lock files are numbered and say who made them; an empty one says that its maker has gone. To take the folder: look
 * that no maker of any of them runs, make the next number (only one can), write who one is, and look again. Who then
 * sees a higher number or another running maker steps back and starts over. The highest number is never removed, so a
 * process that acts on an old view always meets it: there is no moment at which two could remove or make "the" lock.
 * Nothing is synced: after a power cut the boot has another name, and every lock is a left-over.
 */
export async function lockFolder(folder: string, fs: FileSystem, processes: ProcessProbe): Promise<FolderLock> {
  const self = await describeSelf(processes);
  for (let tries = 0; tries < triesAtMost; tries++) {
    const before = await numbersIn(folder, fs);
    for (const number of before) await refuseIfHeld(folder, number, fs, processes, self);
    const mine = (before.at(-1) ?? 0) + 1;
    const path = pathOf(folder, mine);
    const file = await makeLock(path, fs);
    if (file === undefined) continue; // another process was faster
    try {
      await writeAll(file, encodeText(JSON.stringify(self)));
      const others = (await numbersIn(folder, fs)).filter((number) => number !== mine);
      if (others.every((number) => number < mine) && !(await anyHeld(folder, others, fs, processes, self))) {
        for (const number of others) await removeIfThere(pathOf(folder, number), fs);
        return { release: () => empty(path, fs) };
      }
      await empty(path, fs);
    } catch (error) {
      await empty(path, fs).catch(() => undefined); // it must not look held for as long as this process runs
      throw error;
    }
  }
  throw new StorageError(`"${folder}": too many processes want it at once; try again`);
}

const pathOf = (folder: string, number: number): string => join(folder, `.lock-${number}`);

async function describeSelf(processes: ProcessProbe): Promise<Holder> {
  const [boot, { started }] = await Promise.all([processes.boot(), processes.look(processes.pid)]);
  return { pid: processes.pid, started, boot };
}

/** The numbers of the lock files in a folder, rising. */
async function numbersIn(folder: string, fs: FileSystem): Promise<number[]> {
  const numbers: number[] = [];
  for (const name of await fs.readdir(folder)) {
    const digits = lockFile.exec(name)?.[1];
    if (digits !== undefined) numbers.push(Number(digits));
  }
  return numbers.sort((a, b) => a - b);
}

async function refuseIfHeld(folder: string, number: number, fs: FileSystem, processes: ProcessProbe, self: Holder) {
  const holder = await runningHolder(pathOf(folder, number), fs, processes, self);
  if (holder === undefined) return;
  const mine = holder.pid === self.pid;
  const who = mine ? `this process (pid ${holder.pid}), by another storage` : await holderText(holder.pid, processes);
  const first = mine ? "close it there" : "stop that one";
  throw new StorageError(
    `"${folder}" is in use by ${who}: ${first}, or use another folder; if it is not, remove ${pathOf(folder, number)}`,
  );
}

/** The process that holds a folder, for people: `process 123 (node thermometer.mjs, user root, started 3 h ago)`. */
export async function holderText(pid: number, processes: ProcessProbe): Promise<string> {
  const { command, uid, ms } = (await processes.describe?.(pid)) ?? {};
  const user = uid === undefined ? undefined : ((await processes.userName?.(uid)) ?? String(uid));
  const known = [
    ...(command === undefined ? [] : [command]),
    ...(user === undefined ? [] : [`user ${user}`]),
    ...(ms === undefined ? [] : [`started ${durationText(ms)} ago`]),
  ];
  return `process ${pid}${known.length === 0 ? "" : ` (${known.join(", ")})`}`;
}

/**
 * The number of the process that holds a folder, `undefined` if none does. Only looks: makes nothing, takes nothing, and
 * so may be overtaken by who comes and goes.
 */
export async function folderHolder(
  folder: string,
  fs: FileSystem,
  processes: ProcessProbe,
): Promise<number | undefined> {
  const self = await describeSelf(processes);
  for (const number of await numbersIn(folder, fs)) {
    const holder = await runningHolder(pathOf(folder, number), fs, processes, self);
    if (holder !== undefined) return holder.pid;
  }
  return undefined;
}

async function anyHeld(folder: string, numbers: number[], fs: FileSystem, processes: ProcessProbe, self: Holder) {
  for (const number of numbers) {
    if ((await runningHolder(pathOf(folder, number), fs, processes, self)) !== undefined) return true;
  }
  return false;
}

/** Who made a lock file, if that very process still runs. */
async function runningHolder(path: string, fs: FileSystem, processes: ProcessProbe, self: Holder) {
  const holder = parseHolder(await readIfThere(path, fs));
  if (holder === undefined) return undefined;
  if (holder.boot !== undefined && self.boot !== undefined && holder.boot !== self.boot) return undefined;
  const { running, started } = await processes.look(holder.pid);
  if (!running) return undefined;
  // The number may have been given to another process since.
  return holder.started !== undefined && started !== undefined && holder.started !== started ? undefined : holder;
}

/** What a lock file says; `undefined` when it was given free, is being made, or was torn by a power cut. */
function parseHolder(content: Uint8Array | undefined): Holder | undefined {
  try {
    const value = JSON.parse(decodeText(content ?? new Uint8Array(0))) as Partial<Record<keyof Holder, unknown>> | null;
    const { pid, started, boot } = value ?? {};
    if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
    return {
      pid,
      started: typeof started === "string" ? started : undefined,
      boot: typeof boot === "string" ? boot : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Makes a lock file; `undefined` if there is one of that name. */
async function makeLock(path: string, fs: FileSystem): Promise<OpenFile | undefined> {
  try {
    return await fs.open(path, "wx", 0o600);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return undefined;
    throw error;
  }
}

async function writeAll(file: OpenFile, content: Uint8Array): Promise<void> {
  try {
    await file.write(content);
  } finally {
    await file.close();
  }
}

async function empty(path: string, fs: FileSystem): Promise<void> {
  try {
    await (await fs.open(path, "w", 0o600)).close();
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error; // the folder itself is gone
  }
}

async function readIfThere(path: string, fs: FileSystem): Promise<Uint8Array | undefined> {
  try {
    return await fs.readFile(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function removeIfThere(path: string, fs: FileSystem): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}
