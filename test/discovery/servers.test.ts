// Which servers a Thing tries, in which order (XEP-0347 3.4).
import { describe, expect, it } from "vitest";
import { silentLogger } from "../../src/core/logger.ts";
import { CachedServer, parseSavedServer, serverDocument } from "../../src/discovery/cached.ts";
import { rank, type FoundServer, type ServerCandidate } from "../../src/discovery/candidate.ts";
import type { Finder, Search } from "../../src/discovery/finder.ts";
import { checkDiscovery } from "../../src/discovery/options.ts";
import { FoundServers, type FoundServersOptions } from "../../src/discovery/servers.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { failingStorage, type FailingStorage } from "../support/failing-storage.ts";

const server = (host: string, more: Partial<FoundServer> = {}): FoundServer => ({
  ...{ host, port: 5222, domain: "example.org", heard: "said so" },
  ...more,
});

/** A finder that says things when the test wants it to, and listens until it is told to stop. */
class Scripted implements Finder {
  searches = 0;
  open = 0;
  #queue: (FoundServer | "end" | Error)[] = [];
  #wake: () => void = () => undefined;
  search: Search | undefined;

  constructor(
    readonly name: string,
    readonly rank?: number,
  ) {}

  say(...what: (FoundServer | "end" | Error)[]): this {
    this.#queue.push(...what);
    this.#wake();
    return this;
  }

