import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildInfo,
  buildInfoQuery,
  buildItems,
  buildItemsQuery,
  parseInfo,
  parseItems,
  type DiscoInfo,
} from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { parseXml } from "../../src/codec/xml.ts";
import { bareJid, text } from "./arbitraries.ts";
import { anyElement, isTotal, overTheWire, refuses, roundTrips, thrownBy } from "./laws.ts";

const identity = fc.oneof(
  fc.record({ category: text, type: text }),
  fc.record({ category: text, type: text, name: text }),
);
const info: fc.Arbitrary<DiscoInfo> = fc.record({
  identities: fc.array(identity, { maxLength: 3 }),
  features: fc.array(text, { maxLength: 5 }),
});

describe("disco#info (XEP-0030 3)", () => {
  it("is read as it was written", () => {
    roundTrips(info, buildInfo, parseInfo);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("query", ns.discoInfo), parseInfo, buildInfo);
  });

  it("is asked for without words", () => {
    expect(String(buildInfoQuery())).toBe(`<query xmlns="${ns.discoInfo}"/>`);
  });

  it("may leave out what its schema wants: a feature counts all the same", () => {
    const xml = `<query xmlns='${ns.discoInfo}'><identity/><feature/><feature var='urn:x'/><feature xmlns='urn:o' var='no'/></query>`;
    expect(parseInfo(parseXml(xml))).toEqual({ identities: [{ category: "", type: "" }], features: ["urn:x"] });
  });

  it("is nothing else", () => {
    refuses(parseInfo, `<query xmlns='${ns.discoItems}'/>`, "query");
    refuses(parseInfo, `<info xmlns='${ns.discoInfo}'/>`, "info");
    expect(thrownBy(() => parseInfo(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });
});

describe("disco#items (XEP-0030 4)", () => {
  it("are read as they were written, names left aside", () => {
    const items = fc.uniqueArray(bareJid, { maxLength: 5 });
    fc.assert(
      fc.property(items, fc.option(text, { nil: undefined }), (jids, name) => {
        expect(parseItems(overTheWire(buildItems(jids.map((jid) => ({ jid, name })))))).toEqual(jids);
      }),
    );
  });

  it("are read whole or not at all", () => {
    isTotal(anyElement("query", ns.discoItems), parseItems, (jids) => buildItems(jids.map((jid) => ({ jid }))));
  });

  it("are asked for without words", () => {
    expect(String(buildItemsQuery())).toBe(`<query xmlns="${ns.discoItems}"/>`);
  });

  it("are addresses, each once: a broken one does not hide the others", () => {
    const xml = `<query xmlns='${ns.discoItems}'><item/><item jid='@'/><item jid='.'/><item jid='Registry.Example'/>
      <item jid='registry.example/x'/><item xmlns='urn:o' jid='no.example'/><item jid='pubsub.example' node='n'/></query>`;
    expect(parseItems(parseXml(xml))).toEqual(["registry.example", "pubsub.example"]);
  });

  it("are nothing else", () => {
    refuses(parseItems, `<query xmlns='${ns.discoInfo}'/>`, "query");
    expect(thrownBy(() => parseItems(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });
});
