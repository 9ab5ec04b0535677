// XEP-0325 3.2: a value of each type on its way from the wire to the device, and what a parameter does not take.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bareJid, parseJid } from "../../src/core/jid.ts";
import { LightAbort } from "../../src/core/light-abort.ts";
import { parameterKinds, parseSetting, type ParameterKind } from "../../src/codec/control.ts";
import type { ControlContext, ControlParameter } from "../../src/control/definition.ts";
import { settingFor } from "../../src/control/setting.ts";
import { IncomingRequest } from "../../src/provisioning/incoming-request.ts";
import { written } from "../codec/arbitraries.ts";

const context = {
  from: bareJid("caller@example.org"),
  stop: new LightAbort(),
  request: new IncomingRequest(parseJid("caller@example.org/desk"), {}),
};

/** A parameter, and what it was given. */
function parameter(kind: ParameterKind, limits: object = {}) {
  const given: { value: unknown; text: string }[] = [];
  const set = (value: unknown, { text }: ControlContext): void => void given.push({ value, text });
  return { given, definition: { name: "P", type: kind, set, ...limits } as ControlParameter };
}

/** What becomes of a value: what the device is given, or what is wrong with it. */
function taken(kind: ParameterKind, value: string, limits: object = {}): unknown {
  const { given, definition } = parameter(kind, limits);
  const setting = settingFor(definition, parseSetting(kind, "P", value));
  if (typeof setting === "string") return setting;
  void setting.set(context);
  return given[0]?.value;
}

describe("a value", () => {
  test.each<[string, ParameterKind, string, unknown]>([
    ["3.2.1", "boolean", "1", true],
    ["3.2.2", "int", "50000", 50_000],
    ["3.2.3", "long", "500000000000000", 500_000_000_000_000n],
    ["3.2.4", "string", "Temperature: 21.4 °C", "Temperature: 21.4 °C"],
    ["3.2.5", "double", "8.192", 8.192],
    ["3.2.6", "date", "2013-05-01", "2013-05-01"],
    ["3.2.7", "time", "08:00:00", "08:00:00"],
    ["3.2.8", "dateTime", "2013-04-02T08:00:00Z", new Date(Date.UTC(2013, 3, 2, 8))],
    ["3.2.9", "duration", "PT3M30S", "PT3M30S"],
    ["3.2.10", "color", "3399ff", "3399FF"],
    ["3.2.10", "color", "3399ff80", "3399FF80"],
  ])("XEP-0325 %s: of type %s is handed to the device as JavaScript has it: %s", (_, kind, value, handed) => {
    expect(taken(kind, value)).toEqual(handed);
  });

  test("XEP-0325 6.1: of a moment without a zone is the local time of the Thing, and the text tells that there was none", () => {
    const { given, definition } = parameter("dateTime");
    const setting = settingFor(definition, parseSetting("dateTime", "P", "2013-04-02T08:00:00"));
    if (typeof setting === "string") throw new Error(setting);
    void setting.set(context);
    expect(given).toEqual([{ value: new Date(2013, 3, 2, 8), text: "2013-04-02T08:00:00" }]);
  });

  test.each(parameterKinds)("XEP-0325 3.2: of type %s comes with its text as it was written", (kind) => {
    fc.assert(
      fc.property(written[kind], (value) => {
        const { given, definition } = parameter(kind, kind === "string" ? { maxLength: 65_536 } : {});
        const setting = settingFor(definition, parseSetting(kind, "P", value));
        if (typeof setting === "string") throw new Error(setting);
        void setting.set(context);
        expect(given.map(({ text }) => text)).toEqual([value]);
      }),
    );
  });

  test("XEP-0325 3.1.3: of another type is not taken, for no pair of types", () => {
    const pairs = parameterKinds.flatMap((kind) => parameterKinds.map((other) => [kind, other] as const));
    fc.assert(
      fc.property(
        fc
          .constantFrom(...pairs.filter(([kind, other]) => kind !== other))
          .chain(([kind, other]) => written[other].map((value) => ({ kind, other, value }))),
        ({ kind, other, value }) => {
          const { given, definition } = parameter(kind);
          expect(settingFor(definition, parseSetting(other, "P", value))).toBe(
            `Invalid parameter type: it is of type ${definition.type ?? "boolean"}.`,
          );
          expect(given).toEqual([]);
        },
      ),
    );
  });

  test("that is a moment is another Date each time: what one device does to it no other one sees", () => {
    const dates: Date[] = [];
    const definition: ControlParameter = { name: "P", type: "dateTime", set: (date) => void dates.push(date) };
    const setting = settingFor(definition, parseSetting("dateTime", "P", "2013-04-02T08:00:00Z"));
    if (typeof setting === "string") throw new Error(setting);
    void setting.set(context);
    dates[0]?.setTime(0);
    void setting.set(context);
    expect(dates[1]).toEqual(new Date(Date.UTC(2013, 3, 2, 8)));
  });

  test("is set by a method of the definition itself", () => {
    const lamp = {
      name: "P",
      on: false,
      set(value: boolean): void {
        this.on = value;
      },
    };
    const setting = settingFor(lamp, parseSetting("boolean", "P", "true"));
    if (typeof setting === "string") throw new Error(setting);
    void setting.set(context);
    expect(lamp.on).toBe(true);
  });
});

