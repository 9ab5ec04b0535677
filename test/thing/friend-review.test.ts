import { describe, expect, test } from "vitest";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { buildFriend, buildUnfriend } from "../../src/codec/friendship.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildIsFriendResponse } from "../../src/codec/provisioning.ts";
import { buildRoster, type RosterItem, type Subscription } from "../../src/codec/roster.ts";
import { el } from "../../src/codec/xml.ts";
import { Friends } from "../../src/connection/friends.ts";
import { Barrier } from "../../src/provisioning/barrier.ts";
import { Guard } from "../../src/provisioning/guard.ts";
import { RightsCache } from "../../src/provisioning/rights-cache.ts";
import { part, reviewFriends } from "../../src/thing/friend-review.ts";
import { followRecommendations } from "../../src/thing/recommendations.ts";
import { StorageError } from "../../src/core/errors.ts";
import { FailingStorage } from "../support/failing-storage.ts";
import { listeningLogger, scriptedChannel, settled, type Said } from "../support/scripted-wire.ts";
import { otherServer, owner, registry, server } from "./life.ts";

const account = "thing@example.org";
const friend = bareJid("friend@example.org");
const former = bareJid("former@example.org");
const asked = bareJid("asked@example.org");
const never = new AbortController().signal;

const item = (jid: BareJid, subscription: Subscription): RosterItem => ({
  jid,
  subscription,
  pendingOut: false,
  name: "",
  groups: [],
});

/** A Thing's friendships, and servers that recommend whom the list says. */
async function site(roster: readonly RosterItem[], servers: readonly BareJid[] = [server]) {
  const logger = listeningLogger();
  const parts = scriptedChannel({ logger });
  const { wire, channel } = parts;
  const storage = new FailingStorage();
  await storage.open();
  const cache = new RightsCache({ storage, logger, onFault: () => undefined });
  await cache.load();
  const friends = new Friends(channel);
  const standing = () => ({ owner, registry, servers });
  const guard = new Guard({ ...parts, cache, logger, barrier: new Barrier(), standing, onDecision: () => undefined });
  const unfriended: BareJid[] = [];
  const faults: string[] = [];
  const parting = new Set<BareJid>();
  const disowners = new Set<BareJid>();
  const isParting = (jid: BareJid): boolean => parting.has(jid);
  const friendships = {
    friends,
    guard,
    cache,
    standing,
    isParting,
    hasDisowned: (jid: BareJid): boolean => disowners.has(jid),
    onUnfriended: (jid: BareJid) => void unfriended.push(jid),
  };
  /** What the wire is to do because of a message; the disk is written before. */
  const log: string[] = [];
  const ends = async (jid: BareJid): Promise<void> => {
    await part(friendships, jid, never);
    parting.delete(jid);
  };
  const onFault = (code: string, text: string): void => void faults.push(`${code}: ${text}`);
  let reviews = 0;
  const review = (): void => {
    reviews++;
  };
  followRecommendations({
    ...friendships,
    router: channel.router,
    clock: parts.clock,
    apply: async ({ jid }) => {
      if (storage.failing.has("replace")) throw new StorageError("the disk is full");
      parting.add(jid);
      log.push(`kept that ${jid} goes, ${guard.isKnown({ kind: "friend", jid }) ? "remembered" : "forgotten"}`);
      await settled();
      return () => void ends(jid).catch((error: unknown) => log.push(String(error)));
    },
    onAllowed: (jid) => Promise.resolve(void parting.delete(jid)),
    review,
    onFault,
  });
  wire.peer(account, (payload, type) =>
    payload.is("query", ns.roster) && type === "get" ? buildRoster(roster) : undefined,
  );
  await friends.load();
  const recommends = (one: BareJid, ...jids: BareJid[]): void =>
    wire.peer(one, ({ attrs }): Said => {
      const jid = bareJid(attrs["jid"] ?? "");
      return buildIsFriendResponse({ jid, result: jids.includes(jid), secondaryTrustAllowed: false });
    });
  const removed = (): (string | undefined)[] =>
    wire.asked(account, "query").flatMap((query) => query.getChildElements().map(({ attrs }) => attrs["jid"]));
  const isAsked = (one: BareJid): (string | undefined)[] =>
    wire.asked(one, "isFriend").map(({ attrs }) => attrs["jid"]);
  const tell = async (from: string, payload: ReturnType<typeof el>): Promise<void> => {
    wire.tell(from, payload);
    for (let turn = 0; turn < 5; turn++) await settled();
  };
  return {
    ...parts,
    storage,
    reviews: () => reviews,
    parting,
    disowners,
    log,
    cache,
    friends,
    guard,
    friendships,
    unfriended,
    faults,
    recommends,
    removed,
    isAsked,
    tell,
  };
}

