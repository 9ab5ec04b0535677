import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatXs, parseXs, type XsKind, type XsText } from "../../src/codec/xs-values.ts";
import * as some from "./arbitraries.ts";
import { thrownBy } from "./laws.ts";

const textOf = (written: XsText): string => {
  if ("problem" in written) throw new Error(written.problem);
  return written.text;
};
const read = <K extends XsKind>(kind: K, text: string) => parseXs(kind, text).value;
const kinds: readonly XsKind[] = [
  ...(["boolean", "int", "long", "double", "string"] as const),
  ...(["date", "time", "dateTime", "duration", "color"] as const),
];

describe("XEP-0323 5.4, XEP-0325 3.2: a value", () => {
  it.each([
    ["boolean", fc.boolean()],
    ["int", fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
    ["long", fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
    ["double", fc.double({ noNaN: true, noDefaultInfinity: true })],
    ["string", some.text],
    ["dateTime", some.dateTime.map((text) => Date.parse(text))],
  ] satisfies [XsKind, fc.Arbitrary<unknown>][])("is read as it was written: %s", (kind, values) => {
    fc.assert(
      fc.property(values, (value) => {
        const back = parseXs(kind as XsKind, textOf(formatXs(kind as XsKind, value))).value;
        expect(back === value || (back === 0 && value === 0)).toBe(true); // -0 is written 0
      }),
    );
  });

  it("keeps how it was written, less the blanks around it", () => {
    expect(parseXs("double", " 123.200\n")).toEqual({ value: 123.2, text: "123.200" });
    expect(parseXs("int", "+007")).toEqual({ value: 7, text: "+007" });
    expect(parseXs("string", " a ")).toEqual({ value: " a ", text: " a " });
    expect(parseXs("dateTime", "2013-03-07T16:24:30+02:00")).toEqual({
      value: Date.UTC(2013, 2, 7, 14, 24, 30),
      text: "2013-03-07T16:24:30+02:00",
    });
  });

  it.each([
    ["boolean", ["true", "false", "0", "1", " true "]],
    ["int", ["0", "-0", "+1", "2147483647", "-2147483648"]],
    ["long", ["9223372036854775807", "-9223372036854775808", "+0", "-0"]],
    ["double", ["1", "1.", ".5", "-1.50", "1e21", "1E-7", `0.${"0".repeat(900)}`]],
    ["date", ["2013-03-07", "2024-02-29", "2000-02-29Z", "0001-01-01+14:00", "9999-12-31-13:59"]],
    ["time", ["00:00:00", "23:59:59.999999999", "24:00:00", "24:00:00.000Z", "12:00:00-08:00"]],
    [
      "dateTime",
      ["2013-03-07T16:24:30", "2013-03-07T16:24:30.5Z", "0099-01-01T00:00:00Z", "2013-12-31T24:00:00+00:00"],
    ],
    ["duration", ["PT3H12M", "-P1D", "P1Y2M3DT4H5M6.7S", "PT0S", "P0D", "PT0.5S"]],
    ["color", ["000000", "a1B2c3", "A1b2C3d4"]],
  ] satisfies [XsKind, string[]][])("is read: %s", (kind, texts) => {
    for (const text of texts) expect(parseXs(kind, text).text).toBe(text.trim());
  });

  it.each([
    ["boolean", ["", "TRUE", "yes", "2", "on"]],
    ["int", ["", "1.0", "2147483648", "-2147483649", "0x10", "1e3", "１", "- 1", "9".repeat(2_000)]],
    ["long", ["", "9223372036854775808", "-9223372036854775809", "1n", "1.5", "--1"]],
    ["double", ["", "NaN", "INF", "-INF", "Infinity", "1e400", "1,5", "0x1", ".", "1e", `0.${"0".repeat(2_000)}`]],
    ["string", ["\u0000", "\ud800", "a\uffff"]],
    ["date", ["", "2013-3-7", "2023-02-29", "2013-13-01", "2013-00-10", "2013-01-00", "0000-01-01", "12013-01-01"]],
    ["date", ["-0001-01-01", "2013-01-01T00:00:00", "2013-01-01+14:01", "2013-01-01z", "2013-01-01+1:00"]],
    ["time", ["", "1:00:00", "12:00", "24:00:01", "24:00:00.1", "12:60:00", "12:00:60", "12:00:00.", "25:00:00"]],
    ["dateTime", ["", "2013-03-07", "2013-03-07 16:24:30", "2013-02-30T00:00:00Z", "2013-03-07T24:00:01Z", "0"]],
    ["duration", ["", "P", "PT", "P1", "1D", "P1DT", "PT1.S", "P-1D", "P1.5D", "P1M1Y", "+P1D", "PT1H1"]],
    ["color", ["", "fff", "#ffffff", "gggggg", "fffffff", "fffffffff", "red"]],
  ] satisfies [XsKind, string[]][])("is refused: %s", (kind, texts) => {
    for (const text of texts) {
      expect(
        thrownBy(() => parseXs(kind, text, "x/@value")),
        text,
      ).toMatchObject({
        code: "ERR_PROTOCOL",
        path: "x/@value",
      });
    }
  });

  it("is read whole or not at all, whatever the text is", () => {
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.oneof(fc.string({ unit: "binary" }), some.text), (kind, text) => {
        try {
          expect(parseXs(kind, parseXs(kind, text).text).text).toBe(parseXs(kind, text).text);
        } catch (error) {
          expect(error).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
        }
      }),
    );
  });
});

