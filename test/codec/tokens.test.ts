import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isToken, joinTokens, parseTokenList, parseTokens, tokenAttributes } from "../../src/codec/tokens.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { token, tokens } from "./arbitraries.ts";
import { roundTrips } from "./laws.ts";

describe("tokens", () => {
  it("go through untouched, in exactly the characters they came in (P-E9)", () => {
    roundTrips(tokens, (value) => el("req", tokenAttributes(value)), parseTokens);
  });

  it("are all three passed on, several in one as they stand (P-E15, X-E7)", () => {
    const element = parseXml("<req serviceToken=' A  B ' deviceToken='C' userToken='D' otherToken='E'/>");
    expect(parseTokens(element)).toEqual({ serviceToken: " A  B ", deviceToken: "C", userToken: "D" });
  });

  it("that are empty are none", () => {
    expect(parseTokens(parseXml("<req serviceToken='' userToken=''/>"))).toEqual({});
    expect(tokenAttributes({})).toEqual({ serviceToken: undefined, deviceToken: undefined, userToken: undefined });
  });
});

describe("several tokens in one attribute", () => {
  it("P-E15, P-3.1.5-2: have one blank between them, none is empty or there twice", () => {
    expect(joinTokens(["A", "", "B", "A"])).toBe("A B");
    expect(joinTokens([])).toBe("");
  });

  it("P-E15: are told apart by any white space, also at the ends", () => {
    expect(parseTokenList(" A  B\tC\r\nA ")).toEqual(["A", "B", "C"]);
    expect(parseTokenList("")).toEqual([]);
    expect(parseTokenList(" \t")).toEqual([]);
  });

  it("are read as they were joined", () => {
    fc.assert(
      fc.property(fc.uniqueArray(token, { maxLength: 5 }), (list) => {
        expect(parseTokenList(joinTokens(list))).toEqual(list);
        expect(list.every(isToken)).toBe(true);
      }),
    );
  });

  it("P-3.1.3-14: a token holds no white space, and is not empty", () => {
    for (const bad of ["", " ", "A B", "A\n", "\tA", "A\u00a0B", "A\u2003"]) expect(isToken(bad)).toBe(false);
    for (const good of ["A", "__proto__", "\u{1F321}", "<&>"]) expect(isToken(good)).toBe(true);
  });
});
