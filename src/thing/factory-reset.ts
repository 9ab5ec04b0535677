// Factory reset of a Thing that is off: what a cloned SD card needs. A Thing that runs has `reset()`.
import type { Storage } from "../storage/storage.ts";
import { isNodeDocument } from "./node-store.ts";
import { inspectStorage, stateNames } from "./inspect.ts";

/**
 * Empties a storage of everything that is a Thing's, so that the next start makes a new one: another account and KEY, no
 * owner, no trust, no rights. Durable once resolved. A power cut in the middle leaves the old Thing (which may have to ask
 * about rights again) or none. Nothing else in the storage is touched.
 *
 * Rejects with `ERR_STORAGE` if the disk refuses.
 *
 * @param names of all that is in the storage, as far as is known: nodes are kept under names of their own. Those that are not
 * known would be of another Thing at the next start, and not be obeyed
 */
export async function resetState(storage: Storage, names: readonly string[] = []): Promise<void> {
  for (const name of names.filter(isNodeDocument)) await storage.delete(name);
  // Each is durable before the next. Rights go first: those of the old Thing must never be found beside a new one.
  for (const name of stateNames.filter((one) => one !== "thing")) {
    await storage.delete(`${name}.previous`);
    await storage.delete(name);
  }
  // The generation that counts goes last: with it the old Thing is whole, without it there is none.
  const { identity } = await inspectStorage(storage);
  const fromPrevious = identity.is === "read" && identity.problem !== undefined;
  for (const name of fromPrevious ? ["thing", "thing.previous"] : ["thing.previous", "thing"]) {
    await storage.delete(name);
  }
}
