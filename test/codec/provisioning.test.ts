import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ns } from "../../src/codec/namespaces.ts";
import {
  buildCanRead,
  buildCanReadResponse,
  buildClearCache,
  buildClearCacheResponse,
  buildIsFriend,
  buildIsFriendResponse,
  parseCanRead,
  parseCanReadResponse,
  parseIsFriend,
  parseIsFriendResponse,
} from "../../src/codec/provisioning.ts";
import { parseXml } from "../../src/codec/xml.ts";
import * as some from "./arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips, thrownBy } from "./laws.ts";

const of = (text: string) => parseXml(text.replace(/^<(\w+)/, `<$1 xmlns='${ns.provisioning}'`));

describe("isFriend (XEP-0324 3.2.1)", () => {
  it("is read as it was written", () => {
    roundTrips(fc.record({ jid: some.bareJid }), buildIsFriend, parseIsFriend);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("isFriend", ns.provisioning), parseIsFriend, buildIsFriend);
  });

  it("is about a person or component, whatever the resource (P-3.2.1-4)", () => {
    expect(parseIsFriend(of("<isFriend jid='Client1@example.org/x'/>"))).toEqual({ jid: "client1@example.org" });
    refuses(parseIsFriend, `<isFriend xmlns='${ns.provisioning}'/>`, "isFriend/@jid");
    refuses(parseIsFriend, `<isFriend xmlns='${ns.provisioning}' jid='@'/>`, "isFriend/@jid");
    refuses(parseIsFriend, "<isFriend xmlns='urn:xmpp:sn:provisioning' jid='a@b.c'/>", "isFriend"); // P-E25
  });
});

describe("isFriendResponse (XEP-0324 3.2.1)", () => {
  it("is read as it was written", () => {
    roundTrips(some.isFriendResponse, buildIsFriendResponse, parseIsFriendResponse);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("isFriendResponse", ns.provisioning), parseIsFriendResponse, buildIsFriendResponse);
  });

  it("P-3.1.4-2: need not repeat the JID (P-E29), nor say that secondary trust is not allowed, but must have a result: without one nobody is a friend", () => {
    expect(parseIsFriendResponse(of("<isFriendResponse result='1'/>"))).toEqual({
      result: true,
      secondaryTrustAllowed: false,
    });
    for (const result of ["", "result=''", "result='yes'", "result='TRUE'"]) {
      const xml = `<isFriendResponse xmlns='${ns.provisioning}' jid='a@b.c' ${result}/>`;
      refuses(parseIsFriendResponse, xml, "isFriendResponse/@result");
    }
    refuses(
      parseIsFriendResponse,
      `<isFriendResponse xmlns='${ns.provisioning}' result='false' secondaryTrustAllowed='?'/>`,
      "isFriendResponse/@secondaryTrustAllowed",
    );
    expect(thrownBy(() => parseIsFriendResponse(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });
});

describe("canRead (XEP-0324 3.3)", () => {
  it("is read as it was written", () => {
    roundTrips(some.canRead, buildCanRead, parseCanRead);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("canRead", ns.provisioning), parseCanRead, buildCanRead);
  });

  it("has nodes and fields in any order (P-3.3.1-5)", () => {
    const xml =
      "<canRead jid='a@b.c'><field name='X'/><node nodeId='1'/><field name='Y'/><node nodeId='2' sourceId='s'/></canRead>";
    expect(parseCanRead(of(xml))).toMatchObject({
      nodes: [{ nodeId: "1" }, { nodeId: "2", sourceId: "s" }],
      fields: ["X", "Y"],
    });
  });

  it.each([
    ["<canRead/>", "canRead/@jid"],
    ["<canRead jid=''/>", "canRead/@jid"],
    ["<canRead jid='a@b.c' momentary='ja'/>", "canRead/@momentary"],
    ["<canRead jid='a@b.c'><node/></canRead>", "node/@nodeId"],
    ["<canRead jid='a@b.c'><field/></canRead>", "field/@name"],
  ])("is refused when it is broken: %s", (xml, path) => {
    refuses(parseCanRead, xml.replace("<canRead", `<canRead xmlns='${ns.provisioning}'`), path);
  });
});

describe("canReadResponse (XEP-0324 3.3)", () => {
  it("is read as it was written", () => {
    roundTrips(some.canReadResponse, buildCanReadResponse, parseCanReadResponse);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("canReadResponse", ns.provisioning), parseCanReadResponse, buildCanReadResponse);
  });

  it("without lists restricts nothing (P-3.3.2-2, P-3.3.3-2)", () => {
    expect(parseCanReadResponse(of("<canReadResponse jid='a@b.c' result='true'/>"))).toEqual({
      jid: "a@b.c",
      result: true,
      types: new Set(),
      nodes: [],
      fields: [],
    });
  });

  // A list whose items cannot be read must not pass for no list: that would grant everything.
  it.each([
    ["<canReadResponse result='true'><node sourceId='s'/></canReadResponse>", "node/@nodeId"],
    ["<canReadResponse result='true'><field/></canReadResponse>", "field/@name"],
    ["<canReadResponse result='true' momentary='?'/>", "canReadResponse/@momentary"],
    ["<canReadResponse/>", "canReadResponse/@result"],
    ["<canReadResponse result=''/>", "canReadResponse/@result"],
    ["<canReadResponse result='true' jid='@'/>", "canReadResponse/@jid"],
  ])("is refused when it is broken: %s", (xml, path) => {
    refuses(parseCanReadResponse, xml.replace("<canReadResponse", `<canReadResponse xmlns='${ns.provisioning}'`), path);
  });

  it("is nothing else: neither the question nor an error passes for it", () => {
    refuses(parseCanReadResponse, `<canRead xmlns='${ns.provisioning}' jid='a@b.c' result='true'/>`, "canRead");
    refuses(parseCanReadResponse, "<canReadResponse result='true'/>", "canReadResponse");
    expect(thrownBy(() => parseCanReadResponse(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });

  it("lists an item of an empty name as what it is, a restriction to nothing", () => {
    const xml = "<canReadResponse result='true'><field name=''/></canReadResponse>";
    expect(parseCanReadResponse(of(xml)).fields).toEqual([""]);
  });
});

describe("clearCache (XEP-0324 3.5.1)", () => {
  it("and its answer have neither attributes nor content", () => {
    expect(String(buildClearCache())).toBe(`<clearCache xmlns="${ns.provisioning}"/>`);
    expect(String(buildClearCacheResponse())).toBe(`<clearCacheResponse xmlns="${ns.provisioning}"/>`);
  });
});
