// What a reader may ask a Thing for, and how long it waits: XEP-0323 3.1, 3.5, 3.6.
import { checkCall, type CallOptions } from "../core/abort.ts";
import { ConfigError } from "../core/errors.ts";
import { checkKnown, checkTexts } from "../core/options.ts";
import { fieldTypes, type FieldType } from "../codec/field-types.ts";
import { checkNodes, type NodeRef } from "../codec/node-ref.ts";
import type { Tokens } from "../codec/tokens.ts";
import { formatXs, parseXs } from "../codec/xs-values.ts";

/** How far a readout has come: accepted, to begin at once or later (`queued`), and begun after it was queued. */
export type ReadoutStage = "accepted" | "queued" | "started";

/** A moment: a `Date`, milliseconds since 1970, or an xs:dateTime (`2013-03-07T16:24:30Z`). */
export type Moment = Date | number | string;

/** What to read. */
export interface ReadOptions extends CallOptions {
  /** The names of the fields. Default all. */
  readonly fields?: readonly string[];
  /** The kinds of field. Default `momentary`. */
  readonly types?: readonly FieldType[];
  /** Nodes of a concentrator. Default: the Thing itself. */
  readonly nodes?: readonly NodeRef[];
  /** Of the past, nothing before this moment: a `Date`, milliseconds since 1970, or an xs:dateTime. Default: no such bound. */
  readonly from?: Moment | undefined;
  /** Of the past, nothing after this moment. Default: no such bound. */
  readonly to?: Moment | undefined;
  /**
   * When the Thing is to read, if not now (XEP-0323 3.4). It may do so later than that, when it can. Both time-outs count
   * from then on, the clock of this machine taken for right.
   */
  readonly when?: Moment | undefined;
  /** Tokens to present. Default none. */
  readonly tokens?: Tokens;
  /**
   * The longest silence, in milliseconds: from the request to its answer, and from one message to the next; then
   * `ERR_TIMEOUT`. Default 30,000.
   */
  readonly timeout?: number | undefined;
  /** The longest that all of it may take, in milliseconds; then `ERR_TIMEOUT`. Default 300,000, or `timeout` if that is more. */
  readonly totalTimeout?: number | undefined;
  /** Is told how far the readout has come. What it throws ends the readout. */
  readonly onStage?: ((stage: ReadoutStage) => void) | undefined;
}

/** The names of the options, for whoever takes them with others. */
export const readOptionNames = [
  "fields",
  "types",
  "nodes",
  "from",
  "to",
  "when",
  "tokens",
  "timeout",
  "totalTimeout",
  "onStage",
  "signal",
] as const;

/** Refuses what cannot be read. Throws `ERR_CONFIG`. */
export function checkReadOptions(options: ReadOptions): void {
  checkKnown(options, readOptionNames, "options");
  const { fields, types, nodes, totalTimeout, onStage } = options;
  if (fields !== undefined) checkTexts(fields, "fields");
  if (types !== undefined) checkTypes(types);
  if (nodes !== undefined) checkNodes(nodes, "nodes");
  const [from = -Infinity, to = Infinity] = [momentOf(options, "from")?.ms, momentOf(options, "to")?.ms];
  if (from > to) throw new ConfigError("from: must not be after to");
  momentOf(options, "when");
  checkCall(options);
  if (totalTimeout !== undefined && (typeof totalTimeout !== "number" || Number.isNaN(totalTimeout))) {
    throw new ConfigError("totalTimeout: must be a number of milliseconds");
  }
  if (onStage !== undefined && typeof onStage !== "function") throw new ConfigError("onStage: must be a function");
}

/** One of the moments of the options, as it goes over the wire and in milliseconds since 1970. Throws `ERR_CONFIG`. */
export function momentOf(
  options: ReadOptions,
  name: "from" | "to" | "when",
): { readonly text: string; readonly ms: number } | undefined {
  const given = options[name];
  if (given === undefined) return undefined;
  const written = formatXs("dateTime", given);
  if ("problem" in written) {
    throw new ConfigError(`${name}: must be a Date, milliseconds since 1970, or an xs:dateTime`);
  }
  return { text: written.text, ms: parseXs("dateTime", written.text).value };
}

function checkTypes(types: readonly FieldType[]): void {
  if (!Array.isArray(types) || types.length === 0) throw new ConfigError('types: must be a list, ["momentary"]');
  const known = new Set<unknown>(fieldTypes);
  const wrong = types.findIndex((type) => !known.has(type));
  if (wrong < 0) return;
  throw new ConfigError(
    `types[${wrong}]: there is no ${JSON.stringify(types[wrong])}; there are ${fieldTypes.join(", ")}`,
  );
}
