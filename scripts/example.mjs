// Runs an example by its name: npm run -s example thermometer
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("../examples/", import.meta.url);
const known = readdirSync(folder)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -3));
const [name, ...args] = process.argv.slice(2);

if (name === undefined || !known.includes(name)) {
  console.error(`Usage: npm run -s example NAME\n\nExamples: ${known.join(", ")}`);
  process.exit(name === undefined || name === "--help" ? 0 : 2);
}

const file = fileURLToPath(new URL(`${name}.ts`, folder));
const child = spawn(process.execPath, ["--import", "tsx", file, ...args], { stdio: "inherit" });
// The example ends itself on these; this process waits for it and passes its exit code on.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
