// A disk that is full, read-only, slow or worn: the Thing goes on from memory, says so once, and forgets nothing that it acknowledged.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sleep } from "../../src/core/abort.ts";
import { StorageError } from "../../src/core/errors.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { FailingStorage } from "../support/failing-storage.ts";
import { startMemorySite } from "../support/memory-site.ts";
import type { Site } from "../support/site.ts";

describe("a Thing whose disk", () => {
  let site: Site;
  let thing: Thing;
  let below: Storage;
  let disk: FailingStorage;
  let clock: SimulatedClock;
  let owner: OwnerClient;
  let friend: OwnerClient;
  let friendJid: string;
  let faults: string[];
  let healed: string[];

  const boot = async (): Promise<void> => {
    disk = new FailingStorage(below);
    thing = site.thing(disk, { clock });
    thing.on("fault", ({ code, message }) => faults.push(`${code}: ${message}`));
    thing.on("healed", (code) => healed.push(code));
    await thing.start();
  };
  const provisioned = async (): Promise<void> => {
    await boot();
    await thing.waitFor("registered");
    await owner.claim(thing.claimText);
    await thing.waitFor("provisioned");
    await rules(true);
  };
  const rules = async (allowed: boolean): Promise<void> => {
    site.provisioning.setRules([{ jid: friendJid, read: allowed }]);
    await expect.poll(() => site.provisioning.unacknowledged).toEqual([]);
  };
  const read = async (field = "Temperature"): Promise<string> => {
    try {
      const groups = await friend.read(thing.jid, { timeout: 5_000, fields: [field] });
      return groups.flatMap(({ fields }) => fields.map(({ name }) => name)).join();
    } catch (error) {
      return (error as { condition?: string }).condition ?? (error as Error).message;
    }
  };
  /** What was answered goes to disk 30 s later. In small steps: the services answer in real time. */
  const gather = async (): Promise<void> => {
    for (let second = 0; second <= 30; second++) await clock.advance(1_000);
  };
  const full = (): void => ["replace", "append", "delete"].forEach((one) => disk.failing.add(one as "replace"));

  beforeEach(async () => {
    site = await startMemorySite();
    clock = new SimulatedClock();
    below = memoryStorage();
    [faults, healed] = [[], []];
    const [one, other] = await Promise.all([site.user("owner"), site.user("friend")]);
    [owner, friend, friendJid] = [new OwnerClient(one), new OwnerClient(other), other.jid.bare];
  });
  afterEach(async () => {
    await thing.stop();
    await site.stop();
  });

  it("is full at the first start does not start: it would make an account and forget it", async () => {
    disk = new FailingStorage(below);
    full();
    thing = site.thing(disk, { clock });
    await expect(thing.start()).rejects.toMatchObject({ code: "ERR_STORAGE", message: "the disk is full" });
    expect(site.registry.things).toEqual([]);
  });

  it("is full or read-only at a later start does start, and answers from memory", async () => {
    await provisioned();
    await thing.stop();
    disk = new FailingStorage(below);
    full();
    thing = site.thing(disk, { clock });
    thing.on("fault", ({ code, message }) => faults.push(`${code}: ${message}`));
    await thing.start();
    await thing.waitFor("online");
    expect(await read()).toBe("Temperature");
    expect(await read("Door open")).toBe("Door open");
    await gather();
    await expect.poll(() => faults).toEqual(["rights-not-saved: the disk is full"]);
  });

  it("fills up says so once, goes on, and says when writing works again", async () => {
    await provisioned();
    full();
    for (const field of ["Temperature", "Door open"]) expect(await read(field)).toBe(field);
    await gather();
    await expect.poll(() => faults).toEqual(["rights-not-saved: the disk is full"]);
    const asked = site.provisioning.count();
    for (const field of ["Temperature", "Door open"]) expect(await read(field)).toBe(field);
    expect(site.provisioning.count()).toBe(asked); // remembered
    disk.failing.clear();
    await rules(true); // a clearCache that is written
    expect(healed).toEqual(["rights-not-saved"]);
    expect(faults).toHaveLength(1);
  });

  it("does not take a clearCache obeys it in memory and acknowledges nothing, until it is written", async () => {
    await provisioned();
    expect(await read()).toBe("Temperature");
    await gather();
    full();
    site.provisioning.setRules([]);
    await expect.poll(() => faults.length).toBe(1);
    expect(faults[0]).toMatch(/^rights-not-saved: clearCache could not be obeyed on disk/);
    expect(site.provisioning.unacknowledged).toHaveLength(1);
    expect(await read()).toBe("forbidden");
    // The power goes: on disk still stands what was revoked. The server says it again before that counts.
    await thing.stop();
    await boot();
    expect(thing.rights.count).toBeGreaterThan(0);
    await thing.waitFor("online");
    expect(await read()).toBe("forbidden");
    await expect.poll(() => site.provisioning.unacknowledged).toEqual([]);
  });

  it("does not take a claim does not acknowledge it, and asks the Registry again until it does", async () => {
    await boot();
    await thing.waitFor("registered");
    full();
    await owner.claim(thing.claimText);
    await expect.poll(() => faults).toContain("state-not-saved: the disk is full");
    expect(thing.state.ownership.is).toBe("registered");
    await clock.advance(600_000);
    expect(thing.state.ownership.is).toBe("registered");
    disk.failing.clear();
    // In small steps: the Registry answers in real time, and must not be late by the simulated one.
    for (let second = 0; second < 1_200 && thing.state.ownership.is !== "claimed"; second++) await clock.advance(1_000);
    expect(thing.state.ownership).toMatchObject({ is: "claimed", owner: "owner@localhost" });
    expect(healed).toContain("state-not-saved");
    await thing.stop();
    await boot();
    expect(thing.state.ownership.is).toBe("claimed");
  });

  it("is slow lets nobody wait who only reads: eight seconds a write", async () => {
    await provisioned();
    disk.before = () => sleep(clock, 8_000);
    for (const field of ["Temperature", "Door open"]) expect(await read(field)).toBe(field);
    await gather(); // the writing begins
    for (const field of ["Temperature", "Door open"]) expect(await read(field)).toBe(field);
    // A clearCache waits for the disk, and is not acknowledged before; nobody reads by what it took back.
    site.provisioning.setRules([]);
    await expect.poll(() => thing.rights.count).toBe(0);
    const asked = site.provisioning.unacknowledged.length;
    expect(await read()).toBe("forbidden");
    expect(asked).toBe(1);
    // What is being written and the clear come to more than the nine seconds that a handler has: it is answered by
    // "later", and the server says it again.
    for (let second = 0; second < 60; second++) await clock.advance(1_000);
    expect(faults.filter((fault) => fault.startsWith("handler-slow"))).toHaveLength(1);
    const ending = thing.stop();
    for (let second = 0; second < 60; second++) await clock.advance(1_000);
    await ending;
    disk.before = () => undefined;
    await boot();
    expect(thing.rights.entries().every(({ grants }) => grants.length === 0)).toBe(true);
  });

  it("cannot read the remembered rights (EIO) goes on without them, with a fault, and writes a new file", async () => {
    await provisioned();
    expect(await read()).toBe("Temperature");
    await thing.stop();
    const broken = new FailingStorage(below);
    const original = broken.read.bind(broken);
    let bad = true;
    broken.read = (name) => {
      if (name !== "rights" || !bad) return original(name);
      const cause = Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
      return Promise.reject(
        new StorageError('could not read "rights": the disk reports a defect; replace it (EIO)', { cause }),
      );
    };
    thing = site.thing(broken, { clock });
    thing.on("fault", ({ code, message }) => faults.push(`${code}: ${message}`));
    await thing.start();
    expect(faults).toEqual([
      'rights-damaged: "rights" is damaged (could not read "rights": the disk reports a defect; replace it (EIO))',
    ]);
    await thing.waitFor("online");
    expect(await read()).toBe("Temperature");
    bad = false;
    await thing.stop();
    await boot();
    expect(thing.rights.count).toBe(1);
  });
});
