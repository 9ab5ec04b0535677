import { describe, expect, test } from "vitest";
import { StanzaError, StorageError, TimeoutError } from "../../src/core/errors.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { NodeWork } from "../../src/thing/node-work.ts";

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function working(atOnce = 2) {
  const clock = new SimulatedClock();
  const told: string[] = [];
  const healed: string[] = [];
  const begun: string[] = [];
  const settledAt: number[] = [];
  const open = new Map<string, { done: () => void; fail: (error: unknown) => void }>();
  const work = new NodeWork({
    ...{ atOnce, clock, random: new SeededRandom("node work") },
    tend: (key) => {
      begun.push(key);
      return new Promise((done, fail) => open.set(key, { done, fail }));
    },
    nameOf: (key) => key,
    onSettled: () => settledAt.push(begun.length),
    onFault: (code, message) => told.push(`${code}: ${message}`),
    onHealed: (code) => healed.push(code),
  });
  const done = async (key: string): Promise<void> => {
    open.get(key)?.done();
    await settled();
  };
  const fail = async (key: string, error: unknown): Promise<void> => {
    open.get(key)?.fail(error);
    await settled();
  };
  return { work, clock, told, healed, begun, settledAt, done, fail };
}

const stream = (): AbortController => new AbortController();
const refused = new StanzaError("not-allowed", "cancel", "no");

describe("work on many nodes", () => {
  test("goes on a few at once, each node once at a time", async () => {
    const { work, begun, done, settledAt } = working();
    work.begin(["a", "b", "c"], stream().signal);
    expect(begun).toEqual(["a", "b"]);
    work.add("a"); // there was more to do meanwhile
    work.add("b");
    work.add("d");
    await done("a");
    expect(begun).toEqual(["a", "b", "c"]);
    await done("b");
    await done("c");
    await done("d");
    expect(begun).toEqual(["a", "b", "c", "d", "a", "b"]);
    expect(settledAt).toEqual([]);
    await done("a");
    await done("b");
    expect(settledAt).toEqual([6]);
  });

  test("is nothing while there is no stream, and ends with it", async () => {
    const { work, begun, done } = working();
    work.add("a");
    const one = stream();
    work.begin(["a", "b", "c"], one.signal);
    one.abort();
    await done("a");
    work.add("d");
    expect(begun).toEqual(["a", "b"]);
    work.begin(["c"], stream().signal);
    expect(begun).toEqual(["a", "b", "c"]);
    await done("b"); // of the stream before
    expect(begun).toEqual(["a", "b", "c"]);
  });

  test("that a Registry refuses for one node goes on with the others; it is told once, and tried again", async () => {
    const { work, begun, done, fail, told, healed, clock } = working();
    work.begin(["a", "b", "c"], stream().signal);
    await fail("a", refused);
    await done("b");
    await done("c");
    expect(told).toEqual(["registry: node a: no answered not-allowed"]);
    await clock.advance(2_000);
    expect(begun).toEqual(["a", "b", "c", "a"]);
    await fail("a", refused);
    expect(told).toHaveLength(1);
    await clock.advance(4_000);
    expect(healed).toEqual([]);
    await done("a");
    expect(healed).toEqual(["registry"]);
  });

  test("waits for all of them when nobody answers: each would wait for the same", async () => {
    const { work, begun, done, fail, told, clock } = working();
    work.begin(["a", "b", "c", "d"], stream().signal);
    await fail("a", new TimeoutError("no answer"));
    await fail("b", new TimeoutError("no answer"));
    expect(begun).toEqual(["a", "b"]);
    expect(told).toEqual(["registry: node a and others: no answer"]);
    work.add("e"); // waits too
    expect(begun).toEqual(["a", "b"]);
    await clock.advance(2_000);
    expect(begun).toHaveLength(4);
    for (const key of ["e", "c", "d", "a", "b"]) await done(key);
    expect([...begun].sort()).toEqual(["a", "a", "b", "b", "c", "d", "e"]);
  });

  test("that the disk does not take is told as that", async () => {
    const { work, fail, told } = working();
    work.begin(["a"], stream().signal);
    await fail("a", new StorageError("the disk is full"));
    expect(told).toEqual(["state-not-saved: node a: the disk is full"]);
  });

  test("is not tried again on a stream that has ended", async () => {
    const { work, begun, fail, clock } = working();
    const one = stream();
    work.begin(["a"], one.signal);
    await fail("a", refused);
    one.abort();
    await clock.advance(300_000);
    expect(begun).toEqual(["a"]);
  });
});
