// A DHCP server on the loopback that says what a test wants, and the world in which a finder meets it.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { NetworkInterfaceInfo } from "node:os";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { FoundServer } from "../../src/discovery/candidate.ts";
import { findByDhcp, type DhcpWorld } from "../../src/discovery/dhcp.ts";
import { openLink } from "../../src/discovery/dhcp-link.ts";
import { checkDhcp, type DhcpOptions, type DhcpSettings } from "../../src/discovery/dhcp-options.ts";
import { dhcpAnswer, type Said } from "./hostile-packets/dhcp-packets.ts";

export const HARDWARE = "02:00:00:00:00:01";

/** A DHCPINFORM that has come. */
export interface Inform {
  readonly xid: number;
  readonly packet: Uint8Array;
  /** Where it came from. */
  readonly from: string;
  readonly port: number;
}

/** A server. */
export interface PretendDhcp {
  readonly port: number;
  readonly informs: readonly Inform[];
  /** What it does with a question; nothing unless a test says so. */
  onInform: (inform: Inform) => void;
  /** Answers, as the same server from the address that is given. */
  say(inform: Inform, said: Omit<Said, "xid"> & { readonly xid?: number }): void;
  /** Sends bytes to whoever has asked. */
  send(inform: Inform, packet: Uint8Array): Promise<void>;
  close(): void;
}

/** Starts one. */
export async function pretendDhcp(address = "127.0.0.1", port = 0): Promise<PretendDhcp> {
  const socket: Socket = createSocket("udp4");
  socket.bind(port, address);
  await once(socket, "listening");
  const informs: Inform[] = [];
  const server: PretendDhcp = {
    port: socket.address().port,
    informs,
    onInform: () => undefined,
    say: (inform, said) => void server.send(inform, dhcpAnswer({ xid: inform.xid, ...said })),
    send: (inform, packet) => new Promise((sent) => socket.send(packet, inform.port, inform.from, () => sent())),
    close: () => void socket.close(),
  };
  socket.on("message", (message, { address: from, port: sender }) => {
    const inform = { xid: message.readUInt32BE(4), packet: new Uint8Array([...message]), from, port: sender };
    informs.push(inform);
    server.onInform(inform);
  });
  return server;
}

/** An interface as the system tells of it. */
export const one = (address = "127.0.0.1", mac = HARDWARE, internal = false): NetworkInterfaceInfo => ({
  ...{ address, mac, internal },
  ...{ netmask: "255.0.0.0", family: "IPv4", cidr: null },
});

/** What is around a finder: one interface, on the loopback, and no disk. */
export const world = (server: { readonly port: number }, changes: Partial<DhcpWorld> = {}): DhcpWorld => ({
  files: { readdir: () => Promise.resolve([]), readFile: () => Promise.reject(new Error("no such file")) },
  interfaces: () => ({ eth0: [one()] }),
  open: openLink,
  ports: { server: server.port, client: 0 },
  broadcast: "127.0.0.1",
  expand: (domain) => Promise.resolve([{ host: domain, port: 5222, domain, heard: "its name" }]),
  ...changes,
});

export const settingsOf = (options: DhcpOptions = {}): DhcpSettings => checkDhcp(options, "dhcp") as DhcpSettings;

/** A search that runs. */
export interface Running {
  readonly found: FoundServer[];
  /** How often what was dropped. */
  readonly dropped: ReadonlyMap<string, number>;
  readonly clock: SimulatedClock;
  /** Settles when it ends: the reason if it found nothing. */
  readonly ended: Promise<string | undefined>;
  /** Lets time pass, in small steps, until then; time stands still while `busy`. */
  until(condition: () => boolean, busy?: () => boolean): Promise<void>;
  /** Lets time pass until it has ended. */
  end(): Promise<string | undefined>;
  stop(): void;
}

/** Searches in that world. */
export function searching(around: DhcpWorld, options: DhcpOptions = {}, seed = "dhcp"): Running {
  const clock = new SimulatedClock();
  const stop = new AbortController();
  const found: FoundServer[] = [];
  const dropped = new Map<string, number>();
  const drop = (why: string): void => void dropped.set(why, (dropped.get(why) ?? 0) + 1);
  const random = new SeededRandom(seed);
  let over = false;
  const run = async (): Promise<string | undefined> => {
    try {
      const search = { signal: stop.signal, clock, random, logger: silentLogger, drop };
      for await (const server of findByDhcp(settingsOf(options), search, around)) found.push(server);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      over = true;
    }
  };
  const ended = run();
  const until = async (condition: () => boolean, busy = (): boolean => false): Promise<void> => {
    const deadline = Date.now() + 15_000;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error("it did not come to that");
      if (!busy()) await clock.advance(50);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  return {
    ...{ found, dropped, clock, ended, until },
    end: async () => {
      await until(() => over);
      return ended;
    },
    stop: () => stop.abort(new Error("stopped by the test")),
  };
}
