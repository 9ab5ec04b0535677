import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import type { CanControlResponse } from "../../src/codec/can-control.ts";
import type { CanReadResponse } from "../../src/codec/provisioning.ts";
import { fieldTypes, type FieldType } from "../../src/codec/field-types.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import {
  areWhole,
  intersect,
  intersectControl,
  mostForgivingFirst,
  permits,
  permitsControl,
  permitsNode,
  wholeGrant,
  type Grant,
} from "../../src/provisioning/grants.ts";
import type { ControlQuestion, ReadQuestion } from "../../src/provisioning/questions.ts";

const isWhole = (question: ReadQuestion | ControlQuestion, grant: Grant): boolean => areWhole(question, [grant]);

const server = bareJid("provisioning.example.org");
const other = bareJid("second.example.org");

function asking(parts: Partial<ReadQuestion> = {}): ReadQuestion {
  const whole = { tokens: {}, types: new Set<FieldType>(["momentary"]), nodes: [], fields: [] };
  return { kind: "read", jid: bareJid("reader@example.org"), ...whole, ...parts };
}

function answering(parts: Partial<CanReadResponse> = {}): CanReadResponse {
  return { result: true, types: new Set(), nodes: [], fields: [], ...parts };
}

// A world small enough to try every node, field and type of it against a model that knows no lists.
const ids = ["a", "b"];
const sources = [undefined, "s", "t"];
const caches = [undefined, "c", "d"];
const names = ["T", "H", "never named"];
const kinds: FieldType[] = ["momentary", "peak", "historicalDay"];

const compact = (nodeId: string, sourceId: string | undefined, cacheType: string | undefined): NodeRef => ({
  nodeId,
  ...(sourceId !== undefined && { sourceId }),
  ...(cacheType !== undefined && { cacheType }),
});
const world = ids.flatMap((id) =>
  sources.flatMap((source) =>
    caches.flatMap((cache) =>
      names.flatMap((name) => kinds.map((kind) => ({ node: compact(id, source, cache), name, kind }))),
    ),
  ),
);

const nodeRef = fc
  .tuple(fc.constantFrom(...ids), fc.constantFrom(...sources), fc.constantFrom(...caches))
  .map((triple) => compact(...triple));
const nodes = fc.array(nodeRef, { maxLength: 3 });
const fields = fc.array(fc.constantFrom("T", "H"), { maxLength: 2 });
const types = fc.subarray(kinds).map((some) => new Set(some));
const question = fc
  .record({ types, nodes, fields })
  .filter((parts) => parts.types.size > 0)
  .map(asking);
const response = fc.record({ result: fc.boolean(), types, nodes, fields }).map(answering);

interface Bounds {
  readonly nodes: readonly NodeRef[];
  readonly fields: readonly string[];
}
type Thing = (typeof world)[number];

function within(bounds: Bounds, { node, name }: Thing): boolean {
  const means = (ref: NodeRef): boolean =>
    ref.nodeId === node.nodeId &&
    [undefined, node.sourceId].includes(ref.sourceId) &&
    [undefined, node.cacheType].includes(ref.cacheType);
  return (
    (bounds.nodes.length === 0 || bounds.nodes.some(means)) &&
    (bounds.fields.length === 0 || bounds.fields.includes(name))
  );
}
const asks = (asked: ReadQuestion, thing: Thing): boolean => asked.types.has(thing.kind) && within(asked, thing);
const allows = (answer: CanReadResponse, thing: Thing): boolean =>
  answer.result && (answer.types.size === 0 || answer.types.has(thing.kind)) && within(answer, thing);
const lets = (grants: readonly Grant[], { node, name, kind }: Thing): boolean =>
  permits(grants, { node, name, types: new Set([kind]) });

