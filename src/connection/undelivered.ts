// What was written and never acknowledged, in words that may be told: whom it was for and what it was, never what was in it.
import { localName, own, type XmlElement } from "../codec/xml.ts";

/** A stanza that was written, and of which the server did not say that it had it. It may have arrived all the same. */
export interface UndeliveredStanza {
  /** `message`, or `iq`: an answer to a request. */
  readonly kind: "iq" | "message";
  /** What it held: the name of its first element, for instance `fields`; empty if it held none. */
  readonly payload: string;
  /** Whom it was for; empty for the own server. */
  readonly to: string;
}

/** What may not have arrived when a stream has ended. */
export interface Undelivered {
  /** The stanzas, in the order in which they were written. */
  readonly stanzas: readonly UndeliveredStanza[];
  /** How many more there are, at the most, of which nothing else was kept. */
  readonly more: number;
}

/** Nothing is known to be lost. */
export const nothingUndelivered: Undelivered = { stanzas: [], more: 0 };

// Enough for a person; a flood is no reader's friend.
const MOST_NAMED = 5;

/**
 * What is told of a stanza if it is lost. Nothing for a request, which rejects by itself when the stream ends, and for
 * presence, which is sent anew on the next stream.
 */
export function worthReporting(stanza: XmlElement): UndeliveredStanza | undefined {
  const kind = (["iq", "message"] as const).find((name) => name === stanza.name);
  if (kind === undefined || (kind === "iq" && ["get", "set"].includes(stanza.attrs["type"] ?? ""))) return undefined;
  const [first] = stanza.getChildElements();
  const payload = first === undefined ? "" : own(localName(first));
  return { kind, payload, to: own(stanza.attrs["to"] ?? "") };
}

/** One line about it for people; `undefined` if there is nothing to tell. */
export function describeUndelivered({ stanzas, more }: Undelivered): string | undefined {
  const count = stanzas.length + more;
  if (count === 0) return undefined;
  const named = stanzas.slice(0, MOST_NAMED).map(({ kind, payload, to }) => {
    return `${kind}${payload === "" ? "" : ` (${payload})`} to ${to === "" ? "the server" : to}`;
  });
  const others = count - named.length;
  if (others > 0) named.push(`${others} more`);
  return `${count === 1 ? "1 stanza" : `${count} stanzas`} may not have arrived: ${named.join(", ")}`;
}
