// What a Thing asks its provisioning servers (XEP-0324 3.2.1, 3.3, 3.4), and under which key it remembers the answer.
import { tryParseJid, type BareJid } from "../core/jid.ts";
import type { CanControl } from "../codec/can-control.ts";
import type { CanRead } from "../codec/provisioning.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Tokens } from "../codec/tokens.ts";
import { MarkReader, MarksError, mark, marked, maskOf, typeSetIn } from "./marks.ts";

/** May somebody be a friend of the Thing? (XEP-0324 3.2) */
export interface FriendQuestion {
  /** What is asked. */
  readonly kind: "friend";
  /** Who wants to be a friend. */
  readonly jid: BareJid;
}

/** May somebody read these fields? (XEP-0324 3.3) Empty lists mean everything. */
export interface ReadQuestion extends CanRead {
  /** What is asked. */
  readonly kind: "read";
}

/** May somebody set these parameters? (XEP-0324 3.4) Empty lists mean everything. */
export interface ControlQuestion extends CanControl {
  /** What is asked. */
  readonly kind: "control";
}

/** A question about rights. */
export type Question = FriendQuestion | ReadQuestion | ControlQuestion;

/** The question as others than the servers may see it: whoever logs it must not log somebody's tokens. */
export function withoutTokens(question: Question): Question {
  return question.kind === "friend" ? question : { ...question, tokens: {} };
}

const initials: Readonly<Record<Question["kind"], string>> = { friend: "f", read: "r", control: "c" };

/** How the keys of all questions about somebody begin; the key of no other question does. */
export function keyStarts(jid: string): readonly string[] {
  return Object.values(initials).map((initial) => initial + marked(jid));
}

/** Whom the question of a key is about; an empty text for what is no key. */
export function keyOwner(key: string): string {
  try {
    return new MarkReader(key, 1).text();
  } catch {
    return "";
  }
}

/**
 * The same text for the same question, whatever the order of its lists; another text for any other question: each part
 * is preceded by its length ({@link mark}), so that none can pass for two, whatever is in it. The tokens stand in it as
 * they were sent (P-E9). Called for every request, so it makes no lists that it can do without.
 */
export function questionKey(question: Question): string {
  const { kind, jid } = question;
  if (kind === "friend") return initials.friend + marked(jid);
  const { serviceToken = "", deviceToken = "", userToken = "" } = question.tokens;
  const isRead = kind === "read";
  let key = (isRead ? initials.read : initials.control) + mark(jid.length) + jid;
  key += mark(serviceToken.length) + serviceToken + mark(deviceToken.length) + deviceToken;
  key += mark(userToken.length) + userToken;
  if (isRead) key += mark(maskOf(question.types));
  const nodes = nodesInOrder(question.nodes);
  key += mark(nodes.length);
  for (const { nodeId, sourceId = "", cacheType = "" } of nodes) {
    key += mark(nodeId.length) + nodeId + mark(sourceId.length) + sourceId + mark(cacheType.length) + cacheType;
  }
  const names = namesInOrder(isRead ? question.fields : question.parameters);
  key += mark(names.length);
  for (const name of names) key += mark(name.length) + name;
  return key;
}

/** The question of a key, its lists in the key's order; `undefined` for what is no key. */
export function questionOf(key: string): Question | undefined {
  try {
    const reader = new MarkReader(key, 1);
    const question = readQuestion(key.slice(0, 1), reader);
    return reader.isAtEnd ? question : undefined;
  } catch (error) {
    if (error instanceof MarksError) return undefined;
    throw error;
  }
}

function readQuestion(initial: string, reader: MarkReader): Question | undefined {
  const text = reader.text();
  const jid = tryParseJid(text)?.bare;
  if (jid !== text) return undefined;
  if (initial === initials.friend) return { kind: "friend", jid };
  const tokens = readTokens(reader);
  if (initial === initials.read) {
    const types = typeSetIn(reader.mask());
    return { kind: "read", jid, tokens, types, nodes: reader.nodes(), fields: reader.texts() };
  }
  if (initial !== initials.control) return undefined;
  return { kind: "control", jid, tokens, nodes: reader.nodes(), parameters: reader.texts() };
}

function readTokens(reader: MarkReader): Tokens {
  const [serviceToken, deviceToken, userToken] = [reader.text(), reader.text(), reader.text()];
  return {
    ...(serviceToken !== "" && { serviceToken }),
    ...(deviceToken !== "" && { deviceToken }),
    ...(userToken !== "" && { userToken }),
  };
}

// Up to here a list is brought into order by insertion; beyond, that would take the square of its length.
const FEW = 16;

/** Names in ascending order, each once. */
function namesInOrder(names: readonly string[]): readonly string[] {
  for (let index = 1; index < names.length; index++) {
    if ((names[index - 1] as string) >= (names[index] as string)) return arranged(names, compareNames);
  }
  return names;
}

/** Nodes in ascending order, each once. */
function nodesInOrder(nodes: readonly NodeRef[]): readonly NodeRef[] {
  for (let index = 1; index < nodes.length; index++) {
    if (compareNodes(nodes[index - 1] as NodeRef, nodes[index] as NodeRef) >= 0) return arranged(nodes, compareNodes);
  }
  return nodes;
}

const compareNames = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

function compareNodes(a: NodeRef, b: NodeRef): number {
  if (a.nodeId !== b.nodeId) return a.nodeId < b.nodeId ? -1 : 1;
  const bySource = compareNames(a.sourceId ?? "", b.sourceId ?? "");
  return bySource === 0 ? compareNames(a.cacheType ?? "", b.cacheType ?? "") : bySource;
}

function arranged<T>(list: readonly T[], compare: (a: T, b: T) => number): readonly T[] {
  if (list.length > FEW) {
    const sorted = [...list].sort(compare);
    return sorted.filter((one, index) => index === 0 || compare(sorted[index - 1] as T, one) !== 0);
  }
  // In place: what is in order never reaches beyond what was looked at.
  const result = list.slice();
  let length = 1;
  for (let index = 1; index < result.length; index++) {
    const one = result[index] as T;
    let at = length;
    let order = 1;
    while (at > 0 && (order = compare(result[at - 1] as T, one)) > 0) at--;
    if (at > 0 && order === 0) continue;
    for (let next = length++; next > at; next--) result[next] = result[next - 1] as T;
    result[at] = one;
  }
  result.length = length;
  return result;
}
