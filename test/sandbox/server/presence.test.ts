import { expect, test } from "vitest";
import { MOST_DIRECTED } from "../../../src/sandbox/server/limits.ts";
import { RecordingService, World } from "./world.ts";

test("initial presence goes to all resources of the account, the own one too (RFC 6121 4.2.2)", () => {
  const world = new World();
  const first = world.online("alice", "first");
  const second = world.bind("alice", "second");
  second.send("<presence><show>away</show></presence>");
  expect(first.took()).toEqual(["presence available alice@localhost/second away"]);
  expect(second.took()).toEqual([
    "presence available alice@localhost/second away",
    "presence available alice@localhost/first 0",
  ]);
});

test("initial presence goes to who may see it, and theirs comes back (RFC 6121 4.2, 4.3)", () => {
  const world = new World();
  const [alice, bob, carol] = [world.online("alice"), world.online("bob"), world.online("carol")];
  world.befriend(alice, bob);
  // carol sees alice, alice does not see carol
  carol.send("<presence type='subscribe' to='alice@localhost'/>");
  alice.send("<presence type='subscribed' to='carol@localhost'/>");
  alice.session.end();
  for (const client of [alice, bob, carol]) client.take();

  const back = world.bind("alice", "back");
  back.send("<presence/>");
  expect(bob.took()).toEqual(["presence available alice@localhost/back"]);
  expect(carol.took()).toEqual(["presence available alice@localhost/back"]);
  expect(back.took()).toEqual(["presence available alice@localhost/back", "presence available bob@localhost/r 0"]);
});

test("later presence is broadcast again, without probes (RFC 6121 4.4)", () => {
  const world = new World();
  const [alice, bob] = [world.online("alice"), world.online("bob")];
  world.befriend(alice, bob);
  alice.send("<presence><show>dnd</show></presence>");
  expect(bob.took()).toEqual(["presence available alice@localhost/r dnd"]);
  expect(alice.took()).toEqual(["presence available alice@localhost/r dnd"]);
});

test("a friend who is away is unavailable to a probe (RFC 6121 4.3.2)", () => {
  const world = new World();
  const [alice, bob] = [world.online("alice"), world.online("bob")];
  world.befriend(alice, bob);
  bob.session.end();
  alice.take();
  const second = world.bind("alice", "second");
  second.send("<presence/>");
  expect(second.took()).toContain("presence unavailable bob@localhost");
});

test("a client's end is told once to friends, own resources and who got directed presence (RFC 6121 4.5, 4.6.3)", () => {
  for (const how of ["end", "drop", "presence"] as const) {
    const world = new World();
    const [alice, bob, carol] = [world.online("alice"), world.online("bob"), world.online("carol")];
    const other = world.online("alice", "other");
    const service = new RecordingService();
    world.domain.attach(service);
    world.befriend(alice, bob);
    alice.send(
      "<presence to='carol@localhost/r'/>",
      "<presence to='bob@localhost/r'/>",
      "<presence to='alice@localhost/other'/>",
      "<presence to='service.localhost'/>",
      "<presence to='gone@elsewhere.example'/>",
    );
    for (const client of [alice, bob, carol, other]) client.take();
    service.took();
    if (how === "end") alice.session.end();
    else if (how === "drop") world.domain.drop(alice.jid);
    else alice.send("<presence type='unavailable'><status>bye</status></presence>");
    const gone =
      how === "presence" ? "presence unavailable alice@localhost/r bye" : "presence unavailable alice@localhost/r";
    for (const client of [bob, carol, other, service]) expect(client.took()).toEqual([gone]);
    expect(alice.took()).toEqual(how === "presence" ? [gone] : []);
    if (how !== "presence") continue;
    // and not again at the end of the stream
    alice.session.end();
    for (const client of [bob, carol, other, service]) expect(client.took()).toEqual([]);
  }
});

test("a client that never was available tells only those it sent directed presence to", () => {
  const world = new World();
  const [alice, bob, carol] = [world.online("alice"), world.online("bob"), world.online("carol")];
  world.befriend(alice, bob);
  const quiet = world.bind("alice", "quiet");
  quiet.send(
    "<presence to='bob@localhost/r'/>",
    "<presence to='carol@localhost/r'/>",
    "<presence type='unavailable' to='carol@localhost/r'/>",
  );
  for (const client of [alice, bob, carol]) client.take();
  quiet.session.end();
  expect(bob.took()).toEqual(["presence unavailable alice@localhost/quiet"]);
  expect(carol.took()).toEqual([]);
  expect(alice.took()).toEqual([]);
});

test("directed presence goes to one resource, or to all available ones of a bare JID (RFC 6121 8.5.2.1.2, 8.5.3.1)", () => {
  const world = new World();
  const [one, two] = [world.online("bob", "one", -1), world.online("bob", "two")];
  const quiet = world.bind("bob", "quiet");
  const alice = world.online("alice");
  one.take();
  two.take();
  alice.send(
    "<presence to='bob@localhost/one'/>",
    "<presence to='bob@localhost/gone'/>",
    "<presence to='bob@localhost/quiet'/>",
  );
  expect([one.took(), two.took(), quiet.took()]).toEqual([
    ["presence available alice@localhost/r"],
    [],
    ["presence available alice@localhost/r"],
  ]);
  alice.send("<presence to='bob@localhost'/>", "<presence to='nobody@localhost'/>", "<presence to='localhost'/>");
  expect([one.took(), two.took(), quiet.took()]).toEqual([
    ["presence available alice@localhost/r"],
    ["presence available alice@localhost/r"],
    [],
  ]);
  alice.send("<presence type='error' to='bob@localhost/two'/>");
  expect(two.took()).toEqual(["presence error alice@localhost/r"]);
  expect(alice.took()).toEqual([]); // silence about those who are not there
});

