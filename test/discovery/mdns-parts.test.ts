// The parts of the finder by multicast DNS, each by itself.
import type { NetworkInterfaceInfo } from "node:os";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { assemble, TEXT_WITHIN } from "../../src/discovery/mdns-assembly.ts";
import { RecordCache, SenderRecords } from "../../src/discovery/mdns-cache.ts";
import { Gate } from "../../src/discovery/mdns-gate.ts";
import { canMulticast, linksNow, type Link, type LinkSource } from "../../src/discovery/mdns-links.ts";
import { checkMdns } from "../../src/discovery/mdns-options.ts";
import { Questions, toQueries, type Question } from "../../src/discovery/mdns-questions.ts";
import { isHost, readRecords, type ServiceRecord } from "../../src/discovery/mdns-records.ts";

const info = (address: string, cidr: string, parts: Partial<NetworkInterfaceInfo> = {}): NetworkInterfaceInfo =>
  ({ address, cidr, netmask: "", mac: "", internal: false, family: "IPv4", ...parts }) as NetworkInterfaceInfo;

const machine: LinkSource = {
  multicast: (name) => name !== "tun0",
  list: () => ({
    lo: [info("127.0.0.1", "127.0.0.1/8", { internal: true }), info("::1", "::1/128", { internal: true })],
    eth0: [
      info("192.168.1.20", "192.168.1.20/24"),
      info("10.0.0.5", "10.0.0.5/30"),
      info("2001:db8::5", "2001:db8::5/64"),
      info("fe80::5", "fe80::5/64"),
    ],
    wlan0: [info("172.16.0.9", "172.16.0.9/16")],
    tun0: [info("10.8.0.2", "10.8.0.2/32")],
    down: undefined,
  }),
};
const [eth4, eth6, wlan4] = linksNow(undefined, machine) as [Link, Link, Link];

describe("the links that are asked on", () => {
  const namesOf = (wanted?: readonly string[]): string[] =>
    linksNow(wanted, machine).map((link) => `${link.interface} ${link.address}`);

  it("are one for each interface and family, without loopback and what can do no multicast", () => {
    expect(namesOf()).toEqual(["eth0 192.168.1.20", "eth0 fe80::5%eth0", "wlan0 172.16.0.9"]);
  });

  it("are those that are named, by name or by address, whatever they are", () => {
    expect(namesOf(["lo"])).toEqual(["lo 127.0.0.1", "lo ::1"]);
    expect(namesOf(["127.0.0.1", "tun0"])).toEqual(["lo 127.0.0.1", "tun0 10.8.0.2"]);
    expect(namesOf(["10.0.0.5", "2001:db8::5"])).toEqual(["eth0 10.0.0.5", "eth0 2001:db8::5"]);
    expect(namesOf(["eth7"])).toEqual([]);
  });

  it("are sixteen at most", () => {
    const many = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`veth${i}`, [info(`10.${i}.0.1`, `10.${i}.0.1/24`)]]),
    );
    expect(linksNow(undefined, { list: () => many, multicast: () => true })).toHaveLength(16);
  });

  it("know by the addresses of the interface who is on them (RFC 6762 section 11)", () => {
    for (const near of ["192.168.1.255", "10.0.0.6", "169.254.3.3"]) expect(eth4.isOn(near)).toBe(true);
    for (const far of ["192.168.2.1", "10.0.0.9", "8.8.8.8", "fe80::1%eth0", "", "x"])
      expect(eth4.isOn(far)).toBe(false);
    for (const near of ["fe80::1%eth0", "2001:db8::77"]) expect(eth6.isOn(near)).toBe(true);
    for (const far of ["fe80::1%wlan0", "2001:db8:1::1", "192.168.1.1"]) expect(eth6.isOn(far)).toBe(false);
  });

  it("are asked of Linux, and elsewhere tried", () => {
    expect(canMulticast("eth0", () => "0x1003\n")).toBe(true);
    expect(canMulticast("tun0", () => "0xd1\n")).toBe(false);
    expect(canMulticast("no-such-interface")).toBe(true);
  });
});

