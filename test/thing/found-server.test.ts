// A Thing without a server in its options: XEP-0347 3.1 to 3.4, 6.2. Servers on loopback, announced by the test itself.
import { afterEach, describe, expect, it } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { connect } from "../../src/connection/connect.ts";
import { serverDocument } from "../../src/discovery/cached.ts";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { MakeLink } from "../../src/thing/link.ts";
import { linkSeam } from "../../src/thing/link.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { savedDocument, type Saved } from "../../src/thing/saved.ts";
import { Thing } from "../../src/thing/thing.ts";
import { makeAuthority, makeCertificate } from "../support/certificates.ts";
import { crashSeed, crashStates, processesOf, recordRun } from "../support/crash-fs.ts";
import { FakeServer, HEADER, REGISTER, features, mechanisms, serverContext } from "../support/fake-server.ts";
import { Announcements, announced, onlyBy } from "../support/finders.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function sandboxOf(domain: string, port = 0): Promise<Sandbox> {
  const sandbox = await startSandbox({ domain, port });
  cleanups.push(() => sandbox.stop());
  return sandbox;
}

interface Told {
  readonly thing: Thing;
  /** What became of the link, in words, without what was said before. */
  readonly links: string[];
  readonly faults: string[];
  readonly healed: string[];
}

async function started(options: Omit<ThingOptions, "tags">): Promise<Told> {
  const thing = new Thing({ tags: { SN: "1", MAN: "example.org" }, ...options });
  const told: Told = { thing, links: [], faults: [], healed: [] };
  thing.on("state", ({ link }, before) => {
    if (link !== before.link && link.is !== told.links.at(-1)) told.links.push(link.is);
  });
  thing.on("fault", ({ code, message }) => told.faults.push(`${code}: ${message}`));
  thing.on("healed", (code) => told.healed.push(code));
  cleanups.push(() => thing.stop());
  await thing.start();
  return told;
}

/** What a Thing has kept; it must be stopped. */
async function kept(storage: Storage): Promise<Saved> {
  await storage.open();
  const { value } = await savedDocument(storage).load();
  await storage.close();
  if (value === undefined) throw new Error("nothing was kept");
  return value;
}

/** The domain of the server that is kept as the one that worked last. */
async function workedLast(storage: Storage): Promise<string | undefined> {
  return (await serverDocument(storage).load()).value?.domain;
}

async function claim(thing: Thing, { service, domain, ca }: Sandbox): Promise<void> {
  await using owner = await connect({
    ...{ service, domain, username: "owner", password: "secret", register: true, tls: { ca } },
  });
  await new OwnerClient(owner).claim(thing.claimText);
  await thing.waitFor("claimed", { timeout: 10_000 });
}

const WAIT = { timeout: 15_000 };

