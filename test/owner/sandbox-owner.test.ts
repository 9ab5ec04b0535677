// The owner's client against the reference Registry, on a real server, the Registry as a component and as an account.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { buildRegister } from "../../src/codec/iot-discovery.ts";
import { ns } from "../../src/codec/namespaces.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import { toTags, type Tags } from "../../src/codec/tags.ts";
import { connect, type Connection } from "../../src/connection/connect.ts";
import type { ThingFound } from "../../src/owner/found-things.ts";
import { OwnerClient, type SearchOptions } from "../../src/owner/owner-client.ts";
import { anyOf, tag, type SearchCondition } from "../../src/owner/predicates.ts";
import { RegistryAccess } from "../../src/owner/registry-access.ts";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { thingOptions } from "../support/site.ts";

describe.each(["component", "account"] as const)("an owner and a Registry that is a %s", (hosting) => {
  let sandbox: Sandbox;
  const open: Connection[] = [];
  const user = async (name: string): Promise<Connection> => {
    const { service, domain, ca } = sandbox;
    const { username, password } = sandbox.addUser(name);
    const connection = await connect({ service, domain, username, password, tls: { ca } });
    open.push(connection);
    return connection;
  };
  let owner: OwnerClient;
  let stranger: OwnerClient;
  let rack: Connection;
  const notices: string[] = [];
  let register: (tags: Tags, node: NodeRef, selfOwned?: boolean) => Promise<unknown>;

  const nodeIds = async (conditions: SearchCondition | readonly SearchCondition[], options: SearchOptions = {}) => {
    const ids: string[] = [];
    for await (const { node } of stranger.search(conditions, options)) ids.push(node?.nodeId ?? "");
    return ids.sort();
  };

  beforeAll(async () => {
    sandbox = await startSandbox({ hosting: { registry: hosting } });
    const registry = sandbox.registry.jid;
    // A component is found; an account has to be named.
    const options = hosting === "component" ? {} : { registry };
    owner = new OwnerClient(await user("owner"), options);
    stranger = new OwnerClient(await user("stranger"), options);
    rack = await user("rack");
    rack.friends.onRequest((jid) => void rack.friends.accept(jid));
    for (const name of ["claimed", "removed", "disowned"]) {
      rack.channel.router.onIq(ns.discovery, name, ({ payload }) => {
        notices.push(`${name} ${payload.attrs["nodeId"] ?? ""}`);
        return {};
      });
    }
    const access = new RegistryAccess(rack, systemClock, registry);
    register = (tags, node, selfOwned = false) =>
      access.ask("update", { type: "set", payload: buildRegister({ tags: toTags(tags), node, selfOwned }) }, {});
  });
  afterAll(async () => {
    for (const connection of open) await connection.close();
    await sandbox.stop();
  });

  const node = (nodeId: string): NodeRef => ({ nodeId, sourceId: "MeteringTopology" });
  const tags = (sn: string): Tags => ({ SN: sn, MAN: "www.ktc.se", V: 1.2, KEY: `key of ${sn}` });

  it("claims nodes, publicly and not, and finds the public ones", async () => {
    for (const id of ["1", "2", "3", "4"]) await register(tags(id), node(id));
    await register({ SN: "5", MAN: "www.ktc.se", V: 2 }, node("5"), true);
    expect(await owner.claim(tags("1"))).toEqual({ jid: rack.jid.bare, node: node("1") });
    expect(await owner.claim(tags("2"))).toEqual({ jid: rack.jid.bare, node: node("2") });
    expect(await owner.claim(tags("3"), { public: false })).toEqual({ jid: rack.jid.bare, node: node("3") });
    await expect.poll(() => notices).toEqual(["claimed 1", "claimed 2", "claimed 3"]);
    expect(await nodeIds(tag("MAN").is("www.ktc.se"))).toEqual(["1", "2", "5"]);
    expect(await nodeIds([tag("man").like("*.ktc.*"), tag("V").between(1, 2, { max: "excluded" })])).toEqual([
      "1",
      "2",
    ]);
    expect(await nodeIds(anyOf(tag("V").above(1.2), tag("SN").is("1"), tag("MAN").is("www.ktc.se")))).toHaveLength(3);
    await expect(stranger.claim(tags("1"))).rejects.toMatchObject({ request: "claim", condition: "item-not-found" });
    expect(await owner.claim(tags("1"))).toEqual({ jid: rack.jid.bare, node: node("1") });

    const found: ThingFound[] = [];
    for await (const thing of stranger.search(tag("SN").like("*"))) found.push(thing);
    const byId = new Map(found.map((thing) => [thing.node?.nodeId, thing]));
    expect(byId.get("1")).toEqual({
      jid: rack.jid.bare,
      node: node("1"),
      owner: expect.stringMatching(/^owner@/) as unknown,
      selfOwned: false,
      tags: new Map<string, string | number>([
        ["SN", "1"],
        ["MAN", "www.ktc.se"],
        ["V", 1.2],
      ]),
    });
    expect(byId.get("5")).toMatchObject({ owner: rack.jid.bare, selfOwned: true });
  });

  it("updates its own and nobody else's", async () => {
    const mine = { jid: rack.jid.full, node: node("1") };
    await owner.update(mine, { ROOM: "4", MAN: "" });
    expect(await nodeIds(tag("ROOM").is("4"))).toEqual(["1"]);
    expect(await nodeIds(tag("MAN").is("www.ktc.se"))).toEqual(["2", "5"]);
    for (const call of [
      () => stranger.update(mine, { ROOM: "5" }),
      () => owner.update({ jid: rack.jid.bare, node: node("4") }, { ROOM: "5" }), // nobody's
      () => owner.update({ jid: rack.jid.bare, node: { nodeId: "1" } }, { ROOM: "5" }), // another node
      () => owner.update(rack.jid.bare, { ROOM: "5" }),
      () => stranger.remove(mine),
      () => stranger.disown(mine),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: "ERR_STANZA", condition: "item-not-found" });
    }
    expect(await nodeIds(tag("ROOM").is("5"))).toEqual([]);
    await expect(owner.update(mine, { "A=": "1" })).resolves.toBeUndefined();
  });

  it("removes its own: no search finds it any more, and it is told", async () => {
    await owner.remove({ jid: rack.jid.bare, node: node("2") });
    await expect.poll(() => notices).toContain("removed 2");
    expect(await nodeIds(tag("SN").like("*"))).toEqual(["1", "5"]);
    await expect(owner.remove({ jid: rack.jid.bare, node: node("2") })).rejects.toMatchObject({
      condition: "item-not-found",
      advice: expect.stringContaining("Or was it removed before?") as unknown,
    });
  });

  it("disowns its own: it is told before, and another may claim it with new tags", async () => {
    await owner.disown({ jid: rack.jid.bare, node: node("1") });
    expect(notices).toContain("disowned 1");
    expect(await nodeIds(tag("SN").like("*"))).toEqual(["5"]);
    await expect(stranger.claim(tags("1"))).rejects.toMatchObject({ condition: "item-not-found" });
    await register({ ...tags("1"), KEY: "another" }, node("1"));
    expect(await stranger.claim({ ...tags("1"), KEY: "another" })).toMatchObject({ node: node("1") });
  });

  it("goes through pages, and through those of several alternatives", async () => {
    for (let index = 0; index < 40; index++) {
      await register({ SN: `p${index}`, CLASS: index % 2 === 0 ? "even" : "odd", V: index }, node(`p${index}`), true);
    }
    expect(await nodeIds(tag("SN").like("p*"), { pageSize: 7 })).toHaveLength(40);
    expect(
      await nodeIds(anyOf(tag("CLASS").is("even"), [tag("V").below(20), tag("SN").like("p*")]), { pageSize: 7 }),
    ).toHaveLength(30);
    expect(await nodeIds(tag("V").outside(3, 36, { min: "excluded" }))).toContain("p3");
  });

  it("cannot disown what is offline, and is told what to do", async () => {
    await register({ SN: "off", KEY: "k" }, node("off"));
    const mine = await owner.claim({ SN: "off", KEY: "k" });
    await rack.close();
    if (mine.jid === undefined) throw new Error("no address");
    await expect(owner.disown(mine)).rejects.toMatchObject({
      condition: "not-allowed",
      message: expect.stringContaining("switch it on and try again") as unknown,
    });
  });

  it("D-5.1-1: claims a Thing, finds it, reads it as it was found, and gives it up; it can be claimed again", async () => {
    const { service, domain, ca } = sandbox;
    sandbox.provisioning.setRules([{ jid: "owner@localhost", friend: true, read: true }]);
    const options = { tls: { ca }, ...(hosting === "account" && { registry: sandbox.registry.jid }) };
    const thing = new Thing(thingOptions(memoryStorage(), { service, domain }, options));
    await thing.start();
    try {
      await thing.waitFor("registered", { timeout: 10_000 });
      const text = thing.claimText;
      expect(await owner.claim(text)).toEqual({ jid: thing.jid.split("/")[0] });
      await thing.waitFor("provisioned", { timeout: 15_000 });
      let found = 0;
      for await (const one of owner.search([tag("MODEL").is("IMC"), tag("SN").like("39487*")])) {
        found++;
        expect(one.jid).toBe(thing.jid.split("/")[0]);
        const [group] = await owner.read(one);
        expect(group?.fields.map(({ name }) => name)).toContain("Temperature");
        await owner.disown(one);
      }
      expect(found).toBe(1);
      await thing.waitFor(({ ownership }) => ownership.is === "registered", { timeout: 15_000 });
      expect(thing.claimText).not.toBe(text);
      await expect(stranger.claim(text)).rejects.toMatchObject({ condition: "item-not-found" });
      await expect
        .poll(() => stranger.claim(thing.claimText).catch((error: unknown) => error), { timeout: 10_000 })
        .toEqual({ jid: thing.jid.split("/")[0] });
    } finally {
      await thing.stop();
    }
  });
});
