// What a measurement is, and what it tells.
import type { Bound } from "./figures.ts";
import type { Site } from "./site.ts";

/** One line of the table. */
export interface Figure extends Bound {
  /** What it is called in the JSON. */
  readonly id: string;
  /** What it tells. */
  readonly title: string;
  /** What the value is counted in; `×` for a ratio. */
  readonly unit: string;
}

/** What was measured for a figure. */
export interface Measured {
  /** In the figure's unit. */
  readonly value: number;
  /** What the value comes from, in words: both medians, how many samples. */
  readonly from: string;
}

/** What a measurement has to work with. */
export interface Place {
  /** Fewer samples: for a first look, and for machines with other work. */
  readonly short: boolean;
  /** A real server with services on it. Rejects where there is none. */
  site(): Promise<Site>;
  /** The bundle of what is measured by itself (bench/inside.ts). */
  readonly inside: string;
  /** A folder for files, removed at the end. */
  readonly folder: string;
}

/** Something to be measured: one figure, or several from the same runs. */
export interface Measurement {
  readonly name: string;
  /** How it is measured: for whoever reads the table. */
  readonly how: string;
  /** It needs Prosody. */
  readonly prosody?: boolean;
  readonly figures: readonly Figure[];
  /** Measures; a value for each figure, in their order. */
  readonly measure: (place: Place) => Promise<readonly Measured[]>;
}
