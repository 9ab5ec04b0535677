// XEP-0324 Internet of Things - Provisioning 0.5.1: what is left of a question where a rule limits it (3.3, 3.4, 5.5).
import type { CanControl, CanControlResponse } from "../codec/can-control.ts";
import type { FieldType, FieldTypeSet } from "../codec/field-types.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { CanRead, CanReadResponse } from "../codec/provisioning.ts";
import type { ControlLimits, ReadLimits } from "./rules.ts";

/**
 * What is left of a question: what was asked and is allowed. Lists stand in the answer only where something is
 * limited; an answer that leaves nothing is `result='false'` (P-3.3.2-3, P-3.3.3-3).
 */
export function narrow(question: CanRead, allowed: boolean | ReadLimits): CanReadResponse {
  // Listing 14: a no repeats the types of the question.
  const no: CanReadResponse = { jid: question.jid, result: false, types: question.types, nodes: [], fields: [] };
  if (allowed === false) return no;
  const limits = allowed === true ? {} : allowed;
  const nodes = meet(question.nodes, limits.nodes?.map(plain), meetNodes);
  const fields = meet(question.fields, limits.fields, meetSame);
  const types = meetTypes(question.types, limits.types);
  if (nodes === "nothing" || fields === "nothing" || types === "nothing") return no;
  return { jid: question.jid, result: true, types, nodes, fields };
}

/** The same of a question about control (P-3.4.2-1, P-3.4.2-3, P-3.4.3-1, P-3.4.3-3). */
export function narrowControl(question: CanControl, allowed: boolean | ControlLimits): CanControlResponse {
  const no: CanControlResponse = { jid: question.jid, result: false, nodes: [], parameters: [] };
  if (allowed === false) return no;
  const limits = allowed === true ? {} : allowed;
  const nodes = meet(question.nodes, limits.nodes?.map(plain), meetNodes);
  const parameters = meet(question.parameters, limits.parameters, meetSame);
  if (nodes === "nothing" || parameters === "nothing") return no;
  return { jid: question.jid, result: true, nodes, parameters };
}

/** Of a list asked for (empty: everything) and one allowed (absent: everything), what is in both. */
function meet<T>(
  asked: readonly T[],
  allowed: readonly T[] | undefined,
  both: (a: T, b: T) => T | undefined,
): readonly T[] | "nothing" {
  if (allowed === undefined) return []; // no list in a yes: all that was asked (P-3.3.2-2, P-3.3.3-2, P-3.4.3-2)
  const left = asked.length === 0 ? allowed : asked.flatMap((a) => allowed.flatMap((b) => both(a, b) ?? []));
  return left.length === 0 ? "nothing" : unique(left);
}

function meetSame(a: string, b: string): string | undefined {
  return a === b ? a : undefined;
}

/** The nodes that two references both mean. One that leaves out source or cache type means all that fit (P-5.5-3). */
function meetNodes(a: NodeRef, b: NodeRef): NodeRef | undefined {
  const clash = (x: string | undefined, y: string | undefined): boolean =>
    x !== undefined && y !== undefined && x !== y;
  if (a.nodeId !== b.nodeId || clash(a.sourceId, b.sourceId) || clash(a.cacheType, b.cacheType)) return undefined;
  return plain({ ...a, ...b });
}

/** A reference without empty attributes (X-E6), its parts always in the same order. */
function plain({ nodeId, sourceId, cacheType }: NodeRef): NodeRef {
  return { nodeId, ...(sourceId && { sourceId }), ...(cacheType && { cacheType }) };
}

/** The types granted (P-E18): with a limit those in both, without one those asked for. */
function meetTypes(asked: FieldTypeSet, allowed: readonly FieldType[] | undefined): FieldTypeSet | "nothing" {
  if (allowed === undefined) return asked;
  const left = asked.size === 0 ? allowed : allowed.filter((type) => asked.has(type));
  return left.length === 0 ? "nothing" : new Set(left);
}

function unique<T>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
