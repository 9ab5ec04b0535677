import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  at,
  el,
  flag,
  isXmlText,
  localName,
  nonEmpty,
  optional,
  own,
  parseXml,
  required,
  requiredFlag,
  requiredInt,
  xmlOf,
  type XmlElement,
} from "../../src/codec/xml.ts";
import { text } from "./arbitraries.ts";
import { overTheWire, refuses, thrownBy } from "./laws.ts";

describe("el", () => {
  it("leaves out attributes and children that are undefined", () => {
    expect(String(el("a", { b: "1", c: undefined, d: false, e: 0 }, undefined, el("f"), "g"))).toBe(
      '<a b="1" d="false" e="0"><f/>g</a>',
    );
  });

  it("escapes what must be escaped, in attributes and in text: anything comes back as it was", () => {
    fc.assert(
      fc.property(text, text, (attribute, content) => {
        const back = overTheWire(el("a", { b: attribute }, el("c", {}, content)));
        expect(back.attrs["b"]).toBe(attribute);
        expect(back.getChild("c")?.text()).toBe(content);
      }),
    );
  });
});

describe("xmlOf", () => {
  it("gives what the element's own toString gives, whatever is in it", () => {
    const { element } = fc.letrec<{ element: XmlElement; child: XmlElement | string }>((tie) => ({
      child: fc.oneof({ maxDepth: 3 }, text, tie("element")),
      element: fc
        .tuple(
          fc.constantFrom("a", "b:c"),
          fc.dictionary(fc.constantFrom("x", "xmlns", "y:z", "__proto__"), text),
          fc.array(tie("child"), { maxLength: 4 }),
        )
        .map(([name, attributes, children]) => el(name, attributes, ...children)),
    }));
    fc.assert(
      fc.property(element, (one) => {
        expect(xmlOf(one)).toBe(String(one));
      }),
    );
    const parsed = parseXml("<a b='&quot;&apos;&lt;&#13;'>&amp;<c/>&gt;'\"</a>");
    expect(xmlOf(parsed)).toBe(String(parsed));
  });
});

describe("parseXml", () => {
  it("reads a document with or without its declaration and blanks around it", () => {
    for (const document of ["<a/>", " <a/>\n", "<?xml version='1.0'?><a/>", "\n<?xml version='1.0'?>\n <a></a> "]) {
      expect(parseXml(document).name).toBe("a");
    }
  });

  it("gives every element its namespace and its place", () => {
    const root = parseXml("<a xmlns='urn:1'><b/><x:c xmlns:x='urn:2'><d xmlns='urn:3'/><e/></x:c>text</a>");
    const [b, c] = root.getChildElements();
    expect([b?.getNS(), c?.getNS()]).toEqual(["urn:1", "urn:2"]);
    expect(c?.getChildElements().map((child) => child.getNS())).toEqual(["urn:3", "urn:1"]);
    expect(root.text()).toBe("text");
    expect(root.getChildren("c", "urn:2")).toEqual([c]);
    expect(root.getChild("c", "urn:1")).toBeUndefined();
  });

  it("reads entities, character references and CDATA", () => {
    const root = parseXml("<a b='&lt;&gt;&amp;&quot;&apos;&#65;&#x1F321;'><![CDATA[<&]]></a>");
    expect(root.attrs["b"]).toBe("<>&\"'A\u{1F321}");
    expect(root.text()).toBe("<&");
  });

  it.each([
    "",
    "   ",
    "text",
    "<a",
    "<a>",
    "<a><b></a>",
    "<a></b>",
    "</a>",
    "<a/><b/>",
    "<a/></a>",
    "<a></a></a>",
    "<a/><a/>",
    "<a>&unknown;</a>",
    "<a b='&unknown;'/>",
    "<a>&#0;</a>",
    "<a>&#xD800;</a>",
    "<a>&#x110000;</a>",
    "<a b='\u0000'/>",
    "<a>\u0001</a>",
    "<a>\uD800</a>",
    "<a>\uFFFF</a>",
    "<!DOCTYPE a><a/>",
  ])("refuses %j with ERR_PROTOCOL", (document) => {
    expect(thrownBy(() => parseXml(document))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
  });

  it("never throws anything else, whatever the text", () => {
    const piece = fc.constantFrom(
      ..."<>/='\" &;a!-[]?:\u0000\uD800".split(""),
      "<a>",
      "</a>",
      "<a b='",
      "&amp;",
      "<![CDATA[",
    );
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: piece }), fc.string({ unit: "binary" })), (document) => {
        try {
          parseXml(document);
        } catch (error) {
          expect(error).toMatchObject({ code: "ERR_PROTOCOL" });
        }
      }),
      { numRuns: 500 },
    );
  });

  it("refuses a hundred thousand levels instead of ending the process", () => {
    const deep = "<a>".repeat(100_000) + "</a>".repeat(100_000);
    const run = (): unknown => parseXml(deep).getChildElements();
    try {
      expect(run()).toHaveLength(1);
    } catch (error) {
      expect(error).toMatchObject({ code: "ERR_PROTOCOL" });
    }
  });
});

