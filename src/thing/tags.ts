// The tags that are registered: those of the program, and a KEY (XEP-0347 6.5).
import { keyLast, type Tag } from "../codec/tags.ts";

/** The tags with a KEY at their end. One that the program gave, a sticker, is taken as it is. */
export function withKey(tags: readonly Tag[], made: string): readonly Tag[] {
  if (tags.some((tag) => tag.name === "KEY")) return keyLast(tags);
  return [...tags, { name: "KEY", type: "str", value: made }];
}

/** The KEY that the program gave, if it did: a secret like one that was made. */
export function keysIn(tags: readonly Tag[]): readonly string[] {
  return tags.filter(({ name }) => name === "KEY").map(({ value }) => String(value));
}
