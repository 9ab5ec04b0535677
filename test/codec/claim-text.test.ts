import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatClaimText, formatTags, parseClaimText, parseTagList } from "../../src/codec/claim-text.ts";
import { foldTagName, keyLast, tagProblem, type Tag } from "../../src/codec/tags.ts";
import { isXmlText } from "../../src/codec/xml.ts";
import { tags } from "./arbitraries.ts";
import { thrownBy } from "./laws.ts";

const str = (name: string, value: string): Tag => ({ name, type: "str", value });
const listing14 = "IoTDisco;SN:394872348732948723;MAN:www.ktc.se;MODEL:IMC;#V:1.2;KEY:4857402340298342";
const tagsOfListing14: readonly Tag[] = [
  str("SN", "394872348732948723"),
  str("MAN", "www.ktc.se"),
  str("MODEL", "IMC"),
  { name: "V", type: "num", value: 1.2, text: "1.2" },
  str("KEY", "4857402340298342"),
];

describe("a claim text", () => {
  it("is that of XEP-0347 Listing 14, to the letter (D-3.9-4, D-3.9-5, D-3.9-6, D-3.9-7)", () => {
    expect(formatClaimText(tagsOfListing14)).toBe(listing14);
    expect(parseClaimText(listing14)).toEqual(tagsOfListing14);
  });

  it("D-3.9-4: has the tags in the order of registration, and KEY last (D-E11)", () => {
    const [sn, man, model, v, key] = tagsOfListing14;
    expect(formatClaimText([key!, sn!, man!, model!, v!])).toBe(listing14);
  });

  it("D-3.9-8: escapes semicolons and backslashes in values, and nothing else", () => {
    expect(formatClaimText([str("A", "a;b\\c:d#e")])).toBe("IoTDisco;A:a\\;b\\\\c:d#e");
  });

  it("D-3.9-11: comes back as the tags it was made of, whatever legal values they have", () => {
    fc.assert(
      fc.property(
        tags.filter((value) => value.length > 0),
        (value) => {
          expect(parseClaimText(formatClaimText(value))).toEqual(keyLast(value));
          expect(parseTagList(formatTags(value))).toEqual(keyLast(value));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("holds every character that XML allows, in a value and, where it may stand there, in a name", () => {
    const skipped = new Set<number>([0x9, 0xa, 0xd]); // no reader of XML leaves them in an attribute as they are
    let inNames = 0;
    const holds = (signs: readonly string[]): void => {
      const value = signs.join("");
      const named = signs.filter((sign) => tagProblem(str(foldTagName(sign), "")) === undefined);
      inNames += named.length;
      const name = foldTagName(`N${named.join("")}`);
      const whole = [str(name, value), str("KEY", value)];
      expect(parseClaimText(formatClaimText(whole))).toEqual(whole);
    };
    let signs: string[] = [];
    for (let point = 0; point <= 0x10ffff; point++) {
      const sign = point >= 0xd800 && point <= 0xdfff ? "" : String.fromCodePoint(point);
      if (sign === "" || skipped.has(point) || !isXmlText(sign)) continue;
      // Those of which some mean something stand alone; the others in company, since there are a million of them.
      if (point < 0x100) holds([sign]);
      else signs.push(sign);
      if (signs.length < 12) continue;
      holds(signs);
      signs = [];
    }
    holds(signs);
    expect(inNames).toBeGreaterThan(1_000_000);
  });

  it("D-3.9-10: survives being written in UTF-8", () => {
    fc.assert(
      fc.property(
        tags.filter((value) => value.length > 0),
        (value) => {
          const bytes = new TextEncoder().encode(formatClaimText(value));
          // A byte order mark at the beginning is what decoders take away; no claim text begins with one.
          expect(parseClaimText(new TextDecoder("utf-8", { fatal: true }).decode(bytes))).toEqual(keyLast(value));
        },
      ),
    );
  });

  it("says nothing about a Thing without tags, which nobody can claim", () => {
    expect(thrownBy(() => parseClaimText(formatClaimText([])))).toMatchObject({ code: "ERR_PROTOCOL" });
    expect(parseTagList("")).toEqual([]);
  });
});

describe("what is accepted (D-3.9-11, D-E11)", () => {
  it.each([
    ["IoTDisco;SN:1", [str("SN", "1")], "one tag"],
    ["IoTDisco;;SN:1;;", [str("SN", "1")], "empty parts are ignored"],
    ["IoTDisco;sn:1", [str("SN", "1")], "D-3.9-28: names in any case"],
    ["IoTDisco;MAN:http://a.b:80/", [str("MAN", "http://a.b:80/")], "colons in values: the first one divides"],
    ["IoTDisco;SN:", [str("SN", "")], "an empty value"],
    ["IoTDisco;SN:a\\bc", [str("SN", "abc")], "an escape of what needs none"],
    ["IoTDisco;SN:\\;\\\\;KEY:\\:", [str("SN", ";\\"), str("KEY", ":")], "escapes of what does"],
    ["IoTDisco;SN:\\\u{1F321}", [str("SN", "\u{1F321}")], "an escape of a character of two units"],
    ["IoTDisco;#V:1\\.2", [{ name: "V", type: "num", value: 1.2, text: "1.2" }], "an escape in a number"],
    [
      "IoTDisco;#V:1.20",
      [{ name: "V", type: "num", value: 1.2, text: "1.20" }],
      "a number in its own characters (D-E10)",
    ],
    ["IoTDisco;V:1.2", [str("V", "1.2")], "without the hash sign a text, even where 5.2 has a number"],
    ["IoTDisco;SN:#1", [str("SN", "#1")], "a hash sign in a value means nothing"],
    ["\u{FEFF} IoTDisco;SN:1\r\n", [str("SN", "1")], "what editors and terminals put around it"],
    ["IoTDisco;KEY:abc ", [str("KEY", "abc ")], "a blank at the end, which may belong to the KEY"],
    ["IoTDisco; ", undefined, "a blank is no empty part"],
  ] as const)("%j: %s", (text, expected, why) => {
    if (expected !== undefined) expect(parseClaimText(text), why).toEqual(expected);
    else
      expect(
        thrownBy(() => parseClaimText(text)),
        why,
      ).toMatchObject({ code: "ERR_PROTOCOL" });
  });
});

describe("what is refused", () => {
  it.each([
    ["", "claim text"],
    ["IoTDisco", "claim text"],
    ["IoTDisco;", "claim text"],
    ["IoTDisco;;;", "claim text"],
    ["iotdisco;SN:1", "claim text"],
    ["IoTDiscoX;SN:1", "claim text"],
    ["IoTDisco SN:1", "claim text"],
    ["SN:1;KEY:2", "claim text"],
    ["https://example.org/?IoTDisco;SN:1", "claim text"],
    ["IoTDisco;SN", "tag 1"],
    ["IoTDisco;SN:1;KEY", "tag 2"],
    ["IoTDisco;:1", "tag "],
    ["IoTDisco;#:1", "tag "],
    ["IoTDisco;##V:1", "tag #V"],
    ["IoTDisco;S N:1", "tag S N"],
    ["IoTDisco;S\u0085N:1", "tag S\u0085N"],
    ["IoTDisco;S\\:N:1", "tag S\\"],
    ["IoTDisco;#V:one", "tag V"],
    ["IoTDisco;#V:", "tag V"],
    ["IoTDisco;#V:INF", "tag V"],
    ["IoTDisco;#V:NaN", "tag V"],
    ["IoTDisco;#V:1e999", "tag V"],
    ["IoTDisco;stra\u00dfe:1;STRA\u1e9eE:2", "tag STRASSE"],
    ["IoTDisco;SN:1;sn:2", "tag SN"],
    ["IoTDisco;SN:1;#SN:2", "tag SN"],
    ["IoTDisco;KEY:abc\\", "tag KEY"],
    ["IoTDisco;KEY:a\tb", "tag KEY"],
    ["IoTDisco;KEY:a\u0000b", "tag KEY"],
    ["IoTDisco;KEY:a\ud800", "tag KEY"],
    [`IoTDisco;KEY:${"x".repeat(129)}`, "tag KEY"],
    [`IoTDisco;${"N".repeat(33)}:1`, `tag ${"N".repeat(33)}`],
    [`IoTDisco;KEY:${"x".repeat(16_384)}`, "tag KEY"],
  ])("%j", (text, path) => {
    expect(thrownBy(() => parseClaimText(text))).toMatchObject({ code: "ERR_PROTOCOL", path });
  });

  it("is so with ERR_PROTOCOL only, whatever the text", () => {
    const unit = fc.constantFrom(
      ...Array.from(";:\\#AV1. \n"),
      "KEY:",
      "#V:1",
      "__proto__",
      "\u{1F321}",
      "\ud83c",
      "\u0000",
    );
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit }), fc.string({ unit: "binary" })), (rest) => {
        let found: readonly Tag[];
        try {
          found = parseClaimText(`IoTDisco;${rest}`);
        } catch (error) {
          expect(error).toMatchObject({ code: "ERR_PROTOCOL" });
          return;
        }
        expect(parseClaimText(formatClaimText(found))).toEqual(keyLast(found));
      }),
      { numRuns: 500 },
    );
  });

  it("does not repeat what may be a piece of the KEY", () => {
    const error = thrownBy(() => parseClaimText("IoTDisco;SN:1;KEY:half;otherhalf")) as Error;
    expect(error.message).not.toContain("half");
  });

  it("is refused quickly: a text of a megabyte costs no more than reading it", () => {
    const began = performance.now();
    for (const unit of ["\\", ";", "A:1;", "\n", " "]) {
      expect(thrownBy(() => parseClaimText(`IoTDisco;${unit.repeat(1_000_000 / unit.length)}x`))).toMatchObject({
        code: "ERR_PROTOCOL",
      });
    }
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
