// Control characters, and those that turn the direction of a line.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A text for a terminal: names that strangers made up may stand in it, and a terminal obeys some characters. */
export function printable(text: string): string {
  return text.replace(unprintable, "?");
}

/** The same for a text of several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** A value as one line of JSON. What a terminal would obey is escaped: to a program it is the same. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(unprintable, (character) =>
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
