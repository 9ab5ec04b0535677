// Who owns which of the nodes, found by owner and by node without looking at all of them.
import type { BareJid } from "../core/jid.ts";
import { nodeKey, refersTo, type NodeRef } from "../codec/node-ref.ts";
import type { NodeOwners } from "../provisioning/standing.ts";
import { ownerIn, type Ownership } from "./ownership.ts";

interface Owned {
  readonly node: NodeRef;
  readonly owner: BareJid;
}

/** The nodes that have an owner. */
export class OwnedNodes {
  readonly #has: (reference: NodeRef) => boolean;
  readonly #byKey = new Map<string, Owned>();
  readonly #byOwner = new Map<BareJid, Map<string, NodeRef[]>>();
  readonly #byId = new Map<string, Owned[]>();
  #owners: NodeOwners;

  /** @param has whether a reference means any node, claimed or not */
  constructor(has: (reference: NodeRef) => boolean) {
    this.#has = has;
    this.#owners = this.#view();
  }

  /** What a guard needs to know. Another object whenever something has changed. */
  get owners(): NodeOwners {
    return this.#owners;
  }

  /** A node has come, has gone (`undefined`), or is somebody else's. */
  change(node: NodeRef, ownership: Ownership | undefined): void {
    const owner = ownership && ownerIn(ownership);
    const key = nodeKey(node);
    const before = this.#byKey.get(key);
    // Also a node without an owner counts: a reference means one more now, or one less.
    this.#owners = this.#view();
    if (before !== undefined) this.#forget(key, before);
    if (owner === undefined) return;
    const owned = { node, owner };
    this.#byKey.set(key, owned);
    append(this.#byId, node.nodeId, owned);
    const nodes = this.#byOwner.get(owner) ?? new Map<string, NodeRef[]>();
    this.#byOwner.set(owner, nodes);
    append(nodes, node.nodeId, node);
  }

  #forget(key: string, before: Owned): void {
    const { node, owner } = before;
    this.#byKey.delete(key);
    remove(this.#byId, node.nodeId, (one) => one === before);
    const nodes = this.#byOwner.get(owner);
    if (nodes === undefined) return;
    remove(nodes, node.nodeId, (one) => nodeKey(one) === key);
    if (nodes.size === 0) this.#byOwner.delete(owner);
  }

  #view(): NodeOwners {
    return {
      ownersOf: (reference) => {
        const fitting = (this.#byId.get(reference.nodeId) ?? []).filter(({ node }) => refersTo(reference, node));
        return [...new Set(fitting.map(({ owner }) => owner))];
      },
      ownedBy: (jid, reference) => {
        const nodes = this.#byOwner.get(jid);
        if (nodes === undefined) return [];
        if (reference === undefined) return [...nodes.values()].flat();
        return (nodes.get(reference.nodeId) ?? []).filter((node) => refersTo(reference, node));
      },
      has: this.#has,
    };
  }
}

function append<T>(lists: Map<string, T[]>, key: string, one: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [one]);
  else list.push(one);
}

function remove<T>(lists: Map<string, T[]>, key: string, isIt: (one: T) => boolean): void {
  const rest = (lists.get(key) ?? []).filter((one) => !isIt(one));
  if (rest.length === 0) lists.delete(key);
  else lists.set(key, rest);
}
