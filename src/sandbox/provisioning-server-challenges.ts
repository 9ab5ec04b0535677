// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.1.3.2, the server's side: may the sender use that token?
import type { Clock, Timer } from "../core/clock.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { Refusal } from "../core/refusal.ts";
import { iq } from "../codec/stanza.ts";
import { buildTokenChallenge, parseTokenChallengeResponse } from "../codec/token-challenge.ts";
import type { XmlElement } from "../codec/xml.ts";
import { encryptChallenge, type ChallengePadding } from "./identity-certificate.ts";
import type { Identity } from "./identities.ts";
import { CHALLENGE_BYTES, isSame } from "./provisioning-server-tokens.ts";
import type { ServiceReply } from "./service-frame.ts";

/** When the use of a token is challenged: each time, never, or not again for so many milliseconds after an answer. */
export type ChallengePolicy = "always" | "never" | { readonly again: number };

/** What {@link TokenChallenges} are made of. */
export interface TokenChallengesOptions {
  /** The server's address. */
  readonly from: string;
  /** Randomness for challenges and ids. */
  readonly random: RandomSource;
  /** Time. */
  readonly clock: Clock;
  /** Where oddities are told, without tokens. */
  readonly logger: Logger;
  /** When to challenge. */
  readonly policy: () => ChallengePolicy;
  /** How challenges are padded. */
  readonly padding: () => ChallengePadding;
  /** How long an answer is waited for, in milliseconds. */
  readonly timeout: number;
  /** Carries away what is sent. */
  readonly output: (stanzas: readonly XmlElement[]) => void;
}

/** A token in a question, and who is behind it. */
export interface UsedToken {
  /** The token. */
  readonly token: string;
  /** Who is behind it. */
  readonly identity: Identity;
}

/** A question that waits for the challenges of its tokens. */
interface Waiting {
  readonly sender: string;
  readonly account: BareJid;
  readonly proved: Set<string>;
  readonly open: Set<string>;
  readonly timer: Timer;
  readonly done: (proved: ReadonlySet<string>) => void;
}

interface Posed {
  readonly waiting: Waiting;
  readonly token: string;
  readonly challenge: Uint8Array;
  readonly use: string;
}

const MOST_WAITING = 1_000;
const MOST_WAITING_FROM_ONE = 64;
const MOST_REMEMBERED = 1_000;

/**
 * Challenges the tokens of questions (P-3.1.3-18, -19, -21), each by itself (P-3.1.5-4), at the full JID that sent
 * them. What waits is bounded, and ends when the time is up, or the sender has gone.
 */
export class TokenChallenges {
  readonly #options: TokenChallengesOptions;
  readonly #waiting = new Set<Waiting>();
  /** By the id of the IQ. */
  readonly #posed = new Map<string, Posed>();
  /** Uses of tokens that were proved, and until when that will do; the oldest first. */
  readonly #remembered = new Map<string, number>();

  constructor(options: TokenChallengesOptions) {
    this.#options = options;
  }

  /** How many questions wait. */
  get pending(): number {
    return this.#waiting.size;
  }

