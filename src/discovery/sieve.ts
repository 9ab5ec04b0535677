// What finders yield, checked before anybody goes by it: they repeat what strangers say, or are a program's own.
import { messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { own } from "../core/own.ts";
import { tryParseJid } from "../core/jid.ts";
import { rank, type ServerCandidate } from "./candidate.ts";
import type { Finder } from "./finder.ts";
import { tryDomain, tryHost } from "./host.ts";

// More than any home has. Whoever announces thousands fills no memory, and cannot keep a Thing busy for long.
const MOST_OF_ONE_FINDER = 64;
// Of whatever is yielded, also twice, for other domains, or no server at all: a finder that never stops would leave no
// time for timers.
const MOST_YIELDED = 4_096;
const MOST_HINTS = 16;
const LONGEST_WORDS = 300;

/** What a {@link Sieve} goes by. */
export interface SieveOptions {
  /** The only domain whose servers count. Default: all count. */
  readonly domain?: string | undefined;
  /** Whether a server comes again when it is named with a better preference. Default: each comes once. */
  readonly again?: boolean | undefined;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** Told of each packet that was not taken. */
  readonly onDropped?: ((finder: string, why: string) => void) | undefined;
}

/** Takes what one finder yields in one search: servers, each once, of the domain that is wanted, and not too many. */
export class Sieve {
  readonly #finder: Finder;
  readonly #options: SieveOptions;
  /** The best preference that each was named with. */
  readonly #taken = new Map<string, number>();
  readonly #others = new Set<string>();
  #yielded = 0;
  #isFull = false;
  // The first thing that was wrong, for whoever has written the finder.
  #wrong = "";

  constructor(finder: Finder, options: SieveOptions) {
    this.#finder = finder;
    this.#options = options;
  }

  /** How many servers it has given. */
  get count(): number {
    return this.#taken.size;
  }

  /** The server that was yielded, complete and checked; `undefined` if it is none, or does not count. */
  take(found: unknown): ServerCandidate | undefined {
    if (++this.#yielded > MOST_YIELDED) this.#isFull = true;
    const candidate = checked(found, this.#finder);
    if (typeof candidate === "string") {
      if (this.#wrong === "") this.#wrong = candidate;
      this.drop("malformed");
      return undefined;
    }
    const { domain } = this.#options;
    if (domain !== undefined && candidate.domain !== domain) {
      if (this.#others.size < MOST_HINTS) this.#others.add(candidate.domain);
      return undefined;
    }
    const key = keyOf(candidate);
    const { preference } = candidate;
    const before = this.#taken.get(key);
    if (before !== undefined && (this.#options.again !== true || before <= preference)) return undefined;
    const { most = MOST_OF_ONE_FINDER } = this.#finder;
    if (before === undefined && this.#taken.size >= most) this.#isFull = true;
    if (this.#isFull) return undefined;
    this.#taken.set(key, preference);
    return candidate;
  }

  /** True when nothing more will be taken. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Counts something that was not taken. Whoever is told may fail without harm. */
  readonly drop = (why: string): void => {
    try {
      this.#options.onDropped?.(this.#finder.name, short(why));
    } catch (error) {
      this.#options.logger.error("onDropped threw", { why: messageOf(error) });
    }
  };

  /** Why nothing was found, completed by what does not count. */
  words(why: string): string {
    const { domain } = this.#options;
    if (domain !== undefined && this.#others.size > 0) {
      return short(`heard only of other domains than ${domain}: ${[...this.#others].join(", ")}`);
    }
    return this.#yielded > 0 ? `found nothing that can be used: ${this.#wrong}` : why;
  }
}

/** What was yielded, or what is wrong with it: constant words, whoever has sent it. */
function checked(found: unknown, finder: Finder): ServerCandidate | string {
  if (typeof found !== "object" || found === null) return "a server must be an object";
  const given = found as Readonly<Partial<Record<keyof ServerCandidate, unknown>>>;
  const host = tryHost(given.host);
  const domain = tryDomain(given.domain);
  const { port, directTls = false } = given;
  if (host === undefined) return "host must be the name or the address of a host";
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535) {
    return "port must be a whole number from 1 to 65535";
  }
  if (domain === undefined) return "domain must be an XMPP domain";
  if (typeof directTls !== "boolean") return "directTls must be true or false";
  return {
    host,
    port,
    directTls,
    domain,
    preference: numberOr(given.preference, 0),
    rank: numberOr(given.rank, numberOr(finder.rank, rank.own)),
    registries: hints(given.registries),
    provisioning: hints(given.provisioning),
    heard: short(given.heard),
    finder: finder.name,
  };
}

function numberOr(given: unknown, otherwise: number): number {
  return typeof given === "number" && Number.isFinite(given) ? given : otherwise;
}

/** Bare JIDs and domains; whatever is none is left out. */
function hints(given: unknown): readonly string[] {
  if (!Array.isArray(given)) return [];
  const jids = given.slice(0, MOST_HINTS).flatMap((text: unknown) => {
    const jid = typeof text === "string" ? tryParseJid(text) : undefined;
    return jid === undefined || jid.resource !== "" ? [] : [jid.bare];
  });
  return [...new Set(jids)];
}

/** Words of strangers, of a length that a person reads. */
export function short(words: unknown): string {
  return typeof words === "string" ? own(words.slice(0, LONGEST_WORDS)) : "";
}

/** Two that are tried in the same way are one. */
export function keyOf({ host, port, directTls, domain }: ServerCandidate): string {
  return JSON.stringify([host, port, directTls, domain]);
}
