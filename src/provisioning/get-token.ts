// How the Thing gets a token of one provisioning server: XEP-0324 3.1.3.1, figure 3.
import { withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { ProtocolError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import {
  buildGetToken,
  buildGetTokenChallengeResponse,
  parseGetTokenChallenge,
  parseGetTokenResponse,
} from "../codec/get-token.ts";
import { ns } from "../codec/namespaces.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import type { Certificate } from "./certificate.ts";

/** What the exchange needs. */
export interface GetTokenParts {
  readonly channel: Channel;
  readonly whereabouts: Whereabouts;
  readonly clock: Clock;
}

// The server need not remember its challenge for longer than a minute (P-3.1.3-17): a secure element that hangs hangs less.
const DECRYPT_WITHIN = 30_000;
// It goes along with each request, beside those of other servers: a stanza too large for some server on the way would end
// the stream (RFC 6120 section 13.12), again and again, at the wish of whoever has given the token.
const LONGEST_TOKEN = 2_048;

/**
 * Shows a provisioning server the certificate, decrypts its challenge, and gives the token (P-3.1.3-10, -12). Rejects with
 * `ERR_STANZA` when the server refuses (also inside a result, P-E2), with `ERR_PROTOCOL` for a challenge that cannot be
 * decrypted and for a token with white space (P-3.1.3-14) or of more than 2,048 characters, and as every request does.
 */
export async function getToken(
  { channel, whereabouts, clock }: GetTokenParts,
  server: BareJid,
  certificate: Certificate,
  options: CallOptions,
): Promise<string> {
  const to = await whereabouts.addressOf(server, ns.provisioning, options);
  const asking = buildGetToken({ certificate: certificate.der });
  const asked = await channel.request({ type: "get", to, payload: asking }, options);
  const { seqnr, challenge } = parseGetTokenChallenge(asked);
  const limits = { signal: options.signal, timeout: DECRYPT_WITHIN };
  const response = await withDeadline(clock, limits, "decrypting a challenge", () => certificate.decrypt(challenge));
  const answering = buildGetTokenChallengeResponse({ seqnr, response });
  // To the same connection: of a server that is an account another one need not know the number.
  const answered = await channel.request({ type: "get", to, payload: answering }, options);
  const { token } = parseGetTokenResponse(answered);
  if (token.length > LONGEST_TOKEN) throw new ProtocolError("too long", "getTokenResponse/@token");
  return token;
}
