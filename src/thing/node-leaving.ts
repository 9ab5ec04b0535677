// Nodes that were removed, and that the Registry is still to forget (XEP-0347 3.16): kept, so that a Thing that was offline
// then, or lost its power, does it later.
import type { BareJid } from "../core/jid.ts";
import { nodeKey, type NodeRef } from "../codec/node-ref.ts";
import { Document } from "../storage/document.ts";
import type { Storage } from "../storage/storage.ts";
import { bare, list, object, parseTriple } from "./saved-parts.ts";

/** A node that is to be unregistered. */
export interface LeavingNode {
  readonly node: NodeRef;
  readonly registry: BareJid;
}

/** The document that holds them. */
export function leavingDocument(storage: Storage): Document<readonly LeavingNode[]> {
  return new Document({ storage, name: "nodes", format: 1, parse: parseLeaving });
}

function parseLeaving(value: unknown): readonly LeavingNode[] {
  return list(value).map((one) => {
    const { node, registry } = object(one);
    return { node: parseTriple(object(node)), registry: bare(registry) };
  });
}

/** The nodes that are to be unregistered. */
export class LeavingNodes {
  readonly #document: Document<readonly LeavingNode[]>;
  readonly #nodes = new Map<string, LeavingNode>();
  // Not to be unregistered any more, which is not on disk yet: the next owner would lose the node at the next start.
  readonly #settled = new Set<string>();
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(storage: Storage) {
    this.#document = leavingDocument(storage);
  }

  /** Reads them. Resolves to a word on what was wrong, if the newest generation was damaged. */
  async load(): Promise<string | undefined> {
    const { value = [], problem } = await this.#document.load();
    for (const one of value) this.#nodes.set(nodeKey(one.node), one);
    return problem;
  }

  /** The one of that key, if it is to be unregistered. */
  get(key: string): LeavingNode | undefined {
    return this.#nodes.get(key);
  }

  /** The keys of all of them. */
  keys(): Iterable<string> {
    return this.#nodes.keys();
  }

  /** One more; durable once resolved. Rejects with `ERR_STORAGE`: then it is none of them. */
  async add(leaving: LeavingNode): Promise<void> {
    const key = nodeKey(leaving.node);
    const before = this.#nodes.get(key);
    this.#settled.delete(key);
    this.#nodes.set(key, leaving);
    try {
      await this.#save();
    } catch (error) {
      if (before !== undefined) this.#nodes.set(key, before);
      else if (this.#nodes.delete(key)) this.#settled.add(key);
      throw error;
    }
  }

  /** It is unregistered; durable once resolved. */
  delete(key: string): Promise<void> {
    if (this.#nodes.delete(key)) this.#settled.add(key);
    return this.settle(key);
  }

  /** Makes durable that it is none of them, if that has failed before. */
  async settle(key: string): Promise<void> {
    if (!this.#settled.has(key)) return;
    await this.#save();
    this.#settled.delete(key);
  }

  /** What has changed while one write is under way goes into the next one, all of it. */
  #save(): Promise<void> {
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      const saved = this.#document.save([...this.#nodes.values()]);
      this.#writing = saved.catch(() => undefined);
      return saved;
    });
    return this.#next;
  }
}
