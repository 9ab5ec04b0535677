// The whole life at a Registry: claimed, updated, searched for, disowned, claimed again, removed, reset to factory
// settings, claimed once more. The same steps for a Thing and for a node behind one, on every site.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import { StanzaError } from "../../src/core/errors.ts";
import type { BareJid } from "../../src/core/jid.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { tag } from "../../src/owner/predicates.ts";
import type { ThingReference } from "../../src/owner/thing-reference.ts";
import type { RegisteredThing } from "../../src/sandbox/registry-options.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Ownership } from "../../src/thing/ownership.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { SentStanzas } from "../support/sent-stanzas.ts";
import { validateStanzas } from "../support/schema.ts";
import type { Site } from "../support/site.ts";

const soon = { timeout: 20_000 };
const within = { timeout: 20_000, interval: 20 };

/** What lives: the Thing itself, or a node behind it. */
export type Subject = "a Thing" | "a node behind a concentrator";

const NODE: NodeRef = { nodeId: "imc1", sourceId: "MeteringTopology" };
const tags = { SN: "394872348732948723", MAN: "www.ktc.se", MODEL: "IMC", V: 1.2 };
const sensor = {
  fields: [{ name: "Temperature", unit: "°C", decimals: 1 }],
  read: () => [{ name: "Temperature", value: 21.5 }],
};

/**
 * The suite.
 *
 * @param startSite the Provisioning Server is not to be found there: so the owner, and nobody else, may read
 */
