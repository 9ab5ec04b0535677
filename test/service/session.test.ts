import { afterEach, describe, expect, it, vi } from "vitest";
import { buildAccepted, parseReq } from "../../src/codec/sensor-data.ts";
import { parseSet } from "../../src/codec/control.ts";
import { parseGetForm } from "../../src/codec/control-form.ts";
import { buildClearCache } from "../../src/codec/provisioning.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { parseUserLoggedIn } from "../../src/codec/service.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { ServiceSession } from "../../src/service/session.ts";
import {
  authority,
  provisioning,
  scriptedService,
  type ScriptedAuthority,
  type ScriptedService,
} from "../support/scripted-service.ts";
import { settled } from "../support/scripted-wire.ts";

const second = "second.example.org";
const soon = { timeout: 5_000, interval: 5 };
let site: ScriptedService | undefined;
afterEach(async () => {
  await site?.service.close();
  site = undefined;
});

async function start(authorities: Readonly<Record<string, ScriptedAuthority>>): Promise<ScriptedService> {
  site = await scriptedService(authorities);
  return site;
}

/** A session of a user whom one server lets in. */
async function userOf(server: ScriptedAuthority): Promise<ServiceSession> {
  const { service } = await start({ [provisioning]: server });
  const session = await service.canAccess({ ip: "10.0.0.1", protocol: "HTTP" });
  expect(session).toBeDefined();
  return session!;
}

const names = ({ asked }: ScriptedAuthority): string[] =>
  asked.map(({ name }) => name).filter((name) => !name.startsWith("getToken") && name !== "ping");
const last = ({ asked }: ScriptedAuthority, name: string): XmlElement =>
  asked.filter((payload) => payload.is(name)).at(-1)!;
const clear = (from = provisioning) => site!.wire().ask(from, "set", buildClearCache());

