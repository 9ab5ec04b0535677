import { describe, expect, it } from "vitest";
import { ns } from "../../src/codec/namespaces.ts";
import { buildFound, buildSearch, parseFound, parseSearch, type SearchOperator } from "../../src/codec/search.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { BareJid } from "../../src/core/jid.ts";
import * as some from "./arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips, thrownBy } from "./laws.ts";

const searchOf = (inside: string, attributes = ""): XmlElement =>
  parseXml(`<search xmlns='${ns.discovery}' ${attributes}>${inside}</search>`);
const foundOf = (inside: string, attributes = ""): XmlElement =>
  parseXml(`<found xmlns='${ns.discovery}' ${attributes}>${inside}</found>`);
const refusesSearch = (inside: string, path: string, attributes = ""): void => {
  refuses(parseSearch, String(searchOf(inside, attributes)), path);
};
const oneOf = (inside: string): SearchOperator | undefined => parseSearch(searchOf(inside)).operators[0];
const any = "<strEq name='A' value='1'/>";

describe("search (XEP-0347 3.15)", () => {
  it("D-9-1: is read as it was written, with all 17 operators", () => {
    roundTrips(some.search, buildSearch, parseSearch);
  });

  it("is read whole or not at all", () => {
    const broken = anyElement("search", ns.discovery);
    isTotal(broken, parseSearch, buildSearch);
    isTotal(
      broken.map(({ attrs, children }) => el("search", attrs, ...children, el("strEq", { name: "a", value: "b" }))),
      parseSearch,
      buildSearch,
    );
  });

  it.each([
    ["<strEq name='man' value='x'/>", { op: "strEq", tag: "MAN", value: "x" }],
    ["<strNEq name='MAN' value=''/>", { op: "strNEq", tag: "MAN", value: "" }],
    ["<strGt name='MAN' value='x'/>", { op: "strGt", tag: "MAN", value: "x" }],
    ["<strGtEq name='MAN' value='x'/>", { op: "strGtEq", tag: "MAN", value: "x" }],
    ["<strLt name='MAN' value='x'/>", { op: "strLt", tag: "MAN", value: "x" }],
    ["<strLtEq name='MAN' value='x'/>", { op: "strLtEq", tag: "MAN", value: "x" }],
    [
      "<strRange name='MAN' min='a' max='b'/>",
      { op: "strRange", tag: "MAN", min: "a", max: "b", minIncluded: true, maxIncluded: true },
    ],
    [
      "<strNRange name='MAN' min='a' max='b' minIncluded='0' maxIncluded='false'/>",
      { op: "strNRange", tag: "MAN", min: "a", max: "b", minIncluded: false, maxIncluded: false },
    ],
    ["<strMask name='SN' value='3%' wildcard='%'/>", { op: "strMask", tag: "SN", value: "3%", wildcard: "%" }],
    ["<numEq name='v' value=' 1.20E0 '/>", { op: "numEq", tag: "V", value: 1.2 }],
    ["<numNEq name='V' value='NaN'/>", { op: "numNEq", tag: "V", value: NaN }],
    ["<numGt name='V' value='-INF'/>", { op: "numGt", tag: "V", value: -Infinity }],
    ["<numGtEq name='V' value='-0'/>", { op: "numGtEq", tag: "V", value: 0 }],
    ["<numLt name='V' value='INF'/>", { op: "numLt", tag: "V", value: Infinity }],
    ["<numLtEq name='V' value='+1'/>", { op: "numLtEq", tag: "V", value: 1 }],
    [
      "<numRange name='V' min='1' max='2' maxIncluded='false'/>",
      { op: "numRange", tag: "V", min: 1, max: 2, minIncluded: true, maxIncluded: false },
    ],
    [
      "<numNRange name='V' min='1' max='2' minIncluded='false'/>",
      { op: "numNRange", tag: "V", min: 1, max: 2, minIncluded: false, maxIncluded: true },
    ],
  ])("D-3.15-23: %s, ends belong to a range unless it says otherwise", (inside, expected) => {
    expect(oneOf(inside)).toEqual(expected);
    expect(Object.keys(oneOf(inside) ?? {}).sort()).toEqual(Object.keys(expected).sort());
  });

  it("skips nothing unless it says so (D-3.15-24), and has no limit of its own (D-3.15-25)", () => {
    expect(parseSearch(searchOf(any))).toMatchObject({ offset: 0 });
    expect(parseSearch(searchOf(any))).not.toHaveProperty("maxCount");
    expect(parseSearch(searchOf(any, "offset=' +07 ' maxCount='1'"))).toMatchObject({ offset: 7, maxCount: 1 });
    expect(parseSearch(searchOf(any, "offset='-0'")).offset).toBe(0);
    expect(parseSearch(searchOf(any, `offset='${"9".repeat(400)}'`)).offset).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each(["-1", "1.5", "one", "", "1e3", "0x10"])("D-9-1: does not skip %j", (offset) => {
    refusesSearch(any, "search/@offset", `offset='${offset}'`);
  });

  it.each(["0", "-1", "many", ""])("D-3.15-25: does not want %j at most", (maxCount) => {
    refusesSearch(any, "search/@maxCount", `maxCount='${maxCount}'`);
  });

  it("D-3.15-3: has at least one operator", () => {
    refusesSearch("", "search");
    refusesSearch("words", "search");
    refusesSearch("<strEq xmlns='urn:other' name='A' value='1'/>", "search");
  });

  it("is refused whole when an operator is unknown: without it more would be found", () => {
    refusesSearch(`${any}<strLike name='A' value='1'/>`, "strLike");
    refusesSearch(`${any}<__proto__ name='A' value='1'/>`, "__proto__");
  });

  it("passes over what is not of XEP-0347", () => {
    expect(parseSearch(searchOf(`${any}<set xmlns='http://jabber.org/protocol/rsm'/>`)).operators).toHaveLength(1);
  });

  it("is refused when an operator is broken", () => {
    refusesSearch("<strEq value='1'/>", "strEq/@name");
    refusesSearch("<strEq name='A'/>", "strEq/@value");
    refusesSearch("<strMask name='A' value='1*'/>", "strMask/@wildcard");
    refusesSearch("<strRange name='A' min='1'/>", "strRange/@max");
    refusesSearch("<strRange name='A' min='1' max='2' minIncluded='yes'/>", "strRange/@minIncluded");
    refusesSearch("<numEq name='A' value='1,5'/>", "numEq/@value");
    refusesSearch("<numEq name='A' value=''/>", "numEq/@value");
    refusesSearch("<numRange name='A' max='2'/>", "numRange/@min");
    refusesSearch("<numNRange name='A' min='1' max='two'/>", "numNRange/@max");
    refuses(parseSearch, `<found xmlns='${ns.discovery}'/>`, "found");
    refuses(parseSearch, "<search/>", "search");
  });
});

describe("found (XEP-0347 3.15)", () => {
  it("D-9-1: is read as it was written", () => {
    roundTrips(some.found, buildFound, parseFound);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement("found", ns.discovery), parseFound, buildFound);
  });

  it("D-9-7: may hold no Thing at all", () => {
    expect(parseFound(foundOf(""))).toEqual({ things: [], more: false });
    expect(parseFound(foundOf("", "more='1'"))).toEqual({ things: [], more: true });
    expect(String(buildFound({ things: [], more: false }))).toBe(`<found xmlns="${ns.discovery}" more="false"/>`);
  });

  it.each(["owner='thing@example.org/x'", "owner=''", ""])(
    "takes a Thing with %j for its own owner (D-E26)",
    (owner) => {
      const { things } = parseFound(foundOf(`<thing jid='Thing@example.org/imc' ${owner}/>`));
      expect(things).toEqual([{ jid: "thing@example.org", owner: "thing@example.org", tags: [] }]);
    },
  );

  it("writes the owner of a self-owned Thing: the schema wants one", () => {
    const jid = "thing@example.org" as BareJid;
    const [thing] = buildFound({ things: [{ jid, owner: jid, tags: [] }], more: true }).getChildElements();
    expect(thing?.attrs).toEqual({ jid, owner: jid });
  });

  it("D-E31: shows numbers that no Thing of ours would register, so that one of them does not hide the others", () => {
    const { things } = parseFound(
      foundOf("<thing jid='a@b.c'><num name='v' value='INF'/><num name='x' value='NaN'/></thing><thing jid='d@b.c'/>"),
    );
    expect(things.map(({ jid }) => jid)).toEqual(["a@b.c", "d@b.c"]);
    expect(things[0]?.tags).toEqual([
      { name: "V", type: "num", value: Infinity, text: "INF" },
      { name: "X", type: "num", value: NaN, text: "NaN" },
    ]);
  });

  it("D-9-2: has tags with a name and a value, a number's an xs:double", () => {
    for (const [inside, path] of [
      ["<str value='x'/>", "str/@name"],
      ["<str name='SN'/>", "str/@value"],
      ["<num value='1'/>", "num/@name"],
      ["<num name='V'/>", "num/@value"],
    ] as const) {
      refuses(parseFound, String(foundOf(`<thing jid='a@b.c'>${inside}</thing>`)), path);
    }
  });

  it("passes over what is not of XEP-0347", () => {
    expect(parseFound(foundOf("<thing xmlns='urn:other'/><set xmlns='urn:other'/>...")).things).toEqual([]);
  });

  it("is refused when it is broken", () => {
    const refusesFound = (inside: string, path: string, attributes = ""): void => {
      refuses(parseFound, String(foundOf(inside, attributes)), path);
    };
    refusesFound("<thing owner='a@b.c'/>", "thing/@jid");
    refusesFound("<thing jid='@'/>", "thing/@jid");
    refusesFound("<thing jid='a@b.c' owner='a b'/>", "thing/@owner");
    refusesFound("", "found/@more", "more='perhaps'");
    refuses(parseFound, `<claimed xmlns='${ns.discovery}'/>`, "claimed");
    expect(thrownBy(() => parseFound(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });
});
