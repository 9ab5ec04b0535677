import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Tag } from "../../src/codec/tags.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { ConfigError } from "../../src/core/errors.ts";
import type { LogFields, Logger } from "../../src/core/logger.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { fingerprint } from "../../src/sandbox/registry-tags.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { canonical } from "../support/canonical.ts";

const REGISTRY = "discovery.example.org";
const THING = "thing@example.org/imc";
const OWNER = "owner@example.org/phone";
const STRANGER = "stranger@example.org/x";

// Listings 10, 15, 31: the tags of XEP-0347's Thing.
const LISTED = `<str name='SN' value='394872348732948723'/><str name='MAN' value='www.ktc.se'/>
  <str name='MODEL' value='IMC'/><num name='V' value='1.2'/><str name='KEY' value='4857402340298342'/>`;
const UPDATE = `<str name='KEY' value=''/><str name='CLASS' value='PLC'/>
  <num name='LON' value='-71.519722'/><num name='LAT' value='-33.008055'/>`;
const NODE = "nodeId='imc1' sourceId='MeteringTopology'";
const NOT_FOUND = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

let clock: SimulatedClock;
let registry: ReferenceRegistry;
let log: string;
const logger: Logger = (() => {
  const write = (message: string, fields?: LogFields): void => void (log += `${message} ${JSON.stringify(fields)}\n`);
  return { debug: write, info: write, warn: write, error: write };
})();

beforeEach(() => {
  clock = new SimulatedClock();
  log = "";
  registry = new ReferenceRegistry({ jid: REGISTRY, random: new SeededRandom("registry"), clock, logger });
});

const send = (xml: string): readonly XmlElement[] => registry.receive(parseXml(xml));
const iq = (from: string, content: string, type = "set", id = "1"): readonly XmlElement[] =>
  send(`<iq xmlns='jabber:client' type='${type}' from='${from}' to='${REGISTRY}' id='${id}'>${content}</iq>`);
const presence = (from: string, type = ""): readonly XmlElement[] =>
  send(`<presence xmlns='jabber:client' from='${from}' to='${REGISTRY}'${type && ` type='${type}'`}/>`);
const element = (name: string, tags: string, attributes = ""): string =>
  `<${name} xmlns='urn:xmpp:iot:discovery' ${attributes}>${tags}</${name}>`;
const register = (tags = LISTED, attributes = "", from = THING): readonly XmlElement[] =>
  iq(from, element("register", tags, attributes));
const mine = (tags = LISTED, from = OWNER, attributes = ""): readonly XmlElement[] =>
  iq(from, element("mine", tags, attributes), "set", "4");
const update = (tags: string, attributes = "", from = THING): readonly XmlElement[] =>
  iq(from, element("update", tags, attributes), "set", "8");
const acknowledge = (notice: XmlElement | undefined, from = THING, content = ""): readonly XmlElement[] =>
  iq(from, content, "result", notice?.attrs["id"]);

/** What was sent, compared without regard to how it is written. */
const expectSent = (sent: readonly XmlElement[], ...expected: readonly string[]): void => {
  expect(sent.map(canonical)).toEqual(expected.map((xml) => canonical(parseXml(xml))));
};
const answer = (to: string, content: string, type = "result", id = "1"): string =>
  `<iq xmlns='jabber:client' type='${type}' from='${REGISTRY}' to='${to}' id='${id}'>${content}</iq>`;
const claimed = (jid: string, attributes = "public='true'"): string =>
  `<claimed xmlns='urn:xmpp:iot:discovery' jid='${jid}' ${attributes}/>`;
const failedClaim = (to = OWNER): string => answer(to, NOT_FOUND, "error", "4");
const refusal = (sent: readonly XmlElement[]): string | undefined => {
  const error = sent[0]?.getChild("error");
  return sent.length === 1 && sent[0]?.attrs["type"] === "error" && error
    ? `${error.attrs["type"] ?? ""} ${error.getChildElements()[0]?.name ?? ""}`
    : undefined;
};

