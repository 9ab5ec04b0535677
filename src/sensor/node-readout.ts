// One node of a readout: what it has read and no message has told of yet, what went wrong, and what of it may be shown by now.
import { onAbort, raceSignal } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { TimeoutError, messageOf } from "../core/errors.ts";
import { LightAbort, type AbortNotice } from "../core/light-abort.ts";
import { Refusal } from "../core/refusal.ts";
import { shortened } from "../core/shortened.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Field, FieldGroup } from "../codec/sensor-data.ts";
import { isXmlText } from "../codec/xml.ts";
import type { Grant } from "../provisioning/grants.ts";
import type { IncomingRequest } from "../provisioning/incoming-request.ts";
import type { Reading, SensorDefinition, Wanted } from "./definition.ts";
import { DeviceWait } from "./device-wait.ts";
import { ReadingFilter, naming, type SentField } from "./reading-filter.ts";
import { allowedFields, isSome, type Allowed } from "./readout.ts";
import { MOST_BYTES, momentBytes, nodeBytes } from "./stanza-size.ts";

/** A node to be read, and the fields of it that are granted. */
export interface NodePart {
  /** How it is named in the answer. */
  readonly node: NodeRef;
  readonly sensor: SensorDefinition;
  readonly allowed: Allowed;
}

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
  readonly ended: AbortNotice;
  /** Told when there is something to tell: some fields, a message full of them, and once the end. */
  readonly onMore: (node: NodeReadout) => void;
}

/** What went wrong at a node. */
export interface NodeError {
  readonly node: NodeRef;
  readonly timestamp: string;
  readonly text: string;
}

// So long is waited for each reading.
const LONGEST_WAIT = 30_000;

/** One node that is read. */
export class NodeReadout {
  /** Which. */
  readonly node: NodeRef;
  readonly #options: NodeReadoutOptions;
  // Fires when the sensor need not go on: nobody waits any more, time is up, or nothing of the node may be shown.
  readonly #stop = new LightAbort();
  readonly #filter: ReadingFilter;
  #allowed: Allowed;
  #isNarrowed = false;
  #isOver = false;
  #isRead = false;
  #isFull = false;
  #failure: NodeError | undefined;
  // What is read and not told, by moment, and how much of a message it fills.
  #fields = new Map<string, Field[]>();
  #bytes = 0;
  #now: { readonly ms: number; readonly text: string } | undefined;
  #onRoom: () => void = () => undefined;

  constructor(options: NodeReadoutOptions) {
    this.#options = options;
    this.node = options.part.node;
    this.#allowed = options.part.allowed;
    this.#filter = new ReadingFilter(options.part.sensor, options.wanted, (problem) => this.#tell(problem));
  }

  /** Whether nothing of it may be shown any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether the sensor has come to its end. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Whether it waits for what was read to be taken: a message is full of it. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** How many bytes of a message are waiting at most, 0 if there are none. */
  get bytes(): number {
    return this.#bytes === 0 ? 0 : this.#bytes + nodeBytes(this.node);
  }

