import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { XmlFramer } from "../../src/connection/xml-framer.ts";

const characters = (text: string): string[] => text.split("");

const LIMITS = { maxBytes: 200, maxDepth: 4, maxAttributes: 3, maxElements: 12, maxName: 20 };
const ROOT = "<stream:stream xmlns='jabber:client' version='1.0'>";

function frames(pieces: readonly string[], limits = LIMITS): { frames: string[]; passedOver: string[] } {
  const passedOver: string[] = [];
  const framer = new XmlFramer(limits, (why) => passedOver.push(why));
  return { frames: pieces.flatMap((piece) => [...framer.push(piece)]), passedOver };
}

describe("the framer", () => {
  it("gives the opening tag, each stanza, the closing tag, and no whitespace between them", () => {
    const text = `<?xml version='1.0'?>\n${ROOT} <a/>\n<b x="1>2" y='"'><c>t &amp; &lt;</c></b >\t</stream:stream>`;
    expect(frames([text]).frames).toEqual([
      ROOT,
      "<a/>",
      `<b x="1>2" y='"'><c>t &amp; &lt;</c></b >`,
      "</stream:stream>",
    ]);
  });

  it("gives the same wherever the pieces are cut", () => {
    const text = `<?xml version='1.0'?>${ROOT}<a b='<'></a>`.replace("'<'", "'/>'");
    const rest = "<m><body>21 °C ]] ]]&gt;</body><![CDATA[<x>]]]]><y z=''/></m><d/> </stream:stream>";
    const whole = frames([text + rest]).frames;
    expect(whole).toHaveLength(5);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length + rest.length)), (cuts) => {
        const sorted = [0, ...cuts.sort((a, b) => a - b), text.length + rest.length];
        const pieces = sorted.slice(1).map((end, index) => (text + rest).slice(sorted[index], end));
        expect(frames(pieces).frames).toEqual(whole);
      }),
    );
    expect(frames(characters(text + rest)).frames).toEqual(whole);
  });

  it("makes plain text of CDATA", () => {
    expect(frames([ROOT, "<a><![CDATA[1 < 2 && <b/> ]] ]>x]]]></a>"]).frames[1]).toBe(
      "<a>1 &lt; 2 &amp;&amp; &lt;b/&gt; ]] ]&gt;x]</a>",
    );
    expect(frames([ROOT, "<a><![CDATA[]]", "]]", "></a>"]).frames[1]).toBe("<a>]]</a>");
  });

  it("takes a stream that is opened and closed in one", () => {
    expect(frames(["<stream:stream/>", "<a/>"]).frames).toEqual(["<stream:stream/>"]);
  });

  it("says nothing after the end of the stream, whatever comes", () => {
    expect(frames([`${ROOT}</stream:stream><a/>`, "text", "<!-- -->", "</x>"]).frames).toHaveLength(2);
  });

  const small = "<ok/>";
  it.each([
    ["too much text", `<m><body>${"x".repeat(300)}</body></m>`, /larger than 200 bytes/],
    ["too many bytes in few characters", `<m>${"€".repeat(70)}</m>`, /larger than 200 bytes/],
    ["an attribute that is too long", `<m a="${"x".repeat(300)}">y</m>`, /larger than 200 bytes/],
    ["an empty element that is too long", `<m a="${"x".repeat(300)}"/>`, /larger than 200 bytes/],
    ["a child that is too long", `<m><c a="${"x".repeat(300)}"/><d>${"y".repeat(300)}</d></m>`, /larger than/],
    ["a CDATA section that is too long", `<m><![CDATA[${"]>".repeat(200)}]]></m>`, /larger than/],
    ["an end tag that is too long", `<m></m${" ".repeat(300)}>`, /larger than/],
    ["too many elements in each other", "<a><a><a><a><a/></a></a></a></a>", /nests too deeply/],
    ["far too many elements in each other", "<a>".repeat(1000) + "</a>".repeat(1000), /nests too deeply/],
    ["too many attributes", `<m><a b="" c="" d="" e=""/></m>`, /too many attributes/],
    ["too many elements beside each other", `<a>${"<b/>".repeat(12)}</a>`, /too many elements/],
    ["an element with too long a name", `<iq><${"b".repeat(21)}/></iq>`, /too long a name/],
    ["an attribute with too long a name", `<message ${"b".repeat(21)}=''/>`, /too long a name/],
    ["too many attributes in front", `<a b="" c="" d="" e=""><f/></a>`, /too many attributes/],
  ])("passes over a stanza with %s, and goes on", (_what, stanza, why) => {
    for (const pieces of [[ROOT, stanza, small], characters(ROOT + stanza + small)]) {
      const result = frames(pieces);
      expect(result.frames).toEqual([ROOT, small]);
      expect(result.passedOver).toEqual([expect.stringMatching(why)]);
    }
  });

  it("takes a stanza that is just at the limits", () => {
    const deep = "<a><a><a><a/></a></a></a>";
    const wide = `<a b="" c="" d=""/>`;
    const large = `<m>${"x".repeat(193)}</m>`;
    expect(Buffer.byteLength(large)).toBe(200);
    expect(frames([ROOT, deep, wide, large])).toEqual({ frames: [ROOT, deep, wide, large], passedOver: [] });
  });

  it("keeps little of what it passes over", () => {
    const framer = new XmlFramer(LIMITS, () => undefined);
    expect([...framer.push(`${ROOT}<m a="`)]).toEqual([ROOT]);
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 2_000; i++) {
      expect([...framer.push("x".repeat(65_536))]).toEqual([]);
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(60_000_000);
    expect([...framer.push(`"/><ok/>`)]).toEqual(["<ok/>"]);
  });

  it("looks at a tag with very many attributes in good time", () => {
    const started = performance.now();
    frames([ROOT, `<m ${Array.from({ length: 40_000 }, (_, i) => `a${i}=""`).join(" ")}/>`], {
      ...LIMITS,
      maxBytes: 262_144,
    });
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it.each([
    ["a comment", `${ROOT}<!-- x -->`, /comment/],
    ["a comment in a stanza", `${ROOT}<a><!-- x --></a>`, /comment/],
    ["a document type", "<!DOCTYPE x [<!ENTITY a 'b'>]>", /document type/],
    ["CDATA between stanzas", `${ROOT}<![CDATA[x]]>`, /comment/],
    ["a processing instruction", `${ROOT}<a><?php ?></a>`, /processing instruction/],
    ["a second declaration", `${ROOT}<?xml version='1.0'?>`, /processing instruction/],
    ["text before the stream", "HTTP/1.1 400 Bad Request", /text between stanzas/],
    ["text between stanzas", `${ROOT}<a/>text<a/>`, /text between stanzas/],
    ["a NUL", `${ROOT}<a>\0</a>`, /characters that XML forbids/],
    ["a control character", `${ROOT}<a b="\x01"/>`, /characters that XML forbids/],
    ["an attribute without quotes", `${ROOT}<a b=c>`, /broken tag/],
    ["an attribute without a value", `${ROOT}<a b>`, /broken tag/],
    ["a stray slash", `${ROOT}<a / b="">`, /broken tag/],
    ["a less-than sign in an attribute", `${ROOT}<a b="<">`, /broken tag/],
    ["a tag inside a tag", `${ROOT}<a <b>`, /tag inside a tag/],
    ["an empty tag", `${ROOT}<>`, /broken tag/],
    ["an end without a beginning", "</stream:stream>", /end without a beginning/],
    ["the end of another element", `${ROOT}<a><b></a>`, /end without a beginning/],
    ["the end of another element than the stream", `${ROOT}<a/></a>`, /end without a beginning/],
    ["an attribute twice", `${ROOT}<a b='1' c='' b="2"/>`, /an attribute twice/],
    ["an attribute twice in the opening tag", `<s a='' a=''>`, /an attribute twice/],
    ["too long a name outside of stanzas", `${ROOT}<a><${"b".repeat(21)}/></a>`, /too long a name/],
    ["an opening tag that is too long", `<stream:stream a="${"x".repeat(300)}`, /beyond all bounds/],
    ["an opening tag with too many attributes", "<s a='' b='' c='' d=''>", /beyond all bounds/],
  ])("refuses %s", (_what, text, why) => {
    expect(() => frames([text])).toThrow(why);
    expect(() => frames(characters(text))).toThrow(why);
  });

  it("gives what came before the first thing it refuses", () => {
    const framer = new XmlFramer(LIMITS, () => undefined);
    const seen: string[] = [];
    expect(() => {
      for (const frame of framer.push(`${ROOT}<a/><!-- -->`)) seen.push(frame);
    }).toThrow();
    expect(seen).toEqual([ROOT, "<a/>"]);
  });
});
