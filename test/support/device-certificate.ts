// Certificates of devices in all forms in which people have them, made anew in each run: no key is ever kept.
import {
  X509Certificate,
  constants,
  createPublicKey,
  generateKeyPairSync,
  publicEncrypt,
  type KeyObject,
} from "node:crypto";
import forge from "node-forge";

const { asn1, md, pkcs12, pki, util } = forge;

/** A device's certificate with its private key. */
export interface DeviceCertificate {
  readonly certificate: X509Certificate;
  /** PEM. */
  readonly cert: string;
  /** DER. */
  readonly der: Uint8Array;
  /** The private key. */
  readonly key: KeyObject;
  /** The private key, PEM (PKCS #8). */
  readonly keyPem: string;
}

const DAY = 86_400_000;
// Making one takes a tenth of a second.
const keys = new Map<string, KeyObject>();

/** An RSA key; the same one for the same name and size. */
export function rsaKey(name = "device", bits = 2048): KeyObject {
  const id = `${name} ${bits}`;
  const key = keys.get(id) ?? generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
  keys.set(id, key);
  return key;
}

/** A certificate that is signed with its own key. */
export function deviceCertificate(options: { name?: string; key?: KeyObject; until?: Date } = {}): DeviceCertificate {
  const { name = "device 4711", key = rsaKey(), until = new Date(Date.now() + DAY) } = options;
  const keyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
  const made = pki.createCertificate();
  made.publicKey = pki.publicKeyFromPem(createPublicKey(key).export({ type: "spki", format: "pem" }).toString());
  made.serialNumber = "0102";
  made.validity.notBefore = new Date(Math.min(Date.now(), until.getTime()) - DAY);
  made.validity.notAfter = until;
  made.setSubject([{ name: "commonName", value: name }]);
  made.setIssuer([{ name: "commonName", value: name }]);
  made.sign(pki.privateKeyFromPem(keyPem), md.sha256.create());
  return described(pki.certificateToPem(made), key, keyPem);
}

function described(cert: string, key: KeyObject, keyPem: string): DeviceCertificate {
  const certificate = new X509Certificate(cert);
  return { certificate, cert, der: new Uint8Array(certificate.raw), key, keyPem };
}

/** A certificate of an elliptic curve. Its signature is nobody's, which nobody looks at here. */
export function ecCertificate(): DeviceCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const template = deviceCertificate();
  const parsed = asn1.fromDer(util.createBuffer(Buffer.from(template.der).toString("binary")));
  const spki = publicKey.export({ type: "spki", format: "der" }).toString("binary");
  const [body] = parsed.value as (typeof parsed)[];
  (body!.value as (typeof parsed)[])[6] = asn1.fromDer(util.createBuffer(spki));
  const der = Buffer.from(asn1.toDer(parsed).getBytes(), "binary").toString("base64");
  const pem = `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----\n`;
  return described(pem, privateKey, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
}

/** Certificate and key in one, PKCS #12, as OpenSSL 3 makes it (AES-256) or as its forerunners did (3DES). */
export function pkcs12Of(
  { cert, keyPem }: DeviceCertificate,
  passphrase: string,
  options: { algorithm?: "3des" | "aes256"; key?: boolean; chain?: readonly DeviceCertificate[] } = {},
): Uint8Array {
  const { algorithm = "aes256", key = true, chain = [] } = options;
  const certificates = [...chain.map((one) => one.cert), cert].map((one) => pki.certificateFromPem(one));
  const privateKey = key ? pki.privateKeyFromPem(keyPem) : null;
  const made = pkcs12.toPkcs12Asn1(privateKey, certificates, passphrase, {
    algorithm,
  });
  return new Uint8Array(Buffer.from(asn1.toDer(made).getBytes(), "binary"));
}

type ChallengePadding = "oaep" | "oaep-sha256" | "pkcs1" | "raw";

/** What a provisioning server does with a challenge. */
export function encryptFor(publicKey: KeyObject, bytes: Uint8Array, padding: ChallengePadding): Uint8Array {
  const how = {
    oaep: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" },
    "oaep-sha256": { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
    pkcs1: { padding: constants.RSA_PKCS1_PADDING },
    raw: { padding: constants.RSA_NO_PADDING },
  }[padding];
  return new Uint8Array(publicEncrypt({ key: publicKey, ...how }, bytes));
}

/** The same, for whoever holds the private key. */
export function encrypt(key: KeyObject, bytes: Uint8Array, padding: ChallengePadding): Uint8Array {
  return encryptFor(createPublicKey(key), bytes, padding);
}

/** The same key, locked. */
export function lockedKey(key: KeyObject, passphrase: string): string {
  return key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }).toString();
}
