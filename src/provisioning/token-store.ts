// The tokens the Thing has got, on disk: they have no end, and are used again after a restart (P-3.1.1-14).
import type { BareJid } from "../core/jid.ts";
import { tryParseJid } from "../core/jid.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import { isToken } from "../codec/tokens.ts";
import { Document } from "../storage/document.ts";
import { removeIfThere, type Storage } from "../storage/storage.ts";

/** What is kept of tokens. */
export interface SavedTokens {
  /** The fingerprint (SHA-256) of the certificate they stand for. */
  readonly certificate: string;
  /** One for each server at most (P-3.1.5-1). */
  readonly tokens: readonly SavedToken[];
}

/** A token. */
export interface SavedToken {
  /** The provisioning server that has given it. */
  readonly server: BareJid;
  /** The token. */
  readonly token: string;
}

/** The document that holds them: `tokens`, JSON of {@link SavedTokens}. */
export function tokensDocument(storage: Storage): Document<SavedTokens> {
  return new Document({ storage, name: "tokens", format: 1, parse: parseSavedTokens });
}

/** Reads what was kept. Throws if it is not whole. */
export function parseSavedTokens(value: unknown): SavedTokens {
  const { certificate, tokens } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof certificate !== "string" || !Array.isArray(tokens)) throw new TypeError("no tokens");
  const read = tokens.map(parseSavedToken);
  if (new Set(read.map(({ server }) => server)).size !== read.length) throw new TypeError("two tokens of one server");
  return { certificate, tokens: read };
}

function parseSavedToken(value: unknown): SavedToken {
  const { server, token } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const jid = typeof server === "string" ? tryParseJid(server) : undefined;
  if (jid === undefined || jid.bare !== server) throw new TypeError("no address of a server");
  if (typeof token !== "string" || !isToken(token)) throw new TypeError("no token");
  return { server: jid.bare, token };
}

/** One token for each trusted server, in memory and on disk. */
export class TokenStore {
  readonly #storage: Storage;
  readonly #queue = new SerialQueue();
  #document: Document<SavedTokens>;
  #certificate = "";
  #tokens = new Map<BareJid, string>();
  #known = false;
  /** The last write failed: the disk says something else. */
  #lags = false;
  /** What is on disk is to go before anything is written. */
  #remains = false;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#document = tokensDocument(storage);
  }

  /** Reads what was kept. Rejects with `ERR_STORAGE` for what is damaged: there are no tokens then. */
  async load(): Promise<void> {
    const { value } = await this.#document.load();
    this.#known = value !== undefined;
    this.#certificate = value?.certificate ?? "";
    this.#tokens = new Map(value?.tokens.map(({ server, token }) => [server, token]));
  }

  /** All tokens, in no order that means anything. */
  all(): readonly string[] {
    return [...this.#tokens.values()];
  }

  /** The token of a server, if there is one that stands for this certificate. */
  of(server: BareJid, certificate: string): string | undefined {
    return this.#certificate === certificate ? this.#tokens.get(server) : undefined;
  }

  /** From now on this is the token of that server. Tokens of another certificate are gone. {@link save} keeps it. */
  set(server: BareJid, certificate: string, token: string): void {
    if (this.#certificate !== certificate) this.#tokens.clear();
    this.#certificate = certificate;
    this.#tokens.set(server, token);
  }

  /** Keeps what there is. Durable once resolved. Writes nothing if nothing has changed. */
  async save(): Promise<void> {
    if (this.#tokens.size === 0 && !this.#known) return;
    this.#known = true;
    await this.#queue.run(async () => {
      this.#lags = true;
      if (this.#remains) await this.#remove();
      await this.#document.save({
        certificate: this.#certificate,
        tokens: [...this.#tokens].map(([server, token]) => ({ server, token })),
      });
      this.#lags = false;
    });
  }

  /** Drops the tokens of all others: they are trusted no more. Durable once resolved. */
  async retain(servers: readonly BareJid[]): Promise<void> {
    const strangers = [...this.#tokens.keys()].filter((server) => !servers.includes(server));
    if (strangers.length === 0 && !this.#lags) return;
    for (const server of strangers) this.#tokens.delete(server);
    await this.save();
  }

  /** Forgets all, also on disk and in the generation before. Durable once resolved. */
  async clear(): Promise<void> {
    this.#tokens.clear();
    this.#known = false;
    this.#remains = true;
    await this.#queue.run(() => this.#remove());
  }

  async #remove(): Promise<void> {
    await removeIfThere(this.#storage, "tokens.previous");
    await removeIfThere(this.#storage, "tokens");
    this.#document = tokensDocument(this.#storage); // it knew what was there
    this.#remains = false;
    this.#lags = false;
  }
}
