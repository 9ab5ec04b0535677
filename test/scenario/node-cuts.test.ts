// The power goes at any moment while a node behind a Thing is registered, changes hands, is taken out, comes again and is reset
// (XEP-0347 3.8 to 3.10, 3.13, 3.16, 3.17): what is then on the disk is one state or the next, and nothing acknowledged is undone.
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { FileSystem } from "../../src/storage/file-system.ts";
import { linkSeam, type MakeLink } from "../../src/thing/link.ts";
import { nodeDocument, readNode } from "../../src/thing/node-store.ts";
import type { ThingNode } from "../../src/thing/nodes.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { Thing } from "../../src/thing/thing.ts";
import { crashSeed, crashStates, processesOf, recordRun, soakFactor } from "../support/crash-fs.ts";
import { startMemorySite } from "../support/memory-site.ts";
import type { RecordingFileSystem } from "../support/recording-fs.ts";
import { thingOptions } from "../support/site.ts";

const FOLDER = "/var/lib/thing";
const TURN = { interval: 5, timeout: 20_000 };
const node = { nodeId: "a" };
const nodes = [{ ...node, tags: { SN: "a" } }];
const onDisk = (fs: FileSystem, boot: string) => fileStorage(FOLDER, { fs, processes: processesOf(boot) });

/** The node of the scenario. */
function nodeOf(thing: Thing): ThingNode {
  const [only] = thing.nodes;
  if (only === undefined) throw new Error("no node");
  return only;
}

const becomes = (thing: Thing, is: string): Promise<unknown> =>
  expect.poll(() => nodeOf(thing).ownership.is, TURN).toBe(is);

/**
 * Claimed by one after the other: given up, taken out of the Registry, taken out of the Thing while it is online and while it
 * is not, reset. What is acknowledged is marked; so is each moment from which the Registry may have forgotten the owner.
 */
async function live(fs: RecordingFileSystem): Promise<void> {
  const site = await startMemorySite();
  const people = new Map<string, OwnerClient>();
  let thing = site.thing(onDisk(fs, "recorded"), { nodes });
  site.speaking.registry.hold((stanza) => {
    if (stanza.getChild("unregister")?.attrs["nodeId"] === "a") fs.mark("forgotten");
    return false;
  });
  const claim = async (name: string): Promise<OwnerClient> => {
    const owner = new OwnerClient(await site.user(name));
    people.set(name, owner);
    await becomes(thing, "registered");
    fs.mark(`shown ${nodeOf(thing).claimText}`);
    await owner.claim(nodeOf(thing).claimText);
    await becomes(thing, "claimed");
    fs.mark(`owner ${name}`);
    await expect.poll(() => JSON.stringify(nodeOf(thing).ownership), TURN).toContain('"ownerAsked":true');
    return owner;
  };
  try {
    await thing.start();
    const first = await claim("first");
    await thing.updateTags({ ROOM: "Kitchen" }, { node });
    fs.mark("room");
    fs.mark("losing");
    await first.disown({ jid: thing.jid.split("/")[0] ?? "", node });
    fs.mark("forgotten");
    fs.mark("lost");
    await expect.poll(() => nodeOf(thing).ownership, TURN).not.toHaveProperty("disownedBy");
    const second = await claim("second");
    await second.remove({ jid: thing.jid.split("/")[0] ?? "", node });
    await expect.poll(() => JSON.stringify(nodeOf(thing).ownership), TURN).toContain('"listed":false');
    fs.mark("unlisted");
    fs.mark("losing");
    await thing.removeNode(node);
    fs.mark("lost");
    await thing.addNode({ ...node, tags: { SN: "a" } });
    await claim("third");
    await site.cut(thing);
    fs.mark("losing");
    await thing.removeNode(node);
    fs.mark("lost");
    await thing.addNode({ ...node, tags: { SN: "a" } });
    await thing.stop();
    thing = site.thing(onDisk(fs, "recorded"), { nodes });
    await thing.start();
    await claim("fourth");
    fs.mark("losing");
    await thing.reset();
    fs.mark("lost");
    await claim("fifth");
  } finally {
    await thing.stop();
    await site.stop();
  }
}

const offline: MakeLink = () => ({ start: () => undefined, stop: () => Promise.resolve() });
const owners = ["first", "second", "third", "fourth", "fifth"];

