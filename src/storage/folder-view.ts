// Looking into a state folder from outside, also while a Thing runs on it: nothing is made, taken or written.
import { join, resolve } from "node:path";
import { StateError } from "../core/errors.ts";
import type { FileStorageOptions } from "./file-storage.ts";
import { codeOf, nodeFileSystem, type FileSystem } from "./file-system.ts";
import { folderHolder, holderText } from "./lock.ts";
import { checkName } from "./names.ts";
import { explainAccess } from "./ownership.ts";
import { systemProcesses, type ProcessProbe } from "./process-probe.ts";
import type { Storage } from "./storage.ts";

/** The process that holds a folder. */
export interface FolderHolder {
  /** Its number. */
  readonly pid: number;
  /** What is known of it, for people: `process 123 (node thermometer.mjs, user root, started 3 h ago)`. */
  readonly text: string;
}

/**
 * A state folder, to be read by others than the Thing it belongs to. What a Thing replaces is replaced at once, so each
 * content is whole; two of them may be of different moments.
 *
 * `ERR_STORAGE`: it cannot be read; the message says why and whose it is.
 */
export class FolderView {
  /** Its absolute path. */
  readonly folder: string;
  readonly #fs: FileSystem;
  readonly #processes: ProcessProbe;

  constructor(folder: string, options: FileStorageOptions = {}) {
    this.folder = resolve(folder);
    this.#fs = options.fs ?? nodeFileSystem;
    this.#processes = options.processes ?? systemProcesses;
  }

  /** The names of the files in it; `undefined` if there is no such folder. */
  async names(): Promise<readonly string[] | undefined> {
    try {
      return await this.#fs.readdir(this.folder);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw await this.#explain(error, this.folder);
    }
  }

  /** Who holds it; `undefined` if nobody does. */
  async holder(): Promise<FolderHolder | undefined> {
    try {
      const pid = await folderHolder(this.folder, this.#fs, this.#processes);
      return pid === undefined ? undefined : { pid, text: await holderText(pid, this.#processes) };
    } catch (error) {
      throw await this.#explain(error, this.folder);
    }
  }

  /** What is kept in it. Only `read` does something; whatever would change it rejects with `ERR_STATE`. */
  storage(): Storage {
    const refuse = (): Promise<never> => Promise.reject(new StateError("this storage can only be read"));
    return {
      open: () => Promise.resolve(),
      close: () => Promise.resolve(),
      read: (name) => this.#read(name),
      replace: refuse,
      append: refuse,
      delete: refuse,
    };
  }

  async #read(name: string): Promise<Uint8Array | undefined> {
    checkName(name);
    const path = join(this.folder, name);
    try {
      return await this.#fs.readFile(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw await this.#explain(error, path);
    }
  }

  #explain(error: unknown, path: string): Promise<Error> {
    return explainAccess(error, "read", path, { folder: this.folder, fs: this.#fs, processes: this.#processes });
  }
}
