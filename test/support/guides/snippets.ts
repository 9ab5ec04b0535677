// The blocks of code of the guides, as they stand there.
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where the project is, with a slash at the end. */
export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A block of code of a guide. */
export interface Snippet {
  /** Page and line, as in `docs/control.md:59`. */
  readonly name: string;
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

const pages = ["README.md", ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)].filter((page) =>
  page.endsWith(".md"),
);

/** Every block of code of the README and of the guides. */
export const snippets: readonly Snippet[] = pages.flatMap((page) => {
  const text = readFileSync(`${root}${page}`, "utf8");
  return [...text.matchAll(/^( *)```(\w*)\n([^]*?)^\1```$/gm)].map(({ index, 2: language = "", 3: code = "" }) => ({
    name: `${page}:${text.slice(0, index).split("\n").length + 1}`,
    ...{ page, language, text: code },
  }));
});

/** The one block of a language that has these words. */
export function snippetWith(words: string, language = "ts"): Snippet {
  const [found, second] = snippets.filter((one) => one.language === language && one.text.includes(words));
  if (found === undefined) throw new Error(`no block of code of the guides has the words: ${words}`);
  if (second !== undefined) throw new Error(`${found.name} and ${second.name} both have the words: ${words}`);
  return found;
}
