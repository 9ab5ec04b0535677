// What of the readings of one device leaves the Thing: XEP-0323 2, 3.6, 5.4 to 5.6.
import { isHistorical } from "../codec/field-types.ts";
import type { Field } from "../codec/sensor-data.ts";
import { formatXs, parseXs } from "../codec/xs-values.ts";
import type { Reading, SensorDefinition, Wanted } from "./definition.ts";
import { Moments } from "./moments.ts";
import { isSome, type Allowed } from "./readout.ts";
import { LONGEST_FIELD, fieldBytes } from "./stanza-size.ts";
import { toField } from "./to-field.ts";

/** A field that is to be sent. */
export interface SentField {
  readonly field: Field;
  /** Its moment, as xs:dateTime; `undefined`: that of the readout. */
  readonly timestamp: string | undefined;
  readonly bytes: number;
}

// How many readings one readout may yield of a node: a generator that never waits would stop the whole process.
const MOST_READINGS = 100_000;

/**
 * Looks at the readings of one node, one after the other. What is not wanted or not allowed is left out without a word; what the
 * sensor gets wrong is left out and told of, each mistake once.
 */
export class ReadingFilter {
  readonly #sensor: SensorDefinition;
  readonly #wanted: Wanted;
  readonly #onMistake: (problem: string) => void;
  readonly #told = new Set<string>();
  readonly #now = new Map<string, number>();
  #known: ReadonlySet<string> | undefined;
  #moments: Moments | undefined;
  #count = 0;

  constructor(sensor: SensorDefinition, wanted: Wanted, onMistake: (problem: string) => void) {
    this.#sensor = sensor;
    this.#wanted = wanted;
    this.#onMistake = onMistake;
  }

  /**
   * A reading as it is to be sent; `undefined` if it is not. Throws for what is no reading at all, and for one too many.
   *
   * @param now the moment of the readout, in milliseconds since 1970
   */
  take(reading: Reading, allowed: Allowed, now: number): SentField | undefined {
    if (typeof reading !== "object" || (reading as Reading | null) === null) {
      throw new Error(`sensor.read yielded ${naming(reading)}, not a reading: { name, value }`);
    }
    if (++this.#count > MOST_READINGS) throw new Error(`the sensor has yielded ${this.#count} readings`);
    const found = allowed.get(reading.name);
    if (found === undefined) {
      this.#known ??= new Set(this.#sensor.fields.map(({ name }) => name));
      return this.#known.has(reading.name) ? undefined : this.#mistake(strayed(reading.name, [...this.#known]));
    }
    const field = toField(found.definition, reading);
    if (typeof field === "string") return this.#mistake(field);
    if (!isSome(field.types, this.#wanted.types) || !isSome(field.types, found.granted)) return undefined;
    const moment = momentOf(reading.timestamp);
    if (typeof moment === "string") return this.#mistake(`${reading.name}: ${moment}`);
    if (moment !== undefined && isHistorical(field.types) && !this.#isWithin(moment.ms)) return undefined;
    const bytes = fieldBytes(field);
    if (bytes > LONGEST_FIELD) return this.#mistake(`${reading.name}: longer than a stanza may be`);
    if (!this.#isFirst(reading.name, moment?.exact, now)) {
      return this.#mistake(`the sensor yielded "${reading.name}" twice ${inWords(moment)}`);
    }
    return { field, timestamp: moment?.text, bytes };
  }

  /** Of the past only what lies within the interval that is asked for (XEP-0323 5.6). */
  #isWithin(ms: number): boolean {
    const { from = -Infinity, to = Infinity } = this.#wanted;
    return from <= ms && ms <= to;
  }

  #isFirst(name: string, ms: number | undefined, now: number): boolean {
    if (ms === undefined) {
      if (this.#now.has(name)) return false;
      this.#now.set(name, now);
      return this.#moments?.add(name, now) ?? true;
    }
    // Only who has moments of his own needs them to be remembered.
    if (this.#moments === undefined) {
      this.#moments = new Moments();
      for (const [one, moment] of this.#now) this.#moments.add(one, moment);
    }
    return this.#moments.add(name, ms);
  }

  #mistake(problem: string): SentField | undefined {
    const short = problem.slice(0, LONGEST_MISTAKE);
    if (this.#told.has(short) || this.#told.size >= MOST_MISTAKES) return undefined;
    this.#told.add(short);
    this.#onMistake(short);
    return undefined;
  }
}

// Each of a hundred thousand readings may be wrong in its own way.
const MOST_MISTAKES = 100;
const LONGEST_MISTAKE = 200;

interface Moment {
  readonly ms: number;
  /** With what there is of a millisecond: exact to a microsecond, as near as two moments of a field may come. */
  readonly exact: number;
  readonly text: string;
}

const inWords = (moment: Moment | undefined): string =>
  moment === undefined ? "in one readout" : "of the same moment, or out of order in a long history";

function momentOf(given: Reading["timestamp"]): Moment | string | undefined {
  if (given === undefined) return undefined;
  const written = formatXs("dateTime", given);
  if ("problem" in written) return "its timestamp is no moment";
  const { text } = written;
  const ms = parseXs("dateTime", text).value;
  const [, finer] = typeof given === "string" ? (/\.\d{3}(\d+)/.exec(text) ?? []) : [];
  return { ms, exact: finer === undefined ? ms : ms + Number(`0.${finer}`), text };
}

/** What was given, for people without a compiler. */
export const naming = (value: unknown): string =>
  value === null || value === undefined ? String(value) : `a value of type ${typeof value}`;

// How many names of fields are listed: a fault is read by a person.
const MOST_NAMED = 20;

function strayed(name: unknown, known: readonly string[]): string {
  if (typeof name !== "string") return "the sensor yielded a reading without a name; it must be { name, value }";
  const more = known.length > MOST_NAMED ? ", …" : "";
  return `the sensor yielded "${name}", which is not among its fields: ${known.slice(0, MOST_NAMED).join(", ")}${more}`;
}
