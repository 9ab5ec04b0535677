// A Thing that finds its services by what its options say of them: XEP-0347 3.5, 3.11; XEP-0115.
import { afterEach, beforeEach, expect, it } from "vitest";
import { capsNode, isProved, type Caps } from "../../src/codec/caps.ts";
import { buildInfo, buildInfoQuery } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildIsFriendResponse, parseIsFriend } from "../../src/codec/provisioning.ts";
import { el } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient, type OwnerClientOptions } from "../../src/owner/owner-client.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import type { Thing } from "../../src/thing/thing.ts";
import type { Site } from "../support/site.ts";

const soon = { timeout: 20_000 };

/** The suite: once with services that are components, once with accounts. */
export function findingServices(start: (hosting: "component" | "account") => Promise<Site>): void {
  let site: Site;
  let thing: Thing;
  let owner: Connection;
  let caps: Caps[];

  const live = async (hosting: "component" | "account", options: Partial<ThingOptions>): Promise<void> => {
    site = await start(hosting);
    owner = await site.user("owner");
    owner.channel.router.onPresence(({ caps: shown }) => {
      if (shown !== undefined) caps.push(shown);
    });
    thing = site.thing(memoryStorage(), options);
    await thing.start();
    await thing.waitFor("registered", soon);
  };
  const claim = async (options: OwnerClientOptions = {}): Promise<OwnerClient> => {
    const client = new OwnerClient(owner, options);
    await client.claim(thing.claimText, soon);
    await thing.waitFor("provisioned", soon);
    return client;
  };

  beforeEach(() => {
    caps = [];
  });
  afterEach(async () => {
    await thing.stop();
    await owner.close();
    await site.stop();
  });

  it("accounts by their user names, for the Thing and for its owner (P-3.1.1-1, P-5.1-1, D-3.5-6, D-3.11-6)", async () => {
    await live("account", { registry: { username: "discovery" }, provisioning: { username: "provisioning" } });
    expect(thing.state.ownership).toEqual({ is: "registered", registry: site.registry.jid });
    await claim({ registry: { username: "discovery" } });
    expect(thing.state.ownership).toMatchObject({ registry: site.registry.jid, owner: owner.jid.bare });
    expect(thing.state.trust).toMatchObject({ servers: [{ jid: site.provisioning.jid, origin: "found" }] });
    expect(site.provisioning.jid).toBe(`provisioning@${site.domain}`);
  }, 60_000);

  it("components by their subdomains; what does not answer is passed over (P-3.1.1-1, P-3.1.2-5, P-5.1-1, D-3.5-5, D-3.11-1, D-3.11-5)", async () => {
    const nowhere = "nowhere.localhost";
    await live("component", {
      registry: { component: nowhere, subdomain: "discovery" },
      provisioning: { servers: [nowhere], subdomain: "provisioning" },
    });
    await claim({ registry: { subdomain: "discovery" } });
    expect(thing.state.trust).toMatchObject({ servers: [{ jid: site.provisioning.jid, origin: "found" }] });
  }, 60_000);

  it("the owner, who advertises it and answers a question (D-3.11-8)", async () => {
    await live("component", { provisioning: { owner: true, search: true } });
    const asked: string[] = [];
    const { router } = owner.channel;
    router.onIq(ns.discoInfo, "query", () => ({
      payload: buildInfo({
        identities: [{ category: "client", type: "pc" }],
        features: [ns.discoInfo, ns.provisioning],
      }),
    }));
    router.onIq(ns.provisioning, "isFriend", ({ payload }) => {
      const { jid } = parseIsFriend(payload);
      asked.push(jid);
      return { payload: buildIsFriendResponse({ jid, result: true, secondaryTrustAllowed: false }) };
    });
    await claim();
    expect(asked[0]).toBe(owner.jid.bare);
    expect(thing.state.trust).toMatchObject({ servers: [{ jid: owner.jid.bare, origin: "owner" }] });
  }, 60_000);

  it("not the owner whose program advertises everything and answers nothing: then the search (P-3.1.2-4, D-3.11-8, D-3.11-9)", async () => {
    await live("component", { provisioning: { owner: true, search: true } });
    owner.channel.router.onIq(ns.discoInfo, "query", () => ({
      payload: buildInfo({
        identities: [{ category: "client", type: "pc" }],
        features: [ns.discoInfo, ns.provisioning, ns.discovery],
      }),
    }));
    const client = await claim();
    expect(thing.state.trust).toMatchObject({ servers: [{ jid: site.provisioning.jid, origin: "found" }] });
    // Its friends see by hash what the Thing can do, and may ask for it under that name (XEP-0115 4, 6.2; P-4-2).
    expect(await client.befriend(thing.jid, soon)).toBe(thing.jid);
    const [shown] = caps;
    if (shown === undefined) throw new Error("no caps");
    const payload = buildInfoQuery(capsNode(shown));
    const answer = await owner.channel.request({ type: "get", to: thing.jid, payload });
    expect(isProved(answer ?? el("nothing"), shown)).toBe(true);
    const unknown = { type: "get", to: thing.jid, payload: buildInfoQuery("urn:other") } as const;
    await expect(owner.channel.request(unknown)).rejects.toMatchObject({ condition: "item-not-found" });
  }, 60_000);
}
