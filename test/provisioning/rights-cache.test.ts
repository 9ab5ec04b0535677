import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StateError, isSdkError } from "../../src/core/errors.ts";
import { bareJid } from "../../src/core/jid.ts";
import type { FieldType } from "../../src/codec/field-types.ts";
import { questionKey } from "../../src/provisioning/questions.ts";
import type { Right } from "../../src/provisioning/right.ts";
import { RightsCache, type RightsCacheOptions } from "../../src/provisioning/rights-cache.ts";
import { wholeGrant } from "../../src/provisioning/grants.ts";
import { Journal } from "../../src/storage/journal.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { FailingStorage, failingStorage } from "../support/failing-storage.ts";
import { listeningLogger } from "../support/scripted-wire.ts";

const server = bareJid("provisioning.example.org");

function right(name: string, parts: Partial<Right> = {}): Right {
  const jid = bareJid(`${name}@example.org`);
  return { key: questionKey({ kind: "friend", jid }), kind: "friend", jid, grants: [wholeGrant(server)], ...parts };
}
const keyOf = (name: string): string => right(name).key;

/** A cache on a storage, as at a start of the Thing. */
async function booted(
  storage: Storage,
  options: Partial<RightsCacheOptions> = {},
): Promise<{ cache: RightsCache; faults: string[]; lines: string[] }> {
  const faults: string[] = [];
  const logger = listeningLogger();
  const cache = new RightsCache({
    storage,
    logger,
    onFault: (code, message) => void faults.push(`${code}: ${message}`),
    ...options,
  });
  await cache.load();
  return { cache, faults, lines: logger.lines };
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
    expect(cache.get(keyOf("ann"))).toBeUndefined();
    await cache.put(right("ann"), cache.epoch);
    expect(cache.get(keyOf("ann"))).toEqual(right("ann"));
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
    const read: Right = {
      key: questionKey(asked),
      kind: "read",
      jid: bob,
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
    const control: Right = {
      key: questionKey(wanted),
      kind: "control",
      jid: bob,
      grants: [{ ...wholeGrant(server), parameters: ["LED"] }],
    };
    await cache.put(right("ann", { grants: [] }), cache.epoch);
    await cache.put(read, cache.epoch);
    await cache.put(control, cache.epoch);
    const again = await booted(storage);
    expect(again.cache.entries()).toEqual([control, read, right("ann", { grants: [] })]);
    expect(again.faults).toEqual([]);
  });

  test("P-5.2-2: give way when there are too many, the one longest unused first", async () => {
    const { cache } = await booted(await opened(), { maxEntries: 3 });
    for (const name of ["a", "b", "c"]) await cache.put(right(name), cache.epoch);
    cache.get(keyOf("a"));
    await cache.put(right("d"), cache.epoch);
    expect(names(cache)).toEqual(["d", "a", "c"]);
  });

  test("P-5.2-2: keep their order over a restart", async () => {
    const storage = await opened();
    const { cache } = await booted(storage, { maxEntries: 3 });
    for (const name of ["a", "b", "c", "d"]) await cache.put(right(name), cache.epoch);
    const again = await booted(storage, { maxEntries: 3 });
    expect(names(again.cache)).toEqual(["d", "c", "b"]);
    await again.cache.put(right("e"), again.cache.epoch);
    expect(names(again.cache)).toEqual(["e", "d", "c"]);
  });

  test("P-5.2-2: are bounded in bytes, as they stand on disk", async () => {
    const size = Buffer.byteLength(JSON.stringify(right("a")));
    const { cache } = await booted(await opened(), { maxBytes: 3 * size + size / 2 });
    for (const name of ["a", "b", "c", "d"]) await cache.put(right(name), cache.epoch);
    expect(names(cache)).toEqual(["d", "c", "b"]);
  });

  test("are not kept, and not written, when one alone is larger than all may be", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage, { maxBytes: 1_000 });
    await cache.put(right("a"), cache.epoch);
    await cache.put(right("b", { grants: [{ ...wholeGrant(server), fields: ["x".repeat(1_000)] }] }), cache.epoch);
    expect(names(cache)).toEqual(["a"]);
    expect(storage.done).toEqual(["append rights"].map(() => "replace rights")); // the first record makes the file
  });

  test("are bounded also when more stand on disk than may now be remembered", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    for (const name of ["a", "b", "c", "d"]) await cache.put(right(name), cache.epoch);
    const again = await booted(storage, { maxEntries: 2 });
    expect(names(again.cache)).toEqual(["d", "c"]);
  });

  test("are the newest of those with the same key", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    await cache.put(right("a"), cache.epoch);
    await cache.put(right("a", { grants: [] }), cache.epoch);
    expect((await booted(storage)).cache.get(keyOf("a"))?.grants).toEqual([]);
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
            await cache.put(right(one.name, one.yes ? {} : { grants: [] }), cache.epoch);
            valid.set(one.name, one.yes);
          } else if (one.do === "get") cache.get(keyOf(one.name));
          else if (one.do === "forget") {
            await cache.forget(bareJid(`${one.name}@example.org`));
            valid.delete(one.name);
          } else if (one.do === "clear") {
            await cache.clear();
            valid.clear();
          } else if (one.do === "flush") await cache.flush();
          else ({ cache } = await booted(storage, { maxEntries: 3 }));
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
    await cache.put(right("ann"), cache.epoch);
    for (let n = 0; n < 200; n++) await cache.put(right("flood", { key: `f${n}` }), cache.epoch);
    expect(cache.get(keyOf("ann"))).toBeDefined();
    expect(
      cache
        .entries()
        .filter(({ jid }) => jid.startsWith("flood"))
        .map(({ key }) => key),
    ).toEqual(Array.from({ length: 16 }, (_, n) => `f${199 - n}`));
  });

  test("P-5.2-2: nor over a restart, with those of his that had given way and still stand on disk", async () => {
    const storage = await opened();
    const { cache } = await booted(storage, { maxEntries: 40 });
    for (let n = 0; n < 20; n++) await cache.put(right(`party${n}`), cache.epoch);
    for (let n = 0; n < 60; n++) {
      const jid = bareJid("flood@example.org");
      const fields = [`f${n}`];
      const question = {
        kind: "read",
        jid,
        tokens: {},
        types: new Set<FieldType>(["momentary"]),
        nodes: [],
        fields,
      } as const;
      const grants = [wholeGrant(server)];
      await cache.put({ key: questionKey(question), kind: "read", jid, grants }, cache.epoch);
    }
    const next = await booted(storage, { maxEntries: 40 });
    expect(names(next.cache)).toEqual(names(cache));
    expect(names(next.cache).filter((name) => name.startsWith("party"))).toHaveLength(20);
  });

  test("P-5.2-2: nor with a huge one, which is neither kept nor written", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    await cache.put(right("ann"), cache.epoch);
    const before = (await storage.read("rights"))?.length;
    await cache.put(right("flood", { key: "f".repeat(20_000) }), cache.epoch);
    expect(names(cache)).toEqual(["ann"]);
    expect((await storage.read("rights"))?.length).toBe(before);
  });
});

