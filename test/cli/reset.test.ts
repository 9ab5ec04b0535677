import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { encodeDocument } from "../../src/storage/document-file.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import { inspectFolder } from "../../src/thing/inspect.ts";
import { Thing } from "../../src/thing/thing.ts";
import { FakeIo } from "../support/fake-io.ts";
import { contentOf, removeState, stateOfFormat1 } from "../support/state-folder.ts";

let folder: string;
beforeEach(() => {
  folder = stateOfFormat1();
});
afterEach(() => removeState(folder));

/** Without the lock files, which every use of the folder leaves behind empty. */
const kept = (): ReadonlyMap<string, string> =>
  new Map([...contentOf(folder)].filter(([name]) => !name.startsWith(".lock-")));

async function reset(io: FakeIo, ...args: string[]): Promise<number> {
  const code = await main(["reset", "--state", folder, ...args], io);
  expect(io.text + io.errors.join("\n")).not.toMatch(/a-made-up-password|a-made-up-key/);
  return code;
}

describe("xmpp-thing reset", () => {
  it("forgets the Thing, and says what remains on the server", async () => {
    const io = new FakeIo();
    expect(await reset(io, "--yes")).toBe(0);
    expect(kept()).toEqual(new Map());
    expect(io.errors).toEqual([]);
    expect(io.lines).toEqual([
      `Reset: the next start on "${folder}" makes a new Thing.`,
      "On the server the account thing-made-up@example.org remains. If another device uses it, as the original of a copied card does, leave it.",
      "Otherwise have it removed: prosodyctl deluser thing-made-up@example.org, or ejabberdctl unregister thing-made-up example.org.",
      "The Registry discovery.example.org still knows it under that address, until its owner or operator removes it there.",
    ]);
    expect(await reset(new FakeIo(), "--yes")).toBe(5);
  });

  it("mends a copied card: the copy gets another account, KEY and no owner, the original stays online", async () => {
    await using sandbox = await startSandbox();
    const { service, domain, ca } = sandbox;
    const make = (path: string): Thing =>
      new Thing({
        storage: fileStorage(path),
        server: { service, domain },
        tls: { ca },
        tags: { SN: "1", MAN: "example.org" },
      });
    const copy = join(folder, "copy");
    const original = join(folder, "original");
    const thing = make(original);
    await thing.start();
    await thing.waitFor("registered", { timeout: 10_000 });
    await thing.stop();
    await mkdir(copy, { mode: 0o700 });
    for (const [name, content] of contentOf(original)) await writeFile(join(copy, name), content, "latin1");

    expect(await main(["reset", "--state", copy, "--yes"], new FakeIo())).toBe(0);
    const [first, second] = [make(original), make(copy)];
    const faults: string[] = [];
    for (const one of [first, second]) one.on("fault", ({ code }) => faults.push(code));
    try {
      for (const one of [first, second]) await one.start();
      for (const one of [first, second]) await one.waitFor("registered", { timeout: 10_000 });
      await first.waitFor("online", { timeout: 10_000 });
      await second.waitFor("online", { timeout: 10_000 });
      expect(first.jid.split("@")[0]).not.toBe(second.jid.split("@")[0]);
      expect(first.claimText).not.toBe(second.claimText);
      expect(faults).toEqual([]);
      expect(sandbox.registry.things).toHaveLength(2);
    } finally {
      await Promise.all([first.stop(), second.stop()]);
    }
  });

  it("touches nothing that is not its own", async () => {
    await writeFile(join(folder, "notes.txt"), "mine");
    await mkdir(join(folder, "thing.d"));
    await rm(join(folder, "thing.previous"));
    expect(await reset(new FakeIo(), "--yes")).toBe(0);
    expect((await readdir(folder)).filter((name) => !name.startsWith(".lock-")).sort()).toEqual([
      "notes.txt",
      "thing.d",
    ]);
  });

  it("asks a person, who is told what is lost, and does nothing without a yes", async () => {
    const before = kept();
    const io = new FakeIo();
    io.terminal = true;
    io.answer = "y";
    expect(await reset(io)).toBe(1);
    expect(io.lines).toEqual([
      "This Thing is thing-made-up@example.org.",
      "It belongs to owner@example.org, who loses it and has to claim it again, under a new address.",
      "Its account, KEY, owner, trust, rights, tokens and own certificate are forgotten. This cannot be undone.",
    ]);
    expect(io.errors).toEqual([
      "Type yes to go on: ",
      "Nothing was changed. Only the whole word counts, in small letters: yes",
    ]);
    expect(kept()).toEqual(before);
    expect((await inspectFolder(folder)).holder).toBeUndefined();
    io.answer = "no";
    expect(await reset(io)).toBe(1);
    expect(io.errors.at(-1)).toBe("Nothing was changed.");
    expect(kept()).toEqual(before);
    io.answer = " yes ";
    expect(await reset(io)).toBe(0);
    expect(kept()).toEqual(new Map());
  });

  it("without a terminal and --yes, or without a folder, is called wrongly: 2", async () => {
    const before = contentOf(folder);
    const io = new FakeIo();
    io.env = { THING_STATE: folder };
    expect(await reset(io)).toBe(2);
    expect(await main(["reset", "--yes"], io)).toBe(2);
    expect(io.errors.join("\n")).toMatch(/give --yes: there is no terminal to ask[^]*give --state DIR/);
    expect(contentOf(folder)).toEqual(before);
  });

  it("refuses while a Thing runs on the folder, which stays as it is", async () => {
    const thing = new Thing({
      storage: fileStorage(folder),
      server: { service: "xmpp://127.0.0.1:1", domain: "example.org" },
    });
    await thing.start();
    try {
      const before = contentOf(folder);
      const io = new FakeIo();
      expect(await reset(io, "--yes")).toBe(1);
      expect(io.errors.join("\n")).toContain(`is in use by this process (pid ${process.pid})`);
      expect(contentOf(folder)).toEqual(before);
    } finally {
      await thing.stop();
    }
  });

  it.each([
    ["that is not there", async () => rm(folder, { recursive: true }), "There is no folder"],
    [
      "that is empty",
      async () => (await rm(folder, { recursive: true }), mkdir(folder)),
      "is empty: no Thing was started on it yet",
    ],
    [
      "of something else",
      async () => (await rm(folder, { recursive: true }), await mkdir(folder), writeFile(join(folder, ".x.tmp"), "x")),
      "holds other things",
    ],
  ])("of a folder %s ends with 5, and leaves nothing there", async (_, prepare, sentence) => {
    await prepare();
    const before = await readdir(folder).catch(() => "none");
    const io = new FakeIo();
    expect(await reset(io, "--yes")).toBe(5);
    expect(io.errors.join("\n")).toContain(sentence);
    expect(await reset(io)).toBe(5); // nobody need say yes to nothing
    expect(await readdir(folder).catch(() => "none")).toEqual(before);
  });

  it("clears away what is damaged: who it was cannot be told", async () => {
    for (const name of ["thing", "thing.previous", "rights"]) await writeFile(join(folder, name), "torn");
    const io = new FakeIo();
    io.terminal = true;
    io.answer = "yes";
    expect(await reset(io)).toBe(0);
    expect(io.lines[0]).toBe("Who this Thing is cannot be read. All that is left of it is removed.");
    expect(io.lines).toHaveLength(2);
    expect(kept()).toEqual(new Map());
  });

  it("of a Thing without owner and account says less", async () => {
    await rm(folder, { recursive: true });
    const thing = new Thing({
      storage: fileStorage(folder),
      server: { service: "xmpp://127.0.0.1:1", domain: "example.org" },
    });
    await thing.start();
    await thing.stop();
    const io = new FakeIo();
    io.terminal = true;
    io.answer = "yes";
    expect(await reset(io)).toBe(0);
    expect(io.lines[1]).toBe("It has no owner.");
    expect(io.lines.at(-1)).toContain("makes a new Thing");
  });

  it("refuses what a newer version has kept, and touches nothing", async () => {
    await writeFile(join(folder, "thing"), encodeDocument("thing", 99, {}));
    const before = kept();
    const io = new FakeIo();
    expect(await reset(io, "--yes")).toBe(1);
    expect(io.errors.join("\n")).toContain('"thing" is in format 99');
    expect(kept()).toEqual(before);
  });
});
