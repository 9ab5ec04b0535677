// How a node lives, as pure functions: what the Registry says changes its record, and what is to be done follows from that
// (XEP-0347 3.6 to 3.17). Nothing is lost with a stream or a power cut, since all of it is derived.
import type { BareJid } from "../core/jid.ts";
import type { Tag } from "../codec/tags.ts";
import type { NodeSettings } from "./node-definition.ts";
import { freshNode, type NodeRecord } from "./node-store.ts";
import { tagDifferences, withChanges, withTags, withoutKey } from "./tags.ts";
import { isFindable, leavingWith, ownershipAfter, registryIn, type OwnershipEvent } from "./ownership.ts";

/** What can happen to a node: to its ownership, and to its tags. */
export type NodeEvent =
  | Exclude<OwnershipEvent, { type: "reset" }>
  /** The Registry is about to be told these tags. */
  | { readonly type: "telling"; readonly tags: readonly Tag[] }
  /** The Registry has taken these tags. */
  | { readonly type: "told"; readonly tags: readonly Tag[] }
  /** The program wants these tags told. */
  | { readonly type: "wanted"; readonly tags: readonly Tag[] };

/** What is to be done about a node on the wire. */
export type NodeTask =
  /** The Registry is to forget an owner of before (XEP-0347 3.16). */
  | { readonly do: "unregister"; readonly registry: BareJid }
  | { readonly do: "register"; readonly disownedBy?: BareJid }
  /** Tags have to change in the Registry (XEP-0347 3.13), `KEY` first of all (6.5). */
  | { readonly do: "update"; readonly tags: readonly Tag[] }
  | { readonly do: "askOwner"; readonly owner: BareJid };

/** The record after an event; the same object if nothing changes. */
export function nodeAfter(record: NodeRecord, event: NodeEvent): NodeRecord {
  if (event.type === "telling") {
    const names = event.tags.map(({ name }) => name).filter((name) => name !== "KEY");
    return { ...record, unsure: [...new Set([...record.unsure, ...names])] };
  }
  if (event.type === "told") {
    if (event.tags.length === 0) return record;
    const unsure = record.unsure.filter((name) => !event.tags.some((tag) => tag.name === name));
    return { ...record, told: withTags(record.told, event.tags), unsure };
  }
  if (event.type === "wanted") {
    const wanted = withChanges(record.wanted, event.tags);
    return wanted === record.wanted ? record : { ...record, wanted };
  }
  const ownership = ownershipAfter(record.ownership, event);
  if (ownership === record.ownership) return record;
  // Another KEY for the next one: who is the owner no more has seen this one (XEP-0347 6.5, 3.17).
  if (event.type === "disowned") return { ...record, ownership, count: record.count + 1, told: [], unsure: [] };
  const isTold = event.type === "keyEmptied" || event.type === "ownerAsked";
  // The Registry holds what was registered, or nothing.
  return isTold || isSameOwner(record, ownership)
    ? { ...record, ownership }
    : { ...record, ownership, told: [], unsure: [] };
}

function isSameOwner({ ownership: before }: NodeRecord, after: NodeRecord["ownership"]): boolean {
  if (before.is === "claimed") return after.is === "claimed" && after.listed && before.listed;
  return before.is === after.is;
}

/** The record after a factory reset: what the Registry may know is to be taken back there, and the next owner is another one. */
export function nodeAfterReset(registry: BareJid | undefined): NodeRecord {
  return registry === undefined ? freshNode : { ...freshNode, ownership: leavingWith({ registry, friends: false }) };
}

/** The record where another Registry counts: an owner stays, what was to be taken back at the one before stays there. */
export function nodeAt(record: NodeRecord, registry: BareJid): NodeRecord {
  const { ownership } = record;
  if (ownership.is === "unregistered") {
    const left = ownership.leaving?.registry;
    return left === undefined || left === registry ? record : { ...record, ownership: { is: "unregistered" } };
  }
  return registryIn(ownership) === registry ? record : { ...record, ownership: { ...ownership, registry } };
}

/**
 * What is to be done next; `undefined`: nothing.
 *
 * @param isRegistered whether the node was registered on this stream: one that is not known to be claimed is at each start,
 * and a claim that was missed comes with the answer (XEP-0347 3.6)
 */
export function nodeTask(settings: NodeSettings, record: NodeRecord, isRegistered: boolean): NodeTask | undefined {
  const { ownership } = record;
  switch (ownership.is) {
    case "unregistered": {
      const registry = ownership.leaving?.registry;
      return registry === undefined ? { do: "register" } : { do: "unregister", registry };
    }
    case "registered":
      if (isRegistered) return undefined;
      return { do: "register", ...(ownership.disownedBy !== undefined && { disownedBy: ownership.disownedBy }) };
    case "selfOwned":
      // One that is to be claimed from now on.
      if (!settings.selfOwned) return isRegistered ? undefined : { do: "register" };
      break;
    case "claimed":
      break;
  }
  // Before the Registry is told anything: one that refuses it for ever would keep the owner from becoming a friend.
  if (ownership.is === "claimed" && !ownership.ownerAsked) return { do: "askOwner", owner: ownership.owner };
  const tags = tagsToTell(settings, record);
  return tags.length > 0 ? { do: "update", tags } : undefined;
}

/** The tags that differ from what the Registry holds: only those go out, and none of a node that nobody can find (D-E19). */
export function tagsToTell(settings: NodeSettings, record: NodeRecord): readonly Tag[] {
  const { ownership } = record;
  const key: readonly Tag[] =
    ownership.is === "claimed" && ownership.listed && !ownership.keyEmptied
      ? [{ name: "KEY", type: "str", value: "" }]
      : [];
  if (!isFindable(ownership)) return key;
  const defined = withoutKey(settings.tags);
  // One that owns itself registers what is defined; of one that was claimed the record tells what it was claimed with.
  const held = ownership.is === "claimed" ? record.told : withTags(defined, record.told);
  const wanted = withTags(withTags(defined, settings.tagsAfterClaim), record.wanted);
  return [...key, ...tagDifferences(wanted, { tags: held, unsure: record.unsure })];
}
