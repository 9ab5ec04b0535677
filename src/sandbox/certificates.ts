import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { Clock } from "../core/clock.ts";
import { randomHex, systemRandom } from "../core/random.ts";

/** A CA of its own and the server certificate it signed, as PEM. The CA's key is thrown away. */
export interface Certificates {
  /** What clients are told to trust. */
  readonly ca: string;
  /** The server's private key (PKCS #8). */
  readonly key: string;
  /** The server's certificate. */
  readonly certificate: string;
}

const YEAR = 365 * 24 * 3_600_000;
// GeneralName tags of RFC 5280 section 4.2.1.6.
const DNS_NAME = 2;
const IP_ADDRESS = 7;

/**
 * Makes a CA and a server certificate for a domain, its subdomains and 127.0.0.1. Nothing is written to disk.
 * TLS compares with the machine's own time, whatever the clock given here: the certificate is valid from two years
 * before until ten years after.
 */
export async function makeCertificates(domain: string, clock: Clock): Promise<Certificates> {
  const { default: forge } = await import("node-forge");
  const { pki, md } = forge;
  const [authority, server] = await Promise.all([makeKey(), makeKey()]);
  const now = clock.now();
  const issue = (subject: string, key: string, extensions: object[]): string => {
    const certificate = pki.createCertificate();
    certificate.publicKey = pki.publicKeyFromPem(key);
    // A positive number of at most 20 bytes (RFC 5280 section 4.1.2.2), whatever the random ones begin with.
    certificate.serialNumber = `01${randomHex(systemRandom, 15)}`;
    certificate.validity.notBefore = new Date(now - 2 * YEAR);
    certificate.validity.notAfter = new Date(now + 10 * YEAR);
    certificate.setSubject([{ name: "commonName", value: subject }]);
    certificate.setIssuer([{ name: "commonName", value: issuer }]);
    certificate.setExtensions(extensions);
    certificate.sign(pki.privateKeyFromPem(authority.privateKey), md.sha256.create());
    return pki.certificateToPem(certificate);
  };
  // A name of its own: two CAs that are called the same are taken for one, and fail in a puzzling way.
  const issuer = `Sandbox ${randomHex(systemRandom, 4)} of ${domain}`.slice(0, 64);
  return {
    ca: issue(issuer, authority.publicKey, [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
      { name: "subjectKeyIdentifier" },
    ]),
    key: server.privateKey,
    certificate: issue(domain.slice(0, 64), server.publicKey, [
      { name: "basicConstraints", cA: false },
      { name: "keyUsage", digitalSignature: true, keyEncipherment: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: DNS_NAME, value: domain },
          { type: DNS_NAME, value: `*.${domain}` },
          { type: IP_ADDRESS, ip: "127.0.0.1" },
        ],
      },
    ]),
  };
}

async function makeKey(): Promise<{ publicKey: string; privateKey: string }> {
  return promisify(generateKeyPair)("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}
