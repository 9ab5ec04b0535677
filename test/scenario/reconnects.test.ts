import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { describeReconnects, fullestSpan, loseServer } from "./reconnects.ts";

it("finds the fullest span, wherever it begins", () => {
  expect(fullestSpan([0, 90, 100, 150, 195, 250, 1_000])).toBe(3);
  expect(fullestSpan([])).toBe(0);
});

// Half of what `npm run soak` does. Single drops are laid on one another: of 200 moments drawn at random, whoever draws
// them, the fullest 100 ms hold 7 or more in five drops of six, where an even spread has 2; what the waits are made by shows in many.
it(
  "spreads the reconnects of 200 Things that lose their server together over the first window",
  { timeout: 120_000 },
  async () => {
    const seed = process.env["SEED"] ?? randomUUID();
    console.log(`reconnects: SEED=${seed}`);
    const report = await loseServer({ things: 200, drops: 5, seed });
    console.log(describeReconnects(report));
    expect(report.moments).toHaveLength(1_000);
    expect(Math.max(...report.moments)).toBeLessThan(10_000);
    expect(report.fullest).toBeLessThanOrEqual(3 * report.even);
  },
);
