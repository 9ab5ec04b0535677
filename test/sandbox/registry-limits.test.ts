// Where the Registry stops: XEP-0347 5.2 and 6.6, and its own memory.
import { describe, expect, it } from "vitest";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { BareJid } from "../../src/core/jid.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { registryLimits, SearchBudget, type RegistrySettings } from "../../src/sandbox/registry-limits.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { brief, found, LISTED, OWNER, RegistryDesk, STRANGER, THING } from "./registry-desk.ts";

const sn = (value: string): string => `<str name='SN' value='${value}'/>`;
const numbers = (prefix: string, count: number): string =>
  Array.from({ length: count }, (_, i) => `<num name='${prefix}${i}' value='1'/>`).join("");
const NUMERIC = ["ALT", "LAT", "LON", "V"];
const TEXTUAL = "APT AREA BLD CITY CLASS COUNTRY KEY MAN MLOC MNR MODEL NAME PURL REGION ROOM SN STREET STREETNR".split(
  " ",
);
const PREDEFINED = `${NUMERIC.map((name) => `<num name='${name}' value='1.5'/>`).join("")}${TEXTUAL.map((name) => `<str name='${name}' value='x'/>`).join("")}`;

describe("the Things that a Registry knows", () => {
  it("are at most as many of one account as it is told; those it knows may go on", () => {
    const desk = RegistryDesk.make({ mostThingsPerAccount: 2 });
    desk.register(sn("1"), "nodeId='a'");
    desk.register(sn("2"), "nodeId='b'");
    expect(brief(desk.register(sn("3"), "nodeId='c'"))).toEqual([`error ${THING} resource-constraint`]);
    expect(brief(desk.register(sn("4"), "nodeId='b'"))).toEqual([`result ${THING}`]);
    expect(brief(desk.register(sn("5"), "", STRANGER))).toEqual([`result ${STRANGER}`]);
    desk.ask(THING, "unregister", "nodeId='a'");
    expect(brief(desk.register(sn("3"), "nodeId='c'"))).toEqual([`result ${THING}`]);
    expect(desk.log).toContain("no room for another Thing");
  });

  it("are at most as many in all as it is told", () => {
    const desk = RegistryDesk.make({ mostThings: 1 });
    desk.register();
    expect(brief(desk.register(sn("1"), "", STRANGER))).toEqual([`error ${STRANGER} resource-constraint`]);
    expect(brief(desk.register(sn("1")))).toEqual([`result ${THING}`]);
  });
});

describe("what one Thing can do to a page that others ask for", () => {
  it("is little: a number of more than 128 characters is refused, whoever tells it", () => {
    const desk = RegistryDesk.make();
    const long = `<num name='V' value='1.${"0".repeat(127)}'/>`;
    expect(brief(desk.register(long, "selfOwned='true'"))).toEqual([`error ${THING} bad-request`]);
    expect(brief(desk.register(long.replace("0'", "'"), "selfOwned='true'"))).toEqual([`result ${THING}`]);
    expect(brief(desk.ask(THING, "update", "", long))).toEqual([`error ${THING} bad-request`]);
  });

  it.each(["nodeId", "sourceId", "cacheType"])("is little: a %s of more than 1,024 characters is refused", (name) => {
    const desk = RegistryDesk.make();
    const node = (length: number): string =>
      Object.entries({ nodeId: "n", [name]: "x".repeat(length) })
        .map(([key, value]) => `${key}='${value}'`)
        .join(" ");
    expect(brief(desk.register(LISTED, node(1_025)))).toEqual([`error ${THING} bad-request`]);
    expect(desk.registry.things).toEqual([]);
    expect(brief(desk.register(LISTED, node(1_024)))).toEqual([`result ${THING}`]);
  });

  it("is little: the largest Thing there can be, alone on a page, is one that a client takes", () => {
    const desk = RegistryDesk.make();
    const name = (i: number): string => "&quot;".repeat(30) + String(i).padStart(2, "0");
    const value = "&quot;".repeat(128);
    const own = Array.from({ length: 42 }, (_, i) => `<str name='${name(i)}' value='${value}'/>`).join("");
    const listed = [...NUMERIC, ...TEXTUAL].map((tag) => `<str name='${tag}' value='${value}'/>`).join("");
    const texts = ["nodeId", "sourceId", "cacheType"].map((key) => `${key}='${"&quot;".repeat(1_024)}'`).join(" ");
    const jid = `${"a".repeat(1_023)}@${"b".repeat(60)}.example`;
    expect(brief(desk.register(own + listed, `selfOwned='true' ${texts}`, `${jid}/x`))).toEqual([`result ${jid}/x`]);
    const [page] = desk.search(`<strEq name='SN' value='${value}'/>`);
    expect(found([page as XmlElement])).toHaveLength(1);
    expect(Buffer.byteLength(String(page))).toBeLessThan(131_072);
  });
});

