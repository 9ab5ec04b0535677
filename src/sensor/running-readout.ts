// A readout that has begun: XEP-0323 3.1, 3.5, and XEP-0324 3.2.3, 3.5.1 when the right to it is taken back meanwhile.
import { onAbort } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { fewAtOnce } from "../core/few-at-once.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import { LightAbort, type AbortNotice } from "../core/light-abort.ts";
import { Refusal } from "../core/refusal.ts";
import { buildFailure, buildFields, type FieldGroup } from "../codec/sensor-data.ts";
import { message } from "../codec/stanza.ts";
import type { XmlElement } from "../codec/xml.ts";
import { grantsByNode, type Grant } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import type { IncomingRequest } from "../provisioning/incoming-request.ts";
import type { Run } from "../provisioning/running.ts";
import type { Wanted } from "./definition.ts";
import { NodeReadout, type NodeError, type NodePart } from "./node-readout.ts";
import { MOST_BYTES, nodeBytes, textBytes } from "./stanza-size.ts";

/** What a readout is made of. */
export interface ReadoutOptions {
  readonly guard: Guard;
  readonly clock: Clock;
  readonly onFault: (code: "sensor", message: string, cause?: unknown) => void;
  /** Who reads, and by which number they know it. */
  readonly from: Jid;
  readonly seqnr: number;
  /** What they have sent, for the sensor. */
  readonly request: IncomingRequest;
  /** Which kinds of field, and which part of the past. */
  readonly wanted: Wanted;
  /** The nodes to be read, with the fields that were granted at that epoch. */
  readonly parts: readonly NodePart[];
  readonly epoch: number;
  /** Asks anew what is granted. Rejects with a `Refusal` if nothing is. */
  readonly ask: (signal: AbortNotice) => Promise<readonly Grant[]>;
  /** Fires when the stream ends. */
  readonly stream: AbortNotice;
  /** Why nothing is read at all, although it was accepted: a queued one that is not allowed any more. */
  readonly refused?: Refusal;
}

// All nodes of a request together may take so long; readers wait half a minute, some longer.
const LONGEST_READOUT = 300_000;
// Sensors that one request reads at the same time: a device has little memory, and one bus.
const MOST_AT_ONCE = 8;

/** One readout, and what of it may be shown by now. */
export class Readout implements Run {
  readonly jid: BareJid;
  readonly #options: ReadoutOptions;
  // Fires when the stream ends, and when the readout is not allowed or wanted any more: the sensors need not go on.
  readonly #ended = new LightAbort();
  // What has not come to its end yet, and what of it there is something to tell of; of that, what waits for nothing more.
  readonly #untold: Set<NodeReadout>;
  readonly #ready = new Set<NodeReadout>();
  readonly #due = new Set<NodeReadout>();
  #reading: number;
  #epoch: number;
  #checking: Promise<void> | undefined;
  #isTold = false;
  #onMore: () => void = () => undefined;
  #onWorth: () => void = () => undefined;

