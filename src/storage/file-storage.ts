import { dirname, join, resolve } from "node:path";
import { ConfigError, StateError, StorageError } from "../core/errors.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import { storageError } from "./file-errors.ts";
import { codeOf, nodeFileSystem, type FileSystem } from "./file-system.ts";
import { type FolderLock, isLockName, lockFolder } from "./lock.ts";
import { checkName } from "./names.ts";
import { explainAccess, refuseAsRoot } from "./ownership.ts";
import { type ProcessProbe, systemProcesses } from "./process-probe.ts";
import type { Storage } from "./storage.ts";

/** What `fileStorage` works with; tests give their own. */
export interface FileStorageOptions {
  /** The disk. Default: the machine's own. */
  readonly fs?: FileSystem;
  /** The processes that may hold the folder. Default: the machine's own. */
  readonly processes?: ProcessProbe;
}

const folderMode = 0o700;
const fileMode = 0o600;
const temporary = /^\..+\.tmp$/;
/** A full or read-only disk: what stands on it can be read. */
const takesNothing: readonly unknown[] = ["ENOSPC", "EDQUOT", "EROFS"];

class FileStorage implements Storage {
  readonly #folder: string;
  readonly #fs: FileSystem;
  readonly #processes: ProcessProbe;
  readonly #queues = new Map<string, SerialQueue>();
  #state: "closed" | "opening" | "open" | "closing" = "closed";
  /** `undefined` while closed, and of a disk that did not take it. */
  #lock: FolderLock | undefined;
  #isTakingLate = false;

  constructor(folder: string, options: FileStorageOptions) {
    if (typeof folder !== "string" || folder === "") {
      throw new ConfigError('fileStorage: must be given a folder, for instance fileStorage("/var/lib/my-thing")');
    }
    this.#folder = resolve(folder);
    this.#fs = options.fs ?? nodeFileSystem;
    this.#processes = options.processes ?? systemProcesses;
  }

  async open(): Promise<void> {
    if (this.#state !== "closed") {
      throw new StorageError(
        `"${this.#folder}" is in use by this process (pid ${this.#processes.pid}); close it first`,
      );
    }
    this.#state = "opening";
    let lock: FolderLock | undefined;
    try {
      await this.#makeFolder();
      lock = await this.#takeIfPossible();
      await this.#tidy();
      this.#lock = lock;
      this.#state = "open";
    } catch (error) {
      await lock?.release().catch(() => undefined);
      this.#state = "closed";
      throw await this.#explain(error, "open", this.#folder);
    }
  }