describe("strangers who are refused", () => {
  const no = (name: string): Right => right(name, { grants: [] });
  const onDisk = async (storage: Storage): Promise<string[]> => names((await booted(storage)).cache);

  test("have 32 answers written, however many they are: the others go to disk with the next grant", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    await cache.put(right("ann"), cache.epoch);
    for (let n = 0; n < 1_000; n++) await cache.put(no(`stranger${n}`), cache.epoch);
    expect((await onDisk(storage)).filter((name) => name.startsWith("stranger"))).toHaveLength(32);
    await cache.put(right("bob"), cache.epoch);
    expect((await onDisk(storage)).slice(0, 400)).toEqual(names(cache).slice(0, 400));
    expect(names(cache)).toContain("stranger999");
    await cache.put(no("late"), cache.epoch);
    expect(await onDisk(storage)).toContain("late");
  });

  test("are remembered over a clean end", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    for (let n = 0; n < 100; n++) await cache.put(no(`stranger${n}`), cache.epoch);
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
    for (const name of ["ann", "bob", "cecil"]) await cache.put(right(name), cache.epoch);
    for (let n = 0; n < 40; n++) await cache.put(no(`stranger${n}`), cache.epoch);
    await cache.put(no("ann"), cache.epoch);
    expect((await booted(storage)).cache.get(keyOf("ann"))?.grants).toEqual([]);
  });

  test("take back a grant at once also when the file could not be rewritten meanwhile", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage, { maxEntries: 2 });
    for (const name of ["ann", "bob", "cecil"]) await cache.put(right(name), cache.epoch);
    for (let n = 0; n < 40; n++) await cache.put(no(`stranger${n}`), cache.epoch);
    storage.failing.add("replace");
    await cache.flush();
    storage.failing.clear();
    await cache.put(no("ann"), cache.epoch);
    expect((await booted(storage)).cache.get(keyOf("ann"))?.grants).toEqual([]);
  });

  test.each([
    ["many", { maxEntries: 40 }, 100, 0],
    ["with large questions", { maxBytes: 65_536 }, 100, 3_000],
    ["with questions as large as all there is room for", { maxBytes: 4_096 }, 100, 3_500],
  ])("do not push out who may, %s as they are", async (_, options, count, padding) => {
    const { cache } = await booted(await opened(), options);
    await cache.put(right("ann"), cache.epoch);
    for (let n = 0; n < count; n++) {
      const { key } = no(`stranger${n}`);
      await cache.put({ ...no(`stranger${n}`), key: key + "x".repeat(padding) }, cache.epoch);
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
    for (let n = 0; n < 10; n++) await cache.put(no(`stranger${n}`), cache.epoch);
    await cache.clear();
    for (const name of ["a", "b"]) await cache.put(no(name), cache.epoch);
    expect(names(cache)).toEqual(["b", "a"]);
  });
});

