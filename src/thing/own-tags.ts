// What the Registry is to say of the Thing once it is claimed, and what it was told: XEP-0347 3.13, 6.4; D-E9, D-E19. Kept, so
// that a start tells what is missing, and nothing twice.
import { raceSignal } from "../core/abort.ts";
import { messageOf } from "../core/errors.ts";
import { SerialQueue } from "../core/serial-queue.ts";
import { tagProblem, type Tag } from "../codec/tags.ts";
import { Document } from "../storage/document.ts";
import { NewerFormatError } from "../storage/newer-format.ts";
import { removeIfThere, type Storage } from "../storage/storage.ts";
import type { FaultCode } from "./faults.ts";
import { tagDifferences, withChanges, withTags, withoutKey, type HeldTags } from "./tags.ts";

/** What is kept. */
export interface SavedTags {
  /** What the program has asked for by `updateTags`; an empty text hides a tag. */
  readonly wanted: readonly Tag[];
  /** What the Registry holds. Left out: the tags that were registered, whatever they are. */
  readonly held?: HeldTags;
}

/** The document that holds it: `tags`, JSON of {@link SavedTags}. */
export function tagsDocument(storage: Storage): Document<SavedTags> {
  return new Document({ storage, name: "tags", format: 1, parse: parseSavedTags });
}

/** Reads what was kept. Throws if it is not whole. */
export function parseSavedTags(value: unknown): SavedTags {
  const { wanted, held } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (held === undefined) return { wanted: parseTagList(wanted) };
  const { tags, unsure } = (held ?? {}) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(unsure) || unsure.some((name) => typeof name !== "string")) throw new TypeError("no names");
  return { wanted: parseTagList(wanted), held: { tags: parseTagList(tags), unsure: unsure as string[] } };
}

function parseTagList(value: unknown): readonly Tag[] {
  if (!Array.isArray(value)) throw new TypeError("no tags");
  const tags = value.map(parseTag);
  if (new Set(tags.map(({ name }) => name)).size !== tags.length) throw new TypeError("a tag twice");
  return tags;
}

function parseTag(given: unknown): Tag {
  const { name, type, value, text } = (given ?? {}) as Readonly<Record<string, unknown>>;
  const tag = { name, type, value, ...(type === "num" && { text }) } as Tag;
  const isWhole = typeof name === "string" && (type === "num" ? typeof text === "string" : type === "str");
  if (!isWhole || typeof value !== (type === "num" ? "number" : "string")) throw new TypeError("no tag");
  if (name === "KEY" || tagProblem(tag) !== undefined) throw new TypeError("a tag that is none");
  return tag;
}

/** What {@link OwnTags} are made of. */
export interface OwnTagsOptions {
  readonly storage: Storage;
  /** The tags that are registered (the option `tags`). */
  readonly tags: readonly Tag[];
  /** What takes their place after a claim (the option `tagsAfterClaim`). */
  readonly afterClaim: readonly Tag[];
  readonly onFault: (code: FaultCode, message: string, cause?: unknown) => void;
}

const NOTHING: SavedTags = { wanted: [] };

/** The tags of a Thing, as they are to be and as the Registry has them. */
export class OwnTags {
  readonly #options: OwnTagsOptions;
  readonly #queue = new SerialQueue();
  readonly #waiting = new Set<{ wake: () => void; fail: (reason: unknown) => void }>();
  #document: Document<SavedTags>;
  #saved = NOTHING;
  /** What is on disk is to go before anything is written. */
  #remains = false;

  constructor(options: OwnTagsOptions) {
    this.#options = options;
    this.#document = tagsDocument(options.storage);
  }

  /** Reads what was kept. What is damaged is told, and all that the Thing wants told is told anew. */
  async open(): Promise<void> {
    try {
      const { value, problem } = await this.#document.load();
      this.#saved = value ?? NOTHING;
      if (problem !== undefined) this.#damaged(problem);
    } catch (error) {
      if (error instanceof NewerFormatError) throw error;
      this.#remains = true;
      this.#damaged(messageOf(error), error);
    }
  }

