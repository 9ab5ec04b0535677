// XEP-0323 Internet of Things - Sensor Data 0.6: sections 5.4 to 5.7, 5.10 and 6.2, a single field.
import { addFieldFlags, parseFieldFlags, type FieldQualitySet, type FieldTypeSet } from "./field-types.ts";
import { ns } from "./namespaces.ts";
import { isStringIds } from "./string-ids.ts";
import { at, el, flag, localName, nonEmpty, optional, required, type XmlElement } from "./xml.ts";
import { parseXs, type XsKind, type XsValue } from "./xs-values.ts";

/** A numeric value. The number of its decimals is part of what was measured (XEP-0323 5.4). */
export interface NumericValue {
  readonly kind: "numeric";
  /** The number. */
  readonly value: number;
  /** The number as it stands on the wire, with the decimals it was measured to. */
  readonly text: string;
  /** The unit, for instance `°C`; empty for none. */
  readonly unit: string;
}

/** What a field holds. */
export type FieldValue =
  | NumericValue
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | {
      readonly kind: "int";
      /** From -2^31 to 2^31-1. */
      readonly value: number;
    }
  | {
      readonly kind: "long";
      /** From -2^63 to 2^63-1. */
      readonly value: bigint;
    }
  | {
      readonly kind: "date" | "time" | "duration";
      /** As xs:date (`2013-03-07`), xs:time (`16:24:30`), xs:duration (`PT3H12M`); a zone stays with it. */
      readonly value: string;
    }
  | {
      readonly kind: "dateTime";
      /** As xs:dateTime, with its zone if it has one (XEP-0323 6.1). */
      readonly value: string;
      /** The moment in milliseconds since 1970; without a zone by that of this machine. */
      readonly ms: number;
    }
  | {
      readonly kind: "enum";
      readonly value: string;
      /** What the value is one of (XEP-0323 5.4). */
      readonly dataType: string;
    };

/** A field that was read. */
export type Field = FieldValue & {
  /** Its name, for instance `Temperature`. */
  readonly name: string;
  /** The kinds it is of. */
  readonly types: FieldTypeSet;
  /** What is said of the value's worth (XEP-0323 5.7); nothing: it may be taken for `automaticReadout`. */
  readonly quality: FieldQualitySet;
  /** Whether a control parameter has the same name (XEP-0323 5.10); left out where nothing is said. */
  readonly writable?: boolean;
  /** The language module of its name (XEP-0323 6.2). */
  readonly module?: string;
  /** The strings of the module that make its name for people: `1,2`. */
  readonly stringIds?: string;
};

/** Makes a field. */
export function buildField(field: Field): XmlElement {
  const { kind, types, quality, writable, module, stringIds } = field;
  const attributes: Record<string, string | boolean> = { name: field.name };
  addFieldFlags(attributes, types, quality);
  if (writable !== undefined) attributes["writable"] = writable;
  if (module !== undefined) attributes["module"] = module;
  if (stringIds !== undefined) attributes["stringIds"] = stringIds;
  attributes["value"] = kind === "numeric" ? field.text : String(field.value);
  if (kind === "numeric") attributes["unit"] = field.unit;
  if (kind === "enum") attributes["dataType"] = field.dataType;
  return el(kind, attributes);
}

/** Reads a field; `undefined` for a kind of value that is not known, or of another namespace. */
export function parseField(element: XmlElement): Field | undefined {
  const value = element.getNS() === ns.sensorData ? parseValue(element) : undefined;
  if (value === undefined) return undefined;
  const module = nonEmpty(element, "module");
  const stringIds = nonEmpty(element, "stringIds");
  const name = required(element, "name");
  const { types, quality } = parseFieldFlags(element);
  // Not by a spread where most fields are: it takes longer than all the rest.
  const field: Field =
    value.kind === "numeric"
      ? { kind: "numeric", value: value.value, text: value.text, unit: value.unit, name, types, quality }
      : { ...value, name, types, quality };
  const isWritable = optional(element, "writable");
  // Nearly every field has none of these.
  if (isWritable === undefined && module === undefined && stringIds === undefined) return field;
  return {
    ...field,
    ...(isWritable !== undefined && { writable: flag(element, "writable", false) }),
    ...(module !== undefined && { module }),
    // For people only: what does not read as such strings is no reason to lose a value.
    ...(stringIds !== undefined && isStringIds(stringIds) && { stringIds }),
  };
}

const numeric = ({ value, text }: XsValue<"double">, unit: string): FieldValue => ({
  kind: "numeric",
  value,
  text,
  unit,
});

function parseValue(element: XmlElement): FieldValue | undefined {
  const xs = <K extends XsKind>(kind: K): XsValue<K> => parseXs(kind, required(element, "value"), at(element, "value"));
  const kind = localName(element);
  switch (kind) {
    case "numeric":
      return numeric(xs("double"), optional(element, "unit") ?? "");
    case "string":
      return { kind, value: required(element, "value") };
    case "boolean":
      return { kind, value: xs("boolean").value };
    case "int":
      return { kind, value: xs("int").value };
    case "long":
      return { kind, value: xs("long").value };
    case "date":
    case "time":
    case "duration":
      return { kind, value: xs(kind).text };
    case "timeSpan": // what a duration was called in 2013, and is by slixmpp's sensors
      return { kind: "duration", value: xs("duration").text };
    case "dateTime": {
      const { text, value } = xs("dateTime");
      return { kind, value: text, ms: value };
    }
    case "enum":
      return { kind, value: required(element, "value"), dataType: required(element, "dataType") };
    default:
      return undefined;
  }
}
