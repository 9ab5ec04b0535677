// Finding XMPP servers by multicast DNS: XEP-0347 3.3.2, RFC 6762, RFC 6763.
import { sleep } from "../core/abort.ts";
import { DiscoveryError } from "../core/errors.ts";
import { randomFraction } from "../core/random.ts";
import type { FoundServer } from "./candidate.ts";
import type { Search } from "./finder.ts";
import { assemble, type Assembly } from "./mdns-assembly.ts";
import { RecordCache, type SenderRecords } from "./mdns-cache.ts";
import type { Link } from "./mdns-links.ts";
import type { MdnsSettings } from "./mdns-options.ts";
import { Questions, inTurn, toQueries, type Query } from "./mdns-questions.ts";
import { keyOf, readRecords, service } from "./mdns-records.ts";
import { machine, MdnsSockets, type MdnsWorld } from "./mdns-sockets.ts";

// RFC 6762 section 5.2: many devices of a house start at the same moment.
const FIRST_WAIT = { least: 20, more: 100 };
// What is missing may be in the next packet.
const ASK_AFTER = 100;
const NEVER_SHORTER = 10;
// Addresses of servers: of one sender, and of all together. A liar fills its own share; with many addresses he has many
// shares, so beyond some dozens only the first of each sender counts.
const MOST_OF_ONE_SENDER = 8;
const MANY = 48;
const MOST_FOUND = 512;

/**
 * Yields the XMPP servers that announce themselves by multicast DNS (`_xmpp-client._tcp.local`), one for each of their
 * addresses, until the search ends. Rejects with `ERR_DISCOVERY` if there is nowhere to ask, saying why.
 *
 * @param world what tests have instead of this machine
 */
export async function* findByMdns(
  settings: MdnsSettings,
  search: Search,
  world: MdnsWorld = machine,
): AsyncGenerator<FoundServer, void> {
  const { signal, clock, random } = search;
  const hearing = new Hearing(search);
  const sockets = new MdnsSockets({
    settings,
    search,
    world,
    heard: (packet, sender, link) => hearing.take(packet, sender, link),
    questions: () => hearing.allQuestions(),
  });
  try {
    await sleep(clock, FIRST_WAIT.least + randomFraction(random) * FIRST_WAIT.more, signal);
    hearing.begin();
    if ((await sockets.open()) === 0) throw new DiscoveryError(noLink(settings));
    for (;;) {
      yield* hearing.found();
      // Interfaces that have gone may come back; those that refuse will not be kinder.
      if (!sockets.usable && sockets.problems.length > 0) throw new DiscoveryError(sockets.problems.join("; "));
      await hearing.news(signal);
      sockets.ask(hearing.dueQuestions());
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await sockets.close();
  }
}

function noLink({ interfaces }: MdnsSettings): string {
  const none = interfaces === undefined ? "no network interface" : `none of the interfaces ${interfaces.join(", ")}`;
  return `${none} is up and can do multicast`;
}

/** What was heard in one search, and what is to be asked next. */
class Hearing {
  readonly #search: Search;
  readonly #cache = new RecordCache();
  readonly #questions = new Questions();
  readonly #assembled = new Map<SenderRecords, Assembly>();
  readonly #given = new Map<string, Set<string>>();
  readonly #ready: FoundServer[] = [];
  #count = 0;
  #wake = (): void => undefined;

  constructor(search: Search) {
    this.#search = search;
  }

  get #now(): number {
    return this.#search.clock.monotonic();
  }

  /** From now on there is something to ask. Each socket asks as soon as it is open. */
  begin(): void {
    this.#askFor(0);
    this.#questions.take(this.#now);
  }

  /** Takes a packet in. */
  take(packet: unknown, sender: string, link: Link): void {
    const { drop } = this.#search;
    const records = readRecords(packet, link, drop);
    if (records.length === 0) return;
    const now = this.#now;
    const said = this.#cache.of(sender);
    if (!records.map((record) => said.add(record, now)).every(Boolean)) drop("too many records of one sender");
    for (let gone = this.#cache.trim(); gone > 0; gone--) drop("too many senders");
    this.#look(said);
    const hosts = new Set(records.flatMap(({ type, name }) => (type === "A" || type === "AAAA" ? [keyOf(name)] : [])));
    for (const [other, { missing }] of hosts.size === 0 ? [] : this.#assembled) {
      if (other !== said && missing.some(({ name }) => hosts.has(keyOf(name)))) this.#look(other);
    }
    this.#askFor(ASK_AFTER);
    this.#wake();
  }

  /** What was found since it was asked last. */
  *found(): Generator<FoundServer, void> {
    for (let next = this.#ready.shift(); next !== undefined; next = this.#ready.shift()) yield next;
  }

  /** Resolves when there may be something new to yield or to ask. Rejects with the signal's reason. */
  async news(signal: AbortSignal): Promise<void> {
    const awake = new AbortController();
    const onAbort = (): void => awake.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#wake = onAbort;
    try {
      const wait = Math.max(NEVER_SHORTER, this.#next() - this.#now);
      signal.throwIfAborted();
      if (this.#ready.length === 0) await sleep(this.#search.clock, wait, awake.signal).catch(() => undefined);
      signal.throwIfAborted();
    } finally {
      this.#wake = () => undefined;
      signal.removeEventListener("abort", onAbort);
    }
    for (const [said, { again }] of this.#assembled) if (again <= this.#now) this.#look(said);
  }

  /** The questions whose time has come. */
  dueQuestions(): readonly Query[] {
    return toQueries(this.#questions.take(this.#now), this.#known());
  }

  /** All questions. */
  allQuestions(): readonly Query[] {
    return toQueries(this.#questions.all, this.#known());
  }

  #known(): Assembly["known"] {
    return [...this.#assembled.values()].flatMap(({ known }) => known);
  }

  #next(): number {
    return Math.min(this.#questions.next, ...[...this.#assembled.values()].map(({ again }) => again));
  }

  #look(said: SenderRecords): void {
    const now = this.#now;
    const assembly = assemble(said, now, (host) => this.#addressesOf(host, now));
    this.#assembled.set(said, assembly);
    for (const server of assembly.servers) this.#give(server, said.sender);
  }

  #addressesOf(host: string, now: number): readonly string[] {
    const all = [...this.#cache.all].flatMap((said) => [
      ...said.ofType("A", now, host),
      ...said.ofType("AAAA", now, host),
    ]);
    return [...new Set(all.map(({ record: { address } }) => address))];
  }

  #give(server: FoundServer, sender: string): void {
    const given = this.#given.get(sender) ?? new Set();
    const key = JSON.stringify([server.host, server.port, server.domain]);
    if (given.has(key)) return;
    const most = this.#count >= MANY ? 1 : MOST_OF_ONE_SENDER;
    if (given.size >= most || this.#count >= MOST_FOUND) return this.#search.drop("too many servers");
    this.#given.set(sender, given.add(key));
    this.#count++;
    // The first of everybody comes before the second of anybody: who announces eight has no eight lots (XEP-0347 3.4).
    this.#ready.push({ ...server, preference: given.size - 1 });
  }

  #askFor(after: number): void {
    // What is no longer there is forgotten here too.
    const present = new Set(this.#cache.all);
    for (const said of this.#assembled.keys()) if (!present.has(said)) this.#assembled.delete(said);
    // Only so many are asked at a time: whoever leaves much open does not have all of them.
    const missing = inTurn([...this.#assembled.values()].map((assembly) => assembly.missing));
    this.#questions.set([{ type: "PTR", name: service }, ...missing], this.#now + after);
  }
}
