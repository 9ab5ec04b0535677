// RFC 5929 and RFC 9266: what ties a login to the very TLS channel that it goes through. Whoever stands in the middle has
// another channel to either side, so a login that he passes on is refused, even if his certificate was believed.
import { createHash } from "node:crypto";
import type { TLSSocket } from "node:tls";

/** The kinds of binding that Node.js can do, the strongest first. `tls-unique` is not among them: RFC 9266 section 1. */
export const bindingTypes = ["tls-exporter", "tls-server-end-point"] as const;

/** A kind of binding. */
export type BindingType = (typeof bindingTypes)[number];

/** What there is to bind to: for each kind that a channel can do, its data. */
export type ChannelBindings = ReadonlyMap<BindingType, Uint8Array>;

/**
 * What a client says of channel binding (RFC 5802 section 6). `y`: we could, but the server offers none; if it did, and
 * somebody on the way has taken the offer away, the server refuses the login. `n`: we cannot, at least not what this
 * server can. Else what the login is bound to.
 */
export type Binding = "n" | "y" | { readonly type: BindingType; readonly data: Uint8Array };

const EXPORTER_BYTES = 32;

/** What a channel can be bound by. */
export function bindingsOf(socket: TLSSocket): ChannelBindings {
  const bindings = new Map<BindingType, Uint8Array>();
  // RFC 9266 section 4.2: in older versions only with an extended master secret, of which Node.js does not tell.
  if (socket.getProtocol() === "TLSv1.3") {
    const data = socket.exportKeyingMaterial(EXPORTER_BYTES, "EXPORTER-Channel-Binding", Buffer.alloc(0));
    bindings.set("tls-exporter", new Uint8Array(data));
  }
  const certificate = socket.getPeerX509Certificate();
  const endPoint = certificate === undefined ? undefined : endPointOf(new Uint8Array(certificate.raw));
  if (endPoint !== undefined) bindings.set("tls-server-end-point", endPoint);
  return bindings;
}

/**
 * The binding `tls-server-end-point` to a certificate (DER): its hash, by the function of its own signature, SHA-256 in
 * the place of MD5 and SHA-1 (RFC 5929 section 4.1). `undefined` where that is not defined, as for Ed25519.
 */
export function endPointOf(certificate: Uint8Array): Uint8Array | undefined {
  const hash = signatureHash(certificate);
  return hash === undefined ? undefined : new Uint8Array(createHash(hash).update(certificate).digest());
}

// Object identifiers as DER has them, in hexadecimal: of signatures by RSA (RFC 8017), by ECDSA (RFC 5758), and of hash
// functions, which RSASSA-PSS names apart.
const hashes: ReadonlyMap<string, string> = new Map([
  ["2a864886f70d010104", "sha256"],
  ["2a864886f70d010105", "sha256"],
  ["2a864886f70d01010b", "sha256"],
  ["2a864886f70d01010c", "sha384"],
  ["2a864886f70d01010d", "sha512"],
  ["2a8648ce3d0401", "sha256"],
  ["2a8648ce3d040302", "sha256"],
  ["2a8648ce3d040303", "sha384"],
  ["2a8648ce3d040304", "sha512"],
  ["608648016503040201", "sha256"],
  ["608648016503040202", "sha384"],
  ["608648016503040203", "sha512"],
]);
const PSS = "2a864886f70d01010a";
const SEQUENCE = 0x30;
const IDENTIFIER = 0x06;
// The first parameter of RSASSA-PSS, where it is not the default, SHA-1.
const PSS_HASH = 0xa0;

/** RFC 5280 section 4.1: what is signed, the algorithm, the signature. */
function signatureHash(certificate: Uint8Array): string | undefined {
  const [, algorithm] = parts(part(certificate, SEQUENCE));
  const [name, parameters] = parts(part(algorithm?.whole, SEQUENCE));
  const identifier = hex(part(name?.whole, IDENTIFIER));
  if (identifier !== PSS) return hashes.get(identifier);
  const [hash] = parts(part(parameters?.whole, SEQUENCE));
  if (hash?.whole[0] !== PSS_HASH) return "sha256";
  const [own] = parts(part(part(hash.whole, PSS_HASH), SEQUENCE));
  return hashes.get(hex(part(own?.whole, IDENTIFIER)));
}

interface Piece {
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
}

/** What is in an element of that kind; nothing if it is of another. */
function part(bytes: Uint8Array | undefined, tag: number): Uint8Array {
  const [piece] = bytes === undefined || bytes[0] !== tag ? [] : parts(bytes);
  return piece?.content ?? new Uint8Array();
}

/** The elements that stand one after another (X.690 section 8.1); up to where they cannot be read. */
function parts(bytes: Uint8Array): readonly Piece[] {
  const found: Piece[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const short = bytes[at + 1] as number;
    const more = short < 0x80 ? 0 : short & 0x7f;
    const begin = at + 2 + more;
    const length = more === 0 ? short : Number.parseInt(hex(bytes.subarray(at + 2, begin)), 16);
    if (!(begin + length <= bytes.length)) break;
    found.push({ whole: bytes.subarray(at, begin + length), content: bytes.subarray(begin, begin + length) });
    at = begin + length;
  }
  return found;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
