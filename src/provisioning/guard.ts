// The one entry point for "may they?": XEP-0324 3.2 to 3.4, 5.2, 5.3; X-E1, P-E28. Every doubt is a refusal.
import { withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError } from "../core/errors.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import { askAll } from "./asking.ts";
import { BARRIER_TIMEOUT, type Barrier } from "./barrier.ts";
import { wholeGrant, type Grant } from "./grants.ts";
import { questionKey, type Question } from "./questions.ts";
import type { Right } from "./right.ts";
import type { RightsCache } from "./rights-cache.ts";
import { Running } from "./running.ts";
import type { SentTokens } from "./sent-tokens.ts";

/** Where a decision came from. */
export type DecisionSource =
  /** Remembered. */
  | "cache"
  /** Asked just now. */
  | "server"
  /** Ownership, or the standing of the Registry, the trusted servers themselves, and whom the button has accepted. */
  | "owner"
  /** Nobody could be asked. */
  | "none";

/** The answer to "may they?". */
export type Decision =
  /** Yes, within these grants. */
  | { readonly outcome: "granted"; readonly grants: readonly Grant[]; readonly source: DecisionSource }
  /** No. */
  | {
      readonly outcome: "refused";
      readonly source: DecisionSource;
      /** Of a friendship: true if the Thing may befriend them on its own nevertheless (XEP-0324 3.1.4). Left out: no. */
      readonly secondaryTrustAllowed?: true;
    }
  /** No trusted server answered. For readout and control a no, for friendship a "later" (P-E28). */
  | { readonly outcome: "unanswered"; readonly source: "none" };

/** Whom the Thing answers to at the moment. */
export interface Standing {
  /** The owner, once claimed. */
  readonly owner: BareJid | undefined;
  /** The Registry the Thing registered with. */
  readonly registry: BareJid | undefined;
  /** The provisioning servers the Thing trusts. */
  readonly servers: readonly BareJid[];
  /** Who was accepted by button, and has not said yet whether it is a provisioning server. Left out: nobody. */
  readonly accepted?: readonly BareJid[];
}

/** What a {@link Guard} is made of. */
export interface GuardOptions {
  /** How to ask. */
  readonly channel: Channel;
  /** Where the servers are reached. */
  readonly whereabouts: Whereabouts;
  /** What is remembered. */
  readonly cache: RightsCache;
  /** Where the tokens that go out with a question are noted, for the challenges that may come. Left out: nowhere. */
  readonly sent?: SentTokens;
  /** When what is remembered counts. */
  readonly barrier: Barrier;
  /** Whom the Thing answers to; looked at anew for each question. */
  readonly standing: () => Standing;
  /** Time. */
  readonly clock: Clock;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** Told of each decision: the question, the outcome, and how long it took in milliseconds. */
  readonly onDecision: (question: Question, decision: Decision, ms: number) => void;
}

/** Decides who may befriend, read and control the Thing. */
export class Guard {
  readonly #options: GuardOptions;
  // Equal questions at the same time become one. Kept by epoch: who asks after a clearCache must not be given what was
  // asked before it.
  readonly #underWay = new Map<string, Promise<Decision>>();

  /** What goes on by what was decided. Asks anew whether it may go on when that has ceased to count. */
  readonly running = new Running();
  #answersTo: Standing | undefined;
  #changes = 0;

  constructor(options: GuardOptions) {
    this.#options = options;
    options.cache.onForgotten(() => this.running.recheck());
  }

