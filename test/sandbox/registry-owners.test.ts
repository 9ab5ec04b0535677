// XEP-0347 3.10, 3.14 and 3.15 at the Registry: what owners do with their Things, and what everybody finds.
import { beforeEach, describe, expect, it } from "vitest";
import { canonical } from "../support/canonical.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { bareJid } from "../../src/core/jid.ts";
import { SearchBudget } from "../../src/sandbox/registry-limits.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { ACCOUNT, brief, found, LISTED, NODE, OWNER, RegistryDesk, SHOWN, STRANGER, THING } from "./registry-desk.ts";

let desk: RegistryDesk;
beforeEach(() => void (desk = RegistryDesk.make()));

const ALL = "<str name='SN' value='394872348732948723'/>";
const EVERYTHING = "<strGtEq name='MAN' value=''/>";
const THE_THING = "thing@example.org of owner@example.org SN=394872348732948723 MAN=www.ktc.se MODEL=IMC V=1.2";
const notFound = (to: string): string => `error ${to} item-not-found`;
const expectSent = (sent: XmlElement | undefined, xml: string): void => {
  expect(sent && canonical(sent)).toEqual(canonical(parseXml(xml)));
};
const update = (tags: string, attributes = "jid='thing@example.org'", from = OWNER): readonly string[] =>
  brief(desk.ask(from, "update", attributes, tags));

describe("an owner's update (XEP-0347 3.14)", () => {
  it("D-3.14-1, D-3.14-4: changes the tags of the owner's Thing, and is answered with nothing (Listings 36, 38)", () => {
    desk.claimed();
    expect(update("<str name='ROOM' value='Pump room'/><str name='KEY' value=''/>")).toEqual([`result ${OWNER}`]);
    expect(found(desk.search(EVERYTHING))).toEqual([`${THE_THING} ROOM=Pump room`]);
    expect(desk.registry.things[0]?.hasKey).toBe(false);
  });

  it("D-3.14-3: means the node that it names, and only that one (Listing 37)", () => {
    desk.claimed({ attributes: NODE });
    const room = "<str name='ROOM' value='1'/>";
    expect(update(room)).toEqual([notFound(OWNER)]);
    expect(update(room, `jid='thing@example.org' ${NODE}`)).toEqual([`result ${OWNER}`]);
    expect(found(desk.search("<strEq name='ROOM' value='1'/>"))).toHaveLength(1);
  });

  it("D-3.14-2: without jid, or with the sender's own, is about the sender's own tags", () => {
    desk.claimed();
    expect(update("<num name='V' value='2'/>", "", THING)).toEqual([`result ${THING}`]);
    expect(update("<num name='V' value='3'/>", `jid='${THING}'`, THING)).toEqual([`result ${THING}`]);
    expect(found(desk.search("<numEq name='V' value='3'/>"))).toHaveLength(1);
    expect(update("<num name='V' value='4'/>", "", OWNER)).toEqual([notFound(OWNER)]);
  });

  it("D-3.14-5: of a Thing that is somebody else's, unclaimed, removed or unknown is as if it did not exist (Listing 39)", () => {
    const room = "<str name='ROOM' value='1'/>";
    expect(update(room)).toEqual([notFound(OWNER)]);
    desk.register();
    expect(update(room)).toEqual([notFound(OWNER)]);
    desk.claimed();
    expect(update(room, "jid='thing@example.org'", STRANGER)).toEqual([notFound(STRANGER)]);
    expect(desk.registry.things[0]?.tags).toHaveLength(4);
    desk.remove();
    expect(update(room)).toEqual([notFound(OWNER)]);
  });

  it("D-3.14-1: is taken of a private Thing too (D-E19), and a resource in jid is nothing (D-E7)", () => {
    desk.claimed({ how: "public='false'" });
    expect(update("<str name='ROOM' value='1'/>", "jid='thing@example.org/imc'")).toEqual([`result ${OWNER}`]);
    expect(desk.registry.things[0]?.tags).toContainEqual({ name: "ROOM", type: "str", value: "1" });
  });

  it("D-3.13-4: KEY='{}' is an empty KEY, as the printed edition has it (D-E2); of other tags it is a text", () => {
    desk.claimed();
    update("<str name='Key' value='{}'/><str name='ROOM' value='{}'/>");
    expect(desk.registry.things[0]).toMatchObject({ hasKey: false });
    expect(found(desk.search("<strEq name='ROOM' value='{}'/>"))).toHaveLength(1);
  });
});