describe("friends of whom nothing is remembered", () => {
  test("are asked about again; whom the servers are against leaves the roster, so that a lost unfriend heals", async () => {
    const { friendships, friends, recommends, unfriended, removed, isAsked } = await site([
      item(friend, "both"),
      item(former, "from"),
      item(asked, "to"),
      item(owner, "both"),
      item(registry, "from"),
      item(server, "from"),
    ]);
    recommends(server, friend);
    await reviewFriends(friendships, never);
    // Who cannot see the Thing is no friend of its, and those it answers to are not asked about (X-E1).
    expect(isAsked(server)).toEqual([friend, former]);
    expect([unfriended, removed(), friends.has(former)]).toEqual([[former], [former], undefined]);
  });

  test("are not asked about when a yes is remembered", async () => {
    const { friendships, recommends, isAsked } = await site([item(friend, "both")]);
    recommends(server, friend);
    await reviewFriends(friendships, never);
    await reviewFriends(friendships, never);
    expect(isAsked(server)).toEqual([friend]);
  });

  test("a remembered no ends the friendship without a question", async () => {
    const { friendships, friends, guard, recommends, isAsked, unfriended } = await site([item(former, "from")]);
    recommends(server);
    expect((await guard.decide({ kind: "friend", jid: former }, never)).outcome).toBe("refused");
    expect(friends.has(former)?.from).toBe(true);
    await reviewFriends(friendships, never);
    expect([isAsked(server), unfriended]).toEqual([[former], [former]]);
  });

  test("P-3.1.4-3: whom the servers do not recommend stays if they let the Thing make friends of its own", async () => {
    const { friendships, friends, wire, unfriended } = await site([item(friend, "both")]);
    wire.peer(server, () => buildIsFriendResponse({ result: false, secondaryTrustAllowed: true }));
    await reviewFriends(friendships, never);
    await reviewFriends(friendships, never);
    expect([friends.has(friend)?.from, unfriended]).toEqual([true, []]);
  });

  test("P-E28: without an answer they stay, and it is to be done again", async () => {
    const { friendships, friends, wire, unfriended } = await site([item(friend, "both")]);
    wire.peer(server, () => ({ error: "service-unavailable" }));
    await expect(reviewFriends(friendships, never)).rejects.toMatchObject({ code: "ERR_DISCOVERY" });
    expect([friends.has(friend)?.from, unfriended]).toEqual([true, []]);
  });

  test("are asked about once more when a clearCache comes in the middle", async () => {
    const { friendships, cache, wire, unfriended } = await site([item(friend, "both"), item(former, "both")]);
    let clear: Promise<void> | undefined;
    wire.peer(server, async ({ attrs }) => {
      const result = clear === undefined;
      if (attrs["jid"] === former) clear ??= cache.clear();
      await clear;
      return buildIsFriendResponse({ result, secondaryTrustAllowed: false });
    });
    await reviewFriends(friendships, never);
    // The friend had been asked about before the rights were cleared: what was answered then counts no more.
    expect(unfriended).toEqual([friend, former]);
  });

  test("ends with the stream", async () => {
    const { friendships, wire } = await site([item(friend, "both")]);
    wire.peer(server, () => "silent");
    const stream = new AbortController();
    const review = reviewFriends(friendships, stream.signal);
    stream.abort(new Error("gone"));
    await expect(review).rejects.toThrow("gone");
  });
});

