// Whom a Thing answers to, and what that alone decides: XEP-0347 3.9, XEP-0324 3.1.1; X-E1, P-E28. Every doubt is a refusal.
import type { BareJid } from "../core/jid.ts";
import { THE_THING, exactRef, nodeKey, refersTo, type NodeRef } from "../codec/node-ref.ts";
import type { Decision } from "./decision.ts";
import { wholeGrant } from "./grants.ts";
import type { ControlQuestion, Question, ReadQuestion } from "./questions.ts";

/**
 * Who owns which of the nodes behind a concentrator. Another object whenever a node comes, goes or changes hands: what was
 * decided by the one before counts no more.
 */
export interface NodeOwners {
  /** The owners of the nodes that a reference means, each once; nodes that nobody has claimed have none. */
  ownersOf(reference: NodeRef): readonly BareJid[];
  /** The nodes of an owner; with a reference those among them that it means. */
  ownedBy(jid: BareJid, reference?: NodeRef): readonly NodeRef[];
  /** Whether a reference means any node, claimed or not. */
  has(reference: NodeRef): boolean;
}

/** Whom the Thing answers to at the moment. */
export interface Standing {
  /** The owner, once claimed. */
  readonly owner: BareJid | undefined;
  /** The Registry the Thing registered with. */
  readonly registry: BareJid | undefined;
  /** The provisioning servers the Thing trusts. */
  readonly servers: readonly BareJid[];
  /** Who was accepted by button, and has not said yet whether it is a provisioning server. Left out: nobody. */
  readonly accepted?: readonly BareJid[];
  /** The nodes behind the Thing. Left out: it is no concentrator. */
  readonly nodes?: NodeOwners;
}

/** Whether the same parties decide about reading and controlling. */
export function decideAlike(one: Standing, other: Standing): boolean {
  if (one === other) return true;
  const { length } = one.servers;
  return (
    one.owner === other.owner &&
    one.nodes === other.nodes &&
    length === other.servers.length &&
    one.servers.every((jid) => other.servers.includes(jid))
  );
}

/** Whether somebody owns the Thing, or a node behind it. */
export function isOwner({ owner, nodes }: Standing, jid: BareJid): boolean {
  return jid === owner || (nodes !== undefined && nodes.ownedBy(jid).length > 0);
}

/** What needs no server: the friendship of owners, and a Thing that has no server. `undefined`: the servers are asked. */
export function withoutAsking(question: Question, standing: Standing): Decision | undefined {
  const { registry, servers, accepted } = standing;
  const { jid, kind } = question;
  if (kind !== "friend" && servers.length > 0) return undefined;
  // Owners, the Registry and the trusted servers are accepted without asking (X-E1); whom the button has accepted is
  // accepted still when the stream or the power went before it was told (XEP-0324 3.1.1).
  if (
    kind === "friend" &&
    (jid === registry || servers.includes(jid) || accepted?.includes(jid) === true || isOwner(standing, jid))
  ) {
    return { outcome: "granted", grants: [wholeGrant(jid)], source: "owner" };
  }
  if (servers.length > 0) return undefined;
  // Who wants to be a friend can be asked about once there is a server to ask: a refused request would be lost (P-E28).
  if (kind === "friend") return { outcome: "unanswered", source: "none" };
  return ofOwner(question, standing);
}

/** Without a provisioning server an owner may read and control what is theirs, and nobody else may (design, settled readings). */
function ofOwner(question: ReadQuestion | ControlQuestion, { owner, nodes }: Standing): Decision {
  const { jid } = question;
  const whole = wholeGrant(jid, question.kind === "read" ? question.types : undefined);
  if (nodes === undefined) {
    return jid === owner
      ? { outcome: "granted", grants: [whole], source: "owner" }
      : { outcome: "refused", source: "none" };
  }
  const theirs = theirsAmong(question.nodes, jid, jid === owner, nodes);
  // A list of no node at all would be no restriction.
  if (theirs.length === 0) return { outcome: "refused", source: "none" };
  return { outcome: "granted", grants: [{ ...whole, nodes: theirs }], source: "owner" };
}

/**
 * The nodes that are somebody's among those that are asked for (P-5.5-3: all that a reference means); the Thing itself, to
 * its own owner, is one without an id. To that owner it stands also for what does not exist: who may know that it is not
 * there is told so, anybody else is refused.
 */
function theirsAmong(
  references: readonly NodeRef[],
  jid: BareJid,
  ownsTheThing: boolean,
  nodes: NodeOwners,
): readonly NodeRef[] {
  const found = references.length === 0 ? nodes.ownedBy(jid) : references.flatMap((one) => nodes.ownedBy(jid, one));
  const theirs = new Map(found.map((node) => [nodeKey(node), exactRef(node)]));
  const meansIt = (one: NodeRef): boolean => refersTo(one, THE_THING) || !nodes.has(one);
  if (!ownsTheThing || !(references.length === 0 || references.some(meansIt))) return [...theirs.values()];
  return [THE_THING, ...theirs.values()];
}
