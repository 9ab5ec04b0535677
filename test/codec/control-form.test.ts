import { describe, expect, it } from "vitest";
import { buildGetForm, parseGetForm } from "../../src/codec/control-form.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { parseXml } from "../../src/codec/xml.ts";
import { getForm } from "./form-arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips } from "./laws.ts";

describe("the codec of getForm", () => {
  it("XEP-0325 3.3.1, 3.4.4, 5.6, 6.2: reads back whatever it makes", () => {
    roundTrips(getForm, buildGetForm, parseGetForm);
  });

  it("gives a whole request or ERR_PROTOCOL, whatever comes in", () => {
    isTotal(anyElement("getForm", ns.control), parseGetForm, buildGetForm);
  });

  it("asks for the Thing itself, in no language, where nothing is said", () => {
    expect(String(buildGetForm({ nodes: [], tokens: {} }))).toBe(`<getForm xmlns="${ns.control}"/>`);
    expect(parseGetForm(parseXml(`<getForm xmlns='${ns.control}' xml:lang=''/>`))).toEqual({ nodes: [], tokens: {} });
  });

  it.each([
    ["something else", `<set xmlns='${ns.control}'/>`, "set"],
    ["another namespace", "<getForm xmlns='urn:other'/>", "getForm"],
    ["a node without an id", `<getForm xmlns='${ns.control}'><node/></getForm>`, "node/@nodeId"],
  ])("refuses %s", (_what, xml, path) => {
    refuses(parseGetForm, xml, path);
  });
});
