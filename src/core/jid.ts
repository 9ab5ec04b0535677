import { ConfigError, ProtocolError } from "./errors.ts";
import { own } from "./own.ts";

declare const bare: unique symbol;

/** A normalised JID without resource (`user@domain`, or a component's `domain`): the form in which JIDs are compared. */
export type BareJid = string & { readonly [bare]: true };

/** The parts of a JID (RFC 7622), normalised. */
export interface Jid {
  /** The user name; empty for a server or component. */
  readonly local: string;
  /** The domain. */
  readonly domain: string;
  /** The resource; empty for a bare JID. */
  readonly resource: string;
  /** Without the resource. */
  readonly bare: BareJid;
  /** With the resource, if there is one. */
  readonly full: string;
}

// RFC 7622 section 3.3: what a user name must not hold. Blanks and these signs are legal in resources only.
const forbiddenInLocal = /[\s"&'/:<>@]/u;
const forbiddenInDomain = /[\s"&'/<>@]/u;
// Control characters, lone surrogates and non-characters have no place in any part: no stream could carry them.
const unprintable = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;
// RFC 7622 section 3: no part is longer than 1,023 bytes.
const tooLong = (part: string): boolean => Buffer.byteLength(part) > 1023;
// Asked before anything else: normalising takes quadratic time on a long run of combining marks.
const LONGEST_JID = 3 * 1023 + 2;

// Not by `@xmpp/jid`: it throws on some texts, and takes the accounts `a\b` and `a\5cb` for the same one (XEP-0106).
// Folding comes before normalising (RFC 7622 section 3.3.1); one after the other they give a form that stays itself.
const fold = (part: string): string => part.toLowerCase().normalize("NFC");

// The same few write again and again. No more than these are remembered, whoever writes, and no long ones.
const MOST_KNOWN = 64;
const LONGEST_KNOWN = 256;
const known = new Map<string, Jid>();

/** Parses and normalises a JID; `undefined` if the text is none. JIDs live on after the stanza, so they are copied. */
export function tryParseJid(given: string): Jid | undefined {
  const before = known.get(given);
  if (before !== undefined) return before;
  // Before it is copied: the copy has another character where a lone surrogate was.
  if (given.length > LONGEST_JID || unprintable.test(given)) return undefined;
  const text = own(given);
  const jid = parsed(text);
  if (jid === undefined || text.length > LONGEST_KNOWN) return jid;
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(text, jid);
  return jid;
}

function parsed(text: string): Jid | undefined {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const at = address.indexOf("@");
  const local = fold(at < 0 ? "" : address.slice(0, at));
  const domain = fold(at < 0 ? address : address.slice(at + 1)).replace(/\.$/, ""); // RFC 7622 section 3.2
  const resource = slash < 0 ? "" : text.slice(slash + 1).normalize("NFC");
  if (domain.split(".").includes("") || (at >= 0 && local === "") || (slash >= 0 && resource === "")) return undefined;
  if (forbiddenInLocal.test(local) || forbiddenInDomain.test(domain)) return undefined;
  if (tooLong(local) || tooLong(domain) || tooLong(resource)) return undefined;
  const bare = (local === "" ? domain : `${local}@${domain}`) as BareJid;
  // Frozen: the same one is given to everybody who parses the text, and what is allowed is decided by it.
  return Object.freeze({ local, domain, resource, bare, full: resource === "" ? bare : `${bare}/${resource}` });
}

/** Parses a JID that came from the wire. Throws `ERR_PROTOCOL` with the given path if it is none. */
export function parseJid(text: string, path = ""): Jid {
  const parsed = tryParseJid(text);
  if (parsed === undefined) throw new ProtocolError("not a JID", path);
  return parsed;
}

/** Parses a JID given as an option. Throws `ERR_CONFIG` with the option's path if it is none. */
export function configJid(text: string, option: string): Jid {
  if (typeof text !== "string") throw new ConfigError(`${option}: must be a JID, a text such as "meter@example.org"`);
  const parsed = tryParseJid(text);
  if (parsed === undefined) throw new ConfigError(`${option}: "${text}" is not a JID`);
  return parsed;
}

/** Refuses what is no user name of an account, the part of a JID before the `@`. Throws `ERR_CONFIG` with the option's path. */
export function configUser(text: string, option: string): void {
  const at = text.indexOf("@");
  if (at > 0) {
    throw new ConfigError(`${option}: "${text}" is an address; give only what is before the @, "${text.slice(0, at)}"`);
  }
  const jid = tryParseJid(`${text}@domain`);
  // A slash would make it an address and its resource.
  if (jid === undefined || jid.local === "" || jid.resource !== "") {
    throw new ConfigError(`${option}: "${text}" is no user name`);
  }
}

/** Without resource, normalised. Throws `ERR_PROTOCOL` if the text is no JID. */
export function bareJid(text: string): BareJid {
  return parseJid(text).bare;
}

/** Tells whether an address is a server's or component's: no user name, so no friendship (XEP-0347 section 5.1). */
export function isComponent(address: string): boolean {
  return !address.replace(/\/.*$/s, "").includes("@");
}
