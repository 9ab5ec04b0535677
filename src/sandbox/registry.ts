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
import { el, type XmlElement } from "../codec/xml.ts";
import { snapshot, type RegisteredThing, type RegistryOptions } from "./registry-options.ts";
import { recordKey, type RecordClaim, type RegistryRecord } from "./registry-records.ts";
import { RegistryTable, tagPrints } from "./registry-table.ts";
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
  readonly #table = new RegistryTable();
  readonly #whereabouts: Whereabouts;
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
    return [...this.#table.all()].map(snapshot);
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
    if (this.#table.count(from.bare) > 0) this.#whereabouts.asked(from);
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
    const known = this.#table.find(jid, node);
    // D-3.6-12: nothing changes any more, the Thing learns its owner.
    if (known?.claim) return { payload: claimedNotice(known, known.claim) };
    const now = this.#clock.now();
    const claim = selfOwned && { owner: jid, public: true, selfOwned, at: now, told: true, notice: "" };
    this.#table.put({
      jid,
      ...(node && { node }),
      registeredAt: known?.registeredAt ?? now,
      registered: fingerprint(tags),
      tags,
      ...(claim && { claim }),
    });
    this.#whereabouts.asked(from);
    this.#logger.info("registered", { thing: jid, node: node?.nodeId, selfOwned });
    return {};
  }

  /** XEP-0347 3.13. */
  #update(payload: XmlElement, jid: BareJid): ServiceAnswer {
    const { tags, node } = parseUpdate(payload);
    checkTags(tags);
    const record = this.#table.find(jid, node);
    if (record === undefined) throw new Refusal("item-not-found");
    // D-3.13-11: the Thing is to register anew.
    if (!record.claim) return { payload: el("disowned", { xmlns: ns.discovery, ...nodeAttributes(node) }) };
    const merged = mergeTags(record.tags, tags);
    if (merged.length > MOST_TAGS) throw new Refusal("bad-request", `More than ${MOST_TAGS} tags.`);
    this.#table.put({ ...record, tags: merged }); // of a private Thing too (D-E19)
    return {};
  }

  /** XEP-0347 3.16: an empty answer whether or not there was something to forget (D-3.16-3). Its owner goes with it (D-E20). */
  #unregister(payload: XmlElement, jid: BareJid): ServiceAnswer {
    const record = this.#table.find(jid, parseUnregister(payload).node);
    if (record === undefined) return {};
    this.#table.delete(recordKey(record));
    this.#logger.info("unregistered", { thing: jid, node: record.node?.nodeId });
    return {};
  }

  /** XEP-0347 3.9. */
  #mine(payload: XmlElement, claimer: BareJid): ServiceAnswer {
    const mine = parseMine(payload);
    checkTags(mine.tags);
    const wanted = fingerprint(mine.tags);
    const fitting = this.#table.withTags(wanted).filter((record) => fits(record, claimer, wanted));
    const [record] = fitting;
    // D-3.9-20: one answer to every claim that fails. Two Things that fit are as good as none: to pick one would be
    // to guess. No tags at all are no proof of anything.
    if (record === undefined || fitting.length > 1 || mine.tags.length === 0) {
      this.#logger.info("a claim failed", { claimer });
      throw new Refusal("item-not-found");
    }
    // D-3.9-16: the same claimer again hears the same again.
    if (record.claim) return { payload: claimedAnswer(record, record.claim) };
    const notice = randomToken(this.#random); // unguessable: nobody else acknowledges it
    const at = this.#clock.now();
    const claim = { owner: claimer, public: mine.public, selfOwned: false, at, told: false, notice };
    this.#table.put({ ...record, claim });
    this.#logger.info("claimed", { thing: record.jid, node: record.node?.nodeId, owner: claimer, public: mine.public });
    return { payload: claimedAnswer(record, claim), after: this.#notice(record, claim) };
  }

  /** Tells a Thing, where it was seen last, that it is claimed. A Thing that is away learns it when it comes. */
  #notice(record: RegistryRecord, claim: RecordClaim): readonly XmlElement[] {
    const to = this.#whereabouts.last(record.jid);
    if (to === undefined) return [];
    return [iq({ type: "set", id: claim.notice, from: this.jid, to }, claimedNotice(record, claim))];
  }

  #reply({ from, id, error }: ServiceReply): void {
    const record = this.#table.noticed(id);
    if (record?.claim === undefined || record.jid !== from.bare || record.claim.told) return;
    if (error === undefined) {
      this.#table.put({ ...record, claim: { ...record.claim, told: true } });
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
    return this.#table
      .of(from.bare)
      .flatMap((record) => (record.claim?.told === false ? this.#notice(record, record.claim) : []));
  }
}

/** Whether a claim means this Thing: unclaimed, or the claimer's own already, by the tags of then or of now. */
function fits(record: RegistryRecord, claimer: BareJid, wanted: string): boolean {
  if (record.claim === undefined) return record.registered === wanted;
  return record.claim.owner === claimer && tagPrints(record).has(wanted);
}

function withNode(record: RegistryRecord): { node?: NodeRef } {
  return record.node === undefined ? {} : { node: record.node };
}

/** To the Thing: who owns it (D-E8). */
function claimedNotice(record: RegistryRecord, claim: RecordClaim): XmlElement {
  return buildClaimed({ jid: claim.owner, public: claim.public, ...withNode(record) });
}

/** To the owner: which Thing it is (D-E8). */
function claimedAnswer(record: RegistryRecord, claim: RecordClaim): XmlElement {
  return buildClaimed({ jid: record.jid, public: claim.public, ...withNode(record) });
}
