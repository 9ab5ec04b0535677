// XEP-0347 Internet of Things - Discovery 0.5.1, the Registry's side: who may do what with which record, 3.6 to 3.16.
import type { Clock } from "../core/clock.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { Refusal } from "../core/refusal.ts";
import {
  buildClaimed,
  buildDisowned,
  parseMine,
  parseRegister,
  parseRemove,
  parseUnregister,
  parseUpdate,
} from "../codec/iot-discovery.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { RegistryLimits } from "./registry-limits.ts";
import { claimedNotice } from "./registry-notices.ts";
import { recordKey, type RecordClaim, type RegistryRecord } from "./registry-records.ts";
import { tagPrint, type RegistryTable } from "./registry-table.ts";
import { checkNodeNames, checkNumber, fingerprint, keptTags, mergeTags, readTags } from "./registry-tags.ts";
import { isAddress } from "./registry-whereabouts.ts";
import type { ServiceAnswer } from "./service-frame.ts";

/** What {@link RegistryRules} go by. */
export interface RulesOptions {
  /** The records. */
  readonly table: RegistryTable;
  /** Where they stop. */
  readonly limits: RegistryLimits;
  /** Time, for when things happened. */
  readonly clock: Clock;
  /** Randomness for the ids of notices. */
  readonly random: RandomSource;
  /** Where they tell what was done; tags are never told. */
  readonly logger: Logger;
  /** Whether a Thing can be told anything at all: a Registry that is an account talks to its friends only. */
  readonly hears: (thing: BareJid) => boolean;
  /** Called when a claimed Thing registers: it does not know its owner. */
  readonly registersAnew: (record: RegistryRecord) => void;
  /** Whether the Thing has acknowledged that it is disowned, though that is not kept yet. */
  readonly isDisowned: (claim: RecordClaim) => boolean;
  /** What is still to be told to a Thing. */
  readonly notices: (record: RegistryRecord) => readonly XmlElement[];
}

/** What answers a request, called when what it changed is kept. */
export type Answering = () => ServiceAnswer;

/** The rules. Each changes the table at once and gives what answers; or throws, and has changed nothing. */
export class RegistryRules {
  readonly #options: RulesOptions;

  constructor(options: RulesOptions) {
    this.#options = options;
  }

  /** XEP-0347 3.6 to 3.8. */
  register(payload: XmlElement, from: Jid): Answering {
    const { table, limits, clock, random, logger } = this.#options;
    const jid = from.bare;
    const { tags: given, node, selfOwned } = parseRegister(payload);
    const tags = readTags(given, limits.otherTags);
    const known = table.find(jid, node);
    const claim = known?.claim;
    // D-3.6-12: nothing changes any more, the Thing learns its owner. Of a self-owned Thing there is none to protect
    // (D-E26), and one that knows its owner, was removed and registers has been reset.
    const isOver = claim === undefined || claim.selfOwned || (known?.removed !== undefined && claim.told);
    if (known !== undefined && !isOver && !this.#options.isDisowned(claim)) {
      this.#options.registersAnew(known);
      return () => ({ payload: claimedNotice(known, claim) });
    }
    if (known === undefined) {
      checkNodeNames(node);
      this.#checkRoom(jid);
    }
    const now = clock.now();
    const own = claim?.selfOwned === true && known?.removed === undefined ? claim : undefined;
    const record: RegistryRecord = {
      jid,
      ...(node && { node }),
      registeredAt: known?.registeredAt ?? now,
      registered: fingerprint(tags), // of all that the owner will present, kept or not
      tags: keptTags(tags, limits.otherTags),
      ...(selfOwned && { claim: own ?? selfClaim(jid, now, randomToken(random)) }),
      ...lastAddress(from, known),
    };
    // Things register at each start: what is kept already is not written again.
    if (known === undefined || !isSame(known, record)) table.put(record);
    return () => {
      logger.info("registered", { thing: jid, node: node?.nodeId, selfOwned });
      return {};
    };
  }

  /** XEP-0347 3.13 and 3.14: a Thing its own tags, an owner those of the Thing. */
  update(payload: XmlElement, from: Jid): Answering {
    const { table, limits } = this.#options;
    const { jid = from.bare, tags: given, node } = parseUpdate(payload);
    const tags = readTags(given, limits.otherTags);
    const isOwn = jid === from.bare; // D-3.14-2
    const record = isOwn ? this.#live(table.find(jid, node)) : this.#owned({ jid, node }, from.bare);
    // D-3.13-11: the Thing is to register anew.
    if (record.claim === undefined) return () => ({ payload: buildDisowned({ ...(node && { node }) }) });
    const merged = keptTags(mergeTags(record.tags, tags), limits.otherTags);
    checkNumber(merged, limits.otherTags);
    // Of a private Thing too (D-E19).
    const updated = { ...record, tags: merged, ...(isOwn && lastAddress(from, record)) };
    if (!isSame(record, updated)) table.put(updated);
    return () => ({});
  }

  /** XEP-0347 3.16: an empty answer whether or not there was something to forget (D-3.16-3). Its owner goes with it (D-E20). */
  unregister(payload: XmlElement, from: Jid): Answering {
    const { table, logger } = this.#options;
    const record = table.find(from.bare, parseUnregister(payload).node);
    if (record === undefined) return () => ({});
    table.delete(recordKey(record));
    return () => {
      logger.info("unregistered", { thing: record.jid, node: record.node?.nodeId });
      return {};
    };
  }