describe("unfriend (XEP-0324 3.2.3)", () => {
  test("P-3.2.3-3, P-3.2.3-5, P-E17: from a trusted server ends the friendship, and what was remembered is forgotten", async () => {
    const { tell, friends, guard, recommends, unfriended, removed } = await site([item(friend, "both")]);
    recommends(server, friend);
    await guard.decide({ kind: "friend", jid: friend }, never);
    await tell(server, buildUnfriend({ jid: bareJid("friend@example.org") }));
    expect([unfriended, removed(), friends.has(friend)]).toEqual([[friend], [friend], undefined]);
    expect(guard.isKnown({ kind: "friend", jid: friend })).toBe(false);
  });

  test("P-3.2.3-3, P-E17: stops what goes on for that party, friend or not, and nothing of others", async () => {
    const { tell, guard } = await site([item(friend, "both")]);
    const ended = new Set<BareJid>();
    for (const jid of [friend, former, asked]) {
      guard.running.begin({ jid, recheck: () => undefined, end: () => void ended.add(jid) }, never);
    }
    await tell(server, buildUnfriend({ jid: friend }));
    expect([...ended]).toEqual([friend]);
    await tell(server, buildUnfriend({ jid: former }));
    expect([...ended]).toEqual([friend, former]);
    await tell("stranger@example.org/x", buildUnfriend({ jid: asked }));
    expect(ended.size).toBe(2);
  });

  test.each([
    ["when the others are asked and say no", "unfriend"],
    ["when a review finds that all are against it", "review"],
  ])("P-3.2.3-3, P-E17: stops what goes on for a friend of several servers %s", async (_, how) => {
    const { tell, guard, recommends, friendships } = await site([item(friend, "both")], [server, otherServer]);
    const ended: BareJid[] = [];
    guard.running.begin({ jid: friend, recheck: () => undefined, end: () => void ended.push(friend) }, never);
    recommends(server);
    recommends(otherServer);
    if (how === "review") await reviewFriends(friendships, never);
    else await tell(server, buildUnfriend({ jid: friend }));
    expect(ended).toEqual([friend]);
  });

  test("P-5.3-3: stops nothing for whom another server allows", async () => {
    const { tell, guard, recommends } = await site([item(friend, "both")], [server, otherServer]);
    const ended: BareJid[] = [];
    let checks = 0;
    guard.running.begin({ jid: friend, recheck: () => (checks += 1), end: () => void ended.push(friend) }, never);
    recommends(server);
    recommends(otherServer, friend);
    await tell(server, buildUnfriend({ jid: friend }));
    expect([ended, checks]).toEqual([[], 1]);
  });

  test.each([["stranger@example.org/x"], ["friend@example.org/x"], [`${owner}/x`], [registry], ["evil.example.org"]])(
    "P-3.2.3-3, P-3.2.3-4, P-E17: from %s is passed over in silence",
    async (from) => {
      const { tell, friends, unfriended, wire, cache } = await site([item(friend, "both")]);
      const [before, epoch] = [wire.sent.length, cache.epoch];
      await tell(from, buildUnfriend({ jid: friend }));
      await tell(from, buildFriend({ jid: asked }));
      expect([unfriended, friends.has(friend)?.from, wire.sent.length, cache.epoch]).toEqual([[], true, before, epoch]);
    },
  );

  test("P-5.3-3, P-E17: whom another server allows stays; whom nobody else answers for goes", async () => {
    const { tell, unfriended, recommends, wire } = await site(
      [item(friend, "both"), item(former, "both")],
      [server, otherServer],
    );
    recommends(server);
    recommends(otherServer, friend);
    await tell(server, buildUnfriend({ jid: friend }));
    expect(unfriended).toEqual([]);
    wire.peer(otherServer, () => ({ error: "remote-server-timeout" }));
    await tell(server, buildUnfriend({ jid: former }));
    expect(unfriended).toEqual([former]);
  });

  test.each([
    ["the owner", owner],
    ["the Registry", registry],
    ["the server itself", server],
  ])("X-E1: for %s is not followed, and told of", async (_, jid) => {
    const { tell, unfriended, faults, friends } = await site([item(jid, "both")]);
    await tell(server, buildUnfriend({ jid }));
    expect([unfriended, friends.has(jid)?.from]).toEqual([[], true]);
    expect(faults).toEqual([expect.stringMatching(/^unfriend-ignored: /)]);
  });

  test("P-E17: for somebody who is no friend there is nothing to do", async () => {
    const { tell, unfriended, removed } = await site([]);
    await tell(server, buildUnfriend({ jid: friend }));
    expect([unfriended, removed()]).toEqual([[], []]);
  });

  test("that the own server does not carry out is to be done still", async () => {
    const { tell, unfriended, friends, wire, clock, parting, log, faults } = await site([item(friend, "both")]);
    wire.peer(account, () => "silent");
    await tell(server, buildUnfriend({ jid: friend }));
    await clock.advance(10_000);
    await settled();
    expect([unfriended, friends.has(friend)?.from, [...parting], faults]).toEqual([[], true, [friend], []]);
    expect(log.at(-1)).toContain("no answer within 10000 ms");
  });

  test("that the disk does not take is told of, and asked about again", async () => {
    const { tell, unfriended, storage, reviews, faults, guard, recommends, cache } = await site([item(friend, "both")]);
    recommends(server, friend);
    await guard.decide({ kind: "friend", jid: friend }, never);
    await cache.flush();
    storage.failing.add("replace");
    await tell(server, buildUnfriend({ jid: friend }));
    expect([unfriended, reviews()]).toEqual([[], 1]);
    expect(faults.map((fault) => fault.split(":")[0])).toEqual(["state-not-saved", "rights-not-saved"]);
  });

  test("P-3.2.3-5: is kept before anything is forgotten or told: the power may go in between", async () => {
    const { tell, guard, recommends, log } = await site([item(friend, "both")]);
    recommends(server, friend);
    await guard.decide({ kind: "friend", jid: friend }, never);
    await tell(server, buildUnfriend({ jid: friend }));
    expect(log).toEqual([`kept that ${friend} goes, remembered`]);
    expect(guard.isKnown({ kind: "friend", jid: friend })).toBe(false);
  });

  test("that could not be kept is followed all the same", async () => {
    const { tell, unfriended, storage, faults, cache } = await site([item(friend, "both")]);
    storage.failing.add("replace");
    cache.forget = () => {
      storage.failing.clear();
      return Promise.resolve();
    };
    await tell(server, buildUnfriend({ jid: friend }));
    expect([unfriended, faults]).toEqual([[friend], ["state-not-saved: the disk is full"]]);
  });

  test("P-E17, P-5.3-1: whom an absent server is known to allow stays, and is asked about again", async () => {
    const { tell, unfriended, guard, recommends, wire, parting, reviews } = await site(
      [item(friend, "both")],
      [server, otherServer],
    );
    recommends(server);
    recommends(otherServer, friend);
    await guard.decide({ kind: "friend", jid: friend }, never);
    wire.peer(otherServer, () => "silent");
    await tell(server, buildUnfriend({ jid: friend }));
    expect([unfriended, [...parting], reviews()]).toEqual([[], [], 1]);
    // What this server has said of the friend may have been more than the friendship.
    expect(guard.isKnown({ kind: "friend", jid: friend })).toBe(false);
  });

  test("P-E17: that is followed by friend, or by a yes to a request, is not carried out later", async () => {
    const { tell, unfriended, recommends, wire, parting, friends, friendships } = await site([item(friend, "both")]);
    wire.peer(account, () => "silent");
    await tell(server, buildUnfriend({ jid: friend }));
    expect([...parting]).toEqual([friend]);
    recommends(server, friend);
    await tell(server, buildFriend({ jid: friend }));
    expect([...parting]).toEqual([]);
    const sent = wire.sent.length;
    await part(friendships, friend, never);
    expect([wire.sent.length, unfriended, friends.has(friend)?.to]).toEqual([sent, [], true]);
  });

  test("X-E1: of somebody who has become the owner meanwhile is not carried out", async () => {
    const { friendships, parting, unfriended, friends } = await site([item(owner, "both")]);
    parting.add(owner);
    await part(friendships, owner, never);
    expect([unfriended, friends.has(owner)?.from]).toEqual([[], true]);
  });

  test("P-E17: of several servers one that allows it anew while the friendship is to end is heard", async () => {
    const { friendships, parting, unfriended, recommends } = await site([item(friend, "both")], [server, otherServer]);
    parting.add(friend);
    recommends(server);
    recommends(otherServer, friend);
    await part(friendships, friend, never);
    expect(unfriended).toEqual([]);
  });

  test("D-3.17-7: of several servers none is asked about who has disowned the Thing", async () => {
    const { friendships, parting, disowners, unfriended, recommends } = await site(
      [item(friend, "both")],
      [server, otherServer],
    );
    parting.add(friend);
    disowners.add(friend);
    recommends(server, friend);
    recommends(otherServer, friend);
    await part(friendships, friend, never);
    expect(unfriended).toEqual([friend]);
  });

  test("one that says nothing is dropped", async () => {
    const { tell, unfriended, friends } = await site([item(friend, "both")]);
    await tell(server, el("unfriend", { xmlns: ns.provisioning }));
    expect([unfriended, friends.has(friend)?.from]).toEqual([[], true]);
  });
});

