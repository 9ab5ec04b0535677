// `npm run hostile:packets`: so many hostile packets on so many processes. HOSTILE_PACKETS (default 100,000), HOSTILE_SEED
// (default random), HOSTILE_JOBS (default: one for each core), HOSTILE_ONLY: one packet again, by its number.
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { againPackets, runPackets, type PacketOutcome } from "./run.ts";

interface Job {
  readonly seed: string;
  readonly from: number;
  readonly to: number;
}
type Told = { readonly done: number } | { readonly outcome: PacketOutcome } | { readonly failure: string };

// What a process holds when it has played a tenth may grow by this much until its end: the engine's own code, mostly.
const MOST_GROWTH = 6_000_000;
// A packet that is kept is hundreds of bytes.
const GROWTH_EACH = 2;

if (process.send === undefined) await parent();
else process.once("message", (job: Job) => void child(job));

async function child(job: Job): Promise<void> {
  const tell = (told: Told, then?: () => void): void => void process.send?.(told, undefined, undefined, then);
  // What failed may have left something that would keep the process alive.
  const end = (): void => process.exit();
  try {
    tell({ outcome: await runPackets({ ...job, onProgress: (done) => tell({ done }) }) }, end);
  } catch (error) {
    tell({ failure: String(error) }, end);
  }
}

async function parent(): Promise<void> {
  const { env } = process;
  const seed = env["HOSTILE_SEED"] ?? randomBytes(4).toString("hex");
  if (env["HOSTILE_ONLY"] !== undefined) {
    await againPackets(seed, Number(env["HOSTILE_ONLY"]));
    console.log(`hostile: packet ${env["HOSTILE_ONLY"]} did no harm`);
    return;
  }
  const packets = Number(env["HOSTILE_PACKETS"] ?? 100_000);
  const jobs = Number(env["HOSTILE_JOBS"] ?? availableParallelism());
  const began = performance.now();
  const share = Math.ceil(packets / jobs);
  const done = new Map<number, number>();
  const say = (what: string): void => {
    const all = [...done.values()].reduce((a, b) => a + b, 0);
    const seconds = (performance.now() - began) / 1_000;
    console.log(`hostile: ${what} ${all} packets in ${seconds.toFixed(0)} s, ${(all / seconds).toFixed(0)} a second`);
  };
  const progress = setInterval(() => say("so far"), 30_000);
  const outcomes = await Promise.all(
    Array.from({ length: jobs }, (_, number) => {
      const from = number * share;
      const job: Job = { seed, from, to: Math.min(packets, from + share) };
      return inProcess(job, (count) => done.set(number, count));
    }),
  );
  clearInterval(progress);
  say(`seed ${seed}, all`);
  for (const outcome of outcomes) {
    if (typeof outcome === "string") {
      console.error(outcome);
      process.exitCode = 1;
      continue;
    }
    const { found, dropped, slowest, heap } = outcome;
    const [early = 0, half = 0, end = 0] = heap;
    const kilobytes = heap.map((bytes) => Math.round(bytes / 1_000)).join(", ");
    console.log(
      `hostile: ${found} servers found, ${dropped} times something dropped, slowest ${slowest.toFixed(0)} ms, heap ${kilobytes} kB`,
    );
    if (Math.max(half, end) > early + MOST_GROWTH + GROWTH_EACH * outcome.packets) {
      console.error(`hostile: memory grows: ${kilobytes} kB at 10, 50 and 100 %`);
      process.exitCode = 1;
    }
  }
}

/** What came of it, or why it failed. */
function inProcess(job: Job, onProgress: (done: number) => void): Promise<PacketOutcome | string> {
  return new Promise((resolve) => {
    const process_ = fork(fileURLToPath(import.meta.url), { execArgv: ["--import", "tsx"] });
    let result: PacketOutcome | string = "hostile: a process has died";
    process_.on("message", (told: Told) => {
      if ("done" in told) onProgress(told.done);
      else if ("failure" in told) result = told.failure;
      else {
        result = told.outcome;
        onProgress(told.outcome.packets);
      }
    });
    process_.once("exit", () => resolve(result));
    process_.send(job);
  });
}
