// XEP-0347 Internet of Things - Discovery 0.5.1, the Registry's side: sections 3.6 to 3.9, 3.13 and 3.16.
import { systemClock, type Clock } from "../core/clock.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import { silentLogger, type Logger } from "../core/logger.ts";
import { randomToken, systemRandom, type RandomSource } from "../core/random.ts";
import { Refusal } from "../core/refusal.ts";
import { buildClaimed, parseMine, parseRegister, parseUnregister, parseUpdate } from "../codec/iot-discovery.ts";
import { ns } from "../codec/namespaces.ts";
import { nodeAttributes, type NodeRef } from "../codec/node-ref.ts";
import { iq } from "../codec/stanza.ts";
import type { Tag } from "../codec/tags.ts";
import { el, type XmlElement } from "../codec/xml.ts";
import { checkTags, fingerprint, mergeTags, MOST_TAGS } from "./registry-tags.ts";
import { Whereabouts } from "./registry-whereabouts.ts";
import { ServiceFriends } from "./service-friends.ts";
import {
  serve,
  serviceAddress,
  serviceInfo,
  type ServiceAnswer,
  type ServiceHandlers,
  type ServiceReply,
  type ServiceRequest,
} from "./service-frame.ts";
import type { HostedAccount, StanzaService } from "./stanza-service.ts";

/** What a {@link ReferenceRegistry} is made of. */
export interface RegistryOptions {
  /** Its address: `discovery.localhost` as a component, `discovery@localhost` as an account (XEP-0347 5.1). */
  readonly jid: string;
  /** Randomness for the ids of its requests. Default: the operating system's. */
  readonly random?: RandomSource | undefined;
  /** Time, for when things happened. Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Where it tells what it does. Silent by default; tags are never told. */
  readonly logger?: Logger | undefined;
}

/** A Thing as the Registry knows it. */
export interface RegisteredThing {
  /** Whose Thing. */
  readonly jid: BareJid;
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
  /** Its tags as they are now, without KEY: that is a secret between Thing and owner (XEP-0347 6.5). */
  readonly tags: readonly Tag[];
  /** Whether it has a KEY still. */
  readonly hasKey: boolean;
  /** The owner, once claimed; the Thing itself if it is self-owned. */
  readonly owner?: BareJid;
  /** Once claimed: false if it is kept out of searches. */
  readonly public?: boolean;
  /** Once claimed: whether the Thing has acknowledged that it knows. */
  readonly told?: boolean;
  /** When it registered, in milliseconds since 1970. */
  readonly registeredAt: number;
  /** When it was claimed, in milliseconds since 1970. */
  readonly claimedAt?: number;
}

interface Claim {
  readonly owner: BareJid;
  readonly public: boolean;
  readonly at: number;
  /** Whether the Thing has acknowledged that it knows. */
  told: boolean;
}

interface Entry {
  readonly jid: BareJid;
  readonly node: NodeRef | undefined;
  readonly registeredAt: number;
  /** Of the tags that the Thing registered, and so of those it was claimed with. */
  readonly registered: string;
  tags: readonly Tag[];
  claim: Claim | undefined;
}

