import { describe, expect, it } from "vitest";
import { ConnectionError } from "../../src/core/errors.ts";
import { systemClock } from "../../src/core/clock.ts";
import { bareJid, parseJid } from "../../src/core/jid.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import { Friends } from "../../src/connection/friends.ts";
import { rejection } from "./harness.ts";

const ANNA = bareJid("anna@example.org");
const BOB = bareJid("bob@example.org");

/** A channel whose server is the test: what was written, and what is received. */
function setUp() {
  const written: XmlElement[] = [];
  const channel = new StanzaChannel({ clock: systemClock, random: systemRandom, logger: silentLogger });
  const friends = new Friends(channel);
  channel.attach({
    jid: parseJid("thing@example.org/r"),
    write: (stanzas) => {
      written.push(...stanzas);
      return Promise.resolve();
    },
  });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const receive = async (...stanzas: string[]): Promise<void> => {
    for (const stanza of stanzas) channel.receive(parseXml(stanza));
    await settled();
  };
  const rosterResult = (items: string): string => {
    const id = written.filter((stanza) => stanza.is("iq") && stanza.attrs["type"] === "get").at(-1)?.attrs["id"] ?? "";
    return `<iq type='result' id='${id}'><query xmlns='jabber:iq:roster'>${items}</query></iq>`;
  };
  const load = async (items: string): Promise<void> => {
    const loading = friends.load();
    await settled();
    await receive(rosterResult(items));
    await loading;
  };
  return { written, channel, friends, receive, rosterResult, load, settled };
}

const push = (item: string, from = "", type = "set"): string =>
  `<iq type='${type}' id='p1' ${from}><query xmlns='jabber:iq:roster'>${item}</query></iq>`;