describe("what a parameter does not take", () => {
  const invalid = (why: string): string => `Invalid parameter value: ${why}.`;

  test.each<[ParameterKind, object, readonly string[], readonly string[], string]>([
    ["int", { min: 0, max: 100 }, ["0", "100", "+50", "-0"], ["-1", "101", "2147483647"], "it takes 0 to 100"],
    ["int", { min: 1 }, ["1", "2147483647"], ["0", "-2147483648"], "it takes 1 at least"],
    ["int", { options: [1, 5, 10] }, ["1", "05", "10"], ["0", "2"], "it takes one of 1, 5, 10"],
    [
      "long",
      { min: 2n ** 53n, max: 2n ** 53n + 1n },
      ["9007199254740992", "9007199254740993"],
      ["9007199254740991", "9007199254740994"],
      "it takes 9007199254740992 to 9007199254740993",
    ],
    ["double", { min: -0.5, max: 0.5 }, ["-0.5", ".5", "5e-1", "-0"], ["0.50001", "-1e300"], "it takes -0.5 to 0.5"],
    ["double", { options: [0, 0.1] }, ["0.100", "-0", "1e-1"], ["0.2"], "it takes one of 0, 0.1"],
    ["string", { maxLength: 3 }, ["", "äöü", "😀😀😀"], ["abcd", "😀😀😀😀"], "it takes 3 characters at most"],
    [
      "string",
      { pattern: "[A-Z]{2}\\d+" },
      ["AB1", "ZZ99"],
      ["", "AB", "xAB1", "AB1x", "AB1\n"],
      "it does not match the pattern",
    ],
    ["string", { options: ["low", "high"] }, ["low"], ["Low", "", "low "], "it takes one of low, high"],
    [
      "date",
      { min: "2013-01-01", max: "2013-12-31" },
      ["2013-01-01", "2013-12-31", "2013-06-01+02:00"],
      ["2012-12-31", "2014-01-01", "2013-01-01Z", "2013-12-31Z"],
      "it takes 2013-01-01 to 2013-12-31",
    ],
    [
      "time",
      { min: "06:00:00", max: "22:00:00" },
      ["06:00:00", "21:59:59.9"],
      ["05:59:59.9", "24:00:00"],
      "it takes 06:00:00 to 22:00:00",
    ],
    [
      "dateTime",
      { max: new Date(Date.UTC(2013, 0, 1)) },
      ["2013-01-01T00:00:00Z", "2013-01-01T02:00:00+02:00"],
      ["2013-01-01T00:00:00.001Z", "2013-01-01T00:00:00-00:01"],
      "it takes 2013-01-01T00:00:00.000Z at most",
    ],
    [
      "duration",
      { max: "PT1H" },
      ["PT60M", "-P1Y", "PT3600.0S"],
      ["PT61M", "P1M", "P99999999999999999999Y"],
      "it takes PT1H at most",
    ],
    ["duration", { options: ["PT1M", "PT1H"] }, ["PT60S", "PT3600S"], ["PT1S"], "it takes one of PT1M, PT1H"],
    ["color", { options: ["3399FF"] }, ["3399ff", "3399FF"], ["3399FFFF", "000000"], "it takes one of 3399FF"],
  ])("XEP-0325 5.1: of type %s is what its limits leave out (%#)", (kind, limits, fine, wrong, why) => {
    for (const value of fine) expect([value, taken(kind, value, limits)]).not.toEqual([value, invalid(why)]);
    for (const value of wrong) expect([value, taken(kind, value, limits)]).toEqual([value, invalid(why)]);
  });

  test("is told of many options with the first ten", () => {
    const options = Array.from({ length: 11 }, (_, index) => index);
    expect(taken("int", "-1", { options })).toBe(invalid("it takes one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …"));
  });

  test("is a text longer than a thousand characters where nothing is said of its length", () => {
    expect(taken("string", "x".repeat(1_000))).toHaveLength(1_000);
    expect(taken("string", "x".repeat(1_001))).toBe(invalid("it takes 1000 characters at most"));
  });

  test("is nothing between its bounds, and everything else, for whole numbers", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.integer(), (a, b, value) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)];
        expect(taken("int", String(value), { min, max }) === value).toBe(min <= value && value <= max);
      }),
    );
  });
});
