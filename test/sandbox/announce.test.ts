// A sandbox that is announced on loopback, by real packets. Ports of their own: nobody else's tests are in it.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import multicastDns, { type MulticastDNS } from "multicast-dns";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildDhcpInform, parseDhcpReply } from "../../src/codec/dhcp.ts";
import { parseServiceText } from "../../src/codec/dns-sd.ts";
import { startSandbox, type SandboxOptions } from "../../src/sandbox/sandbox.ts";

const TYPE = "_xmpp-client._tcp.local";
let ports: { mdns: number; dhcp: number };
const open: (() => unknown)[] = [];

/** A UDP port that nobody has. */
async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

beforeEach(async () => {
  ports = { mdns: await freePort(), dhcp: await freePort() };
});
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function sandboxOnLoopback(options: SandboxOptions = {}) {
  const announce = { interface: "lo", ports, ...options.announce };
  const sandbox = await startSandbox({ port: 0, ...options, announce });
  open.push(() => sandbox.stop());
  return sandbox;
}

type Heard = { name: string; type: string; ttl: number; data: unknown };

/** Somebody who listens with everybody, or one who asks from a port of his own. */
async function listener(own = false): Promise<{ dns: MulticastDNS; heard: Heard[] }> {
  const heard: Heard[] = [];
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  if (own) {
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    socket.setMulticastInterface("127.0.0.1");
  }
  const onLoopback = { port: ports.mdns, interface: "127.0.0.1" };
  const dns = multicastDns(own ? { ...onLoopback, socket, bind: false } : { ...onLoopback, bind: "0.0.0.0" });
  if (!own) {
    socket.close();
    await once(dns, "ready");
  }
  dns.on("response", ({ answers = [], additionals = [] }) => heard.push(...([...answers, ...additionals] as Heard[])));
  open.push(() => new Promise<void>((resolve) => dns.destroy(resolve)));
  return { dns, heard };
}

const of = (heard: readonly Heard[], type: string, name?: string): readonly Heard[] =>
  heard.filter((record) => record.type === type && (name === undefined || record.name === name));

describe("an announced sandbox", () => {
  it("D-3.3.2-1, -3 to -7, -11 to -13: is found by its four kinds of record, and says goodbye", async () => {
    const { heard } = await listener();
    const sandbox = await sandboxOnLoopback({ announce: { name: "pronto" } });
    expect(sandbox.domain).toBe("sandbox.local");
    expect(sandbox.announcement).toMatchObject({ interface: "lo", machine: "pronto.local", dhcp: undefined });
    await expect.poll(() => of(heard, "TXT").length, { timeout: 5_000 }).toBeGreaterThan(0);
    expect(of(heard, "PTR", TYPE)[0]).toMatchObject({ ttl: 4_500, data: `pronto.${TYPE}` });
    expect(of(heard, "SRV", `pronto.${TYPE}`)[0]).toMatchObject({
      ttl: 120,
      data: { priority: 0, weight: 0, port: sandbox.port, target: "pronto.local" },
    });
    expect(of(heard, "A", "pronto.local")[0]).toMatchObject({ ttl: 120, data: "127.0.0.1" });
    const text = of(heard, "TXT", `pronto.${TYPE}`)[0];
    expect((text?.data as readonly Buffer[]).map(String)).toEqual([
      "txtvers=1",
      "ordom=sandbox.local",
      "regis=discovery.sandbox.local",
      "provis=provisioning.sandbox.local",
    ]);
    await sandbox.stop();
    await expect
      .poll(() => heard.filter(({ ttl }) => ttl === 0).map(({ type }) => type))
      .toEqual(expect.arrayContaining(["PTR", "SRV", "TXT", "A"]));
  });

  it("D-3.3.2-12, -13: a Registry and a Provisioning Server that are accounts are announced by their user names", async () => {
    const { heard } = await listener();
    const hosting = { registry: "account", provisioning: "account" } as const;
    await sandboxOnLoopback({ hosting, announce: { name: "pronto" } });
    await expect.poll(() => of(heard, "TXT").length, { timeout: 5_000 }).toBeGreaterThan(0);
    const data = of(heard, "TXT")[0]?.data as readonly Buffer[];
    expect(data.map(String).slice(2)).toEqual(["regis=discovery", "provis=provisioning"]);
    expect(parseServiceText(data.map((text) => Uint8Array.from(text)))).toMatchObject({
      regis: ["discovery@sandbox.local"],
      provis: ["provisioning@sandbox.local"],
    });
  });

  it("answers who asks from a port of his own, to him alone", async () => {
    const everybody = await listener();
    await sandboxOnLoopback();
    await expect.poll(() => of(everybody.heard, "PTR", TYPE).length, { timeout: 5_000 }).toBe(2);
    const { dns, heard } = await listener(true);
    dns.query(TYPE, "PTR");
    await expect.poll(() => heard.map(({ type }) => type), { timeout: 5_000 }).toEqual(["PTR", "A", "SRV", "TXT"]);
    expect(everybody.heard.filter(({ ttl }) => ttl === 10)).toEqual([]);
  });

  it("D-3.3.2-4: that listens at an IPv6 address says so by an AAAA record", async () => {
    const { heard } = await listener();
    await sandboxOnLoopback({ host: "::1", announce: { name: "pronto" } });
    await expect.poll(() => of(heard, "AAAA", "pronto.local")[0], { timeout: 5_000 }).toMatchObject({ data: "::1" });
    expect(of(heard, "A")).toEqual([]);
  });

  it("D-3.3.2-9, -10: gets another machine name beside one that has it, and each is found", async () => {
    const first = await sandboxOnLoopback();
    const second = await sandboxOnLoopback();
    expect(first.announcement?.machine).toBe("sandbox.local");
    expect(second.announcement?.machine).toBe("sandbox-1.local");
    expect(second.domain).toBe("sandbox.local");
    const { dns, heard } = await listener(true);
    dns.query(TYPE, "PTR");
    await expect
      .poll(() => of(heard, "SRV").map(({ data }) => (data as { port: number }).port), { timeout: 5_000 })
      .toEqual(expect.arrayContaining([first.port, second.port]));
  });

  it("takes its machine name from the domain, and names of other machines do not worry it", async () => {
    const { dns } = await listener();
    const starting = sandboxOnLoopback({ domain: "desk.local" });
    dns.respond([{ name: "sandbox.local", type: "A", ttl: 120, data: "127.0.0.9" }]);
    const sandbox = await starting;
    expect(sandbox.announcement?.machine).toBe("desk.local");
    expect(sandbox.domain).toBe("desk.local");
  });

  it("D-3.3.2-9: tells of a machine name that it has lost since", async () => {
    const told: string[] = [];
    const sandbox = await sandboxOnLoopback({ announce: { onRename: (machine) => told.push(machine) } });
    const { dns } = await listener();
    const mine = { name: "sandbox.local", type: "A", ttl: 120, flush: true, data: "127.0.0.9" } as const;
    dns.on("query", ({ questions = [] }) => {
      if (questions.some(({ name }) => name === "sandbox.local")) dns.respond([mine]);
    });
    dns.respond([mine]);
    await expect.poll(() => told, { timeout: 10_000 }).toEqual(["sandbox-1.local"]);
    expect(sandbox.announcement?.machine).toBe("sandbox-1.local");
  });

  it("D-3.3.1-2, -3: with dhcp answers an INFORM with its domain, and counts what came", async () => {
    const sandbox = await sandboxOnLoopback({ announce: { dhcp: true } });
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    open.push(() => socket.close());
    const inform = { xid: 7, address: "127.0.0.1", hardware: "02:00:00:00:00:01", wanted: [224] };
    socket.send(buildDhcpInform(inform), ports.dhcp, "127.0.0.1");
    const [message] = (await once(socket, "message")) as [Buffer];
    const reply = parseDhcpReply(Uint8Array.from(message));
    expect(typeof reply === "string" ? reply : String(Buffer.from(reply.options.get(224) ?? []))).toBe("sandbox.local");
    expect(sandbox.announcement?.dhcp?.answered).toBe(1);
  });

  it("garbage on the port of multicast DNS costs it nothing", async () => {
    await sandboxOnLoopback();
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    open.push(() => socket.close());
    for (let length = 0; length < 200; length++) {
      socket.send(
        Uint8Array.from({ length }, (_, index) => (index * length) & 0xff),
        ports.mdns,
        "127.0.0.1",
      );
    }
    const { dns, heard } = await listener(true);
    dns.query(TYPE, "PTR");
    await expect.poll(() => of(heard, "PTR").length, { timeout: 5_000 }).toBe(1);
  });
});

