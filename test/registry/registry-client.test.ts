import { describe, expect, test } from "vitest";
import { isSdkError } from "../../src/core/errors.ts";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { Refusal } from "../../src/core/refusal.ts";
import { buildClaimed, type Claimed } from "../../src/codec/iot-discovery.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { numberTag, type Tag } from "../../src/codec/tags.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { answerNotices, emptyKey, register, unregister, type Notice } from "../../src/registry/registry-client.ts";
import { scriptedChannel, settled, type Said } from "../support/scripted-wire.ts";

const registry = bareJid("discovery.example.org");
const owner = bareJid("owner@example.org");
const tags: readonly Tag[] = [
  { name: "SN", type: "str", value: "394872348732948723" },
  numberTag("V", 1.2),
  { name: "KEY", type: "str", value: "4857402340298342" },
];

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isSdkError(error) ? error.code : String(error);
}

describe("registering", () => {
  test("D-3.6-1, D-3.6-3: tells the Registry the tags, in one set", async () => {
    const { channel, wire } = scriptedChannel();
    wire.peer(registry, () => undefined);
    expect(await register(channel, registry, { tags, selfOwned: false }, {})).toBeUndefined();
    expect(wire.sent[0]?.attrs).toMatchObject({ type: "set", to: registry });
    expect(wire.asked(registry).map(String)).toEqual([
      `<register xmlns="${ns.discovery}"><str name="SN" value="394872348732948723"/><num name="V" value="1.2"/>` +
        '<str name="KEY" value="4857402340298342"/></register>',
    ]);
  });

  test.each<[string, XmlElement, Claimed]>([
    ["with public", buildClaimed({ jid: owner, public: false }), { jid: owner, public: false }],
    [
      "D-E5: without public, which is public",
      el("claimed", { xmlns: ns.discovery, jid: owner }),
      { jid: owner, public: true },
    ],
    [
      "D-E7: with a resource",
      el("claimed", { xmlns: ns.discovery, jid: `${owner}/x`, public: "1" }),
      { jid: owner, public: true },
    ],
  ])("D-3.6-12, D-3.6-13, D-E4: learns that there is an owner already: %s", async (_, said, claim) => {
    const { channel, wire } = scriptedChannel();
    wire.peer(registry, () => said);
    expect(await register(channel, registry, { tags, selfOwned: false }, {})).toEqual(claim);
  });

  test.each<[string, XmlElement]>([
    ["a claim in another namespace", el("claimed", { xmlns: "urn:ieee:iot:disco:1.0", jid: "thief@example.org" })],
    ["something else", el("disowned", { xmlns: ns.discovery })],
  ])("takes %s for no claim", async (_, said) => {
    const { channel, wire } = scriptedChannel();
    wire.peer(registry, () => said);
    expect(await register(channel, registry, { tags, selfOwned: false }, {})).toBeUndefined();
  });

  test.each<[string, Said, string]>([
    ["an error", { error: "internal-server-error" }, "ERR_STANZA"],
    ["an error inside a result", el("error", { xmlns: ns.client, type: "modify" }), "ERR_STANZA"],
    ["a claim by nobody", el("claimed", { xmlns: ns.discovery }), "ERR_PROTOCOL"],
    ["a claim by something that is no JID", el("claimed", { xmlns: ns.discovery, jid: "@" }), "ERR_PROTOCOL"],
    [
      "a claim that is neither public nor not",
      el("claimed", { xmlns: ns.discovery, jid: owner, public: "?" }),
      "ERR_PROTOCOL",
    ],
  ])("P-E2: fails when the answer is %s", async (_, said, code) => {
    const { channel, wire } = scriptedChannel();
    wire.peer(registry, () => said);
    expect(await codeOf(register(channel, registry, { tags, selfOwned: false }, {}))).toBe(code);
  });

  test("fails when no answer comes in time", async () => {
    const { channel, clock } = scriptedChannel();
    const registering = codeOf(register(channel, registry, { tags, selfOwned: false }, { timeout: 10_000 }));
    await clock.advance(10_000);
    expect(await registering).toBe("ERR_TIMEOUT");
  });

  test("ends when it is not wanted any more", async () => {
    const { channel } = scriptedChannel();
    const leaving = new AbortController();
    const registering = register(channel, registry, { tags, selfOwned: false }, { signal: leaving.signal });
    leaving.abort(new Error("enough"));
    await expect(registering).rejects.toThrow("enough");
  });
});