describe("removing (XEP-0347 3.10)", () => {
  it("D-3.10-1, D-3.10-3, D-3.10-5: takes it out of searches, answers with nothing, and tells the Thing (Listings 24, 26, 28)", () => {
    desk.claimed();
    const [answer, notice, ...more] = desk.remove();
    expect(brief([answer!])).toEqual([`result ${OWNER}`]);
    expectSent(
      notice,
      `<iq xmlns='jabber:client' type='set' from='discovery.example.org' to='${THING}' id='${notice?.attrs["id"] ?? ""}'>
         <removed xmlns='urn:xmpp:iot:discovery'/></iq>`,
    );
    expect(more).toEqual([]);
    expect(found(desk.search(EVERYTHING))).toEqual([]);
    expect(desk.registry.things).toEqual([]);
  });

  it("D-3.10-2, D-3.10-6: means the node that it names, and names it to the concentrator (Listings 25, 29)", () => {
    desk.claimed({ attributes: NODE });
    desk.claimed({ attributes: "nodeId='imc2'", tags: ALL });
    const [answer, notice] = desk.remove(`jid='thing@example.org/plcs' ${NODE}`);
    expect(brief([answer!])).toEqual([`result ${OWNER}`]);
    expect(notice?.getChild("removed")?.attrs).toMatchObject({ nodeId: "imc1", sourceId: "MeteringTopology" });
    expect(desk.registry.things.map(({ node }) => node)).toEqual([{ nodeId: "imc2" }]);
  });

  it("D-3.10-4: of a Thing that is another's, unclaimed, removed or unknown is item-not-found (Listing 27)", () => {
    expect(brief(desk.remove())).toEqual([notFound(OWNER)]);
    desk.register();
    expect(brief(desk.remove())).toEqual([notFound(OWNER)]);
    desk.claimed();
    expect(brief(desk.remove("jid='thing@example.org'", STRANGER))).toEqual([notFound(STRANGER)]);
    expect(brief(desk.remove("jid='thing@example.org' nodeId='x'"))).toEqual([notFound(OWNER)]);
    desk.remove();
    expect(brief(desk.remove())).toEqual([notFound(OWNER)]);
    expect(brief(desk.mine())).toEqual([notFound(OWNER)]);
    expect(brief(desk.disown())).toEqual([notFound(OWNER)]);
  });

  it("D-3.10-5: is told to a Thing that was away when it comes, until it acknowledges", () => {
    desk.claimed();
    desk.presence(THING, "unavailable");
    expect(brief(desk.remove())).toEqual([`result ${OWNER}`]);
    expect(desk.registry.unacknowledged).toEqual([{ jid: "thing@example.org", notice: "removed" }]);
    const back = "thing@example.org/new";
    expect(brief(desk.presence(back))).toEqual([`set ${back} removed`]);
    const [again] = desk.presence(back);
    desk.acknowledge(again, STRANGER);
    expect(desk.registry.unacknowledged).toHaveLength(1);
    desk.acknowledge(again, back);
    expect(desk.registry.unacknowledged).toEqual([]);
    expect(desk.presence(back)).toEqual([]);
  });

  it("D-3.10-5: is told also to a Thing that comes by asking, from where it asks (D-E16)", () => {
    desk.claimed();
    desk.presence(THING, "unavailable");
    desk.remove();
    const back = "thing@example.org/new";
    const other = "<str name='SN' value='2'/>";
    expect(brief(desk.register(other, "nodeId='n'", back))).toEqual([`result ${back}`, `set ${back} removed`]);
    expect(brief(desk.register(other, "nodeId='n'", back))).toEqual([`result ${back}`]);
  });

  it("D-3.13-9: an update of a removed Thing is item-not-found (Listing 34)", () => {
    desk.claimed();
    desk.remove();
    expect(brief(desk.ask(THING, "update", "", ALL))).toEqual([notFound(THING)]);
  });

  it("D-3.6-12: a Thing that has heard neither of its owner nor of the removal hears of both, in that order", () => {
    desk.register();
    desk.presence(THING, "unavailable");
    desk.mine();
    desk.remove();
    expect(desk.registry.unacknowledged.map(({ notice }) => notice)).toEqual(["claimed", "removed"]);
    const [answer, ...notices] = desk.register();
    expect(answer?.getChild("claimed")?.attrs).toMatchObject({ jid: "owner@example.org" });
    expect(desk.registry.unacknowledged).toHaveLength(2);
    expect(brief(notices)).toEqual([`set ${THING} claimed`, `set ${THING} removed`]);
    for (const notice of notices) desk.acknowledge(notice);
    expect(desk.registry.unacknowledged).toEqual([]);
    expect(brief(desk.register())).toEqual([`result ${THING}`]);
  });

  it("D-3.6-10: a removed Thing that registers has been reset: it is nobody's, and hears of no removal", () => {
    desk.claimed();
    desk.presence(THING, "unavailable");
    desk.remove();
    desk.register(LISTED, "", "thing@example.org/reset");
    expect(desk.registry.unacknowledged).toEqual([]);
    expect(desk.registry.things[0]?.owner).toBeUndefined();
    expect(desk.mine(LISTED, STRANGER)).toHaveLength(2);
  });

  it("D-3.9-21, D-3.10-5: a concentrator that missed very much is told a hundred at once, and the next when it has answered one", () => {
    const rack = "rack@example.org/new";
    for (let i = 0; i < 250; i++) {
      desk.register(`<num name='V' value='${i}'/>`, `nodeId='${i}'`, "rack@example.org/old");
      desk.presence("rack@example.org/old", "unavailable");
      desk.mine(`<num name='V' value='${i}'/>`);
    }
    const before = desk.sent.length;
    const first = desk.presence(rack);
    expect(first).toHaveLength(100);
    // Not all of them take it: the others must not wait for those.
    for (let i = 0; i < 250; i++) {
      const notice = desk.sent[before + i];
      if (i % 10 === 0) desk.refuse(notice, "item-not-found", rack);
      else desk.acknowledge(notice, rack);
    }
    const told = desk.sent.slice(before).map((notice) => notice.getChild("claimed")?.attrs["nodeId"]);
    expect(told).toEqual(Array.from({ length: 250 }, (_, i) => String(i)));
    expect(desk.registry.unacknowledged).toHaveLength(25);
    expect(desk.presence(rack)).toHaveLength(25);
  });

  it("D-3.10-8: an error is no acknowledgement, but for a node that is not there any more", () => {
    desk.claimed();
    const [, notice] = desk.remove();
    desk.refuse(notice, "forbidden");
    expect(desk.registry.unacknowledged).toHaveLength(1);
    const [again] = desk.presence(THING);
    desk.refuse(again, "service-unavailable");
    desk.refuse(again, "item-not-found");
    expect(desk.registry.unacknowledged).toEqual([]);
    expect(desk.log).toContain("a Thing did not take a notice");
  });

  it("D-3.9-21, D-E16: notices that went to somebody else who uses the Thing's account come to the Thing", () => {
    const phone = "thing@example.org/phone";
    desk.register();
    desk.register("<str name='SN' value='2'/>", "nodeId='n'");
    desk.search("<strEq name='SN' value='1'/>", "", phone);
    const [, first] = desk.mine();
    const [, second] = desk.mine("<str name='SN' value='2'/>");
    expect([first?.attrs["to"], second?.attrs["to"]]).toEqual([phone, phone]);
    const again = desk.refuse(first, "service-unavailable", phone);
    expect(brief(again)).toEqual([`set ${THING} claimed`, `set ${THING} claimed`]);
    // Once: nobody is sent anything by repeating himself.
    expect(desk.refuse(second, "service-unavailable", phone)).toEqual([]);
    expect(desk.refuse(first, "service-unavailable", phone)).toEqual([]);
    for (const notice of again) desk.acknowledge(notice);
    expect(desk.registry.unacknowledged).toEqual([]);
  });

  it("D-3.10-5: a Thing that removes itself knows", () => {
    desk.register(LISTED, "selfOwned='true'");
    expect(brief(desk.remove("jid='thing@example.org'", THING))).toEqual([`result ${THING}`]);
    expect(desk.registry.unacknowledged).toEqual([]);
    expect(desk.registry.things).toEqual([]);
  });
});

