// XEP-0324 Internet of Things - Provisioning 0.5.1: sections 3.2 (friends), 3.3 (readout), 3.5 (cache).
import type { BareJid } from "../core/jid.ts";
import { fieldTypeAttributes, parseFieldTypes, type FieldTypeSet } from "./field-types.ts";
import { ns } from "./namespaces.ts";
import { nodeAttributes, type NodeRef } from "./node-ref.ts";
import { expect, expectOnly, optionalJid, parseNames, parseNodes, requiredJid } from "./provisioning-parts.ts";
import { parseTokens, tokenAttributes, type Tokens } from "./tokens.ts";
import { el, flag, requiredFlag, type XmlElement } from "./xml.ts";

/** May somebody be a friend of the Thing? (XEP-0324 3.2.1) */
export interface IsFriend {
  /** Who wants to be; resources are ignored (P-3.2.1-4). */
  readonly jid: BareJid;
}

/** The answer to `isFriend`. */
export interface IsFriendResponse {
  /** Who; absent where a peer leaves it out (P-E29). */
  readonly jid?: BareJid;
  /** True if friendship is recommended. */
  readonly result: boolean;
  /** True if the Thing may take on further provisioning servers (XEP-0324 3.1.4). */
  readonly secondaryTrustAllowed: boolean;
}

/** May somebody read? (XEP-0324 3.3) Empty lists mean everything. */
export interface CanRead {
  /** Who wants to read. */
  readonly jid: BareJid;
  /** The tokens of the request, untouched. */
  readonly tokens: Tokens;
  /** The kinds of field asked for. */
  readonly types: FieldTypeSet;
  /** The nodes asked for. */
  readonly nodes: readonly NodeRef[];
  /** The names of the fields asked for. */
  readonly fields: readonly string[];
}

/** The answer to `canRead`. Empty lists are no restriction (P-3.3.2-2, P-3.3.3-2). */
export interface CanReadResponse {
  /** Who; absent where a peer leaves it out (P-E29). */
  readonly jid?: BareJid;
  /** True if something may be read. */
  readonly result: boolean;
  /** The kinds of field granted (P-E18). */
  readonly types: FieldTypeSet;
  /** The nodes granted. */
  readonly nodes: readonly NodeRef[];
  /** The names of the fields granted. */
  readonly fields: readonly string[];
}

function buildLists(value: { nodes: readonly NodeRef[]; fields: readonly string[] }): readonly XmlElement[] {
  return [
    ...value.nodes.map((node) => el("node", nodeAttributes(node))),
    ...value.fields.map((name) => el("field", { name })),
  ];
}

/** Makes `isFriend`. */
export function buildIsFriend(value: IsFriend): XmlElement {
  return el("isFriend", { xmlns: ns.provisioning, jid: value.jid });
}

/** Reads `isFriend`. */
export function parseIsFriend(element: XmlElement): IsFriend {
  return { jid: requiredJid(expect(element, "isFriend")) };
}

/** Makes `isFriendResponse`. */
export function buildIsFriendResponse(value: IsFriendResponse): XmlElement {
  const secondaryTrustAllowed = value.secondaryTrustAllowed ? true : undefined;
  return el("isFriendResponse", {
    xmlns: ns.provisioning,
    jid: value.jid,
    result: value.result,
    secondaryTrustAllowed,
  });
}

/** Reads `isFriendResponse`. */
export function parseIsFriendResponse(element: XmlElement | undefined): IsFriendResponse {
  const response = expect(element, "isFriendResponse");
  return {
    ...optionalJid(response),
    result: requiredFlag(response, "result"),
    secondaryTrustAllowed: flag(response, "secondaryTrustAllowed", false),
  };
}

/** Makes `canRead`. */
export function buildCanRead(value: CanRead): XmlElement {
  const attributes = { ...tokenAttributes(value.tokens), ...fieldTypeAttributes(value.types) };
  return el("canRead", { xmlns: ns.provisioning, jid: value.jid, ...attributes }, ...buildLists(value));
}

/** Reads `canRead`. */
export function parseCanRead(element: XmlElement): CanRead {
  const canRead = expect(element, "canRead");
  return {
    jid: requiredJid(canRead),
    tokens: parseTokens(canRead),
    types: parseFieldTypes(canRead),
    nodes: parseNodes(canRead),
    fields: parseNames(canRead, "field"),
  };
}

/** Makes `canReadResponse`. */
export function buildCanReadResponse(value: CanReadResponse): XmlElement {
  const attributes = { jid: value.jid, ...fieldTypeAttributes(value.types), result: value.result };
  return el("canReadResponse", { xmlns: ns.provisioning, ...attributes }, ...buildLists(value));
}

/** Reads `canReadResponse`. */
export function parseCanReadResponse(element: XmlElement | undefined): CanReadResponse {
  const response = expect(element, "canReadResponse");
  expectOnly(response, ["node", "field"]);
  return {
    ...optionalJid(response),
    result: requiredFlag(response, "result"),
    types: parseFieldTypes(response),
    nodes: parseNodes(response),
    fields: parseNames(response, "field"),
  };
}

/** Makes `clearCache` (XEP-0324 3.5.1). */
export function buildClearCache(): XmlElement {
  return el("clearCache", { xmlns: ns.provisioning });
}

/** Makes `clearCacheResponse`. */
export function buildClearCacheResponse(): XmlElement {
  return el("clearCacheResponse", { xmlns: ns.provisioning });
}
