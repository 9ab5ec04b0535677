import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildDhcpInform,
  hostName,
  LONGEST_DHCP,
  parseDhcpReply,
  parseDomainNameOption,
  parseXmppServerOption,
  type DhcpReply,
} from "../../src/codec/dhcp.ts";
import { concat, dhcpAnswer, optionBytes, type Said } from "../support/hostile-packets/dhcp-packets.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (one) => one.charCodeAt(0));
const text = (value: Uint8Array): string => String.fromCharCode(...value);
const xid = 0x89abcdef;

function read(said: Partial<Said>): DhcpReply {
  const reply = parseDhcpReply(dhcpAnswer({ xid, ...said }));
  if (typeof reply === "string") throw new Error(reply);
  return reply;
}

const option = (said: Partial<Said>, code: number): string | undefined => {
  const value = read(said).options.get(code);
  return value === undefined ? undefined : text(value);
};

describe("a DHCPINFORM (RFC 2131 3.4)", () => {
  const packet = buildDhcpInform({ xid, address: "10.77.0.50", hardware: "02:0a:00:00:ff:01", wanted: [84, 224, 15] });

  it("says who asks, and where the answer is to go", () => {
    expect([...packet.subarray(0, 4)]).toEqual([1, 1, 6, 0]); // request, Ethernet, six bytes of address, no relay
    expect([...packet.subarray(4, 8)]).toEqual([0x89, 0xab, 0xcd, 0xef]);
    expect([...packet.subarray(8, 28)]).toEqual([0, 0, 0, 0, 10, 77, 0, 50, ...Array<number>(12).fill(0)]);
    expect([...packet.subarray(28, 34)]).toEqual([2, 10, 0, 0, 255, 1]);
    expect(packet.subarray(34, 236).every((byte) => byte === 0)).toBe(true);
  });

  it("D-3.3.1-2: asks for options 84 and 224 by their codes", () => {
    expect([...packet.subarray(236, 240)]).toEqual([0x63, 0x82, 0x53, 0x63]);
    expect([...packet.subarray(240, 252)]).toEqual([53, 1, 8, 57, 2, 1500 >> 8, 1500 & 255, 55, 3, 84, 224, 15]);
    expect(packet[252]).toBe(255);
    expect(packet).toHaveLength(300); // relays drop shorter ones
  });

  it("grows with what is asked for", () => {
    const wanted = Array.from({ length: 60 }, (_, index) => index + 1);
    const packet = buildDhcpInform({ xid: 0, address: "1.2.3.4", hardware: "00:00:00:00:00:00", wanted });
    expect(packet).toHaveLength(310);
    expect(packet.at(-1)).toBe(255);
  });
});

