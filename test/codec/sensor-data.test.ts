import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fieldQualities, type FieldQuality, type FieldType } from "../../src/codec/field-types.ts";
import { ns } from "../../src/codec/namespaces.ts";
import {
  buildAccepted,
  buildCancel,
  buildCancelled,
  buildDone,
  buildFailure,
  buildFields,
  buildReq,
  buildStarted,
  parseAccepted,
  parseCancel,
  parseCancelled,
  parseDone,
  parseFailure,
  parseFields,
  parseReq,
  parseStarted,
} from "../../src/codec/sensor-data.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import * as some from "./arbitraries.ts";
import { anyElement, isTotal, overTheWire, refuses, roundTrips, thrownBy } from "./laws.ts";

const of = (text: string) => parseXml(text.replace(/^<(\w+)/, `<$1 xmlns='${ns.sensorData}'`));
const broken = (parse: Parameters<typeof refuses>[0], xml: string, path: string): void =>
  refuses(parse, xml.replace(/^<(\w+)/, `<$1 xmlns='${ns.sensorData}'`), path);
const fieldsOf = (inside: string): string =>
  `<fields seqnr='1'><node nodeId='n'><timestamp value='2026-01-01T00:00:00Z'>${inside}</timestamp></node></fields>`;

describe("req (XEP-0323 3.1)", () => {
  it("is read as it was written", () => {
    roundTrips(some.readRequest, buildReq, parseReq);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("req", ns.sensorData), parseReq, buildReq);
  });

  it("has nodes and fields in any order, other elements left aside", () => {
    const xml =
      "<req seqnr='1'>x<field name='A'/><y/><node nodeId='1'/><field name='B'/><field xmlns='urn:o' name='C'/></req>";
    expect(parseReq(of(xml))).toMatchObject({ nodes: [{ nodeId: "1" }], fields: ["A", "B"] });
  });

  it.each([
    ["<req/>", "req/@seqnr"],
    ["<req seqnr='one'/>", "req/@seqnr"],
    ["<req seqnr='2147483648'/>", "req/@seqnr"],
    ["<req seqnr='1' momentary='ja'/>", "req/@momentary"],
    ["<req seqnr='1' when='soon'/>", "req/@when"],
    ["<req seqnr='1' from='2013-02-30T00:00:00Z'/>", "req/@from"],
    ["<req seqnr='1' to='1'/>", "req/@to"],
    ["<req seqnr='1'><node/></req>", "node/@nodeId"],
    ["<req seqnr='1'><field/></req>", "field/@name"],
    ["<request seqnr='1'/>", "request"],
  ])("is refused when it is broken: %s", (xml, path) => {
    broken(parseReq, xml, path);
  });

  it("is not that of another namespace", () => {
    refuses(parseReq, "<req xmlns='urn:ieee:iot:sd:1.0' seqnr='1'/>", "req"); // X-E9
  });
});

