import { expect, it } from "vitest";
import { formLines } from "../../src/cli/form-words.ts";
import type { FormParameter } from "../../src/control/control-form.ts";

it("a form of many pages is gone through once, and each page stands where its first parameter does", () => {
  let looks = 0;
  const parameters = Array.from({ length: 1_000 }, (_, index): FormParameter => ({
    ...{ name: `p${index}`, label: "", type: "boolean" },
    get page() {
      looks++;
      return `Page ${index % 500}`;
    },
  }));
  const lines = formLines({ title: "", parameters, hidden: new Map() });
  expect(lines.slice(0, 5)).toEqual(["[Page 0]", "p0 (boolean)", "p500 (boolean)", "[Page 1]", "p1 (boolean)"]);
  expect(lines).toHaveLength(1_500);
  expect(looks).toBeLessThan(3_000);
});
