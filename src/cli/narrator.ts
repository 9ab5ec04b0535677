// How the demo tells its story.
import type { XmlElement } from "../codec/xml.ts";
import { claimCode } from "../qr/claim-code.ts";
import type { Io } from "./io.ts";

/** Tells the steps of the demo, and checks that each did what was told. */
export class Narrator {
  readonly #io: Io;
  readonly #pause: () => Promise<void>;
  readonly #xml: boolean;
  #count = 0;

  constructor(options: { io: Io; pause: () => Promise<void>; xml: boolean }) {
    this.#io = options.io;
    this.#pause = options.pause;
    this.#xml = options.xml;
  }

  /** A line above or below all steps. */
  title(text: string): void {
    this.#io.out(`\n${text}`);
  }

  /** The next step: what is about to happen. */
  async step(title: string, lines: readonly string[]): Promise<void> {
    if (this.#count > 0) await this.#pause();
    this.#count++;
    this.#io.out(`\n${this.#count}. ${title}`);
    for (const line of lines) this.#io.out(`   ${line}`);
  }

  /** What goes over the wire, in a few words. */
  wire(text: string): void {
    this.#io.out(`   on the wire: ${text}`);
  }

  /** Something to know. */
  tell(text: string): void {
    this.#io.out(`   ${text}`);
  }

  /** Something that must be so. Throws if it is not: the demo has then failed. */
  check(holds: boolean, text: string): void {
    this.#io.out(`   ${holds ? "✓" : "✗"} ${text}`);
    if (!holds) throw new Error(`the demo failed: not so that ${text}`);
  }

  /** The text and its QR code. */
  async qr(text: string): Promise<void> {
    const code = await claimCode(text, { as: "terminal" });
    this.#io.out(`   ${text}\n`);
    for (const line of code.split("\n")) this.#io.out(`   ${line}`);
    this.#io.out("");
  }

  /** A stanza, if stanzas are to be shown. */
  stanza(from: string, to: string, stanza: XmlElement): void {
    if (this.#xml) this.#io.out(`     ${from} → ${to === "" ? "server" : to}\n     ${stanza.toString()}`);
  }
}
