// XEP-0347 Internet of Things - Discovery 0.5.1, section 3.3.2: the TXT record of an XMPP server (D-E24). RFC 6763 section 6.
import { ConfigError } from "../core/errors.ts";
import { tryParseJid, type BareJid } from "../core/jid.ts";

/** What a server says of itself in its TXT record. All of it is said by anybody, and proves nothing. */
export interface ServiceText {
  /** The version of the format, `1`; `undefined` if none is given. */
  readonly txtvers?: string | undefined;
  /** The origin domain: the XMPP domain that is served. */
  readonly ordom?: string | undefined;
  /** Thing Registries: bare JIDs, or domains of components. */
  readonly regis: readonly BareJid[];
  /** Provisioning servers, likewise. */
  readonly provis: readonly BareJid[];
}

/** What goes into a TXT record. JIDs that are none, and texts that do not fit into one string, are refused. */
export interface ServiceTextInput {
  /** The XMPP domain. */
  readonly ordom?: string | undefined;
  /** Thing Registries: bare JIDs or domains. */
  readonly regis?: readonly string[] | undefined;
  /** Provisioning servers, likewise. */
  readonly provis?: readonly string[] | undefined;
}

// RFC 6763 section 6.1: a string has one byte for its length.
const LONGEST_STRING = 255;
// More than any server has: a list is a hint, and each of its items may cost a question later.
const MOST_ITEMS = 8;
// RFC 6763 section 6.4.
const printableAscii = /^[ -~]*$/;
// Which names no domain: no certificate could be asked for it.
const ipAddress = /[:[\]]|(?:^|\.)\d+$/;

/**
 * Reads the strings of a TXT record. Whatever is broken is left out: nothing throws. A single empty string, which is how
 * a server says nothing (RFC 6763 section 6.1), gives nothing.
 *
 * @param strings the strings, each up to 255 bytes
 * @param domain the domain that user names belong to when no `ordom` is given: the one that is connected to
 */
export function parseServiceText(strings: readonly Uint8Array[], domain?: string): ServiceText {
  const said = attributes(strings);
  const ordom = domainOf(said.get("ordom"));
  const at = ordom ?? domainOf(domain);
  return {
    txtvers: said.get("txtvers"),
    ordom,
    regis: jids(said.get("regis"), at),
    provis: jids(said.get("provis"), at),
  };
}

/**
 * Makes the strings of a TXT record, to be sent as UTF-8, the version first (RFC 6763 section 6.7). Accounts of the domain itself are written
 * as user names, as XEP-0347 3.3.2.2 has it, all others whole. Throws `ERR_CONFIG` for what cannot be said.
 */
export function buildServiceText({ ordom, regis = [], provis = [] }: ServiceTextInput): readonly string[] {
  const domain = domainOf(ordom);
  if (ordom !== undefined && domain === undefined) throw new ConfigError(`ordom: "${ordom}" is not an XMPP domain`);
  const attribute = (key: string, value: string): readonly string[] => {
    const text = `${key}=${value}`;
    if (Buffer.byteLength(text) > LONGEST_STRING) {
      throw new ConfigError(`${key}: longer than the ${LONGEST_STRING} bytes of a TXT string`);
    }
    return value === "" ? [] : [text];
  };
  const list = (key: string, given: readonly string[]): readonly string[] =>
    attribute(key, written(key, given, domain).join(" "));
  return [
    ...attribute("txtvers", "1"),
    ...attribute("ordom", domain ?? ""),
    ...list("regis", regis),
    ...list("provis", provis),
  ];
}

/** The attributes by their names in lower case: of one that comes twice the first counts (RFC 6763 section 6.4). */
function attributes(strings: readonly Uint8Array[]): ReadonlyMap<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  for (const bytes of strings) {
    if (bytes.length > LONGEST_STRING) continue;
    const equals = bytes.indexOf(0x3d);
    // The key is ASCII, the value is any bytes: each is decoded by itself.
    const key = Buffer.from(equals < 0 ? bytes : bytes.subarray(0, equals)).toString("latin1");
    const name = key.toLowerCase();
    if (name === "" || !printableAscii.test(key) || found.has(name)) continue;
    found.set(name, equals < 0 ? undefined : utf8(bytes.subarray(equals + 1)));
  }
  return found;
}

/** What is not UTF-8 is no text at all: put right by guessing it would be another name. */
function utf8(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes).toString("utf8");
  return Buffer.from(text).equals(bytes) ? text : undefined;
}

function domainOf(text: string | undefined): string | undefined {
  const jid = tryParseJid(text ?? "");
  if (jid === undefined || jid.full !== jid.domain || ipAddress.test(jid.domain)) return undefined;
  return jid.domain;
}

function jids(list: string | undefined, domain: string | undefined): readonly BareJid[] {
  const found = new Set<BareJid>();
  for (const item of (list ?? "").split(/[ \t]+/)) {
    const jid = item === "" ? undefined : jidOf(item, domain);
    if (jid !== undefined && found.size < MOST_ITEMS) found.add(jid);
  }
  return [...found];
}

/** D-E24: with `@` or a dot it is a whole JID, else the user name of an account of the domain. */
function jidOf(item: string, domain: string | undefined): BareJid | undefined {
  const whole = /[@.]/.test(item);
  if (!whole && domain === undefined) return undefined;
  const jid = tryParseJid(whole ? item : `${item}@${domain ?? ""}`);
  // A `/` in a user name would make another JID of it; a resource is nothing that could be trusted or listed.
  return jid?.resource === "" ? jid.bare : undefined;
}

function written(key: string, given: readonly string[], domain: string | undefined): readonly string[] {
  if (given.length > MOST_ITEMS) throw new ConfigError(`${key}: more than ${MOST_ITEMS}`);
  return given.map((text) => {
    const jid = tryParseJid(text);
    if (jid === undefined || jid.resource !== "") throw new ConfigError(`${key}: "${text}" is not a bare JID`);
    const short = jid.domain === domain ? jid.local : "";
    const item = short !== "" && jidOf(short, domain) === jid.bare ? short : jid.bare;
    // A component without a dot in its name would be read as a user name.
    if (jidOf(item, domain) !== jid.bare)
      throw new ConfigError(`${key}: "${text}" has no dot, and cannot be said here`);
    return item;
  });
}
