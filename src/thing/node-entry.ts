// One node behind the Thing while the Thing runs: its record, changed by one event at a time, on disk before it counts.
import type { Clock } from "../core/clock.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import type { BareJid } from "../core/jid.ts";
import { formatClaimText } from "../codec/claim-text.ts";
import { nodeText, type NodeRef } from "../codec/node-ref.ts";
import type { Tag } from "../codec/tags.ts";
import type { ControlParameter } from "../control/definition.ts";
import type { Device } from "../provisioning/devices.ts";
import type { SensorDefinition } from "../sensor/definition.ts";
import type { NodeSettings } from "./node-definition.ts";
import { nodeKeyOf } from "./node-keys.ts";
import { nodeAfter, type NodeEvent } from "./node-life.ts";
import { isFresh, type NodeRecord, type NodeStore } from "./node-store.ts";
import { OwnerPace, isOfRegistry } from "./owner-pace.ts";
import { oddClaim, ownerIn, registryIn } from "./ownership.ts";
import { keysIn, withKey, withoutKey } from "./tags.ts";

/** A node as what is read and set. */
export interface NodeDevice extends Device {
  readonly node: NodeRef;
  readonly sensor?: SensorDefinition;
  readonly control?: readonly ControlParameter[];
}

/** The secret of the Thing, and what tells in a document that it was written under it. */
export interface NodeSecret {
  readonly secret: string;
  readonly mark: string;
}

/** What an entry needs of the others. */
export interface NodeHost {
  readonly store: NodeStore;
  readonly clock: Clock;
  /** The secret that counts at the moment. */
  readonly secret: () => NodeSecret;
  /** Somebody is about to be the owner of this node no more. Resolves, durable, to what is to follow. */
  readonly onLosing: (entry: NodeEntry, owner: BareJid) => Promise<() => void>;
  /** A Registry gives a node away that is somebody's: that is not followed (D-E29). */
  readonly onOdd: (message: string) => void;
  /** The record is another one. */
  readonly onChanged: (entry: NodeEntry, before: NodeRecord) => void;
}

/** What an event has come to: what is to follow once it is acknowledged. */
export type Afterwards = () => void;
const nothing: Afterwards = () => undefined;

/** A node. */
export class NodeEntry {
  readonly settings: NodeSettings;
  readonly device: NodeDevice;
  /** The stream on which it was registered last. */
  registeredOn: AbortSignal | undefined;
  /** How often the Registry may change whose it is. */
  readonly pace: OwnerPace;
  readonly #host: NodeHost;
  readonly #queue = new SerialQueue();
  #record: NodeRecord;
  // Counts what makes it another node: what was begun before means nothing any more.
  #lives = 0;
  #isEnded = false;

  constructor(settings: NodeSettings, record: NodeRecord, host: NodeHost) {
    const { node, sensor, control, parentId } = settings;
    this.settings = settings;
    this.device = {
      node,
      ...(sensor !== undefined && { sensor }),
      control,
      ...(parentId !== undefined && { parentId }),
    };
    this.#record = record;
    this.#host = host;
    this.pace = new OwnerPace(host.clock);
  }

  /** True once the node is removed: nothing changes it any more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Its record now. */
  get record(): NodeRecord {
    return this.#record;
  }

  /** Its tags with its `KEY`: what is registered. */
  get tags(): readonly Tag[] {
    return withKey(this.settings.tags, this.key);
  }

  /** Whether its KEY was made here, and is no one that its tags give. */
  get hasMadeKey(): boolean {
    return keysIn(this.settings.tags).length === 0;
  }

  /** The KEY that was made for it. */
  get key(): string {
    return nodeKeyOf(this.#host.secret().secret, this.settings.node, this.#record.count);
  }

  /** What its QR code shows; empty while nobody has to claim it. */
  get claimText(): string {
    const { is } = this.#record.ownership;
    return is === "claimed" || is === "selfOwned" || this.settings.selfOwned ? "" : formatClaimText(this.tags);
  }

  /** Applies events, in one write. Resolves, once that is durable, to what is to follow on the wire (D-E17). */
  apply(...events: readonly NodeEvent[]): Promise<Afterwards> {
    return this.#apply(events, () => undefined);
  }

  /**
   * The same for what a Registry tells of its own accord. Rejects with `TooOftenError`, and nothing changes, if it has changed
   * whose the node is too often.
   */
  applyNotice(event: NodeEvent): Promise<Afterwards> {
    return this.#apply([event], (by) => this.pace.check(this.#name, by));
  }

  #apply(events: readonly NodeEvent[], check: (by: BareJid) => void): Promise<Afterwards> {
    return this.change((record) =>
      events.reduce((now, event) => {
        const after = this.#after(now, event);
        const by = after !== now && isOfRegistry(event) ? registryIn(after.ownership) : undefined;
        if (by === undefined) return after;
        check(by);
        this.pace.count(by);
        return after;
      }, record),
    );
  }

  /** The same for any change. */
  change(how: (record: NodeRecord) => NodeRecord): Promise<Afterwards> {
    const lives = this.#lives;
    return this.#queue.run(async () => {
      if (lives !== this.#lives || this.#isEnded) return nothing;
      const { store, secret, onLosing } = this.#host;
      const { mark } = secret();
      const before = this.#record;
      const after = how(before);
      if (after === before) return nothing;
      const lost = ownerIn(before.ownership);
      const act = lost === undefined || ownerIn(after.ownership) === lost ? nothing : await onLosing(this, lost);
      // What it becomes by itself at the next start costs the disk nothing.
      if (!isFresh(before) || !isFresh(after)) await store.save(this.settings.node, after, mark);
      if (lives !== this.#lives) return nothing;
      this.#become(after);
      return act;
    });
  }

  /** Another record at once, which is on disk, or is to be: after a factory reset. What is under way counts no more. */
  restart(record: NodeRecord): void {
    this.#lives++;
    this.registeredOn = undefined;
    this.#become(record);
  }

  /** Nothing counts any more: the node is removed. Resolves when nothing of it is being written. */
  end(): Promise<void> {
    this.#isEnded = true;
    return this.#queue.idle();
  }

  get #name(): string {
    return `the node ${nodeText(this.settings.node)}`;
  }

  #after(record: NodeRecord, event: NodeEvent): NodeRecord {
    const odd = event.type === "claimed" ? oddClaim(this.#name, record.ownership, event) : undefined;
    if (odd !== undefined) this.#host.onOdd(odd);
    const after = nodeAfter(record, event);
    const isNewlyClaimed = after.ownership.is === "claimed" && after.ownership !== record.ownership;
    // From here on the Registry holds what was registered, whatever a later version of the program defines: what differs is
    // then told.
    if (!isNewlyClaimed || after.told.length > 0) return after;
    return { ...after, told: withoutKey(this.settings.tags) };
  }

  #become(record: NodeRecord): void {
    const before = this.#record;
    this.#record = record;
    this.#host.onChanged(this, before);
  }
}
