// XEP-0347 3.14: what an owner changes.
import { ConfigError } from "../core/errors.ts";
import { toTagChanges, type Tag, type Tags } from "../codec/tags.ts";

/**
 * The tags of an update, checked. `KEY` can be emptied only: it is the secret of a claim, and a claimed Thing has none
 * (XEP-0347 6.5). Throws `ERR_CONFIG` naming the tag, and for none at all.
 */
export function changedTags(tags: Tags): readonly Tag[] {
  const changes = toTagChanges(tags, "tags");
  if (changes.length === 0) throw new ConfigError("tags: name at least one tag");
  if (changes.every(({ name, value }) => name !== "KEY" || value === "")) return changes;
  throw new ConfigError(
    "tags.KEY: a claimed Thing has no KEY; all that can be done with it is to empty it (XEP-0347 6.5)",
  );
}
