import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import type { FieldType } from "../../src/codec/field-types.ts";
import { THE_THING, exactRef, nodeKey, refersTo, type NodeRef } from "../../src/codec/node-ref.ts";
import { permits, permitsControl } from "../../src/provisioning/grants.ts";
import type { ControlQuestion, ReadQuestion } from "../../src/provisioning/questions.ts";
import { decideAlike, isOwner, withoutAsking, type Standing } from "../../src/provisioning/standing.ts";
import { nodeOwners, type OwnedNode } from "./node-owners.ts";

const owner = bareJid("owner@example.org");
const anna = bareJid("anna@example.org");
const bert = bareJid("bert@example.org");
const server = bareJid("provisioning.example.org");
const types = new Set<FieldType>(["momentary"]);

const standing = (nodes: readonly OwnedNode[], more: Partial<Standing> = {}): Standing => ({
  ...{ owner, registry: undefined, servers: [], nodes: nodeOwners(nodes) },
  ...more,
});
const read = (jid: BareJid, ...nodes: NodeRef[]): ReadQuestion => ({
  kind: "read",
  jid,
  tokens: {},
  types,
  nodes,
  fields: [],
});
const control = (jid: BareJid, ...nodes: NodeRef[]): ControlQuestion => ({
  ...{ kind: "control", jid, tokens: {}, nodes },
  parameters: ["LED"],
});

/** The nodes that somebody may read, by what the guard says: the Thing itself is among those that are looked at. */
function readable(standing: Standing, all: readonly NodeRef[], question: ReadQuestion): readonly NodeRef[] {
  const decision = withoutAsking(question, standing);
  if (decision?.outcome !== "granted") return [];
  return [THE_THING, ...all].filter((node) => permits(decision.grants, { node, name: "T", types }));
}

function settable(standing: Standing, all: readonly NodeRef[], question: ControlQuestion): readonly NodeRef[] {
  const decision = withoutAsking(question, standing);
  if (decision?.outcome !== "granted") return [];
  return [THE_THING, ...all].filter((node) => permitsControl(decision.grants, { node, name: "LED" }));
}

const meter = { nodeId: "meter" };
const cellar = { nodeId: "meter", sourceId: "cellar" };
const lamp = { nodeId: "lamp", cacheType: "live" };
const nodes: readonly OwnedNode[] = [
  { node: meter, owner: anna },
  { node: cellar, owner: bert },
  { node: lamp, owner: undefined },
];
const all = nodes.map(({ node }) => node);

