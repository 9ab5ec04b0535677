import { describe, expect, it } from "vitest";
import { sleepUntilJump } from "../../src/core/clock-jump.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

const YEAR = 365 * 86_400_000;

function wait(clock: SimulatedClock, ms: number, signal = new AbortController().signal) {
  const result = { over: false, why: undefined as unknown };
  sleepUntilJump(clock, ms, signal).then(
    () => (result.over = true),
    (why: unknown) => (result.why = why),
  );
  return result;
}

describe("a wait that ends when the wall clock jumps", () => {
  it("lasts as long as it is to when the clock does not jump, or only drifts", async () => {
    const clock = new SimulatedClock();
    const waiting = wait(clock, 10_500);
    for (let second = 0; second < 10; second++) {
      await clock.advance(1_000);
      clock.jump(900);
      expect(waiting.over).toBe(false);
    }
    await clock.advance(499);
    expect(waiting.over).toBe(false);
    await clock.advance(1);
    expect(waiting.over).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it.each([10 * YEAR, -10 * YEAR, 10_000, -10_000])("ends within a second after a jump of %i ms", async (ms) => {
    const clock = new SimulatedClock();
    const waiting = wait(clock, 300_000);
    await clock.advance(5_500);
    clock.jump(ms);
    await clock.advance(500);
    expect(waiting.over).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("rejects with the signal's reason", async () => {
    const clock = new SimulatedClock();
    const stop = new AbortController();
    const waiting = wait(clock, 300_000, stop.signal);
    await clock.advance(5_500);
    const reason = new Error("enough");
    stop.abort(reason);
    await clock.advance(0);
    expect(waiting.why).toBe(reason);
    expect(clock.pending).toBe(0);
  });
});
