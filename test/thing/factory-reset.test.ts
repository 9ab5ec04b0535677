import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../../src/core/logger.ts";
import type { BareJid } from "../../src/core/jid.ts";
import { questionKey } from "../../src/provisioning/questions.ts";
import { encodeRights } from "../../src/provisioning/rights-file.ts";
import { rightsJournal } from "../../src/provisioning/rights-journal.ts";
import { systemClock } from "../../src/core/clock.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import { resetState } from "../../src/thing/factory-reset.ts";
import { inspectStorage, refuseNewer, stateNames } from "../../src/thing/inspect.ts";
import { LastFault } from "../../src/thing/last-fault.ts";
import { savedDocument } from "../../src/thing/saved.ts";
import { recordFor } from "../support/rights.ts";
import { crashSeed, crashStates, processesOf, recordRun, RecordingFileSystem } from "../support/crash-fs.ts";

const folder = "/var/lib/thing";
const open = (fs: RecordingFileSystem, boot: string) => fileStorage(folder, { fs, processes: processesOf(boot) });

const right = {
  key: questionKey({ kind: "friend", jid: "friend@example.org" as BareJid }),
  record: recordFor(),
  unused: 0,
};

/** A disk with a claimed Thing on it, and something of somebody else's. */
async function usedDisk(): Promise<RecordingFileSystem> {
  const fs = new RecordingFileSystem();
  const storage = open(fs, "first");
  await storage.open();
  const document = savedDocument(storage);
  const account = { domain: "example.org", username: "made-up", password: "p", resource: "r", pending: false };
  const start = { accounts: [account], key: "k", trust: { is: "none" } as const, examining: [], parting: [] };
  const registry = "discovery.example.org" as BareJid;
  await document.save({ ...start, ownership: { is: "registered", registry } });
  const owner = "owner@example.org" as BareJid;
  const claimed = { registry, owner, public: true, listed: true, keyEmptied: true, ownerAsked: true };
  await document.save({ ...start, ownership: { is: "claimed", ...claimed } });
  await rightsJournal(storage).append(encodeRights([right], 0));
  const fault = new LastFault({ storage, clock: systemClock, logger: silentLogger });
  await fault.load();
  fault.note("registry", "x");
  await fault.stop();
  await storage.replace("notes", new Uint8Array([1]));
  await storage.close();
  return fs.copy();
}

/** Overwrites a file as a bad disk would. */
async function damage(fs: RecordingFileSystem, name: string): Promise<RecordingFileSystem> {
  const file = await fs.open(`${folder}/${name}`, "w", 0o600);
  await file.write(new Uint8Array([1, 2, 3]));
  await file.close();
  return fs.copy();
}

const reset = async (fs: RecordingFileSystem): Promise<void> => {
  const storage = open(fs, "second");
  await storage.open();
  await resetState(storage);
  fs.mark("done");
  await storage.close();
};

describe("a factory reset", () => {
  const seed = crashSeed();
  const disks: [string, (fs: RecordingFileSystem) => Promise<RecordingFileSystem>, string][] = [
    ["as it should be", (fs) => Promise.resolve(fs), "claimed"],
    ["with a damaged newest generation", (fs) => damage(fs, "thing"), "registered"],
    ["with a damaged generation before", (fs) => damage(fs, "thing.previous"), "claimed"],
    ["with damaged rights", (fs) => damage(fs, "rights"), "claimed"],
  ];

  it.each(disks)(
    `of a disk %s, cut at any moment, leaves the old Thing or none, never a part of it beside a new one (seed ${seed})`,
    async (_, prepare, ownership) => {
      const recording = await recordRun(reset, await prepare(await usedDisk()));
      const seen = new Set<string>();
      for (const state of crashStates(recording, { seed })) {
        const storage = open(state.fs, "after");
        await storage.open();
        const { identity, rights, fault } = await inspectStorage(storage);
        seen.add(identity.is);
        if (identity.is === "read") {
          expect(identity.value.ownership.is, state.description).toBe(ownership);
          expect(state.marks, state.description).toEqual([]); // what was acknowledged does not come back
        } else {
          expect([identity, rights, fault], state.description).toEqual([
            { is: "none" },
            { is: "read", value: 0 },
            { is: "none" },
          ]);
        }
        expect(await storage.read("notes"), state.description).toEqual(new Uint8Array([1]));
        await storage.close();
      }
      expect(seen).toEqual(new Set(["read", "none"]));
    },
  );

  it("knows every name under which a Thing keeps something", async () => {
    const asked = new Set<string>();
    const storage = {
      ...open(await usedDisk(), "third"),
      read: (name: string) => (asked.add(name.replace(".previous", "")), Promise.resolve(undefined)),
    };
    await refuseNewer(storage);
    expect([...asked].sort()).toEqual([...stateNames].sort());
    const root = new URL("../../src/", import.meta.url);
    const made = readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .flatMap((path) => readFileSync(new URL(path, root), "utf8").split("\n"))
      .filter((line) => !line.startsWith(" *"))
      .flatMap((line) => /new (?:Document|Journal)(?:<\w+>)?\(\{.*\bname: "(\w+)"/.exec(line)?.[1] ?? []);
    expect(made.sort()).toEqual([...stateNames].sort());
  });
});
