import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseClaimText } from "../../src/codec/claim-text.ts";
import { ns } from "../../src/codec/namespaces.ts";
import {
  LONGEST_TAG_NAME,
  LONGEST_TAG_VALUE,
  buildTags,
  foldTagName,
  keyLast,
  numberTag,
  parseAnyNumberTag,
  parseNumberTag,
  parseTags,
  tagProblem,
  toTags,
  type Tag,
  type Tags,
} from "../../src/codec/tags.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { double, tags } from "./arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips, thrownBy } from "./laws.ts";

const build = (value: readonly Tag[]) => el("register", { xmlns: ns.discovery }, ...buildTags(value));
const str = (name: string, value = "x"): Tag => ({ name, type: "str", value });
const thermometer = "\u{1F321}"; // one character, two units of JavaScript

describe("tags on the wire", () => {
  it("are read as they were written", () => {
    roundTrips(tags, build, parseTags);
  });

  it("are read whole or not at all", () => {
    isTotal(anyElement("register", ns.discovery), parseTags, build);
  });

  it("have names without regard to case, in upper case here (D-3.6-14)", () => {
    expect(
      parseTags(parseXml(`<register xmlns='${ns.discovery}'><str name='man' value='Example.org'/></register>`)),
    ).toEqual([str("MAN", "Example.org")]);
  });

  it("are only the str and num of XEP-0347: the rest is ignored", () => {
    const xml = `<register xmlns='${ns.discovery}'>text<str name='A' value='1'/><other name='B' value='2'/>
      <str xmlns='urn:other' name='C' value='3'/><num name='D' value='4'/></register>`;
    expect(parseTags(parseXml(xml)).map(({ name }) => name)).toEqual(["A", "D"]);
  });

  it.each([
    ["<str value='x'/>", "str/@name"],
    ["<str name='x'/>", "str/@value"],
    ["<num name='x'/>", "num/@value"],
    ["<num name='x' value=''/>", "num/@value"],
  ])("are refused when they are broken: %s", (child, path) => {
    refuses(parseTags, `<register xmlns='${ns.discovery}'><str name='A' value=''/>${child}</register>`, path);
  });
});

describe("a number (D-E10, D-E31)", () => {
  it.each([
    ["1.2", 1.2],
    [" 1.20 ", 1.2],
    ["1.2E0", 1.2],
    ["-71.519722", -71.519722],
    ["+5", 5],
    ["5.", 5],
    [".5", 0.5],
    ["1e+21", 1e21],
    ["-0", 0],
    ["4857402340298342", 4857402340298342],
  ])("%j is %d, its characters kept", (text, value) => {
    const tag = parseNumberTag("V", text, "p");
    expect(tag).toEqual({ name: "V", type: "num", value, text: text.trim() });
    expect(tag.type === "num" && Object.is(tag.value, -0)).toBe(false);
  });

  it.each([
    "",
    " ",
    "+INF",
    "inf",
    "nan",
    "-NaN",
    "Infinity",
    "0x10",
    "1,5",
    "1 2",
    "1e",
    "e5",
    ".",
    "+",
    "--1",
    "1_000",
  ])("is not %j", (text) => {
    expect(thrownBy(() => parseNumberTag("V", text, "num/@value"))).toMatchObject({
      code: "ERR_PROTOCOL",
      path: "num/@value",
    });
  });

  it.each([
    ["INF", Infinity],
    ["-INF", -Infinity],
    [" NaN\n", NaN],
    ["1e999", Infinity],
    ["-1e999", -Infinity],
  ])("%j is read of others, so that what comes with it can be read too, and never sent", (text, value) => {
    const tag = parseAnyNumberTag("V", text, "p");
    expect(tag).toEqual({ name: "V", type: "num", value, text: text.trim() });
    expect(tagProblem(tag)).toMatch(/finite/);
    const xml = `<found xmlns='${ns.discovery}'><num name='V' value='${text}'/><str name='SN' value='1'/></found>`;
    expect(parseTags(parseXml(xml), parseAnyNumberTag)).toEqual([tag, str("SN", "1")]);
    expect(thrownBy(() => parseNumberTag("V", text, "num/@value"))).toMatchObject({ path: "num/@value" });
  });

  it("is written in its shortest form, and that form is read as the same number", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const tag = numberTag("V", value);
        expect(tag).toEqual(parseNumberTag("V", tag.type === "num" ? tag.text : "", "p"));
        expect(tagProblem(tag)).toBeUndefined();
      }),
    );
    expect(numberTag("V", -0)).toEqual({ name: "V", type: "num", value: 0, text: "0" });
    expect(numberTag("V", 1.2)).toMatchObject({ text: "1.2" });
  });

  it("of any lexical form is a number again when it is written", () => {
    fc.assert(
      fc.property(double, (text) => {
        const tag = parseNumberTag("V", text, "p");
        expect(parseTags(build([tag]))).toEqual([tag]);
      }),
    );
  });
});

