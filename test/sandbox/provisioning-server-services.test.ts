import { beforeEach, describe, expect, it } from "vitest";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { ConfigError } from "../../src/core/errors.ts";
import type { UndecidedQuestion } from "../../src/sandbox/provisioning-server-options.ts";
import type { PrivilegeList, User } from "../../src/sandbox/people.ts";
import { canonical } from "../support/canonical.ts";
import { ENERGY, SERVER, ServiceSite, WATER, downloadPrivileges, listIn, userLoggedIn } from "./service-site.ts";
import { refusal, verdict } from "./token-site.ts";

const LISTING =
  "<credentials type='IpAddress' value='10.0.0.1'/><credentials type='Longitude' value='123.45'/><credentials type='Latitude' value='67.89'/>";
const INSIDE = "<ip4 value='10.0.0.1'/>";
const OUTSIDE = "<ip4 value='11.0.0.1'/>";
const LETS_IN = { service: "energy", credentials: { ip4: "10.0.0.0/8" }, access: true } as const;
const EXAMPLE: PrivilegeList = {
  ...{ service: "energy", role: "operator" },
  privileges: [{ exclude: "Databases.Energy.Delete" }, { include: "Databases.Energy" }],
};
const THING = "meter@example.org/thing";

let site: ServiceSite;
beforeEach(() => {
  site = new ServiceSite({ rules: [LETS_IN] });
  site.server.setUsers([{ name: "Kermit", roles: ["operator"] }]);
});