describe("searching (XEP-0347 3.15)", () => {
  it("D-3.15-1, D-3.15-31: finds what is public and claimed for everybody, with owner, address and tags (Listings 40, 41)", () => {
    desk.claimed();
    const [answer] = desk.search(
      "<strEq name='MAN' value='www.ktc.se'/><strMask name='SN' value='39487*' wildcard='*'/><numRange name='V' min='1' minIncluded='true' max='2' maxIncluded='false'/>",
      "offset='0' maxCount='20'",
    );
    expectSent(
      answer,
      `<iq xmlns='jabber:client' type='result' from='discovery.example.org' to='${STRANGER}' id='${answer?.attrs["id"] ?? ""}'>
         <found xmlns='urn:xmpp:iot:discovery' more='false'>
           <thing owner='owner@example.org' jid='thing@example.org'>${SHOWN}</thing></found></iq>`,
    );
  });

  it("D-3.15-32: names the node behind a concentrator (Listing 42)", () => {
    desk.claimed({ attributes: `${NODE} cacheType='c'`, tags: ALL });
    expect(found(desk.search(EVERYTHING.replace("MAN", "SN")))).toEqual([
      "thing@example.org imc1 MeteringTopology c of owner@example.org SN=394872348732948723",
    ]);
  });

  it("D-3.7-2: finds a self-owned Thing at once, with itself as its owner (D-E26)", () => {
    desk.register(ALL, "selfOwned='true'");
    expect(found(desk.search("<strGt name='sn' value=''/>"))).toEqual([
      "thing@example.org of thing@example.org SN=394872348732948723",
    ]);
  });

  it("D-3.6-7, D-3.15-2: finds no Thing that is unclaimed, private, removed, unregistered or disowned", () => {
    const thing = (name: string): string => `${name}@example.org/x`;
    for (const name of ["private", "removed", "unregistered", "disowned"]) {
      desk.claimed({
        thing: thing(name),
        tags: `<str name='SN' value='${name}'/>`,
        how: name === "private" ? "public='0'" : "",
      });
    }
    desk.register("<str name='SN' value='unclaimed'/>");
    expect(found(desk.search("<strGt name='SN' value=''/>"))).toHaveLength(3);
    desk.remove("jid='removed@example.org'");
    desk.ask(thing("unregistered"), "unregister");
    desk.disown("jid='disowned@example.org'");
    desk.acknowledge(desk.sent.at(-1), thing("disowned"));
    expect(found(desk.search("<strGt name='SN' value=''/>"))).toEqual([]);
  });

  it.each(["KEY", "key", "Key", "kEY", "\u212Aey"])(
    "D-3.15-28, D-3.15-29, D-3.15-30, D-6.5-1: an operator on %s finds nothing, whatever else is asked, and no result shows it",
    (name) => {
      desk.claimed({ tags: LISTED.replace("'KEY'", `'${name}'`) });
      const found_ = found(desk.search(EVERYTHING));
      expect(found_).toEqual([THE_THING]);
      expect(found(desk.search(`${EVERYTHING}<strNEq name='${name}' value='x'/>`))).toEqual([]);
      expect(found(desk.search(`<strMask name='${name}' value='*' wildcard='*'/>`))).toEqual([]);
    },
  );

  it("D-3.15-24, D-3.15-26, D-3.15-33: gives pages, of as many as it will, and says that there are more", () => {
    desk = RegistryDesk.make({ mostFound: 3 });
    for (let i = 0; i < 7; i++) desk.claimed({ attributes: `nodeId='${i}'`, tags: `<num name='V' value='${i}'/>` });
    const page = (attributes: string): readonly string[] =>
      found(desk.search("<numGtEq name='V' value='0'/>", attributes)).map((thing) => thing.replace(/.*=/, ""));
    expect(page("")).toEqual(["0", "1", "2", "more"]);
    expect(page("offset='3' maxCount='100'")).toEqual(["3", "4", "5", "more"]);
    expect(page("offset='6'")).toEqual(["6"]);
    expect(page("offset='4' maxCount='2'")).toEqual(["4", "5", "more"]);
    expect(page("offset='4' maxCount='3'")).toEqual(["4", "5", "6"]);
    expect(page("offset='7'")).toEqual([]);
    expect(page("offset='99999999999999999999'")).toEqual([]);
  });

  it("D-3.15-26: gives fewer when a page would become too large for a stanza, but always one", () => {
    desk = RegistryDesk.make({ mostFoundBytes: 1_500 });
    const long = (tag: string): string => `<str name='${tag}' value='${"&lt;".repeat(128)}'/>`;
    const tags = ["NAME", "ROOM", "CITY"].map(long).join("");
    for (let i = 0; i < 3; i++)
      desk.claimed({ attributes: `nodeId='${i}'`, tags: `${tags}<num name='V' value='${i}'/>` });
    for (const i of [0, 1]) {
      const page = found(desk.search("<numGtEq name='V' value='0'/>", `offset='${i}'`));
      expect(page).toHaveLength(2);
      expect(page.at(-1)).toBe("more");
    }
    expect(found(desk.search("<numGtEq name='V' value='0'/>", "offset='2'"))).toHaveLength(1);
  });

  it("D-3.15-3: refuses a search without operators, with unknown ones, or with wrong numbers", () => {
    for (const [operators, attributes] of [
      ["", ""],
      ["<strLike name='A' value='b'/>", ""],
      ["<numEq name='V' value='one'/>", ""],
      ["<strEq name='A'/>", ""],
      [EVERYTHING, "offset='-1'"],
      [EVERYTHING, "maxCount='0'"],
    ] as const) {
      expect(found(desk.search(operators, attributes))).toEqual([`error ${STRANGER} bad-request`]);
    }
  });

  it("refuses more operators than it is told to take, and more searches than it is told to make", async () => {
    desk = RegistryDesk.make({ mostOperators: 2, searchesPerSecond: 2 });
    desk.claimed();
    expect(found(desk.search(EVERYTHING.repeat(3)))).toEqual([`error ${STRANGER} bad-request`]);
    for (let i = 0; i < 8; i++) expect(found(desk.search(EVERYTHING))).toEqual([THE_THING]);
    expect(found(desk.search(EVERYTHING))).toEqual([`error ${STRANGER} resource-constraint`]);
    expect(found(desk.search(EVERYTHING, "", "stranger@example.org/y"))).toEqual([
      "error stranger@example.org/y resource-constraint",
    ]);
    expect(found(desk.search(EVERYTHING, "", OWNER))).toEqual([THE_THING]);
    await desk.clock.advance(500);
    expect(found(desk.search(EVERYTHING))).toEqual([THE_THING]);
    expect(found(desk.search(EVERYTHING))).toEqual([`error ${STRANGER} resource-constraint`]);
  });
});

