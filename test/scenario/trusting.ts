// Several provisioning servers, components and accounts, some of them offline, one at several connections; friendships
// that they recommend and end: XEP-0324 3.1, 3.2, 5.1, 5.3; P-E17, P-E27, X-E1.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildInfo } from "../../src/codec/disco.ts";
import { ns } from "../../src/codec/namespaces.ts";
import {
  buildCanReadResponse,
  buildClearCache,
  buildIsFriendResponse,
  parseCanRead,
  parseIsFriend,
} from "../../src/codec/provisioning.ts";
import { presence } from "../../src/codec/stanza.ts";
import { el } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import type { BareJid } from "../../src/core/jid.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import type { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { trustedServers } from "../../src/thing/state.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { Disk } from "../support/disk.ts";
import type { PairingSite } from "./pairing.ts";

const slow = { timeout: 20_000, interval: 20 };
const within = { timeout: 20_000 };

/** Tells it on a site. */
export function trusting(startSite: () => Promise<PairingSite>): void {
  describe("trust in several servers", () => {
    let site: PairingSite;
    let friend: Connection;
    let reader: OwnerClient;
    let component: ReferenceProvisioningServer;
    const things: Thing[] = [];
    const others: Connection[] = [];
    let names = 0;

    const online = async (options: Partial<ThingOptions>, storage: Storage = memoryStorage()): Promise<Thing> => {
      const thing = site.thing(storage, options);
      things.push(thing);
      await thing.start();
      await thing.waitFor("online", within);
      return thing;
    };
    const bareOf = (thing: Thing): BareJid => thing.jid.split("/")[0] as BareJid;
    const server = (): Promise<ReferenceProvisioningServer> => site.server(`trusted${++names}`);
    const nameOf = ({ jid }: { jid: string }): string => jid.split("@")[0] ?? "";
    const fieldsOf = async (thing: Thing): Promise<readonly string[]> => {
      await thing.rights.clear();
      const groups = await reader.read(thing.jid, within);
      return groups.flatMap(({ fields }) => fields.map(({ name }) => name));
    };
    /** A friend of the Thing, who is online. */
    const befriended = async (thing: Thing, name: string): Promise<Connection> => {
      const person = await site.user(name);
      others.push(person);
      person.friends.onRequest((jid) => void person.friends.accept(jid));
      await person.friends.ask(bareOf(thing));
      await expect.poll(() => person.friends.presenceOf(bareOf(thing)), slow).toEqual([thing.jid]);
      return person;
    };
    const isFriend = (person: Connection, bare: BareJid): boolean => person.friends.has(bare)?.to === true;

    beforeAll(async () => {
      site = await startSite();
      component = await site.component();
      friend = await site.user("friend");
      reader = new OwnerClient(friend);
    }, 60_000);
    afterEach(async () => {
      component.setRules([]);
      await Promise.all(things.splice(0).map((thing) => thing.stop()));
      await Promise.all(others.splice(0).map((other) => other.close()));
    });
    afterAll(async () => {
      await friend?.close();
      await site?.stop();
    }, 60_000);

    it("P-5.1-1, P-5.1-3, P-E27: of an account that connection is asked which has the feature and the highest priority, while it is there", async () => {
      const one = await server();
      const thing = await online({ provisioning: [one.jid] });
      await expect.poll(() => one.friends, slow).toContain(bareOf(thing));
      one.setRules([{ jid: friend.jid.bare, read: { fields: ["Temperature"] } }]);
      // Somebody looks after the server's account: more important, and no provisioning server.
      const desk = await site.also(nameOf(one));
      others.push(desk);
      await desk.channel.send(presence({}, el("priority", {}, "100")));
      expect(await fieldsOf(thing)).toEqual(["Temperature"]);
      // Another one that is a server too, and more important than the first.
      const standby = await site.also(nameOf(one));
      let asked = 0;
      standby.channel.router.onIq(ns.discoInfo, "query", () => ({
        payload: buildInfo({
          identities: [{ category: "client", type: "pc" }],
          features: [ns.discoInfo, ns.provisioning],
        }),
      }));
      standby.channel.router.onIq(ns.provisioning, "isFriend", ({ payload }) => ({
        payload: buildIsFriendResponse({ ...parseIsFriend(payload), result: true, secondaryTrustAllowed: false }),
      }));
      standby.channel.router.onIq(ns.provisioning, "canRead", ({ payload }) => {
        asked++;
        const { jid } = parseCanRead(payload);
        return { payload: buildCanReadResponse({ jid, result: true, types: new Set(), nodes: [], fields: [] }) };
      });
      await standby.channel.send(presence({}, el("priority", {}, "50")));
      await expect.poll(() => fieldsOf(thing), slow).toEqual(["Temperature", "Door open"]);
      expect(asked).toBeGreaterThan(0);
      // Trusted is the bare JID: what any of its connections says counts.
      const cleared = new Promise<string>((resolve) => thing.once("rightsCleared", resolve));
      await desk.channel.request({ type: "set", to: thing.jid, payload: buildClearCache() }, within);
      expect(await cleared).toBe(one.jid);
      await standby.close();
      await expect.poll(() => fieldsOf(thing), slow).toEqual(["Temperature"]);
      expect(trustedServers(thing.state)).toEqual([one.jid]);
    }, 60_000);

    it("P-E27: a server that is trusted is a friend without anybody being asked about it", async () => {
      const one = await server();
      const thing = await online({ provisioning: [component.jid, one.jid] });
      const before = component.questions.length;
      expect(await one.askFriendship(bareOf(thing), slow)).toBe("accepted");
      const about = component.questions.slice(before).filter(({ jid }) => jid === one.jid);
      expect([about, one.questions.filter(({ jid }) => jid === one.jid)]).toEqual([[], []]);
    }, 60_000);

    it("P-3.1.2-1, P-3.1.2-5, P-5.1-2, P-5.3-1, P-6.1-5: a component and two accounts, one of them away: each is trusted, and asked when it is there", async () => {
      const [one, away] = [await server(), await server()];
      await site.leaves(away);
      const thing = await online({ provisioning: [component.jid, one.jid, away.jid] });
      await expect.poll(() => one.friends, slow).toContain(bareOf(thing));
      expect(thing.state.trust).toMatchObject({
        servers: [component.jid, one.jid, away.jid].map((jid) => ({ jid, origin: "configured" })),
      });
      // All together allow what any of them does, whoever is away.
      component.setRules([{ jid: friend.jid.bare, read: { fields: ["Temperature"] } }]);
      one.setRules([{ jid: friend.jid.bare, read: { fields: ["Door open"] } }]);
      expect(await fieldsOf(thing)).toEqual(["Temperature", "Door open"]);
      // Nobody who is there allows it, and one who is away might: no yes, and no no.
      component.setRules([]);
      one.setRules([]);
      await expect(fieldsOf(thing)).rejects.toMatchObject({ condition: "resource-constraint" });
      away.setRules([{ jid: friend.jid.bare, read: true }]);
      await site.returns(away);
      await expect.poll(() => away.friends, slow).toContain(bareOf(thing));
      await expect.poll(() => fieldsOf(thing).catch(() => []), slow).toEqual(["Temperature", "Door open"]);
    }, 90_000);

    it("P-3.2.3-1, P-3.2.3-3, P-3.2.3-5: unfriend ends both directions, also for somebody who is away", async () => {
      component.setRules([{ friend: true }]);
      const thing = await online({ provisioning: [component.jid] });
      const bare = bareOf(thing);
      const person = await befriended(thing, "leaver");
      await expect.poll(() => person.friends.has(bare)?.to, slow).toBe(true);
      await person.close();
      const ended = new Promise<string>((resolve) => thing.once("unfriended", resolve));
      component.setRules([]);
      expect(component.unfriend(bare, person.jid.bare)).toBe(true);
      expect(await ended).toBe(person.jid.bare);
      await expect.poll(() => thing.state.parting, slow).toEqual([]);
      const again = await site.user("leaver");
      others.push(again);
      expect([isFriend(again, bare), again.friends.has(bare)?.from ?? false]).toEqual([false, false]);
    }, 60_000);

    it("P-3.2.3-5: unfriend is carried out though link and power go, and though the server lets the Thing keep friends of its own", async () => {
      const disk = new Disk();
      const boot = disk.boot();
      component.setRules([{ friend: true }]);
      const thing = await online({ provisioning: [component.jid] }, boot.storage);
      const bare = bareOf(thing);
      const person = await befriended(thing, "cut-off");
      // The power goes as soon as it is written down.
      const written = new Promise<void>((resolve) => {
        thing.on("state", ({ parting }) => {
          if (parting.length === 0) return;
          boot.cut();
          void site.cut(thing).then(resolve);
        });
      });
      component.setRules([]);
      component.secondaryTrustAllowed = true;
      component.unfriend(bare, person.jid.bare);
      await written;
      await thing.stop();
      const again = await online({ provisioning: [component.jid] }, disk.boot().storage);
      try {
        await expect.poll(() => [isFriend(person, bare), again.state.parting], slow).toEqual([false, []]);
      } finally {
        component.secondaryTrustAllowed = false;
      }
    }, 60_000);

    it("P-5.3-3, P-E17: whom another server allows stays a friend", async () => {
      const one = await server();
      component.setRules([{ friend: true }]);
      one.setRules([{ friend: true }]);
      const thing = await online({ provisioning: [component.jid, one.jid] });
      await expect.poll(() => one.friends, slow).toContain(bareOf(thing));
      const person = await befriended(thing, "stayer");
      const unfriended: string[] = [];
      thing.on("unfriended", (jid) => unfriended.push(jid));
      component.setRules([]);
      await expect.poll(() => component.unacknowledged, slow).not.toContain(bareOf(thing));
      const before = one.questions.length;
      component.unfriend(bareOf(thing), person.jid.bare);
      // It is asked again, since what was remembered of the friend is forgotten.
      const asked = (): boolean => one.questions.slice(before).some(({ jid }) => jid === person.jid.bare);
      await expect.poll(asked, slow).toBe(true);
      expect([thing.state.parting, unfriended, isFriend(person, bareOf(thing))]).toEqual([[], [], true]);
      // Until that one says so too.
      one.setRules([]);
      await expect.poll(() => unfriended, slow).toEqual([person.jid.bare]);
    }, 60_000);

    it("P-3.2.4-1, P-3.2.4-2, P-3.2.4-3: whom a server recommends the Thing asks for friendship, after isFriend", async () => {
      const person = await site.user("recommended");
      others.push(person);
      const requests: string[] = [];
      person.friends.onRequest((jid) => requests.push(jid));
      const thing = await online({ provisioning: [component.jid] });
      // By then the Thing is there for the server too.
      await expect(fieldsOf(thing)).rejects.toMatchObject({ condition: "forbidden" });
      component.setRules([{ jid: person.jid.bare, friend: true }]);
      await expect.poll(() => component.unacknowledged, slow).not.toContain(bareOf(thing));
      const before = component.questions.length;
      component.recommendFriend(bareOf(thing), person.jid.bare);
      await expect.poll(() => requests, slow).toEqual([bareOf(thing)]);
      expect(component.questions.slice(before)).toMatchObject([{ thing: bareOf(thing), jid: person.jid.bare }]);
    }, 60_000);
  });
}
