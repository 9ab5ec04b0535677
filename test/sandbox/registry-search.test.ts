// XEP-0347 3.15. What is found is compared with a search of its own, written from the table of operators: it goes
// through all records, character by character, and knows nothing of the index.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SearchOperator } from "../../src/codec/search.ts";
import { numberTag, type Tag, type Tags } from "../../src/codec/tags.ts";
import { Dictionary } from "../../src/sandbox/registry-search-column.ts";
import { RegistryIndex, type Searchable } from "../../src/sandbox/registry-search.ts";

interface Thing extends Searchable {
  readonly name: string;
}

const tagsOf = (tags: Tags): readonly Tag[] =>
  Object.entries(tags).map(([name, value]) =>
    typeof value === "number" ? numberTag(name, value) : { name, type: "str", value },
  );

function thing(name: string, tags: Tags, more: Partial<Searchable> = {}): Thing {
  return { name, tags: tagsOf(tags), claim: { public: true, at: 0 }, ...more };
}

/** A Registry's index with Things in it, by their names. */
function indexOf(things: Readonly<Record<string, Tags>>): RegistryIndex<Thing> {
  const index = new RegistryIndex<Thing>();
  for (const [name, tags] of Object.entries(things)) index.put(name, thing(name, tags));
  return index;
}

const found = (index: RegistryIndex<Thing>, ...operators: readonly SearchOperator[]): readonly string[] =>
  index.search(operators, 0, 1_000).records.map(({ name }) => name);

