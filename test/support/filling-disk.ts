// A disk that fills up, or fails, at a random write, and takes what is written again later.
import type { FileSystem, OpenFile } from "../../src/storage/file-system.ts";
import type { Draw } from "./crash-fs.ts";
import { variant } from "./recording-fs.ts";

/** What is wrong with a disk. */
export type Trouble = "ENOSPC" | "EIO";

/** A file system over another one, for the time of its trouble a bad one. */
export class FillingDisk {
  readonly fs: FileSystem;
  readonly #below: FileSystem;
  readonly #draw: Draw;
  #trouble: Trouble | undefined;
  /** How many calls that change something still succeed. */
  #left = Infinity;
  /** How often it refused. */
  refused = 0;

  constructor(below: FileSystem, draw: Draw) {
    this.#below = below;
    this.#draw = draw;
    this.fs = variant(below, {
      open: (path, mode, permissions) => this.#open(path, mode, permissions),
      rename: (from, to) => this.#try("rename", to, () => below.rename(from, to)),
      unlink: (path) => this.#try("unlink", path, () => below.unlink(path)),
      syncFolder: (path) => this.#try("syncFolder", path, () => below.syncFolder(path)),
    });
  }

  /** Whether it refuses now. */
  get isBad(): boolean {
    return this.#trouble !== undefined && this.#left <= 0;
  }

  /** Whether it refuses now, or will. */
  get isInTrouble(): boolean {
    return this.#trouble !== undefined;
  }

  /** Whether it is more than full. */
  get isDefective(): boolean {
    return this.#trouble === "EIO";
  }

  /** From so many changes on it takes nothing, or not much. */
  fill(trouble: Trouble, left: number): void {
    this.#trouble = trouble;
    this.#left = left;
  }

  /** There is room again. */
  heal(): void {
    this.#trouble = undefined;
    this.#left = Infinity;
  }

  async #open(path: string, mode: Parameters<FileSystem["open"]>[1], permissions: number): Promise<OpenFile> {
    // A new file needs an entry in the folder: there may be room for that still. One that is there needs none.
    const isThere = await this.#below.stat(path).then(
      () => true,
      () => false,
    );
    const open = (): Promise<OpenFile> => this.#below.open(path, mode, permissions);
    const file = await (isThere && this.#trouble === "ENOSPC" ? open() : this.#try("open", path, open));
    return {
      write: async (content) => {
        if (!this.#refuses("write")) return file.write(content);
        // What still fits is taken.
        await file.write(content.subarray(0, this.#draw(content.length + 1)));
        throw this.#failure(path);
      },
      sync: () => this.#try("sync", path, () => file.sync()),
      close: () => file.close(),
    };
  }

  async #try<T>(call: string, path: string, change: () => Promise<T>): Promise<T> {
    if (!this.#refuses(call)) return change();
    // A defective disk may say that it has failed and have done it.
    if (this.#trouble === "EIO" && this.#draw(3) === 0) await change();
    throw this.#failure(path);
  }

  #refuses(call: string): boolean {
    this.#left--;
    if (!this.isBad) return false;
    // A full disk takes whatever needs no room; of a defective one nothing is sure.
    const refuses =
      this.#trouble === "EIO"
        ? this.#draw(2) === 0
        : call === "write" || (["open", "sync"].includes(call) && this.#draw(3) === 0);
    if (refuses) this.refused++;
    return refuses;
  }

  #failure(path: string): Error {
    const code = this.#trouble ?? "EIO";
    return Object.assign(new Error(`${code}: ${path}`), { code });
  }
}
