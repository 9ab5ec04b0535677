// What a Thing promises the program it lives in, whatever that program does.
import { once, type EventEmitter } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileStorage } from "../../src/storage/file-storage.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { ThingState } from "../../src/thing/state.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { whyNot } from "../../src/thing/waiting.ts";
import { startMemorySite } from "../support/memory-site.ts";
import type { Site } from "../support/site.ts";

describe("a Thing and its program", () => {
  let site: Site;
  let thing: Thing | undefined;

  beforeEach(async () => {
    site = await startMemorySite();
  });
  afterEach(async () => {
    await thing?.stop();
    await site.stop();
  });

  it("a listener that throws is told of, and keeps nothing from the others", async () => {
    thing = site.thing(memoryStorage());
    const heard: string[] = [];
    const faults: string[] = [];
    thing.on("state", () => {
      throw new Error("a bug");
    });
    thing.once("state", () => heard.push("once"));
    thing.on("state", ({ ownership }) => heard.push(ownership.is));
    thing.on("fault", ({ code, message }) => {
      faults.push(`${code}: ${message}`);
      throw new Error("another bug");
    });
    await thing.start();
    await thing.waitFor("registered", { timeout: 5_000 });
    expect(heard.filter((one) => one === "once")).toHaveLength(1);
    expect(heard).toContain("registered");
    expect(faults[0]).toBe('listener-failed: a listener of "state" threw: a bug');
  });

  it("an async listener that fails is told of, and does not end the process", async () => {
    thing = site.thing(memoryStorage());
    const faults: string[] = [];
    // As JavaScript would, where no compiler objects.
    const print: () => unknown = async () => {
      await Promise.resolve();
      throw new Error("no printer");
    };
    thing.on("claimText", print);
    thing.on("fault", ({ message }) => faults.push(message));
    await thing.start();
    await thing.waitFor("registered", { timeout: 5_000 });
    expect(faults).toEqual(['a listener of "claimText" threw: no printer']);
  });

  it.each(["on", "once", "addListener", "prependListener", "prependOnceListener"] as const)(
    "%s refuses an event that is never told, by the list of those that are",
    (method) => {
      thing = site.thing(memoryStorage());
      const loose: EventEmitter = thing; // as JavaScript sees it
      const refused = expect.objectContaining({
        code: "ERR_CONFIG",
        message: expect.stringContaining('there is no event "claimtext"; there are state, claimText,') as string,
      });
      expect(() => loose[method]("claimtext", () => undefined)).toThrow(refused);
      expect(loose.listenerCount("claimtext")).toBe(0);
    },
  );

  it("listens to what every emitter of Node.js tells", async () => {
    thing = site.thing(memoryStorage());
    const loose: EventEmitter = thing; // as JavaScript sees it
    const added: unknown[] = [];
    loose.on("newListener", (name: unknown) => added.push(name));
    loose.on("removeListener", (name: unknown) => added.push(`no more ${String(name)}`));
    loose.on("error", () => undefined);
    loose.on(Symbol("of the program's own"), () => undefined);
    const first = once(thing, "state"); // listens to "error" meanwhile
    await thing.start();
    await first;
    expect(added).toEqual(expect.arrayContaining(["removeListener", "error", "state", "no more state"]));
  });

  it("waitFor refuses a word that it does not know", async () => {
    thing = site.thing(memoryStorage());
    await expect(thing.waitFor("registred" as "registered")).rejects.toThrow('there is no "registred"');
  });

  it("refuses options that are none, by name", () => {
    const slip = (overrides: object) => () => site.thing(memoryStorage(), overrides);
    expect(slip({ sensors: {} })).toThrow(
      'there is no option "sensors"; there are storage, server, tags, tagsAfterClaim',
    );
    const fields = [{ name: "Door", types: ["status"] }];
    expect(slip({ sensor: { fields, read: () => [] } })).toThrow('sensor.fields[0]: there is no option "types"');
    expect(slip({ sensor: { fields: [], reed: 1 } })).toThrow('sensor: there is no option "reed"');
  });

  it("waitFor tells the error of a condition that throws", async () => {
    thing = site.thing(memoryStorage());
    let calls = 0;
    const waiting = thing.waitFor(() => {
      if (++calls > 1) throw new Error("a bug");
      return false;
    });
    waiting.catch(() => undefined);
    await thing.start();
    await expect(waiting).rejects.toThrow("a bug");
  });

  it("waitFor says what keeps the Thing: it was not started, it has no connection", async () => {
    thing = site.thing(memoryStorage());
    await expect(thing.waitFor("online", { timeout: 20 })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      message: "waiting for online: no answer within 20 ms; the Thing was not started: await thing.start() first",
    });
    const state = (link: unknown): ThingState => ({ link }) as ThingState;
    expect(whyNot(state({ is: "waiting", why: "cannot connect" }), true)).toBe("; no connection: cannot connect");
    expect(whyNot(state({ is: "online" }), true)).toBe("");
  });

  it("waitFor ends with the Thing, with its time, and with the caller's signal", async () => {
    thing = site.thing(memoryStorage());
    await thing.start();
    await expect(thing.waitFor("claimed", { timeout: 20 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    const reason = new Error("enough");
    await expect(thing.waitFor("claimed", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const waiting = thing.waitFor("claimed");
    waiting.catch(() => undefined);
    await thing.stop();
    await expect(waiting).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(thing.waitFor("claimed")).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  it("knows nothing before it is started, and cannot be started twice", async () => {
    thing = site.thing(memoryStorage());
    expect([thing.claimText, thing.jid, thing.state.link.is, thing.state.ownership.is, thing.rights.count]).toEqual([
      "",
      "",
      "stopped",
      "unregistered",
      0,
    ]);
    await thing.start();
    await expect(thing.start()).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  it("stop in the middle of start resolves when the storage is free", async () => {
    const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-stop-"));
    try {
      for (let i = 0; i < 10; i++) {
        const first = site.thing(fileStorage(folder));
        const starting = first.start();
        starting.catch(() => undefined);
        for (let turns = 0; turns < i; turns++) await new Promise((resolve) => setImmediate(resolve));
        await first.stop();
        const second = site.thing(fileStorage(folder));
        await second.start();
        await second.stop();
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("whose storage is taken stays stopped, and says so", async () => {
    const storage = memoryStorage();
    await storage.open();
    thing = site.thing(storage);
    await expect(thing.start()).rejects.toMatchObject({ code: "ERR_STORAGE" });
    await expect(thing.start()).rejects.toThrow("stopped");
    await storage.close();
  });

  it("remembers the rights until they are cleared by hand, or those of one party until they are forgotten", async () => {
    thing = site.thing(memoryStorage());
    await thing.start();
    await thing.waitFor("registered", { timeout: 5_000 });
    await using owner = await site.user("owner");
    const { OwnerClient } = await import("../../src/owner/owner-client.ts");
    const client = new OwnerClient(owner);
    await client.claim(thing.claimText);
    await thing.waitFor("provisioned", { timeout: 5_000 });
    site.provisioning.setRules([{ jid: owner.jid.bare, read: true }]);
    await client.read(thing.jid);
    expect(thing.rights.entries().map(({ jid, kind }) => [jid, kind])).toEqual([[owner.jid.bare, "read"]]);
    await thing.rights.forget(owner.jid.bare);
    expect(thing.rights.count).toBe(0);
    await client.read(thing.jid);
    expect(thing.rights.count).toBe(1);
    await thing.rights.clear();
    expect(thing.rights.count).toBe(0);
  });
});
