import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPrivilegeGranted, isPrivilegeId, type Privilege } from "../../src/codec/privileges.ts";
import { privilegeId, privileges } from "./service-arbitraries.ts";

describe("a Privilege ID", () => {
  it.each([
    "Sensors",
    "Sensors.View",
    "Databases.Energy.Select",
    "A.__proto__",
    "Blick auf die Straße",
    "^A$",
    "\u{1F321}.x",
  ])("P-3.7.1-2, P-E11: is parts divided by periods: %j", (id) => expect(isPrivilegeId(id)).toBe(true));

  it.each(["", ".", "A.", ".A", "A..B", "A\u0000", "A.\ud800", "A\nB", "\uffff"])(
    "P-3.7.1-2: has no empty part, and nothing that XML does not carry: %j",
    (id) => expect(isPrivilegeId(id)).toBe(false),
  );
});

describe("a list of privileges", () => {
  const energy: readonly Privilege[] = [{ exclude: "Databases.Energy.Delete" }, { include: "Databases.Energy" }];

  it("P-3.7.1-8, P-3.7.1-7: gives what the XEP's own example gives", () => {
    expect(isPrivilegeGranted(energy, "Databases.Energy.Select")).toBe(true);
    expect(isPrivilegeGranted(energy, "Databases.Energy.Insert")).toBe(true);
    expect(isPrivilegeGranted(energy, "Databases.Energy.Delete")).toBe(false);
  });

  it("P-3.7.1-8, P-E23: is read in its order: the first entry that fits decides", () => {
    const turned = [...energy].reverse();
    expect(isPrivilegeGranted(turned, "Databases.Energy.Delete")).toBe(true);
  });

  it("P-3.7.1-6: grants the whole sub-tree below a partial ID, and nothing above or beside it", () => {
    expect(isPrivilegeGranted(energy, "Databases.Energy")).toBe(true);
    expect(isPrivilegeGranted(energy, "Databases.Energy.Select.Today")).toBe(true);
    expect(isPrivilegeGranted(energy, "Databases.Energy.Delete.All")).toBe(false);
    for (const other of ["Databases", "Databases.EnergyPlus", "Databases.Water", "Energy", "X.Databases.Energy"]) {
      expect(isPrivilegeGranted(energy, other)).toBe(false);
    }
  });

  it("P-3.7.1-8: without an entry that fits it is a no", () => {
    expect(isPrivilegeGranted([], "Sensors.View")).toBe(false);
    expect(isPrivilegeGranted([{ exclude: "A" }], "Sensors.View")).toBe(false);
  });

  it("P-E23: tells upper from lower case, and takes an empty ID for the root of all", () => {
    expect(isPrivilegeGranted([{ include: "Sensors" }], "sensors.View")).toBe(false);
    expect(isPrivilegeGranted([{ exclude: "Sensors.Delete" }, { include: "" }], "Anything.At.All")).toBe(true);
    expect(isPrivilegeGranted([{ exclude: "" }, { include: "Sensors" }], "Sensors")).toBe(false);
  });

  it.each(["", ".", "Sensors.", "Sensors..View", "Sensors.\ud800"])(
    "grants %j to nobody: it is no Privilege ID",
    (id) => {
      expect(isPrivilegeGranted([{ include: "" }, { include: "Sensors" }], id)).toBe(false);
    },
  );

  it("P-3.7.2-3: says what a walk up the tree says, whatever the list", () => {
    fc.assert(
      fc.property(privileges, privilegeId, (list, id) => {
        const parts = id.split(".");
        const above = new Set(parts.map((_, end) => parts.slice(0, end + 1).join("."))).add("");
        let expected = false;
        for (const entry of [...list].reverse()) {
          if (above.has(entry.include ?? entry.exclude ?? "")) expected = entry.include !== undefined;
        }
        expect(isPrivilegeGranted(list, id)).toBe(expected);
      }),
    );
  });
});
