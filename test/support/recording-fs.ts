import { basename, dirname, resolve } from "node:path";
import type { FileSystem, FolderOwner, OpenFile, OpenMode } from "../../src/storage/file-system.ts";

/** A file: its permissions and bytes. */
export interface FileNode {
  readonly kind: "file";
  readonly mode: number;
  content: Uint8Array;
}
/** A folder: its permissions and the numbers behind the names. */
export interface FolderNode {
  readonly kind: "folder";
  mode: number;
  readonly entries: Map<string, number>;
}
/** What a number stands for. */
export type Node = FileNode | FolderNode;
/** All files and folders of a disk, by number; 1 is the root. */
export type Image = Map<number, Node>;

/** One step of a recorded run. `covers` is the number of the first operation that the sync says nothing about. */
export type Operation =
  | {
      readonly kind: "make";
      readonly folder: number;
      readonly name: string;
      readonly node: number;
      readonly what: Node;
    }
  | {
      readonly kind: "rename";
      readonly folder: number;
      readonly from: string;
      readonly to: string;
      readonly node: number;
    }
  | { readonly kind: "unlink"; readonly folder: number; readonly name: string }
  | { readonly kind: "write"; readonly node: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly node: number }
  | { readonly kind: "syncFile" | "syncFolder"; readonly node: number; readonly covers: number }
  | { readonly kind: "mark"; readonly label: string };

/** What was done to a disk, and what was on it before. */
export interface Recording {
  readonly start: Image;
  readonly operations: readonly Operation[];
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

/** An image that can be changed without changing the first. */
export function copyImage(image: Image): Image {
  const copy = (node: Node): Node => (node.kind === "file" ? { ...node } : { ...node, entries: new Map(node.entries) });
  return new Map([...image].map(([number, node]) => [number, copy(node)]));
}

function emptyImage(): Image {
  return new Map([[1, { kind: "folder", mode: 0o40755, entries: new Map() }]]);
}

/** A content with bytes put in at a place; grows, with zeros in between, where it must. */
export function overwrite(content: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(Math.max(content.length, offset + bytes.length));
  result.set(content);
  result.set(bytes, offset);
  return result;
}

/** A disk in memory that writes down all that is done to it. */
export class RecordingFileSystem implements FileSystem {
  readonly #start: Image;
  readonly #image: Image;
  readonly #operations: Operation[] = [];
  #nextNode: number;

  constructor(image: Image = emptyImage()) {
    this.#start = copyImage(image);
    this.#image = copyImage(image);
    this.#nextNode = Math.max(...image.keys()) + 1;
  }

