import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { buildFields, parseFields } from "../../src/codec/sensor-data.ts";
import { parseXml } from "../../src/codec/xml.ts";
import {
  categoriesOf,
  checkSensor,
  type FieldDefinition,
  type Reading,
  type SensorDefinition,
} from "../../src/sensor/definition.ts";
import { toField } from "../../src/sensor/to-field.ts";

const read = (): [] => [];
const withField = (field: unknown): SensorDefinition => ({ fields: [field as FieldDefinition], read });
const temperature: FieldDefinition = { name: "Temperature", unit: "°C", decimals: 1 };

describe("the definition of a sensor", () => {
  test.each<[string, SensorDefinition]>([
    ["of no field", { fields: [], read }],
    ["of a plain number", withField({ name: "Temperature" })],
    ["of a number with unit and decimals", withField(temperature)],
    ["of a text", withField({ name: "State", type: "string" })],
    ["of a truth value", withField({ name: "Door open", type: "boolean", categories: ["status", "momentary"] })],
    ["of names that differ in case only", { fields: [{ name: "t" }, { name: "T" }], read }],
    ["of 20 decimals", withField({ name: "T", decimals: 20 })],
    ["of no decimals", withField({ name: "T", decimals: 0 })],
    ["of an enumeration", withField({ name: "Wind", type: "enum", dataType: "WindDirection" })],
    [
      "that can be controlled, with strings for its name",
      withField({ name: "a", writable: true, module: "M", stringIds: "1,2" }),
    ],
  ])("is taken when it is one %s", (_, sensor) => {
    expect(() => checkSensor(sensor)).not.toThrow();
  });

  test.each<[string, SensorDefinition, string]>([
    ["without fields", { read } as unknown as SensorDefinition, "sensor.fields: must be a list"],
    ["with fields that are no list", { fields: {}, read } as unknown as SensorDefinition, "sensor.fields: must be"],
    ["with a field without a name", withField({}), "sensor.fields[0]: needs a name"],
    ["with an empty name", withField({ name: "" }), "sensor.fields[0]: needs a name"],
    ["with a name that is no text", withField({ name: 5 }), "sensor.fields[0]: needs a name"],
    ["with a name that XML cannot hold", withField({ name: "a\u0000" }), "sensor.fields[0]: needs a name"],
    ["with a name twice", { fields: [{ name: "a" }, { name: "b" }, { name: "a" }], read }, 'sensor.fields[2]: "a" is'],
    ["with an unknown type", withField({ name: "a", type: "text" }), 'sensor.fields[0]: unknown type "text"'],
    [
      "with an enumeration of nothing",
      withField({ name: "a", type: "enum" }),
      "an enum, and nothing else, has a dataType",
    ],
    ["with a dataType on a text", withField({ name: "a", type: "string", dataType: "d" }), "an enum, and nothing else"],
    [
      "with a writable that is no yes or no",
      withField({ name: "a", writable: "yes" }),
      "writable must be true or false",
    ],
    ["with a module that is no text", withField({ name: "a", module: "" }), "module must be a text"],
    [
      "with strings that are none",
      withField({ name: "a", stringIds: "Temperature" }),
      "stringIds must be ids of strings",
    ],
    ["with a name that fills a message", withField({ name: "a".repeat(1_001) }), "sensor.fields[0]: needs a name"],
    ["with a unit on a text", withField({ name: "a", type: "string", unit: "m" }), "only numbers"],
    ["with decimals on a truth value", withField({ name: "a", type: "boolean", decimals: 1 }), "only numbers"],
    ["with a unit that is no text", withField({ name: "a", unit: 5 }), "sensor.fields[0]: the unit"],
    ["with a unit that XML cannot hold", withField({ name: "a", unit: "\u001b" }), "sensor.fields[0]: the unit"],
    ["with half a decimal", withField({ name: "a", decimals: 0.5 }), "sensor.fields[0]: decimals"],
    ["with fewer than no decimals", withField({ name: "a", decimals: -1 }), "sensor.fields[0]: decimals"],
    ["with more decimals than a number has", withField({ name: "a", decimals: 21 }), "sensor.fields[0]: decimals"],
    ["with decimals that are no number", withField({ name: "a", decimals: "1" }), "sensor.fields[0]: decimals"],
    ["of no category", withField({ name: "a", categories: [] }), "sensor.fields[0]: categories"],
    ["of an unknown category", withField({ name: "a", categories: ["momentary", "all"] }), "sensor.fields[0]: cat"],
    ["of a category that is no list", withField({ name: "a", categories: "momentary" }), "sensor.fields[0]: cat"],
    ["that cannot be read", { fields: [temperature] } as unknown as SensorDefinition, "sensor.read: must be"],
  ])("%s is refused by name", (_, sensor, message) => {
    expect(() => checkSensor(sensor)).toThrow(ConfigError);
    expect(() => checkSensor(sensor)).toThrow(message);
  });

  test("is named as the option it came in", () => {
    expect(() => checkSensor(withField({}), "nodes[3].sensor")).toThrow("nodes[3].sensor.fields[0]: needs a name");
  });

  test("gives a field the category momentary if it names none", () => {
    expect([...categoriesOf({ name: "a" })]).toEqual(["momentary"]);
    expect([...categoriesOf({ name: "a", categories: ["peak", "status"] })]).toEqual(["peak", "status"]);
  });
});

