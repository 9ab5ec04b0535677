import { expect, test } from "vitest";
import { el, parseXml } from "../../../src/codec/xml.ts";
import { MOST_DEPTH, MOST_SESSIONS, MOST_STANZA_BYTES } from "../../../src/sandbox/server/limits.ts";
import { XmppDomain } from "../../../src/sandbox/server/domain.ts";
import { Client, RecordingService, World, brief, conditionOf } from "./world.ts";

const ping = "<ping xmlns='urn:xmpp:ping'/>";
const unknown = "<what xmlns='urn:example'/>";

test("an IQ to a full JID reaches that client, and its answer the asker (RFC 6121 8.5.3.1)", () => {
  const world = new World();
  const alice = world.online("alice");
  const bob = world.bind("bob", "r"); // connected is enough
  alice.send(`<iq type='get' id='1' to='bob@localhost/r'>${unknown}</iq>`);
  expect(bob.took()).toEqual(["iq get alice@localhost/r what"]);
  bob.send("<iq type='result' id='1' to='alice@localhost/r'/>");
  expect(alice.took()).toEqual(["iq result bob@localhost/r"]);
  bob.send(
    "<iq type='error' id='1' to='alice@localhost/r'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
  );
  expect(alice.took()).toEqual(["iq error bob@localhost/r cancel/gone"]);
});

test("an IQ to a bare JID is answered by the server and never reaches a client (RFC 6121 8.5.2.1.3)", () => {
  const world = new World();
  const alice = world.online("alice");
  const bob = world.online("bob");
  for (const type of ["get", "set"]) {
    alice.send(`<iq type='${type}' id='1' to='bob@localhost'>${unknown}</iq>`);
    expect(alice.took()).toEqual(["iq error bob@localhost cancel/service-unavailable"]);
  }
  alice.send("<iq type='result' id='2' to='bob@localhost'/>");
  expect(alice.took()).toEqual([]);
  expect(bob.took()).toEqual([]);
});

test.each([
  ["a full JID that is gone (RFC 6121 8.5.3.2.3)", "bob@localhost/gone", "cancel/service-unavailable"],
  ["an account that does not exist (RFC 6121 8.5.1)", "nobody@localhost", "cancel/service-unavailable"],
  ["a resource of an account that does not exist", "nobody@localhost/r", "cancel/service-unavailable"],
  ["a domain that is not here (RFC 6120 10.4)", "elsewhere.example", "cancel/remote-server-not-found"],
  ["an account of a domain that is not here", "bob@elsewhere.example/r", "cancel/remote-server-not-found"],
  ["the server, about what it does not know", "localhost", "cancel/service-unavailable"],
  ["a resource of the server, about what it does not know", "localhost/x", "cancel/service-unavailable"],
])("an IQ request to %s comes back, an answer to it vanishes", (_, to, condition) => {
  const world = new World();
  const alice = world.online("alice");
  world.online("bob");
  for (const type of ["get", "set"]) {
    alice.send(`<iq type='${type}' id='7' to='${to}'>${unknown}</iq>`);
    const [answer, ...more] = alice.take();
    expect(more).toEqual([]);
    expect(conditionOf(answer!)).toBe(condition);
    expect(answer!.attrs).toMatchObject({ type: "error", id: "7", from: to, to: "alice@localhost/r" });
  }
  alice.send(`<iq type='result' id='8' to='${to}'/>`, `<iq type='error' id='9' to='${to}'/>`);
  expect(alice.took()).toEqual([]);
});

test("a resource that is gone is not the account: the server does not answer for it (RFC 6121 8.5.3.2.3)", () => {
  const alice = new World().online("alice");
  for (const payload of [
    ping,
    "<query xmlns='jabber:iq:roster'/>",
    "<query xmlns='http://jabber.org/protocol/disco#info'/>",
  ]) {
    expect(conditionOf(alice.ask("get", payload, "alice@localhost/gone"))).toBe("cancel/service-unavailable");
    expect(conditionOf(alice.ask("get", payload, "alice@localhost"))).toBe("result");
  }
});

