// What a program says of a user, and how it goes to the provisioning servers: XEP-0324 3.6.2.
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";
import {
  credentialProblem,
  credentialTypes,
  type Credential,
  type CredentialType,
  type ProtocolName,
} from "../codec/credentials.ts";
import { isXmlText } from "../codec/xml.ts";

/**
 * What a service knows of a user: the more, the more rules a provisioning server can decide by. What is left out or `undefined` is
 * not sent.
 *
 * @example
 * ```ts
 * const credentials = { ip: request.socket.remoteAddress, protocol: "HTTP" } as const;
 * ```
 */
export interface Credentials {
  /** The user's JID, of one who comes over XMPP. */
  readonly jid?: string | undefined;
  /**
   * The user's IP address, as Node.js gives it: `10.0.0.1`, `::ffff:10.0.0.1` (which is the same one) or `2001:db8::1`. It goes as
   * `ip4` or `ip6`.
   */
  readonly ip?: string | undefined;
  /** The user's IPv4 address. */
  readonly ip4?: string | undefined;
  /** The user's IPv6 address, without a zone. */
  readonly ip6?: string | undefined;
  /** The name of the user's host. */
  readonly hostName?: string | undefined;
  /** The client's X.509 certificate, in DER. The provisioning server looks whether it is valid. */
  readonly x509Certificate?: Uint8Array | undefined;
  /** A digest of the client's certificate, which the service itself has found valid: somewhat less secure (P-3.6.2-7). */
  readonly x509CertificateThumbprint?: Uint8Array | undefined;
  /** The name by which the user has logged in, over HTTP, or which stands in the roster. */
  readonly userName?: string | undefined;
  /** Where the user is: degrees east. */
  readonly longitude?: number | undefined;
  /** Where the user is: degrees north. */
  readonly latitude?: number | undefined;
  /** Where the user is: metres above the sea. */
  readonly altitude?: number | undefined;
  /** A single-sign-on token. Never shown in traces. */
  readonly sso?: string | undefined;
  /** How the user has come. */
  readonly protocol?: ProtocolName | undefined;
}

// A stanza is to stay below what every server takes (RFC 6120 section 13.12); a certificate is a few kilobytes.
const LONGEST = 8_192;
const MOST = 64;

/** Credentials as they are sent; a list is taken as it is, for several of a kind. Throws `ERR_CONFIG` naming the one that is wrong. */
export function toCredentials(given: Credentials | readonly Credential[]): readonly Credential[] {
  if (Array.isArray(given)) return checkList(given as readonly Credential[]);
  const named = given as Credentials;
  checkKnown(named, ["ip", ...credentialTypes], "credentials");
  const { ip, ...others } = named;
  const list = credentialTypes.flatMap((type) => {
    const value = others[type];
    return value === undefined ? [] : [checked({ type, value } as Credential, `credentials.${type}`)];
  });
  if (ip === undefined) return list;
  if (typeof ip !== "string") throw new ConfigError("credentials.ip: must be an IP address, a text");
  return [checked(addressOf(ip), "credentials.ip"), ...list];
}

function checkList(given: readonly Credential[]): readonly Credential[] {
  if (given.length > MOST) throw new ConfigError(`credentials: ${MOST} are the most`);
  return given.map((credential, index) => {
    const path = `credentials[${index}]`;
    checkKnown(credential, ["type", "value"], path);
    if (!credentialTypes.includes(credential.type)) {
      throw new ConfigError(`${path}.type: there is no "${credential.type}"; there are ${credentialTypes.join(", ")}`);
    }
    return checked(credential, path);
  });
}

/** A socket for both kinds of address shows an IPv4 one inside IPv6, and a zone that means something here only. */
function addressOf(ip: string): Credential {
  const address = ip.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/s, "");
  // Only IPv6 has colons: what is wrong with the others is wrong with an IPv4 address.
  const type: CredentialType = address.includes(":") ? "ip6" : "ip4";
  return { type, value: address };
}

function checked(credential: Credential, path: string): Credential {
  const { value } = credential;
  const problem = credentialProblem(credential);
  if (problem !== undefined) throw new ConfigError(`${path}: ${problem}`);
  if (typeof value === "number") return credential;
  if (value.length > LONGEST) throw new ConfigError(`${path}: longer than ${LONGEST}`);
  if (typeof value === "string" && !isXmlText(value)) throw new ConfigError(`${path}: holds what XML cannot hold`);
  // Bytes are the program's, which may use them for something else.
  return typeof value === "string" ? credential : { ...credential, value: new Uint8Array(value) };
}