describe("isXmlText", () => {
  it("knows the characters of XML 1.0 section 2.2", () => {
    const legal = (point: number): boolean =>
      [0x9, 0xa, 0xd].includes(point) ||
      (point >= 0x20 && point <= 0xd7ff) ||
      (point >= 0xe000 && point <= 0xfffd) ||
      point >= 0x10000;
    const edges = [
      0, 8, 9, 0xa, 0xb, 0xd, 0xe, 0x1f, 0x20, 0x7f, 0xd7ff, 0xd800, 0xdfff, 0xe000, 0xfffd, 0xfffe, 0xffff,
    ];
    for (const point of [...edges, 0x10000, 0x10ffff]) {
      expect(isXmlText(`a${String.fromCodePoint(point)}b`)).toBe(legal(point));
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x10ffff }), (point) => {
        expect(isXmlText(String.fromCodePoint(point))).toBe(legal(point));
      }),
    );
  });

  it("refuses half a surrogate pair wherever it stands", () => {
    expect(isXmlText("\u{1F321}")).toBe(true);
    expect(isXmlText("\u{1F321}".slice(0, 1))).toBe(false);
    expect(isXmlText(`x${"\u{1F321}".slice(1)}`)).toBe(false);
  });
});

describe("attributes", () => {
  const element = parseXml(
    "<a empty='' text='b' yes='true' one='1' no='false' zero=' 0 ' bad='TRUE' n=' +7 ' m='-0'/>",
  );

  it("may be there or not", () => {
    expect(optional(element, "text")).toBe("b");
    expect(optional(element, "empty")).toBe("");
    expect(optional(element, "none")).toBeUndefined();
  });

  it("may be empty, which is as good as absent where the XEPs say so (X-E6)", () => {
    expect(nonEmpty(element, "text")).toBe("b");
    expect(nonEmpty(element, "empty")).toBeUndefined();
    expect(nonEmpty(element, "none")).toBeUndefined();
  });

  it("must be there where they must; empty is there", () => {
    expect(required(element, "empty")).toBe("");
    refuses((a) => required(a, "b"), "<a/>", "a/@b");
  });

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"])(
    "of the name %s are not found where nobody wrote them, and do no harm where somebody did",
    (name) => {
      expect(optional(element, name)).toBeUndefined();
      refuses((a) => required(a, name), "<a/>", `a/@${name}`);
      const hostile = parseXml(`<a ${name}='x' b='y'/>`);
      expect(optional(hostile, "b")).toBe("y");
      expect(hostile.is("a")).toBe(true);
      expect([undefined, "x"]).toContain(optional(hostile, name));
    },
  );

  it("that are xs:boolean have four forms", () => {
    expect(["yes", "one", "no", "zero"].map((name) => flag(element, name, false))).toEqual([true, true, false, false]);
    expect([flag(element, "none", true), flag(element, "none", false)]).toEqual([true, false]);
    for (const bad of ["TRUE", "yes", "", "2", "truefalse"]) {
      refuses((a) => flag(a, "b", true), `<a b='${bad}'/>`, "a/@b");
      refuses((a) => requiredFlag(a, "b"), `<a b='${bad}'/>`, "a/@b");
    }
    expect(requiredFlag(element, "yes")).toBe(true);
    expect(requiredFlag(element, "zero")).toBe(false);
    refuses((a) => requiredFlag(a, "b"), "<a/>", "a/@b");
  });

  it("that are xs:int hold 32 bits with a sign", () => {
    expect(requiredInt(element, "n")).toBe(7);
    expect(Object.is(requiredInt(element, "m"), 0)).toBe(true);
    for (const edge of [-(2 ** 31), 2 ** 31 - 1]) expect(requiredInt(el("a", { b: edge }), "b")).toBe(edge);
    for (const bad of [
      "",
      " ",
      "1.0",
      "1e3",
      "0x10",
      "-",
      "+-1",
      "1 2",
      "2147483648",
      "-2147483649",
      "NaN",
      "9".repeat(400),
    ]) {
      refuses((a) => requiredInt(a, "b"), `<a b='${bad}'/>`, "a/@b");
    }
    refuses((a) => requiredInt(a, "b"), "<a/>", "a/@b");
  });
});

describe("paths and names", () => {
  it("name the element, and the attribute after an @", () => {
    expect(at(el("a"))).toBe("a");
    expect(at(el("a"), "b")).toBe("a/@b");
  });

  it("come without their prefix where that matters", () => {
    expect(localName(el("x:a"))).toBe("a");
    expect(localName(el("a"))).toBe("a");
  });
});

describe("own", () => {
  it("gives the same text", () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(own(value)).toBe(value);
      }),
    );
  });
});
