// The triple by which XEP-0323 to XEP-0326 and XEP-0347 name a node behind a concentrator (XEP-0324 5.5, X-E6).
import { ConfigError } from "../core/errors.ts";
import { nonEmpty, required, type Attributes, type XmlElement } from "./xml.ts";

/** A node behind a concentrator. Empty attributes are as good as absent ones (X-E6). */
export interface NodeRef {
  /** The node's id, unique within its source and cache type. */
  readonly nodeId: string;
  /** The data source the node belongs to. */
  readonly sourceId?: string;
  /** The kind of cache within the source. */
  readonly cacheType?: string;
}

/** Reads the attributes of a `node` element. Its id must be there, but may be empty: a Thing that is no concentrator. */
export function parseNodeRef(element: XmlElement): NodeRef {
  const nodeId = required(element, "nodeId");
  const sourceId = nonEmpty(element, "sourceId");
  const cacheType = nonEmpty(element, "cacheType");
  return { nodeId, ...(sourceId !== undefined && { sourceId }), ...(cacheType !== undefined && { cacheType }) };
}

/** Reads the node attributes of an element that need not have any (`register`, `claimed`, …). */
export function optionalNodeRef(element: XmlElement): NodeRef | undefined {
  return nonEmpty(element, "nodeId") === undefined ? undefined : parseNodeRef(element);
}

/** The attributes that name a node; empty ones are left out (X-E6), save the id that `node` elements must have. */
export function nodeAttributes(node: NodeRef | undefined): Attributes {
  return { nodeId: node?.nodeId, sourceId: node?.sourceId || undefined, cacheType: node?.cacheType || undefined };
}

/** Refuses what is no list of nodes. Throws `ERR_CONFIG`. */
export function checkNodes(nodes: readonly NodeRef[], path: string): void {
  if (!Array.isArray(nodes)) throw new ConfigError(`${path}: must be a list, [{ nodeId: "meter1" }]`);
  for (const [index, node] of (nodes as readonly (Partial<NodeRef> | null | undefined)[]).entries()) {
    const texts = [node?.nodeId, node?.sourceId ?? "", node?.cacheType ?? ""];
    if (texts.every((text) => typeof text === "string")) continue;
    throw new ConfigError(`${path}[${index}]: must be an object, { nodeId: "meter1" }; all it holds are texts`);
  }
}

/** One text for one triple, another for any other; empty attributes are as good as absent ones (X-E6). */
export function nodeKey({ nodeId, sourceId = "", cacheType = "" }: NodeRef): string {
  return JSON.stringify([nodeId, sourceId, cacheType]);
}

/** The triple for people: `meter1`, `meter1 (source cellar, cache type live)`. */
export function nodeText({ nodeId, sourceId = "", cacheType = "" }: NodeRef): string {
  const parts = [
    ...(sourceId === "" ? [] : [`source ${sourceId}`]),
    ...(cacheType === "" ? [] : [`cache type ${cacheType}`]),
  ];
  return parts.length === 0 ? nodeId : `${nodeId} (${parts.join(", ")})`;
}

/**
 * A reference that means this node alone. What a node does not have stands in it as an empty text, where a reference from
 * the wire leaves it out and means any (P-5.5-3): beside `meter1` there may be a `meter1` of the source `cellar`.
 */
export function exactRef({ nodeId, sourceId = "", cacheType = "" }: NodeRef): NodeRef {
  return { nodeId, sourceId, cacheType };
}

/** A Thing that is no concentrator is one node without an id. */
export const THE_THING: NodeRef = { nodeId: "" };

/**
 * Tells whether a reference means a node. What the reference leaves out may be anything (P-5.5-3, P-E19); what it
 * names must be so on the node, and what it has as an empty text the node must not have ({@link exactRef}).
 */
export function refersTo(reference: NodeRef, node: NodeRef): boolean {
  return (
    reference.nodeId === node.nodeId &&
    (reference.sourceId === undefined || reference.sourceId === (node.sourceId ?? "")) &&
    (reference.cacheType === undefined || reference.cacheType === (node.cacheType ?? ""))
  );
}
