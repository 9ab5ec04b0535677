// What somebody says one after another is taken one after another, though some of it has to wait for a proof.
import type { Jid } from "../core/jid.ts";

/** Ends a turn: does what is to be done, when all that came before has had its turn. */
export type TakeTurn = (then: () => void) => void;

interface Turn {
  then: (() => void) | undefined;
}

/**
 * `userLoggedIn` is a message that nobody acknowledges (P-E24): what the same service asks behind it is answered behind
 * it, whichever of their tokens is proved first.
 */
export class Turns {
  readonly #queues = new Map<string, Turn[]>();

  /** Takes the next turn of somebody. */
  take(who: Jid): TakeTurn {
    const queue = this.#queues.get(who.full) ?? [];
    this.#queues.set(who.full, queue);
    const turn: Turn = { then: undefined };
    queue.push(turn);
    return (then) => {
      if (!queue.includes(turn)) return then(); // its queue has been left: nobody waits for anybody
      turn.then = then;
      this.#run(who, queue);
    };
  }

  /** Somebody has gone: what they waited for never comes. A bare JID goes with all its resources. */
  gone(who: Jid): void {
    for (const [full, queue] of this.#queues) {
      if (full !== who.full && !(who.resource === "" && full.startsWith(`${who.bare}/`))) continue;
      queue.length = 0;
      this.#queues.delete(full);
    }
  }

  /** Forgets all turns. */
  stop(): void {
    for (const queue of this.#queues.values()) queue.length = 0;
    this.#queues.clear();
  }

  #run(who: Jid, queue: Turn[]): void {
    for (let first = queue[0]; first?.then !== undefined; first = queue[0]) {
      queue.shift();
      first.then();
    }
    if (queue.length === 0 && this.#queues.get(who.full) === queue) this.#queues.delete(who.full);
  }
}
