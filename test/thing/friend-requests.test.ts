import { describe, expect, test } from "vitest";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { buildIsFriendResponse } from "../../src/codec/provisioning.ts";
import { Friends } from "../../src/connection/friends.ts";
import { Barrier } from "../../src/provisioning/barrier.ts";
import { Guard } from "../../src/provisioning/guard.ts";
import { RightsCache } from "../../src/provisioning/rights-cache.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { FriendRequests } from "../../src/thing/friend-requests.ts";
import { listeningLogger, ScriptedWire, scriptedChannel, settled, type Said } from "../support/scripted-wire.ts";
import { owner, registry, server } from "./life.ts";

const friend = bareJid("friend@example.org");
const stranger = bareJid("stranger@example.org");
const yes = (): Said => buildIsFriendResponse({ result: true, secondaryTrustAllowed: false });
const no = (): Said => buildIsFriendResponse({ result: false, secondaryTrustAllowed: false });

async function site(servers: readonly BareJid[] = [server]) {
  const logger = listeningLogger();
  const parts = scriptedChannel({ logger });
  const storage = memoryStorage();
  await storage.open();
  const cache = new RightsCache({ storage, logger, onFault: () => undefined });
  await cache.load();
  const now = { standing: { owner: owner as BareJid | undefined, registry: registry as BareJid | undefined, servers } };
  const friended: BareJid[] = [];
  const random = new SeededRandom("friend requests");
  const requests = new FriendRequests({
    ...parts,
    random,
    logger,
    friends: new Friends(parts.channel),
    guard: new Guard({
      ...parts,
      cache,
      logger,
      barrier: new Barrier(),
      standing: () => now.standing,
      onDecision: () => undefined,
    }),
    onAllowed: () => Promise.resolve(),
    onFriended: (jid) => void friended.push(jid),
  });
  return { ...parts, requests, friended, now, cache, logger };
}

describe("a request for friendship", () => {
  test("P-3.2.1-1, P-3.2.1-2: that the server recommends is accepted, and told of", async () => {
    const { wire, friended } = await site();
    wire.peer(server, yes);
    wire.presence("friend@example.org/phone", "subscribe");
    await settled();
    expect(wire.presences).toEqual([`subscribed ${friend}`]);
    expect(friended).toEqual([friend]);
    expect(wire.asked(server).map(({ attrs }) => attrs["jid"])).toEqual([friend]);
  });

  test("P-E27, X-E1: of a trusted server, the Registry or the owner is accepted, and nobody is asked about it", async () => {
    const account = bareJid("provisioning@example.net");
    const { wire, friended } = await site([server, account]);
    for (const jid of [account, registry, owner]) wire.presence(`${jid}/anywhere`, "subscribe");
    await settled();
    expect(friended).toEqual([account, registry, owner]);
    expect([wire.asked(server), wire.asked(account)]).toEqual([[], []]);
  });

  test("P-3.2.2-1: that the server does not recommend is refused", async () => {
    const { wire, friended } = await site();
    wire.peer(server, no);
    wire.presence(stranger, "subscribe");
    await settled();
    expect([wire.presences, friended]).toEqual([[`unsubscribed ${stranger}`], []]);
  });

  test.each([
    ["the owner", owner],
    ["the Registry", registry],
    ["the server", server],
  ])("X-E1, D-3.9-27, P-E27: of %s is accepted without asking", async (_, jid) => {
    const { wire } = await site();
    wire.presence(jid, "subscribe");
    await settled();
    expect([wire.presences, wire.asked(server)]).toEqual([[`subscribed ${jid}`], []]);
  });

  test("is asked about once, and once more when it comes again", async () => {
    const { wire, cache } = await site();
    wire.peer(server, yes);
    for (let i = 0; i < 3; i++) wire.presence(friend, "subscribe");
    await settled();
    expect([wire.asked(server).length, wire.presences.length]).toEqual([1, 1]);
    await cache.clear();
    wire.peer(server, no);
    wire.presence(friend, "subscribe");
    await settled();
    expect(wire.presences).toEqual([`subscribed ${friend}`, `unsubscribed ${friend}`]);
  });

  test("other presence is none", async () => {
    const { wire } = await site();
    for (const type of [
      "available",
      "unavailable",
      "subscribed",
      "unsubscribe",
      "unsubscribed",
      "probe",
      "error",
    ] as const) {
      wire.presence(stranger, type);
    }
    await settled();
    expect(wire.sent).toEqual([]);
  });
});

