// XEP-0347 3.17: an owner gives up a Thing. In two phases: the Thing first, then the record, then the owner.
import type { Clock, Timer } from "../core/clock.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { Refusal } from "../core/refusal.ts";
import { buildDisowned, type Disown } from "../codec/iot-discovery.ts";
import { iq } from "../codec/stanza.ts";
import type { Tag } from "../codec/tags.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { Commits } from "./registry-commits.ts";
import { recordKey, type RecordClaim, type RegistryRecord } from "./registry-records.ts";
import type { RegistryTable } from "./registry-table.ts";
import { fingerprint } from "./registry-tags.ts";
import type { ServiceAnswer, ServiceReply } from "./service-frame.ts";

/** What {@link Disowning} is made of. */
export interface DisowningOptions {
  /** The Registry's address. */
  readonly from: string;
  /** The records. */
  readonly table: RegistryTable;
  /** What keeps them. */
  readonly commits: Commits;
  /** Time, for how long a Thing is waited for. */
  readonly clock: Clock;
  /** Randomness for ids, and for the KEY of disowned Things. */
  readonly random: RandomSource;
  /** Where it tells what it does. */
  readonly logger: Logger;
  /** How long a Thing has to acknowledge, in milliseconds. */
  readonly timeout: number;
  /** Where a Thing is, if it is online as a friend (D-3.17-4); of a component's Things: reachable (D-E15). */
  readonly reach: (thing: BareJid) => string | undefined;
  /** Sends to a Thing. */
  readonly output: (stanzas: readonly XmlElement[]) => void;
  /** A Thing could not be reached after all. */
  readonly undelivered: (from: Jid, condition: string) => void;
  /** What else a Thing is to be told needs to wait no more. */
  readonly settled: (record: RegistryRecord) => void;
}

/** Takes what answers an owner, which may throw. */
type Answer = (make: () => ServiceAnswer) => void;

interface Asked {
  readonly id: string;
  readonly key: string;
  readonly to: string;
  /** Which claim is given up. Who owns the Thing later has not asked for anything. */
  readonly claim: string;
  readonly waiting: Answer[];
  readonly timer: Timer;
  /** Whether the Thing has come anew since, or registered: an acknowledgement is not to be expected any more. */
  hasComeAnew: boolean;
}

// Things that answer later than that are forgotten about, the oldest first.
const MOST_LATE = 10_000;
// Owners repeat themselves; who repeats more often is not waited with.
const MOST_WAITING = 16;

/**
 * Tells Things that they are disowned. A record loses its owner only when its Thing has acknowledged it: one that is
 * away could not be claimed again (D-3.17-4). Nothing of it is kept: an owner who is refused asks again.
 */
export class Disowning {
  readonly #options: DisowningOptions;
  /** Things that have been told, by the id of what told them. */
  readonly #asked = new Map<string, Asked>();
  readonly #byKey = new Map<string, Asked>();
  /** Those that were not waited for any longer. */
  readonly #late = new Map<string, Asked>();
  /** The last of them for each record, until its Thing goes. */
  readonly #lateByKey = new Map<string, Asked>();
  /** Claims whose Things have forgotten them, though that could not be kept. */
  readonly #forgotten = new Set<string>();

  constructor(options: DisowningOptions) {
    this.#options = options;
  }

