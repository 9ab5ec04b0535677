// What the builders refuse when a program is compiled. tsc checks this file: a line that is no error any more is one.
import { describe, expect, it } from "vitest";
import { anyOf, tag, type TagQuery } from "../../src/owner/predicates.ts";

/** Each of these compiles, and none of them should. */
const wrong: readonly (() => unknown)[] = [
  // @ts-expect-error -- a number is not compared with a text
  () => tag("V").is("1.2"),
  // @ts-expect-error -- nor a text with a number
  () => tag("SN").atLeast(394),
  // @ts-expect-error -- not even in lower case
  () => tag("man").isNot(1),
  // @ts-expect-error -- both ends of a range are numbers
  () => tag("V").between(1, "2"),
  // @ts-expect-error -- or both are texts, for a tag that may be either
  () => tag("FLOOR").between("1", 2),
  // @ts-expect-error -- an end is included or excluded
  () => tag("V").between(1, 2, { max: "exclusive" }),
  // @ts-expect-error -- no search finds a KEY
  () => tag("KEY"),
  // @ts-expect-error -- in any letter case
  () => tag("Key"),
  // @ts-expect-error -- no value at all
  () => tag("SN").is(),
  // @ts-expect-error -- a truth is no value of a tag
  () => tag("SN").is(true),
  // @ts-expect-error -- a query is no condition yet
  () => anyOf(tag("SN")),
];

type HasMask<Name extends string> = "like" extends keyof TagQuery<Name> ? true : false;
/** `tag("V").like("x")` does not compile, in any letter case: it is a number. */
const masks: readonly [HasMask<"V">, HasMask<"lat">, HasMask<"SN">, HasMask<"floor">] = [false, false, true, true];

describe("the types of the builders", () => {
  it("refuse what no search can mean", () => {
    expect(wrong).toHaveLength(11);
    expect(masks).toEqual([false, false, true, true]);
  });

  it("let through what one can", () => {
    const name: string = "FLOOR".toLowerCase();
    expect([
      tag("V").is(1.2),
      tag("alt").outside(1, 2, { min: "excluded", max: "included" }),
      tag("SN").like("39487*", { wildcard: "*" }),
      tag("FLOOR").is(3),
      tag("FLOOR").is("3"),
      tag("FLOOR").like("3*"),
      tag(name).between("a", "b"),
      anyOf(tag("V").is(1), [tag("SN").is("1"), anyOf(tag("MAN").is("x"))]),
    ]).toHaveLength(8);
  });
});
