// XEP-0347 Internet of Things - Discovery 0.5.1: tags as the Registry keeps and compares them (3.9, 3.13, 5.2, 6.6).
import { createHash } from "node:crypto";
import { Refusal } from "../core/refusal.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { LONGEST_TAG_VALUE, tagProblem, type Tag } from "../codec/tags.ts";

/** The names that every Registry has to support (XEP-0347 5.2, D-5.2-8, D-6.6-2). */
const PREDEFINED: ReadonlySet<string> = new Set(
  "ALT APT AREA BLD CITY CLASS COUNTRY KEY LAT LON MAN MLOC MNR MODEL NAME PURL REGION ROOM SN STREET STREETNR V".split(
    " ",
  ),
);

/**
 * The tags beside the predefined ones that are kept of a Thing (D-5.2-6, D-5.2-7, D-6.6-1): at most so many, or those
 * of certain names, in upper case.
 */
export type OtherTags = number | ReadonlySet<string>;

/** Whether a name is that of the secret between Thing and owner, in any case of letters (XEP-0347 6.5). */
export function isKey(name: string): boolean {
  // Two ways, since a letter exists (the Kelvin sign) that only one of them takes for a K.
  return name.toUpperCase() === "KEY" || name.toLowerCase() === "key";
}

/**
 * Refuses, with `bad-request`, tags that break the limits of XEP-0347 5.2 (D-E28), name one twice or are too many. Gives
 * them as they are meant: the `{}` that a printed edition of the XEP has made of an empty KEY is an empty one (D-E2).
 */
export function readTags(tags: readonly Tag[], others: OtherTags): readonly Tag[] {
  const names = new Set<string>();
  for (const tag of tags) {
    const problem =
      tagProblem(tag) ??
      (names.has(tag.name) ? "the name is given twice" : undefined) ??
      (tag.type === "num" && tag.text.length > LONGEST_TAG_VALUE
        ? `a number has more than ${LONGEST_TAG_VALUE} characters`
        : undefined);
    // Neither name nor value: they may hold what is no XML, or the KEY.
    if (problem !== undefined) throw new Refusal("bad-request", `A tag breaks XEP-0347 5.2: ${problem}.`);
    names.add(tag.name);
  }
  checkNumber(tags, others);
  return tags.map((tag) => (isKey(tag.name) && tag.value === "{}" ? { ...tag, type: "str", value: "" } : tag));
}

/** The longest id of a node, of its source and of its cache type. */
export const LONGEST_NODE_TEXT = 1_024;

/**
 * Refuses, with `bad-request`, a node whose names are very long. No XEP limits them; but every search that finds the node
 * repeats them, and one page of it must not be more than a client takes.
 */
export function checkNodeNames(node: NodeRef | undefined): void {
  for (const text of [node?.nodeId, node?.sourceId, node?.cacheType]) {
    if ((text?.length ?? 0) > LONGEST_NODE_TEXT) {
      throw new Refusal("bad-request", `A node, source or cache type of more than ${LONGEST_NODE_TEXT} characters.`);
    }
  }
}

/** Refuses, with `bad-request`, more tags of own names than a Thing may have. */
export function checkNumber(tags: readonly Tag[], others: OtherTags): void {
  if (typeof others !== "number") return; // of those not named none is kept
  const count = tags.filter(({ name }) => !PREDEFINED.has(name)).length;
  if (count > others) throw new Refusal("bad-request", `More than ${others} tags beside those of XEP-0347 5.2.`);
}

/** Those that are kept: emptied ones are none (D-E9). The predefined ones always are (D-6.6-2). */
export function keptTags(tags: readonly Tag[], others: OtherTags): readonly Tag[] {
  return tags.filter(
    ({ name, value }) => value !== "" && (typeof others === "number" || PREDEFINED.has(name) || others.has(name)),
  );
}

/**
 * What two lists of tags have in common exactly when they are the same: in any order, names without regard to case,
 * the same types, strings equal by character, numbers as doubles (D-E10). A digest, so that comparing takes the same
 * time however much of a KEY was guessed, and the KEY cannot be read from what is kept. Emptied tags are none (D-E9).
 */
export function fingerprint(tags: readonly Tag[]): string {
  const canonical = tags
    .filter(({ value }) => value !== "")
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