describe("the name of a tag (D-5.2-9, D-3.9-28)", () => {
  it("is the same in every case, for every letter there is", () => {
    for (let point = 0; point <= 0x10ffff; point++) {
      const sign = String.fromCodePoint(point);
      const name = foldTagName(sign);
      const others = [sign.toUpperCase(), sign.toLowerCase(), name, name.toLowerCase()];
      if (others.some((other) => foldTagName(other) !== name)) expect(others.map(foldTagName)).toEqual(sign);
    }
  });

  it.each([
    ["key", "KEY"],
    ["\u212aey", "KEY"], // the Kelvin sign: a KEY by another name would be shown to who searches
    ["stra\u00dfe", "STRASSE"],
    ["STRA\u1e9eE", "STRASSE"],
    ["\u03c3\u03b1\u03c2", "\u03a3\u0391\u03a3"],
  ])("%s is %s", (given, name) => {
    expect(foldTagName(given)).toBe(name);
    expect(toTags({ [given]: "x" })).toEqual([str(name)]);
  });
});

describe("the predefined tags (D-5.2-5)", () => {
  const texts = "APT AREA BLD CITY CLASS COUNTRY KEY MAN MLOC MNR MODEL NAME PURL REGION ROOM SN STREET STREETNR";
  const numbers = "ALT LAT LON V";

  it("are the 22 of the table", () => {
    expect(`${texts} ${numbers}`.split(" ")).toHaveLength(22);
  });

  it.each(texts.split(" "))("%s is a string", (name) => {
    for (const given of [name, name.toLowerCase()]) {
      expect(toTags({ [given]: "1" })).toEqual([str(name, "1")]);
      expect((thrownBy(() => toTags({ [given]: 1 })) as Error).message).toBe(
        `tags.${given}: is a string by XEP-0347 5.2`,
      );
    }
  });

  it.each(numbers.split(" "))("%s is a number", (name) => {
    for (const given of [name, name.toLowerCase()]) {
      expect(toTags({ [given]: 1 })).toEqual([numberTag(name, 1)]);
      expect((thrownBy(() => toTags({ [given]: "1" })) as Error).message).toBe(
        `tags.${given}: is a number by XEP-0347 5.2`,
      );
    }
  });

  it("are not the only ones: others have the type they are given (D-5.2-1)", () => {
    expect(toTags({ COLOUR: "red", FLOORS: 3 })).toEqual([str("COLOUR", "red"), numberTag("FLOORS", 3)]);
  });

  it("are read in whatever type they come in: such a tag matches nothing of the other (D-E30)", () => {
    const xml = `<register xmlns='${ns.discovery}'><str name='V' value='1'/><num name='SN' value='1'/></register>`;
    expect(parseTags(parseXml(xml)).map(({ name, type }) => `${name} ${type}`)).toEqual(["V str", "SN num"]);
  });
});

