// XEP-0324 Internet of Things - Provisioning 0.5.1, section 5.4: new services, users and privileges, noted for the operator.
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";

/** A name that a service has used, and that the server was not told of. It gives nobody anything. */
export interface SeenName {
  /** What it is the name of. */
  readonly kind: "service" | "user" | "privilege";
  /** The service, by the name its certificate was enrolled under or else its fingerprint. */
  readonly service: string;
  /** The name: of the service itself, of a user who has logged in, or a Privilege ID. */
  readonly name: string;
}

/** How many new names are noted. */
export interface AggregateOptions {
  /** In all. Default 1,000. */
  readonly most?: number;
  /** Of one service. Default 100. */
  readonly mostOfOne?: number;
}

// As long as a name of XEP-0324 can sensibly be; longer ones are variable data (P-3.7.1-9).
const LONGEST = 256;

/** The names, in the order in which they came. They may grow so far and no further (P-5.4-1). */
export class SeenNames {
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #changed: (names: readonly SeenName[]) => void;
  readonly #all = new Map<string, SeenName>();

  /**
   * Throws `ERR_CONFIG` for options that are none.
   *
   * @param options left out: nothing is noted
   */
  constructor(options: AggregateOptions | undefined, changed: (names: readonly SeenName[]) => void) {
    if (options !== undefined) checkKnown(options, ["most", "mostOfOne"], "aggregate");
    const { most = 1_000, mostOfOne = 100 } = options ?? {};
    for (const [name, count] of Object.entries({ most, mostOfOne })) {
      if (!Number.isSafeInteger(count) || count < 0) throw new ConfigError(`aggregate.${name}: must be a whole number`);
    }
    this.#most = options === undefined ? 0 : most;
    this.#mostOfOne = mostOfOne;
    this.#changed = changed;
  }

  /** The names. */
  get list(): readonly SeenName[] {
    return [...this.#all.values()];
  }

  /** Takes up again what was kept, as far as there is room. */
  restore(names: readonly SeenName[]): void {
    for (const name of names) this.#add(name);
  }

  /** Notes a name, if it is new and there is room. */
  note(kind: SeenName["kind"], service: string, name: string): void {
    if (this.#add({ kind, service, name })) this.#changed(this.list);
  }

  #add(seen: SeenName): boolean {
    const key = JSON.stringify([seen.kind, seen.service, seen.name]);
    if (this.#all.size >= this.#most || this.#all.has(key) || seen.name.length > LONGEST) return false;
    const own = this.list.filter(({ service }) => service === seen.service).length;
    if (own >= this.#mostOfOne) return false;
    this.#all.set(key, seen);
    return true;
  }
}
