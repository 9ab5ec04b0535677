import { spawnSync } from "node:child_process";
import { chown, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { bareJid } from "../../src/core/jid.ts";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { certificateDocument } from "../../src/provisioning/made-certificate.ts";
import { tokensDocument } from "../../src/provisioning/token-store.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { adviceFor } from "../../src/thing/fault-advice.ts";
import { LastFault, faultDocument } from "../../src/thing/last-fault.ts";
import { savedDocument } from "../../src/thing/saved.ts";
import { Thing } from "../../src/thing/thing.ts";
import { deviceCertificate } from "../support/device-certificate.ts";
import { FakeIo } from "../support/fake-io.ts";
import { contentOf, removeState, stateOfFormat } from "../support/state-folder.ts";

let folder: string;
beforeEach(() => {
  folder = stateOfFormat(4);
});
afterEach(() => removeState(folder));

const secrets = /a-made-up-password|a-made-up-key/;

async function status(...args: string[]): Promise<FakeIo & { code: number }> {
  const io = new FakeIo();
  const code = await main(["status", "--state", folder, ...args], io);
  expect(io.text + io.errors.join("\n")).not.toMatch(secrets);
  return Object.assign(io, { code });
}
const json = async (): Promise<Record<string, unknown>> =>
  JSON.parse((await status("--json")).text) as Record<string, unknown>;

describe("xmpp-thing status", () => {
  it("tells who a Thing is that is off, whose, and what was wrong last; no secret", async () => {
    const io = await status();
    expect(io.code).toBe(0);
    expect(io.errors).toEqual([]);
    expect(io.lines).toEqual([
      `Folder      ${folder}`,
      "Runs now    no",
      "Account     thing-made-up@example.org",
      "Owner       owner@example.org (private)",
      "Registry    discovery.example.org",
      expect.stringMatching(/^Trust {7}provisioning\.example\.org.*second\.example\.org/),
      "Rights      2 remembered",
      "Last fault  registry, 2026-01-02T03:04:05.000Z",
      "            no component of example.org has urn:xmpp:iot:discovery",
      "            To do: Attach a Thing Registry to the server, or name it in `registry`. If it refuses, its log says why.",
    ]);
  });

  it("tells the same as one line of JSON", async () => {
    expect(await json()).toEqual({
      folder,
      kind: "state",
      running: null,
      jid: "thing-made-up@example.org",
      pending: false,
      elsewhere: [],
      server: null,
      ownership: expect.objectContaining({ is: "claimed", owner: "owner@example.org" }) as object,
      trust: expect.objectContaining({ is: "delegated" }) as object,
      rights: 2,
      certificate: null,
      tokens: null,
      nodes: null,
      fault: {
        code: "registry",
        message: "no component of example.org has urn:xmpp:iot:discovery",
        at: Date.UTC(2026, 0, 2, 3, 4, 5),
        times: 1,
        healed: false,
        advice: expect.stringContaining("Attach a Thing Registry") as string,
      },
      problems: [],
    });
  });

  describe("of a Thing with a certificate", () => {
    const device = deviceCertificate();
    const fingerprint = device.certificate.fingerprint256;
    const made = { certificate: Buffer.from(device.der).toString("base64"), key: device.keyPem };
    const token = { server: bareJid("provisioning.example.org"), token: "a-T0KEN-of-mine" };

    /** What it says of certificate and tokens, in both forms. */
    async function said(keep: (storage: Storage) => Promise<void>): Promise<readonly unknown[]> {
      const storage = fileStorage(folder);
      await storage.open();
      await keep(storage);
      await storage.close();
      const { text, code } = await status();
      const { certificate, tokens, problems } = await json();
      expect(text + JSON.stringify([certificate, tokens, problems])).not.toMatch(/T0KEN|PRIVATE KEY/);
      const lines = text.split("\n").filter((line) => /^(Certificate|Tokens)/.test(line));
      return [...lines.map((line) => line.slice(0, 60)), certificate, tokens, problems, code];
    }

    it("shows its fingerprint and who has given a token, and neither key nor token", async () => {
      const line = `Certificate SHA-256 ${fingerprint}`.slice(0, 60);
      expect(await said((storage) => certificateDocument(storage).save(made))).toEqual([
        ...[line, "Tokens      none", { fingerprint, made: true }, [], [], 0],
      ]);
      const tokens = { certificate: fingerprint, tokens: [token] };
      expect(await said((storage) => tokensDocument(storage).save(tokens))).toEqual([
        ...[line, "Tokens      1, of provisioning.example.org", { fingerprint, made: true }, [token.server], [], 0],
      ]);
    });

    it("says of one that was given that it was", async () => {
      const tokens = { certificate: "AB:CD", tokens: [token] };
      expect(await said((storage) => tokensDocument(storage).save(tokens))).toEqual([
        "Certificate SHA-256 AB:CD",
        "Tokens      1, of provisioning.example.org",
        ...[{ fingerprint: "AB:CD", made: false }, [token.server], [], 0],
      ]);
    });

    it("says that what is damaged cannot be read, or that the generation before is used", async () => {
      const nonsense = new TextEncoder().encode("nonsense");
      const problem = {
        part: "tokens",
        unreadable: true,
        message: expect.stringContaining('"tokens" is damaged') as string,
      };
      expect(await said((storage) => storage.replace("tokens", nonsense))).toEqual([
        ...[expect.stringContaining('Certificate "tokens" is damaged'), null, null, [problem], 1],
      ]);
      const restored = await said(async (storage) => {
        await storage.delete("tokens");
        const document = tokensDocument(storage);
        await document.save({ certificate: "AB:CD", tokens: [] });
        await document.save({ certificate: "AB:CD", tokens: [token] });
        await storage.replace("tokens", nonsense);
      });
      expect(restored).toEqual([
        ...["Certificate SHA-256 AB:CD", "Tokens      none", { fingerprint: "AB:CD", made: false }, []],
        [{ ...problem, unreadable: false }],
        0,
      ]);
      expect((await status()).text.replace(/\s+/g, " ")).toContain('"tokens" is damaged (its checksum is wrong)');
    });
  });

  it("changes nothing, not even a lock file or a time", async () => {
    const [before, { mtimeMs, ctimeMs }] = [contentOf(folder), await stat(folder)];
    await status();
    expect(contentOf(folder)).toEqual(before);
    expect(await stat(folder)).toMatchObject({ mtimeMs, ctimeMs });
  });

  it("tells of one that runs, which is not disturbed", async () => {
    const thing = new Thing({
      storage: fileStorage(folder),
      server: { service: "xmpp://127.0.0.1:1", domain: "example.org" },
    });
    await thing.start();
    try {
      const before = contentOf(folder);
      const io = await status();
      expect(io.code).toBe(0);
      expect(io.lines[1]).toMatch(new RegExp(`^Runs now {4}yes: process ${process.pid} .* on \\S+$`));
      expect(await json()).toMatchObject({ running: { pid: process.pid, host: expect.any(String) as string } });
      expect(contentOf(folder)).toEqual(before);
      await expect(fileStorage(folder).open()).rejects.toThrow(`pid ${process.pid}`); // still held
    } finally {
      await thing.stop();
    }
  });

  it("tells of a Thing that has just been made: nothing is known yet", async () => {
    removeState(folder);
    await mkdir(folder);
    const thing = new Thing({
      storage: fileStorage(folder),
      server: { service: "xmpp://127.0.0.1:1", domain: "example.org" },
    });
    await thing.start();
    await thing.stop();
    const io = await status();
    expect(io.text).toMatch(/^Account {5}thing-[0-9a-f]{16}@example\.org \(not made on the server yet\)$/m);
    expect(io.text).toMatch(
      /^Owner {7}none yet\nRegistry {4}none yet\nTrust {7}no provisioning server: nobody may read or control it$/m,
    );
    expect(io.text).toMatch(/^Rights {6}0 remembered/m);
  });

  it("tells of trust that is locked, of a reset that is not over, and of a time that is none", async () => {
    const storage = fileStorage(folder);
    await storage.open();
    const [document, faults] = [savedDocument(storage), faultDocument(storage)];
    const { value } = await document.load();
    if (value === undefined) throw new Error("nothing saved");
    const registry = bareJid("discovery.example.org");
    const server = { jid: bareJid("p.example.org"), origin: "paired" } as const;
    await document.save({
      ...value,
      ownership: { is: "unregistered", leaving: { registry, friends: true } },
      trust: { is: "delegated", servers: [server], locked: true },
    });
    await faults.save({ code: "registry", message: "x", at: 9e20, times: 3, healed: true });
    await storage.close();
    const { lines } = await status();
    expect(lines).toContain("Registry    none yet; after a reset discovery.example.org is still to forget it");
    expect(lines).toContain("Trust       p.example.org (paired), locked");
    expect(lines).toContain("Last fault  registry, at an unknown time, 3 times or more, healed since");
    expect(lines.join("\n")).not.toContain("To do");
  });

  it("tells of accounts on other servers, and of a Thing that has none yet", async () => {
    const storage = fileStorage(folder);
    await storage.open();
    const document = savedDocument(storage);
    const { value } = await document.load();
    if (value === undefined) throw new Error("nothing saved");
    const more = { username: "thing-2", password: "a-made-up-password", resource: "r" };
    const others = [
      { ...more, domain: "example.net", pending: false },
      { ...more, domain: "example.com", pending: true },
    ];
    await document.save({ ...value, accounts: [...value.accounts, ...others] });
    expect((await status()).text).toContain("thing-made-up@example.org\n            thing-2@example.net, of before\n");
    expect(await json()).toMatchObject({ jid: "thing-made-up@example.org", elsewhere: ["thing-2@example.net"] });
    await document.save({ ...value, accounts: [], ownership: { is: "unregistered" } });
    await storage.close();
    expect((await status()).lines).toContain("Account     none yet: no server was found that makes one");
    expect(await json()).toMatchObject({ jid: null, pending: true, elsewhere: [] });
  });

  it.each([
    [
      { is: "registered", registry: "discovery.example.org", disownedBy: "owner@example.org" },
      ["Owner       none any more; owner@example.org has disowned it", "Registry    discovery.example.org"],
    ],
    [
      { is: "selfOwned", registry: "discovery.example.org", listed: true },
      ["Owner       itself (self-owned)", "Registry    discovery.example.org"],
    ],
    [
      { is: "selfOwned", registry: "discovery.example.org", listed: false },
      ["Owner       itself (self-owned)", "Registry    discovery.example.org (removed there: nobody finds it)"],
    ],
    [
      { is: "registered", registry: "discovery.example.org" },
      ["Owner       none yet", "Registry    discovery.example.org"],
    ],
  ])("D-3.10-7, D-3.17-7: shows whose it is: %j", async (ownership, lines) => {
    const storage = fileStorage(folder);
    await storage.open();
    const document = savedDocument(storage);
    const { value } = await document.load();
    if (value === undefined) throw new Error("nothing saved");
    await document.save({ ...value, ownership: ownership as typeof value.ownership });
    await storage.close();
    const io = await status();
    for (const line of lines) expect(io.lines).toContain(line);
    expect(await json()).toMatchObject({ ownership });
  });

  it("tells of a folder that is held before anything is in it", async () => {
    removeState(folder);
    const storage = fileStorage(folder);
    await storage.open();
    const io = await status();
    await storage.close();
    expect(io.code).toBe(0);
    expect(io.lines).toContain("Account     none yet: the first start makes one");
    expect(io.lines).toContain("Last fault  none");
  });

  it("says what is damaged, and what it cost", async () => {
    await writeFile(join(folder, "thing"), "torn");
    await writeFile(join(folder, "rights"), "torn");
    await writeFile(join(folder, "faults"), "torn");
    const io = await status();
    expect(io.code).toBe(1); // the fault cannot be read at all
    expect(io.text).toContain('"thing" is damaged (its checksum is wrong); the previous generation is used');
    expect(io.text).toContain("Owner       none yet");
    expect(io.text).toContain("first line is damaged");
    expect(io.text).toMatch(/Last fault {2}"faults" is damaged/);
    expect(await json()).toMatchObject({
      problems: [
        { part: "identity", unreadable: false },
        { part: "rights", unreadable: false },
        { part: "fault", unreadable: true },
      ],
    });
  });

  it("says that nothing is left, and ends with 1", async () => {
    for (const name of ["thing", "thing.previous"]) await writeFile(join(folder, name), "torn");
    const io = await status();
    expect(io.code).toBe(1);
    expect(io.text).toMatch(/^Account {5}cannot be read: "thing" is damaged .*"thing\.previous" is damaged/m);
    expect(await json()).toMatchObject({ jid: null, ownership: null, rights: 2 });
  });

  it("says nothing that a terminal would obey", async () => {
    const storage = fileStorage(folder);
    await storage.open();
    const fault = new LastFault({ storage, clock: systemClock, logger: silentLogger });
    await fault.load();
    fault.note("unheard-of", "evil \u001b[2J\u202e\nname");
    fault.note("unheard-of", "evil \u001b[2J\u202e\nname");
    await fault.stop();
    await storage.close();
    const io = await status();
    expect(io.text).toContain("            evil ?[2J??name");
    expect(io.text).toContain("To do: unknown to this version of xmpp-thing");
    expect(io.text).toContain(", 2 times or more");
  });

  it.each([
    ["that is not there", async () => rm(folder, { recursive: true }), "There is no folder"],
    [
      "that is empty",
      async () => (await rm(folder, { recursive: true }), mkdir(folder)),
      "is empty: no Thing was started",
    ],
    [
      "of something else",
      async () => (
        await rm(folder, { recursive: true }),
        await mkdir(folder),
        writeFile(join(folder, "notes.txt"), "x")
      ),
      "holds other things, but no Thing",
    ],
    [
      "that was reset",
      async () => (await rm(folder, { recursive: true }), await mkdir(folder), writeFile(join(folder, ".lock-3"), "")),
      "holds no Thing: it was reset",
    ],
  ])("of a folder %s ends with 5, and makes nothing", async (_, prepare, sentence) => {
    await prepare();
    const io = await status();
    expect(io.code).toBe(5);
    expect(io.lines).toEqual([]);
    expect(io.errors.join("\n")).toContain(sentence);
    if (sentence.includes("no folder")) await expect(stat(folder)).rejects.toThrow("ENOENT");
    expect((await status("--json")).code).toBe(5);
  });

  it("of a file, not a folder, ends with 1 and says so", async () => {
    const file = join(folder, "thing");
    const io = new FakeIo();
    expect(await main(["status", "--state", file], io)).toBe(1);
    expect(io.errors.join("\n")).toContain("a part of the path is a file");
  });

  it("takes the folder from THING_STATE too, and needs one", async () => {
    const io = new FakeIo();
    expect(await main(["status"], io)).toBe(2);
    expect(io.errors.join("\n")).toContain("give --state DIR, or set THING_STATE");
    io.env = { THING_STATE: folder };
    expect(await main(["status"], io)).toBe(0);
  });

  it.skipIf(process.getuid?.() !== 0).each(["status", "reset"])(
    "%s of another user's folder ends with 1, and says whose it is",
    (command) => {
      const before = contentOf(folder);
      const program = fileURLToPath(new URL("status-as.ts", import.meta.url));
      const nobody = "65534";
      const yes = command === "reset" ? ["--yes"] : [];
      const args = ["--import", "tsx", program, nobody, command, "--state", folder, ...yes];
      const { status: code, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
      expect(stdout).toContain(
        `xmpp-thing ${command}: could not read "${folder}": "${folder}" belongs to root (uid 0), and this process runs as nobody (uid 65534); started once with sudo?`,
      );
      expect(code).toBe(1);
      expect(contentOf(folder)).toEqual(before);
    },
  );

  it.skipIf(process.getuid?.() !== 0)("root may look at any folder, and leaves it as it is", async () => {
    await chown(folder, 65_534, 65_534);
    const before = contentOf(folder);
    expect((await status()).code).toBe(0);
    expect(contentOf(folder)).toEqual(before);
    const io = new FakeIo();
    expect(await main(["reset", "--yes", "--state", folder], io)).toBe(1);
    expect(io.errors.join("\n")).toContain("run it without sudo");
    expect(contentOf(folder)).toEqual(before);
  });
});

describe("the advice about faults", () => {
  it("knows no code that only looks like one", () => {
    expect(adviceFor("toString")).toBeUndefined();
    expect(adviceFor("conflict")).toContain("npx xmpp-thing reset --state DIR");
  });
});