export function lifeAtARegistry(subject: Subject, startSite: () => Promise<Site>): void {
  describe(`${subject} at its Registry`, () => {
    let sent: SentStanzas;
    let site: Site;
    let thing: Thing;
    let anna: OwnerClient;
    let berta: OwnerClient;
    let stranger: OwnerClient;
    const jids = new Map<OwnerClient, BareJid>();
    const connections: Connection[] = [];
    const texts: string[] = [];

    const isNode = subject !== "a Thing";
    const bare = (): BareJid => thing.jid.split("/")[0] as BareJid;
    const reference = (): ThingReference => (isNode ? { jid: bare(), node: NODE } : bare());
    const ownership = (): Ownership | undefined => (isNode ? thing.nodes[0]?.ownership : thing.state.ownership);
    const claimText = (): string => (isNode ? (thing.nodes[0]?.claimText ?? "") : thing.claimText);
    /** As the Registry knows it. */
    const known = (): RegisteredThing | undefined =>
      site.registry.things.find(
        ({ jid, node }) => jid === bare() && node?.nodeId === (isNode ? NODE.nodeId : undefined),
      );
    const becomes = (expected: object): Promise<void> => expect.poll(ownership, within).toMatchObject(expected);
    const jidOf = (owner: OwnerClient): BareJid => jids.get(owner) as BareJid;
    const search = async (by: OwnerClient, room?: string): Promise<readonly object[]> => {
      const found: object[] = [];
      const conditions = [tag("SN").is(tags.SN), ...(room === undefined ? [] : [tag("ROOM").is(room)])];
      for await (const one of by.search(conditions, soon)) found.push({ ...one, tags: Object.fromEntries(one.tags) });
      return found;
    };
    const read = async (by: OwnerClient): Promise<string> => {
      try {
        const groups = await by.read(isNode ? { jid: thing.jid, node: NODE } : thing.jid, soon);
        return groups.flatMap(({ fields }) => fields.map(({ name, value }) => `${name} ${String(value)}`)).join(", ");
      } catch (error) {
        if (error instanceof StanzaError) return error.condition;
        throw error;
      }
    };
    const refused = { code: "ERR_STANZA", condition: "item-not-found" };
    const claimed = async (by: OwnerClient, options: { public?: boolean } = {}): Promise<void> => {
      await expect.poll(claimText, within).not.toBe("");
      texts.push(claimText());
      // It may have been told a moment ago: the Registry knows of it when it has answered.
      await expect.poll(() => known()?.hasKey, within).toBe(true);
      await expect(by.claim(claimText(), { ...soon, ...options })).resolves.toEqual({
        jid: bare(),
        ...(isNode && { node: NODE }),
      });
      await becomes({ is: "claimed", owner: jidOf(by), registry: site.registry.jid });
    };

    beforeAll(async () => {
      sent = new SentStanzas();
      site = await startSite();
      const client = async (name: string): Promise<OwnerClient> => {
        const connection = await site.user(name);
        connections.push(connection);
        const { jid } = site.registry;
        const owner = new OwnerClient(connection, jid.includes("@") ? { registry: jid } : {});
        jids.set(owner, connection.jid.bare);
        return owner;
      };
      [anna, berta, stranger] = [await client("anna"), await client("berta"), await client("stranger")];
      const { jid } = site.registry;
      const own = { tags, tagsAfterClaim: { MODEL: "", ROOM: "Cellar" }, sensor };
      thing = site.thing(memoryStorage(), {
        ...(jid.includes("@") && { registry: jid }),
        ...(isNode ? { tags: { SN: "concentrator" }, nodes: [{ ...NODE, ...own }] } : own),
      });
      await thing.start();
    }, 90_000);
    afterAll(async () => {
      await thing?.stop();
      for (const connection of connections) await connection.close();
      await site?.stop();
      sent[Symbol.dispose]();
    });

    it("registers what it is, and nothing of what only an owner's Thing says (D-3.6-1, D-3.8-1, D-6.4-1)", async () => {
      await becomes({ is: "registered", registry: site.registry.jid });
      expect(claimText()).toMatch(/^IoTDisco;SN:394872348732948723;MAN:www\.ktc\.se;MODEL:IMC;#V:1\.2;KEY:[\w-]{27,}$/);
      expect(known()?.tags.map(({ name }) => name)).toEqual(["SN", "MAN", "MODEL", "V"]);
      expect(await search(stranger)).toEqual([]);
      expect(await read(anna).catch(() => "forbidden")).toBe("forbidden");
    }, 60_000);

    it("is claimed by whoever has its text, and is read by its owner alone (D-3.9-1, D-3.9-12, D-3.9-17, D-3.9-18)", async () => {
      await claimed(anna);
      expect(ownership()).toMatchObject({ public: true, listed: true });
      await expect(stranger.claim(texts[0] ?? "", soon)).rejects.toMatchObject(refused);
      await anna.befriend(bare(), soon);
      expect(await read(anna)).toBe("Temperature 21.5");
      expect(await read(stranger)).toBe("forbidden");
    }, 60_000);

    it("D-6.3-3: shows nothing to scan while it has an owner", () => {
      expect(claimText()).toBe("");
    });

    it("is found with the tags of after the claim, with its owner and without KEY (D-3.15-1, D-6.4-2, D-6.5-1, D-6.5-3)", async () => {
      await expect
        .poll(() => search(stranger, "Cellar"), within)
        .toEqual([
          {
            jid: bare(),
            ...(isNode && { node: NODE }),
            owner: jidOf(anna),
            selfOwned: false,
            tags: { SN: tags.SN, MAN: tags.MAN, V: tags.V, ROOM: "Cellar" },
          },
        ]);
      expect(known()?.hasKey).toBe(false);
    }, 60_000);

    it("is updated by its owner, and by nobody else (D-3.14-1, D-3.14-2)", async () => {
      await anna.update(reference(), { ROOM: "Kitchen", NAME: "Boiler" }, soon);
      expect(await search(stranger, "Kitchen")).toMatchObject([{ tags: { NAME: "Boiler" } }]);
      expect(await search(stranger, "Cellar")).toEqual([]);
      await expect(stranger.update(reference(), { ROOM: "Nowhere" }, soon)).rejects.toMatchObject(refused);
      expect(await search(stranger, "Nowhere")).toEqual([]);
    }, 60_000);

    it("is updated by itself (D-3.13-1, D-3.13-2)", async () => {
      await thing.updateTags({ ROOM: "Attic" }, { ...soon, ...(isNode && { node: NODE }) });
      expect(await search(stranger, "Attic")).toMatchObject([{ jid: bare() }]);
    }, 60_000);

    it("is neither removed nor disowned by a stranger (D-3.10-1, D-3.17-1)", async () => {
      await expect(stranger.remove(reference(), soon)).rejects.toMatchObject(refused);
      await expect(stranger.disown(reference(), soon)).rejects.toMatchObject(refused);
      expect(await search(anna)).toHaveLength(1);
      expect(ownership()).toMatchObject({ is: "claimed", owner: jidOf(anna) });
    }, 60_000);

    it("is disowned: nobody's, with another KEY, registered again, and not to be read by who was its owner (D-3.17-1)", async () => {
      await anna.disown(reference(), soon);
      await becomes({ is: "registered", registry: site.registry.jid });
      await expect.poll(claimText, within).not.toBe("");
      expect(texts).not.toContain(claimText());
      await expect.poll(() => known(), within).toMatchObject({ hasKey: true });
      expect(known()).not.toHaveProperty("owner");
      expect(await search(anna)).toEqual([]);
      await expect(anna.claim(texts[0] ?? "", soon)).rejects.toMatchObject(refused);
      await expect.poll(() => read(anna), within).toBe("forbidden");
    }, 60_000);

    it("is claimed again, by another owner (D-3.17-1)", async () => {
      await claimed(berta);
      await berta.befriend(bare(), soon);
      expect(await read(berta)).toBe("Temperature 21.5");
      expect(await read(anna)).toBe("forbidden");
      await expect(anna.update(reference(), { ROOM: "Nowhere" }, soon)).rejects.toMatchObject(refused);
      // The program's wish of before the disowning is its wish still.
      await expect.poll(() => search(stranger, "Attic"), within).toMatchObject([{ owner: jidOf(berta) }]);
    }, 60_000);

    it("is removed: nobody finds it any more, its owner stays its owner (D-3.10-1)", async () => {
      await berta.remove(reference(), soon);
      await becomes({ is: "claimed", owner: jidOf(berta), listed: false });
      expect(await search(stranger)).toEqual([]);
      expect(await read(berta)).toBe("Temperature 21.5");
      expect(claimText()).toBe("");
      await expect(berta.update(reference(), { ROOM: "Nowhere" }, soon)).rejects.toMatchObject(refused);
    }, 60_000);

    it("is reset to factory settings: nobody's, with another KEY again (D-6.3-3)", async () => {
      await thing.reset(soon);
      await becomes({ is: "registered", registry: site.registry.jid });
      await expect.poll(claimText, within).not.toBe("");
      expect(texts).not.toContain(claimText());
      await expect(berta.claim(texts[1] ?? "", soon)).rejects.toMatchObject(refused);
    }, 60_000);

    it("is claimed once more, as a private one that nobody finds (D-3.9-14)", async () => {
      await claimed(anna, { public: false });
      expect(ownership()).toMatchObject({ public: false });
      await anna.befriend(bare(), soon);
      expect(await read(anna)).toBe("Temperature 21.5");
      expect(await read(berta).catch(() => "forbidden")).toBe("forbidden");
      expect(await search(anna)).toEqual([]);
      await expect.poll(() => known()?.hasKey ?? false, within).toBe(false);
    }, 60_000);

    it("sent nothing in all that which the schemas do not allow", async () => {
      const all = [...new Set([...sent.texts, ...site.sent.map(String)])];
      expect(all.length).toBeGreaterThan(50);
      for (const name of ["register", "mine", "update", "search", "remove", "disown", "unregister"]) {
        expect(
          all.some((xml) => xml.includes(`<${name} xmlns="urn:xmpp:iot:discovery"`)),
          name,
        ).toBe(true);
      }
      for (const name of ["claimed", "removed", "disowned"]) {
        expect(
          all.some((xml) => xml.includes(`<${name} xmlns="urn:xmpp:iot:discovery"`)),
          name,
        ).toBe(true);
      }
      expect(await validateStanzas(all)).toEqual([]);
    }, 60_000);
  });
}
