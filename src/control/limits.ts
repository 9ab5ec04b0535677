// What a parameter takes: its type, and within that its bounds, its pattern and its options (XEP-0325 3.1.3, 3.3.1, 5.1).
import { parseSetting, textOfSetting, type ParameterKind, type ParameterSetting } from "../codec/control.ts";
import { compareXs } from "../codec/xs-order.ts";
import { XsPattern } from "../codec/xs-pattern.ts";
import { formatXs, parseXs } from "../codec/xs-values.ts";
import type { ControlParameter } from "./definition.ts";

/** The type of a parameter: boolean where nothing is said. */
export const typeOf = ({ type = "boolean" }: ControlParameter): ParameterKind => type;

/** What whoever may set a parameter is told of a value of another type (XEP-0325 3.1.3, 3.4.3). */
export const wrongType = (kind: ParameterKind): string => `Invalid parameter type: it is of type ${kind}.`;

/** All that may limit a parameter, whatever its type. */
interface Given {
  readonly min?: unknown;
  readonly max?: unknown;
  readonly options?: readonly unknown[];
  readonly pattern?: string;
  readonly maxLength?: number;
}

/** The characters of a text, if nothing else is said. */
export const DEFAULT_LENGTH = 1_000;
/** The most that may be allowed: a stanza holds not much more. */
export const MOST_LENGTH = 65_536;
// Steps that one text may take; a fraction of a second on a small device.
const MOST_STEPS = 2_000_000;
// Of more options no more are told than these, and of long ones fewer: what is told of each parameter is to be short.
const MOST_TOLD = 10;
const MOST_TOLD_CHARACTERS = 1_000;

/** What is wrong with a value, in words for the caller; `undefined` for one that the parameter takes. */
type Check = (setting: ParameterSetting) => string | undefined;

/** What a parameter takes. */
export interface Limits {
  /** What is wrong with a value, in words for the caller; `undefined` for one that it takes. */
  readonly problemOf: Check;
  /** How long that takes to be found out for each character of a text, in steps of a pattern. */
  readonly steps: number;
}

/** Reads the limits of a parameter. Throws `TypeError` saying what is wrong with them; its type must be one there is. */
export function limitsOf(parameter: ControlParameter): Limits {
  const kind = typeOf(parameter);
  const { min, max, options, pattern, maxLength = DEFAULT_LENGTH } = parameter as Given;
  const [least, most] = [bound(kind, "min", min), bound(kind, "max", max)];
  if (least !== undefined && most !== undefined && !isWithin(least, undefined, most)) {
    throw new TypeError("min must not be above max");
  }
  if (!Number.isInteger(maxLength) || maxLength < 1 || maxLength > MOST_LENGTH) {
    throw new TypeError(`maxLength must be a whole number from 1 to ${MOST_LENGTH}`);
  }
  const expression = pattern === undefined ? undefined : patternOf(pattern, maxLength);
  const inside: Check = (setting) => {
    if (!isWithin(setting, least, most)) return `it takes ${rangeText(least, most)}`;
    if (setting.kind !== "string") return undefined;
    if (lengthOf(setting.value) > maxLength) return `it takes ${maxLength} characters at most`;
    return expression === undefined || expression.matches(setting.value) ? undefined : "it does not match the pattern";
  };
  if (options === undefined) return { problemOf: inside, steps: expression?.size ?? 0 };
  const allowed = optionsOf(kind, options, inside);
  const told = toldOf(allowed.map(textOf));
  const isOne: Check = (given) => (allowed.some((one) => isSame(one, given)) ? undefined : `it takes one of ${told}`);
  return { problemOf: isOne, steps: 0 };
}

/** A limit as a value that was sent would be read: what is compared is of one making. */
function read(kind: ParameterKind, what: string, value: unknown): ParameterSetting {
  const written = formatXs(kind, value);
  if ("problem" in written) throw new TypeError(`${what} is ${written.problem}`);
  return parseSetting(kind, "", written.text);
}

const bound = (kind: ParameterKind, what: string, value: unknown): ParameterSetting | undefined =>
  value === undefined ? undefined : read(kind, what, value);

function optionsOf(kind: ParameterKind, options: readonly unknown[], inside: Check): readonly ParameterSetting[] {
  if (!Array.isArray(options) || options.length === 0)
    throw new TypeError("options must be a list of values, not empty");
  const values = options.map((value, index) => read(kind, `options[${index}]`, value));
  for (const [index, option] of values.entries()) {
    const problem = inside(option);
    if (problem !== undefined) throw new TypeError(`options[${index}] is not possible: ${problem}`);
    if (values.findIndex((one) => isSame(one, option)) < index) throw new TypeError(`options[${index}] is there twice`);
  }
  return values;
}

function toldOf(options: readonly string[]): string {
  let characters = 0;
  const some = options.filter((text, at) => at < MOST_TOLD && (characters += text.length) <= MOST_TOLD_CHARACTERS);
  return [...some, ...(options.length > some.length ? ["…"] : [])].join(", ");
}

function patternOf(pattern: unknown, maxLength: number): XsPattern {
  if (typeof pattern !== "string") throw new TypeError("pattern must be a text: a regular expression of XML Schema");
  let expression: XsPattern;
  try {
    expression = new XsPattern(pattern);
  } catch (error) {
    throw new TypeError(`the pattern is none of XML Schema: ${(error as Error).message}`, { cause: error });
  }
  if (expression.size * maxLength > MOST_STEPS) throw new TypeError("the pattern is too long for texts of maxLength");
  return expression;
}

/** The order of two values of one kind; `undefined` if they have none, or nobody can tell. */
function order(one: ParameterSetting, other: ParameterSetting): number | undefined {
  switch (one.kind) {
    case "int":
    case "long":
    case "double":
      return one.value === other.value ? 0 : one.value < (other.value as number | bigint) ? -1 : 1;
    case "date":
    case "time":
    case "duration":
      return compareXs(one.kind, one.value, String(other.value));
    case "dateTime":
      return Math.sign(momentOf(one.value) - momentOf(String(other.value)));
    case "color":
      return one.value.toUpperCase() === String(other.value).toUpperCase() ? 0 : undefined;
    case "string":
    case "boolean":
      return one.value === other.value ? 0 : undefined;
  }
}

const isSame = (one: ParameterSetting, other: ParameterSetting): boolean => order(one, other) === 0;

/** Where the order is open the value is not taken. */
function isWithin(value: ParameterSetting, least?: ParameterSetting, most?: ParameterSetting): boolean {
  return (
    (least === undefined || (order(least, value) ?? 1) <= 0) && (most === undefined || (order(value, most) ?? 1) <= 0)
  );
}

function rangeText(least?: ParameterSetting, most?: ParameterSetting): string {
  if (least === undefined) return `${textOf(most)} at most`;
  return most === undefined ? `${textOf(least)} at least` : `${textOf(least)} to ${textOf(most)}`;
}

function textOf(setting: ParameterSetting | undefined): string {
  return setting === undefined ? "" : textOfSetting(setting);
}

/** A moment, in milliseconds since 1970; without a zone by the local time of this machine. */
export const momentOf = (text: string): number => parseXs("dateTime", text).value;

/** Characters as people and XML Schema count them. */
const lengthOf = (text: string): number => Array.from(text).length;
