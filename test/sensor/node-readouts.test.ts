import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { buildReq, type ReadRequest } from "../../src/codec/sensor-data.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import type { SensorDefinition } from "../../src/sensor/definition.ts";
import {
  no,
  nodeSite,
  nodesIn,
  owner,
  quick,
  reader,
  second,
  sensing,
  server,
  told,
  yes,
  type NodeDevice,
} from "../support/node-site.ts";
import { settled, type Outcome } from "../support/scripted-wire.ts";

const node = (nodeId: string, parts: Partial<NodeDevice> = {}): NodeDevice => ({ node: { nodeId }, ...parts });
const meters = ["a", "b", "c"].map((id) => node(id, { sensor: quick() }));
const refs = (...ids: readonly string[]): readonly NodeRef[] => ids.map((nodeId) => ({ nodeId }));

const req = (nodes: readonly NodeRef[], parts: Partial<ReadRequest> = {}): XmlElement =>
  buildReq({ seqnr: 7, types: new Set(["momentary"]), nodes, fields: [], tokens: {}, ...parts });

const inWrite = ({ write }: Outcome): readonly string[] => told(write.slice(1));

/** A sensor that takes so many milliseconds of the clock. */
const taking = (clock: Clock, ms: number): SensorDefinition =>
  sensing(async () => {
    await new Promise<void>((resolve) => clock.schedule(ms, resolve));
    return [{ name: "Temperature", value: 21 }];
  });

describe("a readout of nodes", () => {
  test("P-5.5-2: that are named is answered node by node, and done is said at the end", async () => {
    const { wire } = await nodeSite(meters);
    expect(inWrite(await wire.ask(reader, "get", req(refs("c", "a"))))).toEqual([
      "c: Temperature, a: Temperature, done",
    ]);
  });

  test("P-5.5-3: by a reference without a source is one of all nodes it fits, each named by all its parts", async () => {
    const { wire } = await nodeSite([
      { node: { nodeId: "m", sourceId: "house" }, sensor: quick() },
      { node: { nodeId: "m", sourceId: "house", cacheType: "Power" }, sensor: quick() },
      { node: { nodeId: "m", sourceId: "garage" }, sensor: quick() },
      { node: { nodeId: "n", sourceId: "house" }, sensor: quick() },
    ]);
    const answer = await wire.ask(reader, "get", req([{ nodeId: "m", sourceId: "house" }, { nodeId: "m" }]));
    const nodes = answer.write[1]?.getChildElements()[0]?.getChildElements();
    expect(nodes?.map(({ attrs }) => attrs)).toEqual([
      { nodeId: "m", sourceId: "house" },
      { nodeId: "m", sourceId: "house", cacheType: "Power" },
      { nodeId: "m", sourceId: "garage" },
    ]);
  });

  test("XEP-0323 3.3: a concentrator that is no sensor is not read without naming a node, by whom may read", async () => {
    const { wire } = await nodeSite([{}, ...meters]);
    expect(await wire.ask(reader, "get", req([]))).toMatchObject({ condition: "bad-request", errorType: "modify" });
    expect(await wire.ask(reader, "get", req(refs("")))).toMatchObject({ condition: "bad-request" });
    wire.peer(server, no);
    expect(await wire.ask("stranger@example.org/x", "get", req([]))).toMatchObject({ condition: "forbidden" });
  });

  test("without a node is one of the Thing itself, and of no node", async () => {
    const { wire } = await nodeSite([{ sensor: quick() }, ...meters]);
    expect(inWrite(await wire.ask(reader, "get", req([])))).toEqual([": Temperature, done"]);
  });

  test.each([
    ["P-3.3.2-4, P-3.3.2-5: is one of those only that are granted", refs("b"), "b: Temperature, done"],
    ["P-3.3.2-2: is one of all of them if the answer names none", [], "a: Temperature, b: Temperature, done"],
  ])("%s", async (_, nodes, expected) => {
    const { wire } = await nodeSite(meters);
    wire.peer(server, (question) => yes(question, nodes));
    expect(inWrite(await wire.ask(reader, "get", req(refs("a", "b"))))).toEqual([expected]);
  });

  test("P-3.3.3-6, P-E19, P-E20: is one of pairs of node and field that one server grants as a whole", async () => {
    const fields = [{ name: "X" }, { name: "Y" }];
    const sensor: SensorDefinition = { fields, read: () => fields.map(({ name }) => ({ name, value: 1 })) };
    const { wire } = await nodeSite([node("a", { sensor }), node("b", { sensor })], [server, second]);
    wire.peer(server, (question) => yes(question, refs("a"), ["X"]));
    wire.peer(second, (question) => yes(question, refs("b"), ["Y"]));
    expect(inWrite(await wire.ask(reader, "get", req(refs("a", "b"))))).toEqual(["a: X, b: Y, done"]);
  });

  test("that are not there is told to those who may read, and to nobody else", async () => {
    const { wire } = await nodeSite(meters);
    expect(await wire.ask(reader, "get", req(refs("x")))).toMatchObject({ condition: "item-not-found" });
    wire.peer(server, no);
    const strange = "stranger@example.org/x";
    const [there, gone] = await Promise.all(
      ["a", "x"].map((id, seqnr) => wire.ask(strange, "get", req(refs(id), { seqnr }))),
    );
    expect(there).toMatchObject({ condition: "forbidden" });
    expect({ ...gone, write: [] }).toEqual({ ...there, write: [] });
  });

  test("that is not granted is not told from one that is not there, beside one that is granted", async () => {
    const { wire } = await nodeSite(meters);
    wire.peer(server, (question) => yes(question, refs("a")));
    const answers = await Promise.all(
      ["b", "x"].map((id, seqnr) => wire.ask(reader, "get", req(refs("a", id), { seqnr }))),
    );
    expect(answers.map(inWrite)).toEqual([["a: Temperature, done"], ["a: Temperature, done"]]);
  });

  test("without a sensor is accepted, and there is nothing to show", async () => {
    const { wire } = await nodeSite([node("shelf")]);
    expect(inWrite(await wire.ask(reader, "get", req(refs("shelf"))))).toEqual(["done"]);
  });

  test("is one of the owner where there is no server", async () => {
    const { wire } = await nodeSite(meters, []);
    expect(inWrite(await wire.ask(`${owner}/x`, "get", req(refs("a"))))).toEqual(["a: Temperature, done"]);
    expect(await wire.ask(reader, "get", req(refs("a")))).toMatchObject({ condition: "forbidden" });
  });
});

