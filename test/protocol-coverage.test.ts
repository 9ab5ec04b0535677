// What docs/protocol-coverage.md is made by: scripts/protocol-coverage-parts.mjs.
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { gapsIn, idsIn, renderCoverage, requirementsIn } from "../scripts/protocol-coverage-parts.mjs";

const specification = "../shared/spec/requirements.md";
const listed: unknown = JSON.parse(readFileSync("test/requirements/requirements.json", "utf8"));
const asked = (id: string, strength = "must"): ReturnType<typeof requirementsIn>[number] => ({
  id,
  strength,
  section: "3.1.1 Somewhere",
  who: ["Thing"],
});

describe("the ids in the name of a test", () => {
  it.each([
    ["one", "P-3.5.1-1: x", ["P-3.5.1-1"]],
    ["several", "x (P-3.5.1-1, D-5.2-6)", ["P-3.5.1-1", "D-5.2-6"]],
    ["short ones", "P-3.5.1-1, -2 and -4; P-5.2-5/-6", ["P-3.5.1-1", "P-3.5.1-2", "P-3.5.1-4", "P-5.2-5", "P-5.2-6"]],
    ["a range", "P-3.1.1-5 to -7", ["P-3.1.1-5", "P-3.1.1-6", "P-3.1.1-7"]],
    ["a range in full", "P-4-2 to P-4-3, P-6.1-1", ["P-4-2", "P-4-3", "P-6.1-1"]],
    ["readings of the errata are none", "P-E17, X-E1", []],
    ["numbers behind are none", "P-4-1: after 1-2 s, -3 °C", ["P-4-1"]],
  ])("are found: %s", (_, name, ids) => {
    expect(idsIn(name)).toEqual(ids);
  });
});

describe("the list of requirements", () => {
  it("is read line by line", () => {
    const line = "### 4 Support\n- [ ] **P-4-1** · MUST · Provisioning Server, Thing · Say so. · L25\n";
    expect(requirementsIn(line)).toEqual([
      { id: "P-4-1", section: "4 Support", strength: "MUST", who: ["Provisioning Server", "Thing"] },
    ]);
  });

  it.skipIf(!existsSync(specification))("is the specification's", () => {
    expect(requirementsIn(readFileSync(specification, "utf8"))).toEqual(listed);
  });
});

describe("the generated part", () => {
  const shown = new Map([["P-3.1.1-1", new Set(["test/thing/pairing.test.ts"])]]);
  const requirements = [asked("P-3.1.1-1"), asked("P-3.1.1-2"), asked("P-3.1.1-3", "note"), asked("P-3.1.1-4")];

  it("holds what binds somebody and is shown by no test for a gap", () => {
    expect(gapsIn(requirements, shown).map(({ id }) => id)).toEqual(["P-3.1.1-2", "P-3.1.1-4"]);
  });

  it("names the tests, the gaps and the reasons for them", () => {
    const text = renderCoverage(requirements, shown, new Map([["P-3.1.1-2", "a matter of taste"]]));
    expect(text).toContain("| P-3.1.1-1 | must | Thing | [thing/pairing](../test/thing/pairing.test.ts) |");
    expect(text).toContain("| P-3.1.1-2 | Thing | a matter of taste |");
    expect(text).toContain("| P-3.1.1-4 | Thing | no test names it yet |");
    expect(text).toContain("| P-3.1.1-3 | note | Thing | for information |");
    const ofSection = renderCoverage(requirements, shown, new Map([["P-3.1.1", "a section of duties"]]));
    expect(ofSection).toContain("| P-3.1.1-4 | Thing | a section of duties |");
    expect(renderCoverage([asked("P-3.1.1-1")], shown, new Map())).toContain("Nothing.");
  });
});
