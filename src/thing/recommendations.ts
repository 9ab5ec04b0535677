// XEP-0324 3.2.3 and 3.2.4: what a server says of friendships unasked. P-E17, X-E1.
import type { BareJid } from "../core/jid.ts";
import { ProtocolError, isSdkError, messageOf } from "../core/errors.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import { parseFriend, parseUnfriend } from "../codec/friendship.ts";
import { ns } from "../codec/namespaces.ts";
import type { Router } from "../channel/router.ts";
import type { Decision, Standing } from "../provisioning/guard.ts";
import type { RightsCache } from "../provisioning/rights-cache.ts";
import { endFriendship, type FriendshipParts } from "./friend-review.ts";

/** What recommendations are followed with. */
export interface RecommendationParts extends FriendshipParts {
  readonly router: Router;
  readonly cache: RightsCache;
  /** Whom the Thing answers to. */
  readonly standing: () => Standing;
  /** Has friends of whom nothing is remembered asked about again, until it is done. */
  readonly review: () => void;
  /** Told of what was not followed, or could not be. */
  readonly onFault: (code: "unfriend-ignored" | "rights-not-saved", message: string, cause?: unknown) => void;
}

// A server's recommendations are few; a handful of them waiting is plenty, the rest is asked for by isFriend.
const MOST_WAITING = 100;

/** Follows `friend` and `unfriend` from trusted servers; from anybody else they are passed over in silence. */
export function followRecommendations(parts: RecommendationParts): void {
  const { router, standing, review, onFault } = parts;
  const queue = new SerialQueue();
  let waiting = 0;
  const follow = (name: string, act: (server: BareJid, payload: Parameters<typeof parseFriend>[0]) => Promise<void>) =>
    router.onMessage(ns.provisioning, name, async ({ from, payload }) => {
      if (!standing().servers.includes(from.bare) || waiting >= MOST_WAITING) return;
      waiting++;
      try {
        await queue.run(() => act(from.bare, payload));
      } catch (error) {
        if (error instanceof ProtocolError) throw error; // says nothing: dropped
        if (isSdkError(error) && error.code === "ERR_STORAGE") onFault("rights-not-saved", messageOf(error), error);
        // What was forgotten is no friend's any more; the roster may not say so yet. That is asked about until it does.
        review();
      } finally {
        waiting--;
      }
    });
  follow("friend", (_, payload) => recommended(parts, parseFriend(payload).jid));
  follow("unfriend", (server, payload) => unfriended(parts, server, parseUnfriend(payload).jid));
}

/** XEP-0324 3.2.4, figure 8: isFriend first, since it is the answer to that which counts; then the Thing asks. */
async function recommended({ friends, guard }: RecommendationParts, jid: BareJid): Promise<void> {
  if (friends.has(jid)?.to === true) return;
  let epoch: number;
  let outcome: Decision["outcome"];
  do {
    epoch = guard.epoch;
    ({ outcome } = await guard.decide({ kind: "friend", jid }, new AbortController().signal));
    // Rules may have changed while it was asked, or a factory reset may have taken the say from whoever answers.
  } while (epoch !== guard.epoch);
  if (outcome === "granted") await friends.ask(jid);
}

/** XEP-0324 3.2.3, figure 7: forgotten on disk first, then told on the wire. */
async function unfriended(parts: RecommendationParts, server: BareJid, jid: BareJid): Promise<void> {
  const { cache, guard, standing, onFault } = parts;
  const { owner, registry, servers } = standing();
  // Ownership comes before delegation: an owner who is locked out could not even disown the Thing (X-E1).
  if (jid === owner || jid === registry || servers.includes(jid)) {
    onFault("unfriend-ignored", `${server} wants the friendship with ${jid} ended, to whom the Thing answers`);
    return;
  }
  await cache.forget(jid);
  if (servers.length > 1) {
    // Whom another server allows stays (XEP-0324 5.3).
    const { outcome } = await guard.decide({ kind: "friend", jid }, new AbortController().signal);
    if (outcome === "granted") return;
  }
  await endFriendship(parts, jid);
}
