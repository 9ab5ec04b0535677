// The finder as a whole, with a responder on the loopback interface.
import { afterEach, describe, expect, it, test, vi } from "vitest";
import type { FoundServer } from "../../src/discovery/candidate.ts";
import type { Search } from "../../src/discovery/finder.ts";
import { discover } from "../../src/discovery/index.ts";
import { findersOf } from "../../src/discovery/finders.ts";
import { findByMdns } from "../../src/discovery/mdns.ts";
import { checkDiscovery } from "../../src/discovery/options.ts";
import { search as searchFor } from "../../src/discovery/search.ts";
import type { MdnsSettings } from "../../src/discovery/mdns-options.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import {
  announced,
  freePort,
  heardByAll,
  LOOPBACK,
  startResponder,
  testSearch,
  type Responder,
  type Says,
  type TestSearch,
} from "../support/mdns-loopback.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Site {
  readonly settings: MdnsSettings;
  readonly search: TestSearch;
  /** What the finder has found up to now. */
  readonly found: FoundServer[];
  readonly responder: (says?: Says, address?: string) => Promise<Responder>;
  /** Begins to search. */
  readonly begin: () => void;
}

async function site(parts: Partial<Search> = {}): Promise<Site> {
  const settings = { interfaces: [LOOPBACK], port: await freePort() };
  const search = testSearch(parts);
  const found: FoundServer[] = [];
  const run = async (): Promise<void> => {
    for await (const server of findByMdns(settings, search)) found.push(server);
  };
  return {
    settings,
    search,
    found,
    async responder(says, address) {
      const responder = await startResponder(settings.port, says, address);
      closing.push(() => responder.close());
      return responder;
    },
    begin() {
      const ended = run();
      closing.unshift(() => {
        search.stop();
        return ended;
      });
    },
  };
}

// One on the port of multicast DNS, one on its own.
const SOCKETS = 2;
const zeros = { bytes: (count: number) => new Uint8Array(count) };
const domainsOf = (found: readonly FoundServer[]): string[] => found.map(({ domain }) => domain);

