import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CanControl, CanControlResponse } from "../../src/codec/can-control.ts";
import { fieldTypes, type FieldType } from "../../src/codec/field-types.ts";
import { refersTo, type NodeRef } from "../../src/codec/node-ref.ts";
import type { CanRead, CanReadResponse } from "../../src/codec/provisioning.ts";
import { ConfigError } from "../../src/core/errors.ts";
import type { BareJid } from "../../src/core/jid.ts";
import { mostForgivingControl, mostForgivingRead } from "../../src/sandbox/forgiving.ts";
import {
  decideControl,
  decideFriend,
  decideRead,
  ruleFor,
  withRule,
  type Acting,
  type ControlLimits,
  type ReadLimits,
  type Rule,
  type Within,
} from "../../src/sandbox/rules.ts";
import { narrow, narrowControl } from "../../src/sandbox/narrowing.ts";
import { normaliseRules } from "../../src/sandbox/rules-check.ts";

const jid = (text: string): BareJid => text as BareJid;
const thing = jid("thing@example.org");
const reader = jid("reader@example.org");

const asking = (question: Partial<Pick<CanRead, "nodes" | "fields">> & { types?: readonly FieldType[] }): CanRead => ({
  jid: reader,
  tokens: {},
  nodes: question.nodes ?? [],
  fields: question.fields ?? [],
  types: new Set(question.types ?? []),
});

