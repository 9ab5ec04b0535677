// The Thing's own identity towards provisioning servers: its certificate, and the tokens that stand for it (XEP-0324 3.1.3).
import { raceSignal, sleep } from "../core/abort.ts";
import { StanzaError, messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { NewerFormatError } from "../storage/newer-format.ts";
import type { Certificate } from "./certificate.ts";
import { getToken, type GetTokenParts } from "./get-token.ts";
import { OwnCertificate, type OwnCertificateParts } from "./own-certificate.ts";
import { TokenStore } from "./token-store.ts";

/** What {@link OwnTokens} is made of. */
export interface OwnTokensParts extends GetTokenParts, Omit<OwnCertificateParts, "jid" | "onFault"> {
  /** The servers that are trusted now. */
  readonly trusted: () => readonly BareJid[];
  /** Background trouble. */
  readonly onFault: (code: "certificate" | "token", message: string, cause?: unknown) => void;
}

/** How long a server has to answer, in milliseconds. */
const ANSWER_WITHIN = 10_000;
// Whoever refuses is asked again when somebody may have changed that.
const AFTER_REFUSAL = 3_600_000;
// The server, or the one before it, cannot now: that changes by itself. Item-not-found is a challenge that it has forgotten
// (P-3.1.3-16).
const passing: ReadonlySet<string> = new Set([
  "internal-server-error",
  "item-not-found",
  "recipient-unavailable",
  "remote-server-not-found",
  "remote-server-timeout",
  "resource-constraint",
  "service-unavailable",
]);

/** Gets tokens, keeps them, and decrypts challenges to them. */
export class OwnTokens {
  readonly #parts: OwnTokensParts;
  readonly #store: TokenStore;
  readonly #certificate: OwnCertificate;
  #resets = 0;

  constructor(parts: OwnTokensParts) {
    this.#parts = parts;
    this.#store = new TokenStore(parts.storage);
    this.#certificate = new OwnCertificate({ ...parts, jid: () => parts.channel.jid });
  }

  /**
   * Reads the certificate and what was kept of tokens. Rejects with `ERR_CONFIG` for a certificate that cannot be used, and
   * with `ERR_STORAGE` for what a newer version has written. What is damaged in the storage is a fault, and no reason not to
   * start.
   */
  async open(): Promise<void> {
    const { certificate, onFault } = this.#parts;
    if (certificate === undefined) return; // P-E14: without it there are no tokens
    await this.#certificate.open();
    try {
      await this.#store.load();
    } catch (error) {
      if (error instanceof NewerFormatError) throw error;
      // What cannot be removed now is removed before others are kept: a disk that has broken is no reason not to start.
      await this.#store.clear().catch(() => undefined);
      onFault("token", `the tokens were damaged, and are got anew: ${messageOf(error)}`, error);
    }
  }

  /** The fingerprint of the certificate, if there is one now. */
  get fingerprint(): string | undefined {
    return this.#certificate.current?.fingerprint;
  }

  /** The tokens that trusted servers have given: all of them are sent to third parties (P-3.1.5-1, P-3.1.5-2). */
  ownTokens(): readonly string[] {
    const { current } = this.#certificate;
    if (current === undefined) return [];
    return this.#parts.trusted().flatMap((server) => this.#store.of(server, current.fingerprint) ?? []);
  }

  /** The token that one server has given, if it is trusted and there is one. */
  tokenOf(server: BareJid): string | undefined {
    const { current } = this.#certificate;
    if (current === undefined || !this.#parts.trusted().includes(server)) return undefined;
    return this.#store.of(server, current.fingerprint);
  }

  /**
   * Decrypts a challenge, if the token is the Thing's own (P-3.1.3-20); `undefined` for anybody else's. Rejects with one and
   * the same error, whatever went wrong (P-E12). Whoever calls this has looked at who the challenger is (P-3.1.3-23).
   */
  decryptChallenge(token: string, challenge: Uint8Array): Promise<Uint8Array> | undefined {
    const { current } = this.#certificate;
    if (current === undefined || !this.ownTokens().includes(token)) return undefined;
    return this.#decrypt(current, challenge);
  }

  /** What must not be seen: the tokens, and what opens the private key. */
  secrets(): readonly string[] {
    const passphrase = this.#parts.certificate?.passphrase;
    return [...this.#store.all(), ...(passphrase === undefined ? [] : [passphrase])];
  }

  /**
   * Gets the token of a server that is trusted, unless there is one already (P-3.1.1-11, P-3.1.1-14). Resolves when it is on
   * disk; rejects to be tried again.
   */
  async get(server: BareJid, signal: AbortSignal): Promise<void> {
    const resets = this.#resets;
    const certificate = await raceSignal(this.#certificate.get(), signal);
    if (certificate === undefined) return;
    const { fingerprint } = certificate;
    if (this.#store.of(server, fingerprint) === undefined) {
      const token = await this.#ask(server, certificate, signal);
      // It was given to what the Thing was before a reset, or by whom it does not trust any more.
      if (resets !== this.#resets || !this.#parts.trusted().includes(server)) return;
      this.#store.set(server, fingerprint, token);
    }
    await this.#store.save();
  }

  /** Drops the tokens of servers that are trusted no more. Durable once resolved. */
  retain(servers: readonly BareJid[]): Promise<void> {
    return this.#store.retain(servers);
  }

  /** Forgets all tokens, and the certificate if it was made here. Durable once resolved. */
  async clear(): Promise<void> {
    this.#resets++;
    await this.#store.clear();
    await this.#certificate.clear();
  }

  async #ask(server: BareJid, certificate: Certificate, signal: AbortSignal): Promise<string> {
    const { clock, onFault } = this.#parts;
    try {
      const told = { ...certificate, decrypt: (challenge: Uint8Array) => this.#decrypt(certificate, challenge) };
      return await getToken(this.#parts, server, told, { signal, timeout: ANSWER_WITHIN });
    } catch (error) {
      if (error instanceof StanzaError && error.type !== "wait" && !passing.has(error.condition)) {
        onFault("token", `no token: ${error.message}; asked again in an hour`, error);
        await sleep(clock, AFTER_REFUSAL, signal);
      }
      throw error;
    }
  }

  /** The challenger is told no more than that it failed. Whoever has written a callback wants to know why. */
  async #decrypt(certificate: Certificate, challenge: Uint8Array): Promise<Uint8Array> {
    try {
      return await certificate.decrypt(challenge);
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (cause !== undefined) this.#parts.onFault("token", `certificate.decrypt failed: ${messageOf(cause)}`, cause);
      throw error;
    }
  }
}
