// How often a Registry may change whose a Thing is, or a node: each change is written several times, and wears out the disk.
import type { Clock } from "../core/clock.ts";
import { DiscoveryError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { OwnershipEvent } from "./ownership.ts";

/** So many changes at once: far more than people make in a day. */
const AT_ONCE = 30;
/** Another one is allowed after so long, in milliseconds: 720 a day at most. */
const EACH = 120_000;

/** A Registry says too often that a Thing is another's: what it says is taken later. */
export class TooOftenError extends DiscoveryError {}

/** What a Registry says of whose a Thing is (XEP-0347 3.9, 3.10, 3.17). */
export function isOfRegistry(event: { readonly type: string }): boolean {
  const { type } = event as Pick<OwnershipEvent, "type">;
  return type === "claimed" || type === "removed" || type === "disowned";
}

/**
 * Counts the changes that a Registry brings about, of the Thing or of one node. Those that are too many are not taken, and so
 * not acknowledged: the Registry tells again later, or is asked.
 */
export class OwnerPace {
  readonly #clock: Clock;
  #registry: BareJid | undefined;
  // When as much is allowed again as ever, by the clock that does not jump.
  #freeAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long until the Registry may change it again, in milliseconds; 0: it may now. */
  wait(registry: BareJid | undefined): number {
    if (registry !== this.#registry) return 0;
    return Math.max(0, this.#freeAt - this.#clock.monotonic() - (AT_ONCE - 1) * EACH);
  }

  /** Throws {@link TooOftenError} unless the Registry may change it now. */
  check(what: string, registry: BareJid): void {
    if (this.wait(registry) === 0) return;
    throw new TooOftenError(
      `${registry} has changed whose ${what} is ${AT_ONCE} times and more: it may do so once in ${EACH / 60_000} minutes`,
    );
  }

  /** It has changed it. */
  count(registry: BareJid): void {
    const now = this.#clock.monotonic();
    this.#freeAt = (registry === this.#registry ? Math.max(now, this.#freeAt) : now) + EACH;
    this.#registry = registry;
  }
}
