// XEP-0324 3.2, 3.5, 5.2: friends about whom nothing is remembered are asked about again. A server says `unfriend` in a
// message, once; one that was lost would otherwise leave a friend who is none for ever. P-E17, P-E28.
import type { CallOptions } from "../core/abort.ts";
import { DiscoveryError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { Friends } from "../connection/friends.ts";
import type { Guard } from "../provisioning/guard.ts";

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

/** Ends a friendship in both directions, and with it the place in the roster (P-E17). */
export async function endFriendship(
  { friends, onUnfriended }: FriendshipParts,
  jid: BareJid,
  { signal }: CallOptions = {},
): Promise<void> {
  if (friends.has(jid) === undefined) return;
  await friends.remove(jid, { signal, timeout: REMOVED_WITHIN });
  onUnfriended(jid);
}
