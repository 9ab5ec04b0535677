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

/** Tells whether one of the kinds, or of those that they are too, is such: what is stored once a day is an hourly value as well (XEP-0323 5.6). */
export function isAnyOf(types: FieldTypeSet, isSuch: (type: FieldType) => boolean): boolean {
  for (const type of types) {
    if (isSuch(type)) return true;
    for (const other of finer[type] ?? []) if (isSuch(other)) return true;
  }
  return false;
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
const qualityFlags = new Map<string, FieldQuality>(fieldQualities.map((quality) => [quality, quality]));

/** Reads the flags of a field, where `all` and `historical` mean nothing, and what is said of its value. */
export function parseFieldFlags(element: XmlElement): { types: FieldTypeSet; quality: FieldQualitySet } {
  const types = new Set<FieldType>();
  const quality = new Set<FieldQuality>();
  for (const name of Object.keys(element.attrs)) {
    const type = typeFlags.get(name);
    const worth = type === undefined ? qualityFlags.get(name) : undefined;
    if ((type ?? worth) === undefined || !flag(element, name, false)) continue;
    if (type !== undefined) types.add(type);
    if (worth !== undefined) quality.add(worth);
  }
  return { types, quality };
}

/** Makes the flags; all fourteen become `all`, all nine historical ones `historical`. */
export function fieldTypeAttributes(types: FieldTypeSet): Attributes {
  if (fieldTypes.every((type) => types.has(type))) return { all: true };
  const past = historical.every((type) => types.has(type));
  const single = fieldTypes.filter((type) => types.has(type) && !(past && historical.includes(type)));
  return { ...Object.fromEntries(single.map((type) => [type, true])), ...(past && { historical: true }) };
}

/** Adds the flags of a field, and what is said of its value, in the order of the XEP. */
export function addFieldFlags(
  attributes: Record<string, string | boolean>,
  types: FieldTypeSet,
  quality: FieldQualitySet = new Set(),
): void {
  addFlags(attributes, types, fieldTypes);
  addFlags(attributes, quality, fieldQualities);
}

function addFlags<T extends string>(
  attributes: Record<string, string | boolean>,
  set: ReadonlySet<T>,
  inOrder: readonly T[],
): void {
  // Nearly always there is one, and no order to be found.
  if (set.size === 1) for (const one of set) attributes[one] = true;
  else for (const one of inOrder) if (set.has(one)) attributes[one] = true;
}
