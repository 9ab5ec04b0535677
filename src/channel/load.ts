// How much may be asked of us at once.
import type { XmlElement } from "../codec/xml.ts";
import type { BareJid } from "../core/jid.ts";

// What all senders together may have running here, and what one of them may: nobody alone takes the room of the others.
const MOST = 256;
const MOST_EACH = 64;
// Who waits for an answer keeps the question, and nearly all of one may be padding: so many bytes of questions at once.
const MOST_BYTES = 4_194_304;
const MOST_BYTES_EACH = 1_048_576;
// What an element takes beside its text, roughly.
const ELEMENT_BYTES = 300;

interface Share {
  readonly count: number;
  readonly bytes: number;
}

/** Counts the handlers that are running and what they hold, by who asked. */
export class Load {
  readonly #running = new Map<BareJid, Share>();
  #all: Share = { count: 0, bytes: 0 };

  /** Takes a place for a question; returns how to give it back, or `undefined` if there is none left. */
  take(sender: BareJid, question: XmlElement): (() => void) | undefined {
    const more = { count: 1, bytes: sizeOf(question) };
    const all = add(this.#all, more);
    const own = add(this.#running.get(sender), more);
    if (all.count > MOST || own.count > MOST_EACH) return undefined;
    if (all.bytes > MOST_BYTES || own.bytes > MOST_BYTES_EACH) return undefined;
    this.#all = all;
    this.#running.set(sender, own);
    return () => {
      const less = { count: -1, bytes: -more.bytes };
      this.#all = add(this.#all, less);
      const left = add(this.#running.get(sender), less);
      if (left.count === 0) this.#running.delete(sender);
      else this.#running.set(sender, left);
    };
  }
}

function add(a: Share = { count: 0, bytes: 0 }, b: Share): Share {
  return { count: a.count + b.count, bytes: a.bytes + b.bytes };
}

/** What a stanza takes in memory, roughly. */
function sizeOf(stanza: XmlElement): number {
  let bytes = 0;
  const open: (XmlElement | string)[] = [stanza];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === "string") {
      bytes += next.length;
      continue;
    }
    bytes += ELEMENT_BYTES;
    for (const value of Object.values(next.attrs)) bytes += value?.length ?? 0;
    for (const child of next.children) open.push(child);
  }
  return bytes;
}
