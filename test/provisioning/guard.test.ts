import { describe, expect, test } from "vitest";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { buildCanControlResponse, type CanControlResponse } from "../../src/codec/can-control.ts";
import { buildCanReadResponse, buildIsFriendResponse, type CanReadResponse } from "../../src/codec/provisioning.ts";
import type { FieldType } from "../../src/codec/field-types.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildError } from "../../src/codec/stanza.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { Barrier } from "../../src/provisioning/barrier.ts";
import { permits, permitsControl } from "../../src/provisioning/grants.ts";
import type { Decision } from "../../src/provisioning/decision.ts";
import { Guard, type Standing } from "../../src/provisioning/guard.ts";
import {
  type ControlQuestion,
  type FriendQuestion,
  type Question,
  type ReadQuestion,
} from "../../src/provisioning/questions.ts";
import { RightsCache } from "../../src/provisioning/rights-cache.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import {
  ScriptedWire,
  listeningLogger,
  scriptedChannel,
  settled,
  type Peer,
  type Said,
} from "../support/scripted-wire.ts";

const owner = bareJid("owner@example.org");
const stranger = bareJid("stranger@example.org");
const registry = bareJid("discovery.example.org");
const server = bareJid("provisioning.example.org");
const second = bareJid("second.example.org");

const friend = (jid: BareJid): FriendQuestion => ({ kind: "friend", jid });
function read(jid: BareJid, parts: Partial<ReadQuestion> = {}): ReadQuestion {
  return { kind: "read", jid, tokens: {}, types: new Set<FieldType>(["momentary"]), nodes: [], fields: [], ...parts };
}

function control(jid: BareJid, parts: Partial<ControlQuestion> = {}): ControlQuestion {
  return { kind: "control", jid, tokens: {}, nodes: [], parameters: ["LED"], ...parts };
}

const lets = (result: boolean, parts: Partial<CanControlResponse> = {}): XmlElement =>
  buildCanControlResponse({ result, nodes: [], parameters: [], ...parts });
const says = (result: boolean, parts: Partial<CanReadResponse> = {}): XmlElement =>
  buildCanReadResponse({ result, types: new Set(), nodes: [], fields: [], ...parts });
const befriends = (result: boolean): XmlElement => buildIsFriendResponse({ result, secondaryTrustAllowed: false });
/** A server that says the same to everything. */
const always =
  (result: boolean): Peer =>
  (payload) =>
    payload.is("isFriend") ? befriends(result) : payload.is("canControl") ? lets(result) : says(result);

async function site(standing: Partial<Standing> = {}, isHeard?: boolean) {
  const storage = memoryStorage();
  await storage.open();
  const logger = listeningLogger();
  const parts = scriptedChannel({ logger });
  const cache = new RightsCache({ storage, logger, onFault: () => undefined });
  await cache.load();
  const barrier = new Barrier();
  const decisions: { question: Question; decision: Decision; ms: number }[] = [];
  const now: { standing: Standing } = { standing: { owner, registry, servers: [server], ...standing } };
  const guard = new Guard({
    ...parts,
    cache,
    barrier,
    logger,
    standing: () => now.standing,
    onDecision: (question, decision, ms) => void decisions.push({ question, decision, ms }),
    ...(isHeard !== undefined && { isHeard: () => isHeard }),
  });
  const ended = new AbortController();
  return {
    ...parts,
    storage,
    cache,
    barrier,
    guard,
    decisions,
    now,
    logger,
    /** As the responders do: whether there is a promise is not looked at. */
    decide: async (question: Question, signal = ended.signal) => guard.decide(question, signal),
  };
}

test("what a provisioning server says of a token in an error is not logged", async () => {
  const { decide, wire, logger } = await site();
  wire.peer(server, () => buildError({ condition: "not-acceptable", type: "cancel", text: "what is se+cret(1?" }));
  const tokens = { userToken: "other se+cret(1", deviceToken: "is" };
  expect(await decide(read(stranger, { tokens }))).toMatchObject({ outcome: "unanswered" });
  expect(logger.lines.join()).toContain("not-acceptable: what is (hidden)?");
  expect(await decide(control(stranger, { tokens }))).toMatchObject({ outcome: "unanswered" });
  expect(logger.lines.join()).not.toContain("cret(1");
});

