// What remembered rights are made of, and how much of them there may be.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Storage } from "../storage/storage.ts";

/** How much is remembered, and when it goes to disk. */
export interface RightsOptions {
  /** The most answers. Default 1,000. */
  readonly maxEntries?: number;
  /** The most bytes, as they stand on disk. Default 262,144 (256 KiB). */
  readonly maxBytes?: number;
  /** Answers that were not used for so long are forgotten, in milliseconds. Default: none is. */
  readonly maxAge?: number;
  /** New grants go to disk together, after so many milliseconds. Default 30,000. */
  readonly gather?: number;
}

/** What a {@link RightsCache} is made of. */
export interface RightsCacheOptions extends RightsOptions {
  /** Where it is kept. */
  readonly storage: Storage;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** Time. Default: the machine's. */
  readonly clock?: Clock;
  /** Background trouble: the cache on disk is damaged, or cannot be written. */
  readonly onFault: (code: "rights-damaged" | "rights-not-saved", message: string, cause?: unknown) => void;
  /** The disk takes what is written again. */
  readonly onHealed?: (code: "rights-not-saved") => void;
}