describe("a Thing of which nothing is configured but its tags", () => {
  it("D-3.1-1, D-3.1-2, D-3.3-1, D-3.4-2: finds a server, makes an account, is registered and claimed", async () => {
    const sandbox = await sandboxOf("home.localhost");
    const finder = new Announcements(announced(sandbox.service, sandbox.domain));
    const { thing, links, faults } = await started({
      ...{ storage: memoryStorage(), server: onlyBy(finder), tls: { ca: sandbox.ca } },
    });
    await thing.waitFor("registered", WAIT);
    expect(thing.jid).toMatch(/^thing-[0-9a-f]{16}@home\.localhost\//);
    expect(links).toEqual(["discovering", "connecting", "online"]);
    await claim(thing, sandbox);
    expect(faults).toEqual([]);
  });

  it("D-3.4-3: goes on to the next server when one makes no account; each learns only what is its own", async () => {
    const authority = makeAuthority();
    const REFUSE =
      "<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>solve the captcha</text></error>";
    const certificate = makeCertificate(authority, { dns: ["refusing.localhost"] });
    const refusing = await FakeServer.start(async (connection) => {
      await connection.upToTls(serverContext(certificate));
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1"), REGISTER));
      await connection.read(/<auth /);
      connection.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
      const [, get = ""] = await connection.read(
        /<iq [^>]*id="([^"]*)"[^>]*><query xmlns="jabber:iq:register"\/><\/iq>/,
      );
      connection.send(
        `<iq type='result' id='${get}'><query xmlns='jabber:iq:register'><username/><password/></query></iq>`,
      );
      const [, set = ""] = await connection.read(/<iq [^>]*id="([^"]*)"[^>]*>/);
      connection.send(`<iq type='error' id='${set}'>${REFUSE}</iq>`);
    });
    cleanups.push(() => refusing.close());
    const sandbox = await sandboxOf("home.localhost");
    const storage = memoryStorage();
    const { thing, links } = await started({
      storage,
      server: onlyBy(
        new Announcements(
          announced(`xmpp://127.0.0.1:${refusing.port}`, "refusing.localhost", { preference: 0 }),
          announced(sandbox.service, sandbox.domain, { preference: 1 }),
        ),
      ),
      tls: { ca: [authority.cert, sandbox.ca] },
    });
    await thing.waitFor("registered", WAIT);
    expect(links).toEqual(["discovering", "connecting", "online"]);
    await thing.stop();
    const { accounts } = await kept(storage);
    expect(accounts.map(({ domain, pending }) => [domain, pending])).toEqual([
      ["home.localhost", false],
      ["refusing.localhost", true],
    ]);
    const [home, other] = accounts.map(({ password }) => password);
    // The password that was to be made there did go there, over verified TLS; the one of the other server never.
    expect(refusing.everything).toContain(other);
    expect(refusing.everything).not.toContain(home);
    expect(home).not.toBe(other);
  });

  it("D-E25: sends nothing to a server that does not prove its domain, and takes the next", async () => {
    const authority = makeAuthority();
    const certificate = makeCertificate(authority, { dns: ["liar.localhost"] });
    const liar = await FakeServer.start((connection) => connection.upToTls(serverContext(certificate)));
    cleanups.push(() => liar.close());
    const sandbox = await sandboxOf("home.localhost");
    const { thing, faults } = await started({
      storage: memoryStorage(),
      server: onlyBy(
        new Announcements(
          // Says that it serves the domain of the other one.
          announced(`xmpp://127.0.0.1:${liar.port}`, sandbox.domain, { preference: 0 }),
          announced(sandbox.service, sandbox.domain, { preference: 1 }),
        ),
      ),
      tls: { ca: [authority.cert, sandbox.ca] },
    });
    await thing.waitFor("registered", WAIT);
    expect(thing.jid).toContain("@home.localhost/");
    expect(liar.connections.map(({ secret }) => secret)).toEqual([""]);
    expect(liar.everything).not.toMatch(/auth|register|thing-/);
    expect(faults).toEqual([]);
  });

  it("says what it has tried while there is none, once, and goes on when there is", async () => {
    const sandbox = await sandboxOf("home.localhost");
    const finder = new Announcements();
    const { thing, links, faults, healed } = await started({
      ...{ storage: memoryStorage(), server: onlyBy(finder), tls: { ca: sandbox.ca } },
    });
    await expect.poll(() => finder.searches, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
    expect(faults).toEqual(["discovery: no XMPP server was found (test: found nothing)"]);
    expect(thing.state.link).not.toMatchObject({ is: "online" });
    finder.servers = [announced(sandbox.service, sandbox.domain)];
    await thing.waitFor("online", { timeout: 30_000 });
    expect(healed).toEqual(["discovery"]);
    expect(links.slice(0, 3)).toEqual(["discovering", "waiting", "discovering"]);
    expect(links.slice(-2)).toEqual(["connecting", "online"]);
  }, 60_000);

  it("tells of packets that make no sense, once a search, by number and reason; and when that is over", async () => {
    const sandbox = await sandboxOf("home.localhost");
    const finder = new Announcements(announced(sandbox.service, sandbox.domain));
    finder.nonsense = 1_000;
    const { thing, faults } = await started({
      ...{ storage: memoryStorage(), server: onlyBy(finder), tls: { ca: sandbox.ca } },
    });
    await thing.waitFor("online", WAIT);
    await expect
      .poll(() => faults)
      .toEqual([
        "network-packets: in the search for a server, packets from the network were dropped: test: malformed (1000)",
      ]);
  });

  it("that was accepted by button or reset elsewhere has nothing to take back on another domain", async () => {
    const [one, two] = [await sandboxOf("one.localhost"), await sandboxOf("two.localhost")];
    const finder = new Announcements(announced(one.service, one.domain));
    const storage = memoryStorage();
    const { thing } = await started({ storage, server: onlyBy(finder), tls: { ca: [one.ca, two.ca] } });
    await thing.waitFor("registered", WAIT);
    await thing.stop();
    // The state of a reset that was cut: there is still to be taken back what the Registry of the first domain knows.
    await storage.open();
    const document = savedDocument(storage);
    const { value } = await document.load();
    if (value === undefined) throw new Error("nothing was kept");
    const leaving = { registry: bareJid("discovery.one.localhost"), friends: true };
    await document.save({
      ...value,
      ownership: { is: "unregistered", leaving },
      examining: [bareJid("a@one.localhost")],
    });
    await storage.close();
    await one.stop();
    finder.servers = [announced(two.service, two.domain)];
    const again = await started({ storage, server: onlyBy(finder), tls: { ca: [one.ca, two.ca] } });
    await again.thing.waitFor("registered", WAIT);
    expect(again.thing.state).toMatchObject({
      ownership: { is: "registered", registry: "discovery.two.localhost" },
      examining: [],
      parting: [],
    });
    expect(again.thing.jid).toContain("@two.localhost/");
  });

  it("goes to the server that worked last, without a search, and finds another when that is gone", async () => {
    const home = await sandboxOf("home.localhost");
    const storage = memoryStorage();
    const finder = new Announcements(announced(home.service, home.domain));
    const options = { storage, server: onlyBy(finder), tls: { ca: home.ca } };
    const first = await started(options);
    await first.thing.waitFor("registered", WAIT);
    await first.thing.stop();
    expect(finder.searches).toBe(1);

    const second = await started(options);
    await second.thing.waitFor("online", WAIT);
    expect([finder.searches, second.links]).toEqual([1, ["connecting", "online"]]);
    await second.thing.stop();

    // The same domain from another machine: announced there, and gone from here.
    const { port } = home;
    await home.stop();
    const moved = await sandboxOf("home.localhost");
    expect(moved.port).not.toBe(port);
    finder.servers = [announced(moved.service, moved.domain)];
    const third = await started({ ...options, tls: { ca: moved.ca } });
    await third.thing.waitFor((state) => state.link.is === "connecting" && state.link.port === moved.port, WAIT);
    expect(third.links).toEqual(["connecting", "discovering", "connecting"]);
    await third.thing.stop();
  });
});

