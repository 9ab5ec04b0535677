/**
 * A copy that stands for itself. What the parser hands out are slices of what came in: a name that is kept would hold
 * on to a whole stanza, or to a chunk of 16 KiB. Texts below 13 characters are never slices.
 */
export function own(text: string): string {
  return text.length < 13 ? text : Buffer.from(text, "utf8").toString("utf8");
}