describe("clearing the rights", () => {
  test("P-3.5.1-5: that the disk did not take is made good by the next write, whatever it is", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await cache.put(right("ann"), cache.epoch);
    storage.failing.add("replace");
    await expect(cache.clear()).rejects.toThrow();
    storage.failing.clear();
    await cache.put(right("bob"), cache.epoch);
    const next = await booted(storage);
    expect(names(next.cache)).toEqual(["bob"]);
  });

  test("P-3.5.1-5: forgets every one of them, at once in memory", async () => {
    const { cache } = await booted(await opened());
    for (const name of ["a", "b"]) await cache.put(right(name), cache.epoch);
    const cleared = cache.clear();
    expect(cache.count).toBe(0);
    expect(cache.get(keyOf("a"))).toBeUndefined();
    await cleared;
  });

  test("P-E21: is durable once resolved: whoever starts on the same storage then sees nothing", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    for (const name of ["a", "b"]) await cache.put(right(name), cache.epoch);
    await cache.clear();
    // The process is dead from here on: nothing of it reaches the disk any more.
    for (const operation of ["append", "replace", "delete"] as const) storage.failing.add(operation);
    const again = await booted(storage);
    expect([again.cache.count, again.faults]).toEqual([0, []]);
  });

  test("P-E21: is one replacement of the file, never an addition that a torn end would undo", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await cache.put(right("a"), cache.epoch);
    storage.done.length = 0;
    await cache.clear();
    expect(storage.done).toEqual(["replace rights"]);
  });

  test("P-E21: rejects when the disk does not take it, and forgets in memory all the same", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await cache.put(right("a"), cache.epoch);
    storage.failing.add("replace");
    await expect(cache.clear()).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(cache.get(keyOf("a"))).toBeUndefined();
    // Not acknowledged, so it comes again: by then the disk takes it.
    storage.failing.clear();
    await cache.clear();
    expect((await booted(storage)).cache.count).toBe(0);
  });

  test("P-E21: that failed leaves nothing on disk that comes back beside newer answers", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await cache.put(right("a"), cache.epoch);
    storage.failing.add("replace");
    await expect(cache.clear()).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.failing.clear();
    await cache.put(right("b"), cache.epoch);
    expect(names((await booted(storage)).cache)).toEqual(["b"]);
  });

  test("P-E21: that failed while the file was being rewritten leaves nothing either", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    for (const name of ["a", "b"]) await cache.put(right(name), cache.epoch);
    cache.get(keyOf("a"));
    let writes = 0;
    storage.before = () => {
      if (++writes === 2) storage.failing.add("replace");
    };
    const flushing = cache.flush(); // what stood there before the clear, which is written first
    const clearing = cache.clear();
    await flushing;
    await expect(clearing).rejects.toMatchObject({ code: "ERR_STORAGE" });
    storage.before = () => undefined;
    storage.failing.clear();
    await cache.put(right("c"), cache.epoch);
    expect(names((await booted(storage)).cache)).toEqual(["c"]);
  });

  test("P-E21: also clears a storage that never held any", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await cache.clear();
    expect((await booted(storage)).cache.count).toBe(0);
  });

  test("an answer to a question asked before it is not kept, in memory or on disk", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    const before = cache.epoch;
    await cache.clear();
    await cache.put(right("a"), before);
    expect(cache.count).toBe(0);
    expect((await booted(storage)).cache.count).toBe(0);
    await cache.put(right("a"), cache.epoch);
    expect((await booted(storage)).cache.count).toBe(1);
  });

  test("an answer that is being written when it comes is gone too", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await cache.put(right("a"), cache.epoch);
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    storage.before = () => held;
    const putting = cache.put(right("b"), cache.epoch);
    const clearing = cache.clear();
    const after = cache.put(right("c"), cache.epoch);
    go();
    await Promise.all([putting, clearing, after]);
    expect(names(cache)).toEqual(["c"]);
    expect(names((await booted(storage)).cache)).toEqual(["c"]);
  });
});

