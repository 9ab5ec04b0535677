// The three token attributes that a caller's requests carry (XEP-0323 req, XEP-0324 canRead): XEP-0324 3.1.5, X-E7.
import { nonEmpty, type Attributes, type XmlElement } from "./xml.ts";

/** Tokens in exactly the characters the caller sent them (P-E9). */
export interface Tokens {
  /** Of the services that act. */
  readonly serviceToken?: string;
  /** Of the device that acts. */
  readonly deviceToken?: string;
  /** Of the user they act for. */
  readonly userToken?: string;
}

/** Reads the token attributes. */
export function parseTokens(element: XmlElement): Tokens {
  const serviceToken = nonEmpty(element, "serviceToken");
  const deviceToken = nonEmpty(element, "deviceToken");
  const userToken = nonEmpty(element, "userToken");
  return {
    ...(serviceToken !== undefined && { serviceToken }),
    ...(deviceToken !== undefined && { deviceToken }),
    ...(userToken !== undefined && { userToken }),
  };
}

/** Makes the token attributes. */
export function tokenAttributes(tokens: Tokens): Attributes {
  return { serviceToken: tokens.serviceToken, deviceToken: tokens.deviceToken, userToken: tokens.userToken };
}

/** Tells whether a text may be a token: it is not empty, and holds no white space (P-3.1.3-14). */
export function isToken(text: string): boolean {
  return /^\S+$/u.test(text);
}

/** The single tokens in an attribute, in their order, each once. Any white space stands between them (P-E15). */
export function parseTokenList(attribute: string): readonly string[] {
  return [...new Set(attribute.split(/\s+/u))].filter((token) => token !== "");
}

/** Tokens as one attribute holds them: a blank between each two, no token twice, none empty (P-3.1.5-2, P-E15). */
export function joinTokens(tokens: Iterable<string>): string {
  return [...new Set(tokens)].filter((token) => token !== "").join(" ");
}

/** Tokens as they are sent (P-3.1.5-2, P-E15); without those attributes that would be empty. */
export function asAttributes(lists: Readonly<Partial<Record<keyof Tokens, readonly string[]>>>): Tokens {
  const attributes = Object.entries(lists).map(([name, tokens]) => [name, joinTokens(tokens)] as const);
  return Object.fromEntries(attributes.filter(([, text]) => text !== ""));
}

// A shorter one stands in every other word, and could be guessed anyway.
const SHORTEST_SECRET = 4;

/** What somebody says who was sent tokens, without them: others put them into the words of their errors. */
export function hideTokens(text: string, tokens: Tokens): string {
  const { serviceToken = "", deviceToken = "", userToken = "" } = tokens;
  return parseTokenList(`${serviceToken} ${deviceToken} ${userToken}`)
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length) // one may be the beginning of another
    .reduce((shown, token) => shown.replaceAll(token, "(hidden)"), text);
}
