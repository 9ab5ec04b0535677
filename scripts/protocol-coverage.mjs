// Which requirements of XEP-0324 and XEP-0347 the tests show: reads the names of all tests, and writes the part of
// docs/protocol-coverage.md that stands between its two marks.
//
//   npm run coverage:protocol              collects the names and writes
//   … -- --check                           fails if the document says something else
//   … -- --from REPORT.json --check        the same by the report of a run: a test that failed or was skipped shows nothing
//   … -- --requirements FILE.md            takes the list of requirements anew from the specification's folder
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { gapsIn, idsIn, renderCoverage, requirementsIn } from "./protocol-coverage-parts.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const documentPath = join(root, "docs/protocol-coverage.md");
const listPath = join(root, "test/requirements/requirements.json");
const reasonsPath = join(root, "test/requirements/gaps.json");
const marks = [
  "<!-- generated from the names of the tests: npm run coverage:protocol -->",
  "<!-- end of what is generated -->",
];

const arguments_ = process.argv.slice(2);
const optionValue = (name) => (arguments_.includes(name) ? arguments_[arguments_.indexOf(name) + 1] : undefined);

/** Every test by name and file, as `{ name, file }`. */
function testsOf(report) {
  if (report !== undefined) {
    const { testResults } = JSON.parse(readFileSync(report, "utf8"));
    return testResults.flatMap(({ name: file, assertionResults }) =>
      assertionResults.filter(({ status }) => status === "passed").map(({ fullName }) => ({ name: fullName, file })),
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "tests-"));
  try {
    const list = join(folder, "list.json");
    execFileSync("npx", ["--no-install", "vitest", "list", `--json=${list}`], {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
    });
    return JSON.parse(readFileSync(list, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const specification = optionValue("--requirements");
if (specification !== undefined) {
  writeFileSync(listPath, `${JSON.stringify(requirementsIn(readFileSync(specification, "utf8")), undefined, 1)}\n`);
}
const requirements = JSON.parse(readFileSync(listPath, "utf8"));
const reasons = new Map(Object.entries(existsSync(reasonsPath) ? JSON.parse(readFileSync(reasonsPath, "utf8")) : {}));
/** @type {Map<string, Set<string>>} */
const shown = new Map();
for (const { name, file } of testsOf(optionValue("--from"))) {
  for (const id of idsIn(name)) shown.set(id, (shown.get(id) ?? new Set()).add(relative(root, file)));
}

const document = readFileSync(documentPath, "utf8");
const [before, after] = [document.indexOf(marks[0]), document.indexOf(marks[1])];
if (before < 0 || after < before)
  throw new Error(`docs/protocol-coverage.md: its marks are missing: ${marks.join(" … ")}`);
const written = await format(
  `${document.slice(0, before)}${marks[0]}\n\n${renderCoverage(requirements, shown, reasons)}\n${document.slice(after)}`,
  { ...(await resolveConfig(documentPath)), filepath: documentPath },
);
const gaps = gapsIn(requirements, shown);
console.log(
  `${requirements.length} requirements, ${requirements.length - gaps.length} shown or for information only, ${gaps.length} gaps`,
);

if (arguments_.includes("--check")) {
  if (written !== document) {
    console.error("docs/protocol-coverage.md is not what the tests show: npm run coverage:protocol");
    process.exitCode = 1;
  }
} else writeFileSync(documentPath, written);