describe("forgetting somebody", () => {
  test("forgets all that is remembered about them and nothing else, durably", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    await cache.put(right("a"), cache.epoch);
    await cache.put(right("a", { key: `${keyOf("a")} and more` }), cache.epoch);
    await cache.put(right("b"), cache.epoch);
    await cache.forget(bareJid("a@example.org"));
    expect(names(cache)).toEqual(["b"]);
    expect(names((await booted(storage)).cache)).toEqual(["b"]);
  });

  test("keeps out an answer about them that was asked for before, also when nothing was remembered yet", async () => {
    const { cache } = await booted(await opened());
    const before = cache.epoch;
    await cache.forget(bareJid("a@example.org"));
    await cache.put(right("a"), before);
    expect(cache.count).toBe(0);
  });

  test("forgets also what has given way in memory but still stands on disk", async () => {
    const storage = await opened();
    const { cache } = await booted(storage, { maxEntries: 2 });
    await cache.put(right("a"), cache.epoch);
    await cache.put(right("b"), cache.epoch);
    cache.get(keyOf("a"));
    await cache.put(right("c"), cache.epoch);
    expect(names(cache)).toEqual(["c", "a"]);
    await cache.forget(bareJid("b@example.org"));
    expect(names((await booted(storage, { maxEntries: 3 })).cache)).toEqual(["c", "a"]);
  });

  test("rejects when the disk does not take it", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await cache.put(right("a"), cache.epoch);
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
    for (const name of ["a", "b", "c"]) await cache.put(right(name), cache.epoch);
    expect(names(cache)).toEqual(["c", "b", "a"]);
    expect(cache.get(keyOf("a"))).toEqual(right("a"));
    expect(faults).toEqual(["rights-not-saved: the disk is full"]);
  });

  test("is told of anew when it fails again after it had recovered", async () => {
    const storage = await failingStorage();
    const { cache, faults } = await booted(storage);
    storage.failing.add("append").add("replace");
    await cache.put(right("a"), cache.epoch);
    storage.failing.clear();
    await cache.put(right("b"), cache.epoch);
    expect(faults).toHaveLength(1);
    storage.failing.add("append").add("replace");
    await cache.put(right("c"), cache.epoch);
    await cache.put(right("d"), cache.epoch);
    expect(faults).toHaveLength(2);
  });

  test("is told of anew after a clear that it took", async () => {
    const storage = await failingStorage();
    const { cache, faults } = await booted(storage);
    storage.failing.add("append").add("replace");
    await cache.put(right("a"), cache.epoch);
    storage.failing.clear();
    await cache.clear();
    storage.failing.add("append");
    await cache.put(right("b"), cache.epoch);
    expect(faults).toHaveLength(2);
  });

  test("in a way that no storage should is put down in the log as well", async () => {
    const storage = await failingStorage();
    const { cache, faults, lines } = await booted(storage);
    storage.reason = () => new StateError("not open");
    storage.failing.add("append").add("replace");
    await cache.put(right("a"), cache.epoch);
    expect(faults).toEqual(["rights-not-saved: not open"]);
    expect(lines).toEqual(['error: the rights cache failed {"why":"not open"}']);
  });

  test("does not lose what it took before", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage);
    await cache.put(right("a"), cache.epoch);
    storage.failing.add("append").add("replace");
    await cache.put(right("b"), cache.epoch);
    storage.failing.clear();
    await cache.put(right("c"), cache.epoch);
    expect(names((await booted(storage)).cache)).toEqual(["c", "a"]);
  });
});

