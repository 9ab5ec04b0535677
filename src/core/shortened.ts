/** A text of so many characters at most, and what shows that it went on. No half of a pair of surrogates is left. */
export function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
