// The reference services as accounts, stanza by stanza: XEP-0324 3.1.1 and 5.1, XEP-0347 5.1.
import { beforeEach, describe, expect, it } from "vitest";
import type { RosterItem } from "../../src/codec/roster.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { bareJid } from "../../src/core/jid.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

const SERVER = "provisioning@example.org";
const THING = "thing@example.org";
const parts = { random: new SeededRandom("friends") };

let clock: SimulatedClock;
let server: ReferenceProvisioningServer;
let output: string[];

/** A stanza in a few words: what, to whom. */
const brief = (stanza: XmlElement): string =>
  [stanza.attrs["type"] ?? "available", stanza.attrs["to"], ...stanza.getChildElements().map(({ name }) => name)].join(
    " ",
  );
const item = (subscription: RosterItem["subscription"], pendingOut = false, jid = THING): RosterItem => ({
  ...{ jid: bareJid(jid), subscription, pendingOut },
  ...{ name: "", groups: [] },
});
const online = (...roster: readonly RosterItem[]): void => server.onAccount({ jid: `${SERVER}/s`, roster });
const send = (xml: string, to: { receive: ReferenceProvisioningServer["receive"] } = server): string[] =>
  to.receive(parseXml(xml)).map(brief);
const presence = (type = "", from = THING, to = SERVER): string[] =>
  send(`<presence xmlns='jabber:client' from='${from}' to='${to}'${type && ` type='${type}'`}/>`);
const isFriend = (resource = "t"): string[] =>
  send(
    `<iq xmlns='jabber:client' type='get' id='1' from='${THING}/${resource}' to='${SERVER}/s'>
       <isFriend xmlns='urn:xmpp:iot:provisioning' jid='anna@example.org'/></iq>`,
  );
const changeRules = (): string[] => {
  output.length = 0;
  server.setRules([]);
  return output.splice(0);
};

beforeEach(() => {
  clock = new SimulatedClock();
  output = [];
  server = new ReferenceProvisioningServer({ jid: SERVER, clock, ...parts });
  server.onOutput((stanzas) => output.push(...stanzas.map(brief)));
  online();
});

