import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import { fieldTypes } from "../../src/codec/field-types.ts";
import { isXmlText } from "../../src/codec/xml.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import type { Tokens } from "../../src/codec/tokens.ts";
import {
  keyOwner,
  keyStarts,
  questionKey,
  questionOf,
  type ControlQuestion,
  type Question,
  type ReadQuestion,
} from "../../src/provisioning/questions.ts";

// What somebody would send who wants one question to be taken for another: separators, digits, and next to nothing.
const hostile = fc.oneof(
  fc.string({
    unit: fc.constantFrom(":", "0", "1", "2", "3", "r", "f", "c", "\n", "\u0000", "\u0001", "é", "😀", " "),
  }),
  fc.string({ unit: "binary" }),
  fc.constantFrom("1:a", "0:", "2:0:", "__proto__", "constructor", ""),
);
const name = hostile.filter((text) => text !== "");
const domain = fc.constantFrom("a", "a1", "1a", "b").map((text) => bareJid(text));
const tokens: fc.Arbitrary<Tokens> = fc.record(
  { serviceToken: name, deviceToken: name, userToken: name },
  { requiredKeys: [] },
);
const node: fc.Arbitrary<NodeRef> = fc.record(
  { nodeId: hostile, sourceId: name, cacheType: name },
  { requiredKeys: ["nodeId"] },
);
const read: fc.Arbitrary<ReadQuestion> = fc.record({
  kind: fc.constant("read" as const),
  jid: domain,
  tokens,
  types: fc.uniqueArray(fc.constantFrom(...fieldTypes)).map((types) => new Set(types)),
  nodes: fc.array(node, { maxLength: 3 }),
  fields: fc.array(hostile, { maxLength: 3 }),
});
const control: fc.Arbitrary<ControlQuestion> = fc.record({
  kind: fc.constant("control" as const),
  jid: domain,
  tokens,
  nodes: fc.array(node, { maxLength: 3 }),
  parameters: fc.array(hostile, { maxLength: 3 }),
});
const question: fc.Arbitrary<Question> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("friend" as const), jid: domain }) },
  { weight: 5, arbitrary: read },
  { weight: 5, arbitrary: control },
);

/** What a question means, in a form that can be compared: lists as sets, nothing else lost. */
function meaning(asked: Question): unknown {
  if (asked.kind === "friend") return ["friend", asked.jid];
  const sorted = (values: readonly unknown[]): string[] => [...new Set(values.map((v) => JSON.stringify(v)))].sort();
  return [
    asked.kind,
    asked.jid,
    asked.tokens.serviceToken ?? null,
    asked.tokens.deviceToken ?? null,
    asked.tokens.userToken ?? null,
    sorted(asked.kind === "read" ? [...asked.types] : []),
    sorted(asked.nodes.map(({ nodeId, sourceId = null, cacheType = null }) => [nodeId, sourceId, cacheType])),
    sorted(asked.kind === "read" ? asked.fields : asked.parameters),
  ];
}

// What somebody sends who knows how keys are made: pieces of keys in the place of names.
const forged = fc.tuple(question, fc.nat(), fc.nat()).map(([asked, from, length]) => {
  const key = questionKey(asked);
  return key.slice(from % key.length, (from % key.length) + 1 + (length % key.length));
});
const forging: fc.Arbitrary<ReadQuestion> = fc.record({
  kind: fc.constant("read" as const),
  jid: domain,
  tokens: fc.record({ serviceToken: forged, deviceToken: forged, userToken: forged }, { requiredKeys: [] }),
  types: fc.constantFrom(new Set(fieldTypes.slice(0, 1)), new Set(fieldTypes)),
  nodes: fc.array(fc.record({ nodeId: forged, sourceId: forged }, { requiredKeys: ["nodeId"] }), { maxLength: 2 }),
  fields: fc.array(fc.oneof(forged, hostile), { maxLength: 3 }),
});

