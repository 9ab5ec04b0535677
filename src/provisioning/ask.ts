// The questions on the wire, one server at a time (XEP-0324 3.2.1, 3.3).
import type { CallOptions } from "../core/abort.ts";
import type { BareJid } from "../core/jid.ts";
import { ns } from "../codec/namespaces.ts";
import { buildCanRead, buildIsFriend, parseCanReadResponse, parseIsFriendResponse } from "../codec/provisioning.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import { intersect, wholeGrant, type Grant } from "./grants.ts";
import type { Question } from "./questions.ts";

/**
 * Asks one provisioning server. Resolves to what it grants of what was asked, `undefined` for a refusal. Rejects when it
 * does not answer, answers with an error, or with something that cannot be understood: that is no refusal, and no grant.
 */
export async function ask(
  { channel, whereabouts }: { readonly channel: Channel; readonly whereabouts: Whereabouts },
  server: BareJid,
  question: Question,
  options: CallOptions,
): Promise<Grant | undefined> {
  const to = await whereabouts.addressOf(server, ns.provisioning, options);
  if (question.kind === "friend") {
    const answer = await channel.request({ type: "get", to, payload: buildIsFriend(question) }, options);
    return parseIsFriendResponse(answer).result ? wholeGrant(server) : undefined;
  }
  const answer = await channel.request({ type: "get", to, payload: buildCanRead(question) }, options);
  return intersect(question, parseCanReadResponse(answer), server);
}
