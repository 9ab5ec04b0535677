import fc from "fast-check";
import { expect, test } from "vitest";
import { el, parseXml, type XmlElement } from "../../../src/codec/xml.ts";
import { MOST_DEPTH, MOST_STANZA_BYTES } from "../../../src/sandbox/server/limits.ts";
import { StreamFault } from "../../../src/sandbox/server/stream-fault.ts";
import { StreamReader } from "../../../src/sandbox/server/stream-reader.ts";

const HEADER =
  "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

class Seen {
  readonly events: string[] = [];
  readonly elements: XmlElement[] = [];
  readonly reader = new StreamReader({
    header: (root) => this.events.push(`header ${root.attrs["to"]}`),
    element: (element) => {
      this.elements.push(element);
      this.events.push(element.toString());
    },
    footer: () => this.events.push("footer"),
  });

  /** Reads what is given, and gives the condition the reading ended with. */
  read(...chunks: (string | Uint8Array)[]): string | undefined {
    try {
      for (const chunk of chunks) this.reader.write(typeof chunk === "string" ? bytes(chunk) : chunk);
      return undefined;
    } catch (error) {
      if (error instanceof StreamFault) return error.condition;
      throw error;
    }
  }
}

const faultOf = (content: string): string | undefined => new Seen().read(HEADER, content);

test("a stream is its header, the elements in it, and its end", () => {
  const seen = new Seen();
  seen.read(
    `<?xml version='1.0' encoding='UTF-8'?>\n ${HEADER}<iq a='1'><x>t</x></iq> \n\t<message/></stream:stream >`,
  );
  expect(seen.events).toEqual([`header localhost`, `<iq a="1"><x>t</x></iq>`, "<message/>", "footer"]);
  seen.read("anything at all behind it"); // is not read
  expect(seen.events).toHaveLength(4);
});

test("a stream may be over before it has begun", () => {
  const seen = new Seen();
  seen.read("<stream:stream xmlns:stream='http://etherx.jabber.org/streams' to='x'/>");
  expect(seen.events).toEqual(["header x", "footer"]);
});

test("elements inherit the stream's namespaces, also after they have left it", () => {
  const seen = new Seen();
  seen.read(HEADER.replace("to=", "xmlns:e='urn:example' to="), "<message><e:x e:y='1'><z/></e:x></message>");
  const [message] = seen.elements;
  expect(message!.getNS()).toBe("jabber:client");
  const alone = parseXml(message!.toString());
  expect(alone.getChild("x", "urn:example")?.getChild("z", "jabber:client")).toBeDefined();
});

test("text is taken as it is meant: entities, numbers, CDATA, every character", () => {
  const seen = new Seen();
  expect(
    seen.read(HEADER, "<a b='&lt;&quot;&#x27;&apos;€😀'>x&amp;y&#60;&#x1F600;<![CDATA[<&]]&gt;]]>z<![CDATA[]]></a>"),
  ).toBeUndefined();
  expect(seen.elements[0]!.attrs["b"]).toBe(`<"''€😀`);
  expect(seen.elements[0]!.text()).toBe("x&y<😀<&]]&gt;z");
});

