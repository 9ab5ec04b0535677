import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Moments } from "../../src/sensor/moments.ts";

describe("XEP-0323 2: the moments of a field", () => {
  test("are told apart from those that have been, for any name and order", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("a", "b", "__proto__"), fc.nat({ max: 20 })), { maxLength: 60 }),
        (all) => {
          const moments = new Moments();
          const before = new Set<string>();
          for (const [name, ms] of all) {
            const id = JSON.stringify([name, ms]);
            expect(moments.add(name, ms)).toBe(!before.has(id));
            before.add(id);
          }
        },
      ),
    );
  });

  test.each([1, -1])("of a long history count while they come in the order of time, either way: %s", (step) => {
    const moments = new Moments();
    for (let index = 0; index < 5_000; index++) expect(moments.add("a", index * step)).toBe(true);
    expect(moments.add("a", 4_999 * step)).toBe(false);
    expect(moments.add("a", 2_000.5 * step)).toBe(false); // nobody can tell any more
    expect(moments.add("a", 5_000 * step)).toBe(true);
    expect(moments.add("b", 0)).toBe(true);
  });
});
