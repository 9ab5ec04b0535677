// What a reader may ask a Thing for, and how long it waits: XEP-0323 3.1, 3.5, 3.6.
import { checkCall, type CallOptions } from "../core/abort.ts";
import { ConfigError } from "../core/errors.ts";
import { checkKnown, checkTexts } from "../core/options.ts";
import { fieldTypes, type FieldType } from "../codec/field-types.ts";
import { checkNodes, type NodeRef } from "../codec/node-ref.ts";
import type { Tokens } from "../codec/tokens.ts";

/** How far a readout has come: accepted, to begin at once or later (`queued`), and begun after it was queued. */
export type ReadoutStage = "accepted" | "queued" | "started";

/** What to read. */
export interface ReadOptions extends CallOptions {
  /** The names of the fields. Default all. */
  readonly fields?: readonly string[];
  /** The kinds of field. Default `momentary`. */
  readonly types?: readonly FieldType[];
  /** Nodes of a concentrator. Default: the Thing itself. */
  readonly nodes?: readonly NodeRef[];
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
  checkCall(options);
  if (totalTimeout !== undefined && (typeof totalTimeout !== "number" || Number.isNaN(totalTimeout))) {
    throw new ConfigError("totalTimeout: must be a number of milliseconds");
  }
  if (onStage !== undefined && typeof onStage !== "function") throw new ConfigError("onStage: must be a function");
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
