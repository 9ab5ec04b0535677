// All finders side by side, under one deadline: XEP-0347 3.3.
import { withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { DiscoveryError, messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { ServerCandidate } from "./candidate.ts";
import type { Finder } from "./finder.ts";
import { Sieve, short } from "./sieve.ts";

/** What a search goes by. */
export interface SearchOptions {
  /** The ways to search. */
  readonly finders: readonly Finder[];
  /** The only domain whose servers count. Default: all count. */
  readonly domain?: string | undefined;
  /** Whether a server comes again when it is named with a better preference. Default: each comes once. */
  readonly again?: boolean | undefined;
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

/** Yields candidates as they are heard, each once if `again` is left out. Throws {@link NothingFoundError} at the end if there was none. */
export async function* search(options: SearchOptions): AsyncGenerator<ServerCandidate, void> {
  const { finders, timeout, clock, random, logger } = options;
  const stop = new AbortController();
  const heard: ServerCandidate[] = [];
  const tried = new Map<Finder, string>();
  let news = (): void => undefined;
  const run = async (finder: Finder): Promise<void> => {
    const sieve = new Sieve(finder, options);
    let deadline: AbortSignal | undefined;
    try {
      await withDeadline(clock, { signal: stop.signal, timeout }, finder.name, async (signal) => {
        deadline = signal;
        for await (const found of finder.find({ signal, clock, random, logger, drop: sieve.drop })) {
          signal.throwIfAborted();
          const candidate = sieve.take(found);
          if (candidate !== undefined) {
            heard.push(candidate);
            news();
          }
          if (sieve.isFull) {
            sieve.drop("too many servers");
            break;
          }
        }
      });
      tried.set(finder, sieve.words("found nothing"));
    } catch (error) {
      if (stop.signal.aborted) return;
      const isLate = deadline?.aborted === true && error === deadline.reason;
      tried.set(finder, isLate ? sieve.words(`heard nothing within ${timeout} ms`) : short(messageOf(error)));
      if (sieve.count > 0 && !isLate) logger.warn("a finder failed", { finder: finder.name, why: messageOf(error) });
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