test.each([
  ["an end tag of another element", "<a></b>"],
  ["an end tag too early", "<a><b></a></b>"],
  ["an end tag of nothing", "</a>"],
  ["an end tag with attributes", "<a></a b='1'>"],
  ["an attribute without quotes", "<a b=c/>"],
  ["an attribute without a value", "<a b/>"],
  ["an attribute without a name", "<a ='c'/>"],
  ["attributes without a blank between", "<a b='c'd='e'/>"],
  ["the same attribute twice", "<a b='c' b='d'/>"],
  ["a tag in a tag", "<a <b/>"],
  ["a less-than in an attribute", "<a b='<'/>"],
  ["an entity that is not defined", "<a>&bogus;</a>"],
  ["an entity that does not end", "<a>&amp</a>"],
  ["a bare ampersand in an attribute", "<a b='x & y'/>"],
  ["the number of an illegal character", "<a>&#0;</a>"],
  ["the number of a surrogate", "<a b='&#xD800;'/>"],
  ["a number beyond all characters", "<a>&#x110000;</a>"],
  ["a control character", "<a>\u0001</a>"],
  ["a control character in CDATA", "<a><![CDATA[\u0000]]></a>"],
  ["a control character in an attribute", "<a b='\u0008'/>"],
  ["U+FFFE", "<a>\uFFFE</a>"],
  ["the end of a CDATA section without one", "<a>]]></a>"],
  ["a name that begins with a digit", "<1/>"],
  ["a name with two colons", "<a:b:c/>"],
  ["an empty tag", "<>"],
  ["a prefix that is not declared", "<e:a/>"],
  ["an attribute's prefix that is not declared", "<a e:b='1'/>"],
  ["a prefix that was declared elsewhere", "<a><b xmlns:e='urn:example'/><e:c/></a>"],
])("%s is not well-formed", (_, content) => {
  expect(faultOf(content)).toBe("not-well-formed");
});

test.each([
  ["a comment", "<!-- -->"],
  ["a comment in an element", "<a><!-- --></a>"],
  ["a document type", "<!DOCTYPE a>"],
  ["a processing instruction", "<?php echo ?>"],
  ["a second XML declaration", "<?xml version='1.0'?>"],
  ["CDATA between elements", "<![CDATA[x]]>"],
])("%s is not allowed on a stream (RFC 6120 11.1)", (_, content) => {
  expect(faultOf(content)).toBe("restricted-xml");
});

test("an entity of one's own cannot be declared", () => {
  expect(new Seen().read("<!DOCTYPE a [<!ENTITY b 'c'>]>" + HEADER)).toBe("restricted-xml");
});

test("an XML declaration that is none is not well-formed", () => {
  expect(new Seen().read("<?xml ?>")).toBe("not-well-formed");
  expect(new Seen().read("<?other version='1.0'?>")).toBe("not-well-formed");
});

test("between elements there may be blanks, nothing else", () => {
  expect(faultOf(" \r\n\t ")).toBeUndefined();
  expect(faultOf("x")).toBe("bad-format");
  expect(new Seen().read("x")).toBe("bad-format");
});

test("bytes that are no UTF-8 are not well-formed", () => {
  for (const wrong of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
    expect(new Seen().read(HEADER, "<a>", new Uint8Array(wrong), "</a>")).toBe("not-well-formed");
  }
});

test("an element may hold so many bytes, in one piece or in many, and no more", () => {
  const wrap = (size: number): string => `<a>${"x".repeat(size - 7)}</a>`;
  const fits = new Seen();
  expect(fits.read(HEADER, wrap(MOST_STANZA_BYTES), wrap(MOST_STANZA_BYTES))).toBeUndefined();
  expect(fits.elements).toHaveLength(2);
  expect(faultOf(wrap(MOST_STANZA_BYTES + 1))).toBe("policy-violation");
  expect(faultOf(`<a>${"€".repeat(MOST_STANZA_BYTES / 3)}</a>`)).toBe("policy-violation"); // bytes, not characters
  for (const endless of ["<a>x", "<a b='x", "<a><![CDATA[x", "<x"]) {
    const seen = new Seen();
    let read = 0;
    let fault = seen.read(HEADER, endless);
    while (fault === undefined && read < 2 * MOST_STANZA_BYTES) {
      fault = seen.read("x".repeat(10_000));
      read += 10_000;
    }
    expect([endless, fault]).toEqual([endless, "policy-violation"]);
    expect(read).toBeLessThan(MOST_STANZA_BYTES + 20_000);
  }
  expect(new Seen().read(`<stream:stream x='${"y".repeat(MOST_STANZA_BYTES)}`)).toBe("policy-violation");
  // many small ones are no large one
  expect(faultOf("<a b='0123456789'/>".repeat(50_000))).toBeUndefined();
});

