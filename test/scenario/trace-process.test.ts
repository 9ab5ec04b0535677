// Processes of their own, as users run them with THING_DEBUG=1: where the trace goes, and that nothing secret is in it.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { found } from "./secrets.ts";

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

interface Finished {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program until it ends, or until what it wrote holds something. */
function run(args: readonly string[], env: Record<string, string>, until?: RegExp): Promise<Finished> {
  const child = spawn(process.execPath, ["--import", "tsx", ...args], {
    env: { ...process.env, THING_DEBUG: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    if (until?.test(stdout) === true) child.kill("SIGTERM");
  });
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => child.once("close", () => resolve({ stdout, stderr })));
}

describe("a process with THING_DEBUG=1", () => {
  let sandbox: Sandbox;
  let folder: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    sandbox = await startSandbox();
    folder = mkdtempSync(join(tmpdir(), "xmpp-thing-trace-"));
    writeFileSync(join(folder, "ca.pem"), sandbox.ca);
    env = { THING_SERVICE: sandbox.service, THING_DOMAIN: sandbox.domain, THING_CA: join(folder, "ca.pem") };
  }, 30_000);
  afterAll(async () => {
    await sandbox.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("that is a Thing traces to stdout, without a secret", { timeout: 60_000 }, async () => {
    const state = join(folder, "state");
    const more = { THING_STATE: state, THING_TAGS: "SN:1;MAN:example.org;KEY:given-KEY-0123456789" };
    const { stdout, stderr } = await run(
      [path("examples/thermometer.ts")],
      { ...env, ...more },
      /name="KEY" value[^]*IN\n<iq /,
    );
    const saved = readdirSync(state)
      .map((name) => readFileSync(join(state, name), "utf8"))
      .join("\n");
    const password = /"password":"([^"]+)"/.exec(saved)?.[1] ?? "";
    expect(password.length).toBeGreaterThan(10);
    expect(stdout).toContain("<password>(hidden)</password>");
    expect(stdout).toContain(`<str name="KEY" value="(hidden)"/>`);
    expect(stdout).toContain("status online");
    // The claim text is what the program itself shows: it is for the label.
    const output = [stdout, stderr].join("\n").replace(/^.*IoTDisco;.*$/gm, "");
    const secrets = new Map([
      ["password", password],
      ["KEY", "given-KEY-0123456789"],
    ]);
    expect(found({ output, secrets })).toEqual([]);
    expect(found({ output: `${output} ${password}`, secrets })).toEqual(["password"]);
  });

  it("that is a tool keeps stdout for what was asked for, and traces to stderr", { timeout: 60_000 }, async () => {
    const owner = sandbox.addUser("anna");
    const who = { OWNER_USERNAME: owner.username, OWNER_PASSWORD: owner.password };
    const { stdout, stderr } = await run(
      [path("src/cli/bin.ts"), "claim", "IoTDisco;SN:1;MAN:example.org;KEY:tried-KEY-0123456789", "--json"],
      { ...env, ...who },
    );
    expect(stdout).not.toMatch(/<|IN|OUT|status/);
    expect(stderr).toContain("status online");
    expect(stderr).toContain(`name="KEY" value="(hidden)"`);
    const secrets = new Map([
      ["password", owner.password],
      ["KEY", "tried-KEY-0123456789"],
    ]);
    expect(found({ output: stdout + stderr, secrets })).toEqual([]);
  });
});