describe("XEP-0323 6.1: a moment", () => {
  it.each([
    ["2013-03-07T16:24:30Z", Date.UTC(2013, 2, 7, 16, 24, 30)],
    ["2013-03-07T16:24:30.5789-01:30", Date.UTC(2013, 2, 7, 17, 54, 30, 578)],
    ["2013-03-07T00:00:00.05+14:00", Date.UTC(2013, 2, 6, 10, 0, 0, 50)],
    ["2013-12-31T24:00:00Z", Date.UTC(2014, 0, 1)],
    ["2000-01-01T00:00:00Z", 946_684_800_000],
    ["0099-01-01T00:00:00Z", -59_042_995_200_000],
  ])("is what it says, also before the year 100: %s", (text, ms) => {
    expect(read("dateTime", text)).toBe(ms);
  });

  it("without a zone is one of this machine's zone", () => {
    expect(read("dateTime", "2013-03-07T16:24:30.25")).toBe(new Date(2013, 2, 7, 16, 24, 30, 250).getTime());
  });

  it("is written in UTC when it is a Date or milliseconds, and as it stands when it is a text", () => {
    expect(formatXs("dateTime", new Date(0))).toEqual({ text: "1970-01-01T00:00:00.000Z" });
    expect(formatXs("dateTime", 1)).toEqual({ text: "1970-01-01T00:00:00.001Z" });
    expect(formatXs("dateTime", "2013-03-07T16:24:30+02:00")).toEqual({ text: "2013-03-07T16:24:30+02:00" });
  });
});

describe("XEP-0323 5.4, XEP-0325 3.2: a value that cannot be sent", () => {
  it.each([
    ["boolean", ["true", 1, null, undefined], "not an xs:boolean"],
    ["int", ["1", 1.5, 2 ** 31, NaN, 1n], "not an xs:int"],
    ["long", ["1", 1.5, 2 ** 53, 2n ** 63n, -(2n ** 63n) - 1n], "not an xs:long"],
    ["double", [NaN, Infinity, -Infinity, "x", "INF", 1n, null], "not a finite xs:double"],
    ["string", [1, "\u0000", "\ud800", null, {}], "not a text that XML can hold"],
    ["date", [new Date(0), "7.3.2013", 1], "not an xs:date"],
    ["time", ["noon", 12], "not an xs:time"],
    ["dateTime", [new Date(NaN), NaN, 8.64e15, -1e14, "now", 1n, null, {}], "not an xs:dateTime"],
    ["duration", [60, "1h", "P"], "not an xs:duration"],
    ["color", [0xffffff, "#fff"], "not a colour, RRGGBB or RRGGBBAA"],
  ] satisfies [XsKind, unknown[], string][])("is told of: %s", (kind, values, problem) => {
    for (const value of values) expect(formatXs(kind, value)).toEqual({ problem });
  });

  it("is none of these: a long as a number that is exact, a double as the text of its decimals", () => {
    expect(formatXs("long", 2 ** 53 - 1)).toEqual({ text: "9007199254740991" });
    expect(formatXs("long", -5n)).toEqual({ text: "-5" });
    expect(formatXs("double", "123.200")).toEqual({ text: "123.200" });
    expect(formatXs("double", 1e21)).toEqual({ text: "1e+21" });
    expect(formatXs("int", -0)).toEqual({ text: "0" });
  });
});
