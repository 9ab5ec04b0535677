// The sockets of multicast DNS: two for each link, RFC 6762 sections 5.1, 6.7 and 15.
import { createSocket, type Socket } from "node:dgram";
import type { MulticastDNS, Options } from "multicast-dns";
import { messageOf } from "../core/errors.ts";
import { Gate } from "./mdns-gate.ts";
import type { Search } from "./finder.ts";
import { linksNow, machineLinks, type Link, type LinkSource } from "./mdns-links.ts";
import type { MdnsSettings } from "./mdns-options.ts";
import type { Query } from "./mdns-questions.ts";

/** What multicast DNS is done with; tests have their own. */
export interface MdnsWorld {
  /** Makes a socket that is not bound. */
  readonly socket: (family: 4 | 6) => Socket;
  /** The network interfaces. */
  readonly links: LinkSource;
}

/** This machine. */
export const machine: MdnsWorld = {
  socket: (family) =>
    family === 4
      ? createSocket({ type: "udp4", reuseAddr: true })
      : createSocket({ type: "udp6", reuseAddr: true, ipv6Only: true }),
  links: machineLinks,
};

/** What {@link MdnsSockets} go by. */
export interface SocketsOptions {
  readonly settings: MdnsSettings;
  readonly search: Search;
  readonly world: MdnsWorld;
  /** Told of each packet that the library has decoded. */
  readonly heard: (packet: unknown, sender: string, link: Link) => void;
  /** What to ask on a link that has come up just now. */
  readonly questions: () => readonly Query[];
}

interface Mouth {
  readonly link: Link;
  readonly dns: MulticastDNS;
  /** The number of its questions. 0 on the port of multicast DNS, as RFC 6762 section 18.1 has it. */
  readonly id: number;
  open: boolean;
}

type Kind = "shared" | "own";

const GROUP = { 4: "224.0.0.251", 6: "ff02::fb" } as const;
const ANY = { 4: "0.0.0.0", 6: "::" } as const;
const LOOK_EVERY = 2_000;

/**
 * The sockets of all links. Each link has two: one on port 5353, shared with whatever else speaks multicast DNS on the
 * machine, hears what is sent to all. One on a port of its own asks for an answer to itself, which comes sooner and
 * also where 5353 is taken, or closed by a firewall. Interfaces come and go: they are looked for every 2 s.
 */
export class MdnsSockets {
  readonly #options: SocketsOptions;
  readonly #gate: Gate;
  readonly #mouths = new Map<string, Mouth>();
  readonly #problems = new Map<string, string>();
  readonly #closing = new Set<Promise<void>>();
  #make: ((options: Options) => MulticastDNS) | undefined;
  #timer = { cancel: (): void => undefined };
  #closed = false;