describe("access", () => {
  it("P-3.6.1-1, P-3.6.2-2, P-3.6.2-16: is asked for with the service's token and the credentials", async () => {
    const server = authority();
    const { service } = await start({ [provisioning]: server });
    await service.canAccess({ ip: "::ffff:10.0.0.1", longitude: 123.45, latitude: 67.89 });
    expect(last(server, "canAccess").toString()).toBe(
      '<canAccess xmlns="urn:xmpp:iot:provisioning" serviceToken="provisioning.example.org-token-1">' +
        '<ip4 value="10.0.0.1"/><longitude value="123.45"/><latitude value="67.89"/></canAccess>',
    );
  });

  it("P-3.6.2-14, P-3.6.2-1: a yes is a session, a no none", async () => {
    const server = authority();
    const { service } = await start({ [provisioning]: server });
    expect(await service.canAccess({ jid: "kermit@example.org" })).toBeDefined();
    server.access = { result: false };
    expect(await service.canAccess({ jid: "piggy@example.org" })).toBeUndefined();
  });

  it.each([
    ["an error", { error: "internal-server-error" }, "ERR_STANZA"],
    ["an error that calls itself a result (P-E2)", parseXml("<error type='cancel'/>"), "ERR_STANZA"],
    ["nonsense", el("canAccessResponse", { xmlns: "urn:xmpp:iot:provisioning", result: "perhaps" }), "ERR_PROTOCOL"],
    ["nothing", undefined, "ERR_PROTOCOL"],
    [
      "a yes of another protocol",
      el("canReadResponse", { xmlns: "urn:xmpp:iot:provisioning", result: true }),
      "ERR_PROTOCOL",
    ],
  ] as const)("%s is no yes", async (_, said, code) => {
    const server = authority();
    server.access = said;
    const { service } = await start({ [provisioning]: server });
    await expect(service.canAccess({})).rejects.toMatchObject({ code });
  });

  it("silence is no yes either", async () => {
    const server = authority();
    server.access = "silent";
    const { service, clock } = await start({ [provisioning]: server });
    const outcome = expect(service.canAccess({})).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await vi.waitFor(() => expect(names(server)).toEqual(["canAccess"]), soon);
    await clock.advance(30_000);
    await outcome;
  });

  it("P-E20: of several servers one yes suffices, and one that is silent is not waited for long", async () => {
    const [yes, silent] = [authority(), authority()];
    silent.access = "silent";
    const { service, clock } = await start({ [provisioning]: yes, [second]: silent });
    const asking = service.canAccess({});
    await vi.waitFor(() => expect([names(yes), names(silent)]).toEqual([["canAccess"], ["canAccess"]]), soon);
    await settled();
    await clock.advance(2_000);
    expect(await asking).toBeDefined();
  });

  it("is asked for until the caller does not want to know any more", async () => {
    const server = authority();
    server.access = "silent";
    const { service } = await start({ [provisioning]: server });
    const ended = new AbortController();
    const asking = service.canAccess({}, { signal: ended.signal });
    await vi.waitFor(() => expect(names(server)).toEqual(["canAccess"]), soon);
    ended.abort(new Error("the page was closed"));
    await expect(asking).rejects.toThrow("the page was closed");
  });

  it("no server is waited for without end, also where no limit is said in so many words", async () => {
    const { service, clock } = await start({});
    const outcome = expect(service.canAccess({}, { timeout: undefined })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
    });
    await clock.advance(30_000);
    await outcome;
  });

  it("a single-sign-on token is told in no error", async () => {
    const server = authority();
    server.access = el("opens-much", { xmlns: ns.provisioning });
    const { service } = await start({ [provisioning]: server });
    const failure = await service.canAccess({ sso: "opens-much" }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "ERR_PROTOCOL", message: expect.stringContaining("(hidden)") as string });
    expect(String(failure)).not.toContain("opens-much");
    const again = await service.canAccess([{ type: "sso", value: "opens-much" }]).catch((error: unknown) => error);
    expect(String(again)).not.toContain("opens-much");
  });

  it("each server is shown the token that it has given itself", async () => {
    const [one, two] = [authority(), authority()];
    const { service } = await start({ [provisioning]: one, [second]: two });
    await service.canAccess({});
    const tokens = [one, two].map((server) => last(server, "canAccess").attrs["serviceToken"]);
    expect(tokens).toEqual([`${provisioning}-token-1`, `${second}-token-1`]);
  });

  it("nobody yes and one silent is an error, nobody yes at all a no", async () => {
    const [no, broken] = [authority(), authority()];
    no.access = { result: false };
    broken.access = { error: "remote-server-timeout", type: "wait" };
    const { service } = await start({ [provisioning]: no, [second]: broken });
    await expect(service.canAccess({})).rejects.toMatchObject({ code: "ERR_STANZA" });
    broken.access = { result: false };
    expect(await service.canAccess({})).toBeUndefined();
  });

  it("a user without a token has no privileges, and nobody is asked for any", async () => {
    const server = authority();
    server.access = { result: true };
    server.privileges = [{ include: "" }];
    const session = await userOf(server);
    expect(await session.hasPrivilege("Sensors.View")).toBe(false);
    expect(await session.downloadPrivileges()).toEqual([]);
    expect(names(server)).toEqual(["canAccess"]);
  });

  it("a token that is longer than a stanza should be is none", async () => {
    const server = authority();
    server.access = { result: true, userToken: "U".repeat(2_049) };
    server.privileges = [{ include: "" }];
    const session = await userOf(server);
    expect(await session.hasPrivilege("Sensors.View")).toBe(false);
  });
});

