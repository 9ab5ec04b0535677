import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StateError, isSdkError } from "../../src/core/errors.ts";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import type { FieldType } from "../../src/codec/field-types.ts";
import type { Decision } from "../../src/provisioning/decision.ts";
import { wholeGrant, type Grant } from "../../src/provisioning/grants.ts";
import { trustGeneration } from "../../src/provisioning/record.ts";
import { questionKey, type Question, type ReadQuestion } from "../../src/provisioning/questions.ts";
import type { Right } from "../../src/provisioning/right.ts";
import { RightsCache, type RightsCacheOptions } from "../../src/provisioning/rights-cache.ts";
import { RIGHTS_FORMAT } from "../../src/provisioning/rights-file.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { Journal } from "../../src/storage/journal.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { FailingStorage, failingStorage } from "../support/failing-storage.ts";
import { generationOf, recordFor, remember, server } from "../support/rights.ts";
import { listeningLogger, settled } from "../support/scripted-wire.ts";

/** What is put into the cache, and what is to be found there. */
interface Put {
  readonly question: Question;
  readonly grants: readonly Grant[];
  readonly secondaryTrustBy?: readonly BareJid[];
}

/** By default a friendship that is granted. */
function right(name: string, parts: Partial<Put> = {}): Put {
  return { question: { kind: "friend", jid: bareJid(`${name}@example.org`) }, grants: [wholeGrant(server)], ...parts };
}
/** Another question about the same party. */
function reading(name: string, ...fields: readonly string[]): Put {
  const jid = bareJid(`${name}@example.org`);
  const types = new Set<FieldType>(["momentary"]);
  return right(name, { question: { kind: "read", jid, tokens: {}, types, nodes: [], fields } });
}
const keyOf = (name: string): string => questionKey(right(name).question);
const generation = generationOf();
const shown = (one: Put): Right => ({ ...one, kind: one.question.kind, jid: one.question.jid });
/** Remembered, as after an answer; not on disk yet. */
const put = (cache: RightsCache, { question, ...said }: Put, epoch = cache.epoch): void =>
  remember(cache, question, said, epoch);
/** Remembered, and on disk with all that was gathered before. */
const kept = async (cache: RightsCache, one: Put, epoch = cache.epoch): Promise<void> => {
  put(cache, one, epoch);
  await cache.flush();
};
const grantsOf = (cache: RightsCache, name: string): readonly Grant[] | undefined =>
  cache.entries().find(({ kind, jid }) => kind === "friend" && jid === `${name}@example.org`)?.grants;
const use = (cache: RightsCache, name: string): unknown => cache.get(keyOf(name), generation);

/** A cache on a storage, as at a start of the Thing. */
async function booted(
  storage: Storage,
  options: Partial<RightsCacheOptions> = {},
): Promise<{ cache: RightsCache; faults: string[]; lines: string[]; clock: SimulatedClock }> {
  const faults: string[] = [];
  const logger = listeningLogger();
  const clock = new SimulatedClock();
  const cache = new RightsCache({
    storage,
    logger,
    clock,
    onFault: (code, message) => void faults.push(`${code}: ${message}`),
    ...options,
  });
  await cache.load();
  return { cache, faults, lines: logger.lines, clock };
}

async function opened(): Promise<Storage> {
  const storage = memoryStorage();
  await storage.open();
  return storage;
}

const names = (cache: RightsCache): string[] => cache.entries().map(({ jid }) => jid.replace("@example.org", ""));

async function corrupt(storage: Storage, change: (content: Uint8Array) => Uint8Array): Promise<void> {
  const content = await storage.read("rights");
  if (content === undefined) throw new Error("nothing was written");
  await storage.replace("rights", change(content));
}

