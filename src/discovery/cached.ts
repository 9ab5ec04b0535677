// The server that worked last, on disk: the first to try at the next start (XEP-0347 3.4).
import { messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { Document } from "../storage/document.ts";
import type { Storage } from "../storage/storage.ts";
import { rank, type FoundServer, type ServerCandidate } from "./candidate.ts";
import { Sieve, keyOf } from "./sieve.ts";

/** A server as it is kept: its address, who has found it, and what whoever announced it has named. */
export interface SavedServer {
  readonly host: string;
  readonly port: number;
  readonly directTls: boolean;
  readonly domain: string;
  readonly registries: readonly string[];
  readonly provisioning: readonly string[];
  /** The name of the finder that has found it. */
  readonly finder: string;
}

/** The document that holds it: `server`, JSON of a {@link SavedServer}, or null after a factory reset. */
export function serverDocument(storage: Storage): Document<SavedServer | null> {
  return new Document({ storage, name: "server", format: 1, parse: parseSavedServer });
}

/** Reads what was kept. Throws if it is not whole. */
export function parseSavedServer(value: unknown): SavedServer | null {
  if (value === null) return null;
  const { finder } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const found = taken(value);
  if (found === undefined || typeof finder !== "string" || finder === "") throw new TypeError("no server");
  const { host, port, directTls, domain, registries, provisioning } = found;
  return { host, port, directTls, domain, registries, provisioning, finder };
}

/** Checked as what finders say is: on a disk that was tampered with stands whatever somebody likes. */
function taken(value: unknown): ServerCandidate | undefined {
  const quiet = (): void => undefined;
  const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const finder = { name: "cached", rank: rank.cached, find: () => [] as unknown as AsyncIterable<FoundServer> };
  return new Sieve(finder, { logger }).take({ ...(value as object), heard: "worked last time" });
}

/** Keeps the server that worked last. Never rejects: without it the server is searched for. */
export class CachedServer {
  readonly #document: Document<SavedServer | null>;
  readonly #logger: Logger;
  #server: ServerCandidate | undefined;
  #foundBy = "";
  #writing: Promise<void> = Promise.resolve();

  constructor(options: { readonly storage: Storage; readonly logger: Logger }) {
    this.#document = serverDocument(options.storage);
    this.#logger = options.logger;
  }

  /** The server; `undefined` if none has worked yet. The same object until it changes. */
  get server(): ServerCandidate | undefined {
    return this.#server;
  }

  /** The name of the finder that had found it. */
  get foundBy(): string {
    return this.#foundBy;
  }

  /** Reads what was kept. What is damaged is as good as nothing. */
  async load(): Promise<void> {
    try {
      const { value } = await this.#document.load();
      this.#server = value === null ? undefined : taken(value);
      this.#foundBy = value?.finder ?? "";
    } catch (error) {
      this.#logger.warn("the server that worked last could not be read", { why: messageOf(error) });
    }
  }

  /** This one works. Written only if it is another one than before, or said to have other services. */
  keep(candidate: ServerCandidate): void {
    if (candidate === this.#server) return;
    const { host, port, directTls, domain, registries, provisioning, finder } = candidate;
    const before = this.#server;
    const same = before !== undefined && keyOf(before) === keyOf(candidate) && sameHints(before, candidate);
    // Who has found it this time is worth a write only if it is more than hearsay.
    if (same && (finder !== "configured" || this.#foundBy === finder)) return;
    this.#foundBy = finder;
    const saved: SavedServer = { host, port, directTls, domain, registries, provisioning, finder };
    this.#server = taken(saved);
    this.#write(saved);
  }

  /** After a factory reset: whoever holds the Thing now may have taken it to another house. Resolves when it is done. */
  async forget(): Promise<void> {
    this.#server = undefined;
    this.#write(null);
    await this.#writing;
  }

  /** Resolves when what is being written is. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  #write(value: SavedServer | null): void {
    this.#writing = this.#document
      .save(value)
      .catch((error: unknown) => this.#logger.warn("the server could not be kept", { why: messageOf(error) }));
  }
}

function sameHints(one: ServerCandidate, other: ServerCandidate): boolean {
  const hints = ({ registries, provisioning }: ServerCandidate): string => JSON.stringify([registries, provisioning]);
  return hints(one) === hints(other);
}
