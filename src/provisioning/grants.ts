// What a provisioning server grants, and what that lets through: XEP-0324 3.3.2, 3.3.3, 3.4.2, 3.4.3, 5.3; P-E18 to P-E20.
import { ProtocolError } from "../core/errors.ts";
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
  const nodes = meetNodes(question.nodes, response.nodes);
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
  const nodes = meetNodes(question.nodes, response.nodes);
  const parameters = meetNames(question.parameters, response.parameters);
  if (nodes === undefined || parameters === undefined) return undefined;
  return { by, types: [], nodes, fields: [], parameters };
}

function meetNames(asked: readonly string[], granted: readonly string[]): readonly string[] | undefined {
  if (asked.length === 0) return [...new Set(granted)];
  if (granted.length === 0) return [...new Set(asked)];
  const allowed = new Set(granted);
  const both = [...new Set(asked)].filter((name) => allowed.has(name));
  return both.length === 0 ? undefined : both;
}

// A hundred sources asked for, of which a thousand kinds of cache are granted, are a hundred thousand nodes: a stranger and a
// server of ill will would stop a device with that.
const MOST_IN_COMMON = 5_000;

/**
 * What two lists of nodes have in common, an empty list standing for all; `undefined` if nothing. Each node once: the
 * lists may come from a stranger, and a thousand repetitions met by a thousand are a million. Throws `ERR_PROTOCOL` if it
 * is more than a device can keep: that is neither a yes nor a no.
 */
function meetNodes(asked: readonly NodeRef[], granted: readonly NodeRef[]): readonly NodeRef[] | undefined {
  if (asked.length === 0) return simplest(granted);
  if (granted.length === 0) return simplest(asked);
  const grantedById = byId(simplest(granted));
  const both: NodeRef[] = [];
  for (const one of simplest(asked)) {
    for (const other of grantedById.get(one.nodeId) ?? []) {
      if (!haveCommon(one, other)) continue;
      if (both.length === MOST_IN_COMMON) throw new ProtocolError("the answer divides the nodes into too many", "node");
      both.push({ ...one, ...other });
    }
  }
  return both.length === 0 ? undefined : simplest(both);
}

/** The same nodes without a reference twice, or one beside another that means it too. */
function simplest(nodes: readonly NodeRef[]): readonly NodeRef[] {
  const wide = new Map(nodes.map((node) => [nameOf(node), node]));
  return [...wide.values()].filter(
    ({ nodeId, sourceId, cacheType }) =>
      !(sourceId !== undefined && wide.has(nameOf({ nodeId, ...(cacheType !== undefined && { cacheType }) }))) &&
      !(cacheType !== undefined && wide.has(nameOf({ nodeId, ...(sourceId !== undefined && { sourceId }) }))) &&
      !(sourceId !== undefined && cacheType !== undefined && wide.has(nameOf({ nodeId }))),
  );
}

const nameOf = ({ nodeId, sourceId, cacheType }: NodeRef): string =>
  JSON.stringify([nodeId, sourceId ?? null, cacheType ?? null]);

function byId(nodes: readonly NodeRef[]): ReadonlyMap<string, readonly NodeRef[]> {
  const groups = new Map<string, NodeRef[]>();
  for (const node of nodes) {
    const group = groups.get(node.nodeId);
    if (group === undefined) groups.set(node.nodeId, [node]);
    else group.push(node);
  }
  return groups;
}

/** Whether there are nodes that two references to the same id both mean (P-E19: absent attributes match any value). */
function haveCommon(one: NodeRef, other: NodeRef): boolean {
  return (
    (one.sourceId ?? other.sourceId) === (other.sourceId ?? one.sourceId) &&
    (one.cacheType ?? other.cacheType) === (other.cacheType ?? one.cacheType)
  );
}

// By how many grants a question is looked at: a bit each.
const MOST_TOGETHER = 31;

/**
 * Tells whether grants give everything a question asks for, so that no other server can add to it: each field of each
 * node and kind by one of them as a whole (P-E20).
 */