describe("remembered rights", () => {
  test("P-5.2-1: are found by the key of their question", async () => {
    const { cache } = await booted(await opened());
    expect(use(cache, "ann")).toBeUndefined();
    await kept(cache, right("ann"));
    expect(use(cache, "ann")).toEqual({ outcome: "granted", grants: right("ann").grants, source: "cache" });
    expect(cache.entries()).toEqual([shown(right("ann"))]);
    expect(cache.count).toBe(1);
  });

  test("P-5.2-8: are there again after a restart, exactly as they were", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    const bob = bareJid("bob@example.org");
    const asked = {
      kind: "read",
      jid: bob,
      tokens: {},
      types: new Set<FieldType>(),
      nodes: [],
      fields: ["é\n"],
    } as const;
    const read: Put = {
      question: asked,
      grants: [
        {
          by: server,
          types: ["momentary"],
          nodes: [{ nodeId: "1", sourceId: "s" }, { nodeId: "" }],
          fields: ["é\n"],
          parameters: [],
        },
        { by: bareJid("second.example.org"), types: ["peak"], nodes: [], fields: [], parameters: [] },
      ],
    };
    const wanted = { kind: "control", jid: bob, tokens: {}, nodes: [], parameters: ["LED"] } as const;
    const control: Put = { question: wanted, grants: [{ ...wholeGrant(server), parameters: ["LED"] }] };
    const left: Put = { ...right("cecil", { grants: [] }), secondaryTrustBy: [server] };
    await kept(cache, left);
    await kept(cache, right("ann", { grants: [] }));
    await kept(cache, read);
    await kept(cache, control);
    const again = await booted(storage);
    expect(again.cache.entries()).toEqual([control, read, right("ann", { grants: [] }), left].map(shown));
    expect(again.faults).toEqual([]);
  });

  test("P-5.2-2: give way when there are too many, the one longest unused first", async () => {
    const { cache } = await booted(await opened(), { maxEntries: 3 });
    for (const name of ["a", "b", "c"]) await kept(cache, right(name));
    use(cache, "a");
    await kept(cache, right("d"));
    expect(names(cache)).toEqual(["d", "a", "c"]);
  });

  test("P-5.2-2: keep their order over a restart", async () => {
    const storage = await opened();
    const { cache } = await booted(storage, { maxEntries: 3 });
    for (const name of ["a", "b", "c", "d"]) await kept(cache, right(name));
    const again = await booted(storage, { maxEntries: 3 });
    expect(names(again.cache)).toEqual(["d", "c", "b"]);
    await kept(again.cache, right("e"));
    expect(names(again.cache)).toEqual(["e", "d", "c"]);
  });

  test("P-5.2-2: are bounded in bytes, as they stand on disk", async () => {
    const alone = await booted(await opened());
    put(alone.cache, right("a"));
    const size = alone.cache.bytes;
    const { cache } = await booted(await opened(), { maxBytes: 3 * size + Math.floor(size / 2) });
    for (const name of ["a", "b", "c", "d"]) await kept(cache, right(name));
    expect(names(cache)).toEqual(["d", "c", "b"]);
  });

  test("are not kept, and not written, when one alone is larger than all may be", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage, { maxBytes: 1_000 });
    await kept(cache, right("a"));
    await kept(cache, right("b", { grants: [{ ...wholeGrant(server), fields: ["x".repeat(1_000)] }] }));
    expect(names(cache)).toEqual(["a"]);
    expect(storage.done).toEqual(["append rights"].map(() => "replace rights")); // the first record makes the file
  });

  test("are bounded also when more stand on disk than may now be remembered", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    for (const name of ["a", "b", "c", "d"]) await kept(cache, right(name));
    const again = await booted(storage, { maxEntries: 2 });
    expect(names(again.cache)).toEqual(["d", "c"]);
  });

  test("are the newest of those with the same key", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    await kept(cache, right("a"));
    await kept(cache, right("a", { grants: [] }));
    expect(grantsOf((await booted(storage)).cache, "a")).toEqual([]);
    expect(cache.count).toBe(1);
  });

  test("whatever is done to them, a restart finds none that was cleared and none that was never put", async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("put" as const), name: fc.constantFrom("a", "b", "c", "d", "e"), yes: fc.boolean() }),
      fc.record({ do: fc.constant("get" as const), name: fc.constantFrom("a", "b", "c", "d", "e") }),
      fc.record({ do: fc.constant("forget" as const), name: fc.constantFrom("a", "b", "c", "d", "e") }),
      fc.record({ do: fc.constantFrom("clear" as const, "restart" as const, "flush" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const storage = await opened();
        let { cache } = await booted(storage, { maxEntries: 3 });
        const valid = new Map<string, boolean>();
        for (const one of steps) {
          if (one.do === "put") {
            put(cache, right(one.name, one.yes ? {} : { grants: [] }));
            valid.set(one.name, one.yes);
          } else if (one.do === "get") use(cache, one.name);
          else if (one.do === "forget") {
            await cache.forget(bareJid(`${one.name}@example.org`));
            valid.delete(one.name);
          } else if (one.do === "clear") {
            await cache.clear();
            valid.clear();
          } else if (one.do === "flush") await cache.flush();
          else {
            await settled(); // what takes back another answer is on its way to the disk
            ({ cache } = await booted(storage, { maxEntries: 3 }));
          }
          for (const entry of cache.entries()) {
            expect(valid.get(entry.jid.replace("@example.org", ""))).toBe(entry.grants.length > 0);
          }
          expect(cache.count).toBeLessThanOrEqual(3);
        }
      }),
    );
  });
});

describe("nobody alone", () => {
  test("P-5.2-2: pushes the others out with many questions: the least recent of his own go first", async () => {
    const { cache } = await booted(await opened(), { maxEntries: 100 });
    await kept(cache, right("ann"));
    for (let n = 0; n < 200; n++) await kept(cache, reading("flood", `f${n}`));
    expect(use(cache, "ann")).toBeDefined();
    const flood = cache.entries().flatMap(({ question }) => (question.kind === "read" ? question.fields : []));
    expect(flood).toEqual(Array.from({ length: 16 }, (_, n) => `f${199 - n}`));
    expect(cache.counters.evictions).toBe(184);
  });

  test("P-5.2-2: nor with many large ones: they take a sixteenth of the bytes", async () => {
    const { cache } = await booted(await opened());
    for (let n = 0; n < 900; n++) put(cache, right(`party${n}`));
    for (let n = 0; n < 100; n++) put(cache, reading("flood", `${n}${"x".repeat(5_000)}`));
    expect(names(cache).filter((name) => name.startsWith("party"))).toHaveLength(900);
    expect(names(cache).filter((name) => name.startsWith("flood"))).toHaveLength(3);
  });

  test("P-5.2-2: nor over a restart, with those of his that had given way and still stand on disk", async () => {
    const storage = await opened();
    const { cache } = await booted(storage, { maxEntries: 40 });
    for (let n = 0; n < 20; n++) await kept(cache, right(`party${n}`));
    for (let n = 0; n < 60; n++) await kept(cache, reading("flood", `f${n}`));
    const next = await booted(storage, { maxEntries: 40 });
    expect(names(next.cache)).toEqual(names(cache));
    expect(names(next.cache).filter((name) => name.startsWith("party"))).toHaveLength(20);
  });

  test("P-5.2-2: nor with a huge one, which is neither kept nor written", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    await kept(cache, right("ann"));
    const before = (await storage.read("rights"))?.length;
    await kept(cache, reading("flood", "f".repeat(20_000)));
    expect(names(cache)).toEqual(["ann"]);
    expect((await storage.read("rights"))?.length).toBe(before);
  });
});

