// A fault to be found: a storage that says that it has replaced the rights, and does it later.
import type { Storage } from "../../src/storage/storage.ts";

/** A storage that differs from another one in how it replaces. */
export function replacing(storage: Storage, replace: Storage["replace"]): Storage {
  return {
    open: () => storage.open(),
    close: () => storage.close(),
    read: (name) => storage.read(name),
    append: (name, content) => storage.append(name, content),
    delete: (name) => storage.delete(name),
    replace,
  };
}

/** Replaces the rights after a pause, in order with all else that is done with them, and says at once that it has. */
export function hastyStorage(storage: Storage, pause: () => Promise<void>): Storage {
  let last: Promise<unknown> = Promise.resolve();
  return {
    ...replacing(storage, (name, content) => {
      if (name !== "rights") return storage.replace(name, content);
      const copy = content.slice();
      last = last
        .then(pause)
        .then(() => storage.replace(name, copy))
        .catch(() => undefined);
      return Promise.resolve();
    }),
    read: (name) => last.then(() => storage.read(name)),
    append: (name, content) => last.then(() => storage.append(name, content)),
    close: () => last.then(() => storage.close()),
  };
}
