// The questions on the wire, one server at a time (XEP-0324 3.2.1, 3.3, 3.4).
import type { CallOptions } from "../core/abort.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import { buildCanControl, parseCanControlResponse } from "../codec/can-control.ts";
import { ns } from "../codec/namespaces.ts";
import { buildCanRead, buildIsFriend, parseCanReadResponse, parseIsFriendResponse } from "../codec/provisioning.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import { intersect, intersectControl, wholeGrant, type Grant } from "./grants.ts";
import type { Question } from "./questions.ts";
import type { SentTokens } from "./sent-tokens.ts";

/** What one server answers. */
export interface Answer {
  /** What it grants of what was asked; `undefined` for a refusal. */
  readonly grant: Grant | undefined;
  /** True if the Thing may make friends and trust servers of its own (XEP-0324 3.1.4); no question but isFriend is answered so. */
  readonly secondaryTrustAllowed?: boolean;
}

/** How questions are asked. */
export interface AskParts {
  /** How the server is asked. */
  readonly channel: Channel;
  /** Where it is reached. */
  readonly whereabouts: Whereabouts;
  /** Where the tokens that go out are noted, for the challenges that may come. Left out: nowhere. */
  readonly sent?: SentTokens;
}

/**
 * Asks one provisioning server. Rejects when it does not answer, answers with an error, or with something that cannot be
 * understood: that is no refusal, and no grant.
 *
 * @param from who sent the request that the question is about: a challenge of its tokens goes back there (P-3.1.3-22)
 */
export async function ask(
  { channel, whereabouts, sent }: AskParts,
  server: BareJid,
  question: Question,
  options: CallOptions,
  from?: Jid,
): Promise<Answer> {
  const to = await whereabouts.addressOf(server, ns.provisioning, options);
  if (question.kind === "friend") {
    const answer = await channel.request({ type: "get", to, payload: buildIsFriend(question) }, options);
    const { result, secondaryTrustAllowed } = parseIsFriendResponse(answer);
    return { grant: result ? wholeGrant(server) : undefined, secondaryTrustAllowed };
  }
  // A question is asked because of a request: the tokens in it are never the Thing's own.
  if (from !== undefined) sent?.record(question.tokens, server, from);
  if (question.kind === "control") {
    const answer = await channel.request({ type: "get", to, payload: buildCanControl(question) }, options);
    return { grant: intersectControl(question, parseCanControlResponse(answer), server) };
  }
  const answer = await channel.request({ type: "get", to, payload: buildCanRead(question) }, options);
  return { grant: intersect(question, parseCanReadResponse(answer), server) };
}
