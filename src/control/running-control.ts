// A control that has begun: what the guard grants of it by now, XEP-0324 3.2.3, 3.4, 3.5.1 (P-3.5.1-5).
import { onAbort } from "../core/abort.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { AbortNotice } from "../core/light-abort.ts";
import { Refusal } from "../core/refusal.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { grantsByNode, permitsControl, type Grant } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import type { ControlQuestion } from "../provisioning/questions.ts";
import type { Run } from "../provisioning/running.ts";
import type { Permission, Progress } from "./actuator.ts";

/** What a control is made of. */
export interface RunningControlOptions {
  readonly guard: Guard;
  readonly question: ControlQuestion;
  /** Who asks, with resource: a challenge of the tokens goes back there. */
  readonly from: Jid;
  /** How far it has come, device by device. */
  readonly progress: readonly Progress[];
  /** Fires when the stream ends, or nobody waits for the answer any more. */
  readonly signal: AbortNotice;
}

/** One control, and what of it may be set still. */
export class RunningControl implements Permission, Run {
  readonly jid: BareJid;
  readonly #options: RunningControlOptions;
  readonly #ended = new AbortController();
  readonly #deaf: () => void;
  #epoch: number | undefined;
  #grants: readonly Grant[] = [];
  #grantsOf = grantsByNode([]);
  #asking: Promise<void> | undefined;

  constructor(options: RunningControlOptions) {
    this.#options = options;
    this.jid = options.question.jid;
    this.#deaf = onAbort(options.signal, () => this.#ended.abort(options.signal.reason));
  }

  /** It has come to its end: a stream outlives many. */
  close(): void {
    this.#deaf();
  }

  /** Fires when it is to end: with a `Refusal` if it is not allowed any more. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** What is granted, when it was asked last. */
  get grants(): readonly Grant[] {
    return this.#grants;
  }

  isStale(): boolean {
    return this.#epoch !== this.#options.guard.epoch;
  }

  allows(node: NodeRef, name: string): boolean {
    return permitsControl(this.#grantsOf(node), { node, name });
  }

  /** Resolves only if something is granted (P-3.4.1-1, P-3.4.1-2). Stale until then. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  recheck(): void {
    this.#recheck().catch((reason: unknown) => this.#ended.abort(reason));
  }

  end(): void {
    this.#ended.abort(new Refusal("forbidden", "Access denied."));
  }

  async #recheck(): Promise<void> {
    while (this.isStale()) await this.refresh();
    // What waits for its turn is looked at then.
    const isRevoked = ({ node, setting }: Progress): boolean => setting !== undefined && !this.allows(node, setting);
    if (this.#options.progress.some(isRevoked)) this.end();
  }

  async #ask(): Promise<void> {
    const { guard, question, from } = this.#options;
    const { epoch } = guard;
    const decision = await guard.decide(question, this.signal, from);
    // A no is told apart from "nobody could be asked": the caller may try that one again (P-E28).
    if (decision.outcome === "refused") throw new Refusal("forbidden", "Access denied.");
    if (decision.outcome === "unanswered") {
      throw new Refusal("resource-constraint", "Nobody could be asked whether you may control. Try again later.");
    }
    this.#grants = decision.grants;
    this.#grantsOf = grantsByNode(decision.grants);
    this.#epoch = epoch;
  }
}
