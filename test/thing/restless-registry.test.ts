// A Registry that changes whose a Thing is again and again (XEP-0347 3.9, 3.17): what that costs the disk is bounded.
import { afterEach, describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { buildClaimed, buildDisowned } from "../../src/codec/iot-discovery.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { Outcome, ScriptedWire } from "../support/scripted-wire.ts";
import { owner, registry, thief } from "./life.ts";
import { closedStorage, scriptedThing, stopThings } from "./scripted-thing.ts";

afterEach(stopThings);

const node = { nodeId: "a" };
// What is allowed at once, and each again.
const AT_ONCE = 30;
const EACH = 120_000;
// The newest fault is kept.
const THE_FAULT = 1;

async function underIt(options: Partial<ThingOptions> = {}) {
  const storage = await closedStorage();
  const at = await scriptedThing({ storage, tags: { SN: "1" }, ...options });
  const wire = await at.up();
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 8; turn++) await at.clock.advance(0);
  };
  await settle();
  const faults: string[] = [];
  at.thing.on("fault", ({ code }) => faults.push(code));
  /** Claimed and disowned in turns, so often; what came of each. */
  const shake = async (wire: ScriptedWire, times: number, which: { node?: typeof node } = {}): Promise<Outcome[]> => {
    const outcomes: Outcome[] = [];
    for (let round = 0; round < times; round++) {
      outcomes.push(await wire.ask(registry, "set", buildClaimed({ jid: owner, public: true, ...which })));
      await settle();
      outcomes.push(await wire.ask(registry, "set", buildDisowned(which)));
      await settle();
    }
    return outcomes;
  };
  const writes = (): number => storage.done.length;
  return { ...at, wire, settle, faults, shake, writes };
}

const refused = (outcomes: readonly Outcome[]): number =>
  outcomes.filter(({ condition }) => condition === "resource-constraint").length;

describe("a Registry that claims and disowns a Thing in turns", () => {
  test("is followed as often as people could want it, then refused to be heard until later, and people are told", async () => {
    const { wire, shake, writes, faults, thing } = await underIt();
    expect(refused(await shake(wire, AT_ONCE / 2))).toBe(0);
    const before = writes();
    const outcomes = await shake(wire, 100);
    // The claims are; what is disowned already has nobody to lose.
    expect(outcomes.map(({ condition, errorType }) => `${errorType} ${condition}`).slice(0, 2)).toEqual([
      "wait resource-constraint",
      " ",
    ]);
    expect(refused(outcomes)).toBe(100);
    expect(writes() - before).toBeLessThanOrEqual(THE_FAULT);
    expect([thing.state.ownership.is, faults[0]]).toEqual(["registered", "registry-restless"]);
  });

  test("has one change more after each two minutes, and that in a whole day is little to a disk", async () => {
    const { clock, wire, shake, writes, settle } = await underIt();
    await shake(wire, AT_ONCE / 2);
    const before = writes();
    for (let minute = 0; minute < 120; minute++) {
      await clock.advance(EACH / 2);
      await settle();
      await shake(wire, 2);
    }
    expect(writes() - before).toBeGreaterThan(60);
    expect(writes() - before).toBeLessThan(60 * 8);
  });

  test("XEP-0347 3.6: a claim that was refused is asked for when it may be taken", async () => {
    const { clock, wire, shake, thing, settle } = await underIt();
    await shake(wire, AT_ONCE / 2);
    wire.peer(registry, (payload) =>
      payload.is("register") ? buildClaimed({ jid: thief, public: false }) : undefined,
    );
    const asked = wire.asked(registry, "register").length;
    const [claim] = await shake(wire, 1);
    expect(claim?.condition).toBe("resource-constraint");
    expect(wire.asked(registry, "register").length).toBe(asked);
    await clock.advance(EACH);
    await settle();
    expect(thing.state.ownership).toMatchObject({ is: "claimed", owner: thief });
  });

  test("by its answers, without a notice, is asked no faster", async () => {
    const { wire, shake, writes, settle } = await underIt();
    let owners = 0;
    wire.peer(registry, (payload) => {
      if (payload.is("register")) return buildClaimed({ jid: bareJid(`${++owners}@example.org`), public: true });
      return payload.is("update") ? buildDisowned({}) : undefined;
    });
    await shake(wire, 1);
    for (let turn = 0; turn < 100; turn++) await settle();
    const before = [writes(), wire.writes.length];
    for (let turn = 0; turn < 100; turn++) await settle();
    expect(owners).toBeLessThanOrEqual(AT_ONCE);
    expect([writes(), wire.writes.length]).toEqual(before);
  });

  test("is bounded for each node alike, and one node's changes are not another's", async () => {
    const { wire, shake, writes, faults, thing, clock, settle } = await underIt({
      nodes: [
        { ...node, tags: { SN: "a" } },
        { nodeId: "b", tags: { SN: "b" } },
      ],
    });
    expect(refused(await shake(wire, AT_ONCE / 2, { node }))).toBe(0);
    const before = writes();
    expect(refused(await shake(wire, 20, { node }))).toBe(20);
    expect(writes() - before).toBeLessThanOrEqual(THE_FAULT);
    expect(faults[0]).toBe("registry-restless");
    expect(refused(await shake(wire, 1, { node: { nodeId: "b" } }))).toBe(0);
    // Its turn comes again, for one change.
    await clock.advance(EACH);
    await settle();
    expect((await shake(wire, 1, { node })).map(({ type }) => type)).toEqual(["result", "error"]);
    expect(thing.nodes.map(({ ownership }) => ownership.is)).toEqual(["claimed", "registered"]);
  });
});
