// LED and button (XEP-0324 3.1.1, 3.1.4, 6.1; figures 1 and 4), with every way to say no, on every site where a
// Provisioning Server can be an account.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BareJid } from "../../src/core/jid.ts";
import { presence } from "../../src/codec/stanza.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import type { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { trustedServers } from "../../src/thing/state.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { Disk } from "../support/disk.ts";

/** Where Things are paired. */
export interface PairingSite {
  readonly name: string;
  /** False where the server keeps it to itself when somebody withdraws a request that is not answered yet. */
  readonly tellsWithdrawal: boolean;
  /** A Thing that is not started yet. */
  thing(storage: Storage, overrides?: Partial<ThingOptions>): Thing;
  /** A Provisioning Server that is an account. */
  server(name: string): Promise<ReferenceProvisioningServer>;
  /** One goes offline, or comes back. */
  leaves(server: ReferenceProvisioningServer): Promise<void>;
  returns(server: ReferenceProvisioningServer): Promise<void>;
  /** Another connection of one's account. */
  also(name: string): Promise<Connection>;
  /** A Provisioning Server that is a component of the Things' own server. There is one. */
  component(): Promise<ReferenceProvisioningServer>;
  /** Somebody who is online. */
  user(name: string): Promise<Connection>;
  /** The link of a Thing goes, without a word from either side. */
  cut(thing: Thing): Promise<void>;
  stop(): Promise<void>;
}

const slow = { timeout: 20_000, interval: 10 };
/** The first second of a window, in which no press counts, and a little more. */
const FIRST_SECOND = 1_100;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What a Thing shows of its pairing. */
class Device {
  readonly windows: BareJid[] = [];
  readonly outcomes: string[] = [];
  readonly unfriended: BareJid[] = [];
  readonly thing: Thing;

  constructor(thing: Thing) {
    this.thing = thing;
    thing.on("pairing", ({ jid }) => this.windows.push(jid));
    thing.on("pairingEnded", ({ jid, outcome }) => this.outcomes.push(`${jid.split("@")[0] ?? ""} ${outcome}`));
    thing.on("paired", ({ jid, as }) => this.outcomes.push(`${jid.split("@")[0] ?? ""} ${as}`));
    thing.on("unfriended", (jid) => this.unfriended.push(jid));
  }

  get bare(): BareJid {
    return this.thing.jid.split("/")[0] as BareJid;
  }

  get trusts(): readonly BareJid[] {
    return trustedServers(this.thing.state);
  }

  async blinks(jid: string): Promise<void> {
    await expect.poll(() => this.thing.pairing?.jid, slow).toBe(jid);
  }

  /** Presses until it counts. */
  async press(): Promise<void> {
    await expect.poll(() => this.thing.pressButton(), { ...slow, interval: 100 }).toBe(true);
  }

  async ended(...outcomes: readonly string[]): Promise<void> {
    await expect.poll(() => this.outcomes, slow).toEqual(outcomes);
  }
}

