import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { Refusal } from "../../src/core/refusal.ts";
import { buildSet, parseSetResponse, type ParameterSetting } from "../../src/codec/control.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import { parseError } from "../../src/codec/stanza.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import type { ControlContext, ControlParameter } from "../../src/control/definition.ts";
import { no, nodeSite, owner, reader, second, server, yes, type NodeDevice } from "../support/node-site.ts";
import { settled, type Outcome } from "../support/scripted-wire.ts";

const refs = (...ids: readonly string[]): readonly NodeRef[] => ids.map((nodeId) => ({ nodeId }));
const set = (nodes: readonly NodeRef[], names: readonly string[] = ["LED"]): XmlElement => {
  const parameters = names.map((name): ParameterSetting => ({ kind: "boolean", name, value: true }));
  return buildSet({ nodes, parameters, tokens: {} });
};

type Act = (of: string, name: string, context: ControlContext) => void | Promise<void>;

/** Lamps with two switches each, and what was done to them. */
function lamps(ids: readonly string[], act: Act = () => undefined) {
  const calls: string[] = [];
  const devices = ids.map((nodeId): NodeDevice => ({
    node: { nodeId },
    control: ["LED", "Fan"].map((name): ControlParameter => ({
      name,
      type: "boolean",
      set: (_, context) => {
        calls.push(`${nodeId} ${name}`);
        return act(nodeId, name, context);
      },
    })),
  }));
  return { calls, devices };
}

/** Takes so long, once for each call. */
const taking = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.schedule(ms, () => resolve()));

function answered({ payload, type, condition, text }: Outcome): unknown {
  if (type === "error") return { condition, text };
  const { nodes, parameters } = parseSetResponse(payload);
  return { nodes: nodes.map(({ nodeId }) => nodeId), parameters };
}
const nothing = (): void => undefined;
const all = { nodes: [], parameters: [] };

