// XEP-0347 Internet of Things - Discovery 0.5.1, section 3.15, table of search operators: what each means (D-E12).
import type { SearchOperator } from "../codec/search.ts";
import { foldTagName } from "../codec/tags.ts";

/** What one operator asks of the value of its tag. The other type, and no such tag, never match. */
export type Condition =
  | {
      /** The tag, in upper case. */
      readonly tag: string;
      /** It is asked of string tags. */
      readonly type: "str";
      /** What it costs to ask, and how little it leaves: the lower, the sooner it is asked. */
      readonly cost: number;
      /** Whether a value matches, in the form that {@link ordinal} gives it. */
      readonly test: (value: string) => boolean;
    }
  | {
      /** The tag, in upper case. */
      readonly tag: string;
      /** It is asked of numeric tags. */
      readonly type: "num";
      /** What it costs to ask, and how little it leaves: the lower, the sooner it is asked. */
      readonly cost: number;
      /** Whether a value matches. */
      readonly test: (value: number) => boolean;
    };

/** One operator as a condition. */
export function conditionOf(operator: SearchOperator): Condition {
  const tag = foldTagName(operator.tag); // D-3.15-35
  switch (operator.op) {
    case "strEq":
      return { tag, type: "str", cost: 1, test: equal(ordinal(operator.value)) };
    case "strNEq":
      return { tag, type: "str", cost: 5, test: unequal(ordinal(operator.value)) };
    case "strGt":
      return { tag, type: "str", cost: 3, test: above(ordinal(operator.value), false) };
    case "strGtEq":
      return { tag, type: "str", cost: 3, test: above(ordinal(operator.value), true) };
    case "strLt":
      return { tag, type: "str", cost: 3, test: below(ordinal(operator.value), false) };
    case "strLtEq":
      return { tag, type: "str", cost: 3, test: below(ordinal(operator.value), true) };
    case "strRange":
      return { tag, type: "str", cost: 3, test: within(ends(operator)) };
    case "strNRange":
      return { tag, type: "str", cost: 6, test: outside(ends(operator)) };
    case "strMask":
      return { tag, type: "str", cost: 4, test: like(ordinal(operator.value), ordinal(operator.wildcard)) };
    case "numEq":
      return { tag, type: "num", cost: 0, test: equal(operator.value) };
    case "numNEq":
      return { tag, type: "num", cost: 5, test: unequal(operator.value) };
    case "numGt":
      return { tag, type: "num", cost: 2, test: above(operator.value, false) };
    case "numGtEq":
      return { tag, type: "num", cost: 2, test: above(operator.value, true) };
    case "numLt":
      return { tag, type: "num", cost: 2, test: below(operator.value, false) };
    case "numLtEq":
      return { tag, type: "num", cost: 2, test: below(operator.value, true) };
    case "numRange":
      return { tag, type: "num", cost: 2, test: within(operator) };
    case "numNRange":
      return { tag, type: "num", cost: 5, test: outside(operator) };
  }
}

/**
 * A string in a form that JavaScript compares by code points. By itself it compares by halves of surrogate pairs, which
 * puts U+1F600 before U+FF5E. One character becomes one other: what is equal stays so, and what is part of a string too.
 */
export function ordinal(value: string): string {
  return /[\ud800-\uffff]/.test(value) ? value.replace(/[\ud800-\uffff]/g, moved) : value;
}

function moved(unit: string): string {
  const code = unit.charCodeAt(0);
  return String.fromCharCode(code < 0xe000 ? code + 0x2000 : code - 0x800);
}

interface Ends<T> {
  readonly min: T;
  readonly max: T;
  readonly minIncluded: boolean;
  readonly maxIncluded: boolean;
}

function ends({ min, max, minIncluded, maxIncluded }: Ends<string>): Ends<string> {
  return { min: ordinal(min), max: ordinal(max), minIncluded, maxIncluded };
}

// NaN, as a bound, finds nothing: each of these compares, and what is compared with NaN is false.

function equal<T extends string | number>(wanted: T): (value: T) => boolean {
  return (value) => value === wanted;
}

function unequal<T extends string | number>(unwanted: T): (value: T) => boolean {
  return (value) => value < unwanted || value > unwanted;
}

function above<T extends string | number>(min: T, included: boolean): (value: T) => boolean {
  return included ? (value) => value >= min : (value) => value > min;
}

function below<T extends string | number>(max: T, included: boolean): (value: T) => boolean {
  return included ? (value) => value <= max : (value) => value < max;
}

function within<T extends string | number>({ min, max, minIncluded, maxIncluded }: Ends<T>): (value: T) => boolean {
  const [fromMin, toMax] = [above(min, minIncluded), below(max, maxIncluded)];
  return (value) => fromMin(value) && toMax(value);
}

/** An end that belongs to the range does not belong to what is outside of it (D-3.15-13). */
function outside<T extends string | number>(range: Ends<T>): (value: T) => boolean {
  const [belowMin, aboveMax] = [below(range.min, !range.minIncluded), above(range.max, !range.maxIncluded)];
  return (value) => belowMin(value) || aboveMax(value);
}

/**
 * The wildcard stands for any run of characters, also for none; nothing escapes it, and one that is empty stands nowhere.
 * What is between two wildcards is taken where it comes first: if the rest fits behind any place, it fits behind that
 * one. So nothing is tried twice, however many wildcards there are.
 */
function like(mask: string, wildcard: string): (value: string) => boolean {
  const parts = wildcard === "" ? [mask] : mask.split(wildcard);
  const [first = "", ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return equal(first);
  const between = rest.filter((part) => part !== "");
  const shortest = between.reduce((sum, part) => sum + part.length, first.length + last.length);
  return (value) => {
    const end = value.length - last.length;
    if (value.length < shortest || !startsAt(value, first, 0) || !startsAt(value, last, end)) return false;
    let from = first.length;
    for (const part of between) {
      const found = indexFrom(value, part, from, end);
      if (found === -1) return false;
      from = found + part.length;
    }
    return from <= end;
  };
}

// Short parts are many and found quickly here. Long ones are looked for by the means of JavaScript, which do not start
// from the beginning again and again where a part is nearly found over and over.
const SHORT = 4;

function indexFrom(value: string, part: string, from: number, end: number): number {
  if (part.length > SHORT) return value.indexOf(part, from);
  for (let at = from; at + part.length <= end; at++) if (startsAt(value, part, at)) return at;
  return -1;
}

function startsAt(value: string, part: string, at: number): boolean {
  for (let i = 0; i < part.length; i++) if (value.charCodeAt(at + i) !== part.charCodeAt(i)) return false;
  return true;
}
