import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { COMBINATIONS, makeCase, play } from "./several-servers.ts";

/** So many cases, each compared with the model. `RIGHTS_SEED` plays the cases of a run before. */
export function compareWithModel(cases: number): void {
  const seed = process.env["RIGHTS_SEED"] ?? randomUUID();

  describe("three provisioning servers that disagree, fail, hang and answer late", () => {
    it(
      `P-5.3-1, P-5.3-2, P-5.3-3, P-5.5-3, P-E16, P-E18, P-E19, P-E20, P-E28, X-E6: are decided about as an independent model says, ${cases} cases`,
      { timeout: 600_000 },
      async () => {
        console.log(`several servers: ${cases} cases, RIGHTS_SEED=${seed}`);
        const outcomes = new Map<string, number>();
        for (let number = 0; number < cases; number++) {
          const one = makeCase(seed, number);
          const { is, expected } = await play(one);
          const { asked, servers, modes } = one;
          expect(
            is,
            `RIGHTS_SEED=${seed} case ${number}: ${modes.join()} ${JSON.stringify({ asked, servers })}`,
          ).toEqual(expected);
          const { outcome } = is as { outcome: string };
          outcomes.set(`${asked.kind} ${outcome}`, (outcomes.get(`${asked.kind} ${outcome}`) ?? 0) + 1);
        }
        // Nothing is shown by cases that all come to the same.
        expect(cases).toBeGreaterThanOrEqual(COMBINATIONS);
        for (const kind of ["friend", "read", "control"]) {
          for (const outcome of ["granted", "refused", "unanswered"]) {
            expect(outcomes.get(`${kind} ${outcome}`) ?? 0, `${kind} ${outcome}`).toBeGreaterThan(2);
          }
        }
      },
    );
  });
}
