import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { sleep } from "../../src/core/abort.ts";
import { StateError } from "../../src/core/errors.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

test("time stands still until it is told to pass", async () => {
  const clock = new SimulatedClock({ now: 1_000 });
  await setImmediate();
  expect([clock.now(), clock.monotonic()]).toEqual([1_000, 0]);
  await clock.advance(250);
  expect([clock.now(), clock.monotonic()]).toEqual([1_250, 250]);
});

test("without a start it begins at a fixed moment", () => {
  expect(new Date(new SimulatedClock().now()).toISOString()).toBe("2026-01-01T00:00:00.000Z");
});

test("timers fire in the order they are due, each at its own time, equal ones as they were set", async () => {
  const clock = new SimulatedClock();
  const fired: string[] = [];
  const set = (name: string, ms: number): unknown =>
    clock.schedule(ms, () => fired.push(`${name}@${clock.monotonic()}`));
  set("late", 30);
  set("first", 10);
  set("second", 10);
  set("never", 31);
  set("past", -5);
  await clock.advance(30);
  expect(fired).toEqual(["past@0", "first@10", "second@10", "late@30"]);
  expect(clock.pending).toBe(1);
});

test("timers that are set on the way fire on the same way", async () => {
  const clock = new SimulatedClock();
  const fired: number[] = [];
  const again = (): void => {
    fired.push(clock.monotonic());
    clock.schedule(100, again);
  };
  clock.schedule(100, again);
  await clock.advance(350);
  expect(fired).toEqual([100, 200, 300]);
});

test("promises are settled between timers", async () => {
  const clock = new SimulatedClock();
  const steps: string[] = [];
  void (async () => {
    for (let step = 1; step <= 3; step++) {
      await sleep(clock, 10);
      steps.push(`${step}@${clock.monotonic()}`);
    }
  })();
  await clock.advance(25);
  expect(steps).toEqual(["1@10", "2@20"]);
  await clock.advance(5);
  expect(steps).toEqual(["1@10", "2@20", "3@30"]);
});

test("a timer that was taken back does not fire, also not when another one takes it back at the same time", async () => {
  const clock = new SimulatedClock();
  const fired: string[] = [];
  const taken = clock.schedule(10, () => fired.push("taken"));
  clock.schedule(20, () => both.cancel());
  const both = clock.schedule(20, () => fired.push("both"));
  taken.cancel();
  taken.cancel();
  await clock.advance(50);
  expect(fired).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("a jump of the wall clock moves no timer", async () => {
  const clock = new SimulatedClock({ now: 0 });
  let fired = 0;
  clock.schedule(1_000, () => fired++);
  clock.jump(1_000_000);
  expect([clock.now(), clock.monotonic()]).toEqual([1_000_000, 0]);
  await clock.advance(999);
  expect(fired).toBe(0);
  clock.jump(-2_000_000);
  await clock.advance(1);
  expect([fired, clock.now()]).toEqual([1, -999_000]);
});

test("two who advance at once do not turn time back", async () => {
  const clock = new SimulatedClock();
  const seen: number[] = [];
  for (const at of [10, 60, 90]) clock.schedule(at, () => seen.push(clock.monotonic()));
  await Promise.all([clock.advance(100), clock.advance(50)]);
  expect(clock.monotonic()).toBe(100);
  expect(seen).toEqual([10, 60, 90]);
});

test("time does not run backwards", async () => {
  await expect(new SimulatedClock().advance(-1)).rejects.toThrow(RangeError);
  await expect(new SimulatedClock().advance(Number.NaN)).rejects.toThrow(RangeError);
});

test("timers that never end are told apart from a long wait", async () => {
  const clock = new SimulatedClock();
  const again = (): void => {
    clock.schedule(0, again);
  };
  again();
  await expect(clock.advance(1)).rejects.toThrow(StateError);
});
