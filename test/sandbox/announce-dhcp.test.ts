import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { buildDhcpInform, parseDhcpReply, type DhcpReply } from "../../src/codec/dhcp.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { startDhcpResponder, whyNotDhcp } from "../../src/sandbox/announce-dhcp.ts";
import { informAnswers, type AnswerInform } from "../../src/sandbox/announce-inform.ts";

const on = { name: "eth0", address: "10.77.0.1", netmask: "255.255.255.0", addresses: ["10.77.0.1"] };
const client = { address: "10.77.0.50", port: 40_000 };
const ask = { xid: 0x12345678, address: "10.77.0.50", hardware: "02:00:00:00:00:01", wanted: [224, 84, 15] };
const COOKIE = [0x63, 0x82, 0x53, 0x63];

/** An INFORM with other options, or other bytes. */
function packet(options?: readonly number[], change?: (bytes: Buffer) => void): Buffer {
  const inform = Buffer.from(buildDhcpInform(ask));
  const made = options === undefined ? inform : Buffer.from([...inform.subarray(0, 240), ...options]);
  change?.(made);
  return made;
}

let answer: AnswerInform;
beforeAll(async () => {
  answer = await informAnswers({ on, server: "pronto.local" });
});

function reply(asked: Buffer, from = client): DhcpReply & { to: string; raw: Buffer } {
  const outcome = answer(asked, from);
  if ("dropped" in outcome) throw new Error(outcome.dropped);
  const read = parseDhcpReply(Uint8Array.from(outcome.packet));
  if (typeof read === "string") throw new Error(read);
  return { ...read, to: `${outcome.address}:${outcome.port}`, raw: outcome.packet };
}

const texts = (options: ReadonlyMap<number, Uint8Array>): readonly (readonly [number, string])[] =>
  [...options]
    .filter(([code]) => code !== 53 && code !== 54)
    .map(([code, value]) => [code, Buffer.from(value).toString()]);

describe("a DHCPINFORM", () => {
  it("D-3.3.1-2 to -4: is answered with options 224 and 84, the name of the server, and 15, its local domain", () => {
    const { xid, hardware, type, options, raw } = reply(packet());
    expect({ xid, hardware, type }).toEqual({ xid: ask.xid, hardware: ask.hardware, type: 5 });
    expect(texts(options)).toEqual([
      [15, "local"],
      [84, "pronto.local"],
      [224, "pronto.local"],
    ]);
    expect([...(options.get(54) ?? [])]).toEqual([10, 77, 0, 1]);
    // Listing 2 of XEP-0347: 224 12 pronto.local
    expect(raw.toString("latin1").includes("\u00e0\u000cpronto.local")).toBe(true);
    expect(raw.length).toBeGreaterThanOrEqual(300);
  });

  it.each([
    { wanted: [224], told: [224] },
    { wanted: [84, 6, 3], told: [84] },
    { wanted: [15, 1, 224], told: [15, 224] },
  ])("is told what it wants and no more: $wanted", ({ wanted, told }) => {
    const { options } = reply(packet([53, 1, 8, 55, wanted.length, ...wanted, 255]));
    expect(texts(options).map(([code]) => code)).toEqual(told);
  });

  it("of a single name is told of no local domain", async () => {
    const bare = await informAnswers({ on, server: "pronto" });
    const outcome = bare(packet(), client);
    const read = "packet" in outcome ? parseDhcpReply(Uint8Array.from(outcome.packet)) : "too short";
    expect(typeof read === "string" ? read : texts(read.options).map(([code]) => code)).toEqual([84, 224]);
  });

  it("is answered at its own address, at the port it came from; at port 68 if it came from elsewhere", () => {
    expect(reply(packet()).to).toBe("10.77.0.50:40000");
    expect(reply(packet(), { address: "10.77.0.50", port: 68 }).to).toBe("10.77.0.50:68");
    expect(reply(packet(), { address: "10.77.0.50", port: 0 }).to).toBe("10.77.0.50:68");
    expect(reply(packet(), { address: "10.77.0.51", port: 40_000 }).to).toBe("10.77.0.50:68");
  });

  it("is understood with padding between its options, with pieces of one, and with options nobody knows", () => {
    const printed = vi.spyOn(console, "error");
    const { options } = reply(packet([0, 53, 1, 8, 0, 0, 55, 1, 224, 0, 199, 3, 1, 2, 3, 55, 1, 84, 0, 255, 9, 9]));
    expect(texts(options).map(([code]) => code)).toEqual([84, 224]);
    expect(printed).not.toHaveBeenCalled();
    printed.mockRestore();
  });
});