  /** Counts the times when what was decided before ceased to count: it was forgotten, or the Thing answers to others. */
  get epoch(): number {
    const standing = this.#options.standing();
    if (this.#answersTo !== undefined && !decideAlike(standing, this.#answersTo)) this.#changes++;
    this.#answersTo = standing;
    return this.#options.cache.epoch + this.#changes;
  }

  /**
   * Decides. Rejects only with the signal's reason; whatever else goes wrong is an outcome.
   *
   * @param from the full JID of who sent the request that the question is about: a challenge of its tokens goes back there
   */
  async decide(question: Question, signal: AbortSignal, from?: Jid): Promise<Decision> {
    const { clock, onDecision } = this.#options;
    const began = clock.monotonic();
    const decision = await this.#decide(question, signal, from);
    onDecision(question, decision, clock.monotonic() - began);
    return decision;
  }

  /** Tells whether a yes needs nobody to be asked: by standing, or because it is remembered. Counts as no use of it. */
  isKnown(question: Question): boolean {
    if (withoutAsking(question, this.#options.standing())?.outcome === "granted") return true;
    return this.allowedBy(question).length > 0;
  }

  /** The trusted servers of whom a yes is remembered; nobody if what is remembered counts no more. Counts as no use of it. */
  allowedBy(question: Question): readonly BareJid[] {
    const { cache, standing } = this.#options;
    const by = (cache.peek(questionKey(question))?.grants ?? []).map((grant) => grant.by);
    return by.every((jid) => standing().servers.includes(jid)) ? by : [];
  }

  async #decide(question: Question, signal: AbortSignal, from?: Jid): Promise<Decision> {
    const standing = this.#options.standing();
    const settled = withoutAsking(question, standing);
    if (settled !== undefined) return settled;
    const remembered = await this.#remembered(questionKey(question), signal);
    if (remembered !== undefined) return remembered;
    return this.#asked(question, signal, from);
  }

  async #remembered(key: string, signal: AbortSignal): Promise<Decision | undefined> {
    const { cache } = this.#options;
    if (cache.get(key) === undefined) return undefined;
    if (!(await this.#barrierFalls(signal))) return undefined;
    // Looked up again: the clearCache that the barrier waits for may have come.
    const right = cache.get(key);
    if (right === undefined) return undefined;
    // Whoever granted it must be trusted still: a restored identity may be older than the rights beside it.
    const { servers } = this.#options.standing();
    const { grants, secondaryTrustBy = [] } = right;
    if (![...grants.map(({ by }) => by), ...secondaryTrustBy].every((by) => servers.includes(by))) return undefined;
    if (grants.length === 0) return refused("cache", secondaryTrustBy);
    return { outcome: "granted", grants, source: "cache" };
  }

  /** A greeting that gets no answer from the own server keeps the barrier up: what is remembered is then asked anew. */
  async #barrierFalls(signal: AbortSignal): Promise<boolean> {
    const { barrier, clock } = this.#options;
    try {
      await withDeadline(clock, { signal, timeout: BARRIER_TIMEOUT }, "barrier", (limited) => barrier.pass(limited));
      return true;
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      return false;
    }
  }

  #asked(question: Question, signal: AbortSignal, from?: Jid): Promise<Decision> {
    const { cache, clock } = this.#options;
    const shared = `${cache.epoch} ${questionKey(question)}`;
    let decision = this.#underWay.get(shared);
    if (decision === undefined) {
      decision = this.#askAll(question, from).finally(() => this.#underWay.delete(shared));
      this.#underWay.set(shared, decision);
    }
    const joined = decision;
    return withDeadline(clock, { signal }, question.kind, () => joined);
  }

  async #askAll(question: Question, from?: Jid): Promise<Decision> {
    const { cache } = this.#options;
    const { servers } = this.#options.standing();
    const { epoch } = cache;
    const { grants, secondaryTrustBy, complete } = await askAll(this.#options, servers, question, from);
    if (complete) void cache.put(asRight(question, grants, secondaryTrustBy), epoch);
    if (grants.length > 0) return { outcome: "granted", grants, source: "server" };
    return complete ? refused("server", secondaryTrustBy) : { outcome: "unanswered", source: "none" };
  }
}

function asRight(question: Question, grants: readonly Grant[], secondaryTrustBy: readonly BareJid[]): Right {
  const right: Right = { key: questionKey(question), kind: question.kind, jid: question.jid, grants };
  // It matters beside a no only (P-E16).
  return grants.length > 0 || secondaryTrustBy.length === 0 ? right : { ...right, secondaryTrustBy };
}

/** A no. One server that lets the Thing make friends of its own suffices (P-E16, XEP-0324 5.3). */
function refused(source: DecisionSource, secondaryTrustBy: readonly BareJid[]): Decision {
  return { outcome: "refused", source, ...(secondaryTrustBy.length > 0 && { secondaryTrustAllowed: true }) };
}

/** Whether the same parties decide about reading and controlling. */
function decideAlike(one: Standing, other: Standing): boolean {
  if (one === other) return true;
  const { length } = one.servers;
  return (
    one.owner === other.owner &&
    length === other.servers.length &&
    one.servers.every((jid) => other.servers.includes(jid))
  );
}

/** What needs no server: the owner's friendship, and a Thing that has no server. */
function withoutAsking(question: Question, standing: Standing): Decision | undefined {
  const { owner, registry, servers, accepted = [] } = standing;
  const { jid, kind } = question;
  // The owner, the Registry and the trusted servers are accepted without asking (X-E1); whom the button has accepted is
  // accepted still when the stream or the power went before it was told (XEP-0324 3.1.1).
  if (kind === "friend" && (jid === owner || jid === registry || [...servers, ...accepted].includes(jid))) {
    return { outcome: "granted", grants: [wholeGrant(jid)], source: "owner" };
  }
  if (servers.length > 0) return undefined;
  // Without a provisioning server the owner may read and control, and nobody else (design, settled readings).
  if (kind !== "friend" && jid === owner) {
    const types = kind === "read" ? question.types : undefined;
    return { outcome: "granted", grants: [wholeGrant(jid, types)], source: "owner" };
  }
  // Who wants to be a friend can be asked about once there is a server to ask: a refused request would be lost (P-E28).
  return kind === "friend" ? { outcome: "unanswered", source: "none" } : { outcome: "refused", source: "none" };
}
