import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import {
  buildRoster,
  buildRosterRemoval,
  parseRoster,
  parseRosterPush,
  type RosterItem,
  type Subscription,
} from "../../src/codec/roster.ts";
import { el, parseXml } from "../../src/codec/xml.ts";

const item = (fields: Partial<RosterItem> = {}): RosterItem => ({
  jid: bareJid("anna@example.org"),
  subscription: "none",
  pendingOut: false,
  name: "",
  groups: [],
  ...fields,
});

describe("the roster codec", () => {
  it("reads a roster as a server sends it (RFC 6121 2.1.4)", () => {
    const query = parseXml(
      `<query xmlns='jabber:iq:roster' ver='ver7'>
        <item jid='Nurse@Example.com' subscription='to'/>
        <item jid='romeo@example.net' name='Romeo' subscription='both'><group>Friends</group><group>Poets</group></item>
        <item jid='asked@example.net' ask='subscribe'/>
      </query>`,
    );
    expect(parseRoster(query)).toEqual([
      item({ jid: bareJid("nurse@example.com"), subscription: "to" }),
      item({ jid: bareJid("romeo@example.net"), name: "Romeo", subscription: "both", groups: ["Friends", "Poets"] }),
      item({ jid: bareJid("asked@example.net"), pendingOut: true }),
    ]);
  });

  it("makes the request for the roster as an empty query", () => {
    expect(buildRoster().toString()).toBe('<query xmlns="jabber:iq:roster"/>');
  });

  it("makes the request that removes a contact", () => {
    const query = buildRosterRemoval(bareJid("anna@example.org"));
    expect(query.toString()).toBe(
      '<query xmlns="jabber:iq:roster"><item jid="anna@example.org" subscription="remove"/></query>',
    );
    expect(parseRosterPush(query)).toEqual(item({ subscription: "remove" }));
  });

  it.each([
    ["not a roster", "<query xmlns='jabber:iq:other'/>"],
    ["an item without a JID", "<query xmlns='jabber:iq:roster'><item/></query>"],
    ["an item whose JID is none", "<query xmlns='jabber:iq:roster'><item jid='@x'/></query>"],
    ["an unknown subscription", "<query xmlns='jabber:iq:roster'><item jid='a@b' subscription='half'/></query>"],
  ])("refuses %s", (_what, xml) => {
    expect(() => parseRoster(parseXml(xml))).toThrow(expect.objectContaining({ code: "ERR_PROTOCOL" }));
  });

  it("refuses a push of none or of two", () => {
    for (const items of [[], [item(), item()]]) {
      expect(() => parseRosterPush(buildRoster(items))).toThrow(/exactly one item/);
    }
  });

  it("reads back whatever it makes", () => {
    const items = fc.record<RosterItem>({
      jid: fc.stringMatching(/^[a-z0-9]{1,10}@[a-z0-9]{1,10}$/).map(bareJid),
      subscription: fc.constantFrom<Subscription>("none", "to", "from", "both", "remove"),
      pendingOut: fc.boolean(),
      name: fc.stringMatching(/^[\x20-\x7Eäß€]*$/),
      groups: fc.array(fc.stringMatching(/^[\x20-\x7Eäß€]+$/)),
    });
    fc.assert(
      fc.property(fc.array(items), (roster) => {
        expect(parseRoster(buildRoster(roster))).toEqual(roster);
        expect(parseRoster(parseXml(buildRoster(roster).toString()))).toEqual(roster);
      }),
    );
  });

  it("leaves elements of other namespaces aside", () => {
    const query = el("query", { xmlns: "jabber:iq:roster" }, el("item", { xmlns: "urn:other", jid: "x" }));
    expect(parseRoster(query)).toEqual([]);
  });
});
