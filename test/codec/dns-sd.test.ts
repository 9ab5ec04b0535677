import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { tryParseJid } from "../../src/core/jid.ts";
import { buildServiceText, parseServiceText, type ServiceText } from "../../src/codec/dns-sd.ts";
import { thrownBy } from "./laws.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const parse = (...strings: string[]): ServiceText => parseServiceText(strings.map(bytes));
const nothing: ServiceText = { txtvers: undefined, ordom: undefined, regis: [], provis: [] };

describe("the TXT record of a server", () => {
  test("D-3.3.2-6, D-3.3.2-11, D-3.3.2-12, D-3.3.2-13: is that of XEP-0347 Listing 8", () => {
    expect(parse("txtvers=1", "ordom=example.com", "regis=registry", "provis=provisioning")).toEqual({
      txtvers: "1",
      ordom: "example.com",
      regis: ["registry@example.com"],
      provis: ["provisioning@example.com"],
    });
  });

  test("D-3.3.2-7: may hold a single zero byte, which says nothing", () => {
    expect(parse("")).toEqual(nothing);
    expect(parseServiceText([])).toEqual(nothing);
  });

  test("D-3.3.2-12, D-3.3.2-13: may list several, divided by blanks", () => {
    const { regis, provis } = parse("ordom=example.com", "regis=one  two one ", "provis= \tthree");
    expect(regis).toEqual(["one@example.com", "two@example.com"]);
    expect(provis).toEqual(["three@example.com"]);
  });

  it("names whole JIDs where there is an @ or a dot (D-E24)", () => {
    const { regis } = parse(
      "ordom=example.com",
      "regis=registry discovery.example.com Reg@Elsewhere.org a.b@example.com",
    );
    expect(regis).toEqual(["registry@example.com", "discovery.example.com", "reg@elsewhere.org", "a.b@example.com"]);
  });

  it("has its keys in any order and case; unknown ones are passed over (D-E24)", () => {
    expect(parse("PROVIS=p", "x=y", "OrDom=Example.COM.", "status=avail")).toEqual({
      ...nothing,
      ordom: "example.com",
      provis: ["p@example.com"],
    });
  });

  it("counts the first of a key that comes twice, even if it has no value (RFC 6763 6.4)", () => {
    expect(parse("ordom=a.example", "ORDOM=b.example").ordom).toBe("a.example");
    expect(parse("ordom", "ordom=b.example").ordom).toBeUndefined();
    expect(parse("ordom=", "ordom=b.example").ordom).toBeUndefined();
  });

  it("leaves out strings without a key, and keys that are no ASCII", () => {
    expect(parse("=example.com", "ordöm=example.com", "\u0001ordom=example.com", " ordom=example.com")).toEqual(
      nothing,
    );
  });

  it("may have = in its values", () => {
    expect(parse("txtvers=1=2").txtvers).toBe("1=2");
  });

  it.each([
    "user@example.com",
    "example.com/resource",
    "a..b",
    "exa mple",
    "10.0.0.1",
    "[::1]",
    "::1",
    "",
    "\u0000",
    "x".repeat(300),
  ])("has no domain in ordom=%j", (text) => {
    expect(parse(`ordom=${text}`).ordom).toBeUndefined();
  });

  it("drops items that are broken, and keeps the others", () => {
    const { regis } = parse("ordom=example.com", "regis=a@ good @b a@b@c x/y r@example.com/z <i> ..");
    expect(regis).toEqual(["good@example.com"]);
  });

  it("is not put right where it is not UTF-8", () => {
    const broken = Uint8Array.of(...bytes("ordom=ex"), 0xff, ...bytes(".com"));
    expect(parseServiceText([broken])).toEqual(nothing);
  });

  it("takes user names to be of the domain that is connected to when there is no ordom", () => {
    expect(parseServiceText([bytes("regis=registry")], "Pronto.local").regis).toEqual(["registry@pronto.local"]);
    expect(parseServiceText([bytes("regis=registry d.example")]).regis).toEqual(["d.example"]);
    expect(parseServiceText([bytes("regis=registry"), bytes("ordom=a.example")], "b.example").regis).toEqual([
      "registry@a.example",
    ]);
  });

  it("gives eight of a list at most", () => {
    const many = Array.from({ length: 40 }, (_, i) => `u${i}`).join(" ");
    expect(parse("ordom=a.b", `regis=${many}`).regis).toHaveLength(8);
  });

  it("is read whatever it holds", () => {
    const string = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: "binary", maxLength: 60 }).map(bytes),
      fc
        .tuple(fc.constantFrom("ordom", "REGIS", "provis", "txtvers"), fc.string({ unit: "binary", maxLength: 80 }))
        .map(([key, value]) => bytes(`${key}=${value}`)),
    );
    fc.assert(
      fc.property(
        fc.array(string, { maxLength: 12 }),
        fc.option(fc.string(), { nil: undefined }),
        (strings, domain) => {
          const text = parseServiceText(strings, domain);
          for (const jid of [...text.regis, ...text.provis]) {
            expect(tryParseJid(jid)).toMatchObject({ bare: jid, resource: "" });
          }
          if (text.ordom !== undefined) expect(tryParseJid(text.ordom)?.full).toBe(text.ordom);
          expect(text.regis.length).toBeLessThanOrEqual(8);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("a TXT record that is made", () => {
  it("has the version first, and the accounts of the domain as user names", () => {
    const regis = ["registry@example.com", "discovery.example.com"];
    expect(buildServiceText({ ordom: "Example.com", regis, provis: ["a.b@example.com", "p@else.org"] })).toEqual([
      "txtvers=1",
      "ordom=example.com",
      "regis=registry discovery.example.com",
      "provis=a.b@example.com p@else.org",
    ]);
  });

  it("says only what there is to say", () => {
    expect(buildServiceText({})).toEqual(["txtvers=1"]);
    expect(buildServiceText({ ordom: "localhost", regis: [], provis: ["p@localhost"] })).toEqual([
      "txtvers=1",
      "ordom=localhost",
      "provis=p",
    ]);
  });

  it("comes back as what it was made of", () => {
    const label = fc.stringMatching(/^[a-z\d](?:[a-z\d-]{0,8}[a-z])?[a-z]$/);
    const domain = fc.array(label, { minLength: 2, maxLength: 3 }).map((labels) => labels.join("."));
    const ordom = fc.oneof(domain, label);
    const record = ordom.chain((ordom) => {
      const account = fc.tuple(fc.oneof(label, domain), fc.oneof(domain, fc.constant(ordom)));
      const jid = fc.oneof(
        domain,
        account.map(([user, at]) => `${user}@${at}`),
      );
      const jids = fc.uniqueArray(jid, { maxLength: 4 });
      return fc.record({ ordom: fc.constant(ordom), regis: jids, provis: jids });
    });
    fc.assert(
      fc.property(record, (value) => {
        expect(parse(...buildServiceText(value))).toEqual({ txtvers: "1", ...value });
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    [{ ordom: "user@example.com" }, 'ordom: "user@example.com" is not an XMPP domain'],
    [{ ordom: "a.b", regis: ["x y"] }, 'regis: "x y" is not a bare JID'],
    [{ ordom: "a.b", regis: ["x@a.b/y"] }, 'regis: "x@a.b/y" is not a bare JID'],
    [{ ordom: "localhost", provis: ["provisioning"] }, 'provis: "provisioning" has no dot, and cannot be said here'],
    [{ ordom: "a.b", regis: ["r".repeat(260) + "@a.b"] }, "regis: longer than the 255 bytes of a TXT string"],
    [{ ordom: "a.b", regis: Array.from({ length: 9 }, (_, i) => `u${i}@a.b`) }, "regis: more than 8"],
  ])("cannot say %j", (input, message) => {
    expect(thrownBy(() => buildServiceText(input))).toMatchObject({ code: "ERR_CONFIG", message });
  });
});