describe("the tags that a Registry keeps", () => {
  it.each([
    ["no others", 0],
    ["none by name", []],
    ["some by name", ["Own"]],
    ["any", 42],
  ] as const)(
    "D-5.2-5, D-5.2-8, D-6.6-2: are the predefined ones in any case, with %s allowed beside them",
    (_, otherTags) => {
      const desk = RegistryDesk.make({ otherTags });
      desk.claimed({ tags: PREDEFINED });
      const [thing] = desk.registry.things;
      expect(thing?.tags.map(({ name, type }) => `${type} ${name}`).sort()).toEqual(
        [
          ...NUMERIC.map((name) => `num ${name}`),
          ...TEXTUAL.filter((name) => name !== "KEY").map((name) => `str ${name}`),
        ].sort(),
      );
      expect(thing?.hasKey).toBe(true);
      for (const name of NUMERIC) expect(found(desk.search(`<numEq name='${name}' value='1.5'/>`))).toHaveLength(1);
    },
  );

  it("D-5.2-7, D-6.6-1: are at most so many others, in register, mine and update alike", () => {
    const desk = RegistryDesk.make({ otherTags: 2 });
    const refused = (who: string): readonly string[] => [`error ${who} bad-request`];
    expect(brief(desk.register(PREDEFINED + numbers("A", 3)))).toEqual(refused(THING));
    expect(brief(desk.mine(numbers("A", 3)))).toEqual(refused(OWNER));
    desk.claimed({ tags: PREDEFINED + numbers("A", 2) });
    expect(brief(desk.ask(THING, "update", "", numbers("B", 1)))).toEqual(refused(THING));
    expect(brief(desk.ask(OWNER, "update", "jid='thing@example.org'", numbers("B", 1)))).toEqual(refused(OWNER));
    expect(desk.registry.things[0]?.tags).toHaveLength(23);
    // D-3.13-5: taken away, they make room.
    const swapped = `<str name='A0' value=''/>${numbers("B", 1)}`;
    expect(brief(desk.ask(THING, "update", "", swapped))).toEqual([`result ${THING}`]);
  });

  it("D-5.2-6, D-6.6-1: are those of certain names, if it is told so; others are left out, and still prove a claim", () => {
    const desk = RegistryDesk.make({ otherTags: ["own"] });
    const tags = `${LISTED}<str name='OWN' value='1'/><str name='OTHER' value='2'/>`;
    desk.register(tags);
    expect(brief(desk.mine(`${LISTED}<str name='OWN' value='1'/>`))).toEqual([`error ${OWNER} item-not-found`]);
    expect(desk.mine(tags)).toHaveLength(2);
    desk.ask(THING, "update", "", "<str name='another' value='3'/><num name='own' value='4'/>");
    expect(desk.registry.things[0]?.tags.map(({ name }) => name)).toEqual(["SN", "MAN", "MODEL", "V", "OWN"]);
    expect(found(desk.search("<strEq name='OTHER' value='2'/>"))).toEqual([]);
    expect(found(desk.search("<numEq name='OWN' value='4'/>"))).toHaveLength(1);
  });

  it("D-3.9-15, D-3.13-5: an emptied tag is none, when registered and when claimed (D-E9); KEY='{}' is one (D-E2)", () => {
    const desk = RegistryDesk.make();
    desk.register(`${sn("1")}<str name='ROOM' value=''/><str name='key' value='{}'/>`);
    expect(desk.registry.things[0]).toMatchObject({ hasKey: false, tags: [{ name: "SN" }] });
    expect(brief(desk.mine("<str name='ROOM' value=''/>"))).toEqual([`error ${OWNER} item-not-found`]);
    expect(desk.mine(`<str name='NAME' value=''/>${sn("1")}<str name='KEY' value='{}'/>`)).toHaveLength(2);
  });

  it("D-3.9-20: nothing but emptied tags claims nothing, even a Thing that registered nothing else", () => {
    const desk = RegistryDesk.make();
    desk.register("<str name='KEY' value=''/>");
    expect(brief(desk.mine("<str name='KEY' value=''/>"))).toEqual([`error ${OWNER} item-not-found`]);
  });

  it("D-3.7-3: a Thing is self-owned only if it says so", () => {
    const desk = RegistryDesk.make();
    for (const attributes of ["", "selfOwned='false'", "selfOwned='0'"]) {
      desk.register(LISTED, attributes);
      expect(desk.registry.things[0]?.owner).toBeUndefined();
    }
    desk.register(LISTED, "selfOwned='1'");
    expect(desk.registry.things[0]?.owner).toBe("thing@example.org");
  });
});

