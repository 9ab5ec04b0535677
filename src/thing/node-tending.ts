// When a Thing has time for its nodes, and what it does about each: after its own registration, a few at once.
import { StanzaError, TimeoutError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { RandomSource } from "../core/random.ts";
import { nodeText } from "../codec/node-ref.ts";
import type { FaultCode } from "./faults.ts";
import type { NodeEntry } from "./node-entry.ts";
import type { LeavingNodes } from "./node-leaving.ts";
import { nodeAfter, nodeAt, nodeTask, tagsToTell, type NodeEvent } from "./node-life.ts";
import { NodeKeptError, doTask, leaveRegistry, type NodeWireParts } from "./node-wire.ts";
import { NodeWork } from "./node-work.ts";
import { isFindable, registryLeft } from "./ownership.ts";
import { registryOf, type ThingState } from "./state.ts";

/** What a {@link NodeTending} is made of. */
export interface NodeTendingOptions extends NodeWireParts {
  readonly random: RandomSource;
  /** The node of a key. */
  readonly entry: (key: string) => NodeEntry | undefined;
  readonly entries: () => Iterable<NodeEntry>;
  /** Those that were removed, and are still to be unregistered. */
  readonly leaving: LeavingNodes;
  /** The Registry has forgotten an owner of before. */
  readonly onLeft: (entry: NodeEntry) => Promise<void>;
  /** There is nothing to be done about any node, for now. */
  readonly onSettled: () => void;
  /** The Registry has forgotten a node that was removed. */
  readonly onGone: () => void;
  readonly onFault: (code: FaultCode, message: string, cause?: unknown) => void;
  readonly onHealed: (code: FaultCode) => void;
}

const AT_ONCE = 8;

/** Does what is to be done about nodes, on each stream anew. */
export class NodeTending {
  readonly #options: NodeTendingOptions;
  readonly #work: NodeWork;
  // The streams on which the Thing has said where it is, has registered itself, and has begun with its nodes.
  #greeted: AbortSignal | undefined;
  #registered: AbortSignal | undefined;
  #begun: AbortSignal | undefined;
  #registry: BareJid | undefined;
  #state: ThingState | undefined;
  // What the Registry has said of nodes on this stream, and is not acknowledged yet: by node.
  readonly #unanswered = new Map<string, Set<object>>();

  constructor(options: NodeTendingOptions) {
    const { clock, random, onFault, onHealed, onSettled } = options;
    this.#options = options;
    this.#work = new NodeWork({
      ...{ atOnce: AT_ONCE, clock, random, onFault, onHealed, onSettled },
      tend: (key, signal) => this.#tend(key, signal),
      nameOf: (key) => {
        const node = options.entry(key)?.settings.node ?? options.leaving.get(key)?.node;
        return node === undefined ? "" : nodeText(node);
      },
    });
  }

  /** Something was done on this stream. */
  done(what: "greet" | "register", stream: AbortSignal): void {
    if (what === "greet") this.#greeted = stream;
    else this.#registered = stream;
    this.#beginIfDue();
  }

  /** A new state of the Thing. */
  follow(state: ThingState): void {
    this.#state = state;
    this.#beginIfDue();
  }

  /** There may be something to do about a node. */
  add(key: string): void {
    this.#work.add(key);
  }

  /**
   * Nothing is said of a node until what the Registry has said of it is acknowledged (D-E17): one that registered before it
   * has acknowledged that it was disowned would hear of the owner of before. Gives what ends that.
   */
  hold(key: string): () => void {
    const one = {};
    const held = this.#unanswered.get(key) ?? new Set();
    this.#unanswered.set(key, held.add(one));
    return () => {
      held.delete(one);
      if (held.size > 0) return;
      if (this.#unanswered.get(key) === held) this.#unanswered.delete(key);
      this.#work.add(key);
    };
  }

  /** Tells whether the Registry holds what is wanted, as far as it is told anything. */
  isTold({ settings, record }: NodeEntry): boolean {
    return !isFindable(record.ownership) || tagsToTell(settings, record).length === 0;
  }

  /**
   * Has the Registry forget all nodes, before the Thing itself. One of which it says nothing is kept as one to be forgotten, and
   * does not keep the others, nor the Thing, from it. Rejects when it answers of none: it is to be done again.
   */
  async leave(registry: BareJid, signal: AbortSignal): Promise<void> {
    const due = [...this.#options.entries()].filter(({ record }) => registryLeft(record.ownership) === registry);
    let answered = 0;
    let silent = 0;
    const next = async (): Promise<void> => {
      for (let entry = due.pop(); entry !== undefined; entry = due.pop()) {
        try {
          // A Registry that does not let go of one keeps the Thing from nothing else: it is tried again with the others.
          await this.#leaveOne(entry, registry, signal).catch(unlessAnswered);
          answered++;
        } catch (error) {
          // So many, and of none a word: it is away.
          if (!(error instanceof TimeoutError) || (++silent >= AT_ONCE && answered === 0)) throw error;
          await this.#leaveLater(entry, registry);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  }

  /** Durable: once the Registry has forgotten the Thing, nothing else tells that the node is not whose the Registry says. */
  async #leaveLater({ settings: { key, node } }: NodeEntry, registry: BareJid): Promise<void> {
    const { leaving } = this.#options;
    if (leaving.get(key)?.registry !== registry) await leaving.add({ node, registry });
  }

  #beginIfDue(): void {
    const { state, stream } = { state: this.#state, stream: this.#greeted };
    if (state?.link.is !== "online" || stream === undefined || stream.aborted || this.#begun === stream) return;
    const registry = registryOf(state);
    if (registry === undefined) return;
    if (state.ownership.is === "registered" && this.#registered !== stream) return;
    this.#begun = stream;
    this.#unanswered.clear(); // an acknowledgement that never went out
    this.#registry = registry;
    const { entries, leaving } = this.#options;
    this.#work.begin([...[...entries()].map(({ settings }) => settings.key), ...leaving.keys()], stream);
  }

  async #tend(key: string, signal: AbortSignal): Promise<void> {
    const { entry: find, leaving } = this.#options;
    const registry = this.#registry;
    if (registry === undefined) return;
    const entry = find(key);
    const removed = leaving.get(key);
    if (entry === undefined && removed !== undefined) {
      // Where another Registry counts now nobody is there to be told.
      if (removed.registry === registry) await leaveRegistry(this.#options, removed.node, registry, signal);
      await leaving.delete(key);
      this.#options.onGone();
      return;
    }
    if (entry !== undefined) await this.#tendOne(entry, registry, signal);
  }

  async #tendOne(entry: NodeEntry, registry: BareJid, signal: AbortSignal): Promise<void> {
    await this.#options.leaving.settle(entry.settings.key);
    await entry.change((record) => nodeAt(record, registry));
    const { leaving } = this.#options;
    const { key } = entry.settings;
    // It would be taken back at each start, with whoever has claimed it since.
    const removed = leaving.get(key);
    if (removed !== undefined && removed.registry !== registry) await leaving.delete(key);
    // What does not change whose the node is goes to disk together.
    let done: NodeEvent[] = [];
    try {
      for (;;) {
        signal.throwIfAborted();
        if (entry.isEnded || this.#unanswered.has(entry.settings.key)) return;
        const record = done.reduce(nodeAfter, entry.record);
        const task = nodeTask(entry.settings, record, entry.registeredOn === signal);
        if (task === undefined) return;
        // Asked now it would perhaps say so once more: later, by the waits between tries.
        if (task.do !== "askOwner") entry.pace.check(`the node ${nodeText(entry.settings.node)}`, registry);
        if (task.do === "unregister") {
          await this.#leaveOne(entry, registry, signal);
          continue;
        }
        const isNews = task.do === "update" && task.tags.some(({ name }) => isUntold(record, name));
        if (isNews) {
          // First: after a power cut, or without an answer, the Registry may hold the one or the other.
          const { tags } = task;
          const all = done;
          done = [];
          await entry.apply(...all, { type: "telling", tags });
          continue;
        }
        const events = await doTask(this.#options, entry, task, registry, signal);
        done.push(...events);
        if (events.every(({ type }) => type === "keyEmptied" || type === "told" || type === "ownerAsked")) continue;
        const all = done;
        done = [];
        (await entry.apply(...all))();
        // Not before it is kept: a claim that came with the answer would be lost.
        if (task.do === "register") entry.registeredOn = signal;
        if (events.some(({ type }) => type === "disowned")) entry.registeredOn = undefined;
      }
    } finally {
      if (done.length > 0) await entry.apply(...done);
    }
  }

  async #leaveOne(entry: NodeEntry, registry: BareJid, signal: AbortSignal): Promise<void> {
    const { leaving, onLeft } = this.#options;
    const { node, key } = entry.settings;
    await leaveRegistry(this.#options, node, registry, signal, entry);
    await onLeft(entry);
    await leaving.delete(key);
  }
}

const isUntold = ({ unsure }: NodeEntry["record"], name: string): boolean => name !== "KEY" && !unsure.includes(name);

function unlessAnswered(error: unknown): void {
  if (!(error instanceof StanzaError || error instanceof NodeKeptError)) throw error;
}
