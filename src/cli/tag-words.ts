// Tags and conditions as they are typed: NAME=VALUE, V>=1, SN=39487*, V=1..2, in the words of XEP-0347 5.2 and 3.15.
import { ConfigError, messageOf } from "../core/errors.ts";
import { foldTagName, parseNumberTag, predefinedType, type Tags } from "../codec/tags.ts";
import { anyOf, tag, type Predicate, type SearchCondition } from "../owner/predicates.ts";
import { UsageError } from "./args.ts";

/** The tags of `NAME=VALUE` words. As in a claim text `#NAME=VALUE` is a number; the predefined names know what they are. */
export function tagsOf(words: readonly string[]): Tags {
  const tags = new Map<string, string | number>();
  for (const word of words) {
    const [, hash, name, value] = /^(#?)([^=]+)=(.*)$/s.exec(word) ?? [];
    if (name === undefined || value === undefined) throw new UsageError(`"${word}" is not NAME=VALUE`);
    if (tags.has(foldTagName(name))) throw new UsageError(`"${name}" is given twice`);
    tags.set(foldTagName(name), value === "" ? "" : isNumber(name, hash) ? numberIn(value, word) : value);
  }
  return Object.fromEntries(tags);
}

/** The conditions of words; `or` stands between alternatives. */
export function conditionsOf(words: readonly string[]): SearchCondition {
  const alternatives: Predicate[][] = [[]];
  for (const word of words) {
    if (word === "or") alternatives.push([]);
    else alternatives.at(-1)?.push(conditionOf(word));
  }
  if (alternatives.some(({ length }) => length === 0)) throw new UsageError("a condition is missing beside or");
  return anyOf(...alternatives);
}

function conditionOf(word: string): Predicate {
  const [, hash, name, operator, value] = /^(#?)([^=!<>]+)(!=|>=|<=|=|>|<)(.*)$/s.exec(word) ?? [];
  if (name === undefined || operator === undefined || value === undefined) {
    throw new UsageError(`"${word}" is no condition, such as MAN=www.ktc.se, 'V>=1' or 'SN=39487*'`);
  }
  try {
    return isNumber(name, hash) ? onNumber(name, operator, value, word) : onText(name, operator, value, word);
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(messageOf(error).replace(/^tag\(.*?\)/, `"${word}"`));
    throw error;
  }
}

function onNumber(name: string, operator: string, value: string, word: string): Predicate {
  const ends = value.split("..");
  const [min, max] = ends.map((end) => numberIn(end, word));
  if (min === undefined || ends.length > 2) throw new UsageError(`"${word}": a range is FROM..TO`);
  if (max === undefined) return compared(tag(name), operator, min);
  if (operator === "=") return tag(name).between(min, max);
  if (operator === "!=") return tag(name).outside(min, max);
  throw new UsageError(`"${word}": a range goes with = or !=`);
}

function onText(name: string, operator: string, value: string, word: string): Predicate {
  if (operator === "=" && value.includes("*")) return tag(name).like(value);
  if (operator === "!=" && value.includes("*")) {
    throw new UsageError(`"${word}": there is no operator for what is not like a mask`);
  }
  return compared(tag(name), operator, value);
}

function compared(query: ReturnType<typeof tag<string>>, operator: string, value: string | number): Predicate {
  switch (operator) {
    case "=":
      return query.is(value);
    case "!=":
      return query.isNot(value);
    case ">":
      return query.above(value);
    case ">=":
      return query.atLeast(value);
    case "<":
      return query.below(value);
    default:
      return query.atMost(value);
  }
}

const isNumber = (name: string, hash: string | undefined): boolean =>
  hash === "#" || predefinedType(foldTagName(name)) === "num";

function numberIn(text: string, word: string): number {
  try {
    return Number(parseNumberTag("", text, "").value);
  } catch (error) {
    throw new UsageError(`"${word}": "${text}" is not a number`, { cause: error });
  }
}
