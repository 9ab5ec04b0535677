// XEP-0324 Internet of Things - Provisioning 0.5.1: section 3.1.3.2, how the use of a token is challenged.
import { bytesElement, requiredBytes } from "./base64.ts";
import { ns } from "./namespaces.ts";
import { expect } from "./provisioning-parts.ts";
import { required, type XmlElement } from "./xml.ts";

/** Asks who sent a token to show that it may use it (P-3.1.3-19). */
export interface TokenChallenge {
  /** The token, as the challenger writes it. */
  readonly token: string;
  /** Random bytes, encrypted with the certificate behind the token. */
  readonly challenge: Uint8Array;
}

/** The answer (P-3.1.3-20). */
export interface TokenChallengeResponse {
  /** The bytes, decrypted. */
  readonly response: Uint8Array;
}

/** Makes `tokenChallenge`. */
export function buildTokenChallenge({ token, challenge }: TokenChallenge): XmlElement {
  return bytesElement("tokenChallenge", { xmlns: ns.provisioning, token }, challenge);
}

/** Reads `tokenChallenge`. Throws `ERR_PROTOCOL`. */
export function parseTokenChallenge(element: XmlElement | undefined): TokenChallenge {
  const challenge = expect(element, "tokenChallenge");
  return { token: required(challenge, "token"), challenge: requiredBytes(challenge) };
}

/** Makes `tokenChallengeResponse`. */
export function buildTokenChallengeResponse({ response }: TokenChallengeResponse): XmlElement {
  return bytesElement("tokenChallengeResponse", { xmlns: ns.provisioning }, response);
}

/** Reads `tokenChallengeResponse`. Throws `ERR_PROTOCOL`. */
export function parseTokenChallengeResponse(element: XmlElement | undefined): TokenChallengeResponse {
  return { response: requiredBytes(expect(element, "tokenChallengeResponse")) };
}
