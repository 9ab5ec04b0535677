import fc from "fast-check";
import { expect, test } from "vitest";
import { RecordingService, World, type Client } from "./world.ts";
import { inboundTables, outboundTables, stateNames, type StateName } from "./subscription-tables.ts";

const CONTACT = "contact@service.localhost";

/** How an account gets into each state: `<` comes from the contact, `>` goes to it. */
const ways: Record<StateName, string> = {
  None: "",
  "None + Pending Out": ">subscribe",
  "None + Pending In": "<subscribe",
  "None + Pending Out+In": ">subscribe <subscribe",
  To: ">subscribe <subscribed",
  "To + Pending In": ">subscribe <subscribed <subscribe",
  From: "<subscribe >subscribed",
  "From + Pending Out": "<subscribe >subscribed >subscribe",
  Both: ">subscribe <subscribed <subscribe >subscribed",
};

/** An account in a state, with a contact that has no roster of its own and writes down all it gets. */
class Pair {
  readonly world = new World();
  readonly alice: Client;
  readonly contact = new RecordingService();

  constructor(state: StateName) {
    this.world.domain.attach(this.contact);
    this.alice = this.world.online("alice");
    this.alice.ask("set", `<query xmlns='jabber:iq:roster'><item jid='${CONTACT}'/></query>`);
    for (const step of ways[state].split(" ").filter(Boolean)) this.step(step);
    this.alice.take();
    this.contact.took();
  }

  step(step: string): void {
    const type = step.slice(1);
    if (step.startsWith(">")) this.alice.send(`<presence type='${type}' to='${CONTACT}'/>`);
    else this.contact.send(`<presence type='${type}' from='${CONTACT}' to='alice@localhost'/>`);
  }

  /** The state as clients can see it: in the roster, and by whether a request comes again. */
  state(): StateName {
    const fresh = this.world.bind("alice", "fresh");
    const [item] = fresh.ask("get", "<query xmlns='jabber:iq:roster'/>").getChild("query")!.getChildElements();
    fresh.send("<presence/>");
    const pendingIn = fresh.took().includes(`presence subscribe ${CONTACT}`);
    fresh.session.end();
    const { subscription, ask } = item!.attrs;
    const pending = [ask === "subscribe" ? "Out" : "", pendingIn ? "In" : ""].filter(Boolean).join("+");
    const name = { none: "None", to: "To", from: "From", both: "Both" }[subscription!]!;
    return (pending === "" ? name : `${name} + Pending ${pending}`) as StateName;
  }
}

test.each(stateNames)('the state "%s" is reached', (state) => {
  expect(new Pair(state).state()).toBe(state);
});

for (const { type, rows } of outboundTables) {
  test.each(rows)(`"${type}" sent in state $state (RFC 6121 A.2)`, ({ state, pass, next }) => {
    const pair = new Pair(state);
    pair.step(`>${type}`);
    const got = pair.contact.took();
    const routed = got.filter((stanza) => stanza === `presence ${type} alice@localhost`);
    expect(routed).toHaveLength(pass ? 1 : 0);
    const pushes = pair.alice.took().filter((stanza) => stanza.startsWith("iq set"));
    const visible = (name: StateName): string => name.replace(/\+?In$/, "").replace(/ \+ Pending $/, "");
    expect(pushes).toHaveLength(visible(next) === visible(state) ? 0 : 1);
    // RFC 6121 3.1.5, 3.2.2: presence begins with the subscription and ends with it
    const seesBefore = /From|Both/.test(state);
    const seesAfter = /From|Both/.test(next);
    expect(got.includes("presence available alice@localhost/r 0")).toBe(!seesBefore && seesAfter);
    expect(got.includes("presence unavailable alice@localhost/r")).toBe(seesBefore && !seesAfter);
    expect(pair.state()).toBe(next);
  });
}

for (const { type, rows } of inboundTables) {
  test.each(rows)(`"${type}" received in state $state (RFC 6121 A.3)`, ({ state, pass, next }) => {
    const pair = new Pair(state);
    pair.step(`<${type}`);
    const got = pair.alice.took();
    expect(got.filter((stanza) => stanza === `presence ${type} ${CONTACT}`)).toHaveLength(pass ? 1 : 0);
    const answers = pair.contact.took();
    const seesBefore = /From|Both/.test(state);
    if (type === "subscribe") {
      // RFC 6121 3.1.3: whoever is subscribed is told so; anybody else only that the request has come
      expect(answers).toEqual(
        seesBefore
          ? ["presence subscribed alice@localhost", "presence available alice@localhost/r 0"]
          : ["presence unavailable alice@localhost"],
      );
    } else {
      // RFC 6121 3.3.3: whoever unsubscribes sees the account go
      const goes = type === "unsubscribe" && seesBefore;
      expect(answers).toEqual(goes ? ["presence unavailable alice@localhost/r"] : []);
    }
    expect(pair.state()).toBe(next);
  });
}

test("a request waits for whoever comes first, and comes again to each until it is answered (RFC 6121 3.1.3)", () => {
  const world = new World();
  const bob = world.online("bob");
  bob.send("<presence type='subscribe' to='alice@localhost' id='1'><nick xmlns='urn:example'>Bobby</nick></presence>");
  bob.send("<presence type='subscribe' to='alice@localhost' id='2'/>"); // again: only one is kept
  const request = "presence subscribe bob@localhost Bobby";
  const first = world.bind("alice", "first");
  expect(first.take()).toEqual([]);
  first.send("<presence><priority>-1</priority></presence>");
  expect(first.took()).toContain(request);
  const second = world.bind("alice", "second");
  second.send("<presence/>", "<presence><show>away</show></presence>");
  expect(second.took().filter((stanza) => stanza === request)).toHaveLength(1);
  second.send("<presence type='unsubscribed' to='bob@localhost'/>");
  const third = world.bind("alice", "third");
  third.send("<presence/>");
  expect(third.took()).not.toContain(request);
});

