import { expect, test } from "vitest";
import { durationText } from "../../src/core/duration.ts";

test.each([
  [-5, "0 s"],
  [0, "0 s"],
  [999, "0 s"],
  [1_000, "1 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [3_599_999, "59 min"],
  [3_600_000, "1 h"],
  [86_399_999, "23 h"],
  [86_400_000, "1 d"],
  [400 * 86_400_000, "400 d"],
])("a duration of %d ms is %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});
