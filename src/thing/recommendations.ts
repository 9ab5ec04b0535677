// XEP-0324 3.2.3 and 3.2.4: what a server says of friendships unasked. P-E17, X-E1.
import type { Clock } from "../core/clock.ts";
import type { BareJid } from "../core/jid.ts";
import { ProtocolError, isSdkError, messageOf } from "../core/errors.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import { parseFriend, parseUnfriend } from "../codec/friendship.ts";
import { ns } from "../codec/namespaces.ts";
import type { Router } from "../channel/router.ts";
import type { Decision } from "../provisioning/decision.ts";
import { endFriendship, isAnsweredTo, type PartingParts } from "./friend-review.ts";
import type { ThingEvent } from "./state.ts";

/** What recommendations are followed with. */
export interface RecommendationParts extends PartingParts {
  readonly router: Router;
  /** Time. */
  readonly clock: Clock;
  /** Makes it durable that somebody is to be a friend no more; resolves to what does it on the wire. */
  readonly apply: (event: Extract<ThingEvent, { type: "unfriended" }>) => Promise<() => void>;
  /** Told before somebody is asked for friendship, which is waited for: what was to end is not to end any more. */
  readonly onAllowed: (jid: BareJid) => Promise<void>;
  /** Has friends of whom nothing is remembered asked about again, until it is done. */
  readonly review: () => void;
  /** Told of what was not followed, or could not be. */
  readonly onFault: (
    code: "unfriend-ignored" | "rights-not-saved" | "state-not-saved",
    message: string,
    cause?: unknown,
  ) => void;
}

// A server's recommendations are few; a handful of them waiting is plenty. A `friend` beyond is asked for by isFriend when
// it comes to it; for what an `unfriend` beyond has said, every friend is asked about again.
const MOST_WAITING = 100;
// How many friendships that are to end are written down in an hour, for one server: a card wears out, and one that says now
// `friend`, now `unfriend` would see to that. Beyond, what is remembered of them goes, and they are asked about again.
const MOST_KEPT = 100;
const HOUR = 3_600_000;

/** What one server says is followed in order, and keeps nobody from following what another one says. */
class Lane {
  readonly queue = new SerialQueue();
  waiting = 0;
  /** True while it is to be made good that something was passed over. */
  isOver = false;
  #kept = 0;
  #since = -Infinity;

  /** Whether one more may be written down. */
  mayKeep(now: number): boolean {
    if (now - this.#since >= HOUR) [this.#since, this.#kept] = [now, 0];
    return ++this.#kept <= MOST_KEPT;
  }
}

/** Follows `friend` and `unfriend` from trusted servers; from anybody else they are passed over in silence. */
export function followRecommendations(parts: RecommendationParts): void {
  const { router, cache, clock, standing, review, onFault } = parts;
  const lanes = new Map<BareJid, Lane>();
  const laneOf = (server: BareJid): Lane => {
    const lane = lanes.get(server) ?? new Lane();
    lanes.set(server, lane);
    return lane;
  };
  const attempt = async (lane: Lane, act: () => Promise<void>): Promise<void> => {
    try {
      await lane.queue.run(act);
    } catch (error) {
      if (error instanceof ProtocolError) throw error; // says nothing: dropped
      if (isSdkError(error) && error.code === "ERR_STORAGE") onFault("rights-not-saved", messageOf(error), error);
      // What was forgotten is no friend's any more; the roster may not say so yet. That is asked about until it does.
      review();
    }
  };
  const askAboutAll = async (lane: Lane): Promise<void> => {
    if (lane.isOver) return;
    lane.isOver = true;
    await attempt(lane, async () => {
      lane.isOver = false;
      await cache.clear();
      review();
    });
  };
  type Act = (server: BareJid, payload: Parameters<typeof parseFriend>[0], lane: Lane) => Promise<void>;
  const follow = (name: "friend" | "unfriend", act: Act): void =>
    router.onMessage(ns.provisioning, name, async ({ from, payload }) => {
      if (!standing().servers.includes(from.bare)) return;
      const lane = laneOf(from.bare);
      if (lane.waiting >= MOST_WAITING) return name === "unfriend" ? askAboutAll(lane) : undefined;
      lane.waiting++;
      try {
        await attempt(lane, () => act(from.bare, payload, lane));
      } finally {
        lane.waiting--;
      }
    });
  follow("friend", (_, payload) => recommended(parts, parseFriend(payload).jid));
  follow("unfriend", (server, payload, lane) =>
    unfriended(parts, server, parseUnfriend(payload).jid, () => lane.mayKeep(clock.monotonic())),
  );
}

/** XEP-0324 3.2.4, figure 8: isFriend first, since it is the answer to that which counts; then the Thing asks. */
async function recommended(parts: RecommendationParts, jid: BareJid): Promise<void> {
  const { friends, guard, isParting, onAllowed } = parts;
  if (friends.has(jid)?.to === true && !isParting(jid)) return;
  let epoch: number;
  let outcome: Decision["outcome"];
  do {
    epoch = guard.epoch;
    ({ outcome } = await guard.decide({ kind: "friend", jid }, new AbortController().signal));
    // Rules may have changed while it was asked, or a factory reset may have taken the say from whoever answers.
  } while (epoch !== guard.epoch);
  if (outcome !== "granted") return;
  await onAllowed(jid);
  if (friends.has(jid)?.to !== true) await friends.ask(jid);
}

/**
 * XEP-0324 3.2.3, figure 7: on disk first, what is to come and what is forgotten; then told on the wire, on this stream or
 * a later one.
 */
async function unfriended(
  parts: RecommendationParts,
  server: BareJid,
  jid: BareJid,
  mayKeep: () => boolean,
): Promise<void> {
  const { friends, cache, guard, standing, apply, review, onFault } = parts;
  if (isAnsweredTo(standing(), jid)) {
    onFault("unfriend-ignored", `${server} wants the friendship with ${jid} ended, to whom the Thing answers`);
    return;
  }
  // Whom another server is known to allow stays, also while that one is away (XEP-0324 5.3, P-E17).
  const isAllowed = guard.allowedBy({ kind: "friend", jid }).some((by) => by !== server);
  const isFriend = friends.has(jid) !== undefined || standing().accepted?.includes(jid) === true;
  if (isAllowed || !isFriend) {
    await cache.forget(jid);
    if (isAllowed) review();
    else guard.running.end(jid);
    return;
  }
  // With several servers it is for the others to say first.
  if (standing().servers.length === 1) guard.running.end(jid);
  if (!mayKeep()) {
    await cache.forget(jid);
    review();
    return;
  }
  const act = await apply({ type: "unfriended", jid }).catch((error: unknown) => {
    onFault("state-not-saved", messageOf(error), error);
  });
  // What could not be kept is done at least while there is power.
  if (act === undefined) {
    await cache.forget(jid);
    await endFriendship(parts, jid);
    return;
  }
  // Also where the disk does not take it: it is tried again before that is over.
  await cache.forget(jid).finally(act);
}
