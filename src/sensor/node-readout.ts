// One node of a readout: what it may show by now, and what it has shown or what went wrong.
import { onAbort, withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError, messageOf } from "../core/errors.ts";
import { Refusal } from "../core/refusal.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Field, FieldGroup } from "../codec/sensor-data.ts";
import { isXmlText } from "../codec/xml.ts";
import type { Grant } from "../provisioning/grants.ts";
import type { IncomingRequest } from "../provisioning/incoming-request.ts";
import type { FieldDefinition, ReadContext, SensorDefinition } from "./definition.ts";
import { allowedFields, readOut } from "./readout.ts";

/** A node to be read, and the fields of it that are granted. */
export interface NodePart {
  /** How it is named in the answer. */
  readonly node: NodeRef;
  readonly sensor: SensorDefinition;
  readonly allowed: ReadonlyMap<string, FieldDefinition>;
}

/** What of a sensor's values is wanted. */
export type Wanted = Pick<ReadContext, "types" | "from" | "to">;

/** What reading one node needs. */
export interface NodeReadoutOptions {
  readonly part: NodePart;
  readonly clock: Clock;
  readonly onFault: (code: "sensor", message: string, cause?: unknown) => void;
  /** What the reader has sent, for the sensor. */
  readonly request: IncomingRequest;
  /** Which kinds of field, and which part of the past. */
  readonly wanted: Wanted;
  /** Fires when the whole readout is to end. */
  readonly signal: AbortSignal;
}

/** What went wrong at a node. */
export interface NodeError {
  readonly node: NodeRef;
  readonly timestamp: string;
  readonly text: string;
}

const LONGEST_NODE = 30_000;

/** One node that is read. */
export class NodeReadout {
  /** Which. */
  readonly node: NodeRef;
  readonly #options: NodeReadoutOptions;
  // Fires also when this node may not be shown any more, while others may.
  readonly #ended = new AbortController();
  #allowed: ReadonlyMap<string, FieldDefinition>;
  #fields: readonly Field[] | undefined;
  #at = "";
  #failure = "";

  constructor(options: NodeReadoutOptions) {
    this.#options = options;
    this.node = options.part.node;
    this.#allowed = options.part.allowed;
  }

  /** Whether nothing of it may be shown any more. */
  get isOver(): boolean {
    return this.#ended.signal.aborted;
  }

  /** Reads it, if so many milliseconds are left of the whole. Never rejects. */
  async read(left: number): Promise<void> {
    const { part, clock, onFault, request, wanted, signal } = this.#options;
    const deaf = onAbort(signal, () => this.#ended.abort(signal.reason));
    const limits = { timeout: Math.min(left, LONGEST_NODE), signal: this.#ended.signal };
    const { nodeId } = this.node;
    const which = nodeId === "" ? "" : `node "${nodeId}": `;
    try {
      if (left <= 0) throw new Refusal("resource-constraint", "Timeout.");
      this.#fields = await withDeadline(clock, limits, "the sensor", (limited) =>
        readOut(part.sensor, this.#allowed, { ...wanted, signal: limited, request }, (problem) =>
          onFault("sensor", which + problem),
        ),
      );
    } catch (error) {
      this.#failure = failureText(error);
      // Nobody waits any more, or there were too many before it: not the sensor's fault.
      const isLate = error instanceof TimeoutError && left < LONGEST_NODE;
      if (!(error instanceof Refusal) && !this.isOver && !isLate) {
        onFault("sensor", `${which}the readout failed: ${messageOf(error)}`, error);
      }
    } finally {
      this.#at = timestamp(clock);
      deaf();
    }
  }

  /** Takes away what is not granted any more; if nothing is left it ends. */
  narrow(grants: readonly Grant[]): void {
    this.#allowed = allowedFields(this.node, this.#allowed.values(), grants);
    if (this.#allowed.size === 0) this.#ended.abort(new Refusal("forbidden", "Access denied."));
  }

  /** What may be shown of what was read, or what went wrong. */
  result(): FieldGroup | NodeError {
    const { clock, signal } = this.#options;
    const ended = signal.aborted ? signal : this.#ended.signal;
    if (ended.aborted) return { node: this.node, timestamp: timestamp(clock), text: failureText(ended.reason) };
    if (this.#fields === undefined) return { node: this.node, timestamp: this.#at, text: this.#failure };
    return { node: this.node, timestamp: this.#at, fields: this.#fields.filter(({ name }) => this.#allowed.has(name)) };
  }
}

const timestamp = (clock: Clock): string => new Date(clock.now()).toISOString();

/** What the reader is told: the device's own words only when it chose them for the wire. */
function failureText(error: unknown): string {
  // A text that XML cannot hold would keep the whole message from being sent.
  if (error instanceof Refusal && error.text !== "" && isXmlText(error.text)) return error.text;
  return error instanceof TimeoutError ? "Timeout." : "The readout failed.";
}
