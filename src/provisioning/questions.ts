// What a Thing asks its provisioning servers (XEP-0324 3.2.1, 3.3, 3.4), and under which key it remembers the answer.
import type { BareJid } from "../core/jid.ts";
import type { CanControl } from "../codec/can-control.ts";
import type { CanRead } from "../codec/provisioning.ts";
import type { NodeRef } from "../codec/node-ref.ts";

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

const initials: Readonly<Record<Question["kind"], string>> = { friend: "f", read: "r", control: "c" };

// A separator that a stranger can send is no separator: every part is preceded by its length.
const part = (text: string): string => `${text.length}:${text}`;
const list = (texts: readonly string[]): string => part([...new Set(texts)].sort().map(part).join(""));
const node = (ref: NodeRef): string => part(ref.nodeId) + part(ref.sourceId ?? "") + part(ref.cacheType ?? "");

/** How the key of every question of that kind about somebody begins; the key of no other question does. */
export function keyStart(kind: Question["kind"], jid: BareJid): string {
  return `${initials[kind]}${part(jid)}`;
}

/** The question as others than the servers may see it: whoever logs it must not log somebody's tokens. */
export function withoutTokens(question: Question): Question {
  return question.kind === "friend" ? question : { ...question, tokens: {} };
}

/** The same text for the same question, whatever the order of its lists; another text for any other question. */
export function questionKey(question: Question): string {
  const start = keyStart(question.kind, question.jid);
  if (question.kind === "friend") return start;
  const { serviceToken = "", deviceToken = "", userToken = "" } = question.tokens;
  return [
    start,
    part(serviceToken),
    part(deviceToken),
    part(userToken),
    ...(question.kind === "read" ? [list([...question.types])] : []),
    list(question.nodes.map(node)),
    list(question.kind === "read" ? question.fields : question.parameters),
  ].join("");
}
