import { StateError, StorageError } from "../core/errors.ts";
import { joinBytes } from "./bytes.ts";
import { checkName } from "./names.ts";
import type { Storage } from "./storage.ts";

class MemoryStorage implements Storage {
  readonly #contents = new Map<string, Uint8Array>();
  #open = false;

  async open(): Promise<void> {
    await Promise.resolve();
    if (this.#open) {
      throw new StorageError(`this memory storage is in use by this process (pid ${process.pid}); close it first`);
    }
    this.#open = true;
  }

  async close(): Promise<void> {
    await Promise.resolve();
    this.#open = false;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    await this.#enter(name);
    return this.#contents.get(name)?.slice();
  }

  async replace(name: string, content: Uint8Array): Promise<void> {
    const copy = Uint8Array.from(content);
    await this.#enter(name);
    this.#contents.set(name, copy);
  }

  async append(name: string, content: Uint8Array): Promise<void> {
    const copy = Uint8Array.from(content);
    await this.#enter(name);
    this.#contents.set(name, joinBytes(this.#contents.get(name) ?? new Uint8Array(0), copy));
  }

  async delete(name: string): Promise<void> {
    await this.#enter(name);
    this.#contents.delete(name);
  }

  /** One turn of the event loop for each call, in call order, as on a disk: nobody may rely on an immediate effect. */
  async #enter(name: string): Promise<void> {
    checkName(name);
    if (!this.#open) throw new StateError("the storage is not open: call open() first");
    await Promise.resolve();
  }
}

/**
 * A storage that keeps its contents as long as the object lives: for tests and for a Thing that may forget everything.
 * Closing it keeps them; opened again they are there, as after a restart. A second `open` without `close` rejects with
 * `ERR_STORAGE`.
 *
 * @example
 * ```ts
 * const storage = memoryStorage();
 * ```
 */
export function memoryStorage(): Storage {
  return new MemoryStorage();
}
