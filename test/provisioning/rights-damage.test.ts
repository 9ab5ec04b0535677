// The file of the rights is damaged: every start works, and nothing counts that was not granted, or was taken back.
import { describe, expect, it } from "vitest";
import { crashSeed, drawFrom, soakFactor } from "../support/crash-fs.ts";
import {
  cutAnywhere,
  flipBits,
  liveAndLeave,
  mixWithOlder,
  startOn,
  type LeftBehind,
} from "../support/rights-damage.ts";

const seed = crashSeed();
const isSoak = soakFactor > 1;
const timeout = 300_000 * soakFactor;

/** A life at whose end there are some rights on disk. */
async function someLife(): Promise<{ left: LeftBehind; file: Uint8Array }> {
  for (let number = 0; number < 50; number++) {
    const left = await liveAndLeave({ seed: seed + number, steps: 40 });
    const file = left.versions.at(-1) ?? new Uint8Array(0);
    const { remembered, complaints, told } = await startOn(left, file, true);
    expect({ complaints, told }).toEqual({ complaints: [], told: false });
    if (remembered.length >= 4) return { left, file };
  }
  throw new Error("no life has left any rights");
}

describe("a Thing whose remembered rights", () => {
  const which = `CRASH_SEED=${seed}`;

  it(
    `are cut off at any byte starts, says so, and lets nobody have what was not granted (P-5.2-8; seed ${seed})`,
    async () => {
      const { left, file } = await someLife();
      expect(await cutAnywhere(left, file), which).toEqual([]);
      console.log(`damage: cut at each of ${file.length} bytes`);
    },
    timeout,
  );

  it(
    `have a flipped bit starts, says so, and lets nobody have what was not granted (P-5.2-8; seed ${seed})`,
    async () => {
      const { left, file } = await someLife();
      expect(await flipBits(left, file, isSoak ? "each" : drawFrom(seed)), which).toEqual([]);
      console.log(`damage: ${isSoak ? "each bit" : "one bit of each"} of ${file.length} bytes flipped`);
    },
    timeout,
  );

  it(
    `are mixed with what stood there before takes back nothing that it acknowledged (P-3.5.1-5, P-5.2-8; seed ${seed})`,
    async () => {
      const { left, file } = await someLife();
      expect(left.versions.length).toBeGreaterThan(3);
      expect(await mixWithOlder(left, file, drawFrom(seed), 500 * soakFactor), which).toEqual([]);
    },
    timeout,
  );
});
