import { describe, expect, test } from "vitest";
import { isSdkError } from "../../src/core/errors.ts";
import { bareJid } from "../../src/core/jid.ts";
import { buildInfo, buildItems } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildIsFriendResponse } from "../../src/codec/provisioning.ts";
import { buildRoster } from "../../src/codec/roster.ts";
import { el, optional } from "../../src/codec/xml.ts";
import { Friends } from "../../src/connection/friends.ts";
import { FriendWhereabouts } from "../../src/connection/whereabouts.ts";
import { Components, type ServiceHints } from "../../src/discovery/components.ts";
import {
  checkProvisioning,
  checkRegistry,
  type ProvisioningMethods,
  type RegistryMethods,
} from "../../src/discovery/service-options.ts";
import { findARegistry, findAServer } from "../../src/thing/find-services.ts";
import type { TrustedServer } from "../../src/thing/state.ts";
import { scriptedChannel, settled, type Peer } from "../support/scripted-wire.ts";
import { owner, registry } from "./life.ts";

const never = new AbortController().signal;
const domain = "example.org";

const is =
  (...features: string[]): Peer =>
  (payload) =>
    payload.is("query", ns.discoInfo)
      ? buildInfo({ identities: [], features })
      : payload.is("query", ns.discoItems)
        ? buildItems([{ jid: "found.example.org" }])
        : { error: "service-unavailable" };

/** A Thing on example.org whose friends are all its contacts, so that it sees who of them is there. */
async function site(options: { hints?: ServiceHints; friends?: readonly string[] } = {}) {
  const parts = scriptedChannel();
  const { channel, wire, clock } = parts;
  const accounts = options.friends ?? [owner, "registry@example.org", "provisioning@example.org", "r@b.c", "p@b.c"];
  const items = accounts.map((jid) => ({
    jid: bareJid(jid),
    subscription: "both" as const,
    pendingOut: false,
    name: "",
    groups: [],
  }));
  wire.peer("thing@example.org", (payload) => (payload.is("query", ns.roster) ? buildRoster(items) : undefined));
  wire.peer(domain, is(ns.discoItems));
  const friends = new Friends(channel);
  await friends.load();
  const whereabouts = new FriendWhereabouts({ channel, friends, clock });
  const finding = {
    channel,
    whereabouts,
    clock,
    components: new Components(parts),
    friends,
    hints: () => options.hints ?? none,
  };
  /** An account is there, and does this. */
  const there = async (jid: string, peer: Peer): Promise<void> => {
    wire.peer(`${jid}/r`, peer);
    wire.receive(el("presence", { xmlns: ns.client, from: `${jid}/r`, to: "thing@example.org" }));
    await settled();
  };
  const put = (jid: string, peer: Peer): Promise<void> => {
    if (jid.includes("@")) return there(jid, peer);
    wire.peer(jid, peer);
    return Promise.resolve();
  };
  const ways = (registry: RegistryMethods, provisioning: ProvisioningMethods) => ({
    registry: checkRegistry(registry, true).ways,
    provisioning: checkProvisioning(provisioning, true).ways,
  });
  const findRegistry = (methods: RegistryMethods, signal = never): Promise<string> =>
    findARegistry({ ...finding, ways: ways(methods, {}) }, signal);
  const findTrusted = (methods: ProvisioningMethods, signal = never): Promise<TrustedServer> =>
    findAServer({ ...finding, ways: ways({}, methods) }, { registry, owner }, signal);
  const findServer = async (methods: ProvisioningMethods, signal = never): Promise<string> =>
    (await findTrusted(methods, signal)).jid;
  /** Lets all the time pass that waiting for somebody could take. */
  const inTheEnd = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => undefined);
    for (let i = 0; i < 20; i++) await clock.advance(5_000);
    return promise;
  };
  return { ...parts, friends, there, put, findRegistry, findServer, findTrusted, inTheEnd };
}

const none: ServiceHints = { registries: [], provisioning: [] };

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isSdkError(error) || error.code !== "ERR_DISCOVERY") throw new Error(`not ERR_DISCOVERY: ${String(error)}`);
  return error.message;
}

