// `kill -9` at random moments of a Registry that keeps its Things in LevelDB: what was acknowledged is there afterwards.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";

const PROGRAM = fileURLToPath(new URL("../support/killed-registry.ts", import.meta.url));
const THINGS = 20;

/** What a life has said: what each Thing was at the start, and what it may be at the end. */
interface Life {
  readonly complaints: readonly string[];
  readonly acknowledged: number;
  readonly errors: string;
}

/** What a Thing may be: what was acknowledged last, or what was asked for after it. */
type Possible = Map<string, readonly string[]>;

/** One life of the process, to its end by SIGKILL after so many answers. */
async function live(folder: string, seed: string, answers: number, fault: string, possible: Possible): Promise<Life> {
  const env = { KILLED_FOLDER: folder, KILLED_SEED: seed, KILLED_THINGS: String(THINGS), KILLED_FAULT: fault };
  const child = spawn(process.execPath, ["--import", "tsx", PROGRAM], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const complaints: string[] = [];
  let [errors, acknowledged] = ["", 0];
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const closed = new Promise((resolve) => child.once("close", resolve));
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  // All that it has said before it was killed is read, also what still lay in the pipe.
  for await (const line of createInterface({ input: child.stdout })) {
    const [word = "", name = "", state = ""] = line.split(" ");
    const before = possible.get(name) ?? ["none"];
    if (word === "found") {
      if (!before.some((one) => isSo(one, state))) complaints.push(`${name} is ${state}, not ${before.join(" or ")}`);
      possible.set(name, [state]);
    } else if (word === "try") possible.set(name, [...before, state]);
    else if (word === "ack") {
      possible.set(name, [state]);
      if (++acknowledged === answers) child.kill("SIGKILL");
    }
  }
  await closed;
  clearTimeout(timer);
  return { complaints, acknowledged, errors };
}

/** A KEY that the Registry has made is known to nobody here; what was removed and told of is gone. */
function isSo(expected: string, found: string): boolean {
  if (expected === "unclaimed") return found === "unclaimed";
  if (expected === "removed") return found === "removed" || found === "none";
  return expected === found;
}

/** Kills so often; gives all that was not as it was acknowledged. */
async function survive(kills: number, seed: string, fault = ""): Promise<{ complaints: string[]; answers: number }> {
  const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-killed-"));
  const random = new SeededRandom(seed);
  const complaints: string[] = [];
  const possible: Possible = new Map();
  let answers = 0;
  try {
    for (let kill = 0; kill <= kills; kill++) {
      // At a moment that is not the end of an answer: the others are on their way.
      const until = 1 + ((random.bytes(1)[0] ?? 0) * 3) / 2;
      const life = await live(folder, `${seed} ${kill}`, Math.floor(until), fault, possible);
      if (life.acknowledged < Math.floor(until)) complaints.push(`life ${kill} ended by itself: ${life.errors}`);
      complaints.push(...life.complaints.map((each) => `life ${kill}: ${each}`));
      answers += life.acknowledged;
      if (fault !== "" && complaints.length > 0) break;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { complaints, answers };
}

/** The suite: so many kills, in so many milliseconds at most. */
export function surviveRegistryKills(kills: number, timeout: number): void {
  const seed = process.env["KILL_SEED"] ?? String(Date.now());

  describe(`${kills} kills of a Registry that keeps its Things`, () => {
    it(`undo nothing that was acknowledged, and are survived by every Thing (seed ${seed})`, { timeout }, async () => {
      const { complaints, answers } = await survive(kills, seed);
      console.log(`registry kills: ${kills} kills, ${answers} answers, ${complaints.length} complaints; seed ${seed}`);
      expect(complaints, `KILL_SEED=${seed}`).toEqual([]);
      expect(answers).toBeGreaterThan(kills);
    });

    it("would show a keeper that says too soon that it has kept", { timeout }, async () => {
      const { complaints } = await survive(50, seed, "hasty");
      expect(complaints.join("\n")).toMatch(/ is .*, not /);
    });
  });
}
