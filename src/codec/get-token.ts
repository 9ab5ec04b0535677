// XEP-0324 Internet of Things - Provisioning 0.5.1: section 3.1.3.1, how a token is got for a certificate.
import { ProtocolError } from "../core/errors.ts";
import { bytesElement, requiredBytes } from "./base64.ts";
import { ns } from "./namespaces.ts";
import { expect } from "./provisioning-parts.ts";
import { isToken } from "./tokens.ts";
import { at, el, required, requiredInt, type XmlElement } from "./xml.ts";

/** Asks for a token, by a certificate (P-3.1.3-10). */
export interface GetToken {
  /** The X.509 certificate in DER (P-E12). */
  readonly certificate: Uint8Array;
}

/** What the asker is to decrypt, to show that the certificate is its own (P-3.1.3-11). */
export interface GetTokenChallenge {
  /** By which the answer is told apart from others. */
  readonly seqnr: number;
  /** Random bytes, encrypted with the certificate. */
  readonly challenge: Uint8Array;
}

/** The answer to the challenge (P-3.1.3-12). */
export interface GetTokenChallengeResponse {
  /** The one of the challenge. */
  readonly seqnr: number;
  /** The bytes, decrypted. */
  readonly response: Uint8Array;
}

/** The token (P-3.1.3-13). */
export interface GetTokenResponse {
  /** Not empty, and without white space (P-3.1.3-14). */
  readonly token: string;
}

/** Makes `getToken`. */
export function buildGetToken({ certificate }: GetToken): XmlElement {
  return bytesElement("getToken", { xmlns: ns.provisioning }, certificate);
}

/** Reads `getToken`. Throws `ERR_PROTOCOL`. Whether the bytes are a certificate is not looked at. */
export function parseGetToken(element: XmlElement | undefined): GetToken {
  return { certificate: requiredBytes(expect(element, "getToken")) };
}

/** Makes `getTokenChallenge`. */
export function buildGetTokenChallenge({ seqnr, challenge }: GetTokenChallenge): XmlElement {
  return bytesElement("getTokenChallenge", { xmlns: ns.provisioning, seqnr }, challenge);
}

/** Reads `getTokenChallenge`. Throws `ERR_PROTOCOL`. */
export function parseGetTokenChallenge(element: XmlElement | undefined): GetTokenChallenge {
  const challenge = expect(element, "getTokenChallenge");
  return { seqnr: requiredInt(challenge, "seqnr"), challenge: requiredBytes(challenge) };
}

/** Makes `getTokenChallengeResponse`. */
export function buildGetTokenChallengeResponse({ seqnr, response }: GetTokenChallengeResponse): XmlElement {
  return bytesElement("getTokenChallengeResponse", { xmlns: ns.provisioning, seqnr }, response);
}

/** Reads `getTokenChallengeResponse`. Throws `ERR_PROTOCOL`. */
export function parseGetTokenChallengeResponse(element: XmlElement | undefined): GetTokenChallengeResponse {
  const response = expect(element, "getTokenChallengeResponse");
  return { seqnr: requiredInt(response, "seqnr"), response: requiredBytes(response) };
}

/** Makes `getTokenResponse`. */
export function buildGetTokenResponse({ token }: GetTokenResponse): XmlElement {
  return el("getTokenResponse", { xmlns: ns.provisioning, token });
}

/**
 * Reads `getTokenResponse`. Throws `ERR_PROTOCOL`, also for a token that is empty or holds white space: among the others
 * that are sent with it, it could not be told where it ends (P-3.1.3-14, P-E15).
 */
export function parseGetTokenResponse(element: XmlElement | undefined): GetTokenResponse {
  const response = expect(element, "getTokenResponse");
  const token = required(response, "token");
  if (!isToken(token)) throw new ProtocolError("empty, or with white space", at(response, "token"));
  return { token };
}
