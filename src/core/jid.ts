import jid from "@xmpp/jid";
import { ConfigError, ProtocolError } from "./errors.ts";

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

// RFC 7622 section 3: no part is longer than 1,023 bytes. Control characters and blanks have no place in one; blanks
// are legal in resources.
const forbiddenInAddress = /[\s"&'/:<>\p{Cc}]/u;
const forbiddenInDomain = /[\s"&'/<>@\p{Cc}]/u;
const control = /\p{Cc}/u;
const tooLong = (part: string): boolean => Buffer.byteLength(part) > 1023;

/** Parses and normalises a JID; `undefined` if the text is none. */
export function tryParseJid(text: string): Jid | undefined {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const resource = slash < 0 ? "" : text.slice(slash + 1);
  const at = address.indexOf("@");
  const local = at < 0 ? "" : address.slice(0, at);
  const domain = at < 0 ? address : address.slice(at + 1);
  if (domain === "" || (at >= 0 && local === "") || (slash >= 0 && resource === "")) return undefined;
  if (forbiddenInAddress.test(local) || forbiddenInDomain.test(domain) || control.test(resource)) return undefined;
  if (tooLong(local) || tooLong(domain) || tooLong(resource)) return undefined;
  const parsed = jid(local.normalize("NFC"), domain.normalize("NFC").replace(/\.$/, ""), resource.normalize("NFC"));
  return {
    local: parsed.local,
    domain: parsed.domain,
    resource: parsed.resource,
    bare: parsed.bare().toString() as BareJid,
    full: parsed.toString(),
  };
}

/** Parses a JID that came from the wire. Throws `ERR_PROTOCOL` with the given path if it is none. */
export function parseJid(text: string, path = ""): Jid {
  const parsed = tryParseJid(text);
  if (parsed === undefined) throw new ProtocolError("not a JID", path);
  return parsed;
}

/** Parses a JID given as an option. Throws `ERR_CONFIG` with the option's path if it is none. */
export function configJid(text: string, option: string): Jid {
  const parsed = tryParseJid(text);
  if (parsed === undefined) throw new ConfigError(`${option}: "${text}" is not a JID`);
  return parsed;
}

/** Without resource, normalised. Throws `ERR_PROTOCOL` if the text is no JID. */
export function bareJid(text: string): BareJid {
  return parseJid(text).bare;
}

/** Tells whether an address is a server's or component's: no user name, so no friendship (XEP-0347 section 5.1). */
export function isComponent(address: string): boolean {
  return !address.includes("@");
}