describe("a Thing without a provisioning server", () => {
  test.each([
    ["its owner", owner, "granted", "owner"],
    ["a stranger", stranger, "refused", "none"],
    ["the Registry", registry, "refused", "none"],
  ] as const)("lets %s read: %s gets %s", async (_, jid, outcome, source) => {
    const { decide, wire } = await site({ servers: [] });
    expect(await decide(read(jid))).toMatchObject({ outcome, source });
    expect(wire.sent).toEqual([]);
  });

  test("lets its owner read everything asked for", async () => {
    const { decide } = await site({ servers: [] });
    const question = read(owner, { types: new Set(["momentary", "peak"]), fields: ["Temperature"] });
    const decision = await decide(question);
    const grants = decision.outcome === "granted" ? decision.grants : [];
    for (const type of ["momentary", "peak"] as const) {
      expect(permits(grants, { node: { nodeId: "" }, name: "Temperature", types: new Set([type]) })).toBe(true);
    }
    expect(permits(grants, { node: { nodeId: "" }, name: "Temperature", types: new Set(["status"]) })).toBe(false);
  });

  test("without an owner lets nobody read", async () => {
    const { decide } = await site({ servers: [], owner: undefined });
    expect((await decide(read(owner))).outcome).toBe("refused");
  });

  test.each([
    ["its owner", owner],
    ["its Registry", registry],
  ] as const)("X-E1, D-3.9-27: takes %s for a friend", async (_, jid) => {
    const { decide } = await site({ servers: [] });
    expect(await decide(friend(jid))).toMatchObject({ outcome: "granted", source: "owner" });
  });

  test("P-E28: has nobody to ask about a stranger's friendship: that is no refusal", async () => {
    const { decide, cache, wire } = await site({ servers: [] });
    expect(await decide(friend(stranger))).toEqual({ outcome: "unanswered", source: "none" });
    expect([wire.sent, cache.count]).toEqual([[], 0]);
  });

  test("remembers nothing of it: who is the owner is looked at anew each time", async () => {
    const { decide, cache, now } = await site({ servers: [] });
    expect((await decide(read(owner))).outcome).toBe("granted");
    now.standing = { ...now.standing, owner: stranger };
    expect((await decide(read(owner))).outcome).toBe("refused");
    expect((await decide(read(stranger))).outcome).toBe("granted");
    expect(cache.count).toBe(0);
  });
});

describe("a Thing with a provisioning server", () => {
  test("P-3.2.1-1, P-E29: asks isFriend about the bare JID", async () => {
    const { decide, wire } = await site();
    wire.peer(server, always(true));
    expect(await decide(friend(stranger))).toMatchObject({ outcome: "granted", source: "server" });
    expect(wire.sent).toHaveLength(1);
    expect(wire.sent[0]?.attrs).toMatchObject({ type: "get", to: server });
    expect(wire.asked(server)[0]?.attrs).toEqual({ xmlns: ns.provisioning, jid: stranger });
  });

  test("P-3.3.1-1, P-E9: asks canRead with the tokens, kinds, nodes and fields of the request, and nothing else", async () => {
    const { decide, wire } = await site();
    wire.peer(server, always(true));
    await decide(
      read(stranger, {
        tokens: { serviceToken: "S1 S2", deviceToken: "D", userToken: "U" },
        types: new Set(["momentary", "peak"]),
        nodes: [{ nodeId: "1", sourceId: "s" }, { nodeId: "" }],
        fields: ["Temperature", "Door open"],
      }),
    );
    expect(wire.asked(server).map(String)).toEqual([
      `<canRead xmlns="${ns.provisioning}" jid="${stranger}" serviceToken="S1 S2" deviceToken="D" userToken="U" momentary="true" peak="true">` +
        '<node nodeId="1" sourceId="s"/><node nodeId=""/><field name="Temperature"/><field name="Door open"/></canRead>',
    ]);
  });

  test("asks it also about the owner who wants to read (settled reading)", async () => {
    const { decide, wire } = await site();
    wire.peer(server, always(false));
    expect(await decide(read(owner))).toEqual({ outcome: "refused", source: "server" });
    expect(wire.asked(server, "canRead")).toHaveLength(1);
  });

  test.each([
    ["the owner", owner],
    ["the Registry", registry],
    ["the server itself", server],
    ["another trusted server", second],
  ] as const)("X-E1, P-E27: takes %s for a friend without asking", async (_, jid) => {
    const { decide, wire } = await site({ servers: [server, second] });
    expect(await decide(friend(jid))).toMatchObject({ outcome: "granted", source: "owner" });
    expect(wire.sent).toEqual([]);
  });

  test.each([
    ["the Registry", registry],
    ["the server itself", server],
  ] as const)("asks about %s that wants to read", async (_, jid) => {
    const { decide, wire } = await site();
    wire.peer(server, always(false));
    expect((await decide(read(jid))).outcome).toBe("refused");
    expect(wire.asked(server, "canRead")).toHaveLength(1);
  });

  test("P-3.2.1-2, P-3.2.2-1, P-3.3.1-3: does as it says", async () => {
    const { decide, wire } = await site();
    wire.peer(server, (payload) =>
      payload.is("isFriend") ? befriends(false) : says(payload.attrs["jid"] !== stranger),
    );
    expect(await decide(friend(stranger))).toEqual({ outcome: "refused", source: "server" });
    expect(await decide(read(stranger))).toEqual({ outcome: "refused", source: "server" });
    expect(await decide(read(owner))).toMatchObject({ outcome: "granted", source: "server" });
  });

  test("takes whom the button has accepted for a friend without asking, and asks whether it may read", async () => {
    const { decide, wire } = await site({ accepted: [stranger] });
    expect(await decide(friend(stranger))).toMatchObject({ outcome: "granted", source: "owner" });
    expect(wire.sent).toEqual([]);
    wire.peer(server, always(false));
    expect((await decide(read(stranger))).outcome).toBe("refused");
  });

  test("P-E19: takes a yes that leaves nothing of what was asked for a no", async () => {
    const { decide, wire } = await site();
    wire.peer(server, () => says(true, { fields: ["Humidity"] }));
    expect(await decide(read(stranger, { fields: ["Temperature"] }))).toEqual({ outcome: "refused", source: "server" });
  });

  test("looks at who is trusted anew for each question", async () => {
    const { decide, wire, now } = await site();
    wire.peer(server, always(true));
    wire.peer(second, always(false));
    await decide(friend(stranger));
    now.standing = { ...now.standing, servers: [second] };
    expect((await decide(friend(bareJid("next@example.org")))).outcome).toBe("refused");
    expect([wire.asked(server).length, wire.asked(second).length]).toEqual([1, 1]);
  });
});