describe("without answer is", () => {
  const inform = [53, 1, 8, 55, 1, 224, 255];
  it.each([
    { what: "a cut packet", asked: packet().subarray(0, 239), why: "malformed" },
    { what: "an option that is cut off", asked: packet([53, 1, 8, 55, 9, 224]), why: "malformed" },
    { what: "an option without length", asked: packet([53, 1, 8, 55]), why: "malformed" },
    { what: "a packet without cookie", asked: packet(inform, (bytes) => bytes.fill(0, 236, 240)), why: "malformed" },
    { what: "a packet without type", asked: packet([55, 1, 224, 255]), why: "malformed" },
    { what: "a type of two bytes", asked: packet([53, 2, 8, 8, 55, 1, 224, 255]), why: "malformed" },
    {
      what: "a list of 300 wishes",
      asked: packet([53, 1, 8, ...[1, 2].flatMap(() => [55, 150, ...Array<number>(150).fill(224)]), 255]),
      why: "malformed",
    },
    { what: "another hardware", asked: packet(inform, (bytes) => bytes.writeUInt8(7, 1)), why: "malformed" },
    { what: "a huge packet", asked: Buffer.from([...packet(inform), ...Buffer.alloc(1_400)]), why: "malformed" },
    { what: "an answer", asked: packet(inform, (bytes) => bytes.writeUInt8(2, 0)), why: "not an INFORM" },
    { what: "a DISCOVER", asked: packet([53, 1, 1, 55, 1, 224, 255]), why: "not an INFORM" },
    { what: "a REQUEST", asked: packet([53, 1, 3, 55, 1, 224, 255]), why: "not an INFORM" },
    { what: "who has no address", asked: packet(inform, (bytes) => bytes.fill(0, 12, 16)), why: "not of this network" },
    {
      what: "another network's host",
      asked: packet(inform, (bytes) => bytes.writeUInt8(9, 14)),
      why: "not of this network",
    },
    {
      what: "who is behind a relay",
      asked: packet(inform, (bytes) => bytes.writeUInt8(10, 24)),
      why: "not of this network",
    },
    { what: "who asks for DNS servers", asked: packet([53, 1, 8, 55, 2, 6, 15, 255]), why: "asks for something else" },
    { what: "who asks for nothing", asked: packet([53, 1, 8, 255]), why: "asks for something else" },
  ])("$what", ({ asked, why }) => {
    expect(answer(asked, client)).toEqual({ dropped: why });
  });

  it("what comes from another network", () => {
    expect(answer(packet(), { address: "192.168.9.9", port: 68 })).toEqual({ dropped: "not of this network" });
  });
});

