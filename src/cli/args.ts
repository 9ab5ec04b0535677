// Command lines, by Node's own parser, with errors that say what to do.
import { parseArgs, type ParseArgsConfig } from "node:util";
import { messageOf } from "../core/errors.ts";

/** The command was called wrongly. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** What a command line holds. */
export interface Arguments {
  /** Options that take a value. */
  readonly values: ReadonlyMap<string, string>;
  /** Options that may be given more than once, with a value each time. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  /** Options that are just there. */
  readonly flags: ReadonlySet<string>;
  /** What is no option. */
  readonly operands: readonly string[];
}

/**
 * Reads a command line. Throws a {@link UsageError} for unknown options, missing values, and too many or few operands.
 *
 * @param operandNames what must be there; one whose name ends in `?` may be left out, of one that ends in `...` there may be several
 */
export function parse(args: readonly string[], options: Options, operandNames: readonly string[]): Arguments {
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(messageOf(error).replace(/ To specify .*/s, ""));
  }
  const operands = parsed.positionals;
  const missing = operandNames[operands.length];
  if (missing !== undefined && !missing.endsWith("?")) throw new UsageError(`${missing} is missing`);
  const extra = operandNames.at(-1)?.endsWith("...") ? undefined : operands[operandNames.length];
  if (extra !== undefined) throw new UsageError(`"${extra}" is one word too many`);
  const values = new Map<string, string>();
  const lists = new Map<string, readonly string[]>();
  const flags = new Set<string>();
  for (const [name, value] of Object.entries(parsed.values)) {
    if (typeof value === "string") values.set(name, value);
    else if (Array.isArray(value)) lists.set(name, value.map(String));
    else if (value === true) flags.add(name);
  }
  return { values, lists, flags, operands };
}

/** A whole number from an option. */
export function wholeNumber(text: string | undefined, name: string, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number > most) {
    throw new UsageError(`--${name} must be a whole number from ${least} to ${most}`);
  }
  return number;
}
