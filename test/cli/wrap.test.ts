import fc from "fast-check";
import { expect, test } from "vitest";
import { wrap } from "../../src/cli/wrap.ts";

test("a short line stays as it is", () => {
  expect(wrap("result       a Thing goes to example.org", 13)).toEqual(["result       a Thing goes to example.org"]);
});

test("a word that is too long stays whole, and what follows goes to the next line", () => {
  const word = "x".repeat(90);
  expect(wrap(`heard        ${word} and more`, 13)).toEqual([`heard        ${word}`, "             and more"]);
  expect(wrap(`heard        a ${word}`, 13)).toEqual(["heard        a", `             ${word}`]);
  expect(wrap(`heard        ${word}`, 13)).toEqual([`heard        ${word}`]);
});

test("no word is lost, and no line is longer than 80 columns but for one word", () => {
  const words = fc.array(fc.stringMatching(/^[a-z:,]{1,100}$/), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(words, (given) => {
      const lines = wrap(`proved       ${given.join(" ")}`, 13);
      expect(lines.map((line) => line.slice(13)).join(" ")).toBe(given.join(" "));
      for (const line of lines) expect(line.length <= 80 || !line.slice(13).includes(" ")).toBe(true);
    }),
  );
});
