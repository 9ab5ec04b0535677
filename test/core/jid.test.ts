import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bareJid, configJid, isComponent, parseJid, tryParseJid } from "../../src/core/jid.ts";

describe("a JID", () => {
  it("is taken apart", () => {
    expect(parseJid("Owner@Example.org/Phone 7/a@b")).toEqual({
      local: "owner",
      domain: "example.org",
      resource: "Phone 7/a@b",
      bare: "owner@example.org",
      full: "owner@example.org/Phone 7/a@b",
    });
  });

  it("may be a component's address, with or without resource", () => {
    expect(parseJid("Discovery.Example.org")).toEqual({
      local: "",
      domain: "discovery.example.org",
      resource: "",
      bare: "discovery.example.org",
      full: "discovery.example.org",
    });
    expect(parseJid("discovery.example.org/x").bare).toBe("discovery.example.org");
  });

  it.each([
    ["a@B.c/R", "A@b.C/R", "user name and domain are compared without regard to case, the resource is not"],
    ["cafe\u0301@b.c", "caf\u00E9@b.c", "what looks the same is the same (NFC)"],
    ["a@b.c/cafe\u0301", "a@b.c/caf\u00E9", "so it is in the resource"],
    ["a@cafe\u0301.org", "a@caf\u00E9.org", "and in the domain"],
    ["a@b.c.", "a@b.c", "a domain may end in the dot of the DNS root"],
    ["\u212Aelvin@b.c", "kelvin@b.c", "the Kelvin sign is a K"],
    ["STRA\u1E9EE@b.c", "stra\u00DFe@b.c", "the capital sharp s is a sharp s"],
  ])("%j is %j: %s", (one, other) => {
    expect(parseJid(one).full).toBe(parseJid(other).full);
  });

  it.each([
    ["a@b.c/R", "a@b.c/r", "resources differ in case"],
    ["\u0130@b.c", "i@b.c", "the Turkish capital I with a dot is not an i"],
    ["\u0131@b.c", "i@b.c", "nor is the small one without"],
    ["a\\b@c.d", "a\\5cb@c.d", "an escape of XEP-0106 is another account's name, whatever people are shown"],
    ["a\\40b@c.d", "a@b@c.d", "an escaped @ divides nothing"],
    ["\u0430dmin@b.c", "admin@b.c", "a Cyrillic a is not a Latin one"],
  ])("%j is not %j: %s", (one, other) => {
    expect(tryParseJid(one)?.full).toBeDefined();
    expect(tryParseJid(one)?.full).not.toBe(tryParseJid(other)?.full);
  });

  it("with a dotted capital I stays itself however often it is normalised", () => {
    const once = parseJid("\u0130\u0323@\u0130.example/\u0130");
    expect(parseJid(once.full)).toEqual(once);
  });

  it("has one normal form, whichever way its characters were put together", () => {
    const different: string[] = [];
    for (let point = 0xa0; point < 0x20000; point++) {
      const sign = String.fromCodePoint(point);
      if (!/[\p{L}\p{M}]/u.test(sign)) continue;
      const text = `a${sign}\u0323@b.c`;
      const [once, composed, apart] = [text, text.normalize("NFC"), text.normalize("NFD")].map(tryParseJid);
      const again = tryParseJid(once?.full ?? "");
      if (new Set([once, composed, apart, again].map((jid) => jid?.full)).size > 1) different.push(text);
    }
    expect(different).toEqual([]);
  });

  it.each([
    "",
    " ",
    "@",
    "@/",
    "/",
    "@b.c",
    "a@",
    "a@/r",
    "/r",
    "a@b.c/",
    "b.c/",
    "a@.",
    ".",
    "./r",
    "a@./r",
    "a@b..c",
    "a@.b",
    "a@b.c..",
    "a@b@c",
    "a b@c.d",
    " a@b.c",
    "a@b.c ",
    "a@b c",
    "a\u00A0b@c.d",
    "a\u3000b@c.d",
    'a"b@c.d',
    "a&b@c.d",
    "a'b@c.d",
    "a:b@c.d",
    "a<b@c.d",
    "a>b@c.d",
    "a@b<c",
    "a@b&c",
    "a\u0000@b.c",
    "a\n@b.c",
    "a@b\u007F.c",
    "a@b.c/\u0001",
    "a@b.c/line\nbreak",
    "a@b.c/\u0085",
    "a\uD800@b.c",
    "a@b.c/\uDC00",
    "a@b.c/\uFFFF",
    "a@b.c/\u{1FFFE}",
  ])("is not %j", (text) => {
    expect(tryParseJid(text)).toBeUndefined();
  });

  it("has parts of at most 1,023 bytes each (RFC 7622 section 3)", () => {
    const most = "x".repeat(1023);
    expect(tryParseJid(`${most}@${most}/${most}`)?.resource).toBe(most);
    for (const text of [`${most}x@b.c`, `a@${most}x`, `a@b.c/${most}x`]) expect(tryParseJid(text)).toBeUndefined();
    expect(tryParseJid(`${"é".repeat(511)}@b.c`)).toBeDefined();
    expect(tryParseJid(`${"é".repeat(512)}@b.c`)).toBeUndefined();
  });

  it("is measured in the form it is compared in: folding may lengthen it", () => {
    const grows = "\u023A".repeat(400); // two bytes, three when lower case
    expect(Buffer.byteLength(grows)).toBe(800);
    expect(tryParseJid(`${grows}@b.c`)).toBeUndefined();
  });

  it("that is far too long is refused without being normalised, which takes minutes for a megabyte of accents", () => {
    const began = performance.now();
    expect(tryParseJid(`a${"\u0301\u0323".repeat(500_000)}@b.c`)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  const anything = fc.oneof(
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.string({
      unit: fc.constantFrom("@", "/", ".", "a", "B", "\u0130", "\u0301", "Σ", "ß", "\\", " ", "\u0000"),
      maxLength: 12,
    }),
    fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)), maxLength: 12 }),
    fc
      .tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary", minLength: 1 }), fc.string({ unit: "binary" }))
      .map(([local, domain, resource]) => `${local}@${domain}/${resource}`),
  );

  it("never throws in the reading, and what comes out is normal: reading it again changes nothing", () => {
    fc.assert(
      fc.property(anything, (text) => {
        const jid = tryParseJid(text);
        if (jid === undefined) return;
        expect(tryParseJid(jid.full)).toEqual(jid);
        expect(tryParseJid(jid.bare)).toEqual({ ...jid, resource: "", full: jid.bare });
        expect(jid.full).toBe(`${jid.local}${jid.local && "@"}${jid.domain}${jid.resource && "/"}${jid.resource}`);
        expect(jid.full).not.toMatch(/\p{Cs}|\p{Cc}/u);
      }),
      { numRuns: 500 },
    );
  });

  it("is the same in upper and lower case, for names of letters and digits", () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9.\-_]{0,20}[a-z0-9]$/).filter((text) => !text.includes(".."));
    fc.assert(
      fc.property(name, name, (local, domain) => {
        expect(parseJid(`${local}@${domain}`.toUpperCase()).full).toBe(`${local}@${domain}`);
      }),
    );
  });
});

