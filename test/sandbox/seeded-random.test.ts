import fc from "fast-check";
import { expect, test } from "vitest";
import { randomFraction } from "../../src/core/random.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";

test("the same seed gives the same bytes, another seed others", () => {
  expect(new SeededRandom("a").bytes(100)).toEqual(new SeededRandom("a").bytes(100));
  expect(new SeededRandom("a").bytes(16)).not.toEqual(new SeededRandom("b").bytes(16));
  expect(new SeededRandom(7).bytes(16)).toEqual(new SeededRandom("7").bytes(16));
});

test("the sequence does not depend on how it is asked for", () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.nat(100), { maxLength: 20 }), (seed, counts) => {
      const pieces = new SeededRandom(seed);
      const got = counts.flatMap((count) => [...pieces.bytes(count)]);
      expect(got).toEqual([...new SeededRandom(seed).bytes(got.length)]);
    }),
  );
});

test("it goes on and does not repeat itself", () => {
  const random = new SeededRandom(1);
  const seen = new Set(Array.from({ length: 1_000 }, () => Buffer.from(random.bytes(16)).toString("hex")));
  expect(seen.size).toBe(1_000);
});

test("what is drawn is spread evenly", () => {
  const random = new SeededRandom(2);
  const mean = Array.from({ length: 4_000 }, () => randomFraction(random)).reduce((sum, x) => sum + x, 0) / 4_000;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
});
