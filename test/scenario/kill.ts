// `kill -9` at random moments: a Thing as a process of its own, two who read it all the time, rules that change while it is
// up and while it is down, and people and servers who have it forget. What it reads from disk at each start is judged, and
// what it answers.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { StanzaError } from "../../src/core/errors.ts";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { drawFrom, type Draw } from "../support/crash-fs.ts";
import { Witness, type Fact, type Remembered } from "../support/rights-witness.ts";

const PROGRAM = fileURLToPath(new URL("../support/killed-thing.ts", import.meta.url));
/** How long anything may take that is bound to happen, in milliseconds. */
const PATIENCE = 30_000;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The suite: so many kills, in so many milliseconds at most. */
export function surviveKills(kills: number, timeout: number): void {
  describe(`${kills} kills at random moments`, () => {
    const seed = Number(process.env["KILL_SEED"] ?? Date.now());

    it(
      `fail no start, undo nothing that was acknowledged, and never leave it without its owner (P-3.5.1-5, P-5.2-6, P-5.2-8; seed ${seed})`,
      { timeout },
      async () => {
        await using stage = await Stage.open({ seed, kills });
        const { judged, remembered, forgotten, complaints } = await stage.play();
        console.log(
          `kill: ${kills} kills, ${judged} answers judged, ${remembered} rights found at ${kills} starts, ${forgotten} times told to forget; ${complaints.length} complaints; seed ${seed}`,
        );
        expect(complaints, `KILL_SEED=${seed}`).toEqual([]);
        expect(judged).toBeGreaterThan(kills / 5);
        expect(remembered).toBeGreaterThan(kills / 10);
        expect(forgotten).toBeGreaterThan(0);
      },
    );
  });
}

/** The proof that it would be seen: what is to be forgotten is said to be so, and is not. */
export function showHaste(timeout: number): void {
  describe("the kills would show", () => {
    it("a Thing that says that it has forgotten before that is on disk", { timeout }, async () => {
      await using stage = await Stage.open({ seed: Date.now(), kills: 300, fault: "hasty" });
      const { complaints } = await stage.play();
      expect(complaints.join("\n")).toMatch(/taken back|forgotten/);
    });
  });
}

/** What is played. */
interface Play {
  readonly seed: number;
  readonly kills: number;
  /** The fault that the Thing has, of those that {@link PROGRAM} knows. Then it is played until it shows. */
  readonly fault?: "hasty";
}

/** The Thing's process. */
class Process {
  readonly #child: ChildProcess;
  /** Resolves to the signal that has ended it, or the code that it has ended with. */
  readonly ended: Promise<NodeJS.Signals | number | null>;
  output = "";
  #isOver = false;