describe("accepted (XEP-0323 3.1)", () => {
  it("is read as it was written", () => {
    roundTrips(fc.record({ seqnr: some.int, queued: fc.boolean() }), buildAccepted, parseAccepted);
  });

  it("may say that the readout starts later", () => {
    expect(parseAccepted(of("<accepted seqnr='4' queued='true'/>"))).toEqual({ seqnr: 4, queued: true });
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("accepted", ns.sensorData), parseAccepted);
    broken(parseAccepted, "<accepted/>", "accepted/@seqnr");
    broken(parseAccepted, "<accepted seqnr='1' queued='?'/>", "accepted/@queued");
    broken(parseAccepted, "<rejected seqnr='1'/>", "rejected"); // P-E3: an old refusal, never a success
    expect(thrownBy(() => parseAccepted(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });
});

describe("fields (XEP-0323 3.1)", () => {
  it("are read as they were written", () => {
    roundTrips(some.fields, buildFields, parseFields);
  });

  it("are read whole or not at all", () => {
    isTotal(anyElement("fields", ns.sensorData), parseFields, buildFields);
    const inside = anyElement("numeric", ns.sensorData).map((field) =>
      el(
        "fields",
        { xmlns: ns.sensorData, seqnr: 1 },
        el("node", { nodeId: "" }, el("timestamp", { value: "2026-01-01T00:00:00Z" }, field)),
      ),
    );
    isTotal(inside, parseFields, buildFields);
  });

  it("keep the number of decimals: 10 is not 10.0 is not 10.00 (XEP-0323 5.4)", () => {
    for (const text of ["10", "10.0", "10.00"]) {
      const fields = parseFields(of(fieldsOf(`<numeric name='T' value='${text}' unit='°C'/>`)));
      expect(fields.groups[0]?.fields[0]).toMatchObject({ value: 10, text });
      expect(String(buildFields(fields))).toContain(`value="${text}"`);
    }
  });

  it("of one node at several moments are several groups", () => {
    const moment = (at: string): string => `<timestamp value='${at}'><boolean name='On' value='1'/></timestamp>`;
    const fields = parseFields(of(`<fields seqnr='1'><node nodeId='n'>${moment("T1")}${moment("T2")}</node></fields>`));
    expect(fields.groups.map(({ node, timestamp }) => [node.nodeId, timestamp])).toEqual([
      ["n", "T1"],
      ["n", "T2"],
    ]);
  });

  it("of kinds this library does not know are left out, the others are not", () => {
    const inside = `<color name='C' value='ffffff'/><double name='D' value='1'/><numeric xmlns='urn:o' name='N' value='1'/>
      <string name='S' value='s'/><boolean name='B' value='0'/><numeric name='N' value='1e3'/>`;
    expect(parseFields(of(fieldsOf(inside))).groups[0]?.fields.map(({ name, kind }) => [name, kind])).toEqual([
      ["S", "string"],
      ["B", "boolean"],
      ["N", "numeric"],
    ]);
  });

  it("XEP-0323 5.4: hold a value of each kind", () => {
    const inside = `<boolean name='B' value='1'/><date name='D' value='2013-03-07'/><time name='T' value='16:24:30'/>
      <dateTime name='M' value='2013-03-07T16:24:30+01:00'/><duration name='P' value='PT3H12M'/><int name='I' value='-7'/>
      <enum name='E' value='NW' dataType='WindDirection'/><long name='L' value='-9223372036854775808'/>
      <numeric name='N' value='123.200' unit='MWh'/><string name='S' value=' s '/>`;
    const ms = Date.UTC(2013, 2, 7, 15, 24, 30);
    expect(parseFields(of(fieldsOf(inside))).groups[0]?.fields).toMatchObject([
      { kind: "boolean", value: true },
      { kind: "date", value: "2013-03-07" },
      { kind: "time", value: "16:24:30" },
      { kind: "dateTime", value: "2013-03-07T16:24:30+01:00", ms },
      { kind: "duration", value: "PT3H12M" },
      { kind: "int", value: -7 },
      { kind: "enum", value: "NW", dataType: "WindDirection" },
      { kind: "long", value: -(2n ** 63n) },
      { kind: "numeric", value: 123.2, text: "123.200", unit: "MWh" },
      { kind: "string", value: " s " },
    ]);
  });

  it("XEP-0323 5.4: hold what was called timeSpan in 2013 as a duration", () => {
    const { groups } = parseFields(of(fieldsOf(`<timeSpan name='P' value='PT3H12M'/>`)));
    expect(groups[0]?.fields).toMatchObject([{ kind: "duration", name: "P", value: "PT3H12M" }]);
  });

  it("XEP-0323 5.7: say what a value is worth, in the order of importance, or nothing", () => {
    expect(fieldQualities).toHaveLength(14);
    for (const quality of fieldQualities) {
      const { groups } = parseFields(of(fieldsOf(`<int name='I' value='1' ${quality}='true' signed='0'/>`)));
      expect(groups[0]?.fields[0]?.quality).toEqual(new Set(quality === "signed" ? [] : [quality]));
    }
    const [first, last] = [fieldQualities[0], fieldQualities.at(-1)];
    expect([first, last]).toEqual(["missing", "invoiceConfirmed"]);
  });

  it("XEP-0323 5.10: may say that a parameter of the same name can be set", () => {
    const writable = (attribute: string): unknown =>
      parseFields(of(fieldsOf(`<int name='I' value='1' ${attribute}/>`))).groups[0]?.fields[0]?.writable;
    expect([writable("writable='true'"), writable("writable='0'"), writable("")]).toEqual([true, false, undefined]);
  });

  it("XEP-0323 6.2: keep the strings of a name; what reads as none is left out, the value is not (S-E2)", () => {
    const field = (stringIds: string): unknown =>
      parseFields(of(fieldsOf(`<int name='I' value='1' module='M' stringIds='${stringIds}'/>`))).groups[0]?.fields[0];
    expect(field("4||A1,5||3")).toMatchObject({ module: "M", stringIds: "4||A1,5||3" });
    expect(field("4|urn:x:y")).toMatchObject({ stringIds: "4|urn:x:y" });
    expect(field("Temperature")).not.toHaveProperty("stringIds");
    expect(field("Temperature")).toMatchObject({ value: 1 });
  });

  it("XEP-0323 3.4: moments of one node stand in one element, and are read as they were", () => {
    const moments = ["a", "a", "b", "a"].map((nodeId, index) => ({
      node: { nodeId },
      timestamp: `2026-01-0${index + 1}T00:00:00Z`,
      fields: [],
    }));
    const built = buildFields({ seqnr: 1, done: true, groups: moments });
    expect(built.getChildElements().map((node) => [node.attrs["nodeId"], node.children.length])).toEqual([
      ["a", 2],
      ["b", 1],
      ["a", 1],
    ]);
    expect(parseFields(overTheWire(built)).groups).toEqual(moments);
  });

  it.each([
    [fieldsOf("<int name='I' value='1.5'/>"), "int/@value"],
    [fieldsOf("<int name='I' value='2147483648'/>"), "int/@value"],
    [fieldsOf("<long name='L' value='9223372036854775808'/>"), "long/@value"],
    [fieldsOf("<date name='D' value='2013-02-30'/>"), "date/@value"],
    [fieldsOf("<time name='T' value='25:00:00'/>"), "time/@value"],
    [fieldsOf("<dateTime name='D' value='2013-02-03'/>"), "dateTime/@value"],
    [fieldsOf("<duration name='P' value='1h'/>"), "duration/@value"],
    [fieldsOf("<enum name='E' value='x'/>"), "enum/@dataType"],
    [fieldsOf("<int name='I' value='1' signed='ja'/>"), "int/@signed"],
    [fieldsOf("<int name='I' value='1' writable='ja'/>"), "int/@writable"],
    [fieldsOf("<numeric name='N' unit=''/>"), "numeric/@value"],
    [fieldsOf("<numeric name='N' value='' unit=''/>"), "numeric/@value"],
    [fieldsOf("<numeric name='N' value='NaN' unit=''/>"), "numeric/@value"],
    [fieldsOf("<numeric name='N' value='1e999' unit=''/>"), "numeric/@value"],
    [fieldsOf("<numeric value='1' unit=''/>"), "numeric/@name"],
    [fieldsOf("<boolean name='B' value='ja'/>"), "boolean/@value"],
    [fieldsOf("<boolean name='B'/>"), "boolean/@value"],
    [fieldsOf("<string name='S'/>"), "string/@value"],
    [fieldsOf("<string name='S' value='x' peak='?'/>"), "string/@peak"],
    [fieldsOf("<string name='S' value='x' automaticReadout='?'/>"), "string/@automaticReadout"],
    ["<fields/>", "fields/@seqnr"],
    ["<fields seqnr='1' done='?'/>", "fields/@done"],
    ["<fields seqnr='1'><node><timestamp value='T'/></node></fields>", "node/@nodeId"],
    ["<fields seqnr='1'><node nodeId=''><timestamp/></node></fields>", "timestamp/@value"],
    ["<field seqnr='1'/>", "field"],
  ])("are refused when they are broken: %s", (xml, path) => {
    broken(parseFields, xml, path);
  });

  it("are something", () => {
    expect(thrownBy(() => parseFields(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });

  it("keep names and values of 16 KB, and those of JavaScript's own, as they are", () => {
    const long = "\u20ac".repeat(16_384);
    for (const name of [long, "__proto__", "constructor"]) {
      const field = {
        kind: "string",
        name,
        value: long,
        types: new Set<FieldType>(),
        quality: new Set<FieldQuality>(),
      } as const;
      const groups = [{ node: { nodeId: name }, timestamp: "2026-01-01T00:00:00Z", fields: [field] }];
      const fields = { seqnr: 1, done: true, groups };
      expect(parseFields(overTheWire(buildFields(fields)))).toEqual(fields);
    }
  });
});

describe("failure (XEP-0323 3.2)", () => {
  it("is read as it was written", () => {
    roundTrips(some.failure, buildFailure, parseFailure);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("failure", ns.sensorData), parseFailure, buildFailure);
    broken(parseFailure, "<failure/>", "failure/@seqnr");
    broken(parseFailure, "<failure seqnr='1'><error timestamp='T'/></failure>", "error/@nodeId");
    broken(parseFailure, "<failure seqnr='1'><error nodeId=''/></failure>", "error/@timestamp");
    broken(parseFailure, "<fields seqnr='1'/>", "fields");
  });
});

describe("done (XEP-0323 3.4)", () => {
  it("is read whole or not at all", () => {
    expect(parseDone(of("<done seqnr='-7'/>"))).toEqual({ seqnr: -7 });
    isTotal(anyElement("done", ns.sensorData), parseDone);
    broken(parseDone, "<done/>", "done/@seqnr");
    broken(parseDone, "<started seqnr='1'/>", "started");
  });
});

describe("XEP-0323 3.4, 3.7: started, done, cancel and cancelled", () => {
  it.each([
    ["started", buildStarted, parseStarted],
    ["done", buildDone, parseDone],
    ["cancel", buildCancel, parseCancel],
    ["cancelled", buildCancelled, parseCancelled],
  ] as const)("name the readout by its number, and nothing else: %s", (name, build, parse) => {
    roundTrips(fc.record({ seqnr: some.int }), build, parse);
    isTotal(anyElement(name, ns.sensorData), parse);
    broken(parse, `<${name}/>`, `${name}/@seqnr`);
    broken(parse, "<other seqnr='1'/>", "other");
    expect(thrownBy(() => parse(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });
});