describe("leave to make friends of one's own (XEP-0324 3.1.4)", () => {
  const befriendsOr =
    (result: boolean, secondaryTrustAllowed: boolean): Peer =>
    () =>
      buildIsFriendResponse({ result, secondaryTrustAllowed });

  test("P-3.1.4-3, P-E16: comes with a no, and is remembered with it, on disk too", async () => {
    const { decide, wire, storage, logger, cache } = await site();
    wire.peer(server, befriendsOr(false, true));
    expect(await decide(friend(stranger))).toEqual({
      outcome: "refused",
      source: "server",
      secondaryTrustAllowed: true,
    });
    expect(await decide(friend(stranger))).toEqual({
      outcome: "refused",
      source: "cache",
      secondaryTrustAllowed: true,
    });
    await cache.flush();
    const later = new RightsCache({ storage, logger, onFault: () => undefined });
    await later.load();
    expect(later.entries()).toMatchObject([{ jid: stranger, secondaryTrustBy: [server] }]);
  });

  test("P-E16: is given by one server for all", async () => {
    const { decide, wire } = await site({ servers: [server, second] });
    wire.peer(server, befriendsOr(false, false));
    wire.peer(second, befriendsOr(false, true));
    expect(await decide(friend(stranger))).toMatchObject({ outcome: "refused", secondaryTrustAllowed: true });
  });

  test("says nothing beside a yes, nor while a server has not answered", async () => {
    const { decide, wire, cache } = await site({ servers: [server, second] });
    wire.peer(server, befriendsOr(true, true));
    expect((await decide(friend(stranger))).outcome).toBe("granted");
    expect(cache.entries()[0]).not.toHaveProperty("secondaryTrustBy");
    wire.peer(server, befriendsOr(false, true));
    wire.peer(second, () => ({ error: "internal-server-error" }));
    expect(await decide(friend(bareJid("next@example.org")))).toEqual({ outcome: "unanswered", source: "none" });
  });

  test("of a server that is trusted no more does not count: it is asked again", async () => {
    const { decide, wire, now } = await site({ servers: [server, second] });
    wire.peer(server, befriendsOr(false, false));
    wire.peer(second, befriendsOr(false, true));
    await decide(friend(stranger));
    now.standing = { ...now.standing, servers: [server] };
    expect(await decide(friend(stranger))).toEqual({ outcome: "refused", source: "server" });
  });
});

