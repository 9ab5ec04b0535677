// What a device developer says about the sensor (XEP-0323 5.4 to 5.7, 5.10, 6.2).
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";
import {
  fieldTypes,
  isHistorical,
  type FieldQuality,
  type FieldType,
  type FieldTypeSet,
} from "../codec/field-types.ts";
import type { FieldValue } from "../codec/sensor-data.ts";
import { isSendableStringIds } from "../codec/string-ids.ts";
import { isXmlText } from "../codec/xml.ts";
import type { IncomingRequest } from "../provisioning/incoming-request.ts";

/** One field that the Thing can be asked for. */
export interface FieldDefinition {
  /** Its name, for instance `Temperature`. */
  readonly name: string;
  /**
   * What it holds (XEP-0323 5.4). Default `numeric`: a number with decimals and unit. An `int` (32 bit) and a `long` (64 bit)
   * have neither.
   */
  readonly type?: FieldValue["kind"];
  /** The unit of a numeric field, for instance `°C`. Default none. */
  readonly unit?: string;
  /** How many decimals a numeric field is measured to; readers are shown exactly so many. Default: as few as the number needs. */
  readonly decimals?: number;
  /** What the values of an `enum` are of, for instance `WindDirection`. Must be given for one. */
  readonly dataType?: string;
  /**
   * The kinds it is of (XEP-0323 5.6). Default `momentary`: its value now. A field whose values are stored names the
   * historical kinds too; a reading says by its `categories` which of them it is.
   */
  readonly categories?: readonly FieldType[];
  /** Whether a control parameter of the same name sets it (XEP-0323 5.10). Default: nothing is said about it. */
  readonly writable?: boolean;
  /** The language module from which people are shown its name (XEP-0323 6.2). */
  readonly module?: string;
  /** The strings of that module that make the name, for instance `1,2`. */
  readonly stringIds?: string;
}

/** A value that was read. */
export interface Reading {
  /** The name of the field, as defined. */
  readonly name: string;
  /**
   * The value; its type is that of the field. A number, or its text with the decimals it is to have, for `numeric`;
   * a number for `int`; a bigint or a whole number for `long`; a `Date`, or a text with its zone (`2013-03-07T16:24:30+01:00`),
   * for `dateTime`; a text for `string`, `enum`, `date` (`2013-03-07`), `time` (`16:24:30`) and `duration` (`PT3H12M`).
   */
  readonly value: number | string | boolean | bigint | Date;
  /** When it was measured or stored: a `Date`, milliseconds since 1970, or an xs:dateTime as text. Default: when it is sent. */
  readonly timestamp?: Date | number | string;
  /** The kinds it is of, some of the field's. Default: those of the field; of one that is `momentary` those that are not historical. */
  readonly categories?: readonly FieldType[];
  /** What is to be said of its worth (XEP-0323 5.7). Default `["automaticReadout"]`: read by the machine itself. */
  readonly quality?: Iterable<FieldQuality>;
  /** How many decimals this number was measured to, where that is not the field's `decimals`. */
  readonly decimals?: number;
}

/** What is wanted of a readout. */
export interface ReadContext {
  /** The names of the fields that are wanted and allowed: nothing else is worth measuring. */
  readonly fields: ReadonlySet<string>;
  /** The kinds of field that are wanted (XEP-0323 5.6). */
  readonly types: FieldTypeSet;
  /** Of the past, nothing before this moment is wanted: milliseconds since 1970. Left out: there is no such bound. */
  readonly from?: number;
  /** Of the past, nothing after this moment is wanted: milliseconds since 1970. */
  readonly to?: number;
  /** Fires when nobody waits for the values any more. */
  readonly signal: AbortSignal;
  /** The request that is being answered: to be handed on, as `onBehalfOf`, to what is asked of other Things for it. */
  readonly request: IncomingRequest;
}

/** What of a sensor's values is wanted. */
export type Wanted = Pick<ReadContext, "types" | "from" | "to">;