describe("a reading as a field", () => {
  const text = (value: number, decimals?: number): string => {
    const definition: FieldDefinition = { name: "T", unit: "°C", ...(decimals !== undefined && { decimals }) };
    const field = toField(definition, { name: "T", value });
    return typeof field === "string" ? `refused: ${field}` : field.kind === "numeric" ? field.text : field.kind;
  };

  test.each([
    [21, 1, "21.0"],
    [21.55, 1, "21.6"],
    [21.449, 1, "21.4"],
    [21.5, 0, "22"],
    [-0.04, 1, "0.0"],
    [-0.06, 1, "-0.1"],
    [-0, 0, "0"],
    [-0, undefined, "0"],
    [21, undefined, "21"],
    [21.05, undefined, "21.05"],
    [1e-7, undefined, "1e-7"],
    [1e-7, 2, "0.00"],
    [-1e-7, 2, "0.00"],
    [1e21, 2, "1e+21"],
    [-1e21, 2, "-1e+21"],
    [1e20, 1, "100000000000000000000.0"],
  ])("XEP-0323 5.4: %s with %s decimals stands as %s on the wire", (value, decimals, expected) => {
    expect(text(value, decimals)).toBe(expected);
  });

  test("XEP-0323 5.4: has exactly the decimals it was measured to, and is the number within them", () => {
    const value = fc.double({ noNaN: true, min: -1e15, max: 1e15 });
    fc.assert(
      fc.property(value, fc.integer({ min: 0, max: 20 }), (number, decimals) => {
        const written = text(number, decimals);
        expect(written).toMatch(decimals === 0 ? /^-?\d+$/ : new RegExp(`^-?\\d+\\.\\d{${decimals}}$`));
        expect(written).not.toMatch(/^-0(\.0*)?$/);
        expect(Math.abs(Number(written) - number)).toBeLessThanOrEqual(
          0.5 * 10 ** -decimals + Math.abs(number) * 1e-15,
        );
      }),
    );
  });

  test("without decimals is the very number, also behind the wire", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const field = toField({ name: "T" }, { name: "T", value });
        if (typeof field === "string") throw new Error(field);
        const groups = [{ node: { nodeId: "" }, timestamp: "2026-01-01T00:00:00Z", fields: [field] }];
        const sent = parseXml(buildFields({ seqnr: 1, done: true, groups }).toString());
        const [read] = parseFields(sent).groups[0]?.fields ?? [];
        expect(read?.value).toBe(value === 0 ? 0 : value);
      }),
    );
  });

  test("bears name, unit, kinds, and that it was read by the machine itself", () => {
    const definition: FieldDefinition = { ...temperature, categories: ["momentary", "peak"] };
    expect(toField(definition, { name: "Temperature", value: 21.5 })).toEqual({
      kind: "numeric",
      name: "Temperature",
      value: 21.5,
      text: "21.5",
      unit: "°C",
      types: new Set(["momentary", "peak"]),
      quality: new Set(["automaticReadout"]),
    });
    expect(toField({ name: "T" }, { name: "T", value: 1 })).toMatchObject({ unit: "", text: "1" });
    expect(toField({ name: "S", type: "string" }, { name: "S", value: "é\n<&" })).toMatchObject({ value: "é\n<&" });
    expect(toField({ name: "B", type: "boolean" }, { name: "B", value: false })).toMatchObject({ value: false });
  });

  test.each<[string, FieldDefinition, unknown]>([
    ["a word for a number", { name: "T" }, "warm"],
    ["what is not a number", { name: "T" }, NaN],
    ["what is not finite", { name: "T" }, -Infinity],
    ["nothing", { name: "T" }, undefined],
    ["a number for a text", { name: "T", type: "string" }, 1],
    ["a text that XML cannot hold", { name: "T", type: "string" }, "\u0000"],
    ["half a character", { name: "T", type: "string" }, "\ud83d"],
    ["a number for a truth value", { name: "T", type: "boolean" }, 1],
    ["a text for a truth value", { name: "T", type: "boolean" }, "true"],
  ])("is refused in words that name the field when it is %s", (_, definition, value) => {
    expect(toField(definition, { name: "T", value: value as number })).toMatch(/^T: /);
  });
});

