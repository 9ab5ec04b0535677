import { describe, expect, it } from "vitest";
import { parseTokens, tokenAttributes } from "../../src/codec/tokens.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { tokens } from "./arbitraries.ts";
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
