import { configJid } from "../core/jid.ts";
import type { Right } from "../provisioning/right.ts";
import type { RightsCache } from "../provisioning/rights-cache.ts";
import type { RightsCounters } from "../provisioning/rights-store.ts";

/** What a Thing remembers of who may do what (XEP-0324 5.2): to look at, and to clear by hand. */
export class Rights {
  readonly #cache: RightsCache;

  /** @internal */
  constructor(cache: RightsCache) {
    this.#cache = cache;
  }

  /** How many answers are remembered. */
  get count(): number {
    return this.#cache.count;
  }

  /** What is remembered, most recently used first. No grant in it means a refusal. */
  entries(): readonly Right[] {
    return this.#cache.entries();
  }

  /** What they have been good for since the start, and what they have cost the disk. */
  get counters(): RightsCounters {
    return this.#cache.counters;
  }

  /**
   * Writes what was gathered, and the order of use, before the time for that has come: for a device that knows when it
   * will lose power. Not synced. A failure is the fault `rights-not-saved`. `stop()` does it by itself.
   */
  async save(): Promise<void> {
    await this.#cache.gathered("all");
  }

  /** Forgets everything, durably once resolved: every right is asked for anew. */
  clear(): Promise<void> {
    return this.#cache.clear();
  }

  /** Forgets what is remembered about somebody, durably once resolved. Rejects with `ERR_CONFIG` if that is no JID. */
  async forget(jid: string): Promise<void> {
    await this.#cache.forget(configJid(jid, "jid").bare);
  }
}
