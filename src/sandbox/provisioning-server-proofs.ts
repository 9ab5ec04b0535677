// XEP-0324 Internet of Things - Provisioning 0.5.1, sections 3.1.3.2 and 3.1.5: a question is decided once its tokens are proved.
import type { BareJid, Jid } from "../core/jid.ts";
import type { Tokens } from "../codec/tokens.ts";
import { identitiesBehind, usedTokens, whoActs, type UserSessions } from "./acting.ts";
import type { Identities, Identity } from "./identities.ts";
import type { TokenChallenges, UsedToken } from "./provisioning-server-challenges.ts";
import type { LaterAnswer, ServiceAnswer } from "./service-frame.ts";
import type { Acting } from "./rules.ts";

/** Who is behind a question, as far as that was proved. */
export interface Proved {
  /** Who may be acting: at least one. */
  readonly acting: readonly Acting[];
  /** The identities behind its service tokens. */
  readonly services: readonly Identity[];
  /** The identities behind its tokens, by name or else fingerprint. */
  readonly names: readonly string[];
}

/** Finds out who asks, before anything is decided. */
export class Proofs {
  readonly #identities: Identities;
  readonly #challenges: TokenChallenges;
  readonly #sessions: UserSessions;

  constructor(identities: Identities, challenges: TokenChallenges, sessions: UserSessions) {
    this.#identities = identities;
    this.#challenges = challenges;
    this.#sessions = sessions;
  }

  /**
   * Answers a question once its tokens are proved, by the rules and identities of that moment.
   *
   * @param caller about whom it is
   */
  whenProved(
    from: Jid,
    { jid: caller, tokens }: { readonly jid: BareJid; readonly tokens: Tokens },
    answerBy: (proved: Proved) => ServiceAnswer,
  ): LaterAnswer {
    const sent = usedTokens(this.#identities, tokens);
    return {
      later: (answer) =>
        this.#challenges.prove(from, caller, sent, (proved) =>
          answer(() => answerBy(this.#behind(from, tokens, sent, proved))),
        ),
    };
  }

  #behind(from: Jid, tokens: Tokens, sent: readonly UsedToken[], proved: ReadonlySet<string>): Proved {
    for (const { token, identity } of sent) {
      const isProved = proved.has(token);
      if (isProved) this.#identities.proved(identity);
      this.#identities.answered(identity, from.bare, isProved);
    }
    // Who cannot answer loses the identity, not what it may without (P-3.1.3-6); so does who has lost it meanwhile.
    const valid = sent.filter(({ token }) => proved.has(token) && this.#identities.behind(token) !== undefined);
    const names = [...new Set(valid.map(({ identity }) => identity.name ?? identity.certificate.fingerprint))];
    const services = identitiesBehind(valid, tokens.serviceToken);
    return { acting: whoActs(valid, tokens, this.#sessions, from.bare), services, names };
  }
}
