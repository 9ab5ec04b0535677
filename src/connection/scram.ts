// RFC 5802 and RFC 7677: SCRAM, the client's side, with the hash functions SHA-512, SHA-256 and SHA-1.
import { createHash, createHmac, pbkdf2, timingSafeEqual } from "node:crypto";
import { AuthenticationError } from "../core/errors.ts";
import type { Binding } from "./channel-binding.ts";

/** The hash functions that SCRAM is used with here, the strongest first. */
export const scramHashes = ["SHA-512", "SHA-256", "SHA-1"] as const;

/** A hash function. */
export type ScramHash = (typeof scramHashes)[number];

const hashes: Readonly<Record<ScramHash, { readonly hash: string; readonly bytes: number }>> = {
  "SHA-512": { hash: "sha512", bytes: 64 },
  "SHA-256": { hash: "sha256", bytes: 32 },
  "SHA-1": { hash: "sha1", bytes: 20 },
};

// RFC 5802 section 5.1 recommends at least 4,096 rounds: fewer make the proof easy to guess from. More than a million
// would keep a small device busy for minutes at the word of a server that has proved nothing yet.
const FEWEST_ROUNDS = 4_096;
const MOST_ROUNDS = 1_000_000;

function derive(password: string, salt: Uint8Array, rounds: number, bytes: number, hash: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, rounds, bytes, hash, (error, key) => (error ? reject(error) : resolve(new Uint8Array(key))));
  });
}

/** One login. Speaks in the texts that SASL carries; knows no stream. Every failure is an `ERR_AUTHENTICATION`. */
export class ScramClient {
  readonly #hash: string;
  readonly #bytes: number;
  readonly #password: string;
  readonly #nonce: string;
  readonly #header: string;
  readonly #channel: Uint8Array;
  readonly #bare: string;
  #expected: Uint8Array | undefined;
  #verified = false;

  /** @param nonce fresh randomness, printable, without comma */
  constructor(options: { hash: ScramHash; binding: Binding; username: string; password: string; nonce: string }) {
    const { hash, bytes } = hashes[options.hash];
    const { binding } = options;
    this.#hash = hash;
    this.#bytes = bytes;
    this.#nonce = options.nonce;
    // RFC 5802 section 6
    this.#header = typeof binding === "string" ? `${binding},,` : `p=${binding.type},,`;
    this.#channel = typeof binding === "string" ? new Uint8Array() : binding.data;
    this.#password = prepare(options.password);
    const name = prepare(options.username).replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#bare = `n=${name},r=${options.nonce}`;
  }

  /** The server has proved that it knows the password (or what was derived from it). */
  get verified(): boolean {
    return this.#verified;
  }

  /** The client's first message. */
  first(): string {
    return this.#header + this.#bare;
  }

  /** The client's final message, the answer to the server's first. */
  async final(serverFirst: string): Promise<string> {
    const { nonce, salt, rounds } = parseServerFirst(serverFirst);
    // A nonce that does not continue ours is the replay of another login.
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) throw broken("a nonce that is not ours");
    if (!(rounds >= FEWEST_ROUNDS && rounds <= MOST_ROUNDS)) throw broken(`an iteration count of ${rounds}`);
    const salted = await derive(this.#password, salt, rounds, this.#bytes, this.#hash);
    const clientKey = this.#hmac(salted, "Client Key");
    const storedKey = new Uint8Array(createHash(this.#hash).update(clientKey).digest());
    const header = new Uint8Array(Buffer.from(this.#header));
    const bound = Buffer.from(new Uint8Array([...header, ...this.#channel])).toString("base64");
    const withoutProof = `c=${bound},r=${nonce}`;
    const message = `${this.#bare},${serverFirst},${withoutProof}`;
    const signature = this.#hmac(storedKey, message);
    this.#expected = this.#hmac(this.#hmac(salted, "Server Key"), message);
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] as number));
    return `${withoutProof},p=${Buffer.from(proof).toString("base64")}`;
  }

  /** Checks the server's final message: whether the server knows the password too. */
  verify(serverFinal: string): void {
    const { e: error, v: verifier } = Object.fromEntries(attributes(serverFinal)) as { e?: string; v?: string };
    if (error !== undefined) throw new AuthenticationError(`the login was refused: ${error}`);
    const shown = fromBase64(verifier ?? "");
    // Without the round before there is nothing that could be right.
    const expected = this.#expected;
    if (expected === undefined || shown?.length !== expected.length || !timingSafeEqual(shown, expected)) {
      throw new AuthenticationError("the server did not prove that it knows the password");
    }
    this.#verified = true;
  }

  #hmac(key: Uint8Array, text: string): Uint8Array {
    return new Uint8Array(createHmac(this.#hash, key).update(text).digest());
  }
}

/**
 * RFC 5802 asks for SASLprep (RFC 4013). NFKC is what it comes to for text without control characters and
 * without the few characters that SASLprep maps to nothing.
 */
function prepare(text: string): string {
  return text.normalize("NFKC");
}

function attributes(message: string): [string, string][] {
  return message.split(",").map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]);
}

function parseServerFirst(message: string): { nonce: string; salt: Uint8Array; rounds: number } {
  const [first, second, third] = attributes(message);
  // RFC 5802 section 5.1: the order is fixed; `m=` in front is an extension that must be understood.
  if (first?.[0] !== "r" || second?.[0] !== "s" || third?.[0] !== "i") throw broken("a first message of another form");
  const salt = fromBase64(second[1]);
  if (salt === undefined || salt.length === 0) throw broken("no salt");
  return { nonce: first[1], salt, rounds: /^[1-9]\d*$/.test(third[1]) ? Number(third[1]) : 0 };
}

/**
 * Bytes as RFC 4648 section 4 writes them; `undefined` for anything else. Node's own reader passes over what is none: a
 * proof that is not what was sent would count.
 */
export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Buffer.from(text, "base64"));
  return Buffer.from(bytes).toString("base64") === text ? bytes : undefined;
}

/** What is wrong with the server's part of the login. */
export function broken(what: string): AuthenticationError {
  return new AuthenticationError(`the server's login exchange is not to be trusted: it holds ${what}`);
}
