// All finders side by side, under one deadline: XEP-0347 3.3.
import { withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { DiscoveryError, TimeoutError, messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import { rank, type FoundServer, type ServerCandidate } from "./candidate.ts";
import type { Finder } from "./finder.ts";

/** What a search goes by. */
export interface SearchOptions {
  /** The ways to search. */
  readonly finders: readonly Finder[];
  /** How long to listen, in milliseconds. */
  readonly timeout: number;
  /** Ends the search; it then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** Told of each packet that was not taken. */
  readonly onDropped?: ((finder: string, why: string) => void) | undefined;
}

/** A finder that was asked, and what came of it. */
export interface Tried {
  /** Its name. */
  readonly finder: string;
  /** Why it has found nothing. */
  readonly why: string;
}

/** Nothing was found: what each finder has to say to it. */
export class NothingFoundError extends DiscoveryError {
  constructor(
    /** Every finder that was asked. */
    readonly tried: readonly Tried[],
  ) {
    const list = tried.map(({ finder, why }) => `${finder}: ${why}`).join("; ");
    super(`no XMPP server was found (${list === "" ? "no way to search is switched on" : list})`);
  }
}

// More than any home has. Whoever announces thousands fills no memory, and cannot keep a Thing busy for long.
const MOST_OF_ONE_FINDER = 64;

/** Yields candidates as they are heard, each once. Throws {@link NothingFoundError} at the end if there was none. */
export async function* search(options: SearchOptions): AsyncGenerator<ServerCandidate, void> {
  const { finders, timeout, clock, random, logger, onDropped } = options;
  const stop = new AbortController();
  const heard: ServerCandidate[] = [];
  const tried = new Map<Finder, string>();
  let news = (): void => undefined;
  const run = async (finder: Finder): Promise<void> => {
    const drop = (why: string): void => onDropped?.(finder.name, why);
    const seen = new Set<string>();
    try {
      const limits = { signal: stop.signal, timeout };
      await withDeadline(clock, limits, finder.name, async (signal) => {
        for await (const found of finder.find({ signal, clock, random, logger, drop })) {
          signal.throwIfAborted();
          const candidate = complete(found, finder);
          const key = keyOf(candidate);
          if (seen.has(key)) continue;
          if (seen.size >= MOST_OF_ONE_FINDER) {
            drop("too many servers");
            return;
          }
          seen.add(key);
          heard.push(candidate);
          news();
        }
      });
      if (seen.size === 0) tried.set(finder, "found nothing");
    } catch (error) {
      if (seen.size > 0 || stop.signal.aborted) return;
      tried.set(finder, error instanceof TimeoutError ? `heard nothing within ${timeout} ms` : messageOf(error));
    }
  };
  const onAbort = (): void => {
    stop.abort(options.signal?.reason);
    news();
  };
  options.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    options.signal?.throwIfAborted();
    let left = finders.length;
    let count = 0;
    for (const finder of finders) {
      void run(finder).then(() => {
        left--;
        news();
      });
    }
    for (;;) {
      options.signal?.throwIfAborted();
      const next = heard.shift();
      if (next !== undefined) {
        count++;
        yield next;
      } else if (left === 0) break;
      else await new Promise<void>((resolve) => (news = resolve));
    }
    if (count > 0) return;
    throw new NothingFoundError(finders.map((finder) => ({ finder: finder.name, why: tried.get(finder) ?? "" })));
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
    stop.abort(new DiscoveryError("the search has ended"));
  }
}

function complete(found: FoundServer, finder: Finder): ServerCandidate {
  return {
    host: found.host,
    port: found.port,
    directTls: found.directTls ?? false,
    domain: found.domain,
    preference: found.preference ?? 0,
    rank: found.rank ?? finder.rank ?? rank.own,
    registries: found.registries ?? [],
    provisioning: found.provisioning ?? [],
    heard: found.heard,
    finder: finder.name,
  };
}

/** Two that are tried in the same way are one. */
export function keyOf({ host, port, directTls, domain }: FoundServer): string {
  return JSON.stringify([host, port, directTls === true, domain]);
}
