// A certificate authority and server certificates, made anew in each run: no key is ever kept.
import { generateKeyPairSync } from "node:crypto";
import forge from "node-forge";

const { pki, md, random, util } = forge;

/** A certificate with its private key, both PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

function newKey(): { privateKey: string; publicKey: string } {
  return generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
}

// One key for all server certificates of a test file: making one takes a tenth of a second.
let serverKey: { privateKey: string; publicKey: string } | undefined;

const HOUR = 3_600_000;

function sign(options: {
  name: string;
  keys: { privateKey: string; publicKey: string };
  issuer?: Certificate | undefined;
  extensions: object[];
  from: Date;
  until: Date;
}): Certificate {
  const { name, keys, issuer, extensions, from, until } = options;
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.publicKeyFromPem(keys.publicKey);
  certificate.serialNumber = `01${util.bytesToHex(random.getBytesSync(15))}`;
  certificate.validity.notBefore = from;
  certificate.validity.notAfter = until;
  const subject = [{ name: "commonName", value: name }];
  certificate.setSubject(subject);
  certificate.setIssuer(issuer ? pki.certificateFromPem(issuer.cert).subject.attributes : subject);
  certificate.setExtensions(extensions);
  certificate.sign(pki.privateKeyFromPem(issuer?.key ?? keys.privateKey), md.sha256.create());
  return { cert: pki.certificateToPem(certificate), key: keys.privateKey };
}

/** Makes an authority. Each has its own name: OpenSSL looks for issuers by name. */
export function makeAuthority(name = `Test authority ${util.bytesToHex(random.getBytesSync(4))}`): Certificate {
  return sign({
    name,
    keys: newKey(),
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
      { name: "subjectKeyIdentifier" },
    ],
    from: new Date(Date.now() - HOUR),
    until: new Date(Date.now() + 24 * HOUR),
  });
}

/** Makes a server certificate for DNS names and IP addresses. */
export function makeCertificate(
  issuer: Certificate,
  options: { dns?: readonly string[]; ips?: readonly string[]; from?: Date; until?: Date } = {},
): Certificate {
  const { dns = ["localhost", "*.localhost"], ips = [] } = options;
  serverKey ??= newKey();
  return sign({
    name: dns[0] ?? ips[0] ?? "nobody",
    keys: serverKey,
    issuer,
    extensions: [
      { name: "basicConstraints", cA: false },
      { name: "keyUsage", digitalSignature: true, keyEncipherment: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [...dns.map((value) => ({ type: 2, value })), ...ips.map((ip) => ({ type: 7, ip }))],
      },
    ],
    from: options.from ?? new Date(Date.now() - HOUR),
    until: options.until ?? new Date(Date.now() + 24 * HOUR),
  });
}