/** An answer without records. */
const packet = (
  parts: {
    readonly flags?: number;
    readonly counts?: readonly number[];
    readonly size?: number;
    readonly id?: number;
  } = {},
): Buffer => {
  const { flags = 0x8400, counts = [], size = 12, id = 0 } = parts;
  const bytes = Buffer.alloc(size);
  if (size >= 12) [id, flags, ...counts].forEach((value, index) => bytes.writeUInt16BE(value, 2 * index));
  return bytes;
};

describe("the gate", () => {
  const source = { address: "192.168.1.1", port: 5353 };
  const gate = (): { gate: Gate; clock: SimulatedClock; dropped: string[] } => {
    const clock = new SimulatedClock();
    const dropped: string[] = [];
    const links = (): Link[] => [eth4, eth6, wlan4];
    return { clock, dropped, gate: new Gate({ clock, port: 5353, links, drop: (why) => dropped.push(why) }) };
  };

  it("lets an answer through, and says nothing about what is in order but not for us", () => {
    const { gate: it, dropped } = gate();
    expect(it.admits(packet(), source, eth4)).toBe(true);
    expect(it.admits(packet({ id: 7 }), source, eth4, 7)).toBe(true);
    expect(it.admits(packet({ flags: 0 }), source, eth4)).toBe(false);
    expect(it.admits(packet(), { address: "172.16.3.3", port: 5353 }, eth4)).toBe(false);
    expect(dropped).toEqual([]);
  });

  test.each([
    ["too large", packet({ size: 9_001 }), source, undefined],
    ["malformed", packet({ size: 11 }), source, undefined],
    ["malformed", packet({ flags: 0x8403 }), source, undefined],
    ["malformed", packet({ flags: 0xa800 }), source, undefined],
    ["malformed", packet({ counts: [0, 2], size: 33 }), source, undefined],
    ["malformed", packet({ counts: [0xffff, 0xffff, 0xffff, 0xffff], size: 9_000 }), source, undefined],
    ["not from this network", packet(), { address: "8.8.8.8", port: 5353 }, undefined],
    ["not from the port of multicast DNS", packet(), { address: "192.168.1.1", port: 5354 }, undefined],
    ["not an answer to our question", packet({ id: 8 }), source, 7],
  ])("D-6.9-1: drops what is %s", (why, bytes, from, id) => {
    const { gate: it, dropped } = gate();
    expect(it.admits(bytes, from, eth4, id)).toBe(false);
    expect(dropped).toEqual([why]);
  });

  it("lets a sender through again after a while, and others meanwhile", async () => {
    const { gate: it, dropped, clock } = gate();
    const taken = (count: number, address = "192.168.1.66"): number =>
      Array.from({ length: count }, () => it.admits(packet(), { address, port: 5353 }, eth4)).filter(Boolean).length;
    expect(taken(1_000)).toBe(64);
    expect(new Set(dropped)).toEqual(new Set(["too many packets of one sender"]));
    expect(taken(1, "192.168.1.1")).toBe(1);
    await clock.advance(1_000);
    expect(taken(1_000)).toBe(32);
  });

  it("takes only so much of all together, and forgets senders", async () => {
    const { gate: it, dropped, clock } = gate();
    const flood = (): number => {
      const senders = Array.from({ length: 60_000 }, (_, i) => ({
        address: `172.16.${i >> 8}.${i & 255}`,
        port: 5353,
      }));
      return senders.filter((sender) => it.admits(packet(), sender, wlan4)).length;
    };
    expect(flood()).toBe(512 + 64);
    expect(dropped.at(-1)).toBe("too many packets");
    await clock.advance(1_000);
    expect(flood()).toBe(256 + 64);
  });

  it("hears whoever says little while somebody floods from many addresses", async () => {
    const { gate: it, clock, dropped } = gate();
    let heard = 0;
    for (let tenths = 0; tenths < 100; tenths++) {
      for (let i = 0; i < 640; i++) {
        it.admits(packet(), { address: `192.168.1.${100 + (i % 16)}`, port: 5353 }, eth4);
      }
      if (tenths % 10 === 5 && it.admits(packet(), source, eth4)) heard++;
      await clock.advance(100);
    }
    expect(dropped).toContain("too many packets");
    expect(heard).toBe(10);
  });
});

