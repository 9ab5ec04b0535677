// Memory answers, the keeper keeps: nothing that a Provisioning Server decides by is told before it would survive a power cut.
import { messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { Refusal } from "../core/refusal.ts";
import { buildError, iq } from "../codec/stanza.ts";
import { optional, type XmlElement } from "../codec/xml.ts";

/** What changed: a value that is fit for JSON, or `undefined` to forget what is there. */
export type KeptChange = readonly [key: string, value: unknown];

/**
 * Keeps what a Provisioning Server decides by where it outlives the process: values under keys. One call is made at a
 * time. A call that rejects may have kept all, some or nothing: what it was about comes again.
 */
export interface ProvisioningKeeper {
  /** All that is kept, in any order. Called once, before anything else. */
  load(): AsyncIterable<readonly [key: string, value: unknown]>;
  /** Keeps all of it, or nothing. Resolves when no power cut undoes it. */
  write(changes: readonly KeptChange[]): Promise<void>;
  /** Ends. Nothing is called after it. */
  close(): Promise<void>;
}

interface Told {
  /** How many changes there were before it. */
  readonly after: number;
  readonly stanzas: readonly XmlElement[];
}

// A keeper that hangs must not fill the memory.
const MOST_TOLD = 10_000;

/**
 * What is kept, and what waits for it. Each change counts at once; what the server says from then on goes out when the
 * change is kept, in its order. While the keeper fails, questions are answered by `resource-constraint`, and everything
 * that is said tries again.
 */
export class Kept {
  readonly #logger: Logger;
  readonly #carry: (stanzas: readonly XmlElement[]) => void;
  #keeper: ProvisioningKeeper | undefined;
  #changes = new Map<string, unknown>();
  #told: Told[] = [];
  /** How many changes there were, and how many of them are kept. */
  #last = 0;
  #kept = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;

  constructor(logger: Logger, carry: (stanzas: readonly XmlElement[]) => void) {
    this.#logger = logger;
    this.#carry = carry;
  }

  /** From now on changes are kept. */
  keepIn(keeper: ProvisioningKeeper): void {
    this.#keeper = keeper;
  }

  /**
   * Something has changed. Its value must not change any more.
   *
   * @param lazily nothing that is said depends on it: lost, it costs a repetition only
   */
  change(key: string, value: unknown, lazily = false): void {
    if (this.#keeper === undefined) return;
    this.#changes.set(key, value);
    if (!lazily) this.#last++;
    this.#begin();
  }

  /** Says something: gives what may go out at once. The rest goes by itself. */
  tell(stanzas: readonly XmlElement[]): readonly XmlElement[] {
    // What waits goes first: it may be going out at this moment, and have brought on what is said now.
    if (stanzas.length === 0 || (this.#kept === this.#last && this.#told.length === 0)) return stanzas;
    if (this.#told.length >= MOST_TOLD) return refused(stanzas);
    this.#told.push({ after: this.#last, stanzas });
    this.#begin();
    return [];
  }

  /** Resolves when all changes until now are kept. Rejects with what the keeper rejects with. */
  async settled(): Promise<void> {
    const upTo = this.#last;
    while (this.#kept < upTo) {
      this.#begin();
      await this.#writing;
      if (this.#failure !== undefined) throw this.#failure as Error;
    }
  }

  /** Keeps what is left, and closes the keeper. What fails now is told in the log. */
  async close(): Promise<void> {
    if (this.#changes.size > 0) this.#begin();
    await this.#writing;
    await this.#keeper?.close();
  }

  #begin(): void {
    if (this.#keeper !== undefined) this.#writing ??= this.#write(this.#keeper);
  }

  async #write(keeper: ProvisioningKeeper): Promise<void> {
    await Promise.resolve(); // what changes in the same turn goes together
    while (this.#changes.size > 0) {
      const [changes, upTo] = [this.#changes, this.#last];
      this.#changes = new Map();
      try {
        await keeper.write([...changes]);
      } catch (error) {
        this.#logger.error("the Provisioning Server could not keep what changed", { why: messageOf(error) });
        this.#changes = new Map([...changes, ...this.#changes]); // nobody knows what of it is kept
        this.#failure = error;
        for (const { stanzas } of this.#told.splice(0)) this.#say(refused(stanzas));
        break;
      }
      this.#failure = undefined;
      this.#kept = upTo;
      for (let [next] = this.#told; next !== undefined && next.after <= upTo; [next] = this.#told) {
        this.#say(next.stanzas);
        this.#told.shift();
      }
    }
    this.#writing = undefined;
    if (this.#told.length > 0) this.#begin(); // what a refusal has brought on
  }

  #say(stanzas: readonly XmlElement[]): void {
    try {
      if (stanzas.length > 0) this.#carry(stanzas);
    } catch (error) {
      this.#logger.error("the service failed", { why: messageOf(error) });
    }
  }
}

/** Answers become a refusal for now; what the server says by itself is lost, and comes again or is not missed. */
function refused(stanzas: readonly XmlElement[]): readonly XmlElement[] {
  return stanzas.flatMap((stanza) => {
    const [type, to, from] = [optional(stanza, "type"), optional(stanza, "to"), optional(stanza, "from")];
    if (!stanza.is("iq") || type === "get" || type === "set") return [];
    if (type === "error") return [stanza];
    const refusal = new Refusal(
      "resource-constraint",
      "The Provisioning Server cannot keep this now. Try again later.",
    );
    return [iq({ type: "error", id: optional(stanza, "id") ?? "", to, from }, buildError(refusal))];
  });
}