describe("canAccess", () => {
  it("P-3.6.2-12, P-3.6.2-16: decides by its rules, and gives who is let in a user token (Listing 22)", () => {
    const answer = site.canAccess(LISTING);
    const userToken = answer?.attrs["userToken"] ?? "";
    expect(userToken).toMatch(/^\S{20,}$/);
    const printed = `<canAccessResponse xmlns='urn:xmpp:iot:provisioning' userToken='${userToken}' result='true'/>`;
    expect(answer && canonical(answer)).toEqual(canonical(parseXml(printed)));
    expect(site.canAccess(LISTING)?.attrs["userToken"]).not.toBe(userToken); // it may be somebody else
  });

  it("P-3.6.2-4, P-3.6.2-12: refuses whom no rule lets in, without a token, and takes IPv6", () => {
    expect(site.canAccess(OUTSIDE)?.attrs).toEqual({ xmlns: "urn:xmpp:iot:provisioning", result: "false" });
    expect(site.canAccess("")?.attrs["result"]).toBe("false");
    expect(site.canAccess("<ip6 value='2001:db8::1'/>")?.attrs["result"]).toBe("false");
    site.server.addRule({ credentials: { ip6: "2001:db8::/32" }, access: true });
    expect(site.canAccess("<ip6 value='2001:db8::1'/>")?.attrs["result"]).toBe("true");
  });

  it("P-3.6.2-3, P-3.6.2-8: decides by JID and by user name", () => {
    site.server.setRules([
      { jid: "mallory@example.org", access: false },
      { jid: "example.org", access: true },
      { credentials: { userName: "Kermit" }, access: true },
    ]);
    expect(site.canAccess("<jid value='anna@example.org/phone'/>")?.attrs["result"]).toBe("true");
    expect(site.canAccess("<jid value='mallory@example.org'/>")?.attrs["result"]).toBe("false");
    expect(site.canAccess("<userName value='Kermit'/>")?.attrs["result"]).toBe("true");
    expect(site.canAccess("<userName value='Kermit'/><jid value='mallory@example.org'/>")?.attrs["result"]).toBe(
      "false",
    );
  });

  it("is for the service that the rule names, by its certificate and not by its address", () => {
    expect(site.canAccess(INSIDE, WATER)?.attrs["result"]).toBe("false");
    site.server.setRules([{ service: site.fingerprint(WATER), access: true }]);
    expect(site.canAccess(INSIDE, WATER)?.attrs["result"]).toBe("true");
    expect(site.canAccess(INSIDE, ENERGY)?.attrs["result"]).toBe("false");
  });

  it("P-3.1.3-6: is refused to who cannot prove the service token, or has none, whatever the rules say", () => {
    site.server.setRules([{ access: true }]);
    expect(site.canAccess(INSIDE, ENERGY, "unknown")?.attrs["result"]).toBe("false");
    const stolen = site.token(ENERGY);
    site.answers = false;
    const [challenge] = site.asked(WATER, `<canAccess xmlns='urn:xmpp:iot:provisioning' serviceToken='${stolen}'/>`);
    site.refuse(challenge);
    expect(site.taken()[0]?.getChildElements()[0]?.attrs["result"]).toBe("false");
  });

  it("says what is wrong with a question that cannot be read", () => {
    const xmlns = "xmlns='urn:xmpp:iot:provisioning'";
    expect(refusal(site.asked(ENERGY, `<canAccess ${xmlns}/>`)[0])).toBe("error modify bad-request");
    const bad = `<canAccess ${xmlns} serviceToken='x'><ip4 value='10'/></canAccess>`;
    expect(refusal(site.asked(ENERGY, bad)[0])).toBe("error modify bad-request");
    const id = `<hasPrivilege ${xmlns} serviceToken='x' userToken='y' privilegeId='a..b'/>`;
    expect(refusal(site.asked(ENERGY, id)[0])).toBe("error modify bad-request");
  });

  it("tells what no rule decides, without single-sign-on tokens", () => {
    const open: UndecidedQuestion[] = [];
    site.server.onUndecided((question) => open.push(question));
    site.canAccess(`${OUTSIDE}<sso value='secret'/>`);
    site.canAccess(INSIDE);
    site.canAccess(OUTSIDE, ENERGY, "unknown"); // nobody knows who asks
    expect(open).toEqual([
      {
        ...{ kind: "canAccess", thing: "energy@example.org", jid: "energy@example.org", identities: ["energy"] },
        ...{ nodes: [], fields: [], types: [], parameters: [] },
        credentials: [{ type: "ip4", value: "11.0.0.1" }],
      },
    ]);
  });

  it("is counted among the questions", () => {
    site.canAccess(INSIDE);
    expect(site.server.count("canAccess")).toBe(1);
    expect(site.server.questions).toEqual([
      {
        thing: "energy@example.org",
        kind: "canAccess",
        jid: "energy@example.org",
        result: true,
        identities: ["energy"],
      },
    ]);
  });

  it("keeps so many users, those that were used last, and no service takes the room of another", () => {
    site = new ServiceSite({ mostUsers: 1_000 });
    site.server.setUsers([{ name: "Kermit", roles: ["operator"] }]);
    site.server.challenge = "never";
    site.server.setRules([{ access: true }]);
    site.server.setPrivileges([
      { ...EXAMPLE, service: "energy" },
      { ...EXAMPLE, service: "water" },
    ]);
    const [first, second] = [site.userToken(), site.userToken()];
    const other = site.userToken("", WATER);
    for (const token of [first, second]) site.logIn(token);
    site.logIn(other, "Kermit", WATER);
    site.acknowledge();
    expect(site.server.unacknowledged).toEqual(["water@example.org"]);
    expect(site.download(second)).not.toBe("");
    expect(site.download(first)).not.toBe("");
    for (let i = 0; i < 997; i++) site.userToken();
    expect(site.cleared(site.taken())).toEqual([]);
    expect(site.download(first)).not.toBe("");
    // Who was told something because of it is to ask again.
    const sent = site.asked(ENERGY, `<canAccess xmlns='urn:xmpp:iot:provisioning' serviceToken='${site.token()}'/>`);
    expect(site.cleared(sent)).toEqual([ENERGY]);
    expect(site.download(second)).toBe("");
    expect(site.download(first)).not.toBe("");
    expect(site.download(other, WATER)).not.toBe("");
  });

  it("P-3.5.1-1, P-3.5.1-4: one user too many makes the service ask anew once, not for each of the thousand it has forgotten", () => {
    site = new ServiceSite({ mostUsers: 1_000 });
    site.server.challenge = "never";
    site.server.setRules([{ access: true }]);
    const question = `<canAccess xmlns='urn:xmpp:iot:provisioning' serviceToken='${site.token()}'/>`;
    const come = (): readonly string[] => site.cleared([...site.asked(ENERGY, question), ...site.taken()]);
    for (let i = 0; i < 1_000; i++) site.hasPrivilege(site.userToken(), "Sensors.View");
    expect(site.cleared(site.taken())).toEqual([]);
    expect(come()).toEqual([ENERGY]); // the first of them is forgotten here, and not yet there
    for (let i = 0; i < 10; i++) expect(come()).toEqual([]);
    // What it is told after that it has not forgotten by what it acknowledged before.
    expect(site.hasPrivilege(site.userToken(), "Sensors.View")).toBe("false");
    const told = Array.from({ length: 1_000 }, come);
    expect(told.flat()).toEqual([ENERGY]);
    expect(told[988]).toEqual([ENERGY]); // when the first of those goes that came after it
  });

  it("P-3.5.1-1: a service that has but let a user in is told too when that user is forgotten", () => {
    site = new ServiceSite({ mostUsers: 1, users: [{ name: "Kermit" }] });
    site.server.challenge = "never";
    site.server.setRules([{ access: true }]);
    const first = site.userToken();
    expect(site.cleared(site.taken())).toEqual([]);
    const second = site.userToken();
    expect(site.cleared(site.taken())).toEqual([ENERGY]);
    site.server.setPrivileges([{ service: "energy", user: "Kermit", privileges: [{ include: "A" }] }]);
    for (const token of [first, second]) site.logIn(token);
    expect([first, second].map((token) => site.hasPrivilege(token, "A"))).toEqual(["false", "true"]);
  });

  it("a service has all the room that the others leave, and gives of it down to its share", () => {
    site = new ServiceSite({ mostUsers: 10 });
    site.server.setUsers([{ name: "Kermit" }]);
    site.server.challenge = "never";
    site.server.setRules([{ access: true }]);
    site.server.setPrivileges(
      ["energy", "water"].map((service) => ({ service, user: "Kermit", privileges: [{ include: "In" }] })),
    );
    const come = (from: string): string => {
      const token = site.userToken("", from);
      site.logIn(token, "Kermit", from);
      return token;
    };
    const [energy, water]: [string[], string[]] = [[], []];
    const there = (): readonly number[] => [
      energy.filter((token) => site.hasPrivilege(token, "In") === "true").length,
      water.filter((token) => site.hasPrivilege(token, "In", WATER) === "true").length,
    ];
    for (let i = 0; i < 12; i++) energy.push(come(ENERGY));
    expect(there()).toEqual([10, 0]);
    for (let i = 0; i < 3; i++) water.push(come(WATER));
    expect(there()).toEqual([7, 3]);
    for (let i = 0; i < 9; i++) water.push(come(WATER));
    expect(there()).toEqual([5, 5]);
    for (let i = 0; i < 3; i++) energy.push(come(ENERGY));
    expect(there()).toEqual([5, 5]);
  });

  it.each([0, 1.5, NaN, "many"])("how many users there may be is a whole number: not %j", (mostUsers) => {
    expect(() => new ServiceSite({ mostUsers: mostUsers as number })).toThrow("mostUsers: must be a whole number");
  });
});

