// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.6.2: what a rule asks of the credentials of a user.
import { ConfigError } from "../core/errors.ts";
import { tryParseJid } from "../core/jid.ts";
import { checkKnown } from "../core/options.ts";
import { base64Of, bytesOf } from "../codec/base64.ts";
import { protocolNames, type Credential, type ProtocolName } from "../codec/credentials.ts";
import { addressNumber, isInRange, mappedNumber, parseRange, type AddressFamily } from "./address-range.ts";

/**
 * What the credentials of a user must be. Each kind that is named must be among them, with one of the values given; a
 * JID stands in `jid` of the rule.
 */
export interface CredentialConditions {
  /** IPv4 addresses: `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`. */
  readonly ip4?: string | readonly string[];
  /** IPv6 addresses: `2001:db8::1`, `2001:db8::/32`, `2001:db8::1-2001:db8::ff`. */
  readonly ip6?: string | readonly string[];
  /** Names of hosts, in any case. */
  readonly hostName?: string | readonly string[];
  /** Certificates of clients, in DER, as base-64. */
  readonly x509Certificate?: string | readonly string[];
  /** Thumbprints of certificates, as base-64. */
  readonly x509CertificateThumbprint?: string | readonly string[];
  /** Names of users, letter by letter. */
  readonly userName?: string | readonly string[];
  /** Degrees east, exactly. */
  readonly longitude?: number | readonly number[];
  /** Degrees north, exactly. */
  readonly latitude?: number | readonly number[];
  /** Metres above the sea, exactly. */
  readonly altitude?: number | readonly number[];
  /** Single-sign-on tokens, letter by letter. */
  readonly sso?: string | readonly string[];
  /** How the user has come. */
  readonly protocol?: ProtocolName | readonly ProtocolName[];
}

type Kind = keyof CredentialConditions;
type Value = string | number;

const addresses: readonly Kind[] = ["ip4", "ip6"];
const bytes: readonly Kind[] = ["x509Certificate", "x509CertificateThumbprint"];
const numbers: readonly Kind[] = ["longitude", "latitude", "altitude"];
const kinds: readonly Kind[] = [...addresses, "hostName", ...bytes, "userName", ...numbers, "sso", "protocol"];

/** The same conditions, each a list. Throws `ERR_CONFIG` for a kind or a value that is none: it would never fit. */
export function normaliseConditions(given: CredentialConditions, path: string): CredentialConditions {
  checkKnown(given, kinds, path);
  const entries = (Object.entries(given) as [Kind, Value | readonly Value[] | undefined][]).map(([kind, values]) => {
    const list = Array.isArray(values) ? (values as readonly Value[]) : [values as Value];
    if (list.length === 0) throw new ConfigError(`${path}.${kind}: an empty list fits nobody`);
    return [kind, list.map((value) => normalise(kind, value, `${path}.${kind}`))] as const;
  });
  return Object.fromEntries(entries);
}

function normalise(kind: Kind, value: Value, path: string): Value {
  if (numbers.includes(kind)) {
    if (typeof value === "number" && Number.isFinite(value)) return value + 0; // -0 is 0
    throw new ConfigError(`${path}: must be a finite number, or a list of them`);
  }
  if (typeof value !== "string" || value === "") throw new ConfigError(`${path}: must be a text, or a list of texts`);
  if (isAddress(kind)) {
    const range = parseRange(kind, value);
    const form = kind === "ip4" ? "10.0.0.1, 10.0.0.0/8" : "2001:db8::1, 2001:db8::/32";
    if (range === undefined) throw new ConfigError(`${path}: "${value}" is no address and no range (${form})`);
    if (kind === "ip6" && mappedNumber(range.from) !== undefined)
      throw new ConfigError(`${path}: "${value}" is an IPv4 address; say ip4`);
  }
  if (bytes.includes(kind)) return base64Of(readBytes(value, path));
  if (kind === "protocol" && !protocolNames.some((name) => name === value))
    throw new ConfigError(`${path}: there is no "${value}"; there are ${protocolNames.join(", ")}`);
  return kind === "hostName" ? hostOf(value) : value;
}

function readBytes(value: string, path: string): Uint8Array {
  try {
    return bytesOf(value, path);
  } catch (cause) {
    throw new ConfigError(`${path}: must be base-64`, { cause });
  }
}

/**
 * Tells whether credentials are those that a rule asks for. Of a kind there may be several: a rule that lets somebody in
 * wants all of them to fit, one that refuses is content with any.
 *
 * @param jid the JID or domain that the rule names
 */
export function doCredentialsFit(
  jid: string | undefined,
  conditions: CredentialConditions = {},
  credentials: readonly Credential[],
  refuses: boolean,
): boolean {
  const values = credentials.map(plainly);
  const isFitting = (kind: Credential["type"], isMeant: (value: bigint | Value) => boolean): boolean => {
    const given = values.filter(([type]) => type === kind).map(([, value]) => value);
    return given.length > 0 && (refuses ? given.some(isMeant) : given.every(isMeant));
  };
  const isKindFitting = (kind: Kind): boolean => {
    const wanted = conditions[kind] as readonly Value[] | undefined;
    return wanted === undefined || isFitting(kind, (value) => wanted.some((one) => isSame(kind, one, value)));
  };
  const isOurs = (value: bigint | Value): boolean => {
    const { bare, domain } = tryParseJid(String(value)) ?? {};
    return jid === bare || jid === domain;
  };
  return kinds.every(isKindFitting) && (jid === undefined || isFitting("jid", isOurs));
}

/** What is compared: addresses by their numbers, bytes by their base-64, everything else as it is. */
function plainly({ type, value }: Credential): readonly [type: Credential["type"], value: bigint | Value] {
  if (value instanceof Uint8Array) return [type, base64Of(value)];
  if (typeof value === "number") return [type, value];
  if (type === "hostName") return [type, hostOf(value)];
  if (type !== "ip4" && type !== "ip6") return [type, value];
  const number = addressNumber(type, value) ?? -1n;
  // A server that listens on IPv6 sees those who come by IPv4 as ::ffff:10.0.0.1.
  const mapped = type === "ip6" ? mappedNumber(number) : undefined;
  return mapped === undefined ? [type, number] : ["ip4", mapped];
}

function isSame(kind: Kind, wanted: Value, given: bigint | Value): boolean {
  if (!isAddress(kind)) return wanted === given;
  const range = parseRange(kind, String(wanted));
  return range !== undefined && typeof given === "bigint" && isInRange(range, given);
}

function isAddress(kind: Kind): kind is AddressFamily {
  return addresses.includes(kind);
}

/** RFC 1035 section 2.3.3: in any case; a dot at the end says that it is whole. */
function hostOf(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
