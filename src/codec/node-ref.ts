// The triple by which XEP-0323 to XEP-0326 and XEP-0347 name a node behind a concentrator (XEP-0324 5.5, X-E6).
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

/** Reads the attributes of a `node` element. */
export function parseNodeRef(element: XmlElement): NodeRef {
  required(element, "nodeId");
  return optionalNodeRef(element) ?? { nodeId: "" };
}

/** Reads the node attributes of an element that need not have any (`register`, `claimed`, …). */
export function optionalNodeRef(element: XmlElement): NodeRef | undefined {
  const nodeId = nonEmpty(element, "nodeId");
  if (nodeId === undefined) return undefined;
  const sourceId = nonEmpty(element, "sourceId");
  const cacheType = nonEmpty(element, "cacheType");
  return { nodeId, ...(sourceId !== undefined && { sourceId }), ...(cacheType !== undefined && { cacheType }) };
}

/** The attributes that name a node. */
export function nodeAttributes(node: NodeRef | undefined): Attributes {
  return { nodeId: node?.nodeId, sourceId: node?.sourceId, cacheType: node?.cacheType };
}

/**
 * Tells whether a reference means a node. What the reference leaves out may be anything (P-5.5-3, P-E19); what it
 * names must be so on the node.
 */
export function refersTo(reference: NodeRef, node: NodeRef): boolean {
  return (
    reference.nodeId === node.nodeId &&
    (reference.sourceId === undefined || reference.sourceId === node.sourceId) &&
    (reference.cacheType === undefined || reference.cacheType === node.cacheType)
  );
}
