// Control characters, and those that turn the direction of a line.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A text for a terminal: names that strangers made up may stand in it, and a terminal obeys some characters. */
export function printable(text: string): string {
  return text.replace(unprintable, "?");
}