describe("strangers who are refused", () => {
  const no = (name: string): Put => right(name, { grants: [] });
  const onDisk = async (storage: Storage): Promise<string[]> => names((await booted(storage)).cache);

  test("have nothing written, however many they are: what is remembered of them goes to disk with the next grant", async () => {
    const storage = await failingStorage();
    const { cache, clock } = await booted(storage);
    for (let n = 0; n < 1_000; n++) put(cache, no(`stranger${n}`));
    await clock.advance(3_600_000);
    expect(storage.done).toEqual([]);
    put(cache, right("bob"));
    await clock.advance(30_000);
    expect(storage.done).toEqual(["replace rights"]); // there was no file yet
    expect(await onDisk(storage)).toEqual(names(cache));
    expect(names(cache)).toContain("stranger999");
    put(cache, no("late"));
    await clock.advance(3_600_000);
    expect(storage.done).toHaveLength(1);
  });

  test("are remembered over a clean end", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    for (let n = 0; n < 100; n++) put(cache, no(`stranger${n}`));
    await cache.flush();
    expect(await onDisk(storage)).toEqual(names(cache));
    expect(names(cache)).toHaveLength(100);
  });

  test.each([
    ["that is remembered", 8],
    ["that has given way in memory, and stands on disk", 2],
  ])("take back a grant %s at once", async (_, maxEntries) => {
    const storage = await opened();
    const { cache } = await booted(storage, { maxEntries });
    for (const name of ["ann", "bob", "cecil"]) await kept(cache, right(name));
    for (let n = 0; n < 40; n++) put(cache, no(`stranger${n}`));
    put(cache, no("ann"));
    await settled();
    expect(grantsOf((await booted(storage)).cache, "ann")).toEqual([]);
  });

  test("take back a grant at once also when the file could not be rewritten meanwhile", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage, { maxEntries: 2 });
    for (const name of ["ann", "bob", "cecil"]) await kept(cache, right(name));
    for (let n = 0; n < 40; n++) put(cache, no(`stranger${n}`));
    storage.failing.add("append").add("replace");
    await cache.flush();
    storage.failing.clear();
    put(cache, no("ann"));
    await settled();
    expect(grantsOf((await booted(storage)).cache, "ann")).toEqual([]);
  });

  test.each([
    ["many", { maxEntries: 40 }, 100, 0],
    ["with large questions", { maxBytes: 65_536 }, 100, 3_000],
    ["with questions as large as all there is room for", { maxBytes: 4_096 }, 100, 3_500],
  ])("do not push out who may, %s as they are", async (_, options, count, padding) => {
    const { cache } = await booted(await opened(), options);
    await kept(cache, right("ann"));
    for (let n = 0; n < count; n++) {
      put(cache, { ...reading(`stranger${n}`, "x".repeat(padding)), grants: [] });
    }
    expect(names(cache)).toContain("ann");
    expect(names(cache)[0]).toBe(`stranger${count - 1}`);
    const { maxEntries = count, maxBytes = Infinity }: { maxEntries?: number; maxBytes?: number } = options;
    const strangers = names(cache).length - 1;
    expect(strangers).toBeLessThanOrEqual(maxEntries / 2);
    // The newest one stays whatever it takes.
    expect((strangers - 1) * padding).toBeLessThanOrEqual(maxBytes / 2);
  });

  test("leave no trace of their number behind a clearCache", async () => {
    const { cache } = await booted(await opened(), { maxEntries: 4 });
    for (let n = 0; n < 10; n++) put(cache, no(`stranger${n}`));
    await cache.clear();
    for (const name of ["a", "b"]) put(cache, no(name));
    expect(names(cache)).toEqual(["b", "a"]);
  });
});

describe("clearing the rights", () => {
  test("P-3.5.1-5: that the disk did not take is made good by the next write, whatever it is", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await kept(cache, right("ann"));
    storage.failing.add("replace");
    await expect(cache.clear()).rejects.toThrow();
    storage.failing.clear();
    await kept(cache, right("bob"));
    const next = await booted(storage);
    expect(names(next.cache)).toEqual(["bob"]);
  });

  test("P-3.5.1-5: forgets every one of them, at once in memory", async () => {
    const { cache } = await booted(await opened());
    for (const name of ["a", "b"]) await kept(cache, right(name));
    const cleared = cache.clear();
    expect(cache.count).toBe(0);
    expect(use(cache, "a")).toBeUndefined();
    await cleared;
  });

  test("P-E21: is durable once resolved: whoever starts on the same storage then sees nothing", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    for (const name of ["a", "b"]) await kept(cache, right(name));
    await cache.clear();
    // The process is dead from here on: nothing of it reaches the disk any more.
    for (const operation of ["append", "replace", "delete"] as const) storage.failing.add(operation);
    const again = await booted(storage);
    expect([again.cache.count, again.faults]).toEqual([0, []]);
  });

  test("P-E21: is one replacement of the file, never an addition that a torn end would undo", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await kept(cache, right("a"));
    storage.done.length = 0;
    await cache.clear();
    expect(storage.done).toEqual(["replace rights"]);
  });

  test("P-E21: rejects when the disk does not take it, and forgets in memory all the same", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await kept(cache, right("a"));
    storage.failing.add("replace");
    await expect(cache.clear()).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(use(cache, "a")).toBeUndefined();
    // Not acknowledged, so it comes again: by then the disk takes it.
    storage.failing.clear();
    await cache.clear();
    expect((await booted(storage)).cache.count).toBe(0);
  });

  test("P-E21: that failed leaves nothing on disk that comes back beside newer answers", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await kept(cache, right("a"));
    storage.failing.add("replace");
    await expect(cache.clear()).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.failing.clear();
    await kept(cache, right("b"));
    expect(names((await booted(storage)).cache)).toEqual(["b"]);
  });

  test("P-E21: that failed while the file was being written leaves nothing either", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    for (const name of ["a", "b"]) await kept(cache, right(name));
    use(cache, "a");
    let writes = 0;
    storage.before = () => {
      if (++writes === 2) storage.failing.add("replace");
    };
    const flushing = cache.flush(); // what is remembered before the clear, which is written first
    await settled();
    const clearing = cache.clear();
    await flushing;
    await expect(clearing).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.before = () => undefined;
    storage.failing.clear();
    await kept(cache, right("c"));
    expect(names((await booted(storage)).cache)).toEqual(["c"]);
  });

  test("P-E21: that the disk did not take is tried again, though nobody asks for it", async () => {
    const storage = await failingStorage();
    const { cache, clock } = await booted(storage);
    await kept(cache, right("a"));
    storage.failing.add("replace");
    await expect(cache.clear()).rejects.toMatchObject({ code: "ERR_STORAGE" });
    await clock.advance(30_000);
    expect((await booted(storage)).cache.count).toBe(1);
    storage.failing.clear();
    await clock.advance(30_000);
    expect((await booted(storage)).cache.count).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("of which nothing is on disk writes nothing, however often it is asked for", async () => {
    const storage = await failingStorage();
    const { cache, clock } = await booted(storage);
    await cache.clear();
    await kept(cache, right("a"));
    storage.done.length = 0;
    for (let n = 0; n < 10; n++) await cache.clear();
    await cache.forget(bareJid("a@example.org"));
    put(cache, right("b")); // gathered, and forgotten before its time
    await cache.clear();
    await clock.advance(3_600_000);
    expect(storage.done).toEqual(["replace rights"]);
    expect((await booted(storage)).cache.count).toBe(0);
  });

  test("P-E21: of which nothing is on disk is written once after a start: whoever was killed may have left that undone", async () => {
    const storage = await failingStorage();
    const { cache: first } = await booted(storage);
    await kept(first, right("ann"));
    const before = await storage.read("rights");
    await first.clear();
    for (const erase of ["clear", "forget"] as const) {
      // The new file is there, but its name is not on the disk yet: without power there is the old one again.
      const { cache } = await booted(storage);
      storage.done.length = 0;
      const forget = () => (erase === "clear" ? cache.clear() : cache.forget(bareJid("ann@example.org")));
      await forget();
      await forget();
      expect([erase, storage.done]).toEqual([erase, ["replace rights"]]);
    }
    expect(await storage.read("rights")).not.toEqual(before);
  });

  test("an answer to a question asked before it is not kept, in memory or on disk", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    const before = cache.epoch;
    await cache.clear();
    await kept(cache, right("a"), before);
    expect(cache.count).toBe(0);
    expect((await booted(storage)).cache.count).toBe(0);
    await kept(cache, right("a"));
    expect((await booted(storage)).cache.count).toBe(1);
  });

  test("an answer that is being written when it comes is gone too", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await kept(cache, right("a"));
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    storage.before = () => held;
    put(cache, right("b"));
    const writing = cache.flush();
    await settled();
    const clearing = cache.clear();
    put(cache, right("c"));
    const after = cache.flush();
    go();
    await Promise.all([writing, clearing, after]);
    expect(names(cache)).toEqual(["c"]);
    expect(names((await booted(storage)).cache)).toEqual(["c"]);
  });
});

