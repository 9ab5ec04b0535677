import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { fewAtOnce } from "../../src/core/few-at-once.ts";

test("does all of them in their order, never more than so many at once", async () => {
  const seen = { at: 0, most: 0, order: [] as number[] };
  await fewAtOnce([1, 2, 3, 4, 5], 2, async (one) => {
    seen.order.push(one);
    seen.most = Math.max(seen.most, ++seen.at);
    await setImmediate();
    seen.at--;
  });
  expect(seen).toEqual({ at: 0, most: 2, order: [1, 2, 3, 4, 5] });
});

test("begins nothing more when one rejects, and waits for what has begun", async () => {
  const ended: number[] = [];
  const doing = fewAtOnce([1, 2, 3], 2, async (one) => {
    if (one === 1) throw new Error("no");
    await setImmediate();
    ended.push(one);
  });
  await expect(doing).rejects.toThrow("no");
  expect(ended).toEqual([2]);
});

test("has nothing to do where there is nothing", async () => {
  await expect(fewAtOnce([], 3, () => Promise.reject(new Error("never")))).resolves.toBeUndefined();
});