describe("where Things are", () => {
  it("is remembered of those who have one here, and of the newest 16 addresses of each", () => {
    const desk = RegistryDesk.make();
    desk.presence("thing@example.org/early");
    desk.register(LISTED, "", "thing@example.org"); // from nowhere in particular
    expect(desk.mine()).toHaveLength(1);
    for (let i = 0; i < 17; i++) desk.presence(`thing@example.org/${i}`);
    for (let i = 16; i > 0; i--) desk.presence(`thing@example.org/${i}`, "unavailable");
    desk.remove();
    expect(desk.registry.unacknowledged.map(({ notice }) => notice)).toEqual(["claimed", "removed"]);
    expect(
      desk.sent.filter(({ attrs }) => attrs["to"] === "thing@example.org/0" && attrs["type"] === "set"),
    ).toHaveLength(1);
    desk.register(sn("2"), "nodeId='n'", "thing@example.org");
    expect(desk.mine(sn("2"))).toHaveLength(1); // the oldest was forgotten, the others have gone
  });
});

describe("how much each account may search", () => {
  it("is forgotten of who asked longest ago, when very many ask", () => {
    const clock = new SimulatedClock();
    const budget = new SearchBudget(clock, 1);
    const jid = (i: number): BareJid => `a${i}@example.org` as BareJid;
    for (let i = 0; i < 4; i++) expect(budget.spend(jid(0))).toBe(true);
    expect(budget.spend(jid(0))).toBe(false);
    for (let i = 1; i < 10_000; i++) budget.spend(jid(i));
    expect(budget.spend(jid(0))).toBe(false);
    for (let i = 1; i < 10_000; i++) budget.spend(jid(i));
    budget.spend(jid(10_000));
    expect(budget.spend(jid(0))).toBe(true);
  });
});

describe("settings", () => {
  it.each([
    [{ mostThings: 0 }, "mostThings: must be a whole number of at least 1"],
    [{ mostFound: 1.5 }, "mostFound: must be a whole number of at least 1"],
    [{ disownTimeout: NaN }, "disownTimeout: must be a whole number"],
    [{ mostOperators: "8" }, "mostOperators: must be a number"],
    [{ mostThingsPerAccount: ["a"] }, "mostThingsPerAccount: must be a number"],
    [{ otherTags: -1 }, "otherTags: must be a whole number of at least 0"],
    [{ otherTags: [1] }, "otherTags: must be a number, or a list of names"],
    [{ otherTags: "OWN" }, "otherTags: must be a number, or a list of names"],
  ] as [RegistrySettings, string][])("refuses %j by name", async (settings, message) => {
    expect(() => registryLimits(settings)).toThrow(ConfigError);
    expect(() => registryLimits(settings)).toThrow(message);
    expect(() => new ReferenceRegistry({ jid: "discovery.example.org", ...settings })).toThrow(message);
    await expect(startSandbox({ registry: settings })).rejects.toThrow(`registry.${message}`);
  });

  it("of a sandbox are named, and go to its Registry", async () => {
    await expect(startSandbox({ registry: { mostThing: 1 } as RegistrySettings })).rejects.toThrow(
      'there is no option "mostThing"',
    );
    await using sandbox = await startSandbox({ registry: { mostThings: 1 } });
    const { registry } = sandbox;
    const register = (node: string): string | undefined =>
      registry.receive(
        parseXml(
          `<iq xmlns='jabber:client' type='set' id='1' from='t@localhost/x' to='${registry.jid}'><register xmlns='urn:xmpp:iot:discovery' nodeId='${node}'/></iq>`,
        ),
      )[0]?.attrs["type"];
    expect([register("a"), register("b")]).toEqual(["result", "error"]);
  });
});
