// XEP-0323 Internet of Things - Sensor Data 0.6, section 5.6: field types, as flags of req, canRead and fields; 5.7: quality of service.
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

// What a value of each period is too (XEP-0323 5.6): one stored at the shift of an hour is one of a minute and a second.
const finer: Readonly<Partial<Record<FieldType, readonly FieldType[]>>> = {
  historicalMinute: ["historicalSecond"],
  historicalHour: ["historicalMinute", "historicalSecond"],
  historicalDay: ["historicalHour", "historicalMinute", "historicalSecond"],
  historicalWeek: ["historicalDay", "historicalHour", "historicalMinute", "historicalSecond"],
  historicalMonth: ["historicalDay", "historicalHour", "historicalMinute", "historicalSecond"],
  historicalQuarter: ["historicalMonth", "historicalDay", "historicalHour", "historicalMinute", "historicalSecond"],
  historicalYear: [
    ...(["historicalQuarter", "historicalMonth", "historicalDay"] as const),
    ...(["historicalHour", "historicalMinute", "historicalSecond"] as const),
  ],
};

/** The kinds, with those that they are too: what is stored once a day is an hourly value as well (XEP-0323 5.6). */
export function withFiner(types: FieldTypeSet): FieldTypeSet {
  let all: Set<FieldType> | undefined;
  for (const type of types) for (const other of finer[type] ?? []) (all ??= new Set(types)).add(other);
  return all ?? types;
}

/** Tells whether a field of these kinds is one from the past. */
export function isHistorical(types: FieldTypeSet): boolean {
  for (const type of types) if (type.startsWith("historical")) return true;
  return false;
}

/** How much a value is worth (XEP-0323 5.7). Several may be true of one. */
export type FieldQuality =
  | "missing"
  | "inProgress"
  | "automaticEstimate"
  | "manualEstimate"
  | "manualReadout"
  | "automaticReadout"
  | "timeOffset"
  | "warning"
  | "error"
  | "signed"
  | "invoiced"
  | "endOfSeries"
  | "powerFailure"
  | "invoiceConfirmed";

/** What can be said of a value's worth, in the order of importance of XEP-0323 5.7: the last counts most. */
export const fieldQualities: readonly FieldQuality[] = [
  "missing",
  "inProgress",
  "automaticEstimate",
  "manualEstimate",
  "manualReadout",
  "automaticReadout",
  "timeOffset",
  "warning",
  "error",
  "signed",
  "invoiced",
  "endOfSeries",
  "powerFailure",
  "invoiceConfirmed",
];

/** What is said of a value. Nothing at all: the reader may take it for `automaticReadout` (XEP-0323 5.7). */
export type FieldQualitySet = ReadonlySet<FieldQuality>;

// What the attributes of a field are flags of, by name. `identification` is an old word (S-E1).
const typeFlags = new Map<string, FieldType>([
  ...fieldTypes.map((type): [string, FieldType] => [type, type]),
  ["identification", "identity"],
]);
const qualityFlags = new Map(fieldQualities.map((quality): [string, FieldQuality] => [quality, quality]));

function namedFlags<T>(element: XmlElement, known: ReadonlyMap<string, T>): ReadonlySet<T> {
  const found = new Set<T>();
  for (const name of Object.keys(element.attrs)) {
    const value = known.get(name);
    if (value !== undefined && flag(element, name, false)) found.add(value);
  }
  return found;
}

/** Reads the flags of a field, where `all` and `historical` mean nothing. */
export function parseFieldFlags(element: XmlElement): FieldTypeSet {
  return namedFlags(element, typeFlags);
}

/** Reads what is said of a value. */
export function parseFieldQuality(element: XmlElement): FieldQualitySet {
  return namedFlags(element, qualityFlags);
}

/** Makes the flags; all fourteen become `all`, all nine historical ones `historical`. */
export function fieldTypeAttributes(types: FieldTypeSet): Attributes {
  if (fieldTypes.every((type) => types.has(type))) return { all: true };
  const past = historical.every((type) => types.has(type));
  const single = fieldTypes.filter((type) => types.has(type) && !(past && historical.includes(type)));
  return { ...Object.fromEntries(single.map((type) => [type, true])), ...(past && { historical: true }) };
}

/** Makes the flags of a field, and what is said of its value, in the order of the XEP. */
export function fieldFlagAttributes(types: FieldTypeSet, quality: FieldQualitySet = new Set()): Attributes {
  const attributes: Record<string, true> = {};
  for (const type of fieldTypes) if (types.has(type)) attributes[type] = true;
  for (const one of fieldQualities) if (quality.has(one)) attributes[one] = true;
  return attributes;
}
