import { systemClock, type Clock } from "../core/clock.ts";
import { silentLogger, type Logger } from "../core/logger.ts";
import { systemRandom, type RandomSource } from "../core/random.ts";
import type { ServerCandidate } from "./candidate.ts";
import { findersOf } from "./finders.ts";
import { checkDiscovery, type DiscoveryOptions } from "./options.ts";
import { search } from "./search.ts";

/** What {@link discover} goes by. */
export interface DiscoverOptions extends DiscoveryOptions {
  /** Ends the search; it then throws the signal's own reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each packet from the network that was not taken, with the name of the finder and the reason. */
  readonly onDropped?: ((finder: string, why: string) => void) | undefined;
  /** Time. Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Randomness. Default: the operating system's. */
  readonly random?: RandomSource | undefined;
  /** Where oddities are told. Default: nowhere. */
  readonly logger?: Logger | undefined;
}

/**
 * Searches for XMPP servers by every method at once (XEP-0347 3.3) and yields them as they are heard, in no order: sort
 * by `rank` and `preference`. Nothing that is yielded is proved; TLS against the domain of a candidate does that.
 *
 * Throws `ERR_CONFIG` for an option that is wrong, the signal's reason, and at the end `ERR_DISCOVERY` if nothing was
 * found, with what each finder says to it.
 *
 * @example
 * ```ts
 * import { discover } from "xmpp-thing/discovery";
 *
 * for await (const { domain, host, port, finder } of discover()) console.log(domain, host, port, finder);
 * ```
 */
export async function* discover(options: DiscoverOptions = {}): AsyncGenerator<ServerCandidate, void> {
  const { signal, onDropped, clock = systemClock, random = systemRandom, logger = silentLogger, ...given } = options;
  const settings = checkDiscovery(given);
  const finders = findersOf(settings);
  const { domain, timeout } = settings;
  yield* search({ finders, domain, timeout, signal, clock, random, logger, onDropped });
}
