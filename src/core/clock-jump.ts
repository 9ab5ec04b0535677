import { sleep } from "./abort.ts";
import type { Clock } from "./clock.ts";

// Nobody is told when the wall clock is set; it is looked at this often.
const LOOK_EVERY = 1_000;
// Clocks that are steered drift by less than this in any wait; one that is set after a power cut jumps much further.
const JUMP = 10_000;

/**
 * Waits so many milliseconds, or until the wall clock has jumped against the monotonic one: somebody has set it, or it
 * was by the network. Rejects with the signal's reason when that fires first.
 */
export async function sleepUntilJump(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const offset = (): number => clock.now() - clock.monotonic();
  const before = offset();
  const until = clock.monotonic() + ms;
  while (Math.abs(offset() - before) < JUMP) {
    const left = until - clock.monotonic();
    if (left <= 0) return;
    await sleep(clock, Math.min(left, LOOK_EVERY), signal);
  }
}