describe("finding a Thing Registry", () => {
  const everywhere: RegistryMethods = {
    component: "registry.b.c",
    jid: "r@b.c",
    subdomain: "discovery",
    username: "registry",
    search: true,
  };
  // In the XEP's order.
  const methods: readonly [string, RegistryMethods, string][] = [
    ["D-3.5-2, D-3.5-3: a component by its address", { component: "registry.b.c" }, "registry.b.c"],
    ["D-3.5-2, D-3.5-4: an account by its bare JID", { jid: "r@b.c" }, "r@b.c"],
    [
      "D-3.5-5: a component by its subdomain of the server connected to",
      { subdomain: "discovery" },
      `discovery.${domain}`,
    ],
    ["D-3.5-6: an account by its user name on the server connected to", { username: "registry" }, `registry@${domain}`],
    ["D-3.5-7: one of the components of the server connected to", { search: true }, `found.${domain}`],
  ];

  test.each(methods)("%s", async (_, method, found) => {
    const at = await site();
    await at.put(found, is(ns.discovery));
    expect(await at.findRegistry(method)).toBe(found);
  });

  test.each(methods)("%s: not if it is none", async (_, method, found) => {
    const at = await site();
    await at.put(found, is(ns.provisioning, `${ns.discovery}:x`));
    expect(await messageOf(at.inTheEnd(at.findRegistry(method)))).toContain("no Thing Registry was found (");
  });

  test.each(methods.map(([id], index) => [id, index] as const))("%s: comes in the XEP's order", async (_, index) => {
    const at = await site();
    for (const [, , jid] of methods.slice(index)) await at.put(jid, is(ns.discovery));
    for (const [, , jid] of methods.slice(0, index)) at.wire.peer(jid, () => ({ error: "item-not-found" }));
    expect(await at.inTheEnd(at.findRegistry(everywhere))).toBe(methods[index]?.[2]);
  });

  test("says of each method what came of it", async () => {
    const at = await site();
    at.wire.peer("registry.b.c", () => ({ error: "remote-server-not-found" }));
    await at.there("r@b.c", is(ns.ping));
    at.wire.peer("discovery.example.org", () => "silent");
    at.wire.peer("found.example.org", is(ns.ping));
    expect(await messageOf(at.inTheEnd(at.findRegistry(everywhere)))).toBe(
      "no Thing Registry was found (component: registry.b.c answered remote-server-not-found; " +
        `JID: no connection of r@b.c has ${ns.discovery}; ` +
        "subdomain: query to discovery.example.org: no answer within 10000 ms; " +
        "user name: finding registry@example.org: no answer within 10000 ms; " +
        `search: no component of example.org has ${ns.discovery} (found.example.org, example.org: does not have it))`,
    );
  });

  test("XEP-0347 5.1: an account is asked for friendship, a component is not", async () => {
    const at = await site({ friends: [] });
    await messageOf(at.inTheEnd(at.findRegistry({ component: "registry.b.c", jid: "r@b.c" })));
    expect(at.wire.presences).toEqual(["subscribe r@b.c"]);
  });

  test("D-6.2-1: names from the network are an order for the search, and never a way of their own", async () => {
    const at = await site({
      hints: { registries: ["second", "mallory", "mallory@example.org"], provisioning: ["found"] },
    });
    const listed = ["found.example.org", "second.example.org"].map((jid) => ({ jid }));
    at.wire.peer(domain, (payload) => (payload.is("query", ns.discoItems) ? buildItems(listed) : undefined));
    for (const jid of ["found.example.org", "second.example.org", "mallory.example.org"]) {
      at.wire.peer(jid, is(ns.discovery, ns.provisioning));
    }
    await at.there("mallory@example.org", is(ns.discovery, ns.provisioning));
    expect(await at.findRegistry({})).toBe("second.example.org");
    expect(await at.findServer({ search: true, registry: false, owner: false })).toBe("found.example.org");
    expect([at.wire.asked("mallory.example.org"), at.wire.asked("mallory@example.org/r")]).toEqual([[], []]);
    expect(at.wire.presences).toEqual([]);
  });

  test("ends with the stream, whatever is left to be tried", async () => {
    const at = await site();
    const finding = at.findRegistry(everywhere);
    await settled();
    at.channel.detach(new Error("lost"));
    await expect(at.inTheEnd(finding)).rejects.toMatchObject({ code: "ERR_CONNECTION" });
    await expect(at.findRegistry(everywhere)).rejects.toMatchObject({ code: "ERR_CONNECTION" });
    await expect(at.findServer({ subdomain: "provisioning" })).rejects.toMatchObject({ code: "ERR_CONNECTION" });
    const stopped = new AbortController();
    const other = await site();
    const stopping = other.findRegistry(everywhere, stopped.signal);
    stopped.abort(new Error("stopped"));
    await expect(stopping).rejects.toThrow("stopped");
  });
});

