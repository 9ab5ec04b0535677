import { expect, test } from "vitest";
import { parseXml, type XmlElement } from "../../../src/codec/xml.ts";
import { RecordingService, World, conditionOf } from "./world.ts";

const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const listing = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const ping = "<ping xmlns='urn:xmpp:ping'/>";
const children = (answer: XmlElement): (readonly [string, object])[] =>
  answer
    .getChildElements()[0]!
    .getChildElements()
    .map(({ name, attrs }) => [name, attrs] as const);

test("the domain says what it is and what it can (XEP-0030)", () => {
  const alice = new World().online("alice");
  const answer = alice.ask("get", info, "localhost");
  expect(children(answer)[0]).toEqual(["identity", { category: "server", type: "im", name: "xmpp-thing sandbox" }]);
  expect(
    children(answer)
      .slice(1)
      .map(([, attrs]) => (attrs as { var: string }).var),
  ).toEqual([
    "http://jabber.org/protocol/disco#info",
    "http://jabber.org/protocol/disco#items",
    "urn:xmpp:ping",
    "jabber:iq:register",
    "jabber:iq:roster",
    "msgoffline",
  ]);
});

test("the domain lists its services while they are attached", () => {
  const world = new World();
  const alice = world.online("alice");
  const [one, two] = [
    new RecordingService("Discovery.localhost", "Registry"),
    new RecordingService("other.localhost", ""),
  ];
  world.domain.attach(one);
  world.domain.attach(two);
  expect(children(alice.ask("get", listing, "localhost"))).toEqual([
    ["item", { jid: "Discovery.localhost", name: "Registry" }],
    ["item", { jid: "other.localhost" }],
  ]);
  world.domain.detach(one);
  world.domain.detach(one);
  expect(children(alice.ask("get", listing, "localhost"))).toHaveLength(1);
  expect(conditionOf(alice.ask("get", ping, "discovery.localhost"))).toBe("cancel/remote-server-not-found");
});

test("nodes that nobody has are not found", () => {
  const alice = new World().online("alice");
  for (const query of [info, listing]) {
    expect(conditionOf(alice.ask("get", query.replace("/>", " node='x'/>"), "localhost"))).toBe(
      "cancel/item-not-found",
    );
    expect(conditionOf(alice.ask("get", query.replace("/>", " node=''/>"), "localhost"))).toBe("result");
    expect(conditionOf(alice.ask("set", query, "localhost"))).toBe("cancel/service-unavailable");
  }
});

test("an account says what it is to its owner and to those who may see it, to nobody else (XEP-0030 8)", () => {
  const world = new World();
  const [alice, bob, carol] = [world.online("alice"), world.online("bob"), world.online("carol")];
  bob.send("<presence type='subscribe' to='alice@localhost'/>");
  alice.send("<presence type='subscribed' to='bob@localhost'/>");
  for (const answer of [
    alice.ask("get", info),
    alice.ask("get", info, "alice@localhost"),
    bob.ask("get", info, "alice@localhost"),
  ]) {
    expect(children(answer)[0]).toEqual(["identity", { category: "account", type: "registered" }]);
  }
  expect(children(bob.ask("get", listing, "alice@localhost"))).toEqual([]);
  expect(conditionOf(bob.ask("get", ping, "alice@localhost"))).toBe("result");
  for (const payload of [info, listing, ping]) {
    // the same for one who is there as for one who is not
    expect(conditionOf(carol.ask("get", payload, "alice@localhost"))).toBe("cancel/service-unavailable");
    expect(conditionOf(carol.ask("get", payload, "nobody@localhost"))).toBe("cancel/service-unavailable");
    expect(conditionOf(alice.ask("get", payload, "bob@localhost"))).toBe("cancel/service-unavailable");
  }
});

test("pings to the server and to the own account come back (XEP-0199), the old session step succeeds (RFC 3921 3)", () => {
  const alice = new World().online("alice");
  for (const to of [undefined, "alice@localhost", "localhost"]) {
    const answer = alice.ask("get", ping, to);
    expect([answer.attrs["type"], answer.attrs["from"], answer.children]).toEqual(["result", to, []]);
    const session = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";
    expect(conditionOf(alice.ask("set", session, to))).toBe("result");
  }
  expect(conditionOf(alice.ask("set", ping))).toBe("cancel/service-unavailable");
});

test("a service gets every kind of stanza for its domain, with the sender stamped", () => {
  const world = new World();
  const alice = world.online("alice");
  const service = new RecordingService();
  world.domain.attach(service);
  alice.send(
    `<iq type='set' id='1' to='service.localhost' from='localhost'>${ping}</iq>`,
    "<iq type='result' id='2' to='service.localhost'/>",
    "<message to='someone@service.localhost/there'/>",
    "<presence to='service.localhost'/>",
    "<presence type='subscribe' to='service.localhost'/>",
    "<presence type='subscribed' to='service.localhost'/>",
    "<presence type='probe' to='service.localhost'/>",
  );
  expect(service.took()).toEqual([
    "iq set alice@localhost/r ping",
    "iq result alice@localhost/r",
    "message normal alice@localhost/r",
    "presence available alice@localhost/r",
    "presence subscribe alice@localhost",
    "presence probe alice@localhost/r",
  ]);
});