test.each([
  ["without an id", `<iq type='get' to='bob@localhost/r'>${ping}</iq>`],
  ["without a type", `<iq id='1' to='bob@localhost/r'>${ping}</iq>`],
  ["of an unknown type", `<iq type='ask' id='1' to='bob@localhost/r'>${ping}</iq>`],
  ["with nothing in it", "<iq type='get' id='1' to='bob@localhost/r'/>"],
  ["with two things in it", `<iq type='get' id='1' to='bob@localhost/r'>${ping}${ping}</iq>`],
  ["with nothing in it, to the server", "<iq type='set' id='1'/>"],
])("an IQ %s is a bad request and goes nowhere (RFC 6120 8.2.3)", (_, stanza) => {
  const world = new World();
  const alice = world.online("alice");
  const bob = world.online("bob");
  alice.send(stanza);
  expect(alice.take().map(conditionOf)).toEqual(["modify/bad-request"]);
  expect(bob.took()).toEqual([]);
});

test.each(["iq type='get' id='1'", "message", "presence"])(
  "<%s> to what is no JID is malformed, and the answer bears no such address",
  (open) => {
    const world = new World();
    const alice = world.online("alice");
    for (const to of ["@localhost", "a b@localhost", "bob@localhost/", ""]) {
      alice.send(`<${open} to='${to}'>${ping}</${open.split(" ")[0]}>`);
      const answers = alice.take();
      expect(answers.map(conditionOf)).toEqual(["modify/jid-malformed"]);
      expect(answers[0]!.attrs["from"]).toBe("localhost");
    }
    alice.send(
      "<iq type='result' id='1' to='@'/>",
      "<message type='error' to='@'/>",
      "<presence type='error' to='@'/>",
    );
    expect(alice.took()).toEqual([]);
  },
);

test("the server says who sent it, whatever the client says (RFC 6120 8.1.2.1)", () => {
  const world = new World();
  const mallory = world.online("carol", "m");
  const bob = world.online("bob");
  for (const from of ["alice@localhost/r", "localhost", "service.localhost", "carol@localhost", "@", ""]) {
    mallory.send(
      `<message from='${from}' to='bob@localhost/r'/>`,
      `<iq from='${from}' type='set' id='1' to='bob@localhost/r'>${unknown}</iq>`,
      `<iq from='${from}' type='result' id='1' to='bob@localhost/r'/>`,
      `<presence from='${from}' to='bob@localhost/r'/>`,
    );
    expect(bob.take().map(({ attrs }) => attrs["from"])).toEqual(Array(4).fill("carol@localhost/m"));
    mallory.send(`<presence from='${from}' type='subscribe' to='bob@localhost'/>`);
    for (const stanza of bob.take()) expect(stanza.attrs["from"]).toBe("carol@localhost");
  }
});

test("addresses are compared and handed on in their normal form", () => {
  const world = new World();
  const alice = world.online("alice");
  const bob = world.online("bob", "R");
  alice.send("<message to='BOB@LocalHost/R'/>", "<message to='bob@localhost/r' type='headline'/>");
  expect(bob.take().map(({ attrs }) => attrs["to"])).toEqual(["bob@localhost/R"]);
});

test("what is no stanza ends the stream (RFC 6120 4.9.3.24)", () => {
  for (const stanza of [
    "<foo/>",
    "<message xmlns='jabber:server' to='bob@localhost'/>",
    "<x:iq xmlns:x='jabber:client'/>",
  ]) {
    const alice = new World().online("alice");
    alice.send(stanza);
    expect(alice.closed).toBe("unsupported-stanza-type");
  }
});

test("what is too large or too deep ends the stream, and is not handed on", () => {
  const deep = (depth: number): string => `${"<x>".repeat(depth)}${"</x>".repeat(depth)}`;
  for (const [inside, closed] of [
    ["x".repeat(MOST_STANZA_BYTES), "policy-violation"],
    ["x".repeat(MOST_STANZA_BYTES - 500), undefined],
    [`<x y='${"x".repeat(MOST_STANZA_BYTES)}'/>`, "policy-violation"],
    [deep(MOST_DEPTH), "policy-violation"],
    [deep(MOST_DEPTH - 1), undefined],
  ] as const) {
    const world = new World();
    const alice = world.online("alice");
    const bob = world.online("bob");
    alice.send(`<message to='bob@localhost/r'>${inside}</message>`);
    expect(alice.closed).toBe(closed);
    expect(bob.take()).toHaveLength(closed === undefined ? 1 : 0);
  }
});

