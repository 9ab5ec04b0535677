import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StorageError } from "../../../src/core/errors.ts";
import type { Logger } from "../../../src/core/logger.ts";
import { SeededRandom } from "../../../src/sandbox/seeded-random.ts";
import { XmppDomain } from "../../../src/sandbox/server/domain.ts";
import type { Changes } from "../../../src/sandbox/server/upkeep.ts";
import { SimulatedClock } from "../../../src/sandbox/simulated-clock.ts";
import { Client } from "./world.ts";

/** What is kept, as a disk would have it: texts. */
class Disk {
  readonly texts = new Map<string, string>();
  /** Called before something is taken; may wait, or reject. */
  before: () => Promise<void> = () => Promise.resolve();
  writes = 0;

  readonly keep = async (changes: Changes): Promise<void> => {
    this.writes++;
    await this.before();
    for (const [key, value] of changes) {
      if (value === undefined) this.texts.delete(key);
      else this.texts.set(key, JSON.stringify(value));
    }
  };

  get entries(): Changes {
    return [...this.texts].map(([key, text]) => [key, JSON.parse(text) as unknown]);
  }
}

const logged: string[] = [];
const log = (message: string): unknown => logged.push(message);
const logger: Logger = { debug: log, info: log, warn: log, error: log };

function start(disk: Disk, clock = new SimulatedClock()): XmppDomain {
  const random = new SeededRandom("kept");
  return new XmppDomain({
    domain: "localhost",
    clock,
    random,
    logger,
    kept: { entries: disk.entries, keep: disk.keep },
  });
}

