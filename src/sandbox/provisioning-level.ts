// What reference Provisioning Servers decide by, in LevelDB. Why it: docs/architecture.md ("Dependencies").
import { ConfigError } from "../core/errors.ts";
import { LevelStore } from "./level-store.ts";
import type { KeptChange, ProvisioningKeeper } from "./provisioning-server-kept.ts";

/** Keeps what a server decides by in a section of a store. */
export class LevelProvisioningKeeper implements ProvisioningKeeper {
  readonly #store: LevelStore;
  readonly #section: string;
  readonly #close: () => Promise<void>;

  /** @param close what {@link LevelProvisioningKeeper.close} does; by default it closes the store */
  constructor(store: LevelStore, section: string, close = (): Promise<void> => store.close()) {
    this.#store = store;
    this.#section = section;
    this.#close = close;
  }

  load(): AsyncIterable<readonly [key: string, value: unknown]> {
    return this.#store.entries(this.#section);
  }

  write(changes: readonly KeptChange[]): Promise<void> {
    return this.#store.write(this.#section, changes);
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/**
 * Opens a folder in which a {@link ReferenceProvisioningServer} keeps what it decides by, in a database that outlives
 * `kill -9` and power cuts. It needs the optional package classic-level: `npm i classic-level`. It holds tokens.
 *
 * Rejects with `ERR_CONFIG` if the package is not installed, `ERR_STORAGE` if another process has the folder, or if what
 * is in it is damaged or newer than this library.
 *
 * @param folder made if need be, for this user alone; nothing else may be in it
 */
export async function levelProvisioningKeeper(folder: string): Promise<ProvisioningKeeper> {
  if (typeof folder !== "string" || folder === "") throw new ConfigError("folder: must be the path of a folder");
  return new LevelProvisioningKeeper(await LevelStore.open(folder), "provisioning");
}
