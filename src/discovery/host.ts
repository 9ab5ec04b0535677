// Host names and domains as strangers name them: RFC 1123 section 2.1, RFC 2181 section 11.
import { isIP } from "node:net";
import { domainToASCII, domainToUnicode } from "node:url";
import { tryParseJid } from "../core/jid.ts";
import { own } from "../core/own.ts";

// Underscores are no part of host names, but stand in many that are in use.
const label = /^[a-z\d_](?:[a-z\d_-]{0,61}[a-z\d_])?$/;

/**
 * A host to connect to, in small letters and without a dot at its end; `undefined` if the text is none. IP addresses
 * are hosts too, also with a zone (`fe80::1%eth0`).
 */
export function tryHost(text: unknown): string | undefined {
  if (typeof text !== "string" || text.length > 255) return undefined;
  if (isIP(text) !== 0) return own(text.toLowerCase());
  const name = text.toLowerCase().replace(/\.$/, "");
  if (name.length > 253 || !name.split(".").every((part) => label.test(part))) return undefined;
  // `127.1` and `0x7f000001` are names by their letters, but addresses for whoever connects to them.
  if (/(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(name)) return undefined;
  return own(name);
}

/** An XMPP domain, normalised; `undefined` if the text is none, or another way to write one. */
export function tryDomain(text: unknown): string | undefined {
  if (typeof text !== "string" || text === "") return undefined;
  const jid = tryParseJid(text);
  if (jid === undefined || jid.full !== jid.domain || isDisguised(jid.domain)) return undefined;
  return jid.domain;
}

/**
 * Whether a domain is written with signs that stand for others (wide letters, other dots). A certificate would prove it
 * as the domain that is meant, so that whoever announces it gives the true server a second name, and has a Thing stay there.
 */
function isDisguised(domain: string): boolean {
  const ascii = domainToASCII(domain);
  return ascii !== "" && ascii !== domain && domainToUnicode(ascii) !== domain;
}

/** The host that goes by the name of a domain: what DNS is asked for. `undefined` if no host can have such a name. */
export function hostOfDomain(domain: string): string | undefined {
  return tryHost(isIP(domain) === 0 ? domainToASCII(domain) : domain);
}

/** Names that are asked for by multicast DNS alone (RFC 6762 section 3). */
export function isLocalName(host: string): boolean {
  return host === "local" || host.endsWith(".local");
}

/** Names of this very machine, of which DNS is never asked (RFC 6761 section 6.3). */
export function isLoopbackName(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost");
}
