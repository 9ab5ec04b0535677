// The certificate by which provisioning servers know the Thing, as it is given to it: XEP-0324 3.1.3, P-E12.
import { X509Certificate, createPrivateKey, type KeyObject } from "node:crypto";
import { ConfigError, messageOf } from "../core/errors.ts";
import { readSecretFile } from "../storage/secret-file.ts";
import { codeOf } from "../storage/file-system.ts";
import type { CertificateSettings, Source } from "./certificate-options.ts";
import { decryptBy, decryptWith, type Decrypt } from "./decrypt.ts";
import { loadForge } from "./forge.ts";
import { openPkcs12 } from "./pkcs12.ts";

/** A certificate, and who can decrypt with its private key. */
export interface Certificate {
  /** In DER, as it goes over the wire. */
  readonly der: Uint8Array;
  /** SHA-256 of it, as everybody writes it: `4F:11:…`. */
  readonly fingerprint: string;
  /** Until when it is valid: milliseconds since 1970. */
  readonly expires: number;
  /** Decrypts with the private key. */
  readonly decrypt: Decrypt;
}

/** A certificate that was given, and what is not as it should be although it can be used. */
export interface GivenCertificate {
  readonly certificate: Certificate;
  /** In words, for people. */
  readonly warnings: readonly string[];
}

// Shorter keys can be broken: whoever does so is the Thing.
const LEAST_BITS = 2048;

/**
 * Reads what the options name. Throws `ERR_CONFIG` that says what is wrong: a file that is not there, a wrong passphrase, a
 * key that is not RSA or does not belong to the certificate.
 */
export async function readCertificate(settings: CertificateSettings): Promise<GivenCertificate> {
  const { certificate: source, key: keySource, passphrase, padding, decrypt } = settings;
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  if (source === undefined) throw new ConfigError("certificate: there is none to read");
  const path = `certificate.${source.option}`;
  const given = await contentOf(source);
  const { certificate, key: keyBeside } = await certificateIn(given.bytes, path, passphrase);
  checkRsa(certificate, path);
  if (decrypt !== undefined) return { certificate: describeCertificate(certificate, decryptBy(decrypt)), warnings };
  const separate = keySource && (await contentOf(keySource));
  const keyPath = `certificate.${keySource?.option ?? source.option}`;
  const key = separate === undefined ? keyBeside?.() : privateKey(separate.bytes, keyPath, passphrase);
  if (key === undefined) {
    throw new ConfigError(`${path}: there is no private key beside it; give certificate.keyFile, key or decrypt`);
  }
  if (!certificate.checkPrivateKey(key)) {
    throw new ConfigError(`${keyPath}: the private key does not belong to the certificate`);
  }
  for (const { exposed } of [separate ?? given]) if (exposed !== undefined) warn(exposed);
  return { certificate: describeCertificate(certificate, decryptWith(key, padding)), warnings };
}

/** A certificate, and who decrypts with its key. */
export function describeCertificate(certificate: X509Certificate, decrypt: Decrypt): Certificate {
  const expires = Date.parse(certificate.validTo);
  return {
    der: new Uint8Array(certificate.raw),
    fingerprint: certificate.fingerprint256,
    expires: Number.isNaN(expires) ? Infinity : expires,
    decrypt,
  };
}

/** P-E12: RSA only, for a challenge is encrypted with it. */
function checkRsa({ publicKey }: X509Certificate, path: string): void {
  const { asymmetricKeyType: type = "unknown", asymmetricKeyDetails: details } = publicKey;
  if (type !== "rsa") {
    throw new ConfigError(`${path}: its key is of the type ${type}; challenges are decrypted, which only RSA can`);
  }
  const bits = details?.modulusLength ?? 0;
  if (bits < LEAST_BITS) throw new ConfigError(`${path}: its key has ${bits} bits; ${LEAST_BITS} are the least`);
}

interface Content {
  readonly bytes: Uint8Array;
  /** What to say of it if there is a key in it: others can read the file. */
  readonly exposed: string | undefined;
}

async function contentOf(source: Source): Promise<Content> {
  if ("content" in source) return { bytes: bytesOf(source.content), exposed: undefined };
  try {
    const { content, exposed } = await readSecretFile(source.file);
    const message = `others on this machine can read the private key in "${source.file}"; chmod 600 "${source.file}"`;
    return { bytes: content, exposed: exposed ? message : undefined };
  } catch (error) {
    const why = codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error);
    throw new ConfigError(`certificate.${source.option}: "${source.file}" cannot be read: ${why}`, { cause: error });
  }
}

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;

interface Found {
  readonly certificate: X509Certificate;
  /** Reads the private key that stands with it. */
  readonly key: (() => KeyObject | undefined) | undefined;
}

async function certificateIn(bytes: Uint8Array, path: string, passphrase: string | undefined): Promise<Found> {
  const blocks = pemBlocks(bytes);
  if (blocks.length > 0) {
    const pem = blocks.find(({ label }) => label === "CERTIFICATE")?.text;
    if (pem === undefined) throw new ConfigError(`${path}: there is no certificate in it`);
    const hasKey = blocks.some(isKey);
    return {
      certificate: parsed(pem, path),
      key: hasKey ? () => privateKey(bytes, path, passphrase) : undefined,
    };
  }
  try {
    return { certificate: new X509Certificate(bytes), key: undefined };
  } catch {
    // Not a certificate by itself.
  }
  const opened = openPkcs12(await loadForge(), bytes, passphrase, path);
  if (opened === undefined) throw new ConfigError(`${path}: is neither PEM, nor DER, nor PKCS #12`);
  return { certificate: opened.certificate, key: () => opened.key };
}

function parsed(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new ConfigError(`${path}: the certificate in it is damaged`, { cause: error });
  }
}

/** A private key in PEM, or in DER of PKCS #8 or PKCS #1. What the key maker says of a failure is never shown. */
function privateKey(bytes: Uint8Array, path: string, passphrase: string | undefined): KeyObject {
  const block = pemBlocks(bytes).find(isKey);
  const key = block?.text ?? Buffer.from(bytes);
  const encrypted = block !== undefined && /ENCRYPTED/.test(block.text);
  if (encrypted && passphrase === undefined)
    throw new ConfigError(`${path}: the private key needs certificate.passphrase`);
  const forms = block ? (["pem"] as const) : (["pkcs8", "pkcs1"] as const);
  for (const form of forms) {
    try {
      if (form === "pem") return createPrivateKey({ key, format: form, passphrase: passphrase ?? "" });
      return createPrivateKey({ key, format: "der", type: form, passphrase: passphrase ?? "" });
    } catch {
      // The next, or none.
    }
  }
  throw new ConfigError(
    encrypted
      ? `${path}: certificate.passphrase does not open the private key`
      : `${path}: is no private key, PEM or DER${block === undefined ? ", or needs another certificate.passphrase" : ""}`,
  );
}

interface PemBlock {
  readonly label: string;
  readonly text: string;
}

function pemBlocks(bytes: Uint8Array): readonly PemBlock[] {
  const text = Buffer.from(bytes).toString("latin1");
  if (!text.includes("-----BEGIN ")) return [];
  const found = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]*(?:-(?!----END )[^-]*)*-----END \1-----/g);
  return [...found].map(([block, label = ""]) => ({ label, text: block }));
}

const isKey = ({ label }: PemBlock): boolean => label.endsWith("PRIVATE KEY");
