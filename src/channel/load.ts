// How much may be asked of us at once.
import type { BareJid } from "../core/jid.ts";

// What all senders together may have running here, and what one of them may: nobody alone takes the room of the others.
const MOST = 256;
const MOST_EACH = 64;

/** Counts the handlers that are running, by who asked. */
export class Load {
  readonly #running = new Map<BareJid, number>();
  #all = 0;

  /** Takes a place; returns how to give it back, or `undefined` if there is none left. */
  take(sender: BareJid): (() => void) | undefined {
    const own = this.#running.get(sender) ?? 0;
    if (this.#all >= MOST || own >= MOST_EACH) return undefined;
    this.#all++;
    this.#running.set(sender, own + 1);
    return () => {
      this.#all--;
      const left = (this.#running.get(sender) ?? 1) - 1;
      if (left === 0) this.#running.delete(sender);
      else this.#running.set(sender, left);
    };
  }
}