  async *find(search: Search): AsyncGenerator<FoundServer, void> {
    this.searches++;
    this.open++;
    this.search = search;
    search.signal.addEventListener("abort", () => this.#wake());
    try {
      while (!search.signal.aborted) {
        const next = this.#queue.shift();
        if (next === "end") return;
        if (next instanceof Error) throw next;
        if (next !== undefined) yield next;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.open--;
    }
  }
}

const finderOf = (name: string, finderRank: number | undefined, ...found: FoundServer[]): Finder =>
  new Scripted(name, finderRank).say(...found, "end");

interface Setting {
  readonly servers: FoundServers;
  readonly clock: SimulatedClock;
  readonly storage: FailingStorage;
  readonly cached: CachedServer;
  readonly dropped: Map<string, number>[];
  searching: number;
}

async function setting(
  finders: readonly Finder[],
  more: Partial<FoundServersOptions> & { storage?: FailingStorage; seed?: string } = {},
): Promise<Setting> {
  const { storage = await failingStorage(), seed = "servers", ...options } = more;
  const clock = new SimulatedClock();
  const cached = new CachedServer({ storage, logger: silentLogger });
  await cached.load();
  const dropped: Map<string, number>[] = [];
  const parts: Setting = {
    ...{ clock, storage, cached, dropped, searching: 0 },
    servers: new FoundServers({
      settings: checkDiscovery({}),
      cached,
      onlyDomain: () => undefined,
      onSearching: () => parts.searching++,
      onDropped: (what) => dropped.push(new Map(what)),
      finders: () => finders,
      ...{ clock, random: new SeededRandom(seed), logger: silentLogger },
      ...options,
    }),
  };
  return parts;
}

/** A round in which nobody works: whom it tries, in order. Time passes as fast as it is needed. */
async function round({ servers, clock }: Setting, works?: string): Promise<string[]> {
  const hosts: string[] = [];
  const iterator = servers.addresses()[Symbol.asyncIterator]();
  for (;;) {
    const next = await soon(iterator.next(), clock);
    if (next.done === true) return hosts;
    const { host } = next.value;
    hosts.push(host);
    servers.tried(next.value, host === works);
    if (host !== works) continue;
    await iterator.return?.();
    return hosts;
  }
}

async function soon<T>(promise: Promise<T>, clock: SimulatedClock): Promise<T> {
  let settled = false;
  const done = (): void => void (settled = true);
  promise.then(done, done);
  for (let i = 0; i < 200 && !settled; i++) await clock.advance(settledAfter);
  return promise;
}
const settledAfter = 100;

describe("the servers to try", () => {
  it("D-3.4-1: come by rank, whoever was faster; within a rank by preference", async () => {
    const finders = [
      finderOf("dhcp", rank.dhcpSiteSpecific, server("d.example")),
      finderOf("mdns", rank.mdns, server("m2.example", { preference: 2 }), server("m1.example", { preference: 1 })),
      finderOf("configured", rank.configured, server("c.example")),
      finderOf("own", undefined, server("o.example")),
    ];
    expect(await round(await setting(finders))).toEqual([
      "c.example",
      "o.example",
      "m1.example",
      "m2.example",
      "d.example",
    ]);
  });

  it("are not put behind others by a liar who names them last", async () => {
    const finder = new Scripted("mdns", rank.mdns).say(
      server("liar.example", { preference: 1 }),
      server("true.example", { preference: 7 }),
      server("true.example", { preference: 0 }),
      server("true.example", { preference: 5 }),
      "end",
    );
    expect(await round(await setting([finder]))).toEqual(["true.example", "liar.example"]);
  });

  it("come at random among equals: a liar does not win by being first", async () => {
    const firsts = new Set<string | undefined>();
    for (let seed = 0; seed < 20; seed++) {
      const finder = finderOf("mdns", rank.mdns, server("liar.example"), server("true.example"));
      firsts.add((await round(await setting([finder], { seed: `${seed}` })))[0]);
    }
    expect([...firsts].sort()).toEqual(["liar.example", "true.example"]);
  });

  it("wait two seconds, from the first that is heard, for finders that may hear of somebody as trusted", async () => {
    const [mdns, dhcp] = [new Scripted("mdns", rank.mdns), new Scripted("dhcp", rank.dhcp)];
    const parts = await setting([mdns, dhcp]);
    const iterator = parts.servers.addresses()[Symbol.asyncIterator]();
    let given: string | undefined;
    const next = iterator.next().then(({ value }) => (given = (value as ServerCandidate | undefined)?.host));
    await parts.clock.advance(5_000);
    dhcp.say(server("d.example"), "end");
    await parts.clock.advance(1_999);
    expect(given).toBeUndefined();
    mdns.say(server("m.example"));
    await parts.clock.advance(0);
    expect(given).toBeUndefined(); // and others that are announced in the same way
    await parts.clock.advance(1);
    await next;
    expect(given).toBe("m.example");
    expect((await iterator.next()).value).toMatchObject({ host: "d.example" });
    await iterator.return?.();
    expect([mdns.open, dhcp.open]).toEqual([0, 0]);
    expect(parts.clock.pending).toBe(0);
  });

  it("do not wait when nobody is left who might know better", async () => {
    const listening = new Scripted("dhcp", rank.dhcp);
    const parts = await setting([finderOf("configured", rank.configured, server("c.example")), listening]);
    const iterator = parts.servers.addresses()[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toMatchObject({ host: "c.example" });
    expect(parts.clock.monotonic()).toBe(0);
    await iterator.return?.();
  });

  it("are each tried once a round, though several finders know them; what all of them hint at counts", async () => {
    const hinting = (...registries: string[]) => server("a.example", { registries, provisioning: ["p.example.org"] });
    const parts = await setting([
      finderOf("dhcp", rank.dhcp, hinting("x.example.org", "y.example.org")),
      finderOf("mdns", rank.mdns, hinting("y.example.org", "z.example.org")),
    ]);
    expect(parts.servers.hints).toEqual({ registries: [], provisioning: [] });
    expect(await round(parts, "a.example")).toEqual(["a.example"]);
    expect(parts.servers.hints).toMatchObject({
      registries: ["y.example.org", "z.example.org", "x.example.org"],
      provisioning: ["p.example.org"],
      finder: "mdns",
    });
  });

  it("go on coming while others are tried", async () => {
    const mdns = new Scripted("mdns", rank.mdns).say(server("a.example"));
    const parts = await setting([mdns]);
    const iterator = parts.servers.addresses()[Symbol.asyncIterator]();
    expect((await soon(iterator.next(), parts.clock)).value).toMatchObject({ host: "a.example" });
    mdns.say(server("b.example"), server("a.example"), "end");
    await parts.clock.advance(0);
    expect((await iterator.next()).value).toMatchObject({ host: "b.example" });
    expect((await iterator.next()).done).toBe(true);
  });

  it("tell that they are searched for, only when there is nobody to try meanwhile", async () => {
    const parts = await setting([finderOf("own", undefined, server("a.example"), server("b.example"))]);
    await round(parts);
    expect(parts.searching).toBe(1);
  });

  it("end at once when the round is broken off, also in the middle of a search", async () => {
    const mdns = new Scripted("mdns", rank.mdns);
    const parts = await setting([mdns]);
    const iterator = parts.servers.addresses()[Symbol.asyncIterator]();
    const next = iterator.next().catch((error: unknown) => error);
    await parts.clock.advance(10);
    expect(mdns.open).toBe(1);
    await iterator.return?.();
    expect(await next).toMatchObject({ code: "ERR_DISCOVERY" });
    await parts.clock.advance(0);
    expect([mdns.open, parts.clock.pending]).toEqual([0, 0]);
  });
});

describe("nothing found", () => {
  it("D-3.3-1: is an error that lists every method and what came of it", async () => {
    const parts = await setting([
      new Scripted("mdns", rank.mdns),
      new Scripted("dhcp", rank.dhcp).say(new Error("no interface")),
      finderOf("own", undefined),
    ]);
    await expect(round(parts)).rejects.toMatchObject({
      code: "ERR_DISCOVERY",
      message: "no XMPP server was found (mdns: heard nothing within 10000 ms; dhcp: no interface; own: found nothing)",
    });
  });

  it("is said too when there is no way to search", async () => {
    await expect(round(await setting([]))).rejects.toThrow(
      "no XMPP server was found (no way to search is switched on)",
    );
  });
});

describe("a domain that alone counts", () => {
  it("D-6.2-1: has servers of others passed over, and is asked for by name", async () => {
    const asked: (string | undefined)[] = [];
    const options = {
      onlyDomain: () => "example.org",
      finders: ({ domain }: { domain: string | undefined }) => {
        asked.push(domain);
        return [finderOf("mdns", rank.mdns, server("evil.example", { domain: "evil.example" }), server("a.example"))];
      },
    };
    expect(await round(await setting([], options))).toEqual(["a.example"]);
    expect(asked).toEqual(["example.org"]);
    const evil = finderOf("mdns", rank.mdns, server("evil.example", { domain: "evil.example" }));
    await expect(round(await setting([], { ...options, finders: () => [evil] }))).rejects.toThrow(
      "no XMPP server was found (mdns: heard only of other domains than example.org: evil.example)",
    );
  });

  it("is asked of anew for each round: a Thing that was registered meanwhile stays", async () => {
    const only: { domain?: string } = {};
    const found = [server("a.example"), server("b.example", { domain: "b.example" })];
    const parts = await setting([], {
      onlyDomain: () => only.domain,
      finders: () => [finderOf("mdns", rank.mdns, ...found)],
    });
    expect((await round(parts)).sort()).toEqual(["a.example", "b.example"]);
    only.domain = "example.org";
    expect(await round(parts)).toEqual(["a.example"]);
  });
});

describe("the server that worked last", () => {
  const finders = (...hosts: string[]) => ({
    finders: () => [
      finderOf(
        "mdns",
        rank.mdns,
        ...hosts.map((host, preference) => server(host, { preference, registries: [`r.${host}`] })),
      ),
    ],
  });

  it("is tried first at the next start, without a search; with the hints that it came with", async () => {
    const first = await setting([], finders("a.example", "b.example"));
    expect(await round(first, "b.example")).toEqual(["a.example", "b.example"]);
    await first.cached.idle();
    const next = await setting([], { ...finders("a.example", "b.example"), storage: first.storage });
    expect(await round(next, "b.example")).toEqual(["b.example"]);
    expect(next.searching).toBe(0);
    expect(next.servers.hints).toMatchObject({ registries: ["r.b.example"], finder: "cached", rank: rank.cached });
  });

  it("is the last resort once it did not work, and the first again when it does", async () => {
    const parts = await setting([], finders("a.example"));
    await round(parts, "a.example");
    expect(await round(parts)).toEqual(["a.example"]); // it fails; the search names it too, and it is not tried twice
    const gone = await setting([], { ...finders("b.example"), storage: parts.storage });
    expect(await round(gone)).toEqual(["a.example", "b.example"]);
    expect(await round(gone)).toEqual(["b.example", "a.example"]);
    expect(await round(gone, "a.example")).toEqual(["b.example", "a.example"]);
    expect(await round(gone)).toEqual(["a.example", "b.example"]);
  });

  it("comes after what DNS says of a configured domain, unless that is how it was found: whoever announced it may be on the way", async () => {
    const settings = checkDiscovery({ domain: "example.org" });
    const heard = await setting([finderOf("mdns", rank.mdns, server("relay.example"))], { settings });
    expect(await round(heard, "relay.example")).toEqual(["relay.example"]);
    await heard.cached.idle();
    const { storage } = heard;
    const byDns = () => (): readonly Finder[] => [finderOf("configured", rank.configured, server("true.example"))];
    const next = await setting([], { settings, storage, finders: byDns() });
    expect(await round(next, "true.example")).toEqual(["true.example"]);
    await next.cached.idle();
    const last = await setting([], { settings, storage, finders: byDns() });
    expect(await round(last, "true.example")).toEqual(["true.example"]);
    expect(last.searching).toBe(0);
  });

  it("is tried, at last, also when nothing else is found: that is no failure of the search", async () => {
    const parts = await setting([], finders("a.example"));
    await round(parts, "a.example");
    const alone = await setting([finderOf("mdns", rank.mdns)], { storage: parts.storage });
    expect(await round(alone)).toEqual(["a.example"]);
    expect(await round(alone)).toEqual(["a.example"]);
  });

  it("gives its place to another one that works", async () => {
    const parts = await setting([], finders("a.example", "b.example"));
    await round(parts, "a.example");
    expect(await round(parts, "b.example")).toEqual(["a.example", "b.example"]);
    expect(await round(parts, "b.example")).toEqual(["b.example"]);
  });

  it("is passed over when another domain counts", async () => {
    const parts = await setting([], finders("a.example"));
    await round(parts, "a.example");
    const elsewhere = await setting([finderOf("mdns", rank.mdns)], {
      storage: parts.storage,
      onlyDomain: () => "example.net",
    });
    await expect(round(elsewhere)).rejects.toMatchObject({ code: "ERR_DISCOVERY" });
  });

  it("is written only when it changes: SD cards wear out", async () => {
    const parts = await setting([], finders("a.example", "b.example"));
    for (let i = 0; i < 10; i++) await round(parts, "a.example");
    await parts.cached.idle();
    expect(parts.storage.done).toEqual(["replace server"]);
    const next = await setting([], { ...finders("a.example"), storage: parts.storage });
    for (let i = 0; i < 10; i++) await round(next, i % 2 === 0 ? "a.example" : undefined);
    await next.cached.idle();
    expect(parts.storage.done).toEqual(["replace server"]);
    // Found by another finder it is the same one.
    const dhcp = finderOf("dhcp", rank.dhcp, server("a.example", { registries: ["r.a.example"] }));
    const again = await setting([dhcp], { storage: parts.storage });
    await round(again);
    await round(again, "a.example");
    await again.cached.idle();
    expect(parts.storage.done).toEqual(["replace server"]);
  });

  it("is forgotten at a factory reset, on disk too", async () => {
    const parts = await setting([], finders("a.example"));
    await round(parts, "a.example");
    await parts.cached.forget();
    expect(parts.cached.server).toBeUndefined();
    expect((await serverDocument(parts.storage).load()).value).toBeNull();
    const next = await setting([finderOf("mdns", rank.mdns)], { storage: parts.storage });
    await expect(round(next)).rejects.toMatchObject({ code: "ERR_DISCOVERY" });
  });

  it("is searched for anew when what was kept is damaged, and kept in memory when the disk is full", async () => {
    const parts = await setting([], finders("a.example"));
    await parts.storage.replace("server", new Uint8Array([1, 2, 3]));
    const damaged = await setting([], { ...finders("b.example"), storage: parts.storage });
    damaged.storage.failing.add("replace");
    expect(await round(damaged, "b.example")).toEqual(["b.example"]);
    expect(await round(damaged, "b.example")).toEqual(["b.example"]);
    await damaged.cached.forget();
    expect(damaged.cached.server).toBeUndefined();
  });

  it("is no word of somebody else's address: only what was offered counts", async () => {
    const parts = await setting([], finders("a.example"));
    parts.servers.tried({ host: "x.example", port: 5222, domain: "x.example" }, true);
    expect([parts.cached.server, parts.servers.hints]).toEqual([undefined, { registries: [], provisioning: [] }]);
  });

  it.each([
    ["nothing", undefined],
    ["a text", "x"],
    ["no host", { port: 5222, domain: "a.b", finder: "mdns" }],
    ["no domain", { host: "a.b", port: 5222, finder: "mdns" }],
    ["a port that is none", { host: "a.b", port: 0, domain: "a.b", finder: "mdns" }],
    ["no finder", { host: "a.b", port: 5222, domain: "a.b" }],
    ["an empty finder", { host: "a.b", port: 5222, domain: "a.b", finder: "" }],
  ])("is damaged if it is %s", (_, value) => {
    expect(() => parseSavedServer(value)).toThrow(TypeError);
  });

  it("is read as it was kept", () => {
    const saved = {
      ...{ host: "10.0.0.1", port: 5223, directTls: true, domain: "example.org", finder: "mdns" },
      ...{ registries: ["registry.example.org"], provisioning: ["p@example.org"] },
    };
    expect(parseSavedServer(JSON.parse(JSON.stringify(saved)))).toEqual(saved);
    expect(parseSavedServer(null)).toBeNull();
  });
});

describe("packets that were not taken", () => {
  it("are counted by finder and reason, and told once a search", async () => {
    const mdns = new Scripted("mdns", rank.mdns);
    const parts = await setting([mdns, finderOf("dhcp", rank.dhcp)]);
    const outcome = round(parts).catch((error: unknown) => error);
    await parts.clock.advance(0);
    for (let i = 0; i < 1_000; i++) mdns.search?.drop("malformed");
    mdns.search?.drop("too long");
    await outcome;
    expect(parts.dropped).toEqual([
      new Map([
        ["mdns: malformed", 1_000],
        ["mdns: too long", 1],
      ]),
    ]);
  });

  it("fill no memory with reasons", async () => {
    const mdns = new Scripted("mdns", rank.mdns);
    const parts = await setting([mdns]);
    const outcome = round(parts).catch((error: unknown) => error);
    await parts.clock.advance(0);
    for (let i = 0; i < 1_000; i++) mdns.search?.drop(`reason ${i}`);
    await outcome;
    expect(parts.dropped[0]?.size).toBe(16);
  });

  it("are told as none when there were none", async () => {
    const parts = await setting([finderOf("mdns", rank.mdns)]);
    await round(parts).catch(() => undefined);
    expect(parts.dropped).toEqual([new Map()]);
  });
});
