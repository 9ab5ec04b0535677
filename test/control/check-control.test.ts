import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { checkControl } from "../../src/control/check-control.ts";
import type { ControlParameter } from "../../src/control/definition.ts";

const set = (): void => undefined;
const of = (...parameters: readonly unknown[]): readonly ControlParameter[] =>
  parameters as readonly ControlParameter[];

describe("the definition of what can be controlled", () => {
  test.each<[string, readonly ControlParameter[]]>([
    ["of nothing", []],
    ["of one parameter", [{ name: "LED", type: "boolean", set }]],
    [
      "of names that differ in case only",
      of({ name: "led", type: "boolean", set }, { name: "LED", type: "boolean", set }),
    ],
    ["without a type, which is boolean", of({ name: "LED", set })],
    [
      "of each type",
      [
        {
          name: "a",
          label: "A",
          description: "What it is.",
          page: "First",
          group: "g",
          timeout: 500,
          get: () => true,
          set,
        },
        { name: "b", type: "int", min: 0, max: 4095, unit: "ms", get: () => Promise.resolve(undefined), set },
        { name: "c", type: "long", min: 0n, max: 2n ** 63n - 1n, options: [0n, 5n], set },
        { name: "d", type: "double", min: -0.5, max: 1e300, options: [0, 0.1], set },
        { name: "e", type: "string", pattern: "[A-Z]{2}\\d*", maxLength: 5, options: ["AB", "AB12"], set },
        { name: "f", type: "date", min: "2013-01-01", max: "2013-12-31", set },
        { name: "g", type: "time", min: "06:00:00", max: "22:00:00", set },
        { name: "h", type: "dateTime", min: new Date(0), set },
        { name: "i", type: "duration", max: "PT1H", options: ["PT5M", "PT1H"], set },
        { name: "j", type: "color", options: ["3399FF", "3399FF80"], set },
      ],
    ],
    ["of a name with blanks", [{ name: "Living room lamp", type: "boolean", set: () => Promise.resolve() }]],
  ])("is taken when it is one %s", (_, parameters) => {
    expect(() => checkControl(parameters)).not.toThrow();
  });

  test.each<[string, unknown, string]>([
    ["that is no list", { name: "LED", type: "boolean", set }, "control: must be a list"],
    ["with what is no object", of(null), "control[0]: must be an object"],
    ["with a function in its place", of({ name: "A", type: "boolean", set }, set), "control[1]: must be an object"],
    [
      "with an unknown option",
      of({ name: "LED", type: "boolean", set, ste: set }),
      'control[0]: there is no option "ste"',
    ],
    ["without a name", of({ type: "boolean", set }), "control[0]: needs a name"],
    [
      "with the name that a form has for what it is for",
      of({ name: "FORM_TYPE", set }),
      'control[0]: "FORM_TYPE" is what a form says of itself',
    ],
    [
      "with the name that a form has for its session",
      of({ name: "LED", set }, { name: "xdd session", set }),
      'control[1]: "xdd session" is what a form says of itself',
    ],
    ["with an empty name", of({ name: "", type: "boolean", set }), "control[0]: needs a name"],
    ["with a name that is no text", of({ name: 5, type: "boolean", set }), "control[0]: needs a name"],
    ["with a name that XML cannot hold", of({ name: "\u0000", type: "boolean", set }), "control[0]: needs a name"],
    [
      "with a name twice",
      of({ name: "LED", type: "boolean", set }, { name: "LED", type: "boolean", set }),
      'control[1]: "LED" is defined twice',
    ],
    ["with a type that there is not", of({ name: "LED", type: "integer", set }), 'control[0]: unknown type "integer"'],
    [
      "with a type that is none",
      of({ name: "LED", type: null, set }),
      'control[0]: unknown type "null"; there are boolean',
    ],
    ["with a get that is none", of({ name: "LED", get: true, set }), "control[0]: get must be a function"],
    ["with a label that is none", of({ name: "LED", label: "", set }), "control[0]: label must be a text"],
    [
      "with a unit that XML cannot hold",
      of({ name: "A", type: "int", unit: "\u0000", set }),
      "control[0]: unit must be",
    ],
    ["with bounds of a boolean", of({ name: "LED", min: 0, set }), 'control[0]: there is no option "min"'],
    ["with a pattern of a number", of({ name: "A", type: "int", pattern: "5", set }), 'there is no option "pattern"'],
    ["with a bound of another type", of({ name: "A", type: "int", min: "0", set }), "control[0]: min is not an xs:int"],
    [
      "with a bound out of its type",
      of({ name: "A", type: "int", max: 2 ** 31, set }),
      "control[0]: max is not an xs:int",
    ],
    ["with a bound that is no day", of({ name: "A", type: "date", max: "2013-02-29", set }), "max is not an xs:date"],
    [
      "with bounds the wrong way round",
      of({ name: "A", type: "int", min: 2, max: 1, set }),
      "min must not be above max",
    ],
    [
      "with bounds of which nobody can tell which comes first",
      of({ name: "A", type: "duration", min: "P30D", max: "P1M", set }),
      "min must not be above max",
    ],
    [
      "with no options",
      of({ name: "A", type: "int", options: [], set }),
      "options must be a list of values, not empty",
    ],
    [
      "with an option twice",
      of({ name: "A", type: "color", options: ["ffffff", "FFFFFF"], set }),
      "options[1] is there twice",
    ],
    [
      "with an option out of bounds",
      of({ name: "A", type: "long", min: 2n, options: [2n, 1n], set }),
      "control[0]: options[1] is not possible: it takes 2 at least",
    ],
    ["with an option that is none", of({ name: "A", type: "string", options: [5], set }), "options[0] is not a text"],
    [
      "with a length that is none",
      of({ name: "A", type: "string", maxLength: 0, set }),
      "maxLength must be a whole number",
    ],
    ["with a pattern that is none", of({ name: "A", type: "string", pattern: /A/, set }), "pattern must be a text"],
    ["with a pattern of JavaScript", of({ name: "A", type: "string", pattern: "^A$", set }), '"^" is not needed'],
    [
      "with a pattern that takes too long",
      of({ name: "A", type: "string", pattern: "(a{40}b?)*", maxLength: 65_536, set }),
      "the pattern is too long for texts of maxLength",
    ],
    ["with a time that is none", of({ name: "A", timeout: "30s", set }), "timeout must be a number of milliseconds"],
    ["with no time at all", of({ name: "A", timeout: 0, set }), "timeout must be a number of milliseconds, above 0"],
    ["that cannot be set", of({ name: "LED", type: "boolean" }), "control[0]: set must be a function"],
  ])("%s is refused by name", (_, parameters, message) => {
    expect(() => checkControl(parameters as readonly ControlParameter[])).toThrow(ConfigError);
    expect(() => checkControl(parameters as readonly ControlParameter[])).toThrow(message);
  });

  test("is named as the option it came in", () => {
    expect(() => checkControl(of({}), "nodes[3].control")).toThrow("nodes[3].control[0]: needs a name");
  });
});