describe("forgetting somebody", () => {
  test("forgets all that is remembered about them and nothing else, durably", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    await kept(cache, right("a"));
    await kept(cache, reading("a", "Temperature"));
    await kept(cache, right("b"));
    await cache.forget(bareJid("a@example.org"));
    expect(names(cache)).toEqual(["b"]);
    expect(names((await booted(storage)).cache)).toEqual(["b"]);
  });

  test("keeps out an answer about them that was asked for before, also when nothing was remembered yet", async () => {
    const { cache } = await booted(await opened());
    const before = cache.epoch;
    await cache.forget(bareJid("a@example.org"));
    await kept(cache, right("a"), before);
    expect(cache.count).toBe(0);
  });

  test("forgets also what has given way in memory but still stands on disk", async () => {
    const storage = await opened();
    const { cache } = await booted(storage, { maxEntries: 2 });
    await kept(cache, right("a"));
    await kept(cache, right("b"));
    use(cache, "a");
    await kept(cache, right("c"));
    expect(names(cache)).toEqual(["c", "a"]);
    await cache.forget(bareJid("b@example.org"));
    expect(names((await booted(storage, { maxEntries: 3 })).cache)).toEqual(["c", "a"]);
  });

  test("rejects when the disk does not take it", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await kept(cache, right("a"));
    storage.failing.add("replace");
    await expect(cache.forget(bareJid("a@example.org"))).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(cache.count).toBe(0);
  });
});

describe("a disk that fails", () => {
  test("is told of once; what was answered is remembered in memory", async () => {
    const storage = await failingStorage();
    const { cache, faults } = await booted(storage);
    storage.failing.add("append").add("replace");
    for (const name of ["a", "b", "c"]) await kept(cache, right(name));
    expect(names(cache)).toEqual(["c", "b", "a"]);
    expect(use(cache, "a")).toMatchObject({ outcome: "granted" });
    expect(faults).toEqual(["rights-not-saved: the disk is full"]);
  });

  test("is told of anew when it fails again after it had recovered", async () => {
    const storage = await failingStorage();
    const { cache, faults } = await booted(storage);
    storage.failing.add("append").add("replace");
    await kept(cache, right("a"));
    storage.failing.clear();
    await kept(cache, right("b"));
    expect(faults).toHaveLength(1);
    storage.failing.add("append").add("replace");
    await kept(cache, right("c"));
    await kept(cache, right("d"));
    expect(faults).toHaveLength(2);
  });

  test("is told of anew after a clear that it took", async () => {
    const storage = await failingStorage();
    const { cache, faults } = await booted(storage);
    storage.failing.add("append").add("replace");
    await kept(cache, right("a"));
    storage.failing.clear();
    await cache.clear();
    storage.failing.add("append").add("replace");
    await kept(cache, right("b"));
    expect(faults).toHaveLength(2);
  });

  test("in a way that no storage should is put down in the log as well", async () => {
    const storage = await failingStorage();
    const { cache, faults, lines } = await booted(storage);
    storage.reason = () => new StateError("not open");
    storage.failing.add("append").add("replace");
    await kept(cache, right("a"));
    expect(faults).toEqual(["rights-not-saved: not open"]);
    expect(lines).toEqual(['error: the rights cache failed {"why":"not open"}']);
  });

  test("does not lose what it took before", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await kept(cache, right("a"));
    storage.failing.add("append").add("replace");
    await kept(cache, right("b"));
    storage.failing.clear();
    expect(names((await booted(storage)).cache)).toEqual(["a"]);
    // And what it did not take is written once it does.
    await kept(cache, right("c"));
    expect(names((await booted(storage)).cache)).toEqual(["c", "b", "a"]);
  });

  test("is tried again each time what is new would be written, and no more often", async () => {
    const storage = await failingStorage();
    const { cache, clock, faults } = await booted(storage);
    storage.failing.add("append").add("replace");
    let tries = 0;
    storage.before = () => {
      tries++;
    };
    put(cache, right("a"));
    await clock.advance(10 * 30_000);
    expect([tries, faults.length]).toEqual([10, 1]);
    storage.failing.clear();
    await clock.advance(30_000);
    expect(names((await booted(storage)).cache)).toEqual(["a"]);
    expect(clock.pending).toBe(0);
  });
});

