// 10,000 hostile packets on the wire at a search that runs.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { expect, test, vi } from "vitest";
import type { FoundServer } from "../../src/discovery/candidate.ts";
import { findByMdns } from "../../src/discovery/mdns.ts";
import { announced, freePort, LOOPBACK, startResponder, testSearch } from "../support/mdns-loopback.ts";
import { Dice } from "../support/hostile/dice.ts";

const GROUP = "224.0.0.251";
const PACKETS = 10_000;
const LIARS = ["127.0.0.21", "127.0.0.22", "127.0.0.23", "127.0.0.24"];

/** A socket that speaks, and may hear, as if it were a responder of another host. */
async function mouth(address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  socket.bind(port, address);
  await once(socket, "listening");
  socket.setMulticastInterface(address);
  return socket;
}

/** What a responder says on the wire, to be spoilt. */
async function recorded(): Promise<Uint8Array> {
  const port = await freePort();
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  socket.bind(port, "0.0.0.0");
  await once(socket, "listening");
  socket.addMembership(GROUP, LOOPBACK);
  const responder = await startResponder(port);
  const { ptr, srv, txt, a } = announced({ instance: "liar", host: "liar.local", txt: ["ordom=liar.example"] });
  const heard = once(socket, "message") as Promise<[Buffer]>;
  await responder.say([ptr, srv], [txt, a]);
  const [packet] = await heard;
  await responder.close();
  socket.close();
  return new Uint8Array(packet);
}

function spoilt(packet: Uint8Array, dice: Dice): Uint8Array {
  const at = dice.below(packet.length);
  const kind = dice.below(6);
  if (kind === 0) return packet.slice(0, at);
  if (kind === 1) return Uint8Array.from({ length: dice.below(9_000) }, () => dice.below(256));
  const made = packet.slice();
  if (kind === 2)
    made.set([0xc0 | (at >> 8), at & 0xff].slice(0, packet.length - at), at); // a pointer to itself
  else if (kind === 3) made[4 + dice.below(8)] = dice.below(256);
  else for (let times = 1 + dice.below(4); times > 0; times--) made[dice.below(made.length)] = dice.below(256);
  return made;
}

test("D-6.9-1: the true server is found in a flood of 10,000 hostile packets", { timeout: 60_000 }, async () => {
  const seed = process.env["HOSTILE_SEED"] ?? String(Date.now());
  const settings = { interfaces: [LOOPBACK], port: await freePort() };
  const packet = await recorded();
  const search = testSearch();
  const found: FoundServer[] = [];
  const { says } = announced();
  let sent = 0;
  // It comes in the middle of the flood.
  const responder = await startResponder(settings.port, (question) =>
    sent < PACKETS / 2 ? undefined : says(question),
  );
  const liars = await Promise.all(LIARS.map((address) => mouth(address, settings.port)));
  const searching = (async () => {
    for await (const server of findByMdns(settings, search)) found.push(server);
  })();
  try {
    await vi.waitFor(() => expect(responder.asked).not.toEqual([]), 10_000);
    for (; sent < PACKETS; sent++) {
      const dice = new Dice(seed, sent);
      liars[sent % liars.length]?.send(spoilt(packet, dice), settings.port, GROUP);
      // The finder is in this process: it has to have its turn, or the system throws away what waits for it.
      if (sent % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await vi.waitFor(() => expect(found.map(({ domain }) => domain)).toContain("example.com"), 15_000);
    const counted = [...search.dropped.values()].reduce((sum, count) => sum + count, 0);
    console.log(`hostile: ${PACKETS} DNS packets on the wire, seed ${seed}, ${counted} times something dropped`);
    expect(counted).toBeGreaterThan(PACKETS / 2);
    expect(found.length).toBeLessThanOrEqual(8 * LIARS.length + 1);
  } finally {
    search.stop();
    await searching;
    await responder.close();
    for (const liar of liars) liar.close();
  }
});
