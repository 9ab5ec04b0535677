import { expect, test } from "vitest";
import { Accounts } from "../../../src/sandbox/server/accounts.ts";
import { ITERATIONS, matches } from "../../../src/sandbox/server/credentials.ts";
import { SeededRandom } from "../../../src/sandbox/seeded-random.ts";
import { parseXml, type XmlElement } from "../../../src/codec/xml.ts";
import { RecordingService, World, conditionOf } from "./world.ts";

const register = (content: string): string => `<query xmlns='jabber:iq:register'>${content}</query>`;
const account = (username: string, password: string): string =>
  register(`<username>${username}</username><password>${password}</password>`);

test("an account is made once, under any spelling of its name", () => {
  const { domain } = new World();
  domain.register("Thing-1", "pw");
  expect(domain.hasAccount("thing-1")).toBe(true);
  expect(domain.checkPassword("THING-1", "pw")).toBe(true);
  expect(domain.checkPassword("thing-1", "PW")).toBe(false);
  expect(domain.checkPassword("nobody", "pw")).toBe(false);
  expect(() => domain.register("thing-1", "other")).toThrow(
    expect.objectContaining({ code: "ERR_REGISTRATION", condition: "conflict" }),
  );
  expect(domain.checkPassword("thing-1", "pw")).toBe(true);
});

test.each(["", " ", "a b", "a@b", "a/b", "alice@localhost/x", "<", "a\u0000", "x".repeat(1_024)])(
  "%j is no user name",
  (username) => {
    const { domain } = new World();
    expect(() => domain.register(username, "pw")).toThrow(expect.objectContaining({ condition: "not-acceptable" }));
    expect(domain.hasAccount(username)).toBe(false);
    expect(domain.checkPassword(username, "pw")).toBe(false);
    expect(domain.removeAccount(username)).toBe(false);
  },
);

test("an empty password is none", () => {
  expect(() => new World().domain.register("dave", "")).toThrow(
    expect.objectContaining({ condition: "not-acceptable" }),
  );
});

test("passwords are kept as salted keys, not as they are", () => {
  const accounts = new Accounts("localhost", new SeededRandom(1));
  const { credentials } = accounts.register("dave", "a password to look for");
  const text = JSON.stringify(credentials, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
  );
  expect(text).not.toContain("password");
  expect([credentials.sha1.iterations, credentials.sha256.iterations]).toEqual([ITERATIONS, 4_096]);
  const twin = accounts.register("erin", "a password to look for").credentials;
  expect(twin.sha256.storedKey).not.toEqual(credentials.sha256.storedKey);
  expect(matches(twin, "a password to look for")).toBe(true);
});

test("a name without an account has credentials like any other, always the same, that nothing matches", () => {
  const accounts = new Accounts("localhost", new SeededRandom(1));
  const decoy = accounts.credentialsOf("nobody");
  expect(accounts.credentialsOf("NoBody")).toEqual(decoy);
  expect(accounts.credentialsOf("somebody").sha1.salt).not.toEqual(decoy.sha1.salt);
  expect(accounts.credentialsOf("no@body").sha1.salt).toHaveLength(16);
  const real = accounts.register("dave", "pw").credentials;
  for (const hash of ["sha1", "sha256"] as const) {
    const shape = (keys: object): unknown[] =>
      Object.entries(keys).map(([name, value]) => [
        name,
        value instanceof Uint8Array ? value.length : (value as unknown),
      ]);
    expect(shape(decoy[hash])).toEqual(shape(real[hash]));
  }
  expect(matches(decoy, "")).toBe(false);
  expect(new Accounts("localhost", new SeededRandom(2)).credentialsOf("nobody")).not.toEqual(decoy);
});

test("a domain holds so many accounts", () => {
  const accounts = new Accounts("localhost", new SeededRandom(1), 1);
  accounts.register("dave", "pw");
  expect(() => accounts.register("erin", "pw")).toThrow(expect.objectContaining({ condition: "resource-constraint" }));
});

test("a client that is logged in sees its registration, changes its password, removes its account (XEP-0077 3.2, 3.3)", () => {
  const world = new World();
  const alice = world.online("alice");
  const other = world.online("alice", "other");
  const answer = alice.ask("get", register(""));
  expect(String(answer.getChildElements()[0])).toBe(
    `<query xmlns="jabber:iq:register"><registered/><username>alice</username><password/></query>`,
  );
  expect(conditionOf(alice.ask("set", account("Alice", "new"), "localhost"))).toBe("result");
  expect(world.domain.checkPassword("alice", "new")).toBe(true);
  expect(world.domain.checkPassword("alice", "alice's secret")).toBe(false);
  expect([alice.closed, other.closed]).toEqual([undefined, "reset"]);

  alice.send(`<iq type='set' id='r'>${register("<remove/>")}</iq>`);
  expect(alice.took().at(-1)).toBe("iq result -");
  expect(alice.closed).toBe("not-authorized");
  expect(alice.closedAfter).toBe(alice.batches.flat().length); // the answer first
  expect(world.domain.hasAccount("alice")).toBe(false);
});

