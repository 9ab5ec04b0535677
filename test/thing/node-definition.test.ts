import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { nodeKey, nodeText } from "../../src/codec/node-ref.ts";
import { checkNode, checkNodeList, checkTriple, type NodeDefinition } from "../../src/thing/node-definition.ts";
import { markOf, nodeKeyOf } from "../../src/thing/node-keys.ts";

const sensor = { fields: [{ name: "T" }], read: () => [] };
const control = [{ name: "LED", type: "boolean" as const, set: () => undefined }];

describe("the definition of a node", () => {
  test("D-3.8-1: needs no more than a nodeId", () => {
    expect(checkNode({ nodeId: "meter1" })).toEqual({
      node: { nodeId: "meter1" },
      key: nodeKey({ nodeId: "meter1" }),
      tags: [],
      tagsAfterClaim: [],
      sensor: undefined,
      control: [],
      selfOwned: false,
      displayName: undefined,
      nodeType: undefined,
      parentId: undefined,
    });
  });

  test("P-5.5-1: may have a sourceId and a cacheType beside it; empty ones are none (X-E6)", () => {
    expect(checkNode({ nodeId: "a", sourceId: "s", cacheType: "c" }).node).toEqual({
      nodeId: "a",
      sourceId: "s",
      cacheType: "c",
    });
    expect(checkNode({ nodeId: "a", sourceId: "", cacheType: "" }).node).toEqual({ nodeId: "a" });
    expect(Object.isFrozen(checkNode({ nodeId: "a" }).node)).toBe(true);
  });

  test("D-3.8-3: brings tags, sensor, control, and may say that nobody has to claim it", () => {
    const settings = checkNode({
      ...{ nodeId: "a", tags: { sn: "1" }, tagsAfterClaim: { SN: "" }, sensor, control, selfOwned: true },
      ...{ displayName: "Meter", nodeType: "M1", parentId: "cellar" },
    });
    expect(settings).toMatchObject({
      tags: [{ name: "SN", type: "str", value: "1" }],
      tagsAfterClaim: [{ name: "SN", type: "str", value: "" }],
      ...{ sensor, control, selfOwned: true, displayName: "Meter", nodeType: "M1", parentId: "cellar" },
    });
  });

  const odd: readonly (readonly [string, object | null, string])[] = [
    ["no object", null, "must be an object"],
    ["no nodeId", {}, "node.nodeId: must be a text"],
    ["a nodeId that is empty: that is the Thing itself", { nodeId: "" }, "node.nodeId: must not be empty"],
    ["a nodeId that XML cannot hold", { nodeId: "\u0000" }, "node.nodeId"],
    ["a nodeId that XML changes", { nodeId: "a\nb" }, "node.nodeId: must not hold a tab or a line break"],
    ["a source that is a number", { nodeId: "a", sourceId: 1 }, "node.sourceId"],
    ["a slip of the pen", { nodeId: "a", sourceID: "s" }, 'there is no option "sourceID"'],
    ["tags that are a list", { nodeId: "a", tags: [] }, "node.tags: must be an object"],
    ["a tag of the wrong type", { nodeId: "a", tags: { V: "1" } }, "node.tags.V"],
    ["an empty KEY", { nodeId: "a", tags: { key: "" } }, "node.tags.KEY: must not be empty"],
    ["a KEY after the claim", { nodeId: "a", tagsAfterClaim: { KEY: "x" } }, "node.tagsAfterClaim.KEY"],
    ["no tags after the claim", { nodeId: "a", tagsAfterClaim: null }, "node.tagsAfterClaim: must be an object"],
    ["a sensor without a function", { nodeId: "a", sensor: { fields: [] } }, "node.sensor.read"],
    ["a control that is no list", { nodeId: "a", control: {} }, "node.control: must be a list"],
    ["selfOwned that is a text", { nodeId: "a", selfOwned: "yes" }, "node.selfOwned: must be true or false"],
    ["a name that is a number", { nodeId: "a", displayName: 1 }, "node.displayName"],
  ];
  test.each(odd)("is refused by name with %s", (_, definition, message) => {
    expect(() => checkNode(definition as NodeDefinition)).toThrow(ConfigError);
    expect(() => checkNode(definition as NodeDefinition)).toThrow(message);
  });

  test("D-3.8-2, D-2-2: a second node with the same triple is refused by name", () => {
    const list = [{ nodeId: "a" }, { nodeId: "a", sourceId: "s" }, { nodeId: "a", sourceId: "s", cacheType: "c" }];
    expect(checkNodeList(list)).toHaveLength(3);
    expect(() => checkNodeList([...list, { nodeId: "a", sourceId: "s", cacheType: "" }])).toThrow(
      "nodes[3]: there is a node a (source s) already",
    );
    expect(() => checkNodeList({} as unknown as NodeDefinition[])).toThrow("nodes: must be a list");
  });

  test("is told apart by its triple, whatever stands in the names", () => {
    const text = fc.string({ maxLength: 6, unit: fc.constantFrom('"', ",", "[", "]", "\\", "a", " ") });
    const triple = fc.record({ nodeId: text, sourceId: text, cacheType: text });
    fc.assert(
      fc.property(triple, triple, (one, other) => {
        const same =
          one.nodeId === other.nodeId && one.sourceId === other.sourceId && one.cacheType === other.cacheType;
        expect(nodeKey(one) === nodeKey(other)).toBe(same);
      }),
    );
    expect(nodeText({ nodeId: "a", cacheType: "c" })).toBe("a (cache type c)");
    expect(() => checkTriple("a" as never, "node")).toThrow("node: must be an object");
  });
});

describe("the KEY of a node", () => {
  const node = { nodeId: "a" };

  test("D-3.9-2: holds 160 bits, in characters that nothing has to escape", () => {
    expect(nodeKeyOf("secret", node, 0)).toMatch(/^[\w-]{27}$/);
  });

  test("is the same at every start, and another for another node, owner or secret", () => {
    const keys = [
      nodeKeyOf("secret", node, 0),
      nodeKeyOf("secret", node, 1),
      nodeKeyOf("other", node, 0),
      nodeKeyOf("secret", { nodeId: "b" }, 0),
      nodeKeyOf("secret", { nodeId: "a", sourceId: "0" }, 0),
      nodeKeyOf("secret", { nodeId: "a", cacheType: "0" }, 0),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(nodeKeyOf("secret", { nodeId: "a", sourceId: "" }, 0)).toBe(keys[0]);
  });

  test("cannot be found by the mark of its secret in a document", () => {
    expect(markOf("secret")).not.toBe(markOf("other"));
    expect(markOf("secret")).toMatch(/^[\w-]{16}$/);
  });
});
