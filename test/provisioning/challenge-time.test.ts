// By when a challenge must have been answered, over chains of any length: the rule in src/provisioning/challenge-time.ts.
import fc from "fast-check";
import { expect, it } from "vitest";
import { deadlineOf } from "../../src/provisioning/challenge-time.ts";

it("P-3.1.3-22: a challenge that comes at once has 5 s from the moment at which the token was sent", () => {
  expect(deadlineOf(100_000, 100_000)).toBe(105_000);
  expect(deadlineOf(100_000, 103_999)).toBe(105_000);
  expect(deadlineOf(100_000, 104_000)).toBe(105_000);
});

it("a challenge that comes later has the rest of a window, and 1 to 6 s in any case", () => {
  expect(deadlineOf(0, 4_001)).toBe(10_000);
  expect(deadlineOf(0, 30_000)).toBe(35_000);
  fc.assert(
    fc.property(fc.nat(60_000), fc.nat(1_000_000), (age, sent) => {
      const left = deadlineOf(sent, sent + age) - (sent + age);
      expect(left).toBeGreaterThanOrEqual(1_000);
      expect(left).toBeLessThanOrEqual(6_000);
    }),
  );
});

it("within a window each hop's deadline is before that of the hop that asked it, whatever each takes over it", () => {
  const hop = fc.record({ onward: fc.integer({ min: 1, max: 900 }), back: fc.integer({ min: 1, max: 300 }) });
  fc.assert(
    fc.property(fc.array(hop, { minLength: 1, maxLength: 9 }), fc.nat(11), (hops, window) => {
      // The token goes from hop to hop, and the challenge back, all of it within a window of the first of them.
      let now = 0;
      const sent = hops.map(({ onward }) => (now += onward));
      const all = now + hops.reduce((sum, { back }) => sum + back, 0);
      fc.pre(all <= 4_000);
      now += window * 5_000;
      fc.pre(now + (all - sent.at(-1)!) <= 60_000);
      const deadlines = [...hops.keys()].reverse().map((index) => {
        now += hops[index]!.back;
        return deadlineOf(sent[index]!, now);
      });
      for (const [index, deadline] of deadlines.entries()) {
        if (index > 0) expect(deadline).toBeLessThan(deadlines[index - 1]!);
      }
    }),
    { numRuns: 500 },
  );
});
