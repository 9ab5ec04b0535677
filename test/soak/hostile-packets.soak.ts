// 5,000,000 hostile packets of DHCP and DNS (HOSTILE_PACKETS for another number) on all cores, as processes of their own, as
// with the hostile streams.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../support/hostile-packets/main.ts", import.meta.url));
const packets = process.env["HOSTILE_PACKETS"] ?? "5000000";

it(
  `${packets} hostile packets: no exception escapes, memory stays flat, the true server is found`,
  { timeout: 4 * 3_600_000 },
  async () => {
    const child = spawn(process.execPath, ["--import", "tsx", MAIN], {
      env: { ...process.env, HOSTILE_PACKETS: packets },
      stdio: ["ignore", "inherit", "pipe"],
    });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    const code = await new Promise((resolve) => child.once("exit", resolve));
    expect({ code, errors: errors.slice(0, 20_000) }).toEqual({ code: 0, errors: "" });
  },
);
