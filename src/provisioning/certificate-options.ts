// What a device developer says of the Thing's certificate: XEP-0324 3.1.3.
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";
import type { Padding } from "./decrypt.ts";

/**
 * The X.509 certificate by which provisioning servers know the Thing, whatever its address (XEP-0324 3.1.3). Its key must be
 * RSA, and should be used for nothing else: docs/tokens.md. Give one of `file`, `content` and `make`.
 *
 * @example
 * ```ts
 * certificate: { make: true }
 * certificate: { file: "/etc/thermometer/device.p12", passphrase: process.env.DEVICE_PASSPHRASE }
 * certificate: { file: "/etc/thermometer/device.crt", keyFile: "/etc/thermometer/device.key" }
 * ```
 */
export interface CertificateOptions {
  /** The path of a file with the certificate: PEM, DER or PKCS #12; which, is seen by what is in it. */
  readonly file?: string;
  /** The certificate itself: PEM as a text, or PEM, DER or PKCS #12 as bytes. */
  readonly content?: string | Uint8Array;
  /** Makes a certificate on the Thing, when the first token is to be got, and keeps it with its key in the storage. */
  readonly make?: boolean | MakeCertificateOptions;
  /** The path of a file with the private key, PEM or DER. Default: it stands beside the certificate. */
  readonly keyFile?: string;
  /** The private key itself, PEM or DER. */
  readonly key?: string | Uint8Array;
  /** What opens the private key or the PKCS #12 file. */
  readonly passphrase?: string;
  /** How challenges are padded. Default: `auto`, whichever a challenge shows itself to be. */
  readonly padding?: Padding;
  /**
   * Decrypts a challenge with the private key, which stays where it is: a secure element, an HSM. The certificate is given
   * without a key then. Padding is the callback's matter: RSAES-OAEP with SHA-1, or RSAES-PKCS1-v1_5 (P-E12).
   */
  readonly decrypt?: (challenge: Uint8Array) => Uint8Array | Promise<Uint8Array>;
}

/** How a certificate is made on the Thing. */
export interface MakeCertificateOptions {
  /** Whom it names. At most 64 characters. Default: the Thing's address at that time. */
  readonly name?: string;
  /** The length of the key: 2048 (the default), 3072 or 4096 bits. On a small board 4096 can take many minutes. */
  readonly bits?: number;
}

const KNOWN: readonly (keyof CertificateOptions)[] = [
  "file",
  "content",
  "make",
  "keyFile",
  "key",
  "passphrase",
  "padding",
  "decrypt",
];
const SIZES = [2048, 3072, 4096];
const LONGEST_NAME = 64; // RFC 5280 appendix A.1, ub-common-name
// Half of a character: it cannot be written in UTF-8.
const HALF = /\p{Surrogate}/u;

/** {@link CertificateOptions}, checked: whence the certificate comes, and how challenges are decrypted. */
export interface CertificateSettings {
  /** How it is made; `undefined` if it is given. */
  readonly make: { readonly name: string | undefined; readonly bits: number } | undefined;
  /** Where it is; `undefined` if it is made. */
  readonly certificate: Source | undefined;
  /** Where its key is, if not beside it. */
  readonly key: Source | undefined;
  readonly passphrase: string | undefined;
  readonly padding: Padding;
  readonly decrypt: CertificateOptions["decrypt"];
}

/** A content, or the file in which it stands. */
export type Source =
  | { readonly option: string; readonly file: string }
  | { readonly option: string; readonly content: string | Uint8Array };

/** Checks what can be checked without looking into files. Throws `ERR_CONFIG` naming the option that is wrong. */
export function checkCertificate(options: CertificateOptions): CertificateSettings {
  checkKnown(options, KNOWN, "certificate");
  const { passphrase, padding = "auto", decrypt } = options;
  const make = checkMake(options.make);
  const certificate = checkSource(options, "file", "content");
  const key = checkSource(options, "keyFile", "key");
  if ((certificate === undefined) === (make === undefined)) {
    throw new ConfigError("certificate: give one of file, content and make, for instance { make: true }");
  }
  if (passphrase !== undefined && typeof passphrase !== "string") {
    throw new ConfigError("certificate.passphrase: must be a text");
  }
  if (!["auto", "oaep", "pkcs1"].includes(padding)) {
    throw new ConfigError(`certificate.padding: there is no "${padding}"; there are auto, oaep, pkcs1`);
  }
  if (decrypt !== undefined && typeof decrypt !== "function") {
    throw new ConfigError("certificate.decrypt: must be a function that decrypts a challenge");
  }
  const needless = make !== undefined ? [key && key.option, passphrase && "passphrase", decrypt && "decrypt"] : [];
  const [first] = needless.filter(Boolean);
  if (typeof first === "string") {
    throw new ConfigError(`certificate.${first}: the Thing makes certificate and key itself with certificate.make`);
  }
  if (decrypt !== undefined && (key !== undefined || passphrase !== undefined || options.padding !== undefined)) {
    throw new ConfigError(
      "certificate.decrypt: it has the private key, so leave out certificate.key, keyFile, passphrase and padding",
    );
  }
  return { make, certificate, key, passphrase, padding, decrypt };
}

function checkMake(make: CertificateOptions["make"]): CertificateSettings["make"] {
  if (make === undefined || make === false) return undefined;
  if (make === true) return { name: undefined, bits: 2048 };
  checkKnown(make, ["name", "bits"], "certificate.make");
  const { name, bits = 2048 } = make;
  if (
    name !== undefined &&
    (typeof name !== "string" || name === "" || name.length > LONGEST_NAME || HALF.test(name))
  ) {
    throw new ConfigError(`certificate.make.name: must be a text of 1 to ${LONGEST_NAME} characters`);
  }
  if (!SIZES.includes(bits)) throw new ConfigError(`certificate.make.bits: must be one of ${SIZES.join(", ")}`);
  return { name, bits };
}

function checkSource(
  options: CertificateOptions,
  inFile: "file" | "keyFile",
  inPlace: "content" | "key",
): Source | undefined {
  const { [inFile]: file, [inPlace]: content } = options;
  if (file !== undefined && content !== undefined) {
    throw new ConfigError(`certificate.${inFile}: leave it out, or certificate.${inPlace}`);
  }
  if (file !== undefined) {
    if (typeof file !== "string" || file === "") {
      throw new ConfigError(`certificate.${inFile}: must be the path of a file`);
    }
    return { option: inFile, file };
  }
  if (content === undefined) return undefined;
  if ((typeof content !== "string" && !((content as unknown) instanceof Uint8Array)) || content.length === 0) {
    throw new ConfigError(`certificate.${inPlace}: must be a text (PEM) or bytes; a path belongs into ${inFile}`);
  }
  return { option: inPlace, content };
}