export function areWhole(question: ReadQuestion | ControlQuestion, grants: readonly Grant[]): boolean {
  const some = grants.slice(0, MOST_TOGETHER);
  const nodes = givenBy(
    question.nodes,
    some,
    ({ nodes: given }) => {
      const groups = byId(given);
      return (node) => groups.get(node.nodeId)?.some((one) => refersTo(one, node)) ?? false;
    },
    "nodes",
  );
  const names =
    question.kind === "control"
      ? givenBy(question.parameters, some, ({ parameters }) => has(parameters), "parameters")
      : givenBy(question.fields, some, ({ fields }) => has(fields), "fields");
  const types = question.kind === "control" ? [-1] : givenBy([...question.types], some, (grant) => has(grant.types));
  // What is given by the same grants is the same here: a long question costs no more than a short one.
  return nodes.every((node) => names.every((name) => types.every((type) => (node & name & type) !== 0)));
}

const has = <T>(list: readonly T[]): ((one: T) => boolean) => {
  const set = new Set(list);
  return (one) => set.has(one);
};

/**
 * By which of the grants each of the things asked for is given, a bit for each grant; equal ones once. Where lists are
 * named, an empty one stands for everything.
 */
function givenBy<T>(
  asked: readonly T[],
  grants: readonly Grant[],
  gives: (grant: Grant) => (one: T) => boolean,
  list?: "nodes" | "fields" | "parameters",
): readonly number[] {
  const bits = (isGiven: (index: number) => boolean): number =>
    grants.reduce((sum, _, index) => (isGiven(index) ? sum | (1 << index) : sum), 0);
  const unlimited = grants.map((grant) => list !== undefined && grant[list].length === 0);
  if (list !== undefined && asked.length === 0) return [bits((index) => unlimited[index] === true)];
  const each = grants.map(gives);
  return [...new Set(asked.map((one) => bits((index) => unlimited[index] === true || each[index]?.(one) === true)))];
}

/**
 * The grants in the order in which they let through less and less (XEP-0324 5.3): one that gives all that another gives,
 * and more, stands before it.
 */
export function mostForgivingFirst(grants: readonly Grant[]): readonly Grant[] {
  const sizes = new Map(grants.map((grant) => [grant, sizesOf(grant)]));
  const sizeOf = (grant: Grant, index: number): number => sizes.get(grant)?.[index] ?? 0;
  return [...grants].sort((one, other) => {
    const index = SIZES.find((at) => sizeOf(one, at) !== sizeOf(other, at));
    return index === undefined ? 0 : sizeOf(other, index) - sizeOf(one, index);
  });
}

const SIZES = [0, 1, 2, 3, 4, 5] as const;

/** No size of a grant is less than the same of one that it contains, if those before are equal. */
function sizesOf({ types, nodes, fields, parameters }: Grant): readonly number[] {
  const count = (list: readonly unknown[]): number => (list.length === 0 ? Number.MAX_SAFE_INTEGER : list.length);
  const parts = (node: NodeRef): number => Number(node.sourceId !== undefined) + Number(node.cacheType !== undefined);
  // A reference that says less means more.
  const byParts = [0, 1, 2].map((number) => nodes.filter((node) => parts(node) === number).length);
  return [
    types.length,
    count(fields),
    count(parameters),
    ...(nodes.length === 0 ? [Number.MAX_SAFE_INTEGER] : byParts),
  ];
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

/**
 * For each node the grants that reach it, with the nodes taken out of them: so that a thousand nodes are not compared with
 * a thousand for each of their fields.
 */
export function grantsByNode(grants: readonly Grant[]): (node: NodeRef) => readonly Grant[] {
  const each = grants.map((grant) => ({
    isForAll: grant.nodes.length === 0,
    groups: byId(grant.nodes),
    grant: { ...grant, nodes: [] },
  }));
  return (node) =>
    each.flatMap(({ isForAll, groups, grant }) =>
      isForAll || groups.get(node.nodeId)?.some((one) => refersTo(one, node)) === true ? [grant] : [],
    );
}