describe("a search that looks at very much", () => {
  const masks = (count: number): string =>
    Array.from({ length: count }, (_, i) => `<strMask name='SN' value='*${"x".repeat(i)}*' wildcard='*'/>`).join("");
  /** So many Things, each with an SN that has many letters x. */
  const things = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const tags = `<str name='SN' value='${i}${"x".repeat(40)}'/><str name='KEY' value='k${i}'/>`;
      desk.claimed({ tags, thing: `thing${i}@example.org/home` });
    }
  };

  it("is refused once it has looked at as many values as it may: its operators times the different values", () => {
    desk = RegistryDesk.make({ mostLooked: 60 });
    things(10);
    expect(found(desk.search(masks(6)))).toHaveLength(10);
    expect(found(desk.search(masks(7)))).toEqual([`error ${STRANGER} not-acceptable`]);
  });

  it("counts as several searches of whoever has asked, also if it was refused", async () => {
    const clock = new SimulatedClock();
    const budget = new SearchBudget(clock, 1);
    const jid = bareJid("a@example.org");
    expect(budget.spend(jid)).toBe(true);
    budget.charge(jid, 5);
    for (let second = 0; second < 3; second++) {
      expect(budget.spend(jid)).toBe(false);
      await clock.advance(1_000);
    }
    expect(budget.spend(jid)).toBe(true);
    expect(budget.spend(jid)).toBe(false);
  });
});

