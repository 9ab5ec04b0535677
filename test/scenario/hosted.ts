// Services that are accounts, and somebody plain who plays the Thing: XEP-0324 3.1.1, 3.5, 5.1; XEP-0347 3.9, 5.1.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { parseClaimed } from "../../src/codec/iot-discovery.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildClearCacheResponse, buildIsFriend, parseIsFriendResponse } from "../../src/codec/provisioning.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { bareJid } from "../../src/core/jid.ts";
import { Refusal } from "../../src/core/refusal.ts";
import { hasFeature } from "../../src/discovery/features.ts";
import type { Site } from "../support/site.ts";

const within = { timeout: 20_000, interval: 10 };

/** Somebody online who plays the Thing. */
class Device {
  readonly connection: Connection;
  /** The senders of the `clearCache` that have come. */
  readonly cleared: string[] = [];
  /** Acknowledges `clearCache`; otherwise it asks for it again later. */
  acknowledges = true;
  /** What it does with requests for friendship. */
  answer: "accept" | "refuse" | "nothing" = "accept";
  readonly requests: string[] = [];
  /** The full JIDs that went. */
  readonly left: string[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
    const { channel, friends } = connection;
    channel.router.onIq(ns.provisioning, "clearCache", ({ from }) => {
      this.cleared.push(from.full);
      if (!this.acknowledges) throw new Refusal("resource-constraint");
      return { payload: buildClearCacheResponse() };
    });
    friends.onPresence(({ jid, available }) => {
      if (!available) this.left.push(jid.full);
    });
    friends.onRequest((jid) => {
      this.requests.push(jid);
      if (this.answer !== "nothing") void friends[this.answer](jid);
    });
  }

  get jid(): string {
    return this.connection.jid.bare;
  }

  /** Befriends a service, and waits until it sees it there. */
  async befriend(jid: string): Promise<string> {
    const { friends } = this.connection;
    if (friends.has(bareJid(jid))?.to !== true) await friends.ask(bareJid(jid));
    await vi.waitFor(() => expect(friends.presenceOf(bareJid(jid))).toHaveLength(1), within);
    return friends.presenceOf(bareJid(jid))[0] ?? "";
  }

  ask(to: string, type: "get" | "set", payload: XmlElement): Promise<XmlElement | undefined> {
    return this.connection.channel.request({ type, to, payload });
  }

  isFriend(server: string, jid = "anna@localhost"): Promise<XmlElement | undefined> {
    return this.ask(server, "get", buildIsFriend({ jid: bareJid(jid) }));
  }
}