describe("a request to set parameters of nodes", () => {
  test("XEP-0325 3.4.2: is done on all that are named, each once, and acknowledged without lists", async () => {
    const { calls, devices } = lamps(["a", "b", "c"]);
    const { wire } = await nodeSite(devices);
    expect(answered(await wire.ask(reader, "set", set(refs("c", "a", "c"))))).toEqual(all);
    expect(calls).toEqual(["c LED", "a LED"]);
  });

  test("P-5.5-3: by a reference without a source is done on all nodes that it fits", async () => {
    const done: string[] = [];
    const { wire } = await nodeSite(
      ["house", "garage"].map((sourceId) => ({
        node: { nodeId: "m", sourceId },
        control: [{ name: "LED", type: "boolean" as const, set: () => void done.push(`${sourceId} LED`) }],
      })),
    );
    expect(answered(await wire.ask(reader, "set", set(refs("m"))))).toEqual(all);
    expect(done).toEqual(["house LED", "garage LED"]);
  });

  test("of a concentrator that has none itself must name a node; only those who may are told so", async () => {
    const { wire } = await nodeSite([{}, ...lamps(["a"]).devices]);
    expect(await wire.ask(reader, "set", set([]))).toMatchObject({ condition: "bad-request" });
    wire.peer(server, no);
    expect(await wire.ask("stranger@example.org/x", "set", set([]))).toMatchObject({ condition: "forbidden" });
  });

  test("without a node is done on the Thing itself and on no node", async () => {
    const thing: string[] = [];
    const { calls, devices } = lamps(["a"]);
    const own = { control: [{ name: "LED", type: "boolean" as const, set: () => void thing.push("LED") }] };
    const { wire } = await nodeSite([own, ...devices]);
    expect(answered(await wire.ask(reader, "set", set([])))).toEqual(all);
    expect([thing, calls]).toEqual([["LED"], []]);
  });

  test("P-3.4.2-5, P-3.4.2-6, P-3.4.2-7: is done on the nodes that are granted, and the caller is told on which", async () => {
    const { calls, devices } = lamps(["a", "b", "c"]);
    const { wire } = await nodeSite(devices);
    wire.peer(server, (question) => yes(question, refs("a", "c"), ["LED"]));
    const answer = await wire.ask(reader, "set", set(refs("a", "b", "c"), ["LED", "Fan"]));
    expect(answered(answer)).toEqual({ nodes: ["a", "c"], parameters: ["LED"] });
    expect(calls).toEqual(["a LED", "c LED"]);
  });

  test("P-E20: of pairs that several servers grant, what is acknowledged was all of it done", async () => {
    const { calls, devices } = lamps(["a", "b"]);
    const { wire } = await nodeSite(devices, [server, second]);
    wire.peer(server, (question) => yes(question, refs("a"), ["LED", "Fan"]));
    wire.peer(second, (question) => yes(question, refs("b"), ["Fan"]));
    const answer = await wire.ask(reader, "set", set(refs("a", "b"), ["LED", "Fan"]));
    expect([...calls].sort()).toEqual(["a Fan", "a LED", "b Fan"]);
    expect(answered(answer)).toEqual({ nodes: ["a"], parameters: [] });
  });

  test.each([
    ["names a node that is not there", refs("a", "x"), ["LED"], "item-not-found"],
    ["names a parameter that one of them does not have", refs("a", "b"), ["LED", "Door"], "item-not-found"],
  ])("XEP-0325 3.4.3: nothing at all is done when it %s", async (_, nodes, names, condition) => {
    const { calls, devices } = lamps(["a", "b"]);
    const { wire } = await nodeSite(devices);
    expect(await wire.ask(reader, "set", set(nodes, names))).toMatchObject({ condition });
    expect(calls).toEqual([]);
  });

  test("of a node that is not granted is refused alike, whether it is there or not", async () => {
    const { wire } = await nodeSite(lamps(["a", "b"]).devices);
    wire.peer(server, (question) => yes(question, refs("a")));
    const [there, gone] = await Promise.all(["b", "x"].map((id) => wire.ask(reader, "set", set(refs(id)))));
    expect(there).toMatchObject({ condition: "forbidden" });
    expect({ ...gone, write: [] }).toEqual({ ...there, write: [] });
    const beside = await Promise.all(["b", "x"].map((id) => wire.ask(reader, "set", set(refs("a", id)))));
    expect(beside.map(answered)).toEqual([
      { nodes: ["a"], parameters: [] },
      { nodes: ["a"], parameters: [] },
    ]);
  });

  test("is refused before anybody is asked when it names thousands of nodes", async () => {
    const { wire } = await nodeSite(lamps(["a"]).devices);
    const nodes = Array.from({ length: 1_001 }, () => ({ nodeId: "a" }));
    expect(await wire.ask(reader, "set", set(nodes))).toMatchObject({ condition: "not-acceptable" });
    expect(wire.asked(server)).toEqual([]);
  });

  test("is refused when a reference means more nodes than one request may set", async () => {
    const many = Array.from({ length: 1_001 }, (_, index) => ({ node: { nodeId: "m", sourceId: `s${index}` } }));
    const { wire } = await nodeSite(many);
    expect(await wire.ask(reader, "set", set(refs("m")))).toMatchObject({ condition: "not-acceptable" });
  });

  test("is the owner's where there is no server", async () => {
    const { wire } = await nodeSite(lamps(["a"]).devices, []);
    expect(answered(await wire.ask(`${owner}/x`, "set", set(refs("a"))))).toEqual(all);
    expect(await wire.ask(reader, "set", set(refs("a")))).toMatchObject({ condition: "forbidden" });
  });
});