test("directed presence to a domain that is not here comes back, broadcast presence does not", () => {
  const world = new World();
  const alice = world.online("alice");
  alice.send("<presence to='bob@elsewhere.example'/>");
  expect(alice.took()).toEqual(["presence error bob@elsewhere.example cancel/remote-server-not-found"]);
  const service = new RecordingService("elsewhere.example");
  world.domain.attach(service);
  alice.send("<presence type='subscribe' to='elsewhere.example'/>");
  service.send("<presence type='subscribed' from='elsewhere.example' to='alice@localhost'/>");
  service.send("<presence type='subscribe' from='elsewhere.example' to='alice@localhost'/>");
  alice.send("<presence type='subscribed' to='elsewhere.example'/>");
  world.domain.detach(service);
  alice.take();
  alice.send("<presence type='unavailable'/>", "<presence/>");
  expect(alice.took()).toEqual(["presence unavailable alice@localhost/r", "presence available alice@localhost/r"]);
});

test("so many entities may have been sent directed presence, and no more", () => {
  const world = new World();
  const alice = world.online("alice");
  const service = new RecordingService();
  world.domain.attach(service);
  for (let count = 0; count < MOST_DIRECTED; count++) alice.send(`<presence to='n${count}@service.localhost'/>`);
  expect(service.took()).toHaveLength(MOST_DIRECTED);
  alice.send("<presence to='more@service.localhost'/>");
  expect(alice.took()).toEqual(["presence error more@service.localhost wait/resource-constraint"]);
  alice.send("<presence to='n1@service.localhost'/>"); // one that is known already
  alice.send("<presence type='unavailable' to='n2@service.localhost'/>", "<presence to='more@service.localhost'/>");
  expect(service.took()).toHaveLength(3);
  alice.session.end();
  expect(service.took()).toHaveLength(MOST_DIRECTED);
});

test("probes are answered to those who may see, with what was said last (RFC 6121 4.3.2)", () => {
  const world = new World();
  const [alice, bob, carol] = [world.online("alice"), world.online("bob", "one"), world.online("carol")];
  const two = world.online("bob", "two");
  world.befriend(alice, bob);
  two.send("<presence><show>xa</show></presence>");
  alice.take();
  const probe = (to: string): string => `<presence type='probe' to='${to}'/>`;
  alice.send(probe("bob@localhost"));
  expect(alice.took()).toEqual(["presence available bob@localhost/one 0", "presence available bob@localhost/two xa"]);
  alice.send(probe("bob@localhost/two"));
  expect(alice.took()).toEqual(["presence available bob@localhost/two xa"]);
  alice.send(probe("bob@localhost/gone"));
  expect(alice.took()).toEqual(["presence unavailable bob@localhost/gone"]);
  alice.send(probe("alice@localhost"));
  expect(alice.took()).toEqual(["presence available alice@localhost/r 0"]);
  const service = new RecordingService();
  world.domain.attach(service);
  for (const to of ["bob@localhost", "nobody@localhost"]) {
    service.send(`<presence type='probe' from='service.localhost/x' to='${to}'/>`);
    expect(service.took()).toEqual([`presence unsubscribed ${to}`]);
    carol.send(probe(to)); // has never asked, so there is nothing to tell (RFC 6121 A.3.4)
    expect(carol.took()).toEqual([]);
  }
});

test("the priority is a number from -128 to 127, anything else counts as 0 (RFC 6121 4.7.2.3)", () => {
  const world = new World();
  const alice = world.online("alice");
  const reference = world.online("bob", "reference", 5);
  const tried = world.bind("bob", "tried");
  const wins = (priority: string): string => {
    tried.send(`<presence><priority>${priority}</priority></presence>`);
    tried.take();
    reference.take();
    alice.send("<message to='bob@localhost' type='chat'/>");
    return `${tried.take().length}${reference.take().length}`;
  };
  expect(["6", "+6", " 127 ", "500", "5", "4", "0", "-1", "-999", "9e9", "high", ""].map(wins)).toEqual([
    "10",
    "10",
    "10",
    "10",
    "11",
    "01",
    "01",
    "01",
    "01",
    "01",
    "01",
    "01",
  ]);
});

test.each([
  "<presence type='subscribe'/>",
  "<presence type='subscribed'/>",
  "<presence type='hello'/>",
  "<presence type='hello' to='bob@localhost'/>",
])("%s is a bad request", (stanza) => {
  const world = new World();
  const bob = world.online("bob");
  const alice = world.online("alice");
  alice.send(stanza);
  expect(alice.took()).toHaveLength(1);
  expect(bob.took()).toEqual([]);
});
