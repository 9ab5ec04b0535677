// XEP-0347 3.15: what searches find, page after page, each Thing once (D-E13).
import { createHash } from "node:crypto";
import { ProtocolError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Found, FoundThing, Search } from "../codec/search.ts";
import type { Predicate } from "./predicates.ts";

/** A Thing that a search found. Give it to `read`, `control`, `befriend`, and if it is yours to `update`, `remove`, `disown`. */
export interface ThingFound {
  /** The Thing, or the concentrator it is behind. */
  readonly jid: BareJid;
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
  /** Its owner: the Thing itself when it is self-owned. */
  readonly owner: BareJid;
  /** True when the Thing has no other owner than itself (XEP-0347 3.7). */
  readonly selfOwned: boolean;
  /** Its tags by their names in upper case, numbers as numbers. Never `KEY`. */
  readonly tags: ReadonlyMap<string, string | number>;
}

/** Asks for one page. */
export type AskPage = (search: Search) => Promise<Found>;

/** How many Things one page may hold, unless the program says otherwise. */
export const PAGE_SIZE = 50;
// Things come and go between two pages, and then some are on both: those of a search that it remembers.
const MOST_RECENT = 1_000;
// Those of earlier alternatives, 16 bytes of digest each. Beyond it the oldest are forgotten.
const MOST_REMEMBERED = 200_000;
// A Registry that says `more` again and again but has nothing new never comes to an end.
const MOST_PAGES_WITHOUT_NEWS = 3;

/**
 * Makes the searches, one page at a time: the next one is asked for when the Things of the one before are taken. Rejects
 * with what the asking rejects with, and with `ERR_PROTOCOL` when the Registry goes on without anything new.
 */
export async function* findThings(
  searches: readonly (readonly Predicate[])[],
  maxCount: number,
  signal: AbortSignal | undefined,
  ask: AskPage,
): AsyncGenerator<ThingFound, void, undefined> {
  const remembered = new Memory(MOST_REMEMBERED);
  for (const [index, operators] of searches.entries()) {
    const isLast = index === searches.length - 1;
    const recent = new Memory(MOST_RECENT);
    for await (const thing of pages(operators, maxCount, ask, recent)) {
      const key = keyOf(thing);
      if (remembered.has(key)) continue;
      if (!isLast) remembered.add(key);
      signal?.throwIfAborted();
      yield shown(thing);
    }
  }
}

/** What one search finds, less what it has just found. */
async function* pages(
  operators: readonly Predicate[],
  maxCount: number,
  ask: AskPage,
  recent: Memory,
): AsyncGenerator<FoundThing, void, undefined> {
  let offset = 0;
  let withoutNews = 0;
  for (;;) {
    const { things, more } = await ask({ offset, maxCount, operators });
    recent.grow(2 * things.length);
    const fresh = things.filter((thing) => recent.add(keyOf(thing)));
    yield* fresh;
    // An empty page ends it, whatever the Registry says (D-E13).
    if (!more || things.length === 0) return;
    withoutNews = fresh.length === 0 ? withoutNews + 1 : 0;
    if (withoutNews >= MOST_PAGES_WITHOUT_NEWS) {
      throw new ProtocolError(
        `the Registry goes on, but its last ${withoutNews} pages held nothing new`,
        "found/@more",
      );
    }
    // By what came, not by what was asked for: the Registry may give less (D-3.15-26).
    offset += things.length;
  }
}

function shown({ jid, node, owner, tags }: FoundThing): ThingFound {
  const values = new Map<string, string | number>();
  // A Registry never shows a KEY (D-3.15-30). From one that does it goes no further.
  for (const { name, value } of tags) if (name !== "KEY" && !values.has(name)) values.set(name, value);
  return { jid, ...(node !== undefined && { node }), owner, selfOwned: owner === jid, tags: values };
}

/** One Thing is one address and node (D-E6). A digest: a JID can be 3,000 bytes long. */
function keyOf({ jid, node }: FoundThing): string {
  const triple = JSON.stringify([jid, node?.nodeId, node?.sourceId, node?.cacheType]);
  return createHash("sha256").update(triple).digest("base64").slice(0, 22);
}

/** A set that forgets what was put in first: it holds at least the last so many, and never twice as many. */
class Memory {
  #new = new Set<string>();
  #old = new Set<string>();
  #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  has(key: string): boolean {
    return this.#new.has(key) || this.#old.has(key);
  }

  /** True if it was not there. */
  add(key: string): boolean {
    if (this.has(key)) return false;
    if (this.#new.size >= this.#most) {
      this.#old = this.#new;
      this.#new = new Set();
    }
    this.#new.add(key);
    return true;
  }

  /** Holds at least so many from now on. */
  grow(most: number): void {
    this.#most = Math.max(this.#most, most);
  }
}
