import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FieldType } from "../../src/codec/field-types.ts";
import { ns } from "../../src/codec/namespaces.ts";
import {
  buildAccepted,
  buildFailure,
  buildFields,
  buildReq,
  parseAccepted,
  parseDone,
  parseFailure,
  parseFields,
  parseReq,
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
    roundTrips(fc.record({ seqnr: some.int, queued: fc.constant(false) }), buildAccepted, parseAccepted);
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
    const inside = `<enum name='E' value='v' dataType='d'/><int name='I' value='1'/><numeric xmlns='urn:o' name='N' value='1'/>
      <string name='S' value='s'/><boolean name='B' value='0'/><numeric name='N' value='1e3'/>`;
    expect(parseFields(of(fieldsOf(inside))).groups[0]?.fields.map(({ name, kind }) => [name, kind])).toEqual([
      ["S", "string"],
      ["B", "boolean"],
      ["N", "numeric"],
    ]);
  });

  it.each([
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
        automaticReadout: false,
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
