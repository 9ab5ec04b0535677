import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import type { Logger } from "../../src/core/logger.ts";
import { openMdnsWire } from "../../src/sandbox/announce-socket.ts";
import type { HeardPacket, MdnsWire } from "../../src/sandbox/announce-mdns.ts";

const lo = { name: "lo", address: "127.0.0.1", netmask: "255.0.0.0", addresses: ["127.0.0.1"] };
const log: string[] = [];
const note = (message: string, fields?: object): void => void log.push(`${message} ${JSON.stringify(fields)}`);
const logger: Logger = { debug: note, info: note, warn: note, error: note };

async function freePort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}

describe("multicast DNS on one interface", () => {
  let wires: MdnsWire[] = [];
  afterEach(async () => {
    await Promise.all(wires.map((wire) => wire.close()));
    wires = [];
    log.length = 0;
  });
  const open = async (...options: Parameters<typeof openMdnsWire>): Promise<MdnsWire> => {
    const wire = await openMdnsWire(...options);
    wires.push(wire);
    return wire;
  };

  it("carries packets to all who listen there, also back to itself", async () => {
    const port = await freePort();
    const [one, other] = [await open({ on: lo, port, logger }), await open({ on: lo, port, logger })];
    const heard: [MdnsWire, HeardPacket][] = [];
    for (const wire of [one, other]) wire.onPacket = (packet) => heard.push([wire, packet]);
    await one.send({ type: "query", questions: [{ name: "pronto.local", type: "ANY" }] });
    await expect.poll(() => heard.length, { timeout: 5_000 }).toBe(2);
    expect(new Set(heard.map(([wire]) => wire)).size).toBe(2);
    expect(heard[0]?.[1]).toMatchObject({ type: "query", questions: [{ name: "pronto.local", type: "ANY" }] });
  });

  it("hears nothing of those who are not on the link, whoever else has let them in", async () => {
    const port = await freePort();
    const elsewhere = { ...lo, netmask: "255.255.255.255" };
    const [near, far] = [await open({ on: lo, port, logger }), await open({ on: elsewhere, port, logger })];
    const heard: MdnsWire[] = [];
    for (const wire of [near, far]) wire.onPacket = () => heard.push(wire);
    const stranger = createSocket("udp4").bind(0, "127.0.0.2");
    await once(stranger, "listening");
    stranger.setMulticastInterface("127.0.0.1");
    stranger.send(new Uint8Array(12), port, "224.0.0.251");
    await expect.poll(() => heard, { timeout: 5_000 }).toEqual([near]);
    await near.send({ type: "query", questions: [] });
    // What came first has been handed over, or left out, by now.
    await expect.poll(() => heard, { timeout: 5_000 }).toEqual([near, near, far]);
    stranger.close();
  });

  it("notes what could not be sent, and goes on", async () => {
    const port = await freePort();
    const wire = await open({ on: lo, port, logger });
    const data = Array<string>(200).fill("x".repeat(250));
    const huge = { name: "a.local", type: "TXT", ttl: 1, flush: true, data } as const;
    await wire.send({ type: "response", answers: [huge, huge] });
    expect(log.join()).toMatch(/multicast DNS: not sent .*EMSGSIZE/);
    await wire.send({ type: "response", answers: [] });
    expect(log).toHaveLength(1);
  });

  it("notes a packet that is none", async () => {
    const port = await freePort();
    await open({ on: lo, port, logger });
    const socket = createSocket("udp4");
    socket.send(Uint8Array.of(1, 2, 3), port, "127.0.0.1");
    await expect.poll(() => log.length, { timeout: 5_000 }).toBe(1);
    socket.close();
  });

  it("is refused where nothing can be heard", async () => {
    const port = await freePort();
    const nowhere = { ...lo, name: "lo6", address: "::%lo" };
    await expect(open({ on: nowhere, port, logger })).rejects.toMatchObject({
      code: "ERR_CONNECTION",
      message: expect.stringContaining(`multicast DNS on lo6 (::%lo), UDP port ${port}: addMembership`),
    });
  });
});
