import { ProtocolError } from "../core/errors.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { iq, iqType, stanzaErrorOf } from "../codec/stanza.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { XmlStream } from "./xml-stream.ts";

// What may come from others before the answer.
const MOST_HELD = 256;

/** Asks the server while the stream is negotiated. Rejects with `ERR_STANZA` for an error answer. */
export type AskServer = (type: "get" | "set", payload: XmlElement, to?: string) => Promise<XmlElement | undefined>;

/**
 * Makes an {@link AskServer} on a stream. What comes before the answer is an error while `held` is left out, and is
 * kept there otherwise: once a resource is bound, other stanzas may come at any moment.
 */
export function askServer(stream: XmlStream, random: RandomSource, domain: string, held?: XmlElement[]): AskServer {
  return async (type, payload, to) => {
    const id = randomToken(random);
    await stream.write([iq({ type, id, to }, payload)]);
    for (;;) {
      const element = await stream.next();
      if (element.name === "iq" && element.attrs["id"] === id && ["result", "error"].includes(iqType(element))) {
        const error = stanzaErrorOf(element, domain);
        if (error !== undefined) throw error;
        return element.getChildElements()[0];
      }
      if (held === undefined || held.length >= MOST_HELD)
        throw new ProtocolError("not the answer that is due", element.name);
      held.push(element);
    }
  };
}