describe("a JID that is parsed again", () => {
  it("is the same whatever a program has written into the one before", () => {
    const before = parseJid("owner@example.org/phone") as { bare: string };
    expect(() => (before.bare = "stranger@example.org")).toThrow(TypeError);
    expect(parseJid("owner@example.org/phone")).toEqual({
      ...{ local: "owner", domain: "example.org", resource: "phone" },
      ...{ bare: "owner@example.org", full: "owner@example.org/phone" },
    });
  });
});

describe("what is no JID", () => {
  it("is a text with half a character, however long it is", () => {
    for (const name of ["a\ud800", "water-meter-in-the-cellar\ud800"]) {
      expect(tryParseJid(`${name}@example.org`)).toBeUndefined();
      expect(tryParseJid(`example.org/${name}`)).toBeUndefined();
    }
  });

  it("is an ERR_PROTOCOL with the path when it came from the wire", () => {
    expect(() => parseJid("@/x", "claimed/@jid")).toThrow(
      expect.objectContaining({ code: "ERR_PROTOCOL", path: "claimed/@jid" }),
    );
    expect(() => bareJid("a@")).toThrow(expect.objectContaining({ code: "ERR_PROTOCOL" }));
  });

  it("is an ERR_CONFIG that names the option when it came from there", () => {
    expect(configJid("Registry.Example", "registry").full).toBe("registry.example");
    expect(() => configJid(undefined as unknown as string, "jid")).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG", message: expect.stringMatching(/^jid: must be a JID, a text/) }),
    );
    expect(() => configJid("a b", "provisioning[0]")).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG", message: 'provisioning[0]: "a b" is not a JID' }),
    );
  });
});

describe("bareJid", () => {
  it("leaves the resource away (D-E7)", () => {
    expect(bareJid("rack@Example.org/plcs")).toBe("rack@example.org");
  });
});

describe("isComponent", () => {
  it.each([
    ["discovery.example.org", true],
    ["discovery.example.org/x", true],
    ["discovery.example.org/somebody@else", true],
    ["registry@example.org", false],
    ["registry@example.org/discovery.example.org", false],
  ])("%s: %s (XEP-0347 5.1, X-E5)", (address, expected) => {
    expect(isComponent(address)).toBe(expected);
  });
});
