import { describe, expect, it } from "vitest";
import type { Credential } from "../../src/codec/credentials.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { tryParseJid, type BareJid } from "../../src/core/jid.ts";
import type { CredentialConditions } from "../../src/sandbox/credential-conditions.ts";
import { ruleFor, type Rule } from "../../src/sandbox/rules.ts";
import { normaliseRules } from "../../src/sandbox/rules-check.ts";

const service = "service@example.org" as BareJid;
const decided = (rules: readonly Rule[], ...credentials: readonly Credential[]): boolean | undefined =>
  ruleFor(normaliseRules(rules), "access", { thing: service, credentials })?.access;
const lets = (conditions: CredentialConditions, ...credentials: readonly Credential[]): boolean =>
  decided([{ credentials: conditions, access: true }], ...credentials) ?? false;

describe("credentials that let a user in", () => {
  it("P-3.6.2-3: a JID, or its domain, with or without resource", () => {
    const jid = (value: string): Credential => ({ type: "jid", value: tryParseJid(value)?.full ?? "" });
    const rules: readonly Rule[] = [
      { jid: "Anna@example.org", access: true },
      { jid: "example.com", access: true },
    ];
    expect(decided(rules, jid("anna@example.org/phone"))).toBe(true);
    expect(decided(rules, jid("bob@example.com"))).toBe(true);
    expect(decided(rules, jid("bob@example.org"))).toBeUndefined();
    expect(decided(rules, jid("anna@example.org.evil"))).toBeUndefined();
    expect(decided(rules)).toBeUndefined(); // who shows no JID is none of them
  });

  it("P-3.6.2-4: an IPv4 address, or one of a range", () => {
    const conditions = { ip4: ["10.0.0.0/8", "192.168.1.10-192.168.1.20"] };
    expect(lets(conditions, { type: "ip4", value: "10.0.0.1" })).toBe(true);
    expect(lets(conditions, { type: "ip4", value: "192.168.1.15" })).toBe(true);
    expect(lets(conditions, { type: "ip4", value: "192.168.1.21" })).toBe(false);
    expect(lets(conditions, { type: "ip6", value: "2001:db8::1" })).toBe(false);
    expect(lets(conditions)).toBe(false);
  });

  it("P-3.6.2-4: an IPv6 address, or one of a range; an IPv4 address in IPv6 form counts as IPv4", () => {
    const conditions = { ip6: "2001:db8::/32" };
    expect(lets(conditions, { type: "ip6", value: "2001:db8::1" })).toBe(true);
    expect(lets(conditions, { type: "ip6", value: "2001:db9::1" })).toBe(false);
    expect(lets({ ip4: "10.0.0.0/8" }, { type: "ip6", value: "::ffff:10.0.0.1" })).toBe(true);
    const rules: readonly Rule[] = [{ credentials: { ip4: "10.0.0.0/8" }, access: false }, { access: true }];
    expect(decided(rules, { type: "ip6", value: "::ffff:a00:1" })).toBe(false);
    expect(decided(rules, { type: "ip4", value: "11.0.0.1" })).toBe(true);
  });

  it("P-3.6.2-5: a host name, in any case", () => {
    expect(lets({ hostName: "Desk.Example.Org" }, { type: "hostName", value: "desk.example.org." })).toBe(true);
    expect(lets({ hostName: "example.org" }, { type: "hostName", value: "desk.example.org" })).toBe(false);
  });

  it("P-3.6.2-6, P-3.6.2-7: a certificate or a thumbprint, byte by byte", () => {
    const value = new Uint8Array([1, 2, 3]);
    expect(lets({ x509Certificate: " AQ\nID " }, { type: "x509Certificate", value })).toBe(true);
    expect(lets({ x509Certificate: "AQIE" }, { type: "x509Certificate", value })).toBe(false);
    expect(lets({ x509CertificateThumbprint: "AQID" }, { type: "x509CertificateThumbprint", value })).toBe(true);
    expect(lets({ x509CertificateThumbprint: "AQID" }, { type: "x509Certificate", value })).toBe(false);
  });

  it("P-3.6.2-8: a user name, letter by letter", () => {
    expect(lets({ userName: ["Kermit", "Piggy"] }, { type: "userName", value: "Kermit" })).toBe(true);
    expect(lets({ userName: "Kermit" }, { type: "userName", value: "kermit" })).toBe(false);
    expect(lets({ userName: "__proto__" }, { type: "userName", value: "__proto__" })).toBe(true);
  });

  it("P-3.6.2-9: a place, number by number", () => {
    const place = { longitude: 123.45, latitude: [67.89, -0], altitude: 12 };
    const here: readonly Credential[] = [
      { type: "longitude", value: 123.45 },
      { type: "latitude", value: 0 },
      { type: "altitude", value: 12 },
    ];
    expect(lets(place, ...here)).toBe(true);
    expect(lets(place, ...here.slice(1))).toBe(false);
    expect(lets(place, { type: "longitude", value: 123.46 }, ...here.slice(1))).toBe(false);
  });

  it("P-3.6.2-10, P-3.6.2-11: a single-sign-on token and a protocol, as they are", () => {
    expect(lets({ sso: "abc" }, { type: "sso", value: "abc" })).toBe(true);
    expect(lets({ sso: "abc" }, { type: "sso", value: "ABC" })).toBe(false);
    expect(lets({ protocol: ["HTTPS", "XMPP"] }, { type: "protocol", value: "HTTPS" })).toBe(true);
    expect(lets({ protocol: "HTTPS" }, { type: "protocol", value: "HTTP" })).toBe(false);
  });

  it("must all be there that a rule names", () => {
    const both = { ip4: "10.0.0.0/8", userName: "Kermit" };
    const [address, name] = [
      { type: "ip4", value: "10.0.0.1" },
      { type: "userName", value: "Kermit" },
    ] as const;
    expect(lets(both, address, name)).toBe(true);
    expect(lets(both, address)).toBe(false);
    expect(lets(both, name)).toBe(false);
  });
});

