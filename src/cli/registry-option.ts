import type { OwnerClientOptions } from "../owner/owner-client.ts";
import type { Arguments } from "./args.ts";

/** The option of all commands that ask a Thing Registry. */
export const registryOptions = { registry: { type: "string" } } as const;

/** The Registry that is named, or the one that is found. */
export function registryOf({ values }: Arguments): OwnerClientOptions {
  const registry = values.get("registry");
  return registry === undefined ? {} : { registry };
}
