// A search by multicast DNS that hears whatever it is fed. No packet leaves the process.
import type { Socket } from "node:dgram";
import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { silentLogger } from "../../../src/core/logger.ts";
import type { FoundServer } from "../../../src/discovery/candidate.ts";
import { findByMdns } from "../../../src/discovery/mdns.ts";
import { defaultMdns } from "../../../src/discovery/mdns-options.ts";
import type { MdnsWorld } from "../../../src/discovery/mdns-sockets.ts";
import { SimulatedClock } from "../../../src/sandbox/simulated-clock.ts";
import type { Subject } from "./subject.ts";

const RECORDED = new URL("../../fixtures/packets/dns.json", import.meta.url);
const PORT = 5353;
const SERVER = "10.77.0.1";
const TRUE = "pronto.local";
// Senders are heard at a limited rate, which is not what is to be tried here.
const AT_ONCE = 32;
const PAUSE = 1_500;
const MOST_FOUND = 600;

/** What avahi has said. */
export function recordedDns(): readonly Uint8Array[] {
  const captures = JSON.parse(readFileSync(RECORDED, "utf8")) as readonly { readonly hex: string }[];
  return captures.map(({ hex }) => new Uint8Array(Buffer.from(hex, "hex")));
}

/** A socket of which nothing comes and goes but what it is told. */
class Mute extends EventEmitter {
  bind(): this {
    queueMicrotask(() => this.emit("listening"));
    return this;
  }
  close(done?: () => void): this {
    queueMicrotask(() => {
      this.emit("close");
      done?.();
    });
    return this;
  }
  send(...args: readonly unknown[]): void {
    const done = args.at(-1);
    if (typeof done === "function") queueMicrotask(done as () => void);
  }
  address(): object {
    return { address: "10.77.0.2", family: "IPv4", port: PORT };
  }
  setMulticastTTL(): void {}
  setMulticastLoopback(): void {}
  setMulticastInterface(): void {}
  addMembership(): void {}
  dropMembership(): void {}
}

/** Starts a search, which has asked. What comes is from one sender, or from some. */
export async function dnsSubject(isOne: boolean): Promise<Subject> {
  const clock = new SimulatedClock();
  const found: FoundServer[] = [];
  const stop = new AbortController();
  const sockets: Mute[] = [];
  let dropped = 0;
  const world: MdnsWorld = {
    socket: () => {
      const socket = new Mute();
      sockets.push(socket);
      return socket as unknown as Socket;
    },
    links: {
      multicast: () => true,
      list: () => ({
        eth0: [{ address: "10.77.0.2", mac: "", internal: false, netmask: "", family: "IPv4", cidr: "10.77.0.2/24" }],
      }),
    },
  };
  const search = {
    signal: stop.signal,
    clock,
    random: { bytes: (count: number) => new Uint8Array(count) },
    logger: silentLogger,
    drop: () => {
      dropped++;
    },
  };
  const ended = (async () => {
    for await (const server of findByMdns(defaultMdns, search, world)) found.push(server);
  })();
  ended.catch(() => undefined);
  await clock.advance(200);
  // The library is loaded by the search, in the machine's own time.
  const deadline = Date.now() + 20_000;
  while (sockets.length < 2 && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  if (sockets.length < 2) throw new Error("the search has asked nothing");
  await clock.advance(10);
  const hear = (packet: Uint8Array, address: string, socket = 0): void => {
    const rinfo = { address, port: PORT, family: "IPv4", size: packet.length };
    sockets[socket]?.emit("message", Buffer.from(packet), rinfo);
  };
  let fed = 0;
  return {
    feed: async (packet, dice) => {
      const toUs = dice.chance(0.2);
      // To its own socket comes only what bears the number of its question.
      if (toUs && packet.length > 1) packet.set([0, 1]);
      hear(packet, isOne ? "10.77.0.20" : `10.77.0.${20 + dice.below(20)}`, toUs ? 1 : 0);
      if (++fed % AT_ONCE === 0) await clock.advance(PAUSE);
    },
    end: async () => {
      await clock.advance(PAUSE);
      for (const packet of recordedDns()) {
        hear(packet, SERVER);
        await clock.advance(100);
      }
      await clock.advance(PAUSE);
      stop.abort(new Error("enough"));
      const why = await ended.then(
        () => undefined,
        (error: unknown) => `the search has failed: ${String(error)}`,
      );
      if (why !== undefined) return why;
      if (!found.some(({ domain, heard }) => domain === TRUE && heard.endsWith(`said by ${SERVER}`))) {
        return "the true server was not heard";
      }
      if (found.length > MOST_FOUND) return `${found.length} servers were found`;
      const odd = found.find(({ domain, host, port }) => {
        return typeof domain !== "string" || typeof host !== "string" || !(port > 0 && port < 65_536);
      });
      if (odd !== undefined) return `found ${JSON.stringify(odd).slice(0, 500)}`;
      return clock.pending === 0 ? undefined : `${clock.pending} timers are left`;
    },
    counts: () => ({ found: found.length, dropped }),
  };
}