/**
 * A Thing Registry to test and demonstrate with: Things register, owners claim them, claimed Things update their tags.
 * It keeps everything in memory and holds the claim rules of XEP-0347 strictly.
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
  readonly #random: RandomSource;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #accounts = new Set<BareJid>();
  readonly #whereabouts: Whereabouts;
  /** Claimed Things that have not acknowledged it, by the id of the notice to them. */
  readonly #untold = new Map<string, Entry>();
  readonly #requests = new Map<string, number>();

  /** Throws `ERR_CONFIG` if `jid` is no address, or has a resource. */
  constructor(options: RegistryOptions) {
    const address = serviceAddress(options.jid);
    this.jid = address.full;
    this.#random = options.random ?? systemRandom;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    const isAccount = address.local !== "";
    this.#whereabouts = new Whereabouts(isAccount);
    // It asks nobody by itself: nothing goes out unless something comes in.
    if (isAccount) this.#friends = new ServiceFriends({ clock: this.#clock, output: () => undefined });
    this.#handlers = {
      address,
      info: serviceInfo(address, this.name, ns.discovery),
      friends: this.#friends,
      seen: (from) => this.#seen(from),
      count: (name) => this.#count(name),
      request: (request) => this.#request(request),
      reply: (reply) => this.#reply(reply),
      presence: (from, available) => this.#presence(from, available),
    };
  }

  /** The Things it knows: a snapshot, in the order in which they first registered. */
  get things(): readonly RegisteredThing[] {
    return [...this.#entries.values()].map(snapshot);
  }

  /** How often it was asked what: `register`, `update`, `unregister`, `mine`, `query` (disco#info), `ping`. */
  get requests(): ReadonlyMap<string, number> {
    return new Map(this.#requests);
  }

  receive(stanza: XmlElement): readonly XmlElement[] {
    return serve(stanza, this.#handlers);
  }

  /** As an account: the Things whose presence it sees. Each decides how long (D-E14). */
  get friends(): readonly BareJid[] {
    return this.#friends?.list ?? [];
  }

  onAccount(account?: HostedAccount): void {
    this.#friends?.onAccount(account);
    this.#whereabouts.forgetPresence();
  }

  /** It speaks only when something comes in. */
  onOutput(): void {
    return undefined;
  }

  /** It has no timers. */
  stop(): void {
    return undefined;
  }

  #count(name: string): void {
    this.#requests.set(name, (this.#requests.get(name) ?? 0) + 1);
  }

  /** D-E16: a Thing is told where its last request came from. Strangers who only ask are not remembered. */
  #seen(from: Jid): readonly XmlElement[] {
    if (this.#accounts.has(from.bare)) this.#whereabouts.asked(from);
    return [];
  }

  // Old guests send `get` where the XEP has `set`: which of the two it is does not matter here.
  #request({ from, payload }: ServiceRequest): ServiceAnswer | undefined {
    const asked = (name: string): boolean => {
      if (!payload.is(name, ns.discovery)) return false;
      this.#count(name);
      return true;
    };
    if (asked("register")) return this.#register(payload, from);
    if (asked("update")) return this.#update(payload, from.bare);
    if (asked("unregister")) return this.#unregister(payload, from.bare);
    if (asked("mine")) return this.#mine(payload, from.bare);
    return undefined;
  }

  /** XEP-0347 3.6 to 3.8. */
  #register(payload: XmlElement, from: Jid): ServiceAnswer {
    const jid = from.bare;
    const { tags, node, selfOwned } = parseRegister(payload);
    checkTags(tags);
    const key = entryKey(jid, node);
    const known = this.#entries.get(key);
    // D-3.6-12: nothing changes any more, the Thing learns its owner.
    if (known?.claim) return { payload: claimedNotice(known, known.claim) };
    const now = this.#clock.now();
    const claim = selfOwned ? { owner: jid, public: true, at: now, told: true } : undefined;
    const registered = fingerprint(tags);
    this.#entries.set(key, { jid, node, registeredAt: known?.registeredAt ?? now, registered, tags, claim });
    this.#accounts.add(jid);
    this.#whereabouts.asked(from);
    this.#logger.info("registered", { thing: jid, node: node?.nodeId, selfOwned });
    return {};
  }

  /** XEP-0347 3.13. */
  #update(payload: XmlElement, jid: BareJid): ServiceAnswer {
    const { tags, node } = parseUpdate(payload);
    checkTags(tags);
    const entry = this.#entries.get(entryKey(jid, node));
    if (entry === undefined) throw new Refusal("item-not-found");
    // D-3.13-11: the Thing is to register anew.
    if (!entry.claim) return { payload: el("disowned", { xmlns: ns.discovery, ...nodeAttributes(node) }) };
    const merged = mergeTags(entry.tags, tags);
    if (merged.length > MOST_TAGS) throw new Refusal("bad-request", `More than ${MOST_TAGS} tags.`);
    entry.tags = merged; // of a private Thing too (D-E19)
    return {};
  }

  /** XEP-0347 3.16: an empty answer whether or not there was something to forget (D-3.16-3). Its owner goes with it (D-E20). */
  #unregister(payload: XmlElement, jid: BareJid): ServiceAnswer {
    const key = entryKey(jid, parseUnregister(payload).node);
    const entry = this.#entries.get(key);
    if (entry === undefined) return {};
    this.#entries.delete(key);
    for (const [id, untold] of this.#untold) if (untold === entry) this.#untold.delete(id);
    this.#logger.info("unregistered", { thing: jid, node: entry.node?.nodeId });
    return {};
  }

  /** XEP-0347 3.9. */
  #mine(payload: XmlElement, claimer: BareJid): ServiceAnswer {
    const mine = parseMine(payload);
    checkTags(mine.tags);
    const wanted = fingerprint(mine.tags);
    const fitting = [...this.#entries.values()].filter((entry) => fits(entry, claimer, wanted));
    const [entry] = fitting;
    // D-3.9-20: one answer to every claim that fails. Two Things that fit are as good as none: to pick one would be
    // to guess. No tags at all are no proof of anything.
    if (entry === undefined || fitting.length > 1 || mine.tags.length === 0) {
      this.#logger.info("a claim failed", { claimer });
      throw new Refusal("item-not-found");
    }
    // D-3.9-16: the same claimer again hears the same again.
    if (entry.claim) return { payload: claimedAnswer(entry, entry.claim) };
    const notice = randomToken(this.#random); // unguessable: nobody else acknowledges it
    entry.claim = { owner: claimer, public: mine.public, at: this.#clock.now(), told: false };
    this.#untold.set(notice, entry);
    this.#logger.info("claimed", { thing: entry.jid, node: entry.node?.nodeId, owner: claimer, public: mine.public });
    return { payload: claimedAnswer(entry, entry.claim), after: this.#notice(notice, entry) };
  }

  /** Tells a Thing, where it was seen last, that it is claimed. A Thing that is away learns it when it comes. */
  #notice(id: string, entry: Entry): readonly XmlElement[] {
    const to = this.#whereabouts.last(entry.jid);
    if (to === undefined || entry.claim === undefined) return [];
    return [iq({ type: "set", id, from: this.jid, to }, claimedNotice(entry, entry.claim))];
  }

  #reply({ from, id, error }: ServiceReply): void {
    const entry = this.#untold.get(id);
    if (entry?.claim === undefined || entry.jid !== from.bare) return;
    if (error === undefined) {
      entry.claim.told = true;
      this.#untold.delete(id);
      return;
    }
    this.#logger.warn("a Thing did not take the notice of its claim", { thing: from.full, why: error.condition });
    // The server's word for an address that nobody is at.
    if (["service-unavailable", "recipient-unavailable"].includes(error.condition)) this.#whereabouts.gone(from);
  }

  #presence(from: Jid, available: boolean): readonly XmlElement[] {
    if (!available) {
      this.#whereabouts.gone(from);
      return [];
    }
    this.#whereabouts.seen(from);
    const untold = [...this.#untold].filter(([, entry]) => entry.jid === from.bare);
    return untold.flatMap(([id, entry]) => this.#notice(id, entry));
  }
}

/** One record for each Thing: bare JID and node (D-E6). */
function entryKey(jid: BareJid, node: NodeRef | undefined): string {
  return JSON.stringify([jid, node?.nodeId, node?.sourceId, node?.cacheType]);
}

/** Whether a claim means this Thing: unclaimed, or the claimer's own already, by the tags of then or of now. */
function fits(entry: Entry, claimer: BareJid, wanted: string): boolean {
  if (entry.claim === undefined) return entry.registered === wanted;
  return entry.claim.owner === claimer && [entry.registered, fingerprint(entry.tags)].includes(wanted);
}

function withNode(entry: Entry): { node?: NodeRef } {
  return entry.node === undefined ? {} : { node: entry.node };
}

/** To the Thing: who owns it (D-E8). */
function claimedNotice(entry: Entry, claim: Claim): XmlElement {
  return buildClaimed({ jid: claim.owner, public: claim.public, ...withNode(entry) });
}

/** To the owner: which Thing it is (D-E8). */
function claimedAnswer(entry: Entry, claim: Claim): XmlElement {
  return buildClaimed({ jid: entry.jid, public: claim.public, ...withNode(entry) });
}

function snapshot(entry: Entry): RegisteredThing {
  const { jid, claim, registeredAt } = entry;
  return {
    jid,
    ...withNode(entry),
    tags: entry.tags.filter((tag) => tag.name !== "KEY"),
    hasKey: entry.tags.some((tag) => tag.name === "KEY"),
    ...(claim && { owner: claim.owner, public: claim.public, told: claim.told, claimedAt: claim.at }),
    registeredAt,
  };
}