describe("a damaged file of rights", () => {
  async function withThree(): Promise<Storage> {
    const storage = await opened();
    const { cache } = await booted(storage);
    for (const name of ["a", "b", "c"]) await kept(cache, right(name));
    return storage;
  }

  test("with a torn end is shortened, with a fault, and whole again from then on", async () => {
    const storage = await withThree();
    await corrupt(storage, (content) => content.slice(0, -5));
    const { cache, faults } = await booted(storage);
    expect(names(cache)).toEqual(["b", "a"]);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^rights-damaged: .*torn/);
    const again = await booted(storage);
    expect([names(again.cache), again.faults]).toEqual([["b", "a"], []]);
  });

  test("with a changed answer loses what was written with it and what follows", async () => {
    const storage = await withThree();
    await corrupt(storage, (content) => {
      const text = Buffer.from(content).toString("latin1");
      return new Uint8Array(Buffer.from(text.replace("b@example.org", "x@example.org"), "latin1"));
    });
    const { cache, faults } = await booted(storage);
    expect(names(cache)).toEqual(["a"]);
    expect(faults[0]).toMatch(/^rights-damaged: /);
  });

  test("whatever byte of it is changed, never holds a right that was not granted", async () => {
    const storage = await withThree();
    const content = (await storage.read("rights")) as Uint8Array;
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: content.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const damaged = content.slice();
        damaged[at] = (damaged[at] as number) ^ by;
        const copy = await opened();
        await copy.replace("rights", damaged);
        const { cache, faults } = await booted(copy);
        expect(cache.count).toBeLessThan(3);
        expect(cache.entries()).toEqual([right("c"), right("b"), right("a")].map(shown).slice(3 - cache.count));
        expect(faults).toHaveLength(1);
      }),
    );
  });

  test("of nonsense is empty, with a fault", async () => {
    const storage = await withThree();
    await corrupt(storage, () => new Uint8Array(100));
    const { cache, faults } = await booted(storage);
    expect(cache.count).toBe(0);
    expect(faults).toHaveLength(1);
  });

  test("that cannot be written anew keeps nobody from starting", async () => {
    const storage = new FailingStorage(await withThree());
    await corrupt(storage, (content) => content.slice(0, -5));
    storage.failing.add("replace");
    const { cache, faults } = await booted(storage);
    expect(names(cache)).toEqual(["b", "a"]);
    expect(faults.map((fault) => fault.split(":")[0])).toEqual(["rights-damaged", "rights-not-saved"]);
  });

  test("of a newer format is refused by name and not touched", async () => {
    const storage = await failingStorage();
    await new Journal({ storage, name: "rights", format: RIGHTS_FORMAT + 1 }).append(new Uint8Array(1));
    const before = await storage.read("rights");
    await expect(booted(storage)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(await storage.read("rights")).toEqual(before);
  });

  test("of an older format is dropped without a fault, once and for all: also an older version finds nothing there", async () => {
    const storage = await failingStorage();
    await new Journal({ storage, name: "rights", format: 1 }).append(new Uint8Array(1));
    const { cache, faults, lines } = await booted(storage);
    expect([cache.count, faults]).toEqual([0, []]);
    expect(lines).toEqual(['info: what was remembered in an older format is asked again {"format":1}']);
    expect(storage.done).toEqual(["replace rights", "replace rights"]);
    const again = await booted(storage);
    expect([again.faults, again.lines, storage.done.length]).toEqual([[], [], 2]);
  });

  test("that cannot be read is an error of the storage", async () => {
    const storage = await failingStorage();
    storage.failing.add("read");
    const error = await booted(storage).catch((reason: unknown) => reason);
    expect(isSdkError(error) && error.code).toBe("ERR_STORAGE");
  });
});

