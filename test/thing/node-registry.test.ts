// What a Registry may do to the nodes behind a Thing: forget slowly, refuse, give them away, be an account.
import { afterEach, describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { buildClaimed, buildDisowned, buildRemoved } from "../../src/codec/iot-discovery.ts";
import { buildInfo } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import type { Thing } from "../../src/thing/thing.ts";
import type { Ownership } from "../../src/thing/ownership.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { Outcome, Said, ScriptedWire } from "../support/scripted-wire.ts";
import { account, closedStorage, scriptedThing, stopThings } from "./scripted-thing.ts";

afterEach(stopThings);

const anna = bareJid("anna@example.org");
const bert = bareJid("bert@example.org");
const node = { nodeId: "a" };
const component = bareJid("registry.example.org");

const ownershipOf = (thing: Thing): Ownership | undefined => thing.nodes[0]?.ownership;

type Says = (payload: Parameters<ScriptedWire["ask"]>[2]) => Said;

async function concentrator(options: Partial<ThingOptions> = {}, registry = component) {
  const faults: string[] = [];
  const at = await scriptedThing({ registry, nodes: [{ ...node, tags: { SN: "a" } }], ...options });
  at.thing.on("fault", ({ code, message }) => faults.push(`${code}: ${message}`));
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 12; turn++) await at.clock.advance(0);
  };
  /** What the Registry says of the node; of the Thing itself, and by default, it says what is well. */
  let says: Says = () => undefined;
  const address = registry.includes("@") ? `${registry}/1` : registry;
  const up = async (): Promise<ScriptedWire> => {
    const wire = await at.up((made) =>
      made.peer(address, (payload) => (payload.attrs["nodeId"] === undefined ? undefined : says(payload))),
    );
    await settle();
    return wire;
  };
  const asked = (wire: ScriptedWire): string[] =>
    wire
      .asked(address)
      .filter(({ attrs }) => attrs["nodeId"] !== undefined)
      .map(({ name }) => name);
  const tell = async (wire: ScriptedWire, notice: Parameters<ScriptedWire["ask"]>[2]): Promise<Outcome> => {
    const outcome = await wire.ask(address, "set", notice);
    await settle();
    return outcome;
  };
  return { ...at, faults, settle, up, asked, tell, address, registry, says: (how: Says) => (says = how) };
}

const claimedBy = (jid: typeof anna, isPublic = true) => buildClaimed({ jid, public: isPublic });
const noticeOf = (jid: typeof anna, isPublic = true) => buildClaimed({ jid, node, public: isPublic });

describe("a Registry that has not finished with forgetting the owner of a node", () => {
  test("D-E17: is asked again after 1, 2, 4, 8 and 16 s, and the node is nobody's until then", async () => {
    const { thing, clock, up, asked, tell, says, settle } = await concentrator();
    const wire = await up();
    await tell(wire, noticeOf(anna));
    expect(ownershipOf(thing)).toMatchObject({ is: "claimed", owner: anna });
    says((payload) => (payload.is("register") ? claimedBy(anna) : undefined));
    const from = asked(wire).length;
    await tell(wire, buildDisowned({ node }));
    const tries = (): number => asked(wire).slice(from).length;
    expect(tries()).toBe(1);
    for (const [after, wait] of [1_000, 2_000, 4_000, 8_000].entries()) {
      await clock.advance(wait - 1);
      expect(tries()).toBe(after + 1);
      await clock.advance(1);
      await settle();
      expect([tries(), ownershipOf(thing)]).toEqual([after + 2, expect.objectContaining({ disownedBy: anna })]);
    }
    says(() => undefined);
    await clock.advance(16_000);
    await settle();
    expect(ownershipOf(thing)).toEqual({ is: "registered", registry: component });
  });

  test("D-E17: D-3.17-8: hears that it is acknowledged before the node registers, also when the claim had just come", async () => {
    const { up, asked, says, address, settle } = await concentrator();
    const wire = await up();
    let isAcknowledged = false;
    const early: boolean[] = [];
    says((payload) => {
      early.push(payload.is("register") && !isAcknowledged);
      return undefined;
    });
    const claimed = wire.ask(address, "set", noticeOf(anna));
    const disowned = wire.ask(address, "set", buildDisowned({ node })).then(() => (isAcknowledged = true));
    await settle();
    await Promise.all([claimed, disowned]);
    await settle();
    expect(asked(wire).at(-1)).toBe("register");
    expect(early).not.toContain(true);
    expect(early.length).toBeGreaterThan(0);
  });

  test("D-E17: is taken at its word in the end", async () => {
    const { thing, clock, up, tell, says, settle } = await concentrator();
    const wire = await up();
    await tell(wire, noticeOf(anna));
    says((payload) => (payload.is("register") ? claimedBy(anna) : undefined));
    await tell(wire, buildDisowned({ node }));
    for (const wait of [1_000, 2_000, 4_000, 8_000]) {
      await clock.advance(wait);
      await settle();
      expect(ownershipOf(thing)?.is).toBe("registered");
    }
    await clock.advance(16_000);
    await settle();
    expect(ownershipOf(thing)).toMatchObject({ is: "claimed", owner: anna });
  });

  test("D-E17: another owner in its answer is believed at once", async () => {
    const { thing, up, tell, says } = await concentrator();
    const wire = await up();
    await tell(wire, noticeOf(anna));
    says((payload) => (payload.is("register") ? claimedBy(bert) : undefined));
    await tell(wire, buildDisowned({ node }));
    expect(ownershipOf(thing)).toMatchObject({ is: "claimed", owner: bert });
  });
});

