// The finder on the loopback, with a server that says what the test wants. On a real dnsmasq: dhcp-network.test.ts.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { discover } from "../../src/discovery/index.ts";
import { openLink, placesOf, whyNot } from "../../src/discovery/dhcp-link.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { dhcpAnswer } from "../support/hostile-packets/dhcp-packets.ts";
import { HARDWARE, one, pretendDhcp, searching, world, type PretendDhcp } from "../support/pretend-dhcp.ts";

const named = (name: string): readonly (readonly [number, string])[] => [[224, name]];
const files = (all: Readonly<Record<string, string>>): ReturnType<typeof world>["files"] => ({
  readdir: () => Promise.resolve(Object.keys(all).map((path) => path.split("/").at(-1) ?? "")),
  readFile: (path) =>
    path in all ? Promise.resolve(new Uint8Array(Buffer.from(all[path] ?? ""))) : Promise.reject(new Error("none")),
});

let server: PretendDhcp;
const closing: { close(): void }[] = [];
beforeEach(async () => {
  server = await pretendDhcp();
  closing.push(server);
});
afterEach(() => closing.splice(0).forEach((each) => each.close()));

describe("asking DHCP servers", () => {
  it("D-3.3.1-2: takes the name in option 84, and the one in 224 as less trusted", async () => {
    server.onInform = (inform) =>
      server.say(inform, {
        options: [
          [224, "site.example"],
          [84, "pronto.local"],
        ],
      });
    const search = searching(world(server));
    await search.until(
      () => search.found.length === 2,
      () => server.informs.length > 0,
    );
    expect(search.found).toEqual([
      expect.objectContaining({ host: "pronto.local", domain: "pronto.local", port: 5222, rank: 40 }),
      expect.objectContaining({ host: "site.example", domain: "site.example", port: 5222, rank: 50 }),
    ]);
    expect(search.found[1]?.heard).toBe("DHCP option 224 of 127.0.0.1 on eth0: its name");
    search.stop();
    expect(search.dropped.size).toBe(0);
  });

  it("D-3.3.1-1: takes another site-specific option if told to, or none", async () => {
    server.onInform = (inform) =>
      server.say(inform, {
        options: [
          [224, "a.example"],
          [250, "b.example"],
        ],
      });
    const other = searching(world(server), { siteOption: 250 });
    await other.until(
      () => other.found.length > 0,
      () => server.informs.length > 0,
    );
    expect(other.found).toMatchObject([{ domain: "b.example", rank: 50 }]);
    other.stop();
    const none = searching(world(server), { siteOption: false });
    expect(await none.end()).toBe("eth0: 127.0.0.1 answers without option 84");
  });

  it("says who it is, and asks for the options by their codes", async () => {
    const search = searching(world(server));
    await search.until(() => server.informs.length > 0);
    search.stop();
    const [{ packet } = { packet: new Uint8Array() }] = server.informs;
    expect([...packet.subarray(12, 16)]).toEqual([127, 0, 0, 1]);
    expect([...packet.subarray(28, 34)]).toEqual([2, 0, 0, 0, 0, 1]);
    expect([...packet.subarray(240, 253)]).toEqual([53, 1, 8, 57, 2, 5, 220, 55, 3, 84, 224, 15, 255]);
  });

  it("asks four times, under a number that nobody can guess, and ends after about nine seconds", async () => {
    const xids = [];
    for (const seed of ["a", "b"]) {
      const before = server.informs.length;
      const search = searching(world(server), {}, seed);
      expect(await search.end()).toBe("eth0: no DHCP server answers");
      expect(search.clock.monotonic()).toBeGreaterThan(5_000);
      expect(search.clock.monotonic()).toBeLessThan(9_500);
      await search.until(() => server.informs.length === before + 4);
      const asked = new Set(server.informs.slice(before).map(({ xid }) => xid));
      expect(asked.size).toBe(1);
      xids.push(...asked);
    }
    expect(xids[0]).not.toBe(xids[1]);
  });

  it("draws by lot when it asks, so that the Things of a house do not ask together", async () => {
    const lengths = new Set<number>();
    for (const seed of ["a", "b", "c"]) {
      const search = searching(world(server, { interfaces: () => ({}) }), {}, seed);
      await search.end();
      lengths.add(Math.floor(search.clock.monotonic() / 50));
    }
    expect(lengths.size).toBeGreaterThan(1);
  });

  it("hears an answer to the third question too", async () => {
    server.onInform = (inform) => {
      if (server.informs.length === 3) server.say(inform, { options: named("late.example") });
    };
    const search = searching(world(server));
    await search.until(
      () => search.found.length > 0,
      () => server.informs.length >= 3,
    );
    expect(search.found).toMatchObject([{ domain: "late.example" }]);
    expect(await search.end()).toBeUndefined();
  });

  it("counts every server that answers, whatever the others say", async () => {
    const others = [await pretendDhcp("127.0.0.2"), await pretendDhcp("127.0.0.3")];
    closing.push(...others);
    server.onInform = (inform) => {
      server.say(inform, { options: named("a.example") });
      others[0]?.say(inform, { options: named("b.example") });
      others[1]?.say(inform, { options: named("c.example") });
    };
    const search = searching(world(server));
    await search.until(
      () => search.found.length === 3,
      () => server.informs.length > 0,
    );
    expect(search.found.map(({ domain }) => domain).sort()).toEqual(["a.example", "b.example", "c.example"]);
    search.stop();
  });

  it("takes an answer only to its own question, from a server, for its own card", async () => {
    server.onInform = (inform) => {
      server.say(inform, { options: named("mallory.example"), xid: inform.xid ^ 1 });
      server.say(inform, { options: named("mallory.example"), type: 2 });
      server.say(inform, { options: named("mallory.example"), type: 6 });
      server.say(inform, { options: named("mallory.example"), hardware: "02:00:00:00:00:02" });
      server.say(inform, { options: named("mallory.example"), bytes: { 0: 1 } });
      server.say(inform, { options: named("mallory.example"), bytes: { 236: 0 } });
      void server.send(inform, inform.packet);
      server.say(inform, { options: named("pronto.local") });
    };
    const search = searching(world(server));
    await search.until(
      () => search.found.length > 0,
      () => server.informs.length > 0,
    );
    search.stop();
    expect(search.found).toMatchObject([{ domain: "pronto.local" }]);
    expect(Object.fromEntries(search.dropped)).toEqual({
      "not an answer to us": 4,
      "not from a server": 2,
      "not DHCP": 1,
    });
  });

  it("does not count as dropped what comes to port 68 for the system's own client", async () => {
    const free = createSocket("udp4").bind(0, "127.0.0.1");
    await once(free, "listening");
    const client = free.address().port;
    free.close();
    server.onInform = (inform) => {
      server.say(inform, { options: named("mallory.example"), xid: 7 });
      server.say(inform, { options: named("pronto.local") });
    };
    const search = searching(world(server, { ports: { server: server.port, client } }), { port68: true });
    await search.until(
      () => search.found.length > 0,
      () => server.informs.length > 0,
    );
    search.stop();
    expect(server.informs[0]?.port).toBe(client);
    expect(search.found).toMatchObject([{ domain: "pronto.local" }]);
    expect(search.dropped.size).toBe(0);
  });
});

