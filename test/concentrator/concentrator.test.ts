import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BareJid } from "../../src/core/jid.ts";
import {
  buildNotDone,
  buildConcentratorRequest,
  concentratorCommands,
  type ConcentratorCommand,
  type ConcentratorRequest,
} from "../../src/codec/concentrator.ts";
import { ns } from "../../src/codec/namespaces.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { ConcentratorClient } from "../../src/concentrator/concentrator-client.ts";
import { answerConcentrator } from "../../src/concentrator/concentrator-responder.ts";
import type { NodeView } from "../../src/concentrator/visible-nodes.ts";
import { nodeSite, no, nodesIn, owner, reader, server, yes } from "../support/node-site.ts";
import { scriptedChannel, type Outcome } from "../support/scripted-wire.ts";

const node = (nodeId: string, parts: Partial<NodeView> = {}): NodeView => ({
  node: { nodeId, sourceId: "house" },
  isReadable: true,
  isControllable: false,
  ...parts,
});
const house = [
  node("building", { isReadable: false, nodeType: "Building" }),
  node("floor", { parentId: "building", displayName: "First floor" }),
  node("lamp", { parentId: "floor", isControllable: true, nodeType: "Lamp" }),
  { ...node("tap"), node: { nodeId: "tap", sourceId: "garden", cacheType: "Water" } },
  { ...node("bell"), node: { nodeId: "bell" } },
];

async function site(nodes: readonly NodeView[] = house, servers: readonly BareJid[] = [server]) {
  const parts = await nodeSite([], servers);
  answerConcentrator({ router: parts.channel.router, guard: parts.guard, nodes: () => nodes });
  const ask = (
    command: ConcentratorCommand,
    more: Partial<ConcentratorRequest> = {},
    from = reader,
  ): Promise<Outcome> =>
    parts.wire.ask(
      from,
      "get",
      buildConcentratorRequest({ command, sourceId: "", nodes: [], onlyIfDerivedFrom: [], tokens: {}, ...more }),
    );
  return { ...parts, ask };
}
const text = ({ payload }: Outcome): string => String(payload);
const inner = (outcome: Outcome): readonly unknown[] =>
  outcome.payload?.getChildElements().map((child) => (child.is("value") ? child.text() : child.attrs)) ?? [];
const ids = ({ payload }: Outcome): readonly unknown[] =>
  payload?.getChildElements().map(({ attrs }) => attrs["nodeId"]) ?? [];
const code = ({ payload }: Outcome): unknown => payload?.attrs["result"];
const at = (nodeId: string, sourceId = "house"): NodeRef => ({ nodeId, sourceId });

