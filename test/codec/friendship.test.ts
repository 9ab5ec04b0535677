import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildFriend, buildUnfriend, parseFriend, parseUnfriend } from "../../src/codec/friendship.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { parseXml } from "../../src/codec/xml.ts";
import * as some from "./arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips } from "./laws.ts";

describe.each([
  ["friend", "XEP-0324 3.2.4", buildFriend, parseFriend],
  ["unfriend", "XEP-0324 3.2.3", buildUnfriend, parseUnfriend],
] as const)("%s (%s)", (name, _, build, parse) => {
  it("is read as it was written", () => {
    roundTrips(fc.record({ jid: some.bareJid }), build, parse);
  });

  it("is read whole or not at all", () => {
    isTotal(anyElement(name, ns.provisioning), parse, build);
  });

  it("P-E17: is about a person, whatever the resource", () => {
    const element = parseXml(`<${name} xmlns='${ns.provisioning}' jid='Client2@example.org/x'/>`);
    expect(parse(element)).toEqual({ jid: "client2@example.org" });
  });

  it("without an address it says nothing", () => {
    refuses(parse, `<${name} xmlns='${ns.provisioning}'/>`, `${name}/@jid`);
    refuses(parse, `<${name} xmlns='urn:xmpp:sn:provisioning' jid='a@b.c'/>`, name);
    expect(() => parse(undefined)).toThrow(name);
  });
});
