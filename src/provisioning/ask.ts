// The questions on the wire, one server at a time (XEP-0324 3.2.1, 3.3).
import type { CallOptions } from "../core/abort.ts";
import type { BareJid } from "../core/jid.ts";
import { buildCanRead, buildIsFriend, parseCanReadResponse, parseIsFriendResponse } from "../codec/provisioning.ts";
import type { Channel } from "../channel/channel.ts";
import { intersect, wholeGrant, type Grant } from "./grants.ts";
import type { Question } from "./questions.ts";

/**
 * Asks one provisioning server. Resolves to what it grants of what was asked, `undefined` for a refusal. Rejects when it
 * does not answer, answers with an error, or with something that cannot be understood: that is no refusal, and no grant.
 */
export async function ask(
  channel: Channel,
  server: BareJid,
  question: Question,
  options: CallOptions,
): Promise<Grant | undefined> {
  if (question.kind === "friend") {
    const answer = await channel.request({ type: "get", to: server, payload: buildIsFriend(question) }, options);
    return parseIsFriendResponse(answer).result ? wholeGrant(server) : undefined;
  }
  const answer = await channel.request({ type: "get", to: server, payload: buildCanRead(question) }, options);
  return intersect(question, parseCanReadResponse(answer), server);
}
