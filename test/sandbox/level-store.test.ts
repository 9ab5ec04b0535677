import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ConfigError, StateError, StorageError } from "../../src/core/errors.ts";
import { bareJid } from "../../src/core/jid.ts";
import { LevelStore } from "../../src/sandbox/level-store.ts";
import { levelKeeper } from "../../src/sandbox/registry-level.ts";
import { recordKey, type RegistryRecord } from "../../src/sandbox/registry-records.ts";
import { checksum } from "../../src/storage/checksum.ts";

let folder = "";
const opened = new Set<{ close(): Promise<void> }>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xmpp-thing-level-"));
});

afterEach(async () => {
  for (const one of opened) await one.close();
  opened.clear();
  rmSync(folder, { recursive: true, force: true });
});

async function open(path = join(folder, "deep", "database")): Promise<LevelStore> {
  const store = await LevelStore.open(path);
  opened.add(store);
  return store;
}

async function all(store: LevelStore, section: string): Promise<Readonly<Record<string, unknown>>> {
  const found: [string, unknown][] = [];
  for await (const [key, value] of store.entries(section)) found.push([key, value]);
  return Object.fromEntries(found);
}

/** Looks into a closed store by LevelDB's own means. */
async function inside(store: LevelStore, act: (level: ClassicLevel) => Promise<void>): Promise<void> {
  await store.close();
  const level = new ClassicLevel(store.folder);
  await act(level);
  await level.close();
}

async function refusalOf(attempt: Promise<unknown>): Promise<Error> {
  return attempt.then(
    () => expect.fail("it did not reject"),
    (error: unknown) => error as Error,
  );
}

describe("a store of a sandbox", () => {
  it("gives after a restart what was written, section by section, and nothing that was forgotten", async () => {
    const store = await open();
    await Promise.all([
      store.write("things", [
        ["a", { text: "ä \u{1f600} \u2028 \n", list: [1, null] }],
        ["b", 2],
      ]),
      store.write("accounts", [["a", "another"]]),
      store.write("things/", [["a", "yet another"]]),
      store.write("things", [["b", undefined]]),
      store.write("things", [["c", 3]]),
    ]);
    await store.close();
    const again = await open();
    expect(await all(again, "things")).toEqual({ a: { text: "ä \u{1f600} \u2028 \n", list: [1, null] }, c: 3, "/a": "yet another" }); // prettier-ignore
    expect(await all(again, "accounts")).toEqual({ a: "another" });
    expect(await all(again, "nothing")).toEqual({});
    expect(await again.get("accounts", "a")).toBe("another");
    expect(await again.get("accounts", "b")).toBeUndefined();
  });

  it("what is written last counts, however many are written at once", async () => {
    const store = await open();
    const writes = Array.from({ length: 3_000 }, (_, at) => store.write("s", [[String(at % 7), at % 11 === 0 ? undefined : at]])); // prettier-ignore
    await Promise.all(writes);
    const expected = [2993, 2994, 2995, 2996, 2997, 2998, 2999].map((at) => [String(at % 7), at]);
    expect(await all(store, "s")).toEqual(Object.fromEntries(expected));
  });

  it.skipIf(process.platform === "win32")("its folder is for its user alone", async () => {
    const store = await open();
    expect(statSync(store.folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, "deep")).mode & 0o777).toBe(0o700);
  });

  it("lets no second one into its folder, and says so", async () => {
    const store = await open();
    const error = await refusalOf(LevelStore.open(store.folder));
    expect(error).toBeInstanceOf(StorageError);
    expect(error.message).toBe(`"${store.folder}" is in use by another sandbox; stop it first`);
    await store.write("s", [["a", 1]]);
    await store.close();
    expect(await all(await open(), "s")).toEqual({ a: 1 });
  });

  it("takes nothing when it is closed, and ends only with what was begun", async () => {
    const store = await open();
    const write = store.write("s", [["a", 1]]);
    await store.close();
    await write;
    expect(await refusalOf(store.write("s", [["a", 2]]))).toBeInstanceOf(StateError);
    await store.close();
    expect(await all(await open(), "s")).toEqual({ a: 1 });
  });

  it("an entry that was damaged, or put under another key, is named and not left out", async () => {
    const store = await open();
    await store.write("things", [
      ["a", { owner: "o@example.org" }],
      ["b", { owner: "p@example.org" }],
    ]);
    let line = "";
    await inside(store, async (level) => {
      line = (await level.get("things/a")) ?? "";
      await level.put("things/a", line.replace("o@", "q@"));
    });
    const damaged = await refusalOf(all(await open(), "things"));
    expect(damaged).toBeInstanceOf(StorageError);
    expect(damaged.message).toContain('the entry "things/a" cannot be read: its checksum is wrong; put a backup');
    for (const one of opened) await one.close();
    await inside(store, async (level) => {
      await level.put("things/a", line);
      await level.put("things/b", line);
    });
    const again = await open();
    expect((await refusalOf(again.get("things", "b"))).message).toContain('"things/b"');
    expect(await again.get("things", "a")).toEqual({ owner: "o@example.org" });
  });

  it("what LevelDB leaves out of a damaged journal is told at every start from then on", async () => {
    const store = await open();
    const text = "x".repeat(500);
    await Promise.all(Array.from({ length: 200 }, (_, at) => store.write("s", [[String(at), text]])));
    await store.write("s", [["last", text]]);
    await store.close();
    const journal = join(store.folder, readdirSync(store.folder).find((name) => name.endsWith(".log")) ?? "");
    const bytes = new Uint8Array(readFileSync(journal));
    bytes[40_000] = (bytes[40_000] ?? 0) ^ 1;
    writeFileSync(journal, bytes);
    for (let start = 0; start < 2; start++) {
      const error = await refusalOf(open(store.folder));
      expect(error).toBeInstanceOf(StorageError);
      expect(error.message).toMatch(/is damaged: LevelDB could not read a part of it \(dropping \d+ bytes/);
    }
  });

  it("a damaged table is told, not read around", async () => {
    const store = await open();
    const noise = (at: number): string => Buffer.from(String(at).repeat(200)).toString("base64");
    await Promise.all(Array.from({ length: 400 }, (_, at) => store.write("s", [[String(at), noise(at)]])));
    await inside(store, (level) => level.compactRange("", "~"));
    const table = join(store.folder, readdirSync(store.folder).find((name) => name.endsWith(".ldb")) ?? "");
    const bytes = new Uint8Array(readFileSync(table));
    for (let at = 1_000; at < 1_100; at++) bytes[at] = 0xff;
    writeFileSync(table, bytes);
    expect(await refusalOf(open(store.folder).then((again) => all(again, "s")))).toBeInstanceOf(StorageError);
  });

  it("a folder without its list of files is told as damaged or unusable, and left as it is", async () => {
    const store = await open();
    await store.close();
    writeFileSync(join(store.folder, "CURRENT"), "nothing\n");
    expect(await refusalOf(open(store.folder))).toBeInstanceOf(StorageError);
    expect(readFileSync(join(store.folder, "CURRENT"), "utf8")).toBe("nothing\n");
    writeFileSync(join(folder, "file"), "");
    const error = await refusalOf(open(join(folder, "file", "database")));
    expect(error).toBeInstanceOf(StorageError);
    expect(error.message).toContain("a part of the path is a file");
  });

  it("what a newer library wrote is refused by its name, the whole as a single entry", async () => {
    const store = await open();
    await store.write("things", [["a", 1]]);
    let head = "";
    await inside(store, async (level) => {
      head = (await level.get("head/head")) ?? "";
    });
    // Written as a newer library would: with the checksum that belongs to it.
    const signed = (key: string, content: string): string =>
      checksum(key, new TextEncoder().encode(` ${content}`)) + ` ${content}`;
    await inside(store, (level) => level.put("things/a", signed("things/a", "2 {}")));
    const entry = await refusalOf(all(await open(), "things"));
    expect(entry).toBeInstanceOf(StorageError);
    expect(entry.message).toContain(`things/a" is in format 2; this library`);
    for (const one of opened) await one.close();
    await inside(store, (level) => level.put("head/head", signed("head/head", '1 {"format":7,"by":"9.9.9"}')));
    const whole = await refusalOf(open());
    expect(whole.message).toContain("is in format 7, written by xmpp-thing 9.9.9");
    await inside(store, (level) => level.put("head/head", head));
    expect(await (await open()).get("head", "head")).toMatchObject({ format: 1 });
  });

  it("is a configuration error, in one line that names the package, if that is not there", async () => {
    vi.doMock("classic-level", () => {
      throw new Error("Cannot find package");
    });
    const error = await refusalOf(levelKeeper(folder));
    vi.doUnmock("classic-level");
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe('data: needs the package "classic-level" (3.0): install it by npm i classic-level');
    expect(readdirSync(folder)).toEqual([]);
    expect(await refusalOf(levelKeeper(""))).toBeInstanceOf(ConfigError);
  });
});

