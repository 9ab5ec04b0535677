// The power goes at any moment while a Thing changes hands (XEP-0347 3.9, 3.10, 3.13, 3.17): what is then found on the disk is
// one state or the next, never half of one, and nothing that was acknowledged is undone.
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { FileSystem } from "../../src/storage/file-system.ts";
import { linkSeam, type MakeLink } from "../../src/thing/link.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { tagsDocument } from "../../src/thing/own-tags.ts";
import { Thing } from "../../src/thing/thing.ts";
import { crashSeed, crashStates, processesOf, recordRun, soakFactor } from "../support/crash-fs.ts";
import type { RecordingFileSystem } from "../support/recording-fs.ts";
import { startMemorySite } from "../support/memory-site.ts";
import { thingOptions } from "../support/site.ts";

const FOLDER = "/var/lib/thing";
const TURN = { interval: 5, timeout: 20_000 };
const onDisk = (fs: FileSystem, boot: string) => fileStorage(FOLDER, { fs, processes: processesOf(boot) });

/** Claimed by one, given up, claimed by another, removed, reset; what is acknowledged is marked. */
async function live(fs: RecordingFileSystem): Promise<void> {
  const site = await startMemorySite();
  const thing = site.thing(onDisk(fs, "recorded"), { tagsAfterClaim: { SN: "" } });
  const [first, second] = [await site.user("first"), await site.user("second")];
  const [giver, taker] = [new OwnerClient(first), new OwnerClient(second)];
  try {
    await thing.start();
    await thing.waitFor("registered");
    fs.mark(`shown ${thing.claimText}`);
    const jid = thing.jid.split("/")[0] ?? "";
    await giver.claim(thing.claimText);
    await thing.waitFor("provisioned");
    fs.mark("claimed first");
    await thing.updateTags({ ROOM: "Kitchen" });
    fs.mark("room");
    await giver.disown(jid);
    fs.mark("disowned");
    await thing.waitFor(({ ownership }) => ownership.is === "registered" && ownership.disownedBy === undefined);
    await expect.poll(() => thing.state.parting, TURN).toEqual([]);
    fs.mark(`shown ${thing.claimText}`);
    await taker.claim(thing.claimText);
    await thing.waitFor("claimed");
    fs.mark("claimed second");
    await taker.remove(jid);
    await thing.waitFor(({ ownership }) => ownership.is === "claimed" && !ownership.listed);
    fs.mark("removed");
    fs.mark("resetting");
    await thing.reset();
    fs.mark("reset");
    await thing.waitFor("registered");
  } finally {
    await thing.stop();
    await first.close();
    await second.close();
    await site.stop();
  }
}

const offline: MakeLink = () => ({ start: () => undefined, stop: () => Promise.resolve() });

describe("a power cut at any moment while a Thing changes hands", () => {
  const seed = crashSeed();

  it(
    `leaves one state or the next, and undoes nothing that was acknowledged (D-3.17-7, D-3.17-8, D-3.10-8, D-3.13-1, D-E17; seed ${seed})`,
    async () => {
      const recording = await recordRun(live);
      const seen = new Set<string>();
      for (const { fs, marks, description } of crashStates(recording, { seed, statesPerCrash: 6 * soakFactor })) {
        const options = thingOptions(
          onDisk(fs, description),
          { service: "xmpp://127.0.0.1:1", domain: "localhost" },
          { tagsAfterClaim: { SN: "" } },
        );
        await using thing = new Thing({ ...options, [linkSeam]: offline, clock: systemClock } as ThingOptions);
        await thing.start().catch((error: unknown) => {
          throw new Error(`does not start: ${description}`, { cause: error });
        });
        const { ownership, parting, trust } = thing.state;
        const is = (mark: string): boolean => marks.includes(mark);
        const owner = ownership.is === "claimed" ? ownership.owner : undefined;
        const shown = marks.filter((mark) => mark.startsWith("shown ")).map((mark) => mark.slice(6));
        seen.add(`${ownership.is} ${owner ?? ("disownedBy" in ownership ? "disowned" : "")}`.trim());
        const at = JSON.stringify({ description, marks, ownership, parting });
        // Whoever has given the Thing up has it back by no power cut, and the KEY that they know is worth nothing.
        if (is("disowned")) expect(owner, at).not.toBe("first@localhost");
        if (is("disowned") || ("disownedBy" in ownership && !is("reset"))) {
          if (thing.claimText !== "") expect(thing.claimText, at).not.toBe(shown[0]);
        }
        if ("disownedBy" in ownership) {
          expect(ownership.disownedBy, at).toBe("first@localhost");
          // What the owner brought, who was a friend, and what they might do, has gone in the same write.
          expect(trust.is === "none" ? [] : trust.servers.filter(({ origin }) => origin === "owner"), at).toEqual([]);
          expect(thing.rights.count, at).toBe(0);
        }
        // A text that was shown, and photographed, stays true.
        if (shown.length === 2 && !is("claimed second") && owner === undefined)
          expect(thing.claimText, at).toBe(shown[1]);
        if (is("claimed first") && !is("disowned") && owner === undefined)
          expect(ownership, at).toHaveProperty("disownedBy");
        if (is("claimed second") && !is("resetting")) expect(owner, at).toBe("second@localhost");
        if (is("removed") && ownership.is === "claimed") expect(ownership.listed, at).toBe(false);
        if (is("reset")) expect(owner, at).toBeUndefined();
        await thing.stop();
        const storage = onDisk(fs, `${description}, looked at`);
        await storage.open();
        const kept = JSON.stringify((await tagsDocument(storage).load()).value ?? {});
        await storage.close();
        // What was wanted is there once that was promised, and gone with the factory reset.
        const isReset = ownership.is === "unregistered" || is("reset");
        if (is("room") && !is("removed")) expect(kept, at).toContain("Kitchen");
        if (isReset) expect(kept, at).not.toContain("Kitchen");
      }
      expect([...seen].sort()).toEqual([
        "claimed first@localhost",
        "claimed second@localhost",
        "registered",
        "registered disowned",
        "unregistered",
      ]);
    },
    120_000 * soakFactor,
  );
});
