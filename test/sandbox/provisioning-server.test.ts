import { beforeEach, describe, expect, it } from "vitest";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { ConfigError } from "../../src/core/errors.ts";
import type { LogFields, Logger } from "../../src/core/logger.ts";
import type { UndecidedQuestion } from "../../src/sandbox/provisioning-server-options.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { canonical } from "../support/canonical.ts";

const SERVER = "provisioning.example.org";
const DEVICE = "device@example.org/device";
const OTHER = "other@example.org/device";
const PRIMARY = "primary@example.org";
const RETRY = 10_000;

let clock: SimulatedClock;
let server: ReferenceProvisioningServer;
let output: XmlElement[];
let warnings: string[];

beforeEach(() => {
  clock = new SimulatedClock();
  output = [];
  warnings = [];
  const ignore = (): void => undefined;
  const warn = (message: string, fields?: LogFields): void =>
    void warnings.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: ignore, info: ignore, warn, error: warn };
  server = new ReferenceProvisioningServer({ jid: SERVER, random: new SeededRandom("provisioning"), clock, logger });
  server.onOutput((stanzas) => output.push(...stanzas));
});

const send = (xml: string): readonly XmlElement[] => server.receive(parseXml(xml));
const iq = (from: string, content: string, type = "get", id = "1"): readonly XmlElement[] =>
  send(`<iq xmlns='jabber:client' type='${type}' from='${from}' to='${SERVER}' id='${id}'>${content}</iq>`);
const presence = (from: string, type = ""): readonly XmlElement[] =>
  send(`<presence xmlns='jabber:client' from='${from}' to='${SERVER}'${type && ` type='${type}'`}/>`);
const isFriend = (jid: string, from = DEVICE, id = "9"): readonly XmlElement[] =>
  iq(from, `<isFriend xmlns='urn:xmpp:iot:provisioning' jid='${jid}'/>`, "get", id);
const canRead = (attributes = "", lists = "", from = DEVICE): readonly XmlElement[] =>
  iq(from, `<canRead xmlns='urn:xmpp:iot:provisioning' jid='${PRIMARY}' ${attributes}>${lists}</canRead>`, "get", "14");
/** The answer only: a Thing that has not acknowledged a change is told of it again first. */
const canControl = (attributes = "", lists = "", from = DEVICE): readonly XmlElement[] =>
  iq(from, `<canControl xmlns='urn:xmpp:iot:provisioning' jid='${PRIMARY}' ${attributes}>${lists}</canControl>`).slice(
    -1,
  );
const acknowledge = (
  clear: XmlElement | undefined,
  from = DEVICE,
  content = "<clearCacheResponse xmlns='urn:xmpp:iot:provisioning'/>",
): readonly XmlElement[] => iq(from, content, "result", clear?.attrs["id"]);
const refuse = (
  clear: XmlElement | undefined,
  condition: string,
  from = DEVICE,
  type = "cancel",
): readonly XmlElement[] =>
  iq(
    from,
    `<error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`,
    "error",
    clear?.attrs["id"],
  );

const expectSent = (sent: readonly XmlElement[], ...expected: readonly string[]): void => {
  expect(sent.map(canonical)).toEqual(expected.map((xml) => canonical(parseXml(xml))));
};
const answer = (content: string, id: string, to = DEVICE): string =>
  `<iq xmlns='jabber:client' type='result' from='${SERVER}' to='${to}' id='${id}'>${content}</iq>`;
const readResponse = (attributes: string, lists = ""): string =>
  answer(
    `<canReadResponse xmlns='urn:xmpp:iot:provisioning' jid='${PRIMARY}' ${attributes}>${lists}</canReadResponse>`,
    "14",
  );
/** A `clearCache` for that address, and nothing else (Listing 20). */
const expectClear = (sent: readonly XmlElement[], ...to: readonly string[]): void => {
  expectSent(
    sent,
    ...to.map(
      (full, i) =>
        `<iq xmlns='jabber:client' type='set' from='${SERVER}' to='${full}' id='${sent[i]?.attrs["id"] ?? ""}'>
           <clearCache xmlns='urn:xmpp:iot:provisioning'/></iq>`,
    ),
  );
};
/** What the server sent by itself since the last look. */
const taken = (): readonly XmlElement[] => output.splice(0);
const refusal = (sent: readonly XmlElement[]): string => {
  const error = sent[0]?.getChild("error");
  return `${sent[0]?.attrs["type"] ?? ""} ${error?.attrs["type"] ?? ""} ${error?.getChildElements()[0]?.name ?? ""}`;
};