describe("finding a provisioning server", () => {
  const everywhere: ProvisioningMethods = {
    servers: ["p@b.c", "provisioning.b.c"],
    subdomain: "provisioning",
    username: "provisioning",
    registry: true,
    owner: true,
    search: true,
  };
  const is6 = is(ns.provisioning);
  /** A provisioning server: it answers questions. */
  const answers: Peer = (payload, type, to) =>
    payload.is("isFriend", ns.provisioning)
      ? buildIsFriendResponse({
          jid: bareJid(optional(payload, "jid") ?? ""),
          result: false,
          secondaryTrustAllowed: false,
        })
      : is6(payload, type, to);
  const only = { registry: false, owner: false, search: false };
  // In the XEP's order.
  const methods: readonly [string, ProvisioningMethods, string][] = [
    ["D-3.11-3: a component by its address", { servers: ["provisioning.b.c"] }, "provisioning.b.c"],
    ["D-3.11-4: an account by its bare JID", { servers: ["p@b.c"] }, "p@b.c"],
    ["D-3.11-5: a component by its subdomain", { subdomain: "provisioning" }, `provisioning.${domain}`],
    ["D-3.11-6: an account by its user name", { username: "provisioning" }, `provisioning@${domain}`],
    ["D-3.11-7: the Registry itself", { ...only, registry: true }, registry],
    ["D-3.11-8: the owner itself", { ...only, owner: true }, owner],
    ["D-3.11-9, P-4-3: one of the server's components", { ...only, search: true }, `found.${domain}`],
  ];

  test.each(methods)("%s", async (_, method, found) => {
    const at = await site();
    await at.put(found, answers);
    expect(await at.findServer(method)).toBe(found);
  });

  test.each(methods)("X-E4: %s: whether it came with the owner", async (name, method, found) => {
    const at = await site();
    await at.put(found, answers);
    const origin = /the Registry itself|the owner itself/.test(name) ? "owner" : "found";
    expect(await at.findTrusted(method)).toEqual({ jid: found, origin });
  });

  test.each(methods)("%s: not if it is none", async (_, method, found) => {
    const at = await site();
    await at.put(found, is(ns.discovery));
    expect(await messageOf(at.inTheEnd(at.findServer(method)))).toContain("no provisioning server was found (");
  });

  test.each(methods.map(([id], index) => [id, index] as const))("%s: comes in the XEP's order", async (_, index) => {
    const at = await site();
    for (const [, , jid] of methods.slice(index)) await at.put(jid, answers);
    for (const [, , jid] of methods.slice(0, index)) at.wire.peer(jid, () => ({ error: "item-not-found" }));
    expect(await at.inTheEnd(at.findServer(everywhere))).toBe(methods[index]?.[2]);
  });

  test("says of each method what came of it", async () => {
    const at = await site();
    at.wire.peer("provisioning.b.c", () => ({ error: "remote-server-not-found" }));
    at.wire.peer("provisioning.example.org", is(ns.ping));
    at.wire.peer(registry, is(ns.discovery));
    await at.there(owner, is(ns.ping));
    at.wire.peer("found.example.org", () => undefined);
    expect(await messageOf(at.inTheEnd(at.findServer(everywhere)))).toBe(
      "no provisioning server was found (server: provisioning.b.c answered remote-server-not-found; " +
        "server: finding p@b.c: no answer within 10000 ms; " +
        `subdomain: provisioning.example.org does not have ${ns.provisioning}; ` +
        "user name: finding provisioning@example.org: no answer within 10000 ms; " +
        `Registry: ${registry} does not have ${ns.provisioning}; ` +
        `owner: no connection of ${owner} has ${ns.provisioning}; ` +
        `search: no component of example.org has ${ns.provisioning} (found.example.org: gave an answer that cannot be ` +
        "understood; example.org: does not have it))",
    );
  });

  describe("D-3.11-8: the owner", () => {
    const says = (answer: ReturnType<Peer>): Peer => {
      return (payload, type, to) => (payload.is("isFriend") ? answer : is6(payload, type, to));
    };
    const response = (jid: string | undefined) =>
      buildIsFriendResponse({
        ...(jid !== undefined && { jid: bareJid(jid) }),
        result: true,
        secondaryTrustAllowed: true,
      });

    test.each<[string, ReturnType<Peer>]>([
      ["with an error", { error: "service-unavailable" }],
      ["with nothing", undefined],
      ["with the question", el("isFriend", { xmlns: ns.provisioning, jid: owner })],
      ["with an answer to no question of this one", el("canReadResponse", { xmlns: ns.provisioning, result: "true" })],
      ["with no yes and no no", el("isFriendResponse", { xmlns: ns.provisioning, jid: owner, result: "maybe" })],
      ["in another namespace", el("isFriendResponse", { xmlns: "urn:other", jid: owner, result: "true" })],
    ])("is no server when his program advertises everything, and answers isFriend %s", async (_, answer) => {
      const at = await site();
      await at.there(owner, says(answer));
      expect(await messageOf(at.inTheEnd(at.findServer({ ...only, owner: true })))).toContain(
        `owner: ${owner} advertises provisioning, but does not answer isFriend`,
      );
    });

    test.each([
      ["about somebody else", "mallory@example.org"],
      ["about nobody", undefined],
    ])("is no server when the answer is %s", async (_, jid) => {
      const at = await site();
      await at.there(owner, says(response(jid)));
      expect(await messageOf(at.inTheEnd(at.findServer({ ...only, owner: true })))).toContain(
        "does not answer what isFriend was asked",
      );
    });

    test("is asked nothing but disco#info when he does not advertise it", async () => {
      const at = await site();
      await at.there(owner, is(ns.ping));
      await messageOf(at.inTheEnd(at.findServer({ ...only, owner: true })));
      expect(at.wire.asked(`${owner}/r`).map(({ name }) => name)).toEqual(["query"]);
    });

    test("who is silent, or has not answered yet, is waited for five seconds, and not asked for friendship again", async () => {
      const silent = await site();
      await silent.there(owner, says("silent"));
      const stranger = await site({ friends: [] });
      for (const at of [silent, stranger]) {
        at.wire.peer("found.example.org", is6);
        let found: string | undefined;
        const finding = at.findServer({ ...only, owner: true, search: true }).then((jid) => (found = jid));
        await at.clock.advance(4_999);
        await settled();
        // It is searched for meanwhile; what comes of it counts once the owner has not answered.
        expect([at.wire.asked("found.example.org").length, found]).toEqual([1, undefined]);
        await at.clock.advance(1);
        expect(await finding).toBe("found.example.org");
        expect([at.wire.asked("found.example.org").length, at.wire.presences]).toEqual([1, []]);
      }
    });

    test("who is a friend and not there is not waited for", async () => {
      const at = await site();
      at.wire.peer("found.example.org", is6);
      const finding = at.findServer({ ...only, owner: true, search: true });
      await at.clock.advance(1_000);
      expect(await finding).toBe("found.example.org");
      const alone = messageOf(at.inTheEnd(at.findServer({ ...only, owner: true })));
      expect(await alone).toContain(`owner: ${owner} is not online`);
    });

    test("who comes within a second is asked", async () => {
      const at = await site();
      at.wire.peer("found.example.org", is6);
      const finding = at.findServer({ ...only, owner: true, search: true });
      await at.clock.advance(900);
      await at.there(owner, says(response(owner)));
      await at.clock.advance(1_000);
      expect(await finding).toBe(owner);
    });

    test("who is asked alone has no search beside him, and a search that fails has waited for him", async () => {
      const at = await site();
      await at.there(owner, says(response(owner)));
      expect(await at.findServer({ ...only, owner: true })).toBe(owner);
      expect(at.wire.asked(domain)).toEqual([]);
      at.wire.peer("found.example.org", is(ns.ping));
      expect(await at.findServer({ ...only, owner: true, search: true })).toBe(owner);
    });

    test("who says what he thinks of himself is one, whatever it is", async () => {
      for (const result of [true, false]) {
        const at = await site();
        await at.there(owner, says(buildIsFriendResponse({ jid: owner, result, secondaryTrustAllowed: false })));
        expect(await at.findServer({ ...only, owner: true })).toBe(owner);
      }
    });
  });
});