describe("the records of a Registry in a store", () => {
  const record = (name: string, more: Partial<RegistryRecord> = {}): RegistryRecord => ({
    ...{ jid: bareJid(`${name}@example.org`), registeredAt: 1, registered: "f", tags: [] },
    ...more,
  });
  const loaded = async (path: string): Promise<readonly RegistryRecord[]> => {
    const keeper = await levelKeeper(path);
    opened.add(keeper);
    const records: RegistryRecord[] = [];
    for await (const one of keeper.load()) records.push(one);
    return records;
  };

  it("come back as they were: tags, claim, removal, nodes", async () => {
    const keeper = await levelKeeper(folder);
    opened.add(keeper);
    const owner = bareJid("owner@example.org");
    const records = [
      record("a", { tags: [{ name: "V", type: "num", value: 1.5, text: "1.50" }, { name: "SN", type: "str", value: "ä" }] }), // prettier-ignore
      record("b", { claim: { owner, public: true, selfOwned: false, at: 2, told: false, notice: "n" } }),
      record("b", { node: { nodeId: "1", sourceId: "s" }, removed: { at: 3, notice: "m" } }),
      record("c"),
    ];
    await keeper.put(records);
    await keeper.put([]);
    await keeper.put([record("a", { registeredAt: 7 })]);
    await keeper.delete([recordKey(record("c")), "nobody"]);
    await keeper.close();
    const found = await loaded(folder);
    expect([...found].sort((x, y) => (recordKey(x) < recordKey(y) ? -1 : 1))).toEqual([
      record("a", { registeredAt: 7 }),
      records[1],
      records[2],
    ]);
  });

  it("one that stands under another Thing's key is told", async () => {
    const store = await open(folder);
    await store.write("things", [[recordKey(record("a")), record("b")]]);
    await store.close();
    const error = await refusalOf(loaded(folder));
    expect(error).toBeInstanceOf(StorageError);
    expect(error.message).toContain("it is another Thing's");
  });
});