describe("XEP-0323 5.8: a readout of a node above others", () => {
  const house = [
    node("house"),
    node("floor", { parentId: "house", sensor: quick() }),
    node("room", { parentId: "floor", sensor: quick() }),
    node("shed", { sensor: quick() }),
  ];

  test("is one of those below it too, all the way down, each asked about by name", async () => {
    const { wire } = await nodeSite(house);
    expect(inWrite(await wire.ask(reader, "get", req(refs("house"))))).toEqual([
      "floor: Temperature, room: Temperature, done",
    ]);
    expect(wire.asked(server).map(nodesIn)).toEqual([["house"], ["floor", "room"]]);
  });

  test("X-E6: shows none below it that is not granted itself", async () => {
    const { wire } = await nodeSite(house);
    wire.peer(server, (question) => yes(question, refs("house", "room")));
    expect(inWrite(await wire.ask(reader, "get", req(refs("house"))))).toEqual(["room: Temperature, done"]);
    wire.peer(server, (question) => (nodesIn(question).includes("house") ? yes(question) : no(question)));
    const other = await wire.ask("other@example.org/x", "get", req(refs("house", "shed")));
    expect(inWrite(other)).toEqual(["shed: Temperature, done"]);
  });

  test("P-E28: says that nobody could be asked about those below it", async () => {
    const { wire } = await nodeSite(house);
    wire.peer(server, (question) =>
      nodesIn(question).includes("house") ? yes(question) : { error: "internal-server-error" },
    );
    expect(await wire.ask(reader, "get", req(refs("house")))).toMatchObject({ condition: "resource-constraint" });
  });

  test("that is accepted too late for its answer is given up: its number and its place are free, its sensor is told to stop", async () => {
    const stopped: string[] = [];
    const { wire, clock, guard } = await nodeSite((time) => [
      node("house"),
      node("room", {
        parentId: "house",
        sensor: sensing(async ({ signal }) => {
          signal.addEventListener("abort", () => stopped.push("room"));
          await new Promise<void>((resolve) => time.schedule(20_000, resolve));
          return [{ name: "Temperature", value: 21 }];
        }),
      }),
    ]);
    wire.peer(server, async (question) => {
      await new Promise<void>((resolve) =>
        clock.schedule(nodesIn(question).includes("house") ? 5_000 : 3_800, resolve),
      );
      return nodesIn(question).includes("house") ? yes(question, refs("house")) : yes(question);
    });
    const asking = wire.ask(reader, "get", req(refs("house")));
    await clock.advance(5_000);
    await clock.advance(3_800);
    await clock.advance(200);
    expect(await asking).toMatchObject({ condition: "resource-constraint" });
    await clock.advance(500);
    expect([stopped, guard.running.count]).toEqual([["room"], 0]);
    expect(told(wire.messages)).toEqual([]);
    const again = wire.ask(reader, "get", req(refs("house")));
    await clock.advance(20_000);
    expect((await again).type).toBe("result");
    expect([told(wire.messages), guard.running.count, clock.pending]).toEqual([["room: Temperature, done"], 0, 0]);
  });

  test("comes to an end where nodes stand above each other", async () => {
    const { wire } = await nodeSite([
      node("hen", { parentId: "egg", sensor: quick() }),
      node("egg", { parentId: "hen", sensor: quick() }),
    ]);
    expect(inWrite(await wire.ask(reader, "get", req(refs("egg"))))).toEqual([
      "egg: Temperature, hen: Temperature, done",
    ]);
  });

  test("is refused when there are more below it than one request may read", async () => {
    const many = Array.from({ length: 1_001 }, (_, index) => node(`n${index}`, { parentId: "house", sensor: quick() }));
    const { wire } = await nodeSite([node("house"), ...many]);
    expect(await wire.ask(reader, "get", req(refs("house")))).toMatchObject({ condition: "not-acceptable" });
  });
});

