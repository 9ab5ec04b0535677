// The power goes at any moment of a Thing's life (issue 2, section 5.5): whatever is then found on the disk, the Thing
// starts, and nothing that it acknowledged is undone.
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { FileSystem } from "../../src/storage/file-system.ts";
import { linkSeam, type MakeLink } from "../../src/thing/link.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { Thing } from "../../src/thing/thing.ts";
import { crashSeed, crashStates, processesOf, recordRun, soakFactor } from "../support/crash-fs.ts";
import type { RecordingFileSystem } from "../support/recording-fs.ts";
import { startMemorySite } from "../support/memory-site.ts";
import { thingOptions } from "../support/site.ts";

const FOLDER = "/var/lib/thing";
const PHASES = [1, 2, 3, 4] as const;
const fieldOf = (phase: number): string => `Phase ${phase}`;

const onDisk = (fs: FileSystem, boot: string) => fileStorage(FOLDER, { fs, processes: processesOf(boot) });

const sensor = {
  fields: PHASES.map((phase) => ({ name: fieldOf(phase), decimals: 0 })),
  read: () => PHASES.map((phase) => ({ name: fieldOf(phase), value: phase })),
};

/** A life in four phases. In each another field may be read, and the change is acknowledged: what was granted before is void. */
async function live(fs: RecordingFileSystem): Promise<void> {
  const site = await startMemorySite();
  const thing = site.thing(onDisk(fs, "recorded"), { sensor });
  const owner = await site.user("owner");
  const client = new OwnerClient(owner);
  await thing.start();
  await thing.waitFor("registered");
  fs.mark(`shown ${thing.claimText}`);
  await client.claim(thing.claimText);
  await thing.waitFor("provisioned");
  fs.mark("claimed");
  for (const phase of PHASES) {
    site.provisioning.setRules([{ jid: owner.jid.bare, friend: true, read: { fields: [fieldOf(phase)] } }]);
    await expect.poll(() => site.provisioning.unacknowledged, { interval: 1 }).toEqual([]);
    fs.mark(`void ${phase}`);
    const [group] = await client.read(thing.jid);
    expect(group?.fields.map((field) => field.name)).toEqual([fieldOf(phase)]);
    await client.read(thing.jid, { types: ["momentary", "status"] });
  }
  await thing.stop();
  await owner.close();
  await site.stop();
}

const offline: MakeLink = () => ({ start: () => undefined, stop: () => Promise.resolve() });

describe("a power cut at any moment of a Thing's life", () => {
  const seed = crashSeed();

  it(
    `leaves a Thing that starts, with its owner, and without a right that was taken back (P-3.5.1-5, P-5.2-8; seed ${seed})`,
    async () => {
      const recording = await recordRun(live);
      let states = 0;
      let granted = 0;
      for (const { fs, marks, description } of crashStates(recording, { seed, statesPerCrash: 12 * soakFactor })) {
        states++;
        const options = thingOptions(
          onDisk(fs, description),
          { service: "xmpp://127.0.0.1:1", domain: "localhost" },
          { sensor },
        );
        await using thing = new Thing({ ...options, [linkSeam]: offline, clock: systemClock } as ThingOptions);
        await thing.start().catch((error: unknown) => {
          throw new Error(`does not start: ${description}`, { cause: error });
        });
        const { ownership } = thing.state;
        if (marks.includes("claimed")) expect(ownership, description).toMatchObject({ owner: "owner@localhost" });
        // A QR code that was shown, and photographed, stays true.
        const shown = marks.find((mark) => mark.startsWith("shown "))?.slice(6);
        if (shown !== undefined && ownership.is !== "claimed") expect(thing.claimText, description).toBe(shown);
        const last = marks.filter((mark) => mark.startsWith("void ")).length;
        const fields = thing.rights.entries().flatMap((right) => right.grants.flatMap((grant) => grant.fields));
        granted += fields.length;
        // A right of a later phase is on its way in; one of an earlier phase has come back.
        for (const field of fields) expect(Number(field.slice(6)), description).toBeGreaterThanOrEqual(last);
      }
      console.log(
        `power cut: ${states} disks after ${recording.operations.length} operations, ${granted} rights found`,
      );
      expect(granted).toBeGreaterThan(0);
    },
    30_000 * soakFactor,
  );
});
