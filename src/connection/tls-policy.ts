// RFC 6120 sections 5 and 13.7, RFC 7590: TLS is always required and always verified against the XMPP domain.
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import {
  checkServerIdentity,
  createSecureContext,
  type ConnectionOptions,
  type DetailedPeerCertificate,
  type SecureContext,
} from "node:tls";
import { domainToASCII } from "node:url";
import { ConfigError, ConnectionError, TlsPolicyError, type SdkError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";
import type { ServerAddress } from "../discovery/address.ts";

/**
 * What a server has to prove. There is no way to do without TLS, and only one, by name, to do without verification:
 * `unverified`.
 */
export interface TlsPolicy {
  /** The certificates (PEM) of the authorities to trust, in the place of those that come with Node. */
  readonly ca?: string | readonly string[] | undefined;
  /** The oldest TLS version to accept. Default TLSv1.2. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
  /**
   * The XMPP domains whose certificate is not checked, by name; TLS all the same. Whoever can put himself between the
   * Thing and such a server is taken for it: he gets the password when the account is made, and reads and changes
   * everything. For a server in one's own workshop; with `ca` the same server can be checked. The fault `tls-unverified`
   * says so at each connection. Default: none.
   */
  readonly unverified?: readonly string[] | undefined;
}

/** Tells whether the certificate for a domain is not checked. */
export function isUnverified({ unverified = [] }: TlsPolicy, domain: string): boolean {
  return unverified.some((name) => ascii(name) === ascii(domain));
}

/** What is said at each connection to a domain whose certificate is not checked. */
export function unverifiedWarning(domain: string): string {
  return `the certificate for ${domain} was not checked, since the option \`tls.unverified\` names this domain: whoever is on the way can pretend to be it, learn the password of a new account, and read and change everything; give the server's authority in \`tls.ca\` instead`;
}

const pem = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
// One line with a slash, or with an ending that such files have.
const pathLike = /^[^\n]{0,255}[\\/][^\n]{0,255}$|^[^\n]{1,255}\.(pem|crt|cer|der)$/i;

/** Makes what TLS connections need of a policy. Throws `ERR_CONFIG` as {@link checkTls} does. */
export function secureContext(policy: TlsPolicy = {}): SecureContext {
  const { ca, minVersion = "TLSv1.2" } = policy;
  return createSecureContext({ minVersion, ...(ca !== undefined && { ca: certificatesIn(ca) }) });
}

/** Checks a policy. Throws `ERR_CONFIG` if `tls.ca` holds no certificate, a damaged one, or the name of a file. */
export function checkTls(policy: TlsPolicy): TlsPolicy {
  checkKnown(policy, ["ca", "minVersion", "unverified"], "tls");
  const { ca, minVersion, unverified = [] } = policy;
  if (ca !== undefined) certificatesIn(ca);
  if (minVersion !== undefined && !["TLSv1.2", "TLSv1.3"].includes(minVersion)) {
    throw new ConfigError("tls.minVersion: must be TLSv1.2 or TLSv1.3");
  }
  // `true`, say: there is no way to have none checked.
  if (!Array.isArray(unverified)) throw new ConfigError('tls.unverified: must be a list of domains, ["example.org"]');
  unverified.forEach((name, index) => checkDomain(name, `tls.unverified[${index}]`));
  return policy;
}

function checkDomain(name: unknown, option: string): void {
  if (typeof name !== "string") throw new ConfigError(`${option}: must be the name of a domain`);
  const shown = JSON.stringify(name);
  if (name.includes("*")) throw new ConfigError(`${option}: ${shown}: name each domain; there are no wildcards`);
  // RFC 4291 section 2.2: a colon stands in IPv6 addresses, and never in a domain.
  if (isIP(ascii(name)) !== 0 || /[:[\]]/.test(name)) {
    throw new ConfigError(
      `${option}: ${shown} is an address; name the XMPP domain, which may stay the same when the address changes`,
    );
  }
  const labels = ascii(name).split(".");
  if (!labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))) {
    throw new ConfigError(`${option}: ${shown} is not the name of a domain`);
  }
}

/** A domain as certificates and DNS have it. */
export function ascii(domain: string): string {
  return domainToASCII(domain) || domain.toLowerCase();
}

function certificatesIn(ca: string | readonly string[]): string[] {
  const certificates = [ca].flat().flatMap((text: unknown) => {
    // A Buffer, say: readFileSync(path) without "utf8".
    if (typeof text !== "string") throw new ConfigError(`tls.ca: must be a text: ${howToRead("path")}`);
    const found: readonly string[] = text.match(pem) ?? [];
    if (found.length > 0) return found;
    const [name, isPath] = [JSON.stringify(text), pathLike.test(text)];
    throw new ConfigError(
      isPath
        ? `tls.ca: ${name} is the name of a file; give what is in it: ${howToRead(name)}`
        : "tls.ca: no certificate in it (PEM is expected)",
    );
  });
  if (certificates.length === 0) throw new ConfigError("tls.ca: no certificate in it (PEM is expected)");
  // OpenSSL passes over what it cannot read, and the server would be blamed.
  for (const certificate of certificates) checkReadable(certificate);
  return certificates;
}

const howToRead = (path: string): string => `readFileSync(${path}, "utf8")`;