const common = { ttl: 120, class: "IN", flush: false };
const type = "_xmpp-client._tcp.local";
const read = (answers: readonly unknown[], link: Link = eth4): [readonly ServiceRecord[], string[]] => {
  const dropped: string[] = [];
  return [readRecords({ answers, additionals: [] }, link, (why) => dropped.push(why)), dropped];
};

describe("records", () => {
  it.each([
    { type: "A", name: "a.local", data: "1.2.undefined.undefined" },
    { type: "A", name: "a.local", data: "0.0.0.0" },
    { type: "A", name: "a.local", data: "224.0.0.251" },
    { type: "A", name: "a.local", data: "255.255.255.255" },
    { type: "A", name: "a.local", data: "127.0.0.1" },
    { type: "A", name: "a.local", data: "::1" },
    { type: "AAAA", name: "a.local", data: "::" },
    { type: "AAAA", name: "a.local", data: "::1" },
    { type: "AAAA", name: "a.local", data: "ff02::fb" },
    { type: "AAAA", name: "a.local", data: "::ffff:7f00:1" },
    { type: "AAAA", name: "a.local", data: "::127.0.0.1" },
    { type: "AAAA", name: "a.local", data: 5 },
    { type: "PTR", name: type, data: "x._other._tcp.local" },
    { type: "PTR", name: type, data: type },
    { type: "PTR", name: type, data: `${"x".repeat(64)}.${type}` },
    { type: "PTR", name: type },
    { type: "SRV", name: `x.${type}`, data: { target: "a.local", port: 0, priority: 0, weight: 0 } },
    { type: "SRV", name: `x.${type}`, data: { target: "a.local", port: 65_536, priority: 0, weight: 0 } },
    { type: "SRV", name: `x.${type}`, data: { target: "a.local", port: 5222, priority: -1, weight: 0 } },
    { type: "SRV", name: `x.${type}`, data: { target: ".", port: 5222, priority: 0, weight: 0 } },
    { type: "SRV", name: `x.${type}`, data: { target: "a\ufffd.local", port: 5222, priority: 0, weight: 0 } },
    { type: "SRV", name: `x.${type}`, data: { target: "10.0.0.1", port: 5222, priority: 0, weight: 0 } },
    { type: "SRV", name: `x.${type}`, data: null },
    { type: "TXT", name: `x.${type}`, data: Array.from({ length: 6 }, () => new Uint8Array(250)) },
  ])("D-6.9-1: are dropped where they are broken: %j", (record) => {
    expect(read([{ ...common, ...record }])).toEqual([[], ["malformed"]]);
  });

  it.each([
    { type: "A", name: "a.local", data: "10.0.0.1", class: "CH" },
    { type: "A", name: 5, data: "10.0.0.1" },
    { type: "A", name: "a b.local", data: "10.0.0.1" },
    { type: "A", name: "a.local", data: "10.0.0.1", ttl: undefined },
    { type: "PTR", name: "_http._tcp.local", data: "x._http._tcp.local" },
    { type: "SRV", name: "x._http._tcp.local", data: { target: "a.local", port: 80, priority: 0, weight: 0 } },
    { type: "TXT", name: "x._http._tcp.local", data: [] },
    { type: "NSEC", name: "a.local" },
    null,
    7,
  ])("are passed over where they are about something else: %j", (record) => {
    expect(read([record === null || typeof record === "number" ? record : { ...common, ...record }])).toEqual([[], []]);
  });

  it("hold what they say, whatever the case of their names", () => {
    const [records] = read([
      { ...common, type: "PTR", name: "_XMPP-Client._TCP.Local", data: `Dev 1.2.${type}`, ttl: 10 },
    ]);
    expect(records).toEqual([
      { type: "PTR", name: "_XMPP-Client._TCP.Local", instance: `Dev 1.2.${type}`, ttl: 10_000, flush: false },
    ]);
    const fe80 = { ...common, type: "AAAA", name: "a.local", data: "FE80:0:0::1" };
    expect(read([fe80], eth6)[0]).toMatchObject([{ address: "fe80::1%eth0" }]);
  });

  it("live a number of seconds that makes sense (RFC 2181 section 8)", () => {
    const lives = (ttl: number): unknown =>
      read([{ ...common, type: "A", name: "a.local", data: "10.0.0.1", ttl }])[0][0]?.ttl;
    expect([0, 1, 4_294_967_295, 2_147_483_647, -5].map(lives)).toEqual([0, 1_000, 0, 4_500_000, 0]);
  });

  it("are 256 of one packet at most", () => {
    const many = Array.from({ length: 300 }, (_, i) => ({
      ...common,
      type: "A",
      name: `a${i}.local`,
      data: "10.0.0.1",
    }));
    const [records, dropped] = read(many);
    expect([records.length, dropped]).toEqual([256, ["too many records"]]);
  });

  it("are read whatever the library hands out", () => {
    const value = fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true });
    const record = fc.record(
      {
        name: fc.oneof(fc.constantFrom(type, `x.${type}`, "a.local"), value),
        type: fc.oneof(fc.constantFrom("PTR", "SRV", "TXT", "A", "AAAA"), value),
        class: fc.constantFrom("IN", "ANY"),
        ttl: fc.oneof(fc.nat(), value),
        flush: value,
        data: fc.oneof(
          value,
          fc.record({ target: fc.oneof(fc.constant("a.local"), value), port: fc.oneof(fc.nat(70_000), value) }),
          fc.ipV4(),
          fc.ipV6(),
        ),
      },
      { requiredKeys: ["name", "type", "class"] },
    );
    fc.assert(
      fc.property(
        fc.oneof(value, fc.record({ answers: fc.array(fc.oneof(record, value)), additionals: value })),
        (given) => {
          for (const read of readRecords(given, eth4, () => undefined)) {
            expect(read.ttl).toBeLessThanOrEqual(4_500_000);
            if (read.type === "SRV") expect(isHost(read.target) && read.port > 0 && read.port < 65_536).toBe(true);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

const hour = { ttl: 3_600_000, flush: false };
const ptr = (instance = "pronto"): ServiceRecord => ({
  ...hour,
  type: "PTR",
  name: type,
  instance: `${instance}.${type}`,
});
const srv = (parts: Partial<Extract<ServiceRecord, { type: "SRV" }>> = {}, instance = "pronto"): ServiceRecord => ({
  ...hour,
  type: "SRV",
  name: `${instance}.${type}`,
  target: "pronto.local",
  port: 5222,
  priority: 0,
  weight: 0,
  ...parts,
});
const txt = (text = "ordom=example.com", instance = "pronto"): ServiceRecord => ({
  ...hour,
  type: "TXT",
  name: `${instance}.${type}`,
  strings: [new Uint8Array(Buffer.from(text))],
});
const a = (address: string, name = "pronto.local"): ServiceRecord => ({ ...hour, type: "A", name, address });
const aaaa = (address: string, name = "pronto.local"): ServiceRecord => ({ ...hour, type: "AAAA", name, address });

const nobody = (): readonly string[] => [];
const hostsOf = (records: SenderRecords, now: number): readonly string[] =>
  assemble(records, now, nobody).servers.map(({ host, port }) => `${host}:${port}`);

function from(...records: readonly ServiceRecord[]): SenderRecords {
  const sender = new SenderRecords("10.0.0.6");
  for (const record of records) expect(sender.add(record, 0)).toBe(true);
  return sender;
}

describe("what was heard of a sender", () => {
  it("ends with its time to live", () => {
    const records = from(ptr(), srv(), txt(), { ...a("10.0.0.1"), ttl: 5_000 });
    expect(hostsOf(records, 4_999)).toEqual(["10.0.0.1:5222"]);
    expect(hostsOf(records, 5_000)).toEqual([]);
    records.add({ ...a("10.0.0.1"), ttl: 5_000 }, 6_000);
    expect(hostsOf(records, 10_999)).toEqual(["10.0.0.1:5222"]);
  });

  it("is not shortened by an answer to a port of one's own (RFC 6762 section 6.7)", () => {
    const records = from(ptr(), srv(), txt(), a("10.0.0.1"));
    records.add({ ...a("10.0.0.1"), ttl: 10_000 }, 1_000);
    expect(hostsOf(records, 20_000)).toEqual(["10.0.0.1:5222"]);
  });

  it("is taken back by a time to live of zero (RFC 6762 section 10.1)", () => {
    const records = from(ptr(), srv(), txt(), a("10.0.0.1"), a("10.0.0.2"));
    records.add({ ...a("10.0.0.1"), ttl: 0 }, 1);
    expect(hostsOf(records, 1)).toEqual(["10.0.0.2:5222"]);
    records.add({ ...ptr(), ttl: 0 }, 2);
    expect(hostsOf(records, 2)).toEqual([]);
    records.add({ ...ptr("other"), ttl: 0 }, 3);
    expect(records.ofType("PTR", 3)).toEqual([]);
  });

  it("gives way to what flushes it, but for what came in the same moment (RFC 6762 section 10.2)", () => {
    const records = from(ptr(), srv(), txt(), a("10.0.0.1"), a("10.0.0.9", "other.local"));
    records.add({ ...a("10.0.0.2"), flush: true }, 1_000);
    expect(hostsOf(records, 1_000)).toEqual(["10.0.0.1:5222", "10.0.0.2:5222"]);
    records.add({ ...a("10.0.0.3"), flush: true }, 2_500);
    expect(hostsOf(records, 2_500)).toEqual(["10.0.0.3:5222"]);
    expect(records.ofType("A", 2_500, "OTHER.local")).toHaveLength(1);
  });

  it("is bounded: eight instances, 64 records, 20 kB", () => {
    const instances = new SenderRecords("x");
    expect(Array.from({ length: 20 }, (_, i) => instances.add(ptr(`p${i}`), 0)).filter(Boolean)).toHaveLength(8);
    const addresses = new SenderRecords("x");
    expect(Array.from({ length: 99 }, (_, i) => addresses.add(a(`10.0.0.${i}`), 0)).filter(Boolean)).toHaveLength(64);
    const texts = new SenderRecords("x");
    expect(
      Array.from({ length: 20 }, (_, i) => texts.add(txt("x".repeat(1_200), `p${i}`), 0)).filter(Boolean),
    ).toHaveLength(7);
    expect(texts.bytes).toBeLessThanOrEqual(20_480);
  });

  it("is bounded for all together: who says nothing of the service goes first, then who was silent longest", () => {
    const cache = new RecordCache();
    for (let i = 0; i < 10; i++) cache.of(`server ${i}`).add(ptr(), 0);
    for (let i = 0; i < 300; i++) {
      cache.of(`stranger ${i}`).add(a("10.0.0.1"), 0);
      expect(cache.trim()).toBe(0);
    }
    expect([...cache.all]).toHaveLength(128);
    expect([...cache.all].filter(({ isServer }) => isServer)).toHaveLength(10);
    cache.of("server 0");
    for (let i = 10; i < 128; i++) cache.of(`server ${i}`).add(ptr(), 0);
    expect(cache.trim()).toBe(0);
    cache.of("one more").add(ptr(), 0);
    expect(cache.trim()).toBe(1);
    const left = [...cache.all].map(({ sender }) => sender);
    expect([left.includes("server 0"), left.includes("server 1")]).toEqual([true, false]);
  });

  it("is half a megabyte at most", () => {
    const cache = new RecordCache();
    let gone = 0;
    for (let i = 0; i < 100; i++) {
      for (let j = 0; j < 6; j++) cache.of(`${i}`).add(txt("x".repeat(1_200), `p${j}`), 0);
      gone += cache.trim();
    }
    expect(gone).toBeGreaterThan(50);
    expect([...cache.all].reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(524_288);
  });
});

describe("putting a server together", () => {
  test("D-3.3.2-3 to D-3.3.2-6: comes to the same in whatever order and pieces the records come, and come again", () => {
    const all = [
      ptr(),
      srv(),
      txt(),
      a("10.0.0.1"),
      aaaa("fd00::1"),
      ptr("b"),
      srv({ target: "b.local" }, "b"),
      txt("ordom=b.example", "b"),
      a("10.0.0.2", "B.local"),
    ];
    const sorted = (records: SenderRecords): unknown =>
      assemble(records, 0, nobody)
        .servers.map((server) => JSON.stringify(server))
        .sort();
    const whole = sorted(from(...all));
    expect(whole).toHaveLength(3);
    const order = fc.shuffledSubarray(all, { minLength: all.length });
    fc.assert(
      fc.property(order, fc.array(fc.constantFrom(...all)), (records, again) => {
        const strip = (text: string): string => text.replace(/"preference":\d,/, "");
        expect((sorted(from(...records, ...again)) as string[]).map(strip)).toEqual((whole as string[]).map(strip));
      }),
    );
  });

  it("never has more than was said: any part of the records gives no server, or the true one", () => {
    const all = [ptr(), srv(), txt(), a("10.0.0.1")];
    fc.assert(
      fc.property(fc.subarray(all), fc.nat(2_000), (records, now) => {
        const { servers, missing, again } = assemble(from(...records), now, nobody);
        const complete =
          records.length === 4 || (records.length === 3 && !records.includes(all[2]!) && now >= TEXT_WITHIN);
        expect(servers.map(({ host }) => host)).toEqual(complete ? ["10.0.0.1"] : []);
        const waits =
          records.includes(all[0]!) && !(complete && records.length === 4) && (missing.length > 0 || again < Infinity);
        expect(records.includes(all[0]!) && servers.length === 0 ? waits : true).toBe(true);
      }),
    );
  });

  it("orders the addresses of one server by the priority of their hosts, not servers among each other", () => {
    const records = from(
      ptr(),
      srv({ priority: 9, target: "b.local" }),
      srv({ priority: 1, weight: 1 }),
      srv({ priority: 1, weight: 5, target: "c.local" }),
      txt(),
      a("10.0.0.1"),
      a("10.0.0.2", "b.local"),
      a("10.0.0.3", "c.local"),
      ptr("z"),
      srv({ priority: 0, port: 6 }, "z"),
      txt("ordom=z.example", "z"),
    );
    const { servers } = assemble(records, 0, nobody);
    expect(servers.map(({ host, port, preference }) => [host, port, preference])).toEqual([
      ["10.0.0.3", 5222, 0],
      ["10.0.0.1", 5222, 1],
      ["10.0.0.2", 5222, 2],
      ["10.0.0.1", 6, 0],
    ]);
  });

  it("takes the address of a host from others only if the sender gives none", () => {
    const others = (): readonly string[] => ["10.0.0.66"];
    expect(assemble(from(ptr(), srv(), txt()), 0, others).servers).toMatchObject([{ host: "10.0.0.66" }]);
    expect(assemble(from(ptr(), srv(), txt(), a("10.0.0.1")), 0, others).servers).toMatchObject([{ host: "10.0.0.1" }]);
  });

  it("leaves names that are not of multicast DNS to the system, and drops those that are addresses", () => {
    const at = (target: string): unknown =>
      assemble(from(ptr(), srv({ target }), txt()), 0, nobody).servers.map(({ host }) => host);
    expect(at("Xmpp.example.com.")).toEqual(["xmpp.example.com"]);
    expect(at("127.1")).toEqual([]);
  });

  it("has four addresses of one host at most", () => {
    const many = Array.from({ length: 20 }, (_, i) => a(`10.0.0.${i}`));
    expect(assemble(from(ptr(), srv(), txt(), ...many), 0, nobody).servers).toHaveLength(4);
  });

  it("tells people what was heard without signs of control", () => {
    const evil = "a\u001b[2J\u202eb\nc";
    const [server] = assemble(
      from(ptr(evil), srv({}, evil), txt("ordom=e.example", evil), a("10.0.0.1")),
      0,
      nobody,
    ).servers;
    expect(server?.heard).toBe('"a\ufffd[2J\ufffdb\ufffdc" at pronto.local:5222, said by 10.0.0.6');
  });

  it("says as known what is complete and young, and can be written", () => {
    const full = [ptr(), srv(), txt(), a("10.0.0.1")];
    const known = (records: SenderRecords, now: number): unknown => assemble(records, now, nobody).known;
    expect(known(from(...full), 0)).toEqual([{ type: "PTR", name: type, ttl: 3_600, data: `pronto.${type}` }]);
    expect(known(from(...full), 1_800_000)).toEqual([]);
    expect(known(from(ptr(), srv(), txt()), 0)).toEqual([]);
    expect(known(from(ptr("a.b"), srv({}, "a.b"), txt("", "a.b"), a("10.0.0.1")), 0)).toEqual([]);
  });
});

describe("questions", () => {
  const ask = (name: string): Question => ({ type: "A", name });

  it("are asked again after 1 s, 2 s, 4 s, each on its own", () => {
    const questions = new Questions();
    questions.set([ask("a")], 0);
    const at: number[] = [];
    for (let now = 0; now < 16_000; now += 10) {
      if (now === 500) questions.set([ask("a"), ask("b")], now);
      if (questions.next <= now) for (const { name } of questions.take(now)) if (name === "a") at.push(now);
    }
    expect(at).toEqual([0, 1_000, 3_000, 7_000, 15_000].map((time) => expect.closeTo(time, -2) as number));
    questions.set([], 0);
    expect(questions.next).toBe(Infinity);
    expect(questions.all).toEqual([]);
  });

  it("are 64 at most, and no packet is larger than a link takes", () => {
    const questions = new Questions();
    const name = (i: number): string => `${String(i).padStart(60, "x")}.${"y".repeat(60)}.local`;
    questions.set(
      Array.from({ length: 500 }, (_, i) => ask(name(i))),
      0,
    );
    const known = Array.from({ length: 50 }, (_, i) => ({ type: "PTR", name: type, ttl: 1, data: name(i) }) as const);
    const queries = toQueries(questions.take(0), known);
    expect(queries.flatMap((query) => query.questions)).toHaveLength(64);
    for (const { questions: asked, answers } of queries) {
      const size = [...asked, ...answers.flatMap(({ data }) => [{ name: data }, { name: type }])];
      expect(size.reduce((sum, { name: text }) => sum + text.length + 6, 12)).toBeLessThan(1_300);
    }
    expect(toQueries([ask("a")], known)[0]?.answers.length).toBeGreaterThan(3);
    expect(toQueries([], known)).toEqual([]);
  });
});

describe("the option mdns", () => {
  it("is on, off, or says where", () => {
    expect(checkMdns(true, "mdns")).toEqual({ interfaces: undefined, port: 5353 });
    expect(checkMdns(false, "mdns")).toBeUndefined();
    expect(checkMdns({ interfaces: ["eth0"], port: 1 }, "mdns")).toEqual({ interfaces: ["eth0"], port: 1 });
  });

  it.each([
    ["yes", "server.mdns: must be true, false or options"],
    [null, "server.mdns: must be true, false or options"],
    [
      { interface: "eth0" },
      'server.mdns: there is no option "interface"; there are interfaces, port; did you mean interfaces?',
    ],
    [{ interfaces: "eth0" }, 'server.mdns.interfaces: must be a list of names or addresses, ["eth0"]'],
    [{ interfaces: [] }, 'server.mdns.interfaces: must be a list of names or addresses, ["eth0"]'],
    [{ interfaces: [""] }, 'server.mdns.interfaces: must be a list of names or addresses, ["eth0"]'],
    [{ port: 0 }, "server.mdns.port: must be a whole number from 1 to 65535"],
    [{ port: 1.5 }, "server.mdns.port: must be a whole number from 1 to 65535"],
  ])("is refused as %j", (options, message) => {
    expect(() => checkMdns(options as unknown as boolean, "server.mdns")).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG", message }),
    );
  });
});
