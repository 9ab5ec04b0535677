// The records of a Registry in memory, found by what it has to look for.
import type { BareJid } from "../core/jid.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { SearchOperator } from "../codec/search.ts";
import { recordKey, type RegistryRecord } from "./registry-records.ts";
import { RegistryIndex, type FoundPage } from "./registry-search.ts";
import type { Looks } from "./registry-search-cursor.ts";
import { fingerprint } from "./registry-tags.ts";

/** What a change has replaced: the records of before, by their keys; `undefined` where there was none. */
export type TableUndo = ReadonlyMap<string, RegistryRecord | undefined>;

/** Keys by something that several records may have; mostly one has, and a set for each would be most of the memory. */
class KeysBy {
  readonly #keys = new Map<string, string | Set<string>>();

  get(of: string): readonly string[] {
    const keys = this.#keys.get(of);
    return keys === undefined ? [] : typeof keys === "string" ? [keys] : [...keys];
  }

  count(of: string): number {
    const keys = this.#keys.get(of);
    return keys === undefined ? 0 : typeof keys === "string" ? 1 : keys.size;
  }

  add(of: string, key: string): void {
    const keys = this.#keys.get(of);
    if (keys === undefined) this.#keys.set(of, key);
    else if (typeof keys !== "string") keys.add(key);
    else if (keys !== key) this.#keys.set(of, new Set([keys, key]));
  }

  delete(of: string, key: string): void {
    const keys = this.#keys.get(of);
    if (keys === key) this.#keys.delete(of);
    else if (keys instanceof Set && keys.delete(key) && keys.size === 0) this.#keys.delete(of);
  }
}

/** The records, in the order in which they first came, and what finds them. */
export class RegistryTable {
  readonly #records = new Map<string, RegistryRecord>();
  readonly #byAccount = new KeysBy();
  readonly #byTags = new KeysBy();
  readonly #byOwner = new KeysBy();
  readonly #byNotice = new Map<string, string>();
  readonly #index = new RegistryIndex<RegistryRecord>();
  /** What the change under way has replaced. */
  #undo: Map<string, RegistryRecord | undefined> | undefined;

  /** How many there are. */
  get size(): number {
    return this.#records.size;
  }

  /** All of them. */
  all(): IterableIterator<RegistryRecord> {
    return this.#records.values();
  }

  /** The record of a Thing. */
  find(jid: BareJid, node?: NodeRef): RegistryRecord | undefined {
    return this.#records.get(recordKey({ jid, node }));
  }

  /** The record with a key. */
  at(key: string): RegistryRecord | undefined {
    return this.#records.get(key);
  }

  /** The records of an account: a Thing, and the nodes behind it. */
  of(jid: BareJid): RegistryRecord[] {
    return this.#pick(this.#byAccount.get(jid));
  }

  /** How many records an account has. */
  count(jid: BareJid): number {
    return this.#byAccount.count(jid);
  }

  /** Those that registered tags with this fingerprint. */
  registeredAs(print: string): readonly RegistryRecord[] {
    return this.#pick(this.#byTags.get(print));
  }

  /** Those that somebody owns. */
  ownedBy(owner: BareJid): readonly RegistryRecord[] {
    return this.#pick(this.#byOwner.get(owner));
  }

  /** The one that a notice is about. */
  noticed(id: string): RegistryRecord | undefined {
    const key = this.#byNotice.get(id);
    return key === undefined ? undefined : this.#records.get(key);
  }

  /** Those that a search finds (XEP-0347 3.15). */
  search(
    operators: readonly SearchOperator[],
    offset: number,
    maxCount: number,
    looks?: Looks,
  ): FoundPage<RegistryRecord> {
    return this.#index.search(operators, offset, maxCount, looks);
  }

  /** Puts a record in the place of the one with the same key, or behind all others. */
  put(record: RegistryRecord): void {
    this.#set(recordKey(record), record);
  }

  /** Takes a record away. */
  delete(key: string): void {
    this.#set(key, undefined);
  }

  /** Fills an empty table with what was kept. */
  fill(records: readonly RegistryRecord[]): void {
    for (const record of records) this.#link(recordKey(record), record);
    this.#index.fill(records.map((record) => [recordKey(record), record]));
  }

  /** Makes a change, of which nothing stays if it throws. Gives what came of it, and how to take it back. */
  attempt<T>(change: () => T): { readonly undo: TableUndo; readonly result: () => T } {
    const undo = new Map<string, RegistryRecord | undefined>();
    this.#undo = undo;
    try {
      const value = change();
      return { undo, result: () => value };
    } catch (error) {
      this.takeBack(undo);
      return {
        undo: new Map(),
        result: () => {
          throw error;
        },
      };
    } finally {
      this.#undo = undefined;
    }
  }

  /** Takes back the newest change. */
  takeBack(undo: TableUndo): void {
    this.#undo = undefined;
    for (const [key, before] of undo) this.#set(key, before);
  }

  #set(key: string, record: RegistryRecord | undefined): void {
    const before = this.#records.get(key);
    if (this.#undo?.has(key) === false) this.#undo.set(key, before);
    this.#unlink(key);
    if (record === undefined) {
      this.#records.delete(key);
      this.#index.delete(key);
    } else {
      this.#link(key, record);
      this.#index.put(key, record);
    }
  }

  #link(key: string, record: RegistryRecord): void {
    this.#records.set(key, record);
    this.#byAccount.add(record.jid, key);
    this.#byTags.add(record.registered, key);
    if (record.claim) this.#byOwner.add(record.claim.owner, key);
    for (const id of notices(record)) this.#byNotice.set(id, key);
  }

  #unlink(key: string): void {
    const record = this.#records.get(key);
    if (record === undefined) return;
    this.#byAccount.delete(record.jid, key);
    this.#byTags.delete(record.registered, key);
    if (record.claim) this.#byOwner.delete(record.claim.owner, key);
    for (const id of notices(record)) this.#byNotice.delete(id);
  }

  #pick(keys: readonly string[]): RegistryRecord[] {
    return keys.flatMap((key) => this.#records.get(key) ?? []);
  }
}

// A record is a value: what follows from it is worked out once, and only when somebody asks.
const prints = new WeakMap<RegistryRecord, string>();

/** The fingerprint of the tags that a record has now. */
export function tagPrint(record: RegistryRecord): string {
  const known = prints.get(record);
  if (known !== undefined) return known;
  const made = fingerprint(record.tags);
  prints.set(record, made);
  return made;
}

function notices({ claim, removed }: RegistryRecord): readonly string[] {
  return [claim?.notice, removed?.notice].filter((id) => id !== undefined);
}
