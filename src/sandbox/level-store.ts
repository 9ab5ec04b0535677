// What a sandbox keeps, in LevelDB by way of classic-level. The only file that knows the package.
import { dirname, join, resolve } from "node:path";
import type { ClassicLevel } from "classic-level";
import { ConfigError, StateError, StorageError, messageOf } from "../core/errors.ts";
import { version } from "../core/version.ts";
import { checksum, checksumLength, jsonLine } from "../storage/checksum.ts";
import { encodeText } from "../storage/bytes.ts";
import { storageError } from "../storage/file-errors.ts";
import { nodeFileSystem } from "../storage/file-system.ts";
import { NewerFormatError } from "../storage/newer-format.ts";

/** The newest shape of what is kept that this library knows. */
export const STORE_FORMAT = 1;

/** What is to be written: a value, or `undefined` to forget what is there. */
export type Change = readonly [key: string, value: unknown];

interface Waiting {
  readonly lines: readonly (readonly [key: string, line: string | undefined])[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

type Level = ClassicLevel;

/**
 * Values under keys, in sections, in a folder of their own. What is written stays once the promise has resolved, also
 * when the power goes. While one write is on its way to the disk, those that come wait and go together as the next one,
 * so that a sync serves as many as there are. LevelDB holds a lock: one process at a time.
 *
 * Every value has a checksum with its key, and its format. What cannot be read is never taken for nothing: `ERR_STORAGE`
 * names it.
 */
export class LevelStore {
  readonly folder: string;
  readonly #level: Level;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;

  private constructor(folder: string, level: Level) {
    this.folder = folder;
    this.#level = level;
  }

  /**
   * Opens a folder, which is made if need be, for this user alone. Rejects with `ERR_CONFIG` if the optional package
   * classic-level is not installed, `ERR_STORAGE` if another process has it, if it is damaged or newer than this library.
   */
  static async open(folder: string): Promise<LevelStore> {
    const path = resolve(folder);
    const Level = await loadLibrary();
    await makeFolder(path).catch((error: unknown) => {
      throw storageError(error, "make", path);
    });
    const level = new Level(path, { keyEncoding: "utf8", valueEncoding: "utf8" });
    try {
      await level.open();
    } catch (error) {
      throw openError(path, error);
    }
    const store = new LevelStore(path, level);
    try {
      await store.#examine();
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  /** All values of a section, by their keys. */
  async *entries(section: string): AsyncGenerator<readonly [key: string, value: unknown]> {
    const prefix = `${section}/`;
    // In the order of characters `0` follows upon `/`.
    const iterator = this.#level.iterator({ gt: prefix, lt: `${section}0` });
    try {
      for (;;) {
        const some = await iterator.nextv(MOST_AT_ONCE);
        if (some.length === 0) return;
        for (const [key, line] of some) yield [key.slice(prefix.length), this.#decode(key, line)];
      }
    } catch (error) {
      throw this.#explain(error, "read");
    } finally {
      await iterator.close();
    }
  }

  /** One value; `undefined` if there is none. */
  async get(section: string, key: string): Promise<unknown> {
    const path = `${section}/${key}`;
    const line = await this.#level.get(path).catch((error: unknown) => {
      throw this.#explain(error, "read");
    });
    return line === undefined ? undefined : this.#decode(path, line);
  }

  /**
   * Writes all of it or nothing, in the order of the calls. Resolves when it is on the disk. Rejects with `ERR_STORAGE`
   * when the disk did not take it: nothing is known then of what is there.
   */
  write(section: string, changes: readonly Change[]): Promise<void> {
    if (this.#closed) return Promise.reject(new StateError(`"${this.folder}" is closed`));
    const lines = changes.map(([key, value]) => {
      const path = `${section}/${key}`;
      return [path, value === undefined ? undefined : encode(path, value)] as const;
    });
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lines, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** What is thrown for an entry that is not what it should be. */
  damage(key: string, why: string): Error {
    return damaged(this.folder, `the entry ${JSON.stringify(key)} cannot be read: ${why}`);
  }

  /** Ends, after what was begun. Harmless when called again. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#level.close();
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve(); // who writes in the same turn goes with the first
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const operations = group.flatMap(({ lines }) =>
        lines.map(([key, value]) =>
          value === undefined ? ({ type: "del", key } as const) : ({ type: "put", key, value } as const),
        ),
      );
      try {
        await this.#level.batch(operations, { sync: true });
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(this.#explain(error, "write to"));
      }
    }
    this.#writing = undefined;
  }

  /** Looks at what says of the whole how it is. */
  async #examine(): Promise<void> {
    const head = await this.get(HEAD, HEAD);
    const lost = (head as Head | undefined)?.lost ?? (await lostIn(this.folder));
    const format = (head as Head | undefined)?.format ?? STORE_FORMAT;
    if (format > STORE_FORMAT) throw new NewerFormatError(this.folder, format, STORE_FORMAT, (head as Head).by);
    if (head === undefined || lost !== undefined)
      await this.write(HEAD, [[HEAD, { format: STORE_FORMAT, by: version, lost }]]);
    // It is said again at every start: LevelDB says it once, and goes on without.
    if (lost !== undefined) throw damaged(this.folder, `LevelDB could not read a part of it (${lost})`);
  }

  #decode(key: string, line: string): unknown {
    const content = line.slice(checksumLength);
    const [, format, json] = /^ ([1-9]\d{0,8}) (.*)$/s.exec(content) ?? [];
    if (json === undefined || line.slice(0, checksumLength) !== checksum(key, encodeText(content)))
      throw this.damage(key, "its checksum is wrong");
    if (Number(format) > STORE_FORMAT)
      throw new NewerFormatError(`${this.folder}: ${key}`, Number(format), STORE_FORMAT, undefined);
    return JSON.parse(json) as unknown;
  }

  #explain(error: unknown, action: string): Error {
    if (codeOf(error) === "LEVEL_CORRUPTION") return damaged(this.folder, messageOf(error), error);
    return storageError(error, action, this.folder);
  }
}

const HEAD = "head";
const MOST_AT_ONCE = 1_000;

interface Head {
  readonly format: number;
  readonly by: string;
  /** What LevelDB said when it left something out. */
  readonly lost?: string;
}

type Constructor = (typeof import("classic-level"))["ClassicLevel"];

async function loadLibrary(): Promise<Constructor> {
  try {
    return (await import("classic-level")).ClassicLevel;
  } catch (cause) {
    throw new ConfigError('data: needs the package "classic-level" (3.0): install it by npm i classic-level', {
      cause,
    });
  }
}

/** For this user alone: KEYs, hashes of passwords and a private key are kept. A new name lasts once its folder is synced. */
async function makeFolder(path: string): Promise<void> {
  const uppermost = await nodeFileSystem.mkdir(path, 0o700);
  if (uppermost === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await nodeFileSystem.syncFolder(dirname(made));
    if (made === uppermost) return;
  }
}

/** `<checksum> <format> <JSON>`; the checksum is over the key too, so that no value counts as another's. */
function encode(key: string, value: unknown): string {
  const content = ` ${STORE_FORMAT} ${jsonLine(value, key)}`;
  return checksum(key, encodeText(content)) + content;
}

/** LevelDB leaves out what it cannot read of its journal, goes on, and says so in its own log only. */
async function lostIn(folder: string): Promise<string | undefined> {
  const log = await nodeFileSystem.readFile(join(folder, "LOG")).catch(() => new Uint8Array());
  return /dropping \d+ bytes; [ -~]*/.exec(new TextDecoder().decode(log))?.[0];
}

function openError(folder: string, error: unknown): Error {
  const { cause } = error as Error;
  if (codeOf(cause) === "LEVEL_LOCKED")
    return new StorageError(`"${folder}" is in use by another sandbox; stop it first`, { cause });
  if (codeOf(cause) === "LEVEL_CORRUPTION") return damaged(folder, messageOf(cause), cause);
  return new StorageError(`could not open "${folder}": ${messageOf(cause ?? error)}`, { cause: error });
}

function damaged(folder: string, why: string, cause?: unknown): StorageError {
  return new StorageError(
    `"${folder}" is damaged: ${why}; put a backup in its place, or give an empty folder to start anew`,
    { cause },
  );
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code;
}
