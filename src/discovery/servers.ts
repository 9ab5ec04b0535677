// The servers of a Thing that finds them by itself, round after round: XEP-0347 3.1, 3.3, 3.4.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { ServerAddress } from "./address.ts";
import type { CachedServer } from "./cached.ts";
import type { ServerCandidate } from "./candidate.ts";
import type { ServiceHints } from "./components.ts";
import type { Finder } from "./finder.ts";
import { findersOf } from "./finders.ts";
import type { DiscoverySettings } from "./options.ts";
import { Ranking } from "./ranking.ts";
import type { ServerSource } from "./server-source.ts";
import { keyOf } from "./sieve.ts";

/** What {@link FoundServers} are made of. */
export interface FoundServersOptions {
  /** How to search. */
  readonly settings: DiscoverySettings;
  /** The server that worked last. */
  readonly cached: CachedServer;
  /** The one domain that counts at the moment; `undefined`: any. Its DNS is asked too. */
  readonly onlyDomain: () => string | undefined;
  /** Told when it is time to wait for finders. */
  readonly onSearching: () => void;
  /** Told once a search what of the network's packets was not taken: how often, by finder and reason. */
  readonly onDropped: (dropped: ReadonlyMap<string, number>) => void;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** The finders of a search. Default: those that the settings switch on. */
  readonly finders?: (settings: DiscoverySettings) => readonly Finder[];
  /** How long to wait for better ones, in milliseconds. Default 2,000. */
  readonly patience?: number;
}

const NO_HINTS: ServiceHints = { registries: [], provisioning: [] };

/**
 * First the server that worked last; then whatever is heard of, the most trusted first; at last the one of before, if it
 * did not work. Each at most once a round.
 */
export class FoundServers implements ServerSource {
  readonly #options: FoundServersOptions;
  #cachedFailed = false;
  #offered: ServerCandidate | undefined;
  #inUse: ServerCandidate | undefined;

  constructor(options: FoundServersOptions) {
    this.#options = options;
  }

  /** What the one in use, or used last, was announced with. */
  get hints(): ServiceHints {
    return this.#inUse ?? NO_HINTS;
  }

  /** A round. Whoever breaks it off ends the search at once, also while that is waited for. */
  addresses(): AsyncIterable<ServerCandidate> {
    return {
      [Symbol.asyncIterator]: () => {
        const round = new Round();
        const servers = this.#round(round);
        return {
          next: () => servers.next(),
          return: () => {
            round.ranking?.stop();
            return servers.return();
          },
        };
      },
    };
  }

  /** Told of each try. */
  tried(address: ServerAddress, worked: boolean): void {
    const candidate = this.#offered;
    if (candidate === undefined || candidate !== address) return;
    const { cached } = this.#options;
    if (worked) {
      this.#inUse = candidate;
      this.#cachedFailed = false;
      cached.keep(candidate);
    } else if (cached.server !== undefined && keyOf(cached.server) === keyOf(candidate)) {
      this.#cachedFailed = true;
    }
  }

  async *#round(round: Round): AsyncGenerator<ServerCandidate, void> {
    const { cached, onlyDomain, onSearching } = this.#options;
    const domain = onlyDomain();
    const offered = new Set<string>();
    const offer = (candidate: ServerCandidate): ServerCandidate => {
      offered.add(keyOf(candidate));
      return (this.#offered = candidate);
    };
    const last = cached.server?.domain === (domain ?? cached.server?.domain) ? cached.server : undefined;
    if (last !== undefined && !this.#cachedFailed && this.#isFirst) yield offer(last);
    const ranking = this.#search(domain);
    round.ranking = ranking;
    try {
      for (;;) {
        const next = await ranking.next(onSearching);
        if (next === undefined) break;
        if (!offered.has(keyOf(next))) yield offer(next);
      }
    } finally {
      ranking.stop();
    }
    if (last !== undefined && !offered.has(keyOf(last))) yield offer(last);
    if (offered.size === 0) throw ranking.nothing;
  }

  /**
   * Where a domain is configured, what its DNS says comes first. A host that was merely heard of may be somebody on the way,
   * who passes everything on to the true server until he does not.
   */
  get #isFirst(): boolean {
    return this.#options.settings.domain === undefined || this.#options.cached.foundBy === "configured";
  }

  #search(domain: string | undefined): Ranking {
    const { settings, finders = findersOf, clock, random, logger, patience, onDropped } = this.#options;
    return new Ranking({
      finders: finders({ ...settings, domain }),
      domain,
      timeout: settings.timeout,
      ...{ clock, random, logger, patience },
      onEnd: onDropped,
    });
  }
}

/** What of a round is to be ended when somebody breaks it off. */
class Round {
  ranking: Ranking | undefined;
}
