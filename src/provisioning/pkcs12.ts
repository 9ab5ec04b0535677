// PKCS #12 (RFC 7292): certificate and key in one file, as authorities hand them out. Node.js does not open it outside of TLS.
import { X509Certificate, createPrivateKey, type KeyObject } from "node:crypto";
import { ConfigError } from "../core/errors.ts";
import type { Forge } from "./forge.ts";

/** What is in such a file. */
export interface Pkcs12Content {
  /** The certificate that belongs to the key, else the first. */
  readonly certificate: X509Certificate;
  /** The first private key; `undefined` if there is none. */
  readonly key: KeyObject | undefined;
}

/** Opens it; `undefined` for bytes that are none. Throws `ERR_CONFIG` for one that the passphrase does not open. */
export function openPkcs12(
  forge: Forge,
  bytes: Uint8Array,
  passphrase: string | undefined,
  path: string,
): Pkcs12Content | undefined {
  const { asn1, pki, util } = forge;
  let shape: ReturnType<typeof asn1.fromDer>;
  try {
    shape = asn1.fromDer(util.createBuffer(Buffer.from(bytes).toString("binary")));
  } catch {
    return undefined;
  }
  // A PFX is a sequence that begins with the number 3 (RFC 7292 section 4).
  if (!pfxHasVersion3(forge, shape)) return undefined;
  let pfx: Opened;
  try {
    pfx = opened(forge, shape, passphrase ?? "");
  } catch (error) {
    const why =
      passphrase === undefined
        ? "the PKCS #12 content needs certificate.passphrase"
        : "certificate.passphrase does not open the PKCS #12 content";
    throw new ConfigError(`${path}: ${why}`, { cause: error });
  }
  const bags = pfx.safeContents.flatMap(({ safeBags }) => safeBags);
  const keys = bags.flatMap(({ key }) => (key ? [createPrivateKey(pki.privateKeyToPem(key))] : []));
  const certificates = bags.flatMap((bag) => {
    if (bag.type !== pki.oids["certBag"]) return [];
    // One that node-forge cannot read, with another key than RSA, is still told what is wrong with it.
    const der = asn1.toDer(bag.cert ? pki.certificateToAsn1(bag.cert) : bag.asn1).getBytes();
    return [new X509Certificate(new Uint8Array(Buffer.from(der, "binary")))];
  });
  const [key] = keys;
  const certificate = certificates.find((one) => key !== undefined && one.checkPrivateKey(key)) ?? certificates[0];
  if (certificate === undefined) throw new ConfigError(`${path}: there is no certificate in the PKCS #12 content`);
  return { certificate, key };
}

type Opened = ReturnType<Forge["pkcs12"]["pkcs12FromAsn1"]>;
type Shape = ReturnType<Forge["asn1"]["fromDer"]>;

/**
 * Opens it. RFC 7292 appendix B.1 takes a passphrase as UTF-16, for the checksum too; where AES encrypts (RFC 8018) OpenSSL
 * takes it as UTF-8, and node-forge as Latin-1. So a second try is made with its UTF-8, and without the checksum, which
 * says no more than that the passphrase is right: a wrong one does not come to a certificate with its key.
 */
function opened({ pkcs12, util }: Forge, shape: Shape, passphrase: string): Opened {
  try {
    return pkcs12.pkcs12FromAsn1(shape, true, passphrase);
  } catch (error) {
    const asUtf8 = util.encodeUtf8(passphrase);
    if (asUtf8 === passphrase || !Array.isArray(shape.value)) throw error;
    return pkcs12.pkcs12FromAsn1({ ...shape, value: shape.value.slice(0, 2) }, true, asUtf8);
  }
}

function pfxHasVersion3({ asn1 }: Forge, shape: { readonly value: unknown }): boolean {
  const [version, , ...others] = Array.isArray(shape.value) ? (shape.value as readonly unknown[]) : [];
  if (others.length > 1 || typeof version !== "object" || version === null) return false;
  const { type, value } = version as { readonly type?: unknown; readonly value?: unknown };
  return type === asn1.Type.INTEGER && value === "\u0003";
}