describe("registering", () => {
  it("answers with an empty result (Listing 10, D-3.6-1, D-3.6-2)", () => {
    expectSent(register(), answer(THING, ""));
    expect(registry.things).toEqual([
      {
        jid: "thing@example.org",
        tags: [
          { name: "SN", type: "str", value: "394872348732948723" },
          { name: "MAN", type: "str", value: "www.ktc.se" },
          { name: "MODEL", type: "str", value: "IMC" },
          { name: "V", type: "num", value: 1.2, text: "1.2" },
        ],
        hasKey: true,
        registeredAt: clock.now(),
      },
    ]);
  });

  it("as often as the Thing wants, one record, every time replacing all tags (D-3.6-8, D-3.6-9, D-3.6-10)", async () => {
    const first = clock.now();
    register();
    await clock.advance(1_000);
    expectSent(
      register("<str name='SN' value='2'/>", "", "thing@example.org/other"),
      answer("thing@example.org/other", ""),
    );
    expect(registry.things).toEqual([
      {
        jid: "thing@example.org",
        tags: [{ name: "SN", type: "str", value: "2" }],
        hasKey: false,
        registeredAt: first,
      },
    ]);
    expectSent(mine(), failedClaim());
    expect(mine("<str name='SN' value='2'/>")).toHaveLength(2);
  });

  it("changes nothing once the Thing is claimed, and tells it its owner (Listing 11, D-3.6-12)", () => {
    register();
    mine(LISTED, OWNER, "public='false'");
    expectSent(register("<str name='SN' value='2'/>"), answer(THING, claimed("owner@example.org", "public='false'")));
    expect(registry.things[0]?.tags).toHaveLength(4);
    expect(registry.things[0]).toMatchObject({ owner: "owner@example.org", public: false });
  });

  it("makes a self-owned Thing public and claimed by itself at once (Listing 12, D-3.7-1, D-3.7-2)", () => {
    expectSent(register(LISTED, "selfOwned='true'"), answer(THING, ""));
    expect(registry.things[0]).toMatchObject({ owner: "thing@example.org", public: true, told: true });
    expectSent(mine(), failedClaim());
    expect(presence(THING)).toEqual([]); // it knows
  });

  it("D-3.7-2: takes new tags of a self-owned Thing, for ever or no longer self-owned: it has no owner to protect (D-E26)", async () => {
    register(LISTED, "selfOwned='true'");
    const at = clock.now();
    await clock.advance(1_000);
    expectSent(register("<str name='SN' value='2'/>", "selfOwned='true'"), answer(THING, ""));
    expect(registry.things).toMatchObject([{ selfOwned: true, claimedAt: at, tags: [{ value: "2" }] }]);
    expectSent(register(LISTED), answer(THING, ""));
    expect(registry.things[0]?.owner).toBeUndefined();
    expect(mine()).toHaveLength(2);
    expectSent(register(LISTED, "selfOwned='true'"), answer(THING, claimed("owner@example.org")));
  });

  it("keeps one record for each node behind a JID, absent and empty attributes alike (Listing 13, D-3.8-1, D-3.8-2, D-E6)", () => {
    const rack = "rack@example.org/plcs";
    expectSent(register(LISTED, NODE, rack), answer(rack, ""));
    register("<str name='SN' value='2'/>", "nodeId='imc1'", rack);
    register("<str name='SN' value='3'/>", "nodeId='imc1' sourceId='MeteringTopology' cacheType=''", rack);
    register("<str name='SN' value='4'/>", "nodeId='imc1' sourceId='MeteringTopology' cacheType='c'", rack);
    register("<str name='SN' value='5'/>", "", rack);
    expect(registry.things.map(({ node, tags }) => [node, tags[0]?.value])).toEqual([
      [{ nodeId: "imc1", sourceId: "MeteringTopology" }, "3"],
      [{ nodeId: "imc1" }, "2"],
      [{ nodeId: "imc1", sourceId: "MeteringTopology", cacheType: "c" }, "4"],
      [undefined, "5"],
    ]);
  });

  it("takes IQs of type get from old guests (facts 12)", () => {
    expectSent(iq(THING, element("register", LISTED), "get"), answer(THING, ""));
    expect(iq(OWNER, element("mine", LISTED), "get")).toHaveLength(2);
    expectSent(iq(THING, element("update", UPDATE), "get", "8"), answer(THING, "", "result", "8"));
  });

  it("takes an element with a prefix for what it is, and counts it under its own name", () => {
    const prefixed = "<d:register xmlns:d='urn:xmpp:iot:discovery'><d:str name='SN' value='1'/></d:register>";
    expectSent(iq(THING, prefixed), answer(THING, ""));
    expect(registry.things[0]?.tags).toHaveLength(1);
    expect([...registry.requests]).toEqual([["register", 1]]);
  });
});

