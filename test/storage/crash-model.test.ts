import { describe, expect, it } from "vitest";
import { Document } from "../../src/storage/document.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { FileSystem } from "../../src/storage/file-system.ts";
import { Journal } from "../../src/storage/journal.ts";
import { messageOf } from "../../src/core/errors.ts";
import {
  crashSeed,
  crashStates,
  processesOf,
  soakFactor,
  variant,
  recordRun,
  type CrashState,
  type RecordingFileSystem,
  type Recording,
} from "../support/crash-fs.ts";
import { mortal } from "../support/mortal-fs.ts";

const folder = "/var/lib/thing";
const seed = crashSeed();
const timeout = 20_000 * soakFactor;

interface Saved {
  readonly version: number;
}

/** A record knows its generation and its place in it, so that a check knows what must stand before it. */
type Entry = readonly [generation: number, place: number];

function openStorage(fs: FileSystem, boot: string, pid?: number) {
  return fileStorage(folder, { fs, processes: processesOf(boot, pid) });
}

function documentOn(storage: ReturnType<typeof fileStorage>): Document<Saved> {
  const parse = (value: unknown): Saved => {
    if (typeof value === "object" && value !== null && "version" in value && typeof value.version === "number") {
      return { version: value.version };
    }
    throw new Error("no version");
  };
  return new Document({ storage, name: "identity", format: 1, parse });
}

/** A journal of JSON values, a block for each addition. */
function journalOn(storage: ReturnType<typeof fileStorage>) {
  const journal = new Journal({ storage, name: "rights", format: 1 });
  const encode = (values: readonly unknown[]): Uint8Array => new TextEncoder().encode(JSON.stringify(values));
  return {
    append: (values: readonly unknown[]) => journal.append(encode(values)),
    rewrite: (values: readonly unknown[]) => journal.rewrite(values.length === 0 ? undefined : encode(values)),
    async load(): Promise<{ records: unknown[] }> {
      const { blocks } = await journal.load();
      return { records: blocks.flatMap((block) => JSON.parse(new TextDecoder().decode(block)) as unknown[]) };
    },
  };
}

/**
 * Two lives of a device. Marks before ("begin") and after ("done") each change of the document and each emptying of
 * the journal.
 */
async function live(recorder: RecordingFileSystem, fs: FileSystem): Promise<void> {
  let version = 0;
  let generation = 0;
  for (const boot of ["first", "second"]) {
    const storage = openStorage(fs, boot);
    await storage.open();
    const document = documentOn(storage);
    const journal = journalOn(storage);
    const save = async (): Promise<void> => {
      version++;
      recorder.mark(`begin version ${version}`);
      await document.save({ version });
      recorder.mark(`done version ${version}`);
    };
    const clear = async (): Promise<void> => {
      generation++;
      recorder.mark(`begin generation ${generation}`);
      await journal.rewrite([]);
      recorder.mark(`done generation ${generation}`);
    };
    let place = (await journal.load()).records.length;
    const add = async (count: number): Promise<void> => {
      await journal.append(Array.from({ length: count }, (): Entry => [generation, place++]));
    };
    await save();
    await add(2);
    await add(1);
    await Promise.all([save(), add(1)]);
    place = 0;
    await clear();
    await add(1);
    await add(3);
    place = 0;
    await Promise.all([clear(), save()]);
    await add(2);
    await storage.close();
  }
}

function bounds(marks: readonly string[], what: string): { done: number; begun: number } {
  const last = (word: string): number =>
    Math.max(
      0,
      ...marks.filter((mark) => mark.startsWith(`${word} ${what} `)).map((mark) => Number(mark.split(" ")[2])),
    );
  return { done: last("done"), begun: last("begin") };
}

/** The entries of a journal are all of one generation that may be there, none missing in between. */
function checkEntries(entries: readonly Entry[], marks: readonly string[]): void {
  const { done, begun } = bounds(marks, "generation");
  for (const [index, [generation, place]] of entries.entries()) {
    if (generation < done) throw new Error(`a record of generation ${generation}, ${done} was acknowledged`);
    if (generation > begun) throw new Error(`a record of generation ${generation}, only ${begun} was begun`);
    if (generation !== entries[0]?.[0]) throw new Error("records of two generations");
    if (place !== index) throw new Error(`record ${place} at place ${index}`);
  }
}

/** What a recovered device must not find; throws saying what it found. */
async function recover(state: CrashState): Promise<void> {
  const storage = openStorage(state.fs, "after");
  await storage.open();
  const names = await state.fs.readdir(folder);
  if (names.some((name) => name.endsWith(".tmp"))) throw new Error(`left over: ${names.join(" ")}`);

  const version = bounds(state.marks, "version");
  const document = documentOn(storage);
  const { value, source } = await document.load();
  const found = value?.version ?? 0;
  if (found < version.done || found > version.begun) {
    throw new Error(`version ${found} from ${source}, acknowledged ${version.done}, begun ${version.begun}`);
  }

  state.fs.mark(`done version ${found}`);

  const journal = journalOn(storage);
  const { records } = await journal.load();
  checkEntries(records as Entry[], state.marks);

  // And it goes on from there: nothing is glued to a torn end.
  state.fs.mark("begin version 1000");
  await document.save({ version: 1000 });
  state.fs.mark("done version 1000");
  await journal.append(["next", "\u2028\ud800"]);
  const again = await journal.load();
  expect(again).toEqual({ records: [...records, "next", "\u2028\ud800"] });
  expect(await documentOn(storage).load()).toEqual({ value: { version: 1000 }, source: "current" });
  await storage.close();
}

