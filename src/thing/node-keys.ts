// The KEY of each node (XEP-0347 6.5), derived from one secret of the Thing: a thousand nodes that nobody has claimed cost
// the disk nothing.
import { createHmac } from "node:crypto";
import { nodeKey, type NodeRef } from "../codec/node-ref.ts";

// 160 bits, as the KEY of a Thing: 27 characters, nothing that a claim text or XML would have to escape.
const KEY_BYTES = 20;
// 96 bits: enough to tell one secret from another, and nothing of the secret itself.
const MARK_BYTES = 12;

/**
 * The KEY of a node. Who has seen those of other nodes, or an earlier one of this node, learns nothing of it (HMAC-SHA256).
 *
 * @param secret of the Thing, never told to anybody
 * @param count how many owners have known a KEY of the node before
 */
export function nodeKeyOf(secret: string, node: NodeRef, count: number): string {
  return derived(secret, JSON.stringify(["KEY", nodeKey(node), count]), KEY_BYTES);
}

/** What tells in a document under which secret it was written, so that those from before a factory reset are known. */
export function markOf(secret: string): string {
  return derived(secret, "mark", MARK_BYTES);
}

function derived(secret: string, what: string, bytes: number): string {
  return createHmac("sha256", secret).update(what).digest().subarray(0, bytes).toString("base64url");
}
