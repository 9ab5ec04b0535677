// XEP-0347 3.15: what to search for, in the words of a program. Each method is one of the 17 operators.
import { ConfigError, messageOf } from "../core/errors.ts";
import { buildSearch, parseSearch, type NumComparison, type SearchOperator } from "../codec/search.ts";
import { foldTagName, numberTag, predefinedType, tagProblem } from "../codec/tags.ts";
import { isXmlText } from "../codec/xml.ts";

/** A condition on one tag: one operator of XEP-0347 3.15. Made by {@link tag}. */
export type Predicate = SearchOperator;

/** Conditions of which one suffices. Made by {@link anyOf}. */
export interface Alternatives {
  /** Each alternative, with all that must hold in it. */
  readonly anyOf: readonly (readonly SearchCondition[])[];
}

/** A condition of a search. */
export type SearchCondition = Predicate | Alternatives;

/** The predefined tags that are numbers (XEP-0347 5.2). */
export type NumericTagName = "ALT" | "LAT" | "LON" | "V";

/** The predefined tags that are texts (XEP-0347 5.2). `KEY` is one too, but no search finds it. */
export type TextTagName =
  | ("APT" | "AREA" | "BLD" | "CITY" | "CLASS" | "COUNTRY" | "MAN" | "MLOC" | "MNR" | "MODEL")
  | ("NAME" | "PURL" | "REGION" | "ROOM" | "SN" | "STREET" | "STREETNR");

/** What a tag of that name can be compared with. Names are read without regard to case. */
export type ValueOf<Name extends string> =
  Uppercase<Name> extends NumericTagName ? number : Uppercase<Name> extends TextTagName ? string : string | number;

/** Whether the ends of a range belong to it. Default: both do. */
export interface RangeEnds {
  /** Whether the least value belongs to the range. Default `included`. */
  readonly min?: "included" | "excluded";
  /** Whether the greatest value belongs to the range. Default `included`. */
  readonly max?: "included" | "excluded";
}

/** How to read a mask. */
export interface MaskOptions {
  /** The one character that stands for any run of characters, also for none. Default `*`. */
  readonly wildcard?: string;
}

/**
 * What a tag can be asked. A number asks for a numeric tag, a text for a string tag: a Thing whose tag is of the other
 * type, or that has no such tag, is not found, not even by {@link isNot}. Texts are compared as the Registry does it, usually by
 * code points: upper and lower case differ.
 */
export interface TagConditions<Value extends string | number> {
  /** Equal (`strEq`, `numEq`). */
  is(value: Value): Predicate;
  /** Not equal (`strNEq`, `numNEq`). */
  isNot(value: Value): Predicate;
  /** Greater (`strGt`, `numGt`). */
  above(value: Value): Predicate;
  /** Greater or equal (`strGtEq`, `numGtEq`). */
  atLeast(value: Value): Predicate;
  /** Less (`strLt`, `numLt`). */
  below(value: Value): Predicate;
  /** Less or equal (`strLtEq`, `numLtEq`). */
  atMost(value: Value): Predicate;
  /** Within a range (`strRange`, `numRange`). */
  between<T extends Value>(min: T, max: T, ends?: RangeEnds): Predicate;
  /** Outside of a range (`strNRange`, `numNRange`). An end that is excluded from the range is found. */
  outside<T extends Value>(min: T, max: T, ends?: RangeEnds): Predicate;
}

/** What only texts can be asked. */
export interface TextConditions {
  /** Like a mask (`strMask`), such as `39487*`. There is no escape: choose another wildcard for a text that holds `*`. */
  like(mask: string, options?: MaskOptions): Predicate;
}

/** What a tag of that name can be asked. */
export type TagQuery<Name extends string> = [ValueOf<Name>] extends [number]
  ? TagConditions<number>
  : TagConditions<ValueOf<Name>> & TextConditions;

/** The name of a tag that can be searched for: any but `KEY`. */
export type Searchable<Name extends string> = Uppercase<Name> extends "KEY" ? never : Name;

type Comparison = NumComparison["op"] extends `num${infer Kind}` ? Kind : never;