function checkReadable(certificate: string): void {
  try {
    new X509Certificate(certificate);
  } catch (cause) {
    throw new ConfigError("tls.ca: a certificate in it cannot be read", { cause });
  }
}

/**
 * What is given to `tls.connect`: the certificate is checked against the XMPP domain, never against the host that was
 * connected to, which whoever answers DNS can choose; the domain is also what the server is asked for (SNI).
 *
 * @param options `verify`: false for the domains of {@link TlsPolicy.unverified} alone
 */
export function tlsOptions(
  context: SecureContext,
  domain: string,
  { directTls, verify }: { readonly directTls: boolean; readonly verify: boolean },
): ConnectionOptions {
  const name = domainToASCII(domain) || domain;
  return {
    secureContext: context,
    // Given, so that NODE_TLS_REJECT_UNAUTHORIZED in the environment does not count.
    rejectUnauthorized: verify,
    // RFC 6066 section 3: an address is not sent as a server name.
    servername: isIP(name) === 0 ? name : "",
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    // XEP-0368 section 3
    ...(directTls ? { ALPNProtocols: ["xmpp-client"] } : {}),
  };
}

// What says that the network failed, not the proof. Whatever else a handshake fails with is a matter of policy.
const networkTrouble: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
]);

// Nothing is wrong with the certificate but who has signed it.
const unknownAuthority: ReadonlySet<unknown> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
]);

// The clock of a machine that runs this library cannot rightly be before that.
const RELEASED = Date.UTC(2026, 0, 1);

/**
 * Two clocks contradict each other: the device's and the certificate. Nothing secret was sent. Time alone, or whoever
 * sets the clock, can mend it.
 */
export class CertificateTimeError extends TlsPolicyError {
  constructor(
    message: string,
    /** The device's clock is behind for certain, or most likely: the certificate is not valid yet by it. */
    readonly clockBehind: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** From when to when a server's certificates are all valid, in milliseconds since 1970. */
export interface Validity {
  readonly begins: number;
  readonly ends: number;
}

// Who issued himself is his own issuer.
const LONGEST_CHAIN = 10;

/** Of all certificates up to the authority the last beginning and the first end. */
export function validityOf(shown: DetailedPeerCertificate): Validity {
  let begins = Number.NEGATIVE_INFINITY;
  let ends = Number.POSITIVE_INFINITY;
  let one: Partial<DetailedPeerCertificate> | undefined = shown; // the last one known has no issuer
  for (let depth = 0; depth < LONGEST_CHAIN && one !== undefined; depth++) {
    begins = Math.max(begins, Date.parse(one.valid_from ?? ""));
    ends = Math.min(ends, Date.parse(one.valid_to ?? ""));
    one = one.issuerCertificate;
  }
  return { begins, ends };
}

/**
 * Says why a TLS handshake failed: `ERR_TLS_POLICY`, or `ERR_CONNECTION` if the link broke in the middle of it.
 *
 * @param address where the server listens, and the domain that it was to prove
 * @param now the device's wall time, in milliseconds since 1970
 * @param validity when what the server has shown is valid, if it came to that
 */
export function tlsFailure(cause: Error, address: ServerAddress, now: number, validity?: Validity): SdkError {
  const { host, port, domain, directTls } = address;
  const code = (cause as { code?: unknown }).code;
  if (typeof code === "string" && networkTrouble.has(code)) {
    return new ConnectionError(`the connection broke during the TLS handshake: ${code}`, { cause });
  }
  const says = `the device's clock says ${isoTime(now)}`;
  const begins = code === "CERT_NOT_YET_VALID" || code === "CRL_NOT_YET_VALID";
  const ends = code === "CERT_HAS_EXPIRED" || code === "CRL_HAS_EXPIRED";
  if (begins || (ends && now < RELEASED)) {
    const known = begins
      ? `the certificate for ${domain} begins ${isoTime(validity?.begins)}`
      : `this library was made after ${isoTime(RELEASED)}`;
    const message = `${says}, but ${known}: set the clock, or wait until the network does (NTP)`;
    return new CertificateTimeError(message, true, { cause });
  }
  if (ends) {
    const ended = `the certificate for ${domain} has expired, ${isoTime(validity?.ends)}`;
    const message = `${ended}; ${says}: the server needs a new one, unless the clock is ahead`;
    return new CertificateTimeError(message, false, { cause });
  }
  if (directTls === true && code === "ERR_SSL_WRONG_VERSION_NUMBER") {
    const message = `${host}:${port} does not begin with TLS, as xmpps:// has it: try xmpp://${host}:${port}`;
    return new TlsPolicyError(message, { cause });
  }
  const unproved = `the server ${host}:${port} does not prove to be ${domain}: ${cause.message}`;
  const advice = unknownAuthority.has(code)
    ? "; its authority is not known here: the option `tls.ca` must give its certificate (PEM)"
    : "";
  return new TlsPolicyError(unproved + advice, { cause });
}

// A certificate may say anything, also what is no date.
function isoTime(ms = Number.NaN): string {
  return Math.abs(ms) <= LATEST ? new Date(ms).toISOString() : "at an unknown time";
}

// The last moment that a Date can be.
const LATEST = 8.64e15;
