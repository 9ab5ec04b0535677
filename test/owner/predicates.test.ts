import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SearchOperator } from "../../src/codec/search.ts";
import { buildSearch, parseSearch } from "../../src/codec/search.ts";
import { anyOf, searchesFor, tag, type SearchCondition } from "../../src/owner/predicates.ts";
import { overTheWire } from "../codec/laws.ts";

const free = (name: string) => tag(name);
const ends = { minIncluded: true, maxIncluded: true };

describe("a condition on a tag", () => {
  const operators: readonly [SearchOperator, SearchOperator][] = [
    [tag("man").is("x"), { op: "strEq", tag: "MAN", value: "x" }],
    [tag("MAN").isNot("x"), { op: "strNEq", tag: "MAN", value: "x" }],
    [tag("MAN").above("x"), { op: "strGt", tag: "MAN", value: "x" }],
    [tag("MAN").atLeast("x"), { op: "strGtEq", tag: "MAN", value: "x" }],
    [tag("MAN").below("x"), { op: "strLt", tag: "MAN", value: "x" }],
    [tag("MAN").atMost("x"), { op: "strLtEq", tag: "MAN", value: "x" }],
    [tag("MAN").between("a", "b"), { op: "strRange", tag: "MAN", min: "a", max: "b", ...ends }],
    [
      tag("MAN").outside("a", "b", { min: "excluded" }),
      { op: "strNRange", tag: "MAN", min: "a", max: "b", minIncluded: false, maxIncluded: true },
    ],
    [tag("SN").like("39487*"), { op: "strMask", tag: "SN", value: "39487*", wildcard: "*" }],
    [tag("SN").like("*%", { wildcard: "%" }), { op: "strMask", tag: "SN", value: "*%", wildcard: "%" }],
    [tag("v").is(1.2), { op: "numEq", tag: "V", value: 1.2 }],
    [tag("V").isNot(-0), { op: "numNEq", tag: "V", value: 0 }],
    [tag("V").above(1), { op: "numGt", tag: "V", value: 1 }],
    [tag("V").atLeast(1), { op: "numGtEq", tag: "V", value: 1 }],
    [tag("V").below(1), { op: "numLt", tag: "V", value: 1 }],
    [tag("V").atMost(1), { op: "numLtEq", tag: "V", value: 1 }],
    [
      tag("V").between(1, 2, { max: "excluded" }),
      { op: "numRange", tag: "V", min: 1, max: 2, minIncluded: true, maxIncluded: false },
    ],
    [tag("LAT").outside(-34, -33), { op: "numNRange", tag: "LAT", min: -34, max: -33, ...ends }],
    [tag("Floor").is(3), { op: "numEq", tag: "FLOOR", value: 3 }],
    [tag("Floor").is("3"), { op: "strEq", tag: "FLOOR", value: "3" }],
  ];

  it("D-3.15-3, D-3.15-23, D-3.15-35: each of the 17 operators has its word", () => {
    for (const [made, expected] of operators) expect(made).toEqual(expected);
    expect(new Set(operators.map(([{ op }]) => op)).size).toBe(17);
    const all = operators.map(([made]) => made);
    expect(parseSearch(overTheWire(buildSearch({ offset: 0, operators: all }))).operators).toEqual(all);
  });

  it("is what was given, for any number and text that a tag can hold", () => {
    const text = fc.string({ maxLength: 40 }).filter((one) => !/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u.test(one));
    fc.assert(
      fc.property(fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true })), (value) => {
        const operators = searchesFor(free("X").atLeast(value)).flat();
        expect(parseSearch(overTheWire(buildSearch({ offset: 0, operators }))).operators).toEqual(operators);
        expect(operators).toEqual([
          { op: typeof value === "number" ? "numGtEq" : "strGtEq", tag: "X", value: value === 0 ? 0 : value },
        ]);
      }),
    );
  });

  const unknown = (value: unknown): never => value as never;
  it.each<[string, () => unknown, string]>([
    ["the empty name", () => free(""), 'tag(""): a tag needs a name'],
    ["no name", () => tag(unknown(7)), "tag(7): a tag needs a name"],
    ["a name with a blank", () => free("a b"), 'tag("a b"): a name must not hold'],
    ["a long name", () => free("x".repeat(33)), "the name is longer than 32 characters"],
    ["KEY: no search finds it (D-3.15-29)", () => free("key"), 'tag("KEY"): no search finds a KEY'],
    ["a text for a number", () => free("V").is("1"), 'tag("V"): is a number by XEP-0347 5.2'],
    ["a number for a text", () => free("SN").above(1), 'tag("SN"): is a string by XEP-0347 5.2'],
    ["a mask for a number", () => free("V").like("1*"), "only texts have masks"],
    ["a mask that is none", () => free("SN").like(unknown(7)), "a mask must be a text"],
    ["a mask that XML forbids", () => free("SN").like("\u0000*"), "a mask must be a text that XML can hold"],
    ["a wildcard of two", () => tag("SN").like("**", { wildcard: "**" }), "wildcard must be one character"],
    ["no wildcard", () => tag("SN").like("x", { wildcard: "" }), "wildcard must be one character"],
    ["NaN", () => tag("V").is(NaN), "a number must be finite"],
    ["the infinite", () => tag("V").between(0, Infinity), "a number must be finite"],
    ["nothing", () => tag("V").is(unknown(undefined)), "compare it with a text or a number"],
    ["a text too long", () => tag("SN").is("x".repeat(129)), "the value is longer than 128 characters"],
    ["a range from text to number", () => free("X").between(unknown("1"), 2), "both ends of a range"],
    ["a range from number to text", () => free("X").between(unknown(1), "2"), "both ends of a range"],
    ["a range the wrong way round", () => tag("V").outside(2, 1), "there is nothing between 2 and 1"],
    ["an end that is neither", () => tag("V").between(1, 2, { min: unknown(true) }), 'min must be "included" or'],
  ])("is refused for %s", (_, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }));
    expect(make).toThrow(message);
  });
});

