// `npm run hostile:streams`: so many hostile streams on so many processes. HOSTILE_STREAMS (default 100,000), HOSTILE_SEED (default
// random), HOSTILE_JOBS (default: one for each core), HOSTILE_ONLY: one stream again, by its number.
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { record, type Corpus } from "./corpus.ts";
import { again, run, type Outcome } from "./run.ts";

interface Job {
  readonly corpus: Corpus;
  readonly seed: string;
  readonly from: number;
  readonly to: number;
}
type Told = { readonly done: number } | { readonly outcome: Outcome } | { readonly failure: string };

// What a process holds when it has played a tenth may grow by this much until its end.
const MOST_GROWTH = 6_000_000;
// What the engine keeps of code that it compiles anew grows on, by about 3 bytes a stream at 300,000 and ever less. One
// element kept for each stream would be hundreds.
const GROWTH_EACH = 6;

if (process.send === undefined) await parent();
else process.once("message", (job: Job) => void child(job));

async function child({ corpus, ...which }: Job): Promise<void> {
  const tell = (told: Told): void => void process.send?.(told);
  try {
    tell({ outcome: await run(corpus, { ...which, onProgress: (done) => tell({ done }) }) });
  } catch (error) {
    tell({ failure: String(error) });
  }
  process.disconnect();
}

async function parent(): Promise<void> {
  const { env } = process;
  const seed = env["HOSTILE_SEED"] ?? randomBytes(4).toString("hex");
  const corpus = await record();
  const { stanzas, frames, digest } = corpus;
  console.log(`hostile: seed ${seed}, recorded ${stanzas.length} stanzas and ${frames.length} frames (${digest})`);
  if (env["HOSTILE_ONLY"] !== undefined) {
    await again(corpus, seed, Number(env["HOSTILE_ONLY"]));
    console.log(`hostile: stream ${env["HOSTILE_ONLY"]} did no harm`);
    return;
  }
  const streams = Number(env["HOSTILE_STREAMS"] ?? 100_000);
  const jobs = Number(env["HOSTILE_JOBS"] ?? availableParallelism());
  const began = performance.now();
  const share = Math.ceil(streams / jobs);
  const done = new Map<number, number>();
  const progress = setInterval(() => say("so far"), 30_000);
  const say = (what: string): void => {
    const all = [...done.values()].reduce((a, b) => a + b, 0);
    const seconds = (performance.now() - began) / 1_000;
    console.log(`hostile: ${what} ${all} streams in ${seconds.toFixed(0)} s, ${(all / seconds).toFixed(0)} a second`);
  };
  const outcomes = await Promise.all(
    Array.from({ length: jobs }, (_, number) => {
      const from = number * share;
      const job: Job = { corpus, seed, from, to: Math.min(streams, from + share) };
      return inProcess(job, (count) => done.set(number, count));
    }),
  );
  clearInterval(progress);
  say("seed " + seed + ", all");
  for (const outcome of outcomes) {
    if (typeof outcome === "string") {
      console.error(outcome);
      process.exitCode = 1;
      continue;
    }
    const { logins, up, readouts, cpu, heap } = outcome;
    const [early = 0, half = 0, end = 0] = heap;
    const kilobytes = heap.map((bytes) => Math.round(bytes / 1_000)).join(", ");
    const each = ((cpu * 1_000) / outcome.streams).toFixed(2);
    console.log(
      `hostile: ${each} ms of CPU a stream, ${logins} logins (${up} came up), ${readouts} lawful readouts, heap ${kilobytes} kB`,
    );
    if (Math.max(half, end) > early + MOST_GROWTH + GROWTH_EACH * outcome.streams) {
      console.error(`hostile: memory grows: ${kilobytes} kB at 10, 50 and 100 %`);
      process.exitCode = 1;
    }
  }
}

/** What came of it, or why it failed. */
function inProcess(job: Job, onProgress: (done: number) => void): Promise<Outcome | string> {
  return new Promise((resolve) => {
    const process_ = fork(fileURLToPath(import.meta.url), { execArgv: ["--import", "tsx"] });
    let result: Outcome | string = "hostile: a process has died";
    process_.on("message", (told: Told) => {
      if ("done" in told) onProgress(told.done);
      else if ("failure" in told) result = told.failure;
      else {
        result = told.outcome;
        onProgress(told.outcome.streams);
      }
    });
    process_.once("exit", () => resolve(result));
    process_.send(job);
  });
}
