// A provisioning server that gives tokens, as little as it takes: the reference one is tested by itself.
import { X509Certificate } from "node:crypto";
import { parseGetToken, parseGetTokenChallengeResponse, buildGetTokenChallenge } from "../../src/codec/get-token.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el } from "../../src/codec/xml.ts";
import { encryptFor } from "./device-certificate.ts";
import type { Peer, Said } from "./scripted-wire.ts";

/** What such a server does. */
export interface TokenPeer {
  /** For a scripted wire. */
  readonly peer: Peer;
  /** The certificates it was shown, by fingerprint. */
  readonly shown: string[];
  /** The tokens it has given. */
  readonly given: string[];
}

/** Makes one. Both hooks may say something else in its place. */
export function tokenPeer(
  name: string,
  options: {
    padding?: "oaep" | "pkcs1";
    asked?: () => Said | Promise<Said> | "go on";
    answered?: (right: boolean) => Said | "go on";
  } = {},
): TokenPeer {
  const { padding = "oaep", asked = () => "go on" as const, answered = () => "go on" as const } = options;
  const shown: string[] = [];
  const given: string[] = [];
  const open = new Map<number, Uint8Array>();
  let seqnr = 40;
  const peer: Peer = async (payload) => {
    if (payload.is("getToken", ns.provisioning)) {
      const certificate = new X509Certificate(parseGetToken(payload).certificate);
      shown.push(certificate.fingerprint256);
      const instead = await asked();
      if (instead !== "go on") return instead;
      const bytes = new TextEncoder().encode(`challenge ${++seqnr} of ${name}`);
      open.set(seqnr, bytes);
      return buildGetTokenChallenge({ seqnr, challenge: encryptFor(certificate.publicKey, bytes, padding) });
    }
    if (!payload.is("getTokenChallengeResponse", ns.provisioning)) return { error: "feature-not-implemented" };
    const answer = parseGetTokenChallengeResponse(payload);
    const expected = open.get(answer.seqnr);
    open.delete(answer.seqnr);
    const right = expected !== undefined && Buffer.compare(expected, answer.response) === 0;
    const instead = answered(right);
    if (instead !== "go on") return instead;
    if (expected === undefined) return { error: "item-not-found" };
    if (!right) return { error: "bad-request", type: "modify" };
    given.push(`${name}-token-${given.length + 1}`);
    return el("getTokenResponse", { xmlns: ns.provisioning, token: given.at(-1) });
  };
  return { peer, shown, given };
}
