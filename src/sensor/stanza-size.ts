// How many bytes a field takes in a stanza. Servers bound stanzas; all of them take 10,000 bytes (RFC 6120 13.12).
import type { NodeRef } from "../codec/node-ref.ts";
import { buildField, type Field } from "../codec/sensor-field.ts";

/** So many bytes of fields, or of errors, stand in one message: with what is around them it stays below 10,000. */
export const MOST_BYTES = 8_500;

/** A single field may be longer, and goes by itself then. More than this no small server would take. */
export const LONGEST_FIELD = 45_000;

const plain = /^[ !#-%(-;=?-~]*$/;

/** At most so many bytes a text takes, escaped and as UTF-8. Seldom more than it does. */
export function textBytes(text: string): number {
  return text === "" || plain.test(text) ? text.length : text.length * 6;
}

/** At most so many bytes the element of a node takes, without what is in it. */
export function nodeBytes({ nodeId, sourceId = "", cacheType = "" }: NodeRef): number {
  return 80 + textBytes(nodeId) + textBytes(sourceId) + textBytes(cacheType);
}

/** At most so many bytes the element of a moment takes, without what is in it: a fraction of a second may be long. */
export const momentBytes = (timestamp: string | undefined): number => 76 + (timestamp?.length ?? 24);

/** At most so many bytes a field takes; exactly so many if it is a long one. */
export function fieldBytes(field: Field): number {
  let bytes = 90 + textBytes(field.name) + textBytes(field.module ?? "") + textBytes(field.stringIds ?? "");
  for (const type of field.types) bytes += type.length + 8;
  for (const quality of field.quality) bytes += quality.length + 8;
  bytes += valueBytes(field);
  return bytes > MOST_BYTES / 4 ? Buffer.byteLength(String(buildField(field))) : bytes;
}

function valueBytes(field: Field): number {
  switch (field.kind) {
    case "numeric":
      return field.text.length + textBytes(field.unit);
    case "string":
      return textBytes(field.value);
    case "enum":
      return textBytes(field.value) + textBytes(field.dataType);
    default:
      return String(field.value).length;
  }
}