describe("several credentials of a kind", () => {
  const [inside, outside] = [
    { type: "ip4", value: "10.0.0.1" },
    { type: "ip4", value: "11.0.0.1" },
  ] as const;

  it("must all fit to be let in", () => {
    expect(lets({ ip4: "10.0.0.0/8" }, inside, outside)).toBe(false);
    expect(lets({ ip4: ["10.0.0.0/8", "11.0.0.1"] }, inside, outside)).toBe(true);
  });

  it("are refused when one fits", () => {
    expect(decided([{ credentials: { ip4: "10.0.0.0/8" }, access: false }], inside, outside)).toBe(false);
    expect(decided([{ credentials: { ip4: "10.0.0.0/8" }, access: false }], outside)).toBeUndefined();
  });
});

describe("conditions that are none", () => {
  it.each([
    [{ ip4: "10.0.0" }, "10.0.0"],
    [{ ip4: "::1" }, "::1"],
    [{ ip6: "::ffff:10.0.0.1" }, "say ip4"],
    [{ ip4: [] }, "empty list"],
    [{ userName: "" }, "must be a text"],
    [{ userName: undefined }, "must be a text"],
    [{ longitude: "1" }, "finite number"],
    [{ longitude: NaN }, "finite number"],
    [{ protocol: "FTP" }, "there is no"],
    [{ x509Certificate: "?" }, "base-64"],
    [{ password: "x" }, "password"],
    [{ jid: "anna@example.org" }, "jid"],
  ])("are refused: %j", (credentials, words) => {
    expect(() => normaliseRules([{ credentials, access: true } as unknown as Rule])).toThrow(ConfigError);
    expect(() => normaliseRules([{ credentials, access: true } as unknown as Rule])).toThrow(words);
  });
});