/** The order of Unicode: by code points, a shorter one before what begins with it. */
function compare(one: string, other: string): number {
  const [a, b] = [Array.from(one), Array.from(other)];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i]?.codePointAt(0) ?? 0) - (b[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Whether a text is like a mask: a table of which beginnings of the one fit which beginnings of the other. */
function isLike(text: string, mask: string, wildcard: string): boolean {
  const parts: (string | undefined)[] = []; // undefined: any run
  for (let rest = mask; rest !== "";) {
    if (wildcard !== "" && rest.startsWith(wildcard)) {
      parts.push(undefined);
      rest = rest.slice(wildcard.length);
    } else {
      const [first = ""] = rest;
      parts.push(first);
      rest = rest.slice(first.length);
    }
  }
  const characters = Array.from(text);
  let fits = [true, ...characters.map(() => false)];
  for (const part of parts) {
    let any = false;
    fits = fits.map((fit, length) => {
      any ||= fit;
      return part === undefined ? any : length > 0 && fits[length - 1] === true && characters[length - 1] === part;
    });
  }
  return fits[characters.length] === true;
}

/** The table of XEP-0347 3.15, line by line; D-E12 where it is silent. */
function holds(operator: SearchOperator, tags: readonly Tag[]): boolean {
  if (operator.tag.toUpperCase() === "KEY") return false;
  const tag = tags.find(({ name }) => name === operator.tag);
  if (tag?.type !== operator.op.slice(0, 3)) return false;
  const { value } = tag;
  const to = (other: string | number): number =>
    typeof value === "string" ? compare(value, String(other)) : value - Number(other);
  switch (operator.op) {
    case "strMask":
      return isLike(String(value), operator.value, operator.wildcard);
    case "strRange":
    case "numRange": {
      const { min, max, minIncluded, maxIncluded } = operator;
      return (to(min) > 0 || (minIncluded && to(min) === 0)) && (to(max) < 0 || (maxIncluded && to(max) === 0));
    }
    case "strNRange":
    case "numNRange": {
      const { min, max, minIncluded, maxIncluded } = operator;
      return to(min) < 0 || (!minIncluded && to(min) === 0) || to(max) > 0 || (!maxIncluded && to(max) === 0);
    }
    case "strEq":
    case "numEq":
      return to(operator.value) === 0;
    case "strNEq":
    case "numNEq":
      return to(operator.value) < 0 || to(operator.value) > 0;
    case "strGt":
    case "numGt":
      return to(operator.value) > 0;
    case "strGtEq":
    case "numGtEq":
      return to(operator.value) >= 0;
    case "strLt":
    case "numLt":
      return to(operator.value) < 0;
    case "strLtEq":
    case "numLtEq":
      return to(operator.value) <= 0;
  }
}

describe("the operators of a search (XEP-0347 3.15)", () => {
  const strings = indexOf({ a: { T: "a" }, b: { T: "b" }, c: { T: "c" }, number: { T: 2 }, without: { U: "b" } });
  const numbers = indexOf({ one: { T: 1 }, two: { T: 2 }, three: { T: 3 }, string: { T: "2" }, without: { U: 2 } });
  const range = { tag: "T", minIncluded: true, maxIncluded: true };

  it.each<[string, SearchOperator, readonly string[]]>([
    ["D-3.15-6: strEq", { op: "strEq", tag: "T", value: "b" }, ["b"]],
    ["D-3.15-7: strNEq", { op: "strNEq", tag: "T", value: "b" }, ["a", "c"]],
    ["D-3.15-8: strGt", { op: "strGt", tag: "T", value: "b" }, ["c"]],
    ["D-3.15-9: strGtEq", { op: "strGtEq", tag: "T", value: "b" }, ["b", "c"]],
    ["D-3.15-10: strLt", { op: "strLt", tag: "T", value: "b" }, ["a"]],
    ["D-3.15-11: strLtEq", { op: "strLtEq", tag: "T", value: "b" }, ["a", "b"]],
    ["D-3.15-12: strRange", { op: "strRange", ...range, min: "a", max: "b" }, ["a", "b"]],
    ["D-3.15-12: strRange without ends", { op: "strRange", ...range, min: "a", max: "c", minIncluded: false, maxIncluded: false }, ["b"]], // prettier-ignore
    ["D-3.15-13: strNRange", { op: "strNRange", ...range, min: "b", max: "b" }, ["a", "c"]],
    ["D-3.15-13: strNRange without ends", { op: "strNRange", ...range, min: "a", max: "c", minIncluded: false, maxIncluded: false }, ["a", "c"]], // prettier-ignore
    ["D-3.15-14: strMask", { op: "strMask", tag: "T", value: "%b%", wildcard: "%" }, ["b"]],
  ])("%s of a string tag, never of a number or of none", (_, operator, expected) => {
    expect(found(strings, operator)).toEqual(expected);
  });

  it.each<[string, SearchOperator, readonly string[]]>([
    ["D-3.15-15: numEq", { op: "numEq", tag: "T", value: 2 }, ["two"]],
    ["D-3.15-16: numNEq", { op: "numNEq", tag: "T", value: 2 }, ["one", "three"]],
    ["D-3.15-17: numGt", { op: "numGt", tag: "T", value: 2 }, ["three"]],
    ["D-3.15-18: numGtEq", { op: "numGtEq", tag: "T", value: 2 }, ["two", "three"]],
    ["D-3.15-19: numLt", { op: "numLt", tag: "T", value: 2 }, ["one"]],
    ["D-3.15-20: numLtEq", { op: "numLtEq", tag: "T", value: 2 }, ["one", "two"]],
    ["D-3.15-21: numRange", { op: "numRange", ...range, min: 1, max: 2 }, ["one", "two"]],
    ["D-3.15-21: numRange without ends", { op: "numRange", ...range, min: 1, max: 3, minIncluded: false, maxIncluded: false }, ["two"]], // prettier-ignore
    ["D-3.15-22: numNRange", { op: "numNRange", ...range, min: 2, max: 2 }, ["one", "three"]],
    ["D-3.15-22: numNRange without ends", { op: "numNRange", ...range, min: 1, max: 3, minIncluded: false, maxIncluded: false }, ["one", "three"]], // prettier-ignore
    ["infinity is more than any number", { op: "numLt", tag: "T", value: Infinity }, ["one", "two", "three"]],
    ["NaN equals nothing", { op: "numEq", tag: "T", value: NaN }, []],
    ["nothing differs from NaN either", { op: "numNEq", tag: "T", value: NaN }, []],
    ["no range begins at NaN", { op: "numRange", ...range, min: NaN, max: 5 }, []],
    ["-0 is 0", { op: "numGt", tag: "T", value: -0 }, ["one", "two", "three"]],
  ])("%s, of a numeric tag, never of a string or of none", (_, operator, expected) => {
    expect(found(numbers, operator)).toEqual(expected);
  });

  it("strings are compared by code points: an emoji comes after every character of the basic plane", () => {
    const index = indexOf({
      emoji: { T: "\u{1f600}" },
      wide: { T: "\uff5e" },
      latin: { T: "z" },
      private: { T: "\ue000" },
    });
    expect(found(index, { op: "strGt", tag: "T", value: "\uff5e" })).toEqual(["emoji"]);
    expect(found(index, { op: "strLt", tag: "T", value: "\u{1f600}" })).toEqual(["wide", "latin", "private"]);
    expect(found(index, { op: "strMask", tag: "T", value: "*\u{1f600}", wildcard: "*" })).toEqual(["emoji"]);
  });

  it.each([
    ["39487*", "*", ["394872", "39487"]],
    ["*", "*", ["394872", "39487", "", "a*b"]],
    ["**", "*", ["394872", "39487", "", "a*b"]],
    ["**", "**", ["394872", "39487", "", "a*b"]],
    ["3%%2", "%%", ["394872"]],
    ["3%%2", "%", ["394872"]],
    ["a*b", "", ["a*b"]], // an empty wildcard stands nowhere
    ["", "", [""]],
    ["", "*", [""]],
    ["39*87*87*", "*", []], // nothing is counted twice
    ["39487*39487", "*", []],
    ["*4*7*", "*", ["394872", "39487"]],
    ["*\\**", "*", []], // nothing escapes it
  ])("D-3.15-14: the mask %j with the wildcard %j stands for any run, also for none", (value, wildcard, expected) => {
    const texts = ["394872", "39487", "", "a*b"];
    const index = indexOf(Object.fromEntries(texts.map((text) => [`:${text}`, { T: text }])));
    expect(found(index, { op: "strMask", tag: "T", value, wildcard })).toEqual(expected.map((text) => `:${text}`));
  });

  it("what stands between wildcards does not reach into what stands behind the last one", () => {
    const index = indexOf({ once: { T: "zzzabcdef" }, twice: { T: "abcdefdef" } });
    expect(found(index, { op: "strMask", tag: "T", value: "*abcdef*def", wildcard: "*" })).toEqual(["twice"]);
  });

  it("a mask of very many wildcards is told from a long value at once", () => {
    const value = "a".repeat(20_000);
    const index = indexOf({ long: { T: value } });
    const like = (mask: string): readonly string[] =>
      found(index, { op: "strMask", tag: "T", value: mask, wildcard: "*" });
    // Whoever tries out what each of them stands for does not come to an end here.
    expect(like("*a".repeat(5_000) + "*b")).toEqual([]);
    expect(like("*a".repeat(5_000) + "*b*")).toEqual([]);
    expect(like("*a".repeat(5_000) + "*")).toEqual(["long"]);
    expect(like(`*${"a".repeat(500)}b`.repeat(20))).toEqual([]);
  });
});

describe("what a search finds", () => {
  const all: SearchOperator = { op: "strGtEq", tag: "T", value: "" };

  it("D-3.15-2: Things that are not claimed, private or removed are never found; self-owned ones are", () => {
    const index = new RegistryIndex<Thing>();
    const tags = { T: "x" };
    index.put("public", thing("public", tags));
    index.put("unclaimed", thing("unclaimed", tags, { claim: undefined }));
    index.put("private", thing("private", tags, { claim: { public: false, at: 0 } }));
    index.put("removed", thing("removed", tags, { removed: { at: 0 } }));
    expect(found(index, all)).toEqual(["public"]);
    index.put("public", thing("public", tags, { removed: { at: 1 } }));
    index.put("unclaimed", thing("unclaimed", tags));
    expect(found(index, all)).toEqual(["unclaimed"]);
    expect(index.size).toBe(1);
  });

  it("D-3.15-4: what is found matches all operators", () => {
    const index = indexOf({ a: { MAN: "x", V: 1 }, b: { MAN: "x", V: 2 }, c: { MAN: "y", V: 2 } });
    expect(found(index, { op: "strEq", tag: "MAN", value: "x" }, { op: "numGtEq", tag: "V", value: 2 })).toEqual(["b"]);
    expect(found(index, { op: "numGt", tag: "V", value: 1 }, { op: "numLt", tag: "V", value: 1 })).toEqual([]);
    expect(found(index)).toEqual([]);
  });

  it("D-3.15-27: a tag that no Thing has makes the result empty", () => {
    const index = indexOf({ a: { T: "x", GONE: 1 } });
    expect(found(index, all, { op: "numNEq", tag: "GONE", value: 0 })).toEqual(["a"]);
    index.put("a", thing("a", { T: "x" }));
    expect(found(index, all, { op: "numNEq", tag: "GONE", value: 0 })).toEqual([]);
    expect(found(index, all, { op: "strNEq", tag: "OTHER", value: "" })).toEqual([]);
    expect(found(index, all, { op: "strNEq", tag: "__PROTO__", value: "" })).toEqual([]);
  });

  it("D-3.15-28, D-3.15-29: a search on KEY finds nothing, in whatever letter case", () => {
    const index = indexOf({ a: { T: "x", KEY: "secret", key: "secret", Key: "secret" } });
    for (const tag of ["KEY", "key", "Key", "kEY"])
      expect(found(index, all, { op: "strNEq", tag, value: "" })).toEqual([]);
    expect(found(index, all)).toEqual(["a"]);
  });

  it("D-3.15-35: a tag is meant in whatever letter case", () => {
    expect(found(indexOf({ a: { T: "x" } }), { op: "strEq", tag: "t", value: "x" })).toEqual(["a"]);
  });

  it("D-3.15-24, D-3.15-33: pages hold what is left of the one before, and tell whether there are more", () => {
    const index = indexOf(Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, { T: name }])));
    const page = (offset: number, maxCount: number): readonly [string, boolean] => {
      const { records, more } = index.search([all], offset, maxCount);
      return [records.map(({ name }) => name).join(""), more];
    };
    expect([page(0, 2), page(2, 2), page(4, 2)]).toEqual([
      ["ab", true],
      ["cd", true],
      ["e", false],
    ]);
    expect(page(0, 5)).toEqual(["abcde", false]);
    expect(page(5, 1)).toEqual(["", false]);
    expect(page(Number.MAX_SAFE_INTEGER, 1)).toEqual(["", false]);
    // Who comes while somebody turns pages is on a later one; who changes stays where it is.
    index.put("A", thing("A", { T: "A" }));
    index.put("b", thing("b", { T: "B" }));
    expect([page(2, 3), page(5, 3)]).toEqual([
      ["cde", true],
      ["A", false],
    ]);
  });

  it("what is loaded is found in the order in which it was claimed, whatever order it is kept in", () => {
    const records: readonly [string, Thing][] = [
      ["3", thing("third", { T: "" }, { claim: { public: true, at: 30 } })],
      ["2", thing("second", { T: "" }, { claim: { public: true, at: 20 } })],
      ["0", thing("nobody's", { T: "" }, { claim: undefined })],
      ["1", thing("first", { T: "" }, { claim: { public: true, at: 20 } })],
    ];
    const index = new RegistryIndex<Thing>();
    index.fill(records);
    expect(found(index, all)).toEqual(["first", "second", "third"]);
  });

  it("a record that its owner changes behind the back of the index is found by what was told of it", () => {
    const index = new RegistryIndex<Thing>();
    const record = { name: "a", tags: tagsOf({ T: "old", U: 1 }), claim: { public: true, at: 0 } };
    index.put("a", record);
    record.tags = tagsOf({ T: "new" });
    expect(found(index, { op: "strEq", tag: "T", value: "old" })).toEqual(["a"]);
    index.put("a", record);
    expect(found(index, { op: "strEq", tag: "T", value: "old" })).toEqual([]);
    expect(found(index, { op: "numEq", tag: "U", value: 1 })).toEqual([]);
    expect(found(index, { op: "strEq", tag: "T", value: "new" })).toEqual(["a"]);
  });
});

