// The tags that are registered: those of the program, and a KEY (XEP-0347 6.5); and those that are told once the Thing is
// claimed (XEP-0347 3.13, 6.4).
import { ConfigError } from "../core/errors.ts";
import { keyLast, toTagChanges, type Tag, type Tags } from "../codec/tags.ts";

/** The tags with a KEY at their end. One that the program gave, a sticker, is taken as it is. */
export function withKey(tags: readonly Tag[], made: string): readonly Tag[] {
  if (tags.some((tag) => tag.name === "KEY")) return keyLast(tags);
  return [...tags, { name: "KEY", type: "str", value: made }];
}

/** The tags without KEY. */
export function withoutKey(tags: readonly Tag[]): readonly Tag[] {
  return tags.filter(({ name }) => name !== "KEY");
}

/** The KEY that the program gave, if it did: a secret like one that was made. */
export function keysIn(tags: readonly Tag[]): readonly string[] {
  return tags.filter(({ name }) => name === "KEY").map(({ value }) => String(value));
}

/**
 * What a program wants the Registry to say of a Thing or node once it is claimed (XEP-0347 3.13, 6.4). Throws `ERR_CONFIG`
 * naming the tag. `KEY` is none of them: it is emptied by itself (XEP-0347 6.5).
 */
export function toOwnChanges(tags: Tags, option: string): readonly Tag[] {
  const changes = toTagChanges(tags, option);
  if (changes.every(({ name }) => name !== "KEY")) return changes;
  throw new ConfigError(`${option}.KEY: is emptied by itself after a claim (XEP-0347 6.5)`);
}

/** Tags with others in the place of those of the same names. */
export function withTags(tags: readonly Tag[], others: readonly Tag[]): readonly Tag[] {
  const byName = new Map([...tags, ...others].map((tag) => [tag.name, tag]));
  return [...byName.values()];
}

/** The same; the same list if nothing changes, so that what a program says again and again costs the disk nothing. */
export function withChanges(tags: readonly Tag[], changes: readonly Tag[]): readonly Tag[] {
  const isNew = (change: Tag): boolean => !tags.some((tag) => isSameTag(tag, change));
  return changes.some(isNew) ? withTags(tags, changes) : tags;
}

/** What a Registry holds of a Thing or node, as far as is known; `KEY` is no part of it. */
export interface HeldTags {
  /** What it was told last and has acknowledged. */
  readonly tags: readonly Tag[];
  /** The names of which it was told something, and has not answered: it may hold the one or the other. */
  readonly unsure: readonly string[];
}

/**
 * What is to be told a Registry that holds those tags, so that it holds these (XEP-0347 3.13): only what differs, and an
 * empty text for what is to be gone (D-E9). Empty if there is nothing to tell.
 */
export function tagDifferences(wanted: readonly Tag[], { tags, unsure }: HeldTags): readonly Tag[] {
  const isTold = ({ name }: Tag): boolean => name !== "KEY";
  const [want, held] = [wanted, tags].map((list) => new Map(list.filter(isTold).map((tag) => [tag.name, tag])));
  const names = new Set([...(want?.keys() ?? []), ...(held?.keys() ?? []), ...unsure]);
  return [...names].flatMap((name): readonly Tag[] => {
    const [now, before] = [shown(want?.get(name)), shown(held?.get(name))];
    if (!unsure.includes(name) && (now === undefined ? before === undefined : before && isSameTag(now, before)))
      return [];
    return [now ?? { name, type: "str", value: "" }];
  });
}

/** A tag that is hidden is as good as none. */
const shown = (tag: Tag | undefined): Tag | undefined => (tag?.value === "" ? undefined : tag);

/** Whether they say the same of the same. */
export function isSameTag(one: Tag, other: Tag): boolean {
  return one.name === other.name && one.type === other.type && one.value === other.value;
}