describe("friend (XEP-0324 3.2.4)", () => {
  test("P-3.2.4-2, P-3.2.4-3, P-E17: isFriend first, then the Thing asks for friendship", async () => {
    const { tell, recommends, isAsked, wire } = await site([]);
    recommends(server, friend);
    await tell(server, buildFriend({ jid: friend }));
    expect([isAsked(server), wire.presences]).toEqual([[friend], [`subscribe ${friend}`]]);
  });

  test("P-3.2.4-2, P-E17: a no of that question prevails over the recommendation", async () => {
    const { tell, recommends, wire } = await site([]);
    recommends(server);
    await tell(server, buildFriend({ jid: friend }));
    expect(wire.presences).toEqual([]);
  });

  test("a yes of before everything was forgotten is asked for anew", async () => {
    const { tell, recommends, isAsked, wire, cache } = await site([]);
    let answer: (said: Said) => void = () => undefined;
    wire.peer(server, () => new Promise<Said>((resolve) => (answer = resolve)));
    await tell(server, buildFriend({ jid: friend }));
    await cache.clear();
    recommends(server);
    answer(buildIsFriendResponse({ jid: friend, result: true, secondaryTrustAllowed: false }));
    for (let turn = 0; turn < 5; turn++) await settled();
    expect([isAsked(server), wire.presences]).toEqual([[friend, friend], []]);
  });

  test("of somebody whose friend the Thing is already asks nobody", async () => {
    const { tell, recommends, isAsked, wire } = await site([item(friend, "to")]);
    recommends(server, friend);
    await tell(server, buildFriend({ jid: friend }));
    expect([isAsked(server), wire.presences]).toEqual([[], []]);
  });

  test("a flood of them is cut short", async () => {
    const { tell, wire, isAsked } = await site([]);
    let asking: (said: Said) => void = () => undefined;
    wire.peer(server, () => new Promise<Said>((resolve) => (asking = resolve)));
    for (let n = 0; n < 300; n++) wire.tell(server, buildFriend({ jid: bareJid(`friend${n}@example.org`) }));
    await tell(server, buildFriend({ jid: friend }));
    for (let n = 0; n < 300; n++) {
      asking({ error: "service-unavailable" });
      await settled();
    }
    expect(isAsked(server)).toHaveLength(100);
  });
});