  constructor(options: SocketsOptions) {
    this.#options = options;
    const { search, settings } = options;
    const links = (): readonly Link[] => [...this.#mouths.values()].map(({ link }) => link);
    this.#gate = new Gate({ clock: search.clock, port: settings.port, links, drop: search.drop });
  }

  /** Opens the sockets. Gives how many links there are. */
  async open(): Promise<number> {
    const { default: make } = await import("multicast-dns"); // not before anybody searches
    this.#make = make;
    if (this.#closed) return 0;
    const links = this.#links();
    this.#look(links);
    return links.length;
  }

  /** Why some links cannot be used, each once; empty if all can. */
  get problems(): readonly string[] {
    return [...new Set(this.#problems.values())];
  }

  /** Whether there is any socket to ask with. */
  get usable(): boolean {
    return this.#mouths.size > 0;
  }

  /** Asks on all links. */
  ask(queries: readonly Query[]): void {
    for (const mouth of this.#mouths.values()) if (mouth.open) this.#say(mouth, queries);
  }

  /** Closes all sockets; resolves when they are. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer.cancel();
    for (const key of [...this.#mouths.keys()]) this.#end(key);
    await Promise.all(this.#closing);
  }

  #links(): readonly Link[] {
    return linksNow(this.#options.settings.interfaces, this.#options.world.links);
  }

  /** A system that cannot say which interfaces there are, for want of a file descriptor say, takes nothing from those in use. */
  #lookAgain(): void {
    try {
      this.#look(this.#links());
    } catch (error) {
      const { clock, logger } = this.#options.search;
      logger.debug("the interfaces cannot be listed", { why: messageOf(error) });
      this.#timer = clock.schedule(LOOK_EVERY, () => this.#lookAgain());
    }
  }

  #look(links: readonly Link[]): void {
    const now = new Map<string, [Link, Kind]>();
    for (const link of links) {
      for (const kind of ["shared", "own"] as const) now.set(`${link.interface} ${link.address} ${kind}`, [link, kind]);
    }
    for (const key of [...this.#mouths.keys()]) if (!now.has(key)) this.#end(key);
    for (const key of this.#problems.keys()) if (!now.has(key)) this.#problems.delete(key);
    for (const [key, [link, kind]] of now) if (!this.#mouths.has(key)) this.#start(key, link, kind);
    this.#timer = this.#options.search.clock.schedule(LOOK_EVERY, () => this.#lookAgain());
  }

  #start(key: string, link: Link, kind: Kind): void {
    const { settings, world, search, heard, questions } = this.#options;
    const { family } = link;
    const id = kind === "shared" ? 0 : 1 + (Buffer.from(search.random.bytes(2)).readUInt16BE(0) % 65_535);
    let mouth: Mouth | undefined;
    const failed = (error: Error): void => {
      this.#problems.set(key, `${link.interface}: ${messageOf(error)}`);
      search.logger.debug("a socket of multicast DNS failed", { interface: link.interface, why: messageOf(error) });
      if (this.#mouths.get(key) === mouth) this.#end(key);
    };
    try {
      const socket = world.socket(family);
      this.#guard(socket, link, kind === "own" ? id : undefined);
      const dns = this.#library({ socket, link });
      const here: Mouth = { link, dns, id, open: false };
      mouth = here;
      this.#mouths.set(key, here);
      dns.on("error", failed);
      // What cannot be decoded comes here too; only what the system says has a call to it.
      dns.on("warning", (error) => ("syscall" in error ? failed(error) : search.drop("malformed")));
      dns.on("response", (packet, source) => heard(packet, source.address, link));
      socket.once("listening", () => {
        if (this.#mouths.get(key) !== here) return;
        here.open = true;
        this.#problems.delete(key);
        this.#say(here, questions());
      });
      socket.bind(
        kind === "shared" ? { port: settings.port, address: ANY[family] } : { port: 0, address: link.address },
      );
    } catch (error) {
      failed(error as Error);
    }
  }

  #library({ socket, link }: { readonly socket: Socket; readonly link: Link }): MulticastDNS {
    const { family, address } = link;
    const options: Options = {
      socket,
      bind: false, // it is bound here: to its own address it would not hear what is sent to all
      type: `udp${family}`,
      ip: GROUP[family],
      interface: family === 4 ? address : `::%${link.interface}`,
      port: this.#options.settings.port,
    };
    if (this.#make === undefined) throw new TypeError("not open");
    return this.#make(options);
  }

  /** The library decodes whatever its socket hands out: what is not to be decoded must not get so far. */
  #guard(socket: Socket, link: Link, id: number | undefined): void {
    const emit = socket.emit.bind(socket) as (event: string, ...args: readonly unknown[]) => boolean;
    socket.emit = (event: string, ...args: readonly unknown[]): boolean => {
      if (event !== "message") return emit(event, ...args);
      const [packet, source] = args as [Buffer, { readonly address: string; readonly port: number }];
      return !this.#closed && this.#gate.admits(packet, source, link, id) && emit(event, ...args);
    };
  }

  #say({ dns, id, link }: Mouth, queries: readonly Query[]): void {
    for (const { questions, answers } of queries) {
      // What is known is told on the shared port only: elsewhere it is the whole answer that is wanted.
      const known = id === 0 ? [...answers] : [];
      const told = (error: Error | null | undefined): void => {
        if (error)
          this.#options.search.logger.debug("a question could not be sent", {
            interface: link.interface,
            why: messageOf(error),
          });
      };
      dns.query({ id, questions: [...questions], answers: known }, told);
    }
  }

  #end(key: string): void {
    const mouth = this.#mouths.get(key);
    if (mouth === undefined) return;
    this.#mouths.delete(key);
    const closed = new Promise<void>((resolve) => {
      try {
        mouth.dns.destroy(resolve);
      } catch {
        resolve(); // it is closed already
      }
    });
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }
}
