// XEP-0347 Internet of Things - Discovery 0.5.1: tags as the Registry keeps and compares them (3.9, 3.13, 5.2, 6.6).
import { createHash } from "node:crypto";
import { Refusal } from "../core/refusal.ts";
import { tagProblem, type Tag } from "../codec/tags.ts";

/** How many tags the Registry keeps of one Thing (XEP-0347 6.6). There are 22 predefined ones. */
export const MOST_TAGS = 64;

/** Refuses, with `bad-request`, tags that break the limits of XEP-0347 5.2 (D-E28) or name one twice. */
export function checkTags(tags: readonly Tag[]): void {
  if (tags.length > MOST_TAGS) throw new Refusal("bad-request", `More than ${MOST_TAGS} tags.`);
  const names = new Set<string>();
  for (const tag of tags) {
    const problem = tagProblem(tag) ?? (names.has(tag.name) ? "the name is given twice" : undefined);
    // Neither name nor value: they may hold what is no XML, or the KEY.
    if (problem !== undefined) throw new Refusal("bad-request", `A tag breaks XEP-0347 5.2: ${problem}.`);
    names.add(tag.name);
  }
}

/**
 * What two lists of tags have in common exactly when they are the same: in any order, names without regard to case,
 * the same types, strings equal by character, numbers as doubles (D-E10). A digest, so that comparing takes the same
 * time however much of a KEY was guessed, and the KEY cannot be read from what is kept.
 */
export function fingerprint(tags: readonly Tag[]): string {
  const canonical = tags
    .map((tag) => [tag.name, tag.value]) // in JSON no number is a text, and every double has one form
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(canonical)).digest("hex");
}

/**
 * The tags after an update: those named are replaced whatever their type, an empty string takes one away, the others
 * stay (XEP-0347 3.13, D-E9).
 */
export function mergeTags(tags: readonly Tag[], changes: readonly Tag[]): readonly Tag[] {
  const merged = new Map(tags.map((tag) => [tag.name, tag]));
  for (const tag of changes) {
    if (tag.value === "") merged.delete(tag.name);
    else merged.set(tag.name, tag);
  }
  return [...merged.values()];
}
