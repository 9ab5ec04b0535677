// Owners of nodes as a test says them: the plainest there can be.
import type { BareJid } from "../../src/core/jid.ts";
import { refersTo, type NodeRef } from "../../src/codec/node-ref.ts";
import type { NodeOwners } from "../../src/provisioning/standing.ts";

/** A node, and whose it is. */
export interface OwnedNode {
  readonly node: NodeRef;
  readonly owner: BareJid | undefined;
}

/** What a guard needs to know of them. */
export function nodeOwners(nodes: readonly OwnedNode[]): NodeOwners {
  const meant = (reference?: NodeRef): readonly OwnedNode[] =>
    nodes.filter(({ node }) => reference === undefined || refersTo(reference, node));
  return {
    ownersOf: (reference) => [
      ...new Set(meant(reference).flatMap(({ owner }) => (owner === undefined ? [] : [owner]))),
    ],
    ownedBy: (jid, reference) => meant(reference).flatMap(({ node, owner }) => (owner === jid ? [node] : [])),
    has: (reference) => meant(reference).length > 0,
  };
}
