// The records of a reference Registry in LevelDB. Why it: docs/architecture.md ("Dependencies").
import { ConfigError } from "../core/errors.ts";
import { LevelStore, type Change } from "./level-store.ts";
import { recordKey, type RecordKeeper, type RegistryRecord } from "./registry-records.ts";

const THINGS = "things";

/** Keeps records in a section of a store. */
export class LevelKeeper implements RecordKeeper {
  readonly #store: LevelStore;
  readonly #close: () => Promise<void>;

  /** @param close what {@link LevelKeeper.close} does; by default it closes the store */
  constructor(store: LevelStore, close = (): Promise<void> => store.close()) {
    this.#store = store;
    this.#close = close;
  }

  async *load(): AsyncGenerator<RegistryRecord> {
    for await (const [key, value] of this.#store.entries(THINGS)) {
      const record = value as RegistryRecord; // what has its checksum was written by `put`
      if (recordKey(record) !== key) throw this.#store.damage(`${THINGS}/${key}`, "it is another Thing's");
      yield record;
    }
  }

  put(records: readonly RegistryRecord[]): Promise<void> {
    return this.#write(records.map((record) => [recordKey(record), record]));
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#write(keys.map((key) => [key, undefined]));
  }

  close(): Promise<void> {
    return this.#close();
  }

  #write(changes: readonly Change[]): Promise<void> {
    return changes.length === 0 ? Promise.resolve() : this.#store.write(THINGS, changes);
  }
}

/**
 * Opens a folder in which a {@link ReferenceRegistry} keeps its Things, in a database that outlives `kill -9` and power
 * cuts. It needs the optional package classic-level: `npm i classic-level`.
 *
 * Rejects with `ERR_CONFIG` if the package is not installed, `ERR_STORAGE` if another process has the folder, or if what
 * is in it is damaged or newer than this library.
 *
 * @param folder made if need be, for this user alone; nothing else may be in it
 */
export async function levelKeeper(folder: string): Promise<RecordKeeper> {
  if (typeof folder !== "string" || folder === "") throw new ConfigError("folder: must be the path of a folder");
  return new LevelKeeper(await LevelStore.open(folder));
}