describe("isFriend", () => {
  it("is answered by the rules (Listing 10, P-3.2.1-1, P-3.2.1-3, P-3.2.1-5)", () => {
    server.allowFriend("device@example.org", "client1@example.org");
    expectSent(
      isFriend("client1@example.org"),
      answer("<isFriendResponse xmlns='urn:xmpp:iot:provisioning' jid='client1@example.org' result='true'/>", "9"),
    );
    // The other of the two is the sender: the rule is for this Thing.
    expect(isFriend("client1@example.org", OTHER)[0]?.toString()).toContain('result="false"');
  });

  it("is no by default (Listing 11, P-5.3-4)", () => {
    expectSent(
      isFriend("client2@example.org", DEVICE, "10"),
      answer("<isFriendResponse xmlns='urn:xmpp:iot:provisioning' jid='client2@example.org' result='false'/>", "10"),
    );
  });

  it("ignores resources on both sides, and case (P-3.2.1-4)", () => {
    server.allowFriend("device@example.org/x", "Client1@example.org/y");
    const yes = "<isFriendResponse xmlns='urn:xmpp:iot:provisioning' jid='client1@example.org' result='true'/>";
    expectSent(isFriend("CLIENT1@example.org/phone"), answer(yes, "9"));
    expectSent(isFriend("client1@example.org", "device@example.org/z"), answer(yes, "9", "device@example.org/z"));
  });

  it("can be taken back", () => {
    server.allowFriend("device@example.org", PRIMARY);
    server.allowFriend("device@example.org", PRIMARY, false);
    expect(isFriend(PRIMARY)[0]?.toString()).toContain('result="false"');
    expect(server.rules).toEqual([{ thing: "device@example.org", jid: PRIMARY, friend: false }]);
  });
});

describe("canRead", () => {
  it("is no by default, tokens or not (Listing 14, P-3.3.1-2)", () => {
    expectSent(
      canRead("serviceToken='SERVICETOKEN1' userToken='USERTOKEN1' momentary='true'"),
      readResponse("momentary='true' result='false'"),
    );
  });

  it("is limited to nodes (Listing 15, P-3.3.2-1)", () => {
    server.allowRead("device@example.org", PRIMARY, { nodes: [{ nodeId: "Device02" }] });
    expectSent(
      canRead("momentary='true'", "<node nodeId='Device02'/><node nodeId='Device03'/>"),
      readResponse("momentary='true' result='true'", "<node nodeId='Device02'/>"),
    );
  });

  it("is limited to fields (Listing 16, P-3.3.3-1)", () => {
    server.allowRead("device@example.org", PRIMARY, { fields: ["Energy", "Power"] });
    expectSent(
      canRead("momentary='true'"),
      readResponse("momentary='true' result='true'", "<field name='Energy'/><field name='Power'/>"),
    );
  });

  it("is limited to types, all and historical spelled out (P-E18)", () => {
    server.allowRead("device@example.org", PRIMARY, { types: ["momentary", "historicalDay"] });
    expectSent(canRead("all='true'"), readResponse("momentary='true' historicalDay='true' result='true'"));
    expectSent(canRead("historical='true'"), readResponse("historicalDay='true' result='true'"));
    expectSent(canRead("peak='true'"), readResponse("peak='true' result='false'"));
  });

  it.each([
    ["node (P-3.3.2-3)", "<node nodeId='n2'/><field name='Energy'/>"],
    ["field (P-3.3.3-3)", "<node nodeId='n1'/><field name='energy'/>"],
  ])("is no when no %s of the question may be read", (_what, lists) => {
    server.allowRead("device@example.org", PRIMARY, { nodes: [{ nodeId: "n1" }], fields: ["Energy"] });
    expectSent(canRead("momentary='true'", lists), readResponse("momentary='true' result='false'"));
  });

  it("is an unlimited yes by a rule without limits", () => {
    server.allowRead("device@example.org", PRIMARY);
    expectSent(
      canRead("momentary='true'", "<node nodeId='n1'/><field name='Energy'/>"),
      readResponse("momentary='true' result='true'"),
    );
  });

  it("has nothing to do with friendship", () => {
    server.setRules([{ thing: "device@example.org", jid: PRIMARY, friend: true }]);
    expectSent(canRead("momentary='true'"), readResponse("momentary='true' result='false'"));
  });
});

