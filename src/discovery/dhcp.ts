// Asking the DHCP servers of the network for the name of an XMPP server: XEP-0347 3.3.1, D-E23. The system's own client
// holds the address already, so that a DHCPINFORM is enough (RFC 2131 3.4), which anybody may send.
import { networkInterfaces } from "node:os";
import { raceSignal, sleep } from "../core/abort.ts";
import { DiscoveryError, messageOf } from "../core/errors.ts";
import { randomFraction } from "../core/random.ts";
import {
  buildDhcpInform,
  dhcpMessage,
  dhcpOption,
  parseDhcpReply,
  parseDomainNameOption,
  parseXmppServerOption,
} from "../codec/dhcp.ts";
import { nodeFileSystem } from "../storage/file-system.ts";
import { rank, type FoundServer } from "./candidate.ts";
import { readLeases, readLocalDomain, type Lease, type LeaseFiles } from "./dhcp-lease.ts";
import { openLink, placesOf, type Link, type Place } from "./dhcp-link.ts";
import type { DhcpSettings } from "./dhcp-options.ts";
import type { Search } from "./finder.ts";
import { Inbox } from "./inbox.ts";
import { resolveDomain } from "./resolve.ts";

/** What is around; given by tests only. */
export interface DhcpWorld {
  /** The disk. */
  readonly files: LeaseFiles;
  /** The interfaces of the machine, as they are now. */
  readonly interfaces: typeof networkInterfaces;
  /** Opens a socket. */
  readonly open: typeof openLink;
  /** The ports of servers and, if chosen, of clients. */
  readonly ports: { readonly server: number; readonly client: number };
  /** The address of everybody on a network. */
  readonly broadcast: string;
  /** The servers of a domain. */
  readonly expand: (domain: string, search: Search) => Promise<readonly FoundServer[]>;
}

/** This machine, and the network it is on. */
export const machine: DhcpWorld = {
  files: nodeFileSystem,
  interfaces: networkInterfaces,
  open: openLink,
  ports: { server: 67, client: 68 },
  broadcast: "255.255.255.255",
  expand: resolveDomain,
};

// Before each question; a part of it is drawn by lot, for all Things of a house come back from a power cut together.
const WAITS = [100, 1_000, 2_000, 4_000];
const LISTEN = 2_000;
// A network has one DHCP server or two, which name one XMPP server or two. Whoever names thousands keeps none of the
// others out: so many of one sender, so many in all, and the server that gave the lease is always heard. The same for
// what DNS says of one name.
const MOST_OF_ONE = 4;
const MOST_NAMES = 12;
const MOST_ADDRESSES = 4;
const MOST_NOTES = 8;

/** A place, and what has come of asking there. */
interface Asked {
  readonly place: Place;
  readonly xid: number;
  link: Link | undefined;
  /** Why nothing could be asked, in words. */
  problem: string | undefined;
  /** Who has answered. */
  readonly answeredBy: Set<string>;
}

/**
 * Yields the servers that DHCP names: in the leases of systemd-networkd, and in answers to a DHCPINFORM on every
 * interface, which is repeated three times. Ends about 9 s after it began. Rejects with `ERR_DISCOVERY` if there was no
 * name, saying what was heard on which interface.
 */
export async function* findByDhcp(
  settings: DhcpSettings,
  search: Search,
  world: DhcpWorld = machine,
): AsyncGenerator<FoundServer, void> {
  const inbox = new Inbox<FoundServer>();
  const stop = new AbortController();
  const onAbort = (): void => {
    stop.abort(search.signal.reason);
    inbox.end();
  };
  search.signal.addEventListener("abort", onAbort, { once: true });
  if (search.signal.aborted) onAbort();
  const asking = new Asking(settings, { ...search, signal: stop.signal }, world, (found) => inbox.push(found));
  const done = asking.run().finally(() => inbox.end());
  done.catch(() => undefined); // it may fail before anybody waits for it
  try {
    yield* inbox;
    await done;
  } finally {
    search.signal.removeEventListener("abort", onAbort);
    stop.abort(new DiscoveryError("the search has ended"));
    await done.catch(() => undefined);
  }
}