describe("nodes that take different times", () => {
  test("XEP-0323 3.5: the quick ones are not held up; done is in the last message and in no other", async () => {
    const { wire, clock } = await nodeSite((time) => [
      node("slow", { sensor: taking(time, 5_000) }),
      node("quick", { sensor: quick() }),
      node("slower", { sensor: taking(time, 20_000) }),
    ]);
    const asking = wire.ask(reader, "get", req(refs("slow", "quick", "slower")));
    await clock.advance(500);
    expect(inWrite(await asking)).toEqual(["quick: Temperature"]);
    await clock.advance(5_000);
    expect(told(wire.messages)).toEqual(["quick: Temperature", "slow: Temperature"]);
    await clock.advance(20_000);
    expect(told(wire.messages)).toEqual(["quick: Temperature", "slow: Temperature", "slower: Temperature, done"]);
    expect(clock.pending).toBe(0);
  });

  test("one that fails is told of beside the others, and named to the program", async () => {
    const { wire, trouble } = await nodeSite([
      node("a", { sensor: quick() }),
      node("b", {
        sensor: sensing(() => {
          throw new Error("the wire is cut");
        }),
      }),
    ]);
    expect(inWrite(await wire.ask(reader, "get", req(refs("b", "a"))))).toEqual([
      "a: Temperature",
      "b! The readout failed., done",
    ]);
    expect(trouble).toEqual(['node "b": the readout failed: the wire is cut']);
  });

  test("never more than eight are read at once for one request, and each named a thousand times is read once", async () => {
    let now = 0;
    const most = { at: 0, calls: 0 };
    const { wire, clock } = await nodeSite((time) =>
      Array.from({ length: 100 }, (_, index) =>
        node(`n${index}`, {
          sensor: sensing(async () => {
            most.calls++;
            most.at = Math.max(most.at, ++now);
            await new Promise<void>((resolve) => time.schedule(100, resolve));
            now--;
            return [{ name: "Temperature", value: index }];
          }),
        }),
      ),
    );
    const nodes = Array.from({ length: 700 }, (_, index) => ({ nodeId: `n${index % 100}` }));
    const asking = wire.ask(reader, "get", req(nodes));
    for (let step = 0; step < 30; step++) await clock.advance(100);
    await asking;
    expect(most).toEqual({ at: 8, calls: 100 });
    const all = told(wire.messages);
    expect(all.join(", ").match(/Temperature/g)).toHaveLength(100);
    expect(all.map((one) => one.endsWith("done"))).toEqual([...all.slice(1).map(() => false), true]);
  });

  test("hundreds of quick ones come in messages of a bounded size", async () => {
    const { wire } = await nodeSite(Array.from({ length: 800 }, (_, index) => node(`n${index}`, { sensor: quick() })));
    const outcome = await wire.ask(reader, "get", req(Array.from({ length: 800 }, (_, i) => ({ nodeId: `n${i}` }))));
    await settled();
    expect(outcome.type).toBe("result");
    expect(Math.max(...wire.messages.map((message) => Buffer.byteLength(String(message))))).toBeLessThan(10_000);
    expect(wire.messages.length).toBeLessThan(40);
    expect(
      told(wire.messages)
        .join(", ")
        .match(/Temperature/g),
    ).toHaveLength(800);
  });

  test("the last of very many is told that time is up after five minutes; no sensor is blamed that was not read", async () => {
    const { wire, clock, trouble } = await nodeSite((time) =>
      Array.from({ length: 100 }, (_, index) => node(`n${index}`, { sensor: taking(time, 29_000) })),
    );
    void wire.ask(reader, "get", req(Array.from({ length: 100 }, (_, i) => ({ nodeId: `n${i}` }))));
    for (let second = 0; second < 320; second++) await clock.advance(1_000);
    expect(told(wire.messages).at(-1)).toMatch(/n99! Timeout\..*, done$/);
    expect(trouble).toEqual([]);
  });
});