describe("without a provisioning server", () => {
  test("the owner of a node may read and control it, and nothing else", () => {
    expect(readable(standing(nodes), all, read(anna, meter))).toEqual([meter]);
    expect(settable(standing(nodes), all, control(bert, cellar))).toEqual([cellar]);
    expect(readable(standing(nodes), all, read(anna, cellar))).toEqual([]);
    expect(readable(standing(nodes), all, read(anna, lamp))).toEqual([]);
    expect(readable(standing(nodes), all, read(anna))).toEqual([meter]);
    expect(readable(standing(nodes), all, read(anna, THE_THING))).toEqual([]);
  });

  test("P-5.5-3: a reference that leaves out the source means all nodes it fits, of which theirs are granted", () => {
    expect(readable(standing(nodes), all, read(bert, { nodeId: "meter" }))).toEqual([cellar]);
    const both = nodes.map(({ node }) => ({ node, owner: bert }));
    expect(readable(standing(both), all, read(bert, { nodeId: "meter" }))).toEqual([meter, cellar]);
  });

  test("the owner of a node without a source has no right to one of the same id in a source", () => {
    expect(readable(standing(nodes), all, read(anna, { nodeId: "meter" }))).toEqual([meter]);
    expect(refersTo(exactRef(meter), cellar)).toBe(false);
    expect(refersTo(exactRef(meter), meter)).toBe(true);
  });

  test("the owner of the Thing has no right to nodes of others, nor to those of nobody", () => {
    expect(readable(standing(nodes), all, read(owner))).toEqual([THE_THING]);
    expect(readable(standing(nodes), all, read(owner, meter, lamp))).toEqual([]);
    expect(readable(standing(nodes), all, read(owner, THE_THING, meter))).toEqual([THE_THING]);
  });

  test("the owner of the Thing is told that a node does not exist, others are refused", () => {
    expect(withoutAsking(read(owner, { nodeId: "none" }), standing(nodes))?.outcome).toBe("granted");
    expect(withoutAsking(read(anna, { nodeId: "none" }), standing(nodes))?.outcome).toBe("refused");
    expect(withoutAsking(read(owner, meter), standing(nodes))?.outcome).toBe("refused");
  });

  test("the grant names no node twice, however often it was asked for", () => {
    const decision = withoutAsking(read(anna, meter, meter, { nodeId: "meter" }), standing(nodes));
    expect(decision).toMatchObject({ grants: [{ by: anna, types: ["momentary"], nodes: [exactRef(meter)] }] });
  });

  test("a Thing that is no concentrator grants its owner everything, as it is asked", () => {
    const plain: Standing = { owner, registry: undefined, servers: [] };
    expect(withoutAsking(read(owner, meter), plain)).toMatchObject({ outcome: "granted", grants: [{ nodes: [] }] });
    expect(withoutAsking(read(anna), plain)?.outcome).toBe("refused");
  });

  test("nobody gets a node that is not theirs, whatever they ask for and whoever owns what", () => {
    const text = fc.constantFrom("a", "b");
    const part = fc.option(text, { nil: undefined });
    const ref = fc
      .record({ nodeId: fc.constantFrom("a", "b", ""), sourceId: part, cacheType: part })
      .map(({ nodeId, sourceId, cacheType }): NodeRef => ({
        nodeId,
        ...(sourceId && { sourceId }),
        ...(cacheType && { cacheType }),
      }));
    const real = ref.filter(({ nodeId }) => nodeId !== "");
    const person = fc.constantFrom(owner, anna, bert);
    const owned = fc.uniqueArray(fc.record({ node: real, owner: fc.option(person, { nil: undefined }) }), {
      selector: ({ node }) => nodeKey(node),
    });
    fc.assert(
      fc.property(owned, person, fc.array(ref, { maxLength: 4 }), (some, jid, references) => {
        const there = some.map(({ node }) => node);
        const isMeant = (node: NodeRef): boolean =>
          references.length === 0 || references.some((one) => refersTo(one, node));
        const theirs = some.filter((one) => one.owner === jid && isMeant(one.node)).map(({ node }) => node);
        const what = [
          readable(standing(some), there, read(jid, ...references)),
          settable(standing(some), there, control(jid, ...references)),
        ];
        for (const granted of what) {
          expect(granted.filter((node) => node !== THE_THING)).toEqual(theirs);
          if (granted.includes(THE_THING)) expect(jid).toBe(owner);
          if (jid === owner && isMeant(THE_THING)) expect(granted).toContain(THE_THING);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("with a provisioning server", () => {
  test("it is asked about owners of nodes as about everybody", () => {
    const asked = standing(nodes, { servers: [server] });
    expect(withoutAsking(read(anna, meter), asked)).toBeUndefined();
    expect(withoutAsking(control(owner, meter), asked)).toBeUndefined();
  });

  test("D-3.9-27: friendship of an owner of a node is accepted without asking (X-E1)", () => {
    const asked = standing(nodes, { servers: [server] });
    expect(withoutAsking({ kind: "friend", jid: anna }, asked)?.outcome).toBe("granted");
    expect(withoutAsking({ kind: "friend", jid: bareJid("eve@example.org") }, asked)).toBeUndefined();
  });
});

test("who owns one of several nodes is an owner until the last of them is gone", () => {
  const both = [meter, cellar].map((node) => ({ node, owner: anna }));
  expect(isOwner(standing(both), anna)).toBe(true);
  expect(isOwner(standing(both.slice(1)), anna)).toBe(true);
  expect(isOwner(standing([]), anna)).toBe(false);
  expect(isOwner(standing([]), owner)).toBe(true);
  expect(nodeOwners(both).ownersOf({ nodeId: "meter" })).toEqual([anna]);
});

test("what was decided counts no more when nodes have changed hands", () => {
  const one = standing(nodes);
  expect(decideAlike(one, { ...one })).toBe(true);
  expect(decideAlike(one, standing(nodes))).toBe(false);
  expect(decideAlike(one, { ...one, owner: anna })).toBe(false);
  expect(decideAlike(one, { ...one, servers: [server] })).toBe(false);
});
