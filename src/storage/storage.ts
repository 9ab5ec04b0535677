/**
 * Where a Thing keeps what must outlive it: its identity, its trust, its rights. `fileStorage` and `memoryStorage` come
 * with the library; implement this for other places (flash without a file system, an encrypted store).
 */
export interface Storage {
  /** Takes the place for this process. Rejects with `ERR_STORAGE` when another process holds it. */
  open(): Promise<void>;
  /** Gives the place back, after what was begun has ended. */
  close(): Promise<void>;
  /** The whole content under a name, `undefined` if there is none. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Puts a new content in the place of the old. Atomic, and durable once resolved: a power cut leaves one of the two, and after the promise has resolved the new one. */
  replace(name: string, content: Uint8Array): Promise<void>;
  /** Adds to the end. Handed to the operating system, not synced: a power cut may lose or tear the newest additions. */
  append(name: string, content: Uint8Array): Promise<void>;
  /** Removes a name, durably. Nothing happens if there is none. */
  delete(name: string): Promise<void>;
}

/** Removes a name, durably. Writes nothing if there is none: a folder is synced for each removal. */
export async function removeIfThere(storage: Storage, name: string): Promise<void> {
  const isThere = await storage.read(name).then(
    (content) => content !== undefined,
    () => true, // and cannot be read
  );
  if (isThere) await storage.delete(name);
}
