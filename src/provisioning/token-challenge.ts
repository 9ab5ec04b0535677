// XEP-0324 3.1.3, 6.2: who may challenge a token, and who answers. P-3.1.3-20, P-3.1.3-22 to P-3.1.3-24, P-6.2-1, P-E13.
import { withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { StanzaError, isSdkError, messageOf } from "../core/errors.ts";
import { parseJid, type BareJid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import {
  buildTokenChallenge,
  buildTokenChallengeResponse,
  parseTokenChallenge,
  parseTokenChallengeResponse,
  type TokenChallenge,
} from "../codec/token-challenge.ts";
import { hideTokens } from "../codec/tokens.ts";
import type { Channel } from "../channel/channel.ts";
import { Load } from "../channel/load.ts";
import type { IncomingIq, IqReply } from "../channel/router.ts";
import { deadlineOf } from "./challenge-time.ts";
import type { Sending, SentTokens } from "./sent-tokens.ts";

/** What the answers to challenges are made of. */
export interface TokenChallengeParts {
  /** Where challenges come in, and are passed back. */
  readonly channel: Channel;
  /** To whom which token was sent. */
  readonly sent: SentTokens;
  /** Decrypts with the key behind an own token; `undefined` if it is none. */
  readonly decryptChallenge: (token: string, challenge: Uint8Array) => Promise<Uint8Array> | undefined;
  /** The provisioning servers that are trusted: they ask for everybody. */
  readonly servers: () => readonly BareJid[];
  /** Time. */
  readonly clock: Clock;
  /** Where oddities are told; never a token. */
  readonly logger: Logger;
}

// A challenge is as long as the key behind the token: 512 bytes for 4,096 bits. Nobody has a longer one than four times that.
const MOST_BYTES = 2_048;
// A token that came from more than so many at the same time is nobody's.
const MOST_SOURCES = 4;

/**
 * Answers `tokenChallenge`, from whom the very token was sent to within the last minute; to anybody else it is
 * `forbidden`. A challenge of an own token is decrypted, that of a token passed on goes back to where it came from.
 */
export function answerTokenChallenges(parts: TokenChallengeParts): void {
  const { channel, sent, servers, clock, logger } = parts;
  // What is under way at once: by whose token it is, and by who challenges, but for the trusted servers.
  const [bySource, byChallenger] = [new Load(), new Load()];
  const answer = async (iq: IncomingIq): Promise<IqReply> => {
    const { type, from, payload, signal } = iq;
    // First whether they may, then what they want.
    const sendings = sent.challenged(payload.attrs["token"] ?? "", from.bare);
    if (sendings.length === 0 || sendings.length > MOST_SOURCES) throw new Refusal("forbidden");
    if (type !== "get") throw new Refusal("bad-request");
    const challenge = parseTokenChallenge(payload);
    if (challenge.challenge.length > MOST_BYTES) throw new Refusal("bad-request");
    const taken = [
      ...(servers().includes(from.bare) ? [] : [byChallenger.take(from.bare, payload)]),
      ...sendings.map((sending) => bySource.take(sourceOf(sending), payload)),
    ];
    try {
      if (taken.includes(undefined)) throw new Refusal("resource-constraint");
      const now = clock.monotonic();
      const timeout = Math.min(...sendings.map(({ at }) => deadlineOf(at, now))) - now;
      const response = await withDeadline(clock, { signal, timeout }, "the challenge", (limited) =>
        unanimous(sendings.map((sending) => respond(parts, sending, challenge, { signal: limited, timeout }))),
      );
      return { payload: buildTokenChallengeResponse({ response }) };
    } catch (error) {
      const why = hideTokens(messageOf(error), { userToken: challenge.token });
      logger.debug("a token challenge is not answered", { from: from.full, why });
      throw refusalFor(error);
    } finally {
      for (const giveBack of taken) giveBack?.();
    }
  };
  // Urgent: whoever floods the Thing with requests must not keep the tokens of others from being accepted. Patient: that
  // somebody behind is slow is no fault of the Thing's.
  channel.router.onIq(ns.provisioning, "tokenChallenge", answer, { urgent: true, patient: true });
}

const OWN = parseJid("own").bare;
const sourceOf = ({ from }: Sending): BareJid => (from === undefined ? OWN : parseJid(from).bare);

/** The response of the one whose token it was. */
async function respond(
  { channel, decryptChallenge }: TokenChallengeParts,
  { from }: Sending,
  challenge: TokenChallenge,
  limits: { readonly signal: AbortSignal; readonly timeout: number },
): Promise<Uint8Array> {
  if (from === undefined) {
    const decrypted = decryptChallenge(challenge.token, challenge.challenge);
    if (decrypted === undefined) throw new Refusal("forbidden");
    return decrypted;
  }
  const answer = await channel.request({ type: "get", to: from, payload: buildTokenChallenge(challenge) }, limits);
  const { response } = parseTokenChallengeResponse(answer);
  if (response.length > MOST_BYTES) throw new Refusal("forbidden");
  return response;
}

/**
 * What all of them say. The same token may have come from two, of whom one has only seen it somewhere: that the other can
 * answer must not make it good for both, and what only one can decrypt only one can say.
 */
async function unanimous(responses: readonly Promise<Uint8Array>[]): Promise<Uint8Array> {
  const [first, ...others] = await Promise.all(responses);
  if (first === undefined || others.some((other) => Buffer.compare(first, other) !== 0)) {
    throw new Refusal("forbidden");
  }
  return first;
}

/** One and the same error, whatever failed (P-E12); but for what may work later: there was no time, no room, no stream. */
function refusalFor(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const code = isSdkError(error) ? error.code : undefined;
  const isOver = code === "ERR_TIMEOUT" || code === "ERR_CONNECTION";
  const later = isOver || (error instanceof StanzaError && error.type === "wait");
  return new Refusal(later ? "resource-constraint" : "forbidden");
}