describe("privileges", () => {
  it("P-3.7.1-1, P-3.7.1-5, P-3.6.2-13, P-3.7.1-10: are asked for by full ID, with both tokens, and asked once", async () => {
    const server = authority();
    server.privileges = [{ exclude: "Sensors.Delete" }, { include: "Sensors" }];
    const session = await userOf(server);
    expect(await session.hasPrivilege("Sensors.View")).toBe(true);
    expect(last(server, "hasPrivilege").attrs).toMatchObject({
      serviceToken: "provisioning.example.org-token-1",
      userToken: "USER1",
      privilegeId: "Sensors.View",
    });
    expect(await session.hasPrivilege("Sensors.Delete")).toBe(false);
    expect(await session.hasPrivilege("Sensors.View")).toBe(true);
    expect(await session.hasPrivilege("Sensors.Delete")).toBe(false);
    expect(names(server)).toEqual(["canAccess", "hasPrivilege", "hasPrivilege"]);
  });

  it("that are asked for at the same time are asked for once", async () => {
    const server = authority();
    server.privileges = [{ include: "A" }];
    const session = await userOf(server);
    expect(await Promise.all(["A", "A", "A.B"].map((id) => session.hasPrivilege(id)))).toEqual([true, true, true]);
    expect(names(server)).toEqual(["canAccess", "hasPrivilege", "hasPrivilege"]);
  });

  it.each(["hasPrivilege", "downloadPrivileges"] as const)(
    "%s: its time limit is for access and privileges together",
    async (call) => {
      const server = authority();
      const session = await userOf(server);
      let letGo: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (letGo = resolve));
      server.instead = async (payload) => {
        if (payload.is("canAccess")) await held;
        return payload.is(call) ? "silent" : "go on";
      };
      await clear();
      const options = { timeout: 1_000 };
      const outcome = expect(
        call === "hasPrivilege" ? session.hasPrivilege("A", options) : session.downloadPrivileges(options),
      ).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
      await vi.waitFor(() => expect(names(server)).toEqual(["canAccess", "canAccess"]), soon);
      await site!.clock.advance(600);
      letGo();
      await vi.waitFor(() => expect(names(server)).toContain(call), soon);
      await settled();
      await site!.clock.advance(400);
      await outcome;
    },
  );

  it.each(["", "A..B", ".A", "A\u0000", "A".repeat(1_025)])("P-3.7.1-2: %j is not asked for", async (id) => {
    const server = authority();
    const session = await userOf(server);
    await expect(session.hasPrivilege(id)).rejects.toMatchObject({ code: "ERR_CONFIG" });
    await expect(session.hasPrivilege(7 as never)).rejects.toMatchObject({ code: "ERR_CONFIG" });
    expect(names(server)).toEqual(["canAccess"]);
  });

  it("P-3.7.1-10: an error is no yes, is not remembered, and shows no token", async () => {
    const server = authority();
    const session = await userOf(server);
    server.instead = (payload) => (payload.is("hasPrivilege") ? el("USER1", { xmlns: "urn:x" }) : "go on");
    const failure = await session.hasPrivilege("A").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "ERR_PROTOCOL" });
    expect(String(failure)).not.toContain("USER1");
    server.instead = () => "go on";
    server.privileges = [{ include: "A" }];
    expect(await session.hasPrivilege("A")).toBe(true);
  });

  it("P-E20: what one server grants is granted; a no is remembered only if all have answered", async () => {
    const [one, two] = [authority(), authority()];
    one.privileges = [{ include: "A" }];
    two.privileges = [{ include: "B" }];
    two.access = { result: true, userToken: "USER2" };
    const { service } = await start({ [provisioning]: one, [second]: two });
    const session = (await service.canAccess({}))!;
    expect(await session.hasPrivilege("A")).toBe(true);
    expect(await session.hasPrivilege("B")).toBe(true);
    expect(await session.hasPrivilege("C")).toBe(false);
    expect(last(two, "hasPrivilege").attrs["userToken"]).toBe("USER2");
    two.instead = (payload) => (payload.is("hasPrivilege") ? { error: "internal-server-error" } : "go on");
    await expect(session.hasPrivilege("D")).rejects.toMatchObject({ code: "ERR_STANZA" });
    two.instead = () => "go on";
    two.privileges = [{ include: "D" }];
    expect(await session.hasPrivilege("D")).toBe(true);
  });

  it("P-3.7.1-9: of names without end only a thousand are remembered", async () => {
    const server = authority();
    server.privileges = [{ include: "" }];
    const session = await userOf(server);
    for (let index = 0; index < 1_002; index++) await session.hasPrivilege(`Sensor.${index}`);
    const before = server.asked.length;
    await session.hasPrivilege("Sensor.1001");
    expect(server.asked.length).toBe(before);
    await session.hasPrivilege("Sensor.0");
    expect(server.asked.length).toBe(before + 1);
  });
});

