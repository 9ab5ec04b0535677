// XEP-0347 3.9 and 3.10: what a Thing must be told of itself, until it has acknowledged it.
import type { BareJid, Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import { buildClaimed, buildRemoved } from "../codec/iot-discovery.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { iq } from "../codec/stanza.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { Commits } from "./registry-commits.ts";
import { recordKey, type RecordClaim, type RegistryRecord } from "./registry-records.ts";
import type { RegistryTable } from "./registry-table.ts";
import type { Whereabouts } from "./registry-whereabouts.ts";
import type { ServiceReply } from "./service-frame.ts";

/** A notice that a Thing has not acknowledged yet. */
export interface DueNotice {
  /** Whose Thing. */
  readonly jid: BareJid;
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
  /** What it is to be told: that it is claimed (XEP-0347 3.9), or removed by its owner (3.10). */
  readonly notice: "claimed" | "removed";
}

/** What {@link RegistryNotices} are made of. */
export interface NoticesOptions {
  /** The Registry's address. */
  readonly from: string;
  /** The records. */
  readonly table: RegistryTable;
  /** What keeps them. */
  readonly commits: Commits;
  /** Where Things are. */
  readonly whereabouts: Whereabouts;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** Sends to a Thing. */
  readonly output: (stanzas: readonly XmlElement[]) => void;
  /** Whether its Thing has been told that it is disowned, and has not answered yet. */
  readonly isBeingDisowned: (record: RegistryRecord) => boolean;
}

// A concentrator that was away may have missed thousands. The next goes out when one was answered.
const MOST_AT_ONCE = 100;

/** Tells Things what they missed. What is due follows from the records, and so outlives the process. */
export class RegistryNotices {
  readonly #options: NoticesOptions;
  /** What accounts with very much to hear have still to be told in this round, as keys of records. */
  readonly #rest = new Map<BareJid, string[]>();

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  /** Those that are not acknowledged, in the order of the records. */
  get due(): readonly DueNotice[] {
    return [...this.#options.table.all()].flatMap((record) =>
      dueOf(record).map(({ notice }) => ({ jid: record.jid, ...(record.node && { node: record.node }), notice })),
    );
  }

  /** What is due to a Thing, addressed to where it was seen last. One that is away learns it when it comes. */
  of(record: RegistryRecord): readonly XmlElement[] {
    const { from, whereabouts, isBeingDisowned } = this.#options;
    const to = whereabouts.last(record.jid);
    // Behind `disowned` a notice of before, sent once more, would give the Thing back to the owner who has just left it.
    if (to === undefined || isBeingDisowned(record)) return [];
    return dueOf(record).map(({ id, payload }) => iq({ type: "set", id, from, to }, payload));
  }

  /** What is due to a Thing and the nodes behind it: the first of it, if it is very much. */
  ofAll(jid: BareJid): readonly XmlElement[] {
    const due = this.#options.table.of(jid).filter((record) => dueOf(record).length > 0);
    const rest = due.splice(MOST_AT_ONCE).map(recordKey);
    if (rest.length > 0) this.#rest.set(jid, rest);
    else this.#rest.delete(jid);
    return due.flatMap((record) => this.of(record));
  }

  /** Whether anything is. */
  isDue(jid: BareJid): boolean {
    return this.#options.table.of(jid).some((record) => dueOf(record).length > 0);
  }

  /** Takes the answer to a notice. */
  reply({ from, id, error }: ServiceReply): void {
    const { table, commits, logger, output } = this.#options;
    const record = table.noticed(id);
    const due = record && dueOf(record).find((each) => each.id === id);
    if (record === undefined || due === undefined || record.jid !== from.bare) return;
    if (error !== undefined) {
      const { condition } = error;
      logger.warn("a Thing did not take a notice", { thing: from.full, notice: due.notice, why: condition });
      // It went to a wrong place: a person may use the Thing's account too. Where the account was before is tried next.
      if (this.undelivered(from, condition)) return output(this.ofAll(from.bare));
      // A node that the concentrator no longer knows has nothing to stop. Should it come back, its first update tells.
      if (due.notice !== "removed" || condition !== "item-not-found") return this.#goOn(from.bare);
    }
    const acknowledge = (): void => {
      if (due.notice === "removed") table.delete(recordKey(record));
      else if (record.claim !== undefined) table.put({ ...record, claim: { ...record.claim, told: true } });
    };
    // Nobody waits for it to be kept: if it is not, the notice comes again.
    commits.run(acknowledge, () => this.#goOn(from.bare));
  }

  /** One was answered: there is room for another. */
  #goOn(jid: BareJid): void {
    const { table, output } = this.#options;
    const rest = this.#rest.get(jid);
    const key = rest?.shift();
    if (rest?.length === 0) this.#rest.delete(jid);
    const record = key === undefined ? undefined : table.at(key);
    const next = record === undefined ? [] : this.of(record);
    if (next.length > 0) output(next);
  }

  /** Forgets an address if nobody is at it, or nobody who knows notices. Tells whether it was one. */
  undelivered(from: Jid, condition: string): boolean {
    return NOBODY_THERE.has(condition) && this.#options.whereabouts.gone(from);
  }
}

const NOBODY_THERE: ReadonlySet<string> = new Set([
  "service-unavailable",
  "recipient-unavailable",
  "remote-server-not-found",
  "remote-server-timeout",
]);

interface Due extends Pick<DueNotice, "notice"> {
  readonly id: string;
  readonly payload: XmlElement;
}

/** In the order in which it happened: who has not heard of the claim hears of it first. */
function dueOf(record: RegistryRecord): readonly Due[] {
  const { claim, removed, node } = record;
  return [
    ...(claim?.told === false
      ? [{ notice: "claimed" as const, id: claim.notice, payload: claimedNotice(record, claim) }]
      : []),
    ...(removed
      ? [{ notice: "removed" as const, id: removed.notice, payload: buildRemoved({ ...(node && { node }) }) }]
      : []),
  ];
}

/** To the Thing: who owns it (D-E8). */
export function claimedNotice({ node }: RegistryRecord, claim: RecordClaim): XmlElement {
  return buildClaimed({ jid: claim.owner, public: claim.public, ...(node && { node }) });
}
