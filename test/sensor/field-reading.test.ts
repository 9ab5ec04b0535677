import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Field } from "../../src/codec/sensor-data.ts";
import type { FieldDefinition } from "../../src/sensor/definition.ts";
import { readingOf } from "../../src/sensor/field-reading.ts";
import { toField } from "../../src/sensor/to-field.ts";
import * as some from "../codec/arbitraries.ts";

const at = { node: { nodeId: "" }, timestamp: "2026-01-01T00:00:00Z", fields: [] };
const decimalsOf = (text: string): number | undefined =>
  readingOf(at, {
    kind: "numeric",
    value: Number(text),
    text,
    unit: "",
    name: "T",
    types: new Set(),
    quality: new Set(),
  }).decimals;

/** A field of a sensor that has what was read elsewhere. */
function definitionOf(field: Field): FieldDefinition {
  const { name, kind, types, writable, module, stringIds } = field;
  return {
    name,
    type: kind,
    categories: [...types],
    ...(field.kind === "numeric" && { unit: field.unit }),
    ...(field.kind === "enum" && { dataType: field.dataType }),
    ...(writable !== undefined && { writable }),
    ...(module !== undefined && { module }),
    ...(stringIds !== undefined && { stringIds }),
  };
}

describe("a value that was read", () => {
  it("XEP-0323 5.4: says how many decimals it has, unless nobody can say it", () => {
    expect(["10", "10.0", "123.200", "-.5", "5.", "1e3", "1.5E-2", `0.${"1".repeat(21)}`].map(decimalsOf)).toEqual([
      0,
      1,
      3,
      1,
      0,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("XEP-0323 5.4: of every kind is the same once it was passed on, with as many decimals", () => {
    const passed = some.field.filter(({ types }) => types.size > 0);
    fc.assert(
      fc.property(passed, (field) => {
        const again = toField(definitionOf(field), readingOf(at, field));
        if (typeof again === "string") throw new Error(again);
        if (field.kind !== "numeric" || again.kind !== "numeric") {
          expect(again).toEqual(field);
          return;
        }
        expect({ ...again, text: "", value: again.value + 0 }).toEqual({ ...field, text: "", value: field.value + 0 });
        expect(Number(again.text)).toBe(field.value + 0);
        const decimals = decimalsOf(field.text);
        if (decimals !== undefined) expect(decimalsOf(again.text)).toBe(decimals);
      }),
    );
  });
});
