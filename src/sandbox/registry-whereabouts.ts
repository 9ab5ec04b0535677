import type { BareJid, Jid } from "../core/jid.ts";

/**
 * The full JIDs at which accounts were last seen. IQs need them: to a bare account JID the server answers itself
 * (P-E8, D-E16). A component has no resource: its address stands.
 */
export class Whereabouts {
  // The newest last.
  readonly #known = new Map<BareJid, Set<string>>();

  /** Came, or asked something. */
  seen(jid: Jid): void {
    if (jid.resource === "" && jid.local !== "") return; // not an address to send an IQ to
    const addresses = this.#known.get(jid.bare) ?? new Set();
    addresses.delete(jid.full);
    this.#known.set(jid.bare, addresses.add(jid.full));
  }

  /** Went. A bare JID goes with all its resources. */
  gone(jid: Jid): void {
    const addresses = this.#known.get(jid.bare);
    addresses?.delete(jid.full);
    if (jid.resource === "" || addresses?.size === 0) this.#known.delete(jid.bare);
  }

  /** Where an account was seen last, if it is still there. */
  last(jid: BareJid): string | undefined {
    return [...(this.#known.get(jid) ?? [])].at(-1);
  }
}
