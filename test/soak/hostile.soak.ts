// 5,000,000 hostile streams (HOSTILE_STREAMS for another number) on all cores. As processes of their own: an exception that
// escapes would end the test runner, and the heap is to be their own.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../support/hostile/main.ts", import.meta.url));
const streams = process.env["HOSTILE_STREAMS"] ?? "5000000";

it(
  `${streams} hostile streams: no exception escapes, memory stays flat, nothing is obeyed`,
  { timeout: 4 * 3_600_000 },
  async () => {
    const child = spawn(process.execPath, ["--import", "tsx", MAIN], {
      env: { ...process.env, HOSTILE_STREAMS: streams },
      stdio: ["ignore", "inherit", "pipe"],
    });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    const code = await new Promise((resolve) => child.once("exit", resolve));
    expect({ code, errors: errors.slice(0, 20_000) }).toEqual({ code: 0, errors: "" });
  },
);