describe("guests that send get where the XEP has set", () => {
  it("are served by register, mine, update, remove and disown alike (facts 12)", () => {
    const get = (from: string, name: string, attributes = "", content = ""): readonly string[] =>
      brief(desk.ask(from, name, attributes, content, "get"));
    expect(get(THING, "register", "", LISTED)).toEqual([`result ${THING}`]);
    expect(get(OWNER, "mine", "", LISTED)).toEqual([`result ${OWNER} claimed`, `set ${THING} claimed`]);
    expect(get(OWNER, "update", "jid='thing@example.org'", ALL)).toEqual([`result ${OWNER}`]);
    expect(get(OWNER, "disown", "jid='thing@example.org'")).toEqual([`set ${THING} disowned`]);
    expect(get(OWNER, "remove", "jid='thing@example.org'")[0]).toBe(`result ${OWNER}`);
    expect(brief(desk.ask(STRANGER, "search", "", EVERYTHING, "set"))).toEqual([`result ${STRANGER} found`]);
  });
});

describe("as an account (XEP-0347 5.1)", () => {
  beforeEach(() => {
    desk = RegistryDesk.make({ jid: ACCOUNT });
    desk.registry.onAccount({ jid: `${ACCOUNT}/r`, roster: [] });
  });

  const befriend = (): void => {
    for (const type of ["subscribe", "subscribed"]) desk.presence("thing@example.org", type);
    desk.presence(THING);
  };

  it("D-3.10-5: tells of a removal only friends: one that is no friend is told nothing, and nothing is kept for it", () => {
    desk.claimed();
    expect(brief(desk.remove())).toEqual([`result ${OWNER}`]);
    expect(desk.registry.unacknowledged).toEqual([]);
    befriend();
    expect(desk.sent.filter((stanza) => stanza.getChild("removed"))).toEqual([]);
  });

  it("D-3.10-5: tells a friend, also one that is away now", () => {
    befriend();
    desk.claimed();
    desk.presence(THING, "unavailable");
    expect(brief(desk.remove())).toEqual([`result ${OWNER}`]);
    expect(brief(desk.presence(THING))).toEqual([`set ${THING} removed`]);
  });

  it("D-3.10-5: keeps both notices for a Thing that has not even heard of its owner", () => {
    desk.register();
    desk.mine();
    desk.remove();
    expect(desk.registry.unacknowledged.map(({ notice }) => notice)).toEqual(["claimed", "removed"]);
  });
});
