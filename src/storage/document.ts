import { ConfigError, messageOf, StorageError } from "../core/errors.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import { sameBytes } from "./bytes.ts";
import { codeOf } from "./file-system.ts";
import { decodeDocument, encodeDocument } from "./document-file.ts";
import { NewerFormatError } from "./newer-format.ts";
import type { Storage } from "./storage.ts";

/** What a `Document` is made of. */
export interface DocumentOptions<T> {
  /** Where it is kept. Must be open before the first call. */
  readonly storage: Storage;
  /** The name it is kept under; the generation before it is under `<name>.previous`. */
  readonly name: string;
  /** The version of the value's shape that this library writes, from 1 up. */
  readonly format: number;
  /**
   * Checks what was read and gives it its type; what it throws counts as damage. `format` is the one it was written in,
   * never a newer one than the library's.
   */
  readonly parse: (value: unknown, format: number) => T;
}

/** What `Document.load` found. */
export interface LoadedDocument<T> {
  /** The value; `undefined` only with the source `none`. */
  readonly value: T | undefined;
  /**
   * The newest generation, the one before it because the newest cannot be read, or nothing because nothing was ever
   * saved.
   */
  readonly source: "current" | "previous" | "none";
  /** What was wrong with the newest generation, with the source `previous`. */
  readonly problem?: string;
}

type Examined<T> =
  | { readonly kind: "absent" }
  | { readonly kind: "damaged"; readonly why: string }
  | { readonly kind: "good"; readonly value: T; readonly content: Uint8Array };

/**
 * One JSON value with a version and a checksum, kept with its previous generation. At every moment of a crash at least
 * one of the two can be read. What cannot be read is never taken for nothing: a Thing must not start as a new one
 * because its disk is damaged.
 *
 * `ERR_STORAGE`: no generation can be read, one is in a newer format than this library knows (nothing is touched), or
 * the storage failed.
 *
 * @example
 * ```ts
 * const identity = new Document({ storage, name: "identity", format: 1, parse: parseIdentity });
 * const { value, source } = await identity.load();
 * ```
 */
export class Document<T> {
  readonly #options: DocumentOptions<T>;
  readonly #queue = new SerialQueue();
  /** What is under the name: `undefined` content when nothing readable, `undefined` altogether when not known. */
  #stored: { readonly content: Uint8Array | undefined } | undefined;

  /** Throws `ERR_CONFIG` if `format` is not a whole number from 1 up. */
  constructor(options: DocumentOptions<T>) {
    if (!Number.isSafeInteger(options.format) || options.format < 1) {
      throw new ConfigError(`document "${options.name}": format must be a whole number from 1 up`);
    }
    this.#options = options;
  }

  /** Reads the newest generation, or the one before it if the newest is damaged. */
  load(): Promise<LoadedDocument<T>> {
    return this.#queue.run(() => this.#load());
  }

  /**
   * Makes this value the newest generation, and what was the newest the previous one. Durable once resolved. Writes
   * nothing if nothing changed. The value is taken as it is at the call.
   *
   * `ERR_CONFIG`: not a JSON value. `ERR_STORAGE` also when `parse` would refuse the value: what could not be read
   * again is not written.
   */
  async save(value: T): Promise<void> {
    const { name, format } = this.#options;
    const content = encodeDocument(name, format, value);
    const readBack = this.#decode(name, content);
    if (readBack.kind === "damaged") {
      throw new StorageError(
        `document "${name}": this value could not be read again (${readBack.why}); nothing was written`,
      );
    }
    await this.#queue.run(() => this.#save(content));
  }

  async #load(): Promise<LoadedDocument<T>> {
    const { name } = this.#options;
    this.#stored = undefined;
    const current = await this.#examine(name);
    if (current.kind === "good") {
      this.#stored = { content: current.content };
      return { value: current.value, source: "current" };
    }
    const previous = await this.#examine(`${name}.previous`);
    if (current.kind === "absent" && previous.kind === "absent") {
      this.#stored = { content: undefined };
      return { value: undefined, source: "none" };
    }
    const problem = `"${name}" ${describe(current)}`;
    if (previous.kind === "good") {
      this.#stored = { content: undefined };
      return { value: previous.value, source: "previous", problem: `${problem}; the previous generation is used` };
    }
    throw new StorageError(
      `${problem}, and "${name}.previous" ${describe(previous)}; put a backup in its place, or remove both to start anew`,
    );
  }

  async #save(content: Uint8Array): Promise<void> {
    const { storage, name } = this.#options;
    if (this.#stored === undefined) await this.#load();
    const before = this.#stored?.content;
    if (before !== undefined && sameBytes(before, content)) return;
    this.#stored = undefined; // not known until both are through
    // A damaged newest generation must not take the place of the good one before it.
    if (before !== undefined) await storage.replace(`${name}.previous`, before);
    await storage.replace(name, content);
    this.#stored = { content };
  }

  async #examine(name: string): Promise<Examined<T>> {
    let content: Uint8Array | undefined;
    try {
      content = await this.#options.storage.read(name);
    } catch (error) {
      // A bad block is damage like any other; whatever else keeps us from reading says nothing about the content.
      if (error instanceof Error && codeOf(error.cause) === "EIO") return { kind: "damaged", why: messageOf(error) };
      throw error;
    }
    return content === undefined ? { kind: "absent" } : this.#decode(name, content);
  }

  #decode(name: string, content: Uint8Array): Examined<T> {
    const found = decodeDocument(this.#options.name, content);
    if (found === undefined) return { kind: "damaged", why: "its checksum is wrong" };
    const { format, parse } = this.#options;
    if (found.format > format) {
      throw new NewerFormatError(name, found.format, format, found.by);
    }
    try {
      return { kind: "good", value: parse(found.value, found.format), content };
    } catch (error) {
      return { kind: "damaged", why: messageOf(error) };
    }
  }
}

function describe(examined: Examined<unknown>): string {
  return examined.kind === "damaged" ? `is damaged (${examined.why})` : "is missing";
}
