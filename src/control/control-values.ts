// What a controller wants to set, in its own words: XEP-0325 3.2.1 to 3.2.11.
import { ConfigError } from "../core/errors.ts";
import { parameterKinds, parseSetting, type ParameterKind, type ParameterSetting } from "../codec/control.ts";
import { isXmlText } from "../codec/xml.ts";
import { formatXs } from "../codec/xs-values.ts";
import type { ControlForm, ControlValue } from "./control-form.ts";

/** A parameter, and what it is to be set to. */
export interface ParameterValue {
  /** Its name. */
  readonly name: string;
  /**
   * Its type. Default: that of the form, if there is one; else by the value: `boolean`, a `Date` a `dateTime`, a bigint a
   * `long`, a number an `int` if it is whole and fits, else a `double`, a text a `string`.
   */
  readonly type?: ParameterKind;
  /** The value. A `double` may be given as text, to keep its decimals: `21.40`. */
  readonly value: ControlValue;
}

/**
 * What to set, in the order in which it is to be: values by the names of the parameters, their types taken from the values,
 * or a list that may name the types. A `Map` and a list keep any order; an object that of JavaScript.
 */
export type ParameterValues =
  Readonly<Record<string, ControlValue>> | ReadonlyMap<string, ControlValue> | readonly ParameterValue[];

/** A parameter with its value, and how that is written. */
export interface Wish {
  readonly setting: ParameterSetting;
  readonly text: string;
}

/** Reads what is to be set. Throws `ERR_CONFIG` naming what is wrong. */
export function wishesOf(values: ParameterValues, form?: ControlForm): readonly Wish[] {
  const entries = entriesOf(values);
  if (entries.length === 0) throw new ConfigError("values: name at least one parameter");
  const types = new Map(form?.parameters.map(({ name, type }) => [name, type]));
  const names = new Set<string>();
  return entries.map(({ name, type, value }) => {
    if (typeof name !== "string" || name === "" || !isXmlText(name)) {
      throw new ConfigError("values: a parameter needs a name that XML can hold");
    }
    const wrong = (problem: string): ConfigError => new ConfigError(`values.${name}: ${problem}`);
    if (names.has(name)) throw wrong("is there twice");
    names.add(name);
    const kind = type ?? types.get(name) ?? kindOf(value);
    if (kind === undefined) throw wrong("must be true, false, a number, a bigint, a text or a Date");
    if (!parameterKinds.includes(kind)) throw wrong(`unknown type "${kind}"; there are ${parameterKinds.join(", ")}`);
    const written = formatXs(kind, value);
    if ("problem" in written) throw wrong(written.problem);
    return { setting: parseSetting(kind, name, written.text), text: written.text };
  });
}

function entriesOf(values: ParameterValues): readonly ParameterValue[] {
  if (typeof values !== "object" || (values as unknown) === null) {
    throw new ConfigError("values: must be an object, { LED: true }, a Map, or a list of { name, type, value }");
  }
  if (Array.isArray(values)) {
    return (values as readonly unknown[]).map((entry, index) => {
      if (typeof entry === "object" && entry !== null) return entry as ParameterValue;
      throw new ConfigError(`values[${index}]: must be an object, { name, type, value }`);
    });
  }
  const entries =
    values instanceof Map ? [...(values as ReadonlyMap<string, ControlValue>)] : Object.entries(values as object);
  return entries.map(([name, value]) => ({ name, value: value as ControlValue }));
}

function kindOf(value: unknown): ParameterKind | undefined {
  switch (typeof value) {
    case "boolean":
      return "boolean";
    case "bigint":
      return "long";
    case "string":
      return "string";
    case "number":
      return Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31 ? "int" : "double";
    default:
      return value instanceof Date ? "dateTime" : undefined;
  }
}
