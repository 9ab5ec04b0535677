import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/core/clock.ts";

describe("systemClock", () => {
  it("tells the machine's time", () => {
    const before = Date.now();
    const now = systemClock.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
  });

  it("has a second time that never goes back", () => {
    const first = systemClock.monotonic();
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first);
  });

  it("calls back once, and not before the time", async () => {
    const began = performance.now();
    await new Promise<void>((resolve) => systemClock.schedule(5, resolve));
    expect(performance.now() - began).toBeGreaterThanOrEqual(4); // Node rounds to whole milliseconds
  });

  it("does not call back what was taken back", async () => {
    let called = false;
    const timer = systemClock.schedule(1, () => (called = true));
    timer.cancel();
    timer.cancel();
    await new Promise<void>((resolve) => systemClock.schedule(5, resolve));
    expect(called).toBe(false);
  });

  it("takes a time in the past as now", async () => {
    await new Promise<void>((resolve) => systemClock.schedule(-1_000, resolve));
  });

  describe("over months", () => {
    beforeEach(() => void vi.useFakeTimers());
    afterEach(() => void vi.useRealTimers());
    const day = 24 * 60 * 60 * 1_000;

    it("keeps to delays beyond what setTimeout can hold", () => {
      const callback = vi.fn();
      systemClock.schedule(60 * day, callback);
      vi.advanceTimersByTime(60 * day - 1);
      expect(callback).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(callback).toHaveBeenCalledOnce();
      vi.advanceTimersByTime(60 * day);
      expect(callback).toHaveBeenCalledOnce();
    });

    it("can take such a delay back in any of its stages", () => {
      const callback = vi.fn();
      const timer = systemClock.schedule(60 * day, callback);
      vi.advanceTimersByTime(30 * day);
      timer.cancel();
      vi.advanceTimersByTime(60 * day);
      expect(callback).not.toHaveBeenCalled();
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