  /** Reads it, if so many milliseconds are left of the whole. Never rejects. */
  async read(left: number): Promise<void> {
    const { clock, ended } = this.#options;
    const deaf = onAbort(ended, () => this.#stop.abort(ended.reason));
    const wait = new DeviceWait(clock, LONGEST_WAIT, left, this.#stop);
    try {
      this.#stop.throwIfAborted();
      if (left <= 0) throw new Refusal("resource-constraint", "Timeout.");
      if (this.#allowed.size > 0) await this.#readAll(wait);
    } catch (error) {
      this.#fail(error, left);
    } finally {
      wait.end();
      deaf();
      this.#isRead = true;
      this.#options.onMore(this);
    }
  }

  /** Takes away what is not granted any more; if nothing is left it ends. */
  narrow(grants: readonly Grant[]): void {
    const before = [...this.#allowed.values()].map(({ definition }) => definition);
    this.#allowed = allowedFields(this.node, before, grants);
    this.#isNarrowed = true;
    if (this.#allowed.size > 0) return;
    this.#isOver = true;
    this.#stop.abort(new Refusal("forbidden", "Access denied."));
  }

  /** Takes what may be shown of what was read, moment by moment; the sensor goes on. */
  takeFields(): readonly FieldGroup[] {
    const groups: FieldGroup[] = [];
    if (!this.#stopped()) {
      for (const [timestamp, all] of this.#fields) {
        const fields = this.#isNarrowed ? all.filter((field) => this.#mayShow(field)) : all;
        if (fields.length > 0) groups.push({ node: this.node, timestamp, fields });
      }
    }
    this.#fields = new Map();
    this.#bytes = 0;
    this.#now = undefined;
    this.#isFull = false;
    this.#onRoom();
    return groups;
  }

  /** What went wrong, once it came to its end. */
  failure(): NodeError | undefined {
    const why = this.#stopped();
    return why === undefined ? this.#failure : this.#errorOf(why);
  }

  /** Why nothing of it may be shown, not even what was read. */
  #stopped(): unknown {
    const { ended } = this.#options;
    if (ended.aborted) return ended.reason;
    return this.#isOver ? this.#stop.reason : undefined;
  }

  #mayShow({ name, types }: Field): boolean {
    const found = this.#allowed.get(name);
    return found !== undefined && isSome(types, found.granted);
  }

  async #readAll(wait: DeviceWait): Promise<void> {
    const { part, request, wanted } = this.#options;
    const stop = this.#stop;
    const given = part.sensor.read({
      ...wanted,
      fields: new Set(this.#allowed.keys()),
      request,
      // Most sensors are quick, and never look at it.
      get signal() {
        return stop.signal;
      },
    });
    const readings: unknown = isPromise(given) ? await wait.for(given) : given;
    if (isIterable(readings)) {
      // Without a pause between them: a list of ten values is read at once.
      for (const reading of readings) {
        const room = this.#add(isPromise(reading) ? await wait.for(reading) : reading);
        if (room !== undefined) await room;
        stop.throwIfAborted();
      }
    } else if (isAsyncIterable(readings)) {
      await this.#readSlowly(readings[Symbol.asyncIterator](), wait);
    } else {
      throw new Error(`sensor.read gave ${naming(readings)}; it must give a list of readings: [{ name, value }]`);
    }
  }

  async #readSlowly(readings: AsyncIterator<Reading>, wait: DeviceWait): Promise<void> {
    let isEnded = false;
    try {
      for (;;) {
        const next = await wait.for(readings.next());
        isEnded = next.done === true;
        if (next.done === true) return;
        this.#stop.throwIfAborted();
        await this.#add(next.value);
      }
    } finally {
      // Not waited for: a sensor that hangs would hang here too.
      if (!isEnded) Promise.resolve(readings.return?.()).catch(() => undefined);
    }
  }

  /** Puts a reading to what is waiting to be told, once there is room; `undefined`: there was. */
  #add(reading: Reading): Promise<void> | undefined {
    const ms = this.#now?.ms ?? this.#options.clock.now();
    const sent = this.#filter.take(reading, this.#allowed, ms);
    if (sent === undefined) return undefined;
    if (this.#bytes === 0 || this.#bytes + sent.bytes + momentBytes(sent.timestamp) <= MOST_BYTES)
      return this.#put(sent, ms);
    this.#isFull = true;
    const room = new Promise<void>((resolve) => (this.#onRoom = resolve));
    this.#options.onMore(this);
    return raceSignal(room, this.#stop).then(() => this.#put(sent, ms));
  }

  #put({ field, timestamp, bytes }: SentField, ms: number): Promise<void> | undefined {
    const wasEmpty = this.#bytes === 0;
    if (timestamp === undefined) this.#now ??= { ms, text: new Date(ms).toISOString() };
    const at = timestamp ?? this.#now?.text ?? "";
    const fields = this.#fields.get(at);
    if (fields === undefined) {
      this.#fields.set(at, [field]);
      this.#bytes += momentBytes(timestamp);
    } else {
      fields.push(field);
    }
    this.#bytes += bytes;
    if (wasEmpty) this.#options.onMore(this);
    return undefined;
  }

  #fail(error: unknown, left: number): void {
    this.#failure = this.#errorOf(error);
    // Nobody waits any more, or there were too many before it: not the sensor's fault.
    const isLate = error instanceof TimeoutError && left < LONGEST_WAIT;
    if (error instanceof Refusal || this.#stopped() !== undefined || isLate) return;
    this.#tell(`the readout failed: ${messageOf(error)}`, error);
  }

  #tell(problem: string, cause?: unknown): void {
    const { nodeId } = this.node;
    this.#options.onFault("sensor", nodeId === "" ? problem : `node "${nodeId}": ${problem}`, cause);
  }

  #errorOf(reason: unknown): NodeError {
    const timestamp = new Date(this.#options.clock.now()).toISOString();
    return { node: this.node, timestamp, text: failureText(reason) };
  }
}

const isPromise = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
const isIterable = (value: unknown): value is Iterable<Reading | PromiseLike<Reading>> =>
  typeof value === "object" && value !== null && Symbol.iterator in value;
const isAsyncIterable = (value: unknown): value is AsyncIterable<Reading> =>
  typeof value === "object" && value !== null && Symbol.asyncIterator in value;

// In characters: what is said of one node leaves room for the others.
const LONGEST_TEXT = 1_000;

/** What the reader is told: the device's own words only when it chose them for the wire. */
function failureText(error: unknown): string {
  // A text that XML cannot hold would keep the whole message from being sent.
  if (error instanceof Refusal && error.text !== "" && isXmlText(error.text)) {
    return shortened(error.text, LONGEST_TEXT);
  }
  return error instanceof TimeoutError ? "Timeout." : "The readout failed.";
}
