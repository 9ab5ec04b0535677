// Nodes at a Registry that says odd things, or refuses some (XEP-0347 3.9, 3.13, 6.5), on a scripted stream.
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { buildClaimed, parseUpdate } from "../../src/codec/iot-discovery.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import type { Said, ScriptedWire } from "../support/scripted-wire.ts";
import { otherRegistry, owner, registry, thief } from "./life.ts";
import { meter } from "./nodes-site.ts";
import { closedStorage, scriptedThing, stopThings } from "./scripted-thing.ts";

afterEach(stopThings);

const node = { nodeId: "a" };

/** A concentrator with the node `a`, online, all done. */
async function concentrator(options: Partial<ThingOptions> = {}) {
  const storage = await closedStorage();
  const at = await scriptedThing({ storage, tags: { SN: "1" }, nodes: [meter("a")], ...options });
  const faults: string[] = [];
  at.thing.on("fault", ({ code, message }) => faults.push(`${code}: ${message}`));
  const settle = async (clock = at.clock): Promise<void> => {
    for (let turn = 0; turn < 30; turn++) {
      await clock.advance(0);
      await setImmediate();
    }
  };
  const wire = await at.up();
  await settle();
  return { ...at, storage, faults, settle, wire };
}

/** The names of the tags in every update of a node. */
const updates = (wire: ScriptedWire): string[] =>
  wire.asked(registry, "update").map((update) =>
    parseUpdate(update)
      .tags.map(({ name }) => name)
      .join(),
  );

describe("D-3.16-2: a Registry that says after a reset whose a node was, and does not unregister it", () => {
  const count = 40;
  const nodes = Array.from({ length: count }, (_, index) => meter(index === 0 ? "a" : `n${index}`));

  test("keeps neither the Thing nor its other nodes from being registered", async () => {
    const { wire, thing, faults, clock, settle } = await concentrator({ nodes });
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true, node }));
    await settle();
    wire.peer(registry, (payload) => {
      if (payload.attrs["nodeId"] !== "a") return undefined;
      if (payload.is("unregister")) return { error: "feature-not-implemented" };
      return payload.is("register") ? buildClaimed({ jid: owner, public: true, node }) : undefined;
    });
    await Promise.all([thing.reset(), settle()]);
    await clock.advance(0);
    await settle();
    expect(thing.state.ownership.is).toBe("registered");
    expect(thing.nodes.filter(({ ownership }) => ownership.is === "registered")).toHaveLength(count - 1);
    expect(thing.nodes[0]?.ownership).toMatchObject({ is: "unregistered", leaving: { registry } });
    expect(faults).toEqual([expect.stringMatching(/^registry: node a: the Registry still says/)]);
  });
});

describe("D-3.16-2: a Registry that says nothing after a reset", () => {
  const named = (count: number) => Array.from({ length: count }, (_, index) => meter(index === 0 ? "a" : `n${index}`));
  type At = Awaited<ReturnType<typeof concentrator>>;
  const waits = async ({ clock, settle }: At, ms: number): Promise<void> => {
    await clock.advance(ms);
    await settle();
  };

  test.each([
    [1, true],
    [12, true],
    [12, false],
  ])(
    "of one node of %i, whose claim was heard of (%s), keeps neither the Thing nor its other nodes from being registered",
    async (count, isKnown) => {
      const at = await concentrator({ nodes: named(count) });
      const { wire, thing, storage, settle, down } = at;
      if (isKnown) await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true, node }));
      await settle();
      // Nor does it unregister later: whoever owns the node there is the owner of before.
      const ofA = (payload: XmlElement): Said =>
        payload.is("unregister") ? "silent" : buildClaimed({ jid: owner, public: true, node });
      const peer = (payload: XmlElement): Said => (payload.attrs["nodeId"] === "a" ? ofA(payload) : undefined);
      wire.peer(registry, peer);
      await Promise.all([thing.reset({ timeout: 1 }).catch(() => undefined), settle().then(() => waits(at, 10_000))]);
      expect(thing.state.ownership.is).toBe("registered");
      expect(thing.nodes.filter(({ ownership }) => ownership.is === "registered")).toHaveLength(count - 1);
      expect(thing.nodes[0]?.ownership).toMatchObject({ is: "unregistered", leaving: { registry } });
      // Also after the power was gone.
      await down();
      await thing.stop();
      const again = await concentrator({ storage, nodes: named(count) });
      const asked = again.wire.asked(registry).filter(({ attrs }) => attrs["nodeId"] === "a");
      expect(asked.map(({ name }) => name)).toEqual(["unregister", "register"]);
      expect(again.thing.nodes[0]?.ownership).toEqual({ is: "registered", registry });
    },
  );

  test("of any of many is away: the Thing does not take its leave before they have", async () => {
    const at = await concentrator({ nodes: named(20) });
    const { wire, thing, settle } = at;
    wire.peer(registry, (payload) => (payload.attrs["nodeId"] === undefined ? undefined : "silent"));
    const unregistered = (): number =>
      wire.asked(registry, "unregister").filter(({ attrs }) => attrs["nodeId"] === undefined).length;
    await Promise.all([thing.reset({ timeout: 1 }).catch(() => undefined), settle().then(() => waits(at, 10_000))]);
    await waits(at, 10_000);
    expect([unregistered(), thing.state.ownership.is]).toEqual([0, "unregistered"]);
    wire.peer(registry, () => undefined);
    for (let turn = 0; turn < 4; turn++) await waits(at, 100_000);
    expect([unregistered(), thing.state.ownership.is]).toEqual([1, "registered"]);
    expect(thing.nodes.filter(({ ownership }) => ownership.is === "registered")).toHaveLength(20);
  });
});