describe("the key of a question", () => {
  test("can be read back in one way only, whatever is in it: so no two questions have the same", () => {
    fc.assert(
      fc.property(fc.oneof(question, forging), (asked) => {
        const key = questionKey(asked);
        const again = questionOf(key);
        expect(JSON.stringify(again && meaning(again))).toBe(JSON.stringify(meaning(asked)));
        expect(again && questionKey(again)).toBe(key);
        expect(keyOwner(key)).toBe(asked.jid);
        expect(keyStarts(asked.jid).filter((start) => key.startsWith(start))).toHaveLength(1);
        expect(keyStarts(`${asked.jid}0`).some((start) => key.startsWith(start))).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  test("cannot be forged by names made of pieces of keys", () => {
    fc.assert(
      fc.property(forging, question, forging, (one, other, third) => {
        for (const asked of [other, third]) {
          const same = JSON.stringify(meaning(one)) === JSON.stringify(meaning(asked));
          expect(questionKey(one) === questionKey(asked)).toBe(same);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("is joined by nothing that XML can carry", () => {
    const jid = bareJid("a@b");
    const key = questionKey({
      kind: "read",
      jid,
      tokens: {},
      types: new Set(),
      nodes: [{ nodeId: "n" }],
      fields: ["x", "y"],
    });
    const between = key.replace("a@b", "").replace(/[rnxy]/g, "");
    expect(between).not.toBe("");
    for (const character of between) expect(isXmlText(character)).toBe(false);
  });

  test.each([0, 1, 15, 16, 127, 128, 511, 512, 5_000, 70_000])("holds a name of %i characters", (length) => {
    const fields = ["x".repeat(length)];
    const asked: ReadQuestion = { kind: "read", jid: bareJid("a@b"), tokens: {}, types: new Set(), nodes: [], fields };
    expect(questionOf(questionKey(asked))).toEqual(asked);
  });

  test("takes no long time for long lists", () => {
    const fields = Array.from({ length: 1_000 }, (_, n) => `field ${(n * 7919) % 1_000}`);
    const asked: ReadQuestion = {
      ...{ kind: "read", jid: bareJid("a@b"), tokens: {}, types: new Set(), nodes: [] },
      fields: [...fields, ...fields],
    };
    expect(questionOf(questionKey(asked))).toMatchObject({ fields: [...fields].sort() });
  });

  test.each(["", "f", "x", "f\u0011", "r\u0013a@b", `${questionKey({ kind: "friend", jid: bareJid("a@b") })}x`])(
    "is not %j",
    (text) => {
      expect(questionOf(text)).toBeUndefined();
    },
  );

  test("P-5.2-1: is the same for the same question, whatever the order of its lists and however often one stands in them", () => {
    fc.assert(
      fc.property(read, fc.infiniteStream(fc.nat()), (asked, order) => {
        const turned = <T>(list: readonly T[]): T[] =>
          [...list, ...list.slice(0, 1)]
            .map((one) => [order.next().value as number, one] as const)
            .sort((a, b) => a[0] - b[0])
            .map(([, one]) => one);
        const again: ReadQuestion = {
          ...asked,
          types: new Set([...asked.types].reverse()),
          nodes: turned(asked.nodes),
          fields: turned(asked.fields),
        };
        expect(questionKey(again)).toBe(questionKey(asked));
      }),
    );
  });

  test("is another one for any question that means something else", () => {
    fc.assert(
      fc.property(question, question, (one, other) => {
        const same = JSON.stringify(meaning(one)) === JSON.stringify(meaning(other));
        expect(questionKey(one) === questionKey(other)).toBe(same);
      }),
      { numRuns: 2_000 },
    );
  });

  test("P-5.2-1: is the same for the same question about control, whatever the order of its lists", () => {
    fc.assert(
      fc.property(control, (asked) => {
        const again = {
          ...asked,
          nodes: [...asked.nodes, ...asked.nodes.slice(0, 1)].reverse(),
          parameters: [...asked.parameters, ...asked.parameters.slice(0, 1)].reverse(),
        };
        expect(questionKey(again)).toBe(questionKey(asked));
      }),
    );
  });

  test("about control is another one when only a part of the question is another one", () => {
    fc.assert(
      fc.property(control, control, fc.constantFrom("jid", "tokens", "nodes", "parameters"), (one, from, part) => {
        const other = { ...one, [part]: from[part] };
        const same = JSON.stringify(meaning(one)) === JSON.stringify(meaning(other));
        expect(questionKey(one) === questionKey(other)).toBe(same);
      }),
      { numRuns: 2_000 },
    );
  });

  test("is another one when only a part of the question is another one", () => {
    fc.assert(
      fc.property(read, read, fc.constantFrom("jid", "tokens", "types", "nodes", "fields"), (one, from, part) => {
        const other = { ...one, [part]: from[part] };
        const same = JSON.stringify(meaning(one)) === JSON.stringify(meaning(other));
        expect(questionKey(one) === questionKey(other)).toBe(same);
      }),
      { numRuns: 2_000 },
    );
  });

  test("is another one when the same text is divided otherwise among the tokens", () => {
    const divided = (text: string, cuts: readonly [number, number]): ReadQuestion => {
      const [first, last] = [Math.min(...cuts), Math.max(...cuts)];
      const tokens = {
        serviceToken: text.slice(0, first),
        deviceToken: text.slice(first, last),
        userToken: text.slice(last),
      };
      return { kind: "read", jid: bareJid("a@b"), tokens, types: new Set(), nodes: [], fields: [] };
    };
    const text = fc.string({ unit: fc.constantFrom(":", "0", "1", "2"), minLength: 1, maxLength: 6 });
    const cuts = fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: 6 }));
    fc.assert(
      fc.property(text, cuts, cuts, (whole, here, there) => {
        const [one, other] = [divided(whole, here), divided(whole, there)];
        const same = JSON.stringify(one.tokens) === JSON.stringify(other.tokens);
        expect(questionKey(one) === questionKey(other)).toBe(same);
      }),
      { numRuns: 1_000 },
    );
  });

  test("is another one when a text moves from one part of the question to the next", () => {
    const base: ReadQuestion = {
      kind: "read",
      jid: bareJid("a@b"),
      tokens: {},
      types: new Set(["momentary"]),
      nodes: [],
      fields: [],
    };
    const variants: ReadQuestion[] = [
      base,
      { ...base, fields: ["x"] },
      { ...base, fields: ["x", "y"] },
      { ...base, fields: ["xy"] },
      { ...base, fields: ["1:x1:y"] },
      { ...base, fields: ["x\n", "y"] },
      { ...base, fields: ["x:y"] },
      { ...base, fields: ["momentary"] },
      { ...base, fields: ["momentary"], types: new Set() },
      { ...base, fields: ["1:x0:0:"] },
      { ...base, fields: ["7:1:x0:0:"] },
      { ...base, nodes: [{ nodeId: "x" }] },
      { ...base, nodes: [{ nodeId: "x", sourceId: "y" }] },
      { ...base, nodes: [{ nodeId: "x", cacheType: "y" }] },
      { ...base, nodes: [{ nodeId: "y", sourceId: "x" }] },
      { ...base, nodes: [{ nodeId: "x" }, { nodeId: "y" }] },
      { ...base, nodes: [{ nodeId: "1:x0:0:" }] },
      { ...base, tokens: { serviceToken: "x" } },
      { ...base, tokens: { serviceToken: "x:" } },
      { ...base, tokens: { serviceToken: "x", deviceToken: ":" } },
      { ...base, tokens: { deviceToken: "x" } },
      { ...base, tokens: { userToken: "x" } },
      { ...base, types: new Set(["momentary", "peak"]) },
      { ...base, types: new Set() },
      { ...base, jid: bareJid("a@b2") },
    ];
    expect(new Set(variants.map(questionKey)).size).toBe(variants.length);
  });

  test("P-E9: holds the tokens in exactly the characters they came in", () => {
    const asked = (serviceToken: string): string =>
      questionKey({
        kind: "read",
        jid: bareJid("a@b"),
        tokens: { serviceToken },
        types: new Set(["momentary"]),
        nodes: [],
        fields: [],
      });
    const written = ["A B", "B A", "A  B", " A B", "a b", "A", "A\tB"];
    expect(new Set(written.map(asked)).size).toBe(written.length);
  });

  test("X-E6: takes an empty source and cache type for none", () => {
    const asked = (node: NodeRef): string =>
      questionKey({
        kind: "read",
        jid: bareJid("a@b"),
        tokens: {},
        types: new Set(["momentary"]),
        nodes: [node],
        fields: [],
      });
    expect(asked({ nodeId: "1", sourceId: "", cacheType: "" })).toBe(asked({ nodeId: "1" }));
  });

  test("tells friendship, readout and control apart", () => {
    const jid = bareJid("a@b");
    const friend = questionKey({ kind: "friend", jid });
    const readout = questionKey({ kind: "read", jid, tokens: {}, types: new Set(), nodes: [], fields: [] });
    const control = questionKey({ kind: "control", jid, tokens: {}, nodes: [], parameters: [] });
    expect(new Set([friend, readout, control]).size).toBe(3);
    expect(friend).not.toBe(questionKey({ kind: "friend", jid: bareJid("b@b") }));
  });
});