describe("remembering", () => {
  test.each([
    ["a yes", true, "granted"],
    ["a no", false, "refused"],
  ] as const)("P-5.2-1, P-5.2-4: %s is asked for once", async (_, result, outcome) => {
    const { decide, wire, cache } = await site();
    wire.peer(server, always(result));
    for (const question of [friend(stranger), read(stranger)]) {
      expect(await decide(question)).toMatchObject({ outcome, source: "server" });
      const again = await decide(question);
      expect(again).toMatchObject({ outcome, source: "cache" });
      if (again.outcome === "granted") expect(again.grants.map(({ by }) => by)).toEqual([server]);
    }
    expect(wire.sent).toHaveLength(2);
    expect(cache.count).toBe(2);
  });

  test("the same question in another order is the same question, another one is not", async () => {
    const { decide, wire } = await site();
    wire.peer(server, always(true));
    await decide(read(stranger, { fields: ["a", "b"] }));
    expect((await decide(read(stranger, { fields: ["b", "a"] }))).outcome).toBe("granted");
    expect(wire.sent).toHaveLength(1);
    await decide(read(stranger, { fields: ["a"] }));
    await decide(read(stranger, { fields: ["a", "b"], tokens: { userToken: "U" } }));
    await decide(read(owner, { fields: ["a", "b"] }));
    expect(wire.sent).toHaveLength(4);
  });

  const noAnswers: readonly [string, Peer][] = [
    ["an error", () => ({ error: "internal-server-error" })],
    ["nothing", () => "silent"],
    ["an empty result", () => undefined],
    ["something else", () => el("canControlResponse", { xmlns: ns.provisioning, result: true })],
    ["an answer in another namespace", () => el("canReadResponse", { xmlns: "urn:ieee:iot:prov:d:1.0", result: true })],
    ["an answer without a result", () => el("canReadResponse", { xmlns: ns.provisioning })],
    ["an answer that is neither yes nor no", () => el("canReadResponse", { xmlns: ns.provisioning, result: "yes" })],
    ["an error inside a result", () => el("error", { xmlns: ns.client, type: "cancel" })],
  ];
  test.each(noAnswers)("P-E28: %s is no answer, and is not remembered", async (_, peer) => {
    const { decide, wire, cache, clock } = await site();
    wire.peer(server, peer);
    const deciding = decide(read(stranger));
    await clock.advance(6_000);
    expect(await deciding).toEqual({ outcome: "unanswered", source: "none" });
    expect(cache.count).toBe(0);
    wire.peer(server, always(true));
    expect(await decide(read(stranger))).toMatchObject({ outcome: "granted", source: "server" });
  });

  test("a server that does not answer is waited for for 6 s, so that the asker hears of it before its handler ends", async () => {
    const { decide, clock } = await site();
    let decision: Decision | undefined;
    void decide(read(stranger)).then((made) => (decision = made));
    await clock.advance(5_999);
    expect(decision).toBeUndefined();
    await clock.advance(1);
    expect(decision?.outcome).toBe("unanswered");
  });

  test("P-E28: without a connection nobody is asked, and what is remembered counts", async () => {
    const { decide, wire, channel, cache } = await site();
    wire.peer(server, always(true));
    await decide(read(owner));
    channel.detach(new Error("gone"));
    expect((await decide(read(owner))).outcome).toBe("granted");
    expect(await decide(read(stranger))).toEqual({ outcome: "unanswered", source: "none" });
    expect(cache.count).toBe(1);
  });

  test("what a server granted that is trusted no more does not count: it is asked anew", async () => {
    const { decide, wire, now } = await site();
    wire.peer(server, always(true));
    for (const question of [friend(stranger), read(stranger)]) await decide(question);
    now.standing = { ...now.standing, servers: [second] };
    wire.peer(second, always(false));
    for (const question of [friend(stranger), read(stranger)]) {
      expect(await decide(question)).toEqual({ outcome: "refused", source: "server" });
    }
    expect(wire.asked(second)).toHaveLength(2);
  });

  test("who did not answer is told to the log, without the question", async () => {
    const { decide, wire, logger } = await site();
    wire.peer(server, () => ({ error: "internal-server-error" }));
    await decide(read(stranger, { tokens: { userToken: "secret token" } }));
    expect(logger.lines.join()).toContain(server);
    expect(logger.lines.join()).not.toContain("secret token");
  });
});

