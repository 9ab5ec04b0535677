// `kill -9` at random moments of a Provisioning Server that keeps what it decides by: what was told holds afterwards.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";

const PROGRAM = fileURLToPath(new URL("../support/killed-provisioning.ts", import.meta.url));

/** The steps that the rules may stand at. */
interface Possible {
  told: number;
  tried: number;
}

/** One life of the process, to its end by SIGKILL after so many answers. */
async function live(folder: string, answers: number, fault: string, possible: Possible): Promise<readonly string[]> {
  const child = spawn(process.execPath, ["--import", "tsx", PROGRAM], {
    env: { ...process.env, KILLED_FOLDER: folder, KILLED_FAULT: fault },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const complaints: string[] = [];
  let [errors, told] = ["", 0];
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const closed = new Promise((resolve) => child.once("close", resolve));
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  const step = (text = ""): number => Number(text.replace(/\D/g, ""));
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, rules, user, due] = line.split(" ");
    if (word === "found") {
      const { told: least, tried: most } = possible;
      if (step(rules) < least || step(rules) > most) complaints.push(`at step ${step(rules)}, not ${least} to ${most}`);
      if (user !== rules) complaints.push(`users of ${user ?? ""}, rules of ${rules ?? ""}`);
      // Nothing was ever acknowledged by the Thing: it still has to be told.
      if (least > 0 && due !== "1") complaints.push("the Thing is told of the change no more");
      possible.told = possible.tried = step(rules);
    } else if (word === "try") possible.tried = step(rules);
    else if (word === "told") {
      possible.told = step(rules);
      if (++told === answers) child.kill("SIGKILL");
    }
  }
  await closed;
  clearTimeout(timer);
  if (told < answers) complaints.push(`ended by itself: ${errors}`);
  return complaints;
}

async function survive(kills: number, seed: string, fault = ""): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-killed-"));
  const random = new SeededRandom(seed);
  const complaints: string[] = [];
  const possible: Possible = { told: 0, tried: 0 };
  try {
    for (let kill = 0; kill <= kills; kill++) {
      const answers = 1 + ((random.bytes(1)[0] ?? 0) % 60);
      complaints.push(...(await live(folder, answers, fault, possible)).map((each) => `life ${kill}: ${each}`));
      if (fault !== "" && complaints.length > 0) break;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return complaints;
}

describe("kills of a Provisioning Server that keeps what it decides by", () => {
  const seed = process.env["KILL_SEED"] ?? String(Date.now());

  it(`P-3.5.1-2: undo nothing that was told (seed ${seed})`, { timeout: 240_000 }, async () => {
    expect(await survive(12, seed), `KILL_SEED=${seed}`).toEqual([]);
  });

  it("would show a keeper that says too soon that it has kept", { timeout: 240_000 }, async () => {
    expect((await survive(30, seed, "hasty")).join("\n")).toContain("at step");
  });
});
