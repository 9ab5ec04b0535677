import { describe, expect, it } from "vitest";
import { Fold, inWords } from "../../src/core/fold.ts";
import { foldedLogger } from "../../src/core/folded-logger.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { listeningLogger } from "../support/scripted-wire.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Lets something happen every so often, for so long; tells when it was said (in minutes), and with which count. */
async function every(ms: number, until: number): Promise<string[]> {
  const clock = new SimulatedClock();
  const fold = new Fold(clock);
  const said: string[] = [];
  for (let at = 0; at <= until; at += ms) {
    const repeats = fold.note("fault", "the same");
    if (repeats !== undefined) said.push(`${Math.round(at / MINUTE)}: ${repeats.repeated}`);
    await clock.advance(ms);
  }
  return said;
}

describe("what happens again and again", () => {
  it("is said at once, then after 1, 4, 16 minutes, and from then on once an hour, with a count", async () => {
    expect(await every(10_000, 4 * HOUR)).toEqual([
      "0: 0",
      "1: 6",
      "5: 24",
      "21: 96",
      "81: 360",
      "141: 360",
      "201: 360",
    ]);
  });

  it("every five minutes, as at the widest wait, is still at most one line an hour in the end", async () => {
    expect(await every(5 * MINUTE, 4 * HOUR)).toEqual([
      "0: 0",
      "5: 1",
      "10: 1",
      "30: 4",
      "90: 12",
      "150: 12",
      "210: 12",
    ]);
  });

  it("is new after an hour of silence, and what was held back before it is not lost", async () => {
    const clock = new SimulatedClock();
    const fold = new Fold(clock);
    const note = () => fold.note("fault", "the same");
    expect(note()).toEqual({ repeated: 0, ms: 0 });
    await clock.advance(HOUR);
    expect(note()).toEqual({ repeated: 0, ms: 0 });
    await clock.advance(1_000);
    expect(note()).toBeUndefined();
    await clock.advance(3 * HOUR - 1_000);
    expect(note()).toEqual({ repeated: 2, ms: 3 * HOUR });
  });

  it("is new once it is over", () => {
    const fold = new Fold(new SimulatedClock());
    fold.note("fault", "the same");
    expect(fold.note("fault", "the same")).toBeUndefined();
    expect(fold.forget("fault")).toBe(true);
    expect(fold.forget("fault")).toBe(false);
    expect(fold.note("fault", "the same")).toEqual({ repeated: 0, ms: 0 });
  });

  it("does not follow the wall clock", async () => {
    const clock = new SimulatedClock();
    const fold = new Fold(clock);
    fold.note("fault", "the same");
    clock.jump(10 * 365 * 24 * HOUR);
    expect(fold.note("fault", "the same")).toBeUndefined();
    clock.jump(-20 * 365 * 24 * HOUR);
    await clock.advance(MINUTE);
    expect(fold.note("fault", "the same")).toEqual({ repeated: 2, ms: MINUTE });
  });

  it("tells groups and keys apart, up to eight keys: who makes up names is folded too", async () => {
    const clock = new SimulatedClock();
    const fold = new Fold(clock);
    const said = (group: string): number => {
      let count = 0;
      for (let stranger = 0; stranger < 1_000; stranger++) {
        if (fold.note(group, `asked by stranger ${stranger}`) !== undefined) count++;
      }
      return count;
    };
    expect(said("handler-failed")).toBe(9); // eight by name, one for all others
    expect(said("sensor")).toBe(9);
    expect(said("sensor")).toBe(0);
    await clock.advance(HOUR);
    expect(fold.note("sensor", "a new one")).toEqual({ repeated: 0, ms: 0 }); // the old ones have made room
  });

  it("remembers 64 groups, those used last", () => {
    const fold = new Fold(new SimulatedClock());
    for (let group = 0; group < 64; group++) fold.note(`group ${group}`, "");
    expect(fold.note("group 0", "")).toBeUndefined();
    fold.note("one too many", "");
    expect(fold.note("group 0", "")).toBeUndefined();
    expect(fold.note("group 1", "")).toBeDefined();
  });

  it.each([
    [0, 0, ""],
    [1, 5 * MINUTE, "again, once in 5 min"],
    [6, MINUTE, "again, 6 times in 1 min"],
    [40, HOUR, "again, 40 times in 1 h"],
    [2, 26 * HOUR, "again, 2 times in 26 h"],
  ])("%i times within %i ms is said as %j", (repeated, ms, words) => {
    expect(inWords({ repeated, ms })).toBe(words);
  });
});

describe("a folded logger", () => {
  it("writes the same line once, then with a count; debug as it comes", async () => {
    const clock = new SimulatedClock();
    const below = listeningLogger();
    const logger = foldedLogger(below, clock);
    const all = (): void => {
      logger.debug("detail");
      logger.info("no connection", { why: "refused" });
      logger.warn("odd", { from: "a" });
      logger.warn("odd", { from: "b" });
      logger.error("bad");
    };
    all();
    expect(below.lines.splice(0)).toEqual([
      "debug: detail {}",
      'info: no connection {"why":"refused"}',
      'warn: odd {"from":"a"}',
      'warn: odd {"from":"b"}',
      "error: bad {}",
    ]);
    all();
    expect(below.lines.splice(0)).toEqual(["debug: detail {}"]);
    await clock.advance(MINUTE);
    all();
    expect(below.lines).toContain('info: no connection (again, 2 times in 1 min) {"why":"refused"}');
    expect(below.lines).toHaveLength(5);
  });
});