test.each([
  ["another's name", account("bob", "stolen"), "cancel/not-allowed"],
  ["no name", register("<password>x</password>"), "modify/bad-request"],
  ["no password", register("<username>alice</username>"), "modify/bad-request"],
  ["an empty password", account("alice", ""), "modify/bad-request"],
  ["a removal with something else", register("<remove/><username>alice</username>"), "modify/bad-request"],
])("a change with %s is refused", (_, payload, condition) => {
  const world = new World();
  const alice = world.online("alice");
  expect(conditionOf(alice.ask("set", payload))).toBe(condition);
  expect(world.domain.checkPassword("alice", "alice's secret")).toBe(true);
  expect(world.domain.checkPassword("bob", "bob's secret")).toBe(true);
});

test("nobody changes or removes another's account, a service neither", () => {
  const world = new World();
  const [alice, bob] = [world.online("alice"), world.online("bob")];
  world.befriend(alice, bob);
  expect(conditionOf(bob.ask("set", register("<remove/>"), "alice@localhost"))).toBe("auth/forbidden");
  const service = new RecordingService();
  world.domain.attach(service);
  for (const to of ["localhost", "alice@localhost"]) {
    service.send(`<iq type='set' id='1' from='service.localhost' to='${to}'>${register("<remove/>")}</iq>`);
  }
  expect(service.took()).toEqual([
    "iq error localhost cancel/service-unavailable",
    "iq error alice@localhost auth/forbidden",
  ]);
  expect(world.domain.hasAccount("alice")).toBe(true);
});

test("an account that is removed takes its subscriptions with it", () => {
  const world = new World();
  const [alice, bob, carol] = [world.online("alice"), world.online("bob"), world.online("carol")];
  world.befriend(alice, bob);
  carol.send("<presence type='subscribe' to='alice@localhost'/>");
  carol.take();
  alice.send("<message to='bob@localhost/r'/>");
  bob.take();
  expect(world.domain.removeAccount("alice")).toBe(true);
  expect(alice.closed).toBe("not-authorized");
  expect(bob.took()).toEqual([
    "presence unavailable alice@localhost/r",
    "presence unsubscribe alice@localhost",
    "iq set - alice@localhost to",
    "presence unsubscribed alice@localhost",
    "iq set - alice@localhost none",
  ]);
  expect(carol.took()).toEqual(["presence unsubscribed alice@localhost", "iq set - alice@localhost none"]);
  expect(world.domain.removeAccount("alice")).toBe(false);
});

test("before authentication one may see the form and fill it in, and nothing else (XEP-0077 3.1)", () => {
  const { domain } = new World();
  const ask = (stanza: string): XmlElement => domain.answerUnauthenticated(parseXml(stanza));
  const form = ask(`<iq type='get' id='1' to='localhost'>${register("")}</iq>`);
  expect(form.attrs).toMatchObject({ type: "result", id: "1", from: "localhost" });
  const fields = form.getChild("query", "jabber:iq:register")!.getChildElements();
  expect(fields.map(({ name }) => name)).toEqual(["instructions", "username", "password"]);
  expect(conditionOf(ask(`<iq type='set' id='2'>${account("dave", "pw")}</iq>`))).toBe("result");
  expect(domain.checkPassword("dave", "pw")).toBe(true);
  for (const [stanza, condition] of [
    [`<iq type='set' id='3'>${account("Dave", "other")}</iq>`, "cancel/conflict"],
    [`<iq type='set' id='3'>${account("d@ve", "pw")}</iq>`, "modify/not-acceptable"],
    [`<iq type='set' id='3'>${account("erin", "")}</iq>`, "modify/not-acceptable"],
    [`<iq type='set' id='3'>${register("<username>erin</username>")}</iq>`, "modify/not-acceptable"],
    [`<iq type='set' id='3'>${register("<remove/>")}</iq>`, "modify/not-acceptable"],
    [`<iq type='set' id='3' to='alice@localhost'>${account("erin", "pw")}</iq>`, "cancel/service-unavailable"],
    [`<iq type='set' id='3' to='elsewhere'>${account("erin", "pw")}</iq>`, "cancel/service-unavailable"],
    [`<iq type='get' id='3'><query xmlns='jabber:iq:roster'/></iq>`, "cancel/service-unavailable"],
    [`<iq type='get' id='3'/>`, "modify/bad-request"],
    [`<iq type='get' id='3'>${register("")}${register("")}</iq>`, "modify/bad-request"],
    [`<iq type='what' id='3'>${register("")}</iq>`, "modify/bad-request"],
  ] as const) {
    expect([stanza, conditionOf(ask(stanza))]).toEqual([stanza, condition]);
  }
  expect(domain.checkPassword("dave", "pw")).toBe(true);
  expect(domain.hasAccount("erin")).toBe(false);
});
