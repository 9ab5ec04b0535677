import { expect, test } from "vitest";
import type { XmlElement } from "../../../src/codec/xml.ts";
import { MOST_CONTACTS, MOST_GROUPS } from "../../../src/sandbox/server/limits.ts";
import { RecordingService, World, conditionOf, type Client } from "./world.ts";

const item = (content: string): string => `<query xmlns='jabber:iq:roster'>${content}</query>`;
const items = (answer: XmlElement): string[] =>
  answer.getChild("query", "jabber:iq:roster")!.getChildElements().map(String);
const roster = (client: Client): string[] => items(client.ask("get", "<query xmlns='jabber:iq:roster'/>"));

test("a roster begins empty, holds what is set and shows it to every client of the account (RFC 6121 2.2, 2.3)", () => {
  const world = new World();
  const [one, two] = [world.online("alice", "one"), world.online("alice", "two")];
  const bystander = world.bind("alice", "three"); // has never asked for the roster
  expect(roster(one)).toEqual([]);
  one.take();
  two.take();
  one.send(
    `<iq type='set' id='s'>${item("<item jid='BOB@localhost' name='Bob &amp; sons'><group>Work</group><group>Club</group></item>")}</iq>`,
  );
  const entry = `<item jid="bob@localhost" name="Bob &amp; sons" subscription="none"><group>Work</group><group>Club</group></item>`;
  for (const client of [one, two]) {
    const [push, ...rest] = client.take();
    expect(push!.attrs).toMatchObject({ type: "set", to: client.jid });
    expect(push!.attrs["from"]).toBeUndefined();
    expect(push!.attrs["id"]).not.toBe("s");
    expect(items(push!)).toEqual([entry]);
    expect(rest.map(conditionOf)).toEqual(client === one ? ["result"] : []);
  }
  expect(bystander.take()).toEqual([]);
  expect(roster(two)).toEqual([entry]);
  // changed: the name goes, the groups too
  expect(conditionOf(one.ask("set", item("<item jid='bob@localhost' subscription='both' ask='subscribe'/>")))).toBe(
    "result",
  );
  expect(roster(two)).toEqual([`<item jid="bob@localhost" subscription="none"/>`]);
  // a client's answer to a push is nobody's business
  two.send("<iq type='result' id='x'/>");
  expect(two.take()).toEqual([]);
});

test("an item that is removed leaves all clients, and ends the subscriptions both ways (RFC 6121 2.5)", () => {
  const world = new World();
  const [alice, bob] = [world.online("alice"), world.online("bob")];
  world.befriend(alice, bob);
  expect(roster(alice)).toEqual([`<item jid="bob@localhost" subscription="both"/>`]);
  alice.send(`<iq type='set' id='s'>${item("<item jid='bob@localhost' subscription='remove'/>")}</iq>`);
  expect(alice.took()).toEqual([
    "iq set - bob@localhost remove",
    "presence unavailable bob@localhost/r",
    "iq result -",
  ]);
  expect(bob.took()).toEqual([
    "presence unavailable alice@localhost/r",
    "presence unsubscribe alice@localhost",
    "iq set - alice@localhost to",
    "presence unsubscribed alice@localhost",
    "iq set - alice@localhost none",
  ]);
  expect(roster(alice)).toEqual([]);
  expect(roster(bob)).toEqual([`<item jid="alice@localhost" subscription="none"/>`]);
  alice.send("<presence/>");
  expect(bob.take()).toEqual([]);
});

test("removing one who waits for an answer refuses the request, removing one who was asked takes it back", () => {
  const world = new World();
  const alice = world.online("alice");
  const service = new RecordingService();
  world.domain.attach(service);
  const remove = item("<item jid='service.localhost' subscription='remove'/>");
  service.send("<presence type='subscribe' from='service.localhost' to='alice@localhost'/>");
  service.took();
  // only a request so far: not in the roster, so not to be removed
  expect(conditionOf(alice.ask("set", remove))).toBe("cancel/item-not-found");
  alice.send("<presence type='subscribe' to='service.localhost'/>");
  service.took();
  expect(conditionOf(alice.ask("set", remove))).toBe("result");
  expect(service.took()).toEqual(["presence unsubscribe alice@localhost", "presence unsubscribed alice@localhost"]);
});

