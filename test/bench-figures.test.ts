// The arithmetic of `npm run bench`: a bench that cannot fail measures nothing.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judge, median, percentile, ratio, TOLERANCE, worst } from "../bench/figures.ts";
import type { Figure } from "../bench/measurement.ts";
import { measurements } from "../bench/measurements.ts";
import { asJson, asLine, verdictOf, withTable, type Result } from "../bench/report.ts";

describe("the median", () => {
  it("is the one in the middle, whatever the order, and leaves the samples as they were", () => {
    const samples = [9, 1, 5];
    expect(median(samples)).toBe(5);
    expect(samples).toEqual([9, 1, 5]);
    expect(median([7])).toBe(7);
  });

  it("of an even number is the mean of the two in the middle", () => {
    expect(median([1, 100, 3, 2])).toBe(2.5);
  });

  it("sorts by size and not by letter", () => {
    expect(median([10, 9, 100])).toBe(10);
  });

  it("of nothing is a mistake", () => {
    expect(() => median([])).toThrow("a median of nothing");
  });

  it("has as many samples below as above it, and one wild sample moves it no further than to its neighbour", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: 0, max: 1e9 }), { minLength: 3 }),
        (samples) => {
          const middle = median(samples);
          expect(samples.filter((one) => one < middle).length).toBeLessThanOrEqual(samples.length / 2);
          expect(samples.filter((one) => one > middle).length).toBeLessThanOrEqual(samples.length / 2);
          const [, ...rest] = samples;
          const sorted = [...samples].sort((a, b) => a - b);
          const wild = median([...rest, 1e12]);
          expect(wild).toBeLessThanOrEqual(sorted[Math.floor(samples.length / 2) + 1] ?? 1e12);
        },
      ),
    );
  });
});

describe("a percentile", () => {
  it("is a sample that so many of a hundred do not exceed, whatever the order", () => {
    const samples = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect(percentile(samples, 99)).toBe(198);
    expect(percentile(samples, 100)).toBe(200);
    expect(percentile([3, 1, 2], 50)).toBe(2);
    expect(percentile([7], 99)).toBe(7);
    expect(() => percentile([], 99)).toThrow("a percentile of nothing");
  });
});

describe("the ratio", () => {
  it("is that of the medians, ours by theirs", () => {
    expect(ratio([30, 10, 20], [5, 400, 10])).toBe(2);
    expect(ratio([5, 400, 10], [30, 10, 20])).toBe(0.5);
  });

  it.each([[[0, 0, 0]], [[-1]], [[Number.NaN]]])("to %j is a mistake", (theirs) => {
    expect(() => ratio([1], theirs)).toThrow("a ratio to");
  });
});

describe("the verdict", () => {
  it("is reached up to the bound, short up to half as much again, failed beyond", () => {
    expect(TOLERANCE).toBe(1.5);
    expect(judge(2, { bound: 2 })).toBe("reached");
    expect(judge(2.01, { bound: 2 })).toBe("short");
    expect(judge(3, { bound: 2 })).toBe("short");
    expect(judge(3.01, { bound: 2 })).toBe("failed");
  });

  it("of what is better the more it is is reached from the bound on, short down to two thirds of it", () => {
    const bound = { bound: 0.6, atLeast: true };
    expect(judge(5, bound)).toBe("reached");
    expect(judge(0.6, bound)).toBe("reached");
    expect(judge(0.59, bound)).toBe("short");
    expect(judge(0.41, bound)).toBe("short");
    expect(judge(0.39, bound)).toBe("failed");
    expect(judge(Number.NaN, bound)).toBe("failed");
  });

  it("on a count knows no tolerance, neither above nor below", () => {
    expect(judge(0, { bound: 0, exact: true })).toBe("reached");
    expect(judge(1, { bound: 0, exact: true })).toBe("failed");
    expect(judge(1, { bound: 1, exact: true })).toBe("reached");
    expect(judge(1.002, { bound: 1, exact: true })).toBe("failed");
    expect(judge(0.998, { bound: 1, exact: true })).toBe("failed");
  });

  it("on what is no number is failed", () => {
    expect(judge(Number.NaN, { bound: 5 })).toBe("failed");
    expect(judge(Number.NaN, { bound: 0, exact: true })).toBe("failed");
  });

  it("of many is the worst", () => {
    expect(worst([])).toBe("reached");
    expect(worst(["reached", "reached"])).toBe("reached");
    expect(worst(["reached", "short", "reached"])).toBe("short");
    expect(worst(["short", "failed", "reached"])).toBe("failed");
  });
});

