// One remembered answer, as it is shown.
import type { BareJid } from "../core/jid.ts";
import type { Grant } from "./grants.ts";
import { questionOf, withoutTokens, type Question } from "./questions.ts";
import { unpack } from "./record.ts";

/** A remembered answer. No grant at all is a refusal by every trusted server. */
export interface Right {
  /** What was asked, without the tokens. */
  readonly question: Question;
  /** What kind of question it was. */
  readonly kind: Question["kind"];
  /** About whom. */
  readonly jid: BareJid;
  /** What was granted, the most forgiving grant first. */
  readonly grants: readonly Grant[];
  /** A refused friendship: the servers that let the Thing make friends of its own (XEP-0324 3.1.4). Left out: none. */
  readonly secondaryTrustBy?: readonly BareJid[];
}

/** What is remembered under a key; `undefined` if key or record are none. */
export function rightOf(key: string, record: string): Right | undefined {
  const question = questionOf(key);
  const said = unpack(record);
  if (question === undefined || said === undefined) return undefined;
  const { grants, secondaryTrustBy } = said;
  return {
    question: withoutTokens(question),
    kind: question.kind,
    jid: question.jid,
    grants,
    ...(secondaryTrustBy.length > 0 && { secondaryTrustBy }),
  };
}