describe("what is left of a server's answer", () => {
  test("P-3.3.2-4, P-3.3.3-4, P-E18, P-E19: lets through exactly what was asked and granted, and is a refusal when that is nothing", () => {
    fc.assert(
      fc.property(question, response, (asked, answer) => {
        const grant = intersect(asked, answer, server);
        const expected = world.filter((thing) => asks(asked, thing) && allows(answer, thing));
        const found = grant === undefined ? [] : world.filter((thing) => lets([grant], thing));
        expect(found).toEqual(expected);
        expect(grant === undefined).toBe(expected.length === 0);
      }),
      { numRuns: 1_000 },
    );
  });

  test("P-E20, P-5.3-2: over several servers is the union of what each lets through, and nothing that none does", () => {
    fc.assert(
      fc.property(question, fc.array(response, { maxLength: 3 }), (asked, answers) => {
        const grants = answers.flatMap((answer) => intersect(asked, answer, server) ?? []);
        const expected = world.filter((thing) => asks(asked, thing) && answers.some((answer) => allows(answer, thing)));
        expect(world.filter((thing) => lets(grants, thing))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test("P-E20: node 1 field X of one server and node 2 field Y of another are two pairs, not four", () => {
    const asked = asking();
    const grants = [
      intersect(asked, answering({ nodes: [{ nodeId: "1" }], fields: ["X"] }), server),
      intersect(asked, answering({ nodes: [{ nodeId: "2" }], fields: ["Y"] }), other),
    ].filter((grant) => grant !== undefined);
    const pairs = ["1", "2"].flatMap((nodeId) =>
      ["X", "Y"]
        .filter((name) => permits(grants, { node: { nodeId }, name, types: new Set(["momentary"]) }))
        .map((name) => nodeId + name),
    );
    expect(pairs).toEqual(["1X", "2Y"]);
  });

  test("P-E20: the kinds of field of one server do not join the fields of another", () => {
    const asked = asking({ types: new Set(["momentary", "peak"]) });
    const grants = [
      intersect(asked, answering({ types: new Set(["momentary"]), fields: ["X"] }), server),
      intersect(asked, answering({ types: new Set(["peak"]), fields: ["Y"] }), other),
    ].filter((grant) => grant !== undefined);
    const node = { nodeId: "" };
    expect(permits(grants, { node, name: "X", types: new Set(["momentary"]) })).toBe(true);
    expect(permits(grants, { node, name: "X", types: new Set(["peak"]) })).toBe(false);
    expect(permits(grants, { node, name: "Y", types: new Set(["momentary"]) })).toBe(false);
    expect(permits(grants, { node, name: "Y", types: new Set(["momentary", "peak"]) })).toBe(true);
  });

  test("bears the name of the server that grants it", () => {
    expect(intersect(asking(), answering(), other)).toEqual({
      by: other,
      types: ["momentary"],
      nodes: [],
      fields: [],
      parameters: [],
    });
  });

  test("P-3.3.2-3: is nothing when the result is false, whatever else the answer holds", () => {
    const answer = answering({ result: false, types: new Set(fieldTypes), nodes: [{ nodeId: "a" }], fields: ["T"] });
    expect(intersect(asking(), answer, server)).toBeUndefined();
  });

  test("names each node and field once, so that a question full of repetitions cannot fill the memory", () => {
    const many = 3_000;
    const asked = asking({
      nodes: Array.from({ length: many }, () => ({ nodeId: "a" })),
      fields: Array.from({ length: many }, () => "T"),
    });
    const answer = answering({ nodes: asked.nodes, fields: asked.fields });
    const grant = intersect(asked, answer, server);
    expect(grant?.nodes.length).toBe(1); // not toEqual: it would print them all
    expect(grant?.fields.length).toBe(1);
    const bare = intersect(asked, answering(), server);
    expect([bare?.nodes.length, bare?.fields.length]).toEqual([1, 1]);
    const listed = intersect(asking(), answer, server);
    expect([listed?.nodes.length, listed?.fields.length]).toEqual([1, 1]);
  });
});

describe("a grant of everything", () => {
  test("P-E20: is never one that lets something asked for not through", () => {
    fc.assert(
      fc.property(question, response, (asked, answer) => {
        const grant = intersect(asked, answer, server);
        fc.pre(grant !== undefined && isWhole(asked, grant));
        expect(world.filter((thing) => asks(asked, thing) && !lets([grant], thing))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test("is never one that lets something not through, also for a grant that was not cut down to the question", () => {
    const parameters = fc.constant([]);
    const grant = fc.record({ by: fc.constant(server), types: fc.subarray(kinds), nodes, fields, parameters });
    fc.assert(
      fc.property(question, grant, (asked, given) => {
        fc.pre(isWhole(asked, given));
        expect(world.filter((thing) => asks(asked, thing) && !lets([given], thing))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test("P-3.3.2-2, P-3.3.3-2: is what an answer without lists means", () => {
    fc.assert(
      fc.property(question, (asked) => {
        const grant = intersect(asked, answering(), server) as Grant;
        expect(isWhole(asked, grant)).toBe(true);
        expect(isWhole(asked, wholeGrant(server, asked.types))).toBe(true);
      }),
    );
  });

  test("is what an answer that repeats the question means", () => {
    fc.assert(
      fc.property(question, (asked) => {
        const { types: some, nodes: these, fields: those } = asked;
        const grant = intersect(asked, answering({ types: some, nodes: these, fields: those }), server) as Grant;
        expect(isWhole(asked, grant)).toBe(true);
      }),
    );
  });

  test("is not a list where everything was asked", () => {
    const asked = asking();
    expect(isWhole(asked, intersect(asked, answering({ nodes: [{ nodeId: "a" }] }), server) as Grant)).toBe(false);
    expect(isWhole(asked, intersect(asked, answering({ fields: ["T"] }), server) as Grant)).toBe(false);
  });

  test("is not a part of the kinds asked for", () => {
    const asked = asking({ types: new Set(["momentary", "peak"]) });
    const grant = intersect(asked, answering({ types: new Set(["peak"]) }), server) as Grant;
    expect(isWhole(asked, grant)).toBe(false);
  });

  test("is not one source of a node asked for in all", () => {
    const asked = asking({ nodes: [{ nodeId: "a" }] });
    const grant = intersect(asked, answering({ nodes: [{ nodeId: "a", sourceId: "s" }] }), server) as Grant;
    expect(grant.nodes).toEqual([{ nodeId: "a", sourceId: "s" }]);
    expect(isWhole(asked, grant)).toBe(false);
  });
});

describe("grants of several servers", () => {
  const granted = (asked: ReadQuestion, answers: readonly CanReadResponse[]): readonly Grant[] =>
    answers.flatMap((answer) => intersect(asked, answer, server) ?? []);
  // Those of the world that nobody names stand for all that there may be besides.
  const open = [...new Set([...sources, "nobody names it"])].flatMap((source) =>
    [...new Set([...caches, "nobody names it"])].flatMap((cache) =>
      [...ids, "nobody names it"].flatMap((id) =>
        names.flatMap((name) => kinds.map((kind) => ({ node: compact(id, source, cache), name, kind }))),
      ),
    ),
  );

  test("P-5.3-2, P-E20: are whole together exactly if each thing that is asked for is let through by one of them", () => {
    let whole = 0;
    fc.assert(
      fc.property(question, fc.array(response, { minLength: 1, maxLength: 4 }), (asked, answers) => {
        const grants = granted(asked, answers);
        const expected = open.every((thing) => !asks(asked, thing) || lets(grants, thing));
        expect(areWhole(asked, grants)).toBe(expected);
        if (expected && grants.every((grant) => !isWhole(asked, grant))) whole++;
      }),
      { numRuns: 2_000 },
    );
    expect(whole).toBeGreaterThan(0);
  });

  test("P-E20: two halves are whole, two halves of a square are not", () => {
    const asked = asking({ nodes: [{ nodeId: "1" }, { nodeId: "2" }], fields: ["X", "Y"] });
    const part = (id: string | undefined, field: string | undefined): CanReadResponse =>
      answering({ nodes: id === undefined ? [] : [{ nodeId: id }], fields: field === undefined ? [] : [field] });
    expect(areWhole(asked, granted(asked, [part("1", undefined), part("2", undefined)]))).toBe(true);
    expect(areWhole(asked, granted(asked, [part(undefined, "X"), part(undefined, "Y")]))).toBe(true);
    expect(areWhole(asked, granted(asked, [part("1", "X"), part("2", "Y")]))).toBe(false);
    expect(areWhole(asked, granted(asked, [part("1", undefined), part(undefined, "Y")]))).toBe(false);
  });

  test("are whole by one that stands behind any number of others", () => {
    const asked = asking({ fields: ["X", "Y"] });
    const many = Array.from({ length: 30 }, () => answering({ fields: ["X"] }));
    expect(areWhole(asked, granted(asked, many))).toBe(false);
    expect(areWhole(asked, granted(asked, [...many, answering({ fields: ["Y"] })]))).toBe(true);
    // With more than 31 it is left to all having answered.
    expect(areWhole(asked, granted(asked, [...many, ...many, answering({ fields: ["Y"] })]))).toBe(false);
  });

  test("of a question with as many names as one may have are compared without trying each combination", () => {
    const nodes = Array.from({ length: 500 }, (_, index) => ({ nodeId: `n${index}` }));
    const fields = Array.from({ length: 500 }, (_, index) => `f${index}`);
    const asked = asking({ nodes, fields, types: new Set(fieldTypes) });
    const grants = granted(asked, [
      answering({ nodes: nodes.slice(0, 250) }),
      answering({ nodes: nodes.slice(250), fields: fields.slice(0, 250) }),
      answering({ nodes: nodes.slice(250), fields: fields.slice(250) }),
    ]);
    let looked = 0;
    const counting = grants.map((grant) => ({
      ...grant,
      nodes: new Proxy(grant.nodes, { get: (list, key) => (looked++, Reflect.get(list, key) as unknown) }),
    }));
    expect(areWhole(asked, counting)).toBe(true);
    expect(looked).toBeLessThan(10_000);
  });

  test("P-5.3-2: stand most forgiving first: none lets through all that one before it does, and more", () => {
    fc.assert(
      fc.property(question, fc.array(response, { minLength: 2, maxLength: 4 }), (asked, answers) => {
        const grants = mostForgivingFirst(granted(asked, answers));
        for (const [index, later] of grants.entries()) {
          for (const before of grants.slice(0, index)) {
            const more = open.some((thing) => lets([later], thing) && !lets([before], thing));
            const all = open.every((thing) => !lets([before], thing) || lets([later], thing));
            expect(more && all).toBe(false);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("stand in the order in which they were given if none gives more than another", () => {
    const asked = asking();
    const grants = [other, server].map((by) => intersect(asked, answering(), by) as Grant);
    expect(mostForgivingFirst(grants).map(({ by }) => by)).toEqual([other, server]);
  });

  test("of control stand most forgiving first too", () => {
    const asked: ControlQuestion = { kind: "control", jid: other, tokens: {}, nodes: [], parameters: ["A", "B"] };
    const part = intersectControl(asked, { result: true, nodes: [], parameters: ["A"] }, server) as Grant;
    const whole = intersectControl(asked, { result: true, nodes: [], parameters: [] }, other) as Grant;
    expect(mostForgivingFirst([part, whole])).toEqual([whole, part]);
  });
});

describe("a reference to a node in a grant", () => {
  test("P-5.5-3: without source and cache type means every node of that id", () => {
    const grant = { ...wholeGrant(server), nodes: [{ nodeId: "a" }] };
    expect(permitsNode(grant, { nodeId: "a" })).toBe(true);
    expect(permitsNode(grant, { nodeId: "a", sourceId: "s", cacheType: "c" })).toBe(true);
    expect(permitsNode(grant, { nodeId: "b" })).toBe(false);
  });

  test("P-E19: with a source means that one only", () => {
    const grant = { ...wholeGrant(server), nodes: [{ nodeId: "a", sourceId: "s" }] };
    expect(permitsNode(grant, { nodeId: "a", sourceId: "s" })).toBe(true);
    expect(permitsNode(grant, { nodeId: "a", sourceId: "t" })).toBe(false);
    expect(permitsNode(grant, { nodeId: "a" })).toBe(false);
  });

  test("without any reference means every node", () => {
    expect(permitsNode(wholeGrant(server), { nodeId: "a", sourceId: "s" })).toBe(true);
  });
});

describe("what is left of a server's answer about control", () => {
  const places = world.filter(({ kind }) => kind === "momentary");
  const wanted = fc
    .record({ nodes, parameters: fields })
    .map((parts): ControlQuestion => ({ kind: "control", jid: bareJid("who@example.org"), tokens: {}, ...parts }));
  const said: fc.Arbitrary<CanControlResponse> = fc.record({ result: fc.boolean(), nodes, parameters: fields });
  const inside = (lists: { nodes: readonly NodeRef[]; parameters: readonly string[] }, place: Thing): boolean =>
    within({ nodes: lists.nodes, fields: lists.parameters }, place);

  test("P-3.4.2-5, P-3.4.3-4, P-E19: lets be set exactly what was asked and granted, and is a refusal when that is nothing", () => {
    fc.assert(
      fc.property(wanted, said, (asked, answer) => {
        const grant = intersectControl(asked, answer, server);
        const expected = places.filter((place) => inside(asked, place) && answer.result && inside(answer, place));
        const found = grant === undefined ? [] : places.filter((place) => permitsControl([grant], place));
        expect(found).toEqual(expected);
        expect(grant === undefined).toBe(expected.length === 0);
      }),
      { numRuns: 1_000 },
    );
  });

  test("P-E20: over several servers is the union of whole grants", () => {
    fc.assert(
      fc.property(wanted, fc.array(said, { maxLength: 3 }), (asked, answers) => {
        const grants = answers.flatMap((answer) => intersectControl(asked, answer, server) ?? []);
        const expected = places.filter(
          (place) => inside(asked, place) && answers.some((answer) => answer.result && inside(answer, place)),
        );
        expect(places.filter((place) => permitsControl(grants, place))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test("P-E20: is whole only if it lets everything asked for be set", () => {
    fc.assert(
      fc.property(wanted, said, (asked, answer) => {
        const grant = intersectControl(asked, answer, server);
        fc.pre(grant !== undefined && isWhole(asked, grant));
        expect(places.filter((place) => inside(asked, place) && !permitsControl([grant], place))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test("P-3.4.2-2, P-3.4.2-4: is whole when the answer has no lists", () => {
    fc.assert(
      fc.property(wanted, (asked) => {
        const grant = intersectControl(asked, { result: true, nodes: [], parameters: [] }, server);
        expect(grant !== undefined && isWhole(asked, grant)).toBe(true);
      }),
    );
  });

  test("lets no field be read", () => {
    const asked: ControlQuestion = { kind: "control", jid: other, tokens: {}, nodes: [], parameters: ["T"] };
    const grant = intersectControl(asked, { result: true, nodes: [], parameters: [] }, server) as Grant;
    expect(world.filter((thing) => lets([grant], thing))).toEqual([]);
  });
});

describe("no grant", () => {
  test("lets nothing through", () => {
    expect(world.filter((thing) => lets([], thing))).toEqual([]);
  });

  test("of friendship lets any field through", () => {
    expect(world.filter((thing) => lets([wholeGrant(server)], thing))).toEqual([]);
  });
});

describe("lists of ill will", () => {
  const count = 450;
  const sources = Array.from({ length: count }, (_, n) => ({ nodeId: "a", sourceId: String(n) }));

  test("that divide each node asked for are not understood: neither a yes nor a no", () => {
    const caches = Array.from({ length: 2_000 }, (_, n) => ({ nodeId: "a", cacheType: String(n) }));
    const refused = expect.objectContaining({ code: "ERR_PROTOCOL" }) as Error;
    expect(() => intersect(asking({ nodes: sources }), answering({ nodes: caches }), server)).toThrow(refused);
    const control = { kind: "control", jid: server, tokens: {}, nodes: sources, parameters: [] } as const;
    const answer = { result: true, nodes: caches, parameters: [] };
    expect(() => intersectControl(control, answer, server)).toThrow(refused);
  });

  test("P-E19: but long ones that say the same are", () => {
    const grant = intersect(asking({ nodes: sources }), answering({ nodes: sources }), server);
    expect(grant?.nodes).toEqual(sources);
    expect(intersect(asking({ nodes: [{ nodeId: "a" }] }), answering({ nodes: sources }), server)?.nodes).toEqual(
      sources,
    );
  });
});
