// How the device's readings become fields of the protocol (XEP-0323 5.4 to 5.7).
import { fieldQualities, type FieldQualitySet, type FieldTypeSet } from "../codec/field-types.ts";
import type { Field, FieldValue } from "../codec/sensor-data.ts";
import { isXmlText } from "../codec/xml.ts";
import { formatXs, parseXs, type XsKind } from "../codec/xs-values.ts";
import { categoriesOf, isDecimals, usualCategories, type FieldDefinition, type Reading } from "./definition.ts";

const usualQuality: FieldQualitySet = new Set(["automaticReadout"]);

/** A reading as a field of the protocol; a text saying what is wrong with it otherwise. */
export function toField(definition: FieldDefinition, reading: Reading): Field | string {
  const value = toValue(definition, reading);
  const types = typesOf(definition, reading.categories);
  const quality = qualityOf(reading.quality);
  if (typeof value === "string") return `${definition.name}: ${value}`;
  if (typeof types === "string") return `${definition.name}: ${types}`;
  if (typeof quality === "string") return `${definition.name}: ${quality}`;
  const { name, writable, module, stringIds } = definition;
  // Not by a spread where most fields are: it takes longer than all the rest.
  const field: Field =
    value.kind === "numeric"
      ? { kind: "numeric", value: value.value, text: value.text, unit: value.unit, name, types, quality }
      : { ...value, name, types, quality };
  if (writable === undefined && module === undefined && stringIds === undefined) return field;
  return {
    ...field,
    ...(writable !== undefined && { writable }),
    ...(module !== undefined && { module }),
    ...(stringIds !== undefined && { stringIds }),
  };
}

// What a field is when a reading does not say it is looked up once for each definition, not for each reading.
const usual = new WeakMap<FieldDefinition, FieldTypeSet>();

function typesOf(definition: FieldDefinition, given: unknown): FieldTypeSet | string {
  if (given === undefined) {
    let types = usual.get(definition);
    if (types === undefined) usual.set(definition, (types = usualCategories(definition)));
    return types;
  }
  const all = categoriesOf(definition);
  const isSome = Array.isArray(given) && given.length > 0 && given.every((one) => all.has(one as never));
  return isSome ? new Set(given as []) : `categories must be some of ${[...all].join(", ")}`;
}

function qualityOf(given: unknown): FieldQualitySet | string {
  if (given === undefined) return usualQuality;
  const isList = Array.isArray(given) || given instanceof Set;
  const isSome = isList && [...given].every((one) => fieldQualities.includes(one as never));
  return isSome ? new Set(given as []) : `quality must be some of ${fieldQualities.join(", ")}`;
}

function toValue(definition: FieldDefinition, { value, decimals = definition.decimals }: Reading): FieldValue | string {
  const type = definition.type ?? "numeric";
  switch (type) {
    case "numeric":
      return toNumeric(value, decimals, definition.unit ?? "");
    case "string":
    case "enum": {
      if (typeof value !== "string" || !isXmlText(value)) return "not a text that XML can hold";
      return type === "string" ? { kind: type, value } : { kind: type, value, dataType: definition.dataType ?? "" };
    }
    case "boolean":
      return typeof value === "boolean" ? { kind: type, value } : "not true or false";
    case "int":
      return toXs(type, value, (text) => ({ kind: type, value: Number(text) }));
    case "long":
      return toXs(type, value, (text) => ({ kind: type, value: BigInt(text) }));
    case "dateTime":
      return toXs(type, value, (text) => ({ kind: type, value: text, ms: parseXs(type, text).value }));
    default:
      return toXs(type, value, (text) => ({ kind: type, value: text }));
  }
}

function toXs(kind: XsKind, value: unknown, make: (text: string) => FieldValue): FieldValue | string {
  const written = formatXs(kind, value);
  return "problem" in written ? written.problem : make(written.text);
}

function toNumeric(value: unknown, decimals: number | undefined, unit: string): FieldValue | string {
  if (typeof value === "string") {
    // Passed on from elsewhere: its decimals are what it was measured to (XEP-0323 5.4).
    return toXs("double", value, (text) => ({ kind: "numeric", value: Number(text), text, unit }));
  }
  if (typeof value !== "number" || !Number.isFinite(value)) return "not a finite number";
  if (decimals !== undefined && !isDecimals(decimals)) return "decimals must be a whole number from 0 to 20";
  return { kind: "numeric", value, text: decimalText(value, decimals), unit };
}

/** The number with the decimals it was measured to: 21 °C and 21.0 °C say different things (XEP-0323 5.4). */
function decimalText(value: number, decimals: number | undefined): string {
  const text = decimals === undefined ? String(value) : value.toFixed(decimals);
  if (value > 0) return text;
  return Number(text) === 0 ? text.replace("-", "") : text;
}