/** What a client of each account finds when it comes: roster, then all that its presence brings. */
async function whatIsFound(domain: XmppDomain, names: readonly string[]): Promise<readonly (readonly string[])[]> {
  const found: (readonly string[])[] = [];
  for (const name of names.filter((each) => domain.hasAccount(each))) {
    const client = new Client(domain, name, "new");
    const get = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>";
    client.send(get);
    await domain.idle();
    const [roster] = client.take();
    const items = roster?.getChildElements()[0]?.getChildElements().map(String).sort() ?? [];
    client.send("<presence/>");
    await domain.idle();
    found.push([
      name,
      ...items,
      ...client
        .take()
        .map((stanza) => stanza.toString().replace(/ id="[^"]*"/, ""))
        .sort(),
    ]);
    client.session.end();
  }
  return found;
}

const names = ["alice", "bob", "carol"];

describe("accounts that are kept", () => {
  it("log in with the same password after a restart, and those that were removed do not", async () => {
    const disk = new Disk();
    const domain = start(disk);
    domain.register("alice", "wonderland");
    domain.register("bob", "builder");
    domain.register("carol", "carols");
    domain.setPassword("bob", "another");
    domain.removeAccount("carol");
    expect(() => domain.setPassword("nobody", "x")).toThrow("no account nobody");
    await domain.idle();
    expect(disk.writes).toBe(1); // what changes in one turn goes to the disk at once
    const again = start(disk);
    expect(names.map((name) => again.hasAccount(name))).toEqual([true, true, false]);
    expect(again.checkPassword("alice", "wonderland")).toBe(true);
    expect(again.checkPassword("bob", "builder")).toBe(false);
    expect(again.checkPassword("bob", "another")).toBe(true);
    expect(again.credentialsOf("alice")).toEqual(domain.credentialsOf("alice"));
    expect([...disk.texts.values()].join("")).not.toMatch(/wonderland|another/);
  });

  it("a domain that is restarted goes on as one that is not: rosters, requests, messages that wait", async () => {
    const types = ["subscribe", "subscribed", "unsubscribe", "unsubscribed"];
    const who = fc.constantFrom(...names);
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.tuple(who, fc.constantFrom(...types), who) },
      { weight: 2, arbitrary: fc.tuple(who, fc.constantFrom("name", "delete", "message"), who) },
      { weight: 1, arbitrary: fc.tuple(who, fc.constantFrom("remove", "come", "go"), who) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, slow) => {
        const disk = new Disk();
        if (slow) disk.before = () => new Promise((resolve) => setImmediate(resolve));
        const domain = start(disk);
        const clients = new Map<string, Client>();
        for (const name of names) domain.register(name, "secret");
        for (const [at, [from, what, to]] of steps.entries()) {
          if (at % 7 === 6) await domain.idle();
          if (!domain.hasAccount(from)) {
            domain.register(from, "anew");
            clients.delete(from);
          }
          const there = clients.get(from) ?? new Client(domain, from, "r");
          clients.set(from, there);
          if (what === "come") there.send("<presence/>");
          else if (what === "go") there.send("<presence type='unavailable'/>");
          else if (what === "message")
            there.send(`<message to='${to}@localhost' id='m${at}'><body>${at}</body></message>`);
          else if (what === "name" || what === "delete") {
            const more = what === "delete" ? "subscription='remove'" : `name='n${at}'`;
            there.send(`<iq type='set' id='i'><query xmlns='jabber:iq:roster'><item jid='${to}@localhost' ${more}><group>g</group></item></query></iq>`); // prettier-ignore
          } else if (what === "remove") {
            domain.removeAccount(from);
            clients.delete(from);
          } else there.send(`<presence type='${what}' to='${to}@localhost'><status>${at}</status></presence>`);
        }
        await domain.idle();
        for (const client of clients.values()) client.session.end();
        await domain.idle();
        const kept = new Map(disk.texts);
        const found = await whatIsFound(start(disk), names);
        disk.texts.clear();
        for (const [key, text] of kept) disk.texts.set(key, text);
        expect(found).toEqual(await whatIsFound(domain, names));
      }),
      { numRuns: 150 },
    );
  });

  it("an account that is removed takes the messages that wait for it along", async () => {
    const disk = new Disk();
    const domain = start(disk);
    for (const name of names) domain.register(name, "secret");
    new Client(domain, "alice", "r").send("<message to='bob@localhost'><body>later</body></message>");
    await domain.idle();
    expect([...disk.texts.keys()]).toContain("bob/offline");
    domain.removeAccount("bob");
    await domain.idle();
    expect([...disk.texts.keys()].filter((key) => key.startsWith("bob"))).toEqual([]);
    expect(start(disk).hasAccount("bob")).toBe(false);
  });

  it("nobody hears of a change before it is kept, and what follows keeps its order", async () => {
    const disk = new Disk();
    const domain = start(disk);
    for (const name of names) domain.register(name, "secret");
    await domain.idle();
    const [alice, bob] = [new Client(domain, "alice", "r"), new Client(domain, "bob", "r")];
    const get = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"; // so they hear of what becomes of it
    for (const client of [alice, bob]) client.send(get, "<presence/>");
    await domain.idle();
    for (const client of [alice, bob]) client.take();
    let release: () => void = () => undefined;
    disk.before = () => new Promise((resolve) => (release = resolve));
    alice.send("<presence type='subscribe' to='bob@localhost'/>");
    bob.send("<message to='alice@localhost/r'><body>later</body></message>");
    await Promise.resolve();
    await Promise.resolve();
    expect([alice.took(), bob.took()]).toEqual([[], []]);
    bob.send("<presence type='subscribed' to='alice@localhost'/>"); // while that is being written
    const first = release;
    disk.before = () => new Promise((resolve) => (release = resolve));
    first();
    await new Promise((resolve) => setImmediate(resolve));
    expect(bob.took()).toContain("presence subscribe alice@localhost");
    const early = alice.took();
    expect(early.join()).toContain("later");
    expect(early.join()).not.toContain("subscribed");
    release();
    await domain.idle();
    expect(alice.took()).toContain("presence subscribed bob@localhost");
  });

  it("a disk that takes nothing is told of and asked again: until then nothing goes out", async () => {
    const disk = new Disk();
    const clock = new SimulatedClock();
    const domain = start(disk, clock);
    logged.length = 0;
    disk.before = () => Promise.reject(new Error("full"));
    domain.register("alice", "secret");
    let heard = false;
    domain.whenKept(() => (heard = true));
    await clock.advance(2_500);
    expect(heard).toBe(false);
    expect(disk.texts.size).toBe(0);
    expect(logged).toEqual(Array(3).fill("accounts have changed, and that is not kept: nothing goes out until it is"));
    domain.setPassword("alice", "another"); // what is written is what is so by then
    disk.before = () => Promise.resolve();
    await clock.advance(1_000);
    await domain.idle();
    expect(heard).toBe(true);
    expect(start(disk).checkPassword("alice", "another")).toBe(true);
  });

  it("a domain ends although its disk takes nothing", async () => {
    const disk = new Disk();
    const clock = new SimulatedClock();
    const domain = start(disk, clock);
    disk.before = () => Promise.reject(new Error("full"));
    domain.register("alice", "secret");
    await clock.advance(500);
    const ended = domain.end();
    await clock.advance(1_000);
    await ended;
    expect(disk.writes).toBe(2);
  });

  it("what cannot have been kept so is refused", async () => {
    const disk = new Disk();
    const domain = start(disk);
    domain.register("alice", "secret");
    await domain.idle();
    const text = disk.texts.get("alice") ?? "";
    disk.texts.clear();
    disk.texts.set("nobody/offline", "[]");
    expect(() => start(disk)).toThrow(StorageError);
    disk.texts.clear();
    disk.texts.set("a@b", text);
    expect(() => start(disk)).toThrow(StorageError);
  });
});