describe("what no library has written, behind checksums that hold", () => {
  const number = (value: number): readonly number[] => (value < 128 ? [value] : [(value & 127) | 128, value >> 7]);
  const text = (written: string): readonly number[] => [...number(Buffer.byteLength(written)), ...Buffer.from(written)];
  const entry = (key: string, record: string): readonly number[] => [...text(key), 0, ...text(record)];
  const good = entry(keyOf("a"), recordFor());
  async function withBlock(...additions: readonly number[]): Promise<Storage> {
    const storage = await opened();
    const journal = new Journal({ storage, name: "rights", format: RIGHTS_FORMAT });
    await journal.append(Uint8Array.from([0, ...good, ...additions]));
    return storage;
  }

  test("is not what a good file is", async () => {
    const { cache, faults } = await booted(await withBlock(...entry(keyOf("b"), recordFor({ grants: [] }))));
    expect(cache.entries()).toEqual([right("b", { grants: [] }), right("a")].map(shown));
    expect(faults).toEqual([]);
  });

  const odd: readonly [string, readonly number[]][] = [
    ["the use of an answer that is not there", [0, 0, 1]],
    ["the use of an answer far away", [0, 0, 255, 255, 255, 255, 127]],
    ["a number without an end", [0, 0, 255, 255, 255, 255, 255, 255, 255, 255]],
    ["a number that breaks off", [0, 0, 128]],
    ["a key that breaks off", [5, 65]],
    ["no record", [...text(keyOf("b")), 0]],
    ["a record that breaks off", [...text(keyOf("b")), 0, 5, 65]],
    ["half of an answer", good.slice(0, 20)],
  ];
  test.each(odd)("is dropped, with a fault: %s", async (_, additions) => {
    const storage = await withBlock(...additions);
    const { cache, faults } = await booted(storage);
    expect(cache.entries()).toEqual([shown(right("a"))]);
    expect(faults).toEqual(["rights-damaged: the rights behind place 1 could not be read"]);
    expect((await booted(storage)).faults).toEqual([]);
  });

  const grantedBy = (by: string): string => recordFor({ grants: [wholeGrant(by as BareJid)] });
  const strange: readonly [string, string][] = [
    ["an empty one", ""],
    ["one without a yes or no", generation],
    ["another word than yes and no", `${generation}?\u0010`],
    ["a yes without a grant", `${generation}+\u0010`],
    ["a yes with something behind it", `${recordFor()}\u0010`],
    ["a yes that breaks off", recordFor().slice(0, -1)],
    ["a no with something behind it", `${recordFor({ grants: [] })}x`],
    ["a no with leave by nobody", `${generation}-\u0011\u0010`],
    ["a grant by nobody", grantedBy("")],
    ["a grant by somebody with a resource", grantedBy("p.example.org/x")],
    ["a grant by an address that is not normal", grantedBy("P.example.org")],
    ["more grants than there are characters", `${generation}+\u0008\u0008\u0008\u001f`],
    [
      "a kind of field that does not exist",
      `${recordFor().slice(0, -4)}\u0005\u0001\u0001\u0001\u0010\u0010\u0010\u0010`,
    ],
    ["a number that begins with a zero", `${recordFor().slice(0, -1)}\u0001\u0010`],
    ["a number beyond all bounds", `${generation}+${"\u0008".repeat(20)}\u0010`],
  ];
  test.each(strange)("is asked again: the record of a question is %s", async (_, record) => {
    const { cache } = await booted(await withBlock(...entry(keyOf("b"), record)));
    expect([use(cache, "b"), cache.entries()]).toEqual([undefined, [shown(right("a"))]]);
    expect(cache.peek(keyOf("b"), generation)).toBeUndefined();
  });

  const keys: readonly [string, string][] = [
    ["something else", "x"],
    ["a fourth kind of question", keyOf("b").replace("f", "g")],
    ["a question about somebody with a resource", questionKey({ kind: "friend", jid: "b@example.org/x" as BareJid })],
    ["a question with something behind it", `${keyOf("b")}x`],
    ["a readout without an end", keyOf("b").replace("f", "r")],
  ];
  test.each(keys)("is no answer to anything: its key is %s", async (_, key) => {
    const { cache, faults } = await booted(await withBlock(...entry(key, recordFor())));
    expect([cache.entries(), faults]).toEqual([[shown(right("a"))], []]);
    await cache.forget(bareJid("b@example.org"));
    await cache.clear();
    expect(cache.count).toBe(0);
  });
});

describe("the file of rights", () => {
  test("does not grow without bounds: it is written anew when it holds far more than what lives", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage, { maxEntries: 20 });
    const size = async (): Promise<number> => (await storage.read("rights"))?.length ?? 0;
    const one = await (async () => {
      await kept(cache, right("name-0"));
      return size();
    })();
    let largest = 0;
    for (let i = 1; i <= 1_000; i++) {
      await kept(cache, right(`name-${i}`));
      largest = Math.max(largest, await size());
    }
    expect(largest).toBeLessThan(16_384 + 2 * one);
    const rewritten = storage.done.filter((done) => done === "replace rights").length - 1;
    expect(rewritten).toBeGreaterThan(3);
    expect(rewritten).toBeLessThan(30);
    expect(names((await booted(storage, { maxEntries: 20 })).cache)).toEqual(names(cache));
  });

  test("P-5.2-2: is brought into the order of use at a clean end, and only if that has changed", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    for (const name of ["a", "b", "c"]) await kept(cache, right(name));
    use(cache, "c"); // is the newest anyway
    use(cache, "nobody");
    storage.done.length = 0;
    await cache.flush();
    expect(storage.done).toEqual([]);
    use(cache, "a");
    await cache.flush();
    await cache.flush();
    expect(storage.done).toEqual(["append rights"]);
    expect(names((await booted(storage)).cache)).toEqual(["a", "c", "b"]);
  });

  test("that cannot be brought into order is a fault, no more", async () => {
    const storage = await failingStorage();
    const { cache, faults } = await booted(storage);
    for (const name of ["a", "b"]) await kept(cache, right(name));
    use(cache, "a");
    storage.failing.add("append");
    await cache.flush();
    expect(faults).toEqual(["rights-not-saved: the disk is full"]);
    expect(names((await booted(storage)).cache)).toEqual(["b", "a"]);
  });

  test("P-5.2-2: when written anew keeps the order of use", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    for (const name of ["a", "b", "c"]) await kept(cache, right(name));
    use(cache, "a");
    await cache.forget(bareJid("c@example.org"));
    expect(names((await booted(storage)).cache)).toEqual(["a", "b"]);
  });

  test("P-5.2-2: gets the order of use with the next answer that is written, and nothing before that", async () => {
    const storage = await failingStorage();
    const { cache, clock } = await booted(storage);
    for (const name of ["a", "b", "c", "d", "e"]) await kept(cache, right(name));
    storage.done.length = 0;
    for (const name of ["c", "a", "c"]) use(cache, name);
    await clock.advance(3_600_000);
    expect(storage.done).toEqual([]);
    put(cache, right("f"));
    await clock.advance(30_000);
    expect(storage.done).toEqual(["append rights"]);
    expect(names((await booted(storage)).cache)).toEqual(["f", "c", "a", "e", "d", "b"]);
  });

  test("P-5.2-2: has at the next start what was remembered, and nothing in its place that had given way", async () => {
    const storage = await opened();
    const { cache } = await booted(storage, { maxEntries: 2 });
    await kept(cache, right("ann"));
    await kept(cache, right("bob"));
    use(cache, "ann");
    put(cache, right("cecil")); // bob gives way
    await cache.gathered();
    await cache.stop();
    expect(names(cache)).toEqual(["cecil", "ann"]);
    expect(names((await booted(storage, { maxEntries: 2 })).cache)).toEqual(["cecil", "ann"]);
  });

  test("P-5.2-2: holds the answers in the order of use, whatever was put, used and written when", async () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constantFrom("put" as const, "use" as const),
        name: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"),
      }),
      fc.record({ do: fc.constantFrom("write" as const, "restart" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const storage = await opened();
        let { cache } = await booted(storage, { maxEntries: 6 });
        for (const one of steps) {
          if (one.do === "put") put(cache, right(one.name));
          else if (one.do === "use") use(cache, one.name);
          else await cache.flush();
          if (one.do === "write") expect(names((await booted(storage, { maxEntries: 6 })).cache)).toEqual(names(cache));
          if (one.do === "restart") ({ cache } = await booted(storage, { maxEntries: 6 }));
        }
      }),
    );
  });
});