describe("several provisioning servers", () => {
  test("P-5.3-1: are asked side by side", async () => {
    const { decide, wire, clock } = await site({ servers: [server, second] });
    const deciding = decide(read(stranger));
    await settled();
    expect([wire.asked(server).length, wire.asked(second).length]).toEqual([1, 1]);
    await clock.advance(6_000);
    await deciding;
  });

  test.each([read(stranger), friend(stranger)])(
    "P-5.3-2, P-5.3-3: the first yes to all of it answers while another is silent ($kind)",
    async (question) => {
      const { decide, wire, cache } = await site({ servers: [server, second] });
      wire.peer(second, always(true));
      expect(await decide(question)).toMatchObject({ outcome: "granted", source: "server", grants: [{ by: second }] });
      expect(cache.count).toBe(1);
      expect(await decide(question)).toMatchObject({ outcome: "granted", source: "cache" });
    },
  );

  test.each([read(stranger), friend(stranger)])("P-5.3-3: a yes counts more than a no ($kind)", async (question) => {
    const { decide, wire } = await site({ servers: [server, second] });
    wire.peer(server, always(false));
    wire.peer(second, always(true));
    expect((await decide(question)).outcome).toBe("granted");
  });

  test("a no counts only when all have answered, and is remembered only then", async () => {
    const { decide, wire, cache, clock } = await site({ servers: [server, second] });
    wire.peer(server, always(false));
    const deciding = decide(read(stranger));
    await clock.advance(6_000);
    expect(await deciding).toEqual({ outcome: "unanswered", source: "none" });
    expect(cache.count).toBe(0);
    wire.peer(second, always(false));
    expect(await decide(read(stranger))).toEqual({ outcome: "refused", source: "server" });
    expect(cache.count).toBe(1);
    expect((await decide(read(stranger))).source).toBe("cache");
  });

  test("a no beside an error is no answer: the one that failed may have granted it", async () => {
    const { decide, wire, cache } = await site({ servers: [server, second] });
    wire.peer(server, always(false));
    wire.peer(second, () => ({ error: "internal-server-error" }));
    expect((await decide(read(stranger))).outcome).toBe("unanswered");
    expect((await decide(friend(stranger))).outcome).toBe("unanswered");
    expect(cache.count).toBe(0);
  });

  test("P-E20: a part granted beside a silent server is used once and not remembered", async () => {
    const { decide, wire, cache, clock } = await site({ servers: [server, second] });
    wire.peer(server, () => says(true, { fields: ["Temperature"] }));
    const deciding = decide(read(stranger));
    await clock.advance(6_000);
    expect(await deciding).toMatchObject({
      outcome: "granted",
      source: "server",
      grants: [{ fields: ["Temperature"] }],
    });
    expect(cache.count).toBe(0);
  });

  test("P-E20: parts granted by all of them stand side by side, and are remembered so", async () => {
    const { decide, wire } = await site({ servers: [server, second] });
    wire.peer(server, () => says(true, { nodes: [{ nodeId: "1" }], fields: ["X"] }));
    wire.peer(second, () => says(true, { nodes: [{ nodeId: "2" }], fields: ["Y"] }));
    for (const source of ["server", "cache"]) {
      const decision = await decide(read(stranger));
      expect(decision.source).toBe(source);
      const grants = decision.outcome === "granted" ? decision.grants : [];
      const pairs = ["1X", "1Y", "2X", "2Y"].filter((pair) =>
        permits(grants, { node: { nodeId: pair[0]! }, name: pair[1]!, types: new Set(["momentary"]) }),
      );
      expect(pairs).toEqual(["1X", "2Y"]);
    }
  });

  test("P-5.3-2: parts that are whole together answer while a third server is silent, and are remembered", async () => {
    const third = bareJid("third.example.org");
    const { decide, wire, cache } = await site({ servers: [third, server, second] });
    const asked = read(stranger, { fields: ["X", "Y"] });
    wire.peer(server, () => says(true, { fields: ["X"] }));
    wire.peer(second, () => says(true, { fields: ["Y"] }));
    for (const source of ["server", "cache"]) {
      const grants = [{ by: server }, { by: second }];
      expect(await decide(asked)).toMatchObject({ outcome: "granted", source, grants });
    }
    expect([cache.count, wire.asked(third).length]).toEqual([1, 1]);
  });

  test("P-5.3-2: grants stand most forgiving first, whoever was quicker", async () => {
    const { decide, wire } = await site({ servers: [server, second] });
    wire.peer(server, () => says(true, { fields: ["X"] }));
    wire.peer(second, async () => {
      await settled();
      return says(true, { fields: ["X", "Y"] });
    });
    const decision = await decide(read(stranger));
    expect(decision).toMatchObject({
      grants: [
        { by: second, fields: ["X", "Y"] },
        { by: server, fields: ["X"] },
      ],
    });
  });

  test("P-E20: a part that came before the yes to all of it does no harm", async () => {
    const { decide, wire } = await site({ servers: [server, second] });
    wire.peer(server, () => says(true, { fields: ["X"] }));
    let answer: (said: XmlElement) => void = () => undefined;
    wire.peer(second, () => new Promise<XmlElement>((resolve) => (answer = resolve)));
    const deciding = decide(read(stranger));
    await settled();
    answer(says(true));
    const decision = await deciding;
    const grants = decision.outcome === "granted" ? decision.grants : [];
    expect(permits(grants, { node: { nodeId: "" }, name: "Y", types: new Set(["momentary"]) })).toBe(true);
  });
});

