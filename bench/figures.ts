// The arithmetic of the bench: what is told of many samples, and whether it is good enough.

/** The middle of a list; of an even number the mean of the two in the middle. Throws for an empty list. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new Error("a median of nothing");
  return (upper + lower) / 2;
}

/** The value that so many of a hundred do not exceed (nearest rank). Throws for an empty list. */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)];
  if (value === undefined) throw new Error("a percentile of nothing");
  return value;
}

/** How many times as much the first is, by the medians. Throws where there is nothing to compare with. */
export function ratio(ours: readonly number[], theirs: readonly number[]): number {
  const against = median(theirs);
  if (!(against > 0)) throw new Error(`a ratio to ${against}`);
  return median(ours) / against;
}

/** What a figure must reach. */
export interface Bound {
  /** At most this much; of a count: exactly; of what is better the more it is: at least. */
  readonly bound: number;
  /** It is better the more it is. Default: the less. */
  readonly atLeast?: boolean;
  /** It is a count: no more and no less. Default: no. */
  readonly exact?: boolean;
}

/**
 * Whether a figure reaches its bound, falls short of it by as much as a noisy machine may explain, or by more; or was left
 * out for want of what it needs.
 */
export type Verdict = "reached" | "skipped" | "short" | "failed";

/** How far beyond its bound a figure may lie before it is taken for more than noise. */
export const TOLERANCE = 1.5;

/** Judges a figure. What is no number has failed. */
export function judge(value: number, { bound, atLeast = false, exact = false }: Bound): Verdict {
  if (exact) return value === bound ? "reached" : "failed";
  if (atLeast) return value >= bound ? "reached" : value >= bound / TOLERANCE ? "short" : "failed";
  if (value <= bound) return "reached";
  return value <= bound * TOLERANCE ? "short" : "failed";
}

/** The worst of some verdicts; `reached` of none. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return (["failed", "short", "skipped"] as const).find((one) => verdicts.includes(one)) ?? "reached";
}
