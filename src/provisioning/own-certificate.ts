// The Thing's certificate: the one it was given, or the one it makes when it is needed first.
import { X509Certificate, createPrivateKey } from "node:crypto";
import { StateError, messageOf } from "../core/errors.ts";
import type { Jid } from "../core/jid.ts";
import { NewerFormatError } from "../storage/newer-format.ts";
import { removeIfThere, type Storage } from "../storage/storage.ts";
import { describeCertificate, readCertificate, type Certificate } from "./certificate.ts";
import type { CertificateSettings } from "./certificate-options.ts";
import { decryptWith } from "./decrypt.ts";
import { certificateDocument, makeCertificate, type MakeParts, type SavedCertificate } from "./made-certificate.ts";

/** What {@link OwnCertificate} is made of. */
export interface OwnCertificateParts extends MakeParts {
  readonly storage: Storage;
  /** The option `certificate`; `undefined` for a Thing without one. */
  readonly certificate: CertificateSettings | undefined;
  /** The Thing's address: whom a certificate names that is made. */
  readonly jid: () => Jid | undefined;
  /** What is not as it should be. */
  readonly onFault: (code: "certificate", message: string, cause?: unknown) => void;
}

// RFC 5280 appendix A.1, ub-common-name.
const LONGEST_NAME = 64;

/** A certificate that is there, or will be. */
export class OwnCertificate {
  readonly #parts: OwnCertificateParts;
  #certificate: Certificate | undefined;
  #making: Promise<Certificate> | undefined;
  /** One that was made, and could not be kept yet: on a small board the next one takes a minute or more. */
  #unkept: SavedCertificate | undefined;
  #damaged = false;

  constructor(parts: OwnCertificateParts) {
    this.#parts = parts;
  }

  /** The certificate, if there is one now. */
  get current(): Certificate | undefined {
    return this.#certificate;
  }

  /**
   * Reads it. Rejects with `ERR_CONFIG` for one that was given and cannot be used. A made one that is damaged is a fault:
   * another one would be another identity, which nobody has given any rights.
   */
  async open(): Promise<void> {
    const { certificate: settings, clock, onFault } = this.#parts;
    if (settings === undefined) return;
    if (settings.make !== undefined) return this.#openMade(settings);
    const { certificate, warnings } = await readCertificate(settings);
    for (const warning of warnings) onFault("certificate", warning);
    if (certificate.expires < clock.now()) {
      const when = new Date(certificate.expires).toISOString();
      onFault("certificate", `the certificate has expired on ${when}; provisioning servers may not take it any more`);
    }
    this.#certificate = certificate;
  }

  /** The certificate; makes it first if need be. `undefined` if there is none and will be none. */
  async get(): Promise<Certificate | undefined> {
    const { certificate: settings } = this.#parts;
    if (settings === undefined || this.#damaged) return undefined;
    if (this.#certificate !== undefined) return this.#certificate;
    this.#making ??= this.#make(settings);
    return this.#making;
  }

  /** Forgets what was made here, also on disk. Durable once resolved. What was given stays. */
  async clear(): Promise<void> {
    const { storage, certificate: settings } = this.#parts;
    if (settings?.make !== undefined) this.#certificate = undefined;
    this.#making = undefined;
    this.#unkept = undefined;
    this.#damaged = false;
    // Also where the options do not want it any more.
    await removeIfThere(storage, "certificate.previous");
    await removeIfThere(storage, "certificate");
  }

  async #openMade(settings: CertificateSettings): Promise<void> {
    const { storage, onFault } = this.#parts;
    try {
      const { value } = await certificateDocument(storage).load();
      if (value !== undefined) this.#certificate = fromSaved(value, settings);
    } catch (error) {
      if (error instanceof NewerFormatError) throw error;
      this.#damaged = true;
      onFault("certificate", messageOf(error), error);
    }
  }

  #make(settings: CertificateSettings): Promise<Certificate> {
    const making: Promise<Certificate> = this.#makeAndKeep(settings, () => this.#making === making);
    // Tried again by whoever needs it next.
    making.catch(() => {
      if (this.#making === making) this.#making = undefined;
    });
    return making;
  }

  async #makeAndKeep(settings: CertificateSettings, wanted: () => boolean): Promise<Certificate> {
    const { storage, jid } = this.#parts;
    // Cut between two characters, never within one.
    const address = Array.from(jid()?.bare ?? "Thing")
      .slice(0, LONGEST_NAME)
      .join("");
    const { name = address, bits } = settings.make ?? { bits: 2048 };
    const saved = await (this.#unkept ?? makeCertificate({ name, bits }, this.#parts));
    if (!wanted()) throw new StateError("a factory reset came in between");
    this.#unkept = saved;
    await certificateDocument(storage).save(saved);
    if (!wanted()) throw new StateError("a factory reset came in between");
    this.#unkept = undefined;
    return (this.#certificate = fromSaved(saved, settings));
  }
}

function fromSaved({ certificate, key }: SavedCertificate, { padding }: CertificateSettings): Certificate {
  const x509 = new X509Certificate(new Uint8Array(Buffer.from(certificate, "base64")));
  return describeCertificate(x509, decryptWith(createPrivateKey(key), padding));
}
