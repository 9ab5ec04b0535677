// XEP-0198 Stream Management 1.6, sections 3 and 4, for the server. Without resumption (section 5): whoever asks for it gets
// `<enabled/>` without an id. It shares nothing with the client's own counts.
import { ns } from "../../codec/namespaces.ts";
import { el, type XmlElement } from "../../codec/xml.ts";
import { StreamFault } from "./stream-fault.ts";
import { streamNs } from "./stream-texts.ts";

const WRAP = 2 ** 32;

/** The counts of one client's stream. */
export class Acknowledgements {
  readonly #write: (text: string) => void;
  #enabled = false;
  // Stanzas of the client since its `<enable/>`, and those for it since `<enabled/>`.
  #handled = 0;
  #sent = 0;
  #acknowledged = 0;
  #asked = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /**
   * Takes an element of stream management; tells whether it was one. Throws {@link StreamFault} for a count that cannot be.
   *
   * @param isBound whether the client has a resource (section 3)
   */
  take(element: XmlElement, isBound: boolean): boolean {
    if (element.getNS() !== streamNs.management) return false;
    if (element.is("enable") && isBound && !this.#enabled) {
      this.#enabled = true;
      this.#write(el("enabled", { xmlns: streamNs.management }).toString());
    } else if (element.is("resume")) {
      this.#fail("item-not-found");
    } else if (!this.#enabled || element.is("enable")) {
      this.#fail("unexpected-request");
    } else if (element.is("r")) {
      this.#write(this.answer());
    } else if (element.is("a")) {
      this.#acknowledge(element.attrs["h"] ?? "");
    }
    return true;
  }

  /** A stanza of the client was taken. */
  received(): void {
    if (this.#enabled) this.#handled = (this.#handled + 1) % WRAP;
  }

  /** Counts stanzas for the client. Gives what is to follow them: the question how many have come, one at a time. */
  sent(count: number): string {
    if (!this.#enabled) return "";
    this.#sent += count;
    if (this.#asked) return "";
    this.#asked = true;
    return el("r", { xmlns: streamNs.management }).toString();
  }

  /** Says how many have come; nothing if the client does not want to know. */
  answer(): string {
    return this.#enabled ? el("a", { xmlns: streamNs.management, h: this.#handled }).toString() : "";
  }

  #acknowledge(text: string): void {
    const count = /^\d{1,10}$/.test(text) ? Number(text) : WRAP;
    if (count >= WRAP) throw new StreamFault("bad-format", "Not a count of stanzas.");
    const more = (count - (this.#acknowledged % WRAP) + WRAP) % WRAP;
    if (more > this.#sent - this.#acknowledged) {
      const counts = { h: count, "send-count": this.#sent % WRAP };
      const report = el("handled-count-too-high", { xmlns: streamNs.management, ...counts });
      throw new StreamFault("undefined-condition", "More was acknowledged than sent.", report);
    }
    this.#acknowledged += more;
    this.#asked = false;
  }

  #fail(condition: string): void {
    this.#write(el("failed", { xmlns: streamNs.management }, el(condition, { xmlns: ns.stanzas })).toString());
  }
}