test("what a service returns or sends later is routed, in one delivery what belongs together", () => {
  const world = new World();
  const alice = world.online("alice");
  const service = new RecordingService();
  world.domain.attach(service);
  service.answer = ({ attrs }) => [
    parseXml(`<iq type='result' id='${attrs["id"]}' from='service.localhost' to='${attrs["from"]}'/>`),
    parseXml(`<message from='node@service.localhost/x' to='${attrs["from"]}'/>`),
  ];
  alice.batches.length = 0;
  alice.send(`<iq type='get' id='1' to='service.localhost'>${ping}</iq>`);
  expect(alice.batches.map((batch) => batch.length)).toEqual([2]);
  expect(alice.took()).toEqual(["iq result service.localhost", "message normal node@service.localhost/x"]);
  service.answer = () => [];
  service.took();
  service.send("<iq type='set' id='9' from='service.localhost' to='alice@localhost/r'><x xmlns='urn:example'/></iq>");
  expect(alice.took()).toEqual(["iq set service.localhost x"]);
  service.send(`<iq type='get' id='10' from='service.localhost' to='localhost'>${info}</iq>`);
  service.send(
    "<iq type='get' id='11' from='service.localhost' to='alice@localhost/gone'><x xmlns='urn:example'/></iq>",
  );
  service.send("<message from='service.localhost' to='other.localhost'/>");
  expect(service.took()).toEqual([
    "iq result localhost query",
    "iq error alice@localhost/gone cancel/service-unavailable",
    "message error other.localhost cancel/remote-server-not-found",
  ]);
});

test("services reach each other", () => {
  const world = new World();
  const [one, two] = [new RecordingService("one.localhost"), new RecordingService("two.localhost")];
  world.domain.attach(one);
  world.domain.attach(two);
  one.send("<message from='one.localhost' to='two.localhost'/>");
  expect(two.took()).toEqual(["message normal one.localhost"]);
});

test("a service speaks for its own domain only; what it sends otherwise is told of and dropped", () => {
  const world = new World();
  const alice = world.online("alice");
  const service = new RecordingService();
  world.domain.attach(service);
  for (const from of ["localhost", "bob@localhost/r", "service.localhost.example", "xservice.localhost", "@"]) {
    service.send(`<message from='${from}' to='alice@localhost/r'/>`);
  }
  service.send(
    "<message to='alice@localhost/r'/>",
    "<message from='service.localhost'/>",
    "<what from='service.localhost' to='alice@localhost/r'/>",
  );
  service.send(`<message from='service.localhost' to='alice@localhost/r'>${"x".repeat(300_000)}</message>`);
  service.send("<iq type='get' from='service.localhost' to='alice@localhost/r'/>");
  expect(alice.take()).toEqual([]);
  expect(world.logged).toHaveLength(9);
  expect(service.took()).toEqual(["iq error alice@localhost/r modify/bad-request"]);
});

test("a service that fails does not take the server down: its asker gets an error", () => {
  const world = new World();
  const alice = world.online("alice");
  const service = new RecordingService();
  world.domain.attach(service);
  service.answer = () => {
    throw new Error("a secret");
  };
  const answer = alice.ask("get", ping, "service.localhost");
  expect(conditionOf(answer)).toBe("cancel/internal-server-error");
  expect(String(answer)).not.toContain("a secret");
  expect(world.logged).toEqual([`the service service.localhost failed {"why":"a secret"}`]);
});

test("a service that was taken away sends nothing any more", () => {
  const world = new World();
  const alice = world.online("alice");
  const service = new RecordingService();
  world.domain.attach(service);
  world.domain.detach(service);
  service.send("<message from='service.localhost' to='alice@localhost/r'/>");
  expect(alice.take()).toEqual([]);
  world.domain.attach(service);
  service.send("<message from='service.localhost' to='alice@localhost/r'/>");
  expect(alice.take()).toHaveLength(1);
});

test("a service has a domain of its own", () => {
  const { domain } = new World();
  domain.attach(new RecordingService("one.localhost"));
  for (const jid of ["localhost", "one.localhost", "ONE.localhost", "a@two.localhost", "two.localhost/r", ""]) {
    expect(() => domain.attach(new RecordingService(jid))).toThrow(expect.objectContaining({ code: "ERR_CONFIG" }));
  }
});

test("a service may subscribe to a user and is then told of presence; a user may subscribe to a service", () => {
  const world = new World();
  const alice = world.online("alice");
  const service = new RecordingService();
  world.domain.attach(service);
  service.send("<presence type='subscribe' from='service.localhost' to='alice@localhost'/>");
  expect(alice.took()).toEqual(["presence subscribe service.localhost"]);
  alice.send("<presence type='subscribed' to='service.localhost'/>");
  expect(service.took()).toEqual([
    "presence unavailable alice@localhost",
    "presence subscribed alice@localhost",
    "presence available alice@localhost/r 0",
  ]);
  world.domain.drop("alice@localhost");
  expect(service.took()).toEqual(["presence unavailable alice@localhost/r"]);
  service.send("<presence type='probe' from='service.localhost' to='alice@localhost'/>");
  expect(service.took()).toEqual(["presence unavailable alice@localhost"]);
  world.online("alice", "back");
  expect(service.took()).toEqual(["presence available alice@localhost/back 0"]);
});
