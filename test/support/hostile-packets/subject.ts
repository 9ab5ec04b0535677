import type { Dice } from "../hostile/dice.ts";

/** A finder at work, on no network: it hears what it is fed. */
export interface Subject {
  /** Feeds it a packet, from one sender or another. */
  feed(packet: Uint8Array, dice: Dice): void | Promise<void>;
  /** Lets the true server speak, and ends. What is wrong with what came of all, if anything is. */
  end(): Promise<string | undefined>;
  /** What it has taken and not taken so far. */
  counts(): { readonly found: number; readonly dropped: number };
}