describe("alternatives", () => {
  const [a, b, c, d] = [tag("V").is(1), tag("V").is(2), tag("SN").is("c"), tag("MAN").is("d")];

  it.each<[string, SearchCondition | SearchCondition[], SearchOperator[][]]>([
    ["one condition", a, [[a]]],
    ["a list, all of which must hold", [a, c], [[a, c]]],
    ["D-3.15-5: one of two", anyOf(a, b), [[a], [b]]],
    ["a list as one alternative", anyOf(a, [b, c]), [[a], [b, c]]],
    [
      "a condition and one of two",
      [d, anyOf(a, b)],
      [
        [d, a],
        [d, b],
      ],
    ],
    [
      "two times one of two",
      [anyOf(a, b), anyOf(c, d)],
      [
        [a, c],
        [a, d],
        [b, c],
        [b, d],
      ],
    ],
    ["one in another", anyOf(a, anyOf(b, [c, anyOf(d)])), [[a], [b], [c, d]]],
    ["the same twice", anyOf(a, tag("v").is(1)), [[a]]],
  ])("%s", (_, given, expected) => {
    expect(searchesFor(given)).toEqual(expected);
  });

  it("can be kept as JSON", () => {
    const kept = JSON.parse(JSON.stringify([d, anyOf(a, b)])) as SearchCondition[];
    expect(searchesFor(kept)).toEqual([
      [d, a],
      [d, b],
    ]);
  });

  it.each<[string, unknown, string]>([
    ["none", [], "give at least one condition"],
    ["no alternative", anyOf(), "anyOf() needs at least one alternative"],
    ["an alternative without a condition", anyOf(a, []), "give at least one condition"],
    ["nothing", null, "a condition is made by tag(…) or anyOf(…)"],
    ["a text", ["V>1"], "a condition is made by tag"],
    ["an unknown operator", [{ op: "strLike", tag: "A", value: "x" }], "a condition is made by tag"],
    ["a part that is missing", [{ op: "strMask", tag: "A", value: "x" }], "missing attribute"],
    ["KEY, by hand", [{ op: "strEq", tag: "key", value: "x" }], "no search finds a KEY"],
    ["what XML forbids, by hand", [{ op: "strEq", tag: "A", value: "\u0001" }], "characters that XML forbids"],
    ["65 searches", anyOf(...Array.from({ length: 65 }, (_, i) => tag("V").is(i))), "more than 64 searches"],
    ["a product of 81", Array.from({ length: 4 }, () => anyOf(a, b, c)), "more than 64 searches"],
  ])("are refused: %s", (_, given, message) => {
    expect(() => searchesFor(given as never)).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }));
    expect(() => searchesFor(given as never)).toThrow(message);
  });

  it("take a moment, however many are multiplied", () => {
    const wide = anyOf(...Array.from({ length: 64 }, (_, i) => tag("V").is(i)));
    expect(() => searchesFor(Array.from({ length: 1_000 }, () => wide))).toThrow("more than 64 searches");
  });
});