describe("options of announcing", () => {
  it.each([
    { options: { announce: { interface: "nope0" } }, says: 'announce.interface: there is no interface "nope0"' },
    { options: { announce: { interface: "lo", name: "a.b" } }, says: 'announce.name: "a.b" is no machine name' },
    { options: { announce: { interface: "lo", nmae: "x" } }, says: 'announce: there is no option "nmae"' },
    { options: { host: "10.9.9.9", announce: { interface: "lo" } }, says: "host: 10.9.9.9 is no address of lo" },
    { options: { host: "0.0.0.0", announce: { interface: "lo" } }, says: "host: 0.0.0.0 is no address of lo" },
    { options: { host: "localhost" }, says: 'host: "localhost" is not an IP address' },
    {
      options: { domain: "küche.local", announce: { interface: "lo", dhcp: true } },
      says: 'announce.dhcp: "küche.local" cannot be said by DHCP',
    },
  ])("$says", async ({ options, says }) => {
    await expect(startSandbox({ port: 0, ...options })).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining(says),
    });
  });

  it("a port of DHCP that somebody has: ERR_CONNECTION, and nothing is left", async () => {
    const socket = createSocket("udp4");
    socket.bind(ports.dhcp, "0.0.0.0");
    await once(socket, "listening");
    open.push(() => socket.close());
    await expect(sandboxOnLoopback({ announce: { dhcp: true } })).rejects.toMatchObject({ code: "ERR_CONNECTION" });
  });

  it("a port of multicast DNS that somebody does not share: ERR_CONNECTION", async () => {
    const socket = createSocket("udp4");
    socket.bind(ports.mdns, "0.0.0.0");
    await once(socket, "listening");
    open.push(() => socket.close());
    await expect(sandboxOnLoopback()).rejects.toMatchObject({
      code: "ERR_CONNECTION",
      message: expect.stringContaining(`multicast DNS on lo (127.0.0.1), UDP port ${ports.mdns}`),
    });
  });

  it("host alone: it listens there, and announces nothing", async () => {
    const sandbox = await startSandbox({ host: "::1" });
    open.push(() => sandbox.stop());
    expect(sandbox.service).toBe(`xmpp://[::1]:${sandbox.port}`);
    expect(sandbox.domain).toBe("localhost");
    expect(sandbox.announcement).toBeUndefined();
  });
});
