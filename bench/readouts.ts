// How quick a Thing is when it is read: against a bare client, and with a reader that leaves Nagle's algorithm on.
import { mkdirSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { about, compared, paired } from "./comparing.ts";
import { median, percentile } from "./figures.ts";
import type { Measured, Measurement, Place } from "./measurement.ts";
import { Program } from "./program.ts";

/** What a turn of readouts took. */
interface Turn {
  /** Readouts in a second. */
  readonly rate: number;
  /** How long each took, in milliseconds. */
  readonly times: readonly number[];
}

/** Who reads what. */
interface Pair {
  /** Reads so many, so many of them at once. */
  read(count: number, atOnce: number): Promise<Turn>;
}

/** Runs something with programs that have started, and ends them. */
async function withPairs<T>(
  place: Place,
  wanted: readonly { readonly reader: "owner" | "bare" | "nagle"; readonly thing: "readout-thing" | "readout-bare" }[],
  run: (pairs: readonly Pair[]) => Promise<T>,
): Promise<T> {
  const { env } = await place.site();
  const programs: Program[] = [];
  const start = (name: string, args: readonly string[]): Program => {
    const folder = join(place.folder, "readouts");
    mkdirSync(folder, { mode: 0o700, recursive: true });
    const program = new Program(name, { args, env: { ...env, STATE: folder } });
    programs.push(program);
    return program;
  };
  try {
    const pairs: Pair[] = [];
    for (const { reader, thing } of wanted) {
      const jid = await start(thing, []).says("online");
      const program = start("readout-reader", [reader, jid]);
      await program.says("ready");
      let turns = 0;
      pairs.push({
        read: async (count, atOnce) => {
          const name = `turn${++turns}`;
          program.tell(`${name} ${count} ${atOnce}`);
          return JSON.parse(await program.says(name)) as Turn;
        },
      });
    }
    return await run(pairs);
  } finally {
    await Promise.all(programs.map((program) => program.end()));
  }
}

const AT_ONCE = 50;
const LEAST_RATE = 0.7;
const MOST_LATENCY = 2;

export const readouts: Measurement = {
  name: "readouts",
  prosody: true,
  how: "Readouts of ten fields over Prosody, TLS, rights remembered, TCP_NODELAY on every socket: the owner's client reads a Thing (`req`, `accepted`, `fields`), and a bare `@xmpp/client` asks another, which answers by one IQ result with the same fields. Four processes; turn by turn 300 one after the other, then 2,000 of which 50 are always under way. The percentile is that of each turn.",
  figures: [
    {
      id: "readouts-rate",
      title: "readouts in a second one after the other, against a bare `@xmpp/client` on both sides",
      unit: "×",
      bound: LEAST_RATE,
      atLeast: true,
    },
    { id: "readouts-p99", title: "99th percentile of what one takes", unit: "×", bound: MOST_LATENCY },
    {
      id: "readouts-rate-50",
      title: "readouts in a second, 50 at once",
      unit: "×",
      bound: LEAST_RATE,
      atLeast: true,
    },
    { id: "readouts-p99-50", title: "99th percentile of what one takes then", unit: "×", bound: MOST_LATENCY },
  ],
  measure: (place) =>
    withPairs(
      place,
      [
        { reader: "owner", thing: "readout-thing" },
        { reader: "bare", thing: "readout-bare" },
      ],
      async ([ours, theirs]) => {
        if (ours === undefined || theirs === undefined) throw new Error("nobody reads");
        const together = async (atOnce: number, count: number): Promise<readonly Measured[]> => {
          const p99 = { ours: [] as number[], theirs: [] as number[] };
          const one = (side: "ours" | "theirs", pair: Pair) => async (): Promise<number> => {
            const { rate, times } = await pair.read(count, atOnce);
            p99[side].push(percentile(times, 99));
            return rate;
          };
          const rates = await paired(place.short ? 7 : 31, one("ours", ours), one("theirs", theirs));
          return [compared(rates.ours, rates.theirs, "in a second"), compared(p99.ours, p99.theirs, "ms")];
        };
        // Until it is compiled.
        for (const pair of [ours, theirs]) await pair.read(3_000, AT_ONCE);
        return [...(await together(1, 300)), ...(await together(AT_ONCE, 2_000))];
      },
    ),
};

export const readoutsWithNagle: Measurement = {
  name: "nagle",
  prosody: true,
  how: "A bare `@xmpp/client` that leaves Nagle's algorithm on reads a Thing, one readout after the other. What one takes is told in delayed acknowledgements: how long the second of two small writes waits for the acknowledgement of the first on this machine.",
  figures: [
    {
      id: "nagle-p99",
      title: "99th percentile of a readout by a reader that leaves Nagle's algorithm on, in delayed acknowledgements",
      unit: "",
      bound: 1.5,
    },
  ],
  measure: (place) =>
    withPairs(place, [{ reader: "nagle", thing: "readout-thing" }], async ([pair]) => {
      if (pair === undefined) throw new Error("nobody reads");
      const delay = await delayedAcknowledgement();
      const { times } = await pair.read(place.short ? 100 : 400, 1);
      const value = percentile(times, 99) / delay;
      const twice = times.filter((ms) => ms > 1.5 * delay).length;
      const from = `${about(percentile(times, 99))} against ${about(delay)} ms; median ${about(median(times))} ms, ${twice} of ${times.length} took more than one and a half`;
      return [{ value, from }];
    }),
};

/** How long the second of two small writes waits while Nagle's algorithm is on, in milliseconds. */
async function delayedAcknowledgement(): Promise<number> {
  const server = createServer((socket) => {
    let had = 0;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      had += chunk.length;
      for (; had >= 2; had -= 2) socket.write("!");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  try {
    const times: number[] = [];
    for (let turn = 0; turn < 40; turn++) times.push(await twoWrites(socket));
    return median(times.slice(20)); // a young connection acknowledges at once
  } finally {
    socket.destroy();
    server.close();
  }
}

async function twoWrites(socket: Socket): Promise<number> {
  const began = performance.now();
  const answered = new Promise((resolve) => socket.once("data", resolve));
  await new Promise((resolve) => socket.write("?", resolve));
  socket.write("?");
  await answered;
  return performance.now() - began;
}