describe("downloaded privileges", () => {
  it("P-3.7.2-1, P-3.7.2-2, P-3.7.2-3: are read by the algorithm of 3.7.1, without asking", async () => {
    const server = authority();
    server.privileges = [{ exclude: "Sensors.Delete" }, { include: "Sensors" }];
    const session = await userOf(server);
    expect(await session.downloadPrivileges()).toEqual([{ server: provisioning, privileges: server.privileges }]);
    const answers = await Promise.all(
      ["Sensors.View", "Sensors.Delete", "Sensors", "Sens", "Other"].map((id) => session.hasPrivilege(id)),
    );
    expect(answers).toEqual([true, false, true, false, false]);
    expect(names(server)).toEqual(["canAccess", "downloadPrivileges"]);
  });

  it("P-E6: count also without their namespace", async () => {
    const server = authority();
    const session = await userOf(server);
    server.instead = (payload) =>
      payload.is("downloadPrivileges")
        ? el("downloadPrivilegesResponse", {}, el("include", { id: "Sensors" }))
        : "go on";
    await session.downloadPrivileges();
    expect(await session.hasPrivilege("Sensors.View")).toBe(true);
  });

  it("a list that is not understood is none", async () => {
    const server = authority();
    const session = await userOf(server);
    server.instead = (payload) =>
      payload.is("downloadPrivileges")
        ? parseXml(
            "<downloadPrivilegesResponse xmlns='urn:xmpp:iot:provisioning'><include id='A'/><deny id='A.B'/></downloadPrivilegesResponse>",
          )
        : "go on";
    await expect(session.downloadPrivileges()).rejects.toMatchObject({ code: "ERR_PROTOCOL" });
    expect(await session.hasPrivilege("A")).toBe(false); // the server itself was asked then
  });

  it("of several servers are joined; where one list is missing its server is asked", async () => {
    const [one, two] = [authority(), authority()];
    one.privileges = [{ include: "A" }];
    two.privileges = [{ include: "B" }];
    two.instead = (payload) => (payload.is("downloadPrivileges") ? { error: "service-unavailable" } : "go on");
    const { service } = await start({ [provisioning]: one, [second]: two });
    const session = (await service.canAccess({}))!;
    await expect(session.downloadPrivileges()).rejects.toMatchObject({ code: "ERR_STANZA" });
    expect(await session.hasPrivilege("A")).toBe(true);
    expect(await session.hasPrivilege("B")).toBe(true);
    two.instead = () => "go on";
    await session.downloadPrivileges();
    expect(await session.hasPrivilege("C")).toBe(false);
  });
});

