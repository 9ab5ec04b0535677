// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.1.5: of several answers the most forgiving one (P-3.1.5-3).
import type { CanControlResponse } from "../codec/can-control.ts";
import { refersTo, type NodeRef } from "../codec/node-ref.ts";
import type { CanReadResponse } from "../codec/provisioning.ts";

// Beyond the length of any list: no list in a yes is everything that was asked.
const EVERYTHING = 1e12;
// What a reference leaves out may be anything (P-5.5-3).
const ANY = 1e3;

/** Of several answers to one `canRead` the one that lets most be read; of equals the first. */
export function mostForgivingRead(answers: readonly CanReadResponse[]): CanReadResponse {
  return greatest(answers, ({ nodes, fields, types }) => nodeSize(nodes) * size(fields.length) * size(types.size));
}

/** Of several answers to one `canControl` the one that lets most be controlled; of equals the first. */
export function mostForgivingControl(answers: readonly CanControlResponse[]): CanControlResponse {
  return greatest(answers, ({ nodes, parameters }) => nodeSize(nodes) * size(parameters.length));
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

function size(length: number): number {
  return length === 0 ? EVERYTHING : length;
}

function nodeSize(nodes: readonly NodeRef[]): number {
  if (nodes.length === 0) return EVERYTHING;
  const one = ({ sourceId, cacheType }: NodeRef): number =>
    (sourceId === undefined ? ANY : 1) * (cacheType === undefined ? ANY : 1);
  const isWithin = (node: NodeRef): boolean => nodes.some((other) => other !== node && refersTo(other, node));
  return nodes.filter((node) => !isWithin(node)).reduce((sum, node) => sum + one(node), 0);
}
