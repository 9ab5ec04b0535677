import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { raceSignal, sleep, withDeadline, withLimit } from "../../src/core/abort.ts";
import type { LightAbort } from "../../src/core/light-abort.ts";
import { TimeoutError } from "../../src/core/errors.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

const reason = new Error("the caller's own reason");

/** A promise and the two ends of it. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** What became of a promise, without waiting for it. */
async function settled(promise: Promise<unknown>): Promise<unknown> {
  const marker = Symbol("pending");
  const outcome = await Promise.race([
    promise.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
    new Promise((resolve) => setImmediate(resolve, marker)),
  ]);
  return outcome === marker ? "pending" : outcome;
}

describe("sleep", () => {
  it("waits exactly as long as it is told to", async () => {
    const clock = new SimulatedClock();
    const nap = sleep(clock, 1_000);
    await clock.advance(999);
    expect(await settled(nap)).toBe("pending");
    await clock.advance(1);
    expect(await settled(nap)).toEqual({ value: undefined });
  });

  it("rejects with the signal's own reason and leaves no timer and no listener behind", async () => {
    const clock = new SimulatedClock();
    const controller = new AbortController();
    const nap = sleep(clock, 1_000, controller.signal);
    controller.abort(reason);
    await expect(nap).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  it("does not begin when the signal has fired already", async () => {
    const clock = new SimulatedClock();
    await expect(sleep(clock, 1_000, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });

  it("takes its listener off a signal that lives longer than the wait", async () => {
    const clock = new SimulatedClock();
    const { signal } = new AbortController();
    const nap = sleep(clock, 5, signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    await clock.advance(5);
    await nap;
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("is decided by whatever comes first when the time and the signal meet in one tick", async () => {
    const clock = new SimulatedClock();
    const early = new AbortController();
    clock.schedule(10, () => early.abort(reason));
    const beaten = sleep(clock, 10, early.signal);
    const late = new AbortController();
    const first = sleep(clock, 10, late.signal);
    clock.schedule(10, () => late.abort(reason));
    const both = Promise.all([settled(beaten), settled(first)]);
    beaten.catch(() => undefined);
    await clock.advance(10);
    await both;
    expect(await settled(beaten)).toEqual({ error: reason });
    expect(await settled(first)).toEqual({ value: undefined });
  });
});

describe("raceSignal", () => {
  it("follows the promise while the signal is silent", async () => {
    const { signal } = new AbortController();
    await expect(raceSignal(Promise.resolve(7), signal)).resolves.toBe(7);
    await expect(raceSignal(Promise.reject(reason), signal)).rejects.toBe(reason);
    await new Promise(setImmediate);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("lets go at once when the signal fires, whatever the work does later", async () => {
    const work = deferred<number>();
    const controller = new AbortController();
    const race = raceSignal(work.promise, controller.signal);
    controller.abort(reason);
    await expect(race).rejects.toBe(reason);
    work.reject(new Error("too late to matter")); // an unhandled rejection would fail the run
    await new Promise(setImmediate);
  });

  it("rejects at once on a signal that has fired, and nobody misses the work's own failure", async () => {
    await expect(raceSignal(Promise.reject(new Error("unseen")), AbortSignal.abort(reason))).rejects.toBe(reason);
    await expect(raceSignal(Promise.resolve(1), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe("withDeadline", () => {
  it("gives what the work gives, and leaves no timer and no listener behind", async () => {
    const clock = new SimulatedClock();
    const { signal } = new AbortController();
    await expect(withDeadline(clock, { signal, timeout: 50 }, "work", () => Promise.resolve("done"))).resolves.toBe(
      "done",
    );
    expect(clock.pending).toBe(0);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("passes on what the work throws, also when it throws before it has begun to wait", async () => {
    const clock = new SimulatedClock();
    await expect(withDeadline(clock, { timeout: 50 }, "work", () => Promise.reject(reason))).rejects.toBe(reason);
    const thrower = (): Promise<never> => {
      throw reason;
    };
    await expect(withDeadline(clock, { timeout: 50 }, "work", thrower)).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });

  it("rejects with ERR_TIMEOUT, naming what was waited for, even if the work does not listen", async () => {
    const clock = new SimulatedClock();
    let seen: AbortSignal | undefined;
    const call = withDeadline(clock, { timeout: 250 }, "canRead to somebody", (signal) => {
      seen = signal;
      return new Promise<never>(() => undefined);
    });
    const outcome = expect(call).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      message: "canRead to somebody: no answer within 250 ms",
    });
    await clock.advance(249);
    expect(seen?.aborted).toBe(false);
    await clock.advance(1);
    await outcome;
    expect(seen?.aborted).toBe(true);
    expect(seen?.reason).toBeInstanceOf(TimeoutError);
  });

  it("hands the caller's reason to the work and to the caller, untouched", async () => {
    const clock = new SimulatedClock();
    for (const why of [reason, "a text", 0, null]) {
      const controller = new AbortController();
      let inside: unknown;
      const call = withDeadline(clock, { signal: controller.signal, timeout: 50 }, "work", (signal) => {
        signal.addEventListener("abort", () => {
          inside = signal.reason;
        });
        return new Promise<never>(() => undefined);
      });
      controller.abort(why);
      const thrown = await call.then(
        () => "nothing",
        (error: unknown) => error,
      );
      expect(thrown).toBe(why);
      expect(inside).toBe(why);
    }
    expect(clock.pending).toBe(0);
  });

  it("does not start the work on a signal that has fired", async () => {
    const clock = new SimulatedClock();
    let started = false;
    const call = withDeadline(clock, { signal: AbortSignal.abort(reason) }, "work", () => {
      started = true;
      return Promise.resolve();
    });
    await expect(call).rejects.toBe(reason);
    expect(started).toBe(false);
  });

  it("without a time limit waits as long as it takes", async () => {
    const clock = new SimulatedClock();
    const work = deferred<string>();
    const call = withDeadline(clock, {}, "work", () => work.promise);
    await clock.advance(1e9);
    expect(await settled(call)).toBe("pending");
    work.resolve("at last");
    await expect(call).resolves.toBe("at last");
  });

  it("takes the answer when it comes in the same tick as the time limit but before it", async () => {
    const clock = new SimulatedClock();
    const work = deferred<string>();
    clock.schedule(100, () => work.resolve("just in time"));
    const call = withDeadline(clock, { timeout: 100 }, "work", () => work.promise);
    await clock.advance(100);
    await expect(call).resolves.toBe("just in time");
  });

  it("takes the time limit when the answer comes in the same tick but after it", async () => {
    const clock = new SimulatedClock();
    const work = deferred<string>();
    const call = withDeadline(clock, { timeout: 100 }, "work", () => work.promise);
    const outcome = expect(call).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    clock.schedule(100, () => work.resolve("too late"));
    await clock.advance(100);
    await outcome;
  });
});

describe("withLimit", () => {
  it("makes its signal when it is first looked at: the same one each time, and fired if the wait is over", async () => {
    const made = vi.spyOn(globalThis, "AbortController");
    const clock = new SimulatedClock();
    const limits: LightAbort[] = [];
    const never = (limit: LightAbort): Promise<never> => {
      limits.push(limit);
      return new Promise(() => undefined);
    };
    await expect(withLimit(clock, { timeout: 5 }, "work", () => 7)).resolves.toBe(7);
    const call = withLimit(clock, { timeout: 5 }, "work", never);
    const outcome = expect(call).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await clock.advance(5);
    await outcome;
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
    expect(limits[0]?.signal.aborted).toBe(true);
    expect(limits[0]?.signal.reason).toBe(await call.catch((error: unknown) => error));
    expect(limits[0]?.signal).toBe(limits[0]?.signal);
  });

  it("is given up also while the work begins", async () => {
    const clock = new SimulatedClock();
    const controller = new AbortController();
    const call = withLimit(clock, { signal: controller.signal, timeout: 5 }, "work", ({ signal }) => {
      controller.abort(reason);
      return signal.aborted ? Promise.reject(new Error("the work's own")) : 0;
    });
    await expect(call).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });
});