describe("unregistering", () => {
  test("D-3.16-1: takes the Thing out of the Registry", async () => {
    const { channel, wire } = scriptedChannel();
    wire.peer(registry, () => undefined);
    await unregister(channel, registry, {}, {});
    expect(wire.sent[0]?.attrs).toMatchObject({ type: "set", to: registry });
    expect(wire.asked(registry).map(String)).toEqual([`<unregister xmlns="${ns.discovery}"/>`]);
  });

  test("D-E20: is done also when the Registry does not know the Thing; any other answer is a failure", async () => {
    const { channel, wire } = scriptedChannel();
    wire.peer(registry, () => ({ error: "item-not-found" }));
    await unregister(channel, registry, {}, {});
    wire.peer(registry, () => ({ error: "feature-not-implemented" }));
    expect(await codeOf(unregister(channel, registry, {}, {}))).toBe("ERR_STANZA");
  });
});

describe("emptying KEY", () => {
  test("D-6.5-3, D-E2, D-3.13-5: updates the one tag with nothing", async () => {
    const { channel, wire } = scriptedChannel();
    wire.peer(registry, () => undefined);
    await emptyKey(channel, registry, {});
    expect(wire.sent[0]?.attrs).toMatchObject({ type: "set", to: registry });
    expect(wire.asked(registry).map(String)).toEqual([
      `<update xmlns="${ns.discovery}"><str name="KEY" value=""/></update>`,
    ]);
  });

  test("D-3.13-10, D-E19: is done also when the Registry does not know the Thing any more", async () => {
    const { channel, wire } = scriptedChannel();
    wire.peer(registry, () => ({ error: "item-not-found" }));
    await emptyKey(channel, registry, {});
    expect(wire.asked(registry)).toHaveLength(1);
  });

  test.each([
    ["forbidden", "ERR_STANZA"],
    ["internal-server-error", "ERR_STANZA"],
  ])("fails when the Registry answers %s", async (error, code) => {
    const { channel, wire } = scriptedChannel();
    wire.peer(registry, () => ({ error }));
    expect(await codeOf(emptyKey(channel, registry, {}))).toBe(code);
  });

  test("fails when no answer comes, and when there is no connection", async () => {
    const { channel, clock } = scriptedChannel();
    const emptying = codeOf(emptyKey(channel, registry, { timeout: 10_000 }));
    await clock.advance(10_000);
    expect(await emptying).toBe("ERR_TIMEOUT");
    channel.detach(new Error("gone"));
    expect(await codeOf(emptyKey(channel, registry, {}))).toBe("ERR_CONNECTION");
  });
});

