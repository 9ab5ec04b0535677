// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.1.3, P-E12: a client's certificate, and what only its owner can read.
import { X509Certificate, constants, publicEncrypt, type KeyObject } from "node:crypto";

/**
 * How a challenge is padded before it is encrypted: RSAES-OAEP with SHA-1, or RSAES-PKCS1-v1_5. XEP-0324 names neither,
 * and two builds of its author's client differ (P-E12).
 */
export type ChallengePadding = "oaep" | "pkcs1";

/** What is kept of a certificate. */
export interface ClientCertificate {
  /** The certificate in DER. */
  readonly der: Uint8Array;
  /** The SHA-256 of its DER form: 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
  /** Whom it names. Anybody can write anything there: no rule goes by it. */
  readonly subject: string;
  /** The first moment at which it is valid, in milliseconds since 1970. */
  readonly validFrom: number;
  /** The last moment at which it is valid, in milliseconds since 1970. */
  readonly validTo: number;
  /** The key that it proves. */
  readonly publicKey: KeyObject;
}

/** Why a certificate is none that a token can be given for. */
export type CertificateFlaw =
  /** It cannot be read. */
  | "broken"
  /** Its key is no RSA key, or one of a size that is not taken. */
  | "key";

// Below it keys are broken in practice; beyond it the bytes of a stranger cost more time than is reasonable.
const SMALLEST_KEY = 1_024;
const GREATEST_KEY = 8_192;

/** Reads a certificate in its DER form, and only that: what follows it, or PEM, is a flaw (P-E12). */
export function readCertificate(der: Uint8Array): ClientCertificate | CertificateFlaw {
  try {
    const certificate = new X509Certificate(der);
    if (Buffer.compare(new Uint8Array(certificate.raw), der) !== 0) return "broken";
    return withKey(certificate);
  } catch {
    return "broken";
  }
}

/** Reads a certificate that an operator gives, PEM or DER. */
export function readAnyCertificate(certificate: string | Uint8Array): ClientCertificate | CertificateFlaw {
  try {
    return readCertificate(new Uint8Array(new X509Certificate(certificate).raw));
  } catch {
    return "broken";
  }
}

function withKey(certificate: X509Certificate): ClientCertificate | CertificateFlaw {
  const { publicKey } = certificate;
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  if (publicKey.asymmetricKeyType !== "rsa" || bits < SMALLEST_KEY || bits > GREATEST_KEY) return "key";
  const [validFrom, validTo] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (Number.isNaN(validFrom) || Number.isNaN(validTo)) return "broken";
  const fingerprint = certificate.fingerprint256.replaceAll(":", "").toLowerCase();
  return {
    der: new Uint8Array(certificate.raw),
    fingerprint,
    subject: certificate.subject,
    validFrom,
    validTo,
    publicKey,
  };
}

/** Encrypts a challenge of 32 bytes. The padding's own randomness is OpenSSL's. */
export function encryptChallenge(key: KeyObject, challenge: Uint8Array, padding: ChallengePadding): Uint8Array {
  const { RSA_PKCS1_OAEP_PADDING, RSA_PKCS1_PADDING } = constants;
  const how =
    padding === "oaep" ? { padding: RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" } : { padding: RSA_PKCS1_PADDING };
  return new Uint8Array(publicEncrypt({ key, ...how }, challenge));
}
