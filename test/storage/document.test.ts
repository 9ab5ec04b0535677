import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { StorageError } from "../../src/core/errors.ts";
import { Document, type DocumentOptions } from "../../src/storage/document.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";

interface Identity {
  readonly name: string;
}

function parse(value: unknown): Identity {
  if (typeof value !== "object" || value === null || !("name" in value) || typeof value.name !== "string") {
    throw new Error("no name");
  }
  return { name: value.name };
}

let storage: Storage;

beforeEach(async () => {
  storage = memoryStorage();
  await storage.open();
});

const identity = (options: Partial<DocumentOptions<Identity>> = {}): Document<Identity> =>
  new Document({ storage, name: "identity", format: 1, parse, ...options });

async function damage(name: string, change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  await storage.replace(name, change((await storage.read(name)) ?? new Uint8Array(0)));
}

const cut = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, bytes.length - 3);

/** A storage that counts and can be told to fail. */
function watched(inner: Storage): Storage & { replaced: string[]; fail: (call: string) => Error | undefined } {
  const watch = {
    replaced: [] as string[],
    fail: ((): undefined => undefined) as (call: string) => Error | undefined,
    open: () => inner.open(),
    close: () => inner.close(),
    append: (name: string, content: Uint8Array) => inner.append(name, content),
    delete: (name: string) => inner.delete(name),
    read: async (name: string) => {
      const error = watch.fail(`read ${name}`);
      if (error !== undefined) throw error;
      return inner.read(name);
    },
    replace: async (name: string, content: Uint8Array) => {
      const error = watch.fail(`replace ${name}`);
      if (error !== undefined) throw error;
      watch.replaced.push(name);
      await inner.replace(name, content);
    },
  };
  return watch;
}