describe("a Registry that gives a node away that is somebody's", () => {
  test.each([
    ["the Thing", {}],
    ["a node", { node }],
  ])("D-E29: is not followed when it gives %s to the Thing, which could then never be claimed", async (_, which) => {
    const { thing, up, tell, faults } = await concentrator();
    const wire = await up();
    const own = buildClaimed({ jid: wire.jid.bare, public: true, ...which });
    expect((await tell(wire, own)).type).toBe("result");
    expect([thing.state.ownership.is, ownershipOf(thing)?.is]).toEqual(["registered", "registered"]);
    expect(faults).toEqual([expect.stringMatching(/^owner-change-ignored: .*the Thing itself/)]);
    expect([thing.claimText, thing.nodes[0]?.claimText]).not.toContain("");
  });

  test("D-E29: is acknowledged and not followed, and people are told", async () => {
    const { thing, up, tell, faults } = await concentrator();
    const wire = await up();
    await tell(wire, noticeOf(anna));
    expect((await tell(wire, noticeOf(bert))).type).toBe("result");
    expect(ownershipOf(thing)).toMatchObject({ owner: anna });
    expect(faults).toEqual([
      `owner-change-ignored: ${component} says that the node a belongs to ${bert}, but it belongs to ${anna}, and was not disowned: it stays so`,
    ]);
  });

  test("that was its own is told of once, and asked no more on that stream", async () => {
    const storage = await closedStorage();
    const first = await concentrator({ storage, nodes: [{ ...node, selfOwned: true }] });
    await first.up();
    // Kept, since its tags were changed.
    expect(ownershipOf(first.thing)?.is).toBe("selfOwned");
    await first.tell(await first.up(), buildRemoved({ node }));
    await first.thing.stop();
    const next = await concentrator({ storage, nodes: [node] });
    next.says((payload) => (payload.is("register") ? claimedBy(bert) : undefined));
    const wire = await next.up();
    expect(next.asked(wire)).toEqual(["register"]);
    expect(next.faults.filter((fault) => fault.startsWith("owner-change-ignored"))).toHaveLength(1);
    expect(ownershipOf(next.thing)?.is).toBe("selfOwned");
  });
});

describe("a Registry that does not unregister", () => {
  test("D-3.16-2: a node that is added again is registered nevertheless, if nobody owns it there", async () => {
    const { thing, up, down, says, asked, faults } = await concentrator();
    says((payload) => (payload.is("unregister") ? { error: "feature-not-implemented" } : undefined));
    await up();
    await down();
    await thing.removeNode(node);
    await thing.addNode(node);
    const wire = await up();
    expect(asked(wire)).toEqual(["unregister", "register", "register"]);
    expect(ownershipOf(thing)).toEqual({ is: "registered", registry: component });
    expect(faults).toEqual([]);
  });

  test("D-3.16-2: and that names the owner of before keeps it nobody's: it is told, and tried again", async () => {
    const { thing, clock, up, down, says, tell, faults, settle } = await concentrator();
    await tell(await up(), noticeOf(anna));
    await down();
    await thing.removeNode(node);
    await thing.addNode(node);
    says((payload) => {
      if (payload.is("unregister")) return { error: "not-allowed" };
      return payload.is("register") ? claimedBy(anna) : undefined;
    });
    await up();
    expect(faults.join()).toContain("registry: node a: the Registry still says that the node belongs to somebody");
    expect(ownershipOf(thing)).toMatchObject({ is: "unregistered", leaving: { registry: component } });
    says(() => undefined);
    await clock.advance(60_000);
    await settle();
    expect(ownershipOf(thing)).toEqual({ is: "registered", registry: component });
  });

  test("D-3.16-2: a node that is gone is told once, and taken out when it does", async () => {
    const { thing, clock, up, says, asked, faults, settle } = await concentrator();
    const wire = await up();
    says(() => ({ error: "not-allowed" }));
    void thing.removeNode(node, { timeout: 1 });
    await settle();
    for (let turn = 0; turn < 3; turn++) {
      await clock.advance(20_000);
      await settle();
    }
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain("registry: node a");
    says(() => undefined);
    await clock.advance(300_000);
    await settle();
    const tries = asked(wire).length;
    await clock.advance(900_000);
    expect(asked(wire)).toHaveLength(tries);
  });
});

