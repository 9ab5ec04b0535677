import { isIP } from "node:net";
import { ConfigError } from "../core/errors.ts";
import { tryParseJid } from "../core/jid.ts";

/** Where an XMPP server listens, and which domain it has to prove that it serves. */
export interface ServerAddress {
  /** The host to connect to: a name or an IP address. It proves nothing. */
  readonly host: string;
  /** The TCP port. */
  readonly port: number;
  /** TLS from the first byte (XEP-0368) instead of STARTTLS. Default false. */
  readonly directTls?: boolean;
  /** The XMPP domain: what the certificate must be made out to, and the part of the JIDs after the `@`. */
  readonly domain: string;
}

const service = /^(xmpps?):\/\/(?:\[([\da-f:.]+)\]|([^\s/:@?#[\]]+))(?::(\d{1,5}))?\/?$/i;

/**
 * Reads `xmpp://host:port` (STARTTLS, port 5222 if none is given) or `xmpps://host:port` (direct TLS, 5223).
 *
 * @param text the service
 * @param domain the XMPP domain; the host if left out, which must then be a name: an IP address names no domain
 * @param path where the two stand, for the message; empty at the top
 * @throws `ERR_CONFIG`
 */
export function parseService(text: string, domain?: string, path = ""): ServerAddress {
  const name = (option: string): string => (path === "" ? option : `${path}.${option}`);
  const [, scheme = "", ip, named, digits] = service.exec(text) ?? [];
  const host = ip ?? named;
  const directTls = scheme.toLowerCase() === "xmpps";
  const port = digits === undefined ? (directTls ? 5223 : 5222) : Number(digits);
  if (host === undefined || port < 1 || port > 65_535 || (ip !== undefined && isIP(ip) !== 6)) {
    throw new ConfigError(`${name("service")}: "${text}" is not of the form xmpp://host:port or xmpps://host:port`);
  }
  if (domain === undefined && isIP(host) !== 0) {
    throw new ConfigError(`${name("service")}: ${host} is an IP address and names no XMPP domain; give the domain too`);
  }
  return { host, port, directTls, domain: parseDomain(domain ?? host, name("domain")) };
}

function parseDomain(text: string, path: string): string {
  const jid = tryParseJid(text);
  if (jid === undefined || jid.full !== jid.domain) throw new ConfigError(`${path}: "${text}" is not an XMPP domain`);
  return jid.domain;
}