describe("a claimed node", () => {
  test("D-E29: that the Registry says is somebody else's stays its owner's, and people are told", async () => {
    const { wire, thing, faults, settle } = await concentrator();
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true, node }));
    await settle();
    expect(await wire.ask(registry, "set", buildClaimed({ jid: thief, public: true, node }))).toMatchObject({
      type: "result",
    });
    expect(thing.nodes[0]?.ownership).toMatchObject({ is: "claimed", owner });
    expect(faults).toEqual([expect.stringMatching(/^owner-change-ignored: .* the node a belongs to thief@/)]);
  });

  test("D-6.5-3, D-3.9-18: has KEY emptied and its owner asked for friendship also where the Registry refuses its other tags", async () => {
    const { wire, thing, settle } = await concentrator({
      nodes: [meter("a", { tagsAfterClaim: { ROOM: "Kitchen" } })],
    });
    wire.peer(registry, (payload) => {
      if (!payload.is("update")) return undefined;
      return parseUpdate(payload).tags.some(({ name }) => name === "ROOM") ? { error: "not-acceptable" } : undefined;
    });
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true, node }));
    await settle();
    expect(updates(wire)).toEqual(["KEY,ROOM", "KEY", "ROOM"]);
    expect(thing.nodes[0]?.ownership).toMatchObject({ is: "claimed", keyEmptied: true, ownerAsked: true });
    expect(wire.presences).toContain(`subscribe ${owner}`);
  });

  test("has its owner asked for friendship also where the Registry takes no update at all", async () => {
    const { wire, thing, settle } = await concentrator();
    wire.peer(registry, (payload) => (payload.is("update") ? { error: "feature-not-implemented" } : undefined));
    await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true, node }));
    await settle();
    expect(updates(wire)).toEqual(["KEY"]);
    expect(thing.nodes[0]?.ownership).toMatchObject({ is: "claimed", keyEmptied: false, ownerAsked: true });
  });
});

test("a node that was removed where another Registry counted keeps whoever has claimed it since", async () => {
  const { wire, thing, storage, down } = await concentrator();
  await wire.ask(registry, "set", buildClaimed({ jid: thief, public: true, node }));
  await down();
  await thing.removeNode(node, { timeout: 1 });
  await thing.stop();
  const second = await scriptedThing({ storage, tags: { SN: "1" }, nodes: [meter("a")], registry: otherRegistry });
  const otherWire = await second.up((to) => to.peer(otherRegistry, () => undefined));
  for (let turn = 0; turn < 30; turn++) {
    await second.clock.advance(0);
    await setImmediate();
  }
  await otherWire.ask(otherRegistry, "set", buildClaimed({ jid: owner, public: true, node }));
  await second.thing.stop();
  const third = await scriptedThing({ storage, tags: { SN: "1" }, nodes: [meter("a")], registry: otherRegistry });
  expect(third.thing.nodes[0]?.ownership).toMatchObject({ is: "claimed", owner });
});

test("tags that are wanted of a node already cost the disk nothing, claimed or not, online or not", async () => {
  const { wire, thing, storage, settle, down } = await concentrator();
  const again = async (): Promise<readonly string[]> => {
    await Promise.all([thing.updateTags({ ROOM: "Kitchen" }, { node }), settle()]);
    storage.done.length = 0;
    for (let time = 0; time < 3; time++) await thing.updateTags({ room: "Kitchen" }, { node });
    return storage.done.splice(0);
  };
  expect(await again()).toEqual([]);
  await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true, node }));
  await settle();
  expect(updates(wire)).toEqual(["KEY,ROOM"]);
  expect(await again()).toEqual([]);
  await down();
  expect(await again()).toEqual([]);
});