describe("values for several nodes", () => {
  /** Outputs with a range of their own each, and what was done to them. */
  function outputs(...ranges: readonly ControlParameter[]) {
    const calls: string[] = [];
    const devices = ranges.map((range, index): NodeDevice => ({
      node: { nodeId: `n${index}` },
      control: [
        {
          ...range,
          set: (value: unknown) =>
            void calls.push(`n${index} ${value instanceof Date ? value.getTime() : String(value)}`),
        },
      ],
    }));
    return { calls, devices };
  }
  const set = (): void => undefined;
  const out = { name: "Output", set };
  const to = (setting: ParameterSetting): XmlElement =>
    buildSet({ nodes: refs("n0", "n1"), parameters: [setting], tokens: {} });

  test("XEP-0325 Listing 21: nothing is set if one of them has another type", async () => {
    const { calls, devices } = outputs({ ...out, type: "boolean" }, { ...out, type: "int" });
    const { wire } = await nodeSite(devices);
    const answer = await wire.ask(reader, "set", to({ kind: "boolean", name: "Output", value: true }));
    expect(parseError(answer.write[0]?.getChild("error"))).toEqual({
      condition: "bad-request",
      type: "modify",
      text: "Invalid parameter type: it is of type int.",
      parameters: [{ name: "Output", text: "Invalid parameter type: it is of type int." }],
    });
    expect(calls).toEqual([]);
  });

  test("XEP-0325 3.4.3: nothing is set if one of them does not take it, and each parameter is named once", async () => {
    const { calls, devices } = outputs({ ...out, type: "int", max: 10 }, { ...out, type: "int", max: 5 });
    const { wire } = await nodeSite(devices);
    const answer = await wire.ask(reader, "set", to({ kind: "int", name: "Output", value: 7 }));
    expect(parseError(answer.write[0]?.getChild("error")).parameters).toEqual([
      { name: "Output", text: "Invalid parameter value: it takes 5 at most." },
    ]);
    expect(calls).toEqual([]);
    expect(answered(await wire.ask(reader, "set", to({ kind: "int", name: "Output", value: 5 })))).toEqual(all);
    expect(calls).toEqual(["n0 5", "n1 5"]);
  });

  test("P-3.4.2-6, XEP-0325 3.4.3: of a node that is not granted nothing is checked: nobody finds out what it takes", async () => {
    const { calls, devices } = outputs({ ...out, type: "int" }, { ...out, type: "color" });
    const { wire } = await nodeSite(devices);
    wire.peer(server, (question) => yes(question, refs("n0")));
    const answer = await wire.ask(reader, "set", to({ kind: "int", name: "Output", value: 7 }));
    expect(answered(answer)).toEqual({ nodes: ["n0"], parameters: [] });
    expect(calls).toEqual(["n0 7"]);
  });

  test("P-3.5.1-5: a right that is taken back between the check and the last of many nodes holds for those that follow", async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `n${index}`);
    const { calls, devices } = outputs(...ids.map((): ControlParameter => ({ ...out, type: "dateTime" })));
    const ends: (() => void)[] = [];
    const slow = devices.map(({ control = [], ...device }) => ({
      ...device,
      control: control.map((parameter) => ({
        ...parameter,
        set: async (...given: readonly unknown[]) => {
          await (parameter.set as (...args: readonly unknown[]) => unknown)(...given);
          await new Promise<void>((end) => ends.push(end));
        },
      })),
    }));
    const { wire, cache } = await nodeSite(slow);
    const value = "2013-04-02T08:00:00Z";
    const asking = wire.ask(
      reader,
      "set",
      buildSet({ nodes: refs(...ids), parameters: [{ kind: "dateTime", name: "Output", value }], tokens: {} }),
    );
    await settled();
    expect(calls).toHaveLength(8);
    wire.peer(server, (question) => yes(question, refs(...ids.slice(0, 8), "n19")));
    await cache.clear();
    for (let round = 0; round < 3; round++) {
      for (const end of ends.splice(0)) end();
      await settled();
    }
    expect(answered(await asking)).toEqual({ nodes: [...ids.slice(0, 8), "n19"], parameters: [] });
    expect(calls).toEqual([...ids.slice(0, 8), "n19"].map((id) => `${id} ${Date.parse(value)}`));
  });
});

