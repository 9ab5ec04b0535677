// A readout that has begun: XEP-0323 3.1, 3.5, and XEP-0324 3.2.3, 3.5.1 when the right to it is taken back meanwhile.
import { onAbort } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { fewAtOnce } from "../core/few-at-once.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { buildFailure, buildFields, type FieldGroup } from "../codec/sensor-data.ts";
import { message } from "../codec/stanza.ts";
import type { XmlElement } from "../codec/xml.ts";
import { grantsByNode, type Grant } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import type { IncomingRequest } from "../provisioning/incoming-request.ts";
import type { Run } from "../provisioning/running.ts";
import { NodeReadout, type NodeError, type NodePart, type Wanted } from "./node-readout.ts";

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
  readonly ask: (signal: AbortSignal) => Promise<readonly Grant[]>;
  /** Fires when the stream ends. */
  readonly stream: AbortSignal;
}

// All nodes of a request together may take so long; readers wait half a minute, some longer.
const LONGEST_READOUT = 300_000;
// Sensors that one request reads at the same time: a device has little memory, and one bus.
const MOST_AT_ONCE = 8;
// What goes into one message: servers bound stanzas, small ones at 64 kB, in bytes and as written.
const MOST_FIELDS = 100;

/** One readout, and what of it may be shown by now. */
export class Readout implements Run {
  readonly jid: BareJid;
  /** Resolves when all is read, or nothing to be expected any more. Never rejects. */
  readonly done: Promise<void>;
  readonly #options: ReadoutOptions;
  // Fires when the stream ends, and when the readout is not allowed any more: the sensors need not go on.
  readonly #ended = new AbortController();
  // What no message has told of yet, and what of it there is something to tell of.
  readonly #untold: Set<NodeReadout>;
  readonly #ready = new Set<NodeReadout>();
  #epoch: number;
  #checking: Promise<void> | undefined;
  #isTold = false;
  #onMore: () => void = () => undefined;

  /** Begins it. */
  constructor(options: ReadoutOptions) {
    const { parts, stream, epoch, from } = options;
    this.#options = options;
    this.jid = from.bare;
    this.#epoch = epoch;
    const { signal } = this.#ended;
    this.#untold = new Set(parts.map((part) => new NodeReadout({ ...options, part, signal })));
    const deaf = onAbort(stream, () => this.#end(stream.reason));
    this.done = this.#read().finally(deaf);
  }

  /** Whether what was granted has ceased to count: to be asked anew before anything is shown. */
  get isStale(): boolean {
    return !this.#ended.signal.aborted && this.#epoch !== this.#options.guard.epoch;
  }

  /** Whether the last message was taken: there is no other. */
  get isTold(): boolean {
    return this.#isTold;
  }

  /** Whether there is something to be taken now. */
  get hasMore(): boolean {
    return !this.#isTold && (this.#ready.size > 0 || this.#untold.size === 0 || this.#ended.signal.aborted);
  }

  /** Resolves when there is something to be taken. */
  async more(): Promise<void> {
    if (!this.hasMore) await new Promise<void>((resolve) => (this.#onMore = resolve));
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

  /**
   * The next message: fields that may be shown, or what went wrong. The last one says that it is (XEP-0323 3.5). To be
   * sent at once, while it is not stale.
   */
  take(): XmlElement {
    const { from, seqnr } = this.#options;
    const pending = [...(this.#ended.signal.aborted ? this.#untold : this.#ready)];
    const groups: FieldGroup[] = [];
    const errors: NodeError[] = [];
    let size = 0;
    for (const node of pending) {
      const result = node.result();
      if (!("fields" in result)) continue;
      size += result.fields.length;
      if (groups.length > 0 && size > MOST_FIELDS) break;
      groups.push(result);
      this.#told(node);
    }
    // Fields first; what went wrong follows in messages of its own.
    for (const node of groups.length > 0 ? [] : pending.slice(0, MOST_FIELDS)) {
      const result = node.result();
      if ("text" in result) errors.push(result);
      this.#told(node);
    }
    const done = this.#untold.size === 0;
    this.#isTold = done;
    const payload =
      errors.length > 0
        ? buildFailure({ seqnr, done, errors })
        : buildFields({ seqnr, done, groups: groups.filter(({ fields }) => fields.length > 0) });
    return message({ to: from.full }, payload);
  }

  #told(node: NodeReadout): void {
    this.#untold.delete(node);
    this.#ready.delete(node);
  }

  #end(reason: unknown): void {
    this.#ended.abort(reason);
    this.#onMore();
  }

  async #check(): Promise<void> {
    const { guard, ask } = this.#options;
    while (this.isStale) {
      const { epoch } = guard;
      try {
        const granted = grantsByNode(await ask(this.#ended.signal));
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
    await fewAtOnce([...this.#untold], MOST_AT_ONCE, async (node) => {
      await node.read(began + LONGEST_READOUT - clock.monotonic());
      this.#ready.add(node);
      this.#onMore();
    });
  }
}