describe("XEP-0326 3: a concentrator tells", () => {
  test("3.1: the commands that it has, and no other", async () => {
    const { ask } = await site();
    expect(inner(await ask("getCapabilities"))).toEqual(concentratorCommands);
  });

  test("3.2: its data sources, all of them at the root, the nodes without one in one of an empty id", async () => {
    const { ask } = await site();
    const all = [
      { sourceId: "house", name: "house", hasChildren: "false" },
      { sourceId: "garden", name: "garden", hasChildren: "false" },
      { sourceId: "", name: "Nodes", hasChildren: "false" },
    ];
    expect(inner(await ask("getAllDataSources"))).toEqual(all);
    expect(inner(await ask("getRootDataSources"))).toEqual(all);
    expect(inner(await ask("getChildDataSources", { sourceId: "house" }))).toEqual([]);
    expect(code(await ask("getChildDataSources", { sourceId: "cellar" }))).toBe("NotFound");
  });

  test("3.3.1, 3.3.2: which nodes there are, in the order of the question", async () => {
    const { ask } = await site();
    expect(text(await ask("containsNode", { nodes: [at("lamp")] }))).toContain(">true<");
    expect(text(await ask("containsNode", { nodes: [at("lamp", "garden")] }))).toContain(">false<");
    const nodes = [at("tap", "garden"), at("tap"), { nodeId: "bell" }, { nodeId: "tap", cacheType: "Water" }];
    expect(inner(await ask("containsNodes", { nodes }))).toEqual(["true", "false", "true", "true"]);
  });

  test("3.3.3, 5.1: what a node is", async () => {
    const { ask } = await site();
    expect(text(await ask("getNode", { nodes: [at("lamp")] }))).toBe(
      `<getNodeResponse xmlns="${ns.concentrators}" result="OK" nodeId="lamp" nodeType="Lamp" state="None" ` +
        'hasChildren="false" isReadable="true" isControllable="true" parentId="floor"/>',
    );
    expect(code(await ask("getNode", { nodes: [at("shed")] }))).toBe("NotFound");
  });

  test("3.3.4, P-5.5-3: several nodes, each once; all or none", async () => {
    const { ask } = await site();
    expect(ids(await ask("getNodes", { nodes: [at("lamp"), { nodeId: "tap" }, { nodeId: "lamp" }] }))).toEqual([
      "lamp",
      "tap",
    ]);
    expect(code(await ask("getNodes", { nodes: [at("lamp"), at("shed")] }))).toBe("NotFound");
  });

  test("3.3.7, 3.3.9: all nodes of a source, also of one type only", async () => {
    const { ask } = await site();
    expect(ids(await ask("getAllNodes", { sourceId: "house" }))).toEqual(["building", "floor", "lamp"]);
    expect(ids(await ask("getAllNodes"))).toEqual(["bell"]);
    expect(ids(await ask("getAllNodes", { sourceId: "house", onlyIfDerivedFrom: ["Lamp"] }))).toEqual(["lamp"]);
    expect(code(await ask("getAllNodes", { sourceId: "cellar" }))).toBe("NotFound");
  });

  test("3.3.12, 3.3.14, 3.3.22: the tree", async () => {
    const { ask } = await site();
    expect(ids(await ask("getRootNodes", { sourceId: "house" }))).toEqual(["building"]);
    expect(code(await ask("getRootNodes", { sourceId: "cellar" }))).toBe("NotFound");
    expect(ids(await ask("getChildNodes", { nodes: [at("building")] }))).toEqual(["floor"]);
    expect(ids(await ask("getChildNodes", { nodes: [at("lamp")] }))).toEqual([]);
    expect(ids(await ask("getAncestors", { nodes: [at("lamp")] }))).toEqual(["lamp", "floor", "building"]);
    expect(code(await ask("getAncestors", { nodes: [at("shed")] }))).toBe("NotFound");
  });

  test("nodes that stand above each other without an end", async () => {
    const { ask } = await site([node("hen", { parentId: "egg" }), node("egg", { parentId: "hen" })]);
    expect(ids(await ask("getAncestors", { nodes: [at("hen")] }))).toEqual(["hen", "egg"]);
    expect(ids(await ask("getRootNodes", { sourceId: "house" }))).toEqual([]);
  });

  test("5.4: NotImplemented of what it does not know, in a result", async () => {
    const { wire } = await site();
    for (const name of ["holabandola", "subscribe", "getNodeParametersForEdit", "__proto__"]) {
      const answer = await wire.ask(reader, "set", el(name, { xmlns: ns.concentrators }));
      expect([answer.type, text(answer)]).toEqual(["result", String(buildNotDone(name, "NotImplemented"))]);
    }
  });
});

describe("what the asker may not read", () => {
  test("P-3.3.2-4: is not there: no node, no source, no parent, no child of it is told", async () => {
    const { ask, wire } = await site();
    wire.peer(server, (question) => yes(question, [at("floor")]));
    expect(inner(await ask("getAllDataSources"))).toEqual([{ sourceId: "house", name: "house", hasChildren: "false" }]);
    const [only] = inner(await ask("getAllNodes", { sourceId: "house" }));
    expect(only).toEqual({
      ...{ nodeId: "floor", displayName: "First floor", state: "None" },
      ...{ hasChildren: "false", isReadable: "true", isControllable: "false" },
    });
    expect(ids(await ask("getRootNodes", { sourceId: "house" }))).toEqual(["floor"]);
    expect(ids(await ask("getAncestors", { nodes: [at("floor")] }))).toEqual(["floor"]);
    const [hidden, gone] = [
      await ask("getNode", { nodes: [at("lamp")] }),
      await ask("getNode", { nodes: [at("shed")] }),
    ];
    expect([text(hidden), code(hidden)]).toEqual([text(gone), "NotFound"]);
    expect(inner(await ask("containsNodes", { nodes: [at("floor"), at("lamp"), at("shed")] }))).toEqual([
      "true",
      "false",
      "false",
    ]);
  });

  test("5.3: is all there is to strangers: every command is answered alike, also one that is not known", async () => {
    const { ask, wire } = await site();
    wire.peer(server, no);
    for (const command of concentratorCommands) {
      for (const id of ["lamp", "shed"]) {
        expect(text(await ask(command, { nodes: [at(id)], sourceId: "house" }))).toBe(
          String(buildNotDone(command, "InsufficientPrivileges")),
        );
      }
    }
    const unknown = await wire.ask(reader, "get", el("holabandola", { xmlns: ns.concentrators }));
    expect(text(unknown)).toBe(String(buildNotDone("holabandola", "InsufficientPrivileges")));
  });

  test("P-E28: that nobody could be asked is told from a no", async () => {
    const { ask, wire } = await site();
    wire.peer(server, () => ({ error: "internal-server-error" }));
    expect(await ask("getCapabilities")).toMatchObject({ condition: "resource-constraint", errorType: "wait" });
  });

  test("the owner may see all of it where there is no server, and nobody else", async () => {
    const { ask } = await site(house, []);
    expect(ids(await ask("getAllNodes", { sourceId: "house" }, `${owner}/x`))).toHaveLength(3);
    expect(code(await ask("getAllNodes", { sourceId: "house" }))).toBe("InsufficientPrivileges");
  });

  test("P-3.3.1-1, P-E9: the server is asked once for all commands, with the tokens that were sent, and about no node by name", async () => {
    const { ask, wire } = await site();
    const tokens = { userToken: "U" };
    await ask("getAllDataSources", { tokens });
    await ask("getNode", { tokens, nodes: [at("shed")] });
    const asked = wire.asked(server);
    expect(asked.map(({ attrs }) => [attrs["userToken"], attrs["jid"]])).toEqual([["U", "reader@example.org"]]);
    expect(asked.map(nodesIn)).toEqual([[]]);
  });
});

