// RFC 6120 section 11: a tag as nearly all are, read in one go.

/** A tag: one that begins an element with the names of its attributes, or one that ends it. */
export interface Tag {
  readonly text: string;
  readonly start: string | undefined;
  readonly end: string | undefined;
  readonly names: readonly string[];
}

// Longer ones are taken piece by piece, as those that are cut by the end of a packet.
const LONGEST = 1_024;

const QUOTE = 34;
const APOSTROPHE = 39;
const SLASH = 47;
const LESS = 60;
const EQUALS = 61;
const GREATER = 62;

/**
 * The tag that begins at a place, if it is there as a whole, and nothing about it is odd; `undefined`: it is to be looked at
 * character by character. Odd is more than is forbidden: a name beyond ASCII, for instance.
 */
export function plainTag(text: string, from: number): Tag | undefined {
  const isEnd = text.charCodeAt(from + 1) === SLASH;
  const begin = from + (isEnd ? 2 : 1);
  let at = endOfName(text, begin);
  if (at === begin) return undefined;
  const name = text.slice(begin, at);
  const names: string[] = [];
  for (;;) {
    const before = at;
    at = endOfBlanks(text, at);
    const close = text.charCodeAt(at) === SLASH && !isEnd ? at + 1 : at;
    if (close - from > LONGEST) return undefined;
    if (text.charCodeAt(close) === GREATER) {
      const whole = text.slice(from, close + 1);
      return isEnd
        ? { text: whole, start: undefined, end: name, names }
        : { text: whole, start: name, end: undefined, names };
    }
    if (at === before || isEnd) return undefined;
    const attribute = endOfName(text, at);
    if (attribute === at) return undefined;
    names.push(text.slice(at, attribute));
    at = endOfValue(text, attribute, from + LONGEST);
    if (at < 0) return undefined;
  }
}

/** Behind a name: what is neither a blank nor a sign of XML, nor beyond ASCII. */
function endOfName(text: string, from: number): number {
  let at = from;
  for (; ; at++) {
    const code = text.charCodeAt(at);
    if (code > 32 && code < QUOTE) continue;
    const isSign = code === APOSTROPHE || code === SLASH || (code >= LESS && code <= GREATER);
    if (!(code > QUOTE && code < 127) || isSign) return at;
  }
}

function endOfBlanks(text: string, from: number): number {
  let at = from;
  for (; ; at++) {
    const code = text.charCodeAt(at);
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return at;
  }
}

/** Behind `="…"`; below 0 if there is none. */
function endOfValue(text: string, from: number, limit: number): number {
  const sign = endOfBlanks(text, from);
  if (text.charCodeAt(sign) !== EQUALS) return -1;
  const open = endOfBlanks(text, sign + 1);
  const quote = text.charCodeAt(open);
  if (quote !== QUOTE && quote !== APOSTROPHE) return -1;
  for (let at = open + 1; at <= limit; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at + 1;
    if (code === LESS || Number.isNaN(code)) return -1;
  }
  return -1;
}