describe("canControl", () => {
  const controlResponse = (result: boolean, lists = ""): string =>
    answer(
      `<canControlResponse xmlns='urn:xmpp:iot:provisioning' jid='${PRIMARY}' result='${result}'>${lists}</canControlResponse>`,
      "1",
    );

  it("P-3.4.2-3, P-3.4.3-3: is no by default, whatever may be read (Listing 17)", () => {
    server.allowRead("device@example.org", PRIMARY);
    expectSent(
      canControl("serviceToken='SERVICETOKEN1' userToken='USERTOKEN1'", "<parameter name='Output'/>"),
      controlResponse(false),
    );
  });

  it("P-3.4.2-1, P-3.4.3-1: is narrowed to nodes (Listing 18) and parameters (Listing 19)", () => {
    const nodes = [{ nodeId: "DigitalOutput2" }, { nodeId: "DigitalOutput3" }];
    server.allowControl("device@example.org", PRIMARY, { nodes });
    const outputs = [1, 2, 3, 4].map((n) => `<node nodeId='DigitalOutput${n}'/>`).join("");
    expectSent(
      canControl("", `${outputs}<parameter name='Output'/>`),
      controlResponse(true, "<node nodeId='DigitalOutput2'/><node nodeId='DigitalOutput3'/>"),
    );
    server.allowControl("device@example.org", PRIMARY, { parameters: ["DigitalOutput1"] });
    expectSent(
      canControl("", "<parameter name='DigitalOutput1'/><parameter name='AnalogOutput1'/>"),
      controlResponse(true, "<parameter name='DigitalOutput1'/>"),
    );
  });

  it("P-3.4.3-5: is narrowed to both at once, and a no when either leaves nothing (P-3.4.2-3, P-3.4.3-3)", () => {
    server.allowControl("device@example.org", PRIMARY, { nodes: [{ nodeId: "a" }], parameters: ["LED"] });
    const nodes = "<node nodeId='a'/><node nodeId='b'/>";
    expectSent(
      canControl("", `${nodes}<parameter name='LED'/><parameter name='Pump'/>`),
      controlResponse(true, "<node nodeId='a'/><parameter name='LED'/>"),
    );
    expectSent(canControl("", `${nodes}<parameter name='Pump'/>`), controlResponse(false));
    expectSent(canControl("", "<node nodeId='b'/><parameter name='LED'/>"), controlResponse(false));
  });

  it("is yes to this party at this Thing, until it is taken back", () => {
    server.allowControl("device@example.org", PRIMARY);
    const led = "<parameter name='LED'/>";
    expectSent(canControl("", led), controlResponse(true));
    expect(canControl("", led, OTHER)[0]?.toString()).toContain('result="false"');
    server.allowControl("device@example.org", PRIMARY, false);
    expectSent(canControl("", led), controlResponse(false));
    expect(server.rules).toEqual([{ thing: "device@example.org", jid: PRIMARY, control: false }]);
  });

  it("is counted, and the Thing that asked is told of changes", () => {
    canControl("", "<parameter name='LED'/>");
    expect(server.questions).toEqual([
      { thing: "device@example.org", kind: "canControl", jid: PRIMARY, result: false },
    ]);
    expect([server.count(), server.count("canControl"), server.count("canRead")]).toEqual([1, 1, 0]);
    taken();
    server.allowControl("device@example.org", PRIMARY);
    expectClear(taken(), DEVICE);
  });
});

