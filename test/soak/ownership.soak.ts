// The lives of test/scenario/ownership.test.ts, twenty thousand of them. OWNERSHIP_SEED plays a failure again.
import { expect, it } from "vitest";
import { liveAll, ownershipSeed } from "../support/ownership-life.ts";

const RUNS = 20_000;
const seed = ownershipSeed();

it(`whose a Thing or a node is: ${RUNS} lives of 50 steps from seed ${seed}`, async () => {
  const { complaints, summary } = await liveAll(seed, RUNS, 50);
  console.log(summary);
  expect(complaints).toBe("");
});
