// Multicast DNS on the loopback interface, on a port that is nobody's: what a test says there no real network hears.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Answer, SrvAnswer, StringAnswer, TxtAnswer } from "dns-packet";
import mdns, { type MulticastDNS } from "multicast-dns";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import type { Search } from "../../src/discovery/finder.ts";

export const LOOPBACK = "127.0.0.1";

/** A UDP port that is free on all addresses now. */
export async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "0.0.0.0");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

/** A search of a test, and what was dropped in it. */
export interface TestSearch extends Search {
  /** How often something was dropped, by the reason. */
  readonly dropped: Map<string, number>;
  /** Ends it. */
  stop(reason?: Error): void;
}

/** Makes a search on the machine's own clock. */
export function testSearch(parts: Partial<Search> = {}): TestSearch {
  const dropped = new Map<string, number>();
  const end = new AbortController();
  return {
    signal: end.signal,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    drop: (why) => dropped.set(why, (dropped.get(why) ?? 0) + 1),
    ...parts,
    dropped,
    stop: (reason = new Error("the test has ended")) => end.abort(reason),
  };
}

/** Somebody on the loopback network who answers what is asked of him. */
export interface Responder {
  readonly dns: MulticastDNS;
  /** The questions that came, as `PTR name`. */
  readonly asked: string[];
  /** Sends an answer that nobody has asked for, to all. */
  readonly say: (answers: readonly Answer[], additionals?: readonly Answer[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What a responder has to say to a question: answers and what goes with them; nothing if it is not for him. */
export type Says = (question: string) => { answers: readonly Answer[]; additionals?: readonly Answer[] } | undefined;

/** Starts a responder, which sends from an address of 127.0.0.0/8. Whoever asks from another port than that of multicast DNS is answered alone (RFC 6762 6.7). */
export async function startResponder(
  port: number,
  says: Says = () => undefined,
  address = LOOPBACK,
): Promise<Responder> {
  const dns = mdns({ interface: address, bind: "0.0.0.0", port });
  const asked: string[] = [];
  dns.on("query", (query, source) => {
    for (const { type, name } of query.questions ?? []) {
      asked.push(`${type} ${name}`);
      const said = says(`${type} ${name}`);
      if (said === undefined) continue;
      const packet = { id: query.id, answers: [...said.answers], additionals: [...(said.additionals ?? [])] };
      if (source.port === port) dns.respond({ ...packet, id: 0 });
      else dns.respond(packet, source);
    }
  });
  await once(dns, "ready");
  return {
    dns,
    asked,
    say: (answers, additionals = []) =>
      new Promise((resolve, reject) => {
        const packet = { answers: [...answers], additionals: [...additionals] };
        dns.respond(packet, (error) => (error === null || error === undefined ? resolve() : reject(error)));
      }),
    close: () => new Promise((resolve) => dns.destroy(() => resolve())),
  };
}

/** Resolves when whatever was said on the loopback network before has come to everybody: it is a queue, also for this. */
export async function heardByAll(port: number): Promise<void> {
  const last = await startResponder(port);
  const mark = `mark-${Math.random()}`;
  const heard = new Promise<void>((resolve) => {
    last.dns.on("query", ({ questions = [] }) => questions.some(({ name }) => name === mark) && resolve());
  });
  last.dns.query(mark, "A");
  await heard;
  await new Promise((resolve) => setImmediate(resolve));
  await last.close();
}

/** A server that announces itself. */
export interface Announced {
  readonly ptr: StringAnswer;
  readonly srv: SrvAnswer;
  readonly txt: TxtAnswer;
  readonly a: StringAnswer;
  /** Answers every question about it, with all that goes with it. */
  readonly says: Says;
}

/** The records of XEP-0347 Listing 8. */
export function announced({
  instance = "pronto",
  host = "pronto.local",
  port = 5222,
  address = "127.0.0.7",
  txt: strings = ["txtvers=1", "ordom=example.com", "regis=registry", "provis=provisioning"],
} = {}): Announced {
  const type = "_xmpp-client._tcp.local";
  const name = `${instance}.${type}`;
  const ptr: StringAnswer = { type: "PTR", name: type, ttl: 120, data: name };
  const data = { port, target: host, priority: 0, weight: 0 };
  const srv: SrvAnswer = { type: "SRV", name, ttl: 120, flush: true, data };
  const txt: TxtAnswer = { type: "TXT", name, ttl: 120, flush: true, data: strings };
  const a: StringAnswer = { type: "A", name: host, ttl: 120, flush: true, data: address };
  const says: Says = (question) => {
    if (question === `PTR ${type}`) return { answers: [ptr], additionals: [srv, txt, a] };
    const record = [srv, txt, a].find(({ type, name }) => question === `${type} ${name}`);
    return record === undefined ? undefined : { answers: [record] };
  };
  return { ptr, srv, txt, a, says };
}
