// XEP-0198 Stream Management 1.6, sections 3 and 4: both sides count stanzas and tell each other. Without resumption
// (section 5): docs/architecture.md says why. Counting and nothing else: no socket, no clock.
import { ProtocolError } from "../core/errors.ts";
import { el, type XmlElement } from "../codec/xml.ts";
import { streamNs } from "./namespaces.ts";
import { nothingUndelivered, worthReporting, type Undelivered, type UndeliveredStanza } from "./undelivered.ts";

// Section 4: counters wrap at 2^32.
const WRAP = 2 ** 32;
// Of how many unacknowledged stanzas is kept what they were. What is beyond counts, but is not kept.
const MOST_KEPT = 256;

/** A count by the server that cannot be. `report` is the stream error that section 4 wants it told by. */
export class MiscountError extends ProtocolError {
  constructor(
    message: string,
    /** What follows `undefined-condition` in the stream error, if there is a name for it. */
    readonly report: XmlElement | undefined,
  ) {
    super(message, "a/@h");
  }
}

/** The counts of one stream. */
export class StreamManagement {
  #state: "off" | "asked" | "on" = "off";
  // Stanzas of the server since `<enabled/>`, and own ones since `<enable/>`. The own ones do not wrap here.
  #handled: number;
  #sent: number;
  #acknowledged: number;
  readonly #kept: { readonly number: number; readonly stanza: UndeliveredStanza }[] = [];
  // When there were too many: the last one that was not kept, and how many that were.
  #beyond = { last: 0, count: 0 };

  /** @param begin where both counts begin. Only a test of what comes after 2^32 stanzas begins elsewhere than at 0. */
  constructor(begin = 0) {
    this.#handled = begin;
    this.#sent = begin;
    this.#acknowledged = begin;
  }

  /** True once the server has said `<enabled/>`. */
  get on(): boolean {
    return this.#state === "on";
  }

  /** True while the server has not acknowledged everything that was written. */
  get isWaiting(): boolean {
    return this.on && this.#acknowledged < this.#sent;
  }

  /** Begins (section 3): gives what asks for it. What is written from now on is counted. */
  ask(): XmlElement {
    this.#state = "asked";
    return el("enable", { xmlns: streamNs.management });
  }

  /** What the server says, if it counts: `<enabled/>`. It counts what it sends from here on. */
  enabled(): void {
    if (this.#state === "asked") this.#state = "on";
  }

  /** The server does not count after all: `<failed/>`. */
  failed(): void {
    if (this.#state === "asked") this.#state = "off";
  }

  /** A stanza came. */
  received(): void {
    if (this.on) this.#handled = (this.#handled + 1) % WRAP;
  }

  /** Says how many came (section 4). */
  answer(): XmlElement {
    return el("a", { xmlns: streamNs.management, h: this.#handled });
  }

  /** A stanza goes out. */
  sent(stanza: XmlElement): void {
    if (this.#state === "off") return;
    this.#sent++;
    const report = worthReporting(stanza);
    if (report === undefined) return;
    // Once there were too many nothing is kept until these are acknowledged: so the list has no holes.
    if (this.#kept.length >= MOST_KEPT || this.#beyond.count > 0) {
      this.#beyond = { last: this.#sent, count: this.#beyond.count + 1 };
    } else {
      this.#kept.push({ number: this.#sent, stanza: report });
    }
  }

  /** Takes `<a/>`. Throws {@link MiscountError} when it acknowledges less than before, or more than was sent. */
  acknowledge(answer: XmlElement): void {
    const text = answer.attrs["h"] ?? "";
    const count = /^\d{1,10}$/.test(text) ? Number(text) : WRAP;
    if (count >= WRAP) throw new MiscountError("not a count of stanzas", undefined);
    const more = (count - (this.#acknowledged % WRAP) + WRAP) % WRAP;
    const waiting = this.#sent - this.#acknowledged;
    if (more > waiting) throw this.#miscount(count, more);
    this.#acknowledged += more;
    const left = this.#kept.findIndex(({ number }) => number > this.#acknowledged);
    this.#kept.splice(0, left < 0 ? this.#kept.length : left);
    if (this.#beyond.last <= this.#acknowledged) this.#beyond = { last: 0, count: 0 };
  }

  /** What was written and not acknowledged. */
  undelivered(): Undelivered {
    if (!this.isWaiting) return nothingUndelivered;
    const more = Math.min(this.#beyond.count, this.#sent - this.#acknowledged);
    return { stanzas: this.#kept.map(({ stanza }) => stanza), more };
  }

  #miscount(h: number, more: number): MiscountError {
    const sent = this.#sent % WRAP;
    // On a circle less is more by nearly a whole turn.
    const fewer = more > WRAP / 2;
    const before = this.#acknowledged % WRAP;
    if (fewer) return new MiscountError(`the server acknowledged ${h} stanzas, and ${before} before`, undefined);
    return new MiscountError(
      `the server acknowledged ${h} stanzas of ${sent}`,
      el("handled-count-too-high", { xmlns: streamNs.management, h, "send-count": sent }),
    );
  }
}
