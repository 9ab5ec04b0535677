import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { describeReconnects, loseServer } from "../scenario/reconnects.ts";

it("spreads the reconnects of 200 Things that lose their server together, ten times", async () => {
  const seed = process.env["SEED"] ?? randomUUID();
  console.log(`reconnects: SEED=${seed}`);
  const report = await loseServer({ things: 200, drops: 10, seed });
  console.log(describeReconnects(report));
  expect(report.moments).toHaveLength(2_000);
  expect(report.fullest).toBeLessThanOrEqual(3 * report.even);
});