describe("a name that is not qualified", () => {
  it.each([
    ["option 15 of the same answer", "pronto.home.example", "home.example", "search work.example"],
    ["resolv.conf", "pronto.work.example", undefined, "search work.example"],
    ["resolv.conf, where option 15 is nonsense", "pronto.work.example", "..", "search work.example"],
    ["nothing, where no domain is known", "pronto", undefined, ""],
  ])("D-3.3.1-3: is completed by %s", async (_by, domain, local, resolv) => {
    server.onInform = (inform) =>
      server.say(inform, { options: [...named("pronto"), ...(local === undefined ? [] : [[15, local] as const])] });
    const search = searching(world(server, { files: files({ "/etc/resolv.conf": resolv }) }));
    await search.until(
      () => search.found.length > 0,
      () => server.informs.length > 0,
    );
    expect(search.found).toMatchObject([{ domain }]);
    search.stop();
  });
});

describe("a lease of systemd-networkd", () => {
  const lease = "ADDRESS=127.0.0.1\nSERVER_ADDRESS=127.0.0.9\nDOMAINNAME=home.example\nOPTION_224=70726f6e746f\n";

  it("D-3.3.1-2: names a server before anybody has answered", async () => {
    const search = searching(world(server, { files: files({ "/leases/2": lease }) }), { lease: "/leases" });
    await search.until(() => search.found.length > 0);
    search.stop();
    expect(search.found).toMatchObject([{ domain: "pronto.home.example", rank: 50 }]);
    expect(search.found[0]?.heard).toBe("DHCP option 224 of 127.0.0.9 in a lease of systemd-networkd: its name");
  });

  it("does not count where its address is gone, or when leases are switched off", async () => {
    const old = files({ "/leases/2": lease.replace("127.0.0.1", "10.9.9.9") });
    const search = searching(world(server, { files: old }), { lease: "/leases" });
    expect(await search.end()).toBe("eth0: no DHCP server answers");
    const off = searching(world(server, { files: files({ "/leases/2": lease }) }), { lease: false });
    expect(await off.end()).toBe("eth0: no DHCP server answers");
  });

  it("tells which server to ask besides everybody", async () => {
    const giver = await pretendDhcp("127.0.0.9", server.port);
    closing.push(giver);
    giver.onInform = (inform) => giver.say(inform, { options: [[84, "pronto.local"]] });
    const given = lease.replace(/OPTION.*\n/, "");
    const search = searching(world(server, { files: files({ "/leases/2": given }) }), { lease: "/leases" });
    await search.until(
      () => search.found.length > 0,
      () => giver.informs.length > 0,
    );
    expect(search.found).toMatchObject([{ domain: "pronto.local", rank: 40 }]);
    await search.until(() => server.informs.length > 0);
    search.stop();
    expect(server.informs[0]?.xid).toBe(giver.informs[0]?.xid);
  });

  it("names a server of which nobody knows", async () => {
    const unnamed = lease.replace(/SERVER.*\n/, "");
    const search = searching(world(server, { files: files({ "/leases/2": unnamed }) }), { lease: "/leases" });
    await search.until(() => search.found.length > 0);
    search.stop();
    expect(search.found[0]?.heard).toContain("DHCP option 224 of a DHCP server in a lease");
  });
});

