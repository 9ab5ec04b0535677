// The nodes behind a Thing that is a concentrator (XEP-0347 3.8): each with an owner of its own.
import type { CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { ConfigError, TimeoutError, messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { randomHex, type RandomSource } from "../core/random.ts";
import { Refusal } from "../core/refusal.ts";
import { nodeKey, nodeText, type NodeRef } from "../codec/node-ref.ts";
import type { Tag } from "../codec/tags.ts";
import type { Device } from "../provisioning/devices.ts";
import type { NodeOwners } from "../provisioning/standing.ts";
import type { Notice } from "../registry/registry-client.ts";
import type { Storage } from "../storage/storage.ts";
import { Conditions } from "./conditions.ts";
import type { FaultCode } from "./faults.ts";
import { checkTriple, definedTwice, type NodeSettings } from "./node-definition.ts";
import { NodeEntry, type NodeDevice, type NodeSecret } from "./node-entry.ts";
import { markOf } from "./node-keys.ts";
import { LeavingNodes } from "./node-leaving.ts";
import { nodeAfterReset, nodeAt } from "./node-life.ts";
import { OwnedNodes } from "./node-owned.ts";
import { NodeStore, freshNode, type FoundNode, type NodeRecord } from "./node-store.ts";
import { NodeTending, type NodeTendingOptions } from "./node-tending.ts";
import { TooOftenError } from "./owner-pace.ts";
import { needsRegistry, registryIn, registryLeft, type Ownership } from "./ownership.ts";
import { registryOf, type ThingState } from "./state.ts";
import { keysIn } from "./tags.ts";

/** A node behind a Thing, as it is at a moment. */
export interface ThingNode {
  /** Which node. */
  readonly node: NodeRef;
  /** Whose it is. */
  readonly ownership: Ownership;
  /** The text that its owner scans to claim it (XEP-0347 3.9); empty once nobody has to. */
  readonly claimText: string;
}

/** What {@link Nodes} are made of. */
export interface NodesOptions extends Omit<NodeTendingOptions, "entry" | "entries" | "leaving" | "onLeft" | "onGone"> {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** Those that the options define. */
  readonly settings: readonly NodeSettings[];
  /** What can be read and set: each node comes in and goes out. */
  readonly devices: {
    add(device: NodeDevice): void;
    delete(device: NodeDevice): void;
    fitting(reference: NodeRef): readonly Device[];
  };
  /** From which KEYs are derived; known once the identity is open. */
  readonly secret: () => string;
  /** The state of the Thing. */
  readonly state: () => ThingState;
  /** Somebody owns this node no more: what they may do is forgotten, durably. */
  readonly onLost: (owner: BareJid) => Promise<void>;
  /** A node is taken out: what is remembered of who may read and control it is forgotten, durably. */
  readonly onRemoving: (node: NodeRef) => Promise<void>;
  /** Nor anything else here: durable, then what is to follow. */
  readonly onParting: (owner: BareJid) => Promise<() => void>;
  /** Told of each KEY: nobody may see it. */
  readonly onKey: (key: string) => void;
  /** Told when a node has another owner, or none. */
  readonly onOwnership: (node: NodeRef, ownership: Ownership, before: Ownership) => void;
  readonly onClaimText: (text: string, node: NodeRef) => void;
  readonly onFault: (code: FaultCode, message: string, cause?: unknown) => void;
}

const LEAVE_WITHIN = 10_000;
const UPDATE_WITHIN = 30_000;

/** The nodes behind a Thing. */
export class Nodes {
  readonly #options: NodesOptions;
  readonly #store: NodeStore;
  readonly #leaving: LeavingNodes;
  readonly #entries = new Map<string, NodeEntry>();
  readonly #owned: OwnedNodes;
  readonly #tending: NodeTending;
  readonly #claimTexts = new Map<string, string>();
  // Those that are being removed: nobody is to put a code on a display that is worth nothing a moment later.
  readonly #going = new Set<NodeEntry>();
  readonly #found = new Map<string, FoundNode>();
  readonly #waiting: Conditions;
  #secret: NodeSecret = { secret: "", mark: "" };
  #adding = new Set<string>();

  constructor(options: NodesOptions) {
    const { storage, devices } = options;
    this.#options = options;
    this.#waiting = new Conditions(options.clock);
    this.#store = new NodeStore(storage);
    this.#leaving = new LeavingNodes(storage);
    this.#owned = new OwnedNodes((reference) => devices.fitting(reference).some(({ node }) => node !== undefined));
    this.#tending = new NodeTending({
      ...options,
      entry: (key) => this.#entries.get(key),
      entries: () => this.#entries.values(),
      leaving: this.#leaving,
      onLeft: (entry) => this.#hasLeft(entry),
      onGone: () => this.#waiting.look(),
    });
  }

  /** Who owns what; another object whenever that changes. */
  get owners(): NodeOwners {
    return this.#owned.owners;
  }

  /** What there is, in the order in which it came. */
  list(): readonly ThingNode[] {
    return [...this.#entries.values()].map(({ settings: { node }, record: { ownership }, claimText }) => {
      return { node, ownership, claimText };
    });
  }

  /** Whether a Registry that is an account has to be a friend for them (XEP-0347 5.3, D-E14). */
  get needRegistry(): boolean {
    for (const { record } of this.#entries.values()) {
      if (record.ownership.is === "unregistered" || needsRegistry(record.ownership)) return true;
    }
    return [...this.#leaving.keys()].length > 0;
  }

  /** What was said of each. */
  settings(): readonly NodeSettings[] {
    return [...this.#entries.values()].map(({ settings }) => settings);
  }

  /**
   * Reads what is kept of the nodes that the options define. Rejects with `ERR_STORAGE` for what a newer library has written:
   * called before anything in the storage is touched.
   */
  async read(): Promise<void> {
    for (const { node, key } of this.#options.settings) this.#found.set(key, await this.#store.load(node));
  }

  /** Begins with what was read; the identity is open. */
  async load(ownership: Ownership): Promise<void> {
    const { settings, onFault } = this.#options;
    this.#renewSecret();
    const problem = await this.#leaving.load().catch((error: unknown) => messageOf(error));
    if (problem !== undefined) onFault("node-damaged", problem);
    const left = registryLeft(ownership);
    for (const one of settings) {
      const record = await this.#recordOf(one, this.#found.get(one.key) ?? { is: "none" });
      this.#enter(one, left === undefined ? record : nodeAfterReset(left));
    }
    this.#found.clear();
  }

  /** One more node. Rejects with `ERR_CONFIG` if there is one with that triple, with `ERR_STORAGE` if it cannot be read. */
  async add(settings: NodeSettings): Promise<void> {
    const { key, node } = settings;
    if (this.#entries.has(key) || this.#adding.has(key)) throw new ConfigError(`node: ${definedTwice(node)}`);
    this.#adding.add(key);
    try {
      this.#enter(settings, await this.#recordOf(settings, await this.#store.load(node)));
    } finally {
      this.#adding.delete(key);
    }
    this.#tending.add(key);
  }

  /** Takes a node out: durable first, then the Registry forgets it (XEP-0347 3.16), now or later. */
  async remove(reference: NodeRef, options: CallOptions): Promise<void> {
    options.signal?.throwIfAborted();
    const { key, entry } = this.#named(reference, "node");
    const { node } = entry.settings;
    const before = entry.record.ownership;
    const registry = registryIn(before) ?? registryLeft(before) ?? registryOf(this.#options.state());
    // First of all: what is not on this list nobody would ever take out of the Registry.
    if (registry !== undefined) await this.#leaving.add({ node, registry });
    this.#going.add(entry);
    const count = (record: NodeRecord): number => (entry.hasMadeKey ? countAfter(record) : 0);
    // What is remembered of it goes before it: it would be said of the next device of that name.
    const gone = this.#options
      .onRemoving(node)
      .then(() => entry.change((record) => ({ ...freshNode, count: count(record) })));
    const act = await gone
      .catch(async (error: unknown) => {
        // It stays whose it is, also at the next start.
        if (registryLeft(before) === undefined) await this.#leaving.delete(key).catch(() => undefined);
        throw error;
      })
      .finally(() => this.#going.delete(entry));
    await entry.end();
    this.#entries.delete(key);
    this.#options.devices.delete(entry.device);
    // What was asked meanwhile: at once, before another of that name comes.
    const forgotten = this.#options.onRemoving(node);
    this.#owned.change(node, undefined);
    this.#showClaimText(key, node, "");
    act();
    await forgotten.catch((error: unknown) => {
      this.#options.onFault("rights-not-saved", messageOf(error), error);
    });
    this.#tending.add(key);
    if (registry === undefined) return;
    const isGone = (): boolean => !this.#isOnline || this.#leaving.get(key) === undefined;
    await this.#waiting.until(isGone, { timeout: LEAVE_WITHIN, ...options }, "removeNode").catch(unlessLate);
  }

  /** Other tags than those of its definition, once it is claimed and public. Durable once resolved, and told if it can be. */
  async updateTags(reference: NodeRef, tags: readonly Tag[], options: CallOptions): Promise<void> {
    options.signal?.throwIfAborted();
    const { key, entry } = this.#named(reference, "node");
    await entry.apply({ type: "wanted", tags });
    this.#tending.add(key);
    const isTold = (): boolean => !this.#isOnline || this.#tending.isTold(entry);
    await this.#waiting.until(isTold, { timeout: UPDATE_WITHIN, ...options }, "updateTags");
  }

  /**
   * The Registry has said something of a node (XEP-0347 3.9, 3.10, 3.17). Resolves, once it is durable, to what is to follow
   * when it is acknowledged. Throws `Refusal`: `item-not-found` for a node that is not here (D-E29).
   */
  async accept(registry: BareJid, { node, ...notice }: Notice & { readonly node: NodeRef }): Promise<() => void> {
    const entry = this.#meant(node);
    if (entry === undefined) throw new Refusal("item-not-found");
    const { key } = entry.settings;
    // What is said of the owner of before, until the Registry has forgotten the node.
    if (registryLeft(entry.record.ownership) !== undefined) return () => undefined;
    const acknowledged = this.#tending.hold(key);
    try {
      if (registryIn(entry.record.ownership) !== undefined) await entry.change((record) => nodeAt(record, registry));
      const act = await entry.applyNotice({ ...notice, registry });
      if (notice.type === "disowned") entry.registeredOn = undefined;
      return () => {
        act();
        acknowledged();
      };
    } catch (error) {
      const code = error instanceof TooOftenError ? "registry-restless" : "state-not-saved";
      this.#options.onFault(code, messageOf(error), error);
      // It may not be told again on this stream: the Registry is asked, by registering (XEP-0347 3.6), until it is kept.
      entry.registeredOn = undefined;
      acknowledged();
      throw new Refusal("resource-constraint");
    }
  }

  /** A new state of the Thing: on a stream of its own, registered itself, it has time for its nodes. */
  follow(state: ThingState): void {
    this.#tending.follow(state);
    this.#waiting.look();
  }

  /** Something was done on this stream. */
  done(what: "greet" | "register", stream: AbortSignal): void {
    this.#tending.done(what, stream);
  }

  /** After a factory reset, before the Registry forgets the Thing itself: it forgets the nodes (XEP-0347 3.16). */
  leave(registry: BareJid, signal: AbortSignal): Promise<void> {
    return this.#tending.leave(registry, signal);
  }

  /**
   * Back to factory settings, which is on disk by the secret that changes with the identity: each document of before is that
   * of another Thing's node from now on.
   */
  reset(registry: BareJid | undefined): void {
    this.#renewSecret();
    for (const entry of this.#entries.values()) entry.restart(nodeAfterReset(registry));
  }

  /** On another domain nobody knows the nodes either; who has seen a KEY must not claim one there. */
  async moved(): Promise<void> {
    this.#renewSecret();
    for (const entry of this.#entries.values())
      await entry.change((record) => ({ ...record, ...(registryLeft(record.ownership) !== undefined && freshNode) }));
    this.showClaimTexts();
  }

  /** Tells the claim texts that are not told yet. */
  showClaimTexts(): void {
    for (const [key, entry] of this.#entries) this.#showClaimText(key, entry.settings.node, entry.claimText);
  }

  get #isOnline(): boolean {
    return this.#options.state().link.is === "online";
  }

  #renewSecret(): void {
    const secret = this.#options.secret();
    this.#secret = { secret, mark: markOf(secret) };
  }

  /** What is kept of a node, judged: that of another Thing is taken back, and what is damaged counts for nothing. */
  async #recordOf({ node, key }: NodeSettings, found: FoundNode): Promise<NodeRecord> {
    const { onFault, random } = this.#options;
    const removed = this.#leaving.get(key);
    const kept = found.is === "read" && found.mark === this.#secret.mark ? found.record : undefined;
    if (removed !== undefined)
      return { ...nodeAfterReset(removed.registry), count: kept === undefined ? 0 : countAfter(kept) };
    if (kept !== undefined) return kept;
    if (found.is === "none") return freshNode;
    if (found.is === "read") {
      const { ownership } = found.record;
      const before = registryIn(ownership) ?? registryLeft(ownership);
      if (before === undefined) await this.#store.remove(node).catch(() => undefined); // known as another's at each start
      return nodeAfterReset(before);
    }
    onFault("node-damaged", `node ${nodeText(node)}: ${found.why}; the Registry is asked whose it is`);
    // A KEY that nobody has seen: how many have come before is not known any more.
    const record = { ...freshNode, count: Number.parseInt(randomHex(random, 6), 16) + 1 };
    await this.#store.save(node, record, this.#secret.mark).catch((error: unknown) => {
      onFault("state-not-saved", messageOf(error), error);
    });
    return record;
  }

  #enter(settings: NodeSettings, record: NodeRecord): void {
    const entry = new NodeEntry(settings, record, {
      store: this.#store,
      clock: this.#options.clock,
      secret: () => this.#secret,
      onLosing: (one, owner) => this.#losing(one, owner),
      onOdd: (message) => this.#options.onFault("owner-change-ignored", message),
      onChanged: (one, before) => this.#changed(one, before),
    });
    this.#entries.set(settings.key, entry);
    this.#options.devices.add(entry.device);
    for (const key of [entry.key, ...keysIn(settings.tags)]) this.#options.onKey(key);
    this.#owned.change(settings.node, record.ownership);
    if (this.#found.size === 0) this.#showClaimText(settings.key, settings.node, entry.claimText);
  }

  /** Who owns something else here stays a friend; what was remembered of their rights goes in any case. */
  async #losing(entry: NodeEntry, owner: BareJid): Promise<() => void> {
    const { state, onLost, onParting } = this.#options;
    await onLost(owner);
    const { ownership } = state();
    const others = this.owners.ownedBy(owner).filter((node) => node !== entry.settings.node);
    if (others.length > 0 || (ownership.is === "claimed" && ownership.owner === owner)) return () => undefined;
    return onParting(owner);
  }

  #changed(entry: NodeEntry, before: NodeRecord): void {
    const { settings, record } = entry;
    const { node, key } = settings;
    this.#options.onKey(entry.key);
    if (record.ownership !== before.ownership) {
      this.#owned.change(node, record.ownership);
      this.#options.onOwnership(node, record.ownership, before.ownership);
    }
    if (!this.#going.has(entry)) this.#showClaimText(key, node, entry.claimText);
    this.#waiting.look();
  }

  #showClaimText(key: string, node: NodeRef, text: string): void {
    if ((this.#claimTexts.get(key) ?? "") === text) return;
    if (text === "") this.#claimTexts.delete(key);
    else this.#claimTexts.set(key, text);
    this.#options.onClaimText(text, node);
  }

  /** Nothing is kept of an owner of before but how many there were. */
  async #hasLeft(entry: NodeEntry): Promise<void> {
    await entry.change(({ count, wanted }) => ({ ...freshNode, count, wanted }));
  }

  #named(reference: NodeRef, path: string): { readonly key: string; readonly entry: NodeEntry } {
    const node = checkTriple(reference, path);
    const key = nodeKey(node);
    const entry = this.#entries.get(key);
    if (entry === undefined) throw new ConfigError(`${path}: there is no node ${nodeText(node)}`);
    return { key, entry };
  }

  /** The node of a notice: it holds as much as is needed to tell it from others (D-3.9-25). */
  #meant(reference: NodeRef): NodeEntry | undefined {
    const exact = this.#entries.get(nodeKey(reference));
    if (exact !== undefined) return exact;
    const fitting = this.#options.devices.fitting(reference);
    const only = fitting.length === 1 ? fitting[0]?.node : undefined;
    return only && this.#entries.get(nodeKey(only));
  }
}

function unlessLate(error: unknown): void {
  if (!(error instanceof TimeoutError)) throw error;
}

/** Who has owned it knows the KEY: whoever comes after gets another one, also after it was removed and added again. */
const countAfter = ({ ownership, count }: NodeRecord): number => (ownership.is === "claimed" ? count + 1 : count);
