// XEP-0347 3.14: what an owner changes.
import { ConfigError } from "../core/errors.ts";
import { foldTagName, tagProblem, toTags, type Tag, type Tags } from "../codec/tags.ts";

/**
 * The tags of an update, checked. An empty text takes a tag away, also one that is a number: the Registry may not take
 * that, but there is no other way (D-E9). Throws `ERR_CONFIG` naming the tag, and for none at all.
 */
export function changedTags(tags: Tags): readonly Tag[] {
  if (typeof tags !== "object" || (tags as unknown) === null)
    throw new ConfigError('tags: must be an object, { ROOM: "4" }');
  const entries = Object.entries(tags);
  if (entries.length === 0) throw new ConfigError("tags: name at least one tag");
  const taken = entries.filter(([, value]) => value === "").map(([name]) => removal(name));
  const set = toTags(Object.fromEntries(entries.filter(([, value]) => value !== "")));
  const all = [...set, ...taken];
  const twice = all.find(({ name }, index) => all.findIndex((other) => other.name === name) < index);
  if (twice !== undefined) throw new ConfigError(`tags.${twice.name}: is given twice: names differ in more than case`);
  return all;
}

function removal(given: string): Tag {
  const tag = { name: foldTagName(given), type: "str", value: "" } as const;
  const problem = tagProblem(tag);
  if (problem !== undefined) throw new ConfigError(`tags.${given}: ${problem}`);
  return tag;
}
