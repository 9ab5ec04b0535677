import { ConfigError } from "../core/errors.ts";
import { type RandomSource, systemRandom } from "../core/random.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import { joinBytes } from "./bytes.ts";
import { codeOf } from "./file-system.ts";
import { encodeBlock, encodeHeader, readJournal, type ReadJournal } from "./journal-file.ts";
import { NewerFormatError } from "./newer-format.ts";
import type { Storage } from "./storage.ts";

/** What a `Journal` is made of. */
export interface JournalOptions {
  /** Where it is kept. Must be open before the first call. */
  readonly storage: Storage;
  /** The name it is kept under. */
  readonly name: string;
  /** The version of the blocks' shape that this library writes, from 1 up. */
  readonly format: number;
  /** Makes each generation unlike every other. Default: the operating system's randomness. */
  readonly random?: RandomSource;
}

/** What `Journal.load` found. */
export interface LoadedJournal {
  /** The blocks, in the order in which they were added. */
  readonly blocks: readonly Uint8Array[];
  /** What was wrong, if something was: a torn end, a damaged block (what follows it is dropped), a damaged file (empty). */
  readonly problem?: string;
  /** The format of the file, if it is older than the one known: there are no blocks then. */
  readonly older?: number;
}

/** Where the next block goes. */
interface Tail {
  /** The checksum before it. */
  readonly chain: string;
  /** The size of the file, in bytes. */
  readonly size: number;
  /** The good beginning of the file, if what follows it must be cut off before anything can be added. */
  readonly keep: Uint8Array | undefined;
}

/**
 * A growing list of blocks of bytes in one file, for what may be lost but never wrong: answers of a Provisioning Server.
 * Adding is cheap and not synced: a power cut may lose or tear the newest. Emptying or rewriting it is durable. Every
 * block's checksum holds the one before it: none can be changed, dropped or moved in the middle unnoticed.
 *
 * `ERR_STORAGE`: the file is in a newer format than this library knows (nothing is touched), or the storage failed.
 *
 * @example
 * ```ts
 * const journal = new Journal({ storage, name: "rights", format: 2 });
 * const { blocks } = await journal.load();
 * await journal.append(block);
 * await journal.rewrite(); // durable: nothing from before comes back
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

  /** Reads all blocks that hold. Writes nothing: what is damaged is cut off by the next `append` or `rewrite`. */
  load(): Promise<LoadedJournal> {
    return this.#queue.run(async () => {
      const { blocks, problem, older } = await this.#look();
      return { blocks, ...(problem !== undefined && { problem }), ...(older !== undefined && { older }) };
    });
  }

  /** Adds a block in one write. Not synced. It is taken as it is at the call; an empty one is none. */
  async append(block: Uint8Array): Promise<void> {
    const copy = new Uint8Array(block);
    if (copy.length > 0) await this.#queue.run(() => this.#append(copy));
  }

  /**
   * Puts this block in the place of all that was added before this call; without one there is nothing left. Durable
   * once resolved. It is taken as it is at the call.
   */
  async rewrite(block: Uint8Array = new Uint8Array(0)): Promise<void> {
    const copy = new Uint8Array(block);
    await this.#queue.run(() => this.#rewrite(copy));
  }

  async #append(block: Uint8Array): Promise<void> {
    const tail = await this.#known();
    if (tail === undefined) return this.#rewrite(block); // no file that can be added to
    const added = encodeBlock(tail.chain, block);
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

  async #rewrite(block: Uint8Array): Promise<void> {
    await this.#known(); // refuses a newer format
    const header = encodeHeader(this.#name, this.#format, this.#random);
    const body = block.length === 0 ? { content: block, chain: header.chain } : encodeBlock(header.chain, block);
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
      return { blocks: [], chain: undefined, good: 0, problem: `"${this.#name}" is damaged (${error.message})` };
    }
    this.#bytes = content?.length ?? 0;
    if (content === undefined) return { blocks: [], chain: undefined, good: 0, problem: undefined };
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