describe("claiming", () => {
  it("tells the owner the Thing and the Thing its owner (Listings 15, 17, 20; D-3.9-12, -13, -15, -17, -21)", async () => {
    register();
    await clock.advance(5);
    const [result, notice, ...more] = mine();
    expect(more).toEqual([]);
    expectSent([result!], answer(OWNER, claimed("thing@example.org"), "result", "4"));
    expectSent([notice!], answer(THING, claimed("owner@example.org"), "set", notice?.attrs["id"]));
    expect(registry.things[0]).toMatchObject({
      owner: "owner@example.org",
      public: true,
      told: false,
      claimedAt: clock.now(),
    });
  });

  it("keeps a Thing private if the owner wants it, and says so (Listings 16, 21; D-3.9-14, D-3.9-23)", () => {
    register();
    const [result, notice] = mine(LISTED, OWNER, "public='false'");
    expectSent([result!], answer(OWNER, claimed("thing@example.org", "public='false'"), "result", "4"));
    expectSent([notice!], answer(THING, claimed("owner@example.org", "public='false'"), "set", notice?.attrs["id"]));
    expect(registry.things[0]?.public).toBe(false);
  });

  it("names the node behind a concentrator to both (Listings 18, 22; D-3.9-18, D-3.9-25)", () => {
    const rack = "rack@example.org/plcs";
    register(LISTED, NODE, rack);
    const [result, notice] = mine();
    expectSent([result!], answer(OWNER, claimed("rack@example.org", `${NODE} public='true'`), "result", "4"));
    expectSent(
      [notice!],
      answer(rack, claimed("owner@example.org", `${NODE} public='true'`), "set", notice?.attrs["id"]),
    );
  });

  it("takes the same tags in any order, names in any case, numbers in any form (D-3.9-15, D-3.9-28, D-E10)", () => {
    register();
    const [result] = mine(`<str name='key' value='4857402340298342'/><num name='v' value='1.20e0'/>
      <str name='Model' value='IMC'/><str name='mAN' value='www.ktc.se'/><str name='sn' value='394872348732948723'/>`);
    expectSent([result!], answer(OWNER, claimed("thing@example.org"), "result", "4"));
  });

  it.each([
    ["of an unknown Thing", LISTED.replace("394872348732948723", "1")],
    ["with a wrong KEY", LISTED.replace("4857402340298342", "4857402340298343")],
    ["with a KEY in another case of letters", LISTED.replace("IMC", "imc")],
    ["without the KEY (D-6.4-3)", LISTED.replace("<str name='KEY' value='4857402340298342'/>", "")],
    ["with one tag more", `${LISTED}<str name='ROOM' value='1'/>`],
    ["with a number as a text", LISTED.replace("<num name='V'", "<str name='V'")],
    ["without any tags", ""],
  ])("answers a claim %s like every claim that fails (Listing 19, D-3.9-19, D-3.9-20)", (_what, tags) => {
    register();
    presence(THING);
    expectSent(mine(tags), failedClaim());
    expect(registry.things[0]?.owner).toBeUndefined();
  });

  it("does not let a Thing be claimed by no tags, even one that registered none", () => {
    register("");
    expectSent(mine(""), failedClaim());
  });

  it("answers the same to somebody else once claimed, and tells nobody (D-3.9-19)", () => {
    register();
    const [, notice] = mine();
    acknowledge(notice);
    expectSent(mine(LISTED, STRANGER), failedClaim(STRANGER));
    expect(registry.things[0]?.owner).toBe("owner@example.org");
  });

  it("answers the same when two Things fit", () => {
    register();
    register(LISTED, "", "twin@example.org/x");
    expectSent(mine(), failedClaim());
    expect(registry.things.map(({ owner }) => owner)).toEqual([undefined, undefined]);
  });

  it("gives the same claimer the same answer again, from any resource, and tells the Thing no more (D-3.9-16)", () => {
    register();
    mine(LISTED, OWNER, "public='false'");
    const tablet = "Owner@example.org/tablet";
    expectSent(mine(LISTED, tablet), answer(tablet, claimed("thing@example.org", "public='false'"), "result", "4"));
    expect(registry.things[0]?.public).toBe(false);
  });

  it("keeps a Thing that registers as its twin from being taken for the one claimed", () => {
    register();
    mine();
    register(LISTED, "", "twin@example.org/x");
    expectSent(mine(), failedClaim());
    expect(registry.things[1]?.owner).toBeUndefined();
  });

  it("after KEY is emptied knows the tags claimed with, from the same claimer only (D-6.5-3, D-3.13-6)", () => {
    register();
    mine();
    update(UPDATE);
    const again = answer(OWNER, claimed("thing@example.org"), "result", "4");
    expectSent(mine(), again);
    expectSent(mine(LISTED, STRANGER), failedClaim(STRANGER));
    // Its tags of now are exactly the same meta data too, for the owner.
    const now = `${LISTED.replace("<str name='KEY' value='4857402340298342'/>", "")}${UPDATE.replace("<str name='KEY' value=''/>", "")}`;
    expectSent(mine(now), again);
    expectSent(mine(now, STRANGER), failedClaim(STRANGER));
  });
});

