import type { BareJid, Jid } from "../core/jid.ts";

// A session each; who makes more of them is not to fill the memory.
const MOST_ADDRESSES = 16;

/**
 * The full JIDs at which accounts were last seen. IQs need them: to a bare account JID the server answers itself
 * (P-E8, D-E16). A component has no resource: its address stands.
 */
export class Whereabouts {
  // The newest last.
  readonly #known = new Map<BareJid, Set<string>>();
  readonly #asked = new Map<BareJid, string>();
  readonly #broadcast: boolean;

  /**
   * @param broadcast presence comes from all connections of a friend, of which the one that asks is the Thing; to a
   * component only those send presence that mean it (D-E15)
   */
  constructor(broadcast: boolean) {
    this.#broadcast = broadcast;
  }

  /** Asked something: from here (D-E16). Tells whether nobody was known to be here. */
  asked(jid: Jid): boolean {
    if (!isAddress(jid)) return false;
    const isNew = this.#known.get(jid.bare)?.has(jid.full) !== true;
    this.seen(jid);
    this.#asked.set(jid.bare, jid.full);
    return isNew;
  }

  /** Has asked from here before this process began. Of friends presence tells who is there still. */
  remembered(jid: Jid): void {
    if (!this.#broadcast) this.asked(jid);
    else if (isAddress(jid)) this.#asked.set(jid.bare, jid.full);
  }

  /** Came. */
  seen(jid: Jid): void {
    if (!isAddress(jid)) return;
    const addresses = this.#known.get(jid.bare) ?? new Set();
    addresses.delete(jid.full);
    this.#known.set(jid.bare, addresses.add(jid.full));
    const [oldest = ""] = addresses;
    if (addresses.size > MOST_ADDRESSES) addresses.delete(oldest);
  }

  /** Went. A bare JID goes with all its resources. Tells whether somebody was known to be there. */
  gone(jid: Jid): boolean {
    const addresses = this.#known.get(jid.bare);
    const wasThere = addresses?.delete(jid.full) === true;
    if (jid.resource === "" || addresses?.size === 0) this.#known.delete(jid.bare);
    if (jid.resource === "" || this.#asked.get(jid.bare) === jid.full) this.#asked.delete(jid.bare);
    return wasThere;
  }

  /** Nobody can tell any more who is there; where questions came from stays the best guess. */
  forgetPresence(): void {
    this.#known.clear();
  }

  /** Where notices go: to the newest address; of a friend's to that of the last request, unless only others are there. */
  last(jid: BareJid): string | undefined {
    const there = this.#known.get(jid);
    const asked = this.#broadcast ? this.#asked.get(jid) : undefined;
    if (asked !== undefined && (there === undefined || there.has(asked))) return asked;
    return [...(there ?? [])].at(-1);
  }

  /** The same, as long as somebody is known to be there: a guess is not good enough. */
  present(jid: BareJid): string | undefined {
    return this.#known.has(jid) ? this.last(jid) : undefined;
  }
}

/** Whether an IQ to it arrives (P-E8). */
export function isAddress(jid: Jid): boolean {
  return jid.resource !== "" || jid.local === "";
}
