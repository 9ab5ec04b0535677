// A storage that fails when told to, over a real one in memory.
import { StorageError } from "../../src/core/errors.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";

/** What can fail. */
export type Operation = "read" | "replace" | "append" | "delete";

export class FailingStorage implements Storage {
  /** The operations that fail now. */
  readonly failing = new Set<Operation>();
  /** What was done to the contents, as `operation name`. */
  readonly done: string[] = [];
  /** What a failure is; `ERR_STORAGE` unless the test says otherwise. */
  reason: () => Error = () => new StorageError("the disk is full");
  /** Awaited before each change: what the test uses to be in between. */
  before: (operation: Operation, name: string) => Promise<void> | void = () => undefined;
  readonly #storage: Storage;

  constructor(storage: Storage = memoryStorage()) {
    this.#storage = storage;
  }

  open(): Promise<void> {
    return this.#storage.open();
  }

  close(): Promise<void> {
    return this.#storage.close();
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    if (this.failing.has("read")) throw this.reason();
    return this.#storage.read(name);
  }

  replace(name: string, content: Uint8Array): Promise<void> {
    return this.#change("replace", name, () => this.#storage.replace(name, content));
  }

  append(name: string, content: Uint8Array): Promise<void> {
    return this.#change("append", name, () => this.#storage.append(name, content));
  }

  delete(name: string): Promise<void> {
    return this.#change("delete", name, () => this.#storage.delete(name));
  }

  async #change(operation: Operation, name: string, change: () => Promise<void>): Promise<void> {
    await this.before(operation, name);
    if (this.failing.has(operation)) throw this.reason();
    await change();
    this.done.push(`${operation} ${name}`);
  }
}

/** An open storage in memory that can be made to fail. */
export async function failingStorage(): Promise<FailingStorage> {
  const storage = new FailingStorage();
  await storage.open();
  return storage;
}
