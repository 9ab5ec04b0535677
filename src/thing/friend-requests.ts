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

// More are left to the server, which sends them again at the next login.
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
  readonly #pending = new Set<BareJid>();
  readonly #asleep = new Set<() => void>();
  #stream = new AbortController();

  constructor(options: FriendRequestsOptions) {
    this.#options = options;
    options.friends.onRequest((jid) => void this.#take(jid));
  }

  /** A new stream: the server sends again what is not answered. */
  restart(): void {
    this.stop();
    this.#stream = new AbortController();
  }

  /** Asks at once about what is pending: there is an owner now, or a server to ask. */
  reconsider(): void {
    for (const wake of this.#asleep) wake();
  }

  /** Leaves what is pending to the server. */
  stop(): void {
    this.#stream.abort(new Error("the stream has ended"));
    this.#pending.clear();
  }

  async #take(jid: BareJid): Promise<void> {
    const { signal } = this.#stream;
    if (signal.aborted || this.#pending.has(jid) || this.#pending.size >= MOST_AT_ONCE) return;
    this.#pending.add(jid);
    try {
      await this.#answer(jid, signal);
    } catch (error) {
      this.#options.logger.debug("a request for friendship stays pending", { jid, why: messageOf(error) });
    } finally {
      if (this.#stream.signal === signal) this.#pending.delete(jid);
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
