// Hides very many secrets in a text, in a time that does not grow with how many there are: a Thing with a thousand nodes
// has a thousand KEYs, and each line of its log is looked at.
import { HIDDEN } from "../connection/redact.ts";

// A shorter one stands in every other word, and could be guessed anyway.
const SHORTEST = 4;

/** Secrets that come and go. */
export class KeyHider {
  // By their length: of those that are made there is one.
  readonly #byLength = new Map<number, Set<string>>();

  readonly #onAdded: (secret: string) => void;

  /** @param onAdded told of each, to hide it elsewhere too */
  constructor(onAdded: (secret: string) => void = () => undefined) {
    this.#onAdded = onAdded;
  }

  /** From now on this is hidden. */
  add(secret: string): void {
    this.#onAdded(secret);
    if (secret.length < SHORTEST) return;
    const secrets = this.#byLength.get(secret.length);
    if (secrets === undefined) this.#byLength.set(secret.length, new Set([secret]));
    else secrets.add(secret);
  }

  /** The text without any of them. */
  hide(text: string): string {
    let shown = text;
    for (const [length, secrets] of this.#byLength) shown = without(shown, length, secrets);
    return shown;
  }
}

function without(text: string, length: number, secrets: ReadonlySet<string>): string {
  let shown = "";
  let from = 0;
  for (let at = 0; at + length <= text.length;) {
    if (secrets.has(text.slice(at, at + length))) {
      shown += text.slice(from, at) + HIDDEN;
      at += length;
      from = at;
    } else at++;
  }
  return from === 0 ? text : shown + text.slice(from);
}
