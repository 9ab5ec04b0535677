const units: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

/** A duration in milliseconds for people, in the largest unit that it fills: `40 s`, `5 min`, `3 h`, `12 d`. */
export function durationText(ms: number): string {
  const [unit, name] = units.find(([least]) => ms >= least) ?? [1_000, "s"];
  return `${Math.max(0, Math.floor(ms / unit))} ${name}`;
}
