// What is to be done about many nodes, a few at once: a thousand registrations in one moment would fill the connection and
// the Registry, and keep the Thing from answering.
import { sleep } from "../core/abort.ts";
import { Backoff } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { StanzaError, isSdkError, messageOf } from "../core/errors.ts";
import type { RandomSource } from "../core/random.ts";
import type { FaultCode } from "./faults.ts";
import { NodeKeptError } from "./node-wire.ts";
import { TooOftenError } from "./owner-pace.ts";

/** What a {@link NodeWork} is made of. */
export interface NodeWorkOptions {
  /** How many nodes are worked on at the same time. */
  readonly atOnce: number;
  /** Does whatever is to be done about a node. Rejects to be called again later. */
  readonly tend: (key: string, signal: AbortSignal) => Promise<void>;
  /** All that was to be done is done, for now. */
  readonly onSettled: () => void;
  /** The name of a node, for people. */
  readonly nameOf: (key: string) => string;
  readonly onFault: (code: FaultCode, message: string, cause?: unknown) => void;
  readonly onHealed: (code: FaultCode) => void;
  readonly clock: Clock;
  readonly random: RandomSource;
}

interface Failure {
  readonly key: string;
  readonly error: unknown;
}

/** Works on nodes until the stream ends, each once at a time. */
export class NodeWork {
  readonly #options: NodeWorkOptions;
  readonly #due = new Set<string>();
  // Worked on now; `true`: there was more to do meanwhile.
  readonly #busy = new Map<string, boolean>();
  readonly #failed: Failure[] = [];
  #stream: AbortSignal | undefined;
  #backoff: Backoff;
  #told = "";
  #isPausing = false;

  constructor(options: NodeWorkOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
  }

  /** Begins with these nodes; whatever was to be done on the stream before is forgotten. */
  begin(keys: Iterable<string>, stream: AbortSignal): void {
    this.#stream = stream;
    this.#due.clear();
    this.#busy.clear();
    this.#failed.length = 0;
    this.#isPausing = false;
    this.#told = "";
    this.#backoff = new Backoff(this.#options.random);
    for (const key of keys) this.#due.add(key);
    this.#pump();
  }

  /** There may be something to do about a node. Nothing happens while there is no stream. */
  add(key: string): void {
    if (this.#stream === undefined || this.#stream.aborted) return;
    if (this.#busy.has(key)) this.#busy.set(key, true);
    else this.#due.add(key);
    this.#pump();
  }

  #pump(): void {
    const stream = this.#stream;
    if (stream === undefined || stream.aborted || this.#isPausing) return;
    for (const key of this.#due) {
      if (this.#busy.size >= this.#options.atOnce) return;
      this.#due.delete(key);
      this.#busy.set(key, false);
      void this.#work(key, stream);
    }
    if (this.#due.size === 0 && this.#busy.size === 0) this.#settled(stream);
  }

  async #work(key: string, stream: AbortSignal): Promise<void> {
    try {
      await this.#options.tend(key, stream);
    } catch (error) {
      if (stream.aborted) return;
      this.#failed.push({ key, error });
      // Nobody answers, or the disk takes nothing: the others would wait for the same, each for its time.
      if (!isOfOne(error)) this.#giveUp(error);
    }
    if (stream !== this.#stream || stream.aborted) return;
    if (this.#busy.get(key) === true) this.#due.add(key);
    this.#busy.delete(key);
    this.#pump();
  }

  #giveUp(error: unknown): void {
    for (const key of this.#due) this.#failed.push({ key, error });
    this.#due.clear();
  }

  /** All that could be done is done. What has failed is tried again after growing waits. */
  #settled(stream: AbortSignal): void {
    const { onHealed, onFault, nameOf, onSettled } = this.#options;
    const [first] = this.#failed;
    if (first === undefined) {
      if (this.#told !== "") onHealed("registry");
      this.#told = "";
      this.#backoff.reset();
      onSettled();
      return;
    }
    const why = messageOf(first.error);
    if (why !== this.#told) {
      const others = new Set(this.#failed.map(({ key }) => key)).size > 1 ? " and others" : "";
      onFault(faultOf(first.error), `node ${nameOf(first.key)}${others}: ${why}`, first.error);
    }
    this.#told = why;
    void this.#again(stream);
  }

  async #again(stream: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#isPausing = true;
    try {
      await sleep(clock, this.#backoff.next(), stream);
    } catch {
      return; // the next stream begins anew
    }
    if (stream !== this.#stream) return;
    this.#isPausing = false;
    for (const { key } of this.#failed.splice(0)) this.#due.add(key);
    this.#pump();
  }
}

/** The matter of one node: the others need not wait. */
function isOfOne(error: unknown): boolean {
  return error instanceof StanzaError || error instanceof NodeKeptError || error instanceof TooOftenError;
}

function faultOf(error: unknown): FaultCode {
  if (error instanceof TooOftenError) return "registry-restless";
  return isSdkError(error) && error.code === "ERR_STORAGE" ? "state-not-saved" : "registry";
}
