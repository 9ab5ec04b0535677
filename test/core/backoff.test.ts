import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backoff } from "../../src/core/backoff.ts";
import type { RandomSource } from "../../src/core/random.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";

/** Randomness that always gives the same byte. */
const always = (byte: number): RandomSource => ({ bytes: (count) => new Uint8Array(count).fill(byte) });

describe("Backoff", () => {
  it("doubles its window from 2 s up to 5 minutes and stays there", () => {
    const backoff = new Backoff(always(0xff));
    const waits = Array.from({ length: 12 }, () => Math.round(backoff.next()));
    expect(waits).toEqual([
      2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000, 300_000, 300_000,
    ]);
  });

  it("may also not wait at all: the draw is from zero", () => {
    const backoff = new Backoff(always(0));
    expect([backoff.next(), backoff.next()]).toEqual([0, 0]);
  });

  it("begins anew once something worked", () => {
    const backoff = new Backoff(always(0xff), { first: 10, cap: 1_000 });
    backoff.next();
    backoff.next();
    backoff.reset();
    expect(Math.round(backoff.next())).toBe(10);
    expect(Math.round(backoff.next())).toBe(20);
  });

  it("keeps a first window wider than the cap at the cap, also after a reset", () => {
    const backoff = new Backoff(always(0xff), { first: 5_000, cap: 100 });
    expect(Math.round(backoff.next())).toBe(100);
    backoff.reset();
    expect(Math.round(backoff.next())).toBe(100);
  });

  it("never leaves its window, for any seed, first window and cap", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 600_000 }),
        (seed, first, cap) => {
          const backoff = new Backoff(new SeededRandom(seed), { first, cap });
          for (let n = 0; n < 30; n++) {
            const wait = backoff.next();
            expect(wait).toBeGreaterThanOrEqual(0);
            expect(wait).toBeLessThan(Math.min(cap, first * 2 ** n));
          }
        },
      ),
    );
  });

  it("keeps its full spread at the cap: a thousand Things do not come back together", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new SeededRandom(seed);
        const waits = Array.from({ length: 1_000 }, () => {
          const backoff = new Backoff(random);
          for (let n = 0; n < 20; n++) backoff.next();
          return backoff.next();
        });
        // Ten equal parts of the window; an even spread puts about 100 in each.
        const parts = Array.from({ length: 10 }, (_, part) =>
          waits.filter((wait) => Math.floor(wait / 30_000) === part),
        );
        for (const part of parts) {
          expect(part.length).toBeGreaterThan(50);
          expect(part.length).toBeLessThan(170);
        }
      }),
      { numRuns: 20 },
    );
  });
});
