// The one entry point for "may they?": XEP-0324 3.2 to 3.4, 5.2, 5.3; X-E1, P-E28. Every doubt is a refusal.
import { withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError } from "../core/errors.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { AbortNotice } from "../core/light-abort.ts";
import type { Logger } from "../core/logger.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import { askAll } from "./asking.ts";
import { BARRIER_TIMEOUT, type Barrier } from "./barrier.ts";
import { refused, type Decision } from "./decision.ts";
import { questionKey, type Question } from "./questions.ts";
import { grantsIn, recordOf, trustGeneration, type TrustGeneration } from "./record.ts";
import type { RightsCache } from "./rights-cache.ts";
import { Running } from "./running.ts";
import type { SentTokens } from "./sent-tokens.ts";
import { decideAlike, withoutAsking, type Standing } from "./standing.ts";

export type { Standing } from "./standing.ts";

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
  /** Whether anybody listens to that at the moment; nothing is measured while nobody does. Left out: somebody always does. */
  readonly isHeard?: () => boolean;
}

/** Decides who may befriend, read and control the Thing. */
export class Guard {
  readonly #options: GuardOptions;
  // Equal questions at the same time become one. Kept by epoch: who asks after a clearCache must not be given what was
  // asked before it.
  readonly #underWay = new Map<string, Promise<Decision>>();
  #account: Jid | undefined;
  #generation: TrustGeneration | undefined;

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
   * Decides: at once, without a promise, when nobody has to be asked and the barrier is down. Rejects only with the
   * signal's reason; whatever else goes wrong is an outcome.
   *
   * @param from the full JID of who sent the request that the question is about: a challenge of its tokens goes back there
   */
  decide(question: Question, signal: AbortNotice, from?: Jid): Decision | Promise<Decision> {
    const { isHeard } = this.#options;
    if (isHeard !== undefined && !isHeard()) return this.#decide(question, signal, from);
    return this.#toldOf(question, signal, from);
  }

  /** Tells whether a yes needs nobody to be asked: by standing, or because it is remembered. Counts as no use of it. */
  isKnown(question: Question): boolean {
    if (withoutAsking(question, this.#options.standing())?.outcome === "granted") return true;
    return this.allowedBy(question).length > 0;
  }

  /** The trusted servers of whom a yes is remembered; nobody if what is remembered counts no more. Counts as no use of it. */
  allowedBy(question: Question): readonly BareJid[] {
    const { cache, standing } = this.#options;
    const decision = cache.peek(questionKey(question), this.#trusted(standing()).id);
    return decision?.outcome === "granted" ? decision.grants.map(({ by }) => by) : [];
  }

  #decide(question: Question, signal: AbortNotice, from?: Jid): Decision | Promise<Decision> {
    const { barrier, cache, standing } = this.#options;
    const now = standing();
    const settled = withoutAsking(question, now);
    if (settled !== undefined) return settled;
    const key = questionKey(question);
    if (!barrier.isDown) return this.#afterBarrier(key, question, signal, from);
    return cache.get(key, this.#trusted(now).id) ?? this.#asked(key, question, signal, from);
  }

  async #toldOf(question: Question, signal: AbortNotice, from?: Jid): Promise<Decision> {
    const { clock, onDecision } = this.#options;
    const began = clock.monotonic();
    const decision = await this.#decide(question, signal, from);
    onDecision(question, decision, clock.monotonic() - began);
    return decision;
  }

  /** What is remembered waits for the barrier; what is not is asked at once. */
  async #afterBarrier(key: string, question: Question, signal: AbortNotice, from?: Jid): Promise<Decision> {
    const { cache, standing } = this.#options;
    const isRemembered = cache.peek(key, this.#trusted(standing()).id) !== undefined;
    if (isRemembered && !(await this.#barrierFalls(signal))) {
      cache.missed();
    } else {
      // Looked up again: the clearCache that the barrier waits for may have come.
      const decision = cache.get(key, this.#trusted(standing()).id);
      if (decision !== undefined) return decision;
    }
    return this.#asked(key, question, signal, from);
  }

  /**
   * The generation of trust at the moment. What was remembered under another one is no answer: a restored identity may
   * be older than the rights beside it, and another account is another Thing to its servers. While there is no stream
   * the account is that of the last one.
   */
  #trusted({ servers }: Standing): TrustGeneration {
    const jid = this.#options.channel.jid ?? this.#account;
    if (this.#generation?.servers !== servers || this.#account !== jid) {
      this.#account = jid;
      this.#generation = trustGeneration(jid?.bare ?? "", servers);
    }
    return this.#generation;
  }

  /** A greeting that gets no answer from the own server keeps the barrier up: what is remembered is then asked anew. */
  async #barrierFalls(signal: AbortNotice): Promise<boolean> {
    const { barrier, clock } = this.#options;
    try {
      await withDeadline(clock, { signal, timeout: BARRIER_TIMEOUT }, "barrier", (limited) => barrier.pass(limited));
      return true;
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      return false;
    }
  }

  #asked(key: string, question: Question, signal: AbortNotice, from?: Jid): Promise<Decision> {
    const { cache, clock } = this.#options;
    const shared = `${cache.epoch} ${key}`;
    let decision = this.#underWay.get(shared);
    if (decision === undefined) {
      decision = this.#askAll(key, question, from).finally(() => this.#underWay.delete(shared));
      this.#underWay.set(shared, decision);
    }
    const joined = decision;
    return withDeadline(clock, { signal }, question.kind, () => joined);
  }

  async #askAll(key: string, question: Question, from?: Jid): Promise<Decision> {
    const { cache, standing } = this.#options;
    const generation = this.#trusted(standing());
    const { servers } = generation;
    const { epoch } = cache;
    const answered = await askAll(this.#options, servers, question, from);
    const record = recordOf(question, generation, answered);
    if (record !== undefined) cache.put(key, record, epoch);
    const grants = grantsIn(servers, answered);
    if (grants.length > 0) return { outcome: "granted", grants, source: "server" };
    if (record === undefined) return { outcome: "unanswered", source: "none" };
    // One server that lets the Thing make friends of its own suffices (P-E16, XEP-0324 5.3).
    return refused(
      "server",
      [...answered.values()].some(({ secondaryTrustAllowed }) => secondaryTrustAllowed === true),
    );
  }
}