  /** Begins, or joins what has begun. The answer comes when the Thing has answered and that is kept, or never will. */
  begin(thing: Disown, owner: BareJid, answer: Answer): void {
    const { table, reach, clock, timeout, random, output, from } = this.#options;
    const record = table.at(recordKey(thing));
    const claim = record?.claim;
    if (record === undefined || claim?.owner !== owner || record.removed !== undefined) return refuse(answer, notOwned);
    const key = recordKey(record);
    const begun = this.#byKey.get(key);
    if (begun?.claim === claim.notice) {
      if (begun.waiting.length >= MOST_WAITING) return refuse(answer, notReached);
      begun.waiting.push(answer);
      return;
    }
    if (begun !== undefined) this.#giveUp(begun);
    const to = reach(record.jid);
    if (to === undefined) return refuse(answer, notReached);
    const id = randomToken(random); // unguessable: nobody else acknowledges it
    const timer = clock.schedule(timeout, () => this.#giveUp(asked));
    const asked: Asked = { id, key, to, claim: claim.notice, waiting: [answer], timer, hasComeAnew: false };
    this.#asked.set(id, asked);
    this.#byKey.set(key, asked);
    output([iq({ type: "set", id, from, to }, buildDisowned({ ...(record.node && { node: record.node }) }))]);
  }

  /** Takes an answer. Tells whether it was meant for this. */
  reply({ from, id, error }: ServiceReply): boolean {
    const asked = this.#asked.get(id) ?? this.#late.get(id);
    if (asked === undefined) return false;
    if (asked.to !== from.full) return true; // nobody else can acknowledge it
    if (error === undefined) {
      this.#release(asked);
      return true;
    }
    this.#options.logger.warn("a Thing did not let itself be disowned", { thing: from.full, why: error.condition });
    this.#options.undelivered(from, error.condition);
    this.#giveUp(asked);
    this.#forget(asked); // it has said no, and nothing more will come
    if (!asked.hasComeAnew) this.#settled(asked);
    return true;
  }

  /** Somebody went. An acknowledgement sent before would have come before. */
  gone(from: Jid): void {
    for (const asked of [...this.#asked.values()]) if (isOf(asked, from)) this.#giveUp(asked);
    for (const asked of this.#lateByKey.values()) if (isOf(asked, from)) this.#lateByKey.delete(asked.key);
  }

  /** Whether a Thing has acknowledged that it has this owner no more, though that is not kept yet. */
  isForgotten(claim: RecordClaim): boolean {
    return this.#forgotten.has(claim.notice);
  }

  /** Whether a Thing has been told that this owner is its owner no more, and has not answered. */
  isAsked(record: RegistryRecord): boolean {
    const key = recordKey(record);
    const asked = this.#byKey.get(key) ?? this.#lateByKey.get(key);
    return asked !== undefined && asked.claim === record.claim?.notice;
  }

  /** A claimed Thing registers: it has forgotten its owner, and only its acknowledgement was lost. */
  registersAnew(record: RegistryRecord): void {
    const asked = this.#byKey.get(recordKey(record));
    if (asked) asked.hasComeAnew = true;
    this.#lateByKey.delete(recordKey(record));
  }

  /** Somebody is there, maybe on a new stream of the same address: what was sent to the one before may be lost. */
  present(from: Jid): void {
    for (const asked of this.#asked.values()) if (isOf(asked, from)) asked.hasComeAnew = true;
    for (const asked of this.#lateByKey.values()) if (isOf(asked, from)) this.#lateByKey.delete(asked.key);
  }

  /** Waits for nobody any more. */
  stop(): void {
    for (const { timer } of this.#asked.values()) timer.cancel();
    this.#asked.clear();
    this.#byKey.clear();
    this.#lateByKey.clear();
  }

  /** D-3.17-11: as if the Thing were offline. Should it acknowledge yet, see {@link #release}. */
  #giveUp(asked: Asked): void {
    if (!this.#end(asked)) return;
    trim(this.#late.set(asked.id, asked));
    if (!asked.hasComeAnew) trim(this.#lateByKey.set(asked.key, asked));
    for (const answer of asked.waiting.splice(0)) refuse(answer, notReached);
    if (asked.hasComeAnew) this.#settled(asked);
  }

  /**
   * D-3.17-9: the Thing has acknowledged, and so has forgotten its owner. That counts also when it comes too late for
   * the owner, who has heard `not-allowed`: a record that still named an owner would keep a Thing that has none from
   * ever being claimed.
   */
  #release(asked: Asked): void {
    const { table, commits, logger } = this.#options;
    this.#end(asked);
    this.#forget(asked);
    const change = (): RegistryRecord | undefined => {
      const record = table.at(asked.key);
      // Unregistered meanwhile, or somebody else's by now.
      if (record?.claim?.notice !== asked.claim) return undefined;
      trim(this.#forgotten.add(asked.claim));
      table.put(this.#unclaimed(record));
      return record;
    };
    commits.run(change, (result) => {
      const make = (): ServiceAnswer => {
        if (result() === undefined) throw new Refusal("item-not-found");
        return {};
      };
      let record: RegistryRecord | undefined;
      try {
        record = result();
        this.#forgotten.delete(asked.claim);
        if (record) logger.info("disowned", { thing: record.jid, node: record.node?.nodeId });
      } catch {
        // Not kept: when the Thing registers, it is taken for what it is.
      }
      for (const answer of asked.waiting.splice(0)) answer(make);
    });
  }

  /** Without owner and tags, and with a KEY that nobody knows: the Thing itself registers anew (D-3.17-9). */
  #unclaimed({ jid, node, registeredAt, address }: RegistryRecord): RegistryRecord {
    const tags: readonly Tag[] = [{ name: "KEY", type: "str", value: randomToken(this.#options.random, 32) }];
    return {
      jid,
      ...(node && { node }),
      registeredAt,
      registered: fingerprint(tags),
      tags,
      ...(address !== undefined && { address }),
    };
  }

  #settled({ key, claim }: Asked): void {
    const record = this.#options.table.at(key);
    if (record?.claim?.notice === claim) this.#options.settled(record);
  }

  /** Nothing more is to come of a Thing that was asked. */
  #forget(asked: Asked): void {
    this.#late.delete(asked.id);
    if (this.#lateByKey.get(asked.key) === asked) this.#lateByKey.delete(asked.key);
  }

  #end(asked: Asked): boolean {
    asked.timer.cancel();
    if (this.#byKey.get(asked.key) === asked) this.#byKey.delete(asked.key);
    return this.#asked.delete(asked.id);
  }
}

function isOf(asked: Asked, from: Jid): boolean {
  return asked.to === from.full || (from.resource === "" && asked.to.startsWith(`${from.bare}/`));
}

function trim(collection: Pick<Set<string>, "size" | "keys" | "delete">): void {
  const [oldest = ""] = collection.keys();
  if (collection.size > MOST_LATE) collection.delete(oldest);
}

/** Not found, or not owned by who asks: the same (D-3.17-3). */
function notOwned(): Refusal {
  return new Refusal("item-not-found");
}

/** Not online as a friend, no acknowledgement, or an error (D-3.17-4, D-3.17-11). */
function notReached(): Refusal {
  return new Refusal("not-allowed");
}

function refuse(answer: Answer, refusal: () => Refusal): void {
  answer(() => {
    throw refusal();
  });
}
