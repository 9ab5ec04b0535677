import type { Clock, Timer } from "./clock.ts";
import { ConfigError, TimeoutError } from "./errors.ts";
import { LightAbort, type AbortNotice } from "./light-abort.ts";
import { checkKnown, hasMethods } from "./options.ts";

/** Taken by every call that may wait. */
export interface CallOptions {
  /** Ends the wait; the call rejects with the signal's own reason. */
  readonly signal?: AbortSignal | undefined;
  /** The longest wait, in milliseconds; then the call rejects with `ERR_TIMEOUT`. */
  readonly timeout?: number | undefined;
}

/** As {@link CallOptions}, for calls inside the package: anything that ends will do. */
export interface CallLimits {
  readonly signal?: AbortNotice | undefined;
  readonly timeout?: number | undefined;
}

/** Refuses what is no signal and no time: of `"30s"` a timer would make one millisecond. Throws `ERR_CONFIG`. */
export function checkCall({ signal, timeout }: CallLimits): void {
  if (timeout !== undefined && (typeof timeout !== "number" || Number.isNaN(timeout))) {
    throw new ConfigError("timeout: must be a number of milliseconds");
  }
  if (signal !== undefined && !hasMethods(signal, ["throwIfAborted", "addEventListener"])) {
    throw new ConfigError("signal: must be an AbortSignal");
  }
}

/**
 * Refuses what is no option of a call that takes these alone, or a few more; then as {@link checkCall}. Throws `ERR_CONFIG`.
 *
 * @param more the names of the other options
 */
export function checkCallAlone(options: CallOptions, more: readonly string[] = []): void {
  checkKnown(options, [...more, "signal", "timeout"], "options");
  checkCall(options);
}

/**
 * What is left of the time of a call that is made of several steps, at each moment: its limit is for all of them together.
 *
 * @param byDefault its limit if none is given, in milliseconds; left out: each step has its own
 */
export function timeLeft(clock: Clock, { signal, timeout }: CallOptions, byDefault?: number): () => CallOptions {
  const limit = timeout ?? byDefault;
  if (limit === undefined) return () => ({ signal });
  const until = clock.monotonic() + limit;
  return () => ({ signal, timeout: Math.max(0, until - clock.monotonic()) });
}

/** Waits so many milliseconds on the given clock. Rejects with the signal's reason when that fires first. */
export function sleep(clock: Clock, ms: number, signal?: AbortNotice): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.schedule(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Calls back when the signal fires, also if it has. Returns how to take that back. */
export function onAbort(signal: AbortNotice, callback: () => void): () => void {
  if (signal.aborted) callback();
  else signal.addEventListener("abort", callback, { once: true });
  return () => signal.removeEventListener("abort", callback);
}

/** Follows a promise until the signal fires, then rejects with the signal's reason. The work itself is not stopped. */
export function raceSignal<T>(promise: Promise<T>, signal: AbortNotice): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) {
      promise.catch(() => undefined); // its failure has no reader any more
      return onAbort();
    }
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/**
 * Runs something under a deadline. Its signal fires when the caller's does, or when the time is up; the result is a
 * rejection at that moment even if the work does not listen. Rejects with `ERR_CONFIG` for what is no signal and no time.
 *
 * @param what names the wait in the message of `ERR_TIMEOUT`
 */
export function withLimit<T>(
  clock: Clock,
  options: CallLimits,
  what: string,
  run: (limit: LightAbort) => T | PromiseLike<T>,
): Promise<T> {
  // Not AbortSignal.any: on Node 20 it keeps every derived signal alive as long as its sources live.
  return new Promise<T>((resolve, reject) => {
    checkCall(options);
    const { signal, timeout } = options;
    signal?.throwIfAborted();
    const limit = new LightAbort();
    let timer: Timer | undefined;
    const settle = (): void => {
      timer?.cancel();
      signal?.removeEventListener("abort", onAbort);
    };
    const giveUp = (reason: unknown): void => {
      settle();
      limit.abort(reason);
      reject(reason);
    };
    const onAbort = (): void => giveUp(signal?.reason);
    const fail = (error: unknown): void => {
      settle();
      reject(error);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    if (timeout !== undefined && timeout !== Infinity) {
      timer = clock.schedule(timeout, () => giveUp(new TimeoutError(`${what}: no answer within ${timeout} ms`)));
    }
    try {
      Promise.resolve(run(limit)).then((value) => {
        settle();
        resolve(value);
      }, fail);
    } catch (error) {
      fail(error);
    }
  });
}

/** As {@link withLimit}, for work that listens to its signal. */
export function withDeadline<T>(
  clock: Clock,
  options: CallLimits,
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withLimit(clock, options, what, (limit) => run(limit.signal));
}

/** What the source gives, until the signal fires, also in the middle of a search that does not end. */
export async function* until<T>(signal: AbortNotice, source: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  try {
    for (;;) {
      const next = await raceSignal(Promise.resolve(iterator.next()), signal);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // Not waited for: a search that hangs would hang here too.
    Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}
