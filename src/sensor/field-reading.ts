// A value as a reader takes it: one field, with the node and the moment it belongs to. XEP-0323 2, 5.4 to 5.7.
import type { FieldType } from "../codec/field-types.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Field, FieldGroup } from "../codec/sensor-data.ts";

/**
 * One value that was read, as it came: what it is by its `kind`. A Thing that passes it on may yield it from its own
 * sensor as it is: value, decimals, moment, kinds and quality are kept (XEP-0323 2, 5.4, 6.1).
 */
export type FieldReading = (Field extends infer One ? (One extends unknown ? Omit<One, "types"> : never) : never) & {
  /** The node; a Thing that is no concentrator has one of an empty id. */
  readonly node: NodeRef;
  /** When, as xs:dateTime, as it was sent. Without a zone it is in that of the reader (XEP-0323 6.1). */
  readonly timestamp: string;
  /** The kinds of field it is of, all of them at once (XEP-0323 5.6). */
  readonly categories: readonly FieldType[];
  /** Of a number: how many decimals it was measured to; left out where it has more than 20, or an exponent. */
  readonly decimals?: number;
};

/** A field of a group by itself. */
export function readingOf({ node, timestamp }: FieldGroup, { types, ...field }: Field): FieldReading {
  const decimals = field.kind === "numeric" ? decimalsOf(field.text) : undefined;
  return { ...field, node, timestamp, categories: [...types], ...(decimals !== undefined && { decimals }) };
}

// More is no precision that anything is measured to, nor what a number can be written with.
const MOST_DECIMALS = 20;

function decimalsOf(text: string): number | undefined {
  if (/e/i.test(text)) return undefined;
  const point = text.indexOf(".");
  const count = point < 0 ? 0 : text.length - point - 1;
  return count > MOST_DECIMALS ? undefined : count;
}
