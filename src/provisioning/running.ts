// What goes on by a right that may be taken back before it has come to its end: XEP-0324 3.2.3, 3.5.1 (P-3.5.1-5).
import { onAbort } from "../core/abort.ts";
import type { BareJid } from "../core/jid.ts";
import type { AbortNotice } from "../core/light-abort.ts";

/** A readout or a control that is under way. */
export interface Run {
  /** Whose it is. */
  readonly jid: BareJid;
  /** Rights have been forgotten, or the Thing answers to others: it is to ask anew whether it may go on. */
  recheck(): void;
  /** It is to end now, whatever may be asked. */
  end(): void;
}

/** All that goes on at the moment. */
export class Running {
  readonly #runs = new Set<Run>();

  /** How many. */
  get count(): number {
    return this.#runs.size;
  }

  /** Something begins. Returns how to tell that it has come to its end, which it has too when the signal fires. */
  begin(run: Run, signal: AbortNotice): () => void {
    this.#runs.add(run);
    const deaf = onAbort(signal, () => this.#runs.delete(run));
    return () => {
      deaf();
      this.#runs.delete(run);
    };
  }

  /** Has everything ask anew whether it may go on. */
  recheck(): void {
    for (const run of [...this.#runs]) run.recheck();
  }

  /** Ends what goes on for somebody: friendship has ended (XEP-0324 3.2.3). */
  end(jid: BareJid): void {
    for (const run of [...this.#runs]) if (run.jid === jid) run.end();
  }
}
