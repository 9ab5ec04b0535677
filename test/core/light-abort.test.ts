import { describe, expect, it } from "vitest";
import { onAbort, raceSignal, withLimit } from "../../src/core/abort.ts";
import { LightAbort } from "../../src/core/light-abort.ts";
import { systemClock } from "../../src/core/clock.ts";

const why = new Error("why");

describe("an end that is told of", () => {
  it("tells who listens, once, with the first reason", () => {
    const end = new LightAbort();
    const heard: unknown[] = [];
    end.addEventListener("abort", () => heard.push(end.reason));
    expect([end.aborted, end.reason, end.listeners]).toEqual([false, undefined, 1]);
    end.throwIfAborted();
    end.abort(why);
    end.abort(new Error("another"));
    expect(heard).toEqual([why]);
    expect([end.aborted, end.reason, end.listeners]).toEqual([true, why, 0]);
    expect(() => end.throwIfAborted()).toThrow(why);
  });

  it("tells nobody who listens no more, or too late, nor who is told of by another that it was over", () => {
    const end = new LightAbort();
    const heard: string[] = [];
    const second = (): void => void heard.push("second");
    end.removeEventListener("abort", second); // nobody listens yet
    end.addEventListener("abort", () => {
      heard.push("first");
      end.removeEventListener("abort", second);
      end.addEventListener("abort", () => heard.push("late"));
    });
    end.addEventListener("abort", second);
    end.abort(why);
    expect(heard).toEqual(["first"]);
  });

  it("has a true signal for the code of others, made before the end or after it", () => {
    const [before, after] = [new LightAbort(), new LightAbort()];
    const { signal } = before;
    expect([signal.aborted, before.signal === signal]).toEqual([false, true]);
    before.abort(why);
    after.abort(why);
    expect([signal.aborted, signal.reason]).toEqual([true, why]);
    expect([after.signal.aborted, after.signal.reason]).toEqual([true, why]);
    expect(after.signal).toBeInstanceOf(AbortSignal);
  });

  it("ends waits as a true signal does, and leaves nobody listening", async () => {
    const end = new LightAbort();
    const never = new Promise<never>(() => undefined);
    const waits = [
      raceSignal(never, end),
      withLimit(systemClock, { signal: end, timeout: Infinity }, "work", () => never),
    ];
    const deaf = onAbort(end, () => undefined);
    await expect(raceSignal(Promise.resolve(7), end)).resolves.toBe(7);
    await new Promise(setImmediate);
    expect(end.listeners).toBe(3);
    deaf();
    expect(end.listeners).toBe(2);
    end.abort(why);
    for (const wait of waits) await expect(wait).rejects.toBe(why);
    await expect(raceSignal(Promise.resolve(7), end)).rejects.toBe(why);
  });
});
