// Those who pretend, at a concentrator and at its Registry: every row from everybody, on every site. From the wrong ones
// nothing changes; from the right ones it counts.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildRoster } from "../../src/codec/roster.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import type { BareJid } from "../../src/core/jid.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { atRest } from "../support/at-rest.ts";
import type { Site } from "../support/site.ts";
import { Speaker, person, pretender } from "../support/speakers.ts";
import { endingRows, FAN, LAMP, METER, nodeRows, registryRows, type NodeRow } from "./spoofing-node-rows.ts";
import type { Who } from "./spoofing-rows.ts";
import { everySpeaker, forgedAddresses, inCapitals, type People } from "./spoofing-speakers.ts";

const ACCOUNT = { username: "thing", password: "secret" };
const soon = { timeout: 20_000 };
const within = { timeout: 20_000, interval: 20 };
const sensor = { fields: [{ name: "Temperature" }], read: () => [{ name: "Temperature", value: 21.5 }] };

/** The suite. */
export function spoofingNodes(startSite: () => Promise<Site>): void {
  describe("spoofing at a concentrator", () => {
    let site: Site;
    let thing: Thing;
    let people: People;
    let nodeOwner: Connection;
    let otherOwner: Connection;
    const toThing = new Map<Who, Speaker>();
    const toRegistry = new Map<Who, Speaker>();
    const told: string[] = [];
    const clients = new Map<Connection, OwnerClient>();
    const cells = { refused: 0, obeyed: 0 };

    const bare = (): BareJid => thing.jid.replace(/\/.*/s, "") as BareJid;
    const switchOf = (name: string, where: string) => ({
      ...{ name, type: "boolean" as const },
      set: (value: boolean) => void told.push(`${where} ${name} ${value}`),
    });

    /** All that a lie could change, at the Thing and at the Registry. */
    const snapshot = async (): Promise<unknown> => {
      const roster = await people.self.channel.request({ type: "get", payload: buildRoster() }, soon);
      const { state, claimText, nodes, rights } = thing;
      const { ownership, trust } = state;
      const known = site.registry.things.map((one) => JSON.stringify(one));
      return {
        ...{ ownership, trust, claimText, nodes, known, told: [...told], rights: rights.entries() },
        roster: roster?.getChildElements().map(String).sort(),
      };
    };

    /** A row with everybody: the wrong ones first, then those who may. */
    const check = async (row: NodeRow, to: "Thing" | "Registry"): Promise<void> => {
      const speakers = to === "Thing" ? toThing : toRegistry;
      const { right, others, except = {}, skip = [], tells } = row;
      const addresses = { thing: bare(), nodeOwner: nodeOwner.jid.bare };
      const says = async (who: Who, may: boolean): Promise<string | undefined> => {
        const address = to === "Thing" ? thing.jid : site.registry.jid;
        return speakers.get(who)?.ask(address, row.type, row.payload(may, addresses), tells);
      };
      const before = await atRest(snapshot);
      for (const who of speakers.keys()) {
        if (right[who] !== undefined || skip.includes(who)) continue;
        expect(await says(who, false), `${row.name} from ${who}`).toBe(except[who] ?? others);
        expect(await snapshot(), `${row.name} from ${who}`).toEqual(before);
        cells.refused++;
      }
      const may = [...speakers.keys()].filter((who) => right[who] !== undefined);
      expect(may).not.toEqual([]);
      for (const who of may) {
        expect(await says(who, true), `${row.name} from ${who}`).toBe(right[who]);
        cells.obeyed++;
      }
    };

    beforeAll(async () => {
      site = await startSite();
      thing = site.thing(memoryStorage(), {
        account: ACCOUNT,
        provisioning: { registry: false, owner: true, search: false }, // the owner is none
        control: [switchOf("Output", "Thing")],
        nodes: [METER, LAMP, FAN].map((node) => ({
          ...node,
          tags: { SN: node.nodeId },
          sensor,
          control: [switchOf("Valve", node.nodeId)],
        })),
      });
      thing.on("node", (node, { is }) => void told.push(`${node.nodeId} ${is}`));
      await thing.start();
      await thing.waitFor("registered", soon);
      const online = (...names: string[]): Promise<Connection[]> => Promise.all(names.map((name) => site.user(name)));
      const names = ["stranger", "friend", "owner", ACCOUNT.username, "anna", "berta"];
      const [stranger, friend, owner, self, anna, berta] = (await online(...names)) as [
        ...[Connection, Connection, Connection, Connection, Connection, Connection],
      ];
      // Their accounts are there: the same people elsewhere.
      const [desk, phone] = (await online("friend", "owner")) as [Connection, Connection];
      people = { stranger, friend, desk, owner, phone, self };
      [nodeOwner, otherOwner] = [anna, berta];
      for (const [who, one] of everySpeaker(site, thing, people)) toThing.set(who, one);
      toThing.set("node owner", person(anna));
      toThing.set("other node's owner", person(berta));
      for (const [who, one] of toThing) if (!forgedOf().has(who)) toRegistry.set(who, one);
      if (site.forge === undefined) return;
      toThing.set("NODE OWNER", pretender(site, inCapitals(anna)));
      // The Registry is handed what only its own server could hand it.
      for (const [who, from] of forgedOf()) toRegistry.set(who, atTheRegistry(from));
    }, 90_000);
    afterAll(async () => {
      console.log(
        `spoofing at a concentrator on ${site?.name}: ${cells.refused} cells refused, ${cells.obeyed} obeyed`,
      );
      await thing?.stop();
      await Promise.all([...Object.values(people ?? {}), nodeOwner, otherOwner].map((one: Connection) => one?.close()));
      await site?.stop();
    });

    const forgedOf = (): Map<Who, string | undefined> =>
      new Map([...forgedAddresses(site, thing, people), ["NODE OWNER", inCapitals(nodeOwner)]]);
    const atTheRegistry = (from: string | undefined): Speaker => {
      const heard: XmlElement[] = [];
      return new Speaker(
        from,
        (stanza) => heard.push(...site.registry.receive(stanza)),
        () => heard,
      );
    };
    const claim = async (by: Connection, text: () => string): Promise<void> => {
      await expect.poll(text, within).not.toBe("");
      const scanned = text();
      // It may have been shown before the Registry has answered.
      const client = clients.get(by) ?? new OwnerClient(by);
      clients.set(by, client);
      await expect.poll(() => client.claim(scanned, soon).catch(() => undefined), within).toBeDefined();
    };
    const nodeNamed = (id: string) => thing.nodes.find(({ node }) => node.nodeId === id)?.ownership;

    it("by their owners Thing and nodes are claimed", async () => {
      await claim(people.owner, () => thing.claimText);
      for (const [node, by] of [[METER, nodeOwner] as const, [LAMP, otherOwner] as const, [FAN, otherOwner] as const]) {
        await claim(by, () => thing.nodes.find((one) => one.node.nodeId === node.nodeId)?.claimText ?? "");
      }
      // Nothing is left to be done: each knows its owner, and the Registry none of their KEYs.
      await expect.poll(() => site.registry.things.filter((one) => one.owner && !one.hasKey), within).toHaveLength(4);
      await expect.poll(() => thing.nodes.every(({ ownership }) => ownership.is === "claimed"), within).toBe(true);
    }, 60_000);

    it.each(nodeRows)("nobody who may not has a say about a node: $name (D-E29)", async (row) => {
      await check(row, "Thing");
      expect(thing.state.ownership).toMatchObject({ is: "claimed", owner: people.owner.jid.bare });
      expect(nodeNamed("meter")).toMatchObject({ is: "claimed", owner: nodeOwner.jid.bare });
      expect(nodeNamed("lamp")).toMatchObject({ is: "claimed", owner: otherOwner.jid.bare });
    });

    it("what was set is what those set who may", () => {
      const set = told.filter((one) => one.endsWith("true"));
      expect(new Set(set)).toEqual(new Set(["meter Valve true", "lamp Valve true", "Thing Output true"]));
    });

    it.each(registryRows)(
      "nobody but its owner says at the Registry what becomes of a Thing: $name (D-3.10-4, D-3.14-5, D-3.17-3)",
      async (row) => {
        if (row.name === "remove, Thing") {
          // It was disowned: it is claimed once more.
          await claim(people.owner, () => thing.claimText);
          await expect.poll(() => thing.state.ownership, within).toMatchObject({ is: "claimed", keyEmptied: true });
        }
        await check(row, "Registry");
        expect(site.registry.things.flatMap(({ tags }) => tags.map(({ value }) => value))).not.toContain("Lair");
      },
      30_000,
    );

    it.each(endingRows)("nobody but the Registry ends the claim of a node: $name (D-E29)", async (row) => {
      await check(row, "Thing");
      if (row.name === "removed, node") expect(nodeNamed("lamp")).toMatchObject({ is: "claimed", listed: false });
      else expect(nodeNamed("fan")).toMatchObject({ is: "registered" });
    });
  });
}
