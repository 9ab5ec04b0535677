// What the fingerprints in presence stand for: XEP-0115 5.4; P-4-2.
import { hasForms, isProved, type Caps } from "../codec/caps.ts";
import { parseInfo } from "../codec/disco.ts";
import type { XmlElement } from "../codec/xml.ts";

/** A fingerprint: which program it is does not matter. */
export type Fingerprint = Pick<Caps, "hash" | "ver">;

// A handful of programs is what a Thing's friends use. A friend who makes up fingerprints drives out what was known, and
// fills no memory.
const MOST_KNOWN = 100;
const MOST_FEATURES = 256;
const LONGEST_FEATURE = 256;

/**
 * Features by fingerprint, the last used of them. Only of answers that the fingerprint proves: else whoever answers first
 * would say what all the others can do.
 */
export class KnownCaps {
  readonly #features = new Map<string, ReadonlySet<string>>();

  /** The features that a fingerprint stands for; `undefined` if nobody has told yet. */
  featuresOf(print: Fingerprint): ReadonlySet<string> | undefined {
    const key = keyOf(print);
    const known = this.#features.get(key);
    if (known === undefined) return undefined;
    this.#features.delete(key);
    this.#features.set(key, known);
    return known;
  }

  /**
   * Keeps an answer to disco#info, if the fingerprint proves it. Not one with forms: what is hashed does not tell where the
   * features end and the forms begin, so that a feature of somebody else could be passed off as a field ("Caps Poisoning" in
   * the XEP). Who has forms is asked each time.
   */
  learn(print: Fingerprint, query: XmlElement): void {
    const { features } = parseInfo(query);
    if (features.length > MOST_FEATURES || features.some((feature) => feature.length > LONGEST_FEATURE)) return;
    if (hasForms(query) || !isProved(query, print)) return;
    this.#features.set(keyOf(print), new Set(features));
    const [oldest] = this.#features.keys();
    if (this.#features.size > MOST_KNOWN && oldest !== undefined) this.#features.delete(oldest);
  }
}

const keyOf = ({ hash, ver }: Fingerprint): string => `${hash} ${ver}`;
