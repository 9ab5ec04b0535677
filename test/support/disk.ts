import { StateError, StorageError } from "../../src/core/errors.ts";
import type { Storage } from "../../src/storage/storage.ts";

/** A disk in memory that outlives the Thing on it: each boot takes it anew, and power can be cut. */
export class Disk {
  readonly #files = new Map<string, Uint8Array>();
  #holder: object | undefined;

  /** The storage for one boot. After `cut` it takes nothing any more. */
  boot(): { storage: Storage; cut: () => void } {
    const files = this.#files;
    const me = {};
    let dead = false;
    const alive = <T>(work: () => T): Promise<T> =>
      dead ? Promise.reject(new StorageError("the power is cut")) : Promise.resolve().then(work);
    const storage: Storage = {
      open: () =>
        alive(() => {
          if (this.#holder !== undefined) throw new StateError("the disk is in use");
          this.#holder = me;
        }),
      close: () => {
        if (this.#holder === me) this.#holder = undefined;
        return Promise.resolve();
      },
      read: (name) => alive(() => files.get(name)?.slice()),
      replace: (name, content) => alive(() => void files.set(name, content.slice())),
      append: (name, content) =>
        alive(() => void files.set(name, new Uint8Array([...(files.get(name) ?? []), ...content]))),
      delete: (name) => alive(() => void files.delete(name)),
    };
    return {
      storage,
      cut: () => {
        dead = true;
        if (this.#holder === me) this.#holder = undefined;
      },
    };
  }
}
