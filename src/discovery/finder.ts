// What a way to find servers is: the ones in this folder, and those of a program's own (XEP-0347 3.3).
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { FoundServer } from "./candidate.ts";

/** What a finder is given for one search. */
export interface Search {
  /** Fires when the time is up, or nobody wants to know any more: sockets are closed then. */
  readonly signal: AbortSignal;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Where oddities are told. */
  readonly logger: Logger;
  /**
   * Counts a packet that was not taken, by the reason, in constant words: `malformed`, `too many`. Whoever sends
   * nonsense must cost neither memory nor a line of log each time.
   */
  readonly drop: (why: string) => void;
}

/**
 * A way to find XMPP servers. It yields what it hears as it hears it, ends when it has heard everything or the signal
 * fires, and throws if it cannot search at all: the message says why, for whoever wonders why nothing was found.
 *
 * @example
 * ```ts
 * const fromFile: Finder = {
 *   name: "file",
 *   async *find() {
 *     const domain = (await readFile("/boot/xmpp-domain", "utf8")).trim();
 *     yield { host: domain, port: 5222, domain, heard: "/boot/xmpp-domain" };
 *   },
 * };
 * ```
 */
export interface Finder {
  /** What it is called in errors and candidates: one word. */
  readonly name: string;
  /** How much is known of whoever names servers to it. Default: that of a program's own finder, 20. */
  readonly rank?: number | undefined;
  /**
   * How many servers of one search count; then it ends. Default 64. One that keeps who says what apart, so that nobody
   * takes the room of others, may have more.
   */
  readonly most?: number | undefined;
  /** Searches once. */
  find(search: Search): AsyncIterable<FoundServer>;
}
