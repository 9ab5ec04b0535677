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
        `${path === "" ? "" : `${path}: `}there is no option "${name}"; there are ${known.join(", ")}`,
      );
    }
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
