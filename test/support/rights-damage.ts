// Whatever becomes of the file that holds the rights: what a Thing makes of it that is started then.
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { recordRun, type Draw } from "./crash-fs.ts";
import { FOLDER, liveOnce, type LifeOptions } from "./rights-life.ts";
import { thingOn } from "./rights-recovery.ts";
import { textOf, Witness } from "./rights-witness.ts";

/** What a life has left on disk. */
export interface LeftBehind {
  /** All files but the rights, by their names. */
  readonly others: ReadonlyMap<string, Uint8Array>;
  /** The file of the rights, each time that it was written; the last one is what is there. */
  readonly versions: readonly Uint8Array[];
  /** What had happened. */
  readonly witness: Witness;
  /** Each answer that was ever remembered, as text. */
  readonly seen: ReadonlySet<string>;
}

/** Lives once, and keeps all that was on the disk. */
export async function liveAndLeave(options: LifeOptions): Promise<LeftBehind> {
  const versions: Uint8Array[] = [];
  const watched = (storage: Storage): Storage => {
    const note = async (name: string, change: Promise<void>): Promise<void> => {
      await change;
      const content = name === "rights" ? await storage.read(name) : undefined;
      if (content !== undefined) versions.push(content);
    };
    return {
      open: () => storage.open(),
      close: () => storage.close(),
      read: (name) => storage.read(name),
      replace: (name, content) => note(name, storage.replace(name, content)),
      append: (name, content) => note(name, storage.append(name, content)),
      delete: (name) => storage.delete(name),
    };
  };
  let seen: ReadonlySet<string> = new Set();
  const others = new Map<string, Uint8Array>();
  const { operations } = await recordRun(async (fs) => {
    ({ seen } = await liveOnce(fs, { ...options, storage: watched }));
    for (const name of await fs.readdir(FOLDER)) {
      if (/^[a-z]/.test(name) && name !== "rights") others.set(name, await fs.readFile(`${FOLDER}/${name}`));
    }
  });
  const marks = operations.flatMap((operation) => (operation.kind === "mark" ? [operation.label] : []));
  return { others, versions, witness: new Witness(marks), seen };
}

/** What a Thing made of a damaged file. */
export interface Started {
  /** What must not be. */
  readonly complaints: readonly string[];
  /** What it remembers, as texts. */
  readonly remembered: readonly string[];
  /** Whether it has told that the rights are damaged. */
  readonly told: boolean;
}

/**
 * Starts a Thing with this in the place of the rights.
 *
 * @param twice also once more after that
 */
export async function startOn(left: LeftBehind, rights: Uint8Array, twice: boolean): Promise<Started> {
  const storage = memoryStorage();
  await storage.open();
  for (const [name, content] of left.others) await storage.replace(name, content);
  await storage.replace("rights", rights);
  await storage.close();
  const complaints: string[] = [];
  const start = async (): Promise<{ remembered: string[]; faults: readonly string[] }> => {
    const { thing, faults } = thingOn(storage, left.witness.servers);
    try {
      await thing.start();
    } catch (error) {
      complaints.push(`does not start: ${String(error)}`);
      return { remembered: [], faults };
    }
    const rights = thing.rights.entries();
    for (const right of rights) {
      const why = left.witness.complaint(right);
      if (why !== undefined) complaints.push(why);
      else if (!left.seen.has(textOf(right))) complaints.push(`never knew ${textOf(right)}`);
    }
    await thing.stop();
    return { remembered: rights.map(textOf), faults };
  };
  const { remembered, faults } = await start();
  if (twice) {
    const again = await start();
    if (again.faults.length > 0) complaints.push(`tells of ${again.faults.join()} at the next start too`);
    if (again.remembered.join() !== remembered.join()) complaints.push("remembers something else at the next start");
  }
  return { complaints, remembered, told: faults.includes("rights-damaged") };
}

/** Cut off at every byte. Only where it may have been written no further may nothing be said of it: once for each number of answers. */
export async function cutAnywhere(left: LeftBehind, file: Uint8Array): Promise<string[]> {
  const complaints: string[] = [];
  const silent = new Map<number, number>();
  for (let length = 0; length < file.length; length++) {
    const started = await startOn(left, file.slice(0, length), length % 50 === 0);
    complaints.push(...started.complaints.map((one) => `cut at ${length} of ${file.length}: ${one}`));
    if (started.told) continue;
    const before = silent.get(started.remembered.length);
    if (before !== undefined) complaints.push(`cut at ${before} or at ${length} of ${file.length}: says nothing of it`);
    silent.set(started.remembered.length, length);
  }
  return complaints;
}

/** With one bit the other way round: each of them, or one drawn for each byte. */
export async function flipBits(left: LeftBehind, file: Uint8Array, draw: Draw | "each"): Promise<string[]> {
  const complaints: string[] = [];
  for (let at = 0; at < file.length; at++) {
    const bits = draw === "each" ? [0, 1, 2, 3, 4, 5, 6, 7] : [draw(8)];
    for (const bit of bits) {
      const damaged = file.slice();
      damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
      const started = await startOn(left, damaged, at % 50 === 0);
      const all = [...started.complaints, ...(started.told ? [] : ["says nothing of it"])];
      complaints.push(...all.map((one) => `bit ${bit} of byte ${at} of ${file.length}: ${one}`));
    }
  }
  return complaints;
}

/** With what stood on the disk at some time before, from some byte behind the first line on: a worn card brings old blocks back. */
export async function mixWithOlder(left: LeftBehind, file: Uint8Array, draw: Draw, times: number): Promise<string[]> {
  const complaints: string[] = [];
  const firstLine = file.indexOf(0x0a) + 1;
  for (let time = 0; time < times; time++) {
    const older = left.versions[draw(left.versions.length)] ?? file;
    const from = firstLine + draw(Math.max(1, file.length - firstLine));
    const to = draw(2) === 0 ? older.length : Math.min(older.length, from + 512);
    const mixed = [...file.slice(0, from), ...older.slice(from, to), ...(to === older.length ? [] : file.slice(to))];
    const started = await startOn(left, Uint8Array.from(mixed), time % 50 === 0);
    complaints.push(...started.complaints.map((one) => `older from ${from} to ${to} of ${file.length}: ${one}`));
  }
  return complaints;
}
