// XEP-0347 Internet of Things - Discovery 0.5.1, the Registry's side: sections 3.6 to 3.17.
import { systemClock } from "../core/clock.ts";
import { tryParseJid, type BareJid, type Jid } from "../core/jid.ts";
import { silentLogger } from "../core/logger.ts";
import { systemRandom } from "../core/random.ts";
import { parseDisown } from "../codec/iot-discovery.ts";
import { ns } from "../codec/namespaces.ts";
import { localName, type XmlElement } from "../codec/xml.ts";
import { Commits } from "./registry-commits.ts";
import { Disowning } from "./registry-disown.ts";
import { RegistryFinder } from "./registry-finder.ts";
import { registryLimits } from "./registry-limits.ts";
import { RegistryNotices, type DueNotice } from "./registry-notices.ts";
import { snapshot, type KeptRegistryOptions, type RegisteredThing, type RegistryOptions } from "./registry-options.ts";
import type { RecordKeeper, RegistryRecord } from "./registry-records.ts";
import { RegistryRules, type Answering } from "./registry-rules.ts";
import { RegistryTable } from "./registry-table.ts";
import { Whereabouts } from "./registry-whereabouts.ts";
import { ServiceFriends } from "./service-friends.ts";
import {
  serve,
  serviceAddress,
  serviceInfo,
  type LaterAnswer,
  type ServiceHandlers,
  type ServiceReply,
  type ServiceRequest,
} from "./service-frame.ts";
import type { HostedAccount, StanzaService } from "./stanza-service.ts";

/** So many Things are told at once what is due to them. */
const MOST_TOLD_AT_ONCE = 1_000;

/**
 * A Thing Registry that holds the rules of XEP-0347 strictly, to test and demonstrate with: Things register, owners
 * claim, update, remove and disown them, everybody searches. Made by `new` it keeps everything in memory; by
 * {@link ReferenceRegistry.open} its Things outlive the process.
 *
 * @example
 * ```ts
 * const registry = new ReferenceRegistry({ jid: "discovery.localhost" });
 * await attachComponent(registry, { service: "xmpp://127.0.0.1:5347", secret });
 * ```
 */
export class ReferenceRegistry implements StanzaService {
  readonly jid: string;
  readonly name = "Thing Registry";
  readonly #handlers: ServiceHandlers;
  readonly #friends: ServiceFriends | undefined;
  readonly #table = new RegistryTable();
  readonly #commits: Commits;
  readonly #whereabouts: Whereabouts;
  readonly #notices: RegistryNotices;
  readonly #disowning: Disowning;
  readonly #asked: ReadonlyMap<string, (payload: XmlElement, from: Jid) => Answering>;
  readonly #requests = new Map<string, number>();
  #keeper: RecordKeeper | undefined;
  #receiving = false;
  /** Who asks, if nobody was known to be there before. */
  #arrived = "";
  #carry: (stanzas: readonly XmlElement[]) => void = () => undefined;