describe("privileges", () => {
  beforeEach(() => {
    site.server.setPrivileges([EXAMPLE, { service: "energy", privileges: [{ include: "Sensors.View" }] }]);
  });
  const loggedIn = (userName = "Kermit"): string => {
    const token = site.userToken(INSIDE);
    site.logIn(token, userName);
    return token;
  };

  it("P-3.7.1-6, P-3.7.1-7, P-3.7.1-8: of the XEP's example let select and insert, and not delete", () => {
    const token = loggedIn();
    expect(site.hasPrivilege(token, "Databases.Energy.Select")).toBe("true");
    expect(site.hasPrivilege(token, "Databases.Energy.Insert")).toBe("true");
    expect(site.hasPrivilege(token, "Databases.Energy.Delete")).toBe("false");
    expect(site.hasPrivilege(token, "Databases.Energy.Delete.All")).toBe("false");
    expect(site.hasPrivilege(token, "Databases.EnergyMeters")).toBe("false");
    expect(site.hasPrivilege(token, "databases.energy.select")).toBe("false");
  });

  it("P-3.7.2-2: are downloaded in their order: of the user, of the roles, of everybody (Listing 24)", () => {
    site.server.setUsers([{ name: "Kermit", roles: ["second", "operator"] }]);
    site.server.setPrivileges([
      { service: "energy", privileges: [{ include: "Sensors.View" }] },
      EXAMPLE,
      { service: "energy", role: "second", privileges: [{ exclude: "Second" }] },
      { service: "energy", role: "third", privileges: [{ include: "Third" }] },
      { service: "energy", user: "Kermit", privileges: [{ include: "Own" }] },
      { service: "energy", user: "Piggy", privileges: [{ include: "Piggy" }] },
    ]);
    const token = loggedIn();
    expect(site.download(token)).toBe("+Own -Second -Databases.Energy.Delete +Databases.Energy +Sensors.View");
    site.server.setPrivileges([
      { service: "energy", user: "Kermit", privileges: [{ exclude: "Sensors.Delete" }, { include: "Sensors" }] },
    ]);
    const answer = site.asked(ENERGY, downloadPrivileges(site.token(), token)).at(-1);
    const printed = `<iq xmlns='jabber:client' type='result' from='${SERVER}' to='${ENERGY}' id='26'><downloadPrivilegesResponse xmlns='urn:xmpp:iot:provisioning'><exclude id='Sensors.Delete'/><include id='Sensors'/></downloadPrivilegesResponse></iq>`;
    expect(answer && canonical(answer)).toEqual(canonical(parseXml(printed)));
  });

  it("P-3.7.2-4: before a login are only those of everybody, which may be none", () => {
    const token = site.userToken(INSIDE);
    expect(site.download(token)).toBe("+Sensors.View");
    expect(site.hasPrivilege(token, "Sensors.View")).toBe("true");
    expect(site.hasPrivilege(token, "Databases.Energy.Select")).toBe("false");
    expect(site.download("unknown")).toBe("+Sensors.View");
    site.server.setPrivileges([EXAMPLE]);
    expect(site.download(token)).toBe("");
  });

  it("P-3.7.2-4: of a user whose name nobody knows are those of everybody", () => {
    const token = site.userToken(INSIDE);
    site.logIn(token, "Gonzo");
    expect(site.download(token)).toBe("+Sensors.View");
    site.server.setPrivileges([{ service: "energy", user: "Gonzo", privileges: [{ include: "Stunts" }] }]);
    expect(site.download(token)).toBe(""); // a list makes no user
    site.server.setUsers([{ name: "Gonzo" }]);
    expect(site.download(token)).toBe("+Stunts");
  });

  it("P-3.7.2-4: of a service that is not identified are none", () => {
    const token = loggedIn();
    expect(site.download(token, ENERGY, "unknown")).toBe("");
    expect(site.hasPrivilege(token, "Sensors.View", ENERGY, "unknown")).toBe("false");
  });

  it("P-3.7.1-3, P-3.7.1-4: of one service are not those of another, and its user tokens are nothing there", () => {
    site.server.setRules([{ access: true }]);
    const token = loggedIn();
    expect(site.download(token, WATER)).toBe("");
    expect(site.hasPrivilege(token, "Databases.Energy.Select", WATER)).toBe("false");
    site.logIn(token, "Kermit", WATER); // nor can it say who that is
    const other = site.userToken(INSIDE, WATER);
    site.logIn(other, "Kermit", WATER);
    expect(site.download(other, WATER)).toBe("");
    site.server.setPrivileges([EXAMPLE, { ...EXAMPLE, service: "water", privileges: [{ include: "Databases" }] }]);
    expect(site.download(other, WATER)).toBe("+Databases");
    expect(site.download(token)).toBe("-Databases.Energy.Delete +Databases.Energy");
  });

  it("end when the rules let the user in no more, and are back when they do again", () => {
    const token = loggedIn();
    site.server.setRules([]);
    expect(site.download(token)).toBe("+Sensors.View");
    site.server.setRules([LETS_IN]);
    expect(site.hasPrivilege(token, "Databases.Energy.Select")).toBe("true");
  });

  it("of the service's renewed certificate are those of its name", () => {
    const token = loggedIn();
    site.server.enrol(site.certificate(WATER), "energy");
    site.server.challenge = "never";
    expect(site.hasPrivilege(token, "Databases.Energy.Select", ENERGY, site.token(WATER))).toBe("true");
  });

  it("tells which no list decides, of users who are there, once for each time it is asked", () => {
    const open: UndecidedQuestion[] = [];
    site.server.onUndecided((question) => open.push(question));
    const token = site.userToken(`${INSIDE}<sso value='secret'/>`);
    expect(site.hasPrivilege(token, "Water.Drink")).toBe("false");
    const question = {
      ...{ kind: "hasPrivilege", thing: "energy@example.org", jid: "energy@example.org", identities: ["energy"] },
      ...{ nodes: [], fields: [], types: [], parameters: [], privilege: "Water.Drink" },
      credentials: [{ type: "ip4", value: "10.0.0.1" }],
    };
    expect(open).toEqual([question]);
    site.logIn(token);
    site.hasPrivilege(token, "Water.Drink");
    expect(open).toEqual([question, { ...question, userName: "Kermit" }]);
    site.hasPrivilege("nobody's", "Water.Drink");
    site.hasPrivilege(token, "Sensors.View"); // granted to everybody
    site.hasPrivilege(token, "Databases.Energy.Delete"); // refused by name
    site.hasPrivilege(token, "no..id");
    expect(open).toHaveLength(2);
  });

  it("are put in front of the list of a user, who becomes known, or of everybody; the service is to ask anew", () => {
    site.server.setPrivileges([{ service: "energy", user: "Gonzo", privileges: [{ include: "A" }, { exclude: "B" }] }]);
    const token = loggedIn("Gonzo");
    expect(site.hasPrivilege(token, "B")).toBe("false");
    site.taken();
    site.server.addPrivileges({ service: "energy", user: "Gonzo", privileges: [{ include: "B" }, { exclude: "A.C" }] });
    expect(site.cleared(site.taken())).toContain(ENERGY);
    const list = [{ include: "B" }, { exclude: "A.C" }, { include: "A" }];
    expect(site.server.privileges).toEqual([{ service: "energy", user: "Gonzo", privileges: list }]);
    expect(site.server.users.map(({ name }) => name)).toEqual(["Kermit", "Gonzo"]);
    expect(site.hasPrivilege(token, "B")).toBe("true");
    const everybody = [{ include: "Sensors" }];
    site.server.addPrivileges({ service: "energy", privileges: everybody });
    expect(site.server.privilegesOf("energy", "Gonzo")).toEqual([...list, ...everybody]);
    expect(site.server.privilegesOf("energy")).toEqual(everybody);
    expect(site.server.privilegesOf("water", "Gonzo")).toEqual([]);
    expect(() => site.server.addPrivileges({ service: "energy", user: "", privileges: [] })).toThrow("list.user");
    expect(site.server.users).toHaveLength(2);
  });

  it("P-3.5.1-1: one Thing or service alone is made to ask anew, if it ever asked", () => {
    site.server.setRules([{ access: true }]);
    site.userToken();
    site.userToken("", WATER);
    site.taken();
    site.server.clearCache("water@example.org");
    expect(site.cleared(site.taken())).toEqual([WATER]);
    site.server.clearCache("stranger@example.org");
    expect(site.taken()).toEqual([]);
    expect(() => site.server.clearCache("no jid@")).toThrow("thing");
  });

  it("a list without a service is refused, and it is said what should stand there", () => {
    expect(() => site.server.setPrivileges([{ privileges: [] } as never])).toThrow(
      "privileges[0].service: must be the name or the fingerprint of a service's certificate",
    );
  });

  it("lists may name a service by its fingerprint, as openssl prints it", () => {
    const printed = (site.fingerprint().toUpperCase().match(/../g) ?? []).join(":");
    site.server.setPrivileges([{ service: printed, privileges: [{ include: "A" }] }]);
    expect(site.download("none")).toBe("+A");
  });

  it("P-3.1.5-3: of several service tokens the most forgiving answer is given", () => {
    site.server.challenge = "never";
    const both = `${site.token(WATER)} ${site.token()}`;
    const token = loggedIn();
    expect(site.hasPrivilege(token, "Databases.Energy.Select", ENERGY, both)).toBe("true");
    expect(site.download(token, ENERGY, both)).toBe("-Databases.Energy.Delete +Databases.Energy +Sensors.View");
  });
});