describe("questions at the same time", () => {
  test("that are equal become one request", async () => {
    const { decide, wire, decisions } = await site();
    wire.peer(server, always(true));
    const made = await Promise.all([read(stranger), read(stranger), read(stranger)].map((one) => decide(one)));
    expect(made.map(({ outcome }) => outcome)).toEqual(["granted", "granted", "granted"]);
    expect(wire.sent).toHaveLength(1);
    expect(decisions).toHaveLength(3);
  });

  test("that are not equal stay apart", async () => {
    const { decide, wire } = await site();
    wire.peer(server, (payload) => says(payload.attrs["jid"] === owner));
    const made = await Promise.all([read(stranger), read(owner)].map((one) => decide(one)));
    expect(made.map(({ outcome }) => outcome)).toEqual(["refused", "granted"]);
    expect(wire.sent).toHaveLength(2);
  });

  test("that failed together are asked anew by the next", async () => {
    const { decide, wire } = await site();
    wire.peer(server, () => ({ error: "internal-server-error" }));
    await Promise.all([decide(read(stranger)), decide(read(stranger))]);
    expect(wire.sent).toHaveLength(1);
    wire.peer(server, always(true));
    expect((await decide(read(stranger))).outcome).toBe("granted");
  });

  test("are never joined across a clear: who asks after it is not given what was asked before", async () => {
    const { decide, wire, cache } = await site();
    const answers: ((said: XmlElement) => void)[] = [];
    wire.peer(server, () => new Promise<XmlElement>((resolve) => answers.push(resolve)));
    const before = decide(read(stranger));
    await settled();
    await cache.clear();
    const after = decide(read(stranger));
    await settled();
    expect(wire.sent).toHaveLength(2);
    answers[0]?.(says(true));
    expect((await before).outcome).toBe("granted");
    expect(cache.count).toBe(0); // used once, not kept
    answers[1]?.(says(false));
    expect(await after).toEqual({ outcome: "refused", source: "server" });
    expect(cache.entries().map(({ grants }) => grants)).toEqual([[]]);
  });

  test("that one asker gives up on are answered to the others", async () => {
    const { decide, wire, decisions } = await site();
    let answer: (said: XmlElement) => void = () => undefined;
    wire.peer(server, () => new Promise<XmlElement>((resolve) => (answer = resolve)));
    const leaving = new AbortController();
    const first = decide(read(stranger), leaving.signal);
    const other = decide(read(stranger));
    await settled();
    leaving.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    answer(says(true));
    expect((await other).outcome).toBe("granted");
    expect(wire.sent).toHaveLength(1);
    expect(decisions).toHaveLength(1);
  });

  test("are not asked for somebody who has gone already", async () => {
    const { decide } = await site();
    await expect(decide(read(stranger), AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  });
});

describe("a server that a question did not reach", () => {
  test.each<[string, Said, boolean]>([
    ["is away by the words of Prosody", { error: "remote-server-timeout", type: "wait" }, true],
    ["is away by the words of ejabberd", { error: "remote-server-not-found" }, true],
    ["is away if nobody answers", "silent", true],
    ["is there if it fails", { error: "internal-server-error" }, false],
    ["is there if it does not know the question", { error: "service-unavailable" }, false],
  ])("P-3.5.1-2: %s; whoever introduces the Thing is told", async (_, said, expected) => {
    const { decide, wire, barrier, clock } = await site({ servers: [server, second] });
    const away: string[] = [];
    barrier.onAway((jid) => away.push(jid));
    wire.peer(server, () => said);
    wire.peer(second, always(false));
    const deciding = decide(read(stranger));
    await clock.advance(10_000);
    expect((await deciding).outcome).toBe("unanswered");
    expect(away).toEqual(expected ? [server] : []);
  });
});

describe("what is remembered, at the start of a stream", () => {
  test("P-5.2-6: waits for the barrier", async () => {
    const { decide, wire, barrier, channel, whereabouts, clock } = await site();
    wire.peer(server, always(true));
    await decide(read(stranger));
    barrier.raise();
    let decision: Decision | undefined;
    const deciding = decide(read(stranger)).then((made) => (decision = made));
    await settled();
    expect(decision).toBeUndefined();
    await barrier.settle({ channel, whereabouts, clock }, [], new AbortController().signal);
    await deciding;
    expect(decision).toMatchObject({ outcome: "granted", source: "cache" });
    expect(wire.asked(server, "canRead")).toHaveLength(1);
  });

  test("P-5.2-6: is looked up again after it: what was cleared meanwhile is asked anew", async () => {
    const { decide, wire, barrier, channel, whereabouts, clock, cache } = await site();
    wire.peer(server, always(true));
    await decide(read(stranger));
    barrier.raise();
    const deciding = decide(read(stranger));
    await settled();
    wire.peer(server, always(false));
    await cache.clear();
    await barrier.settle({ channel, whereabouts, clock }, [], new AbortController().signal);
    expect(await deciding).toEqual({ outcome: "refused", source: "server" });
  });

  test("is not waited for by what is not remembered: that is asked at once", async () => {
    const { decide, wire, barrier } = await site();
    wire.peer(server, always(true));
    barrier.raise();
    expect((await decide(read(stranger))).source).toBe("server");
  });

  test("is not waited for longer than 2 s, in the greeting of a server that does not answer: it is asked anew", async () => {
    const { decide, wire, barrier, clock } = await site();
    wire.peer(server, always(true));
    await decide(read(stranger));
    barrier.raise();
    wire.peer(server, always(false));
    const deciding = decide(read(stranger));
    await clock.advance(1_999);
    expect(wire.asked(server, "canRead")).toHaveLength(1);
    await clock.advance(1);
    expect(await deciding).toEqual({ outcome: "refused", source: "server" });
  });

  test("is counted: what is asked at once, what is remembered, and what is asked though it is remembered", async () => {
    const { decide, wire, barrier, clock, cache, channel, whereabouts } = await site();
    wire.peer(server, always(true));
    barrier.raise();
    await decide(read(stranger));
    expect(cache.counters).toMatchObject({ hits: 0, misses: 1 });
    const tooLong = decide(read(stranger));
    await clock.advance(2_000);
    expect((await tooLong).source).toBe("server");
    expect(cache.counters).toMatchObject({ hits: 0, misses: 2 });
    const inTime = decide(read(stranger));
    await barrier.settle({ channel, whereabouts, clock }, [], new AbortController().signal);
    expect((await inTime).source).toBe("cache");
    expect(cache.counters).toMatchObject({ hits: 1, misses: 2 });
  });

  test("is not waited for by whoever gives up", async () => {
    const { decide, wire, barrier } = await site();
    wire.peer(server, always(true));
    await decide(read(stranger));
    barrier.raise();
    const leaving = new AbortController();
    const deciding = decide(read(stranger), leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(deciding).rejects.toThrow("gone");
  });
});

describe("each decision", () => {
  test("is told with its question, its outcome and how long it took", async () => {
    const { decide, wire, clock, decisions } = await site();
    const question = read(stranger);
    const deciding = decide(question);
    await clock.advance(6_000);
    const decision = await deciding;
    wire.peer(server, always(true));
    await decide(friend(owner));
    expect(decisions).toEqual([
      { question, decision, ms: 6_000 },
      { question: friend(owner), decision: expect.objectContaining({ source: "owner" }) as Decision, ms: 0 },
    ]);
  });
});

describe("control", () => {
  test.each([
    ["its owner", owner, "granted", "owner"],
    ["a stranger", stranger, "refused", "none"],
    ["the Registry", registry, "refused", "none"],
  ] as const)("of a Thing without a provisioning server: %s gets it %s", async (_, jid, outcome, source) => {
    const { decide, wire, cache } = await site({ servers: [] });
    const decision = await decide(control(jid));
    expect(decision).toMatchObject({ outcome, source });
    if (decision.outcome === "granted") {
      expect(permitsControl(decision.grants, { node: { nodeId: "" }, name: "LED" })).toBe(true);
    }
    expect([wire.sent, cache.count]).toEqual([[], 0]);
  });

  test("of a Thing that has neither server nor owner is nobody's", async () => {
    const { decide } = await site({ servers: [], owner: undefined });
    expect((await decide(control(owner))).outcome).toBe("refused");
  });

  test("P-3.4.1-1, P-E9: is asked about with the tokens, nodes and parameters of the request, and nothing else", async () => {
    const { decide, wire } = await site();
    wire.peer(server, always(true));
    const tokens = { serviceToken: "S1 S2", deviceToken: "D", userToken: "U" };
    const nodes = [{ nodeId: "1", sourceId: "s" }, { nodeId: "" }];
    await decide(control(stranger, { tokens, nodes, parameters: ["LED", "Fan"] }));
    expect(wire.sent.map((stanza) => stanza.attrs["type"])).toEqual(["get"]);
    expect(wire.asked(server).map(String)).toEqual([
      `<canControl xmlns="${ns.provisioning}" jid="${stranger}" serviceToken="S1 S2" deviceToken="D" userToken="U">` +
        '<node nodeId="1" sourceId="s"/><node nodeId=""/><parameter name="LED"/><parameter name="Fan"/></canControl>',
    ]);
  });

  test.each([
    ["the owner", owner],
    ["the Registry", registry],
    ["the server itself", server],
  ] as const)("of a Thing with a provisioning server is asked about also for %s", async (_, jid) => {
    const { decide, wire } = await site();
    wire.peer(server, always(false));
    expect(await decide(control(jid))).toEqual({ outcome: "refused", source: "server" });
    expect(wire.asked(server, "canControl")).toHaveLength(1);
  });

  test("P-5.2-1, P-5.2-8: is remembered, the yes and the no, and apart from readout", async () => {
    const { decide, wire, cache } = await site();
    wire.peer(server, (payload) => (payload.is("canControl") ? lets(true) : says(false)));
    expect(await decide(control(stranger))).toMatchObject({ outcome: "granted", source: "server" });
    expect(await decide(read(stranger))).toEqual({ outcome: "refused", source: "server" });
    expect(await decide(control(stranger))).toMatchObject({ outcome: "granted", source: "cache" });
    expect(await decide(read(stranger))).toEqual({ outcome: "refused", source: "cache" });
    expect(cache.entries().map(({ kind }) => kind)).toEqual(["read", "control"]);
    await cache.clear();
    wire.peer(server, always(false));
    expect(await decide(control(stranger))).toEqual({ outcome: "refused", source: "server" });
    expect(await decide(control(stranger))).toEqual({ outcome: "refused", source: "cache" });
  });

  test("P-E20: granted in parts by several servers is asked of all of them; a whole grant settles it", async () => {
    const { decide, wire } = await site({ servers: [server, second] });
    const asked = control(stranger, { parameters: ["LED", "Fan"] });
    wire.peer(server, () => lets(true, { parameters: ["LED"] }));
    wire.peer(second, () => lets(true, { parameters: ["Fan"], nodes: [{ nodeId: "other" }] }));
    const decision = await decide(asked);
    const grants = decision.outcome === "granted" ? decision.grants : [];
    const node = { nodeId: "" };
    expect(["LED", "Fan"].map((name) => permitsControl(grants, { node, name }))).toEqual([true, false]);
    wire.peer(server, () => "silent");
    wire.peer(second, () => lets(true));
    expect(await decide(control(owner))).toMatchObject({ outcome: "granted", grants: [{ by: second }] });
  });

  test.each<[string, XmlElement]>([
    ["an answer to another question", says(true)],
    [
      "a restriction that is not understood",
      el("canControlResponse", { xmlns: ns.provisioning, result: true }, el("x")),
    ],
    ["an answer without a result", el("canControlResponse", { xmlns: ns.provisioning })],
  ])("P-E28: is not granted by %s, and it is no refusal either", async (_, answer) => {
    const { decide, wire, cache } = await site();
    wire.peer(server, () => answer);
    expect(await decide(control(stranger))).toEqual({ outcome: "unanswered", source: "none" });
    expect(cache.count).toBe(0);
  });
});

describe("what is remembered, while the barrier is down", () => {
  test("is answered without a promise, and without looking at a clock while nobody listens", async () => {
    const { guard, wire, barrier, decisions } = await site({}, false);
    wire.peer(server, always(true));
    const { signal } = new AbortController();
    const first = guard.decide(read(stranger), signal);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toMatchObject({ source: "server" });
    expect(guard.decide(read(stranger), signal)).toMatchObject({ outcome: "granted", source: "cache" });
    expect(guard.decide(friend(owner), signal)).toMatchObject({ outcome: "granted", source: "owner" });
    barrier.raise();
    await expect(guard.decide(read(stranger), AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    expect(decisions).toEqual([]);
  });

  test("is told of when somebody listens", async () => {
    const { guard, wire, decisions } = await site({}, true);
    wire.peer(server, always(true));
    const { signal } = new AbortController();
    for (let n = 0; n < 2; n++) await guard.decide(read(stranger), signal);
    expect(decisions.map(({ decision }) => decision.source)).toEqual(["server", "cache"]);
  });
});

describe("under another account", () => {
  test("nothing counts that was remembered, and it does again under the first", async () => {
    const { decide, wire, channel } = await site();
    wire.peer(server, always(true));
    await decide(read(stranger));
    const other = new ScriptedWire(channel, "thing@example.net/home");
    channel.attach(other);
    other.peer(server, always(false));
    expect(await decide(read(stranger))).toEqual({ outcome: "refused", source: "server" });
    expect(await decide(read(stranger))).toEqual({ outcome: "refused", source: "cache" });
    channel.detach(new Error("gone"));
    expect((await decide(read(stranger))).source).toBe("cache"); // the account is that of the last stream
    const again = new ScriptedWire(channel, "thing@example.org/elsewhere");
    channel.attach(again);
    again.peer(server, always(true));
    expect(await decide(read(stranger))).toMatchObject({ outcome: "granted", source: "server" });
  });

  test("of the same name in another resource everything counts", async () => {
    const { decide, wire, channel } = await site();
    wire.peer(server, always(true));
    await decide(read(stranger));
    channel.attach(new ScriptedWire(channel, "thing@example.org/elsewhere"));
    expect((await decide(read(stranger))).source).toBe("cache");
  });
});