/** Tells it on a site. */
export function pairing(startSite: () => Promise<PairingSite>): void {
  describe("LED and button", () => {
    let site: PairingSite;
    let friend: Connection;
    let reader: OwnerClient;
    const devices: Device[] = [];
    let names = 0;

    const device = async (overrides: Partial<ThingOptions> = {}, storage = memoryStorage()): Promise<Device> => {
      const made = new Device(site.thing(storage, { pairing: {}, ...overrides }));
      devices.push(made);
      await made.thing.start();
      await made.thing.waitFor("online", { timeout: 20_000 });
      return made;
    };
    const server = (): Promise<ReferenceProvisioningServer> => site.server(`server${++names}`);
    const nameOf = ({ jid }: { jid: string }): string => jid.split("@")[0] ?? "";
    const paired = async (overrides: Partial<ThingOptions> = {}, storage?: Storage) => {
      const [lamp, one] = await Promise.all([device(overrides, storage), server()]);
      const answer = one.askFriendship(lamp.bare, slow);
      await lamp.blinks(one.jid);
      await lamp.press();
      await lamp.ended(`${nameOf(one)} accepted`, `${nameOf(one)} server`);
      expect(await answer).toBe("accepted");
      return { lamp, server: one };
    };

    beforeAll(async () => {
      site = await startSite();
      friend = await site.user("friend");
      reader = new OwnerClient(friend);
    }, 60_000);
    afterAll(async () => {
      await Promise.all(devices.map(({ thing }) => thing.stop()));
      await friend?.close();
      await site?.stop();
    }, 60_000);

    it("P-3.1.1-1, P-3.1.1-2, P-3.1.1-3, P-3.1.1-5, P-3.1.1-6, P-3.1.1-9, P-3.1.1-10: pressed in time the server is accepted, asked what it is, and trusted", async () => {
      const { lamp, server: one } = await paired();
      expect(lamp.trusts).toEqual([one.jid]);
      expect(lamp.thing.pairing).toBeUndefined();
      expect(one.friends).toContain(lamp.bare);
      // It decides from now on, and can say that it has changed its mind: both need its full JID (P-E8, P-E27).
      one.setRules([{ jid: friend.jid.bare, friend: true, read: { fields: ["Temperature"] } }]);
      const [group] = await reader.read(lamp.thing.jid, { timeout: 20_000 });
      expect(group?.fields.map(({ name }) => name)).toEqual(["Temperature"]);
      one.setRules([]);
      await expect.poll(() => one.unacknowledged, slow).toEqual([]);
      await expect(reader.read(lamp.thing.jid, { timeout: 20_000 })).rejects.toMatchObject({ condition: "forbidden" });
    }, 60_000);

    it("P-3.1.1-2: trust outlives a power cut: the same server is asked, and no button is needed again", async () => {
      const disk = new Disk();
      const boot = disk.boot();
      const { lamp, server: one } = await paired({}, boot.storage);
      boot.cut();
      await site.cut(lamp.thing);
      await lamp.thing.stop();
      one.setRules([{ jid: friend.jid.bare, friend: true, read: true }]);
      const again = await device({}, disk.boot().storage);
      expect(again.trusts).toEqual([one.jid]);
      const [group] = await reader.read(again.thing.jid, { timeout: 20_000 });
      expect(group?.fields).toHaveLength(2);
      expect(again.windows).toEqual([]);
    }, 60_000);

    it("P-3.1.1-7: without a press in time it is refused; who was refused rests, and the LED stays dark", async () => {
      const lamp = await device({ pairing: { window: 2_000 } });
      const one = await server();
      expect(await one.askFriendship(lamp.bare, slow)).toBe("refused");
      await lamp.ended(`${nameOf(one)} refused`);
      expect([lamp.trusts, lamp.thing.pressButton()]).toEqual([[], false]);
      // At rest a request stays pending: a refusal would be an answer to a hammering stranger.
      expect(await one.askFriendship(lamp.bare, { timeout: 2_000 })).toBe("pending");
      expect(lamp.windows).toEqual([one.jid]);
      expect(one.friends).not.toContain(lamp.bare);
    }, 60_000);

    it("a press that nobody asked for, and one in the first second, count for nothing", async () => {
      const lamp = await device({ pairing: { window: 3_000 } });
      const one = await server();
      expect(lamp.thing.pressButton()).toBe(false);
      const answer = one.askFriendship(lamp.bare, slow);
      await new Promise<void>((resolve) => lamp.thing.once("pairing", () => resolve()));
      expect(lamp.thing.pressButton()).toBe(false);
      expect(await answer).toBe("refused");
      expect(lamp.trusts).toEqual([]);
    }, 60_000);

    it("a request that is withdrawn ends its window: nobody can be accepted who no longer asks", async () => {
      const lamp = await device();
      const stranger = await site.user("withdraws");
      try {
        await stranger.friends.ask(lamp.bare);
        await lamp.blinks(stranger.jid.bare);
        await stranger.channel.send(presence({ type: "unsubscribe", to: lamp.bare }));
        if (!site.tellsWithdrawal) {
          await wait(FIRST_SECOND);
          expect([lamp.outcomes, lamp.thing.pairing?.jid]).toEqual([[], stranger.jid.bare]);
          return;
        }
        await lamp.ended("withdraws withdrawn");
        await wait(FIRST_SECOND);
        expect([lamp.thing.pressButton(), lamp.trusts]).toEqual([false, []]);
      } finally {
        await stranger.close();
      }
    }, 60_000);

    it("a link that is lost ends the window without a refusal: the request stays, and may come again after a rest", async () => {
      const lamp = await device();
      const one = await server();
      const answer = one.askFriendship(lamp.bare, { timeout: 4_000 });
      await lamp.blinks(one.jid);
      await site.cut(lamp.thing);
      await lamp.ended(`${nameOf(one)} disconnected`);
      await lamp.thing.waitFor("online", { timeout: 20_000 });
      // A link that comes and goes would otherwise keep the LED lit for as long as it does (XEP-0324 6.1).
      expect(await answer).toBe("pending");
      expect([lamp.windows, lamp.thing.pressButton(), lamp.trusts]).toEqual([[one.jid], false, []]);
    }, 90_000);

    it("two who ask are shown one after the other, and the second does not make the first window longer", async () => {
      const lamp = await device({ pairing: { window: 2_500 } });
      const [one, two] = [await server(), await server()];
      const first = one.askFriendship(lamp.bare, slow);
      await lamp.blinks(one.jid);
      const deadline = lamp.thing.pairing?.deadline;
      const second = two.askFriendship(lamp.bare, slow);
      await wait(500);
      expect([lamp.windows, lamp.thing.pairing?.deadline]).toEqual([[one.jid], deadline]);
      expect(await first).toBe("refused");
      await lamp.blinks(two.jid);
      await lamp.press();
      expect(await second).toBe("accepted");
      await lamp.ended(`${nameOf(one)} refused`, `${nameOf(two)} accepted`, `${nameOf(two)} server`);
      expect(lamp.trusts).toEqual([two.jid]);
    }, 60_000);

    it("P-3.1.1-10: somebody who is no provisioning server becomes an ordinary friend, and decides nothing", async () => {
      const lamp = await device();
      const person = await site.user("person");
      // As a client does that wants to be friends: it accepts what it is asked.
      person.friends.onRequest((jid) => void person.friends.accept(jid));
      try {
        await person.friends.ask(lamp.bare);
        await lamp.blinks(person.jid.bare);
        await lamp.press();
        await lamp.ended("person accepted", "person friend");
        expect(lamp.trusts).toEqual([]);
        await expect.poll(() => person.friends.presenceOf(lamp.bare), slow).toEqual([lamp.thing.jid]);
        await expect(new OwnerClient(person).read(lamp.thing.jid, { timeout: 20_000 })).rejects.toMatchObject({
          condition: "forbidden",
        });
      } finally {
        await person.close();
      }
    }, 60_000);

    it("P-3.1.4-4, P-6.1-1: with trust the server is asked first; its no is the end of it, and the LED stays dark", async () => {
      const { lamp, server: one } = await paired();
      const two = await server();
      expect(await two.askFriendship(lamp.bare, slow)).toBe("refused");
      expect([lamp.windows, lamp.trusts]).toEqual([[one.jid], [one.jid]]);
      one.setRules([{ jid: two.jid, friend: true }]);
      await expect.poll(() => one.unacknowledged, slow).toEqual([]);
      // A yes makes a friend, without a button, and no server to be trusted.
      expect(await two.askFriendship(lamp.bare, slow)).toBe("accepted");
      expect([lamp.windows, lamp.trusts]).toEqual([[one.jid], [one.jid]]);
    }, 60_000);

    it("P-3.1.4-3, P-3.1.4-4, P-3.1.4-5: its no with secondaryTrustAllowed opens a window; pressed, both are trusted", async () => {
      const { lamp, server: one } = await paired();
      one.secondaryTrustAllowed = true;
      const two = await server();
      const answer = two.askFriendship(lamp.bare, slow);
      await lamp.blinks(two.jid);
      await lamp.press();
      expect(await answer).toBe("accepted");
      const all = [one, two].flatMap((each) => [`${nameOf(each)} accepted`, `${nameOf(each)} server`]);
      await lamp.ended(...all);
      expect(lamp.trusts).toEqual([one.jid, two.jid]);
      // The union of both: what one allows is allowed.
      two.setRules([{ jid: friend.jid.bare, read: true }]);
      const [group] = await reader.read(lamp.thing.jid, { timeout: 20_000 });
      expect(group?.fields).toHaveLength(2);
    }, 60_000);

    it("P-6.1-2: locked trust takes nobody in beside it, whatever the server allows, until a factory reset", async () => {
      const { lamp, server: one } = await paired({ pairing: { locked: true } });
      one.secondaryTrustAllowed = true;
      const two = await server();
      expect(await two.askFriendship(lamp.bare, slow)).toBe("refused");
      expect([lamp.windows, lamp.trusts]).toEqual([[one.jid], [one.jid]]);
      await lamp.thing.reset({ timeout: 20_000 });
      await lamp.thing.waitFor((state) => state.link.is === "online" && state.trust.is === "none", slow);
      await expect.poll(() => one.friends, slow).not.toContain(lamp.bare);
      const answer = two.askFriendship(lamp.bare, slow);
      await lamp.blinks(two.jid);
      await lamp.press();
      expect(await answer).toBe("accepted");
      await expect.poll(() => lamp.trusts, slow).toEqual([two.jid]);
    }, 60_000);

    it("P-3.1.1-12, P-3.1.1-13: a server that is configured is asked for friendship by the Thing, and needs no button", async () => {
      const one = await server();
      const lamp = await device({ provisioning: [one.jid] });
      await expect.poll(() => one.friends, slow).toContain(lamp.bare);
      one.setRules([{ jid: friend.jid.bare, friend: true, read: true }]);
      const [group] = await reader.read(lamp.thing.jid, { timeout: 20_000 });
      expect(group?.fields).toHaveLength(2);
      expect(lamp.windows).toEqual([]);
    }, 60_000);
  });
}
