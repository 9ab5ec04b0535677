// A process that is killed, as its disk sees it.
import type { FileSystem } from "../../src/storage/file-system.ts";

/** A file system, and the end of the process that works on it. */
export interface Mortal {
  readonly fs: FileSystem;
  /** Ends it: nothing that it asks for from now on happens or returns. */
  readonly kill: () => void;
  /** Resolves when it was ended and asks for something. */
  readonly hung: Promise<void>;
}

/** @param calls how many of its calls happen before it is killed of itself. Default: it is not. */
export function mortal(fs: FileSystem, calls = Infinity): Mortal {
  let left = calls;
  let tell: () => void = () => undefined;
  const hung = new Promise<void>((resolve) => (tell = resolve));
  const gate = async <T>(call: () => Promise<T>): Promise<T> => {
    if (left-- > 0) return call();
    tell();
    return new Promise<T>(() => undefined);
  };
  return {
    kill: () => (left = 0),
    hung,
    fs: {
      mkdir: (path, mode) => gate(() => fs.mkdir(path, mode)),
      stat: (path) => gate(() => fs.stat(path)),
      chmod: (path, mode) => gate(() => fs.chmod(path, mode)),
      readdir: (path) => gate(() => fs.readdir(path)),
      readFile: (path) => gate(() => fs.readFile(path)),
      open: (path, mode, permissions) =>
        gate(async () => {
          const file = await fs.open(path, mode, permissions);
          return {
            write: (content) => gate(() => file.write(content)),
            sync: () => gate(() => file.sync()),
            close: () => gate(() => file.close()),
          };
        }),
      rename: (from, to) => gate(() => fs.rename(from, to)),
      unlink: (path) => gate(() => fs.unlink(path)),
      syncFolder: (path) => gate(() => fs.syncFolder(path)),
    },
  };
}
