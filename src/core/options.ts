import { ConfigError } from "./errors.ts";

/**
 * Refuses what is no option: people without a compiler would otherwise not hear of a slip of the pen. Throws `ERR_CONFIG`.
 *
 * @param path where the options stand, for the message; empty at the top
 */
export function checkKnown(given: object, known: readonly string[], path = ""): void {
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) {
      throw new ConfigError(
        `${path === "" ? "" : `${path}: `}there is no option "${name}"; there are ${known.join(", ")}`,
      );
    }
  }
}