/** What was acknowledged: who owns the node, whether that is about to end, or has ended, and whether the Registry knows. */
function toldIn(marks: readonly string[]) {
  let [owner, is]: [string | undefined, "nobody's" | "owned" | "losing"] = [undefined, "nobody's"];
  let [isForgotten, isUnlisted, text]: [boolean, boolean, string | undefined] = [true, false, undefined];
  for (const mark of marks) {
    if (mark.startsWith("owner "))
      [owner, is, isForgotten, isUnlisted, text] = [mark.slice(6), "owned", false, false, undefined];
    if (mark === "losing") is = "losing";
    if (mark === "forgotten") isForgotten = true;
    if (mark === "unlisted") isUnlisted = true;
    if (mark === "lost") is = "nobody's";
    if (mark.startsWith("shown ")) text = mark.slice(6);
  }
  return { owner, is, isForgotten, isUnlisted, text };
}

describe("a power cut at any moment while a node changes hands", () => {
  const seed = crashSeed();

  it(
    `leaves one state or the next, and undoes nothing that was acknowledged (D-3.16-2, D-3.17-7, D-E17, X-E4; seed ${seed})`,
    async () => {
      const recording = await recordRun(live);
      const seen = new Set<string>();
      for (const { fs, marks, description } of crashStates(recording, { seed, statesPerCrash: 6 * soakFactor })) {
        const server = { service: "xmpp://127.0.0.1:1", domain: "localhost" };
        const options = thingOptions(onDisk(fs, description), server, { nodes });
        const faults: string[] = [];
        await using thing = new Thing({ ...options, [linkSeam]: offline, clock: systemClock } as ThingOptions);
        thing.on("fault", ({ code }) => faults.push(code));
        await thing.start().catch((error: unknown) => {
          throw new Error(`does not start: ${description}`, { cause: error });
        });
        const { ownership, claimText } = nodeOf(thing);
        const told = toldIn(marks);
        const owner = ownership.is === "claimed" ? (ownership.owner.split("@")[0] ?? "") : undefined;
        const isLeaving = ownership.is === "unregistered" && ownership.leaving?.registry !== undefined;
        seen.add(owner ?? (isLeaving ? "leaving" : "disownedBy" in ownership ? "disowned" : "nobody's"));
        const at = JSON.stringify({ description, marks, ownership });
        expect(faults, at).toEqual([]);
        // Never nobody's and unclaimable: there is a text, and the Registry has let go or is still to be told so.
        expect(claimText === "", at).toBe(owner !== undefined);
        if (owner === undefined && told.owner !== undefined && !told.isForgotten)
          expect(isLeaving || "disownedBy" in ownership, at).toBe(true);
        // What was acknowledged stands.
        if (told.is === "owned") expect(owner, at).toBe(told.owner);
        if (told.is === "losing") expect([undefined, told.owner], at).toContain(owner);
        // Whoever has lost the node has it back by no power cut; at most the next one has it, and is about to hear so.
        if (told.is === "nobody's" && owner !== undefined)
          expect(owner, at).toBe(owners[told.owner === undefined ? 0 : owners.indexOf(told.owner) + 1]);
        if (told.isUnlisted && told.is === "owned") expect(ownership, at).toMatchObject({ listed: false });
        // A KEY that an owner of before has seen is worth nothing; a text that was shown, and photographed, stays true.
        const shown = marks.filter((mark) => mark.startsWith("shown ")).map((mark) => mark.slice(6));
        const current = told.is === "nobody's" ? told.text : undefined;
        if (owner === undefined)
          expect(
            shown.filter((text) => text !== current),
            at,
          ).not.toContain(claimText);
        if (owner === undefined && current !== undefined) expect(claimText, at).toBe(current);
        await thing.stop();
        if (told.is === "owned" && told.owner === "first" && marks.includes("room")) {
          const storage = onDisk(fs, `${description}, looked at`);
          await storage.open();
          const kept = JSON.stringify(await readNode(storage, nodeDocument(node)));
          await storage.close();
          expect(kept, at).toContain("Kitchen");
        }
      }
      expect([...seen].sort()).toEqual([...owners, "disowned", "leaving", "nobody's"].sort());
    },
    120_000 * soakFactor,
  );
});