/**
 * Conditions on a tag, by its name. Predefined names (XEP-0347 5.2) know their type: `V`, `LAT`, `LON` and `ALT` are
 * numbers, the others texts. Throws `ERR_CONFIG` for what can be no tag, for a value of the wrong type, for a number that is not finite, and for
 * `KEY`, which no search finds (3.15).
 *
 * @example
 * ```ts
 * import { tag } from "xmpp-thing/owner";
 *
 * const conditions = [tag("MAN").is("www.ktc.se"), tag("SN").like("39487*"), tag("V").between(1, 2, { max: "excluded" })];
 * ```
 */
export function tag<const Name extends string>(name: Searchable<Name>): TagQuery<Name>;
export function tag(name: string): TagConditions<string | number> & TextConditions {
  return new Query(checkName(name));
}

/**
 * Alternatives: one of them suffices. Each is a condition, or a list of conditions that must all hold. The protocol has no OR: each
 * alternative becomes a search of its own (XEP-0347 3.15), and what several of them find is given once.
 *
 * @example
 * ```ts
 * import { anyOf, tag } from "xmpp-thing/owner";
 *
 * const conditions = [tag("MAN").is("www.ktc.se"), anyOf(tag("V").below(1), [tag("V").is(2), tag("CLASS").is("PLC")])];
 * ```
 */
export function anyOf(...alternatives: readonly (SearchCondition | readonly SearchCondition[])[]): Alternatives {
  return { anyOf: alternatives.map(listOf) };
}

const listOf = (given: SearchCondition | readonly SearchCondition[]): readonly SearchCondition[] =>
  isList(given) ? given : [given];
const isList = (given: unknown): given is readonly SearchCondition[] => Array.isArray(given);

// More would keep a Registry busy for one question, and come from a product of alternatives that nobody has meant.
const MOST_SEARCHES = 64;

/**
 * The searches that give what is wanted together: each a list of operators that must all hold. Throws `ERR_CONFIG` for
 * what is no condition, for none at all, and for more than 64 searches.
 */
export function searchesFor(given: SearchCondition | readonly SearchCondition[]): readonly (readonly Predicate[])[] {
  const searches = new Map<string, readonly Predicate[]>();
  for (const search of expand(listOf(given)).map(checkSearch)) searches.set(JSON.stringify(search), search);
  return [...searches.values()];
}

function expand(conditions: readonly SearchCondition[]): readonly (readonly Predicate[])[] {
  let searches: readonly (readonly Predicate[])[] = [[]];
  for (const condition of conditions) {
    const ways = isAlternatives(condition) ? waysOf(condition) : [[condition]];
    searches = searches.flatMap((search) => ways.map((way) => [...search, ...way]));
    checkCount(searches.length);
  }
  return searches;
}

function waysOf({ anyOf: alternatives }: Alternatives): readonly (readonly Predicate[])[] {
  if (alternatives.length === 0) throw new ConfigError("search: anyOf() needs at least one alternative");
  const ways = alternatives.flatMap(expand);
  checkCount(ways.length);
  return ways;
}

function checkCount(count: number): void {
  if (count > MOST_SEARCHES)
    throw new ConfigError(`search: these alternatives make more than ${MOST_SEARCHES} searches`);
}

const isAlternatives = (given: unknown): given is Alternatives =>
  typeof given === "object" && given !== null && Array.isArray((given as Partial<Alternatives>).anyOf);

/** What a builder made passes; so does what was kept as JSON, if it is an operator. All of it goes over the wire. */
function checkSearch(search: readonly Predicate[]): readonly Predicate[] {
  if (search.length === 0) throw new ConfigError('search: give at least one condition, tag("SN").like("*") for all');
  try {
    if (
      search
        .flatMap((one) => Object.values(one) as unknown[])
        .some((part) => typeof part === "string" && !isXmlText(part))
    ) {
      throw new ConfigError("characters that XML forbids");
    }
    const { operators } = parseSearch(buildSearch({ offset: 0, operators: search }));
    for (const operator of operators) checkName(operator.tag);
    return operators;
  } catch (error) {
    const what = 'search: a condition is made by tag(…) or anyOf(…), such as tag("V").above(1)';
    throw new ConfigError(`${what}: ${messageOf(error)}`, { cause: error });
  }
}