test("elements may be nested so deep and no deeper", () => {
  const nested = (depth: number): string => "<a>".repeat(depth) + "</a>".repeat(depth);
  expect(faultOf(nested(MOST_DEPTH))).toBeUndefined();
  expect(faultOf(nested(MOST_DEPTH + 1))).toBe("policy-violation");
  expect(faultOf("<a>".repeat(100_000))).toBe("policy-violation");
});

test("whoever stops the reading gets back what has not been read", () => {
  const seen: string[] = [];
  const reader: StreamReader = new StreamReader({
    header: () => undefined,
    element: (element) => {
      seen.push(element.toString());
      rest = reader.stop();
    },
    footer: () => undefined,
  });
  let rest: Uint8Array = new Uint8Array();
  reader.write(bytes(`${HEADER}<a>1</a><b>€</b>`));
  reader.write(bytes("<c/>"));
  expect(seen).toEqual(["<a>1</a>"]);
  expect(new TextDecoder().decode(rest)).toBe("<b>€</b>");
});

test("what a receiver throws is the receiver's", () => {
  const reader = new StreamReader({
    header: () => undefined,
    element: () => {
      throw new RangeError("mine");
    },
    footer: () => undefined,
  });
  expect(() => reader.write(bytes(`${HEADER}<a/>`))).toThrow(RangeError);
});

const name = fc.stringMatching(/^[a-zé_][\w.\-·]{0,5}$/);
const text = fc
  .string({ unit: "grapheme", maxLength: 20 })
  .filter((value) => !/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u.test(value));
const element: fc.Arbitrary<XmlElement> = fc.letrec<{ element: XmlElement }>((tie) => ({
  element: fc
    .tuple(
      name,
      fc.dictionary(name, text, { maxKeys: 3 }),
      fc.array(fc.oneof({ depthSize: "small" }, text, tie("element")), { maxLength: 4 }),
    )
    .map(([tag, attributes, children]) => el(tag, attributes, ...children)),
})).element;

test("however a stream is cut into pieces, what is read is what was written", () => {
  fc.assert(
    fc.property(fc.array(element, { maxLength: 4 }), fc.array(fc.nat(), { maxLength: 12 }), (elements, cuts) => {
      const written = elements.map(String);
      const all = bytes(`<?xml version='1.0'?>${HEADER}${written.join("\n")}</stream:stream>`);
      const at = [...cuts.map((cut) => cut % all.length), 0, all.length].sort((a, b) => a - b);
      const seen = new Seen();
      expect(seen.read(...at.slice(1).map((end, index) => all.subarray(at[index], end)))).toBeUndefined();
      expect(seen.events).toEqual(["header localhost", ...written, "footer"]);
    }),
  );
});

test("whatever bytes come, they are read or refused, nothing else is thrown", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "<",
      ">",
      "</",
      "/>",
      "<a",
      "='",
      "'",
      '"',
      "&",
      ";",
      "&amp;",
      "<![CDATA[",
      "]]>",
      "<!--",
      "<?",
      ":",
      " ",
      "x",
      "</a>",
      "<a>",
      "#",
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece.map(bytes), fc.uint8Array({ maxLength: 5 })), { maxLength: 20 }), (chunks) => {
      const seen = new Seen();
      const whole = new Seen();
      const fault = seen.read(HEADER, ...chunks);
      expect(["bad-format", "not-well-formed", "restricted-xml", "policy-violation", undefined]).toContain(fault);
      // and in one piece it is the same, unless a later piece is at fault
      const together = whole.read(new Uint8Array(Buffer.concat([bytes(HEADER), ...chunks])));
      if (fault === undefined) expect(together).toBeUndefined();
    }),
    { numRuns: 500 },
  );
});