describe("a damaged file of rights", () => {
  async function withThree(): Promise<Storage> {
    const storage = await opened();
    const { cache } = await booted(storage);
    for (const name of ["a", "b", "c"]) await cache.put(right(name), cache.epoch);
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

  test("with a changed record loses that one and what follows it", async () => {
    const storage = await withThree();
    await corrupt(storage, (content) => {
      const text = new TextDecoder().decode(content);
      return new TextEncoder().encode(text.replace('"jid":"b@example.org"', '"jid":"x@example.org"'));
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
        expect(cache.entries()).toEqual([right("c"), right("b"), right("a")].slice(3 - cache.count));
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
    await new Journal({ storage, name: "rights", format: 2 }).append([right("a")]);
    const before = await storage.read("rights");
    await expect(booted(storage)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    expect(await storage.read("rights")).toEqual(before);
  });

  test("that cannot be read is an error of the storage", async () => {
    const storage = await failingStorage();
    storage.failing.add("read");
    const error = await booted(storage).catch((reason: unknown) => reason);
    expect(isSdkError(error) && error.code).toBe("ERR_STORAGE");
  });
});

describe("a record of odd shape", () => {
  const grant = wholeGrant(server, new Set(["momentary"]));
  const good = right("a", { grants: [grant] });
  const asked = { kind: "control", jid: good.jid, tokens: {}, nodes: [], parameters: ["LED"] } as const;
  const control = (parts: object): object => ({
    ...good,
    kind: "control",
    key: questionKey(asked),
    grants: [{ ...grant, types: [], ...parts }],
  });
  const odd: readonly [string, unknown][] = [
    ["nothing", null],
    ["a number", 1],
    ["a text", "yes"],
    ["a list", [good]],
    ["an empty object", {}],
    ["no key", { ...good, key: undefined }],
    ["a key that is no text", { ...good, key: 1 }],
    ["an unknown kind", { ...good, kind: "own" }],
    ["no JID", { ...good, jid: undefined }],
    ["a JID with a resource", { ...good, jid: "a@example.org/x" }],
    ["a JID that is not normal", { ...good, jid: "A@example.org" }],
    ["a JID that is none", { ...good, jid: "@" }],
    ["the key of a question of another kind", { ...good, kind: "read" }],
    ["the key of a question of a third kind", { ...good, kind: "control" }],
    ["the key of a question about somebody else", { ...good, jid: "b@example.org" }],
    ["no grants", { ...good, grants: undefined }],
    ["grants that are no list", { ...good, grants: { length: 0 } }],
    ["a grant that is none", { ...good, grants: [null] }],
    ["a grant by nobody", { ...good, grants: [{ ...grant, by: undefined }] }],
    ["a grant by somebody with a resource", { ...good, grants: [{ ...grant, by: "p.example.org/x" }] }],
    ["a grant without kinds", { ...good, grants: [{ ...grant, types: undefined }] }],
    ["a grant of an unknown kind", { ...good, grants: [{ ...grant, types: ["all"] }] }],
    ["a grant without nodes", { ...good, grants: [{ ...grant, nodes: undefined }] }],
    ["a grant of a node without id", { ...good, grants: [{ ...grant, nodes: [{ sourceId: "s" }] }] }],
    ["a grant of a node that is a text", { ...good, grants: [{ ...grant, nodes: ["1"] }] }],
    ["a grant of a source that is no text", { ...good, grants: [{ ...grant, nodes: [{ nodeId: "1", sourceId: 1 }] }] }],
    ["a grant of a cache that is none", { ...good, grants: [{ ...grant, nodes: [{ nodeId: "1", cacheType: null }] }] }],
    ["a grant without fields", { ...good, grants: [{ ...grant, fields: undefined }] }],
    ["a grant of a field that is no text", { ...good, grants: [{ ...grant, fields: [1] }] }],
    ["leave by nobody", { ...good, secondaryTrustBy: [null] }],
    ["leave that is no list", { ...good, secondaryTrustBy: true }],
    ["a grant of a parameter that is no text", { ...good, grants: [{ ...grant, parameters: [1] }] }],
    ["a grant of control that is not said of which", control({ parameters: undefined })],
    ["a good grant beside a bad one", { ...good, grants: [grant, { ...grant, fields: "Temperature" }] }],
  ];

  test.each(odd)("on disk, %s, is dropped, with a fault, and asked again", async (_, record) => {
    const storage = await opened();
    await new Journal({ storage, name: "rights", format: 1 }).append([right("first"), record, right("last")]);
    const { cache, faults } = await booted(storage);
    expect(names(cache)).toEqual(["last", "first"]);
    expect(faults).toEqual(["rights-damaged: 1 of 3 records could not be read"]);
    expect((await booted(storage)).faults).toEqual([]);
  });

  test("is not one of a time before there was control: it restricts no parameters", async () => {
    const storage = await opened();
    const { parameters, ...before } = grant;
    const old = { ...good, grants: [before] };
    await new Journal({ storage, name: "rights", format: 1 }).append([old, control({ parameters: ["LED"] })]);
    const { cache, faults } = await booted(storage);
    expect([cache.get(good.key)?.grants, parameters, faults]).toEqual([[grant], [], []]);
    expect(cache.get(questionKey(asked))?.grants[0]?.parameters).toEqual(["LED"]);
  });

  test("is not what a good one is", async () => {
    const storage = await opened();
    await new Journal({ storage, name: "rights", format: 1 }).append([good]);
    const { cache, faults } = await booted(storage);
    expect([cache.entries(), faults]).toEqual([[good], []]);
  });
});

describe("the file of rights", () => {
  test("does not grow without bounds: it is written anew when it holds far more than what lives", async () => {
    const storage = await failingStorage();
    const { cache } = await booted(storage, { maxEntries: 20 });
    const size = async (): Promise<number> => (await storage.read("rights"))?.length ?? 0;
    const one = await (async () => {
      await cache.put(right("name-0"), cache.epoch);
      return size();
    })();
    let largest = 0;
    for (let i = 1; i <= 1_000; i++) {
      await cache.put(right(`name-${i}`), cache.epoch);
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
    for (const name of ["a", "b", "c"]) await cache.put(right(name), cache.epoch);
    cache.get(keyOf("c")); // is the newest anyway
    cache.get(keyOf("nobody"));
    storage.done.length = 0;
    await cache.flush();
    expect(storage.done).toEqual([]);
    cache.get(keyOf("a"));
    await cache.flush();
    await cache.flush();
    expect(storage.done).toEqual(["replace rights"]);
    expect(names((await booted(storage)).cache)).toEqual(["a", "c", "b"]);
  });

  test("that cannot be brought into order is a fault, no more", async () => {
    const storage = await failingStorage();
    const { cache, faults } = await booted(storage);
    for (const name of ["a", "b"]) await cache.put(right(name), cache.epoch);
    cache.get(keyOf("a"));
    storage.failing.add("replace");
    await cache.flush();
    expect(faults).toEqual(["rights-not-saved: the disk is full"]);
    expect(names((await booted(storage)).cache)).toEqual(["b", "a"]);
  });

  test("P-5.2-2: when written anew keeps the order of use", async () => {
    const storage = await opened();
    const { cache } = await booted(storage);
    for (const name of ["a", "b", "c"]) await cache.put(right(name), cache.epoch);
    cache.get(keyOf("a"));
    await cache.forget(bareJid("c@example.org"));
    expect(names((await booted(storage)).cache)).toEqual(["a", "b"]);
  });
});
