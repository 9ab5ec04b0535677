import { expect, test } from "vitest";
import { MOST_OFFLINE } from "../../../src/sandbox/server/limits.ts";
import { World, brief } from "./world.ts";

const types = ["normal", "chat", "headline", "groupchat", "error"] as const;
const message = (to: string, type: string, text = "hi"): string =>
  `<message to='${to}' type='${type}'><body>${text}</body></message>`;

/** Who is there, with which priority, and what becomes of a message of each type: who gets it, or the error. */
type Outcome = string | readonly string[];
const table: readonly {
  readonly what: string;
  readonly there: Readonly<Record<string, number>>;
  readonly to: string;
  readonly outcome: Readonly<Record<(typeof types)[number], Outcome>>;
}[] = [
  {
    what: "to a bare JID goes to the resource with the highest priority (RFC 6121 8.5.2.1.1)",
    there: { phone: 1, desk: 5 },
    to: "bob@localhost",
    outcome: {
      normal: ["desk"],
      chat: ["desk"],
      headline: ["desk", "phone"],
      groupchat: "cancel/service-unavailable",
      error: [],
    },
  },
  {
    what: "to a bare JID goes to all of the highest priority",
    there: { phone: 5, desk: 5, cellar: 0 },
    to: "bob@localhost",
    outcome: {
      normal: ["desk", "phone"],
      chat: ["desk", "phone"],
      headline: ["cellar", "desk", "phone"],
      groupchat: "cancel/service-unavailable",
      error: [],
    },
  },
  {
    what: "to a bare JID never goes to a negative priority, but is kept (RFC 6121 8.5.2.1.1, 8.5.2.2.1)",
    there: { phone: -1 },
    to: "bob@localhost",
    outcome: { normal: "kept", chat: "kept", headline: [], groupchat: "cancel/service-unavailable", error: [] },
  },
  {
    what: "to a bare JID of somebody away is kept (RFC 6121 8.5.2.2.1)",
    there: {},
    to: "bob@localhost",
    outcome: { normal: "kept", chat: "kept", headline: [], groupchat: "cancel/service-unavailable", error: [] },
  },
  {
    what: "to a full JID goes there, whatever the priority (RFC 6121 8.5.3.1)",
    there: { phone: -1, desk: 5 },
    to: "bob@localhost/phone",
    outcome: { normal: ["phone"], chat: ["phone"], headline: ["phone"], groupchat: ["phone"], error: ["phone"] },
  },
  {
    what: "to a full JID that is gone goes elsewhere only if it is a chat (RFC 6121 8.5.3.2.1)",
    there: { desk: 0, phone: -1 },
    to: "bob@localhost/gone",
    outcome: {
      normal: "cancel/service-unavailable",
      chat: ["desk"],
      headline: [],
      groupchat: "cancel/service-unavailable",
      error: [],
    },
  },
  {
    what: "to a full JID that is gone, nobody else there: only a chat is kept (RFC 6121 8.5.3.2.1)",
    there: {},
    to: "bob@localhost/gone",
    outcome: {
      normal: "cancel/service-unavailable",
      chat: "kept",
      headline: [],
      groupchat: "cancel/service-unavailable",
      error: [],
    },
  },
  {
    what: "to nobody comes back (RFC 6121 8.5.1)",
    there: {},
    to: "nobody@localhost",
    outcome: {
      normal: "cancel/service-unavailable",
      chat: "cancel/service-unavailable",
      headline: [],
      groupchat: "cancel/service-unavailable",
      error: [],
    },
  },
  {
    what: "to a domain that is not here comes back (RFC 6120 10.4)",
    there: {},
    to: "bob@elsewhere.example",
    outcome: {
      normal: "cancel/remote-server-not-found",
      chat: "cancel/remote-server-not-found",
      headline: "cancel/remote-server-not-found",
      groupchat: "cancel/remote-server-not-found",
      error: [],
    },
  },
  {
    what: "to the server itself comes back",
    there: {},
    to: "localhost",
    outcome: {
      normal: "cancel/service-unavailable",
      chat: "cancel/service-unavailable",
      headline: "cancel/service-unavailable",
      groupchat: "cancel/service-unavailable",
      error: [],
    },
  },
];

