// What this process sends, for a look at every stanza of a scenario, also on servers that show nothing.
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import type { StanzaService } from "../../src/sandbox/stanza-service.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { XmlStream } from "../../src/connection/xml-stream.ts";
import { isInTestsWords, listenTo } from "./said.ts";

/** Where most goes out: the streams of Things, owners, and services that are accounts. */
const streams: { write: (this: XmlStream, elements: readonly XmlElement[]) => Promise<void> } = XmlStream.prototype;
/** Services, also those that are components and have streams of another kind. */
const services: readonly Pick<StanzaService, "receive" | "onOutput">[] = [
  ReferenceRegistry.prototype,
  ReferenceProvisioningServer.prototype,
];

/** Which stanzas a scenario has sent, as they went out. Ends when it is disposed of. */
export class SentStanzas implements Disposable {
  readonly #texts = new Set<string>();
  readonly #restore: (() => void)[] = [];

  /** From now on it listens. */
  constructor() {
    const { note } = this;
    const { write } = streams;
    streams.write = function (elements) {
      elements.forEach(note);
      return write.call(this, elements);
    };
    this.#restore.push(() => (streams.write = write));
    for (const service of services) {
      const { receive, onOutput } = service;
      service.receive = function (stanza) {
        const answers = receive.call(this, stanza);
        answers.forEach(note);
        return answers;
      };
      service.onOutput = function (carry) {
        onOutput.call(this, (stanzas) => {
          stanzas.forEach(note);
          carry(stanzas);
        });
      };
      this.#restore.push(() => Object.assign(service, { receive, onOutput }));
    }
    this.#restore.push(listenTo(note));
  }

  /** Each stanza as XML, once. Those that differ in their ids and sequence numbers alone are the same. */
  get texts(): readonly string[] {
    return [...this.#texts];
  }

  /** Takes it down, unless it is in the test's own words. */
  readonly note = (element: XmlElement): void => {
    if (!["iq", "message", "presence"].includes(element.name) || isInTestsWords(element)) return;
    this.#texts.add(element.toString().replace(/ (id|seqnr)="([\w-]+)"/g, sameNumber));
  };

  [Symbol.dispose](): void {
    for (const restore of this.#restore.reverse()) restore();
  }
}

/** One id, and one sequence number, for all of them that are right: a flood of questions is one question. */
function sameNumber(whole: string, name: string, value: string): string {
  if (name === "id") return ' id="1"';
  return /^\d{1,9}$/.test(value) ? ' seqnr="1"' : whole;
}