describe("the numbers of strings", () => {
  it("each string has one, which is another's when nobody has the string any more", () => {
    const dictionary = new Dictionary();
    const [a, b] = [dictionary.take("a"), dictionary.take("b")];
    expect(dictionary.take("a")).toBe(a);
    dictionary.release(a);
    expect(dictionary.string(a)).toBe("a");
    dictionary.release(a);
    expect([dictionary.take("c"), dictionary.take("a")]).toEqual([a, 2]);
    expect([a, b, 2].map((code) => dictionary.string(code))).toEqual(["c", "b", "a"]);
    expect(dictionary.size).toBe(3);
  });
});

describe("the index against a search through everything", () => {
  const name = fc.constantFrom("A", "B", "C", "KEY");
  const text = fc
    .array(fc.constantFrom("a", "b", "*", "\u00e9", "\ue000", "\uff5e", "\u{1f600}", "\u{1f601}"), { maxLength: 6 })
    .map((characters) => characters.join(""));
  const number = fc.oneof(fc.constantFrom(0, -0, 1, 1.5, 2, -1, Infinity, -Infinity, NaN), fc.double());
  const finite = fc.oneof(fc.constantFrom(0, 1, 1.5, 2, -1), fc.double({ noNaN: true, noDefaultInfinity: true }));
  const ends = { tag: name, minIncluded: fc.boolean(), maxIncluded: fc.boolean() };
  const operator = fc.oneof(
    fc.record({
      op: fc.constantFrom("strEq", "strNEq", "strGt", "strGtEq", "strLt", "strLtEq"),
      tag: name,
      value: text,
    }),
    fc.record({
      op: fc.constantFrom("numEq", "numNEq", "numGt", "numGtEq", "numLt", "numLtEq"),
      tag: name,
      value: number,
    }),
    fc.record({ op: fc.constantFrom("strRange", "strNRange"), ...ends, min: text, max: text }),
    fc.record({ op: fc.constantFrom("numRange", "numNRange"), ...ends, min: number, max: number }),
    fc.record({
      op: fc.constant("strMask"),
      tag: name,
      value: text,
      wildcard: fc.constantFrom("*", "", "a", "**", "\u{1f600}", "ab"),
    }),
  ) as fc.Arbitrary<SearchOperator>;
  const tags = fc.dictionary(name, fc.oneof(text, finite), { noNullPrototype: true });
  const who = fc.integer({ min: 0, max: 11 }).map(String);
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ who, tags, kind: fc.constantFrom("public", "public", "private", "none", "removed") }) }, // prettier-ignore
    { weight: 1, arbitrary: fc.record({ who, kind: fc.constant("delete" as const) }) },
  );

  it("any records, changed in any way, are found as the table says, page by page", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80 }),
        fc.array(fc.array(operator, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (steps, searches, size) => {
          const index = new RegistryIndex<Thing>();
          const model: Thing[] = []; // those that may be found, in the order in which they came to be so
          for (const each of steps) {
            const at = model.findIndex((one) => one.name === each.who);
            if (!("tags" in each)) {
              index.delete(each.who);
              if (at !== -1) model.splice(at, 1);
              continue;
            }
            const record = thing(each.who, each.tags, {
              ...(each.kind === "none" && { claim: undefined }),
              ...(each.kind === "private" && { claim: { public: false, at: 0 } }),
              ...(each.kind === "removed" && { removed: true }),
            });
            index.put(each.who, record);
            if (each.kind !== "public") model.splice(at === -1 ? model.length : at, 1);
            else if (at === -1) model.push(record);
            else model[at] = record;
          }
          expect(index.size).toBe(model.length);
          for (const operators of searches) {
            const expected = model.filter((one) => operators.every((each) => holds(each, one.tags)));
            for (let offset = 0; offset <= expected.length; offset += size) {
              const page = index.search(operators, offset, size);
              expect(page.records).toEqual(expected.slice(offset, offset + size));
              expect(page.more).toBe(offset + size < expected.length);
            }
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it("a thousand Things with few tags in common, of which many go, are found as the table says", () => {
    const names = ["A", "B", "C", "D", "E", "F", "G", "H"];
    const sparse = fc.array(
      fc.uniqueArray(fc.tuple(fc.constantFrom(...names), fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom("a", "b", "c"))), { selector: ([one]) => one, maxLength: 4 }), // prettier-ignore
      { minLength: 600, maxLength: 1_000 },
    );
    const condition = fc.oneof(
      fc.record({ op: fc.constantFrom("numNEq", "numLt", "numGtEq"), tag: fc.constantFrom(...names), value: fc.integer({ min: 0, max: 3 }) }), // prettier-ignore
      fc.record({ op: fc.constantFrom("strNEq", "strGt", "strLtEq"), tag: fc.constantFrom(...names), value: fc.constantFrom("a", "b", "c") }), // prettier-ignore
    ) as fc.Arbitrary<SearchOperator>;
    fc.assert(
      fc.property(
        sparse,
        fc.integer({ min: 2, max: 9 }),
        fc.array(fc.array(condition, { minLength: 1, maxLength: 4 }), { minLength: 5, maxLength: 5 }),
        (many, each, searches) => {
          const index = new RegistryIndex<Thing>();
          let left = many.map((list, at) => thing(String(at), Object.fromEntries(list)));
          for (const one of left) index.put(one.name, one);
          for (const one of left) if (Number(one.name) % each !== 0) index.delete(one.name);
          left = left.filter((one) => Number(one.name) % each === 0);
          for (const operators of searches) {
            const expected = left.filter((one) => operators.every((condition) => holds(condition, one.tags)));
            expect(index.search(operators, 0, 1_000).records).toEqual(expected);
          }
        },
      ),
      { numRuns: 15 },
    );
  });
});
