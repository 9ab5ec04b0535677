// Holders of X.509 certificates, as a Provisioning Server sees them. Keys are made anew in each run.
import { constants, createHash, generateKeyPairSync, privateDecrypt } from "node:crypto";
import forge from "node-forge";

const { asn1, md, pki, random, util } = forge;

/** A certificate and what only its owner can do. */
export interface KeyHolder {
  /** The certificate, DER in base-64. */
  readonly base64: string;
  /** The certificate, PEM. */
  readonly pem: string;
  /** The certificate, DER. */
  readonly der: Uint8Array;
  /** Its SHA-256, lower-case hexadecimal. */
  readonly fingerprint: string;
  /** What an encrypted challenge holds, both in base-64. Throws if it was padded in another way. */
  open(challenge: string, padding?: "oaep" | "pkcs1"): string;
}

const YEAR = 365 * 24 * 3_600_000;

/** Makes a certificate that is valid from a year before a moment until a year after it, unless said otherwise. */
export function makeKeyHolder(
  options: { name?: string; now?: number; from?: number; until?: number; bits?: number } = {},
): KeyHolder {
  const { name = "device", now = Date.UTC(2026, 0, 1), bits = 1_024 } = options;
  const { from = now - YEAR, until = now + YEAR } = options;
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: bits,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = `01${util.bytesToHex(random.getBytesSync(15))}`;
  certificate.validity.notBefore = new Date(from);
  certificate.validity.notAfter = new Date(until);
  certificate.setSubject([{ name: "commonName", value: name }]);
  certificate.setIssuer([{ name: "commonName", value: name }]);
  certificate.sign(pki.privateKeyFromPem(privateKey), md.sha256.create());
  const der = Buffer.from(asn1.toDer(pki.certificateToAsn1(certificate)).getBytes(), "binary");
  return {
    base64: der.toString("base64"),
    pem: pki.certificateToPem(certificate),
    der: new Uint8Array(der),
    fingerprint: createHash("sha256").update(new Uint8Array(der)).digest("hex"),
    open(challenge, padding = "oaep") {
      const bytes = new Uint8Array(Buffer.from(challenge, "base64"));
      if (padding === "oaep") {
        const key = { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" };
        return privateDecrypt(key, bytes).toString("base64");
      }
      // Node refuses this padding to private keys (P-E12).
      const opened = pki
        .privateKeyFromPem(privateKey)
        .decrypt(Buffer.from(bytes).toString("binary"), "RSAES-PKCS1-V1_5");
      return Buffer.from(opened, "binary").toString("base64");
    },
  };
}

/** A certificate of an RSA key with which nothing can be encrypted: its exponent is greater than its modulus. */
export function makeUselessCertificate(): string {
  const pair = pki.rsa.generateKeyPair({ bits: 1_024, e: 65_537 });
  const { n } = pair.publicKey;
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.rsa.setPublicKey(n, n.add(new forge.jsbn.BigInteger("2", 10)));
  certificate.validity.notBefore = new Date(Date.UTC(2025, 0, 1));
  certificate.validity.notAfter = new Date(Date.UTC(2027, 0, 1));
  certificate.sign(pair.privateKey, md.sha256.create());
  return Buffer.from(asn1.toDer(pki.certificateToAsn1(certificate)).getBytes(), "binary").toString("base64");
}

/** A certificate whose key cannot encrypt: P-256. Its private key was never kept. */
export const EC_CERTIFICATE =
  "MIIBcTCCARegAwIBAgIUXwvI38M3l7DLV8NrvpIDwabZmRcwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCZWMwIBcNMjYxMTIyMTYx" +
  "MjUyWhgPMjEyNjEwMjkxNjEyNTJaMA0xCzAJBgNVBAMMAmVjMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEV/ol2JXBrbTl857X" +
  "H/EQ+6JBS5l/8lv0MQyFs7dL3tHd30pKCep1gbzm+G18sC2ZPe47vIQF+X5maZ+5znub2aNTMFEwHQYDVR0OBBYEFA4s8APlgl7n" +
  "UOLnZXQk/hd6Rxj4MB8GA1UdIwQYMBaAFA4s8APlgl7nUOLnZXQk/hd6Rxj4MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID" +
  "SAAwRQIgSjsEYVMhx5h4Siu8sCIz7ZESWwZYVIJgEy7kKD7ncL8CIQDxtQxNf7W49p0Kk+bGp8HmaJMPYUhnslHT9iRZgz+m5g==";