describe("Document", () => {
  it("finds nothing where nothing was saved", async () => {
    expect(await identity().load()).toEqual({ value: undefined, source: "none" });
  });

  it("gives back what was saved, also to another instance", async () => {
    const document = identity();
    await document.save({ name: "a" });
    expect(await document.load()).toEqual({ value: { name: "a" }, source: "current" });
    expect(await identity().load()).toEqual({ value: { name: "a" }, source: "current" });
  });

  it("keeps any JSON value exactly", async () => {
    const anything = new Document({ storage, name: "any", format: 3, parse: (value) => value });
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ noUnicodeString: false }), async (value) => {
        const expected: unknown = JSON.parse(JSON.stringify(value));
        await anything.save(value);
        expect((await new Document({ storage, name: "any", format: 3, parse: (read) => read }).load()).value).toEqual(
          expected,
        );
      }),
    );
  });

  it("keeps the generation before", async () => {
    const document = identity();
    await document.save({ name: "a" });
    await document.save({ name: "b" });
    await document.save({ name: "c" });
    await damage("identity", cut);
    const { value, source, problem } = await document.load();
    expect({ value, source }).toEqual({ value: { name: "b" }, source: "previous" });
    expect(problem).toContain('"identity" is damaged');
  });

  it("has nothing before the first generation", async () => {
    await identity().save({ name: "a" });
    expect(await storage.read("identity.previous")).toBeUndefined();
  });

  it("writes nothing when nothing has changed, also in a new instance", async () => {
    const watch = watched(storage);
    await identity({ storage: watch }).save({ name: "a" });
    await identity({ storage: watch }).save({ name: "a" });
    expect(watch.replaced).toEqual(["identity"]);
    await identity({ storage: watch }).save({ name: "b" });
    expect(watch.replaced).toEqual(["identity", "identity.previous", "identity"]);
  });

  it("takes the value as it is at the call, and saves in the order of the calls", async () => {
    const document = identity();
    const value = { name: "a" };
    const saves = [document.save(value)];
    value.name = "b";
    saves.push(document.save(value));
    const loaded = document.load();
    value.name = "c";
    await Promise.all(saves);
    expect((await loaded).value).toEqual({ name: "b" });
    await damage("identity", cut);
    expect((await document.load()).value).toEqual({ name: "a" });
  });

  it("falls back on the generation before for every damage to any byte, and for every cut", async () => {
    const document = identity();
    await document.save({ name: "old" });
    await document.save({ name: "new" });
    const good = (await storage.read("identity"))!;
    for (let at = 0; at < good.length; at++) {
      for (const change of [
        () => good.slice(0, at),
        () => good.map((byte, index) => (index === at ? byte ^ 1 : byte)),
        () => good.map((byte, index) => (index >= at ? 0 : byte)),
      ]) {
        await storage.replace("identity", change());
        expect(await document.load()).toMatchObject({ value: { name: "old" }, source: "previous" });
      }
    }
  });

  it("falls back also when the newest is missing, and when parse refuses it", async () => {
    const document = identity();
    await document.save({ name: "old" });
    await document.save({ name: "new" });
    const picky = identity({
      parse: (value) => {
        const parsed = parse(value);
        if (parsed.name === "new") throw new Error("not this one");
        return parsed;
      },
    });
    expect(await picky.load()).toMatchObject({
      value: { name: "old" },
      problem: expect.stringContaining("not this one") as string,
    });
    await storage.delete("identity");
    const { value, problem } = await document.load();
    expect(value).toEqual({ name: "old" });
    expect(problem).toContain("is missing");
  });

  it("takes a value that is no JSON for damage, though its checksum holds", async () => {
    const body = ' {"document":"identity","format":1}\nno JSON\n';
    const sum = createHash("sha256").update(body).digest("hex").slice(0, 16);
    await storage.replace("identity", new TextEncoder().encode(sum + body));
    await expect(identity({ parse: () => ({ name: "whatever" }) }).load()).rejects.toMatchObject({
      code: "ERR_STORAGE",
    });
  });

  it("does not take another document's file for its own", async () => {
    await identity({ name: "other" }).save({ name: "x" });
    await storage.replace("identity", (await storage.read("other"))!);
    await expect(identity().load()).rejects.toMatchObject({ code: "ERR_STORAGE" });
  });

  it("rejects when no generation can be read, and does not save over it: never a silent new identity", async () => {
    const document = identity();
    await document.save({ name: "a" });
    await damage("identity", cut);
    const before = await storage.read("identity");
    const refused = {
      code: "ERR_STORAGE",
      message: expect.stringContaining('"identity.previous" is missing') as string,
    };
    await expect(document.load()).rejects.toMatchObject(refused);
    await expect(identity().save({ name: "b" })).rejects.toMatchObject(refused);
    await storage.replace("identity.previous", new Uint8Array(5));
    await expect(document.load()).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: expect.stringMatching(/"identity" is damaged .*"identity.previous" is damaged/) as string,
    });
    expect(await storage.read("identity")).toEqual(before);
  });

  it("does not let a damaged generation take the place of the good one before it", async () => {
    const document = identity();
    await document.save({ name: "a" });
    await document.save({ name: "b" });
    await damage("identity", cut);
    await document.load();
    await document.save({ name: "c" });
    expect(await document.load()).toEqual({ value: { name: "c" }, source: "current" });
    await damage("identity", cut);
    expect((await document.load()).value).toEqual({ name: "a" });
  });

  it("repairs the newest generation by a save of the value that the previous one holds", async () => {
    const document = identity();
    await document.save({ name: "a" });
    await document.save({ name: "b" });
    await damage("identity", cut);
    const { value } = await document.load();
    await document.save(value!);
    expect(await document.load()).toEqual({ value: { name: "a" }, source: "current" });
  });

  it("refuses a newer format by name and touches nothing", async () => {
    await identity({ format: 7 }).save({ name: "future" });
    const before = await storage.read("identity");
    const refused = {
      code: "ERR_STORAGE",
      message: expect.stringMatching(
        /^"identity" is in format 7, written by xmpp-thing \d\S*; .* up to 2: use xmpp-thing \d\S* or newer; nothing was/,
      ) as string,
    };
    const old = identity({ format: 2 });
    await expect(old.load()).rejects.toMatchObject(refused);
    await expect(old.save({ name: "past" })).rejects.toMatchObject(refused);
    expect(await storage.read("identity")).toEqual(before);
    expect(await storage.read("identity.previous")).toBeUndefined();
  });

  it("refuses also when only the generation before is newer", async () => {
    await identity({ format: 7 }).save({ name: "future" });
    await storage.replace("identity.previous", (await storage.read("identity"))!);
    await damage("identity", cut);
    await expect(identity().load()).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: expect.stringContaining(" 7") as string,
    });
  });

  it("tells parse in which format the value was written", async () => {
    await identity({ format: 1 }).save({ name: "a" });
    const upgraded = identity({
      format: 2,
      parse: (value, format) => ({ name: `${parse(value).name}, format ${format}` }),
    });
    expect((await upgraded.load()).value).toEqual({ name: "a, format 1" });
  });

  it("refuses to write what it could not read again", async () => {
    const document = identity();
    await expect(document.save({ name: 5 } as unknown as Identity)).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: expect.stringContaining("no name") as string,
    });
    await expect(document.save(undefined as unknown as Identity)).rejects.toMatchObject({ code: "ERR_CONFIG" });
    await expect(document.save({ name: 5n } as unknown as Identity)).rejects.toMatchObject({ code: "ERR_CONFIG" });
    expect(await storage.read("identity")).toBeUndefined();
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses %s as a format", (format) => {
    expect(() => identity({ format })).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }) as Error);
  });

  it("takes an unreadable block for damage, but no other trouble with the disk", async () => {
    await identity().save({ name: "a" });
    await identity().save({ name: "b" });
    const watch = watched(storage);
    const trouble = (code: string): Error =>
      new StorageError(code, { cause: Object.assign(new Error(code), { code }) });
    watch.fail = (call) => (call === "read identity" ? trouble("EIO") : undefined);
    expect(await identity({ storage: watch }).load()).toMatchObject({ value: { name: "a" }, source: "previous" });
    watch.fail = (call) => (call === "read identity" ? trouble("EMFILE") : undefined);
    await expect(identity({ storage: watch }).load()).rejects.toMatchObject({ message: "EMFILE" });
    watch.fail = () => new Error("odd");
    await expect(identity({ storage: watch }).load()).rejects.toThrow("odd");
  });

  it.each(["replace identity", "replace identity.previous"])(
    "is whole after a save that failed at %s",
    async (failing) => {
      const watch = watched(storage);
      const document = identity({ storage: watch });
      await document.save({ name: "a" });
      await document.save({ name: "b" });
      watch.fail = (call) => (call === failing ? new StorageError("full") : undefined);
      await expect(document.save({ name: "c" })).rejects.toThrow("full");
      watch.fail = () => undefined;
      expect((await identity().load()).value).toEqual({ name: "b" });
      await document.save({ name: "c" });
      expect((await identity().load()).value).toEqual({ name: "c" });
      await damage("identity", cut);
      expect((await identity().load()).value).toEqual({ name: "b" });
    },
  );

  it("writes again after a save that failed although the new generation stands", async () => {
    let late = false;
    const document = identity({
      storage: {
        ...watched(storage),
        replace: async (name, content) => {
          await storage.replace(name, content);
          if (late && name === "identity") throw new StorageError("the folder could not be synced");
        },
      },
    });
    await document.save({ name: "a" });
    late = true;
    await expect(document.save({ name: "b" })).rejects.toMatchObject({ code: "ERR_STORAGE" });
    late = false;
    await document.save({ name: "a" });
    expect((await identity().load()).value).toEqual({ name: "a" });
  });
});
