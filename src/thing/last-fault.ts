// The newest fault, on disk: what a Thing that is off says of why. For `npx xmpp-thing status`.
import type { Clock, Timer } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { Document } from "../storage/document.ts";
import type { Storage } from "../storage/storage.ts";

/** A fault as it is kept. */
export interface SavedFault {
  /** Its code: a {@link FaultCode}, or one of another version of the library. */
  readonly code: string;
  /** What happened, in words. */
  readonly message: string;
  /** When it happened last, by the device's clock: milliseconds since 1970. */
  readonly at: number;
  /** How often in a row; at least, since repeats alone are not written. */
  readonly times: number;
  /** Whether what it is about was well again afterwards. */
  readonly healed: boolean;
}

// Names that strangers made up may stand in it.
const LONGEST_MESSAGE = 500;
// SD cards wear out by writing: a repeat writes nothing, anything else once in this time.
const REST = 600_000;

/** The document that holds the newest fault: `faults`, JSON of a {@link SavedFault}. */
export function faultDocument(storage: Storage): Document<SavedFault> {
  return new Document({ storage, name: "faults", format: 1, parse: parseSavedFault });
}

/** Reads what was kept. Throws if it is not whole. */
export function parseSavedFault(value: unknown): SavedFault {
  const { code, message, at, times, healed } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof code !== "string" || typeof message !== "string") throw new TypeError("no fault");
  if (typeof at !== "number" || typeof times !== "number" || typeof healed !== "boolean") {
    throw new TypeError("no fault");
  }
  return { code, message, at, times, healed };
}

/** Keeps the newest fault. Never rejects: that trouble could not be noted is no trouble of its own. */
export class LastFault {
  readonly #document: Document<SavedFault>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #state: "new" | "open" | "closed" = "new";
  #fault: SavedFault | undefined;
  #unsaved = false;
  #wroteAt: number | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: { readonly storage: Storage; readonly clock: Clock; readonly logger: Logger }) {
    this.#document = faultDocument(options.storage);
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** Reads what was kept before. What cannot be read stays as it is, and nothing is written over it. */
  async load(): Promise<void> {
    try {
      this.#fault = (await this.#document.load()).value;
      this.#state = "open";
    } catch (error) {
      this.#logger.debug("the last fault could not be read", { why: messageOf(error) });
    }
  }

  /** A fault has happened. */
  note(code: string, message: string): void {
    const before = this.#fault;
    const again = before?.code === code && !before.healed;
    const times = again ? before.times + 1 : 1;
    this.#fault = { code, message: message.slice(0, LONGEST_MESSAGE), at: this.#clock.now(), times, healed: false };
    this.#unsaved = true;
    if (!again) this.#soon();
  }

  /** What a fault was about is well again. */
  heal(code: string): void {
    if (this.#fault?.code !== code || this.#fault.healed) return;
    this.#fault = { ...this.#fault, healed: true };
    this.#unsaved = true;
    this.#soon();
  }

  /** Writes what is not written, and nothing from then on. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#write();
    this.#state = "closed";
    await this.#writing;
  }

  /** Writes now, or when there was rest enough. */
  #soon(): void {
    if (this.#state !== "open" || this.#timer !== undefined) return;
    const due = this.#wroteAt === undefined ? 0 : this.#wroteAt + REST - this.#clock.monotonic();
    if (due <= 0) return this.#write();
    this.#timer = this.#clock.schedule(due, () => {
      this.#timer = undefined;
      this.#write();
    });
  }

  #write(): void {
    if (this.#state !== "open" || this.#fault === undefined || !this.#unsaved) return;
    this.#unsaved = false;
    this.#wroteAt = this.#clock.monotonic();
    this.#writing = this.#document
      .save(this.#fault)
      .catch((error: unknown) => this.#logger.debug("the last fault could not be kept", { why: messageOf(error) }));
  }
}