describe("each node has a hand of its own", () => {
  test("no two calls for a node overlap, though those for others go on; never more than eight at once", async () => {
    const busy = new Map<string, number>();
    const seen = { overlap: 0, at: 0 };
    const { clock, wire } = await nodeSite(
      (time) =>
        lamps(
          Array.from({ length: 20 }, (_, index) => `n${index}`),
          async (of) => {
            busy.set(of, (busy.get(of) ?? 0) + 1);
            seen.overlap = Math.max(seen.overlap, busy.get(of) ?? 0);
            seen.at = Math.max(seen.at, [...busy.values()].filter((count) => count > 0).length);
            await taking(time, 100);
            busy.set(of, (busy.get(of) ?? 0) - 1);
          },
        ).devices,
    );
    const ids = Array.from({ length: 20 }, (_, index) => `n${index}`);
    const asking = Promise.all([
      wire.ask(reader, "set", set(refs(...ids), ["LED", "Fan"])),
      wire.ask(reader, "set", set(refs("n0", "n1"))),
    ]);
    for (let step = 0; step < 12; step++) await clock.advance(100);
    expect((await asking).map(answered)).toEqual([all, all]);
    expect(seen.overlap).toBe(1);
    expect(seen.at).toBeLessThanOrEqual(10); // eight of one request, two of the other
  });

  test("one that fails is told of with all that was done by then, and what was not begun is not", async () => {
    const ids = Array.from({ length: 12 }, (_, index) => `n${index}`);
    const { clock, wire, trouble } = await nodeSite(
      (time) =>
        lamps(ids, async (of) => {
          if (of === "n1") throw new Refusal("resource-constraint", "Too hot.");
          await taking(time, 100);
        }).devices,
    );
    const asking = wire.ask(reader, "set", set(refs(...ids)));
    await clock.advance(100);
    await clock.advance(100);
    expect(answered(await asking)).toEqual({
      condition: "resource-constraint",
      text: `Too hot. Already set: ${[0, 2, 3, 4, 5, 6, 7].map((n) => `LED of node "n${n}"`).join(", ")}.`,
    });
    expect(trouble).toEqual([]);
  });

  test("of many that were set before only some are told by name", async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `n${index}`);
    const { wire } = await nodeSite(
      lamps(ids, (of) => {
        if (of === "n29") throw new Refusal("resource-constraint", "Too hot.");
      }).devices,
    );
    const { text } = await wire.ask(reader, "set", set(refs(...ids)));
    expect(text).toMatch(/^Too hot\. Already set: (LED of node "n\d+", ){20}and \d more\.$/);
  });

  test("one that breaks, and one that takes too long, are named to the program", async () => {
    const { clock, wire, trouble } = await nodeSite(
      lamps(["a", "b"], (of) => {
        if (of === "a") throw new Error("the wire is cut");
        return new Promise(() => undefined);
      }).devices,
    );
    const asking = wire.ask(reader, "set", set(refs("a", "b")));
    await clock.advance(8_500);
    expect(await asking).toMatchObject({ condition: "internal-server-error" });
    expect(trouble).toEqual([
      '"LED" of node "a" could not be set: the wire is cut',
      'setting "LED" of node "b" took too long',
    ]);
  });

  test("P-3.5.1-5: what is not granted any more when its turn comes is not set, and not acknowledged", async () => {
    const ids = ["a", "b"];
    const log: string[] = [];
    const { clock, wire, cache } = await nodeSite(
      (time) =>
        lamps(ids, async (of, name) => {
          log.push(`${of} ${name}`);
          await taking(time, 1_000);
        }).devices,
    );
    const asking = wire.ask(reader, "set", set(refs(...ids), ["LED", "Fan"]));
    await clock.advance(500);
    wire.peer(server, (question) => yes(question, refs("a", "b"), ["LED"]));
    await cache.clear();
    await clock.advance(2_000);
    expect(answered(await asking)).toEqual({ nodes: [], parameters: ["LED"] });
    expect(log).toEqual(["a LED", "b LED"]);
  });

  test("that is taken away while a request waits for its turn is not set, and not acknowledged", async () => {
    const { calls, devices } = lamps(["a", "b"]);
    const ends: (() => void)[] = [];
    const slow = { name: "Slow", set: () => new Promise<void>((end) => ends.push(end)) };
    const [a, b] = devices.map((one) => ({ ...one, control: [slow, ...(one.control ?? [])] }));
    const { wire, devices: index } = await nodeSite([a, b] as readonly NodeDevice[]);
    const asking = wire.ask(reader, "set", set(refs("a", "b"), ["Slow", "LED"]));
    await settled();
    index.delete(b as NodeDevice);
    for (const end of ends) end();
    expect(answered(await asking)).toEqual({ nodes: ["a"], parameters: [] });
    expect(calls).toEqual(["a LED"]);
  });

  test("P-3.5.1-5: a node that is not granted any more while it is set ends the request", async () => {
    const { clock, wire, cache } = await nodeSite(
      lamps(
        ["a", "b"],
        (_, __, { signal }) =>
          new Promise((__resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
      ).devices,
    );
    const asking = wire.ask(reader, "set", set(refs("a", "b")));
    await clock.advance(500);
    wire.peer(server, (question) => yes(question, refs("b")));
    await cache.clear();
    expect(await asking).toMatchObject({ condition: "forbidden" });
  });
});

