import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { checkControl, type ControlParameter } from "../../src/control/definition.ts";

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
      of({ name: "LED", type: "boolean", set, get: set }),
      'control[0]: there is no option "get"',
    ],
    ["without a name", of({ type: "boolean", set }), "control[0]: needs a name"],
    ["with an empty name", of({ name: "", type: "boolean", set }), "control[0]: needs a name"],
    ["with a name that is no text", of({ name: 5, type: "boolean", set }), "control[0]: needs a name"],
    ["with a name that XML cannot hold", of({ name: "\u0000", type: "boolean", set }), "control[0]: needs a name"],
    [
      "with a name twice",
      of({ name: "LED", type: "boolean", set }, { name: "LED", type: "boolean", set }),
      'control[1]: "LED" is defined twice',
    ],
    ["without a type", of({ name: "LED", set }), 'control[0]: unknown type "undefined"; there is boolean'],
    ["with a type that there is not", of({ name: "LED", type: "int", set }), 'control[0]: unknown type "int"'],
    ["that cannot be set", of({ name: "LED", type: "boolean" }), "control[0]: set must be a function"],
  ])("%s is refused by name", (_, parameters, message) => {
    expect(() => checkControl(parameters as readonly ControlParameter[])).toThrow(ConfigError);
    expect(() => checkControl(parameters as readonly ControlParameter[])).toThrow(message);
  });

  test("is named as the option it came in", () => {
    expect(() => checkControl(of({}), "nodes[3].control")).toThrow("nodes[3].control[0]: needs a name");
  });
});
