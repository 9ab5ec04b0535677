import { ConfigError } from "../core/errors.ts";
import { type RandomSource, systemRandom } from "../core/random.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import { joinBytes } from "./bytes.ts";
import { jsonLine } from "./checksum.ts";
import { codeOf } from "./file-system.ts";
import { encodeHeader, encodeRecords, readJournal, type ReadJournal } from "./journal-file.ts";
import { NewerFormatError } from "./newer-format.ts";
import type { Storage } from "./storage.ts";

/** What a `Journal` is made of. */
export interface JournalOptions {
  /** Where it is kept. Must be open before the first call. */
  readonly storage: Storage;
  /** The name it is kept under. */
  readonly name: string;
  /** The version of the records' shape that this library writes, from 1 up. */
  readonly format: number;
  /** Makes each generation unlike every other. Default: the operating system's randomness. */
  readonly random?: RandomSource;
}

/** What `Journal.load` found. */
export interface LoadedJournal {
  /** The records, in the order in which they were added. */
  readonly records: unknown[];
  /**
   * What was wrong, if something was: a torn end, a damaged record (what follows it is dropped), a damaged or older
   * file (empty).
   */
  readonly problem?: string;
}

/** Where the next record goes. */
interface Tail {
  /** The checksum before it. */
  readonly chain: string;
  /** The size of the file, in bytes. */
  readonly size: number;
  /** The good beginning of the file, if what follows it must be cut off before anything can be added. */
  readonly keep: Uint8Array | undefined;
}

/**
 * A growing list of JSON values in one file, for what may be lost but never wrong: answers of a Provisioning Server.
 * Adding is cheap and not synced: a power cut may lose or tear the newest. Emptying or rewriting it is durable. Every
 * record's checksum holds the one before it: none can be changed, dropped or moved in the middle unnoticed.
 *
 * `ERR_STORAGE`: the file is in a newer format than this library knows (nothing is touched), or the storage failed.
 * `ERR_CONFIG`: not a JSON value.
 *
 * @example
 * ```ts
 * const journal = new Journal({ storage, name: "rights", format: 1 });
 * const { records } = await journal.load();
 * await journal.append([{ question, answer }]);
 * await journal.rewrite([]); // durable: nothing from before comes back
 * ```
 */
export class Journal {
  readonly #storage: Storage;
  readonly #name: string;
  readonly #format: number;
  readonly #random: RandomSource;
  readonly #queue = new SerialQueue();
  /** `undefined` when not known: before the first look, and after a failure that may have left a part. */
  #tail: Tail | undefined;
  #bytes = 0;

  /** Throws `ERR_CONFIG` if `format` is not a whole number from 1 up. */
  constructor(options: JournalOptions) {
    if (!Number.isSafeInteger(options.format) || options.format < 1) {
      throw new ConfigError(`journal "${options.name}": format must be a whole number from 1 up`);
    }
    this.#storage = options.storage;
    this.#name = options.name;
    this.#format = options.format;
    this.#random = options.random ?? systemRandom;
  }

  /** The size of the file, in bytes; 0 before anything was loaded or added. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads all records that hold. Writes nothing: what is damaged is cut off by the next `append` or `rewrite`. */
  load(): Promise<LoadedJournal> {
    return this.#queue.run(async () => {
      const { records, problem } = await this.#look();
      return problem === undefined ? { records } : { records, problem };
    });
  }

  /** Adds records in one write, all after what is there. Not synced. The records are taken as they are at the call. */
  async append(records: readonly unknown[]): Promise<void> {
    const lines = this.#encode(records);
    if (lines.length > 0) await this.#queue.run(() => this.#append(lines));
  }

  /**
   * Puts these records in the place of all that was added before this call. Durable once resolved. They are taken as
   * they are at the call.
   */
  async rewrite(records: readonly unknown[]): Promise<void> {
    const lines = this.#encode(records);
    await this.#queue.run(() => this.#rewrite(lines));
  }

  #encode(records: readonly unknown[]): string[] {
    return records.map((record) => jsonLine(record, `journal "${this.#name}"`));
  }

  async #append(lines: readonly string[]): Promise<void> {
    const tail = await this.#known();
    if (tail === undefined) return this.#rewrite(lines); // no file that can be added to
    const added = encodeRecords(tail.chain, lines);
    this.#tail = undefined;
    if (tail.keep === undefined) {
      await this.#storage.append(this.#name, added.content);
      this.#put(added.chain, tail.size + added.content.length);
    } else {
      const content = joinBytes(tail.keep, added.content);
      await this.#storage.replace(this.#name, content);
      this.#put(added.chain, content.length);
    }
  }

  async #rewrite(lines: readonly string[]): Promise<void> {
    await this.#known(); // refuses a newer format
    const header = encodeHeader(this.#name, this.#format, this.#random);
    const body = encodeRecords(header.chain, lines);
    const content = joinBytes(header.content, body.content);
    this.#tail = undefined;
    await this.#storage.replace(this.#name, content);
    this.#put(body.chain, content.length);
  }

  #put(chain: string, size: number): void {
    this.#tail = { chain, size, keep: undefined };
    this.#bytes = size;
  }

  async #known(): Promise<Tail | undefined> {
    if (this.#tail === undefined) await this.#look();
    return this.#tail;
  }

  async #look(): Promise<ReadJournal> {
    this.#tail = undefined;
    let content: Uint8Array | undefined;
    try {
      content = await this.#storage.read(this.#name);
    } catch (error) {
      // A bad block is damage like any other: a new file takes the place of this one.
      if (!(error instanceof Error && codeOf(error.cause) === "EIO")) throw error;
      this.#bytes = 0;
      return { records: [], chain: undefined, good: 0, problem: `"${this.#name}" is damaged (${error.message})` };
    }
    this.#bytes = content?.length ?? 0;
    if (content === undefined) return { records: [], chain: undefined, good: 0, problem: undefined };
    const found = readJournal(this.#name, this.#format, content);
    if (found.newer !== undefined) {
      throw new NewerFormatError(this.#name, found.newer.format, this.#format, found.newer.by);
    }
    if (found.chain !== undefined) {
      const keep = found.good < content.length ? content.slice(0, found.good) : undefined;
      this.#tail = { chain: found.chain, size: content.length, keep };
    }
    return found;
  }
}