describe("a login", () => {
  it("P-3.6.2-15, P-E24: goes out as a message with userName, and what was known before is asked anew", async () => {
    const server = authority();
    server.afterLogin = [{ include: "Sensors" }];
    const session = await userOf(server);
    expect(await session.hasPrivilege("Sensors.View")).toBe(false);
    server.isLoggedIn = true;
    await session.loggedIn("Kermit");
    const [stanza] = site!.wire().messages;
    expect(stanza?.attrs).toMatchObject({ to: provisioning });
    expect(parseUserLoggedIn(stanza?.getChildElements()[0])).toEqual({
      serviceToken: "provisioning.example.org-token-1",
      userToken: "USER1",
      userName: "Kermit",
    });
    expect(await session.hasPrivilege("Sensors.View")).toBe(true);
    expect(site!.wire().messages).toHaveLength(1);
  });

  it("has a downloaded list downloaded anew", async () => {
    const server = authority();
    server.afterLogin = [{ include: "Sensors" }];
    const session = await userOf(server);
    await session.downloadPrivileges();
    expect(await session.hasPrivilege("Sensors.View")).toBe(false);
    server.isLoggedIn = true;
    await session.loggedIn("Kermit");
    expect(await session.hasPrivilege("Sensors.View")).toBe(true);
    expect(names(server)).toEqual(["canAccess", "downloadPrivileges", "downloadPrivileges"]);
  });

  it("an answer to a question of before is not remembered", async () => {
    const server = authority();
    const session = await userOf(server);
    let let_go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (let_go = resolve));
    server.instead = async (payload) => {
      if (payload.is("hasPrivilege")) await held;
      return "go on" as const;
    };
    server.privileges = [{ include: "A" }];
    const before = session.hasPrivilege("A");
    await vi.waitFor(() => expect(names(server)).toContain("hasPrivilege"), soon);
    await session.loggedIn("Kermit");
    let_go();
    await before;
    server.privileges = [];
    expect(await session.hasPrivilege("A")).toBe(false);
  });

  it("goes out again on another stream, for it may not have arrived", async () => {
    const server = authority();
    const session = await userOf(server);
    await session.loggedIn("Kermit");
    site!.drop();
    site!.up();
    await session.hasPrivilege("A");
    expect(site!.wire().messages.map((stanza) => stanza.getChildElements()[0]?.attrs["userName"])).toEqual(["Kermit"]);
  });

  it("P-E24: of somebody else begins with another token: what servers know of the one before is not theirs", async () => {
    const server = authority();
    const session = await userOf(server);
    await session.loggedIn("Kermit");
    await session.loggedIn("Kermit");
    expect(names(server)).toEqual(["canAccess"]);
    server.access = { result: true, userToken: "USER2" };
    await session.loggedIn("Piggy");
    const told = site!.wire().messages.map((stanza) => parseUserLoggedIn(stanza.getChildElements()[0]));
    expect(told.map(({ userToken, userName }) => `${userToken} ${userName}`)).toEqual([
      "USER1 Kermit",
      "USER1 Kermit",
      "USER2 Piggy",
    ]);
    await session.hasPrivilege("A");
    expect(last(server, "hasPrivilege").attrs["userToken"]).toBe("USER2");
  });

  it("P-E24: of two at the same time each has a token of its own", async () => {
    const server = authority();
    const session = await userOf(server);
    server.access = { result: true, userToken: "USER2" };
    await Promise.all([session.loggedIn("Kermit"), session.loggedIn("Piggy")]);
    const told = site!.wire().messages.map((stanza) => parseUserLoggedIn(stanza.getChildElements()[0]));
    expect(told.map(({ userToken, userName }) => `${userToken} ${userName}`)).toEqual(["USER1 Kermit", "USER2 Piggy"]);
    await session.hasPrivilege("A");
    expect(last(server, "hasPrivilege").attrs["userToken"]).toBe("USER2");
  });

  it("that could be told to no server is an error, and is told with the next question", async () => {
    const session = await userOf(authority());
    site!.wire().broken = true;
    await expect(session.loggedIn("Kermit")).rejects.toMatchObject({ code: "ERR_CONNECTION" });
    site!.wire().broken = false;
    await session.hasPrivilege("A");
    expect(site!.wire().messages).toHaveLength(1);
  });

  it("that comes while a list is under way: the list is not remembered", async () => {
    const server = authority();
    server.privileges = [{ include: "A" }];
    const session = await userOf(server);
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    server.instead = async (payload) => {
      if (payload.is("downloadPrivileges")) await held;
      return "go on" as const;
    };
    const downloading = session.downloadPrivileges();
    await vi.waitFor(() => expect(names(server)).toContain("downloadPrivileges"), soon);
    await session.loggedIn("Kermit");
    letGo();
    expect(await downloading).toHaveLength(1);
    server.privileges = [];
    expect(await session.hasPrivilege("A")).toBe(false);
  });

  it("of somebody who is let in no more ends the session, and tells nobody", async () => {
    const server = authority();
    server.privileges = [{ include: "" }];
    const session = await userOf(server);
    await session.loggedIn("Kermit");
    server.access = { result: false };
    await expect(session.loggedIn("Piggy")).rejects.toMatchObject({ code: "ERR_STATE" });
    expect(await session.hasPrivilege("A")).toBe(false);
    expect(site!.wire().messages).toHaveLength(1);
  });

  it.each(["", "K\u0000", "K".repeat(1_025), 7 as never])("needs a name: %j", async (name) => {
    const session = await userOf(authority());
    await expect(session.loggedIn(name)).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });
});

