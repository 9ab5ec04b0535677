// Many hostile streams, one after another. Each is made from the seed and its own number alone; the Thing it meets is made
// anew for each 64, so that one of them is had again by playing its batch up to it.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Corpus } from "./corpus.ts";
import { Dice } from "./dice.ts";
import { playLogin } from "./login.ts";
import { withoutNetwork } from "./memory-socket.ts";
import { play, type Fed, type Kind } from "./streams.ts";
import { Subject } from "./subject.ts";

const BATCH = 64;
// Of so many streams one is a login: it costs ten times as much.
const LOGINS = 50;
// Between streams nothing waits but what is still to be written about faults.
const MOST_TIMERS = 2;

/** Which streams. */
export interface Run {
  readonly seed: string;
  readonly from: number;
  /** Not itself. */
  readonly to: number;
  /** Told now and then how far it is. */
  readonly onProgress?: (done: number) => void;
}

/** What came of them. */
export interface Outcome {
  readonly streams: number;
  readonly logins: number;
  /** Logins that came to a stream after all. */
  readonly up: number;
  /** Lawful readouts that were answered in between. */
  readonly readouts: number;
  /** Seconds of one core. */
  readonly cpu: number;
  /** Bytes in use after a collection, at 10, 50 and 100 % of the way. */
  readonly heap: readonly number[];
}

/** A stream that did what it must not. */
export class HostileFailure extends Error {
  constructor(
    readonly seed: string,
    readonly index: number,
    what: string,
    fed: Fed,
  ) {
    const bytes = fed.map((chunk) => JSON.stringify(Buffer.from(chunk).toString("latin1")).slice(0, 4_000));
    super(
      `stream ${index}: ${what}\nagain: HOSTILE_SEED=${seed} HOSTILE_ONLY=${index} npm run hostile:streams\nfed (latin1):\n${bytes.join("\n")}`,
    );
  }
}

const kindOf = (batch: number): { kind: Kind; claimed: boolean } => {
  const kinds: readonly Kind[] = ["wild", "forged", "lawful"];
  return { kind: kinds[batch % 3] as Kind, claimed: Math.floor(batch / 3) % 3 !== 2 };
};

/** Plays them; rejects with a {@link HostileFailure} at the first that did what it must not. */
export async function run(corpus: Corpus, { seed, from, to, onProgress }: Run): Promise<Outcome> {
  const began = process.cpuUsage();
  const escaped: unknown[] = [];
  const note = (error: unknown): number => escaped.push(error);
  process.on("uncaughtException", note).on("unhandledRejection", note);
  const restore = withoutNetwork();
  const marks = [0.1, 0.5, 1].map((part) => from + Math.max(1, Math.ceil((to - from) * part)));
  const counts = { logins: 0, up: 0, readouts: 0 };
  const heap: number[] = [];
  let subject: Subject | undefined;
  try {
    for (let index = from; index < to; index++) {
      const batch = Math.floor(index / BATCH);
      const { kind, claimed } = kindOf(batch);
      if (index === from || index % BATCH === 0) {
        await subject?.thing.stop();
        subject = await Subject.make(`${seed} ${batch}`, claimed);
      }
      const dice = new Dice(seed, index);
      const fed: Fed = [];
      let wrong: string | undefined;
      if (index % LOGINS === 0) {
        const login = await playLogin(corpus, dice, fed);
        counts.logins++;
        if (login.up) counts.up++;
        wrong = login.wrong;
      } else {
        const one = subject as Subject;
        wrong = await play(one, kind, corpus, dice, fed);
        counts.readouts += one.sent.filter((stanza) => stanza.is("message")).length;
        if (wrong === undefined && one.clock.pending > MOST_TIMERS) wrong = `${one.clock.pending} timers are left`;
      }
      if (escaped.length > 0) wrong = `escaped: ${(escaped[0] as Error | undefined)?.stack ?? String(escaped[0])}`;
      if (wrong !== undefined) throw new HostileFailure(seed, index, wrong, fed);
      if (marks.includes(index + 1)) heap.push(heapInUse());
      if ((index + 1) % 1_000 === 0) onProgress?.(index + 1 - from);
    }
  } finally {
    await subject?.thing.stop();
    restore();
    process.off("uncaughtException", note).off("unhandledRejection", note);
  }
  const { user, system } = process.cpuUsage(began);
  return { streams: to - from, ...counts, cpu: (user + system) / 1_000_000, heap };
}

/** Plays one again, with those of its batch before it. */
export function again(corpus: Corpus, seed: string, index: number): Promise<Outcome> {
  return run(corpus, { seed, from: Math.floor(index / BATCH) * BATCH, to: index + 1 });
}

/** Collects what can be, and tells what is left. */
export function heapInUse(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