describe("whoever names very many servers", () => {
  it("keeps no other out, costs four addresses a name and is counted", async () => {
    const liars = await Promise.all(Array.from({ length: 8 }, (_, index) => pretendDhcp(`127.0.1.${index + 1}`)));
    closing.push(...liars);
    const giver = await pretendDhcp("127.0.0.9", server.port);
    closing.push(giver);
    let lied = 0;
    const asked = server.informs;
    server.onInform = (inform) => {
      if (asked.length > 1) return;
      void (async () => {
        for (const [number, liar] of liars.entries()) {
          for (let name = 0; name < 20; name++) {
            await liar.send(inform, answerOf(inform.xid, `liar-${number}-${name}.example`));
          }
        }
        lied = 1;
      })();
    };
    giver.onInform = (inform) => {
      if (lied === 1) giver.say(inform, { options: named("pronto.local") });
    };
    const expand = (domain: string): ReturnType<ReturnType<typeof world>["expand"]> =>
      Promise.resolve(
        Array.from({ length: 30 }, (_, index) => ({ host: domain, port: 5_000 + index, domain, heard: "SRV" })),
      );
    const lease = "ADDRESS=127.0.0.1\nSERVER_ADDRESS=127.0.0.9\n";
    const around = world(server, { files: files({ "/leases/2": lease }), expand });
    const search = searching(around, { lease: "/leases" });
    const isTrue = ({ domain }: { readonly domain: string }): boolean => domain === "pronto.local";
    await search.until(
      () => search.found.some(isTrue),
      () => asked.length > 0 && lied === 0,
    );
    await search.end();
    expect(search.found.filter(isTrue)).toHaveLength(4);
    const lies = new Set(search.found.filter((each) => !isTrue(each)).map(({ domain }) => domain));
    expect(lies.size).toBe(12);
    for (const [number] of liars.entries()) {
      const ofOne = [...lies].filter((name) => name.startsWith(`liar-${number}-`));
      expect(ofOne.length).toBeLessThanOrEqual(4);
      const lots = search.found.filter(({ domain, preference }) => ofOne.includes(domain) && preference === 0);
      expect(lots).toHaveLength(Math.min(1, ofOne.length));
    }
    expect(search.dropped.get("too many servers")).toBe(8 * 20 - 12);
  });
});

