// The licences of the packages whose code is bundled: each wants to go where its code goes.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The text of dist/licenses.txt, for the files that were bundled: paths from the project's folder. */
export function licensesOf(files, root) {
  const folders = new Set(files.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path) ?? []));
  const parts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const file = readdirSync(join(root, folder)).find((one) => /^licen[sc]e/i.test(one));
    if (file === undefined || license === undefined) throw new Error(`${folder} does not say its licence`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(root, folder, file), "utf8").trim()}\n`;
  });
  const rule = `\n${"-".repeat(80)}\n\n`;
  return ["Code of these packages is part of the files beside this one.\n", ...parts].join(rule);
}
