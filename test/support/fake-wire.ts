import type { Wire } from "../../src/channel/channel.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { parseJid, type Jid } from "../../src/core/jid.ts";
import { noteSent } from "./said.ts";

/** A stream without a network: what is written to it can be looked at, held back or made to fail. */
export class FakeWire implements Wire {
  readonly jid: Jid;
  /** Everything written, one entry a write. Made anew from the XML text, as a peer would see it. */
  readonly writes: (readonly XmlElement[])[] = [];
  /** How many bytes the network has not taken yet. */
  backlog = 0;
  /** Makes the writes to come fail. */
  failure: unknown;
  #held: (() => void)[] | undefined;

  constructor(jid = "thing@example.org/r1") {
    this.jid = parseJid(jid);
  }

  /** Everything written, one stanza after another. */
  get sent(): readonly XmlElement[] {
    return this.writes.flat();
  }

  /** The stanza written last. */
  get last(): XmlElement {
    const stanza = this.sent.at(-1);
    if (stanza === undefined) throw new Error("nothing was sent");
    return stanza;
  }

  async write(stanzas: readonly XmlElement[]): Promise<void> {
    if (this.failure !== undefined) throw this.failure as Error;
    noteSent(stanzas);
    this.writes.push(stanzas.map((stanza) => parseXml(String(stanza))));
    const held = this.#held;
    if (held) await new Promise<void>((resolve) => held.push(resolve));
  }

  /** Lets writes hang; returns how to let them go. */
  hold(): () => void {
    const held: (() => void)[] = [];
    this.#held = held;
    return () => {
      this.#held = undefined;
      for (const release of held) release();
    };
  }
}