describe("where nothing is found, the reason", () => {
  const reason = async (
    changes: Parameters<typeof world>[1],
    options: Parameters<typeof searching>[1] = {},
  ): Promise<string | undefined> => searching(world(server, changes), options).end();

  it("is that no interface is up", async () => {
    expect(await reason({ interfaces: () => ({}) })).toBe("no interface is up with an IPv4 address");
    const lo = { lo: [one("127.0.0.1", "00:00:00:00:00:00", true)] };
    expect(await reason({ interfaces: () => lo })).toBe("no interface is up with an IPv4 address");
    expect(await reason({}, { interfaces: ["wlan0", "eth1"] })).toBe("none of wlan0, eth1 is up with an IPv4 address");
  });

  it("is what a server answers instead", async () => {
    server.onInform = (inform) => server.say(inform, { options: [[6, "\u000a\u004d\u0000\u0001"]] });
    const search = searching(world(server));
    // The whole of it has to be heard.
    await search.until(() => server.informs.length > 0);
    expect(await search.end()).toBe("eth0: 127.0.0.1 answers without option 84 or 224");
  });

  it("is that a name is none", async () => {
    server.onInform = (inform) => server.say(inform, { options: named("http://boot.example/") });
    const search = searching(world(server));
    expect(await search.end()).toBe("DHCP option 224 of 127.0.0.1 on eth0 is not the name of a host");
    expect(search.dropped.get("not a host name")).toBeGreaterThan(0);
  });

  it("is that its domain has no XMPP service", async () => {
    server.onInform = (inform) => server.say(inform, { options: named("pronto.local") });
    const expand = (): Promise<never> => Promise.reject(new Error("says no"));
    expect(await reason({ expand })).toBe("DHCP option 224 of 127.0.0.1 on eth0 is pronto.local: says no");
  });

  it("is that an address is gone, or a port held by another", async () => {
    expect(await reason({ interfaces: () => ({ eth0: [one("203.0.113.7")] }) })).toBe(
      "eth0: the address is gone (EADDRNOTAVAIL)",
    );
    const ports = { server: server.port, client: server.port };
    expect(await reason({ ports }, { port68: true })).toBe("eth0: another program holds UDP port 68 (EADDRINUSE)");
  });

  it("is that a packet cannot be sent", async () => {
    expect(await reason({ broadcast: "::1" })).toMatch(/^eth0: .*(EINVAL|ENOTFOUND)/);
  });

  it("is for each interface its own", async () => {
    const interfaces = { eth0: [one()], wlan0: [one("203.0.113.7"), { ...one("127.0.0.4"), internal: true }] };
    expect(await reason({ interfaces: () => interfaces })).toBe(
      "eth0: no DHCP server answers; wlan0: the address is gone (EADDRNOTAVAIL)",
    );
  });

  it.each([
    ["EACCES", "only root may use UDP port 68 (EACCES)"],
    ["EPERM", "a firewall of this machine forbids it (EPERM)"],
    ["ENETUNREACH", "no route leads there (ENETUNREACH)"],
    ["EHOSTUNREACH", "no route leads there (EHOSTUNREACH)"],
    ["ENETDOWN", "the interface is down (ENETDOWN)"],
    ["ENODEV", "the interface is gone (ENODEV)"],
    ["EIO", "as the system says it"],
  ])("is clear for %s", (code, words) => {
    expect(whyNot(Object.assign(new Error("as the system says it"), { code }))).toBe(words);
  });
});

