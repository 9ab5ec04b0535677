import type { Clock } from "./clock.ts";

/** What is to be said of something that has happened again. */
export interface Repeats {
  /** How often it happened since it was said last, this time included; 0 if it is said for the first time. */
  readonly repeated: number;
  /** Over how long, in milliseconds. */
  readonly ms: number;
}

interface Entry {
  said: number;
  seen: number;
  window: number;
  held: number;
}

const FIRST_WINDOW = 60_000;
const LONGEST_WINDOW = 3_600_000;
const GROWTH = 4;
// Who can make up names (of strangers, in a message) must neither fill the memory nor get each of them said.
const MOST_GROUPS = 64;
const MOST_KEYS = 8;

/**
 * Folds what happens again and again: said at once the first time, then with a count, after 1, 4, 16 minutes and from
 * then on once an hour. After an hour of silence it is new again. Knows no timers: the count is said with the next time.
 */
export class Fold {
  readonly #clock: Clock;
  readonly #groups = new Map<string, Map<string, Entry>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Something has happened: what to say of it, or nothing.
   *
   * @param group what it is about. Of one group 8 keys are told apart, all others are one.
   * @param key what makes it the same as before
   */
  note(group: string, key: string): Repeats | undefined {
    const now = this.#clock.monotonic();
    const entries = this.#group(group);
    const entry = entries.get(key) ?? entryFor(entries, key, now);
    const ms = now - entry.said;
    const fresh = entry.window === 0 || (entry.held === 0 && now - entry.seen >= LONGEST_WINDOW);
    entry.seen = now;
    if (!fresh && ms < entry.window) {
      entry.held++;
      return undefined;
    }
    const repeats = fresh ? { repeated: 0, ms: 0 } : { repeated: entry.held + 1, ms };
    entry.window = fresh ? FIRST_WINDOW : Math.min(LONGEST_WINDOW, entry.window * GROWTH);
    entry.said = now;
    entry.held = 0;
    return repeats;
  }

  /** It is over: should it happen again, it is new. Tells whether it had happened at all. */
  forget(group: string): boolean {
    return this.#groups.delete(group);
  }

  #group(name: string): Map<string, Entry> {
    const entries = this.#groups.get(name) ?? new Map<string, Entry>();
    // The one used last stands last.
    this.#groups.delete(name);
    this.#groups.set(name, entries);
    const [oldest] = this.#groups.keys();
    if (this.#groups.size > MOST_GROUPS && oldest !== undefined) this.#groups.delete(oldest);
    return entries;
  }
}

/** An entry for a new key; the one that all others share where there are too many. */
function entryFor(entries: Map<string, Entry>, key: string, now: number): Entry {
  if (entries.size >= MOST_KEYS) {
    for (const [old, { seen }] of entries) if (now - seen >= LONGEST_WINDOW) entries.delete(old);
  }
  const name = entries.size < MOST_KEYS ? key : OTHERS;
  const entry = entries.get(name) ?? { said: now, seen: now, window: 0, held: 0 };
  entries.set(name, entry);
  return entry;
}

// No key of anybody's.
const OTHERS = "\u0000others";

/** Says it in words: `again, 40 times in 1 h`. Empty for the first time. */
export function inWords({ repeated, ms }: Repeats): string {
  if (repeated === 0) return "";
  return `again, ${repeated === 1 ? "once" : `${repeated} times`} in ${duration(ms)}`;
}

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 60 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