describe("the notice of a claim", () => {
  function site() {
    const parts = scriptedChannel();
    const order: string[] = [];
    const held: { accept: () => void; fail: (reason: unknown) => void }[] = [];
    const claims: Notice[] = [];
    const registered: { jid: BareJid | undefined } = { jid: registry };
    answerNotices({
      router: parts.channel.router,
      registry: () => registered.jid,
      accept: (from, claim) => {
        order.push(`accepting from ${from}, ${parts.wire.writes.length} written`);
        claims.push(claim);
        return new Promise((resolve, reject) => {
          const followUp = (): void => void order.push(`after it, ${parts.wire.writes.length} written`);
          held.push({ accept: () => resolve(followUp), fail: reject });
        });
      },
    });
    return { ...parts, order, held, claims, registered };
  }

  test("D-3.9-26, D-E17: is made durable, then acknowledged with an empty result, then acted upon", async () => {
    const { wire, order, held, claims } = site();
    const asking = wire.ask(registry, "set", buildClaimed({ jid: owner, public: false }));
    await settled();
    expect(wire.writes).toEqual([]);
    held[0]?.accept();
    const answer = await asking;
    expect([answer.type, answer.payload, answer.write.length]).toEqual(["result", undefined, 1]);
    await settled();
    expect(order).toEqual([`accepting from ${registry}, 0 written`, "after it, 1 written"]);
    expect(claims).toEqual([{ type: "claimed", owner, public: false }]);
  });

  test("that could not be made durable is not acknowledged, nor acted upon", async () => {
    const { wire, order, held, faults } = site();
    const asking = wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    await settled();
    held[0]?.fail(new Error("the disk is full"));
    expect(await asking).toMatchObject({ type: "error", condition: "internal-server-error", text: "" });
    await settled();
    expect(order).toHaveLength(1);
    expect(faults).toHaveLength(1);
  });

  test("that cannot be acknowledged is not acted upon now: the next stream begins with the state", async () => {
    const { wire, order, held, channel } = site();
    void wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    await settled();
    channel.detach(new Error("gone"));
    held[0]?.accept();
    await settled();
    expect(order).toHaveLength(1);
  });

  test.each<[string, XmlElement, boolean]>([
    ["D-3.9-21", buildClaimed({ jid: owner, public: true }), true],
    ["D-E5", el("claimed", { xmlns: ns.discovery, jid: owner }), true],
    ["D-3.9-24", el("claimed", { xmlns: ns.discovery, jid: owner, public: "0" }), false],
    ["D-E7", el("claimed", { xmlns: ns.discovery, jid: `${owner}/phone` }), true],
    ["X-E6", el("claimed", { xmlns: ns.discovery, jid: owner, nodeId: "" }), true],
  ])("%s: is read as the specification means it", async (_, payload, isPublic) => {
    const { wire, claims } = site();
    void wire.ask(registry, "set", payload);
    await settled();
    expect(claims).toEqual([{ type: "claimed", owner, public: isPublic }]);
  });

  test.each([
    ["a stranger", "stranger@example.org/x"],
    ["the owner to be", `${owner}/phone`],
    ["somebody on the domain of the Registry", `somebody@${registry}/x`],
    ["another component", "provisioning.example.org"],
    ["a component below the Registry", `x.${registry}`],
    ["the server", "example.org"],
    ["the Thing itself", "thing@example.org/home"],
  ])("D-E29: from %s is forbidden and changes nothing", async (_, from) => {
    const { wire, claims } = site();
    const answer = await wire.ask(from, "set", buildClaimed({ jid: owner, public: true }));
    expect(answer).toMatchObject({ type: "error", condition: "forbidden" });
    expect(claims).toEqual([]);
  });

  test("D-E29: from anybody is forbidden as long as the Thing has registered nowhere", async () => {
    const { wire, claims, registered } = site();
    registered.jid = undefined;
    const answer = await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    expect([answer.condition, claims]).toEqual(["forbidden", []]);
  });

  test("is taken from the Registry whatever resource it uses", async () => {
    const { wire, claims } = site();
    void wire.ask(`Discovery.example.org/anything`, "set", buildClaimed({ jid: owner, public: true }));
    await settled();
    expect(claims).toHaveLength(1);
  });

  test("has room when strangers have taken all there is for others", async () => {
    const { wire, channel, claims } = site();
    channel.router.onIq("urn:x", "ask", () => new Promise(() => undefined));
    for (let n = 0; n < 300; n++) void wire.ask(`stranger${n}@example.org/r`, "get", el("ask", { xmlns: "urn:x" }));
    await settled();
    expect(wire.writes.length).toBeGreaterThan(0); // told to come back later: there is no room left
    void wire.ask(registry, "set", buildClaimed({ jid: owner, public: true }));
    await settled();
    expect(claims).toHaveLength(1);
  });

  test("D-3.8-1, D-E29: about a node says which, and whoever knows that there is none answers item-not-found", async () => {
    const { wire, claims, held } = site();
    const node = { nodeId: "imc1", sourceId: "MeteringTopology" };
    const asking = wire.ask(registry, "set", buildClaimed({ jid: owner, public: true, node }));
    await settled();
    expect(claims).toEqual([{ type: "claimed", owner, public: true, node }]);
    held[0]?.fail(new Refusal("item-not-found"));
    expect(await asking).toMatchObject({ condition: "item-not-found", errorType: "cancel" });
  });

  test("is no question", async () => {
    const { wire, claims } = site();
    const answer = await wire.ask(registry, "get", buildClaimed({ jid: owner, public: true }));
    expect([answer.condition, claims]).toEqual(["bad-request", []]);
  });

  test.each<[string, XmlElement]>([
    ["nobody", el("claimed", { xmlns: ns.discovery })],
    ["what is no JID", el("claimed", { xmlns: ns.discovery, jid: "@" })],
    ["something neither public nor not", el("claimed", { xmlns: ns.discovery, jid: owner, public: "maybe" })],
  ])("by %s is answered with bad-request", async (_, payload) => {
    const { wire, claims } = site();
    const answer = await wire.ask(registry, "set", payload);
    expect([answer.condition, claims]).toEqual(["bad-request", []]);
  });
});

