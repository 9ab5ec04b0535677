import { ConfigError } from "./errors.ts";

/**
 * Refuses what is no option, or no object: people without a compiler would otherwise not hear of a slip of the pen.
 * Throws `ERR_CONFIG`.
 *
 * @param path where the options stand, for the message; empty at the top
 */
export function checkKnown(given: object, known: readonly string[], path = ""): void {
  if (typeof given !== "object" || (given as unknown) === null || Array.isArray(given)) {
    throw new ConfigError(`${path === "" ? "the options" : path}: must be an object, with ${known.join(", ")}`);
  }
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) {
      throw new ConfigError(
        `${path === "" ? "" : `${path}: `}there is no option "${name}"; there are ${known.join(", ")}${meant(name, known)}`,
      );
    }
  }
}

// A slip of the pen, told in the middle of twenty names, is not seen.
function meant(name: string, known: readonly string[]): string {
  if (name.length > LONGEST_SLIP) return "";
  const near = known
    .map((other) => ({ other, slips: slips(name.toLowerCase(), other.toLowerCase()) }))
    .sort((one, other) => one.slips - other.slips)[0];
  return near === undefined || near.slips > MOST_SLIPS || near.slips * 2 >= name.length
    ? ""
    : `; did you mean ${near.other}?`;
}

const LONGEST_SLIP = 40;
const MOST_SLIPS = 2;

// How many letters must be left out, put in or changed (Levenshtein).
function slips(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1];
    for (let column = 0; column < to.length; column++) {
      const [corner = 0, above = 0] = [row[column], row[column + 1]];
      next.push(Math.min(corner + (from[index] === to[column] ? 0 : 1), above + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** Refuses what is no list of texts, each with something in it. Throws `ERR_CONFIG`. */
export function checkTexts(given: unknown, path: string): void {
  if (!Array.isArray(given)) throw new ConfigError(`${path}: must be a list of texts`);
  for (const [index, text] of (given as readonly unknown[]).entries()) {
    if (typeof text !== "string" || text === "") throw new ConfigError(`${path}[${index}]: must be a text, not empty`);
  }
}

/** Refuses what does not have all of some methods: a text in the place of a logger, say. Throws `ERR_CONFIG`. */
export function checkMethods(given: unknown, methods: readonly string[], path: string): void {
  if (!hasMethods(given, methods)) throw new ConfigError(`${path}: must be an object with ${methods.join(", ")}`);
}

/** True for an object that has all of some methods. */
export function hasMethods(given: unknown, methods: readonly string[]): boolean {
  if (typeof given !== "object" || given === null) return false;
  return methods.every((name) => typeof (given as Readonly<Record<string, unknown>>)[name] === "function");
}