  /** Begins it. */
  constructor(options: ReadoutOptions) {
    const { parts, stream, epoch, from, refused } = options;
    this.#options = options;
    this.jid = from.bare;
    this.#epoch = epoch;
    const onMore = (node: NodeReadout): void => {
      if (node.isRead) this.#reading--;
      this.#take(node);
    };
    this.#untold = new Set(parts.map((part) => new NodeReadout({ ...options, part, ended: this.#ended, onMore })));
    this.#reading = this.#untold.size;
    const deaf = onAbort(stream, () => this.#end(stream.reason));
    if (refused !== undefined) this.#end(refused);
    void this.#read().finally(deaf);
  }

  /** Whether what was granted has ceased to count: to be asked anew before anything is shown. */
  get isStale(): boolean {
    return !this.#ended.aborted && this.#epoch !== this.#options.guard.epoch;
  }

  /** Whether the last message was taken: there is no other. */
  get isTold(): boolean {
    return this.#isTold;
  }

  /** Whether there is something to be taken now. */
  get hasMore(): boolean {
    return !this.#isTold && (this.#ready.size > 0 || this.#untold.size === 0 || this.#ended.aborted);
  }

  /** Whether that is worth a message of its own: a full one, or nothing else is to be expected. */
  get isWorth(): boolean {
    return this.#isTold || this.#reading === 0 || this.#due.size > 0 || this.#ended.aborted;
  }

  /** Resolves when there is something to be taken. */
  async more(): Promise<void> {
    if (!this.hasMore && !this.#isTold) await new Promise<void>((resolve) => (this.#onMore = resolve));
  }

  /** Resolves when it is worth a message. */
  async whenWorth(): Promise<void> {
    if (!this.isWorth) await new Promise<void>((resolve) => (this.#onWorth = resolve));
  }

  /** What there is now is worth a message, full or not: it has been waited long enough. */
  flush(): void {
    for (const node of this.#ready) this.#due.add(node);
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
    this.#end(new Refusal("forbidden", "Access denied."));
  }

  /** Ends it without a word: nobody wants it any more (XEP-0323 3.7). */
  cancel(): void {
    this.#isTold = true;
    // Nearly every readout ends with all of it told: there is no sensor to stop then.
    if (this.#untold.size > 0 || this.#reading > 0) this.#end(new Refusal("forbidden", "Cancelled."));
  }

  /**
   * The next message: fields that may be shown, or what went wrong; `undefined` if none of it may be by now. The last one
   * says that it is (XEP-0323 3.5). To be sent at once, while it is not stale.
   */
  take(): XmlElement | undefined {
    const { from, seqnr } = this.#options;
    const pending = [...(this.#ended.aborted ? this.#untold : this.#ready)];
    const groups = this.#takeFields(pending);
    // Fields first; what went wrong follows in messages of its own.
    const errors = groups.length > 0 ? [] : this.#takeErrors(pending);
    const done = this.#untold.size === 0;
    this.#isTold = done;
    if (errors.length > 0) return message({ to: from.full }, buildFailure({ seqnr, done, errors }));
    if (groups.length === 0 && !done) return undefined;
    return message({ to: from.full }, buildFields({ seqnr, done, groups }));
  }

  #takeFields(pending: readonly NodeReadout[]): readonly FieldGroup[] {
    const groups: FieldGroup[] = [];
    let bytes = 0;
    for (const node of pending) {
      const more = node.bytes;
      if (groups.length > 0 && bytes + more > MOST_BYTES) break;
      bytes += more;
      if (more > 0) groups.push(...node.takeFields());
      this.#ready.delete(node);
      this.#due.delete(node);
      // A failure that is still to be told keeps it.
      if (node.isRead && node.failure() === undefined) this.#untold.delete(node);
      else if (node.isRead || this.#ended.aborted || node.isOver) this.#take(node);
    }
    return groups;
  }

  #takeErrors(pending: readonly NodeReadout[]): readonly NodeError[] {
    const errors: NodeError[] = [];
    let bytes = 0;
    for (const node of pending) {
      const error = node.isRead || node.isOver || this.#ended.aborted ? node.failure() : undefined;
      if (error === undefined) continue;
      bytes += nodeBytes(node.node) + textBytes(error.text);
      if (errors.length > 0 && bytes > MOST_BYTES) break;
      errors.push(error);
      for (const set of [this.#untold, this.#ready, this.#due]) set.delete(node);
    }
    return errors;
  }

  /** There is something to tell of a node. */
  #take(node: NodeReadout): void {
    if (this.#untold.has(node)) {
      this.#ready.add(node);
      if (node.isFull) this.#due.add(node);
      this.#onMore();
    }
    if (this.isWorth) this.#onWorth();
  }

  #end(reason: unknown): void {
    this.#ended.abort(reason);
    this.#onMore();
    this.#onWorth();
  }

  async #check(): Promise<void> {
    const { guard, ask } = this.#options;
    while (this.isStale) {
      const { epoch } = guard;
      try {
        const granted = grantsByNode(await ask(this.#ended));
        for (const node of this.#untold) node.narrow(granted(node.node));
        if (this.#untold.size > 0 && [...this.#untold].every(({ isOver }) => isOver)) this.end();
        this.#epoch = epoch;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        this.#end(error);
      }
    }
  }

  async #read(): Promise<void> {
    const { clock } = this.#options;
    const began = clock.monotonic();
    await fewAtOnce([...this.#untold], MOST_AT_ONCE, (node) => node.read(began + LONGEST_READOUT - clock.monotonic()));
  }
}