describe("the roster", () => {
  it("says how one stands with each contact", async () => {
    const { friends, load, written } = setUp();
    await load(
      `<item jid='anna@example.org' subscription='both'/><item jid='bob@example.org' subscription='from'/>
       <item jid='to@example.org' subscription='to'/><item jid='asked@example.org' ask='subscribe'/>`,
    );
    expect(written[0]?.toString()).toMatch(
      /^<iq xmlns="jabber:client" type="get" id="[^"]+"><query xmlns="jabber:iq:roster"\/><\/iq>$/,
    );
    expect(friends.has(ANNA)).toEqual({ from: true, to: true, pendingOut: false });
    expect(friends.has(BOB)).toEqual({ from: true, to: false, pendingOut: false });
    expect(friends.has(bareJid("to@example.org"))).toEqual({ from: false, to: true, pendingOut: false });
    expect(friends.has(bareJid("asked@example.org"))).toEqual({ from: false, to: false, pendingOut: true });
    expect(friends.has(bareJid("nobody@example.org"))).toBeUndefined();
    expect(friends.list()).toHaveLength(4);
  });

  it("is replaced by the next one", async () => {
    const { friends, load } = setUp();
    await load("<item jid='anna@example.org' subscription='both'/>");
    await load("<item jid='bob@example.org' subscription='both'/>");
    expect(friends.list()).toEqual([BOB]);
  });

  it("got again on the same stream leaves who is there: nobody says so a second time", async () => {
    const { friends, receive, rosterResult, settled, load } = setUp();
    const item = "<item jid='anna@example.org' subscription='both'/>";
    await load(item);
    await receive("<presence from='anna@example.org/phone'/>");
    const loading = friends.load({ again: true });
    await settled();
    await receive(rosterResult(item));
    await loading;
    expect(friends.presenceOf(ANNA)).toEqual(["anna@example.org/phone"]);
    await load(item); // on another stream
    expect(friends.presenceOf(ANNA)).toEqual([]);
  });

  it("may be empty", async () => {
    const { friends, receive, settled, written } = setUp();
    const loading = friends.load();
    await settled();
    await receive(`<iq type='result' id='${written[0]?.attrs["id"]}'/>`);
    await loading;
    expect(friends.list()).toEqual([]);
  });

  it("stays what it was when the new one cannot be had", async () => {
    const { friends, load, channel } = setUp();
    await load("<item jid='anna@example.org' subscription='both'/>");
    const loading = rejection(friends.load());
    channel.detach(new ConnectionError("lost"));
    expect((await loading).message).toBe("lost");
    expect(friends.list()).toEqual([ANNA]);
  });

  it.each(["", "from='thing@example.org'"])("follows pushes of the own account and answers them (%s)", async (from) => {
    const { friends, receive, written, load } = setUp();
    await load("<item jid='anna@example.org' subscription='both'/>");
    const changed: string[] = [];
    const forget = friends.onChange((jid) => changed.push(jid));
    await receive(push("<item jid='bob@example.org' subscription='from'/>", from));
    expect(friends.has(BOB)?.from).toBe(true);
    expect(written.at(-1)?.attrs).toMatchObject({ type: "result", id: "p1" });
    await receive(push("<item jid='anna@example.org' subscription='remove'/>", from));
    expect(friends.has(ANNA)).toBeUndefined();
    expect(changed).toEqual([BOB, ANNA]);
    forget();
    await receive(push("<item jid='bob@example.org' subscription='to'/>", from));
    expect(changed).toHaveLength(2);
  });

  it.each(["mallory@example.org", "mallory@example.org/r", "thing@example.org/other", "example.org", "evil.org"])(
    "takes no push from %s (RFC 6121 2.1.6)",
    async (from) => {
      const { friends, receive, written } = setUp();
      await receive(push("<item jid='mallory@example.org' subscription='both'/>", `from='${from}'`));
      expect(friends.list()).toEqual([]);
      expect(written.at(-1)?.toString()).toContain("<forbidden ");
    },
  );

  it("answers what is no push with bad-request", async () => {
    const { receive, written } = setUp();
    await receive(push("<item jid='bob@example.org' subscription='both'/>", "", "get"));
    expect(written.at(-1)?.toString()).toContain("<bad-request ");
    await receive(push(""));
    expect(written.at(-1)?.toString()).toContain("<bad-request ");
  });

  it("does not lose a push that comes right behind the roster, in the same chunk", async () => {
    const { friends, receive, rosterResult, settled } = setUp();
    const loading = friends.load();
    await settled();
    await receive(
      rosterResult("<item jid='anna@example.org' subscription='both'/>"),
      push("<item jid='anna@example.org' subscription='remove'/>"),
      push("<item jid='bob@example.org' subscription='both'/>"),
    );
    await loading;
    expect(friends.list()).toEqual([BOB]);
  });
});