/** The sensor of a Thing. */
export interface SensorDefinition {
  /** What can be read. */
  readonly fields: readonly FieldDefinition[];
  /**
   * Reads now. Called only for what was allowed; what it yields beyond that is left out. Of a generator no more is taken
   * than can be sent: a long history is read from the disk as fast as the reader takes it. Throw `Refusal` to tell the
   * reader why it failed; any other error's text stays on the Thing.
   */
  read(context: ReadContext): Iterable<Reading> | AsyncIterable<Reading> | Promise<Iterable<Reading>>;
}

const kinds: readonly FieldValue["kind"][] = [
  ...(["numeric", "string", "boolean", "int", "long"] as const),
  ...(["dateTime", "date", "time", "duration", "enum"] as const),
];

const options: readonly (keyof FieldDefinition)[] = [
  ...(["name", "type", "unit", "decimals", "dataType", "categories", "writable", "module", "stringIds"] as const),
];

// In bytes, roughly: a name or unit that is longer leaves little room for anything else in a stanza.
const LONGEST_NAME = 1_000;

/** Checks a definition; throws `ERR_CONFIG` naming the field. */
export function checkSensor(sensor: SensorDefinition, option = "sensor"): void {
  const names = new Set<string>();
  checkKnown(sensor, ["fields", "read"], option);
  if (!isList(sensor.fields)) throw new ConfigError(`${option}.fields: must be a list`);
  for (const [index, field] of sensor.fields.entries()) {
    const path = `${option}.fields[${index}]`;
    checkKnown(field, options, path);
    const problem = problemOf(field) ?? (names.has(field.name) ? `"${field.name}" is defined twice` : undefined);
    if (problem !== undefined) throw new ConfigError(`${path}: ${problem}`);
    names.add(field.name);
  }
  if (typeof sensor.read !== "function") throw new ConfigError(`${option}.read: must be a function`);
}

const isList = (value: unknown): boolean => Array.isArray(value);
const isText = (value: unknown): value is string =>
  typeof value === "string" && isXmlText(value) && value.length <= LONGEST_NAME;

function problemOf(field: FieldDefinition): string | undefined {
  const { name, type = "numeric", unit, decimals, dataType, categories = ["momentary"] } = field;
  const { writable, module, stringIds } = field;
  if (!isText(name) || name === "") return "needs a name";
  if (!kinds.includes(type)) return `unknown type "${type}"; there are ${kinds.join(", ")}`;
  if (type !== "numeric" && (unit !== undefined || decimals !== undefined))
    return "only numbers have unit and decimals";
  if (unit !== undefined && !isText(unit)) return "the unit must be a text that XML can hold";
  if (decimals !== undefined && !isDecimals(decimals)) return "decimals must be a whole number from 0 to 20";
  if (type === "enum" ? !isText(dataType) || dataType === "" : dataType !== undefined) {
    return 'an enum, and nothing else, has a dataType: "WindDirection"';
  }
  if (!isList(categories) || categories.length === 0 || categories.some((one) => !fieldTypes.includes(one))) {
    return `categories must be some of ${fieldTypes.join(", ")}`;
  }
  if (writable !== undefined && typeof writable !== "boolean") return "writable must be true or false";
  if (module !== undefined && (!isText(module) || module === "")) return "module must be a text";
  if (stringIds !== undefined && (!isText(stringIds) || !isSendableStringIds(stringIds))) {
    return 'stringIds must be ids of strings, "1" or "1,2" or "3||A1"';
  }
  return undefined;
}

/** Whether so many decimals can be shown. */
export const isDecimals = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 20;

/** The kinds of a field. */
export function categoriesOf(field: FieldDefinition): FieldTypeSet {
  return new Set(field.categories ?? ["momentary"]);
}

/** The kinds of a reading that names none: a field of now that has a history too is read now. */
export function usualCategories(field: FieldDefinition): FieldTypeSet {
  const all = categoriesOf(field);
  return all.has("momentary") ? new Set([...all].filter((type) => !isHistorical(new Set([type])))) : all;
}