describe("userLoggedIn", () => {
  beforeEach(() => {
    site.server.setPrivileges([EXAMPLE]);
  });

  it("P-3.5.1-1, P-3.6.2-15: makes the service forget what it was told of the user before", () => {
    const token = site.userToken(INSIDE);
    expect(site.download(token)).toBe("");
    const sent = site.logIn(token);
    expect(site.cleared(sent)).toEqual([ENERGY]);
    expect(site.cleared(site.logIn(token))).toEqual([]); // no news
    expect(site.download(token)).not.toBe("");
    expect(site.cleared(site.logIn(token, "Piggy"))).toEqual([ENERGY]);
    expect(site.download(token)).toBe("");
  });

  it("P-E24: is taken before what the service asks behind it, whichever is proved first", () => {
    const token = site.userToken(INSIDE);
    site.answers = false;
    const [login] = site.logIn(token);
    const [download] = site.asked(ENERGY, downloadPrivileges(site.token(), token));
    if (login === undefined || download === undefined) throw new Error("not challenged");
    site.prove(download);
    expect(site.taken()).toEqual([]);
    site.prove(login);
    const sent = site.taken();
    expect(sent.map((stanza) => stanza.getChildElements()[0]?.name)).toContain("downloadPrivilegesResponse");
    expect(listIn(sent.find((stanza) => stanza.getChild("downloadPrivilegesResponse")))).not.toBe("");
  });

  it("keeps nobody waiting whose token could not be proved, or who is gone", async () => {
    const token = site.userToken(INSIDE);
    site.answers = false;
    site.logIn(token);
    const [challenge] = site.asked(ENERGY, downloadPrivileges(site.token(), token));
    if (challenge === undefined) throw new Error("not challenged");
    site.prove(challenge);
    expect(site.taken()).toEqual([]);
    await site.clock.advance(5_000); // the time for the login is up
    expect(listIn(site.taken().at(-1))).toBe("");
    site.logIn(token);
    site.presence(ENERGY, "unavailable");
    for (const each of site.asked(ENERGY, downloadPrivileges(site.token(), token))) site.prove(each);
    expect(listIn(site.taken().at(-1))).toBe("");
    expect(site.server.pending).toBe(0);
  });

  it("keeps nobody waiting whose question was under way when the account of the server came back", () => {
    const account = `provisioning@example.org`;
    site = new ServiceSite({ jid: account, rules: [LETS_IN] });
    const online = (): void => site.server.onAccount({ jid: `${account}/x`, roster: [] });
    online();
    const token = site.token();
    site.answers = false;
    site.asked(ENERGY, `<canAccess xmlns='urn:xmpp:iot:provisioning' serviceToken='${token}'>${INSIDE}</canAccess>`);
    expect(site.server.pending).toBe(1);
    site.server.onAccount(); // its stream has ended, with that challenge
    online();
    site.answers = true;
    expect(site.canAccess(INSIDE)?.attrs["result"]).toBe("true");
  });

  it("is nothing from who cannot prove the service token, nor what cannot be read, nor an error", () => {
    const token = site.userToken(INSIDE);
    site.logIn(token, "Kermit", ENERGY, "unknown");
    expect(site.download(token)).toBe("");
    expect(site.message(ENERGY, "<userLoggedIn xmlns='urn:xmpp:iot:provisioning'/>")).toEqual([]);
    expect(site.warnings.join()).toContain("userLoggedIn could not be taken");
    expect(site.warnings.join()).not.toContain(token);
    const said = userLoggedIn(site.token(), token, "Kermit");
    expect(site.message(ENERGY, said, "type='error'")).toEqual([]);
    expect(site.message(ENERGY, "<body>Hello</body>")).toEqual([]);
    expect(site.taken()).toEqual([]);
    expect(site.download(token)).toBe("");
  });

  it("is refused in silence when too many wait", () => {
    const token = site.userToken(INSIDE);
    site.answers = false;
    for (let i = 0; i < 64; i++) site.logIn(token);
    site.logIn(token, "Piggy");
    expect(site.warnings.join()).toContain("Too many questions wait");
    expect(refusal(site.asked(ENERGY, downloadPrivileges(site.token(), token))[0])).toBe(
      "error wait resource-constraint",
    );
    site.server.stop();
    expect(site.server.pending).toBe(0);
  });
});