describe("what is said about friendship", () => {
  it.each([
    ["accept", "subscribed"],
    ["refuse", "unsubscribed"],
    ["ask", "subscribe"],
  ] as const)("%s is presence of type %s", async (method, type) => {
    const { friends, written } = setUp();
    await friends[method](ANNA);
    expect(written.map(String)).toEqual([`<presence xmlns="jabber:client" type="${type}" to="anna@example.org"/>`]);
  });

  it("remove ends both directions in the roster", async () => {
    const { friends, written, receive, load, settled } = setUp();
    await load("<item jid='anna@example.org' subscription='both'/>");
    const removing = friends.remove(ANNA);
    await settled();
    expect(written.at(-1)?.toString()).toContain(
      '<query xmlns="jabber:iq:roster"><item jid="anna@example.org" subscription="remove"/></query>',
    );
    await receive(`<iq type='result' id='${written.at(-1)?.attrs["id"]}'/>`);
    await removing;
    expect(friends.has(ANNA)).toBeUndefined();
  });

  it.each([
    ["item-not-found", true],
    ["not-allowed", false],
  ])("remove answered by %s: done already? %s", async (condition, done) => {
    const { friends, written, receive, settled } = setUp();
    const removing = friends.remove(ANNA).then(
      () => true,
      () => false,
    );
    await settled();
    await receive(
      `<iq type='error' id='${written.at(-1)?.attrs["id"]}'><error type='cancel'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
    );
    expect(await removing).toBe(done);
  });

  it("a request is told, and answered by nobody", async () => {
    const { friends, receive, written } = setUp();
    const asked: string[] = [];
    const forget = friends.onRequest((jid) => asked.push(jid));
    await receive(
      "<presence type='subscribe' from='Anna@example.org'/>",
      "<presence type='subscribe' from='component.org'/>",
    );
    expect(asked).toEqual(["anna@example.org", "component.org"]);
    expect(written).toEqual([]);
    forget();
    await receive("<presence type='subscribe' from='anna@example.org'/>");
    expect(asked).toHaveLength(2);
  });
});

describe("presence", () => {
  const there = (jid: string): string => `<presence from='${jid}'/>`;
  const gone = (jid: string): string => `<presence type='unavailable' from='${jid}'/>`;

  it("says at which full JIDs a friend is there", async () => {
    const { friends, load, receive } = setUp();
    await load("<item jid='anna@example.org' subscription='both'/>");
    const told: [string, boolean][] = [];
    const forget = friends.onPresence(({ jid, available }) => told.push([jid.full, available]));
    await receive(there("anna@example.org/a"), there("anna@example.org/b"), there("anna@example.org/a"));
    expect(friends.presenceOf(ANNA)).toEqual(["anna@example.org/a", "anna@example.org/b"]);
    await receive(gone("anna@example.org/a"), gone("anna@example.org/a"));
    expect(friends.presenceOf(ANNA)).toEqual(["anna@example.org/b"]);
    await receive(gone("anna@example.org/b"), gone("anna@example.org/b"));
    expect(friends.presenceOf(ANNA)).toEqual([]);
    expect(told.map(([jid, available]) => `${jid} ${available}`)).toHaveLength(7);
    forget();
    await receive(there("anna@example.org/a"));
    expect(told).toHaveLength(7);
  });

  it("takes unavailable presence from the bare JID for all of them", async () => {
    const { friends, load, receive } = setUp();
    await load("<item jid='anna@example.org' subscription='to'/>");
    await receive(there("anna@example.org/a"), there("anna@example.org/b"), gone("anna@example.org"));
    expect(friends.presenceOf(ANNA)).toEqual([]);
  });

  it("is believed of friends only", async () => {
    const { friends, load, receive } = setUp();
    await load("<item jid='bob@example.org' subscription='from'/>");
    let told = 0;
    friends.onPresence(() => told++);
    await receive(there("anna@example.org/a"), there("bob@example.org/b"), gone("anna@example.org/a"));
    expect(friends.presenceOf(ANNA)).toEqual([]);
    expect(friends.presenceOf(BOB)).toEqual([]);
    expect(told).toBe(0);
  });

  it("ends with the friendship, with the stream, and with the next one", async () => {
    const { friends, load, receive, channel } = setUp();
    const roster = "<item jid='anna@example.org' subscription='both'/>";
    await load(roster);
    await receive(there("anna@example.org/a"), push("<item jid='anna@example.org' subscription='from'/>"));
    expect(friends.presenceOf(ANNA)).toEqual([]);
    await load(roster);
    await receive(there("anna@example.org/a"));
    expect(friends.presenceOf(ANNA)).toHaveLength(1);
    await load(roster);
    expect(friends.presenceOf(ANNA)).toEqual([]);
    await receive(there("anna@example.org/a"));
    channel.detach(new ConnectionError("lost"));
    expect(friends.presenceOf(ANNA)).toEqual([]);
  });

  it("is bounded", async () => {
    const { friends, load, receive } = setUp();
    const names = Array.from({ length: 1_001 }, (_, index) => `f${index}@example.org`);
    await load(names.map((name) => `<item jid='${name}' subscription='to'/>`).join(""));
    await receive(...Array.from({ length: 17 }, (_, index) => there(`f0@example.org/${index}`)));
    expect(friends.presenceOf(bareJid("f0@example.org"))).toHaveLength(16);
    await receive(...names.map((name) => there(`${name}/x`)));
    expect(friends.presenceOf(bareJid("f999@example.org"))).toHaveLength(1);
    expect(friends.presenceOf(bareJid("f1000@example.org"))).toHaveLength(0);
  });
});