describe("an answer", () => {
  it("D-3.3.1-4: holds options as code, length and value", () => {
    const reply = read({ options: [[224, "pronto.local"]] });
    expect(reply).toMatchObject({ xid, hardware: "02:00:00:00:00:01", type: 5 });
    expect(reply.options.get(224)).toEqual(bytes("pronto.local"));
    expect([...reply.options.keys()]).toEqual([53, 224]);
  });

  it("may be padded between options, and hold anything behind the end", () => {
    const options = [[0, ""]] as const; // a pad, and a second one where a length would stand
    expect(option({ options: [...options, [224, "a.b"]] }, 224)).toBe("a.b");
    expect(option({ options: [[224, "a.b"]], end: [0, 0, 255, 224, 200, 1] }, 224)).toBe("a.b");
  });

  it("is put together where an option comes in pieces (RFC 3396)", () => {
    const options = [
      [224, "pron"],
      [15, "local"],
      [224, ""],
      [224, "to.local"],
    ] as const;
    expect(option({ options }, 224)).toBe("pronto.local");
    expect(option({ options }, 15)).toBe("local");
  });

  it("goes on in the fields file and sname where option 52 says so, file first (RFC 3396 5)", () => {
    const file = concat(optionBytes([[224, "nto."]]), [255]);
    const sname = concat([0], optionBytes([[224, "local"]]), [255]);
    const first = [[224, "pro"]] as const;
    const overload = (fields: number): Partial<Said> => ({
      options: [[52, Uint8Array.of(fields)], ...first],
      file,
      sname,
    });
    expect(option(overload(3), 224)).toBe("pronto.local");
    expect(option(overload(1), 224)).toBe("pronto.");
    expect(option(overload(2), 224)).toBe("prolocal");
    expect(option({ options: first, file, sname }, 224)).toBe("pro");
  });

  it("does not overload again from an overloaded field", () => {
    const file = concat(optionBytes([[52, Uint8Array.of(2)]]), [255]);
    const sname = concat(optionBytes([[224, "x"]]), [255]);
    expect(option({ options: [[52, Uint8Array.of(1)]], file, sname }, 224)).toBeUndefined();
  });

  it("may lack the end", () => {
    expect(option({ options: [[224, "a.b"]], end: [] }, 224)).toBe("a.b");
  });

  it("keeps no packet alive by its options", () => {
    const value = read({ options: [[224, "pronto.local"]] }).options.get(224);
    expect(value?.buffer.byteLength).toBe(12);
  });

  it("is found in the middle of a larger buffer", () => {
    const packet = dhcpAnswer({ xid, options: [[224, "a.b"]] });
    const larger = concat([1, 2, 3, 4, 5, 6, 7], packet, [1, 2, 3]);
    expect(parseDhcpReply(larger.subarray(7, 7 + packet.length))).toMatchObject({ xid, type: 5 });
  });

  const cases: readonly [string, string, Uint8Array][] = [
    ["nothing", "too short", new Uint8Array()],
    ["no options at all", "too short", dhcpAnswer({ xid }).subarray(0, 239)],
    ["more than a frame", "too long", concat(dhcpAnswer({ xid }), new Uint8Array(LONGEST_DHCP))],
    ["a question", "not from a server", dhcpAnswer({ xid, bytes: { 0: 1 } })],
    ["another kind of network", "not for Ethernet", dhcpAnswer({ xid, bytes: { 1: 32 } })],
    ["an address of another length", "not for Ethernet", dhcpAnswer({ xid, bytes: { 2: 16 } })],
    ["no magic cookie", "not DHCP", dhcpAnswer({ xid, bytes: { 239: 0x64 } })],
    ["an option longer than the packet", "an option is cut off", dhcpAnswer({ xid, end: [224, 12, 0x70] })],
    ["an option without its length", "an option is cut off", dhcpAnswer({ xid, end: [224] })],
    ["no message type", "no message type", dhcpAnswer({ xid, type: undefined })],
    ["two message types", "an option is malformed", dhcpAnswer({ xid, options: [[53, Uint8Array.of(5)]] })],
    ["an overload of nothing", "an option is malformed", dhcpAnswer({ xid, options: [[52, Uint8Array.of(0)]] })],
    ["an overload of what there is not", "an option is malformed", dhcpAnswer({ xid, options: [[52, "\u0004"]] })],
    ["an overload without a value", "an option is malformed", dhcpAnswer({ xid, options: [[52, ""]] })],
    [
      "a field whose option goes beyond it",
      "an option is cut off",
      dhcpAnswer({ xid, options: [[52, "\u0001"]], file: Uint8Array.of(224, 200) }),
    ],
  ];

  it.each(cases)("%s: %s", (_what, why, packet) => {
    expect(parseDhcpReply(packet)).toBe(why);
  });

  it("says the same of its options however they are cut into pieces and fields", () => {
    const value = fc.uint8Array({ maxLength: 60 });
    const said = fc.array(fc.tuple(fc.integer({ min: 54, max: 254 }), value), { maxLength: 6 });
    fc.assert(
      fc.property(said, fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 10 }), (options, cuts) => {
        const pieces: [number, Uint8Array][] = [];
        const expected = new Map<number, number[]>();
        for (const [index, [code, whole]] of options.entries()) {
          const at = Math.min(cuts[index] ?? 0, whole.length);
          pieces.push([code, whole.subarray(0, at)], [code, whole.subarray(at)]);
          expected.set(code, [...(expected.get(code) ?? []), ...whole]);
        }
        const reply = read({ options: pieces });
        for (const [code, whole] of expected) expect([...(reply.options.get(code) ?? [])]).toEqual(whole);
        expect(reply.options.size).toBe(expected.size + 1);
      }),
    );
  });

  it("is read out of any bytes, or the reason is said: nothing is thrown", () => {
    const tail = fc.uint8Array({ maxLength: 400 });
    fc.assert(
      fc.property(tail, fc.boolean(), (end, headed) => {
        const packet = headed ? concat(dhcpAnswer({ xid, end: [] }), end) : end;
        const reply = parseDhcpReply(packet);
        if (typeof reply === "string") expect(reply).toMatch(/^[a-zA-Z ]+$/);
        else expect(reply.type).toBeTypeOf("number");
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the name of an XMPP server", () => {
  it.each([
    ["Listing 2", "pronto.local", undefined, "pronto.local"],
    ["a NUL behind it", "pronto.local\0", undefined, "pronto.local"],
    ["capitals", "Pronto.LOCAL", undefined, "pronto.local"],
    ["a dot at its end", "pronto.local.", undefined, "pronto.local"],
    ["a name to complete", "pronto", "local", "pronto.local"],
    ["a qualified name", "pronto.example.org", "local", "pronto.example.org"],
    ["a name that is said to be complete", "pronto.", "local", "pronto"],
    ["a name where no domain is known", "pronto", undefined, "pronto"],
    ["one character", "x", "local", "x.local"],
    ["digits in front", "3com.example", undefined, "3com.example"],
    ["labels in the script of another", "xn--bcher-kva.example", undefined, "xn--bcher-kva.example"],
  ])("D-3.3.1-3: %s", (_what, value, domain, name) => {
    expect(parseXmppServerOption(bytes(value), domain)).toBe(name);
  });

  it.each([
    ["nothing", ""],
    ["a NUL", "\0"],
    ["two NULs", "pronto\0\0"],
    ["a NUL inside", "pron\0to"],
    ["a dot", "."],
    ["an empty label", "pronto..local"],
    ["a dot in front", ".local"],
    ["a hyphen in front", "-pronto.local"],
    ["a hyphen at the end", "pronto-.local"],
    ["an underscore", "_xmpp.local"],
    ["a blank", "pronto local"],
    ["a line break", "pronto.local\n"],
    ["bytes beyond ASCII", "pr\xf6nto.local"],
    ["UTF-8", "pr\xc3\xb6nto.local"],
    ["an address", "10.77.0.1"],
    ["an address written as a number", "0x0a4d0001"],
    ["a name that a resolver takes for an address", "10.0x4d0001"],
    ["a JID", "thing@pronto.local"],
    ["a port", "pronto.local:5222"],
    ["a URI", "xmpp://pronto.local"],
    ["a label of 64", `${"a".repeat(64)}.local`],
    ["254 characters", `${"a.".repeat(126)}ab`],
    ["a thousand", "a".repeat(1_000)],
  ])("D-3.3.1-3: is not %s", (_what, value) => {
    expect(parseXmppServerOption(bytes(value), "local")).toBeUndefined();
  });

  it("may be as long as a name can be, also with the local domain", () => {
    const longest = `${"a.".repeat(126)}a`;
    expect(parseXmppServerOption(bytes(longest))).toBe(longest);
    expect(parseXmppServerOption(bytes(`${longest}.\0`))).toBe(longest);
    expect(parseXmppServerOption(bytes("pronto"), longest)).toBeUndefined();
  });

  it("D-3.3.1-3: is a name whatever the value, or nothing", () => {
    const value = fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.string({ maxLength: 80 }).map(bytes));
    fc.assert(
      fc.property(value, fc.option(fc.constantFrom("local", "home.arpa"), { nil: undefined }), (given, domain) => {
        const name = parseXmppServerOption(given, domain);
        if (name === undefined) return;
        expect(name).toMatch(/^(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/);
        expect(hostName(name)).toBe(name);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the local domain in option 15", () => {
  it.each([
    ["local", "local"],
    ["Home.ARPA\0", "home.arpa"],
    ["example.org.", "example.org"],
    ["example.org home.example.org", "example.org"],
    [" ", undefined],
    ["", undefined],
    ["a..b", undefined],
    ["\xff", undefined],
  ])("%j", (value, domain) => {
    expect(parseDomainNameOption(bytes(value))).toBe(domain);
  });
});
