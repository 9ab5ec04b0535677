import { createSocket, type RemoteInfo } from "node:dgram";
import dnsPacket from "dns-packet";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { systemRandom } from "../../src/core/random.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { FoundServer } from "../../src/discovery/candidate.ts";
import { configured } from "../../src/discovery/configured.ts";
import { systemDns, type Dns, type SrvRecord } from "../../src/discovery/dns.ts";
import type { Search } from "../../src/discovery/finder.ts";
import { inOrder, resolveDomain, type Resolvers } from "../../src/discovery/resolve.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

const TLS = "_xmpps-client._tcp.example.org";
const STARTTLS = "_xmpp-client._tcp.example.org";

type Answer = readonly SrvRecord[] | Error | "silence";

/** DNS as a table; what is not in it has no such records. */
function dnsOf(answers: Readonly<Record<string, Answer>>, asked: string[] = []): Dns {
  return {
    srv(name) {
      asked.push(name);
      const answer = new Map(Object.entries(answers)).get(name) ?? [];
      if (answer === "silence") return new Promise(() => undefined);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
}

const srv = (name: string, port = 5222, priority = 0, weight = 0): SrvRecord => ({ name, port, priority, weight });

interface Searching extends Search {
  readonly clock: SimulatedClock;
  readonly dropped: string[];
  abort(reason: unknown): void;
}

function searching(seed = 1): Searching {
  const controller = new AbortController();
  const dropped: string[] = [];
  return {
    signal: controller.signal,
    clock: new SimulatedClock(),
    random: new SeededRandom(seed),
    logger: silentLogger,
    dropped,
    drop: (why) => void dropped.push(why),
    abort: (reason) => controller.abort(reason),
  };
}

const brief = ({ host, port, directTls }: FoundServer): string => `${host}:${port}${directTls === true ? " tls" : ""}`;

async function resolved(
  answers: Readonly<Record<string, Answer>>,
  search: Search = searching(),
  more: Resolvers = {},
): Promise<readonly string[]> {
  const found = await resolveDomain("example.org", search, { dns: dnsOf(answers), ...more });
  expect(found.every(({ domain }) => domain === "example.org")).toBe(true);
  expect(found.map(({ preference }) => preference)).toEqual(found.map((_, index) => index));
  return found.map(brief);
}

describe("the servers of a domain", () => {
  it("D-3.1-1, D-3.2-2: are those of its SRV records, direct TLS and STARTTLS in one order of priorities (XEP-0368 3)", async () => {
    const answers = {
      [TLS]: [srv("a.example.org", 5223, 20), srv("b.example.org.", 443, 5)],
      [STARTTLS]: [srv("C.Example.net", 5222, 10)],
    };
    expect(await resolved(answers)).toEqual(["b.example.org:443 tls", "c.example.net:5222", "a.example.org:5223 tls"]);
  });

  it("have to prove the domain, whatever host DNS names, and say what was heard", async () => {
    const [found] = await resolveDomain("example.org", searching(), {
      dns: dnsOf({ [STARTTLS]: [srv("mallory.example", 5269, 3, 7)] }),
    });
    expect(found).toEqual({
      host: "mallory.example",
      port: 5269,
      directTls: false,
      domain: "example.org",
      preference: 0,
      heard: "SRV _xmpp-client._tcp.example.org 3 7 5269 mallory.example",
    });
  });

  it("are its own name with the ports of old where there are no SRV records (RFC 6120 3.2.2)", async () => {
    expect(await resolved({})).toEqual(["example.org:5222", "example.org:5223 tls"]);
  });

  it("are its own name too when DNS gives no answer, or fails (RFC 6120 3.2.1)", async () => {
    const failed = new Error("SERVFAIL");
    expect(await resolved({ [TLS]: failed, [STARTTLS]: failed })).toEqual(["example.org:5222", "example.org:5223 tls"]);
    expect(await resolved({ [TLS]: failed, [STARTTLS]: [srv("a.example.org")] })).toEqual(["a.example.org:5222"]);
    const search = searching();
    const late = resolved({ [TLS]: "silence", [STARTTLS]: "silence" }, search);
    await search.clock.advance(5_000);
    expect(await late).toEqual(["example.org:5222", "example.org:5223 tls"]);
  });

  it.each([".", ""])("are none where DNS says %j: there is no such service (RFC 2782)", async (target) => {
    await expect(resolved({ [TLS]: [srv(target, 0)], [STARTTLS]: [srv(target, 0)] })).rejects.toMatchObject({
      code: "ERR_DISCOVERY",
      message: "example.org says by DNS that it has no XMPP service",
    });
    await expect(resolved({ [STARTTLS]: [srv(target, 0)] })).rejects.toThrow("no XMPP service");
    expect(await resolved({ [TLS]: [srv(target, 0)] })).toEqual(["example.org:5222"]);
    expect(await resolved({ [TLS]: [srv("a.example.org", 443)], [STARTTLS]: [srv(target, 0)] })).toEqual([
      "a.example.org:443 tls",
    ]);
    expect(await resolved({ [STARTTLS]: [srv(target, 0), srv("a.example.org")] })).toEqual(["a.example.org:5222"]);
  });

  it("are no hosts that cannot be, which are counted", async () => {
    const search = searching();
    const odd: readonly unknown[] = [
      srv("192.0.2.1"),
      srv("::1"),
      srv("127.1"),
      srv("a b.example"),
      srv("x".repeat(64) + ".example"),
      srv(`${"x.".repeat(130)}example`),
      srv("a..example"),
      srv("a.example", 0),
      srv("a.example", 65_536),
      srv("a.example", 5222, -1),
      srv("a.example", 5222, 0, 0.5),
      { ...srv("a.example"), name: 7 },
      srv("good.example"),
    ];
    expect(await resolved({ [STARTTLS]: odd as readonly SrvRecord[] }, search)).toEqual(["good.example:5222"]);
    expect(search.dropped).toEqual(Array.from({ length: 12 }, () => "malformed"));
    await expect(resolved({ [STARTTLS]: [srv("127.1")] })).rejects.toMatchObject({
      code: "ERR_DISCOVERY",
      message: "the SRV records of example.org name no host that can be used",
    });
  });

  it("are no more than 32 of each kind, however many DNS names", async () => {
    const search = searching();
    const flood = Array.from({ length: 5_000 }, (_, index) => srv(`h${index}.example`));
    expect(await resolved({ [TLS]: flood, [STARTTLS]: flood }, search)).toHaveLength(64);
    expect(search.dropped).toEqual(["too many", "too many"]);
  });

  it("are asked for in the letters of DNS, and no answer is waited for after the end of the search", async () => {
    const asked: string[] = [];
    await resolveDomain("bücher.example", searching(), { dns: dnsOf({}, asked) });
    expect(asked).toEqual(["_xmpps-client._tcp.xn--bcher-kva.example", "_xmpp-client._tcp.xn--bcher-kva.example"]);
    const search = searching();
    const late = resolved({ [TLS]: "silence" }, search);
    search.abort(new Error("enough"));
    await expect(late).rejects.toThrow("enough");
  });

  it.each(["192.0.2.7", "2001:db8::7"])("are %s itself where it is one: nothing is asked", async (domain) => {
    const asked: string[] = [];
    const found = await resolveDomain(domain, searching(), { dns: dnsOf({}, asked) });
    expect(found.map(brief)).toEqual([`${domain}:5222`, `${domain}:5223 tls`]);
    expect(asked).toEqual([]);
  });

  it("with a name that no host can have are none", async () => {
    await expect(resolveDomain("a!b.example", searching())).rejects.toMatchObject({ code: "ERR_DISCOVERY" });
  });
});

describe("a name in .local", () => {
  const lookupLocal = (addresses: readonly string[], asked: string[] = []): Resolvers => ({
    lookupLocal: (host) => {
      asked.push(host);
      return Promise.resolve(addresses);
    },
  });

  it("is asked for by multicast DNS, never by DNS (RFC 6762 3)", async () => {
    const asked: string[] = [];
    const dns: string[] = [];
    const found = await resolveDomain("pronto.local", searching(), {
      dns: dnsOf({}, dns),
      ...lookupLocal(["10.2.1.188", "fe80::1%eth0"], asked),
    });
    expect(found.map(brief)).toEqual([
      "10.2.1.188:5222",
      "fe80::1%eth0:5222",
      "10.2.1.188:5223 tls",
      "fe80::1%eth0:5223 tls",
    ]);
    expect([asked, dns]).toEqual([["pronto.local"], []]);
  });

  it("stays a name for the system where nobody answers, or what is no address", async () => {
    for (const answer of [[], ["not an address"]]) {
      const found = await resolveDomain("pronto.local", searching(), lookupLocal(answer));
      expect(found.map(brief)).toEqual(["pronto.local:5222", "pronto.local:5223 tls"]);
    }
  });

  it("gives at most eight addresses", async () => {
    const many = Array.from({ length: 300 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
    expect(await resolveDomain("pronto.local", searching(), lookupLocal(many))).toHaveLength(16);
  });

  it("may be what an SRV record names", async () => {
    const answers = { [STARTTLS]: [srv("pronto.local", 5222, 1), srv("a.example.org", 5222, 2)] };
    expect(await resolved(answers, searching(), lookupLocal(["10.2.1.188"]))).toEqual([
      "10.2.1.188:5222",
      "a.example.org:5222",
    ]);
  });
});

describe("a name of this very machine", () => {
  it.each(["localhost", "home.localhost"])(
    "%s is on loopback, and DNS is never asked for it (RFC 6761 6.3)",
    async (domain) => {
      const asked: string[] = [];
      const found = await resolveDomain(domain, searching(), { dns: dnsOf({}, asked) });
      expect(found.map(brief)).toEqual(["127.0.0.1:5222", "::1:5222", "127.0.0.1:5223 tls", "::1:5223 tls"]);
      expect(found.every((server) => server.domain === domain)).toBe(true);
      expect(asked).toEqual([]);
    },
  );
});

describe("the order of SRV records", () => {
  it("is by priority, each record once, whatever the draw (property)", () => {
    const record = fc.record({
      name: fc.constantFrom("a", "b", "c", "d"),
      port: fc.nat({ max: 65_535 }),
      priority: fc.nat({ max: 3 }),
      weight: fc.oneof(fc.constant(0), fc.nat({ max: 65_535 })),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), fc.integer(), (records, seed) => {
        const ordered = inOrder(records, new SeededRandom(seed));
        expect([...ordered].sort(byText)).toEqual([...records].sort(byText));
        const priorities = ordered.map(({ priority }) => priority);
        expect(priorities).toEqual([...priorities].sort((a, b) => a - b));
      }),
    );
  });

  it("draws by weight: three in four for the weight 75 beside 25, seldom for 0, evenly where nobody weighs anything", () => {
    const random = new SeededRandom(7);
    const first = (weights: readonly number[]): readonly number[] => {
      const counts = weights.map(() => 0);
      const records = weights.map((weight, index) => srv(`h${index}`, 1, 0, weight));
      for (let round = 0; round < 4_000; round++) {
        const index = Number(inOrder(records, random)[0]?.name.slice(1));
        counts[index] = (counts[index] ?? 0) + 1;
      }
      return counts.map((count) => count / 4_000);
    };
    const near = (share: number): unknown => expect.closeTo(share, 1);
    expect(first([25, 75])).toEqual([near(0.25), near(0.75)]);
    expect(first([0, 99])).toEqual([near(0.01), near(0.99)]);
    expect(first([0, 0, 0, 0])).toEqual([near(0.25), near(0.25), near(0.25), near(0.25)]);
  });
});

function byText(a: SrvRecord, b: SrvRecord): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

describe("the finder of the configured domain", () => {
  it("yields its servers, most trusted of all", async () => {
    const finder = configured("example.org", { dns: dnsOf({ [TLS]: [srv("a.example.org", 443)] }) });
    const found: FoundServer[] = [];
    for await (const server of finder.find(searching())) found.push(server);
    expect(found.map(brief)).toEqual(["a.example.org:443 tls"]);
    expect([finder.name, finder.rank]).toEqual(["configured", 0]);
  });
});

describe("the system's DNS", () => {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  /** A DNS server on loopback. */
  async function serving(answer: (name: string, id: number) => dnsPacket.Packet | undefined): Promise<string> {
    const socket = createSocket("udp4", (message: Buffer, { port, address }: RemoteInfo) => {
      const { id = 0, questions = [] } = dnsPacket.decode(message);
      const reply = answer(questions[0]?.name ?? "", id);
      if (reply !== undefined) socket.send(new Uint8Array(dnsPacket.encode(reply)), port, address);
    });
    closing.push(() => new Promise<void>((resolve) => socket.close(resolve)));
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    return `127.0.0.1:${socket.address().port}`;
  }

  const reply = (name: string, id: number, more: Partial<dnsPacket.Packet>): dnsPacket.Packet => ({
    type: "response",
    id,
    questions: [{ name, type: "SRV", class: "IN" }],
    ...more,
  });

  it("gives SRV records, and none for a name that has none", async () => {
    const data = { target: "a.example.org", port: 443, priority: 1, weight: 2 };
    const server = await serving((name, id) => {
      if (name === TLS) return reply(name, id, { answers: [{ type: "SRV", name, data }] });
      return reply(name, id, name === STARTTLS ? {} : { flags: 3 }); // 3: no such name
    });
    const dns = systemDns([server]);
    const { signal } = new AbortController();
    expect(await dns.srv(TLS, signal)).toEqual([{ name: "a.example.org", port: 443, priority: 1, weight: 2 }]);
    expect(await dns.srv(STARTTLS, signal)).toEqual([]);
    expect(await dns.srv("nowhere.example", signal)).toEqual([]);
  });

  it("gives the target of a service that is not there as empty, or as a dot", async () => {
    const data = { target: ".", port: 0, priority: 0, weight: 0 };
    const server = await serving((name, id) => reply(name, id, { answers: [{ type: "SRV", name, data }] }));
    const search = { ...searching(), random: systemRandom };
    await expect(resolveDomain("example.org", search, { dns: systemDns([server]) })).rejects.toThrow("no XMPP service");
  });

  it("fails when the server does, and ends with the signal", async () => {
    const server = await serving((name, id) => reply(name, id, { flags: 2 })); // 2: server failure
    await expect(systemDns([server]).srv(TLS, new AbortController().signal)).rejects.toThrow(/SERVFAIL/);
    const silent = await serving(() => undefined);
    const controller = new AbortController();
    const answer = systemDns([silent]).srv(TLS, controller.signal);
    controller.abort(new Error("enough"));
    await expect(answer).rejects.toThrow("enough");
    await expect(systemDns([silent]).srv(TLS, controller.signal)).rejects.toThrow("enough");
  });
});