describe("clearCache to services", () => {
  beforeEach(() => {
    site.server.challenge = "never";
    site.server.setRules([{ access: true }]);
    site.userToken("", ENERGY);
    site.userToken("", WATER);
    site.ask({ from: THING });
    site.cleared(site.taken());
  });

  it("P-3.5.1-1: goes to the services whose privileges have changed, and to nobody else", () => {
    site.server.setPrivileges([EXAMPLE]);
    expect(site.cleared(site.taken())).toEqual([ENERGY]);
    site.server.setPrivileges([EXAMPLE]);
    expect(site.cleared(site.taken())).toEqual([]);
    site.server.setPrivileges([{ ...EXAMPLE, service: site.fingerprint(WATER) }]);
    expect(site.cleared(site.taken())).toEqual([ENERGY, WATER]);
  });

  it("P-3.5.1-1: goes to all services when users have changed, and to no Thing", () => {
    site.server.setUsers([]);
    expect(site.cleared(site.taken())).toEqual([ENERGY, WATER]);
  });

  it("P-3.5.1-1: goes to services, and not to Things, when a rule about access has come; to Things when one about them has", () => {
    site.server.addRule({ access: false });
    expect(site.cleared(site.taken())).toEqual([ENERGY, WATER]);
    site.server.addRule({ thing: "meter@example.org", read: true });
    expect(site.cleared(site.taken())).toEqual([THING]);
  });

  it("P-3.5.1-2, P-3.5.1-4: waits for a service that is away, and comes once", () => {
    site.presence(ENERGY, "unavailable");
    site.server.setPrivileges([EXAMPLE]);
    expect(site.taken()).toEqual([]);
    expect(site.server.unacknowledged).toEqual(["energy@example.org"]);
    expect(site.cleared(site.presence(ENERGY))).toEqual([ENERGY]);
    expect(site.presence(ENERGY)).toEqual([]);
  });
});

