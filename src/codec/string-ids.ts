// XEP-0323 6.2: names of fields in other languages, by strings of a language module. The pattern of the XEP refuses its own examples (S-E2).

/** One step on the way to a name: a string of a module, into which the name so far and a seed are put. */
export interface StringId {
  /** Which string of the module, a whole number. */
  readonly id: string;
  /** The module, where it is another than the field's. */
  readonly module?: string;
  /** What is put in for `%1%`. */
  readonly seed?: string;
}

// 1, 1|MathModule, 3||A1. The text lets a module be any string, a URI too; the pattern only words with points between.
const listOf = (module: string): RegExp => {
  const step = `\\d+(?:\\|${module}(?:\\|[^,]*)?)?`;
  return new RegExp(`^${step}(?:,${step})*$`, "u");
};
const understood = listOf("[^|,]*");
const word = "[\\p{L}\\p{N}]+"; // what XML Schema calls a word has no underscore
const sent = listOf(`(?:${word}(?:\\.${word})*)?`);

/** Tells whether a text reads as `stringIds`: `1`, `1,2`, `1,1|MathModule`, `3||A1`. */
export function isStringIds(text: string): boolean {
  return understood.test(text);
}

/** Tells whether a text may be sent as `stringIds`: as the pattern of the XEP means it. */
export function isSendableStringIds(text: string): boolean {
  return sent.test(text);
}

/** The steps that such a text stands for. */
export function parseStringIds(text: string): readonly StringId[] {
  if (!isStringIds(text)) return [];
  return text.split(",").map((one) => {
    const [id = "", module = "", ...seed] = one.split("|");
    return { id, ...(module !== "" && { module }), ...(seed.length > 0 && { seed: seed.join("|") }) };
  });
}

/**
 * The name of a field in the words of a language: `%0%` is the name so far, `%1%` the seed. For people only: programs use
 * the name of the field (XEP-0323 6.2). `undefined` if a string is not known.
 *
 * @param strings a string of a module, by its id
 */
export function localizedName(
  field: { readonly module?: string; readonly stringIds?: string },
  strings: (module: string, id: string) => string | undefined,
): string | undefined {
  let name: string | undefined;
  for (const { id, module = field.module ?? "", seed = "" } of parseStringIds(field.stringIds ?? "")) {
    const pattern = strings(module, id);
    if (pattern === undefined) return undefined;
    const soFar = name ?? "";
    name = pattern.replace(/%([01])%/g, (_, which) => (which === "0" ? soFar : seed));
  }
  return name;
}
