// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.1.5: of several answers the most forgiving one (P-3.1.5-3).
import type { CanControl, CanControlResponse } from "../codec/can-control.ts";
import { refersTo, type NodeRef } from "../codec/node-ref.ts";
import type { CanRead, CanReadResponse } from "../codec/provisioning.ts";

// Beyond the length of any list: neither question nor answer names any.
const EVERYTHING = 1e12;
// What a reference leaves out may be anything (P-5.5-3).
const ANY = 1e3;

/** Of several answers to one `canRead` the one that lets most of it be read; of equals the first. */
export function mostForgivingRead(question: CanRead, answers: readonly CanReadResponse[]): CanReadResponse {
  return greatest(answers, ({ nodes, fields, types }) => {
    return nodeSize(left(question.nodes, nodes)) * size(left(question.fields, fields)) * size([...types]);
  });
}

/** Of several answers to one `canControl` the one that lets most of it be controlled; of equals the first. */
export function mostForgivingControl(question: CanControl, answers: readonly CanControlResponse[]): CanControlResponse {
  return greatest(answers, ({ nodes, parameters }) => {
    return nodeSize(left(question.nodes, nodes)) * size(left(question.parameters, parameters));
  });
}

/** No list in a yes is all that was asked. */
function left<T>(asked: readonly T[], allowed: readonly T[]): readonly T[] {
  return allowed.length === 0 ? asked : allowed;
}

/**
 * One whole answer, never parts of several: two lists of one answer and another's would together allow what none of
 * them does (P-E20).
 */
function greatest<T extends { readonly result: boolean }>(answers: readonly T[], weight: (answer: T) => number): T {
  return answers.reduce((best, answer) => {
    if (!answer.result) return best;
    return !best.result || weight(answer) > weight(best) ? answer : best;
  });
}

function size(list: readonly unknown[]): number {
  return list.length === 0 ? EVERYTHING : new Set(list).size;
}

function nodeSize(nodes: readonly NodeRef[]): number {
  if (nodes.length === 0) return EVERYTHING;
  const one = ({ sourceId, cacheType }: NodeRef): number =>
    (sourceId === undefined ? ANY : 1) * (cacheType === undefined ? ANY : 1);
  // Each once, and not those that another stands for: of equals the first stays.
  const isWithin = (node: NodeRef, index: number): boolean =>
    nodes.some((other, i) => refersTo(other, node) && (i < index || !refersTo(node, other)));
  return nodes.filter((node, index) => !isWithin(node, index)).reduce((sum, node) => sum + one(node), 0);
}
