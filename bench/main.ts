// npm run bench: what a Thing costs, against bounds.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { worst, type Verdict } from "./figures.ts";
import type { Place } from "./measurement.ts";
import { measurements } from "./measurements.ts";
import { asJson, asLine, machine, verdictOf, withTable, type Result } from "./report.ts";
import { noSite, startSite, type Site } from "./site.ts";

const help = `Usage: npm run bench -- [OPTIONS]

Measures the built package: time, memory, questions. Takes about ten minutes.

  --only NAME   Measure this alone; may be given more than once:
                ${measurements.map(({ name }) => name).join(", ")}
  --short       Fewer samples, smaller crowds: two minutes
  --json        Print JSON
  --write       Write the figures into docs/performance.md
  --help        Show this

The measurements ${measurements
  .filter(({ prosody }) => prosody)
  .map(({ name }) => name)
  .join(", ")} need Prosody (Debian: apt-get install prosody).
It ends with 1 when a figure is worse than its bound by more than half, or went wrong.`;

const root = fileURLToPath(new URL("..", import.meta.url));
const names = measurements.map(({ name }) => name);

function options(): { only: readonly string[]; short: boolean; json: boolean; write: boolean } | undefined {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      ...{
        short: { type: "boolean" },
        json: { type: "boolean" },
        write: { type: "boolean" },
        help: { type: "boolean" },
      },
    },
  });
  if (values.help === true) return undefined;
  const { only = names, short = false, json = false, write = false } = values;
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`there is no measurement "${unknown}": ${names.join(", ")}`);
  if (write && (short || only.length < names.length)) {
    throw new Error("--write is for all measurements in full");
  }
  return { only, short, json, write };
}

/** The parts that are measured by themselves, bundled in the way of the package. */
async function bundleInside(folder: string): Promise<string> {
  const outfile = join(folder, "inside.mjs");
  await build({
    ...{ entryPoints: [join(root, "bench/inside.ts")], outfile, bundle: true, format: "esm", platform: "node" },
    ...{ target: "node20.11", alias: { "ltx/lib": "ltx/src" }, logLevel: "warning" },
  });
  return outfile;
}

async function main(): Promise<Verdict> {
  const wanted = options();
  if (wanted === undefined) {
    console.log(help);
    return "reached";
  }
  const say = wanted.json ? console.error : console.log;
  execFileSync(process.execPath, [join(root, "scripts/build.mjs")], { stdio: ["ignore", "ignore", "inherit"] });
  const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-bench-"));
  let site: Promise<Site> | undefined;
  const results: Result[] = [];
  try {
    const place: Place = {
      ...{ folder, short: wanted.short, inside: await bundleInside(folder) },
      site: () => (site ??= startSite(folder)),
    };
    say(machine().join("\n") + "\n");
    for (const { name, figures, prosody = false, measure } of measurements) {
      if (!wanted.only.includes(name)) continue;
      if (prosody && noSite !== undefined) {
        results.push(...figures.map((figure) => ({ figure, missing: noSite ?? "", skipped: true as const })));
      } else {
        const measured = await measure(place).catch((error: unknown) => error as Error);
        figures.forEach((figure, index) => {
          const one = measured instanceof Error ? undefined : measured[index];
          const missing = measured instanceof Error ? measured.message : "it was not told";
          results.push(one === undefined ? { figure, missing } : { figure, measured: one });
        });
      }
      for (const result of results.slice(-figures.length)) say(asLine(result));
    }
  } finally {
    await (await site)?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  if (wanted.json) console.log(asJson(results));
  if (wanted.write) {
    const page = join(root, "docs/performance.md");
    writeFileSync(page, withTable(readFileSync(page, "utf8"), results, measurements));
    execFileSync(process.execPath, [join(root, "node_modules/prettier/bin/prettier.cjs"), "--write", page]);
  }
  return worst(results.map(verdictOf));
}

try {
  process.exitCode = (await main()) === "failed" ? 1 : 0;
} catch (error) {
  console.error(`npm run bench: ${(error as Error).message}`);
  process.exitCode = 2;
}
