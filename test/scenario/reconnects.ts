// Many Things lose their server at the same moment: how they come back.
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { startRelay } from "../support/real-site.ts";

/** How many Things, how often they lose their server. */
export interface ReconnectOptions {
  readonly things: number;
  readonly drops: number;
  readonly seed: string;
}

/** What came of it. */
export interface ReconnectReport {
  /** How many tries fell into the fullest 100 ms, over all drops laid on one another. */
  readonly fullest: number;
  /** How many would, spread evenly over the first window. */
  readonly even: number;
  /** The same for each drop by itself. */
  readonly each: readonly number[];
  /** The moments of all tries after a drop, in milliseconds. */
  readonly moments: readonly number[];
}

/** The first window after a lost server, in milliseconds. */
const WINDOW = 10_000;
const SHARE = 100;
// So many logins are under way at once, on a machine that is server and all Things.
const AT_ONCE = 20;

/** The most of these moments that fall into any span of 100 ms, wherever it begins. */
export function fullestSpan(moments: readonly number[]): number {
  const sorted = [...moments].sort((one, other) => one - other);
  let most = 0;
  for (let first = 0, last = 0; last < sorted.length; last++) {
    while ((sorted[last] ?? 0) - (sorted[first] ?? 0) > SHARE) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/**
 * Brings Things online on one server, cuts them all off at once, and lets simulated time pass until the last is back; again
 * and again. Real sockets, TLS and logins; only the waits are simulated, so that a slow machine changes nothing.
 */
export async function loseServer({ things: count, drops, seed }: ReconnectOptions): Promise<ReconnectReport> {
  await using sandbox = await startSandbox();
  const relay = await startRelay(sandbox.port);
  const clock = new SimulatedClock();
  const { domain, ca } = sandbox;
  const server = { service: `xmpp://127.0.0.1:${relay.port}`, domain };
  const things = Array.from({ length: count }, (_, index) => {
    const random = new SeededRandom(`${seed} ${index}`);
    return new Thing({ storage: memoryStorage(), server, tls: { ca }, clock, random });
  });
  const each: number[][] = [];
  let dropped = 0;
  for (const thing of things) {
    thing.on("state", ({ link }, before) => {
      if (link.is === "connecting" && before.link.is === "waiting") each.at(-1)?.push(clock.monotonic() - dropped);
    });
  }
  const are = async (what: "online" | "waiting"): Promise<void> => {
    for (let waited = 0; things.some(({ state }) => state.link.is !== what); waited += 5) {
      if (waited > 60_000) throw new Error(`not all Things are ${what} (seed ${seed})`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  try {
    for (let i = 0; i < count; i += AT_ONCE) {
      await Promise.all(things.slice(i, i + AT_ONCE).map((thing) => thing.start().then(() => thing.waitFor("online"))));
    }
    for (let drop = 0; drop < drops; drop++) {
      // A minute online, and what went before is forgotten.
      for (let second = 0; second < 62; second++) await clock.advance(1_000);
      await are("online");
      each.push([]);
      dropped = clock.monotonic();
      relay.cut();
      await are("waiting");
      for (let passed = 0; passed < WINDOW; passed += SHARE) {
        await clock.advance(SHARE);
        // Whoever is on the way gets there before time goes on: it is the network's time, not the clock's.
        while (things.some(({ state }) => state.link.is === "connecting")) {
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      }
      await are("online");
    }
  } finally {
    await Promise.all(things.map((thing) => thing.stop()));
    await relay.stop();
  }
  const moments = each.flat();
  return {
    fullest: fullestSpan(moments),
    even: (moments.length * SHARE) / WINDOW,
    each: each.map(fullestSpan),
    moments,
  };
}

/** One line for people. */
export function describeReconnects({ fullest, even, each, moments }: ReconnectReport): string {
  const times = (fullest / even).toFixed(2);
  return `${moments.length} reconnects in ${each.length} drops: at most ${fullest} in any 100 ms, ${times} times an even spread over 10 s (single drops: ${each.join(", ")})`;
}