describe("who decides", () => {
  it("refuses when no rule fits", () => {
    expect(decideFriend([], thing, reader)).toBe(false);
    expect(decideRead([], thing, reader)).toBe(false);
    expect(decideControl([], thing, reader)).toBe(false);
    const others = normaliseRules([
      { thing: "other@example.org", friend: true, read: true },
      { jid: "x.org", friend: true },
    ]);
    expect(decideFriend(others, thing, reader)).toBe(false);
    expect(decideRead(others, thing, reader)).toBe(false);
  });

  it("lets the first rule that fits and mentions the right decide", () => {
    const rules: readonly Rule[] = [
      { jid: "reader@example.org", friend: false },
      { thing: "thing@example.org", read: { fields: ["Temperature"] } },
      { friend: true, read: true },
    ];
    expect(decideFriend(rules, thing, reader)).toBe(false);
    expect(decideRead(rules, thing, reader)).toEqual({ fields: ["Temperature"] });
    expect(decideFriend(rules, thing, jid("somebody@example.org"))).toBe(true);
    expect(decideRead(rules, jid("other@example.org"), reader)).toBe(true);
  });

  it("does not take a right to read for one to control, nor the other way round", () => {
    const rules = normaliseRules([{ jid: "reader@example.org", read: true }, { control: { parameters: ["LED"] } }]);
    expect(decideControl(rules, thing, reader)).toEqual({ parameters: ["LED"] });
    expect(decideRead(rules, thing, jid("somebody@example.org"))).toBe(false);
    expect(decideControl([{ jid: "reader@example.org", read: true, friend: true }], thing, reader)).toBe(false);
  });

  it("takes a domain for all its accounts, and for the component of that name", () => {
    const rules = normaliseRules([{ jid: "example.org", friend: true }]);
    expect(decideFriend(rules, thing, reader)).toBe(true);
    expect(decideFriend(rules, thing, jid("example.org"))).toBe(true);
    expect(decideFriend(rules, thing, jid("reader@sub.example.org"))).toBe(false);
    expect(decideFriend(rules, thing, jid("reader@notexample.org"))).toBe(false);
  });

  it("takes a bare JID for that account only, not for its domain or its local part", () => {
    const rules = normaliseRules([{ jid: "reader@example.org", friend: true }]);
    expect(decideFriend(rules, thing, reader)).toBe(true);
    expect(decideFriend(rules, thing, jid("example.org"))).toBe(false);
    expect(decideFriend(rules, thing, jid("reader@example.com"))).toBe(false);
  });

  it("ignores resources and case in rules (P-3.2.1-4)", () => {
    const rules = normaliseRules([
      { thing: "Thing@Example.ORG/device", jid: "READER@example.org/phone", friend: true },
    ]);
    expect(rules).toEqual([{ thing, jid: reader, friend: true }]);
    expect(decideFriend(rules, thing, reader)).toBe(true);
  });

  it("names the rule whose JID is none", () => {
    expect(() => normaliseRules([{ friend: true }, { thing: "@x", friend: true }])).toThrow(ConfigError);
    expect(() => normaliseRules([{ friend: true }, { thing: "@x", friend: true }])).toThrow(/rules\[1\]\.thing/);
    expect(() => normaliseRules([{ jid: "a b" }])).toThrow(/rules\[0\]\.jid/);
  });

  const all = { read: true };
  it.each<[string, unknown, string]>([
    ["no list", { jid: "a@b" }, "rules: must be a list"],
    ["a text for a rule", ["a@b"], "rules[0]: must be an object"],
    ["a misspelt party", [{ jdi: "a@b", ...all }], 'rules[0]: there is no option "jdi"'],
    ["a party that is there without a value", [all, { jid: undefined, ...all }], "rules[1].jid: must be a text"],
    ["an identity without a value", [{ device: undefined, ...all }], "rules[0].device: must be a text"],
    ["a misspelt right", [{ jid: "a@b", raed: true }], 'rules[0]: there is no option "raed"'],
    ["a friendship of a text", [{ friend: "yes" }], "rules[0].friend: must be true or false"],
    ["a text for what may be read", [{ read: "Power" }], "rules[0].read: must be true, false, or an object with nodes"],
    ["what is no limit", [{ control: { fields: ["LED"] } }], 'rules[0].control: there is no option "fields"'],
    ["a text for the fields", [{ read: { fields: "Power" } }], "rules[0].read.fields: must be a list of texts"],
    ["a kind that there is not", [{ read: { types: ["now"] } }], 'rules[0].read.types: there is no "now"'],
    ["a text for a node", [{ read: { nodes: ["a"] } }], "rules[0].read.nodes[0]: must be an object"],
  ])("refuses %s, so that no slip makes a rule for everybody", (_, rules, message) => {
    expect(() => normaliseRules(rules as [])).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG", message: expect.stringContaining(message) as unknown }),
    );
  });

  it("takes all that a rule may hold", () => {
    const limits = { nodes: [{ nodeId: "a" }], types: ["peak" as const], fields: ["Power"] };
    const rule = { thing: "t@b", jid: "a@b", service: "s", device: "d", user: "u", friend: true, read: limits };
    const control = { nodes: [], parameters: ["LED"] };
    expect(
      normaliseRules([
        { ...rule, control },
        { read: false, control: false },
      ]),
    ).toEqual([
      { ...rule, control },
      { read: false, control: false },
    ]);
  });

  it("puts a new rule in front, in the place of what it makes void", () => {
    const first: Rule = { thing, jid: reader, read: true };
    const other: Rule = { thing, jid: reader, friend: true };
    const both: Rule = { thing, jid: reader, friend: true, read: true };
    const everybody: Rule = { read: false };
    const no: Rule = { thing, jid: reader, read: false };
    expect(withRule([first, other, everybody], no)).toEqual([no, other, everybody]);
    expect(withRule([both], no)).toEqual([no, both]);
    expect(withRule([first, other], both)).toEqual([both]);
    const control: Rule = { thing, jid: reader, control: true };
    expect(withRule([control, first], no)).toEqual([no, control]);
    expect(withRule([first, control], { ...control, control: false })).toEqual([{ ...control, control: false }, first]);
  });
});

