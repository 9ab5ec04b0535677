// A search by DHCP that hears whatever it is fed. No packet leaves the process.
import { readFileSync } from "node:fs";
import { silentLogger } from "../../../src/core/logger.ts";
import type { FoundServer } from "../../../src/discovery/candidate.ts";
import { findByDhcp, type DhcpWorld } from "../../../src/discovery/dhcp.ts";
import { SimulatedClock } from "../../../src/sandbox/simulated-clock.ts";
import { settingsOf } from "../pretend-dhcp.ts";
import { dhcpAnswer } from "./dhcp-packets.ts";
import type { Subject } from "./subject.ts";

const RECORDED = new URL("../../fixtures/packets/dhcp.json", import.meta.url);
// Of the question that the recorded packets answer.
const XID = 0x07070707;
const HARDWARE = "02:00:00:00:00:07";
const LEASE = "ADDRESS=10.77.0.2\nSERVER_ADDRESS=10.77.0.1\nDOMAINNAME=home.example\n";
const TRUE = "true.home.example";
// What the library promises: twelve names, four of them addresses each, and the server of the lease besides.
const MOST_FOUND = 64;
const name = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** What dnsmasq has said. */
export function recordedDhcp(): readonly Uint8Array[] {
  const captures = JSON.parse(readFileSync(RECORDED, "utf8")) as readonly { readonly hex: string }[];
  return captures.map(({ hex }) => new Uint8Array(Buffer.from(hex, "hex")));
}

/** Starts a search, which has asked. Where it has a lease, the true server is the one that gave it. */
export async function dhcpSubject(hasLease: boolean): Promise<Subject> {
  const clock = new SimulatedClock();
  const found: FoundServer[] = [];
  const stop = new AbortController();
  let hear: ((packet: Uint8Array, from: string) => void) | undefined;
  let dropped = 0;
  const text = new Uint8Array(Buffer.from(LEASE));
  const world: DhcpWorld = {
    files: {
      readdir: () => Promise.resolve(hasLease ? ["2"] : []),
      readFile: (path) => (hasLease && path.endsWith("/2") ? Promise.resolve(text) : Promise.reject(new Error("none"))),
    },
    interfaces: () => ({
      eth0: [
        { address: "10.77.0.2", mac: HARDWARE, internal: false, netmask: "", family: "IPv4", cidr: "10.77.0.2/24" },
      ],
    }),
    ports: { server: 67, client: 68 },
    broadcast: "255.255.255.255",
    open: (_place, _port, onPacket) => {
      hear = onPacket;
      return Promise.resolve({ send: () => Promise.resolve(undefined), close: () => undefined });
    },
    expand: (domain) => Promise.resolve([{ host: domain, port: 5222, domain, heard: "its name" }]),
  };
  const search = {
    signal: stop.signal,
    clock,
    random: { bytes: (count: number) => new Uint8Array(count).fill(7) },
    logger: silentLogger,
    drop: () => {
      dropped++;
    },
  };
  const ended = (async () => {
    for await (const server of findByDhcp(settingsOf(), search, world)) found.push(server);
  })().catch(() => undefined);
  for (let step = 0; step < 100 && hear === undefined; step++) await clock.advance(5);
  if (hear === undefined) throw new Error("the search has asked nothing");
  return {
    feed: (packet, dice) => {
      // Without a lease two liars are not enough to keep a third server out; with one, any number is not.
      const from = hasLease ? `10.77.${dice.below(256)}.${dice.below(256)}` : `10.77.0.${20 + dice.below(2)}`;
      hear?.(packet, from === "10.77.0.1" ? "10.77.0.20" : from);
    },
    end: async () => {
      hear?.(dhcpAnswer({ xid: XID, hardware: HARDWARE, options: [[224, TRUE]] }), "10.77.0.1");
      await clock.advance(0);
      stop.abort(new Error("enough"));
      await ended;
      if (!found.some(({ domain, heard }) => domain === TRUE && heard.includes("of 10.77.0.1 on eth0"))) {
        return "the true server was not heard";
      }
      if (found.length > MOST_FOUND) return `${found.length} servers were found`;
      const odd = found.find((one) => !name.test(one.domain) || one.domain !== one.host || one.heard.length > 300);
      if (odd !== undefined) return `found ${JSON.stringify(odd).slice(0, 500)}`;
      return clock.pending === 0 ? undefined : `${clock.pending} timers are left`;
    },
    counts: () => ({ found: found.length, dropped }),
  };
}