describe("no lease", () => {
  /** Whatever is sent gives an address or a lease to nobody. */
  function leaseless(asked: Buffer): void {
    const outcome = answer(asked, client);
    if ("dropped" in outcome) return;
    expect(asked[0]).toBe(1);
    const { packet: sent } = outcome;
    expect([...sent.subarray(16, 28)]).toEqual(Array(12).fill(0)); // yiaddr, siaddr, giaddr
    const read = parseDhcpReply(Uint8Array.from(sent));
    if (typeof read === "string") throw new Error(read);
    expect(read.type).toBe(5);
    for (const code of read.options.keys()) expect([15, 53, 54, 84, 224]).toContain(code);
  }

  it("is offered to any type of message: only an INFORM is answered at all", () => {
    for (let type = 0; type < 256; type++) {
      const asked = packet([53, 1, type, 50, 4, 10, 77, 0, 60, 54, 4, 10, 77, 0, 1, 55, 2, 224, 84, 255]);
      expect("packet" in answer(asked, client), String(type)).toBe(type === 8);
      leaseless(asked);
    }
  });

  it("is offered to random options and to changed bytes, and nothing is thrown", () => {
    const option = fc
      .record({ code: fc.constantFrom(0, 50, 51, 53, 55, 61, 82, 224, 255), value: fc.uint8Array({ maxLength: 20 }) })
      .map(({ code, value }) => [code, value.length, ...value]);
    const built = fc.array(option).map((options) => packet([53, 1, 8, 55, 1, 224, ...options.flat(), 255]));
    const changes = fc.array(fc.tuple(fc.nat(299), fc.nat(255)), { maxLength: 5 });
    const mutated = changes.map((list) =>
      packet(undefined, (bytes) => list.forEach(([at, byte]) => (bytes[at] = byte))),
    );
    const random = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
    const headed = random.map((bytes) => Buffer.from([1, 1, 6, ...Buffer.alloc(233), ...COOKIE, ...bytes]));
    fc.assert(fc.property(fc.oneof(built, mutated, random, headed), leaseless), { numRuns: 2_000 });
  });
});

describe("on the wire", () => {
  const open: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const close of open.splice(0)) await close();
  });
  const lo = { name: "lo", address: "127.0.0.1", netmask: "255.0.0.0", addresses: ["127.0.0.1"] };

  async function socketOf(): Promise<Socket> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    open.push(() => void socket.close());
    return socket;
  }

  it("answers an INFORM at the port it came from, and counts what it drops", async () => {
    const responder = await startDhcpResponder({ on: lo, server: "pronto.local", port: 0, logger: silentLogger });
    open.push(() => responder.stop());
    const socket = await socketOf();
    const heard: Buffer[] = [];
    socket.on("message", (message) => heard.push(message));
    const send = (bytes: readonly number[]): void => socket.send(Uint8Array.from(bytes), responder.port, "127.0.0.1");
    send([1, 2, 3]);
    send([1, 2, 3]);
    send([...packet([53, 1, 1, 255])]);
    send([...buildDhcpInform({ ...ask, address: "127.0.0.1" })]);
    await expect.poll(() => heard.length, { timeout: 5_000 }).toBe(1);
    expect(responder.counts.answered).toBe(1);
    await expect
      .poll(() => [...responder.counts.dropped], { timeout: 5_000 })
      .toEqual([
        ["malformed", 2],
        ["not an INFORM", 1],
      ]);
    await responder.stop();
    await responder.stop();
  });

  it.each([
    ["EACCES", "only root may listen there. Without DHCP, Things still find the server by multicast DNS"],
    ["EADDRINUSE", "this machine has a DHCP server. Let that one say option 224 (docs/sandbox.md)"],
    ["EINVAL", "no such thing"],
  ])("says what to do about %s", (code, says) => {
    expect(whyNotDhcp(Object.assign(new Error("no such thing"), { code }))).toBe(says);
  });

  it("a port that somebody has is not shared: ERR_CONNECTION says what to do", async () => {
    const responder = await startDhcpResponder({ on: lo, server: "pronto.local", port: 0, logger: silentLogger });
    open.push(() => responder.stop());
    await expect(
      startDhcpResponder({ on: lo, server: "pronto.local", port: responder.port, logger: silentLogger }),
    ).rejects.toMatchObject({
      code: "ERR_CONNECTION",
      message: `DHCP on UDP port ${responder.port}: this machine has a DHCP server. Let that one say option 224 (docs/sandbox.md)`,
    });
  });
});