describe("a request for friendship that nobody answers for", () => {
  test("P-E28: stays pending and is asked about again, until there is an answer", async () => {
    const { wire, clock, friended } = await site();
    wire.peer(server, () => ({ error: "internal-server-error" }));
    wire.presence(friend, "subscribe");
    await clock.advance(10_000);
    const asked = wire.asked(server).length;
    expect(asked).toBeGreaterThan(1);
    expect([wire.presences, friended]).toEqual([[], []]);
    wire.peer(server, yes);
    await clock.advance(60_000);
    expect([wire.presences, friended]).toEqual([[`subscribed ${friend}`], [friend]]);
    expect(clock.pending).toBe(0);
  });

  test("P-E28: is asked about ever more seldom, but again and again", async () => {
    const { wire, clock } = await site();
    wire.peer(server, () => ({ error: "internal-server-error" }));
    wire.presence(friend, "subscribe");
    const hours: number[] = [];
    for (let hour = 0; hour < 4; hour++) {
      const before = wire.asked(server).length;
      await clock.advance(3_600_000);
      hours.push(wire.asked(server).length - before);
    }
    expect(wire.presences).toEqual([]);
    for (const questions of hours.slice(1)) {
      expect(questions).toBeGreaterThan(10); // every 5 minutes at the least
      expect(questions).toBeLessThan(60);
    }
  });

  test("P-E28: waits for a server when there is none", async () => {
    const { wire, clock, now } = await site([]);
    wire.peer(server, yes);
    wire.presence(friend, "subscribe");
    await clock.advance(60_000);
    expect(wire.sent).toEqual([]);
    now.standing = { ...now.standing, servers: [server] };
    await clock.advance(300_000);
    expect(wire.presences).toEqual([`subscribed ${friend}`]);
  });

  test("is decided at once when there is an owner now: it may be the owner's", async () => {
    const { wire, requests, now, clock } = await site([]);
    now.standing = { ...now.standing, owner: undefined };
    wire.presence(owner, "subscribe");
    wire.presence(stranger, "subscribe");
    await settled();
    now.standing = { ...now.standing, owner };
    requests.reconsider();
    await settled();
    expect(wire.presences).toEqual([`subscribed ${owner}`]);
    expect(clock.pending).toBe(1); // the stranger waits on
  });

  test("is left to the server when the stream ends, and asked about anew when it is sent again", async () => {
    const { wire, channel, requests, clock, friended } = await site();
    wire.peer(server, () => ({ error: "internal-server-error" }));
    wire.presence(friend, "subscribe");
    await settled();
    requests.stop();
    await settled();
    const asked = wire.asked(server).length;
    expect(clock.pending).toBe(0);
    wire.peer(server, yes);
    wire.presence(friend, "subscribe"); // nobody listens between two streams
    await clock.advance(600_000);
    expect([wire.asked(server).length, wire.presences]).toEqual([asked, []]);

    const next = new ScriptedWire(channel);
    next.peer(server, yes);
    channel.attach(next);
    requests.restart();
    next.presence(friend, "subscribe");
    await settled();
    expect([next.presences, friended]).toEqual([[`subscribed ${friend}`], [friend]]);
  });

  test("is not taken for the one on the next stream, which is asked about on its own, once", async () => {
    const { wire, channel, requests, clock } = await site();
    wire.presence(friend, "subscribe"); // asked, no answer
    await settled();
    channel.detach(new Error("lost"));
    await settled();
    const next = new ScriptedWire(channel);
    let answer: (said: Said) => void = () => undefined;
    next.peer(server, () => new Promise((resolve) => (answer = resolve)));
    channel.attach(next);
    requests.restart();
    next.presence(friend, "subscribe");
    await settled(); // the one before has come to its end
    next.presence(friend, "subscribe");
    await settled();
    answer(yes());
    await settled();
    expect(next.presences).toEqual([`subscribed ${friend}`]);
    expect([next.asked(server).length, clock.pending]).toEqual([1, 0]);
  });

  test("is pending still when the yes cannot be sent", async () => {
    const { wire, friended, logger } = await site();
    wire.peer(server, () => {
      wire.broken = true;
      return yes();
    });
    wire.presence(friend, "subscribe");
    await settled();
    expect([wire.presences, friended]).toEqual([[], []]);
    expect(logger.lines.join()).toContain("stays pending");
    wire.broken = false;
    wire.presence(friend, "subscribe");
    await settled();
    expect(friended).toEqual([friend]);
  });
});

describe("a yes that comes after everything was forgotten", () => {
  test.each([
    ["of a server that has no say any more (factory reset) befriends nobody", [], []],
    ["of a server that has the say still is asked for anew", [server], [`unsubscribed ${friend}`]],
  ])("%s", async (_, servers, presences) => {
    const { wire, cache, now } = await site();
    let answer: (said: Said) => void = () => undefined;
    wire.peer(server, () => new Promise<Said>((resolve) => (answer = resolve)));
    wire.presence(friend, "subscribe");
    await settled();
    await cache.clear();
    now.standing = { ...now.standing, servers };
    wire.peer(server, no);
    answer(yes());
    await settled();
    await settled();
    expect(wire.presences).toEqual(presences);
  });
});

describe("many requests for friendship", () => {
  test("that wait do not keep the owner out, nor fill the memory", async () => {
    const { wire, clock, now, requests, friended } = await site([]);
    now.standing = { ...now.standing, owner: undefined };
    for (let i = 0; i < 1_000; i++) wire.presence(`stranger-${i}@example.org`, "subscribe");
    await settled();
    expect(clock.pending).toBe(100);
    wire.presence(owner, "subscribe");
    await settled();
    expect(clock.pending).toBe(100);
    now.standing = { ...now.standing, owner };
    requests.reconsider();
    await settled();
    expect([wire.presences, friended, clock.pending]).toEqual([[`subscribed ${owner}`], [owner], 99]);
  });

  test("leave the oldest to the server", async () => {
    const { wire, now, requests } = await site([]);
    for (let i = 0; i < 101; i++) wire.presence(`stranger-${i}@example.org`, "subscribe");
    await settled();
    wire.peer(server, yes);
    now.standing = { ...now.standing, servers: [server] };
    requests.reconsider();
    await settled();
    expect(wire.presences).toHaveLength(100);
    expect(wire.presences).not.toContain("subscribed stranger-0@example.org");
    expect(wire.presences).toContain("subscribed stranger-100@example.org");
  });
});