test.each([
  ["no item", "", "modify/bad-request"],
  ["two items", "<item jid='bob@localhost'/><item jid='carol@localhost'/>", "modify/bad-request"],
  ["another element", "<what jid='bob@localhost'/>", "modify/bad-request"],
  ["no JID", "<item name='Bob'/>", "modify/bad-request"],
  ["a broken JID", "<item jid='@'/>", "modify/bad-request"],
  ["a full JID", "<item jid='bob@localhost/r'/>", "modify/bad-request"],
  ["oneself", "<item jid='alice@localhost'/>", "cancel/not-allowed"],
  ["the same group twice", "<item jid='bob@localhost'><group>A</group><group>A</group></item>", "modify/bad-request"],
  ["a group without a name", "<item jid='bob@localhost'><group/></item>", "modify/not-acceptable"],
  ["too long a group", `<item jid='bob@localhost'><group>${"x".repeat(1_024)}</group></item>`, "modify/not-acceptable"],
  ["too long a name", `<item jid='bob@localhost' name='${"é".repeat(512)}'/>`, "modify/not-acceptable"],
  [
    "too many groups",
    `<item jid='bob@localhost'>${Array.from({ length: MOST_GROUPS + 1 }, (_, n) => `<group>${n}</group>`).join("")}</item>`,
    "modify/not-acceptable",
  ],
  ["the removal of a stranger", "<item jid='bob@localhost' subscription='remove'/>", "cancel/item-not-found"],
])("a roster set with %s is refused and changes nothing (RFC 6121 2.3.3)", (_, content, condition) => {
  const world = new World();
  const alice = world.online("alice");
  expect(conditionOf(alice.ask("set", item(content)))).toBe(condition);
  expect(roster(alice)).toEqual([]);
});

test("nobody touches another's roster, and neither does a service", () => {
  const world = new World();
  const [alice, bob] = [world.online("alice"), world.online("bob")];
  world.befriend(alice, bob);
  expect(conditionOf(bob.ask("set", item("<item jid='carol@localhost'/>"), "alice@localhost"))).toBe("auth/forbidden");
  expect(conditionOf(bob.ask("get", "<query xmlns='jabber:iq:roster'/>", "alice@localhost"))).toBe("auth/forbidden");
  expect(conditionOf(bob.ask("get", "<query xmlns='jabber:iq:roster'/>", "localhost"))).toBe(
    "cancel/service-unavailable",
  );
  const service = new RecordingService();
  world.domain.attach(service);
  service.send(
    "<iq type='get' id='1' from='service.localhost' to='alice@localhost'><query xmlns='jabber:iq:roster'/></iq>",
  );
  expect(service.took()).toEqual(["iq error alice@localhost auth/forbidden"]);
  expect(roster(alice)).toEqual([`<item jid="bob@localhost" subscription="both"/>`]);
});

test("the own bare JID may be spelled out as the address", () => {
  const alice = new World().online("alice");
  const answer = alice.ask("get", "<query xmlns='jabber:iq:roster'/>", "alice@localhost");
  expect([answer.attrs["type"], answer.attrs["from"]]).toEqual(["result", "alice@localhost"]);
});

test("a roster holds so many contacts; one more is refused, as an item and as a request either way", () => {
  const world = new World();
  const alice = world.online("alice");
  const full = world.bind("alice", "full"); // no pushes, so quicker
  for (let count = 0; count < MOST_CONTACTS; count++) {
    full.send(`<iq type='set' id='${count}'>${item(`<item jid='n${count}@localhost'/>`)}</iq>`);
  }
  alice.take();
  full.take();
  expect(conditionOf(alice.ask("set", item("<item jid='bob@localhost'/>")))).toBe("wait/resource-constraint");
  alice.send("<presence type='subscribe' to='bob@localhost'/>");
  expect(alice.took()).toEqual(["presence error bob@localhost wait/resource-constraint"]);
  const bob = world.online("bob");
  bob.send("<presence type='subscribe' to='alice@localhost'/>");
  expect(bob.took()).toEqual([
    "iq set - alice@localhost none ask=subscribe",
    "presence unavailable alice@localhost",
    "presence error alice@localhost wait/resource-constraint",
  ]);
  expect(alice.take()).toEqual([]);
});
