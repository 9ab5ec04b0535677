import type { XmlElement } from "../../src/codec/xml.ts";
import type { HostedAccount, StanzaService } from "../../src/sandbox/stanza-service.ts";
import { inTestsWords } from "./said.ts";

/** A service whose answers can be held back, so that something can happen in between, and that can be made to speak. */
export class Holdable implements StanzaService {
  readonly jid: string;
  readonly name: string;
  readonly #service: StanzaService;
  readonly #held: XmlElement[] = [];
  /** All that was sent to it. */
  readonly heard: XmlElement[] = [];
  #isHeld: ((stanza: XmlElement) => boolean) | undefined;
  #carry: (stanzas: readonly XmlElement[]) => void = () => undefined;

  constructor(service: StanzaService) {
    this.jid = service.jid;
    this.name = service.name;
    this.#service = service;
  }

  /** What was held back so far. */
  get held(): readonly XmlElement[] {
    return this.#held;
  }

  /** From now on these stanzas wait. */
  hold(isHeld: (stanza: XmlElement) => boolean): void {
    this.#isHeld = isHeld;
  }

  /** Answers what waits, and holds nothing any more. */
  release(): void {
    this.#isHeld = undefined;
    for (const stanza of this.#held.splice(0)) this.#carry(this.#service.receive(stanza));
  }

  /** Says something in its name that it would not say by itself: the words of the test. */
  say(stanza: XmlElement): void {
    this.#carry([inTestsWords(stanza)]);
  }

  receive(stanza: XmlElement): readonly XmlElement[] {
    this.heard.push(stanza);
    if (this.#isHeld?.(stanza) !== true) return this.#service.receive(stanza);
    this.#held.push(stanza);
    return [];
  }

  onOutput(carry: (stanzas: readonly XmlElement[]) => void): void {
    this.#carry = carry;
    this.#service.onOutput(carry);
  }

  onAccount(account?: HostedAccount): void {
    this.#service.onAccount?.(account);
  }

  stop(): void {
    this.#service.stop();
  }
}
