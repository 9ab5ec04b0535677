// XEP-0324 Internet of Things - Provisioning 0.5.1, sections 3.2 to 3.4, the server's side: the questions of Things.
import type { BareJid, Jid } from "../core/jid.ts";
import { buildCanControlResponse, parseCanControl } from "../codec/can-control.ts";
import { buildCanReadResponse, buildIsFriendResponse, parseCanRead, parseIsFriend } from "../codec/provisioning.ts";
import type { XmlElement } from "../codec/xml.ts";
import { mostForgivingControl, mostForgivingRead } from "./forgiving.ts";
import type { AskedQuestion, QuestionKind } from "./provisioning-server-options.ts";
import type { Proofs, Proved } from "./provisioning-server-proofs.ts";
import { decideControl, decideFriend, decideRead, narrow, narrowControl, type Acting, type Rule } from "./rules.ts";
import type { LaterAnswer, ServiceAnswer } from "./service-frame.ts";

/** What a {@link RightsDesk} is made of. */
export interface RightsDeskOptions {
  /** Who is behind the tokens. */
  readonly proofs: Proofs;
  /** The rules in force, normalised. */
  readonly rules: () => readonly Rule[];
  /** Whether Things may trust further servers. */
  readonly secondaryTrustAllowed: () => boolean;
  /** A question was answered. */
  readonly asked: (from: Jid, question: Omit<AskedQuestion, "thing">) => void;
}

/** Answers what Things ask about others, by the rules. */
export class RightsDesk {
  readonly #options: RightsDeskOptions;
  /** The Things that have asked isFriend. */
  readonly #consulted = new Set<BareJid>();

  constructor(options: RightsDeskOptions) {
    this.#options = options;
  }

  /** Tells whether a Thing has asked about friends before (P-3.2.3-2). */
  hasConsulted(thing: BareJid): boolean {
    return this.#consulted.has(thing);
  }

  /** XEP-0324 3.2.1: the two are the sender and the JID named, both without resource. */
  isFriend(payload: XmlElement, from: Jid): ServiceAnswer {
    const { rules, secondaryTrustAllowed, asked } = this.#options;
    const { jid } = parseIsFriend(payload);
    const result = decideFriend(rules(), from.bare, jid);
    asked(from, { kind: "isFriend", jid, result });
    this.#consulted.add(from.bare);
    return { payload: buildIsFriendResponse({ jid, result, secondaryTrustAllowed: secondaryTrustAllowed() }) };
  }

  /** XEP-0324 3.3. */
  canRead(payload: XmlElement, from: Jid): LaterAnswer {
    const question = parseCanRead(payload);
    const { jid } = question;
    return this.#options.proofs.whenProved(from, question, (proved) => {
      const limits = different(proved.acting, (who) => decideRead(this.#options.rules(), from.bare, jid, who));
      const answer = mostForgivingRead(
        question,
        limits.map((each) => narrow(question, each)),
      );
      this.#asked(from, "canRead", { jid, result: answer.result }, proved);
      return { payload: buildCanReadResponse(answer) };
    });
  }

  /** XEP-0324 3.4. */
  canControl(payload: XmlElement, from: Jid): LaterAnswer {
    const question = parseCanControl(payload);
    const { jid } = question;
    return this.#options.proofs.whenProved(from, question, (proved) => {
      const limits = different(proved.acting, (who) => decideControl(this.#options.rules(), from.bare, jid, who));
      const answer = mostForgivingControl(
        question,
        limits.map((each) => narrowControl(question, each)),
      );
      this.#asked(from, "canControl", { jid, result: answer.result }, proved);
      return { payload: buildCanControlResponse(answer) };
    });
  }

  #asked(
    from: Jid,
    kind: QuestionKind,
    about: { readonly jid: BareJid; readonly result: boolean },
    { names }: Proved,
  ): void {
    this.#options.asked(from, { kind, ...about, ...(names.length > 0 && { identities: names }) });
  }
}

/** What is decided, each once: sixteen tokens of three kinds make thousands of combinations, and few rules. */
function different<T>(acting: readonly Acting[], decide: (who: Acting) => T): readonly T[] {
  return [...new Set(acting.map(decide))];
}