describe("telling a Thing that it is claimed", () => {
  it("stops once the Thing has acknowledged (Listing 23, D-3.9-26)", () => {
    register();
    const [, notice] = mine();
    expect(registry.things[0]?.told).toBe(false);
    expect(acknowledge(notice)).toEqual([]);
    expect(registry.things[0]?.told).toBe(true);
    expect(presence(THING)).toEqual([]);
    expect(presence("thing@example.org/other")).toEqual([]);
  });

  it("waits for a Thing that is away, and repeats at every presence until it is acknowledged", () => {
    register();
    presence(THING);
    presence(THING, "unavailable");
    expect(mine()).toHaveLength(1);
    const back = "thing@example.org/new";
    const [first] = presence(back);
    expectSent([first!], answer(back, claimed("owner@example.org"), "set", first?.attrs["id"]));
    const [second, ...more] = presence(back);
    expect(more).toEqual([]);
    expectSent([second!], answer(back, claimed("owner@example.org"), "set", second?.attrs["id"]));
    acknowledge(second, back);
    expect(presence(back)).toEqual([]);
  });

  it("goes where the last request or presence came from (D-E16)", () => {
    const at = (resource: string): string => `thing@example.org/${resource}`;
    register(LISTED, "", at("a"));
    presence(at("b"));
    iq(at("c"), "<ping xmlns='urn:xmpp:ping'/>", "get");
    expect(mine()[1]?.attrs["to"]).toBe(at("c"));

    register("<str name='SN' value='2'/>", "nodeId='n'", at("a"));
    presence(at("c"), "unavailable");
    presence(at("a"), "unavailable");
    expect(mine("<str name='SN' value='2'/>")[1]?.attrs["to"]).toBe(at("b"));

    register("<str name='SN' value='3'/>", "nodeId='m'", at("a"));
    presence(at("b"));
    expect(mine("<str name='SN' value='3'/>")[1]?.attrs["to"]).toBe(at("b"));
  });

  it("takes presence that could not be delivered, and that of the whole account, for going", () => {
    register();
    presence(THING, "error");
    expect(mine()).toHaveLength(1);
    register("<str name='SN' value='2'/>", "nodeId='n'");
    presence("thing@example.org", "unavailable");
    expect(mine("<str name='SN' value='2'/>")).toHaveLength(1);
  });

  it("never goes to a bare account JID, which the server answers itself (P-E8); a component has no resource", () => {
    register(LISTED, "", "thing@example.org");
    expect(mine()).toHaveLength(1);
    const component = "<str name='SN' value='2'/>";
    register(component, "", "things.example.org");
    expect(mine(component)[1]?.attrs["to"]).toBe("things.example.org");
  });

  it("goes on when the Thing answers with an error, and forgets an address that nobody is at", () => {
    register();
    const [, notice] = mine();
    const error = (condition: string): string =>
      `<error type='cancel'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
    iq(THING, error("forbidden"), "error", notice?.attrs["id"]);
    expect(registry.things[0]?.told).toBe(false);
    const [again] = presence(THING);
    iq(THING, error("service-unavailable"), "error", again?.attrs["id"]);
    register("<str name='SN' value='2'/>", "nodeId='n'", "thing@example.org"); // known, but not where
    expect(mine("<str name='SN' value='2'/>")).toHaveLength(1);
    expect(presence(THING)).toHaveLength(2); // both nodes
  });

  it("does not believe an acknowledgement of somebody else, of another id, or an error in a result (P-E2)", () => {
    register();
    const [, notice] = mine();
    acknowledge(notice, STRANGER);
    iq(THING, "", "result", "x");
    iq(THING, "", "result", "");
    acknowledge(notice, THING, "<error type='cancel'/>");
    send(
      `<iq xmlns='jabber:client' type='result' from='${THING}' to='x@${REGISTRY}' id='${notice?.attrs["id"] ?? ""}'/>`,
    );
    expect(registry.things[0]?.told).toBe(false);
    expect(presence(THING)).toHaveLength(1);
  });

  it("makes ids that cannot be guessed from another's", () => {
    register();
    register("<str name='SN' value='2'/>", "nodeId='n'");
    const ids = [mine()[1], mine("<str name='SN' value='2'/>")[1]].map((notice) => notice?.attrs["id"] ?? "");
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[\w-]{22}$/); // 128 bits
  });
});

describe("updating", () => {
  it("changes the tags named, removes emptied ones, leaves the others (Listings 31, 33; D-3.13-4, -5, -8)", () => {
    register();
    mine();
    expectSent(update(UPDATE), answer(THING, "", "result", "8"));
    expect(registry.things[0]).toMatchObject({ hasKey: false });
    expect(registry.things[0]?.tags.map(({ name, value }) => [name, value])).toEqual([
      ["SN", "394872348732948723"],
      ["MAN", "www.ktc.se"],
      ["MODEL", "IMC"],
      ["V", 1.2],
      ["CLASS", "PLC"],
      ["LON", -71.519722],
      ["LAT", -33.008055],
    ]);
  });

  it("replaces a tag of the other type, and removes a number by an empty text (D-3.13-13, D-E9)", () => {
    register();
    mine();
    update("<str name='v' value='one'/><num name='Sn' value='7'/>");
    update("<str name='sn' value=''/>");
    expect(registry.things[0]?.tags.map(({ name, type }) => `${name} ${type}`)).toEqual([
      "MAN str",
      "MODEL str",
      "V str",
    ]);
  });

  it("works for a private Thing (D-E19)", () => {
    register();
    mine(LISTED, OWNER, "public='false'");
    expectSent(update(UPDATE), answer(THING, "", "result", "8"));
    expect(registry.things[0]?.hasKey).toBe(false);
  });

  it("works for a node behind a concentrator, and for that one only (Listing 32, D-3.13-7)", () => {
    register(LISTED, NODE);
    mine();
    expectSent(update(UPDATE), answer(THING, NOT_FOUND, "error", "8"));
    expectSent(update(UPDATE, NODE), answer(THING, "", "result", "8"));
    expect(registry.things[0]?.hasKey).toBe(false);
  });

  it("answers item-not-found for a Thing it does not know (Listing 34, D-3.13-9)", () => {
    expectSent(update(UPDATE), answer(THING, NOT_FOUND, "error", "8"));
    register();
    mine();
    expectSent(update(UPDATE, "", STRANGER), answer(STRANGER, NOT_FOUND, "error", "8"));
    expect(registry.things[0]?.hasKey).toBe(true);
  });

  it("answers disowned, and changes nothing, for a Thing that is not claimed (Listing 35, D-3.13-11)", () => {
    register();
    expectSent(update(UPDATE), answer(THING, "<disowned xmlns='urn:xmpp:iot:discovery'/>", "result", "8"));
    expect(registry.things[0]?.hasKey).toBe(true);
  });
});

describe("unregistering (XEP-0347 3.16)", () => {
  const unregister = (attributes = "", from = THING): readonly XmlElement[] =>
    iq(from, element("unregister", "", attributes), "set", "10");

  it("forgets the Thing, its owner and the notice to it, and answers with nothing (Listings 43, 45; D-E20)", () => {
    register();
    mine();
    expect(registry.things).toHaveLength(1);
    expectSent(unregister(), answer(THING, "", "result", "10"));
    expect(registry.things).toEqual([]);
    // No notice of the claim comes any more, and whoever registers has no owner.
    expectSent(presence(THING));
    expectSent(register(), answer(THING, ""));
    expect(registry.things[0]?.owner).toBeUndefined();
  });

  it("answers the same when there is nothing to forget (D-3.16-3)", () => {
    expectSent(unregister(), answer(THING, "", "result", "10"));
    expect(registry.requests.get("unregister")).toBe(1);
  });

  it("takes a node behind a concentrator, and leaves the others (Listing 44)", () => {
    register(LISTED, NODE);
    register();
    unregister(NODE);
    expect(registry.things.map(({ node }) => node)).toEqual([undefined]);
  });

  it("is each Thing's own affair", () => {
    register();
    unregister("", STRANGER);
    expect(registry.things).toHaveLength(1);
  });
});

describe("what it refuses", () => {
  const long = (length: number): string => "😀".repeat(length);
  it.each([
    ["a tag name of 33 characters", `<str name='${long(33)}' value='x'/>`],
    ["an empty tag name", "<str name='' value='x'/>"],
    ["a colon in a tag name", "<str name='a:b' value='x'/>"],
    ["a hash sign in a tag name", "<str name='a#b' value='x'/>"],
    ["white space in a tag name", "<str name='a b' value='x'/>"],
    ["a value of 129 characters", `<str name='A' value='${long(129)}'/>`],
    ["a number that is none", "<num name='V' value='one'/>"],
    ["a number without end", "<num name='V' value='INF'/>"],
    ["a tag without a name", "<str value='x'/>"],
    ["a tag without a value", "<str name='A'/>"],
    ["a tag given twice", "<str name='A' value='1'/><num name='a' value='1'/>"],
    ["43 tags of own names", Array.from({ length: 43 }, (_, i) => `<num name='T${i}' value='1'/>`).join("")],
  ])("%s: bad-request, in register, mine and update (D-5.2-2, D-5.2-3, D-5.2-4, D-E28)", (_what, tags) => {
    expect(refusal(register(tags))).toBe("modify bad-request");
    expect(registry.things).toEqual([]);
    register();
    expect(refusal(mine(tags))).toBe("modify bad-request");
    mine();
    expect(refusal(update(tags))).toBe("modify bad-request");
    expect(registry.things[0]?.tags).toHaveLength(4);
  });

  it("but not what is just within the limits, counted in characters (D-E28), nor any predefined tag (D-5.2-8)", () => {
    const names =
      "ALT APT AREA BLD CITY CLASS COUNTRY KEY LAT LON MAN MLOC MNR MODEL NAME PURL REGION ROOM SN STREET STREETNR V";
    const tags = names
      .split(" ")
      .map((name) =>
        ["ALT", "LAT", "LON", "V"].includes(name)
          ? `<num name='${name}' value='1'/>`
          : `<str name='${name}' value='${long(128)}'/>`,
      );
    expectSent(register(`${tags.join("")}<str name='${long(32)}' value='x'/>`), answer(THING, ""));
    expect(registry.things[0]?.tags).toHaveLength(22); // and KEY
  });

  it("more tags by update than one Thing may have (D-5.2-7, D-6.6-1)", () => {
    const many = (prefix: string): string =>
      Array.from({ length: 40 }, (_, i) => `<num name='${prefix}${i}' value='1'/>`).join("");
    register(many("A"));
    mine(many("A"));
    expect(refusal(update(many("B")))).toBe("modify bad-request");
    expect(registry.things[0]?.tags).toHaveLength(40);
  });

  it("what it does not know", () => {
    for (const content of [
      element("constructor", ""),
      element("claimed", "", "jid='thing@example.org'"),
      element("disowned", ""),
      "<register xmlns='jabber:iq:register'/>",
      "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    ]) {
      expect(refusal(iq(THING, content, "get"))).toBe("cancel service-unavailable");
    }
    expect(refusal(iq(THING, "<ping xmlns='urn:xmpp:ping'/>", "set"))).toBe("cancel service-unavailable");
  });

  it("IQs that are malformed", () => {
    expect(refusal(iq(THING, ""))).toBe("modify bad-request");
    expect(refusal(iq(THING, element("register", "") + element("register", "")))).toBe("modify bad-request");
    expect(refusal(iq(THING, element("register", ""), "push"))).toBe("modify bad-request");
    expect(refusal(register("", "selfOwned='maybe'"))).toBe("modify bad-request");
    expect(registry.things).toEqual([]);
  });

  it("in words that are XML, whatever the asker wrote", () => {
    const control = parseXml(`<iq xmlns='jabber:client' type='set' from='${THING}' to='${REGISTRY}' id='1'/>`);
    const payload = parseXml("<x:register xmlns:x='urn:xmpp:iot:discovery' selfOwned='maybe'/>");
    Object.assign(payload, {
      name: "\u0001:register",
      attrs: { ...payload.attrs, "xmlns:\u0001": payload.attrs["xmlns:x"] },
    });
    Object.assign(control, { children: [payload] });
    const [sent] = registry.receive(control);
    expect(refusal([sent!])).toBe("modify bad-request");
    expect(sent?.toString()).not.toContain("\u0001");
  });

  it("everything at an address that is not its own, in that address's name", () => {
    const [sent] = send(
      `<iq xmlns='jabber:client' type='set' from='${THING}' to='x@${REGISTRY}/y' id='1'>${element("register", LISTED)}</iq>`,
    );
    expect(refusal([sent!])).toBe("cancel service-unavailable");
    expect(sent?.attrs).toMatchObject({ from: `x@${REGISTRY}/y`, to: THING });
    expect(registry.things).toEqual([]);
    register();
    presence(THING, "unavailable");
    send(`<presence xmlns='jabber:client' from='${THING}' to='x@${REGISTRY}'/>`);
    expect(mine()).toHaveLength(1); // nobody came
  });

  it("but not an IQ without an id: it answers without one", () => {
    const [sent] = send(
      `<iq xmlns='jabber:client' type='get' from='${THING}' to='${REGISTRY}'><ping xmlns='urn:xmpp:ping'/></iq>`,
    );
    expect(sent?.attrs).toMatchObject({ type: "result", to: THING });
  });

  it("and says nothing to messages, subscriptions, unknown presence, stray answers and senders that are none", () => {
    expect(send(`<message xmlns='jabber:client' from='${THING}' to='${REGISTRY}'><body>hi</body></message>`)).toEqual(
      [],
    );
    expect(presence(THING, "subscribe")).toEqual([]);
    expect(presence(THING, "nonsense")).toEqual([]);
    expect(iq(THING, "", "result", "unknown")).toEqual([]);
    expect(iq("@/x", element("register", ""))).toEqual([]);
    expect(send(`<iq xmlns='jabber:client' type='set' id='1'>${element("register", "")}</iq>`)).toEqual([]);
    expect(registry.things).toEqual([]);
  });

  it("an address of its own that is none", () => {
    expect(() => new ReferenceRegistry({ jid: "a b", random: new SeededRandom(1), clock })).toThrow(ConfigError);
  });
});

describe("a mistake of its own", () => {
  it("is thrown to its host, not told to the asker, and leaves the Thing as it was", () => {
    const broken = {
      bytes: () => {
        throw new Error("no randomness");
      },
    };
    registry = new ReferenceRegistry({ jid: REGISTRY, random: broken, clock });
    register();
    expect(() => mine()).toThrow("no randomness");
    expect(registry.things[0]?.owner).toBeUndefined();
  });
});

describe("what it says of itself", () => {
  it("its features (XEP-0347 4, D-4-1)", () => {
    const [info] = iq(THING, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "get");
    const query = info?.getChild("query", "http://jabber.org/protocol/disco#info");
    expect(query?.getChildren("feature").map((feature) => feature.attrs["var"])).toEqual([
      "http://jabber.org/protocol/disco#info",
      "urn:xmpp:iot:discovery",
      "urn:xmpp:ping",
    ]);
    expect(query?.getChild("identity")?.attrs).toEqual({ category: "component", type: "generic", name: registry.name });
    const node = iq(THING, "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>", "get");
    expect(refusal(node)).toBe("cancel item-not-found");
  });

  it("that it is there (XEP-0199), also without an address in the question", () => {
    expectSent(iq(OWNER, "<ping xmlns='urn:xmpp:ping'/>", "get"), answer(OWNER, ""));
    expectSent(
      send(`<iq xmlns='jabber:client' type='get' from='${OWNER}' id='1'><ping xmlns='urn:xmpp:ping'/></iq>`),
      answer(OWNER, ""),
    );
  });

  it("how often it was asked what", () => {
    register();
    register();
    mine();
    update(UPDATE);
    iq(THING, "<ping xmlns='urn:xmpp:ping'/>", "get");
    iq(THING, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "get");
    iq(THING, element("search", ""));
    expect(Object.fromEntries(registry.requests)).toEqual({
      register: 2,
      mine: 1,
      update: 1,
      ping: 1,
      query: 1,
      search: 1,
    });
  });

  it("never a KEY, neither in its log nor in what it shows", () => {
    register();
    mine(LISTED.replace("4857402340298342", "4857402340298343"));
    mine();
    update("<str name='KEY' value='another-secret'/>");
    mine(LISTED, STRANGER);
    presence(THING);
    expect(log).toContain("claimed");
    expect(log).toContain("a claim failed");
    for (const said of [log, JSON.stringify(registry.things)]) {
      expect(said).not.toContain("485740234029834");
      expect(said).not.toContain("another-secret");
    }
  });

  it("nothing by itself, so it can be hosted without more", () => {
    registry.onOutput(() => expect.unreachable());
    registry.stop();
    expect(clock.pending).toBe(0);
  });
});

describe("comparing tags", () => {
  const tag = fc.oneof(
    fc.record({
      name: fc.constantFrom("A", "B", "C"),
      type: fc.constant("str" as const),
      value: fc.constantFrom("", "1", "x"),
    }),
    fc
      .record({
        name: fc.constantFrom("A", "B", "C"),
        type: fc.constant("num" as const),
        value: fc.constantFrom(0, -0, 1, 1.5),
      })
      .map((number) => ({ ...number, text: String(number.value) })),
  );
  const tags = fc.uniqueArray(tag, { selector: ({ name }) => name, maxLength: 3 });

  it("is by name, type and value, whatever the order; emptied tags are none (D-E9)", () => {
    fc.assert(
      fc.property(tags, tags, (one, other) => {
        const [these, those] = [one, other].map((list) => list.filter(({ value }) => value !== "")) as [Tag[], Tag[]];
        const same =
          these.length === those.length &&
          these.every((a) => those.some((b) => a.name === b.name && a.type === b.type && a.value === b.value));
        expect(fingerprint(one) === fingerprint(other)).toBe(same);
        expect(fingerprint([...one].reverse())).toBe(fingerprint(one));
      }),
    );
  });
});