describe("an SD card", () => {
  test("is not written to for what is only used, ever", async () => {
    const storage = await failingStorage();
    const { cache, clock } = await booted(storage);
    for (const name of ["a", "b", "c"]) await kept(cache, right(name));
    storage.done.length = 0;
    for (let n = 0; n < 1_000; n++) {
      use(cache, ["a", "b", "c", "nobody"][n % 4] ?? "");
      put(cache, right("a")); // asked again, the same answer
      await clock.advance(60_000);
    }
    expect(storage.done).toEqual([]);
    expect(cache.counters).toMatchObject({ hits: 750, misses: 250 });
  });

  test("gets new grants together, 30 s after the first of them", async () => {
    const storage = await failingStorage();
    const { cache, clock } = await booted(storage);
    await kept(cache, right("a"));
    storage.done.length = 0;
    put(cache, right("b"));
    await clock.advance(20_000);
    put(cache, right("c"));
    await clock.advance(9_999);
    expect([storage.done, names((await booted(storage)).cache)]).toEqual([[], ["a"]]);
    await clock.advance(1);
    expect(storage.done).toEqual(["append rights"]);
    expect(names((await booted(storage)).cache)).toEqual(["c", "b", "a"]);
    expect(clock.pending).toBe(0);
  });

  test("gets them after the time that the option says, and at a clean end", async () => {
    const storage = await failingStorage();
    const { cache, clock } = await booted(storage, { gather: 5_000 });
    put(cache, right("a"));
    await clock.advance(5_000);
    expect(storage.done).toHaveLength(1);
    put(cache, right("b"));
    await cache.flush();
    expect([storage.done.length, clock.pending]).toEqual([2, 0]);
  });

  test("takes at most 2 bytes for each byte of answer, over 10,000 grants, one a gather, of which 1,000 are kept", async () => {
    const storage = await opened();
    let written = 0;
    const count = (content: Uint8Array): number => (written += content.length);
    const watched: Storage = {
      open: () => storage.open(),
      close: () => storage.close(),
      read: (name) => storage.read(name),
      delete: (name) => storage.delete(name),
      append: (name, content) => (count(content), storage.append(name, content)),
      replace: (name, content) => (count(content), storage.replace(name, content)),
    };
    const { cache } = await booted(watched, { maxEntries: 1_000 });
    let bytes = 0;
    for (let n = 0; n < 10_000; n++) {
      const { question, grants } = reading(`reader${n}`, "Temperature", "Humidity");
      bytes += Buffer.byteLength(questionKey(question)) + Buffer.byteLength(recordFor({ grants }));
      put(cache, { question, grants });
      // Two are used in between, and their use is written beside the new one.
      if (n > 500) for (const other of [n - 100, n - 300]) use(cache, `reader${other}`);
      await cache.gathered();
    }
    expect(cache.count).toBe(1_000);
    expect(written / bytes).toBeLessThan(2);
    expect(cache.counters.bytesWritten).toBeLessThanOrEqual(written);
  }, 120_000);

  test("is synced a bounded number of times an hour, whatever strangers, hostile readers and servers do", async () => {
    const storage = await failingStorage();
    const { cache, clock } = await booted(storage, { maxEntries: 200, maxBytes: 65_536 });
    storage.done.length = 0;
    for (let second = 0; second < 3_600; second++) {
      for (let n = 0; n < 5; n++) put(cache, reading("hostile", `field ${second} ${n} ${"x".repeat(200)}`));
      put(cache, right(`stranger${second}`, { grants: [] }));
      if (second % 10 === 0) await cache.clear();
      await clock.advance(1_000);
    }
    // A gather is one addition, and a clear after it one replacement; or one replacement in the place of both.
    const done = (what: string): number => storage.done.filter((one) => one === `${what} rights`).length;
    expect(done("replace")).toBeLessThanOrEqual(2 * 120);
    expect(done("append")).toBeLessThanOrEqual(120);
    expect(cache.counters.replacements).toBe(done("replace"));
  });
});

describe("a server that says now this and now that", () => {
  test("causes no more writes than grants do: one for each gather", async () => {
    const storage = await failingStorage();
    const { cache, clock } = await booted(storage, { maxEntries: 4 });
    await kept(cache, right("ann"));
    storage.done.length = 0;
    for (let second = 0; second < 900; second++) {
      // What stands on disk gives way in memory, is asked again, and answered otherwise each time.
      put(cache, right("ann", second % 2 === 0 ? { grants: [] } : {}));
      await settled();
      for (let n = 0; n < 4; n++) put(cache, right(`friend${second}${n}`));
      await clock.advance(1_000);
    }
    expect(storage.done.length).toBeGreaterThan(15);
    expect(storage.done.length).toBeLessThanOrEqual(31);
  });

  test("does not have a full disk written to at each answer either", async () => {
    const storage = await failingStorage();
    const { cache, clock, faults } = await booted(storage);
    let tries = 0;
    storage.before = () => {
      tries++;
    };
    storage.failing.add("append").add("replace");
    put(cache, right("ann"));
    for (let second = 0; second < 300; second++) {
      await clock.advance(1_000);
      put(cache, right(`stranger${second}`, { grants: [] }));
    }
    expect([tries, faults.length]).toEqual([10, 1]);
  });

  test("has its last word on disk after a gather", async () => {
    const storage = await failingStorage();
    const { cache, clock } = await booted(storage, { maxEntries: 8 });
    await kept(cache, right("ann"));
    put(cache, right("ann", { grants: [] }));
    await settled();
    put(cache, right("ann"));
    await clock.advance(1_000);
    put(cache, right("ann", { grants: [] }));
    await clock.advance(30_000);
    expect([grantsOf((await booted(storage)).cache, "ann"), clock.pending]).toEqual([[], 0]);
  });
});