  async close(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closing";
    try {
      await Promise.all([...this.#queues.values()].map((queue) => queue.idle()));
      await this.#lock?.release();
    } catch (error) {
      throw storageError(error, "give free", this.#folder);
    } finally {
      this.#queues.clear();
      this.#lock = undefined;
      this.#state = "closed";
    }
  }

  read(name: string): Promise<Uint8Array | undefined> {
    return this.#run(name, "read", async (path) => {
      try {
        return await this.#fs.readFile(path);
      } catch (error) {
        if (codeOf(error) === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  replace(name: string, content: Uint8Array): Promise<void> {
    const copy = Uint8Array.from(content);
    return this.#run(name, "replace", async (path) => {
      const temp = join(this.#folder, `.${name}.tmp`);
      try {
        await this.#write(temp, "w", copy, true);
        await this.#fs.rename(temp, path);
      } catch (error) {
        await this.#fs.unlink(temp).catch(() => undefined);
        throw error;
      }
      await this.#fs.syncFolder(this.#folder);
      await this.#takeLate();
    });
  }

  append(name: string, content: Uint8Array): Promise<void> {
    const copy = Uint8Array.from(content);
    return this.#run(name, "append to", (path) => this.#write(path, "a", copy, false));
  }

  delete(name: string): Promise<void> {
    return this.#run(name, "delete", async (path) => {
      try {
        await this.#fs.unlink(path);
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw error;
      }
      await this.#fs.syncFolder(this.#folder);
    });
  }

  /** Runs a job after those on the same name that were asked for before it. */
  async #run<T>(name: string, action: string, job: (path: string) => Promise<T>): Promise<T> {
    checkName(name);
    if (this.#state !== "open") throw new StateError("the storage is not open: call open() first");
    let queue = this.#queues.get(name);
    if (queue === undefined) this.#queues.set(name, (queue = new SerialQueue()));
    const path = join(this.#folder, name);
    try {
      return await queue.run(() => job(path));
    } catch (error) {
      throw await this.#explain(error, action, path);
    }
  }

  #explain(error: unknown, action: string, path: string): Promise<Error> {
    return explainAccess(error, action, path, { folder: this.#folder, fs: this.#fs, processes: this.#processes });
  }

  async #write(path: string, mode: "w" | "a", content: Uint8Array, sync: boolean): Promise<void> {
    const file = await this.#fs.open(path, mode, fileMode);
    try {
      await file.write(content);
      if (sync) await file.sync();
    } finally {
      await file.close();
    }
  }

  /**
   * The lock of the folder, if the disk takes it. A device whose disk is full must start nevertheless, and answer from
   * what it has; that another process holds the folder it sees all the same.
   */
  async #takeIfPossible(): Promise<FolderLock | undefined> {
    try {
      return await lockFolder(this.#folder, this.#fs, this.#processes);
    } catch (error) {
      if (takesNothing.includes(codeOf(error))) return undefined;
      throw error;
    }
  }

  /** The disk takes something again: also the lock, unless another process was faster. Then theirs stays. */
  async #takeLate(): Promise<void> {
    if (this.#lock !== undefined || this.#isTakingLate) return;
    this.#isTakingLate = true;
    try {
      this.#lock = await this.#takeIfPossible().catch(() => undefined);
    } finally {
      this.#isTakingLate = false;
    }
  }

  async #makeFolder(): Promise<void> {
    const made = await this.#fs.mkdir(this.#folder, folderMode);
    if (made !== undefined) await this.#syncAbove(made);
    const { uid } = this.#processes;
    if (uid === undefined) return; // Windows: the folder inherits who may do what
    const owner = await this.#fs.stat(this.#folder);
    await refuseAsRoot(this.#folder, owner, this.#processes);
    if ((owner.mode & 0o077) === 0) return;
    // A folder with other things in it (say, /tmp given by mistake, as root) is not ours to change.
    const names = await this.#fs.readdir(this.#folder);
    if (owner.uid === uid && (names.length === 0 || names.some(isLockName))) {
      await this.#fs.chmod(this.#folder, folderMode);
    } else if ((owner.mode & 0o022) !== 0) {
      throw new StorageError(`others may write to "${this.#folder}"; give the Thing a folder of its own (mode 0700)`);
    }
  }

  /** A new folder is only durable once the one that holds it is synced; likewise for those above it. */
  async #syncAbove(uppermost: string): Promise<void> {
    for (let path = this.#folder; ; path = dirname(path)) {
      await this.#fs.syncFolder(dirname(path));
      if (path === resolve(uppermost) || path === dirname(path)) return;
    }
  }

  /**
   * Removes what a killed process left half-written. The sync: it may have ended between a rename and its sync; what is
   * read from now on must stay.
   */
  async #tidy(): Promise<void> {
    for (const name of await this.#fs.readdir(this.#folder)) {
      if (!temporary.test(name)) continue;
      try {
        await this.#fs.unlink(join(this.#folder, name));
      } catch (error) {
        if (!takesNothing.includes(codeOf(error))) throw error;
      }
    }
    await this.#fs.syncFolder(this.#folder);
  }
}

/**
 * Keeps contents as files in a folder of their own: the folder 0700, files 0600. A content is replaced by a new file
 * that is synced, takes the old one's name, and has the folder synced: a power cut at any moment leaves the old or the
 * new. A replacement that fails leaves the old (only where the last step fails, the sync of the folder, the new one is
 * already in place).
 *
 * The folder is made when missing. It must be on a local disk: who holds it is known by the number, start time and boot
 * of the process, which says nothing across machines, nor across containers that share a folder but not their
 * processes. A full or read-only disk does not take the lock: then the folder is used without, until something can be
 * written again, so that a device starts and answers from what it has.
 *
 * `ERR_STORAGE`: another process holds the folder, or the disk refused; the message says what to do. `ERR_CONFIG`: a
 * name outside the alphabet. `ERR_STATE`: used before `open` or after `close`.
 *
 * @param folder a relative path starts at the current folder
 * @example
 * ```ts
 * const storage = fileStorage("/var/lib/thermometer");
 * ```
 */
export function fileStorage(folder: string, options: FileStorageOptions = {}): Storage {
  return new FileStorage(folder, options);
}