describe("clearCache", () => {
  it("P-3.5.1-3: is acknowledged, and all is asked anew, access first of all", async () => {
    const server = authority();
    server.privileges = [{ include: "A" }];
    const session = await userOf(server);
    expect(await session.hasPrivilege("A")).toBe(true);
    const told: string[] = [];
    site!.service.on("rightsCleared", (jid) => void told.push(jid));
    server.privileges = [];
    server.access = { result: true, userToken: "USER2" };
    expect(await clear()).toMatchObject({ type: "result" });
    expect(await session.hasPrivilege("A")).toBe(false);
    expect(last(server, "hasPrivilege").attrs["userToken"]).toBe("USER2");
    expect(names(server)).toEqual(["canAccess", "hasPrivilege", "canAccess", "hasPrivilege"]);
    expect(told).toEqual([provisioning]);
  });

  it("P-E21: from anybody else is refused, and nothing is forgotten", async () => {
    const server = authority();
    server.privileges = [{ include: "A" }];
    const session = await userOf(server);
    await session.hasPrivilege("A");
    for (const stranger of ["second.example.org", "piggy@example.org/x", "x.provisioning.example.org"]) {
      expect(await clear(stranger)).toMatchObject({ type: "error", condition: "forbidden" });
    }
    await session.hasPrivilege("A");
    expect(names(server)).toEqual(["canAccess", "hasPrivilege"]);
  });

  it("ends the session of a user who may not be there any more, for good", async () => {
    const server = authority();
    server.privileges = [{ include: "" }];
    const session = await userOf(server);
    await session.downloadPrivileges();
    expect(await session.hasAccess()).toBe(true);
    server.access = { result: false };
    await clear();
    expect(await session.hasAccess()).toBe(false);
    expect(await session.hasPrivilege("A")).toBe(false);
    expect(await session.downloadPrivileges()).toEqual([]);
    await expect(session.loggedIn("Kermit")).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(session.read("thing@example.org/r")).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(session.control("thing@example.org/r", { LED: true })).rejects.toMatchObject({ code: "ERR_STATE" });
    server.access = { result: true, userToken: "USER1" };
    await clear();
    expect(await session.hasAccess()).toBe(false);
  });

  it("has a server that does not answer say nothing: neither yes nor no", async () => {
    const server = authority();
    server.privileges = [{ include: "A" }];
    const session = await userOf(server);
    await session.hasPrivilege("A");
    server.access = { error: "internal-server-error" };
    await clear();
    await expect(session.hasPrivilege("A")).rejects.toMatchObject({ code: "ERR_STANZA" });
    server.access = { result: true, userToken: "USER1" };
    expect(await session.hasPrivilege("A")).toBe(true);
  });

  it("tells the login again, of which the new token knows nothing", async () => {
    const server = authority();
    const session = await userOf(server);
    await session.loggedIn("Kermit");
    server.access = { result: true, userToken: "USER2" };
    await clear();
    await session.hasPrivilege("A");
    const tokens = site!.wire().messages.map((stanza) => stanza.getChildElements()[0]?.attrs["userToken"]);
    expect(tokens).toEqual(["USER1", "USER2"]);
  });

  it("that comes while a question is under way: the answer is not remembered", async () => {
    const server = authority();
    const session = await userOf(server);
    server.privileges = [{ include: "A" }];
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    server.instead = async (payload) => {
      if (payload.is("hasPrivilege")) await held;
      return "go on" as const;
    };
    const before = session.hasPrivilege("A");
    await vi.waitFor(() => expect(names(server)).toContain("hasPrivilege"), soon);
    await clear();
    letGo();
    await before;
    server.privileges = [];
    expect(await session.hasPrivilege("A")).toBe(false);
  });
});

describe("without a connection", () => {
  it("nothing counts that is remembered: a clearCache could not come", async () => {
    const server = authority();
    server.privileges = [{ include: "A" }];
    const session = await userOf(server);
    await session.downloadPrivileges();
    expect(await session.hasPrivilege("A")).toBe(true);
    site!.drop();
    const outcome = expect(session.hasPrivilege("A")).rejects.toMatchObject({ code: "ERR_CONNECTION" });
    await settled();
    await site!.clock.advance(2_000);
    await outcome;
  });

  it("nobody waits longer for one to come than they want to", async () => {
    const server = authority();
    const session = await userOf(server);
    site!.drop();
    const ended = new AbortController();
    const asking = session.hasPrivilege("A", { signal: ended.signal });
    await settled();
    ended.abort(new Error("the page was closed"));
    await expect(asking).rejects.toThrow("the page was closed");
    expect(names(server)).toEqual(["canAccess"]);
  });

  it("what is remembered counts again once the servers have had their say on the next stream", async () => {
    const server = authority();
    server.privileges = [{ include: "A" }];
    const session = await userOf(server);
    await session.hasPrivilege("A");
    site!.drop();
    site!.up();
    expect(await session.hasPrivilege("A")).toBe(true);
    expect(names(server)).toEqual(["canAccess", "hasPrivilege"]);
  });
});