describe("D-6.2-1: a Thing that is known on its domain", () => {
  async function claimedAtHome(): Promise<{ home: Sandbox; evil: Sandbox; storage: Storage; finder: Announcements }> {
    const [home, evil] = [await sandboxOf("home.localhost"), await sandboxOf("evil.localhost")];
    const storage = memoryStorage();
    const finder = new Announcements(announced(home.service, home.domain));
    const { thing } = await started({ storage, server: onlyBy(finder), tls: { ca: home.ca } });
    await thing.waitFor("registered", WAIT);
    await claim(thing, home);
    await thing.stop();
    return { home, evil, storage, finder };
  }

  it("is never drawn away, though its server is gone and another one, with a good certificate, is announced", async () => {
    const { home, storage, finder } = await claimedAtHome();
    await home.stop();
    const evil = await FakeServer.start(() => undefined);
    cleanups.push(() => evil.close());
    finder.servers = [announced(`xmpp://127.0.0.1:${evil.port}`, "evil.localhost")];
    const tls = { ca: home.ca };
    const { thing, links } = await started({ storage, server: onlyBy(finder), tls });
    await thing.waitFor((state) => state.link.is === "waiting", WAIT);
    await expect.poll(() => links.filter((link) => link === "waiting").length, { timeout: 25_000 }).toBeGreaterThan(1);
    expect(finder.searches).toBeGreaterThan(1);
    expect(evil.connections).toEqual([]);
    expect(thing.state.ownership).toMatchObject({ is: "claimed" });
    await thing.stop();
    expect((await kept(storage)).accounts.map(({ domain }) => domain)).toEqual(["home.localhost"]);
  }, 60_000);

  it("goes wherever it finds a server after a factory reset, with another account", async () => {
    const { home, evil, storage, finder } = await claimedAtHome();
    const tls = { ca: [home.ca, evil.ca] };
    const { thing } = await started({ storage, server: onlyBy(finder), tls });
    await thing.waitFor("online", WAIT);
    expect(await workedLast(storage)).toBe("home.localhost");
    await thing.reset();
    await thing.stop();
    await storage.open();
    expect(await workedLast(storage)).toBeUndefined();
    await storage.close();
    await home.stop();
    finder.servers = [announced(evil.service, evil.domain)];
    const again = await started({ storage, server: onlyBy(finder), tls });
    await again.thing.waitFor("registered", WAIT);
    expect(again.thing.state.ownership).toEqual({ is: "registered", registry: "discovery.evil.localhost" });
    await again.thing.stop();
    const { accounts } = await kept(storage);
    expect(accounts.map(({ domain }) => domain)).toEqual(["evil.localhost", "home.localhost"]);
    expect(accounts[0]?.password).not.toBe(accounts[1]?.password);
  });

  it("goes to the domain that the options name", async () => {
    const { home, evil, storage, finder } = await claimedAtHome();
    finder.servers = [announced(home.service, home.domain), announced(evil.service, evil.domain)];
    const thing = new Thing({ storage, server: { ...onlyBy(finder), domain: evil.domain }, tls: { ca: evil.ca } });
    await expect(thing.start()).rejects.toThrow(/which belongs to owner@home\.localhost/);
  });
});