describe.each(["removed", "disowned"] as const)("the notice %s", (type) => {
  function site() {
    const parts = scriptedChannel();
    const notices: Notice[] = [];
    const registered: { jid: BareJid | undefined } = { jid: registry };
    const followed: number[] = [];
    answerNotices({
      router: parts.channel.router,
      registry: () => registered.jid,
      accept: (from, notice) => {
        expect(from).toBe(registered.jid);
        notices.push(notice);
        return Promise.resolve(() => void followed.push(parts.wire.writes.length));
      },
    });
    return { ...parts, notices, registered, followed };
  }
  const notice = (attributes: Record<string, string> = {}): XmlElement =>
    el(type, { xmlns: ns.discovery, ...attributes });

  test("D-3.10-8, D-3.17-8: is acknowledged with an empty result, and acted upon after that", async () => {
    const { wire, notices, followed } = site();
    const answer = await wire.ask(registry, "set", notice());
    expect([answer.type, answer.payload, answer.write.length]).toEqual(["result", undefined, 1]);
    await settled();
    expect([notices, followed]).toEqual([[{ type }], [1]]);
  });

  test("D-3.10-6, D-3.17-6, X-E6: names the node; an empty one is none", async () => {
    const { wire, notices } = site();
    await wire.ask(registry, "set", notice({ nodeId: "imc1", sourceId: "S", cacheType: "" }));
    await wire.ask(registry, "set", notice({ nodeId: "" }));
    expect(notices).toEqual([{ type, node: { nodeId: "imc1", sourceId: "S" } }, { type }]);
  });

  test.each(["stranger@example.org/x", `${owner}/phone`, `a@${registry}/x`, `x.${registry}`, "example.org"])(
    "D-E29: from %s is forbidden, whatever it holds",
    async (from) => {
      const { wire, notices, registered } = site();
      expect(await wire.ask(from, "set", notice())).toMatchObject({ type: "error", condition: "forbidden" });
      expect(await wire.ask(from, "get", notice())).toMatchObject({ type: "error", condition: "forbidden" });
      registered.jid = undefined;
      expect(await wire.ask(registry, "set", notice())).toMatchObject({ condition: "forbidden" });
      expect(notices).toEqual([]);
    },
  );

  test("is no question", async () => {
    const { wire, notices } = site();
    expect(await wire.ask(registry, "get", notice())).toMatchObject({ condition: "bad-request" });
    expect(notices).toEqual([]);
  });
});
