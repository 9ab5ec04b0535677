// What a provisioning server grants, and what that lets through: XEP-0324 3.3.2, 3.3.3, 3.4.2, 3.4.3, 5.3; P-E18 to P-E20.
import type { BareJid } from "../core/jid.ts";
import type { CanControlResponse } from "../codec/can-control.ts";
import type { CanReadResponse } from "../codec/provisioning.ts";
import { fieldTypes, type FieldType, type FieldTypeSet } from "../codec/field-types.ts";
import { refersTo, type NodeRef } from "../codec/node-ref.ts";
import type { ControlQuestion, ReadQuestion } from "./questions.ts";

/**
 * What one server grants, cut down to what was asked. Empty lists of nodes, fields and parameters are no restriction;
 * which of them count is a matter of what was asked: a grant of readout lets nothing be controlled. Grants of several servers stand side by side: what is let through must be permitted by one of them as a whole (P-E20).
 */
export interface Grant {
  /** Who grants it: a provisioning server, or the owner of a Thing that has none. */
  readonly by: BareJid;
  /** The kinds of field. Empty in a grant of friendship or control. */
  readonly types: readonly FieldType[];
  /** The nodes; what a reference leaves out may be anything. */
  readonly nodes: readonly NodeRef[];
  /** The names of the fields. */
  readonly fields: readonly string[];
  /** The names of the control parameters. */
  readonly parameters: readonly string[];
}

/** A grant that restricts nothing. */
export function wholeGrant(by: BareJid, types: FieldTypeSet = new Set()): Grant {
  return { by, types: [...types], nodes: [], fields: [], parameters: [] };
}

/**
 * The part of a server's answer that was asked for; `undefined` if nothing is left, which is a refusal (P-E19). An
 * answer is an upper bound: what it names beyond the question grants nothing.
 */
export function intersect(question: ReadQuestion, response: CanReadResponse, by: BareJid): Grant | undefined {
  if (!response.result) return undefined;
  const types = fieldTypes.filter(
    (type) => question.types.has(type) && (response.types.size === 0 || response.types.has(type)),
  );
  const nodes = meet(question.nodes, response.nodes, (node) => node.nodeId, commonNode);
  const fields = meetNames(question.fields, response.fields);
  if (types.length === 0 || nodes === undefined || fields === undefined) return undefined;
  return { by, types, nodes, fields, parameters: [] };
}

/** The same of an answer about control (XEP-0324 3.4.2, 3.4.3). */
export function intersectControl(
  question: ControlQuestion,
  response: CanControlResponse,
  by: BareJid,
): Grant | undefined {
  if (!response.result) return undefined;
  const nodes = meet(question.nodes, response.nodes, (node) => node.nodeId, commonNode);
  const parameters = meetNames(question.parameters, response.parameters);
  if (nodes === undefined || parameters === undefined) return undefined;
  return { by, types: [], nodes, fields: [], parameters };
}

function meetNames(asked: readonly string[], granted: readonly string[]): readonly string[] | undefined {
  const same = (name: string): string => name;
  return meet(asked, granted, same, same);
}

/**
 * What two lists have in common, an empty list standing for everything; `undefined` if nothing. Each entry once: the
 * lists may come from a stranger, and a thousand repetitions met by a thousand are a million.
 */
function meet<T>(
  asked: readonly T[],
  granted: readonly T[],
  idOf: (one: T) => string,
  common: (a: T, b: T) => T | undefined,
): readonly T[] | undefined {
  if (asked.length === 0) return distinct(granted);
  if (granted.length === 0) return distinct(asked);
  const grantedById = new Map<string, T[]>();
  for (const one of distinct(granted)) {
    const group = grantedById.get(idOf(one));
    if (group === undefined) grantedById.set(idOf(one), [one]);
    else group.push(one);
  }
  const both = distinct(asked).flatMap((a) => (grantedById.get(idOf(a)) ?? []).flatMap((b) => common(a, b) ?? []));
  return both.length === 0 ? undefined : distinct(both);
}

function distinct<T>(list: readonly T[]): readonly T[] {
  return [...new Map(list.map((one) => [JSON.stringify(one), one])).values()];
}

/** The nodes that two references both mean, as one reference (P-E19: absent attributes match any value). */
function commonNode(a: NodeRef, b: NodeRef): NodeRef | undefined {
  const merged: NodeRef = { ...a, ...b };
  return refersTo(a, merged) && refersTo(b, merged) ? merged : undefined;
}

/** Tells whether a grant gives everything a question asks for, so that no other server can add to it. */
export function isWhole(question: ReadQuestion | ControlQuestion, grant: Grant): boolean {
  if (!coversNodes(question.nodes, grant.nodes)) return false;
  if (question.kind === "control") return coversNames(question.parameters, grant.parameters);
  return [...question.types].every((type) => grant.types.includes(type)) && coversNames(question.fields, grant.fields);
}

function coversNames(asked: readonly string[], granted: readonly string[]): boolean {
  if (granted.length === 0) return true;
  const names = new Set(granted);
  return asked.length > 0 && asked.every((name) => names.has(name));
}

function coversNodes(asked: readonly NodeRef[], granted: readonly NodeRef[]): boolean {
  if (granted.length === 0) return true;
  // By id first: a server that repeats a long list must not cost the square of its length.
  const byId = new Map<string, NodeRef[]>();
  for (const node of granted) {
    const group = byId.get(node.nodeId);
    if (group === undefined) byId.set(node.nodeId, [node]);
    else group.push(node);
  }
  return asked.length > 0 && asked.every((one) => byId.get(one.nodeId)?.some((given) => refersTo(given, one)) ?? false);
}

/** Tells whether one of the grants lets a field of a node through: node, name and kind by the same grant (P-E20). */
export function permits(
  grants: readonly Grant[],
  field: { readonly node: NodeRef; readonly name: string; readonly types: FieldTypeSet },
): boolean {
  return grants.some(
    (grant) =>
      permitsNode(grant, field.node) &&
      (grant.fields.length === 0 || grant.fields.includes(field.name)) &&
      grant.types.some((type) => field.types.has(type)),
  );
}

/** Tells whether one of the grants lets a parameter of a node be set: node and name by the same grant (P-E20). */
export function permitsControl(
  grants: readonly Grant[],
  parameter: { readonly node: NodeRef; readonly name: string },
): boolean {
  return grants.some(
    (grant) =>
      permitsNode(grant, parameter.node) &&
      (grant.parameters.length === 0 || grant.parameters.includes(parameter.name)),
  );
}

/** Tells whether a grant reaches a node. */
export function permitsNode(grant: Grant, node: NodeRef): boolean {
  return grant.nodes.length === 0 || grant.nodes.some((reference) => refersTo(reference, node));
}