describe("the rules of XEP-0347 5.2", () => {
  it("D-5.2-2: a name has at most 32 characters, counted as people count them (D-E28)", () => {
    expect(LONGEST_TAG_NAME).toBe(32);
    expect(tagProblem(str(thermometer.repeat(32)))).toBeUndefined();
    expect(tagProblem(str(thermometer.repeat(33)))).toMatch(/name is longer than 32/);
    expect(tagProblem(str("A".repeat(32)))).toBeUndefined();
    expect(tagProblem(str("A".repeat(33)))).toMatch(/name is longer than 32/);
    expect(tagProblem(str("A".repeat(16_384)))).toMatch(/name is longer than 32/);
  });

  it("D-5.2-4: the 128 characters are those after unescaping (D-E28)", () => {
    const text = `IoTDisco;KEY:${"\\;".repeat(128)}`;
    expect(parseClaimText(text)).toEqual([str("KEY", ";".repeat(128))]);
    expect(thrownBy(() => parseClaimText(`${text}\\;`))).toMatchObject({ code: "ERR_PROTOCOL", path: "tag KEY" });
  });

  it("D-5.2-4: a text has at most 128 characters (D-E28)", () => {
    expect(LONGEST_TAG_VALUE).toBe(128);
    expect(tagProblem(str("SN", thermometer.repeat(128)))).toBeUndefined();
    expect(tagProblem(str("SN", thermometer.repeat(129)))).toMatch(/value is longer than 128/);
    expect(tagProblem(str("SN", "1".repeat(128)))).toBeUndefined();
    expect(tagProblem(str("SN", "1".repeat(129)))).toMatch(/value is longer than 128/);
  });

  it("says of any length of name and value whether it is allowed, astral characters among them", () => {
    const unit = fc.constantFrom("A", "\u00c4", thermometer, "\u{10FFFF}");
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 40 }), fc.array(unit, { maxLength: 140 }), (name, value) => {
        const allowed = name.length >= 1 && name.length <= 32 && value.length <= 128;
        expect(tagProblem(str(name.join(""), value.join(""))) === undefined).toBe(allowed);
      }),
    );
  });

  it.each([":", "#", ";", "\\", " ", "\t", "\n", "\u0085", "\u00a0", "\u2003", "\u3000", "\ufeff"])(
    "D-5.2-3, D-3.9-9: a name never holds %j (D-E11)",
    (sign) => {
      for (const name of [sign, `A${sign}`, `${sign}A`, `A${sign}B`])
        expect(tagProblem(str(name))).toMatch(/must not hold/);
    },
  );

  it.each(["\u0000", "\u0001", "\u001f", "\ufffe", "\uffff", "\ud800", "\udc00"])(
    "nothing holds %j: XML cannot",
    (sign) => {
      expect(tagProblem(str(`A${sign}`))).toMatch(/XML forbids/);
      expect(tagProblem(str("A", sign))).toMatch(/XML forbids/);
    },
  );

  it.each(["\t", "\n", "\r"])("a value does not hold %j, which a reader of XML makes a blank", (sign) => {
    expect(tagProblem(str("A", `a${sign}b`))).toMatch(/tab or a line break/);
  });

  it("a name is not empty, a value may be: that takes a tag away (D-E9)", () => {
    expect(tagProblem(str(""))).toMatch(/needs a name/);
    expect(tagProblem(str("KEY", ""))).toBeUndefined();
  });

  it("a number is finite", () => {
    for (const value of [NaN, Infinity, -Infinity]) {
      expect(tagProblem({ name: "V", type: "num", value, text: String(value) })).toMatch(/finite/);
    }
    expect(tagProblem(numberTag("V", 1.2))).toBeUndefined();
  });
});

describe("the tags of a program", () => {
  it("become those of the protocol: upper case, KEY last, numbers in their shortest form (Listing 14)", () => {
    expect(toTags({ key: "4857402340298342", sn: "394872348732948723", V: 1.2 })).toEqual([
      str("SN", "394872348732948723"),
      { name: "V", type: "num", value: 1.2, text: "1.2" },
      str("KEY", "4857402340298342"),
    ]);
    expect(toTags({})).toEqual([]);
  });

  const wrong: readonly [string, Tags, string][] = [
    ["V is a number", { V: "1.2" }, "tags.V"],
    ["so is lat, whatever its case", { lat: "1.2" }, "tags.lat"],
    ["SN is a text", { SN: 3948723 }, "tags.SN"],
    ["and so is KEY", { KEY: 1 }, "tags.KEY"],
    ["two names that differ in case only", { Sn: "1", SN: "2" }, "tags.SN"],
    ["a value that is neither", { X: true as unknown as string }, "tags.X"],
    ["none at all", { X: undefined as unknown as string }, "tags.X"],
    ["an infinite number", { X: Infinity }, "tags.X"],
    ["no number", { X: NaN }, "tags.X"],
    ["a name that is too long", { ["N".repeat(33)]: "x" }, `tags.${"N".repeat(33)}`],
    ["a name with a colon", { "A:B": "x" }, "tags.A:B"],
    ["a name that grows when it is made upper case", { ["\u00df".repeat(17)]: "x" }, `tags.${"\u00df".repeat(17)}`],
  ];

  it.each(wrong)("are refused with ERR_CONFIG by their path: %s", (_, given, path) => {
    const error = thrownBy(() => toTags(given)) as Error;
    expect(error).toMatchObject({ code: "ERR_CONFIG" });
    expect(error.message.startsWith(`${path}: `)).toBe(true);
  });

  it("never show a value in the message: it may be the KEY", () => {
    const error = thrownBy(() => toTags({ KEY: `secret${"x".repeat(128)}` }, "thing.tags")) as Error;
    expect(error.message).toMatch(/^thing\.tags\.KEY: /);
    expect(error.message).not.toContain("secret");
  });

  it("may have any name that is legal, also those of JavaScript's own", () => {
    const given = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}') as Tags;
    expect(toTags(given).map(({ name }) => name)).toEqual(["__PROTO__", "CONSTRUCTOR", "TOSTRING"]);
  });
});

describe("keyLast", () => {
  it("moves KEY to the end and nothing else", () => {
    fc.assert(
      fc.property(tags, (given) => {
        const moved = keyLast(given);
        expect(moved.filter(({ name }) => name !== "KEY")).toEqual(given.filter(({ name }) => name !== "KEY"));
        expect(moved).toHaveLength(given.length);
        const place = moved.findIndex(({ name }) => name === "KEY");
        expect([-1, moved.length - 1]).toContain(place);
      }),
    );
  });
});
