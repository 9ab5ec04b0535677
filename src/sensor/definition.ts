// What a device developer says about the sensor, and how the device's readings become fields (XEP-0323 5.4 to 5.6).
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";
import { fieldTypes, type FieldType } from "../codec/field-types.ts";
import type { Field, FieldValue } from "../codec/sensor-data.ts";
import { isXmlText } from "../codec/xml.ts";
import type { IncomingRequest } from "../provisioning/incoming-request.ts";

/** One field that the Thing can be asked for. */
export interface FieldDefinition {
  /** Its name, for instance `Temperature`. */
  readonly name: string;
  /** What it holds. Default `numeric`. */
  readonly type?: "numeric" | "string" | "boolean";
  /** The unit of a numeric field, for instance `°C`. Default none. */
  readonly unit?: string;
  /** How many decimals a numeric field is measured to; readers are shown exactly so many. Default: as few as the number needs. */
  readonly decimals?: number;
  /** The kinds it is of (XEP-0323 5.6). Default `momentary`: its value now. */
  readonly categories?: readonly FieldType[];
}

/** A value that was read. */
export interface Reading {
  /** The name of the field, as defined. */
  readonly name: string;
  /** The value; its type is that of the field. */
  readonly value: number | string | boolean;
}

/** What is wanted of a readout. */
export interface ReadContext {
  /** The names of the fields that are wanted and allowed: nothing else is worth measuring. */
  readonly fields: ReadonlySet<string>;
  /** Fires when nobody waits for the values any more. */
  readonly signal: AbortSignal;
  /** The request that is being answered: to be handed on, as `onBehalfOf`, to what is asked of other Things for it. */
  readonly request: IncomingRequest;
}

/** The sensor of a Thing. */
export interface SensorDefinition {
  /** What can be read. */
  readonly fields: readonly FieldDefinition[];
  /**
   * Reads now. Called only for what was allowed; what it yields beyond that is left out. Throw `Refusal` to tell the
   * reader why it failed; any other error's text stays on the Thing.
   */
  read(context: ReadContext): Iterable<Reading> | AsyncIterable<Reading> | Promise<Iterable<Reading>>;
}

/** Checks a definition; throws `ERR_CONFIG` naming the field. */
export function checkSensor(sensor: SensorDefinition, option = "sensor"): void {
  const names = new Set<string>();
  checkKnown(sensor, ["fields", "read"], option);
  if (!isList(sensor.fields)) throw new ConfigError(`${option}.fields: must be a list`);
  for (const [index, field] of sensor.fields.entries()) {
    const wrong = (problem: string): ConfigError => new ConfigError(`${option}.fields[${index}]: ${problem}`);
    checkKnown(field, ["name", "type", "unit", "decimals", "categories"], `${option}.fields[${index}]`);
    const { name, type = "numeric", unit, decimals, categories = ["momentary"] } = field;
    if (typeof name !== "string" || name === "" || !isXmlText(name)) throw wrong("needs a name");
    if (names.has(name)) throw wrong(`"${name}" is defined twice`);
    if (!["numeric", "string", "boolean"].includes(type))
      throw wrong(`unknown type "${type}"; there are numeric, string, boolean`);
    if (type !== "numeric" && (unit !== undefined || decimals !== undefined))
      throw wrong("only numbers have unit and decimals");
    if (unit !== undefined && (typeof unit !== "string" || !isXmlText(unit)))
      throw wrong("the unit must be a text that XML can hold");
    if (decimals !== undefined && !(Number.isInteger(decimals) && decimals >= 0 && decimals <= 20)) {
      throw wrong("decimals must be a whole number from 0 to 20");
    }
    if (!isList(categories) || categories.length === 0 || categories.some((one) => !fieldTypes.includes(one))) {
      throw wrong(`categories must be some of ${fieldTypes.join(", ")}`);
    }
    names.add(name);
  }
  if (typeof sensor.read !== "function") throw new ConfigError(`${option}.read: must be a function`);
}

const isList = (value: unknown): boolean => Array.isArray(value);

/** The kinds of a field. */
export function categoriesOf(field: FieldDefinition): ReadonlySet<FieldType> {
  return new Set(field.categories ?? ["momentary"]);
}

/** A reading as a field of the protocol; a text saying what is wrong with it otherwise. */
export function toField(definition: FieldDefinition, reading: Reading): Field | string {
  const value = toValue(definition, reading.value);
  if (typeof value === "string") return `${definition.name}: ${value}`;
  return { ...value, name: definition.name, types: categoriesOf(definition), automaticReadout: true };
}

function toValue(definition: FieldDefinition, value: unknown): FieldValue | string {
  switch (definition.type ?? "numeric") {
    case "numeric":
      if (typeof value !== "number" || !Number.isFinite(value)) return "not a finite number";
      return { kind: "numeric", value, text: decimalText(value, definition.decimals), unit: definition.unit ?? "" };
    case "string":
      if (typeof value !== "string" || !isXmlText(value)) return "not a text that XML can hold";
      return { kind: "string", value };
    case "boolean":
      return typeof value === "boolean" ? { kind: "boolean", value } : "not true or false";
  }
}

/** The number with the decimals it was measured to: 21 °C and 21.0 °C say different things (XEP-0323 5.4). */
function decimalText(value: number, decimals: number | undefined): string {
  const text = decimals === undefined ? String(value) : value.toFixed(decimals);
  return Number(text) === 0 ? text.replace("-", "") : text;
}
