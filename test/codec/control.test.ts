import { describe, expect, it } from "vitest";
import fc from "fast-check";
import {
  buildSet,
  buildSetResponse,
  malformedSettings,
  parameterKinds,
  parseSet,
  parseSetResponse,
  refusalCode,
  type ParameterSetting,
} from "../../src/codec/control.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import * as some from "./arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips, thrownBy } from "./laws.ts";

const inNamespace = (text: string): string => text.replace(/^<(\w+)/, `<$1 xmlns='${ns.control}'`);
const of = (text: string) => parseXml(inNamespace(text));

describe("set (XEP-0325 3.2)", () => {
  it("is read as it was written, values of all kinds", () => {
    roundTrips(some.setRequest, buildSet, parseSet);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("set", ns.control), parseSet);
    const inside = anyElement("boolean", ns.control).map((setting) => el("set", { xmlns: ns.control }, setting));
    isTotal(inside, parseSet, buildSet);
  });

  it("keeps the order of the parameters, also of one named twice (XEP-0325 3.2.11)", () => {
    const xml = "<set><boolean name='B' value='1'/><int name='A' value='5'/><boolean name='B' value='false'/></set>";
    expect(parseSet(of(xml)).parameters).toEqual([
      { kind: "boolean", name: "B", value: true },
      { kind: "int", name: "A", value: 5 },
      { kind: "boolean", name: "B", value: false },
    ]);
  });

  it("XEP-0325 3.3.3: holds a control form that was filled in, and never two", () => {
    const form = "<x xmlns='jabber:x:data' type='submit'><field var='A'><value>1</value></field></x>";
    const both = of(`<set>${form}<boolean name='B' value='1'/></set>`);
    expect(parseSet(both)).toMatchObject({
      form: { type: "submit", fields: [{ name: "A", values: ["1"] }] },
      parameters: [{ name: "B" }],
    });
    expect(parseSet(buildSet(parseSet(both)))).toEqual(parseSet(both));
    expect(parseSet(of("<set><boolean name='B' value='1'/></set>"))).not.toHaveProperty("form");
    refuses(parseSet, inNamespace(`<set>${form}${form}</set>`), "set/x");
  });

  it.each(parameterKinds)("XEP-0325 3.2: a %s is read as what it is, and written as it was", (kind) => {
    fc.assert(
      fc.property(some.text, some.written[kind], (name, value) => {
        const set = el("set", { xmlns: ns.control }, el(kind, { name, value }));
        const { parameters } = parseSet(set);
        expect(parameters).toEqual([expect.objectContaining({ kind, name })]);
        // As it came: with all decimals, and without a zone where there was none.
        expect(String(buildSet({ nodes: [], tokens: {}, parameters }))).toBe(String(set));
      }),
    );
  });

  it("is read of what a value means, not of how it is written", () => {
    const xml =
      "<set><boolean name='b' value=' 1 '/><int name='i' value='+007'/><long name='l' value='-9223372036854775808'/>" +
      "<double name='d' value=' 123.200 '/><dateTime name='t' value='2013-04-02T08:00:00'/><string name='s' value=' x '/></set>";
    expect(parseSet(of(xml)).parameters).toEqual([
      { kind: "boolean", name: "b", value: true },
      { kind: "int", name: "i", value: 7 },
      { kind: "long", name: "l", value: -(2n ** 63n) },
      { kind: "double", name: "d", value: 123.2, text: "123.200" },
      { kind: "dateTime", name: "t", value: "2013-04-02T08:00:00" },
      { kind: "string", name: "s", value: " x " },
    ]);
  });

  it("is not made of values that are none", () => {
    const making = (setting: unknown) => () =>
      buildSet({ nodes: [], tokens: {}, parameters: [setting as ParameterSetting] });
    expect(thrownBy(making({ kind: "int", name: "A", value: 0.5 }))).toMatchObject({ path: "int/@value" });
    expect(thrownBy(making({ kind: "double", name: "A", value: NaN }))).toMatchObject({ path: "double/@value" });
    expect(thrownBy(making({ kind: "double", name: "A", value: 1, text: "one" }))).toMatchObject({
      path: "double/@value",
    });
  });

  // What is not understood must not be left out of what is then acknowledged.
  it.each([
    ["<set><bool name='B' value='1'/></set>", "set"],
    ["<set><boolean name='A' value='1'/><enum name='B' value='1'/></set>", "set"],
    ["<set><boolean xmlns='urn:other' name='B' value='1'/></set>", "set"],
    ["<set><x/></set>", "set"],
    ["<set><boolean value='1'/></set>", "boolean/@name"],
    ["<set><boolean name='B'/></set>", "boolean/@value"],
    ["<set><boolean name='B' value=''/></set>", "boolean/@value"],
    ["<set><boolean name='B' value='on'/></set>", "boolean/@value"],
    ["<set><color name='C'/></set>", "color/@value"],
    ["<set><color name='C' value='red'/></set>", "color/@value"],
    ["<set><int name='I' value='2147483648'/></set>", "int/@value"],
    ["<set><int name='I' value='1.0'/></set>", "int/@value"],
    ["<set><long name='L' value='9223372036854775808'/></set>", "long/@value"],
    ["<set><double name='D' value='NaN'/></set>", "double/@value"],
    ["<set><double name='D' value='INF'/></set>", "double/@value"],
    ["<set><date name='D' value='2013-02-29'/></set>", "date/@value"],
    ["<set><time name='T' value='25:00:00'/></set>", "time/@value"],
    ["<set><duration name='D' value='P'/></set>", "duration/@value"],
    ["<set><dateTime value='T'/></set>", "dateTime/@name"],
    ["<set><node/></set>", "node/@nodeId"],
    ["<getForm/>", "getForm"],
  ])("is refused as a whole when a part of it is broken: %s", (xml, path) => {
    refuses(parseSet, inNamespace(xml), path);
  });

  it("XEP-0325 3.1.3: tells which values cannot be read, the first few, and nothing else that is wrong", () => {
    const bad = (name: string): string => `<int name='${name}' value='x'/>`;
    const set = of(
      `<set>${bad("A")}<boolean name='B' value='1'/>${bad("C")}<bool name='D' value='x'/><int value='x'/>${bad("E")}</set>`,
    );
    const text = "Invalid parameter value: not an xs:int.";
    expect(malformedSettings(set, 10)).toEqual(["A", "C", "E"].map((name) => ({ name, text })));
    expect(malformedSettings(set, 2).map(({ name }) => name)).toEqual(["A", "C"]);
  });

  it("is of its namespace", () => {
    refuses(parseSet, "<set xmlns='urn:xmpp:sn:control'/>", "set");
  });
});