describe("the finder by multicast DNS", () => {
  test("D-3.3-1, D-3.3.2-1, D-3.3.2-2: finds a server by its four records", async () => {
    const { responder, begin, found, search } = await site();
    const server = announced();
    const { asked } = await responder(server.says);
    begin();
    await vi.waitFor(() => expect(found).not.toEqual([]), 5_000);
    expect(found).toEqual([
      {
        host: "127.0.0.7",
        port: 5222,
        domain: "example.com",
        preference: 0,
        registries: ["registry@example.com"],
        provisioning: ["provisioning@example.com"],
        heard: '"pronto" at pronto.local:5222, said by 127.0.0.1',
      },
    ]);
    expect(asked).toContain("PTR _xmpp-client._tcp.local");
    expect(search.dropped).toEqual(new Map());
  });

  it("is one of the finders of a search", async () => {
    const { responder, settings } = await site();
    await responder(announced().says);
    for await (const candidate of discover({ dhcp: false, mdns: { ...settings, interfaces: [LOOPBACK] } })) {
      expect(candidate).toMatchObject({ finder: "mdns", rank: 30, domain: "example.com", directTls: false });
      return;
    }
    expect.unreachable();
  });

  test("D-3.3.2-3 to D-3.3.2-6: puts a server together that tells one record an answer, and only when asked", async () => {
    const { responder, begin, found } = await site();
    const { ptr, srv, txt, a } = announced();
    const { asked } = await responder((question) => {
      const record = [ptr, srv, txt, a].find(({ type, name }) => question === `${type} ${name}`);
      return record === undefined ? undefined : { answers: [record] };
    });
    begin();
    await vi.waitFor(() => expect(domainsOf(found)).toEqual(["example.com"]), 10_000);
    expect(new Set(asked)).toEqual(
      new Set([
        "PTR _xmpp-client._tcp.local",
        "SRV pronto._xmpp-client._tcp.local",
        "TXT pronto._xmpp-client._tcp.local",
        "A pronto.local",
        "AAAA pronto.local",
      ]),
    );
  });

  it("hears servers that announce themselves without being asked", async () => {
    const { responder, begin, found } = await site();
    const { asked, say } = await responder();
    begin();
    await vi.waitFor(() => expect(asked).not.toEqual([]));
    const { ptr, srv, txt, a } = announced();
    await say([ptr], [srv, txt, a]);
    await vi.waitFor(() => expect(domainsOf(found)).toEqual(["example.com"]));
  });

  it("finds instances with dots in their names, which cannot be asked for by themselves", async () => {
    const { responder, begin, found } = await site();
    const { asked } = await responder(announced({ instance: "Dev 1.2 Küche" }).says);
    begin();
    await vi.waitFor(() => expect(found[0]?.heard).toContain('"Dev 1.2 Küche" at pronto.local'));
    expect(asked.filter((question) => !question.startsWith("PTR"))).toEqual([]);
  });

  it("finds several servers, each once", async () => {
    const { responder, begin, found } = await site();
    const names = ["one", "two", "three"];
    for (const name of names) {
      const server = announced({ instance: name, host: `${name}.local`, txt: [`ordom=${name}.example`] });
      await responder(server.says);
    }
    begin();
    await vi.waitFor(() => expect(found).toHaveLength(3), 5_000);
    expect(domainsOf(found).sort()).toEqual(["one.example", "three.example", "two.example"]);
  });

  it("finds a server that comes later, by asking again after 1 s, 2 s and 4 s", async () => {
    const clock = new SimulatedClock();
    const { responder, begin, found, settings } = await site({ clock, random: zeros });
    const { asked } = await responder();
    begin();
    const rounds = (): number => asked.filter((question) => question.startsWith("PTR")).length / SOCKETS;
    for (const [before, at] of [20, 1_020, 3_020, 7_020].entries()) {
      await clock.advance(at - 1 - clock.monotonic());
      await heardByAll(settings.port);
      expect(rounds()).toBe(before);
      if (at === 7_020) await responder(announced().says);
      await clock.advance(1);
      await vi.waitFor(() => expect(rounds()).toBe(before + 1));
    }
    await vi.waitFor(() => expect(domainsOf(found)).toEqual(["example.com"]));
  });

  it("does not ask to be told again what it knows, but on its own port", async () => {
    const clock = new SimulatedClock();
    const { responder, begin, found, settings } = await site({ clock, random: zeros });
    const { dns } = await responder(announced().says);
    const known: [port: boolean, answers: unknown][] = [];
    dns.on("query", ({ answers }, { port }) => known.push([port === settings.port, answers]));
    begin();
    await clock.advance(20);
    await vi.waitFor(() => expect(found).toHaveLength(1));
    expect(known.map(([, answers]) => answers)).toEqual([[], []]);
    await clock.advance(1_000);
    await vi.waitFor(() => expect(known).toHaveLength(4));
    const pointer = { type: "PTR", name: "_xmpp-client._tcp.local", data: "pronto._xmpp-client._tcp.local" };
    expect(known).toContainEqual([true, [expect.objectContaining(pointer)]]);
    expect(known.filter(([shared]) => !shared)).toEqual(Array.from({ length: 2 }, () => [false, []]));
  });
});

describe("what the finder does without a TXT record", () => {
  it("takes the host of the SRV record for the domain, after a moment", async () => {
    const clock = new SimulatedClock();
    const { responder, begin, found, settings } = await site({ clock, random: zeros });
    const { ptr, srv, a } = announced();
    const { asked, say } = await responder();
    begin();
    await clock.advance(20);
    await vi.waitFor(() => expect(asked).toHaveLength(SOCKETS));
    await say([ptr, srv, a]);
    await heardByAll(settings.port);
    await clock.advance(499);
    await heardByAll(settings.port);
    expect(found).toEqual([]);
    await clock.advance(11);
    await vi.waitFor(() => expect(domainsOf(found)).toEqual(["pronto.local"]));
    expect(asked).toContain("TXT pronto._xmpp-client._tcp.local");
  });

  test("D-3.3.2-7: likewise when it says nothing, at once; user names are of that domain then", async () => {
    const { responder, begin, found } = await site();
    await responder(announced({ txt: [""] }).says);
    await responder(announced({ instance: "b", host: "b.local", txt: ["ordom=10.0.0.1", "regis=r"] }).says);
    begin();
    await vi.waitFor(() => expect(domainsOf(found).sort()).toEqual(["b.local", "pronto.local"]), 5_000);
    expect(found.find(({ domain }) => domain === "b.local")?.registries).toEqual(["r@b.local"]);
  });
});