function checkName(given: string): string {
  const name = typeof given === "string" ? foldTagName(given) : "";
  const problem = tagProblem(numberTag(name, 0));
  if (problem !== undefined) throw new ConfigError(`tag(${JSON.stringify(given)}): ${problem}`);
  // XEP-0347 3.15 and 6.5: it would find nothing, and tell the secret to whoever runs the Registry.
  if (name === "KEY") throw new ConfigError('tag("KEY"): no search finds a KEY');
  return name;
}

/** One tag to be asked. */
class Query implements TagConditions<string | number>, TextConditions {
  readonly #tag: string;

  constructor(name: string) {
    this.#tag = name;
  }

  is(value: string | number): Predicate {
    return this.#compare("Eq", value);
  }

  isNot(value: string | number): Predicate {
    return this.#compare("NEq", value);
  }

  above(value: string | number): Predicate {
    return this.#compare("Gt", value);
  }

  atLeast(value: string | number): Predicate {
    return this.#compare("GtEq", value);
  }

  below(value: string | number): Predicate {
    return this.#compare("Lt", value);
  }

  atMost(value: string | number): Predicate {
    return this.#compare("LtEq", value);
  }

  between(min: string | number, max: string | number, ends: RangeEnds = {}): Predicate {
    return this.#range("Range", min, max, ends);
  }

  outside(min: string | number, max: string | number, ends: RangeEnds = {}): Predicate {
    return this.#range("NRange", min, max, ends);
  }

  like(mask: string, { wildcard = "*" }: MaskOptions = {}): Predicate {
    if (typeof mask !== "string" || !isXmlText(mask)) throw this.#wrong("a mask must be a text that XML can hold");
    if (predefinedType(this.#tag) === "num") throw this.#wrong("is a number by XEP-0347 5.2: only texts have masks");
    if (typeof wildcard !== "string" || Array.from(wildcard).length !== 1 || !isXmlText(wildcard)) {
      throw this.#wrong("wildcard must be one character");
    }
    return { op: "strMask", tag: this.#tag, value: mask, wildcard };
  }

  #compare(kind: Comparison, value: string | number): Predicate {
    const checked = this.#check(value);
    return typeof checked === "number"
      ? { op: `num${kind}`, tag: this.#tag, value: checked }
      : { op: `str${kind}`, tag: this.#tag, value: checked };
  }

  #range(kind: "Range" | "NRange", from: string | number, to: string | number, ends: RangeEnds): Predicate {
    const min = this.#check(from);
    const max = this.#check(to);
    const rest = { tag: this.#tag, minIncluded: this.#end(ends, "min"), maxIncluded: this.#end(ends, "max") };
    if (typeof min === "number" && typeof max === "number") {
      if (min > max) throw this.#wrong(`there is nothing between ${min} and ${max}: the lesser one comes first`);
      return { op: `num${kind}`, min, max, ...rest };
    }
    if (typeof min === "string" && typeof max === "string") return { op: `str${kind}`, min, max, ...rest };
    throw this.#wrong("both ends of a range must be texts, or both numbers");
  }

  #end(ends: RangeEnds, name: keyof RangeEnds): boolean {
    const end: unknown = ends[name] ?? "included";
    if (end !== "included" && end !== "excluded") throw this.#wrong(`${name} must be "included" or "excluded"`);
    return end === "included";
  }

  #check(value: string | number): string | number {
    if (typeof value !== "string" && typeof value !== "number") throw this.#wrong("compare it with a text or a number");
    const type = predefinedType(this.#tag);
    if (type === "num" && typeof value === "string") throw this.#wrong("is a number by XEP-0347 5.2");
    if (type === "str" && typeof value === "number") throw this.#wrong("is a string by XEP-0347 5.2");
    const name = this.#tag;
    const asTag = typeof value === "number" ? numberTag(name, value) : ({ name, type: "str", value } as const);
    const problem = tagProblem(asTag);
    if (problem !== undefined) throw this.#wrong(problem);
    return asTag.value;
  }

  #wrong(problem: string): ConfigError {
    return new ConfigError(`tag(${JSON.stringify(this.#tag)}): ${problem}`);
  }
}
