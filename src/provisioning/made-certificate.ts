// A certificate that the Thing makes for itself, and keeps with its private key: XEP-0324 3.1.3.
import { X509Certificate, createPrivateKey, generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { randomHex, type RandomSource } from "../core/random.ts";
import { Document } from "../storage/document.ts";
import type { Storage } from "../storage/storage.ts";
import { loadForge } from "./forge.ts";

/** What is kept of a certificate that was made. */
export interface SavedCertificate {
  /** The certificate, DER in base-64. */
  readonly certificate: string;
  /** Its private key, PEM (PKCS #8), not encrypted: files of a state folder are 0600. */
  readonly key: string;
}

/** The document that holds it: `certificate`, JSON of a {@link SavedCertificate}. */
export function certificateDocument(storage: Storage): Document<SavedCertificate> {
  return new Document({ storage, name: "certificate", format: 1, parse: parseSavedCertificate });
}

/** Reads what was kept. Throws if it is not whole, or the key is another certificate's. */
export function parseSavedCertificate(value: unknown): SavedCertificate {
  const { certificate, key } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof certificate !== "string" || typeof key !== "string") throw new TypeError("no certificate");
  const der = new Uint8Array(Buffer.from(certificate, "base64"));
  const belongs = new X509Certificate(der).checkPrivateKey(createPrivateKey(key));
  if (!belongs) throw new TypeError("the key is another certificate's");
  return { certificate, key };
}

/** Its fingerprint: SHA-256, as everybody writes it. */
export function fingerprintOf({ certificate }: SavedCertificate): string {
  return new X509Certificate(new Uint8Array(Buffer.from(certificate, "base64"))).fingerprint256;
}

/** What a certificate is made with. */
export interface MakeParts {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
}

// Devices often do not know what day it is, and tokens have no end either. It is withdrawn where rules name it. The last
// moment is the one that RFC 5280 section 4.1.2.5 gives to certificates without an end.
const NOT_BEFORE = new Date(Date.UTC(2000, 0, 1));
const NOT_AFTER = new Date(Date.UTC(9999, 11, 31, 23, 59, 59));
const PROGRESS_EVERY = 10_000;

/**
 * Makes an RSA key and a certificate for it, signed with that key. The key is made beside whatever else the Thing does; on
 * a small board it can take a minute or more, so what is under way is logged.
 */
export async function makeCertificate(
  { name, bits }: { readonly name: string; readonly bits: number },
  { clock, random, logger }: MakeParts,
): Promise<SavedCertificate> {
  const began = clock.monotonic();
  const seconds = (): number => Math.round((clock.monotonic() - began) / 1_000);
  logger.info("making a key for the Thing's certificate; on a small board this can take a minute or more", { bits });
  let timer: Timer;
  const tell = (): void => {
    timer = clock.schedule(PROGRESS_EVERY, () => {
      logger.info("still making the key", { bits, seconds: seconds() });
      tell();
    });
  };
  tell();
  const { privateKey, publicKey } = await promisify(generateKeyPair)("rsa", {
    modulusLength: bits,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).finally(() => timer.cancel());
  const { asn1, md, pki } = await loadForge();
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.publicKeyFromPem(publicKey);
  // A positive number of at most 20 bytes (RFC 5280 section 4.1.2.2), whatever the random ones begin with.
  certificate.serialNumber = `01${randomHex(random, 15)}`;
  certificate.validity.notBefore = NOT_BEFORE;
  certificate.validity.notAfter = NOT_AFTER;
  const subject = [{ name: "commonName", value: name, valueTagClass: asn1.Type.UTF8 as unknown as Tag }];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: "basicConstraints", cA: false, critical: true },
    { name: "keyUsage", keyEncipherment: true, dataEncipherment: true, critical: true },
    { name: "subjectKeyIdentifier" },
  ]);
  certificate.sign(pki.privateKeyFromPem(privateKey), md.sha256.create());
  const der = asn1.toDer(pki.certificateToAsn1(certificate)).getBytes();
  logger.info("made the Thing's certificate", { name, bits, seconds: seconds() });
  return { certificate: Buffer.from(der, "binary").toString("base64"), key: privateKey };
}

// The types of node-forge ask for a class where its code takes a type.
type Tag = import("node-forge").asn1.Class;