  constructor(env: Record<string, string>) {
    this.#child = spawn(process.execPath, ["--import", "tsx", PROGRAM], {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
    }
    this.#child.stdin?.on("error", () => undefined); // it may be gone
    this.ended = new Promise((resolve) =>
      this.#child.once("close", (code, signal) => {
        this.#isOver = true;
        resolve(signal ?? code);
      }),
    );
  }

  /** Whether it has said this; the rest of the line. */
  said(word: string): string | undefined {
    const found = new RegExp(`^${word}( .*)?$`, "m").exec(this.output.slice(0, this.output.lastIndexOf("\n") + 1));
    return found === null ? undefined : (found[1] ?? "").trim();
  }

  /** Waits until it has said this. Rejects if it ends before, or does not say it at all. */
  async says(word: string): Promise<string> {
    const until = Date.now() + PATIENCE;
    for (;;) {
      const found = this.said(word);
      if (found !== undefined) return found;
      if (this.#isOver || Date.now() > until) throw new Error(`no "${word}" of a Thing that said:\n${this.output}`);
      await wait(3);
    }
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  kill(): Promise<NodeJS.Signals | number | null> {
    this.#child.kill("SIGKILL");
    return this.ended;
  }
}

/** What came of it. */
interface Report {
  /** Answers to readers that were judged. */
  readonly judged: number;
  /** Rights that were read from disk, over all starts. */
  readonly remembered: number;
  /** How often it said that it has forgotten. */
  readonly forgotten: number;
  /** What must not be. */
  readonly complaints: readonly string[];
}

class Stage implements AsyncDisposable {
  readonly #kills: number;
  readonly #fault: Play["fault"];
  readonly #draw: Draw;
  readonly #sandbox: Sandbox;
  readonly #folder: string;
  readonly #readers = new Map<string, { readonly connection: Connection; readonly client: OwnerClient }>();
  readonly #facts: string[] = [];
  readonly #complaints: string[] = [];
  #thing!: Process;
  #full = "";
  /** The rule in force, and the oldest that an answer may still be given by. */
  #rule = 0;
  #floor = 0;
  /** By each rule, whom it lets read. */
  readonly #allowed = new Map<number, readonly string[]>();
  #reading: Promise<void> | undefined;
  #isReading = false;
  #judged = 0;
  #remembered = 0;
  #forgotten = 0;
  #round = 0;
  /** What was known when it was started last. */
  #atStart = new Witness([]);

  private constructor(play: Play, sandbox: Sandbox) {
    this.#kills = play.kills;
    this.#fault = play.fault;
    this.#draw = drawFrom(play.seed);
    this.#sandbox = sandbox;
    this.#folder = mkdtempSync(join(tmpdir(), "xmpp-thing-kill-"));
    writeFileSync(join(this.#folder, "ca.pem"), sandbox.ca);
  }

  static async open(play: Play): Promise<Stage> {
    const stage = new Stage(play, await startSandbox());
    const { service, domain, ca } = stage.#sandbox;
    for (const name of ["owner", "friend"]) {
      const { username, password, jid } = stage.#sandbox.addUser(name);
      const connection = await connect({ service, domain, username, password, tls: { ca } });
      stage.#readers.set(jid, { connection, client: new OwnerClient(connection) });
    }
    return stage;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pause();
    await this.#thing.kill();
    for (const { connection } of this.#readers.values()) await connection.close();
    await this.#sandbox.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async play(): Promise<Report> {
    await this.#claim();
    for (this.#round = 1; this.#round <= this.#kills; this.#round++) {
      if (this.#fault !== undefined && this.#complaints.length > 0) break;
      await this.#live();
      await this.#kill();
      if (this.#draw(2) === 0) this.#change();
      // Whatever it had acknowledged or not: when it comes back it is told before anything counts that it remembers.
      this.#floor = this.#rule;
      this.#start();
      this.#read();
    }
    await this.#thing.says("online");
    await wait(200);
    await this.#pause();
    this.#thing.tell("stop");
    await this.#thing.says("stopped");
    this.#judgeStart();
    // It is still the same Thing, and still has its owner.
    if (this.#thing.said("claim") !== undefined) this.#complain("it can be claimed again");
    return {
      judged: this.#judged,
      remembered: this.#remembered,
      forgotten: this.#forgotten,
      complaints: this.#complaints,
    };
  }

  #note(fact: Fact): void {
    this.#facts.push(JSON.stringify(fact));
  }

  #complain(what: string): void {
    this.#complaints.push(`round ${this.#round}: ${what}`);
  }

  #start(): void {
    this.#atStart = new Witness(this.#facts);
    const { service, domain } = this.#sandbox;
    this.#thing = new Process({
      KILLED_SERVICE: service,
      KILLED_DOMAIN: domain,
      KILLED_CA: join(this.#folder, "ca.pem"),
      KILLED_STATE: join(this.#folder, "state"),
      KILLED_RULES: String(2 * this.#kills + 2),
      // What is gathered goes to disk while it lives, and at times is lost.
      ...(this.#fault !== undefined && { KILLED_FAULT: this.#fault }),
      KILLED_GATHER: String(1 + this.#draw(60)),
    });
  }

  async #claim(): Promise<void> {
    this.#note({ is: "boot", servers: [this.#sandbox.provisioning.jid] });
    this.#start();
    await this.#thing.says("ownership registered");
    const [[, owner] = []] = this.#readers;
    await owner?.client.claim(await this.#thing.says("claim"));
    await this.#thing.says("trust delegated");
    this.#full = await this.#thing.says("online");
    this.#change([...this.#readers.keys()]);
    for (const { client } of this.#readers.values()) await client.befriend(this.#full.split("/")[0] ?? "");
    this.#read();
  }

  /** From its first line of code to well after it has come online: something happens, or nothing. */
  async #live(): Promise<void> {
    if (this.#fault !== undefined) return this.#changeAndWait();
    if (this.#draw(3) === 0) return wait(this.#draw(600));
    await this.#thing.says("online");
    const dice = this.#draw(8);
    if (dice < 4) this.#change();
    else if (dice < 6) await this.#forget();
    await wait(this.#draw(80));
  }

  /** What a fault shows by, if it is there: rights that are on disk are taken back, and it is killed right after that. */
  async #changeAndWait(): Promise<void> {
    await this.#thing.says("online");
    await wait(300);
    this.#change();
    const { provisioning } = this.#sandbox;
    await expect.poll(() => provisioning.unacknowledged, { interval: 2, timeout: PATIENCE }).toEqual([]);
  }

  async #kill(): Promise<void> {
    this.#noteAcknowledged();
    const how = await this.#thing.kill();
    if (how !== "SIGKILL") this.#complain(`a start failed (${how}):\n${this.#thing.output}`);
    this.#judgeStart();
  }

  /** Other rules: some may read the field of their number. */
  #change(allowed = [...this.#readers.keys()].filter(() => this.#draw(3) > 0)): void {
    const { provisioning } = this.#sandbox;
    this.#noteAcknowledged();
    const number = ++this.#rule;
    const friends = [...this.#readers.keys()];
    this.#allowed.set(number, allowed);
    this.#note({ is: "rule", by: provisioning.jid, number, allowed, friends });
    provisioning.setRules(
      friends.map((jid) => ({ jid, friend: true, read: allowed.includes(jid) && { fields: [String(number)] } })),
    );
  }

  #noteAcknowledged(): void {
    const { provisioning } = this.#sandbox;
    if (provisioning.unacknowledged.length > 0) return;
    this.#floor = this.#rule;
    this.#note({ is: "void", by: provisioning.jid, number: this.#rule });
  }

  /** By hand or by a server, somebody or everybody. While nobody asks: else it might be remembered again at once. */
  async #forget(): Promise<void> {
    await this.#pause();
    const [jid] = [...this.#readers.keys()].slice(this.#draw(2));
    const way = this.#draw(3);
    if (way === 0) {
      this.#thing.tell("forget");
      await this.#thing.says("forgotten");
      this.#note({ is: "gone" });
    } else if (way === 1 && jid !== undefined) {
      this.#thing.tell(`forget ${jid}`);
      await this.#thing.says("forgotten");
      this.#note({ is: "gone", jid });
    } else {
      const [, friend = ""] = [...this.#readers.keys()];
      // Only who has asked about them is told, and only a friend can be one no more.
      this.#sandbox.provisioning.unfriend(this.#full, friend);
      await wait(this.#draw(40));
      if (this.#thing.said("unfriended") !== undefined) this.#note({ is: "gone", jid: friend });
    }
    this.#forgotten++;
    // A part of the kills finds a disk to which nothing was added.
    if (this.#draw(2) === 0) this.#read();
  }

  /** What it has read from disk, if it came so far. */
  #judgeStart(): void {
    const said = this.#thing.said("remembered");
    if (said === undefined) return;
    const entries = JSON.parse(said) as readonly Remembered[];
    this.#remembered += entries.length;
    for (const entry of entries) {
      const why = this.#atStart.complaint(entry);
      if (why !== undefined) this.#complain(why);
    }
  }

  /** Both read all the time. What they get is a rule's that counts: of before, while it has not acknowledged the one of now. */
  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    for (const jid of this.#readers.keys()) this.#note({ is: "asks", jid });
    this.#reading = (async () => {
      while (this.#isReading) {
        for (const [jid, { client }] of this.#readers) await this.#readOnce(jid, client);
        await wait(2);
      }
    })();
  }

  async #readOnce(jid: string, client: OwnerClient): Promise<void> {
    this.#noteAcknowledged();
    const floor = this.#floor;
    const types = this.#judged % 3 === 0 ? (["momentary", "status"] as const) : (["momentary"] as const);
    const got = await client.read(this.#full, { timeout: 250, types }).then(
      (groups) => groups.flatMap(({ fields }) => fields.map(({ name }) => name)).join(),
      (error: unknown) => (error instanceof StanzaError && error.condition === "forbidden" ? "" : undefined),
    );
    if (got === undefined) return; // it is not there, or just going
    this.#judged++;
    const rules = Array.from({ length: this.#rule - floor + 1 }, (_, index) => floor + index);
    const rightNow = rules.map((number) => (this.#allowed.get(number)?.includes(jid) === true ? String(number) : ""));
    if (!rightNow.includes(got)) {
      this.#complain(`${jid} read "${got}", and the rules ${floor} to ${this.#rule} say ${JSON.stringify(rightNow)}`);
    }
  }

  async #pause(): Promise<void> {
    this.#isReading = false;
    await this.#reading;
  }
}
