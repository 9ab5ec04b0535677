import { describe, expect, it } from "vitest";
import { buildSet, buildSetResponse, parseSet, parseSetResponse, refusalCode } from "../../src/codec/control.ts";
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
      { kind: "int", name: "A", value: "5" },
      { kind: "boolean", name: "B", value: false },
    ]);
  });

  it("tells that it holds a control form (XEP-0325 3.3.3)", () => {
    const form = "<x xmlns='jabber:x:data' type='submit'><field var='A'><value>1</value></field></x>";
    expect(parseSet(of(`<set>${form}<boolean name='B' value='1'/></set>`))).toMatchObject({
      hasForm: true,
      parameters: [{ name: "B" }],
    });
    expect(parseSet(of("<set><boolean name='B' value='1'/></set>")).hasForm).toBe(false);
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
    ["<set><dateTime value='T'/></set>", "dateTime/@name"],
    ["<set><node/></set>", "node/@nodeId"],
    ["<getForm/>", "getForm"],
  ])("is refused as a whole when a part of it is broken: %s", (xml, path) => {
    refuses(parseSet, inNamespace(xml), path);
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
