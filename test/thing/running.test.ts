// What goes on for somebody on a Thing, and what ends it (XEP-0324 3.2.3, 3.5.1; P-5.2-7).
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StanzaError } from "../../src/core/errors.ts";
import { bareJid } from "../../src/core/jid.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { startMemorySite } from "../support/memory-site.ts";
import type { Site } from "../support/site.ts";

const TURN = { interval: 5, timeout: 20_000 };

let site: Site;
let thing: Thing;
// What holds up the writing of the state.
let disk: Promise<void>;
let connection: Connection;
let reader: OwnerClient;
// What sensor and actuator were given; both go on until they are told to stop.
let under: { what: string; signal: AbortSignal }[];

beforeEach(async () => {
  site = await startMemorySite({ retry: 20 });
  under = [];
  disk = Promise.resolve();
  thing = makeThing({ provisioning: [site.provisioning.jid] });
  await thing.start();
  await thing.waitFor("online");
  site.provisioning.setRules([{ friend: true, read: true, control: true }]);
  connection = await site.user("reader");
  reader = new OwnerClient(connection);
});

function makeThing(options: Partial<ThingOptions>): Thing {
  const hold = (what: string, signal: AbortSignal): Promise<never> => {
    under.push({ what, signal });
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
  };
  const storage = memoryStorage();
  const slow: Storage = {
    open: () => storage.open(),
    close: () => storage.close(),
    read: (name) => storage.read(name),
    append: (name, content) => storage.append(name, content),
    delete: (name) => storage.delete(name),
    replace: async (name, content) => {
      if (!name.startsWith("rights")) await disk;
      await storage.replace(name, content);
    },
  };
  return site.thing(slow, {
    sensor: { fields: [{ name: "Temperature" }], read: ({ signal }) => hold("read", signal) },
    control: [{ name: "Valve", type: "boolean", set: (_, { signal }) => hold("set", signal) }],
    ...options,
  });
}

afterEach(async () => {
  await connection.close();
  await thing.stop();
  await site.stop();
});

/** How a readout or a control comes to its end, in the words that the reader is told. */
async function begin(what: "read" | "set"): Promise<{ end: Promise<string>; signal: AbortSignal }> {
  const doing = what === "read" ? reader.read(thing.jid) : reader.control(thing.jid, { Valve: true });
  const end = Promise.resolve(doing).then(
    () => "done",
    (error: unknown) => (error instanceof StanzaError ? `${error.condition} ${error.text}` : String(error)),
  );
  await expect.poll(() => under.length, TURN).toBe(1);
  return { end, signal: (under[0] as (typeof under)[number]).signal };
}

describe.each(["read", "set"] as const)("what goes on (%s)", (what) => {
  test("P-3.5.1-5: ends when the rules do not allow it any more", async () => {
    const { end, signal } = await begin(what);
    site.provisioning.setRules([{ friend: true }]);
    expect(await end).toContain("Access denied.");
    expect(signal.aborted).toBe(true);
    await expect.poll(() => site.provisioning.unacknowledged, TURN).toEqual([]);
  });

  test("P-3.2.3-5, P-E17: ends with the friendship, although the rules would allow it still", async () => {
    const { end, signal } = await begin(what);
    await connection.friends.ask(bareJid(thing.jid.split("/")[0] ?? ""));
    await expect.poll(() => site.provisioning.count("isFriend"), TURN).toBe(1);
    expect(site.provisioning.unfriend(thing.jid, connection.jid.bare)).toBe(true);
    expect(await end).toContain("Access denied.");
    expect(signal.aborted).toBe(true);
  });

  test("P-5.2-7, P-6.1-2: ends when the Thing goes back to factory settings, and trusts nobody", async () => {
    // Of servers that the options name a second change of trust would tell.
    await thing.stop();
    thing = makeThing({});
    await thing.start();
    await thing.waitFor("registered");
    await reader.claim(thing.claimText);
    await thing.waitFor("provisioned");
    const { end, signal } = await begin(what);
    const asked = site.provisioning.count();
    let goOn: () => void = () => undefined;
    disk = new Promise((resolve) => (goOn = resolve));
    thing.reset().catch(() => undefined); // the Thing is stopped before it is all told
    // The rights are forgotten, and the old server is asked again; it is not trusted any more only once that is written.
    await expect.poll(() => site.provisioning.count(), TURN).toBe(asked + 1);
    await expect.poll(() => thing.rights.count, TURN).toBe(1);
    expect(signal.aborted).toBe(false);
    goOn();
    await expect.poll(() => signal.aborted, TURN).toBe(true);
    expect(await end).toContain("Access denied.");
  });

  test("D-3.17-7: ends when the owner, whose right nothing had to remember, disowns the Thing", async () => {
    await thing.stop();
    thing = makeThing({ provisioning: { subdomain: "nowhere" } });
    await thing.start();
    await thing.waitFor("registered");
    await reader.claim(thing.claimText);
    await thing.waitFor("claimed");
    const { end, signal } = await begin(what);
    expect([thing.rights.count, signal.aborted]).toEqual([0, false]);
    await reader.disown(thing.jid.split("/")[0] ?? "");
    expect(await end).toContain("Access denied.");
    expect(signal.aborted).toBe(true);
  });

  test("goes on when the rules change and allow it still", async () => {
    const { signal } = await begin(what);
    const asked = site.provisioning.count();
    site.provisioning.setRules([{ friend: true, read: true, control: true }]);
    await expect.poll(() => site.provisioning.count(), TURN).toBe(asked + 1);
    await expect.poll(() => site.provisioning.unacknowledged, TURN).toEqual([]);
    expect(signal.aborted).toBe(false);
  });
});
