// What the Registry keeps of a Thing, and where: XEP-0347 Internet of Things - Discovery 0.5.1, sections 3.6 to 3.17.
import type { BareJid } from "../core/jid.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Tag } from "../codec/tags.ts";

/** A Thing as the Registry keeps it. Never changed: a changed one takes its place. Plain data, fit for JSON. */
export interface RegistryRecord {
  /** Whose Thing. */
  readonly jid: BareJid;
  /** The node, when the Thing is one behind a concentrator. */
  readonly node?: NodeRef;
  /** When it first registered, in milliseconds since 1970. */
  readonly registeredAt: number;
  /** The fingerprint of what it registered last, and so of what it was claimed with. KEY cannot be read from it. */
  readonly registered: string;
  /** Its tags as they are now, KEY among them. */
  readonly tags: readonly Tag[];
  /** Who owns it, once claimed. */
  readonly claim?: RecordClaim;
  /** Removed by its owner, and kept only so long as that must still be told to the Thing (XEP-0347 3.10). */
  readonly removed?: RecordRemoval;
  /** The full JID it last asked from, as far as it was kept along with something else (D-E16). */
  readonly address?: string;
}

/** Who owns a Thing. */
export interface RecordClaim {
  /** The owner; the Thing itself if it is self-owned (D-E26). */
  readonly owner: BareJid;
  /** False if it is kept out of searches. */
  readonly public: boolean;
  /** Whether nobody needs to claim it (XEP-0347 3.7). */
  readonly selfOwned: boolean;
  /** When it was claimed, in milliseconds since 1970. */
  readonly at: number;
  /** Whether the Thing has acknowledged that it knows. */
  readonly told: boolean;
  /** The id of the notice to the Thing, which cannot be guessed. No other claim has it. */
  readonly notice: string;
}

/** That an owner has removed a Thing. */
export interface RecordRemoval {
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** The id of the notice to the Thing. */
  readonly notice: string;
}

/**
 * Keeps records where they outlive the process. The Registry answers from memory; what it changed there it tells only
 * once this has kept it. One call is made at a time. A call that rejects may have kept all, some or nothing: the
 * records it was about come again.
 */
export interface RecordKeeper {
  /** All that is kept, in any order. Called once, before anything else. */
  load(): AsyncIterable<RegistryRecord>;
  /** Keeps records, each in the place of the one with the same {@link recordKey}. Resolves when no power cut takes them. */
  put(records: readonly RegistryRecord[]): Promise<void>;
  /** Forgets records. Keys that are not there are none of its worry. Resolves when no power cut brings them back. */
  delete(keys: readonly string[]): Promise<void>;
  /** Ends. Nothing is called after it. */
  close(): Promise<void>;
}

/** What a record is known by: bare JID and node, one record for each (D-3.6-9, D-E6). */
export function recordKey({ jid, node }: { readonly jid: BareJid; readonly node?: NodeRef | undefined }): string {
  // Absent and empty attributes are alike.
  return JSON.stringify([jid, node?.nodeId ?? "", node?.sourceId ?? "", node?.cacheType ?? ""]);
}

/** Whether searches may find it: public and claimed, self-owned too, and not removed (D-3.15-1, D-3.15-2). */
export function isListed({ claim, removed }: RegistryRecord): boolean {
  return claim?.public === true && removed === undefined;
}

/** Keeps records in memory, for tests: what is in `kept` is what a power cut would leave. */
export class MemoryKeeper implements RecordKeeper {
  /** The records by their {@link recordKey}. */
  readonly kept = new Map<string, RegistryRecord>();

  async *load(): AsyncGenerator<RegistryRecord> {
    await Promise.resolve(); // no keeper has it at once
    yield* this.kept.values();
  }

  put(records: readonly RegistryRecord[]): Promise<void> {
    for (const record of records) this.kept.set(recordKey(record), record);
    return Promise.resolve();
  }

  delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.kept.delete(key);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
