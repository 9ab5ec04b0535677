// Strangers who pretend (design, "who may tell a Thing what"): on every site, on the wire, nothing changes.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StanzaError } from "../../src/core/errors.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { iq } from "../../src/codec/stanza.ts";
import { buildClaimed } from "../../src/codec/iot-discovery.ts";
import { buildCanReadResponse, buildClearCache, parseCanRead } from "../../src/codec/provisioning.ts";
import { buildReq } from "../../src/codec/sensor-data.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { Disk } from "../support/disk.ts";
import type { Site } from "../support/site.ts";

export function spoofing(startSite: () => Promise<Site>): void {
  describe("spoofing", () => {
    let site: Site;
    let thing: Thing;
    let owner: Connection;
    let friend: Connection;
    let stranger: Connection;
    let readerOf: Map<Connection, OwnerClient>;

    const read = async (who: Connection): Promise<string> => {
      try {
        const groups = await readerOf.get(who)!.read(thing.jid, { timeout: 5_000 });
        return groups.flatMap((group) => group.fields.map((field) => field.name)).join(", ");
      } catch (error) {
        if (error instanceof StanzaError) return error.condition;
        throw error;
      }
    };
    const tell = (who: Connection, payload: XmlElement): Promise<string> =>
      who.channel.request({ type: "set", to: thing.jid, payload }, { timeout: 5_000 }).then(
        () => "done",
        (error: unknown) => (error instanceof StanzaError ? error.condition : String(error)),
      );

    beforeAll(async () => {
      site = await startSite();
      [owner, friend, stranger] = await Promise.all([site.user("owner"), site.user("friend"), site.user("stranger")]);
      readerOf = new Map([owner, friend, stranger].map((one) => [one, new OwnerClient(one)]));
      thing = site.thing(new Disk().boot().storage);
      await thing.start();
      await thing.waitFor("registered", { timeout: 10_000 });
    }, 60_000);
    afterAll(async () => {
      await thing?.stop();
      await Promise.all([owner, friend, stranger].map((one) => one?.close()));
      await site?.stop();
    });

    it("a stranger cannot give an unclaimed Thing an owner (D-E29)", async () => {
      const claim = buildClaimed({ jid: stranger.jid.bare, public: true });
      expect(await tell(stranger, claim)).toBe("forbidden");
      expect(thing.state.ownership).toEqual({ is: "registered", registry: site.registry.jid });
      expect(thing.claimText).not.toBe("");
    });

    it("nor a claimed one another owner, were it the friend or the owner himself (D-E29)", async () => {
      await readerOf.get(owner)!.claim(thing.claimText, { timeout: 10_000 });
      const before = (await thing.waitFor("provisioned", { timeout: 10_000 })).ownership;
      for (const who of [stranger, friend, owner]) {
        expect(await tell(who, buildClaimed({ jid: stranger.jid.bare, public: true }))).toBe("forbidden");
      }
      expect(thing.state.ownership).toMatchObject({
        ...before,
        keyEmptied: expect.any(Boolean),
        ownerAsked: expect.any(Boolean),
      });
    });

    it("nobody but the provisioning server clears the cache (P-E21)", async () => {
      site.provisioning.setRules([{ jid: friend.jid.bare, friend: true, read: true }]);
      expect(await read(friend)).toBe("Temperature, Door open");
      expect(await read(stranger)).toBe("forbidden");
      const remembered = thing.rights.entries().map(({ key }) => key);
      expect(remembered.length).toBeGreaterThanOrEqual(2);
      for (const who of [stranger, friend, owner]) expect(await tell(who, buildClearCache())).toBe("forbidden");
      expect(
        thing.rights
          .entries()
          .map(({ key }) => key)
          .sort(),
      ).toEqual(remembered.sort());
    });

    it("an answer to canRead counts only from the server that was asked, even with the right id", async () => {
      await thing.rights.clear();
      site.provisioning.setRules([]);
      await expect.poll(() => site.provisioning.unacknowledged, { timeout: 5_000 }).toEqual([]);
      // The server takes its time; the liars know the id of the question, which nobody could guess.
      site.hold.hold((stanza) => stanza.getChild("canRead", ns.provisioning) !== undefined);
      const outcome = read(stranger);
      await expect.poll(() => site.hold.held.length, { timeout: 5_000 }).toBe(1);
      const asked = site.hold.held[0]!;
      const { types } = parseCanRead(asked.getChild("canRead", ns.provisioning)!);
      const yes = buildCanReadResponse({ jid: stranger.jid.bare, result: true, types, nodes: [], fields: [] });
      const id = asked.attrs["id"] ?? "";
      expect(id).toMatch(/^[\w-]{22}$/);
      for (const liar of [stranger, friend, owner]) {
        await liar.channel.send(iq({ type: "result", id, to: thing.jid }, yes));
        // The lie has arrived: what the liar asks after it is answered.
        expect(await tell(liar, buildClearCache())).toBe("forbidden");
      }
      expect(thing.rights.count).toBe(0);
      site.hold.release();
      expect(await outcome).toBe("forbidden");
    });

    it("the friend is the friend from another resource too, and the stranger a stranger at the Thing's address in capitals (P-3.2.1-4)", async () => {
      site.provisioning.setRules([{ jid: friend.jid.bare.toUpperCase(), friend: true, read: true }]);
      await expect.poll(() => site.provisioning.unacknowledged, { timeout: 5_000 }).toEqual([]);
      expect(await read(friend)).toBe("Temperature, Door open");
      await using desk = await site.user("friend");
      expect(desk.jid.full).not.toBe(friend.jid.full);
      readerOf.set(desk, new OwnerClient(desk));
      const before = site.provisioning.count();
      expect(await read(desk)).toBe("Temperature, Door open");
      expect(site.provisioning.count()).toBe(before);

      const [local = "", rest = ""] = thing.jid.split("@");
      const capitals = `${local.toUpperCase()}@${rest.replace(/^[^/]*/, (domain) => domain.toUpperCase())}`;
      const payload = buildReq({ seqnr: 1, types: new Set(["momentary"]), nodes: [], fields: [], tokens: {} });
      const asked = (who: Connection): Promise<string | undefined> =>
        who.channel.request({ type: "get", to: capitals, payload }, { timeout: 5_000 }).then(
          (answer) => answer?.name,
          (error: unknown) => (error instanceof StanzaError ? error.condition : String(error)),
        );
      expect([await asked(friend), await asked(stranger)]).toEqual(["accepted", "forbidden"]);
    });
  });
}
