// Two domains in one process, as servers of a federation: RFC 6120 section 10.4, RFC 6121 sections 3, 4 and 8.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeCertificates } from "../../../src/sandbox/certificates.ts";
import { XmppListener } from "../../../src/sandbox/server/listener.ts";
import { noProsody, startProsody } from "../../support/prosody.ts";
import { play } from "./play.ts";
import { RecordingService, World, conditionOf, type Client } from "./world.ts";

const unknown = "<x xmlns='urn:example'/>";
const roster = "<query xmlns='jabber:iq:roster'/>";

describe("two domains", () => {
  let near: World;
  let far: World;
  let alice: Client;
  let bob: Client;
  let cut: () => void;

  beforeEach(() => {
    near = new World();
    far = new World("far.localhost");
    cut = near.domain.federate(far.domain);
    alice = near.online("alice");
    bob = far.online("bob");
  });

  const befriend = (): void => {
    alice.send("<presence type='subscribe' to='bob@far.localhost'/>");
    bob.send("<presence type='subscribed' to='alice@localhost'/>", "<presence type='subscribe' to='alice@localhost'/>");
    alice.send("<presence type='subscribed' to='bob@far.localhost'/>");
  };

  it("know each other's accounts, and each keeps a roster that is right", () => {
    befriend();
    expect(alice.took()).toContain("presence available bob@far.localhost/r 0");
    expect(bob.took()).toContain("presence available alice@localhost/r 0");
    expect(alice.ask("get", roster).toString()).toContain(`jid="bob@far.localhost" subscription="both"`);
    expect(bob.ask("get", roster).toString()).toContain(`jid="alice@localhost" subscription="both"`);
    bob.send("<presence type='unsubscribed' to='alice@localhost'/>");
    expect(alice.took()).toContain("presence unavailable bob@far.localhost/r");
    expect(alice.ask("get", roster).toString()).toContain(`jid="bob@far.localhost" subscription="from"`);
  });

  it("tell of who comes and goes, and answer the probe of one who logs in", () => {
    befriend();
    bob.session.end();
    expect(alice.took().at(-1)).toBe("presence unavailable bob@far.localhost/r");
    const again = far.bind("bob", "again");
    again.send("<presence/>");
    expect(again.took()).toContain("presence available alice@localhost/r 0");
    expect(alice.took()).toEqual(["presence available bob@far.localhost/again"]);
  });

  it("pass on directed presence, messages, requests and answers, in their order", () => {
    alice.send(
      "<presence to='bob@far.localhost/r'/>",
      "<message to='bob@far.localhost'><body>hello</body></message>",
      `<iq type='get' id='1' to='bob@far.localhost/r'>${unknown}</iq>`,
    );
    expect(bob.took()).toEqual([
      "presence available alice@localhost/r",
      "message normal alice@localhost/r hello",
      "iq get alice@localhost/r x",
    ]);
    bob.send("<iq type='result' id='1' to='alice@localhost/r'/>");
    expect(alice.took()).toEqual(["iq result bob@far.localhost/r"]);
    alice.session.end();
    expect(bob.took()).toEqual(["presence unavailable alice@localhost/r"]);
  });

  it("reach each other's services, which also speak first", () => {
    const service = new RecordingService("service.far.localhost");
    far.domain.attach(service);
    alice.send(`<iq type='get' id='1' to='service.far.localhost'>${unknown}</iq>`);
    expect(service.took()).toEqual(["iq get alice@localhost/r x"]);
    service.send("<message from='service.far.localhost' to='alice@localhost'><body>hello</body></message>");
    expect(alice.took()).toEqual(["message normal service.far.localhost hello"]);
    // Each server lists its own only.
    const items = alice.ask("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "localhost");
    expect(items.toString()).not.toContain("far.localhost");
  });

  it("answer in the other's place for who is not there", () => {
    expect(conditionOf(alice.ask("get", unknown, "bob@far.localhost/gone"))).toBe("cancel/service-unavailable");
    expect(conditionOf(alice.ask("get", unknown, "nobody@far.localhost"))).toBe("cancel/service-unavailable");
    expect(conditionOf(alice.ask("get", unknown, "nowhere.localhost"))).toBe("cancel/remote-server-not-found");
    expect(alice.ask("get", "<ping xmlns='urn:xmpp:ping'/>", "far.localhost").attrs["type"]).toBe("result");
  });

  it("tell their listeners of what passes between them", () => {
    const seen: string[] = [];
    near.domain.onStanza((direction, from, to) => seen.push(`near ${direction} ${from} ${to}`));
    far.domain.onStanza((direction, from, to) => seen.push(`far ${direction} ${from} ${to}`));
    alice.send("<message to='bob@far.localhost'/>");
    expect(seen).toEqual([
      "near in alice@localhost/r bob@far.localhost",
      "near out alice@localhost/r bob@far.localhost",
      "far in alice@localhost/r bob@far.localhost",
      "far out alice@localhost/r bob@far.localhost/r",
    ]);
  });

  it("do not pass on what is for a third, who may be federated with the second", () => {
    const third = new World("third.localhost");
    far.domain.federate(third.domain);
    expect(conditionOf(alice.ask("get", unknown, "third.localhost"))).toBe("cancel/remote-server-not-found");
  });

  it.each([
    ["cut off", () => cut()],
    ["left by one", () => far.domain.isolate()],
  ])("find each other no more once they are %s", (_how, end) => {
    befriend();
    end();
    expect(conditionOf(alice.ask("get", unknown, "bob@far.localhost/r"))).toBe("cancel/remote-server-not-found");
    expect(conditionOf(bob.ask("get", unknown, "alice@localhost/r"))).toBe("cancel/remote-server-not-found");
    alice.take();
    alice.send("<presence/>");
    expect(alice.took()).toEqual(["presence available alice@localhost/r"]); // no error for what the server sends itself
    expect(near.domain.federate(far.domain)).toBeTypeOf("function"); // and they may meet again
    alice.send("<presence/>");
    expect(bob.took()).toContain("presence available alice@localhost/r");
  });

  it("cannot be the same", () => {
    expect(() => near.domain.federate(new World().domain)).toThrow("cannot be federated");
  });
});

/** Who sends what, and why Prosody does something else then, where it does. */
type Step = readonly ["alice" | "bob" | "carol", string, string?];

const to = (type: string, address: string): string => `<presence type='${type}' to='${address}'/>`;
const ask = (type: string, payload: string, address?: string): string =>
  `<iq type='${type}' id='i'${address === undefined ? "" : ` to='${address}'`}>${payload}</iq>`;
const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const [A, B, C] = ["alice@localhost", "bob@far.localhost", "carol@far.localhost"] as const;

const script: readonly Step[] = [
  ["alice", ask("get", roster)],
  ["bob", ask("get", roster)],
  ["carol", ask("get", roster)],
  ["alice", "<presence/>"],
  ["bob", "<presence><priority>5</priority></presence>"],
  ["carol", "<presence/>"],
  ["alice", to("subscribe", B)],
  ["bob", to("subscribed", A)],
  ["bob", to("subscribe", A)],
  ["alice", to("unsubscribed", B)],
  ["bob", to("subscribe", A)],
  ["alice", to("subscribed", B), "it probes the contact again"],
  ["alice", to("subscribe", C)],
  ["carol", to("unsubscribed", A)],
  ["alice", ask("get", roster)],
  ["bob", ask("get", roster)],
  ["alice", to("subscribe", "nobody@far.localhost"), "it answers for accounts that do not exist"],
  ["alice", "<presence><show>away</show></presence>"],
  ["alice", `<presence to='${C}/r'/>`],
  ["carol", to("probe", B)],
  ["alice", to("probe", C)],
  ["alice", ask("get", info, B)],
  ["alice", ask("get", info, C)],
  ["alice", ask("get", unknown, `${B}/r`)],
  ["bob", `<iq type='result' id='i' to='${A}/r'/>`],
  ["bob", ask("set", unknown, `${A}/gone`)],
  ["bob", ask("set", unknown, "nobody@localhost/r")],
  ["bob", ask("get", unknown, "localhost")],
  ["alice", `<message to='${B}'><body>b</body></message>`],
  ["alice", "<message to='nobody@far.localhost'><body>b</body></message>"],
  ["alice", `<message from='${C}/r' to='${B}/r'><body>forged</body></message>`],
  ["bob", "<presence type='unavailable'/>"],
  ["bob", "<presence/>", "it tells the contact's presence twice"],
  [
    "alice",
    ask("set", `<query xmlns='jabber:iq:roster'><item jid='${B}' subscription='remove'/></query>`),
    "it ends the two directions in the other order, without unavailable presence (RFC 6121 3.3.3)",
  ],
  ["bob", ask("get", roster)],
];

describe.skipIf(noProsody !== undefined)(
  "clients of two federated sandboxes see what those of two of Prosody's hosts see",
  () => {
    let prosody: string[];
    let sandbox: string[];
    const stops: (() => Promise<void>)[] = [];

    beforeAll(async () => {
      const real = (await startProsody({ hosts: ["far.localhost"] }))!;
      stops.push(() => real.stop());
      const worlds = [new World(), new World("far.localhost")] as const;
      const homes = [];
      for (const { domain, clock } of worlds) {
        for (const name of ["alice", "bob", "carol"]) domain.removeAccount(name);
        const certificates = await makeCertificates(domain.domain, clock);
        const listener = new XmppListener({ domain, certificates, clock });
        stops.push(() => listener.close());
        homes.push({ domain: domain.domain, port: await listener.listen(), ca: certificates.ca });
      }
      worlds[0].domain.federate(worlds[1].domain);
      const [near, far] = homes as [(typeof homes)[0], (typeof homes)[0]];
      const there = { ...real, domain: "far.localhost" };
      prosody = await play({ alice: real, bob: there, carol: there }, script);
      sandbox = await play({ alice: near, bob: far, carol: far }, script);
    }, 30_000);

    afterAll(async () => {
      for (const stop of stops) await stop();
    });

    const compared = script.map(([who, stanza, unlike], index) => ({ who, stanza, unlike, index }));
    it.each(compared.filter(({ unlike }) => unlike === undefined))("$who sends $stanza", ({ index }) => {
      expect(sandbox[index]).toBe(prosody[index]);
    });
  },
);
