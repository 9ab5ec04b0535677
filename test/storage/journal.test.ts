import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { StorageError } from "../../src/core/errors.ts";
import { Journal, type JournalOptions } from "../../src/storage/journal.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";

let storage: Storage;

beforeEach(async () => {
  storage = memoryStorage();
  await storage.open();
});

const rights = (options: Partial<JournalOptions> = {}): Journal =>
  new Journal({ storage, name: "rights", format: 1, ...options });
const stored = async (): Promise<Uint8Array> => (await storage.read("rights"))!;
const linesOf = (bytes: Uint8Array): string[] => new TextDecoder().decode(bytes).split("\n").slice(0, -1);
const put = (lines: readonly string[]): Promise<void> =>
  storage.replace("rights", new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));

describe("Journal", () => {
  it("is empty where nothing was added", async () => {
    const journal = rights();
    expect(await journal.load()).toEqual({ records: [] });
    expect(journal.bytes).toBe(0);
    await journal.append([]);
    expect(await storage.read("rights")).toBeUndefined();
  });

  it("gives back what was added, in order, also to another instance", async () => {
    const journal = rights();
    await journal.append([1, "two"]);
    await journal.append([{ three: [3] }, null]);
    const expected = { records: [1, "two", { three: [3] }, null] };
    expect(await journal.load()).toEqual(expected);
    expect(await rights().load()).toEqual(expected);
  });

  it("keeps any JSON value exactly, whatever characters are in it", async () => {
    const unit = fc.constantFrom(
      "\n",
      "\r",
      "\0",
      "\u2028",
      "\u2029",
      "\ud800",
      "\udfff",
      "\ufeff",
      "\ufffd",
      "😀",
      '"',
      "\\",
      "a",
    );
    const record = fc.oneof(
      fc.jsonValue({ noUnicodeString: false }),
      fc.string({ unit }),
      fc.dictionary(fc.string({ unit }), fc.string({ unit })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(record)), async (batches) => {
        await storage.delete("rights");
        const journal = rights();
        for (const batch of batches) await journal.append(batch);
        const expected: unknown = JSON.parse(JSON.stringify(batches.flat()));
        expect(await rights().load()).toEqual({ records: expected });
        expect(journal.bytes).toBe((await storage.read("rights"))?.length ?? 0);
      }),
    );
  });

  it("adds with one plain write, and empties with one replacement", async () => {
    const journal = rights();
    await journal.rewrite([1]);
    const calls: string[] = [];
    const watched: Storage = {
      open: () => storage.open(),
      close: () => storage.close(),
      read: (name) => storage.read(name),
      delete: (name) => storage.delete(name),
      append: (name, content) => (calls.push("append"), storage.append(name, content)),
      replace: (name, content) => (calls.push("replace"), storage.replace(name, content)),
    };
    const other = rights({ storage: watched });
    await other.append([2, 3, 4]);
    await other.append([5]);
    await other.rewrite([]);
    expect(calls).toEqual(["append", "append", "replace"]);
  });

  it("is what it was rewritten to", async () => {
    const journal = rights();
    await journal.append([1, 2, 3]);
    const { bytes } = journal;
    await journal.rewrite([3]);
    expect(journal.bytes).toBeLessThan(bytes);
    await journal.append([4]);
    expect(await rights().load()).toEqual({ records: [3, 4] });
    await journal.rewrite([]);
    expect(await rights().load()).toEqual({ records: [] });
    expect(journal.bytes).toBe((await stored()).length);
  });

  it("can be rewritten and added to without having been loaded", async () => {
    await rights().append([1]);
    await rights().append([2]);
    expect(await rights().load()).toEqual({ records: [1, 2] });
    await rights().rewrite([3]);
    expect(await rights().load()).toEqual({ records: [3] });
  });

  it("takes records as they are at the call, and does in order what is asked at once", async () => {
    const journal = rights();
    const record = { who: "before" };
    const done = [journal.append([record]), journal.rewrite(["new"]), journal.append([record])];
    const loaded = journal.load();
    record.who = "after";
    await Promise.all(done);
    expect(await loaded).toEqual({ records: ["new", { who: "before" }] });
  });

  it("never lets an addition cross a rewriting, in whatever order they are asked for", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom("add", "rewrite"), { maxLength: 12 }), async (asked) => {
        await storage.delete("rights");
        const journal = rights();
        let expected: number[] = [];
        await Promise.all(
          asked.map((what, number) => {
            expected = what === "add" ? [...expected, number] : [number];
            return what === "add" ? journal.append([number]) : journal.rewrite([number]);
          }),
        );
        expect(await rights().load()).toEqual({ records: expected });
      }),
    );
  });

  it("cuts a torn end off, says so, and glues nothing to it", async () => {
    const journal = rights();
    await journal.append(["one", "two"]);
    const whole = await stored();
    const second = linesOf(whole)[2]!.length + 1;
    for (let lost = 1; lost < second; lost++) {
      await storage.replace("rights", whole.slice(0, whole.length - lost));
      const torn = rights();
      expect(await torn.load()).toEqual({ records: ["one"], problem: expect.stringContaining("torn") as string });
      expect(torn.bytes).toBe(whole.length - lost);
      expect(await stored()).toHaveLength(whole.length - lost); // a load writes nothing
      await torn.append(["three"]);
      await torn.append(["four"]);
      expect(torn.bytes).toBe((await stored()).length);
      expect(await rights().load()).toEqual({ records: ["one", "three", "four"] });
    }
  });

  it("notices any changed byte, drops from there on, and goes on from the last good record", async () => {
    const journal = rights();
    await journal.append(["one", "two", "three"]);
    const whole = await stored();
    const starts = linesOf(whole).map(
      (_, index, lines) => lines.slice(0, index).join("\n").length + (index === 0 ? 0 : 1),
    );
    for (let at = starts[1]!; at < whole.length; at++) {
      await storage.replace(
        "rights",
        whole.map((byte, index) => (index === at ? byte ^ 1 : byte)),
      );
      const good = ["one", "two", "three"].slice(0, starts.filter((start) => start <= at).length - 2);
      const damaged = rights();
      expect(await damaged.load()).toEqual({ records: good, problem: expect.stringMatching(/damaged|torn/) as string });
      await damaged.append(["four"]);
      expect(await rights().load()).toEqual({ records: [...good, "four"] });
    }
  });

  it("notices records that were left out, moved, doubled, or come from another generation", async () => {
    const journal = rights();
    await journal.append(["other"]);
    const foreign = linesOf(await stored())[1]!;
    await journal.rewrite(["one", "two", "three"]);
    const [head, one, two, three] = linesOf(await stored()) as [string, string, string, string];
    for (const [lines, records] of [
      [[head, two, three], []],
      [[head, one, three], ["one"]],
      [[head, two, one, three], []],
      [[head, one, one, two], ["one"]],
      [[head, foreign], []],
      [[head, one, foreign, two], ["one"]],
    ] as const) {
      await put(lines);
      expect(await rights().load()).toEqual({ records, problem: expect.stringContaining("damaged") as string });
    }
  });

  it("makes each generation unlike every other, also with equal records", async () => {
    const journal = rights();
    await journal.rewrite(["same"]);
    const [, first] = linesOf(await stored());
    await journal.rewrite(["same"]);
    expect(linesOf(await stored())[1]).not.toBe(first);
  });

  it.each(["", "\n", "garbage\n", "0000000000000000 {}\n"])(
    "is empty, with a problem, when its first line is %j",
    async (text) => {
      await storage.replace("rights", new TextEncoder().encode(text));
      const journal = rights();
      expect(await journal.load()).toEqual({ records: [], problem: expect.stringContaining("first line") as string });
      expect(journal.bytes).toBe(text.length);
      await journal.append([1]);
      await journal.append([2]);
      expect(await rights().load()).toEqual({ records: [1, 2] });
    },
  );

  it("takes a line that is no JSON for damage, though its checksum holds", async () => {
    const sum = (before: string, text: string): string =>
      createHash("sha256").update(before).update(text).digest("hex").slice(0, 16);
    await rights().append([1]);
    const lines = linesOf(await stored());
    await put([...lines, `${sum(lines[1]!.slice(0, 16), "no JSON")} no JSON`]);
    expect(await rights().load()).toEqual({ records: [1], problem: expect.stringContaining("damaged") as string });
  });

  it("does not take another journal's file for its own", async () => {
    await rights({ name: "other" }).append([1]);
    await storage.replace("rights", (await storage.read("other"))!);
    expect(await rights().load()).toEqual({ records: [], problem: expect.stringContaining("first line") as string });
  });

  it("refuses a newer format by name and touches nothing", async () => {
    await rights({ format: 9 }).append([1]);
    const before = await stored();
    const refused = {
      code: "ERR_STORAGE",
      message: expect.stringMatching(
        /^"rights" is in format 9, written by xmpp-thing \d\S*; .* up to 1: use xmpp-thing \d\S* or newer; nothing was/,
      ) as string,
    };
    const old = rights();
    await expect(old.load()).rejects.toMatchObject(refused);
    await expect(old.append([2])).rejects.toMatchObject(refused);
    await expect(old.rewrite([])).rejects.toMatchObject(refused);
    expect(await stored()).toEqual(before);
  });

  it("drops the records of an older format, and says so", async () => {
    await rights({ format: 1 }).append([1]);
    const journal = rights({ format: 2 });
    expect(await journal.load()).toEqual({ records: [], problem: expect.stringContaining("older format 1") as string });
    await journal.append([2]);
    expect(await rights({ format: 2 }).load()).toEqual({ records: [2] });
  });

  it.each([0, 1.5])("refuses %s as a format", (format) => {
    expect(() => rights({ format })).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }) as Error);
  });

  it("refuses what JSON cannot hold, and writes nothing", async () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    for (const record of [undefined, () => 1, 1n, cycle]) {
      await expect(rights().append(["good", record])).rejects.toMatchObject({ code: "ERR_CONFIG" });
      await expect(rights().rewrite([record])).rejects.toMatchObject({ code: "ERR_CONFIG" });
    }
    expect(await storage.read("rights")).toBeUndefined();
  });

  it.each([
    ["an addition that failed half-way", (journal: Journal) => journal.append([2]), [1, 3]],
    ["two of them", (journal: Journal) => Promise.all([journal.append([2]), journal.append([2])]), [1, 3]],
    ["a rewriting that failed although it stands", (journal: Journal) => journal.rewrite(["new"]), ["new", 3]],
  ])("goes on after %s", async (_, fail, records) => {
    let failing = false;
    const bad: Storage = {
      open: () => storage.open(),
      close: () => storage.close(),
      read: (name) => storage.read(name),
      delete: (name) => storage.delete(name),
      append: async (name, content) => {
        await storage.append(name, failing ? content.subarray(0, content.length - 5) : content);
        if (failing) throw new StorageError("the disk is full");
      },
      replace: async (name, content) => {
        if (failing && linesOf(content).length > 2) throw new StorageError("the disk is full");
        await storage.replace(name, content);
        if (failing) throw new StorageError("the folder could not be synced");
      },
    };
    const journal = rights({ storage: bad });
    await journal.append([1]);
    failing = true;
    await expect(fail(journal)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    await new Promise(setImmediate); // the other one fails as well
    failing = false;
    await journal.append([3]);
    expect(await rights().load()).toEqual({ records });
    expect(journal.bytes).toBe((await stored()).length);
  });
});