describe("a Provisioning Server that is an account", () => {
  it("is a bot with the feature (XEP-0324 4), at its full JID", () => {
    const [answer] = server.receive(
      parseXml(
        `<iq xmlns='jabber:client' type='get' id='1' from='${THING}/t' to='${SERVER}/s'>
           <query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
      ),
    );
    expect(answer?.attrs).toMatchObject({ from: `${SERVER}/s`, to: `${THING}/t`, type: "result" });
    const query = answer?.getChild("query");
    expect(query?.getChild("identity")?.attrs).toMatchObject({ category: "client", type: "bot" });
    expect(query?.getChildren("feature").map(({ attrs }) => attrs["var"])).toContain("urn:xmpp:iot:provisioning");
  });

  it("accepts whoever asks for friendship and asks back (P-3.1.1-13)", () => {
    expect(presence("subscribe")).toEqual([`subscribed ${THING}`, `subscribe ${THING}`]);
    expect(server.friends).toEqual([]);
    expect(presence("subscribed")).toEqual([]);
    expect(server.friends).toEqual([THING]);
    expect(presence("subscribe")).toEqual([`subscribed ${THING}`]); // a friend is not asked back
  });

  it("does not ask back twice, nor takes for a friend whom it has not asked", () => {
    presence("subscribe");
    expect(presence("subscribe")).toEqual([`subscribed ${THING}`]);
    presence("subscribed", "mallory@example.org");
    expect(server.friends).toEqual([]);
  });

  it("does not mind its own presence, probes and what is addressed to others", () => {
    expect(presence("", `${SERVER}/s`)).toEqual([]);
    expect(presence("probe")).toEqual([]);
    expect(presence("subscribe", THING, "somebody@example.org")).toEqual([]);
  });

  it("refuses an address with a resource", () => {
    expect(() => new ReferenceProvisioningServer({ jid: `${SERVER}/s` })).toThrow("has a resource");
    expect(() => new ReferenceRegistry({ jid: "discovery@example.org/s" })).toThrow("has a resource");
  });
});

describe("told to ask a Thing for friendship (P-3.1.1-4)", () => {
  it("it does so once and tells that it was accepted", async () => {
    const asked = server.askFriendship("Thing@Example.org/any");
    expect(output).toEqual([`subscribe ${THING}`]);
    presence("subscribed");
    await expect(asked).resolves.toBe("accepted");
    await expect(server.askFriendship(THING)).resolves.toBe("accepted");
    expect(output).toHaveLength(1); // a friend is not asked
  });

  it("or refused; then it asks again only when told again", async () => {
    const asked = server.askFriendship(THING);
    presence("unsubscribed");
    await expect(asked).resolves.toBe("refused");
    await clock.advance(3_600_000);
    expect(output).toHaveLength(1);
    const again = server.askFriendship(THING);
    expect(output).toHaveLength(2);
    presence("subscribed");
    await expect(again).resolves.toBe("accepted");
  });

  it("or pending, after a minute or the time given; the answer may come later", async () => {
    const asked = server.askFriendship(THING);
    const shortly = server.askFriendship(THING, { timeout: 1_000 });
    await clock.advance(1_000);
    await expect(shortly).resolves.toBe("pending");
    await clock.advance(59_000);
    await expect(asked).resolves.toBe("pending");
    presence("subscribed");
    expect(server.friends).toEqual([THING]);
  });

  it("until its operator gives up", async () => {
    const stop = new AbortController();
    const asked = server.askFriendship(THING, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(asked).rejects.toThrow("enough");
    const early = server.askFriendship(THING, { signal: stop.signal });
    await expect(early).rejects.toThrow("enough");
  });

  it("while the Thing asks it: both see each other", async () => {
    const asked = server.askFriendship(THING);
    expect(presence("subscribe")).toEqual([`subscribed ${THING}`]);
    presence("unsubscribe"); // the Thing's own affair
    presence("subscribed");
    await expect(asked).resolves.toBe("accepted");
  });

  it("a request that cannot be delivered rejects", async () => {
    const asked = server.askFriendship(THING);
    send(
      `<presence xmlns='jabber:client' from='${THING}' to='${SERVER}/s' type='error'>
         <error type='cancel'><remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>`,
    );
    await expect(asked).rejects.toMatchObject({ code: "ERR_STANZA", condition: "remote-server-not-found" });
    presence("error"); // nobody is asked any more
  });

  it.each([
    ["accepted", [item("to")], [THING]],
    ["refused", [item("none")], []],
  ] as const)("an answer that came while its link was down is not lost: %s", async (outcome, roster, friends) => {
    const asked = server.askFriendship(THING);
    server.onAccount();
    online(...roster);
    await expect(asked).resolves.toBe(outcome);
    expect(server.friends).toEqual(friends);
  });

  it("what is still open after a lost link goes on being waited for; what never went out rejects", async () => {
    const open = server.askFriendship(THING);
    const lost = server.askFriendship("other@example.org");
    server.onAccount();
    online(item("none", true));
    await expect(lost).rejects.toMatchObject({ code: "ERR_CONNECTION" });
    presence("subscribed");
    await expect(open).resolves.toBe("accepted");
  });

  it("while it is offline it says so", async () => {
    server.onAccount();
    await expect(server.askFriendship(THING)).rejects.toMatchObject({ code: "ERR_CONNECTION" });
  });

  it("a component says that it befriends nobody, and what to do (XEP-0324 5.1, X-E3)", async () => {
    const component = new ReferenceProvisioningServer({ jid: "provisioning.example.org" });
    await expect(component.askFriendship(THING)).rejects.toMatchObject({
      code: "ERR_STATE",
      message: expect.stringContaining("attachAccount") as string,
    });
    expect(component.friends).toEqual([]);
    component.onAccount();
  });

  it.each(["example.org", "a@b@c"])("%s is nobody to ask", async (jid) => {
    await expect(server.askFriendship(jid)).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });
});

describe("clearCache of a server that is an account (P-E8)", () => {
  it("goes to the full JIDs known from presence, not to where a question came from", () => {
    isFriend();
    expect(changeRules()).toEqual([]);
    expect(isFriend()).toEqual([`result ${THING}/t isFriendResponse`]);
    expect(server.unacknowledged).toEqual([THING]);
    expect(presence("", `${THING}/t`)).toEqual([`set ${THING}/t clearCache`]);
    expect(isFriend()).toEqual([`result ${THING}/t isFriendResponse`]);
    expect(changeRules()).toEqual([`set ${THING}/t clearCache`]);
  });

  it("goes to a Thing that comes online later (P-3.5.1-2), and again until it is acknowledged", async () => {
    isFriend();
    changeRules();
    expect(presence("", `${THING}/new`)).toEqual([`set ${THING}/new clearCache`]);
    await clock.advance(10_000);
    expect(output).toEqual([`set ${THING}/new clearCache`]);
    server.stop();
  });

  it("goes nowhere once the Thing has ended the friendship, until it is a friend again", () => {
    presence("subscribe");
    presence("subscribed");
    presence("", `${THING}/t`);
    isFriend();
    expect(presence("unsubscribed")).toEqual([]);
    expect(server.friends).toEqual([]);
    expect(changeRules()).toEqual([]);
    expect(presence("subscribe")).toEqual([`subscribed ${THING}`, `subscribe ${THING}`]);
    presence("subscribed");
    expect(presence("", `${THING}/t`)).toEqual([`set ${THING}/t clearCache`]);
    server.stop();
  });

  it("knows nobody's address on a new stream before presence has come", async () => {
    presence("", `${THING}/t`);
    presence("", "visitor@example.org/v");
    isFriend();
    changeRules();
    server.onAccount();
    output.length = 0;
    await clock.advance(60_000);
    expect(output).toEqual([]); // nobody is there to repeat it to
    online(item("both"));
    expect(presence("", `${THING}/t2`)).toEqual([`set ${THING}/t2 clearCache`]);
    server.stop();
  });

  it("from a component an end of friendship means nothing", () => {
    const component = new ReferenceProvisioningServer({ jid: "provisioning.example.org", ...parts, clock });
    const sent: string[] = [];
    component.onOutput((stanzas) => sent.push(...stanzas.map(brief)));
    const ask = `<iq xmlns='jabber:client' type='get' id='1' from='${THING}/t' to='provisioning.example.org'>
      <isFriend xmlns='urn:xmpp:iot:provisioning' jid='anna@example.org'/></iq>`;
    send(ask, component);
    for (const type of ["unsubscribed", "subscribe"]) {
      expect(
        send(
          `<presence xmlns='jabber:client' from='${THING}' to='provisioning.example.org' type='${type}'/>`,
          component,
        ),
      ).toEqual([]);
    }
    component.setRules([]);
    expect(sent).toEqual([`set ${THING}/t clearCache`]);
    component.stop();
  });
});

describe("a Registry that is an account", () => {
  const REGISTRY = "discovery@example.org";
  let registry: ReferenceRegistry;
  const at = (resource: string): string => `${THING}/${resource}`;
  const registryPresence = (from: string, type = ""): string[] =>
    send(`<presence xmlns='jabber:client' from='${from}' to='${REGISTRY}'${type && ` type='${type}'`}/>`, registry);
  const ask = (from: string, content: string): string[] =>
    send(`<iq xmlns='jabber:client' type='set' id='1' from='${from}' to='${REGISTRY}/r'>${content}</iq>`, registry);
  const register = (from: string): string[] =>
    ask(from, "<register xmlns='urn:xmpp:iot:discovery'><str name='SN' value='1'/></register>");
  const mine = (): string[] =>
    ask("anna@example.org/a", "<mine xmlns='urn:xmpp:iot:discovery'><str name='SN' value='1'/></mine>");

  beforeEach(() => {
    registry = new ReferenceRegistry({ jid: REGISTRY, clock, ...parts });
    registry.onAccount({ jid: `${REGISTRY}/r`, roster: [] });
  });

  it("accepts friendship, asks back, and lets the Thing end it (D-E14)", () => {
    expect(registryPresence(THING, "subscribe")).toEqual([`subscribed ${THING}`, `subscribe ${THING}`]);
    registryPresence(THING, "subscribed");
    expect(registry.friends).toEqual([THING]);
    expect(registryPresence(THING, "unsubscribed")).toEqual([]);
    expect(registryPresence(THING, "unsubscribe")).toEqual([]);
    expect(registry.friends).toEqual([]);
  });

  it("tells a Thing where its last request came from, whatever else of the account is online (D-E16)", () => {
    register(at("t"));
    registryPresence(at("t"));
    registryPresence(at("phone"));
    expect(mine()).toEqual(["result anna@example.org/a claimed", `set ${at("t")} claimed`]);
  });

  it("tells it elsewhere when that connection is gone, and when a new stream shows only another", () => {
    register(at("t"));
    registryPresence(at("t"));
    registryPresence(at("t2"));
    registryPresence(at("t"), "unavailable");
    expect(mine()[1]).toBe(`set ${at("t2")} claimed`);
    registry.onAccount();
    registry.onAccount({ jid: `${REGISTRY}/r`, roster: [item("both")] });
    expect(registryPresence(at("t3"))).toEqual([`set ${at("t3")} claimed`]);
  });

  it("tells it where it asked also when it sees no presence, until it hears that nobody is there", () => {
    register(at("t"));
    registry.onAccount();
    expect(mine()[1]).toBe(`set ${at("t")} claimed`);
    register(at("t"));
    registryPresence(THING, "unavailable");
    expect(registryPresence(at("t2"))).toEqual([`set ${at("t2")} claimed`]);
  });
});