describe("a search by DHCP", () => {
  it("asks on an interface that comes up while it runs", async () => {
    let up = false;
    server.onInform = (inform) => server.say(inform, { options: named("pronto.local") });
    const search = searching(world(server, { interfaces: () => (up ? { wlan0: [one()] } : {}) }));
    await search.until(() => search.clock.monotonic() > 1_500);
    expect(server.informs).toHaveLength(0);
    up = true;
    await search.until(
      () => search.found.length > 0,
      () => server.informs.length > 0,
    );
    expect(search.found[0]?.heard).toContain("on wlan0");
    search.stop();
  });

  it("ends when it is told to, at any moment, and leaves no timer and no socket", async () => {
    for (const wait of [0, 1, 90, 500, 3_000]) {
      const search = searching(world(server));
      await search.clock.advance(wait);
      search.stop();
      expect(await search.ended).toBe("stopped by the test");
      expect(search.clock.pending).toBe(0);
    }
    // Whoever can have their ports for himself is alone there.
    const ports = new Set(server.informs.map(({ port }) => port));
    expect(ports.size).toBeGreaterThan(1);
    for (const port of ports) {
      const socket = createSocket("udp4").bind({ port, address: "127.0.0.1", exclusive: true });
      await once(socket, "listening");
      socket.close();
    }
  });

  it("waits for no name server once it is told to end", async () => {
    server.onInform = (inform) => server.say(inform, { options: named("pronto.local") });
    const asked: string[] = [];
    const expand = (domain: string): Promise<never> => {
      asked.push(domain);
      return new Promise(() => undefined);
    };
    const search = searching(world(server, { expand }));
    await search.until(() => asked.length > 0 && search.clock.monotonic() > 9_500);
    search.stop();
    expect(await search.ended).toBe("stopped by the test");
  });

  it("is one of the finders, and its reason stands in the error", async () => {
    const clock = new SimulatedClock();
    const nothing = discover({ dhcp: { interfaces: ["none0"], lease: false }, mdns: false, clock });
    const failed = expect(nothing.next()).rejects.toMatchObject({
      code: "ERR_DISCOVERY",
      tried: expect.arrayContaining([{ finder: "dhcp", why: "none of none0 is up with an IPv4 address" }]) as unknown,
    });
    // The finder is loaded by then, and waits for an interface: the deadline's timer and its own.
    await expect.poll(() => clock.pending, { interval: 1, timeout: 15_000 }).toBeGreaterThan(1);
    for (let step = 0; step < 100; step++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await clock.advance(100);
    }
    await failed;
  });
});

describe("a socket for DHCP", () => {
  it("tells why a packet cannot be sent, and never throws", async () => {
    const link = await openLink({ name: "eth0", address: "127.0.0.1", hardware: HARDWARE }, 0, () => undefined);
    if (typeof link === "string") throw new Error(link);
    expect(await link.send(new Uint8Array(70_000), server.port, "127.0.0.1")).toContain("EMSGSIZE");
    expect(await link.send(new Uint8Array(1), server.port, "127.0.0.1")).toBeUndefined();
    link.close();
    link.close();
    expect(await link.send(new Uint8Array(1), server.port, "127.0.0.1")).toBe("the socket is closed");
  });

  it("is opened for IPv4 addresses of interfaces that are up, at most 16", () => {
    const six = { ...one(), family: "IPv6" as const, scopeid: 0 };
    expect(placesOf({ eth0: [six, one("10.0.0.1")], lo: [one("127.0.0.1", HARDWARE, true)] }, undefined)).toEqual([
      { name: "eth0", address: "10.0.0.1", hardware: HARDWARE },
    ]);
    expect(placesOf({ lo: [one("127.0.0.1", HARDWARE, true)] }, ["lo"])).toHaveLength(1);
    expect(placesOf({ gone: undefined }, undefined)).toEqual([]);
    const many = Array.from({ length: 40 }, (_, index) => one(`10.0.0.${index}`));
    expect(placesOf({ br0: many }, undefined)).toHaveLength(16);
  });
});

function answerOf(xid: number, name: string): Uint8Array {
  return dhcpAnswer({ xid, options: named(name) });
}
