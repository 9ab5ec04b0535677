// A Thing takes what it is asked for as a hint: the reader MUST take out what it did not want (XEP-0323 3.1, 3.6, 5.6).
import { isAnyOf, type FieldType, type FieldTypeSet } from "../codec/field-types.ts";
import type { Field, FieldGroup } from "../codec/sensor-data.ts";
import { parseXs } from "../codec/xs-values.ts";

/** What was wanted. */
export interface Wanted {
  /** The kinds of field. */
  readonly types: FieldTypeSet;
  /** The names of the fields; empty for all. */
  readonly fields: ReadonlySet<string>;
  /** The oldest historical value, in milliseconds since 1970. */
  readonly from?: number | undefined;
  /** The newest one. */
  readonly to?: number | undefined;
}

/**
 * What was wanted of what came. Nodes are not looked at: those below one that was named belong to it (XEP-0323 5.8). A field
 * that says nothing of its kind is taken: nothing says that it is another one.
 */
export function wantedOf(groups: readonly FieldGroup[], wanted: Wanted): readonly FieldGroup[] {
  return groups.flatMap((group) => {
    const isInTime = isWithin(group.timestamp, wanted);
    const fields = group.fields.filter((field) => isWanted(field, wanted, isInTime));
    if (fields.length === group.fields.length && fields.length > 0) return [group];
    return fields.length === 0 ? [] : [{ ...group, fields }];
  });
}

function isWanted({ name, types }: Field, wanted: Wanted, isInTime: boolean): boolean {
  if (wanted.fields.size > 0 && !wanted.fields.has(name)) return false;
  if (types.size === 0) return true;
  // The time that was asked for is that of historical values (XEP-0323 3.1); what is now, is now.
  const isMeant = (type: FieldType): boolean => wanted.types.has(type) && (isInTime || !type.startsWith("historical"));
  return isAnyOf(types, isMeant);
}

function isWithin(timestamp: string, { from, to }: Wanted): boolean {
  if (from === undefined && to === undefined) return true;
  const at = parseXs("dateTime", timestamp, "timestamp/@value").value;
  return at >= (from ?? -Infinity) && at <= (to ?? Infinity);
}