describe("setResponse (XEP-0325 3.1.2)", () => {
  it("is read as it was written", () => {
    roundTrips(some.setResponse, buildSetResponse, parseSetResponse);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("setResponse", ns.control), parseSetResponse, buildSetResponse);
    refuses(parseSetResponse, inNamespace("<setResponse><parameter/></setResponse>"), "parameter/@name");
    refuses(parseSetResponse, inNamespace("<setResponse><node/></setResponse>"), "node/@nodeId");
    refuses(parseSetResponse, inNamespace("<set/>"), "set");
    expect(thrownBy(() => parseSetResponse(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });

  it("keeps the code that old peers write, an empty one is none (P-E4)", () => {
    expect(parseSetResponse(of("<setResponse responseCode='OK'/>"))).toEqual({
      nodes: [],
      parameters: [],
      responseCode: "OK",
    });
    expect(parseSetResponse(of("<setResponse responseCode=''/>"))).toEqual({ nodes: [], parameters: [] });
  });

  it("refuses by any code but OK, and by no element of another name (P-E4)", () => {
    const codes = ["OK", "", "InsufficientPrivileges", "ok", "NotFound"];
    expect(codes.map((code) => refusalCode(of(`<setResponse responseCode='${code}'/>`)))).toEqual([
      undefined,
      undefined,
      "InsufficientPrivileges",
      "ok",
      "NotFound",
    ]);
    expect(refusalCode(of("<setResponse/>"))).toBeUndefined();
    expect(refusalCode(of("<set responseCode='NotFound'/>"))).toBeUndefined();
    expect(refusalCode(parseXml("<setResponse responseCode='NotFound'/>"))).toBeUndefined();
  });
});