describe("a power cut while a Thing finds its server", () => {
  const seed = crashSeed();
  const folder = "/var/lib/thing";
  const offline: MakeLink = () => ({ start: () => undefined, stop: () => Promise.resolve() });

  it(`leaves a Thing that starts, at home once it was registered (seed ${seed})`, { timeout: 120_000 }, async () => {
    const sandbox = await sandboxOf("home.localhost");
    const finder = new Announcements(announced(sandbox.service, sandbox.domain));
    const options = { server: onlyBy(finder), tls: { ca: sandbox.ca } };
    const recording = await recordRun(async (fs) => {
      const { thing } = await started({
        ...options,
        storage: fileStorage(folder, { fs, processes: processesOf("recorded") }),
      });
      await thing.waitFor("registered", WAIT);
      fs.mark("registered");
      await thing.reset();
      fs.mark("reset");
      await thing.waitFor("registered", WAIT);
      await thing.stop();
    });
    let states = 0;
    for (const { fs, marks, description } of crashStates(recording, { seed, statesPerCrash: 4 })) {
      states++;
      const storage = fileStorage(folder, { fs, processes: processesOf(description) });
      const thing = new Thing({ ...options, storage, [linkSeam]: offline } as ThingOptions);
      await thing.start().catch((error: unknown) => {
        throw new Error(`does not start: ${description}`, { cause: error });
      });
      if (marks.length === 1) expect(["registered", "unregistered"], description).toContain(thing.state.ownership.is);
      await thing.stop();
      const { accounts } = await kept(storage);
      if (marks.length > 0) expect(accounts[0]?.domain, description).toBe("home.localhost");
    }
    expect(states).toBeGreaterThan(50);
  });
});