describe("a service that acts for its user (XEP-0324 5.6)", () => {
  const may = (userToken: string, serviceToken = site.token()): string | undefined => {
    const attributes = `serviceToken='${serviceToken}' userToken='${userToken}'`;
    return verdict(site.ask({ from: THING, attributes }).at(-1));
  };
  beforeEach(() => {
    site.server.challenge = "never";
    site.server.setRules([LETS_IN, { service: "energy", userName: "Kermit", read: true }]);
  });

  it("P-5.6-1: reads what the rules let its user read, once that one has logged in", () => {
    const token = site.userToken(INSIDE);
    expect(may(token)).toBe("false");
    const sent = site.logIn(token);
    // The Thing remembers the no.
    expect(site.cleared(sent)).toEqual([ENERGY, THING]);
    expect(may(token)).toBe("true");
    expect(may(`${token} other`)).toBe("true");
  });

  it("P-3.6.2-15, P-3.7.1-4: a Thing that was read with its tokens, and has it answer the challenges, is not the service", () => {
    site.server.challenge = "always";
    site.server.setUsers([{ name: "Kermit", roles: ["operator"] }, { name: "Piggy" }]);
    site.server.setPrivileges([{ ...EXAMPLE, role: "operator" }]);
    const open: UndecidedQuestion[] = [];
    site.server.onUndecided((question) => void open.push(question));
    const token = site.userToken(INSIDE);
    const asThing = (content: string, type: "get" | "message" = "get"): XmlElement | undefined => {
      site.answers = false;
      for (const stanza of site.asked(THING, content, type)) site.prove(stanza, ENERGY);
      site.answers = true;
      return site.taken().at(-1);
    };
    site.logIn(token, "Piggy");
    asThing(userLoggedIn(site.token(), token, "Kermit"), "message");
    expect(site.hasPrivilege(token, "Databases.Energy.Select")).toBe("false");
    open.length = 0;
    site.logIn(token, "Kermit");
    expect(site.hasPrivilege(token, "Databases.Energy.Select")).toBe("true");
    expect(listIn(asThing(downloadPrivileges(site.token(), token)))).toBe("");
    const asking = `<hasPrivilege xmlns='urn:xmpp:iot:provisioning' serviceToken='${site.token()}' userToken='${token}' privilegeId='Databases.Energy.Select'/>`;
    expect(verdict(asThing(asking))).toBe("false");
    expect(open).toEqual([]);
  });

  it("has nothing of a user of another service, nor without its own token", () => {
    site.server.setRules([{ access: true }, { service: "energy", userName: "Kermit", read: true }]);
    const token = site.userToken("", WATER);
    site.logIn(token, "Kermit", WATER);
    expect(may(token)).toBe("false");
    expect(may(token, site.token(WATER))).toBe("false");
    expect(may(token, "unknown")).toBe("false");
  });

  it("has nothing any more of a user who is let in no more, and the Thing is told", () => {
    const token = site.userToken(INSIDE);
    site.logIn(token);
    expect(may(token)).toBe("true");
    site.cleared(site.taken());
    site.server.addRule({ service: "energy", access: false });
    expect(site.cleared(site.taken())).toEqual([ENERGY, THING]);
    expect(may(token)).toBe("false");
  });
});

