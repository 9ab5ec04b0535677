// Requests for friendship (RFC 6121 3.1), decided by isFriend: XEP-0324 3.2, XEP-0347 3.9; P-E28, X-E1.
import { raceSignal } from "../core/abort.ts";
import { Backoff } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { Friends } from "../connection/friends.ts";
import type { Guard } from "../provisioning/guard.ts";

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
  /** Told of each new friend. */
  readonly onFriended: (jid: BareJid) => void;
}

/** Answers requests for friendship until the stream ends. */
export class FriendRequests {
  readonly #options: FriendRequestsOptions;
  readonly #pending = new Map<BareJid, AbortController>();
  readonly #asleep = new Set<() => void>();
  #listening = true;

  constructor(options: FriendRequestsOptions) {
    this.#options = options;
    options.friends.onRequest((jid) => void this.#take(jid));
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
    for (const request of this.#pending.values()) request.abort(new Error("the stream has ended"));
    this.#pending.clear();
  }

  async #take(jid: BareJid): Promise<void> {
    if (!this.#listening || this.#pending.has(jid)) return;
    this.#makeRoom();
    const request = new AbortController();
    this.#pending.set(jid, request);
    try {
      await this.#answer(jid, request.signal);
    } catch (error) {
      this.#options.logger.debug("a request for friendship stays pending", { jid, why: messageOf(error) });
    } finally {
      if (this.#pending.get(jid) === request) this.#pending.delete(jid);
    }
  }

  #makeRoom(): void {
    for (const [jid, request] of this.#pending) {
      if (this.#pending.size < MOST_AT_ONCE) return;
      request.abort(new Error("too many are pending"));
      this.#pending.delete(jid);
    }
  }

  async #answer(jid: BareJid, signal: AbortSignal): Promise<void> {
    const { friends, guard, random, onFriended } = this.#options;
    const backoff = new Backoff(random, { first: 10_000 });
    for (;;) {
      const { outcome } = await guard.decide({ kind: "friend", jid }, signal);
      if (outcome === "granted") {
        await friends.accept(jid);
        onFriended(jid);
        return;
      }
      if (outcome === "refused") return friends.refuse(jid);
      // A refused request is lost, a pending one can be asked about again (P-E28).
      await this.#pause(backoff.next(), signal);
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
