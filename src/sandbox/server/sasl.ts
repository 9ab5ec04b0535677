// RFC 6120 section 6, RFC 5802, RFC 7677, RFC 4616: how a client proves that it knows the password.
import { timingSafeEqual } from "node:crypto";
import { randomToken, type RandomSource } from "../../core/random.ts";
import { digest, hmac, type Credentials, type ScramHash, type ScramKeys } from "./credentials.ts";

/** Failures of RFC 6120 section 6.5 that occur here. */
export type SaslCondition =
  | "aborted"
  | "encryption-required"
  | "incorrect-encoding"
  | "invalid-authzid"
  | "invalid-mechanism"
  | "malformed-request"
  | "not-authorized";

/** What the server does next. */
export type SaslStep =
  | { readonly kind: "challenge"; readonly data: string }
  | { readonly kind: "success"; readonly username: string; readonly data: string }
  | { readonly kind: "failure"; readonly condition: SaslCondition };

/** One try of one client. */
export interface SaslExchange {
  /** Takes the client's next message. */
  respond(message: string): SaslStep;
}

/** Whom the mechanisms ask. */
export interface SaslAuthority {
  /** The domain that names belong to. */
  readonly domain: string;
  /** What is kept of a password; invented for a name without an account. */
  credentialsOf(username: string): Credentials;
  /** Compares a password in clear. */
  checkPassword(username: string, password: string): boolean;
}

/** What a client's TLS channel can be bound by: the data for each kind of binding (RFC 5929, RFC 9266). */
export type Channel = ReadonlyMap<string, Uint8Array>;

const scramHashes: ReadonlyMap<string, ScramHash> = new Map([
  ["SCRAM-SHA-512", "sha512"],
  ["SCRAM-SHA-256", "sha256"],
  ["SCRAM-SHA-1", "sha1"],
]);
const PLUS = "-PLUS";

/** The mechanisms, the best one first. All of them are for streams inside TLS. */
export function mechanismsFor(channel: Channel): readonly string[] {
  const names = [...scramHashes.keys()];
  return [...(channel.size > 0 ? names.map((name) => name + PLUS) : []), ...names, "PLAIN"];
}

/** Begins a try; `undefined` for a mechanism that is not offered. */
export function startSasl(
  name: string,
  authority: SaslAuthority,
  random: RandomSource,
  channel: Channel = new Map(),
): SaslExchange | undefined {
  if (!mechanismsFor(channel).includes(name)) return undefined;
  const bound = name.endsWith(PLUS);
  const hash = scramHashes.get(bound ? name.slice(0, -PLUS.length) : name);
  if (hash !== undefined) return new Scram({ hash, bound, channel }, authority, random);
  return { respond: (message) => plain(message, authority) };
}

const fail = (condition: SaslCondition): SaslStep => ({ kind: "failure", condition });

/** RFC 4616: whom to act for, who one is, the password. */
function plain(message: string, authority: SaslAuthority): SaslStep {
  const [authzid, username, password, ...more] = message.split("\0");
  if (!username || !password || more.length > 0) return fail("malformed-request");
  if (!authority.checkPassword(username, password)) return fail("not-authorized");
  if (authzid && !namesUser(authzid, username, authority)) return fail("invalid-authzid");
  return { kind: "success", username, data: "" };
}

interface ScramState {
  readonly username: string;
  readonly authzid: string | undefined;
  readonly keys: ScramKeys;
  /** What the client said first about channel binding, with what it is bound to, in base64: it must stand by it. */
  readonly binding: string;
  readonly nonce: string;
  /** Both first messages, as the signatures cover them. */
  readonly transcript: string;
}

// RFC 5802 section 7.
const clientFirst = /^((n|y|p=([A-Za-z0-9.-]+)),(?:a=([^,\0]+))?,)(n=([^,\0]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s;
const clientFinal = /^(c=([^,]+),r=([^,]+)(?:,.*)?),p=([A-Za-z0-9+/]+={0,2})$/s;

class Scram implements SaslExchange {
  readonly #hash: ScramHash;
  readonly #bound: boolean;
  readonly #channel: Channel;
  readonly #authority: SaslAuthority;
  readonly #random: RandomSource;
  #state: ScramState | undefined;

  constructor(
    { hash, bound, channel }: { hash: ScramHash; bound: boolean; channel: Channel },
    authority: SaslAuthority,
    random: RandomSource,
  ) {
    this.#hash = hash;
    this.#bound = bound;
    this.#channel = channel;
    this.#authority = authority;
    this.#random = random;
  }

  respond(message: string): SaslStep {
    return this.#state === undefined ? this.#first(message) : this.#final(message, this.#state);
  }

  #first(message: string): SaslStep {
    const [, header, flag, type, authzid, bare, saslName, clientNonce] = clientFirst.exec(message) ?? [];
    const username = unescapeName(saslName);
    if (header === undefined || bare === undefined || clientNonce === undefined || username === undefined) {
      return fail("malformed-request");
    }
    // RFC 5802 section 6: who could bind, and takes us for one that cannot, has had the offer taken away on the way.
    if (flag === "y" && this.#channel.size > 0) return fail("not-authorized");
    const binding = type === undefined ? new Uint8Array() : this.#channel.get(type);
    if (binding === undefined || this.#bound !== (type !== undefined)) return fail("malformed-request");
    const keys = this.#authority.credentialsOf(username)[this.#hash];
    const nonce = clientNonce + randomToken(this.#random);
    const data = `r=${nonce},s=${Buffer.from(keys.salt).toString("base64")},i=${keys.iterations}`;
    this.#state = {
      username,
      authzid: unescapeName(authzid),
      keys,
      binding: Buffer.from(new Uint8Array([...new Uint8Array(Buffer.from(header)), ...binding])).toString("base64"),
      nonce,
      transcript: `${bare},${data}`,
    };
    return { kind: "challenge", data };
  }

  #final(message: string, state: ScramState): SaslStep {
    const [, withoutProof, binding, nonce, encoded] = clientFinal.exec(message) ?? [];
    if (withoutProof === undefined || encoded === undefined) return fail("malformed-request");
    const { keys, username, authzid } = state;
    if (binding !== state.binding || nonce !== state.nonce) return fail("not-authorized");
    const signed = `${state.transcript},${withoutProof}`;
    const signature = hmac(this.#hash, keys.storedKey, signed);
    const proof = Buffer.from(encoded, "base64");
    if (proof.length !== signature.length) return fail("not-authorized");
    // RFC 5802 section 3: the proof uncovers the client's key, whose hash is known
    const clientKey = signature.map((byte, index) => byte ^ (proof[index] ?? 0));
    if (!timingSafeEqual(digest(this.#hash, clientKey), keys.storedKey)) return fail("not-authorized");
    if (authzid !== undefined && !namesUser(authzid, username, this.#authority)) return fail("invalid-authzid");
    const verifier = Buffer.from(hmac(this.#hash, keys.serverKey, signed)).toString("base64");
    return { kind: "success", username, data: `v=${verifier}` };
  }
}

/** RFC 5802 section 5.1: `,` and `=` in names are spelled out. `undefined` if badly spelled. */
function unescapeName(name: string | undefined): string | undefined {
  if (name === undefined || /=(?!2C|3D)/.test(name)) return undefined;
  return name.replaceAll("=2C", ",").replaceAll("=3D", "=");
}

/** RFC 6120 section 6.3.8: nobody acts for anybody else here, but one may name oneself. */
function namesUser(authzid: string, username: string, { domain }: SaslAuthority): boolean {
  return authzid.toLowerCase() === `${username}@${domain}`.toLowerCase();
}
