// The questions on the wire, one server at a time (XEP-0324 3.2.1, 3.3, 3.4).
import type { CallOptions } from "../core/abort.ts";
import type { BareJid } from "../core/jid.ts";
import { buildCanControl, parseCanControlResponse } from "../codec/can-control.ts";
import { ns } from "../codec/namespaces.ts";
import { buildCanRead, buildIsFriend, parseCanReadResponse, parseIsFriendResponse } from "../codec/provisioning.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import { intersect, intersectControl, wholeGrant, type Grant } from "./grants.ts";
import type { Question } from "./questions.ts";

/** What one server answers. */
export interface Answer {
  /** What it grants of what was asked; `undefined` for a refusal. */
  readonly grant: Grant | undefined;
  /** True if the Thing may make friends and trust servers of its own (XEP-0324 3.1.4); no question but isFriend is answered so. */
  readonly secondaryTrustAllowed?: boolean;
}

/**
 * Asks one provisioning server. Rejects when it does not answer, answers with an error, or with something that cannot be
 * understood: that is no refusal, and no grant.
 */
export async function ask(
  { channel, whereabouts }: { readonly channel: Channel; readonly whereabouts: Whereabouts },
  server: BareJid,
  question: Question,
  options: CallOptions,
): Promise<Answer> {
  const to = await whereabouts.addressOf(server, ns.provisioning, options);
  if (question.kind === "friend") {
    const answer = await channel.request({ type: "get", to, payload: buildIsFriend(question) }, options);
    const { result, secondaryTrustAllowed } = parseIsFriendResponse(answer);
    return { grant: result ? wholeGrant(server) : undefined, secondaryTrustAllowed };
  }
  if (question.kind === "control") {
    const answer = await channel.request({ type: "get", to, payload: buildCanControl(question) }, options);
    return { grant: intersectControl(question, parseCanControlResponse(answer), server) };
  }
  const answer = await channel.request({ type: "get", to, payload: buildCanRead(question) }, options);
  return { grant: intersect(question, parseCanReadResponse(answer), server) };
}
