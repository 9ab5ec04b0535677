// XEP-0324 Internet of Things - Provisioning 0.5.1: section 3.4 (control).
import type { BareJid } from "../core/jid.ts";
import { ns } from "./namespaces.ts";
import { nodeAttributes, type NodeRef } from "./node-ref.ts";
import { expect, expectOnly, optionalJid, parseNames, parseNodes, requiredJid } from "./provisioning-parts.ts";
import { parseTokens, tokenAttributes, type Tokens } from "./tokens.ts";
import { el, requiredFlag, type XmlElement } from "./xml.ts";

/** May somebody control? (XEP-0324 3.4) Empty lists mean everything. */
export interface CanControl {
  /** Who wants to control. */
  readonly jid: BareJid;
  /** The tokens of the request, untouched (P-E9). */
  readonly tokens: Tokens;
  /** The nodes to be controlled. */
  readonly nodes: readonly NodeRef[];
  /** The names of the parameters to be set. */
  readonly parameters: readonly string[];
}

/** The answer to `canControl`. Empty lists are no restriction (P-3.4.2-2, P-3.4.2-4). */
export interface CanControlResponse {
  /** Who; absent where a peer leaves it out (P-E29). */
  readonly jid?: BareJid;
  /** True if something may be controlled. */
  readonly result: boolean;
  /** The nodes granted. */
  readonly nodes: readonly NodeRef[];
  /** The names of the parameters granted. */
  readonly parameters: readonly string[];
}

function buildLists(value: { nodes: readonly NodeRef[]; parameters: readonly string[] }): readonly XmlElement[] {
  return [
    ...value.nodes.map((node) => el("node", nodeAttributes(node))),
    ...value.parameters.map((name) => el("parameter", { name })),
  ];
}

/** Makes `canControl`. */
export function buildCanControl(value: CanControl): XmlElement {
  const attributes = { xmlns: ns.provisioning, jid: value.jid, ...tokenAttributes(value.tokens) };
  return el("canControl", attributes, ...buildLists(value));
}

/** Reads `canControl`; nodes and parameters stand in any order (P-3.4.1-3). */
export function parseCanControl(element: XmlElement): CanControl {
  const canControl = expect(element, "canControl");
  return {
    jid: requiredJid(canControl),
    tokens: parseTokens(canControl),
    nodes: parseNodes(canControl),
    parameters: parseNames(canControl, "parameter"),
  };
}

/** Makes `canControlResponse`. */
export function buildCanControlResponse(value: CanControlResponse): XmlElement {
  const attributes = { xmlns: ns.provisioning, jid: value.jid, result: value.result };
  return el("canControlResponse", attributes, ...buildLists(value));
}

/** Reads `canControlResponse`. A child that is not known may be a restriction: it is no answer then. */
export function parseCanControlResponse(element: XmlElement | undefined): CanControlResponse {
  const response = expect(element, "canControlResponse");
  expectOnly(response, ["node", "parameter"]);
  return {
    ...optionalJid(response),
    result: requiredFlag(response, "result"),
    nodes: parseNodes(response),
    parameters: parseNames(response, "parameter"),
  };
}
