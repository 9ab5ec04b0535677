// XEP-0324 Internet of Things - Provisioning 0.5.1: section 3.6.2, what a service knows of a user (P-E5).
import { ProtocolError } from "../core/errors.ts";
import { tryParseJid } from "../core/jid.ts";
import { base64Of, bytesOf } from "./base64.ts";
import { ns } from "./namespaces.ts";
import { at, el, localName, required, type XmlElement } from "./xml.ts";

/** How a user has come to a service (P-3.6.2-11). */
export type ProtocolName = "XMPP" | "HTTP" | "HTTPS" | "TcpSocket" | "UdpSocket" | "Queue" | "Internal" | "Other";

/** All of them, as the schema writes them. */
export const protocolNames: readonly ProtocolName[] = [
  "XMPP",
  "HTTP",
  "HTTPS",
  "TcpSocket",
  "UdpSocket",
  "Queue",
  "Internal",
  "Other",
];

const byteTypes = ["x509Certificate", "x509CertificateThumbprint"] as const;
const numberTypes = ["longitude", "latitude", "altitude"] as const;

/** Something that a service knows of a user: one of the twelve kinds of XEP-0324 section 3.6.2. */
export type Credential =
  | {
      /** A JID, an IP address (`10.0.0.1`, `2001:db8::1`), the name of a host, the name of a user, a single-sign-on token. */
      readonly type: "jid" | "ip4" | "ip6" | "hostName" | "userName" | "sso";
      /** As text, never empty. */
      readonly value: string;
    }
  | {
      /** The client's certificate in DER, or a digest of it (its thumbprint). */
      readonly type: "x509Certificate" | "x509CertificateThumbprint";
      /** The bytes, at least one. */
      readonly value: Uint8Array;
    }
  | {
      /** Where the user is: degrees east, degrees north, metres above the sea. */
      readonly type: "longitude" | "latitude" | "altitude";
      /** A finite number. */
      readonly value: number;
    }
  | {
      /** How the user has come. */
      readonly type: "protocol";
      /** One of the names of the XEP. */
      readonly value: ProtocolName;
    };

/** Its kind: the name of its element. */
export type CredentialType = Credential["type"];

/** All twelve kinds, in the order of the schema. */
export const credentialTypes: readonly CredentialType[] = [
  "jid",
  "ip4",
  "ip6",
  "hostName",
  "x509Certificate",
  "x509CertificateThumbprint",
  "userName",
  "longitude",
  "latitude",
  "altitude",
  "sso",
  "protocol",
];

// The older form of the listings says no more than `IpAddress`: which it is, its value shows (P-E5).
const byLowerCase = new Map(credentialTypes.map((type) => [type.toLowerCase(), type]));
// `1.5`, `-3`, `6.02e23`: xs:double without NaN and INF, which are nowhere on earth.
const double = /^[+-]?(\d+(\.\d*)?|\.\d+)([Ee][+-]?\d+)?$/;

const ip4 = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/** Tells whether a text is an IPv4 address: four numbers below 256 with dots between them. */
export const isIPv4 = (text: string): boolean => ip4.test(text);

/**
 * Tells whether a text is an IPv6 address, without a zone: `fe80::1%eth0` says something on one machine only. Not by `node:net`, since a
 * codec opens no sockets; what a URL takes is the same grammar.
 */
export const isIPv6 = (text: string): boolean =>
  text.length <= 45 && /^[0-9A-Fa-f:.]+$/.test(text) && URL.canParse(`http://[${text}]/`);

const isOneOf = <T extends string>(list: readonly T[], text: string): text is T => list.some((one) => one === text);

/** What is wrong with a credential, in words; `undefined` if nothing is. */
export function credentialProblem({ type, value }: Credential): string | undefined {
  if (isOneOf(byteTypes, type)) return value instanceof Uint8Array && value.length > 0 ? undefined : "not bytes";
  if (isOneOf(numberTypes, type)) return Number.isFinite(value) ? undefined : "not a finite number";
  if (typeof value !== "string" || value === "") return "not a text";
  if (type === "jid" && tryParseJid(value) === undefined) return "not a JID";
  if (type === "ip4" && !isIPv4(value)) return "not an IPv4 address, four numbers from 0 to 255 with dots between them";
  if (type === "ip6" && !isIPv6(value)) return "not an IPv6 address";
  if (type === "protocol" && !isOneOf(protocolNames, value)) return `not one of ${protocolNames.join(", ")}`;
  return undefined;
}

/** Makes the element of a credential. */
export function buildCredential(credential: Credential): XmlElement {
  const { type, value } = credential;
  return value instanceof Uint8Array ? el(type, { base64: base64Of(value) }) : el(type, { value });
}

/**
 * Reads the credentials among the children of `canAccess`, in their order. The form of the listings is taken too (P-E5). What is not known is left
 * out: it grants nothing. Throws `ERR_PROTOCOL` for a value that is none.
 */
export function parseCredentials(canAccess: XmlElement): readonly Credential[] {
  return canAccess.getChildElements().flatMap((child) => {
    const type = typeOf(child);
    if (type === undefined) return [];
    const isPlain = localName(child) === type;
    const attribute = isPlain && isOneOf(byteTypes, type) ? "base64" : "value";
    const path = `${canAccess.name}/${at(child, attribute)}`;
    return [credentialOf(type, required(child, attribute), path)];
  });
}

function typeOf(child: XmlElement): CredentialType | undefined {
  const name = localName(child);
  if (!child.is(name, ns.provisioning)) return undefined;
  if (name !== "credentials") return isOneOf(credentialTypes, name) ? name : undefined;
  const type = required(child, "type").toLowerCase();
  if (type === "ipaddress") return isIPv4(required(child, "value")) ? "ip4" : "ip6";
  return byLowerCase.get(type);
}

/** Of a JID and of an IP address the usual spelling, of everything else its own. */
function credentialOf(type: CredentialType, text: string, path: string): Credential {
  const credential = valued(type, text, path);
  const problem = credentialProblem(credential);
  if (problem !== undefined) throw new ProtocolError(problem, path);
  return credential;
}

function valued(type: CredentialType, text: string, path: string): Credential {
  if (isOneOf(byteTypes, type)) return { type, value: bytesOf(text, path) };
  if (isOneOf(numberTypes, type)) {
    const digits = text.trim();
    return { type, value: double.test(digits) ? Number(digits) + 0 : NaN }; // -0 is 0
  }
  if (type === "jid") return { type, value: tryParseJid(text)?.full ?? "" };
  if (type === "protocol") return { type, value: text as ProtocolName }; // looked at right after
  return { type, value: text };
}
