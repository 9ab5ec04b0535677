// From what is wanted and granted of one device to the fields of it that may leave the Thing (XEP-0323 3.6, 5.6, XEP-0324 3.3.2, 3.3.3).
import { isAnyOf, type FieldType, type FieldTypeSet } from "../codec/field-types.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { ReadRequest } from "../codec/sensor-data.ts";
import { permitsNode, type Grant } from "../provisioning/grants.ts";
import { categoriesOf, type FieldDefinition } from "./definition.ts";

/** A field that may be shown. */
export interface AllowedField {
  readonly definition: FieldDefinition;
  /** The kinds of which it may be shown: a value of now may be granted, and its history not. */
  readonly granted: FieldTypeSet;
}

/** The fields of a node that may be shown, by name. */
export type Allowed = ReadonlyMap<string, AllowedField>;

/** The fields that a request means: named, or all of them, of a kind that is asked for. */
export function wantedFields(
  definitions: readonly FieldDefinition[],
  request: ReadRequest,
): readonly FieldDefinition[] {
  return definitions.filter(
    (definition) =>
      (request.fields.length === 0 || request.fields.includes(definition.name)) &&
      isSome(categoriesOf(definition), request.types),
  );
}

/** The fields of a node among those wanted that are granted: node, name and kind by the same grant (P-E20). */
export function allowedFields(
  node: NodeRef,
  wanted: Iterable<FieldDefinition>,
  grants: readonly Grant[],
): Map<string, AllowedField> {
  const here = grants.filter((grant) => permitsNode(grant, node));
  const allowed = new Map<string, AllowedField>();
  for (const definition of wanted) {
    const { name } = definition;
    const granted = new Set<FieldType>();
    for (const { fields, types } of here) {
      if (fields.length === 0 || fields.includes(name)) for (const type of types) granted.add(type);
    }
    if (isSome(categoriesOf(definition), granted)) allowed.set(name, { definition, granted });
  }
  return allowed;
}

/** Tells whether some of the kinds are among others: a daily value is an hourly one too (XEP-0323 5.6). */
export function isSome(types: FieldTypeSet, others: FieldTypeSet): boolean {
  return isAnyOf(types, (type) => others.has(type));
}
