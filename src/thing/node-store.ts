// What is kept of a node over restarts: a small document for each node that has something to keep, so that a thousand nodes
// never cost the disk a thousand times the whole (XEP-0347 3.8). A node that nobody has claimed has none.
import { createHash } from "node:crypto";
import { StorageError, messageOf } from "../core/errors.ts";
import { nodeKey, type NodeRef } from "../codec/node-ref.ts";
import type { Tag } from "../codec/tags.ts";
import { decodeDocument, encodeDocument } from "../storage/document-file.ts";
import { codeOf } from "../storage/file-system.ts";
import { NewerFormatError } from "../storage/newer-format.ts";
import { removeIfThere, type Storage } from "../storage/storage.ts";
import { list, object, parseOwnership, parseKeptTags, parseTriple, keptTags, text } from "./saved-parts.ts";
import type { Ownership } from "./ownership.ts";
import { SAVED_FORMAT } from "./saved.ts";

/** What is kept of a node. */
export interface NodeRecord {
  /** Whose it is. */
  readonly ownership: Ownership;
  /** How many owners have known a KEY of it that was made here: each gets another one. */
  readonly count: number;
  /** What the program wants told of it beside its definition, once it is claimed and public. */
  readonly wanted: readonly Tag[];
  /** What the Registry holds of its tags, without `KEY`, once it is owned: what was registered, and what was told since and taken. */
  readonly told: readonly Tag[];
  /** The names of which it was told something, and has not answered: it may hold the one or the other. */
  readonly unsure: readonly string[];
}

/** A node of which nothing is kept. */
export const freshNode: NodeRecord = { ownership: { is: "unregistered" }, count: 0, wanted: [], told: [], unsure: [] };

/** What was found of a node. */
export type FoundNode =
  /** Nothing is kept of it. */
  | { readonly is: "none" }
  | { readonly is: "read"; readonly node: NodeRef; readonly mark: string; readonly record: NodeRecord }
  /** It cannot be read. */
  | { readonly is: "damaged"; readonly why: string };

const FORMAT = 1;

/** The name of a node's document: the triple may hold what no file name can. */
export function nodeDocument(node: NodeRef): string {
  return `node-${createHash("sha256").update(nodeKey(node)).digest("hex").slice(0, 32)}`;
}

/** Tells whether a name is that of a node's document. */
export const isNodeDocument = (name: string): boolean => /^node-[0-9a-f]{32}$/.test(name);

/**
 * Reads what stands under the name of a node's document. There is no generation before: it would tell of an owner who may
 * be none any more, where the Registry knows (XEP-0347 3.6). Rejects with `ERR_STORAGE` for a format newer than this
 * library, and for a disk that cannot be read.
 */
export async function readNode(storage: Storage, name: string): Promise<FoundNode> {
  let content: Uint8Array | undefined;
  try {
    content = await storage.read(name);
  } catch (error) {
    // A bad block is damage like any other.
    if (error instanceof Error && codeOf(error.cause) === "EIO") return { is: "damaged", why: messageOf(error) };
    throw error;
  }
  return content === undefined ? { is: "none" } : decode(name, content);
}

function decode(name: string, content: Uint8Array): FoundNode {
  const found = decodeDocument(name, content);
  if (found === undefined) return { is: "damaged", why: `"${name}" is damaged (its checksum is wrong)` };
  if (found.format > FORMAT) throw new NewerFormatError(name, found.format, FORMAT, found.by);
  try {
    const value = object(found.value);
    const node = parseTriple(object(value["node"]));
    if (nodeDocument(node) !== name) throw new TypeError("another node's");
    const { count } = value;
    if (!Number.isSafeInteger(count) || (count as number) < 0) throw new TypeError("no count");
    const record: NodeRecord = {
      ownership: parseOwnership(object(value["ownership"]), SAVED_FORMAT),
      count: count as number,
      wanted: parseKeptTags(value["wanted"]),
      told: parseKeptTags(value["told"]),
      unsure: value["unsure"] === undefined ? [] : list(value["unsure"]).map(text),
    };
    return { is: "read", node, mark: text(value["mark"]), record };
  } catch (error) {
    return { is: "damaged", why: `"${name}" is damaged (${messageOf(error)})` };
  }
}

/** Tells whether there is nothing to keep of a node: what it is it becomes again by registering at the next start. */
export function isFresh({ ownership, count, wanted, told, unsure }: NodeRecord): boolean {
  if (count > 0 || wanted.length > 0 || told.length > 0 || unsure.length > 0) return false;
  switch (ownership.is) {
    case "unregistered":
      return ownership.leaving === undefined;
    case "registered":
      return ownership.disownedBy === undefined;
    case "selfOwned":
      return ownership.listed;
    case "claimed":
      return false;
  }
}

/** The documents of the nodes of one Thing. */
export class NodeStore {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** What is kept of a node, whoever's it is. */
  load(node: NodeRef): Promise<FoundNode> {
    return readNode(this.#storage, nodeDocument(node));
  }

  /**
   * Keeps what is to be kept of a node, in one write; durable once resolved. Nothing to keep: the document goes.
   *
   * @param mark of the secret of the Thing that it is a node of: after a factory reset it is another Thing
   */
  async save(node: NodeRef, record: NodeRecord, mark: string): Promise<void> {
    if (isFresh(record)) return this.remove(node);
    const name = nodeDocument(node);
    const { ownership, count, wanted, told, unsure } = record;
    const kept = { ownership, count, wanted: keptTags(wanted), told: keptTags(told) };
    const value = { node, mark, ...kept, ...(unsure.length > 0 && { unsure }) };
    const content = encodeDocument(name, FORMAT, value);
    if (decode(name, content).is !== "read") {
      throw new StorageError(`document "${name}": this could not be read again; nothing was written`);
    }
    await this.#storage.replace(name, content);
  }

  /** Forgets a node; durable once resolved. */
  remove(node: NodeRef): Promise<void> {
    return removeIfThere(this.#storage, nodeDocument(node));
  }
}
