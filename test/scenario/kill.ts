// `kill -9` at random moments (issue 2, section 5.5): the thermometer of the examples, as a process of its own, with a
// reader that hammers, and rules that change while it is up and while it is down.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { StanzaError } from "../../src/core/errors.ts";
import { connect } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { randomFraction } from "../../src/core/random.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/thermometer.ts", import.meta.url));

/** What came of it. */
interface KillReport {
  /** Answers that could be judged: the rule stood still, and every Thing that was up had acknowledged it. */
  readonly judged: number;
  /** Answers that were another rule's. */
  readonly stale: readonly string[];
}

class Thermometer {
  readonly #child: ChildProcess;
  readonly exited: Promise<void>;
  output = "";

  constructor(env: Record<string, string>) {
    this.#child = spawn(process.execPath, ["--import", "tsx", EXAMPLE], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
    }
    this.exited = new Promise((resolve) => this.#child.once("exit", () => resolve()));
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#child.kill(signal);
    await this.exited;
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The suite: so many kills, in so many milliseconds at most. */
export function surviveKills(kills: number, timeout: number): void {
  describe(`${kills} kills at random moments`, () => {
    it(
      "undo nothing that was acknowledged, and never leave it without its owner (P-5.2-6, P-5.2-8)",
      { timeout },
      async () => {
        const seed = process.env["KILL_SEED"] ?? String(Date.now());
        const { judged, stale } = await killAndKillAgain(kills, seed);
        console.log(`kill: ${kills} kills, ${judged} answers judged, ${stale.length} stale, seed ${seed}`);
        expect(stale, `KILL_SEED=${seed}`).toEqual([]);
        expect(judged).toBeGreaterThan(kills);
      },
    );
  });
}

/** Kills a Thing so many times, and reports what its reader got to see meanwhile. */
async function killAndKillAgain(kills: number, seed: string): Promise<KillReport> {
  const random = new SeededRandom(seed);
  const upTo = (most: number): number => randomFraction(random) * most;
  const sandbox = await startSandbox();
  const folder = mkdtempSync(join(tmpdir(), "xmpp-thing-kill-"));
  writeFileSync(join(folder, "ca.pem"), sandbox.ca);
  const env = {
    THING_SERVICE: sandbox.service,
    THING_DOMAIN: sandbox.domain,
    THING_CA: join(folder, "ca.pem"),
    THING_STATE: join(folder, "state"),
    THING_TAGS: "SN:1;MAN:example.org",
  };
  const { service, domain, ca } = sandbox;
  const { username, password, jid: reader } = sandbox.addUser("owner");
  await using connection = await connect({ service, domain, username, password, tls: { ca } });
  const owner = new OwnerClient(connection);
  let thing = new Thermometer(env);
  try {
    const up = (what: RegExp): Promise<void> =>
      expect.poll(() => thing.output, { interval: 10, timeout: 20_000 }).toMatch(what);
    await up(/ownership registered/);
    const { jid = "" } = await owner.claim(/claim (.*)/.exec(thing.output)?.[1] ?? "");
    await up(/trust delegated/);
    sandbox.provisioning.setRules([{ jid: reader, friend: true, read: true }]);
    const full = await owner.befriend(jid);

    let rule = true;
    let version = 0;
    let settled = false;
    const change = (isUp: boolean): void => {
      rule = upTo(2) < 1;
      version++;
      settled = !isUp;
      sandbox.provisioning.setRules([{ jid: reader, friend: true, read: rule }]);
    };
    let judged = 0;
    const stale: string[] = [];
    let round = 0;
    let hammering = true;
    const hammer = (async () => {
      while (hammering) {
        settled ||= sandbox.provisioning.unacknowledged.length === 0;
        const asked = { rule, version, settled };
        const seen = await owner.read(full, { timeout: 250 }).then(
          () => true,
          (error: unknown) => (error instanceof StanzaError && error.condition === "forbidden" ? false : undefined),
        );
        if (seen !== undefined && asked.settled && asked.version === version) {
          judged++;
          if (seen !== asked.rule) stale.push(`round ${round}: ${seen ? "read" : "refused"} against the rule`);
        }
        await wait(2);
      }
    })();

    for (round = 1; round <= kills; round++) {
      const online = /link online/;
      // Anywhere from its first line of code to well after it has come online.
      const early = round % 3 === 0;
      if (early) await wait(upTo(600));
      else await up(online);
      if (upTo(2) < 1) change(true);
      await wait(upTo(60));
      await thing.end("SIGKILL");
      // Whatever it had acknowledged or not: from now on only the rule of this moment counts.
      settled = true;
      if (upTo(2) < 1) change(false);
      thing = new Thermometer(env);
    }
    await up(/link online/);
    await wait(200);
    hammering = false;
    await hammer;
    // It is still the same Thing, and still has its owner.
    expect(thing.output).not.toMatch(/^claim /m);
    expect(thing.output).toContain(`link online ${full}`);
    await thing.end("SIGTERM");
    expect(thing.output).toMatch(/stopped\n$/);
    return { judged, stale };
  } catch (error) {
    throw new Error(`seed ${seed}; the Thing said:\n${thing.output}`, { cause: error });
  } finally {
    await thing.end("SIGKILL");
    await sandbox.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