describe("a server that goes", () => {
  it("is forgotten when it says so before it was complete", async () => {
    const { responder, begin, found, settings } = await site();
    const { ptr, srv, txt, a } = announced();
    const { asked, say } = await responder();
    begin();
    await vi.waitFor(() => expect(asked).toHaveLength(SOCKETS));
    await say([ptr, srv]);
    await say([{ ...ptr, ttl: 0 }]);
    await say([txt, a]);
    const other = announced({ instance: "other", txt: ["ordom=other.example"] });
    await say([other.ptr, other.srv, other.txt, other.a]);
    await heardByAll(settings.port);
    await vi.waitFor(() => expect(domainsOf(found)).toEqual(["other.example"]));
  });
});

describe("somebody who lies", () => {
  test("D-6.9-1: with a thousand servers keeps no true one out, and what is too much is counted", async () => {
    const { responder, begin, found, search, settings } = await site();
    const { says } = announced();
    await responder(says);
    const liar = await responder(undefined, "127.0.0.66");
    begin();
    await vi.waitFor(() => expect(liar.asked).not.toEqual([]));
    for (let i = 0; i < 1_000; i++) {
      const name = `liar${i}`;
      const { ptr, srv, txt, a } = announced({ instance: name, host: `${name}.local`, txt: [`ordom=${name}.example`] });
      await liar.say([ptr, srv, txt, a]);
      if (i % 20 === 0) await heardByAll(settings.port); // a socket keeps no thousand packets
    }
    await heardByAll(settings.port);
    await vi.waitFor(() => expect(domainsOf(found)).toContain("example.com"), 10_000);
    const lies = found.filter(({ domain }) => domain !== "example.com");
    expect(lies).toHaveLength(8);
    expect(lies.every(({ heard }) => heard.endsWith("said by 127.0.0.66"))).toBe(true);
    const [one = 0, records = 0] = ["packets", "records"].map((what) =>
      search.dropped.get(`too many ${what} of one sender`),
    );
    expect(one + records).toBeGreaterThan(900);
    expect(one).toBeGreaterThan(500);
  });

  test("cannot have so much asked that nothing is asked of another", async () => {
    const { responder, begin, found } = await site();
    const { ptr, srv, txt, a } = announced();
    const liar = await responder(undefined, "127.0.0.66");
    begin();
    await vi.waitFor(() => expect(liar.asked).not.toEqual([]));
    // Eight servers on 50 hosts, none of which has an address: a hundred questions.
    for (let i = 0; i < 50; i++) {
      const lie = announced({ instance: `liar${i % 8}`, host: `liar${i}.local`, txt: [] });
      await liar.say([lie.ptr, { ...lie.srv, flush: false }]);
    }
    await vi.waitFor(() => expect(liar.asked.length).toBeGreaterThan(50));
    // One record an answer, and only what is asked for.
    const says: Says = (question) => {
      const record = [ptr, srv, txt, a].find(({ type, name }) => question === `${type} ${name}`);
      return record === undefined ? undefined : { answers: [record] };
    };
    const { say } = await responder(says);
    await say([ptr]);
    await vi.waitFor(() => expect(domainsOf(found)).toContain("example.com"), 10_000);
  });

  test("with many addresses, and before anybody else, does not take the room of the true one", async () => {
    const { responder, settings, search } = await site();
    const liars = await Promise.all(
      Array.from({ length: 10 }, (_, index) => responder(undefined, `127.0.0.${60 + index}`)),
    );
    const found: FoundServer[] = [];
    const [finder] = findersOf(
      checkDiscovery({ dhcp: false, mdns: { interfaces: [LOOPBACK], port: settings.port } }),
    ).filter(({ name }) => name === "mdns");
    const { clock, random, logger } = search;
    const searching = (async () => {
      const { signal } = search;
      const options = { finders: finder === undefined ? [] : [finder], timeout: 20_000, clock, random, logger };
      for await (const server of searchFor({ ...options, signal })) found.push(server);
    })().catch(() => undefined);
    closing.unshift(() => {
      search.stop();
      return searching;
    });
    await vi.waitFor(() => expect(liars.every(({ asked }) => asked.length > 0)).toBe(true), 10_000);
    for (const [at, liar] of liars.entries()) {
      for (let i = 0; i < 8; i++) {
        const name = `liar${at}-${i}`;
        const lie = announced({ instance: name, host: `${name}.local`, txt: [`ordom=${name}.example`] });
        await liar.say([lie.ptr, lie.srv, lie.txt, lie.a]);
      }
    }
    await heardByAll(settings.port);
    await vi.waitFor(() => expect(found.length).toBeGreaterThanOrEqual(48), 10_000);
    const { say } = await responder();
    const { ptr, srv, txt, a } = announced();
    await say([ptr, srv, txt, a]);
    await vi.waitFor(() => expect(domainsOf(found)).toContain("example.com"), 10_000);
    expect(found.find(({ domain }) => domain === "example.com")).toMatchObject({ preference: 0 });
    expect(found.filter(({ preference }) => preference === 0).length).toBeLessThanOrEqual(11);
  });

  test("with eight servers draws no eight lots: the first of each sender come before the second of any", async () => {
    const { responder, begin, found } = await site();
    const { says } = announced();
    await responder(says);
    const liar = await responder(undefined, "127.0.0.66");
    begin();
    await vi.waitFor(() => expect(liar.asked).not.toEqual([]));
    for (let i = 0; i < 8; i++) {
      const name = `liar${i}`;
      const { ptr, srv, txt, a } = announced({ instance: name, host: `${name}.local`, txt: [`ordom=${name}.example`] });
      await liar.say([ptr, srv, txt, a]);
    }
    await vi.waitFor(() => expect(found).toHaveLength(9), 10_000);
    const first = found.filter(({ preference }) => preference === 0).map(({ domain }) => domain);
    expect(first).toHaveLength(2);
    expect(first).toContain("example.com");
  });

  test("D-6.9-1: cannot bend, take back or give another address to what somebody else announces", async () => {
    const { responder, begin, found, settings } = await site();
    const server = announced();
    const { asked, say } = await responder();
    const liar = await responder(undefined, "127.0.0.66");
    begin();
    await vi.waitFor(() => expect(asked).toHaveLength(SOCKETS));
    await say([server.ptr, server.srv]);
    const lie = announced({ port: 666, txt: ["ordom=liar.example"], address: "127.0.0.66" });
    await liar.say([lie.srv, lie.txt, lie.a]);
    await liar.say([server.ptr, server.srv].map((record) => ({ ...record, ttl: 0 })));
    await heardByAll(settings.port);
    await say([server.txt, server.a]);
    await vi.waitFor(() => expect(found).not.toEqual([]));
    expect(found).toMatchObject([{ host: "127.0.0.7", port: 5222, domain: "example.com" }]);
  });
});

describe("where nobody can be asked", () => {
  it("says so", async () => {
    const search = testSearch();
    const searching = findByMdns({ interfaces: ["nothing0", "10.9.8.7"], port: 5353 }, search).next();
    await expect(searching).rejects.toMatchObject({
      code: "ERR_DISCOVERY",
      message: "none of the interfaces nothing0, 10.9.8.7 is up and can do multicast",
    });
  });

  it("ends at once with a signal that has fired already", async () => {
    const search = testSearch();
    search.stop();
    expect(await findByMdns({ interfaces: [LOOPBACK], port: 5353 }, search).next()).toMatchObject({ done: true });
  });
});
