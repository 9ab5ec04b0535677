// Regular expressions of XML Schema: what they mean, and that no text makes them slow.
import fc, { type Arbitrary } from "fast-check";
import { describe, expect, it } from "vitest";
import { XsPattern } from "../../src/codec/xs-pattern.ts";

const matching = (pattern: string, texts: readonly string[]): readonly string[] => {
  const expression = new XsPattern(pattern);
  return texts.filter((text) => expression.matches(text));
};

describe("a pattern", () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ["", [""], ["a"]],
    ["abc", ["abc"], ["", "ab", "abcd", "xabc", "abc\n"]],
    ["a|bc|", ["a", "bc", ""], ["ab", "abc"]],
    ["(a|b)c", ["ac", "bc"], ["a", "c", "abc"]],
    ["a?b*c+", ["c", "abc", "bbbccc", "ac"], ["", "ab", "aac"]],
    ["a{2}", ["aa"], ["a", "aaa"]],
    ["a{2,}", ["aa", "aaaaa"], ["a", ""]],
    ["a{1,3}", ["a", "aa", "aaa"], ["", "aaaa"]],
    ["a{0}b", ["b"], ["ab"]],
    ["(ab){2,3}", ["abab", "ababab"], ["ab", "abababab", "aba"]],
    ["(a*)*", ["", "aaa"], ["b"]],
    [".", ["a", "😀", " "], ["", "\n", "\r", "ab"]],
    ["[abc]", ["a", "c"], ["d", "ab"]],
    ["[a-cx]", ["a", "b", "x"], ["d", "-"]],
    ["[^a-c]", ["d", "-", "\n"], ["a", "c", ""]],
    ["[-a]", ["-", "a"], ["b"]],
    ["[a-]", ["-", "a"], ["b"]],
    ["[\\-\\]]", ["-", "]"], ["\\", "a"]],
    ["[^^]", ["a"], ["^"]],
    ["[a^]", ["a", "^"], ["b"]],
    ["[a-z-[aeiou]]", ["b", "z"], ["a", "u", "-", "A"]],
    ["[^a-z-[A-Z]]", ["1"], ["a", "A"]],
    ["[a-z-[b-y-[m]]]", ["a", "z", "m"], ["b", "n"]],
    ["[😀-😂]", ["😀", "😁"], ["😃", "\ud83d"]],
    ["[\\d.]+", ["1.5", "٣"], ["1,5"]],
    ["[\\D]", ["a"], ["1"]],
    ["\\s\\S", [" a", "\ta"], ["  ", "aa"]],
    ["\\i\\c*", ["_a-1.b", ":x", "Ä·"], ["1a", "-a", "a b"]],
    ["\\I\\C", ["1 ", "-!"], ["a ", "1a"]],
    ["\\w\\W", ["a ", "5.", "+-"], ["aa", " a"]],
    ["\\p{Lu}\\P{Lu}", ["Aa", "Ä1"], ["aa", "AA"]],
    ["\\n\\r\\t\\.\\\\\\^\\$\\|", ["\n\r\t.\\^$|"], ["nrt"]],
    ["1\\.5€", ["1.5€"], ["1x5€"]],
  ])("%s means the whole of some texts, and no other", (pattern, fine, wrong) => {
    expect(matching(pattern, [...fine, ...wrong])).toEqual(fine);
  });

  it.each([
    ["^a", '"^" is not needed, or wants a backslash at character 1'],
    ["a$", '"$" is not needed'],
    ["(a", 'unexpected "end" at character 3'],
    ["a)", 'unexpected ")" at character 2'],
    ["*a", 'unexpected "*"'],
    ["a**", 'unexpected "*"'],
    ["(?:a)", 'unexpected "?"'],
    ["(?=a)", 'unexpected "?"'],
    ["a{", "unexpected"],
    ["a{x}", 'unexpected "x"'],
    ["a{1", 'unexpected "end"'],
    ["a{2,1}", "more at least than at most"],
    ["a}", 'unexpected "}"'],
    ["]", 'unexpected "]"'],
    ["[", 'unexpected "end"'],
    ["[]", 'unexpected "]"'],
    ["[a", 'unexpected "end"'],
    ["[a[b]]", 'unexpected "["'],
    ["[-[a]]", 'unexpected "-"'],
    ["[b-a]", "a range that goes backwards"],
    ["[a-\\d]", "no range"],
    ["[a-z-[b]c]", 'unexpected "c"'],
    ["\\", 'unexpected "end"'],
    ["\\1", '"\\1" is not known'],
    ["\\b", '"\\b" is not known'],
    ["\\p{IsGreek}", 'there is no category "IsGreek"'],
    ["\\p{Greek}", 'there is no category "Greek"'],
    ["\\pL", 'unexpected "L"'],
    ["\\p{L", 'unexpected "end"'],
    ["a".repeat(1_001), "longer than 1000 characters"],
    ["a{2001}", "it repeats too much"],
    ["(a{50}){50}", "it repeats too much"],
    ["((){1000}){1000}", "it repeats too much"],
    [`a{${"9".repeat(400)}}`, "it repeats too much"],
  ])("that is none is refused, and it is said where: %s", (pattern, message) => {
    expect(() => new XsPattern(pattern)).toThrow(SyntaxError);
    expect(() => new XsPattern(pattern)).toThrow(message);
  });

  // What both have, written alike in both.
  const { pattern } = fc.letrec<{ pattern: string; piece: string; atom: string }>((tie) => ({
    pattern: fc
      .array(
        fc.array(tie("piece"), { maxLength: 3 }).map((pieces) => pieces.join("")),
        { minLength: 1, maxLength: 3 },
      )
      .map((branches) => branches.join("|")),
    piece: fc
      .tuple(tie("atom"), fc.constantFrom("", "", "?", "*", "+", "{2}", "{1,}", "{0,2}"))
      .map((parts) => parts.join("")),
    atom: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom("a", "b", "c", ".", "\\.", "[ab]", "[^a]", "[a-c]", "\\d", "\\p{Lu}", "\\P{Lu}"),
      tie("pattern").map((inside) => `(${inside})`),
    ),
  }));
  const text: Arbitrary<string> = fc.string({ unit: fc.constantFrom("a", "b", "c", "1", ".", "Ä"), maxLength: 6 });

  it("means what the same means to JavaScript, where they agree on the words", () => {
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 20 }), (written, texts) => {
        const expression = new XsPattern(written);
        const other = new RegExp(`^(?:${written})$`, "u");
        expect(texts.filter((one) => expression.matches(one))).toEqual(texts.filter((one) => other.test(one)));
      }),
      { numRuns: 500 },
    );
  });

  // JavaScript's own would be at it until the sun is cold.
  it.each(["(a+)+", "(a*)*", "(a|a)*", "(a|aa)+", "(.*)*", "(a?){100}a{100}", "([a-z]+)*[0-9]", "((a*)*)*"])(
    "%s is matched with a text that fits to the last character but one in no more steps than any other",
    (written) => {
      const expression = new XsPattern(written);
      expect(expression.matches(`${"a".repeat(5_000)}!\n`)).toBe(false);
      expect(expression.size).toBeLessThan(1_000);
    },
  );
});