describe("the report", () => {
  const figure: Figure = { id: "x", title: "what x takes", unit: "ms", bound: 50 };
  const results: readonly Result[] = [
    { figure, measured: { value: 12.34, from: "seven" } },
    { figure: { ...figure, id: "y", title: "what y takes" }, missing: "needs a server\nmore of it" },
  ];

  it("says each figure, its bound and whether it is reached", () => {
    expect(results.map(asLine)).toEqual([
      "what x takes\n    12.3 ms (≤ 50 ms: yes); seven",
      "what y takes\n    not measured: needs a server\nmore of it",
    ]);
    const json = JSON.parse(asJson(results)) as { figures: unknown[] };
    expect(json.figures).toEqual([
      {
        id: "x",
        title: "what x takes",
        unit: "ms",
        bound: 50,
        exact: false,
        atLeast: false,
        value: 12.34,
        from: "seven",
        verdict: "reached",
      },
      expect.objectContaining({ id: "y", missing: "needs a server\nmore of it", verdict: "failed" }),
    ]);
  });

  it("takes what went wrong for failed, and not what was left out", () => {
    expect(results.map(verdictOf)).toEqual(["reached", "failed"]);
    expect(verdictOf({ figure, missing: "needs a server", skipped: true })).toBe("skipped");
    expect(worst(["reached", "skipped"])).toBe("skipped");
    expect(worst(["short", "skipped"])).toBe("short");
  });

  it("is written between the marks of the page, and nothing else of it changes", () => {
    const page = "# Before\n\n<!-- written by npm run bench -- --write -->\nold\n<!-- written up to here -->\nafter\n";
    const once = withTable(page, results, []);
    expect(once).toMatch(/^# Before\n\n<!--/);
    expect(once).toMatch(/-->\nafter\n$/);
    expect(once).toContain("| what x takes | ≤ 50 ms | 12.3 ms | yes | seven |");
    expect(once).toContain("| what y takes | ≤ 50 ms | – | no | needs a server |");
    expect(once).not.toContain("old");
    expect(withTable(once, results, [])).toBe(once);
    expect(() => withTable("# no marks", results, [])).toThrow("has lost its marks");
  });
});

describe("the measurements", () => {
  it("stand under names of their own, and every figure has its bound", () => {
    const figures = measurements.flatMap((one) => one.figures);
    expect(new Set(measurements.map(({ name }) => name)).size).toBe(measurements.length);
    expect(new Set(figures.map(({ id }) => id)).size).toBe(figures.length);
    expect(Object.fromEntries(figures.map(({ id, bound }) => [id, bound]))).toEqual({
      decision: 1.5,
      "decision-three": 1.5,
      held: 500,
      load: 50,
      "nodes-bytes": 1.1,
      "nodes-cpu": 1.2,
      "search-selective": 20,
      "search-broad": 20,
      "search-none": 20,
      "search-ratio": 0.75,
      "search-heap": 1_000,
      idle: 1.2,
      "idle-tidy": 1.2,
      "import-time": 1,
      "import-memory": 1.05,
      start: 0.5,
      "readouts-rate": 0.7,
      "readouts-p99": 2,
      "readouts-rate-50": 0.7,
      "readouts-p99-50": 2,
      "nagle-p99": 1.5,
      restart: 0,
      cleared: 1,
      crowd: 120,
    });
  });
});
