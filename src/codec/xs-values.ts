// XML Schema part 2: the kinds of value that XEP-0323 5.4 and XEP-0325 3.2 share (XEP-0323 5.5). Pure reading and writing.
import { ProtocolError } from "../core/errors.ts";
import { isXmlText } from "./xml.ts";

/** What each kind of value is in JavaScript once it was read. */
export interface XsValues {
  boolean: boolean;
  /** From -2^31 to 2^31-1. */
  int: number;
  /** From -2^63 to 2^63-1. */
  long: bigint;
  /** Finite. How many decimals it has stands in the text alone. */
  double: number;
  string: string;
  /** `2013-03-07`, with its zone if it has one. */
  date: string;
  /** `16:24:30`, with its fraction and zone if it has them. */
  time: string;
  /** Milliseconds since 1970. Without a zone it is taken for the zone of this machine (XEP-0323 6.1). */
  dateTime: number;
  /** `PT3H12M`, `-P1D`. */
  duration: string;
  /** `RRGGBB` or `RRGGBBAA`, hexadecimal (S-E5). */
  color: string;
}

/** A kind of value. */
export type XsKind = keyof XsValues;

/** A value that was read. */
export interface XsValue<K extends XsKind = XsKind> {
  /** What it is. */
  readonly value: XsValues[K];
  /** How it was written, less the blanks around it: with all its decimals, and its zone. */
  readonly text: string;
}

/** A value as text, or what is wrong with it. */
export type XsText = { readonly text: string } | { readonly problem: string };

// Nothing but a string is longer: a number of a million digits takes time to be one.
const LONGEST = 1_000;

const zone = "(Z|[+-](?:(?:0\\d|1[0-3]):[0-5]\\d|14:00))?";
const day = "(\\d{4})-(\\d{2})-(\\d{2})";
const hour = "(\\d{2}):(\\d{2}):(\\d{2})(\\.\\d+)?";
const dates = new RegExp(`^${day}${zone}$`);
const times = new RegExp(`^${hour}${zone}$`);
const dateTimes = new RegExp(`^${day}T${hour}${zone}$`);
const durations = /^-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$/;
const doubles = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const integers = /^[+-]?\d+$/;
const colors = /^([0-9a-fA-F]{6}|[0-9a-fA-F]{8})$/;

const read: { readonly [K in XsKind]: (text: string) => XsValues[K] | undefined } = {
  boolean: (text) => (text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : undefined),
  int(text) {
    const value = integers.test(text) ? Number(text) : Infinity;
    return value >= -(2 ** 31) && value < 2 ** 31 ? value + 0 : undefined; // -0 + 0 is 0
  },
  long(text) {
    if (!integers.test(text)) return undefined;
    const value = BigInt(text.replace("+", ""));
    return value >= -(2n ** 63n) && value < 2n ** 63n ? value : undefined;
  },
  double(text) {
    const value = doubles.test(text) ? Number(text) : Infinity;
    return Number.isFinite(value) ? value : undefined;
  },
  string: (text) => (isXmlText(text) ? text : undefined),
  date: (text) => {
    const [, year, month, date] = dates.exec(text) ?? [];
    return isDay(year, month, date) ? text : undefined;
  },
  time: (text) => {
    const [, hours, minutes, seconds, fraction] = times.exec(text) ?? [];
    return isTime(hours, minutes, seconds, fraction) ? text : undefined;
  },
  dateTime: momentOf,
  duration: (text) => (durations.test(text) ? text : undefined),
  color: (text) => (colors.test(text) ? text : undefined),
};

/**
 * Reads a value. Throws `ERR_PROTOCOL` for what is none of that kind: also for NaN and INF, for integers that do not fit,
 * and for days that no calendar has. Years are those of four digits, 0001 to 9999, as every processor has to know them.
 *
 * @param path where it stands in the stanza, for the error
 */
export function parseXs<K extends XsKind>(kind: K, text: string, path = ""): XsValue<K> {
  const trimmed = kind === "string" ? text : text.trim();
  const isTooLong = kind !== "string" && trimmed.length > LONGEST;
  const value = isTooLong ? undefined : read[kind](trimmed);
  if (value === undefined) throw new ProtocolError(`not ${wordOf(kind)}`, path);
  return { value, text: trimmed };
}

/**
 * Writes a value, or says what is wrong with it. Taken are: for a `long` a bigint or a whole number, for a `double` a
 * number or its text with the decimals it is to have, for a `dateTime` a `Date` (written with `Z`), the milliseconds
 * since 1970, or a text with or without a zone; else what {@link XsValues} says.
 */
export function formatXs(kind: XsKind, value: unknown): XsText {
  const text = textOf(kind, value);
  const problem = { problem: `not ${wordOf(kind)}` };
  if (text === undefined) return problem;
  try {
    return { text: parseXs(kind, text).text };
  } catch {
    return problem;
  }
}

function textOf(kind: XsKind, value: unknown): string | undefined {
  switch (kind) {
    case "boolean":
      return typeof value === "boolean" ? String(value) : undefined;
    case "int":
      return typeof value === "number" ? wholeText(value) : undefined;
    case "long":
      return typeof value === "number" ? wholeText(value) : typeof value === "bigint" ? String(value) : undefined;
    case "double":
      return typeof value === "number" ? String(value) : typeof value === "string" ? value : undefined;
    case "dateTime":
      return typeof value === "string" ? value : isoText(value);
    default:
      return typeof value === "string" ? value : undefined;
  }
}

// Beyond this a number stands for several integers.
const wholeText = (value: number): string | undefined => (Number.isSafeInteger(value) ? String(value) : undefined);

/** A moment as it goes over the wire, in UTC; `undefined` outside the years of four digits. */
function isoText(value: unknown): string | undefined {
  const date = typeof value === "number" ? new Date(value) : value;
  return date instanceof Date && !Number.isNaN(date.getTime()) ? date.toISOString() : undefined;
}

function isDay(year = "", month = "", day = ""): boolean {
  // 29 February needs the year; Date takes the years before 100 for those of the last century.
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return Number(year) > 0 && date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

function isTime(hours = "", minutes = "", seconds = "", fraction = ""): boolean {
  // 24:00:00 is the end of a day. Leap seconds there are none.
  if (hours === "24") return Number(minutes) + Number(seconds) + Number(fraction) === 0;
  return hours !== "" && Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) < 60;
}

function momentOf(text: string): number | undefined {
  const [, year, month, day, hours, minutes, seconds, fraction = "", zoneText] = dateTimes.exec(text) ?? [];
  if (!isDay(year, month, day) || !isTime(hours, minutes, seconds, fraction)) return undefined;
  const ms = Number(fraction.slice(1, 4).padEnd(3, "0"));
  const date = new Date(0);
  if (zoneText === undefined) {
    date.setFullYear(Number(year), Number(month) - 1, Number(day));
    return date.setHours(Number(hours), Number(minutes), Number(seconds), ms);
  }
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return date.setUTCHours(Number(hours), Number(minutes), Number(seconds), ms) - offsetOf(zoneText);
}

/** How far a zone is ahead of UTC, in milliseconds. */
function offsetOf(text: string): number {
  if (text === "Z") return 0;
  const [hours, minutes] = text.slice(1).split(":").map(Number) as [number, number];
  return (text.startsWith("-") ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

const words: Readonly<Partial<Record<XsKind, string>>> = {
  double: "a finite xs:double",
  string: "a text that XML can hold",
  color: "a colour, RRGGBB or RRGGBBAA",
};

const wordOf = (kind: XsKind): string => words[kind] ?? `an xs:${kind}`;