describe("new names (P-5.4-1)", () => {
  it("P-5.4-1: are ignored unless the operator wants to see them", () => {
    const token = site.userToken(INSIDE);
    site.logIn(token, "Gonzo");
    site.hasPrivilege(token, "Sensors.View");
    expect(site.server.seenNames).toEqual([]);
  });

  it("P-5.4-1: of services, users and privileges are noted, and give nobody anything", () => {
    site = new ServiceSite({ aggregate: {}, rules: [{ access: true }] }, false);
    const service = site.fingerprint();
    site.server.setPrivileges([{ service, privileges: [{ include: "Known" }] }]);
    const token = site.userToken();
    site.logIn(token, "Gonzo");
    for (const id of ["Sensors.View", "Known.Part", "Sensors.View"]) site.hasPrivilege(token, id);
    expect(site.server.seenNames).toEqual([
      { kind: "service", service, name: service },
      { kind: "user", service, name: "Gonzo" },
      { kind: "privilege", service, name: "Sensors.View" },
    ]);
    expect(site.hasPrivilege(token, "Sensors.View")).toBe("false");
    expect(site.server.users).toEqual([]);
  });

  it("P-5.4-1: are so many and no more, of one service and of all, and none of very many letters", () => {
    site = new ServiceSite({ aggregate: { most: 5, mostOfOne: 3 }, rules: [{ access: true }], challenge: "never" });
    for (const from of [ENERGY, WATER]) {
      const token = site.userToken("", from);
      site.hasPrivilege(token, "x".repeat(257), from);
      for (let i = 0; i < 10; i++) site.hasPrivilege(token, `Privilege${i}`, from);
    }
    expect(site.server.seenNames.map(({ service, name }) => `${service} ${name}`)).toEqual([
      "energy Privilege0",
      "energy Privilege1",
      "energy Privilege2",
      "water Privilege0",
      "water Privilege1",
    ]);
  });

  it("have bounds that are whole numbers", () => {
    expect(() => new ServiceSite({ aggregate: { most: -1 } })).toThrow(ConfigError);
    expect(() => new ServiceSite({ aggregate: { mostOfOne: 1.5 } })).toThrow(ConfigError);
    expect(() => new ServiceSite({ aggregate: { least: 1 } as object })).toThrow(ConfigError);
  });
});

