import { describe, expect, it } from "vitest";
import { killAndKillAgain } from "../scenario/kill.ts";

const KILLS = 500;

describe(`${KILLS} kills at random moments`, () => {
  it("undo nothing that was acknowledged, and never leave it without its owner (P-5.2-6, P-5.2-8)", async () => {
    const seed = process.env["KILL_SEED"] ?? String(Date.now());
    const report = await killAndKillAgain(KILLS, seed);
    console.log(
      `kill: ${report.kills} kills, ${report.judged} answers judged, ${report.stale.length} stale, seed ${seed}`,
    );
    expect(report.stale, `KILL_SEED=${seed}`).toEqual([]);
    expect(report.judged).toBeGreaterThan(KILLS);
  }, 3_600_000);
});
