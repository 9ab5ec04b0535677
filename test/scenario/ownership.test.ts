// A model-based test of ownership: random lives of Things, nodes, owners, strangers and a Registry, with restarts, lost links and
// power cuts, against the model in test/support/ownership-model.ts.
import { describe, expect, it } from "vitest";
import { crashSeed } from "../support/crash-fs.ts";
import { complaintsOf, live, stepsOf } from "../support/ownership-life.ts";

const RUNS = Number(process.env["OWNERSHIP_RUNS"] ?? 20);
const STEPS = 50;
const given = process.env["OWNERSHIP_SEED"];
const seed = given === undefined ? crashSeed() : Number(given);

describe("whose a Thing is", () => {
  it(`one owner or none, for the Thing, the Registry and the owners (seed ${seed})`, async () => {
    const counts = new Map<string, number>();
    for (let run = 0; run < RUNS; run++) {
      const { complaints, counts: some } = await live(seed + run, stepsOf(seed + run, STEPS));
      for (const [what, count] of some) counts.set(what, (counts.get(what) ?? 0) + count);
      if (complaints.length > 0) expect.fail(await complaintsOf(seed + run, STEPS));
    }
    console.log(
      [...counts]
        .map(([what, count]) => `${what} ${count}`)
        .sort()
        .join("; "),
    );
  }, 600_000);
});
