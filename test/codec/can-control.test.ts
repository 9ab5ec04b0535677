import { describe, expect, it } from "vitest";
import {
  buildCanControl,
  buildCanControlResponse,
  parseCanControl,
  parseCanControlResponse,
} from "../../src/codec/can-control.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { parseXml } from "../../src/codec/xml.ts";
import * as some from "./arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips, thrownBy } from "./laws.ts";

const inNamespace = (text: string): string => text.replace(/^<(\w+)/, `<$1 xmlns='${ns.provisioning}'`);
const of = (text: string) => parseXml(inNamespace(text));

describe("canControl (XEP-0324 3.4)", () => {
  it("is read as it was written", () => {
    roundTrips(some.canControl, buildCanControl, parseCanControl);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("canControl", ns.provisioning), parseCanControl, buildCanControl);
  });

  it("has nodes and parameters in any order (P-3.4.1-3)", () => {
    const xml =
      "<canControl jid='a@b.c/d'><parameter name='X'/><node nodeId='1'/><parameter name='Y'/><node nodeId='2' sourceId='s'/></canControl>";
    expect(parseCanControl(of(xml))).toEqual({
      jid: "a@b.c",
      tokens: {},
      nodes: [{ nodeId: "1" }, { nodeId: "2", sourceId: "s" }],
      parameters: ["X", "Y"],
    });
  });

  it.each([
    ["<canControl/>", "canControl/@jid"],
    ["<canControl jid='@'/>", "canControl/@jid"],
    ["<canControl jid='a@b.c'><node/></canControl>", "node/@nodeId"],
    ["<canControl jid='a@b.c'><parameter/></canControl>", "parameter/@name"],
    ["<canRead jid='a@b.c'/>", "canRead"],
  ])("is refused when it is broken: %s", (xml, path) => {
    refuses(parseCanControl, inNamespace(xml), path);
  });
});

describe("canControlResponse (XEP-0324 3.4)", () => {
  it("is read as it was written", () => {
    roundTrips(some.canControlResponse, buildCanControlResponse, parseCanControlResponse);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("canControlResponse", ns.provisioning), parseCanControlResponse, buildCanControlResponse);
  });

  it("without lists restricts nothing (P-3.4.2-2, P-3.4.2-4), and need not repeat the JID (P-E29)", () => {
    expect(parseCanControlResponse(of("<canControlResponse result='true'/>"))).toEqual({
      result: true,
      nodes: [],
      parameters: [],
    });
  });

  // A restriction that cannot be read must not pass for none: that would grant everything.
  it.each([
    ["<canControlResponse result='true'><node sourceId='s'/></canControlResponse>", "node/@nodeId"],
    ["<canControlResponse result='true'><parameter/></canControlResponse>", "parameter/@name"],
    ["<canControlResponse result='true'><field name='X'/></canControlResponse>", "canControlResponse"],
    ["<canControlResponse/>", "canControlResponse/@result"],
    ["<canControlResponse result='yes'/>", "canControlResponse/@result"],
    ["<canControlResponse result='true' jid='@'/>", "canControlResponse/@jid"],
    ["<canControl jid='a@b.c' result='true'/>", "canControl"],
    ["<canReadResponse jid='a@b.c' result='true'/>", "canReadResponse"],
  ])("is refused when it is broken: %s", (xml, path) => {
    refuses(parseCanControlResponse, inNamespace(xml), path);
  });

  it("is something of this namespace", () => {
    refuses(parseCanControlResponse, "<canControlResponse result='true'/>", "canControlResponse");
    expect(thrownBy(() => parseCanControlResponse(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });
});
