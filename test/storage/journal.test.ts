import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { StorageError } from "../../src/core/errors.ts";
import { Journal, type JournalOptions, type LoadedJournal } from "../../src/storage/journal.ts";
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
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (block: Uint8Array): string => new TextDecoder().decode(block);
/** What was found, blocks as texts. */
const told = ({ blocks, ...rest }: LoadedJournal): object => ({ blocks: blocks.map(textOf), ...rest });
const add = async (journal: Journal, ...texts: readonly string[]): Promise<void> => {
  for (const text of texts) await journal.append(bytes(text));
};

/** A file in its parts: the first line, then each block with what stands in front of it. */
function partsOf(file: Uint8Array): Uint8Array[] {
  let at = file.indexOf(10) + 1;
  const parts = [file.slice(0, at)];
  while (at < file.length) {
    const end = at + 12 + new DataView(file.buffer, file.byteOffset).getUint32(at + 8);
    parts.push(file.slice(at, end));
    at = end;
  }
  return parts;
}
const put = (parts: readonly Uint8Array[]): Promise<void> =>
  storage.replace("rights", new Uint8Array(Buffer.concat(parts)));

describe("Journal", () => {
  it("is empty where nothing was added", async () => {
    const journal = rights();
    expect(told(await journal.load())).toEqual({ blocks: [] });
    expect(journal.bytes).toBe(0);
    await journal.append(new Uint8Array(0));
    expect(await storage.read("rights")).toBeUndefined();
  });

  it("gives back what was added, in order, also to another instance", async () => {
    const journal = rights();
    await add(journal, "one", "two");
    await add(journal, "three");
    const expected = { blocks: ["one", "two", "three"] };
    expect(told(await journal.load())).toEqual(expected);
    expect(told(await rights().load())).toEqual(expected);
  });

  it("keeps any bytes exactly", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 2_000 })), async (blocks) => {
        await storage.delete("rights");
        const journal = rights();
        for (const block of blocks) await journal.append(block);
        expect(await rights().load()).toEqual({ blocks });
        expect(journal.bytes).toBe((await storage.read("rights"))?.length ?? 0);
      }),
    );
  });

  it("is written as docs/rights-file.md says: a line, and behind it blocks of checksum, length and content", async () => {
    const journal = rights({ random: { bytes: (count) => new Uint8Array(count).fill(0xab) } });
    await add(journal, "content");
    const file = await stored();
    const line = textOf(file.slice(0, file.indexOf(10) + 1));
    expect(line).toMatch(/^[0-9a-f]{16} \{"journal":"rights","format":1,"by":"\d\S*","generation":"(ab){8}"\}\n$/);
    const [, block] = partsOf(file);
    expect(block?.slice(8)).toEqual(Uint8Array.of(0, 0, 0, 7, ...bytes("content")));
    const sum = createHash("sha256").update(line.slice(0, 16)).update(block!.slice(8)).digest();
    expect(block?.slice(0, 8)).toEqual(new Uint8Array(sum.subarray(0, 8)));
  });

  it("adds with one plain write, and empties with one replacement", async () => {
    const journal = rights();
    await journal.rewrite(bytes("one"));
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
    await add(other, "two", "three");
    await other.rewrite();
    expect(calls).toEqual(["append", "append", "replace"]);
  });

  it("is what it was rewritten to", async () => {
    const journal = rights();
    await add(journal, "one", "two", "three");
    const before = journal.bytes;
    await journal.rewrite(bytes("three"));
    expect(journal.bytes).toBeLessThan(before);
    await add(journal, "four");
    expect(told(await rights().load())).toEqual({ blocks: ["three", "four"] });
    await journal.rewrite();
    expect(told(await rights().load())).toEqual({ blocks: [] });
    expect(journal.bytes).toBe((await stored()).length);
  });

  it("can be rewritten and added to without having been loaded", async () => {
    await add(rights(), "one");
    await add(rights(), "two");
    expect(told(await rights().load())).toEqual({ blocks: ["one", "two"] });
    await rights().rewrite(bytes("three"));
    expect(told(await rights().load())).toEqual({ blocks: ["three"] });
  });

  it("takes blocks as they are at the call, and does in order what is asked at once", async () => {
    const journal = rights();
    const block = bytes("before");
    const done = [journal.append(block), journal.rewrite(block), journal.append(block)];
    const loaded = journal.load();
    block.fill(0);
    await Promise.all(done);
    expect(told(await loaded)).toEqual({ blocks: ["before", "before"] });
  });

  it("never lets an addition cross a rewriting, in whatever order they are asked for", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom("add", "rewrite"), { maxLength: 12 }), async (asked) => {
        await storage.delete("rights");
        const journal = rights();
        let expected: string[] = [];
        await Promise.all(
          asked.map((what, number) => {
            const text = String(number);
            expected = what === "add" ? [...expected, text] : [text];
            return what === "add" ? journal.append(bytes(text)) : journal.rewrite(bytes(text));
          }),
        );
        expect(told(await rights().load())).toEqual({ blocks: expected });
      }),
    );
  });

  it("cuts a torn end off, says so, and glues nothing to it", async () => {
    const journal = rights();
    await add(journal, "one", "two");
    const whole = await stored();
    const second = partsOf(whole)[2]!.length;
    for (let lost = 1; lost < second; lost++) {
      await storage.replace("rights", whole.slice(0, whole.length - lost));
      const torn = rights();
      expect(told(await torn.load())).toEqual({ blocks: ["one"], problem: expect.stringContaining("torn") as string });
      expect(torn.bytes).toBe(whole.length - lost);
      expect(await stored()).toHaveLength(whole.length - lost); // a load writes nothing
      await add(torn, "three", "four");
      expect(torn.bytes).toBe((await stored()).length);
      expect(told(await rights().load())).toEqual({ blocks: ["one", "three", "four"] });
    }
  });

  it("notices any changed bit, drops from there on, and goes on from the last good block", async () => {
    const texts = ["one", "two", "three"];
    await add(rights(), ...texts);
    const whole = await stored();
    const ends = partsOf(whole).map((_, index, parts) => Buffer.concat(parts.slice(0, index + 1)).length);
    for (let at = ends[0]!; at < whole.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = whole.slice();
        changed[at] = changed[at]! ^ (1 << bit);
        await storage.replace("rights", changed);
        const good = texts.slice(0, ends.filter((end) => end <= at).length - 1);
        const damaged = rights();
        const problem = expect.stringMatching(/damaged|torn/) as string;
        expect(told(await damaged.load())).toEqual({ blocks: good, problem });
        await add(damaged, "four");
        expect(told(await rights().load())).toEqual({ blocks: [...good, "four"] });
      }
    }
  });

  it("notices blocks that were left out, moved, doubled, or come from another generation", async () => {
    const journal = rights();
    await add(journal, "other");
    const foreign = partsOf(await stored())[1]!;
    await journal.rewrite();
    await add(journal, "one", "two", "three");
    type Parts = [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const [head, one, two, three] = partsOf(await stored()) as Parts;
    for (const [parts, blocks] of [
      [[head, two, three], []],
      [[head, one, three], ["one"]],
      [[head, two, one, three], []],
      [[head, one, one, two], ["one"]],
      [[head, foreign], []],
      [[head, one, foreign, two], ["one"]],
      [[head, one, new Uint8Array(30)], ["one"]],
    ] as const) {
      await put(parts);
      expect(told(await rights().load())).toEqual({ blocks, problem: expect.stringContaining("damaged") as string });
    }
  });

  it("makes each generation unlike every other, also with equal blocks", async () => {
    const journal = rights();
    await journal.rewrite(bytes("same"));
    const [, first] = partsOf(await stored());
    await journal.rewrite(bytes("same"));
    expect(partsOf(await stored())[1]).not.toEqual(first);
  });

  it.each(["", "\n", "garbage\n", "0000000000000000 {}\n"])(
    "is empty, with a problem, when its first line is %j",
    async (text) => {
      await storage.replace("rights", bytes(text));
      const journal = rights();
      expect(told(await journal.load())).toEqual({
        blocks: [],
        problem: expect.stringContaining("first line") as string,
      });
      expect(journal.bytes).toBe(text.length);
      await add(journal, "one", "two");
      expect(told(await rights().load())).toEqual({ blocks: ["one", "two"] });
    },
  );

  it("does not take another journal's file for its own", async () => {
    await add(rights({ name: "other" }), "one");
    await storage.replace("rights", (await storage.read("other"))!);
    expect(told(await rights().load())).toEqual({
      blocks: [],
      problem: expect.stringContaining("first line") as string,
    });
  });

  it("refuses a newer format by name and touches nothing", async () => {
    await add(rights({ format: 9 }), "one");
    const before = await stored();
    const refused = {
      code: "ERR_STORAGE",
      message: expect.stringMatching(
        /^"rights" is in format 9, written by xmpp-thing \d\S*; .* up to 1: use xmpp-thing \d\S* or newer; nothing was/,
      ) as string,
    };
    const old = rights();
    await expect(old.load()).rejects.toMatchObject(refused);
    await expect(add(old, "two")).rejects.toMatchObject(refused);
    await expect(old.rewrite()).rejects.toMatchObject(refused);
    expect(await stored()).toEqual(before);
  });

  it("drops what is in an older format, and says which", async () => {
    await add(rights({ format: 1 }), "one");
    const journal = rights({ format: 2 });
    expect(told(await journal.load())).toEqual({ blocks: [], older: 1 });
    await add(journal, "two");
    expect(told(await rights({ format: 2 }).load())).toEqual({ blocks: ["two"] });
  });

  it.each([0, 1.5])("refuses %s as a format", (format) => {
    expect(() => rights({ format })).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }) as Error);
  });

  it.each([
    ["an addition that failed half-way", (journal: Journal) => add(journal, "two"), ["one", "three"]],
    ["two of them", (journal: Journal) => Promise.all([add(journal, "two"), add(journal, "two")]), ["one", "three"]],
    [
      "a rewriting that failed although it stands",
      (journal: Journal) => journal.rewrite(bytes("new")),
      ["new", "three"],
    ],
  ])("goes on after %s", async (_, fail, blocks) => {
    let failing = false;
    const bad: Storage = {
      open: () => storage.open(),
      close: () => storage.close(),
      read: (name) => storage.read(name),
      delete: (name) => storage.delete(name),
      append: async (name, content) => {
        await storage.append(name, failing ? content.subarray(0, content.length - 2) : content);
        if (failing) throw new StorageError("the disk is full");
      },
      replace: async (name, content) => {
        if (failing && partsOf(content).length > 2) throw new StorageError("the disk is full");
        await storage.replace(name, content);
        if (failing) throw new StorageError("the folder could not be synced");
      },
    };
    const journal = rights({ storage: bad });
    await add(journal, "one");
    failing = true;
    await expect(fail(journal)).rejects.toMatchObject({ code: "ERR_STORAGE" });
    await new Promise(setImmediate); // the other one fails as well
    failing = false;
    await add(journal, "three");
    expect(told(await rights().load())).toEqual({ blocks });
    expect(journal.bytes).toBe((await stored()).length);
  });
});