for (const { what, there, to, outcome } of table) {
  test.each(types)(`a message of type "%s" ${what}`, (type) => {
    const world = new World();
    const alice = world.online("alice");
    const clients = Object.entries(there).map(([resource, priority]) => world.online("bob", resource, priority));
    for (const client of clients) client.take();
    alice.send(message(to, type));
    const got = clients.filter((client) => client.took().includes(`message ${type} alice@localhost/r hi`));
    const expected = outcome[type];
    if (typeof expected !== "string") {
      expect(got.map(({ session }) => session.jid.resource).sort()).toEqual(expected);
      expect(alice.took()).toEqual([]);
      return;
    }
    expect(got).toEqual([]);
    expect(alice.took()).toEqual(expected === "kept" ? [] : [`message error ${to} ${expected}`]);
    const later = world.bind("bob", "later");
    later.send("<presence/>");
    const kept = later.take().filter(({ name }) => name === "message");
    expect(kept.map((stanza) => stanza.getChild("body")?.text())).toEqual(expected === "kept" ? ["hi"] : []);
  });
}

test("a message without a type, or of one that nobody knows, counts as normal (RFC 6121 5.2.2)", () => {
  const world = new World();
  const alice = world.online("alice");
  const bob = world.online("bob");
  alice.send("<message to='bob@localhost'><body>1</body></message>", message("bob@localhost", "telegram", "2"));
  expect(bob.took()).toEqual(["message normal alice@localhost/r 1", "message telegram alice@localhost/r 2"]);
});

test("a message without an address is for the own account (RFC 6120 10.3.1)", () => {
  const world = new World();
  const alice = world.online("alice");
  alice.send("<message><body>note</body></message>");
  expect(alice.took()).toEqual(["message normal alice@localhost/r note"]);
});

test("a resource that is bound but not available gets what is sent to its full JID, and nothing else", () => {
  const world = new World();
  const alice = world.online("alice");
  const bob = world.bind("bob", "quiet");
  alice.send(message("bob@localhost/quiet", "normal", "direct"), message("bob@localhost", "normal", "any"));
  expect(bob.took()).toEqual(["message normal alice@localhost/r direct"]);
});

test("what was kept comes once, in order, with the time it came (XEP-0160, XEP-0203)", async () => {
  const world = new World();
  const alice = world.online("alice");
  alice.send(message("bob@localhost", "chat", "one"));
  await world.clock.advance(60_000);
  alice.send(message("bob@localhost", "normal", "two"));
  const quiet = world.bind("bob", "quiet");
  quiet.send("<presence><priority>-5</priority></presence>");
  expect(quiet.take().filter(({ name }) => name === "message")).toEqual([]);
  const bob = world.bind("bob", "r");
  bob.send("<presence/>");
  const kept = bob.take().filter(({ name }) => name === "message");
  expect(kept.map((stanza) => stanza.getChild("body")?.text())).toEqual(["one", "two"]);
  expect(kept.map((stanza) => stanza.getChild("delay", "urn:xmpp:delay")?.attrs)).toEqual([
    { xmlns: "urn:xmpp:delay", from: "localhost", stamp: "2026-01-01T00:00:00.000Z" },
    { xmlns: "urn:xmpp:delay", from: "localhost", stamp: "2026-01-01T00:01:00.000Z" },
  ]);
  bob.send("<presence/>");
  quiet.send("<presence/>");
  expect([...bob.take(), ...quiet.take()].filter(({ name }) => name === "message")).toEqual([]);
});

test("a mailbox holds so many messages; the sender of the next is told", () => {
  const world = new World();
  const alice = world.online("alice");
  for (let count = 0; count < MOST_OFFLINE; count++) alice.send(message("bob@localhost", "chat", String(count)));
  expect(alice.took()).toEqual([]);
  alice.send(message("bob@localhost", "chat", "too much"));
  expect(alice.took()).toEqual(["message error bob@localhost cancel/service-unavailable"]);
  const bob = world.bind("bob");
  bob.send("<presence/>");
  expect(bob.take().filter(({ name }) => name === "message")).toHaveLength(MOST_OFFLINE);
});

test("a message arrives as it was sent, whatever is in it", () => {
  const world = new World();
  const alice = world.online("alice");
  const bob = world.online("bob");
  alice.send(
    "<message to='bob@localhost/r' id='x' type='chat' xml:lang='de'><body>a &lt; b &amp; &apos;c&apos;</body><x xmlns='urn:example'><y z='&quot;'/>t<y/>u</x></message>",
  );
  const [stanza] = bob.take();
  expect(stanza!.attrs).toEqual({
    xmlns: "jabber:client",
    from: "alice@localhost/r",
    to: "bob@localhost/r",
    id: "x",
    type: "chat",
    "xml:lang": "de",
  });
  expect(stanza!.getChild("body")?.text()).toBe("a < b & 'c'");
  expect(String(stanza!.getChild("x", "urn:example"))).toBe(`<x xmlns="urn:example"><y z="&quot;"/>t<y/>u</x>`);
  expect(brief(stanza!)).toContain("message chat");
});