describe("questions", () => {
  it("are kept and counted, with what was answered", () => {
    server.allowFriend("device@example.org", PRIMARY);
    isFriend(`${PRIMARY}/x`);
    isFriend("client2@example.org", OTHER);
    canRead("momentary='true'");
    expect(server.questions).toEqual([
      { thing: "device@example.org", kind: "isFriend", jid: PRIMARY, result: true },
      { thing: "other@example.org", kind: "isFriend", jid: "client2@example.org", result: false },
      { thing: "device@example.org", kind: "canRead", jid: PRIMARY, result: false },
    ]);
    expect([server.count(), server.count("isFriend"), server.count("canRead")]).toEqual([3, 2, 1]);
  });

  it("keep a bound on the list, not on the count", () => {
    for (let i = 0; i < 10_001; i++) isFriend(`client${i}@example.org`);
    expect(server.count()).toBe(10_001);
    expect(server.questions).toHaveLength(10_000);
    expect(server.questions[0]?.jid).toBe("client1@example.org");
  });

  it("that are malformed are refused and not counted", () => {
    const malformed = [
      "<isFriend xmlns='urn:xmpp:iot:provisioning'/>",
      "<isFriend xmlns='urn:xmpp:iot:provisioning' jid='@'/>",
      "<canRead xmlns='urn:xmpp:iot:provisioning' jid='a@b' momentary='perhaps'/>",
      "<canRead xmlns='urn:xmpp:iot:provisioning' jid='a@b'><node/></canRead>",
      "<canRead xmlns='urn:xmpp:iot:provisioning' jid='a@b'><field/></canRead>",
      "<canControl xmlns='urn:xmpp:iot:provisioning'/>",
      "<canControl xmlns='urn:xmpp:iot:provisioning' jid='a@b'><parameter/></canControl>",
      "",
    ];
    for (const content of malformed) expect(refusal(iq(DEVICE, content))).toBe("error modify bad-request");
    expect(server.count()).toBe(0);
    server.setRules([]);
    expect(taken()).toEqual([]); // nobody has anything in a cache
  });

  it("of other kinds are not answered here", () => {
    for (const name of ["canAccessResponse", "getTokenResponse", "isFriendResponse"]) {
      const content = `<${name} xmlns='urn:xmpp:iot:provisioning' jid='a@b'/>`;
      expect(refusal(iq(DEVICE, content))).toBe("error cancel service-unavailable");
    }
    expect(refusal(iq(DEVICE, "<isFriend xmlns='urn:other' jid='a@b'/>"))).toBe("error cancel service-unavailable");
    expect(send(`<message xmlns='jabber:client' from='${DEVICE}' to='${SERVER}'/>`)).toEqual([]);
  });

  it("about the server itself are (XEP-0324 4, P-4-1, XEP-0199)", () => {
    const [info] = iq(DEVICE, "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    const features = info
      ?.getChild("query")
      ?.getChildren("feature")
      .map((feature) => feature.attrs["var"]);
    expect(features).toEqual(["http://jabber.org/protocol/disco#info", "urn:xmpp:iot:provisioning", "urn:xmpp:ping"]);
    expectSent(iq(DEVICE, "<ping xmlns='urn:xmpp:ping'/>"), answer("", "1"));
  });
});

describe("rules", () => {
  it("can be given at the start, and are refused whole if a JID in them is none", () => {
    const options = { jid: SERVER, random: new SeededRandom(1), clock };
    const ready = new ReferenceProvisioningServer({ ...options, rules: [{ jid: "Example.org", friend: true }] });
    expect(ready.rules).toEqual([{ jid: "example.org", friend: true }]);
    expect(() => new ReferenceProvisioningServer({ ...options, jid: "" })).toThrow(ConfigError);
    isFriend(PRIMARY);
    expect(() => server.setRules([{ friend: true }, { jid: "@" }])).toThrow(ConfigError);
    expect(() => server.allowFriend("@", PRIMARY)).toThrow(ConfigError);
    expect(server.rules).toEqual([]);
    expect(taken()).toEqual([]);
  });

  it("are replaced whole by setRules", () => {
    server.allowFriend("device@example.org", PRIMARY);
    server.setRules([{ read: true }]);
    expect(server.rules).toEqual([{ read: true }]);
    expect(isFriend(PRIMARY)[0]?.toString()).toContain('result="false"');
  });
});

describe("clearCache", () => {
  it("goes to a Thing that is there, at once, and not again once acknowledged (Listing 20, P-3.5.1-1, P-3.5.1-4)", async () => {
    presence(DEVICE);
    isFriend(PRIMARY);
    server.allowFriend("device@example.org", PRIMARY);
    const [clear, ...more] = taken();
    expectClear([clear!], DEVICE);
    expect(more).toEqual([]);
    expect(server.unacknowledged).toEqual(["device@example.org"]);
    expect(acknowledge(clear)).toEqual([]);
    expect(server.unacknowledged).toEqual([]);
    expect(clock.pending).toBe(0);
    await clock.advance(100 * RETRY);
    expect(taken()).toEqual([]);
    expect(presence(DEVICE)).toEqual([]);
    expect(isFriend(PRIMARY)).toHaveLength(1);
  });

  it("is repeated until it is acknowledged, by an empty result too (P-3.5.1-4)", async () => {
    isFriend(PRIMARY); // known by its request only: that will do
    server.setRules([]);
    const [first] = taken();
    expectClear([first!], DEVICE);
    await clock.advance(RETRY - 1);
    expect(taken()).toEqual([]);
    await clock.advance(1);
    expectClear(taken(), DEVICE);
    await clock.advance(2 * RETRY);
    const last = taken();
    expectClear(last, DEVICE, DEVICE);
    acknowledge(last[1], DEVICE, "");
    await clock.advance(100 * RETRY);
    expect(taken()).toEqual([]);
  });

  it("is repeated in the interval given", async () => {
    server = new ReferenceProvisioningServer({ jid: SERVER, random: new SeededRandom(1), clock, retry: 500 });
    server.onOutput((stanzas) => output.push(...stanzas));
    isFriend(PRIMARY);
    server.setRules([]);
    await clock.advance(1_100);
    expect(taken()).toHaveLength(3);
  });

  it("P-3.5.1-1, P-3.5.1-6: goes to every Thing that ever asked when all rules are replaced, and to nobody else", () => {
    isFriend(PRIMARY);
    canRead("momentary='true'", "", OTHER);
    presence("stranger@example.org/x");
    iq("curious@example.org/x", "<ping xmlns='urn:xmpp:ping'/>");
    server.setRules([]);
    expectClear(taken(), DEVICE, OTHER);
    expect(presence("stranger@example.org/x")).toEqual([]);
    expect(iq("curious@example.org/x", "<ping xmlns='urn:xmpp:ping'/>")).toHaveLength(1);
  });

  it("is the first a Thing hears that was away when the rules changed (P-3.5.1-2, P-5.2-5, P-5.2-6)", async () => {
    presence(DEVICE);
    isFriend(PRIMARY);
    presence(DEVICE, "unavailable");
    server.setRules([]);
    await clock.advance(10 * RETRY);
    expect(taken()).toEqual([]);
    expect(clock.pending).toBe(0); // nobody is there to repeat it to
    const back = "device@example.org/new";
    const [clear, ...more] = presence(back);
    expectClear([clear!], back);
    expect(more).toEqual([]);
    // What it asks behind its presence is answered behind the clearCache, which is not said twice for it.
    expectSent(iq(back, "<ping xmlns='urn:xmpp:ping'/>"), answer("", "1", back));
    await clock.advance(RETRY);
    expectClear(taken(), back);
    acknowledge(clear, back);
    await clock.advance(10 * RETRY);
    expect(taken()).toEqual([]);
    expect(presence(back)).toEqual([]);
  });

  it("goes before the answer to whatever is asked by a Thing that sent no presence (P-5.2-6)", () => {
    presence(DEVICE);
    isFriend(PRIMARY);
    presence(DEVICE, "unavailable");
    server.allowFriend("device@example.org", PRIMARY);
    const ping = iq(DEVICE, "<ping xmlns='urn:xmpp:ping'/>");
    expectClear(ping.slice(0, 1), DEVICE);
    expectSent(ping.slice(1), answer("", "1"));
    // It may have come back once more, unseen: it is told again.
    const asked = isFriend(PRIMARY);
    expectClear(asked.slice(0, 1), DEVICE);
    expect(asked[1]?.toString()).toContain('result="true"');
    // Also before a refusal.
    const odd = iq(DEVICE, "<isFriend xmlns='urn:xmpp:iot:provisioning'/>");
    expectClear(odd.slice(0, 1), DEVICE);
    expect(refusal(odd.slice(1))).toBe("error modify bad-request");
    acknowledge(odd[0]);
    expect(isFriend(PRIMARY)).toHaveLength(1);
  });

  it("is said again on presence from the same address: it may be a new stream", () => {
    presence(DEVICE);
    isFriend(PRIMARY);
    server.setRules([]);
    expectClear(taken(), DEVICE);
    const again = presence(DEVICE);
    expectClear(again, DEVICE);
    acknowledge(again[0]);
    expect(presence(DEVICE)).toEqual([]);
  });

  it("must be acknowledged by one that is newer than the last change", async () => {
    presence(DEVICE);
    isFriend(PRIMARY);
    server.setRules([]);
    server.allowFriend("device@example.org", PRIMARY);
    const [first, second, ...more] = taken();
    expectClear([first!, second!], DEVICE, DEVICE);
    expect(more).toEqual([]);
    acknowledge(first);
    expect(server.unacknowledged).toHaveLength(1);
    await clock.advance(RETRY);
    expectClear(taken(), DEVICE);
    acknowledge(second);
    expect(server.unacknowledged).toEqual([]);
    await clock.advance(10 * RETRY);
    expect(taken()).toEqual([]);
  });

  it("is due again at the next change", () => {
    isFriend(PRIMARY);
    server.setRules([]);
    acknowledge(taken()[0]);
    server.setRules([]);
    const [clear] = taken();
    expectClear([clear!], DEVICE);
    acknowledge(clear);
    expect(server.unacknowledged).toEqual([]);
  });

  it("goes to every address of a Thing, and one acknowledgement will do", async () => {
    const second = "device@example.org/second";
    isFriend(PRIMARY);
    isFriend(PRIMARY, second);
    server.setRules([]);
    const clears = taken();
    expectClear(clears, DEVICE, second);
    acknowledge(clears[1], second);
    await clock.advance(10 * RETRY);
    expect(taken()).toEqual([]);
  });

  it("is not acknowledged by a stranger, another id, another of its addresses, or what is no acknowledgement", () => {
    const second = "device@example.org/second";
    presence(second);
    isFriend(PRIMARY);
    server.setRules([]);
    const [, clear] = taken(); // the first went to `second`
    expect(clear?.attrs["to"]).toBe(DEVICE);
    acknowledge(clear, "stranger@example.org/x");
    acknowledge(clear, second);
    acknowledge(clear, "device@example.org/unknown");
    iq(DEVICE, "", "result", "x");
    iq(DEVICE, "", "result", "");
    acknowledge(clear, DEVICE, "<clearCacheResponse xmlns='urn:other'/>");
    acknowledge(clear, DEVICE, "<error type='cancel'/>"); // P-E2
    send(
      `<iq xmlns='jabber:client' type='result' from='${DEVICE}' to='x@${SERVER}' id='${clear?.attrs["id"] ?? ""}'/>`,
    );
    expect(server.unacknowledged).toEqual(["device@example.org"]);
  });

  it("is not repeated to a stream that will not hear of it, but said on the next", async () => {
    presence(DEVICE);
    isFriend(PRIMARY);
    server.setRules([]);
    refuse(taken()[0], "forbidden");
    expect(warnings).toEqual([`a Thing did not clear its cache {"thing":"${DEVICE}","why":"forbidden"}`]);
    await clock.advance(10 * RETRY);
    expect(taken()).toEqual([]);
    expect(isFriend(PRIMARY)).toHaveLength(1);
    expect(server.unacknowledged).toHaveLength(1);
    const [again] = presence(DEVICE);
    expectClear([again!], DEVICE);
    await clock.advance(RETRY);
    expectClear(taken(), DEVICE);
    refuse(again, "forbidden");
    server.setRules([]); // a new change is a new clearCache
    expectClear(taken(), DEVICE);
    await clock.advance(RETRY);
    expectClear(taken(), DEVICE);
  });

  it("is not said before answers either where it was refused, presence or not", () => {
    isFriend(PRIMARY);
    server.setRules([]);
    refuse(taken()[0], "forbidden");
    expect(isFriend(PRIMARY)).toHaveLength(1);
  });

  it("is repeated to a Thing that failed or has no time", async () => {
    isFriend(PRIMARY);
    server.setRules([]);
    const [clear] = taken();
    refuse(clear, "internal-server-error");
    await clock.advance(RETRY);
    expectClear(taken(), DEVICE);
    refuse(clear, "resource-constraint", DEVICE, "wait");
    await clock.advance(RETRY);
    expectClear(taken(), DEVICE);
  });

  it.each(["service-unavailable", "recipient-unavailable"])("waits for presence after %s", async (condition) => {
    isFriend(PRIMARY);
    server.setRules([]);
    refuse(taken()[0], condition);
    await clock.advance(10 * RETRY);
    expect(taken()).toEqual([]);
    expect(clock.pending).toBe(0);
    expectClear(presence(DEVICE), DEVICE);
  });

  it("goes on to the address that is left when the other is gone", async () => {
    const second = "device@example.org/second";
    presence(DEVICE);
    presence(second);
    isFriend(PRIMARY);
    server.setRules([]);
    expectClear(taken(), second, DEVICE); // where it asked from last is told last
    presence(DEVICE, "error");
    await clock.advance(RETRY);
    expectClear(taken(), second);
    presence("device@example.org", "unavailable"); // the whole account
    await clock.advance(RETRY);
    expect(taken()).toEqual([]);
  });

  it("never goes to a bare account JID, which the server answers itself (P-E8); a component has no resource", () => {
    const component = "device.example.org";
    isFriend(PRIMARY, "device@example.org");
    isFriend(PRIMARY, component);
    server.setRules([]);
    expectClear(taken(), component);
    expect(presence("device@example.org")).toEqual([]);
    expect(isFriend(PRIMARY, "device@example.org")).toHaveLength(1);
  });

  it("is not repeated once the service is stopped", async () => {
    isFriend(PRIMARY);
    isFriend(PRIMARY, OTHER);
    server.setRules([]);
    taken();
    server.stop();
    expect(clock.pending).toBe(0);
    await clock.advance(10 * RETRY);
    expect(taken()).toEqual([]);
  });

  it("is lost without harm while nobody hosts the service", () => {
    const alone = new ReferenceProvisioningServer({ jid: SERVER, random: new SeededRandom(1), clock });
    const asked = parseXml(
      `<iq xmlns='jabber:client' type='get' from='${DEVICE}' id='1'><isFriend xmlns='urn:xmpp:iot:provisioning' jid='a@b'/></iq>`,
    );
    alone.receive(asked);
    alone.setRules([]);
    expect(alone.unacknowledged).toEqual(["device@example.org"]);
    const error = parseXml(`<iq xmlns='jabber:client' type='error' from='${DEVICE}' id='x'/>`);
    expect(alone.receive(error)).toEqual([]);
    alone.stop();
  });

  it("may be answered while it is being sent", () => {
    isFriend(PRIMARY);
    isFriend(PRIMARY, OTHER);
    server.onOutput((stanzas) => {
      for (const clear of stanzas) acknowledge(clear, clear.attrs["to"]);
    });
    server.setRules([]);
    expect(server.unacknowledged).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("forgets who only came by, and only goes unnoticed", () => {
    expect(presence("stranger@example.org/x", "unavailable")).toEqual([]);
    presence("stranger@example.org/x");
    presence("stranger@example.org/x", "unavailable");
    isFriend(PRIMARY, "stranger@example.org/y");
    server.setRules([]);
    expectClear(taken(), "stranger@example.org/y");
  });
});

describe("a Thing that comes and goes while rules change", () => {
  // A model: the Thing has a stale cache from a change until it clears. Whatever happens, it is told in the end, and
  // an answer behind its own presence never reaches it before the clearCache that is due.
  it("never hears an answer before the clearCache that is due, and hears of every change", async () => {
    const random = new SeededRandom("model");
    let stale = false;
    let online = false;
    let resource = 0;
    const full = (): string => `device@example.org/${resource}`;
    const pending: XmlElement[] = []; // in order, on the way to the Thing
    const deliver = (stanzas: readonly XmlElement[]): void => {
      pending.push(...stanzas.filter((stanza) => online && stanza.attrs["to"] === full()));
    };
    const step = (stanza: XmlElement): void => {
      if (stanza.getChild("clearCache")) {
        stale = false;
        deliver(acknowledge(stanza, full()));
      } else if (stanza.attrs["id"] === `after ${changes}`) {
        expect(stale).toBe(false); // it asked after the last change: the clearCache has come by now
        answers++;
      }
    };
    let changes = 0;
    let answers = 0;
    server.onOutput(deliver);
    isFriend(PRIMARY, full());
    for (let i = 0; i < 3_000; i++) {
      const dice = (random.bytes(1)[0] ?? 0) % 10;
      if (dice === 0) {
        server.allowFriend("device@example.org", PRIMARY, changes % 2 === 0);
        changes++;
        stale = true;
      } else if (dice === 1 && online) {
        online = false;
        pending.length = 0; // a broken stream loses what was on the way
        presence(full(), "unavailable");
      } else if (dice <= 3 && !online) {
        online = true;
        resource++;
        deliver(presence(full()));
      } else if (dice <= 6 && online) {
        deliver(isFriend(PRIMARY, full(), `after ${changes}`));
      } else {
        const next = pending.shift();
        if (next) step(next);
      }
    }
    if (!online) {
      online = true;
      resource++;
      deliver(presence(full()));
    }
    for (let next = pending.shift(); next; next = pending.shift()) step(next);
    expect(stale).toBe(false);
    expect(server.unacknowledged).toEqual([]);
    expect(changes).toBeGreaterThan(100);
    expect(answers).toBeGreaterThan(100);
    expect(clock.pending).toBe(0);
    await clock.advance(10 * RETRY);
    expect(pending).toEqual([]);
  });
});

describe("friendships that the server speaks of unasked", () => {
  it("P-3.2.4-1: are recommended by a message to the Thing (Listing 13)", () => {
    server.recommendFriend("Device@example.org/any", "client2@example.org/any");
    expectSent(
      output,
      `<message xmlns='jabber:client' from='${SERVER}' to='device@example.org'>
         <friend xmlns='urn:xmpp:iot:provisioning' jid='client2@example.org'/></message>`,
    );
  });

  it("P-3.2.3-1, P-3.2.3-2: are ended by a message to Things that have asked about friends before, and to no others (Listing 12)", () => {
    canRead();
    expect(server.unfriend("device@example.org", "client2@example.org")).toBe(false);
    expect(output).toEqual([]);
    isFriend("anybody@example.org");
    expect(server.unfriend("Device@example.org", "client2@example.org/any")).toBe(true);
    expectSent(
      output,
      `<message xmlns='jabber:client' from='${SERVER}' to='device@example.org'>
         <unfriend xmlns='urn:xmpp:iot:provisioning' jid='client2@example.org'/></message>`,
    );
  });

  it("name people, not anything", () => {
    expect(() => server.recommendFriend("a@b@c", "client2@example.org")).toThrow(ConfigError);
    expect(() => server.recommendFriend("device@example.org", "")).toThrow(ConfigError);
    expect(() => server.unfriend("a@b@c", "client2@example.org")).toThrow(ConfigError);
    expect(() => server.unfriend("device@example.org", "")).toThrow(ConfigError);
    expect(output).toEqual([]);
  });
});

describe("secondary trust (XEP-0324 3.1.4)", () => {
  it("P-3.1.4-1: is allowed on either answer to isFriend, from when it is set (P-E16)", () => {
    const response = (result: boolean, more: string): string =>
      answer(
        `<isFriendResponse xmlns='urn:xmpp:iot:provisioning' jid='client1@example.org' result='${result}'${more}/>`,
        "9",
      );
    expectSent(isFriend("client1@example.org"), response(false, ""));
    server.secondaryTrustAllowed = true;
    expectSent(isFriend("client1@example.org"), response(false, " secondaryTrustAllowed='true'"));
    server.allowFriend("device@example.org", "client1@example.org");
    expectSent(isFriend("client1@example.org").slice(-1), response(true, " secondaryTrustAllowed='true'"));
    server.stop();
    const generous = new ReferenceProvisioningServer({ jid: SERVER, secondaryTrustAllowed: true });
    expect(generous.secondaryTrustAllowed).toBe(true);
  });
});

describe("a question that no rule decides", () => {
  let open: UndecidedQuestion[];
  beforeEach(() => {
    open = [];
  });

  it("is told, with all that somebody needs to decide it", () => {
    server.onUndecided((question) => open.push(question));
    isFriend("client1@example.org");
    canRead("momentary='true'", "<node nodeId='one' sourceId='cellar'/><field name='Temperature'/>");
    canControl("", "<node nodeId='one'/><parameter name='Pump'/>");
    const nothing = { identities: [], nodes: [], fields: [], types: [], parameters: [], credentials: [] };
    const thing = "device@example.org";
    expect(open).toEqual([
      { ...nothing, thing, kind: "isFriend", jid: "client1@example.org" },
      {
        ...{ ...nothing, thing, kind: "canRead", jid: PRIMARY, types: ["momentary"], fields: ["Temperature"] },
        nodes: [{ nodeId: "one", sourceId: "cellar" }],
      },
      { ...nothing, thing, kind: "canControl", jid: PRIMARY, nodes: [{ nodeId: "one" }], parameters: ["Pump"] },
    ]);
  });

  it("is none when a rule says no, or allows other things", () => {
    server.onUndecided((question) => open.push(question));
    server.setRules([{ jid: "example.org", friend: false, read: { fields: ["Pressure"] }, control: false }]);
    isFriend(PRIMARY);
    canRead("", "<field name='Temperature'/>");
    canControl();
    expect(open).toEqual([]);
  });

  it("is decided by a rule for just this much, after which the Thing forgets its no", () => {
    server.onUndecided(({ thing, jid, fields }) => open.push({ thing, jid, fields } as UndecidedQuestion));
    canRead("", "<field name='Temperature'/>");
    const [question] = open;
    if (question === undefined) throw new Error("nothing was asked");
    const { thing, jid, fields } = question;
    server.addRule({ thing, jid, read: true, within: { fields } });
    expectClear(taken(), DEVICE);
    expect(canRead("", "<field name='Temperature'/>").at(-1)?.toString()).toContain('result="true"');
    // What goes beyond it is left open again.
    expect(canRead("", "<field name='Temperature'/><field name='Pressure'/>").at(-1)?.toString()).toContain('"false"');
    expect(open).toHaveLength(2);
  });

  it("is told to all who listen, also when one of them fails, until they no longer want to", () => {
    server.onUndecided(() => {
      throw new Error("I am ill");
    });
    const take = server.onUndecided((question) => open.push(question));
    expect(isFriend(PRIMARY)[0]?.toString()).toContain('result="false"');
    expect(warnings.join()).toContain("I am ill");
    take();
    isFriend(PRIMARY);
    expect(open).toHaveLength(1);
  });
});

describe("a rule for once", () => {
  it("is gone when it has allowed something, and clearCache follows the answer", () => {
    server.setRules([{ jid: PRIMARY, read: true, once: true }]);
    expectSent(canRead().slice(0, 1), readResponse("result='true'"));
    expect(server.rules).toEqual([]);
    expect(server.unacknowledged).toEqual(["device@example.org"]);
    const [clear] = canRead();
    acknowledge(clear);
    expectSent(canRead(), readResponse("result='false'"));
  });

  it("leaves the Thing the time to do what it allowed: clearCache follows after the time of a repetition", async () => {
    server.setRules([{ jid: PRIMARY, friend: true, control: true, once: true }]);
    expect(canControl()[0]?.toString()).toContain('result="true"');
    await clock.advance(RETRY - 1);
    expect(taken()).toEqual([]);
    await clock.advance(1);
    const cleared = taken();
    expectClear(cleared, DEVICE);
    acknowledge(cleared[0]);
    expect(server.unacknowledged).toEqual([]);
    expect(isFriend(PRIMARY)[0]?.toString()).toContain('result="false"'); // it was for once, whatever it was
  });

  it("stays as long as it has only refused", () => {
    server.setRules([{ jid: PRIMARY, read: { fields: ["Pressure"] }, friend: false, once: true }]);
    canRead("", "<field name='Temperature'/>");
    isFriend(PRIMARY);
    expect(server.rules).toHaveLength(1);
    expect(canRead("", "<field name='Pressure'/>")[0]?.toString()).toContain('result="true"');
    expect(server.rules).toEqual([]);
  });
});
