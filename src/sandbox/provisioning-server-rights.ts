// XEP-0324 Internet of Things - Provisioning 0.5.1, sections 3.2 to 3.4, the server's side: the questions of Things.
import type { Jid } from "../core/jid.ts";
import { buildCanControlResponse, parseCanControl, type CanControl } from "../codec/can-control.ts";
import {
  buildCanReadResponse,
  buildIsFriendResponse,
  parseCanRead,
  parseIsFriend,
  type CanRead,
} from "../codec/provisioning.ts";
import type { XmlElement } from "../codec/xml.ts";
import { mostForgivingControl, mostForgivingRead } from "./forgiving.ts";
import { narrow, narrowControl } from "./narrowing.ts";
import type { AskedQuestion, UndecidedQuestion } from "./provisioning-server-options.ts";
import type { Proofs, Proved } from "./provisioning-server-proofs.ts";
import type { RuleBook } from "./rule-book.ts";
import type { Rule } from "./rules.ts";
import type { LaterAnswer, ServiceAnswer } from "./service-frame.ts";

/** What a {@link RightsDesk} is made of. */
export interface RightsDeskOptions {
  /** Who is behind the tokens. */
  readonly proofs: Proofs;
  /** The rules. */
  readonly book: RuleBook;
  /** Whether Things may trust further servers. */
  readonly secondaryTrustAllowed: () => boolean;
  /** A question was answered. */
  readonly asked: (from: Jid, question: Omit<AskedQuestion, "thing">) => void;
  /** What the answer says counts once only. */
  readonly forget: (from: Jid) => void;
}

/** What an answer of some kind needs of a rule. */
interface Kind<Q, A> {
  readonly right: "read" | "control";
  readonly kind: "canRead" | "canControl";
  readonly answerBy: (question: Q, rule: Rule | undefined) => A;
  readonly best: (question: Q, answers: readonly A[]) => A;
  readonly build: (answer: A) => XmlElement;
}

/** Answers what Things ask about others, by the rules. */
export class RightsDesk {
  readonly #options: RightsDeskOptions;

  constructor(options: RightsDeskOptions) {
    this.#options = options;
  }

  /** XEP-0324 3.2.1: the two are the sender and the JID named, both without resource. */
  isFriend(payload: XmlElement, from: Jid): ServiceAnswer {
    const { book, secondaryTrustAllowed, asked } = this.#options;
    const { jid } = parseIsFriend(payload);
    const [rule] = book.rulesFor("friend", [{}], { thing: from.bare, jid });
    const result = rule?.friend === true;
    asked(from, { kind: "isFriend", jid, result });
    if (rule === undefined) book.leftOpen({ ...NOTHING_MORE, thing: from.bare, kind: "isFriend", jid });
    this.#settle(from, result ? rule : undefined);
    return { payload: buildIsFriendResponse({ jid, result, secondaryTrustAllowed: secondaryTrustAllowed() }) };
  }

  /** XEP-0324 3.3. */
  canRead(payload: XmlElement, from: Jid): LaterAnswer {
    return this.#may(from, parseCanRead(payload), {
      right: "read",
      kind: "canRead",
      answerBy: (question: CanRead, rule) => narrow(question, rule?.read ?? false),
      best: mostForgivingRead,
      build: buildCanReadResponse,
    });
  }

  /** XEP-0324 3.4. */
  canControl(payload: XmlElement, from: Jid): LaterAnswer {
    return this.#may(from, parseCanControl(payload), {
      right: "control",
      kind: "canControl",
      answerBy: (question: CanControl, rule) => narrowControl(question, rule?.control ?? false),
      best: mostForgivingControl,
      build: buildCanControlResponse,
    });
  }

  #may<Q extends CanRead | CanControl, A extends { readonly result: boolean }>(
    from: Jid,
    question: Q,
    { right, kind, answerBy, best, build }: Kind<Q, A>,
  ): LaterAnswer {
    const { proofs, book, asked } = this.#options;
    const { jid } = question;
    return proofs.whenProved(from, question, (proved) => {
      const rules = book.rulesFor(right, proved.acting, { thing: from.bare, jid, asked: question });
      const answers = rules.map((rule) => answerBy(question, rule));
      const answer = best(question, answers);
      const { names } = proved;
      asked(from, { kind, jid, result: answer.result, ...(names.length > 0 && { identities: names }) });
      if (rules.every((rule) => rule === undefined)) book.leftOpen(undecided(from, kind, question, proved));
      this.#settle(from, answer.result ? rules[answers.indexOf(answer)] : undefined);
      return { payload: build(answer) };
    });
  }

  #settle(from: Jid, rule: Rule | undefined): void {
    if (this.#options.book.used(rule)) this.#options.forget(from);
  }
}

const NOTHING_MORE = { identities: [], nodes: [], fields: [], types: [], parameters: [], credentials: [] } as const;

function undecided(
  from: Jid,
  kind: "canRead" | "canControl",
  question: CanRead | CanControl,
  { names }: Proved,
): UndecidedQuestion {
  const { jid, nodes } = question;
  return {
    ...NOTHING_MORE,
    ...{ thing: from.bare, kind, jid, nodes, identities: names },
    ...("fields" in question
      ? { fields: question.fields, types: [...question.types] }
      : { parameters: question.parameters }),
  };
}
