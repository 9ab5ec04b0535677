// XEP-0324 3.2, 3.5, 5.2: friends about whom nothing is remembered are asked about again. A server says `unfriend` in a
// message, once; one that was lost would otherwise leave a friend who is none for ever. P-E17, P-E28.
import type { CallOptions } from "../core/abort.ts";
import { DiscoveryError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { Friends } from "../connection/friends.ts";
import type { Guard } from "../provisioning/guard.ts";
import type { RightsCache } from "../provisioning/rights-cache.ts";
import { isOwner, type Standing } from "../provisioning/standing.ts";

/** What friendships are looked after with. */
export interface FriendshipParts {
  /** The roster. */
  readonly friends: Friends;
  /** Who decides. */
  readonly guard: Guard;
  /** Told of each friend who is none any more. */
  readonly onUnfriended: (jid: BareJid) => void;
}

// How long the own server has to take somebody out of the roster, in milliseconds.
const REMOVED_WITHIN = 10_000;

/**
 * Asks about each friend of whom no yes is remembered, one after another, and ends the friendships that all trusted
 * servers are against. Rejects when no server answers, with `ERR_DISCOVERY`: nobody is unfriended for that, and it is to
 * be done again.
 */
export async function reviewFriends(parts: FriendshipParts, signal: AbortSignal): Promise<void> {
  const { friends, guard } = parts;
  for (let epoch = -1; epoch !== guard.epoch;) {
    // A clearCache in the middle: also who was asked about before it is to be asked about again.
    epoch = guard.epoch;
    for (const jid of friends.list()) {
      if (friends.has(jid)?.from !== true || guard.isKnown({ kind: "friend", jid })) continue;
      const decision = await guard.decide({ kind: "friend", jid }, signal);
      if (decision.outcome === "unanswered") throw new DiscoveryError("no provisioning server says who is a friend");
      // Whom the button has accepted the servers need not know, if they let the Thing make friends of its own (P-3.1.4-3).
      const isEnded = decision.outcome === "refused" && decision.secondaryTrustAllowed !== true;
      if (isEnded) await endFriendship(parts, jid, { signal });
    }
  }
}

/** What it takes to end a friendship by the word of others. */
export interface PartingParts extends FriendshipParts {
  /** What is remembered of them. */
  readonly cache: RightsCache;
  /** Whom the Thing answers to. */
  readonly standing: () => Standing;
  /** Whether the friendship is to end still. */
  readonly isParting: (jid: BareJid) => boolean;
  /** Whether it ends since they have disowned the Thing: that is for no server to decide (XEP-0347 3.17). */
  readonly hasDisowned: (jid: BareJid) => boolean;
}

/**
 * Ends the friendship with somebody of whom a trusted server has said `unfriend` (XEP-0324 3.2.3), or who has disowned the
 * Thing (XEP-0347 3.17). Whom another server allows stays (XEP-0324 5.3, P-E17), and who has come to be answered to meanwhile (X-E1). Rejects if the own server does not
 * carry it out, or the disk does not take that their rights are forgotten; it is to be done again then.
 */
export async function part(parts: PartingParts, jid: BareJid, signal: AbortSignal): Promise<void> {
  if (!parts.isParting(jid)) return;
  await endUnlessAllowed(parts, jid, signal);
  // Where the disk did not take it when the server said so, their rights must go before nothing tells any more that they
  // are to: a power cut would bring them back.
  await parts.cache.settled();
}

async function endUnlessAllowed(parts: PartingParts, jid: BareJid, signal: AbortSignal): Promise<void> {
  const { guard, standing, isParting, hasDisowned } = parts;
  if (isAnsweredTo(standing(), jid)) return;
  if (standing().servers.length > 1 && !hasDisowned(jid)) {
    const { outcome } = await guard.decide({ kind: "friend", jid }, signal);
    // Also who has been allowed anew by then.
    if (outcome === "granted" || !isParting(jid)) return;
  }
  await endFriendship(parts, jid, { signal });
}

/** Ownership comes before delegation: an owner who is locked out could not even disown the Thing (X-E1). */
export function isAnsweredTo(standing: Standing, jid: BareJid): boolean {
  return isOwner(standing, jid) || jid === standing.registry || standing.servers.includes(jid);
}

/** Ends a friendship in both directions, and with it the place in the roster (P-E17) and whatever goes on for them. */
export async function endFriendship(
  { friends, guard, onUnfriended }: FriendshipParts,
  jid: BareJid,
  { signal }: CallOptions = {},
): Promise<void> {
  guard.running.end(jid);
  if (friends.has(jid) === undefined) return;
  await friends.remove(jid, { signal, timeout: REMOVED_WITHIN });
  onUnfriended(jid);
}