  /**
   * Finds out which tokens of a question count, then calls back once, at once if nothing is to be asked. Throws a
   * `Refusal` if too many questions wait.
   *
   * @param sender who asked the question, and sent the tokens
   * @param caller about whom: a proof that was given for one caller counts for no other
   */
  prove(sender: Jid, caller: BareJid, used: readonly UsedToken[], done: Waiting["done"]): void {
    const { policy, clock, timeout } = this.#options;
    const proved = new Set<string>();
    const asked: UsedToken[] = [];
    for (const each of used) {
      if (policy() === "never" || this.#isRemembered(useOf(sender, caller, each.token))) proved.add(each.token);
      // The server of an account answers for it at the bare JID: nobody there can be challenged (P-E8).
      else if (sender.resource !== "" || sender.local === "") asked.push(each);
    }
    if (asked.length === 0) return done(proved);
    this.#checkRoom(sender);
    const open = new Set<string>();
    const timer = clock.schedule(timeout, () => this.#finish(waiting));
    const waiting: Waiting = { sender: sender.full, account: sender.bare, proved, open, timer, done };
    this.#waiting.add(waiting);
    this.#options.output(asked.map((each) => this.#pose(waiting, sender, caller, each)));
  }

  /** An answer to some IQ came. Tells whether it was one to a challenge. */
  reply({ from, id, payload, error }: ServiceReply): boolean {
    const posed = this.#posed.get(id);
    if (posed === undefined || posed.waiting.sender !== from.full) return false;
    this.#posed.delete(id);
    posed.waiting.open.delete(id);
    if (error === undefined && answers(payload, posed.challenge)) this.#prove(posed);
    else {
      this.#options.logger.warn("a token was sent that its sender may not use", {
        sender: from.full,
        why: error?.condition ?? "wrong answer",
      });
    }
    if (posed.waiting.open.size === 0) this.#finish(posed.waiting);
    return true;
  }

  /** Somebody has gone: what they asked is answered no more. A bare JID goes with all its resources. */
  gone(jid: Jid): void {
    for (const waiting of this.#waiting) {
      const isOfIt = jid.resource === "" && waiting.sender.startsWith(`${jid.bare}/`);
      if (isOfIt || waiting.sender === jid.full) this.#drop(waiting);
    }
  }

  /** Ends all that waits, unanswered. */
  stop(): void {
    for (const waiting of this.#waiting) this.#drop(waiting);
    this.#remembered.clear();
  }

  #checkRoom(sender: Jid): void {
    const own = [...this.#waiting].filter((waiting) => waiting.account === sender.bare).length;
    if (this.#waiting.size < MOST_WAITING && own < MOST_WAITING_FROM_ONE) return;
    throw new Refusal("resource-constraint", "Too many questions wait for the challenges of their tokens.");
  }

  #pose(waiting: Waiting, sender: Jid, caller: BareJid, { token, identity }: UsedToken): XmlElement {
    const { from, random, padding } = this.#options;
    const id = randomToken(random);
    const challenge = random.bytes(CHALLENGE_BYTES);
    waiting.open.add(id);
    this.#posed.set(id, { waiting, token, challenge, use: useOf(sender, caller, token) });
    const encrypted = encryptChallenge(identity.certificate.publicKey, challenge, padding());
    return iq({ type: "get", id, from, to: sender.full }, buildTokenChallenge({ token, challenge: encrypted }));
  }

  #prove({ waiting, token, use }: Posed): void {
    waiting.proved.add(token);
    const policy = this.#options.policy();
    if (typeof policy === "string") return;
    this.#remembered.delete(use);
    this.#remembered.set(use, this.#options.clock.monotonic() + policy.again);
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= MOST_REMEMBERED) break;
      this.#remembered.delete(oldest);
    }
  }

  #isRemembered(use: string): boolean {
    if (typeof this.#options.policy() === "string") return false;
    const until = this.#remembered.get(use);
    return until !== undefined && until > this.#options.clock.monotonic();
  }

  /** All have answered, or the time is up. */
  #finish(waiting: Waiting): void {
    this.#drop(waiting);
    waiting.done(waiting.proved);
  }

  #drop(waiting: Waiting): void {
    waiting.timer.cancel();
    for (const id of waiting.open) this.#posed.delete(id);
    this.#waiting.delete(waiting);
  }
}

/** A use of a token: who sends it to the server, and for whom. No JID and no token holds the separator. */
function useOf(sender: Jid, caller: BareJid, token: string): string {
  return [sender.full, caller, token].join("\u0001");
}

function answers(payload: XmlElement | undefined, challenge: Uint8Array): boolean {
  try {
    return isSame(challenge, parseTokenChallengeResponse(payload).response);
  } catch {
    return false;
  }
}