  /** Throws `ERR_CONFIG` if `jid` is no address, or has a resource, or a limit is none. */
  constructor(options: RegistryOptions) {
    const address = serviceAddress(options.jid);
    const { random = systemRandom, clock = systemClock, logger = silentLogger } = options;
    const limits = registryLimits(options);
    const output = (stanzas: readonly XmlElement[]): void => this.#carry(stanzas);
    const isAccount = address.local !== "";
    const table = this.#table;
    const commits = new Commits(table, logger);
    const whereabouts = new Whereabouts(isAccount);
    this.jid = address.full;
    this.#commits = commits;
    this.#whereabouts = whereabouts;
    // It asks nobody by itself: nothing goes out unless something comes in.
    this.#friends = isAccount ? new ServiceFriends({ clock, output: () => undefined }) : undefined;
    // D-E15: a component needs no friends. An account hears of its friends only, and is heard by them.
    const hears = (thing: BareJid): boolean => this.#friends?.sees(thing) ?? true;
    const isBeingDisowned = (record: RegistryRecord): boolean => this.#disowning.isAsked(record);
    this.#notices = new RegistryNotices({
      ...{ table, commits, whereabouts, logger, output, isBeingDisowned },
      from: this.jid,
    });
    this.#disowning = new Disowning({
      from: this.jid,
      table,
      commits,
      clock,
      random,
      logger,
      timeout: limits.disownTimeout,
      reach: (thing) => (hears(thing) ? whereabouts.present(thing) : undefined),
      output,
      undelivered: (from, condition) => this.#notices.undelivered(from, condition),
      settled: (record) => output(this.#notices.of(record)),
    });
    const rules = new RegistryRules({
      table,
      limits,
      clock,
      random,
      logger,
      hears,
      registersAnew: (record) => this.#disowning.registersAnew(record),
      isDisowned: (claim) => this.#disowning.isForgotten(claim),
      notices: (record) => this.#notices.of(record),
    });
    const finder = new RegistryFinder(table, limits, clock);
    this.#asked = new Map(
      Object.entries({
        register: (payload, from) => {
          const answering = rules.register(payload, from);
          whereabouts.asked(from);
          return answering;
        },
        update: (payload, from) => rules.update(payload, from),
        unregister: (payload, from) => rules.unregister(payload, from),
        mine: (payload, from) => rules.mine(payload, from),
        remove: (payload, from) => rules.remove(payload, from),
        search: (payload, from) => {
          const found = finder.search(payload, from);
          return () => ({ payload: found });
        },
      } satisfies Record<string, (payload: XmlElement, from: Jid) => Answering>),
    );
    this.#handlers = {
      address,
      info: serviceInfo(address, this.name, ns.discovery),
      friends: this.#friends,
      seen: (from) => this.#seen(from),
      count: (name) => this.#count(name),
      request: (request) => this.#request(request),
      output,
      reply: (reply) => this.#reply(reply),
      presence: (from, available) => this.#presence(from, available),
    };
  }

  /**
   * A Registry whose Things outlive its process: it begins with those that were kept. Attach it once this has resolved.
   * Rejects with `ERR_CONFIG` as `new` throws, and with what the keeper rejects with.
   */
  static async open(options: KeptRegistryOptions): Promise<ReferenceRegistry> {
    const { keeper } = options;
    const registry = new ReferenceRegistry(options);
    const records: RegistryRecord[] = [];
    for await (const record of keeper.load()) records.push(record);
    records.sort((one, other) => one.registeredAt - other.registeredAt);
    registry.#table.fill(records);
    for (const { address } of records) {
      const jid = tryParseJid(address ?? "");
      if (jid !== undefined) registry.#whereabouts.remembered(jid);
    }
    registry.#keeper = keeper;
    registry.#commits.keepIn(keeper);
    return registry;
  }

  /** The Things it knows: a snapshot, in the order in which they first registered. Removed ones are none of them. */
  get things(): readonly RegisteredThing[] {
    return [...this.#table.all()].filter(({ removed }) => removed === undefined).map(snapshot);
  }

  /** What Things have not acknowledged yet: they are told when they come. */
  get unacknowledged(): readonly DueNotice[] {
    return this.#notices.due;
  }

  /**
   * How often it was asked what: `register`, `update`, `unregister`, `mine`, `remove`, `disown`, `search`, `query`
   * (disco#info), `ping`.
   */
  get requests(): ReadonlyMap<string, number> {
    return new Map(this.#requests);
  }

  receive(stanza: XmlElement): readonly XmlElement[] {
    this.#receiving = true;
    try {
      return serve(stanza, this.#handlers);
    } finally {
      this.#receiving = false;
    }
  }

  /** As an account: the Things whose presence it sees. Each decides how long (D-E14). */
  get friends(): readonly BareJid[] {
    return this.#friends?.list ?? [];
  }

  onAccount(account?: HostedAccount): void {
    this.#friends?.onAccount(account);
    this.#whereabouts.forgetPresence();
  }

  /**
   * A Thing that was there all the time does not come, and so would not hear what the process before did not get told. Those
   * who have gone meanwhile, and all beyond very many, hear it when they come.
   */
  onAttached(): void {
    const things = [...new Set(this.#notices.due.map(({ jid }) => jid))].slice(0, MOST_TOLD_AT_ONCE);
    const due = things.flatMap((jid) => this.#tell(jid));
    if (due.length > 0) this.#carry(due);
  }

  onOutput(carry: (stanzas: readonly XmlElement[]) => void): void {
    this.#carry = carry;
  }

  /** Waits for no Thing any more. What was changed is still kept: {@link close} waits for that. */
  stop(): void {
    this.#disowning.stop();
  }

  /** Stops, and closes the keeper when all is kept. Detach it first: it must not be asked anything any more. */
  async close(): Promise<void> {
    this.stop();
    await this.#commits.idle();
    await this.#keeper?.close();
  }

  #count(name: string): void {
    this.#requests.set(name, (this.#requests.get(name) ?? 0) + 1);
  }

  /** D-E16: a Thing is told where its last request came from. Strangers who only ask are not remembered. */
  #seen(from: Jid): readonly XmlElement[] {
    // Whom a late answer goes to may have left since.
    if (!this.#receiving || this.#table.count(from.bare) === 0) return [];
    if (this.#whereabouts.asked(from)) this.#arrived = from.full;
    return [];
  }

  // Old guests send `get` where the XEP has `set`: which of the two it is does not matter here.
  #request({ from, payload }: ServiceRequest): LaterAnswer | undefined {
    // One that comes without presence, which components need not get, is told what it missed: behind the answer, which
    // may be older news.
    const hasArrived = this.#arrived === from.full;
    this.#arrived = "";
    if (payload.getNS() !== ns.discovery) return undefined;
    const name = localName(payload);
    if (name === "disown") {
      this.#count(name);
      const thing = parseDisown(payload);
      return {
        later: (answer) => {
          this.#whenKept(
            () => this.#disowning.begin(thing, from.bare, answer),
            (refuse) => answer(refuse),
          );
        },
      };
    }
    const ask = this.#asked.get(name);
    if (ask === undefined) return undefined;
    this.#count(name);
    return {
      later: (answer) => {
        const commit = name === "search" ? "look" : "run";
        this.#commits[commit](
          () => ask(payload, from),
          (result) => {
            answer(() => {
              const { payload: found, after = [] } = result()();
              const missed = hasArrived ? this.#notices.ofAll(from.bare) : [];
              return { ...(found && { payload: found }), after: [...after, ...missed] };
            });
          },
        );
      },
    };
  }

  #reply(reply: ServiceReply): void {
    if (!this.#disowning.reply(reply)) this.#notices.reply(reply);
  }

  #presence(from: Jid, available: boolean): readonly XmlElement[] {
    if (!available) {
      this.#whereabouts.gone(from);
      this.#disowning.gone(from);
      return [];
    }
    // Who has nothing here, and is no friend, is nobody to remember.
    if (this.#table.count(from.bare) === 0 && this.#friends?.sees(from.bare) !== true) return [];
    this.#whereabouts.seen(from);
    this.#disowning.present(from);
    return this.#tell(from.bare);
  }

  /** Does something once all that was changed before is kept; not at all if that fails. */
  #whenKept(then: () => void, otherwise?: (refuse: () => never) => void): void {
    this.#commits.look(
      () => undefined,
      (result) => {
        try {
          result();
        } catch (error) {
          return otherwise?.(() => {
            throw error;
          });
        }
        then();
      },
    );
  }

  /** What is due to a Thing, once it is kept: what goes out at once. */
  #tell(jid: BareJid): readonly XmlElement[] {
    if (!this.#notices.isDue(jid)) return [];
    let now: readonly XmlElement[] | undefined = [];
    this.#whenKept(() => {
      const due = this.#notices.ofAll(jid);
      if (now === undefined) this.#carry(due);
      else now = due;
    });
    const sent = now;
    now = undefined;
    return sent;
  }
}