  #damaged(why: string, cause?: unknown): void {
    const { tags } = this.#held;
    this.#saved = { ...this.#saved, held: { tags, unsure: names([...tags, ...this.#wanted]) } };
    this.#options.onFault(
      "tags-damaged",
      `${why}; the Registry is told all tags again once the Thing is claimed`,
      cause,
    );
  }

  /** The tags of a Thing that others may find, without `KEY` and without those that are hidden. */
  get all(): readonly Tag[] {
    return this.#wanted.filter(({ value }) => value !== "");
  }

  get #wanted(): readonly Tag[] {
    const { tags, afterClaim } = this.#options;
    return withTags(withTags(withoutKey(tags), afterClaim), this.#saved.wanted);
  }

  get #held(): HeldTags {
    return this.#saved.held ?? { tags: withoutKey(this.#options.tags), unsure: [] };
  }

  /** What the Registry is to be told yet (XEP-0347 3.13). */
  differences(): readonly Tag[] {
    return tagDifferences(this.#wanted, this.#held);
  }

  /**
   * From now on the program wants these. Durable once resolved; rejects with `ERR_STORAGE`, and then nothing has changed.
   * Writes nothing if it wants them already.
   */
  want(changes: readonly Tag[]): Promise<void> {
    return this.#change((saved) => ({ ...saved, wanted: withChanges(saved.wanted, changes) }));
  }

  /**
   * The Registry is about to be told these. Durable once resolved: a power cut in the middle leaves it open what the
   * Registry has.
   */
  telling(tags: readonly Tag[]): Promise<void> {
    return this.#change((saved) => {
      const unsure = [...new Set([...this.#held.unsure, ...names(tags)])];
      return { ...saved, held: { ...this.#held, unsure } };
    });
  }

  /** The Registry has taken them. */
  async told(tags: readonly Tag[]): Promise<void> {
    await this.#change((saved) => {
      const told = names(tags);
      const unsure = this.#held.unsure.filter((name) => !told.includes(name));
      const all = withTags(this.#held.tags, tags).filter(({ value }) => value !== "");
      return { ...saved, held: { tags: all, unsure } };
    });
    this.wake();
  }

  /** The Registry is about to be told these and no others (XEP-0347 3.6). Writes nothing where that is what it holds. */
  async registering(tags: readonly Tag[]): Promise<void> {
    const differences = tagDifferences(withoutKey(tags), this.#held);
    if (this.#saved.held !== undefined && differences.length > 0) await this.telling(differences);
  }

  /** It has taken these, and has forgotten all others. */
  async registered(tags: readonly Tag[]): Promise<void> {
    await this.#change((saved) => ({ ...saved, held: { tags: withoutKey(tags), unsure: [] } }));
    this.wake();
  }

  /** Forgets all, also on disk and in the generation before. Durable once resolved. */
  async clear(): Promise<void> {
    await this.#queue.run(async () => {
      await this.#remove();
      this.#saved = NOTHING;
    });
    this.wake();
  }

  /** Resolves when the Registry has been told all, or need not be told any more; rejects when it has refused. */
  async settled(isDue: () => boolean, signal: AbortSignal): Promise<void> {
    while (isDue() && this.differences().length > 0) {
      let entry: { wake: () => void; fail: (reason: unknown) => void } | undefined;
      const news = new Promise<void>((resolve, reject) => {
        entry = { wake: resolve, fail: reject };
        this.#waiting.add(entry);
      });
      try {
        await raceSignal(news, signal);
      } finally {
        if (entry !== undefined) this.#waiting.delete(entry);
      }
    }
  }

  /** Something has changed that those who wait may wait for. */
  wake(): void {
    for (const { wake } of this.#waiting) wake();
  }

  /** The Registry has refused what it was told. It is told again later; who waits hears of it. */
  refused(reason: unknown): void {
    for (const { fail } of this.#waiting) fail(reason);
  }

  #change(how: (saved: SavedTags) => SavedTags): Promise<void> {
    return this.#queue.run(async () => {
      const next = how(this.#saved);
      if (JSON.stringify(next) === JSON.stringify(this.#saved)) return;
      if (this.#remains) await this.#remove();
      await this.#document.save(next);
      this.#saved = next;
    });
  }

  async #remove(): Promise<void> {
    const { storage } = this.#options;
    await removeIfThere(storage, "tags.previous");
    await removeIfThere(storage, "tags");
    this.#document = tagsDocument(storage); // it knew what was there
    this.#remains = false;
  }
}

const names = (tags: readonly Tag[]): readonly string[] => [...new Set(tags.map(({ name }) => name))];