describe("rights that are cleared while nodes are read (P-3.5.1-5)", () => {
  const three = (time: Clock): readonly NodeDevice[] =>
    ["a", "b", "c"].map((id, index) => node(id, { sensor: taking(time, 2_000 * (index + 1)) }));

  test("a node that is not granted any more is not shown, its sensor is told to stop, the others go on", async () => {
    const stopped: string[] = [];
    const { wire, clock, cache } = await nodeSite((time) => [
      ...three(time),
      node("d", {
        sensor: sensing(
          ({ signal }) =>
            new Promise(() => {
              signal.addEventListener("abort", () => stopped.push("d"));
            }),
        ),
      }),
    ]);
    void wire.ask(reader, "get", req(refs("a", "b", "c", "d")));
    await clock.advance(1_000);
    wire.peer(server, (question) => yes(question, refs("a", "c")));
    await cache.clear();
    await clock.advance(7_000);
    expect(stopped).toEqual(["d"]);
    expect(
      told(wire.messages)
        .join(" | ")
        .match(/\w: Temperature/g),
    ).toEqual(["a: Temperature", "c: Temperature"]);
    expect(String(wire.messages)).toContain('nodeId="d" timestamp');
    expect(told(wire.messages).at(-1)).toMatch(/done$/);
  });

  test("none that is granted any more: all that was not told yet is refused in one message", async () => {
    const { wire, clock, cache } = await nodeSite(three);
    void wire.ask(reader, "get", req(refs("a", "b", "c")));
    await clock.advance(2_600);
    wire.peer(server, no);
    await cache.clear();
    await clock.advance(8_000);
    expect(told(wire.messages)).toEqual(["a: Temperature", "b! Access denied., c! Access denied., done"]);
    expect(clock.pending).toBe(0);
  });

  test("P-3.2.3-3: are ended with the friendship", async () => {
    const { wire, clock, guard } = await nodeSite(three);
    void wire.ask(reader, "get", req(refs("a", "b")));
    await clock.advance(600);
    guard.running.end("reader@example.org" as typeof owner);
    await settled();
    expect(told(wire.messages)).toEqual(["a! Access denied., b! Access denied., done"]);
  });
});

describe("hostile requests", () => {
  test("with thousands of nodes are refused before anybody is asked", async () => {
    const { wire } = await nodeSite(meters);
    for (const length of [1_001, 5_000]) {
      const nodes = Array.from({ length }, () => ({ nodeId: "a" }));
      expect((await wire.ask(reader, "get", req(nodes))).condition).toMatch(/not-acceptable|resource-constraint/);
    }
    expect(wire.asked(server)).toEqual([]);
  });

  test("with any names, nothing is read that was not named and granted", async () => {
    const name = fc.oneof(
      fc.constantFrom("a", "b", "c", "", "__proto__", "constructor"),
      fc.string({ maxLength: 300 }),
    );
    const reference = fc.record({ nodeId: name, sourceId: name, cacheType: name }, { requiredKeys: ["nodeId"] });
    await fc.assert(
      fc.asyncProperty(fc.array(reference, { maxLength: 20 }), async (nodes) => {
        const { wire, clock } = await nodeSite(meters);
        wire.peer(server, (question) => yes(question, refs("a", "b")));
        const valid = nodes.filter((one) => isClean(one));
        const asking = wire.ask(reader, "get", req(valid));
        await clock.advance(1_000);
        await asking;
        const wanted = new Set(
          valid.filter(({ sourceId, cacheType }) => !sourceId && !cacheType).map(({ nodeId }) => nodeId),
        );
        const shown = [
          ...told(wire.messages)
            .join(" ")
            .matchAll(/(\w): Temperature/g),
        ].map(([, id]) => id);
        expect([...shown].sort()).toEqual(["a", "b"].filter((id) => wanted.has(id)));
      }),
      { numRuns: 60 },
    );
  });
});

/** Whether XML can hold it, and attributes keep it. */
const isClean = (reference: NodeRef): boolean =>
  Object.values(reference).every((text) => /^[\u0020-\u007e]*$/.test(String(text)));
