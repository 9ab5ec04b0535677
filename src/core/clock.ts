/** A timer that can be taken back. */
export interface Timer {
  /** Takes the timer back; harmless if it has fired. */
  cancel(): void;
}

/** Where time comes from. Injected everywhere, so that tests need not wait. */
export interface Clock {
  /** Wall time, in milliseconds since 1970. May jump: a device often has no clock battery. */
  now(): number;
  /** Time that never jumps, in milliseconds since some fixed moment. Deadlines are measured on it. */
  monotonic(): number;
  /** Calls back once, after so many milliseconds. */
  schedule(ms: number, callback: () => void): Timer;
}

// setTimeout fires at once for delays beyond a signed 32-bit integer: longer ones go in stages.
const LONGEST = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(ms, callback) {
    let handle: NodeJS.Timeout;
    const arm = (left: number): void => {
      handle = left > LONGEST ? setTimeout(() => arm(left - LONGEST), LONGEST) : setTimeout(callback, left);
    };
    arm(Math.max(0, ms));
    return { cancel: () => clearTimeout(handle) };
  },
};