describe("XEP-0323 5.4: a reading of each type", () => {
  const date = new Date("2013-03-07T16:24:30Z");
  test.each<[FieldDefinition["type"], Reading["value"], object]>([
    ["numeric", "123.200", { value: 123.2, text: "123.200", unit: "" }],
    ["int", -7, { value: -7 }],
    ["long", 2n ** 63n - 1n, { value: 2n ** 63n - 1n }],
    ["long", 5, { value: 5n }],
    ["dateTime", date, { value: "2013-03-07T16:24:30.000Z", ms: date.getTime() }],
    ["dateTime", "2013-03-07T17:24:30+01:00", { value: "2013-03-07T17:24:30+01:00", ms: date.getTime() }],
    ["date", "2013-03-07", { value: "2013-03-07" }],
    ["time", "16:24:30", { value: "16:24:30" }],
    ["duration", "PT3H12M", { value: "PT3H12M" }],
    ["enum", "NW", { value: "NW", dataType: "WindDirection" }],
  ])("%s: %s", (type, value, expected) => {
    const definition: FieldDefinition = {
      name: "F",
      type: type ?? "numeric",
      ...(type === "enum" && { dataType: "WindDirection" }),
    };
    expect(toField(definition, { name: "F", value })).toMatchObject({ kind: type, ...expected });
  });

  test.each<[FieldDefinition["type"], unknown]>([
    ["int", 1.5],
    ["int", 2 ** 31],
    ["long", 2n ** 63n],
    ["dateTime", new Date(NaN)],
    ["date", date],
    ["time", "noon"],
    ["duration", 60],
    ["enum", 1],
  ])("is refused in words when it is no %s: %s", (type, value) => {
    expect(toField({ name: "F", type: type ?? "numeric" }, { name: "F", value: value as number })).toMatch(/^F: not /);
  });
});

describe("what a reading says of its value", () => {
  const stored: FieldDefinition = { name: "E", categories: ["momentary", "historicalHour", "historicalDay"] };

  test("XEP-0323 5.6: are kinds of the field, or those that are not of the past", () => {
    expect(toField(stored, { name: "E", value: 1 })).toMatchObject({ types: new Set(["momentary"]) });
    expect(toField(stored, { name: "E", value: 1, categories: ["historicalDay"] })).toMatchObject({
      types: new Set(["historicalDay"]),
    });
    expect(toField({ ...stored, categories: ["peak", "historicalDay"] }, { name: "E", value: 1 })).toMatchObject({
      types: new Set(["peak", "historicalDay"]),
    });
    for (const categories of [["peak"], [], "momentary", ["momentary", "status"]]) {
      expect(toField(stored, { name: "E", value: 1, categories: categories as [] })).toMatch(
        /^E: categories must be some of/,
      );
    }
  });

  test("XEP-0323 5.7: are flags of its worth, as a list or a set", () => {
    expect(toField(stored, { name: "E", value: 1, quality: ["automaticEstimate", "powerFailure"] })).toMatchObject({
      quality: new Set(["automaticEstimate", "powerFailure"]),
    });
    expect(toField(stored, { name: "E", value: 1, quality: new Set(["signed"] as const) })).toMatchObject({
      quality: new Set(["signed"]),
    });
    expect(toField(stored, { name: "E", value: 1, quality: ["good"] as never })).toMatch(/^E: quality must be some of/);
    expect(toField(stored, { name: "E", value: 1, quality: "signed" as never })).toMatch(/^E: quality must be/);
  });

  test("XEP-0323 5.4: is with how many decimals it was measured, where that is not the field's", () => {
    expect(toField({ ...stored, decimals: 1 }, { name: "E", value: 1, decimals: 3 })).toMatchObject({ text: "1.000" });
    expect(toField(stored, { name: "E", value: 1, decimals: -1 })).toMatch(/^E: decimals/);
  });

  test("XEP-0323 5.10, 6.2: goes with what the field says of itself", () => {
    const definition: FieldDefinition = { name: "E", writable: false, module: "M", stringIds: "1,2" };
    expect(toField(definition, { name: "E", value: 1 })).toMatchObject({
      writable: false,
      module: "M",
      stringIds: "1,2",
    });
  });
});
