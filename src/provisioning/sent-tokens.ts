// To whom a token has been sent, when, and where it had come from: XEP-0324 3.1.3, 6.2; P-3.1.3-25, P-E13.
import { createHash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import { parseTokenList, type Tokens } from "../codec/tokens.ts";

/** A token was sent to somebody, who may challenge it for a minute. */
export interface Sending {
  /** The full JID of whoever sent the request that brought it; `undefined`: it is a token of the Thing's own. */
  readonly from: string | undefined;
  /** When, by {@link Clock.monotonic}; a token that is sent again counts from then. */
  readonly at: number;
}

interface Entry extends Sending {
  /** Under which it is found: the token and the one it was sent to. */
  readonly key: string;
  /** The bare JID it came from; empty for an own one. */
  readonly source: string;
  /** How often it may be challenged yet. */
  readonly left: number;
}

/** How long a token may be challenged after it was sent, in milliseconds (P-3.1.3-24). */
export const MEMORY = 60_000;

// The bounds of the record. Nobody who floods it takes the room of others: one source has so many entries, and when there
// are too many of all, the source with the most of them loses its oldest one. What is the Thing's own is counted apart,
// and only the Thing's own program can push it out.
const MOST = 1_024;
const MOST_EACH = 128;
const MOST_OWN = 512;
// Of one request. There is one token for each trusted server of the caller (P-3.1.5-1): nobody needs as many.
const MOST_OF_ONE = 32;
// Each sending may be challenged so often: whoever was sent a token once must not have another's key at work for a minute.
const CHALLENGES = 16;
const MOST_CHALLENGES = 4_096;

/**
 * The record of the tokens that were sent in the last minute. Holds digests only: who can read the memory of a Thing
 * finds no token in it. Empty at each start, so that what was sent before is not answered for.
 */
export class SentTokens {
  readonly #clock: Pick<Clock, "monotonic">;
  /** The oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #byKey = new Map<string, Set<string>>();
  readonly #counts = new Map<string, number>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Notes that tokens go out, each of a list for itself (P-E15). To be called before they do: the challenge may be there
   * before the call that sends them returns.
   *
   * @param from who sent the request that brought them; `undefined` for the Thing's own
   */
  record(tokens: Tokens, to: BareJid, from: Jid | undefined): void {
    const { serviceToken = "", deviceToken = "", userToken = "" } = tokens;
    if (serviceToken === "" && deviceToken === "" && userToken === "") return;
    this.#forgetOld();
    const single = parseTokenList(`${serviceToken} ${deviceToken} ${userToken}`);
    for (const token of from === undefined ? single : single.slice(0, MOST_OF_ONE)) {
      this.#note(keyOf(token, to), from);
    }
  }

  /**
   * Counts a challenge; returns whose token it was when it was sent to that JID within the last minute. Empty if it was
   * not. More than one if it came from several: which of them the challenge is about, nobody can know.
   */
  challenged(token: string, by: BareJid): readonly Sending[] {
    this.#forgetOld();
    const ids = [...(this.#byKey.get(keyOf(token, by)) ?? [])];
    const entries = ids.flatMap((id) => this.#entries.get(id) ?? []);
    if (entries.some(({ left }) => left === 0)) return [];
    for (const [index, id] of ids.entries()) {
      const entry = entries[index];
      if (entry !== undefined) this.#entries.set(id, { ...entry, left: entry.left - 1 });
    }
    return entries.map(({ from, at }) => ({ from, at }));
  }

  /** Forgets all: nobody may challenge a token any more. */
  clear(): void {
    this.#entries.clear();
    this.#byKey.clear();
    this.#counts.clear();
  }

  #note(key: string, from: Jid | undefined): void {
    const source = from?.bare ?? "";
    const id = `${source}\n${key}`;
    const before = this.#entries.get(id);
    if (before !== undefined) this.#delete(id, before);
    const left = Math.min((before?.left ?? 0) + CHALLENGES, MOST_CHALLENGES);
    this.#entries.set(id, { from: from?.full, at: this.#clock.monotonic(), key, source, left });
    this.#counts.set(source, (this.#counts.get(source) ?? 0) + 1);
    this.#byKey.set(key, (this.#byKey.get(key) ?? new Set()).add(id));
    if ((this.#counts.get(source) ?? 0) > (source === "" ? MOST_OWN : MOST_EACH)) this.#deleteOldest(source);
    else if (this.#entries.size - (this.#counts.get("") ?? 0) > MOST) this.#deleteOldest(this.#greatest());
  }

  /** The source with the most entries: of several the one that has been there longest. */
  #greatest(): string {
    let greatest = "";
    let most = 0;
    for (const [source, count] of this.#counts) {
      if (source !== "" && count > most) [greatest, most] = [source, count];
    }
    return greatest;
  }

  #deleteOldest(source: string): void {
    for (const [id, entry] of this.#entries) {
      if (entry.source === source) return this.#delete(id, entry);
    }
  }

  #forgetOld(): void {
    const now = this.#clock.monotonic();
    for (const [id, entry] of this.#entries) {
      if (now - entry.at <= MEMORY) return;
      this.#delete(id, entry);
    }
  }

  #delete(id: string, { key, source }: Entry): void {
    this.#entries.delete(id);
    const others = this.#byKey.get(key);
    others?.delete(id);
    if (others?.size === 0) this.#byKey.delete(key);
    const count = (this.#counts.get(source) ?? 0) - 1;
    if (count > 0) this.#counts.set(source, count);
    else this.#counts.delete(source);
  }
}

/** No JID holds a line break. */
function keyOf(token: string, to: BareJid): string {
  return `${createHash("sha256").update(token).digest("base64")}\n${to}`;
}
