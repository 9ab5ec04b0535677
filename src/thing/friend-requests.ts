// Requests for friendship (RFC 6121 3.1), decided by isFriend (XEP-0324 3.2, XEP-0347 3.9; P-E28, X-E1) or by the button
// (XEP-0324 3.1.1, 3.1.4, figures 1 and 4; X-E2).
import { raceSignal } from "../core/abort.ts";
import { Backoff } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { Friends } from "../connection/friends.ts";
import type { Decision } from "../provisioning/decision.ts";
import type { Guard } from "../provisioning/guard.ts";
import type { ByHand, Pairing } from "./pairing.ts";
import type { Trust } from "./state.ts";

// Beyond that the oldest are left to the server, which sends them again at the next login. Not the newest: the owner's
// request, which is answered at once, must get through however many strangers wait.
const MOST_AT_ONCE = 100;

/** What {@link FriendRequests} are answered with. */
export interface FriendRequestsOptions {
  /** The roster. */
  readonly friends: Friends;
  /** Who decides. */
  readonly guard: Guard;
  /** Time. */
  readonly clock: Clock;
  /** Randomness for the spread of tries. */
  readonly random: RandomSource;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** Told before somebody is accepted, which is waited for: what was to end is not to end any more. */
  readonly onAllowed: (jid: BareJid) => Promise<void>;
  /** Told of each new friend. */
  readonly onFriended: (jid: BareJid) => void;
  /** The LED and the button, if the Thing has them. */
  readonly button?: Button | undefined;
}

/** How requests are accepted by hand. */
export interface Button {
  /** Whose turn it is. */
  readonly pairing: Pairing;
  /** Whom the Thing trusts at the moment. */
  readonly trust: () => Trust;
  /**
   * Makes it durable that somebody is accepted, then tells them. Resolves to false if others decide about them now; rejects
   * if it could not be written, which it has told of.
   */
  readonly accept: (jid: BareJid) => Promise<boolean>;
}

interface Request {
  readonly abort: AbortController;
  /** Whether it waits for the button, which bounds those who do by itself. */
  byHand: boolean;
}

/** Answers requests for friendship until the stream ends. */
export class FriendRequests {
  readonly #options: FriendRequestsOptions;
  readonly #pending = new Map<BareJid, Request>();
  readonly #asleep = new Set<() => void>();
  #listening = true;

  constructor(options: FriendRequestsOptions) {
    this.#options = options;
    options.friends.onRequest((jid) => void this.#take(jid));
    options.friends.onWithdrawn((jid) => this.#withdraw(jid));
  }

  /** A new stream: the server sends again what is not answered. */
  restart(): void {
    this.stop();
    this.#listening = true;
  }

  /** Asks at once about what is pending: there is an owner now, or a server to ask. */
  reconsider(): void {
    for (const wake of this.#asleep) wake();
  }

  /** Leaves what is pending to the server. */
  stop(): void {
    this.#listening = false;
    for (const { abort } of this.#pending.values()) abort.abort(new Error("the stream has ended"));
    this.#options.button?.pairing.disconnect();
    this.#pending.clear();
  }

  async #take(jid: BareJid): Promise<void> {
    if (!this.#listening || this.#pending.has(jid)) return;
    this.#makeRoom();
    const request: Request = { abort: new AbortController(), byHand: false };
    this.#pending.set(jid, request);
    try {
      await this.#answer(jid, request);
    } catch (error) {
      this.#options.logger.debug("a request for friendship stays pending", { jid, why: messageOf(error) });
    } finally {
      if (this.#pending.get(jid) === request) this.#pending.delete(jid);
    }
  }

  #makeRoom(): void {
    const undecided = [...this.#pending].filter(([, { byHand }]) => !byHand);
    for (const [jid, { abort }] of undecided.slice(0, Math.max(0, undecided.length - MOST_AT_ONCE + 1))) {
      abort.abort(new Error("too many are pending"));
      this.#pending.delete(jid);
    }
  }

  #withdraw(jid: BareJid): void {
    this.#options.button?.pairing.leave(jid, "withdrawn");
    this.#pending.get(jid)?.abort.abort(new Error("the request was taken back"));
    this.#pending.delete(jid);
  }

  async #answer(jid: BareJid, request: Request): Promise<void> {
    const { friends, guard, random, button, onAllowed, onFriended } = this.#options;
    const { signal } = request.abort;
    const backoff = new Backoff(random, { first: 10_000 });
    for (;;) {
      const { epoch } = guard;
      const decision = await guard.decide({ kind: "friend", jid }, signal);
      // A yes of somebody whom a factory reset has taken the say from, or who has said meanwhile that rules have changed.
      if (guard.epoch !== epoch) continue;
      if (button !== undefined && isByHand(decision, button.trust())) {
        request.byHand = true;
        if (await this.#byHand(jid, button, signal)) return;
        continue;
      }
      request.byHand = false;
      button?.pairing.leave(jid, "overtaken");
      if (decision.outcome === "granted") {
        await onAllowed(jid);
        await friends.accept(jid);
        onFriended(jid);
        return;
      }
      if (decision.outcome === "refused") return friends.refuse(jid);
      // A refused request is lost, a pending one can be asked about again (P-E28).
      await this.#pause(backoff.next(), signal);
    }
  }

  /** Waits for the button. Resolves to false if it is to be decided anew who decides. */
  async #byHand(jid: BareJid, { pairing, accept }: Button, signal: AbortSignal): Promise<boolean> {
    const { friends, onFriended } = this.#options;
    switch (await this.#untilWoken(pairing.ask(jid), signal)) {
      case "pressed":
        if (!pairing.take(jid)) return false;
        try {
          const accepted = await accept(jid);
          pairing.kept(accepted ? "accepted" : "overtaken");
          if (accepted) onFriended(jid);
          return accepted;
        } catch {
          pairing.kept("failed");
          return false;
        }
      case "refused":
        await friends.refuse(jid);
        return true;
      case undefined:
      case "overtaken":
        return false;
      default:
        // Left to the server, or taken back.
        return true;
    }
  }

  /** What comes of it, or `undefined` when the Thing has come to answer to somebody else. */
  async #untilWoken(what: Promise<ByHand>, signal: AbortSignal): Promise<ByHand | undefined> {
    let wake: () => void = () => undefined;
    const woken = new Promise<undefined>((resolve) => (wake = () => resolve(undefined)));
    this.#asleep.add(wake);
    try {
      return await raceSignal(Promise.race([what, woken]), signal);
    } finally {
      this.#asleep.delete(wake);
    }
  }

  /** Waits so many milliseconds, or until the Thing has come to answer to somebody else. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let wake: () => void = () => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    const timer = clock.schedule(ms, wake);
    this.#asleep.add(wake);
    try {
      await raceSignal(woken, signal);
    } finally {
      timer.cancel();
      this.#asleep.delete(wake);
    }
  }
}

/**
 * Whether the button decides: a Thing that trusts nobody yet has nobody else to ask (figure 1); else after a no, if a
 * server lets the Thing make friends of its own, and trust is not locked (figure 4; P-E16, P-6.1-2).
 */
function isByHand(decision: Decision, trust: Trust): boolean {
  if (trust.is === "none") return decision.outcome !== "granted";
  return decision.outcome === "refused" && decision.secondaryTrustAllowed === true && !trust.locked;
}
