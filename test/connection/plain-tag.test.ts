import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainTag } from "../../src/connection/plain-tag.ts";
import { XmlFramer } from "../../src/connection/xml-framer.ts";

// What a tag is, said in another way.
const name = `[^\\s"'<>/=]+`;
const attribute = `\\s+(${name})\\s*=\\s*(?:"[^"<]*"|'[^'<]*')`;
const form = new RegExp(`^<(?:/(${name})\\s*|(${name})((?:${attribute})*)\\s*/?)>`);

const pieces = fc.constantFrom(
  ...["<", "</", "<a", "</a", "<iq", ">", "/>", "/", " ", "\t", "\n", "\u00a0", "=", "'", '"', "='x'", '="y>"', "='<'"],
  ...[" a", " b", " a='1'", ' b="2"', " c = 'x'", "é", "t", "&amp;", "!", "?", "]]>", "<![CDATA[x]]>", "<!--", "<?x?>"],
);
const soup = fc.array(pieces, { maxLength: 14 }).map((parts) => parts.join(""));
// Mostly in order, now and then with something odd in it.
const mostly = (usual: readonly string[], odd: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: odd });
const tagLike = fc
  .tuple(
    mostly(["a", "/a", "b:c", "x-y"], pieces),
    fc.array(mostly([" a='1'", '\n b="\'2>"', " c = 'x'", " e='/'", " f='<'", "\t"], soup), { maxLength: 4 }),
    mostly([">", "/>", " >", " />"], pieces),
  )
  .map(([start, attributes, close]) => start + attributes.join("") + close);

describe("a tag that is read in one go", () => {
  it("is one, with its name and those of its attributes, whatever comes", () => {
    let read = 0;
    fc.assert(
      fc.property(fc.oneof(soup, tagLike), (text) => {
        const tag = plainTag(`<${text}`, 0);
        if (tag === undefined) return;
        read++;
        const [whole, end, start, attributes = ""] = form.exec(`<${text}`) ?? [];
        const names = [...attributes.matchAll(new RegExp(attribute, "g"))].map(([, one]) => one);
        expect(tag).toEqual({ text: whole, start, end, names });
      }),
      { numRuns: 3_000 },
    );
    expect(read).toBeGreaterThan(300);
  });

  it("stands anywhere in a text", () => {
    expect(plainTag("ab<c d='e' f=\"g'h\" />i", 2)).toEqual({
      ...{ text: "<c d='e' f=\"g'h\" />", start: "c", end: undefined, names: ["d", "f"] },
    });
    expect(plainTag("ab</c >i", 2)).toEqual({ text: "</c >", start: undefined, end: "c", names: [] });
  });

  it.each([
    "<",
    "<a",
    "<a b='1",
    "<a b",
    "<a b=",
    "</a",
    "</a b='1'>",
    "<a b='1'c='2'>",
    "<é>",
    "<a é='1'>",
    "<a b='<'>",
    "<>",
  ])("%s is left to who looks at each character", (text) => {
    expect(plainTag(text, 0)).toBeUndefined();
  });

  it("is short: a long one is left too, wherever its length lies", () => {
    const long = "x".repeat(1_100);
    for (const text of [`<${long}>`, `<a ${long}=''>`, `<a b='${long}'>`, `<a b='1'${" ".repeat(1_100)}>`]) {
      expect(plainTag(text, 0)).toBeUndefined();
    }
  });
});

describe("the framer", () => {
  it("finds the same in tags that come whole as in tags that come character by character", () => {
    const limits = { maxBytes: 200, maxDepth: 4, maxAttributes: 3, maxElements: 6, maxName: 6 };
    const framed = (parts: readonly string[]): unknown => {
      const found: string[] = [];
      const framer = new XmlFramer(limits, (why, name) => found.push(`passed over: ${name} ${why}`));
      try {
        for (const part of parts) for (const frame of framer.push(part)) found.push(frame);
      } catch (error) {
        found.push(String(error));
      }
      return found;
    };
    let whole = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof(soup, tagLike), { maxLength: 4 }), (parts) => {
        const text = `<s><iq>${parts.join("<")}</iq></s>`;
        const found = framed([text]);
        if ((found as string[]).includes("</s>")) whole++;
        expect(found).toEqual(framed(text.split("")));
      }),
      { numRuns: 3_000 },
    );
    expect(whole).toBeGreaterThan(20);
  });
});
