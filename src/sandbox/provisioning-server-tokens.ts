// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.1.3.1, the server's side: a token for a certificate.
import { timingSafeEqual } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { RandomSource } from "../core/random.ts";
import { Refusal } from "../core/refusal.ts";
import {
  buildGetTokenChallenge,
  buildGetTokenResponse,
  parseGetToken,
  parseGetTokenChallengeResponse,
} from "../codec/get-token.ts";
import type { XmlElement } from "../codec/xml.ts";
import { encryptChallenge, type ChallengePadding, type ClientCertificate } from "./identity-certificate.ts";
import type { Identities } from "./identities.ts";

/** What a {@link TokenDesk} is made of. */
export interface TokenDeskOptions {
  /** Who is known, and has which token. */
  readonly identities: Identities;
  /** Randomness for challenges. */
  readonly random: RandomSource;
  /** Time, for how long a challenge waits. */
  readonly clock: Clock;
  /** How challenges are padded. */
  readonly padding: () => ChallengePadding;
}

/** A challenge that waits for its answer. */
interface Posed {
  readonly client: string;
  readonly account: BareJid;
  readonly certificate: ClientCertificate;
  readonly challenge: Uint8Array;
  readonly until: number;
}

/** As many bytes as the XEP's own examples have, and more than anybody guesses. */
export const CHALLENGE_BYTES = 32;
// P-3.1.3-17: at least one minute. A small device may take its time over a private key.
const KEPT = 120_000;
const MOST_POSED = 2_000;
const MOST_POSED_TO_ONE = 16;

/**
 * Gives tokens to who holds the private key of a certificate (P-3.1.3-10 to -17). A number is good once, for the full
 * JID that it was given to (P-E29).
 */
export class TokenDesk {
  readonly #options: TokenDeskOptions;
  /** By number; numbers grow, so the oldest stands first. */
  readonly #posed = new Map<number, Posed>();
  /** How many each account has: resources are to be had for nothing. */
  readonly #counts = new Map<BareJid, number>();
  #last = 0;

  constructor(options: TokenDeskOptions) {
    this.#options = options;
  }

  /** Answers `getToken`. Throws the `Refusal` that goes back. */
  challenge(payload: XmlElement, from: Jid): XmlElement {
    const { identities, random, clock, padding } = this.#options;
    const certificate = identities.examine(parseGetToken(payload).certificate, from.bare);
    this.#forgetOld();
    const account = from.bare;
    const own = this.#counts.get(account) ?? 0;
    // None is put aside for another before its minute is over: the newest has to wait.
    if (this.#posed.size >= MOST_POSED || own >= MOST_POSED_TO_ONE) {
      throw new Refusal("resource-constraint", "Too many challenges wait for their answers.");
    }
    const challenge = random.bytes(CHALLENGE_BYTES);
    const encrypted = encrypt(certificate, challenge, padding());
    this.#last = (this.#last % (2 ** 31 - 1)) + 1;
    this.#counts.set(account, own + 1);
    this.#posed.set(this.#last, {
      client: from.full,
      account,
      certificate,
      challenge,
      until: clock.monotonic() + KEPT,
    });
    return buildGetTokenChallenge({ seqnr: this.#last, challenge: encrypted });
  }

  /** Answers `getTokenChallengeResponse`. Throws the `Refusal` that goes back. */
  response(payload: XmlElement, from: Jid): XmlElement {
    const { seqnr, response } = parseGetTokenChallengeResponse(payload);
    this.#forgetOld();
    const posed = this.#posed.get(seqnr);
    // P-3.1.3-16. The numbers of others are not found either, and stay theirs.
    if (posed?.client !== from.full) throw new Refusal("item-not-found", "No challenge of that number waits.");
    this.#forget(seqnr, posed);
    if (!isSame(posed.challenge, response)) throw new Refusal("bad-request", "Not what was encrypted."); // P-3.1.3-15
    const { identities } = this.#options;
    identities.admit(posed.certificate, from.bare); // it may have ended meanwhile
    return buildGetTokenResponse({ token: identities.tokenFor(posed.certificate, from.bare) });
  }

  /** Forgets all challenges. */
  stop(): void {
    this.#posed.clear();
    this.#counts.clear();
  }

  #forgetOld(): void {
    const now = this.#options.clock.monotonic();
    for (const [seqnr, posed] of this.#posed) {
      if (posed.until > now) break;
      this.#forget(seqnr, posed);
    }
  }

  #forget(seqnr: number, { account }: Posed): void {
    this.#posed.delete(seqnr);
    const left = (this.#counts.get(account) ?? 1) - 1;
    if (left > 0) this.#counts.set(account, left);
    else this.#counts.delete(account);
  }
}

/** A stranger's key may be one that nothing can be encrypted with. */
function encrypt({ publicKey }: ClientCertificate, challenge: Uint8Array, padding: ChallengePadding): Uint8Array {
  try {
    return encryptChallenge(publicKey, challenge, padding);
  } catch {
    throw new Refusal("not-acceptable", "Nothing can be encrypted with the key of this certificate.");
  }
}

/** Compares without telling by its time where the first difference is. */
export function isSame(expected: Uint8Array, given: Uint8Array): boolean {
  return expected.length === given.length && timingSafeEqual(expected, given);
}