describe("what is cleared by hand", () => {
  test("after the end is an error and is not tried again: nothing keeps the process alive", async () => {
    const storage = await failingStorage();
    const { cache, clock, faults } = await booted(storage);
    put(cache, right("ann"));
    await cache.stop();
    await storage.close();
    await expect(cache.clear()).rejects.toThrow();
    put(cache, right("bob"));
    await clock.advance(60_000);
    expect([clock.pending, faults]).toEqual([0, []]);
  });

  test("before the start is one too", async () => {
    const clock = new SimulatedClock();
    const storage = memoryStorage();
    const cache = new RightsCache({ storage, logger: listeningLogger(), clock, onFault: () => undefined });
    await expect(cache.clear()).rejects.toThrow();
    expect(clock.pending).toBe(0);
  });
});

describe("an answer that nobody uses", () => {
  const hour = 3_600_000;

  test("P-5.2-3: is forgotten after the time that the option says, and asked again", async () => {
    const { cache, clock } = await booted(await opened(), { maxAge: 24 * hour });
    await kept(cache, right("a"));
    await kept(cache, right("b"));
    await clock.advance(20 * hour);
    expect(use(cache, "a")).toBeDefined();
    await clock.advance(5 * hour);
    expect([names(cache), cache.count, use(cache, "b")]).toEqual([["a"], 1, undefined]);
    expect(cache.counters.expired).toBe(1);
    await clock.advance(25 * hour);
    expect(use(cache, "a")).toBeUndefined();
  });

  test("is forgotten also when the Thing was off for a part of that time, or started again and again", async () => {
    const storage = await opened();
    const clock = new SimulatedClock();
    const options = { maxAge: 24 * hour, clock };
    const { cache } = await booted(storage, options);
    await kept(cache, right("a"));
    await kept(cache, right("b"));
    await clock.advance(10 * hour);
    use(cache, "b");
    await cache.flush();
    await clock.advance(10 * hour); // off
    const again = await booted(storage, options);
    expect(names(again.cache)).toEqual(["b", "a"]);
    await kept(again.cache, right("c"));
    await clock.advance(5 * hour);
    expect(names((await booted(storage, options)).cache)).toEqual(["c", "b"]);
    expect(names(again.cache)).toEqual(["c", "b"]);
  });

  test("gets no older because the clock was set back", async () => {
    const storage = await opened();
    const clock = new SimulatedClock();
    await clock.advance(1_000 * hour);
    const { cache } = await booted(storage, { maxAge: hour, clock });
    await kept(cache, right("a"));
    expect(names((await booted(storage, { maxAge: hour })).cache)).toEqual(["a"]);
  });

  test("stays for as long as there is room, without that option", async () => {
    const { cache, clock } = await booted(await opened());
    await kept(cache, right("a"));
    await clock.advance(10_000 * hour);
    expect(use(cache, "a")).toBeDefined();
  });
});

describe("another generation of trust", () => {
  const second = bareJid("second.example.org");

  test("is not answered: neither with other servers nor with another account", async () => {
    const { cache } = await booted(await opened());
    put(cache, right("a"));
    for (const other of [trustGeneration("other@example.org", [server]), trustGeneration("thing@example.org", [])]) {
      expect([cache.get(keyOf("a"), other.id), cache.peek(keyOf("a"), other.id)]).toEqual([undefined, undefined]);
    }
    expect(cache.counters).toMatchObject({ hits: 0, misses: 2 });
    expect(use(cache, "a")).toBeDefined();
  });

  test("is the same one for the same servers, in whatever order they are", () => {
    const id = (...servers: BareJid[]): string => trustGeneration("thing@example.org", servers).id;
    expect(id(second, server, second)).toBe(id(server, second));
    expect(id(server)).not.toBe(id(second));
  });
});

describe("what is handed out", () => {
  test("is one object for all answers that are alike, which nobody can change", async () => {
    const { cache } = await booted(await opened());
    for (const name of ["a", "b"]) put(cache, right(name));
    const decision = use(cache, "a") as Extract<Decision, { outcome: "granted" }>;
    expect(use(cache, "b")).toBe(decision);
    expect(() => (decision.grants as Grant[]).push(wholeGrant(server))).toThrow(TypeError);
    expect(() => (decision.grants[0]?.fields as string[]).push("x")).toThrow(TypeError);
  });

  test("is right also when there are more kinds of answer than are held ready", async () => {
    const { cache } = await booted(await opened());
    const grantFor = (n: number): Grant => ({ ...wholeGrant(server), fields: [`field ${n}`] });
    for (let n = 0; n < 600; n++) put(cache, right(`reader${n}`, { grants: [grantFor(n)] }));
    for (let n = 599; n >= 0; n--) expect(use(cache, `reader${n}`)).toMatchObject({ grants: [grantFor(n)] });
  });

  test("shows no tokens", async () => {
    const { cache } = await booted(await opened());
    const one = reading("a", "Temperature");
    put(cache, { ...one, question: { ...(one.question as ReadQuestion), tokens: { userToken: "secret" } } });
    expect(JSON.stringify(cache.entries())).not.toContain("secret");
    expect(cache.entries()).toEqual([shown(one)]);
  });
});

test("what no disk can keep is not remembered: a lone surrogate would come back as another text", async () => {
  const { cache } = await booted(await opened());
  put(cache, reading("a", "\ud800 and some more"));
  expect(cache.count).toBe(0);
});

test("an answer that takes the place of another and has no room leaves nothing behind, on disk neither", async () => {
  const storage = await opened();
  const { cache } = await booted(storage);
  await kept(cache, right("a"));
  put(cache, right("a", { grants: [{ ...wholeGrant(server), fields: ["x".repeat(20_000)] }] }));
  expect(cache.count).toBe(0);
  await settled();
  expect((await booted(storage)).cache.count).toBe(0);
});