interface Outcome {
  readonly states: number;
  readonly violations: string[];
}

async function check(recording: Recording, statesPerCrash?: number): Promise<Outcome> {
  const violations: string[] = [];
  let states = 0;
  const options = statesPerCrash === undefined ? { seed } : { seed, statesPerCrash };
  for (const state of crashStates(recording, options)) {
    states++;
    await recover(state).catch((error: unknown) => violations.push(`${messageOf(error)} [${state.description}]`));
    if (violations.length >= 3) break;
  }
  return { states, violations };
}

describe("file storage under the crash model", () => {
  it(
    "keeps what was acknowledged, wherever the power goes",
    async () => {
      const recording = await recordRun((fs) => live(fs, fs));
      const { states, violations } = await check(recording);
      expect(violations).toEqual([]);
      expect(states).toBeGreaterThan(recording.operations.length * 4);
      console.log(`crash model: ${recording.operations.length} operations, ${states} states, seed ${seed}`);
    },
    timeout,
  );

  it(
    "keeps it also when the power goes again during the recovery",
    async () => {
      const first = await recordRun((fs) => live(fs, fs));
      let tried = 0;
      for (const state of crashStates(first, { seed, statesPerCrash: 6 })) {
        if (tried++ % 31 !== 0) continue;
        await recover(state);
        for (const next of crashStates(state.fs.recording, { seed, statesPerCrash: 6 })) {
          const outcome = await recoverAgain({ ...next, marks: [...state.marks, ...next.marks] }).catch(messageOf);
          expect(outcome, `${next.description}, after ${state.description}`).toBeUndefined();
        }
      }
      expect(tried).toBeGreaterThan(100);
    },
    timeout,
  );

  it(
    "keeps what a second process has read, when the first was killed between a rename and its sync",
    async () => {
      let calls = 0;
      for (let finished = false; !finished; calls++) {
        let hung = false;
        const recording = await recordRun(async (fs) => {
          fs.mark("begin version 1");
          const dying = mortal(fs, calls);
          const storage = openStorage(dying.fs, "boot", 100);
          const life = storage
            .open()
            .then(() => documentOn(storage).save({ version: 1 }))
            .then(() => storage.close());
          hung = await Promise.race([life.then(() => false), dying.hung.then(() => true)]);
          const next = openStorage(fs, "boot", 101);
          await next.open();
          const { value } = await documentOn(next).load();
          if (value !== undefined) fs.mark("done version 1");
        });
        finished = !hung;
        for (const state of crashStates(recording, { seed, statesPerCrash: 6 })) {
          const outcome = await recoverAgain(state).catch(messageOf);
          expect(outcome, `killed after ${calls} calls, ${state.description}`).toBeUndefined();
        }
      }
      expect(calls).toBeGreaterThan(15);
    },
    timeout,
  );
});

/** Like `recover`, for a run that may have ended in the middle of one. */
async function recoverAgain(state: CrashState): Promise<void> {
  const storage = openStorage(state.fs, "again", 102);
  await storage.open();
  const version = bounds(state.marks, "version");
  const { value } = await documentOn(storage).load();
  const found = value?.version ?? 0;
  if (found < version.done || found > version.begun) throw new Error(`version ${found}, acknowledged ${version.done}`);
  const { records } = await journalOn(storage).load();
  checkEntries(
    records.filter((record): record is Entry => Array.isArray(record)),
    state.marks,
  );
  await storage.close();
}

describe("the crash model bites", () => {
  it("catches a storage that does not sync the folder after a rename", async () => {
    const recording = await recordRun((fs) => live(fs, variant(fs, { syncFolder: () => Promise.resolve() })));
    const { violations } = await check(recording);
    expect(violations.length).toBeGreaterThan(0);
  });

  it("catches a storage that does not sync the file before a rename", async () => {
    const recording = await recordRun((fs) =>
      live(
        fs,
        variant(fs, {
          open: async (path, mode, permissions) => ({
            ...(await fs.open(path, mode, permissions)),
            sync: () => Promise.resolve(),
          }),
        }),
      ),
    );
    const { violations } = await check(recording);
    expect(violations.length).toBeGreaterThan(0);
  });

  it("catches a storage that writes over a file instead of replacing it", async () => {
    const recording = await recordRun((fs) => {
      const renamed = (path: string): string => path.replace(/\.([a-z.]+)\.tmp$/, "$1");
      return live(
        fs,
        variant(fs, {
          open: (path, mode, permissions) => fs.open(renamed(path), mode, permissions),
          rename: () => Promise.resolve(),
        }),
      );
    });
    const { violations } = await check(recording);
    expect(violations.length).toBeGreaterThan(0);
  });

  it("catches a cache that is emptied by an appended record", async () => {
    const recording = await recordRun(async (fs) => {
      const storage = openStorage(fs, "first");
      await storage.open();
      const journal = journalOn(storage);
      await journal.rewrite(["a grant"]);
      await journal.append(["clear"]);
      fs.mark("cleared");
      await storage.close();
    });
    let cameBack = 0;
    for (const state of crashStates(recording, { seed })) {
      if (!state.marks.includes("cleared")) continue;
      const storage = openStorage(state.fs, "after");
      await storage.open();
      const { records } = await journalOn(storage).load();
      if (records.slice(records.lastIndexOf("clear") + 1).includes("a grant")) cameBack++;
    }
    expect(cameBack).toBeGreaterThan(0);
  });
});