describe("how much one request may set", () => {
  const names = Array.from({ length: 100 }, (_, index) => `P${index}`);
  const ids = Array.from({ length: 101 }, (_, index) => `n${index}`);
  const site = async (granted: readonly NodeRef[] = []) => {
    const calls: string[] = [];
    const control = names.map((name): ControlParameter => ({ name, set: () => void calls.push(name) }));
    const here = await nodeSite(ids.map((nodeId) => ({ node: { nodeId }, control })));
    here.wire.peer(server, (question) => yes(question, granted));
    return { ...here, calls };
  };

  test("is 10,000 values, each counted on each node; of more none is set", async () => {
    const { wire, calls } = await site();
    const text = "Too many values for one request: name fewer nodes or parameters.";
    expect(answered(await wire.ask(reader, "set", set(refs(...ids), names)))).toEqual({
      condition: "not-acceptable",
      text,
    });
    expect(calls).toEqual([]);
    expect(answered(await wire.ask(reader, "set", set(refs(...ids.slice(1)), names)))).toEqual(all);
    expect(calls).toHaveLength(10_000);
  });

  test("does not count what the caller may not set, and is told to nobody who may set nothing", async () => {
    const { wire, calls } = await site(refs("n3"));
    expect(answered(await wire.ask(reader, "set", set(refs(...ids), names)))).toEqual({
      nodes: ["n3"],
      parameters: [],
    });
    expect(calls).toHaveLength(100);
    wire.peer(server, no);
    expect(answered(await wire.ask("stranger@example.org/x", "set", set(refs(...ids), names)))).toMatchObject({
      condition: "forbidden",
    });
  });

  test("is texts that patterns are done with in good time: nothing else goes on meanwhile", async () => {
    const calls: string[] = [];
    const { wire } = await nodeSite(
      ids.map((nodeId): NodeDevice => ({
        node: { nodeId },
        control: [
          { name: "Text", type: "string", pattern: "([a-z]{1,30} ?){20}", set: () => void calls.push(nodeId) },
          { name: "Choice", type: "string", options: ["a".repeat(1_000)], set: () => void calls.push(nodeId) },
        ],
      })),
    );
    const asking = (name: string, nodes: readonly string[], value: string): Promise<Outcome> =>
      wire.ask(
        reader,
        "set",
        buildSet({ nodes: refs(...nodes), parameters: [{ kind: "string", name, value }], tokens: {} }),
      );
    expect(answered(await asking("Text", ids, "a".repeat(1_000)))).toMatchObject({ condition: "not-acceptable" });
    expect(calls).toEqual([]);
    expect(answered(await asking("Text", ids.slice(0, 50), "a b c d e f g h i j k l m n o p q r s t"))).toEqual(all);
    expect(answered(await asking("Choice", ids, "a".repeat(1_000)))).toEqual(all);
    expect(calls).toHaveLength(151);
  });

  test("XEP-0325 3.1.3: is told what is wrong with it as far as an answer holds it, long options left out", async () => {
    const names = Array.from({ length: 400 }, (_, index) => `P${index}`);
    const options = (first: number): string[] =>
      Array.from({ length: 12 }, (_, index) => String(first + index).padEnd(80));
    const control = names.map((name): ControlParameter => ({
      name,
      type: "string",
      options: options(100),
      set: nothing,
    }));
    const long: ControlParameter = {
      ...{ name: "Long", type: "string", set: nothing },
      ...{ maxLength: 5_000, options: ["on", "x".repeat(5_000), "y".repeat(5_000)] },
    };
    const { wire } = await nodeSite([{ control: [...control, long] }]);
    const asking = (...wrong: readonly string[]): Promise<Outcome> => {
      const parameters = wrong.map((name): ParameterSetting => ({ kind: "string", name, value: "off" }));
      return wire.ask(reader, "set", buildSet({ nodes: [], parameters, tokens: {} }));
    };
    const { condition, write } = await asking(...names);
    expect(condition).toBe("bad-request");
    expect(Buffer.byteLength(String(write[0]))).toBeLessThan(10_000);
    expect(write[0]?.getChild("error")?.getChildren("paramError")).toHaveLength(8);
    expect((await asking("Long")).text).toBe("Invalid parameter value: it takes one of on, ….");
  });
});
