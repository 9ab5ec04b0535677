// What was measured, for people, for programs and for docs/performance.md.
import { cpus, totalmem } from "node:os";
import { judge, type Verdict } from "./figures.ts";
import type { Figure, Measured, Measurement } from "./measurement.ts";

/** What became of a figure: measured, or missing for a reason. */
export type Result =
  | { readonly figure: Figure; readonly measured: Measured }
  | {
      readonly figure: Figure;
      readonly missing: string;
      /** It was left out, since what it needs is not here. Otherwise it went wrong. */
      readonly skipped?: true;
    };

/** How a figure fares. What went wrong has failed. */
export function verdictOf(result: Result): Verdict {
  if ("measured" in result) return judge(result.measured.value, result.figure);
  return result.skipped === true ? "skipped" : "failed";
}

/** What it was measured on. */
export function machine(): readonly string[] {
  const [first] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  return [
    `Node.js ${process.versions.node}, ${process.platform} ${process.arch}`,
    `${first?.model.trim() ?? "an unknown processor"}, ${cpus().length} of them, ${memory} of memory`,
    new Date().toISOString().slice(0, 10),
  ];
}

const digits = (value: number): string =>
  Number.isInteger(value)
    ? String(value)
    : value >= 100
      ? value.toFixed(0)
      : value >= 10
        ? value.toFixed(1)
        : value.toFixed(2);
const withUnit = (value: number, unit: string): string => `${digits(value)} ${unit}`.trim();
const boundOf = ({ bound, exact = false, atLeast = false, unit }: Figure): string =>
  (exact ? "" : atLeast ? "≥ " : "≤ ") + withUnit(bound, unit);
const words: Readonly<Record<Verdict, string>> = { reached: "yes", skipped: "–", short: "short of it", failed: "no" };

/** One line for people. */
export function asLine(result: Result): string {
  const { figure } = result;
  const verdict = words[verdictOf(result)];
  if ("missing" in result) return `${figure.title}\n    not measured: ${result.missing}`;
  const { value, from } = result.measured;
  return `${figure.title}\n    ${withUnit(value, figure.unit)} (${boundOf(figure)}: ${verdict}); ${from}`;
}

/** All of it for programs. */
export function asJson(results: readonly Result[]): string {
  const [node, processor, date] = machine();
  const figures = results.map((result) => {
    const { id, title, unit, bound, exact = false, atLeast = false } = result.figure;
    const told = "measured" in result ? result.measured : { missing: result.missing };
    return { id, title, unit, bound, exact, atLeast, ...told, verdict: verdictOf(result) };
  });
  return JSON.stringify({ node, processor, date, figures }, undefined, 2);
}

const BEGIN = "<!-- written by npm run bench -- --write -->";
const END = "<!-- written up to here -->";

/** The page with what was measured in the place of what stood there. */
export function withTable(page: string, results: readonly Result[], measurements: readonly Measurement[]): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error("docs/performance.md has lost its marks");
  const rows = results.map((result) => {
    const { figure } = result;
    const told =
      "measured" in result
        ? [withUnit(result.measured.value, figure.unit), result.measured.from]
        : ["–", result.missing.split("\n")[0]];
    return `| ${figure.title} | ${boundOf(figure)} | ${told[0]} | ${words[verdictOf(result)]} | ${told[1]} |`;
  });
  const how = measurements.map(({ name, how }) => `- **${name}**: ${how}`);
  const table = ["| Figure | Must reach | Measured | Reached | From |", "| --- | --- | --- | --- | --- |", ...rows];
  return `${before}${BEGIN}\n\nMeasured on ${machine().join("; ")}.\n\n${table.join("\n")}\n\n${how.join("\n")}\n\n${END}${after}`;
}