test("everybody gets a copy: what one does with a stanza, another does not see", () => {
  const world = new World();
  const [one, two] = [world.online("bob", "one"), world.online("bob", "two")];
  const alice = world.bind("alice");
  const stanza = el("message", { to: "bob@localhost" }, el("x", { xmlns: "urn:example" }));
  alice.session.receive(stanza);
  const [first] = one.take();
  const [second] = two.take();
  expect(first).not.toBe(second);
  expect(first!.getChild("x")).not.toBe(stanza.getChild("x"));
  el("other", {}, first!.getChild("x")); // takes it over, as a codec does that wraps it
  expect(second!.getChild("x")!.getNS()).toBe("urn:example");
});

test("a stanza made in memory may leave out its namespace", () => {
  const world = new World();
  const alice = world.bind("alice");
  alice.session.receive(parseXml(`<iq type='get' id='1' to='localhost'>${ping}</iq>`));
  expect(alice.took()).toEqual(["iq result localhost"]);
});

test("whoever answers inside a delivery does not overtake those who are still to get theirs", () => {
  const world = new World();
  const order: string[] = [];
  const clients = ["a", "b", "c"].map((resource) => {
    const session = world.domain.bind("bob", resource, (stanzas) => {
      for (const stanza of stanzas) {
        if (stanza.name !== "message") continue;
        order.push(`${resource}: ${stanza.getChild("body")!.text()}`);
        if (stanza.getChild("body")!.text() === "question") {
          session.receive(
            parseXml(`<message to='bob@localhost' type='headline'><body>answer of ${resource}</body></message>`),
          );
        }
      }
    });
    session.receive(parseXml("<presence/>"));
    return session;
  });
  clients[0]!.receive(parseXml("<message to='bob@localhost' type='headline'><body>question</body></message>"));
  expect(order.slice(0, 3)).toEqual(["a: question", "b: question", "c: question"]);
  expect(order).toHaveLength(12);
});

test("a client that fails is told of, and nobody else suffers", () => {
  const world = new World();
  world.domain
    .bind("bob", "bad", () => {
      throw new Error("cannot");
    })
    .receive(parseXml("<presence/>"));
  const good = world.online("bob", "good");
  world.online("alice").send("<message to='bob@localhost' type='headline'/>");
  expect(good.took()).toEqual(["message headline alice@localhost/r"]);
  expect(world.logged.some((line) => line.includes("bob@localhost/bad") && line.includes("cannot"))).toBe(true);
});

test("the same full JID bound again ends the old session (RFC 6120 7.7.2.2)", () => {
  const world = new World();
  const alice = world.online("alice");
  const old = world.online("bob");
  world.befriend(alice, old);
  const fresh = world.bind("bob", "r");
  expect(old.closed).toBe("conflict");
  expect(alice.took()).toEqual(["presence unavailable bob@localhost/r"]);
  old.send("<message to='alice@localhost'/>");
  old.session.end();
  fresh.send("<presence/>");
  expect(alice.took()).toEqual(["presence available bob@localhost/r"]);
  expect(old.took()).toEqual([]);
});

test("without a resource the server makes one, another each time", () => {
  const world = new World();
  const jids = [world.bind("alice").jid, world.bind("alice").jid];
  expect(new Set(jids).size).toBe(2);
  for (const jid of jids) expect(jid).toMatch(/^alice@localhost\/[\w-]{22}$/);
});

