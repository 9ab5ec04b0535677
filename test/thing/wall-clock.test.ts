// The wall clock of a device without a battery jumps by years while it runs. Nothing but words may depend on it.
import { readFileSync, readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { startMemorySite } from "../support/memory-site.ts";
import type { Site } from "../support/site.ts";

const YEARS = 10 * 365 * 86_400_000;

describe("wall time in the source", () => {
  it("is asked for only where it is told, never where something is measured", () => {
    const root = new URL("../../src/", import.meta.url);
    const uses = readdirSync(root, { recursive: true, encoding: "utf8" })
      .map((name) => name.replaceAll("\\", "/"))
      .filter(
        (name) => name.endsWith(".ts") && /\b(?:clock|#clock)\.now\(\)/.test(readFileSync(new URL(name, root), "utf8")),
      );
    expect(uses.sort()).toEqual([
      "connection/host-watch.ts", // that it has jumped while the host slept
      "connection/xml-stream.ts", // what the device's clock says, in the message of a fault
      "core/clock-jump.ts", // that it has jumped
      "provisioning/own-certificate.ts", // whether the certificate has expired, for people
      "provisioning/rights-store.ts", // for how long nobody has used an answer, over the time that the Thing was off
      "sandbox/certificates.ts", // when the sandbox's certificates are valid
      "sandbox/identities.ts", // when a certificate has expired
      "sandbox/registry-rules.ts", // when a Thing was registered and claimed, for people
      "sandbox/server/messages.ts", // when a message was kept (XEP-0203)
      "sensor/node-readout.ts", // the timestamp of a reading (XEP-0323)
      "sensor/queued-readout.ts", // when a readout is to begin (XEP-0323 3.4), which readers name by the wall clock
      "sensor/sensor-reader.ts", // how long it is until then
      "thing/last-fault.ts", // when a fault happened, for people
      "thing/pairing.ts", // until when the LED is lit, for showing; it is measured on the other clock
    ]);
  });
});

describe.each([
  ["forwards", YEARS],
  ["back", -YEARS],
])("a wall clock that jumps ten years %s", (_where, jump) => {
  let site: Site;
  let thing: Thing;
  let owner: OwnerClient;
  let friend: OwnerClient;
  let ownerJid: string;
  let friendJid: string;
  let clock: SimulatedClock;
  let storage = memoryStorage();
  const faults: string[] = [];

  const boot = async (): Promise<void> => {
    thing = site.thing(storage, { clock });
    thing.on("fault", ({ code, message }) => faults.push(`${code}: ${message}`));
    await thing.start();
  };
  const read = async (reader: OwnerClient): Promise<string> => {
    try {
      const groups = await reader.read(thing.jid, { timeout: 5_000 });
      return groups.flatMap(({ fields }) => fields.map(({ name }) => name)).join();
    } catch (error) {
      return (error as { condition?: string }).condition ?? (error as Error).message;
    }
  };

  beforeEach(async () => {
    site = await startMemorySite();
    clock = new SimulatedClock();
    storage = memoryStorage();
    faults.length = 0;
    const [one, other] = await Promise.all([site.user("owner"), site.user("friend")]);
    [owner, friend] = [new OwnerClient(one), new OwnerClient(other)];
    [ownerJid, friendJid] = [one.jid.bare, other.jid.bare];
    await boot();
    await thing.waitFor("registered");
    await owner.claim(thing.claimText);
    await thing.waitFor("provisioned");
    site.provisioning.setRules([{ jid: friendJid, friend: true, read: true }]);
    await expect.poll(() => site.provisioning.unacknowledged).toEqual([]);
    expect(await read(friend)).toBe("Temperature,Door open");
  });
  afterEach(async () => {
    await thing.stop();
    await site.stop();
  });

  it("makes no remembered right older, and none younger", async () => {
    const asked = site.provisioning.count();
    clock.jump(jump);
    expect(await read(friend)).toBe("Temperature,Door open");
    expect(site.provisioning.count()).toBe(asked);
    site.provisioning.setRules([]);
    await expect.poll(() => site.provisioning.unacknowledged).toEqual([]);
    expect(await read(friend)).toBe("forbidden");
    expect(faults).toEqual([]);
  });

  it("ends no deadline, and hangs none: a question that is under way has its six seconds", async () => {
    site.provisioning.setRules([{ jid: ownerJid, read: true }]);
    await expect.poll(() => site.provisioning.unacknowledged).toEqual([]);
    site.hold.hold((stanza) => stanza.is("iq"));
    const reading = read(owner);
    await expect.poll(() => site.hold.held.length).toBe(1);
    clock.jump(jump);
    await clock.advance(5_900);
    let answer = "";
    void reading.then((text) => (answer = text));
    await clock.advance(50);
    expect(answer).toBe("");
    await clock.advance(50);
    expect(await reading).toBe("resource-constraint");
    // Told of by the three seconds of a slow handler, as without a jump.
    expect(faults).toEqual(["handler-slow: the handler of req has taken 3000 ms"]);
  });

  it("neither lowers the barrier of a new stream nor leaves it up for ever", async () => {
    await thing.stop();
    site.hold.hold((stanza) => stanza.is("iq"));
    await boot();
    await thing.waitFor("online");
    await expect.poll(() => site.hold.held.length).toBe(1);
    clock.jump(jump);
    let answer = "";
    void read(friend).then((text) => (answer = text));
    await clock.advance(1_990);
    expect(answer).toBe("");
    await clock.advance(20);
    await expect.poll(() => answer).toBe("Temperature,Door open");
    site.hold.release();
    expect(faults).toEqual([]);
  });

  it("leaves no timer behind", async () => {
    clock.jump(jump);
    await clock.advance(3_600_000);
    await thing.stop();
    expect(clock.pending).toBe(0);
    expect(faults).toEqual([]);
  });
});