class Asking {
  readonly #codes: readonly (readonly [code: number, rank: number])[];
  readonly #asked = new Map<string, Asked>();
  readonly #expanding = new Set<Promise<void>>();
  /** The names that each sender has given. */
  readonly #names = new Map<string, Set<string>>();
  /** What was wrong with names, for people. */
  readonly #notes = new Set<string>();
  #leases: readonly Lease[] = [];
  #localDomain: string | undefined;
  #found = 0;

  constructor(
    readonly settings: DhcpSettings,
    readonly search: Search,
    readonly world: DhcpWorld,
    readonly tell: (found: FoundServer) => void,
  ) {
    const { siteOption } = settings;
    const site = siteOption === false ? [] : [[siteOption, rank.dhcpSiteSpecific] as const];
    this.#codes = [[dhcpOption.xmppServer, rank.dhcp], ...site];
  }

  async run(): Promise<void> {
    const { clock, random, signal } = this.search;
    try {
      await this.#readWhatIsKnown();
      for (const wait of WAITS) {
        await sleep(
          clock,
          wait * (wait === WAITS[0] ? randomFraction(random) : 1 - randomFraction(random) / 2),
          signal,
        );
        await this.#askEverywhere();
      }
      await sleep(clock, LISTEN, signal);
      await raceSignal(Promise.all(this.#expanding), signal);
      if (this.#found === 0) throw new DiscoveryError(this.#why());
    } finally {
      for (const { link } of this.#asked.values()) link?.close();
    }
  }

  async #readWhatIsKnown(): Promise<void> {
    const { files } = this.world;
    const { lease: folder } = this.settings;
    const [leases, domain] = await Promise.all([
      folder === false ? [] : readLeases(files, folder),
      readLocalDomain(files),
    ]);
    const addresses = this.#places().map((place) => place.address);
    // A lease of an address that is gone is one of another network.
    this.#leases = leases.filter(({ address }) => addresses.includes(address));
    this.#localDomain = domain;
    for (const { options, server, domain: local } of this.#leases) {
      this.#take(
        options,
        local,
        server,
        `of ${server === "" ? "a DHCP server" : server} in a lease of systemd-networkd`,
      );
    }
  }

  #places(): Place[] {
    return placesOf(this.world.interfaces(), this.settings.interfaces);
  }

  /** Interfaces may come up while the search runs: a device starts faster than its Wi-Fi. */
  async #askEverywhere(): Promise<void> {
    await Promise.all(
      this.#places().map(async (place) => {
        const asked = this.#asked.get(place.address) ?? (await this.#open(place));
        if (this.search.signal.aborted) asked.link?.close();
        else await this.#ask(asked);
      }),
    );
  }

  async #open(place: Place): Promise<Asked> {
    const xid = Buffer.from(this.search.random.bytes(4)).readUInt32BE();
    const asked: Asked = { place, xid, link: undefined, problem: undefined, answeredBy: new Set() };
    this.#asked.set(place.address, asked);
    const port = this.settings.port68 ? this.world.ports.client : 0;
    const opened = await this.world.open(place, port, (packet, from) => this.#onPacket(asked, packet, from));
    if (typeof opened === "string") asked.problem = opened;
    else asked.link = opened;
    return asked;
  }

  async #ask(asked: Asked): Promise<void> {
    const { place, xid, link } = asked;
    if (link === undefined) return;
    const { address, hardware } = place;
    const wanted = [...this.#codes.map(([code]) => code), dhcpOption.domainName];
    const packet = buildDhcpInform({ xid, address, hardware, wanted });
    const server = this.#leases.find((lease) => lease.address === address)?.server ?? "";
    // The one that gave the lease may be beyond a relay.
    const targets = server === "" ? [this.world.broadcast] : [this.world.broadcast, server];
    const problems = await Promise.all(targets.map((target) => link.send(packet, this.world.ports.server, target)));
    // One of them is enough.
    asked.problem = problems.includes(undefined) ? undefined : problems[0];
  }

  #onPacket({ place, xid, answeredBy }: Asked, packet: Uint8Array, from: string): void {
    const reply = parseDhcpReply(packet);
    if (typeof reply === "string") return this.search.drop(reply);
    if (reply.xid !== xid || reply.type !== dhcpMessage.ack || reply.hardware !== place.hardware) {
      // To port 68 comes what the system's own client has asked for.
      if (!this.settings.port68) this.search.drop("not an answer to us");
      return;
    }
    if (answeredBy.size < MOST_NOTES) answeredBy.add(from);
    const domain = reply.options.get(dhcpOption.domainName);
    const local = domain === undefined ? undefined : parseDomainNameOption(domain);
    this.#take(reply.options, local, from, `of ${from} on ${place.name}`);
  }

  /** Takes the names out of the options that one server has given. */
  #take(options: ReadonlyMap<number, Uint8Array>, local: string | undefined, from: string, where: string): void {
    for (const [code, trust] of this.#codes) {
      const value = options.get(code);
      if (value === undefined) continue;
      const heard = `DHCP option ${code} ${where}`;
      const name = parseXmppServerOption(value, local ?? this.#localDomain);
      if (name === undefined) {
        this.search.drop("not a host name");
        this.#note(`${heard} is not the name of a host`);
      } else if (this.#isNew(from, `${code} ${name}`)) {
        // The first name of everybody comes before the second of anybody: who gives four has no four lots (XEP-0347 3.4).
        const given = [...(this.#names.get(from) ?? [])].filter((one) => one.startsWith(`${code} `)).length;
        const behind = (given - 1) * MOST_ADDRESSES;
        const task = this.#expand(name, trust, behind, heard).finally(() => this.#expanding.delete(task));
        this.#expanding.add(task);
      }
    }
  }

  #isNew(from: string, name: string): boolean {
    const names = this.#names.get(from) ?? new Set();
    if (names.has(name)) return false;
    const isKnown = this.#leases.some(({ server }) => server === from);
    const all = [...this.#names.values()].reduce((sum, { size }) => sum + size, 0);
    if (names.size >= MOST_OF_ONE || (all >= MOST_NAMES && !isKnown)) {
      this.search.drop("too many servers");
      return false;
    }
    this.#names.set(from, names.add(name));
    return true;
  }

  async #expand(name: string, trust: number, behind: number, heard: string): Promise<void> {
    try {
      const servers = await this.world.expand(name, this.search);
      for (const [index, server] of servers.slice(0, MOST_ADDRESSES).entries()) {
        this.#found++;
        this.tell({ ...server, rank: trust, preference: behind + index, heard: `${heard}: ${server.heard}` });
      }
    } catch (error) {
      this.#note(`${heard} is ${name}: ${messageOf(error)}`);
    }
  }

  #note(text: string): void {
    if (this.#notes.size < MOST_NOTES) this.#notes.add(text);
  }

  #why(): string {
    if (this.#notes.size > 0) return [...this.#notes].join("; ");
    if (this.#asked.size === 0) {
      const { interfaces } = this.settings;
      return `${interfaces === undefined ? "no interface" : `none of ${interfaces.join(", ")}`} is up with an IPv4 address`;
    }
    const codes = this.#codes.map(([code]) => code).join(" or ");
    return [...this.#asked.values()]
      .map(({ place, problem, answeredBy }) => {
        const from = [...answeredBy].join(", ");
        return `${place.name}: ${problem ?? (from === "" ? "no DHCP server answers" : `${from} answers without option ${codes}`)}`;
      })
      .join("; ");
  }
}
