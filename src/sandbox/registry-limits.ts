// What a Registry can be made to do by those who use it, and where it stops: XEP-0347 5.2 and 6.6, and its own memory.
import type { Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { checkKnown } from "../core/options.ts";
import type { OtherTags } from "./registry-tags.ts";

/** Where a reference Registry stops, and how long it waits. */
export interface RegistrySettings {
  /** How many Things it knows, nodes among them; the next gets `resource-constraint`. Default 200,000. */
  readonly mostThings?: number | undefined;
  /** How many of them may belong to one account. Default 10,000. */
  readonly mostThingsPerAccount?: number | undefined;
  /**
   * The tags beside the 22 predefined ones (XEP-0347 6.6): how many a Thing may have, more get `bad-request`; or a list
   * of the names that are kept, others are left out without a word. The predefined ones always are kept. Default 42.
   */
  readonly otherTags?: number | readonly string[] | undefined;
  /** How many Things a page of a search holds, also if more are wanted (D-3.15-26). Default 100. */
  readonly mostFound?: number | undefined;
  /** How many bytes of XML a page holds; a Thing that alone has more still comes. Default 100,000. */
  readonly mostFoundBytes?: number | undefined;
  /** How many operators a search may have; more get `bad-request`. Default 32. */
  readonly mostOperators?: number | undefined;
  /**
   * How many strings a search may look at: for each operator each different value of its tag once. More get `not-acceptable`.
   * Each 20,000 count as one more search. Default 640,000: an operator on each of six tags that 100,000 Things have.
   */
  readonly mostLooked?: number | undefined;
  /**
   * How many searches a second one account may make, four times as many at once; more get `resource-constraint`.
   * Default 50.
   */
  readonly searchesPerSecond?: number | undefined;
  /** How long a Thing has to acknowledge that it is disowned, in milliseconds (XEP-0347 3.17). Default 8,000. */
  readonly disownTimeout?: number | undefined;
}

/** The settings, with nothing left open. */
export interface RegistryLimits extends Required<Record<Exclude<keyof RegistrySettings, "otherTags">, number>> {
  /** The tags beside the predefined ones that are kept. */
  readonly otherTags: OtherTags;
}

const DEFAULTS: RegistryLimits = {
  mostThings: 200_000,
  mostThingsPerAccount: 10_000,
  otherTags: 42,
  mostFound: 100,
  mostFoundBytes: 100_000,
  mostOperators: 32,
  mostLooked: 640_000,
  searchesPerSecond: 50,
  disownTimeout: 8_000,
};

/** The names of the settings. */
export const REGISTRY_SETTINGS = Object.keys(DEFAULTS) as (keyof RegistrySettings)[];

/** Fills in the defaults. Throws `ERR_CONFIG`, naming the setting, for what is none. */
export function registryLimits(settings: RegistrySettings, path = ""): RegistryLimits {
  const limits: Record<string, unknown> = { ...DEFAULTS };
  for (const name of REGISTRY_SETTINGS) {
    const value = settings[name];
    if (value === undefined) continue;
    const where = path === "" ? name : `${path}.${name}`;
    if (typeof value === "number") {
      const least = name === "otherTags" ? 0 : 1;
      if (!Number.isSafeInteger(value) || value < least) {
        throw new ConfigError(`${where}: must be a whole number of at least ${least}`);
      }
      limits[name] = value;
    } else if (name === "otherTags" && isTexts(value)) {
      limits[name] = new Set(value.map((tag) => tag.toUpperCase()));
    } else {
      throw new ConfigError(`${where}: must be a number${name === "otherTags" ? ", or a list of names" : ""}`);
    }
  }
  return limits as unknown as RegistryLimits;
}

/** Refuses what is no settings. Throws `ERR_CONFIG`. */
export function checkRegistrySettings(settings: RegistrySettings, path: string): void {
  checkKnown(settings, REGISTRY_SETTINGS, path);
  registryLimits(settings, path);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

// Who is forgotten begins with a full account: to make room by ten thousand accounts costs more than it brings.
const MOST_ASKERS = 10_000;
const AT_ONCE = 4;

/** How much each account may still ask: a search of many Things takes milliseconds, in which nobody else is served. */
export class SearchBudget {
  readonly #clock: Clock;
  readonly #perSecond: number;
  /** What is left, and as of when; who asked last is last. */
  readonly #left = new Map<BareJid, { readonly left: number; readonly at: number }>();

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Whether this account may search now. If so, it has done so. */
  spend(asker: BareJid): boolean {
    const most = this.#perSecond * AT_ONCE;
    const now = this.#clock.monotonic();
    const { left, at } = this.#left.get(asker) ?? { left: most, at: now };
    const has = Math.min(most, left + ((now - at) / 1_000) * this.#perSecond);
    this.#left.delete(asker);
    this.#left.set(asker, { left: has < 1 ? has : has - 1, at: now });
    const [oldest] = this.#left.keys();
    if (oldest !== undefined && this.#left.size > MOST_ASKERS) this.#left.delete(oldest);
    return has >= 1;
  }

  /** What it has asked for has cost as much as so many searches more. */
  charge(asker: BareJid, searches: number): void {
    const known = this.#left.get(asker);
    if (known !== undefined) this.#left.set(asker, { ...known, left: known.left - searches });
  }
}