test("only accounts can be bound, only proper resources, and not without end", () => {
  const world = new World();
  const code = (username: string, resource: string): unknown => {
    try {
      world.bind(username, resource);
      return "bound";
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };
  expect(code("nobody", "r")).toBe("ERR_STATE");
  expect(code("alice", "")).toBe("ERR_PROTOCOL");
  expect(code("alice", "\u0007")).toBe("ERR_PROTOCOL");
  expect(code("ALICE", "r")).toBe("bound");
  for (let count = 1; count < MOST_SESSIONS; count++) world.bind("alice", String(count));
  expect(code("alice", "one too many")).toBe("ERR_STATE");
  expect(code("alice", "1")).toBe("bound"); // in the place of another
});

test("a session that has ended neither sends nor gets anything", () => {
  const world = new World();
  const alice = world.online("alice");
  const bob = world.online("bob");
  bob.session.end();
  bob.session.end();
  bob.send("<message to='alice@localhost'/>");
  alice.send("<message to='bob@localhost/r'/>");
  expect(bob.took()).toEqual([]);
  expect(alice.took()).toEqual(["message error bob@localhost/r cancel/service-unavailable"]);
  expect(bob.closed).toBeUndefined();
});

test("drop cuts one link or all of an account, as if they were lost", () => {
  const world = new World();
  const alice = world.online("alice");
  const [one, two] = [world.online("bob", "one"), world.online("bob", "two")];
  world.befriend(alice, one);
  expect(world.domain.drop("bob@localhost/one")).toBe(1);
  expect([one.closed, two.closed]).toEqual(["dropped", undefined]);
  expect(alice.took()).toEqual(["presence unavailable bob@localhost/one"]);
  world.online("bob", "three");
  expect(world.domain.drop("bob@localhost")).toBe(2);
  expect(two.closed).toBe("dropped");
  expect(world.domain.drop("bob@localhost")).toBe(0);
  expect(world.domain.drop("nobody@localhost")).toBe(0);
  expect(world.domain.drop("@")).toBe(0);
});

test("listeners see what comes in and what goes out, until they are taken back", () => {
  const world = new World();
  const alice = world.online("alice");
  const bob = world.online("bob");
  const service = new RecordingService();
  service.answer = () => [parseXml("<message from='service.localhost' to='alice@localhost/r'/>")];
  world.domain.attach(service);
  const seen: string[] = [];
  const stop = world.domain.onStanza((direction, from, to, stanza) =>
    seen.push(`${direction} ${from} > ${to}: ${stanza.name}`),
  );
  world.domain.onStanza(() => {
    throw new Error("a bad listener");
  });
  alice.send(
    `<iq type='get' id='1'>${ping}</iq>`,
    "<message to='bob@localhost'/>",
    "<message to='service.localhost'/>",
  );
  expect(seen).toEqual([
    "in alice@localhost/r > : iq",
    "out localhost > alice@localhost/r: iq",
    "in alice@localhost/r > bob@localhost: message",
    "out alice@localhost/r > bob@localhost/r: message",
    "in alice@localhost/r > service.localhost: message",
    "out alice@localhost/r > service.localhost: message",
    "in service.localhost > alice@localhost/r: message",
    "out service.localhost > alice@localhost/r: message",
  ]);
  stop();
  alice.send("<message to='bob@localhost'/>");
  expect(seen).toHaveLength(8);
  expect(bob.take()).toHaveLength(2);
});

test("passwords are not shown to listeners", () => {
  const world = new World();
  const alice = world.online("alice");
  const seen: string[] = [];
  world.domain.onStanza((_direction, _from, _to, stanza) => seen.push(stanza.toString()));
  alice.ask("set", "<query xmlns='jabber:iq:register'><username>alice</username><password>hunter2</password></query>");
  expect(world.domain.checkPassword("alice", "hunter2")).toBe(true);
  expect(seen).toHaveLength(2);
  expect(seen.join("")).not.toContain("hunter2");
  expect(seen[0]).toContain("jabber:iq:register");
});

test("a domain is a domain", () => {
  const { clock } = new World();
  const make = (domain: string): string =>
    new XmppDomain({ domain, clock, random: { bytes: (n) => new Uint8Array(n) } }).domain;
  expect(make("Example.ORG")).toBe("example.org");
  for (const wrong of ["", "a@b", "a/b", "a b"]) expect(() => make(wrong)).toThrow(/domain/);
});

test("a client without anybody to tell of its end can be bound too", () => {
  const world = new World();
  const got: string[] = [];
  const session = world.domain.bind("alice", "r", (stanzas) => got.push(...stanzas.map(brief)));
  session.receive(parseXml("<foo/>"));
  expect(got).toEqual([]);
  expect(() => new Client(world.domain, "alice", "r")).not.toThrow();
});