describe("Things", () => {
  const thing = "thermometer@example.org/home";

  it("P-5.6-1: are read with the service's tokens, and for a user with the user's too", async () => {
    const [one, two] = [authority(), authority()];
    two.access = { result: true, userToken: "USER2" };
    const { service, wire } = await start({ [provisioning]: one, [second]: two });
    const session = (await service.canAccess({}))!;
    wire().peer(thing, (payload) => buildAccepted({ seqnr: parseReq(payload).seqnr }));
    const ended = new AbortController();
    for (const reading of [
      service.read(thing, { signal: ended.signal }),
      session.read(thing, { signal: ended.signal }),
    ]) {
      reading.then(undefined, () => undefined);
    }
    await vi.waitFor(() => expect(wire().asked(thing, "req")).toHaveLength(2), soon);
    const tokens = wire()
      .asked(thing, "req")
      .map((payload) => parseReq(payload).tokens);
    const serviceToken = `${provisioning}-token-1 ${second}-token-1`;
    expect(tokens).toContainEqual({ serviceToken });
    expect(tokens).toContainEqual({ serviceToken, userToken: "USER1 USER2" });
    ended.abort(new Error("enough"));
  });

  it("P-5.6-1: are controlled likewise", async () => {
    const session = await userOf(authority());
    site!.wire().peer(thing, () => ({ error: "forbidden" }));
    const options = { timeout: 1_000 };
    await expect(session.control(thing, { LED: true }, options)).rejects.toMatchObject({ condition: "forbidden" });
    await expect(site!.service.control(thing, { LED: true })).rejects.toMatchObject({ condition: "forbidden" });
    const tokens = site!
      .wire()
      .asked(thing, "set")
      .map((payload) => parseSet(payload).tokens);
    expect(tokens).toEqual([
      { serviceToken: `${provisioning}-token-1`, userToken: "USER1" },
      { serviceToken: `${provisioning}-token-1` },
    ]);
  });

  it("XEP-0325 3.3.1, P-5.6-1: are asked for their form likewise, and set by it", async () => {
    const session = await userOf(authority());
    const wire = site!.wire();
    wire.peer(thing, (payload) =>
      payload.is("getForm")
        ? parseXml("<x xmlns='jabber:x:data' type='form'><field var='Fan' type='boolean' label='Fan'/></x>")
        : { error: "forbidden" },
    );
    const form = await session.getForm(thing, { language: "en" });
    expect(form.parameters).toMatchObject([{ name: "Fan", type: "boolean" }]);
    expect(await site!.service.getForm(thing)).toEqual(form);
    await expect(session.control(thing, { Fan: true }, { form })).rejects.toMatchObject({ condition: "forbidden" });
    expect(wire.asked(thing, "getForm").map((payload) => parseGetForm(payload).tokens)).toEqual([
      { serviceToken: `${provisioning}-token-1`, userToken: "USER1" },
      { serviceToken: `${provisioning}-token-1` },
    ]);
    const [set] = wire.asked(thing, "set").map((payload) => parseSet(payload));
    expect(set).toMatchObject({ tokens: { userToken: "USER1" }, form: { type: "submit" } });
    await expect(session.getForm(thing, { tokens: {} } as never)).rejects.toMatchObject({ code: "ERR_CONFIG" });
    await expect(session.getForm(thing, { language: "" })).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });

  it("are controlled within the time limit, what goes before included", async () => {
    const server = authority();
    const session = await userOf(server);
    site!.wire().peer(thing, () => "silent");
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    server.instead = async (payload) => {
      if (payload.is("canAccess")) await held;
      return "go on" as const;
    };
    await clear();
    const setting = session.control(thing, { LED: true }, { timeout: 1_000 });
    const outcome = expect(setting).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await vi.waitFor(() => expect(names(server)).toEqual(["canAccess", "canAccess"]), soon);
    await site!.clock.advance(600);
    letGo();
    await vi.waitFor(() => expect(site!.wire().asked(thing, "set")).toHaveLength(1), soon);
    await settled();
    await site!.clock.advance(400);
    await outcome;
  });

  it("P-5.6-1: are not asked for a user without a token: that would be the service's own accord, and its own rights", async () => {
    const server = authority();
    server.access = { result: true };
    const session = await userOf(server);
    await expect(session.read(thing)).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(session.control(thing, { LED: true })).rejects.toMatchObject({ code: "ERR_STATE" });
    expect(site!.wire().asked(thing, "req")).toEqual([]);
    expect(site!.wire().asked(thing, "set")).toEqual([]);
  });

  it("that say a token in their error do not have it told", async () => {
    const session = await userOf(authority());
    site!.wire().peer(thing, () => parseXml("<provisioning.example.org-token-1 xmlns='urn:oops'/>"));
    const failure = await Promise.resolve(session.read(thing)).catch((error: unknown) => error);
    expect(String(failure)).not.toContain("token-1");
    await expect(session.read("no jid@", {})).rejects.toMatchObject({ code: "ERR_CONFIG" });
    await expect(session.read(thing, { tokens: {} } as never)).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });
});