  /** What was done so far. */
  get recording(): Recording {
    return { start: this.#start, operations: [...this.#operations] };
  }

  /** A disk with the same content, all of it durable: what is there after a `kill -9` and an orderly shutdown. */
  copy(): RecordingFileSystem {
    return new RecordingFileSystem(this.#image);
  }

  /** Notes that something was acknowledged: a crash after this moment must not undo it. */
  mark(label: string): void {
    this.#operations.push({ kind: "mark", label });
  }

  async mkdir(path: string, mode: number): Promise<string | undefined> {
    await Promise.resolve();
    const missing: string[] = [];
    for (let at = resolve(path); this.#find(at) === undefined; at = dirname(at)) missing.unshift(at);
    for (const at of missing) {
      this.#make(at, { kind: "folder", mode: 0o40000 | mode, entries: new Map() });
    }
    if (this.#find(path)?.node.kind === "file") throw failure("EEXIST", path);
    return missing[0];
  }

  async stat(path: string): Promise<FolderOwner> {
    await Promise.resolve();
    return { mode: this.#need(path).node.mode, uid: 0 };
  }

  async chmod(path: string, mode: number): Promise<void> {
    await Promise.resolve();
    this.#folder(path).node.mode = 0o40000 | mode;
  }

  async readdir(path: string): Promise<string[]> {
    await Promise.resolve();
    return [...this.#folder(path).node.entries.keys()];
  }

  async readFile(path: string): Promise<Uint8Array> {
    await Promise.resolve();
    const { node } = this.#need(path);
    if (node.kind === "folder") throw failure("EISDIR", path);
    return node.content.slice();
  }

  async open(path: string, mode: OpenMode, permissions: number): Promise<OpenFile> {
    await Promise.resolve();
    let found = this.#find(path);
    if (found !== undefined && mode === "wx") throw failure("EEXIST", path);
    found ??= this.#make(path, { kind: "file", mode: 0o100000 | permissions, content: new Uint8Array(0) });
    const { number, node } = found;
    if (node.kind === "folder") throw failure("EISDIR", path);
    if (mode === "w" && node.content.length > 0) {
      node.content = new Uint8Array(0);
      this.#operations.push({ kind: "truncate", node: number });
    }
    let position = 0;
    return {
      write: async (content) => {
        await Promise.resolve();
        const offset = mode === "a" ? node.content.length : position;
        node.content = overwrite(node.content, offset, content);
        position = offset + content.length;
        this.#operations.push({ kind: "write", node: number, offset, bytes: content.slice() });
      },
      sync: () => this.#sync("syncFile", number),
      close: () => Promise.resolve(),
    };
  }

  async rename(from: string, to: string): Promise<void> {
    await Promise.resolve();
    const { number: folder, node } = this.#folder(dirname(from));
    const { number } = this.#need(from);
    if (dirname(from) !== dirname(to)) throw failure("EXDEV", to);
    this.#operations.push({ kind: "rename", folder, from: basename(from), to: basename(to), node: number });
    node.entries.delete(basename(from));
    node.entries.set(basename(to), number);
  }

  async unlink(path: string): Promise<void> {
    await Promise.resolve();
    const { number: folder, node } = this.#folder(dirname(path));
    if (!node.entries.delete(basename(path))) throw failure("ENOENT", path);
    this.#operations.push({ kind: "unlink", folder, name: basename(path) });
  }

  syncFolder(path: string): Promise<void> {
    return this.#sync("syncFolder", this.#folder(path).number);
  }

  async #sync(kind: "syncFile" | "syncFolder", node: number): Promise<void> {
    const covers = this.#operations.length;
    await Promise.resolve();
    this.#operations.push({ kind, node, covers });
  }

  #make(path: string, node: Node): { number: number; node: Node } {
    const folder = this.#folder(dirname(path));
    const number = this.#nextNode++;
    this.#image.set(number, node);
    folder.node.entries.set(basename(path), number);
    const what: Node = node.kind === "file" ? { ...node } : { ...node, entries: new Map() };
    this.#operations.push({ kind: "make", folder: folder.number, name: basename(path), node: number, what });
    return { number, node };
  }

  #find(path: string): { number: number; node: Node } | undefined {
    let number: number | undefined = 1;
    for (const name of resolve(path)
      .split("/")
      .filter((part) => part !== "")) {
      const node: Node | undefined = this.#image.get(number);
      number = node?.kind === "folder" ? node.entries.get(name) : undefined;
      if (number === undefined) return undefined;
    }
    const node = this.#image.get(number);
    return node === undefined ? undefined : { number, node };
  }

  #need(path: string): { number: number; node: Node } {
    const found = this.#find(path);
    if (found === undefined) throw failure("ENOENT", path);
    return found;
  }

  #folder(path: string): { number: number; node: FolderNode } {
    const { number, node } = this.#need(path);
    if (node.kind === "file") throw failure("ENOTDIR", path);
    return { number, node };
  }
}

/** A file system that differs from the one given in some of its methods. */
export function variant(fs: FileSystem, changes: Partial<FileSystem>): FileSystem {
  return {
    mkdir: (path, mode) => fs.mkdir(path, mode),
    stat: (path) => fs.stat(path),
    chmod: (path, mode) => fs.chmod(path, mode),
    readdir: (path) => fs.readdir(path),
    readFile: (path) => fs.readFile(path),
    open: (path, mode, permissions) => fs.open(path, mode, permissions),
    rename: (from, to) => fs.rename(from, to),
    unlink: (path) => fs.unlink(path),
    syncFolder: (path) => fs.syncFolder(path),
    ...changes,
  };
}