describe("tags of a node of which the Registry did not say that it has them", () => {
  const updates = (wire: ScriptedWire, from: number): string[] =>
    wire
      .asked(component, "update")
      .slice(from)
      .flatMap((update) => update.getChildElements())
      .map(({ attrs }) => `${attrs["name"]}=${attrs["value"]}`);

  test("D-3.13-1: are told again, also where the program wants what was told before", async () => {
    const { thing, clock, up, down, tell, says, settle } = await concentrator();
    const wire = await up();
    await tell(wire, noticeOf(anna));
    await thing.updateTags({ ROOM: "Cellar" }, { node });
    says((payload) => (payload.is("update") ? "silent" : undefined));
    const from = wire.asked(component, "update").length;
    const late = thing.updateTags({ ROOM: "Attic" }, { node, timeout: 5_000 }).catch((error: unknown) => error);
    await settle();
    await clock.advance(5_000);
    expect(await late).toMatchObject({ code: "ERR_TIMEOUT" });
    expect(updates(wire, from)).toEqual(["ROOM=Attic"]);
    await down();
    await thing.updateTags({ ROOM: "Cellar" }, { node });
    says(() => undefined);
    const next = await up();
    expect(updates(next, 0)).toEqual(["ROOM=Cellar"]);
    await down();
    expect(updates(await up(), 0)).toEqual([]);
  });
});

describe("D-5.3-1: a Registry that is an account, and the nodes", () => {
  const hosted = bareJid("registry@example.org");
  const ended = (wire: ScriptedWire): string[] =>
    wire
      .asked(account, "query")
      .flatMap((query) => query.getChildElements())
      .filter((item) => item.attrs["subscription"] === "remove")
      .map((item) => item.attrs["jid"] ?? "");

  async function claimedPrivately() {
    const at = await concentrator({ provisioning: { owner: false } }, hosted);
    const wire = await at.up();
    const comes = async (): Promise<void> => {
      await at.appears(wire, hosted, ns.discovery);
      wire.peer(at.address, (payload) => {
        if (!payload.is("query")) return undefined;
        return buildInfo({ identities: [], features: [ns.discovery] });
      });
      await at.settle();
    };
    await comes();
    return { ...at, wire, comes };
  }

  test("D-E14: stays a friend while a node needs it, also if the Thing itself does not; then it is none", async () => {
    const { wire, tell, thing, roster } = await claimedPrivately();
    expect(ownershipOf(thing)).toEqual({ is: "registered", registry: hosted });
    await tell(wire, claimedBy(anna, false));
    expect(thing.state.ownership).toMatchObject({ is: "claimed", keyEmptied: true });
    expect(ended(wire)).toEqual([]);
    await tell(wire, noticeOf(bert, false));
    expect(ownershipOf(thing)).toMatchObject({ is: "claimed", keyEmptied: true });
    expect([ended(wire), roster.has(hosted)]).toEqual([[hosted], false]);
  });

  test("D-E14: is befriended again to register a node that is added, and left when that is removed", async () => {
    const { wire, tell, thing, comes, settle } = await claimedPrivately();
    await tell(wire, claimedBy(anna, false));
    await tell(wire, noticeOf(bert, false));
    const asked = (): number => wire.presences.filter((one) => one === `subscribe ${hosted}`).length;
    const before = asked();
    await thing.addNode({ nodeId: "b" });
    await settle();
    expect(asked()).toBe(before + 1);
    await comes();
    expect(thing.nodes[1]?.ownership).toEqual({ is: "registered", registry: hosted });
    expect(ended(wire)).toHaveLength(1);
    await thing.removeNode({ nodeId: "b" });
    await settle();
    expect(ended(wire)).toHaveLength(2);
  });

  test("D-E14: stays a friend of a Thing that needs it, whatever becomes of the nodes", async () => {
    const { wire, tell, thing, settle } = await claimedPrivately();
    await tell(wire, noticeOf(bert, false));
    await thing.removeNode(node);
    await settle();
    expect(ended(wire)).toEqual([]);
  });
});
