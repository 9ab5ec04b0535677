// What somebody says one after another is taken one after another, though some of it has to wait for a proof.
import type { Jid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";

/** Ends a turn: does what is to be done, when all that came before has had its turn. */
export type TakeTurn = (then: () => void) => void;

interface Turn {
  then: (() => void) | undefined;
}

interface Queue {
  turns: Turn[];
  /** Nobody waits in it any more for anybody. */
  isLeft: boolean;
}

// Behind one proof that does not come somebody could ask without end. So many wait for no honest one.
const MOST_TURNS = 1_000;

/**
 * `userLoggedIn` is a message that nobody acknowledges (P-E24): what the same service asks behind it is answered behind
 * it, whichever of their tokens is proved first.
 */
export class Turns {
  readonly #queues = new Map<string, Queue>();

  /** Takes the next turn of somebody. Throws the `Refusal` that goes back where too many wait. */
  take(who: Jid): TakeTurn {
    const queue = this.#queues.get(who.full) ?? { turns: [], isLeft: false };
    if (queue.turns.length >= MOST_TURNS) throw new Refusal("resource-constraint", "Too many questions wait.");
    this.#queues.set(who.full, queue);
    const turn: Turn = { then: undefined };
    queue.turns.push(turn);
    return (then) => {
      if (queue.isLeft) return then();
      turn.then = then;
      this.#run(who, queue);
    };
  }

  /** Somebody has gone: what they waited for never comes. A bare JID goes with all its resources. */
  gone(who: Jid): void {
    for (const [full, queue] of this.#queues) {
      if (full !== who.full && !(who.resource === "" && full.startsWith(`${who.bare}/`))) continue;
      leave(queue);
      this.#queues.delete(full);
    }
  }

  /** Forgets all turns. */
  stop(): void {
    for (const queue of this.#queues.values()) leave(queue);
    this.#queues.clear();
  }

  #run(who: Jid, queue: Queue): void {
    const { turns } = queue;
    for (let first = turns[0]; first?.then !== undefined; first = turns[0]) {
      turns.shift();
      first.then();
    }
    if (turns.length === 0 && this.#queues.get(who.full) === queue) this.#queues.delete(who.full);
  }
}

function leave(queue: Queue): void {
  queue.isLeft = true;
  queue.turns.length = 0;
}
