// A readout that has begun: XEP-0323 3.1, and XEP-0324 3.2.3, 3.5.1 when the right to it is taken back meanwhile.
import { onAbort, withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError, messageOf } from "../core/errors.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { THE_THING } from "../codec/node-ref.ts";
import { buildFailure, buildFields, type Field } from "../codec/sensor-data.ts";
import { message } from "../codec/stanza.ts";
import { isXmlText, type XmlElement } from "../codec/xml.ts";
import type { Grant } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import type { IncomingRequest } from "../provisioning/incoming-request.ts";
import type { Run } from "../provisioning/running.ts";
import type { FieldDefinition, SensorDefinition } from "./definition.ts";
import { allowedFields, readOut } from "./readout.ts";

/** What a readout is made of. */
export interface ReadoutOptions {
  readonly guard: Guard;
  readonly sensor: SensorDefinition;
  readonly clock: Clock;
  readonly onFault: (code: "sensor", message: string, cause?: unknown) => void;
  /** Who reads, and by which number they know it. */
  readonly from: Jid;
  readonly seqnr: number;
  /** What they have sent, for the sensor. */
  readonly request: IncomingRequest;
  /** The fields that were granted at that epoch. */
  readonly allowed: ReadonlyMap<string, FieldDefinition>;
  readonly epoch: number;
  /** Asks anew what is granted. Rejects with a `Refusal` if nothing is. */
  readonly ask: (signal: AbortSignal) => Promise<readonly Grant[]>;
  /** Fires when the stream ends. */
  readonly stream: AbortSignal;
}

const LONGEST_READOUT = 30_000;

/** One readout, and what of it may be shown by now. */
export class Readout implements Run {
  readonly jid: BareJid;
  /** Resolves when there is something to show, or nothing to be expected any more. Never rejects. */
  readonly done: Promise<void>;
  readonly #options: ReadoutOptions;
  // Fires when the stream ends, and when the readout is not allowed any more: the sensor need not go on.
  readonly #ended = new AbortController();
  #allowed: ReadonlyMap<string, FieldDefinition>;
  #epoch: number;
  #checking: Promise<void> | undefined;
  #result: { readonly fields: readonly Field[]; readonly at: string } | undefined;
  #failure = "";

  /** Begins it. */
  constructor(options: ReadoutOptions) {
    this.#options = options;
    this.jid = options.from.bare;
    this.#allowed = options.allowed;
    this.#epoch = options.epoch;
    const deaf = onAbort(options.stream, () => this.#ended.abort(options.stream.reason));
    this.done = this.#read().finally(deaf);
  }

  /** Whether what was granted has ceased to count: to be asked anew before anything is shown. */
  get isStale(): boolean {
    return !this.#ended.signal.aborted && this.#epoch !== this.#options.guard.epoch;
  }

  /** Asks until there is an answer that counts. Less than before: the rest is not shown; nothing: the readout ends. Rejects when the stream does. */
  refresh(): Promise<void> {
    this.#checking ??= this.#check().finally(() => (this.#checking = undefined));
    return this.#checking;
  }

  recheck(): void {
    // When the stream ends there is nobody to show anything to.
    this.refresh().catch(() => undefined);
  }

  end(): void {
    this.#ended.abort(new Refusal("forbidden", "Access denied."));
  }

  /** The message that ends it: the fields that may be shown, or what went wrong. To be sent at once, while it is not stale. */
  message(): XmlElement {
    const { from, seqnr, clock } = this.#options;
    const { signal } = this.#ended;
    if (signal.aborted || this.#result === undefined) {
      const text = signal.aborted ? failureText(signal.reason) : this.#failure;
      const errors = [{ node: THE_THING, timestamp: timestamp(clock), text }];
      return message({ to: from.full }, buildFailure({ seqnr, done: true, errors }));
    }
    const { at } = this.#result;
    const fields = this.#result.fields.filter(({ name }) => this.#allowed.has(name));
    const groups = fields.length === 0 ? [] : [{ node: THE_THING, timestamp: at, fields }];
    return message({ to: from.full }, buildFields({ seqnr, done: true, groups }));
  }

  async #check(): Promise<void> {
    const { guard, ask } = this.#options;
    while (this.isStale) {
      const { epoch } = guard;
      try {
        const grants = await ask(this.#ended.signal);
        const before = this.#allowed.size;
        this.#allowed = allowedFields([...this.#allowed.values()], grants);
        if (before > 0 && this.#allowed.size === 0) this.end();
        this.#epoch = epoch;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        this.#ended.abort(error);
      }
    }
  }

  async #read(): Promise<void> {
    const { sensor, clock, onFault, request } = this.#options;
    const limits = { timeout: LONGEST_READOUT, signal: this.#ended.signal };
    try {
      const fields = await withDeadline(clock, limits, "the sensor", (signal) =>
        readOut(sensor, this.#allowed, { signal, request }, (problem) => onFault("sensor", problem)),
      );
      this.#result = { fields, at: timestamp(clock) };
    } catch (error) {
      this.#failure = failureText(error);
      // Nobody waits any more: not the sensor's fault.
      if (error instanceof Refusal || this.#ended.signal.aborted) return;
      onFault("sensor", `the readout failed: ${messageOf(error)}`, error);
    }
  }
}

const timestamp = (clock: Clock): string => new Date(clock.now()).toISOString();

/** What the reader is told: the device's own words only when it chose them for the wire. */
function failureText(error: unknown): string {
  // A text that XML cannot hold would keep the whole message from being sent.
  if (error instanceof Refusal && error.text !== "" && isXmlText(error.text)) return error.text;
  return error instanceof TimeoutError ? "Timeout." : "The readout failed.";
}