  /** XEP-0347 3.9. */
  mine(payload: XmlElement, from: Jid): Answering {
    const { table, limits, clock, random, logger } = this.#options;
    const claimer = from.bare;
    const mine = parseMine(payload);
    const tags = readTags(mine.tags, limits.otherTags);
    const wanted = fingerprint(tags);
    const fitting = this.#fitting(claimer, wanted);
    const [record] = fitting;
    // D-3.9-20: one answer to every claim that fails. Two Things that fit are as good as none: to pick one would be
    // to guess. No tags at all are no proof of anything.
    if (record === undefined || fitting.length > 1 || tags.every(({ value }) => value === "")) {
      return () => {
        logger.info("a claim failed", { claimer });
        throw new Refusal("item-not-found");
      };
    }
    // D-3.9-16: the same claimer again hears the same again.
    const known = record.claim;
    if (known !== undefined) return () => ({ payload: claimedAnswer(record, known) });
    const notice = randomToken(random); // unguessable: nobody else acknowledges it
    const claim = { owner: claimer, public: mine.public, selfOwned: false, at: clock.now(), told: false, notice };
    const claimed = { ...record, claim };
    table.put(claimed);
    return () => {
      const { jid, node } = record;
      logger.info("claimed", { thing: jid, node: node?.nodeId, owner: claimer, public: mine.public });
      return { payload: claimedAnswer(record, claim), after: this.#options.notices(claimed) };
    };
  }

  /** XEP-0347 3.10. Its ownership ends for the Registry, not for the Thing. */
  remove(payload: XmlElement, from: Jid): Answering {
    const { table, clock, random, logger, hears } = this.#options;
    const record = this.#owned(parseRemove(payload), from.bare);
    const removed = { ...record, removed: { at: clock.now(), notice: randomToken(random) } };
    // D-3.10-5: only friends are told. One that does not even know its owner must learn both, whenever it comes; one
    // that removes itself knows.
    const toTell = record.jid !== from.bare && (hears(record.jid) || !record.claim.told);
    if (toTell) table.put(removed);
    else table.delete(recordKey(record));
    return () => {
      logger.info("removed", { thing: record.jid, node: record.node?.nodeId });
      return toTell ? { after: this.#options.notices(removed) } : {};
    };
  }

  /** The Things that a claim may mean: unclaimed ones, and the claimer's own already, by the tags of then or of now. */
  #fitting(claimer: BareJid, wanted: string): readonly RegistryRecord[] {
    const { table } = this.#options;
    const unclaimed = table.registeredAs(wanted).filter(({ claim }) => claim === undefined);
    const own = table
      .ownedBy(claimer)
      .filter((record) => record.removed === undefined)
      .filter((record) => record.registered === wanted || tagPrint(record) === wanted);
    return [...unclaimed, ...own];
  }

  /** The record of somebody's own Thing. All others are as good as none (D-3.10-4, D-3.14-5, D-3.17-3). */
  #owned(thing: Parameters<typeof recordKey>[0], owner: BareJid): RegistryRecord & { readonly claim: RecordClaim } {
    const record = this.#live(this.#options.table.at(recordKey(thing)));
    const { claim } = record;
    if (claim?.owner !== owner) throw new Refusal("item-not-found");
    return { ...record, claim };
  }

  /** A record that is there, and not removed (D-3.13-9). */
  #live(record: RegistryRecord | undefined): RegistryRecord {
    if (record === undefined || record.removed !== undefined) throw new Refusal("item-not-found");
    return record;
  }

  #checkRoom(jid: BareJid): void {
    const { table, limits, logger } = this.#options;
    const isFull = table.size >= limits.mostThings;
    if (!isFull && table.count(jid) < limits.mostThingsPerAccount) return;
    logger.warn("no room for another Thing", { thing: jid, things: isFull ? table.size : table.count(jid) });
    throw new Refusal("resource-constraint", isFull ? "The Registry is full." : "The account has too many Things.");
  }
}

/** A self-owned Thing is public and claimed at once, by itself (XEP-0347 3.7, D-E26). It knows. */
function selfClaim(owner: BareJid, at: number, notice: string): RecordClaim {
  return { owner, public: true, selfOwned: true, at, told: true, notice };
}

/** D-E16: where the Thing asks from. It outlives the process along with what is kept anyway. */
function lastAddress(from: Jid, known: RegistryRecord | undefined): { readonly address?: string } {
  const address = isAddress(from) ? from.full : known?.address;
  return address === undefined ? {} : { address };
}

/** Whether two records of one Thing say the same. */
function isSame(one: RegistryRecord, other: RegistryRecord): boolean {
  return (
    one.claim === other.claim &&
    one.removed === other.removed &&
    one.address === other.address &&
    one.registered === other.registered &&
    JSON.stringify(one.tags) === JSON.stringify(other.tags)
  );
}

/** To the owner: which Thing it is (D-E8). */
function claimedAnswer({ jid, node }: RegistryRecord, claim: RecordClaim): XmlElement {
  return buildClaimed({ jid, public: claim.public, ...(node && { node }) });
}