describe("users and lists that are none", () => {
  it.each([
    ["users", {}],
    ["users", [{}]],
    ["users", [{ name: "" }]],
    ["users", [{ name: "a" }, { name: "a" }]],
    ["users", [{ name: "a", roles: "b" }]],
    ["users", [{ name: "a", role: "b" }]],
    ["users", [{ name: "\ud800" }]],
    ["privileges", {}],
    ["privileges", [{ privileges: [] }]],
    ["privileges", [{ service: "", privileges: [] }]],
    ["privileges", [{ service: "a" }]],
    ["privileges", [{ service: "a", user: undefined, privileges: [] }]],
    ["privileges", [{ service: "a", user: "b", role: "c", privileges: [] }]],
    ["privileges", [{ service: "a", privileges: [{}] }]],
    ["privileges", [{ service: "a", privileges: [{ include: "a", exclude: "a" }] }]],
    ["privileges", [{ service: "a", privileges: [{ include: 1 }] }]],
    ["privileges", [{ service: "a", privileges: [{ include: "" }] }]],
    ["privileges", [{ service: "a", privileges: [{ include: "a." }] }]],
    ["privileges", [{ service: "a", privileges: [{ grant: "a" }] }]],
  ] as const)("%s %j are refused, and nothing changes", (what, given) => {
    site.server.setPrivileges([EXAMPLE]);
    const set = (): void =>
      what === "users"
        ? site.server.setUsers(given as unknown as User[])
        : site.server.setPrivileges(given as unknown as PrivilegeList[]);
    expect(set).toThrow(ConfigError);
    expect(site.server.users).toEqual([{ name: "Kermit", roles: ["operator"] }]);
    expect(site.server.privileges).toEqual([EXAMPLE]);
    expect(() => new ServiceSite({ [what]: given as never })).toThrow(ConfigError);
  });

  it("names such as __proto__ are names", () => {
    site.server.setUsers([{ name: "__proto__" }, { name: "constructor", roles: ["toString"] }]);
    site.server.setPrivileges([{ service: "energy", role: "toString", privileges: [{ include: "__proto__" }] }]);
    const token = site.userToken(INSIDE);
    site.logIn(token, "__proto__");
    expect(site.download(token)).toBe("");
    site.logIn(token, "constructor");
    expect(site.hasPrivilege(token, "__proto__")).toBe("true");
  });
});