test("one who only asks is in no roster, and is forgotten when refused or gone (RFC 6121 2.1.2.5)", () => {
  const world = new World();
  const [alice, bob] = [world.online("alice"), world.online("bob")];
  const roster = (): number => alice.ask("get", "<query xmlns='jabber:iq:roster'/>").getChild("query")!.children.length;
  bob.send("<presence type='subscribe' to='alice@localhost'/>");
  expect(alice.took()).toEqual(["presence subscribe bob@localhost"]);
  expect(roster()).toBe(0);
  alice.send("<presence type='unsubscribed' to='bob@localhost'/>");
  expect(alice.took()).toEqual([]); // no push about one who is not there
  expect(bob.took().slice(-2)).toEqual(["presence unsubscribed alice@localhost", "iq set - alice@localhost none"]);
  bob.send("<presence type='subscribe' to='alice@localhost'/>", "<presence type='unsubscribe' to='alice@localhost'/>");
  expect(alice.took()).toEqual(["presence subscribe bob@localhost", "presence unsubscribe bob@localhost"]);
  expect(roster()).toBe(0);
});

test("an approval shows the contact in the roster, and presence comes at once (RFC 6121 3.1.5, 3.1.6)", () => {
  const world = new World();
  const [alice, bob] = [world.online("alice"), world.online("bob")];
  world.online("alice", "second");
  bob.send("<presence type='subscribe' to='alice@localhost/whatever'/>"); // a resource is ignored
  alice.take();
  bob.take();
  alice.send("<presence type='subscribed' to='bob@localhost'/>");
  expect(alice.took()).toEqual(["iq set - bob@localhost from"]);
  expect(bob.took()).toEqual([
    "presence subscribed alice@localhost",
    "iq set - alice@localhost to",
    "presence available alice@localhost/r 0",
    "presence available alice@localhost/second 0",
  ]);
});

test("what was asked is asked again at the next login, until there is an answer", () => {
  const world = new World();
  const service = new RecordingService();
  const alice = world.online("alice");
  alice.send("<presence type='subscribe' to='service.localhost'/>"); // it is not there yet
  expect(alice.took()).toEqual([
    "iq set - service.localhost none ask=subscribe",
    "presence error service.localhost cancel/remote-server-not-found",
  ]);
  world.domain.attach(service);
  const second = world.bind("alice", "second");
  second.send("<presence/>");
  expect(service.took()).toEqual(["presence subscribe alice@localhost"]);
  service.send("<presence type='subscribed' from='service.localhost' to='alice@localhost'/>");
  world.bind("alice", "third").send("<presence/>");
  expect(service.took()).toEqual(["presence probe alice@localhost/third"]);
});

test("nobody subscribes to oneself", () => {
  const world = new World();
  const alice = world.online("alice");
  for (const type of ["subscribe", "subscribed", "unsubscribe", "unsubscribed"]) {
    alice.send(`<presence type='${type}' to='alice@localhost'/>`);
  }
  expect(alice.take()).toEqual([]);
});

test("a subscription that the other side has forgotten heals at the next probe (RFC 6121 4.3.2)", () => {
  const world = new World();
  const [alice, bob] = [world.online("alice"), world.online("bob")];
  world.befriend(alice, bob);
  world.domain.removeAccount("bob");
  world.domain.register("bob", "new");
  alice.take();
  const back = world.bind("alice", "back");
  const [item] = back.ask("get", "<query xmlns='jabber:iq:roster'/>").getChild("query")!.getChildElements();
  expect(item!.attrs["subscription"]).toBe("none");
});

test("whatever two accounts send each other, both rosters say the same", () => {
  const types = ["subscribe", "subscribed", "unsubscribe", "unsubscribed", "remove", "login", "logout"] as const;
  const step = fc.tuple(fc.constantFrom("alice", "bob"), fc.constantFrom(...types));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const world = new World();
      const clients = new Map([
        ["alice", world.online("alice")],
        ["bob", world.online("bob")],
      ]);
      const other = (name: string): string => (name === "alice" ? "bob" : "alice");
      for (const [name, type] of steps) {
        const client = clients.get(name)!;
        if (type === "login") clients.set(name, world.online(name));
        else if (type === "logout") client.session.end();
        else if (type === "remove") {
          client.send(
            `<iq type='set' id='x'><query xmlns='jabber:iq:roster'><item jid='${other(name)}@localhost' subscription='remove'/></query></iq>`,
          );
        } else client.send(`<presence type='${type}' to='${other(name)}@localhost'/>`);
      }
      const view = (name: string): { to: boolean; from: boolean; out: boolean; in: boolean } => {
        const fresh = world.bind(name, "fresh");
        const [item] = fresh.ask("get", "<query xmlns='jabber:iq:roster'/>").getChild("query")!.getChildElements();
        fresh.send("<presence/>");
        const request = fresh.took().includes(`presence subscribe ${other(name)}@localhost`);
        fresh.session.end();
        const { subscription = "none", ask } = item?.attrs ?? {};
        return {
          to: ["to", "both"].includes(subscription),
          from: ["from", "both"].includes(subscription),
          out: ask === "subscribe",
          in: request,
        };
      };
      const [alice, bob] = [view("alice"), view("bob")];
      expect(alice).toEqual({ to: bob.from, from: bob.to, out: bob.in, in: bob.out });
      expect(world.logged).toEqual([]);
    }),
    { numRuns: 150 },
  );
});
