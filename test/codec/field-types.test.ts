import { describe, expect, it } from "vitest";
import {
  addFieldFlags,
  fieldTypeAttributes,
  fieldTypes,
  parseFieldFlags,
  parseFieldTypes,
  type FieldTypeSet,
} from "../../src/codec/field-types.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { types } from "./arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips } from "./laws.ts";

const historical = fieldTypes.filter((type) => type.startsWith("historical"));

/** The flags of a field of these kinds. */
function flagsOf(types: FieldTypeSet): Record<string, string | boolean> {
  const attributes: Record<string, string | boolean> = {};
  addFieldFlags(attributes, types);
  return attributes;
}

describe("field types of a request or grant (XEP-0323 5.6)", () => {
  it("are read as they were written", () => {
    roundTrips(types, (value) => el("req", fieldTypeAttributes(value)), parseFieldTypes);
  });

  it("are fourteen, nine of them historical", () => {
    expect(fieldTypes).toHaveLength(14);
    expect(historical).toHaveLength(9);
  });

  it("have short forms: all, and historical", () => {
    expect(fieldTypeAttributes(new Set(fieldTypes))).toEqual({ all: true });
    expect(fieldTypeAttributes(new Set(historical))).toEqual({ historical: true });
    expect(fieldTypeAttributes(new Set(["peak", ...historical]))).toEqual({ peak: true, historical: true });
    expect(fieldTypeAttributes(new Set(["historicalDay"]))).toEqual({ historicalDay: true });
    expect(fieldTypeAttributes(new Set())).toEqual({});
  });

  it("are read in their short forms, whatever stands beside them", () => {
    expect(parseFieldTypes(parseXml("<req all='1' momentary='false'/>"))).toEqual(new Set(fieldTypes));
    expect(parseFieldTypes(parseXml("<req historical='true' peak='true'/>"))).toEqual(new Set(["peak", ...historical]));
    expect(parseFieldTypes(parseXml("<req all='false' historical='false'/>"))).toEqual(new Set());
    expect(parseFieldTypes(parseXml("<req identification='true'/>"))).toEqual(new Set());
  });

  it("are read whole or not at all, a bad one beside `all` too", () => {
    isTotal(anyElement("req", "urn:x"), parseFieldTypes, (value) => el("req", fieldTypeAttributes(value)));
    refuses(parseFieldTypes, "<req all='true' peak='ja'/>", "req/@peak");
    refuses(parseFieldTypes, "<req historical='ja'/>", "req/@historical");
    refuses(parseFieldTypes, "<req all='ja'/>", "req/@all");
  });
});

describe("field types of a field", () => {
  it("are read as they were written, each by itself", () => {
    roundTrips(
      types,
      (value) => el("numeric", flagsOf(value)),
      (element) => parseFieldFlags(element).types,
    );
    expect(Object.keys(flagsOf(new Set(fieldTypes)))).toEqual([...fieldTypes]);
  });

  it("have no short forms, but an old word (S-E1)", () => {
    expect(parseFieldFlags(parseXml("<string all='true' historical='true'/>")).types).toEqual(new Set());
    expect(parseFieldFlags(parseXml("<string identification='true'/>")).types).toEqual(new Set(["identity"]));
    expect(parseFieldFlags(parseXml("<string identification='1' identity='1'/>")).types).toEqual(new Set(["identity"]));
    refuses(parseFieldFlags, "<string identification='ja'/>", "string/@identification");
  });
});
