// Runs an example by its name: npm run -s example thermometer
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("../examples/", import.meta.url);
// A file, or a folder with a file of the same name.
const known = new Map(
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.name.endsWith(".ts"))
    .map((entry) =>
      entry.isDirectory()
        ? [entry.name, `${entry.name}/${entry.name}.mjs`]
        : [entry.name.replace(/\.\w+$/, ""), entry.name],
    ),
);
const [name, ...args] = process.argv.slice(2);

if (name === undefined || !known.has(name)) {
  console.error(`Usage: npm run -s example NAME\n\nExamples: ${[...known.keys()].join(", ")}`);
  process.exit(name === undefined || name === "--help" ? 0 : 2);
}

const file = fileURLToPath(new URL(known.get(name), folder));
const child = spawn(process.execPath, ["--import", "tsx", file, ...args], { stdio: "inherit" });
// The example ends itself on these; this process waits for it and passes its exit code on. Ctrl-C the terminal has told it
// already: once more at the moment when it is ending would kill it. So only if it has not ended a while later.
process.on("SIGTERM", () => child.kill("SIGTERM"));
process.on("SIGINT", () => setTimeout(() => child.kill("SIGINT"), 2_000).unref());
child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