describe("identities in rules (P-3.1.3-1)", () => {
  const fingerprint = "0123456789abcdef".repeat(4);
  const rules = normaliseRules([
    { service: "billing", user: "anna", read: true },
    { service: "billing", read: { fields: ["Energy"] } },
    { device: fingerprint, control: true },
  ]);

  it("P-3.1.3-1: stand beside JID and domain: a rule speaks when everything fits that it names", () => {
    expect(decideRead(rules, thing, reader, { service: ["f1", "billing"], user: ["f2", "anna"] })).toBe(true);
    expect(decideRead(rules, thing, reader, { service: ["billing"] })).toEqual({ fields: ["Energy"] });
    expect(decideRead(rules, thing, reader, { service: ["billing"], user: ["bob"] })).toEqual({ fields: ["Energy"] });
    expect(decideRead(rules, thing, reader, { user: ["anna"] })).toBe(false);
    expect(decideControl(rules, thing, reader, { device: [fingerprint] })).toBe(true);
    const both = normaliseRules([{ thing: "example.org", jid: "reader@example.org", service: "billing", read: true }]);
    expect(decideRead(both, thing, reader, { service: ["billing"] })).toBe(true);
    expect(decideRead(both, thing, jid("thief@example.org"), { service: ["billing"] })).toBe(false);
    expect(decideRead(both, jid("thing@example.com"), reader, { service: ["billing"] })).toBe(false);
  });

  it("P-3.1.3-1: a device token is no service token, nor a user token", () => {
    expect(decideRead(rules, thing, reader, { device: ["billing"], user: ["billing"] })).toBe(false);
    expect(decideControl(rules, thing, reader, { service: [fingerprint], user: [fingerprint] })).toBe(false);
  });

  it("P-3.1.3-1: nobody without a token fits, and isFriend carries none", () => {
    expect(decideRead(rules, thing, reader)).toBe(false);
    expect(decideControl(rules, thing, reader)).toBe(false);
    expect(decideFriend([{ service: "billing", friend: true }], thing, reader)).toBe(false);
  });

  it("are named by a name, exactly, or by a fingerprint, as tools print it", () => {
    const printed = fingerprint.toUpperCase().replace(/..(?=.)/g, "$&:");
    expect(normaliseRules([{ device: printed, user: "Anna B." }])).toEqual([{ device: fingerprint, user: "Anna B." }]);
    expect(decideRead(normaliseRules([{ user: "Anna", read: true }]), thing, reader, { user: ["anna"] })).toBe(false);
    expect(() => normaliseRules([{ read: true }, { service: " ", read: true }])).toThrow(/rules\[1\]\.service/);
    expect(() => normaliseRules([{ user: "", read: true }])).toThrow(ConfigError);
  });

  it("make a rule another one: it is not replaced by one that names nobody, or somebody else", () => {
    const named: Rule = { thing, jid: reader, service: "billing", read: true };
    const unnamed: Rule = { thing, jid: reader, read: false };
    expect(withRule([named], unnamed)).toEqual([unnamed, named]);
    expect(withRule([unnamed], named)).toEqual([named, unnamed]);
    expect(withRule([named, unnamed], { ...named, read: false })).toEqual([{ ...named, read: false }, unnamed]);
    expect(withRule([named], { ...named, service: "other" })).toHaveLength(2);
  });

  // Written anew from the words of the documentation, over a world so small that everything happens.
  it("P-3.1.3-1: the first rule decides that fits and mentions the right, whatever the rules are", () => {
    const people = ["a@x.org", "b@x.org", "a@y.org"];
    const patterns = [undefined, ...people, "x.org"];
    const called = [undefined, "n1", "n2"];
    // What is `undefined` here is left out of the rule.
    const without = (parts: object): Rule =>
      Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined));
    const arbitraryParts = fc.record({
      thing: fc.constantFrom(...patterns),
      jid: fc.constantFrom(...patterns),
      service: fc.constantFrom(...called),
      device: fc.constantFrom(...called),
      user: fc.constantFrom(...called),
      friend: fc.constantFrom(undefined, true, false),
      read: fc.constantFrom<Rule["read"]>(undefined, true, false, { fields: ["x"] }),
      control: fc.constantFrom<Rule["control"]>(undefined, true, false, { parameters: ["x"] }),
    });
    const arbitraryRule = arbitraryParts.map(without);
    const acting = fc.record({
      service: fc.subarray(["n1", "n2"]),
      device: fc.subarray(["n1", "n2"]),
      user: fc.subarray(["n1", "n2"]),
    });
    const isOne = (pattern: string | undefined, who: string): boolean =>
      pattern === undefined || (pattern.includes("@") ? who === pattern : who.split("@").at(-1) === pattern);
    const isNamed = (name: string | undefined, identities: readonly string[]): boolean =>
      name === undefined || identities.some((one) => one === name);
    fc.assert(
      fc.property(
        fc.array(arbitraryRule, { maxLength: 6 }),
        fc.constantFrom(...people),
        fc.constantFrom(...people),
        acting,
        (given, one, two, who) => {
          const expected = (right: "friend" | "read" | "control"): unknown => {
            for (const rule of given) {
              if (rule[right] === undefined || !isOne(rule.thing, one) || !isOne(rule.jid, two)) continue;
              const { service, device, user } = right === "friend" ? { service: [], device: [], user: [] } : who;
              if (!isNamed(rule.service, service) || !isNamed(rule.device, device) || !isNamed(rule.user, user))
                continue;
              return rule[right];
            }
            return false;
          };
          const all = normaliseRules(given);
          expect(decideFriend(all, jid(one), jid(two))).toEqual(expected("friend"));
          expect(decideRead(all, jid(one), jid(two), who)).toEqual(expected("read"));
          expect(decideControl(all, jid(one), jid(two), who)).toEqual(expected("control"));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe("what is left of a question", () => {
  it("answers a no with the types of the question and no lists (Listing 14, P-3.3.1-2)", () => {
    const question = asking({ types: ["momentary"], nodes: [{ nodeId: "a" }], fields: ["x"] });
    expect(narrow(question, false)).toEqual({
      jid: reader,
      result: false,
      types: new Set(["momentary"]),
      nodes: [],
      fields: [],
    });
  });

  it("answers an unlimited yes without lists (P-3.3.2-2, P-3.3.3-2)", () => {
    const question = asking({ types: ["momentary"], nodes: [{ nodeId: "a" }], fields: ["x"] });
    for (const yes of [true, {}]) {
      expect(narrow(question, yes)).toEqual({
        jid: reader,
        result: true,
        types: question.types,
        nodes: [],
        fields: [],
      });
    }
  });

  it("gives the lists of what is allowed when everything was asked", () => {
    const limits: ReadLimits = {
      nodes: [{ nodeId: "a" }, { nodeId: "b", sourceId: "s" }],
      fields: ["x"],
      types: ["peak"],
    };
    expect(narrow(asking({}), limits)).toEqual({
      jid: reader,
      result: true,
      types: new Set(["peak"]),
      nodes: limits.nodes,
      fields: ["x"],
    });
  });

  it("keeps what was asked and is allowed, nodes, fields and types (P-3.3.2-1, P-3.3.3-1, P-3.3.3-5)", () => {
    const question = asking({
      nodes: [{ nodeId: "a" }, { nodeId: "b" }],
      fields: ["x", "y"],
      types: ["momentary", "peak"],
    });
    const limits: ReadLimits = {
      nodes: [{ nodeId: "b" }, { nodeId: "c" }],
      fields: ["y", "z"],
      types: ["peak", "status"],
    };
    expect(narrow(question, limits)).toEqual({
      jid: reader,
      result: true,
      types: new Set(["peak"]),
      nodes: [{ nodeId: "b" }],
      fields: ["y"],
    });
  });

  it.each<[string, ReadLimits]>([
    ["node (P-3.3.2-3)", { nodes: [{ nodeId: "b" }] }],
    ["field (P-3.3.3-3)", { fields: ["y"] }],
    ["type", { types: ["peak"] }],
    ["node, for the rule lists none", { nodes: [] }],
    ["field, for the rule lists none", { fields: [] }],
    ["type, for the rule lists none", { types: [] }],
  ])("is result='false' when there is nothing left: no %s", (_what, limits) => {
    const question = asking({ nodes: [{ nodeId: "a" }], fields: ["x"], types: ["momentary"] });
    expect(narrow(question, limits).result).toBe(false);
  });

  it("does not take an empty list in a rule for no limit, whatever was asked", () => {
    for (const limits of [{ nodes: [] }, { fields: [] }, { types: [] }]) {
      expect(narrow(asking({}), limits).result).toBe(false);
    }
  });

  it("takes a reference without source or cache type for all that it fits (P-5.5-3)", () => {
    const exact: NodeRef = { nodeId: "a", sourceId: "s", cacheType: "c" };
    expect(narrow(asking({ nodes: [{ nodeId: "a" }] }), { nodes: [exact] }).nodes).toEqual([exact]);
    expect(narrow(asking({ nodes: [exact] }), { nodes: [{ nodeId: "a" }] }).nodes).toEqual([exact]);
    const half = narrow(asking({ nodes: [{ nodeId: "a", cacheType: "c" }] }), {
      nodes: [{ nodeId: "a", sourceId: "s" }],
    });
    expect(half.nodes).toEqual([exact]);
    expect(narrow(asking({ nodes: [exact] }), { nodes: [{ nodeId: "a", sourceId: "t" }] }).result).toBe(false);
    expect(narrow(asking({ nodes: [exact] }), { nodes: [{ nodeId: "a", cacheType: "t" }] }).result).toBe(false);
  });

  it("takes empty attributes in a rule for absent ones (X-E6), and lists nothing twice", () => {
    const limits: ReadLimits = {
      nodes: [
        { nodeId: "a", sourceId: "" },
        { cacheType: "", nodeId: "a" },
      ],
    };
    expect(narrow(asking({}), limits).nodes).toEqual([{ nodeId: "a" }]);
    expect(narrow(asking({ nodes: [{ nodeId: "a", sourceId: "s" }] }), limits).nodes).toEqual([
      { nodeId: "a", sourceId: "s" },
    ]);
  });
});

describe("what is left of a question about control", () => {
  const wanting = (parts: Partial<CanControl> = {}): CanControl => ({
    jid: reader,
    tokens: {},
    nodes: [],
    parameters: [],
    ...parts,
  });

  it("answers a no, and an unlimited yes, without lists (P-3.4.1-2, P-3.4.3-2)", () => {
    const question = wanting({ nodes: [{ nodeId: "a" }], parameters: ["LED"] });
    expect(narrowControl(question, false)).toEqual({ jid: reader, result: false, nodes: [], parameters: [] });
    for (const yes of [true, {}]) {
      expect(narrowControl(question, yes)).toEqual({ jid: reader, result: true, nodes: [], parameters: [] });
    }
  });

  it("is what was asked and is allowed, each once (P-3.4.2-1, P-3.4.3-1)", () => {
    const limits: ControlLimits = {
      nodes: [{ nodeId: "a" }, { nodeId: "b", sourceId: "" }],
      parameters: ["LED", "Fan"],
    };
    expect(narrowControl(wanting(), limits)).toMatchObject({
      result: true,
      nodes: [{ nodeId: "a" }, { nodeId: "b" }],
      parameters: ["LED", "Fan"],
    });
    const question = wanting({ nodes: [{ nodeId: "b" }, { nodeId: "c" }], parameters: ["Pump", "Fan", "Fan"] });
    expect(narrowControl(question, limits)).toMatchObject({
      result: true,
      nodes: [{ nodeId: "b" }],
      parameters: ["Fan"],
    });
  });

  it.each<[string, ControlLimits]>([
    ["node (P-3.4.2-3)", { nodes: [{ nodeId: "b" }] }],
    ["parameter (P-3.4.3-3)", { parameters: ["Fan"] }],
    ["node, for the rule lists none", { nodes: [] }],
    ["parameter, for the rule lists none", { parameters: [] }],
  ])("is result='false' when there is nothing left: no %s", (_what, limits) => {
    const question = wanting({ nodes: [{ nodeId: "a" }], parameters: ["LED"] });
    expect(narrowControl(question, limits).result).toBe(false);
  });
});

// What an answer lets a Thing send, read as P-E18 and P-E19 have it, over a small world of exact nodes.
const nodeIds = ["a", "b"];
const parts = [undefined, "1", "2"];
const names = ["x", "y", "z"];
const types = ["momentary", "peak", "status"] as const;
const world: readonly NodeRef[] = nodeIds.flatMap((nodeId) =>
  ["1", "2"].flatMap((sourceId) => ["1", "2"].map((cacheType) => ({ nodeId, sourceId, cacheType }))),
);

const arbitraryRef: fc.Arbitrary<NodeRef> = fc
  .tuple(fc.constantFrom(...nodeIds), fc.constantFrom(...parts), fc.constantFrom(...parts))
  .map(([nodeId, sourceId, cacheType]) => ({ nodeId, ...(sourceId && { sourceId }), ...(cacheType && { cacheType }) }));
const arbitraryLimits = fc.record(
  {
    nodes: fc.array(arbitraryRef, { maxLength: 4 }),
    fields: fc.subarray(names),
    types: fc.subarray([...types]),
  },
  { requiredKeys: [] },
);
const arbitraryQuestion = fc
  .record({
    nodes: fc.array(arbitraryRef, { maxLength: 4 }),
    fields: fc.subarray(names),
    types: fc.subarray([...types]),
  })
  .map(asking);

interface Datum {
  readonly node: NodeRef;
  readonly field: string;
  readonly type: FieldType;
}
const data: readonly Datum[] = world.flatMap((node) =>
  names.flatMap((field) => types.map((type) => ({ node, field, type }))),
);
/** Empty lists are everything: in a question, and in a yes. */
const covers = (lists: Pick<CanReadResponse, "nodes" | "fields" | "types">, { node, field, type }: Datum): boolean =>
  (lists.nodes.length === 0 || lists.nodes.some((ref) => refersTo(ref, node))) &&
  (lists.fields.length === 0 || lists.fields.includes(field)) &&
  (lists.types.size === 0 || lists.types.has(type));
const permits = (limits: ReadLimits, { node, field, type }: Datum): boolean =>
  (limits.nodes?.some((ref) => refersTo(ref, node)) ?? true) &&
  (limits.fields?.includes(field) ?? true) &&
  (limits.types?.includes(type) ?? true);

describe("narrowing, whatever is asked and allowed", () => {
  it("never grants what the rule does not permit or what was not asked (P-3.3.2-4, P-3.3.3-4)", () => {
    fc.assert(
      fc.property(arbitraryQuestion, arbitraryLimits, (question, limits) => {
        const answer = narrow(question, limits);
        if (!answer.result) return;
        for (const datum of data) {
          // The answer alone may not go beyond the rule where the rule limits: a Thing that trusts the lists is safe.
          if (covers(answer, datum) && covers(question, datum)) expect(permits(limits, datum)).toBe(true);
        }
        for (const node of answer.nodes)
          expect(question.nodes.length === 0 || isWithin(node, question.nodes)).toBe(true);
        for (const field of answer.fields)
          expect(question.fields.length === 0 || question.fields.includes(field)).toBe(true);
        for (const type of answer.types) expect(question.types.size === 0 || question.types.has(type)).toBe(true);
      }),
    );
  });

  it("loses nothing that was asked and is permitted", () => {
    fc.assert(
      fc.property(arbitraryQuestion, arbitraryLimits, (question, limits) => {
        const answer = narrow(question, limits);
        const wanted = data.filter((datum) => covers(question, datum) && permits(limits, datum));
        for (const datum of wanted) expect(answer.result && covers(answer, datum)).toBe(true);
        // And a yes always leaves something to send.
        expect(answer.result).toBe(wanted.length > 0);
      }),
    );
  });

  it("grants all fourteen types when all are asked and none is limited", () => {
    expect(narrow(asking({ types: fieldTypes }), true).types.size).toBe(14);
  });
});

describe("the most forgiving of several answers", () => {
  // There is more in the world than rules and questions name.
  const parts = ["1", "2", "3"];
  const nodes = [...nodeIds, "c"].flatMap((nodeId) =>
    parts.flatMap((sourceId) => parts.map((cacheType) => ({ nodeId, sourceId, cacheType }))),
  );
  const all: readonly Datum[] = nodes.flatMap((node) =>
    [...names, "w"].flatMap((field) => [...types, "identity" as const].map((type) => ({ node, field, type }))),
  );
  const sends = (question: CanRead, answer: CanReadResponse): readonly Datum[] =>
    answer.result ? all.filter((datum) => covers(question, datum) && covers(answer, datum)) : [];

  it("P-3.1.5-3: is one of them, and none of them allows all that it does and more", () => {
    fc.assert(
      fc.property(arbitraryQuestion, fc.array(arbitraryLimits, { minLength: 1, maxLength: 4 }), (question, given) => {
        const answers = given.map((limits) => narrow(question, limits));
        const best = mostForgivingRead(question, answers);
        expect(answers).toContain(best);
        const sent = new Set(sends(question, best));
        for (const other of answers) {
          const more = sends(question, other);
          expect(more.length > sent.size && [...sent].every((datum) => more.includes(datum))).toBe(false);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("P-3.1.5-3: a yes comes before a no, everything before a list, the longer list before the shorter, the first of equals", () => {
    const question: CanControl = { jid: reader, tokens: {}, nodes: [], parameters: [] };
    const no = narrowControl(question, false);
    const list = (...parameters: readonly string[]): CanControlResponse => narrowControl(question, { parameters });
    const full = narrowControl(question, true);
    expect(mostForgivingControl(question, [no, list("a"), no])).toEqual(list("a"));
    expect(mostForgivingControl(question, [list("a"), list("b", "c")])).toEqual(list("b", "c"));
    expect(mostForgivingControl(question, [list("a"), list("b")])).toEqual(list("a"));
    expect(mostForgivingControl(question, [list("a", "b"), full, list("c")])).toBe(full);
    expect(mostForgivingControl(question, [no])).toBe(no);
    const one = narrowControl(question, { nodes: [{ nodeId: "n" }] });
    const two = narrowControl(question, { nodes: ["1", "2"].map((sourceId) => ({ nodeId: "n", sourceId })) });
    expect(mostForgivingControl(question, [two, one])).toBe(one); // whatever its source is
  });
});

function isWithin(node: NodeRef, asked: readonly NodeRef[]): boolean {
  const meant = world.filter((one) => refersTo(node, one));
  return meant.every((one) => asked.some((ref) => refersTo(ref, one)));
}

describe("a rule for just this much", () => {
  const within = (given: Within, asked: Parameters<typeof asking>[0]): boolean =>
    ruleFor(normaliseRules([{ read: true, within: given }]), "read", { thing, jid: reader, asked: asking(asked) }) !==
    undefined;

  it("speaks of questions for its fields, and nothing beyond", () => {
    const fields = ["Temperature", "Pressure"];
    expect(within({ fields }, { fields: ["Temperature"] })).toBe(true);
    expect(within({ fields }, { fields })).toBe(true);
    expect(within({ fields }, { fields: ["Temperature", "Humidity"] })).toBe(false);
    expect(within({ fields }, {})).toBe(false); // everything
  });

  it("speaks of questions for its kinds of field, and nothing beyond", () => {
    expect(within({ types: ["momentary"] }, { types: ["momentary"] })).toBe(true);
    expect(within({ types: ["momentary"] }, { types: ["momentary", "peak"] })).toBe(false);
    expect(within({ types: ["momentary"] }, {})).toBe(false);
  });

  it("speaks of questions for its nodes, and nothing beyond; what it leaves out may be anything", () => {
    const nodes = [{ nodeId: "one", sourceId: "cellar" }, { nodeId: "two" }];
    expect(within({ nodes }, { nodes: [{ nodeId: "two", sourceId: "attic" }] })).toBe(true);
    expect(within({ nodes }, { nodes: [{ nodeId: "one", sourceId: "cellar" }] })).toBe(true);
    expect(within({ nodes }, { nodes: [{ nodeId: "one" }] })).toBe(false); // in any source
    expect(within({ nodes }, { nodes: [{ nodeId: "two" }, { nodeId: "three" }] })).toBe(false);
    expect(within({ nodes: [], fields: [] }, {})).toBe(false);
  });

  it("speaks of questions for its parameters, and nothing beyond", () => {
    const rules = normaliseRules([{ control: false, within: { parameters: ["Pump"] } }, { control: true }]);
    const found = (...parameters: string[]): unknown =>
      ruleFor(rules, "control", { thing, jid: reader, asked: { parameters } })?.control;
    expect(found("Pump")).toBe(false);
    expect(found("Pump", "Valve")).toBe(true);
  });

  it("stands beside a rule for all, and is replaced by one for as much", () => {
    const [all, some, again] = normaliseRules([
      { read: true },
      { read: true, within: { fields: ["Temperature"] } },
      { read: false, within: { fields: ["Temperature"] } },
    ]) as readonly [Rule, Rule, Rule];
    expect(withRule([all], some)).toEqual([some, all]);
    expect(withRule([some, all], again)).toEqual([again, all]);
  });
});

describe("a rule for once", () => {
  it("stands in front of those that stay, and takes the place of none", () => {
    const [stays, once] = normaliseRules([{ read: false }, { read: true, once: true }]) as readonly [Rule, Rule];
    expect(withRule([stays], once)).toEqual([once, stays]);
    expect(withRule([once, stays], stays)).toEqual([stays]);
  });
});

describe("a rule by the name of a user", () => {
  it("speaks of who has logged in by it at the service of the rule", () => {
    const rules = normaliseRules([{ service: "billing", userName: "Kermit", read: true }]);
    const found = (acting: Acting): boolean => decideRead(rules, thing, reader, acting) === true;
    expect(found({ service: ["billing"], userName: "Kermit" })).toBe(true);
    expect(found({ service: ["billing"], userName: "kermit" })).toBe(false);
    expect(found({ service: ["other"], userName: "Kermit" })).toBe(false);
    expect(found({ service: ["billing"], user: ["Kermit"] })).toBe(false);
  });
});

describe("rules that are none", () => {
  it.each([
    [{ userName: "Kermit", read: true }, "goes with service"],
    [{ userName: "", service: "billing", read: true }, "must be a text"],
    [{ within: undefined, read: true }, "within: must be an object"],
    [{ credentials: undefined, access: true }, "credentials: must be an object"],
    [{ within: { fields: ["a"] }, friend: true }, "goes with read or control"],
    [{ within: { fields: ["a"] }, friend: true, read: true }, "only"],
    [{ within: { fields: ["a"] }, access: true, read: true }, "only"],
    [{ within: { fields: undefined }, read: true }, "must be a list"],
    [{ within: { fields: [""] }, read: true }, "not empty"],
    [{ within: { colours: [] }, read: true }, "colours"],
    [{ credentials: { userName: "a" }, read: true }, "goes with access"],
    [{ credentials: { userName: "a" }, access: true, read: true }, "nothing else"],
    [{ access: true, user: "anna" }, "not device, user or userName"],
    [{ access: true, once: true }, "does not go with access"],
    [{ once: "yes", read: true }, "must be true or false"],
    [{ access: "yes" }, "must be true or false"],
  ])("are refused: %j", (rule, words) => {
    expect(() => normaliseRules([rule as unknown as Rule])).toThrow(ConfigError);
    expect(() => normaliseRules([rule as unknown as Rule])).toThrow(words);
  });
});
