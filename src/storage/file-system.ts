import { chmod, mkdir, open, readdir, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";

/** A file opened for writing. */
export interface OpenFile {
  /** Writes all of it behind what was written before. Until `sync` resolves it may be lost, whole or in part. */
  write(content: Uint8Array): Promise<void>;
  /** Resolves when all that was written has reached the disk. */
  sync(): Promise<void>;
  /** Gives the file back to the operating system. */
  close(): Promise<void>;
}

/**
 * How a file is opened: emptied (`w`), made and not there before (`wx`), or added to (`a`). All three make a missing
 * file.
 */
export type OpenMode = "w" | "wx" | "a";

/** To whom a folder belongs and who may do what with it. */
export interface FolderOwner {
  /** The permission bits, for instance `0o40700`. */
  readonly mode: number;
  /** The number of the user it belongs to. */
  readonly uid: number;
}

/**
 * The little that `fileStorage` asks of a disk. What fails rejects with an error that has Node's `code` (`ENOENT`,
 * `ENOSPC`, ...). Injected, so that tests can lose power at any moment.
 */
export interface FileSystem {
  /** Makes a folder and those above it that are missing; the path of the uppermost it made, if it made any. */
  mkdir(path: string, mode: number): Promise<string | undefined>;
  /** To whom a folder belongs. */
  stat(path: string): Promise<FolderOwner>;
  /** Sets who may do what with a folder. */
  chmod(path: string, mode: number): Promise<void>;
  /** The names in a folder. */
  readdir(path: string): Promise<string[]>;
  /** The whole content of a file. */
  readFile(path: string): Promise<Uint8Array>;
  /** Opens a file for writing; a new one gets these permission bits from its first moment. */
  open(path: string, mode: OpenMode, permissions: number): Promise<OpenFile>;
  /** Gives a file another name in the same folder, in one step, in the place of what had that name. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. */
  unlink(path: string): Promise<void>;
  /** Resolves when what was made, renamed and removed in a folder has reached the disk. */
  syncFolder(path: string): Promise<void>;
}

/** Node's `code` of an error, `undefined` for anything else. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : undefined;
}

// Windows opens no folders (EPERM, EISDIR), and some file systems sync none (EINVAL, ENOTSUP): there is nothing to wait
// for.
const cannotSyncFolders = new Set(process.platform === "win32" ? ["EPERM", "EISDIR", "EACCES"] : ["EINVAL", "ENOTSUP"]);

/** The machine's own file system. */
export const nodeFileSystem: FileSystem = {
  mkdir: makeFolders,
  stat,
  chmod,
  readdir: (path) => readdir(path),
  async readFile(path) {
    const { buffer, byteOffset, byteLength } = await readFile(path);
    return new Uint8Array(buffer, byteOffset, byteLength);
  },
  async open(path, mode, permissions) {
    const handle = await open(path, mode, permissions);
    return {
      write: (content) => handle.writeFile(content),
      sync: () => handle.sync(),
      close: () => handle.close(),
    };
  },
  rename,
  unlink,
  async syncFolder(path) {
    try {
      const handle = await open(path, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (!cannotSyncFolders.has(codeOf(error) ?? "")) throw error;
    }
  },
};

/**
 * Not by `recursive`: where a folder is there and takes none (`/proc`, and some mounts), Node.js tries for ever, in a thread that
 * nothing ends.
 */
async function makeFolders(path: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return undefined;
    const above = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || above === path) throw error;
    const uppermost = await makeFolders(above, mode);
    // Tried once more, and no more: somebody else may have made what is above.
    await mkdir(path, { mode }).catch(async (again: unknown) => {
      if ((await stat(path).catch(() => undefined))?.isDirectory() !== true) throw again;
    });
    return uppermost ?? path;
  }
}
