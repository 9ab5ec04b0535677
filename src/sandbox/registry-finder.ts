// XEP-0347 Internet of Things - Discovery 0.5.1, section 3.15: pages of what a search finds.
import type { Clock } from "../core/clock.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { buildFound, parseSearch, type FoundThing } from "../codec/search.ts";
import type { XmlElement } from "../codec/xml.ts";
import { SearchBudget, type RegistryLimits } from "./registry-limits.ts";
import { Looks, TooMuchError } from "./registry-search-cursor.ts";
import type { RegistryRecord } from "./registry-records.ts";
import type { RegistryTable } from "./registry-table.ts";
import { isKey } from "./registry-tags.ts";

/** A search that looks at no more strings than this costs as much as any. */
const LOOKS_A_SEARCH = 20_000;

/** Answers searches, of anybody (D-3.15-1), within limits. */
export class RegistryFinder {
  readonly #table: RegistryTable;
  readonly #limits: RegistryLimits;
  readonly #budget: SearchBudget;

  constructor(table: RegistryTable, limits: RegistryLimits, clock: Clock) {
    this.#table = table;
    this.#limits = limits;
    this.#budget = new SearchBudget(clock, limits.searchesPerSecond);
  }

  /** Gives `found`. Changes nothing. */
  search(payload: XmlElement, from: Jid): XmlElement {
    const { mostOperators, mostFound, mostLooked } = this.#limits;
    const { operators, offset, maxCount = mostFound } = parseSearch(payload);
    if (operators.length > mostOperators) throw new Refusal("bad-request", `More than ${mostOperators} operators.`);
    if (!this.#budget.spend(from.bare)) throw new Refusal("resource-constraint", "Too many searches at once.");
    // D-3.15-28, D-3.15-29: nobody finds out a KEY by asking for it, whatever else is asked.
    if (operators.some(({ tag }) => isKey(tag))) return buildFound({ things: [], more: false });
    // D-3.15-26: not all that are wanted, if those are very many.
    const looks = new Looks(mostLooked);
    const { records, more } = this.#looked(looks, from.bare, () =>
      this.#table.search(operators, offset, Math.min(maxCount, mostFound), looks),
    );
    return this.#page(records.map(foundThing), more);
  }

  /** While it looks nobody else is served: it pays for that, whatever comes of it. */
  #looked<T>(looks: Looks, asker: BareJid, search: () => T): T {
    try {
      return search();
    } catch (error) {
      if (!(error instanceof TooMuchError)) throw error;
      throw new Refusal("not-acceptable", "That looks at too many values: fewer operators, or others.");
    } finally {
      this.#budget.charge(asker, Math.floor(looks.count / LOOKS_A_SEARCH));
    }
  }

  /** One stanza that servers let through: what no longer fits comes with the next page (D-3.15-33). */
  #page(things: readonly FoundThing[], more: boolean): XmlElement {
    const whole = buildFound({ things, more });
    let left = this.#limits.mostFoundBytes;
    const fitting = whole.getChildElements().filter((thing, index) => {
      left -= Buffer.byteLength(thing.toString());
      return left >= 0 || index === 0; // at least one, or nobody would get any further
    });
    return fitting.length === things.length
      ? whole
      : buildFound({ things: things.slice(0, fitting.length), more: true });
  }
}

/** KEY is a secret between Thing and owner: no search result holds it (D-3.15-30, D-6.5-1). */
function foundThing({ jid, node, tags, claim }: RegistryRecord): FoundThing {
  const owner: BareJid = claim?.owner ?? jid;
  return { jid, owner, ...(node && { node }), tags: tags.filter(({ name }) => !isKey(name)) };
}
