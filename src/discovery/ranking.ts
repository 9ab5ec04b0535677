// The servers that a search hears of, the most trusted first: XEP-0347 3.4.
import { sleep } from "../core/abort.ts";
import { DiscoveryError } from "../core/errors.ts";
import { randomFraction } from "../core/random.ts";
import { rank, type ServerCandidate } from "./candidate.ts";
import type { Finder } from "./finder.ts";
import { NothingFoundError, search, type SearchOptions, type Tried } from "./search.ts";
import { keyOf } from "./sieve.ts";

/** What a {@link Ranking} goes by. */
export interface RankingOptions extends Omit<SearchOptions, "signal" | "again" | "onDropped"> {
  /** How long to wait for more, from the first server that is heard, in milliseconds. Default 2,000. */
  readonly patience?: number | undefined;
  /** Told once, at the end: what of the network's packets was not taken, and how often, by finder and reason. */
  readonly onEnd?: ((dropped: ReadonlyMap<string, number>) => void) | undefined;
}

const PATIENCE = 2_000;
// Reasons are constant words, but those of a program's own finder may be anything.
const MOST_REASONS = 16;

/** A server that was heard, and its place among its equals. */
interface Heard {
  readonly candidate: ServerCandidate;
  readonly lot: number;
}

/**
 * A search that gives out what it hears by rank, then preference, then at random: on a network whoever answers first may
 * be the liar. It waits for the finders that may hear of somebody as trusted, but not long.
 */
export class Ranking {
  readonly #options: RankingOptions;
  readonly #stop = new AbortController();
  readonly #running = new Set<Finder>();
  readonly #known = new Set<string>();
  readonly #tried = new Map<Finder, readonly Tried[]>();
  readonly #dropped = new Map<string, number>();
  #heard: Heard[] = [];
  #firstAt: number | undefined;
  #news: () => void = () => undefined;

  constructor(options: RankingOptions) {
    this.#options = options;
    for (const finder of options.finders) this.#running.add(finder);
    for (const finder of options.finders) void this.#run(finder);
    if (options.finders.length === 0) this.#ended();
  }

  /** What it has heard of nothing for: what each finder says to it. */
  get nothing(): NothingFoundError {
    return new NothingFoundError(this.#options.finders.flatMap((finder) => this.#tried.get(finder) ?? []));
  }

  /**
   * The next one to try; `undefined` when there is no more. Rejects once it is stopped.
   *
   * @param onWait told once if none can be given at once
   */
  async next(onWait: () => void): Promise<ServerCandidate | undefined> {
    const { signal } = this.#stop;
    for (let waits = 0; ; waits++) {
      signal.throwIfAborted();
      const best = [...this.#heard].sort(inOrder)[0];
      const wait = best === undefined ? undefined : this.#patienceFor(best.candidate);
      if (best !== undefined && wait === undefined) {
        this.#heard = this.#heard.filter((one) => one !== best);
        return best.candidate;
      }
      if (best === undefined && this.#running.size === 0) return undefined;
      if (waits === 0) onWait();
      await this.#more(wait);
    }
  }

  /** Ends the search. Harmless when called again. */
  stop(): void {
    this.#stop.abort(new DiscoveryError("the search has ended"));
    this.#news();
  }

  async #run(finder: Finder): Promise<void> {
    const { signal } = this.#stop;
    const onDropped = (by: string, why: string): void => this.#count(`${by}: ${why}`);
    try {
      const one = { ...this.#options, finders: [finder], signal, again: true, onDropped };
      for await (const candidate of search(one)) this.#take(candidate);
    } catch (error) {
      // Nothing else is thrown but the signal's reason.
      if (error instanceof NothingFoundError) this.#tried.set(finder, error.tried);
    }
    this.#running.delete(finder);
    if (this.#running.size === 0) this.#ended();
    this.#news();
  }

  #take(candidate: ServerCandidate): void {
    const { clock, random } = this.#options;
    const key = keyOf(candidate);
    const again = this.#heard.findIndex((one) => keyOf(one.candidate) === key);
    const before = this.#heard[again];
    if (before !== undefined) this.#heard[again] = { ...before, candidate: joined(before.candidate, candidate) };
    else if (!this.#known.has(key)) this.#heard.push({ candidate, lot: randomFraction(random) });
    this.#known.add(key);
    this.#firstAt ??= clock.monotonic();
    this.#news();
  }

  /** How long to wait for somebody better than this one, or as good; `undefined`: no longer. */
  #patienceFor(best: ServerCandidate): number | undefined {
    const { clock, patience = PATIENCE } = this.#options;
    const left = (this.#firstAt ?? 0) + patience - clock.monotonic();
    const mayBeBetter = [...this.#running].some((finder) => (finder.rank ?? rank.own) <= best.rank);
    return mayBeBetter && left > 0 ? left : undefined;
  }

  /** Resolves when there is news, or the time is up. */
  async #more(ms: number | undefined): Promise<void> {
    const wake = new AbortController();
    const news = new Promise<void>((resolve) => (this.#news = resolve));
    const time = ms === undefined ? [] : [sleep(this.#options.clock, ms, wake.signal).catch(() => undefined)];
    await Promise.race([news, ...time]);
    wake.abort();
  }

  #count(what: string): void {
    const before = this.#dropped.get(what);
    if (before === undefined && this.#dropped.size >= MOST_REASONS) return;
    this.#dropped.set(what, (before ?? 0) + 1);
  }

  #ended(): void {
    this.#options.onEnd?.(this.#dropped);
  }
}

function inOrder(one: Heard, other: Heard): number {
  const [a, b] = [one.candidate, other.candidate];
  return a.rank - b.rank || a.preference - b.preference || one.lot - other.lot;
}

/**
 * One server that two have told of: as the more trusted one says, with the hints of both. Among equals the better
 * preference counts: whoever names a true server as his last one must not put it behind his own.
 */
function joined(one: ServerCandidate, other: ServerCandidate): ServerCandidate {
  const isBetter = (other.rank - one.rank || other.preference - one.preference) < 0;
  const [better, worse] = isBetter ? [other, one] : [one, other];
  return {
    ...better,
    registries: [...new Set([...better.registries, ...worse.registries])],
    provisioning: [...new Set([...better.provisioning, ...worse.provisioning])],
  };
}