/** The suite. The site's services are accounts, `clearCache` is repeated after less than a second. */
export function hostedAsAccounts(start: () => Promise<Site>): void {
  let site: Site;
  let thing: Device;
  const others: Connection[] = [];

  beforeEach(async () => {
    site = await start();
    thing = new Device(await site.user("thing"));
  }, 60_000);
  afterEach(async () => {
    await thing.connection.close();
    for (const other of others.splice(0)) await other.close();
    await site.stop();
  });

  /** The server sees the Thing. */
  const befriended = async (): Promise<string> => {
    const server = await thing.befriend(site.provisioning.jid);
    await vi.waitFor(() => expect(site.provisioning.friends).toEqual([thing.jid]), within);
    return server;
  };

  it("a server that the Thing befriends answers at its full JID, and asks back (P-3.1.1-13)", async () => {
    const server = await befriended();
    expect(server.startsWith(`${site.provisioning.jid}/`)).toBe(true);
    expect(thing.requests).toEqual([site.provisioning.jid]);
    await expect(hasFeature(thing.connection.channel, server, ns.provisioning)).resolves.toBe(true);
    // The channel takes an answer only from exactly the address that was asked.
    expect(parseIsFriendResponse(await thing.isFriend(server))).toMatchObject({ result: false });
    expect(site.provisioning.questions).toMatchObject([{ thing: thing.jid, jid: "anna@localhost" }]);
  });

  it("told to, the server asks for friendship: accepted, and the Thing asks back (P-3.1.1-4)", async () => {
    await expect(site.provisioning.askFriendship(thing.jid)).resolves.toBe("accepted");
    await befriended();
    expect(thing.requests).toEqual([site.provisioning.jid]);
    await expect(site.provisioning.askFriendship(thing.jid)).resolves.toBe("accepted");
    expect(thing.requests).toHaveLength(1);
  });

  it("told to, the server asks for friendship: refused, asked again, pending, accepted at last", async () => {
    thing.answer = "refuse";
    await expect(site.provisioning.askFriendship(thing.jid)).resolves.toBe("refused");
    thing.answer = "nothing";
    await expect(site.provisioning.askFriendship(thing.jid, { timeout: 300 })).resolves.toBe("pending");
    expect(thing.requests).toHaveLength(2);
    await thing.connection.friends.accept(bareJid(site.provisioning.jid));
    await vi.waitFor(() => expect(site.provisioning.friends).toEqual([thing.jid]), within);
  });

  it("clearCache arrives at the full JID, and again until it is acknowledged, then no more", async () => {
    const server = await befriended();
    await thing.isFriend(server);
    thing.acknowledges = false;
    site.provisioning.setRules([]);
    await vi.waitFor(() => expect(thing.cleared.length).toBeGreaterThan(1), within);
    expect(new Set(thing.cleared)).toEqual(new Set([server]));
    thing.acknowledges = true;
    await vi.waitFor(() => expect(site.provisioning.unacknowledged).toEqual([]), within);
  });

  it("clearCache arrives after the server's link was cut, and comes back by itself", async () => {
    const server = await befriended();
    await thing.isFriend(server);
    site.cutServices();
    await vi.waitFor(() => expect(thing.left).toContain(server), within);
    site.provisioning.setRules([]);
    await vi.waitFor(() => expect(thing.cleared).not.toEqual([]), within);
    await vi.waitFor(() => expect(site.provisioning.unacknowledged).toEqual([]), within);
    await thing.befriend(site.provisioning.jid);
    expect(thing.requests).toHaveLength(1); // still friends
  });

  it("clearCache waits for a Thing that is away, and is there before anything is asked (P-3.5.1-2)", async () => {
    await thing.isFriend(await befriended());
    await thing.connection.close();
    site.provisioning.setRules([]);
    expect(site.provisioning.unacknowledged).toEqual([thing.jid]);
    thing = new Device(await site.user("thing"));
    await vi.waitFor(() => expect(thing.cleared).not.toEqual([]), within);
    await vi.waitFor(() => expect(site.provisioning.unacknowledged).toEqual([]), within);
  });

  it("a Thing that ends the friendship is forgotten, and remembered when it comes back", async () => {
    await thing.isFriend(await befriended());
    await thing.connection.friends.remove(bareJid(site.provisioning.jid));
    await vi.waitFor(() => expect(site.provisioning.friends).toEqual([]), within);
    site.provisioning.setRules([]);
    const server = await befriended();
    await vi.waitFor(() => expect(thing.cleared).toContain(server), within);
    await vi.waitFor(() => expect(site.provisioning.unacknowledged).toEqual([]), within);
  });

  it("a Registry tells the Thing of its claim where it asked last, whoever else of its account is there (D-E16)", async () => {
    const claimed: string[] = [];
    const take = (name: string, connection: Connection): void =>
      connection.channel.router.onIq(ns.discovery, "claimed", ({ payload }) => {
        claimed.push(`${name}: ${parseClaimed(payload).jid}`);
        return {};
      });
    take("thing", thing.connection);
    const registry = await thing.befriend(site.registry.jid);
    await vi.waitFor(() => expect(site.registry.friends).toEqual([thing.jid]), within);
    const twin = await site.user("thing");
    others.push(twin);
    take("twin", twin);
    const sn = el("str", { name: "SN", value: "1" });
    await thing.ask(registry, "set", el("register", { xmlns: ns.discovery }, sn));
    const owner = new Device(await site.user("owner"));
    others.push(owner.connection);
    const seenByOwner = await owner.befriend(site.registry.jid);
    const answer = await owner.ask(seenByOwner, "set", el("mine", { xmlns: ns.discovery }, sn));
    expect(answer?.attrs["jid"]).toBe(thing.jid);
    await vi.waitFor(() => expect(site.registry.things).toMatchObject([{ owner: owner.jid, told: true }]), within);
    expect(claimed).toEqual([`thing: ${owner.jid}`]);
  });
}
