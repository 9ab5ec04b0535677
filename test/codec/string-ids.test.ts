import { describe, expect, it } from "vitest";
import { isSendableStringIds, isStringIds, localizedName, parseStringIds } from "../../src/codec/string-ids.ts";

// The strings of the table in XEP-0323 6.2.
const words = new Map([
  ["W 1", "Temperature"],
  ["W 2", "%0%, Max"],
  ["MathModule 1", "sum(%0%)"],
  ["W 3", "Input %1%"],
  ["W 4", "Entrance %1%"],
  ["W 5", "%0%, Floor %1%"],
]);
const inWords = (stringIds: string): string | undefined =>
  localizedName({ module: "W", stringIds }, (module, id) => words.get(`${module} ${id}`));

describe("XEP-0323 6.2: names in the words of the reader", () => {
  it.each([
    ["1", "Temperature"],
    ["1,2", "Temperature, Max"],
    ["1,1|MathModule", "sum(Temperature)"],
    ["3||A1", "Input A1"],
    ["4||A1,2", "Entrance A1, Max"],
    ["4||A1,5||3", "Entrance A1, Floor 3"],
  ])("are put together as the table says: %s (S-E2)", (stringIds, name) => {
    expect(isStringIds(stringIds) && isSendableStringIds(stringIds)).toBe(true);
    expect(inWords(stringIds)).toBe(name);
  });

  it("hold a seed as it stands, signs that mean something elsewhere too", () => {
    expect(inWords("4||$&%0%,5||a|b")).toBe("Entrance $&%0%, Floor a|b");
  });

  it("are none where a string is not known, or nothing is said", () => {
    expect(inWords("1,9")).toBeUndefined();
    expect(localizedName({}, () => "x")).toBeUndefined();
    expect(localizedName({ stringIds: "7" }, (module, id) => `${module}/${id}`)).toBe("/7");
  });

  it.each(["", "x", "1,", ",1", "1 ", "1|a|b,", "-1", "1|a,b"])("are no text such as %j", (text) => {
    expect(isStringIds(text)).toBe(false);
    expect(parseStringIds(text)).toEqual([]);
  });

  it("may name any module when they are read, one of words with points when they are sent", () => {
    expect(parseStringIds("1|urn:x:y|s,2")).toEqual([{ id: "1", module: "urn:x:y", seed: "s" }, { id: "2" }]);
    expect(isSendableStringIds("1|urn:x:y") || isSendableStringIds("1|a_b")).toBe(false);
    expect(isSendableStringIds("1|a.bÄ2|any: thing")).toBe(true);
  });
});