describe("large and hostile questions", () => {
  test("names by the thousand are refused before anybody is asked", async () => {
    const { ask, wire } = await site();
    const many = Array.from({ length: 1_001 }, () => ({ nodeId: "a" }));
    expect(await ask("getNodes", { nodes: many })).toMatchObject({ condition: "not-acceptable" });
    expect(await ask("getNode", { nodes: [{ nodeId: "a".repeat(20_000) }] })).toMatchObject({
      condition: "not-acceptable",
    });
    expect(wire.asked(server)).toEqual([]);
  });

  test("a node without an id is a bad question", async () => {
    const { wire } = await site();
    const answer = await wire.ask(reader, "get", el("getNode", { xmlns: ns.concentrators }));
    expect(answer).toMatchObject({ condition: "bad-request" });
  });

  test("a thousand nodes are told in one answer that servers take", async () => {
    const { ask } = await site(
      Array.from({ length: 1_000 }, (_, index) => node(`meter-${index}`, { nodeType: "Meter" })),
    );
    const answer = await ask("getAllNodes", { sourceId: "house" });
    expect(ids(answer)).toHaveLength(1_000);
    expect(Buffer.byteLength(String(answer.write[0]))).toBeLessThan(256 * 1_024);
  });

  test("what no server would take is told in a code, never cut off", async () => {
    const { ask } = await site(
      Array.from({ length: 3_000 }, (_, index) => node(`meter-${index}`, { nodeType: "é".repeat(30) })),
    );
    expect(text(await ask("getAllNodes", { sourceId: "house" }))).toBe(
      String(buildNotDone("getAllNodes", "OtherError")),
    );
  });

  test("whatever is asked, only what is granted is told", async () => {
    const anyRef = fc.record(
      {
        nodeId: fc.constantFrom("lamp", "floor", "tap", "bell", "shed", "__proto__", ""),
        sourceId: fc.constantFrom("house", "garden", "", "constructor"),
        cacheType: fc.constantFrom("Water", ""),
      },
      { requiredKeys: ["nodeId"] },
    );
    const { ask, wire } = await site();
    wire.peer(server, (question) => yes(question, [at("floor")]));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...concentratorCommands),
        fc.array(anyRef, { minLength: 1, maxLength: 5 }),
        fc.constantFrom("house", "garden", ""),
        async (command, nodes, sourceId) => {
          expect(text(await ask(command, { nodes, sourceId }))).not.toMatch(/lamp|tap|bell|building|garden/);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("a client of XEP-0326", () => {
  /** A client that asks a concentrator which says what it is told to. */
  function client(peer: (payload: XmlElement) => XmlElement) {
    const { wire, channel } = scriptedChannel();
    wire.peer("gateway@example.org/x", peer);
    return { wire, client: new ConcentratorClient(channel) };
  }
  const gateway = "gateway@example.org/x";

  /** One that asks a real one. */
  async function pair(nodes: readonly NodeView[] = house) {
    const there = await site(nodes);
    const { wire, client: asking } = client(() => {
      throw new Error("never");
    });
    wire.peer(gateway, async (payload) => (await there.wire.ask(reader, "get", payload)).payload);
    return { ...there, client: asking };
  }

  test("finds all nodes of all data sources, named as they are read", async () => {
    const { client: asking } = await pair();
    const found = await asking.nodes(gateway);
    expect(found.map(({ node: { nodeId, sourceId, cacheType } }) => [nodeId, sourceId, cacheType])).toEqual([
      ["building", "house", undefined],
      ["floor", "house", undefined],
      ["lamp", "house", undefined],
      ["tap", "garden", "Water"],
      ["bell", undefined, undefined],
    ]);
    expect((await asking.nodes(gateway, { sourceId: "garden" })).map((one) => one.node.nodeId)).toEqual(["tap"]);
    expect(found[2]).toMatchObject({ nodeType: "Lamp", isControllable: true, parentId: "floor" });
  });

  test("asks for one, for those there are, for those below and above", async () => {
    const { client: asking } = await pair();
    expect(await asking.node(gateway, at("lamp"))).toMatchObject({ node: at("lamp") });
    expect(await asking.contains(gateway, [at("lamp"), at("shed")])).toEqual([true, false]);
    expect((await asking.children(gateway, at("floor"))).map((one) => one.node)).toEqual([at("lamp")]);
    expect((await asking.ancestors(gateway, at("lamp"))).map((one) => one.node.nodeId)).toEqual([
      "lamp",
      "floor",
      "building",
    ]);
    expect(await asking.capabilities(gateway)).toEqual(concentratorCommands);
    await expect(asking.node(gateway, at("shed"))).rejects.toMatchObject({
      code: "ERR_STANZA",
      condition: "item-not-found",
    });
  });

  test("goes through the tree where not all can be told at once, and each node is met once", async () => {
    const { client: asking, wire } = client((payload) => {
      const nodes = (...found: readonly string[]): XmlElement =>
        el(
          `${payload.name}Response`,
          { xmlns: ns.concentrators, result: "OK" },
          ...found.map((nodeId) => el("node", { nodeId, state: "None", hasChildren: nodeId !== "leaf" })),
        );
      if (payload.is("getAllNodes")) return buildNotDone("getAllNodes", "NotImplemented");
      if (payload.is("getRootNodes")) return nodes("root");
      return payload.attrs["nodeId"] === "root" ? nodes("branch", "root") : nodes("leaf", "root");
    });
    const found = await asking.nodes(gateway, { sourceId: "s" });
    expect(found.map((one) => one.node.nodeId)).toEqual(["root", "branch", "leaf"]);
    expect(wire.asked(gateway, "getChildNodes")).toHaveLength(2);
  });

  test.each([
    ["InsufficientPrivileges", "forbidden"],
    ["NotFound", "item-not-found"],
  ] as const)("S-E7: is told of %s as %s", async (said, condition) => {
    const { client: asking } = client((payload) => buildNotDone(payload.name, said));
    await expect(asking.nodes(gateway, { sourceId: "s" })).rejects.toMatchObject({ code: "ERR_STANZA", condition });
  });

  test("refuses an answer that is none", async () => {
    const { client: asking } = client((payload) =>
      el(`${payload.name}Response`, { xmlns: ns.concentrators, result: "OK" }),
    );
    await expect(asking.contains(gateway, [at("lamp")])).rejects.toMatchObject({ code: "ERR_PROTOCOL" });
    await expect(asking.node(gateway, at("lamp"))).rejects.toMatchObject({ code: "ERR_PROTOCOL" });
    const endless = client((payload) =>
      el(
        `${payload.name}Response`,
        { xmlns: ns.concentrators, result: "OK" },
        ...Array.from({ length: 1_001 }, (_, index) => el("dataSource", { sourceId: `s${index}`, name: "s" })),
      ),
    );
    await expect(endless.client.nodes(gateway)).rejects.toMatchObject({ code: "ERR_PROTOCOL" });
  });

  test.each([
    ["an option that is none", { source: "house" }],
    ["a source that is no text", { sourceId: 7 }],
    ["a time that is none", { timeout: "30s" }],
  ])("refuses %s before it asks", async (_, options) => {
    const { client: asking, wire } = client(() => el("never"));
    await expect(asking.nodes(gateway, options as object)).rejects.toMatchObject({ code: "ERR_CONFIG" });
    expect(wire.sent).toEqual([]);
  });
});
