// XEP-0323 Internet of Things - Sensor Data 0.6, section 5.6: field types, as flags of req, canRead and fields.
import { flag, type Attributes, type XmlElement } from "./xml.ts";

/** A kind a field can be of (XEP-0323 5.6). */
export type FieldType =
  | "momentary"
  | "peak"
  | "status"
  | "computed"
  | "identity"
  | "historicalSecond"
  | "historicalMinute"
  | "historicalHour"
  | "historicalDay"
  | "historicalWeek"
  | "historicalMonth"
  | "historicalQuarter"
  | "historicalYear"
  | "historicalOther";

/** The kinds a field can be of, in the order of XEP-0323 5.6. */
export const fieldTypes: readonly FieldType[] = [
  "momentary",
  "peak",
  "status",
  "computed",
  "identity",
  "historicalSecond",
  "historicalMinute",
  "historicalHour",
  "historicalDay",
  "historicalWeek",
  "historicalMonth",
  "historicalQuarter",
  "historicalYear",
  "historicalOther",
];

/** Kinds asked for or granted. No kind at all: nothing said about them. */
export type FieldTypeSet = ReadonlySet<FieldType>;

const historical = fieldTypes.filter((type) => type.startsWith("historical"));

/** Reads the flags, `all` and `historical` spelled out as what they stand for. */
export function parseFieldTypes(element: XmlElement): FieldTypeSet {
  const named = fieldTypes.filter((type) => flag(element, type, false));
  const past = flag(element, "historical", false) ? historical : [];
  return new Set(flag(element, "all", false) ? fieldTypes : [...named, ...past]);
}

/** Reads the flags of a field, where `all` and `historical` mean nothing. `identification` is an old word (S-E1). */
export function parseFieldFlags(element: XmlElement): FieldTypeSet {
  const named = fieldTypes.filter((type) => flag(element, type, false));
  return new Set(flag(element, "identification", false) ? [...named, "identity" as const] : named);
}

/** Makes the flags; all fourteen become `all`, all nine historical ones `historical`. */
export function fieldTypeAttributes(types: FieldTypeSet): Attributes {
  if (fieldTypes.every((type) => types.has(type))) return { all: true };
  const past = historical.every((type) => types.has(type));
  const single = fieldTypes.filter((type) => types.has(type) && !(past && historical.includes(type)));
  return { ...Object.fromEntries(single.map((type) => [type, true])), ...(past && { historical: true }) };
}

/** Makes the flags of a field. */
export function fieldFlagAttributes(types: FieldTypeSet): Attributes {
  return Object.fromEntries(fieldTypes.filter((type) => types.has(type)).map((type) => [type, true]));
}
