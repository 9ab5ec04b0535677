// What this process sends over XMPP streams, for a look at every stanza of a scenario, also on servers that show nothing.
import type { XmlElement } from "../../src/codec/xml.ts";
import { XmlStream } from "../../src/connection/xml-stream.ts";

/** Where everything goes out: the streams of Things, owners, and services that are accounts. */
const streams: { write: (this: XmlStream, elements: readonly XmlElement[]) => Promise<void> } = XmlStream.prototype;

/** Which stanzas a scenario has sent, as they went out. Ends when it is disposed of. */
export class SentStanzas implements Disposable {
  readonly #write = streams.write;
  readonly #texts: string[] = [];

  /** From now on it listens. */
  constructor() {
    const { note } = this;
    const write = this.#write;
    streams.write = function (elements) {
      elements.forEach(note);
      return write.call(this, elements);
    };
  }

  /** Each stanza as XML, once. */
  get texts(): readonly string[] {
    return [...new Set(this.#texts)];
  }

  /** Takes down what somebody sends in another way. */
  readonly note = (element: XmlElement): void => {
    if (["iq", "message", "presence"].includes(element.name)) this.#texts.push(element.toString());
  };

  [Symbol.dispose](): void {
    streams.write = this.#write;
  }
}
