// One readout of one device: from what is wanted and granted to the fields that leave the Thing (XEP-0323 3.1, XEP-0324 3.3.2, 3.3.3).
import { permits, type Grant } from "../provisioning/grants.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { ReadRequest, Field } from "../codec/sensor-data.ts";
import {
  categoriesOf,
  type FieldDefinition,
  type ReadContext,
  type Reading,
  type SensorDefinition,
} from "./definition.ts";
import { toField } from "./to-field.ts";

/** The fields that a request means: named, or all of them, of a kind that is asked for. */
export function wantedFields(
  definitions: readonly FieldDefinition[],
  request: ReadRequest,
): readonly FieldDefinition[] {
  return definitions.filter(
    (definition) =>
      (request.fields.length === 0 || request.fields.includes(definition.name)) &&
      [...categoriesOf(definition)].some((type) => request.types.has(type)),
  );
}

/** The fields of a node among those wanted that are granted. */
export function allowedFields(
  node: NodeRef,
  wanted: Iterable<FieldDefinition>,
  grants: readonly Grant[],
): ReadonlyMap<string, FieldDefinition> {
  const allowed = [...wanted].filter((definition) =>
    permits(grants, { node, name: definition.name, types: categoriesOf(definition) }),
  );
  return new Map(allowed.map((definition) => [definition.name, definition]));
}

// How many readings one readout may yield beyond one for each field.
const MOST_READINGS = 1_000;

/**
 * Reads the sensor. What it yields beyond what is allowed is left out without a word; what it gets wrong (a value of the
 * wrong type, a field twice, a field never defined) is left out and told of. Rejects when it yields without end.
 */
export async function readOut(
  sensor: SensorDefinition,
  allowed: ReadonlyMap<string, FieldDefinition>,
  context: Omit<ReadContext, "fields">,
  onMistake: (problem: string) => void,
): Promise<readonly Field[]> {
  if (allowed.size === 0) return []; // nothing is worth measuring
  const told = new Set<string>();
  const mistake = (problem: string): void => {
    if (!told.has(problem)) onMistake(problem);
    told.add(problem);
  };
  const known = new Set(sensor.fields.map((field) => field.name));
  const fields = new Map<string, Field>();
  let count = 0;
  for await (const reading of readingsOf(await sensor.read({ ...context, fields: new Set(allowed.keys()) }))) {
    context.signal.throwIfAborted();
    if (typeof reading !== "object" || (reading as Reading | null) === null) {
      throw new Error(`sensor.read yielded ${naming(reading)}, not a reading: { name, value }`);
    }
    // No deadline can end a loop that never waits: a sensor that yields for ever would stop the whole process.
    if (++count > sensor.fields.length + MOST_READINGS) throw new Error(`the sensor has yielded ${count} readings`);
    const definition = allowed.get(reading.name);
    if (definition === undefined) {
      if (!known.has(reading.name)) mistake(`the sensor yielded "${reading.name}", which is not among its fields`);
      continue;
    }
    if (fields.has(reading.name)) {
      mistake(`the sensor yielded "${reading.name}" twice in one readout`);
      continue;
    }
    const field = toField(definition, reading);
    if (typeof field === "string") mistake(field);
    else fields.set(field.name, field);
  }
  return [...fields.values()];
}

type Readings = Awaited<ReturnType<SensorDefinition["read"]>>;

/** What a sensor gave, if it can be gone through: people without a compiler forget a `return`, or give a bare number. */
function readingsOf(given: Readings): Readings {
  const value: unknown = given;
  if (typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)) {
    return given;
  }
  throw new Error(`sensor.read gave ${naming(given)}; it must give a list of readings: [{ name, value }]`);
}

const naming = (value: unknown): string =>
  value === null || value === undefined ? String(value) : `a value of type ${typeof value}`;
