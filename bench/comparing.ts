// Two sides measured turn by turn, and what is told of them.
import { median, ratio } from "./figures.ts";
import type { Measured } from "./measurement.ts";

/** A number for people. */
export const about = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** The ratio of two lists of samples, in words of their unit. */
export function compared(ours: readonly number[], theirs: readonly number[], unit: string, scale = 1): Measured {
  const [one, other] = [median(ours) / scale, median(theirs) / scale];
  return {
    value: ratio(ours, theirs),
    from: `${about(one)} against ${about(other)} ${unit}, medians of ${ours.length}`,
  };
}

/** Does both turn by turn; the first of a turn is the other one the next time. */
export async function paired(
  times: number,
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<{ ours: number[]; theirs: number[] }> {
  const samples = { ours: [] as number[], theirs: [] as number[] };
  for (let turn = 0; turn < times; turn++) {
    for (const side of turn % 2 === 0 ? (["ours", "theirs"] as const) : (["theirs", "ours"] as const)) {
      samples[side].push(await (side === "ours" ? ours() : theirs()));
    }
  }
  return samples;
}
