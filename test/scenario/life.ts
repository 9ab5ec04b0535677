// The life of a Thing (issue 2, section 5.2), the same steps on every site.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StanzaError } from "../../src/core/errors.ts";
import type { BareJid } from "../../src/core/jid.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { Disk } from "../support/disk.ts";
import type { Site } from "../support/site.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { buildInfoQuery } from "../../src/codec/disco.ts";
import { buildReq } from "../../src/codec/sensor-data.ts";
import { iq } from "../../src/codec/stanza.ts";
import type { XmlElement } from "../../src/codec/xml.ts";

const RESTARTS = 50;

/** @param validate finds what the schemas do not allow; for sites that show what went over the wire */
export function lifeOfAThing(
  startSite: () => Promise<Site>,
  validate?: (stanzas: readonly XmlElement[]) => Promise<readonly string[]>,
): void {
  describe("the life of a Thing", () => {
    let site: Site;
    let disk: Disk;
    let power: { cut: () => void };
    let thing: Thing;
    let owner: Connection;
    let friend: Connection;
    let stranger: Connection;
    const faults: string[] = [];
    const switches = new Map<string, boolean>();
    const parameters = ["LED", "Siren"].map((name) => ({
      name,
      type: "boolean" as const,
      set: (value: boolean) => void switches.set(name, value),
    }));

    const boot = async (): Promise<void> => {
      const { storage, cut } = disk.boot();
      power = { cut };
      thing = site.thing(storage, { control: parameters });
      // How quick a machine with much else to do is says nothing about a Thing.
      thing.on("fault", ({ code, message }) => code !== "handler-slow" && faults.push(`${code}: ${message}`));
      await thing.start();
    };
    /** As `kill -9`: nothing more reaches the disk, and the server hears no goodbye. */
    const kill = async (): Promise<void> => {
      thing.removeAllListeners("fault"); // a process that is dead complains of nothing
      power.cut();
      await site.cut(thing);
      await thing.stop();
    };
    const bare = (): BareJid => thing.jid.split("/")[0] as BareJid;
    const clients = new Map<Connection, OwnerClient>();
    const client = (connection: Connection): OwnerClient => {
      const known = clients.get(connection) ?? new OwnerClient(connection);
      clients.set(connection, known);
      return known;
    };
    const read = async (reader: Connection, jid: string, timeout = 10_000): Promise<string> => {
      try {
        const groups = await client(reader).read(jid, { timeout });
        return groups
          .flatMap((group) => group.fields.map((field) => `${field.name} ${String(field.value)}`))
          .join(", ");
      } catch (error) {
        if (error instanceof StanzaError) return error.condition;
        throw error;
      }
    };
    const control = async (controller: Connection, values: Record<string, boolean>): Promise<string> => {
      try {
        return (await client(controller).control(thing.jid, values, { timeout: 10_000 })).parameters.join(", ");
      } catch (error) {
        if (error instanceof StanzaError) return error.condition;
        throw error;
      }
    };
    const acknowledged = (): Promise<void> =>
      expect.poll(() => site.provisioning.unacknowledged, { interval: 5, timeout: 5_000 }).toEqual([]);
    const allow = (fields: boolean | { fields: string[] }): void =>
      site.provisioning.setRules([{ jid: friend.jid.bare, friend: true, read: fields }]);

    beforeAll(async () => {
      site = await startSite();
      disk = new Disk();
      [owner, friend, stranger] = await Promise.all([site.user("owner"), site.user("friend"), site.user("stranger")]);
    }, 60_000);
    afterAll(async () => {
      await thing?.stop();
      await Promise.all([owner, friend, stranger].map((one) => one?.close()));
      await site?.stop();
    });

    it("makes itself an account and registers (D-3.4-3, D-3.6-1)", async () => {
      await boot();
      await thing.waitFor("registered", { timeout: 10_000 });
      expect(site.registry.things.map(({ jid }) => jid)).toEqual([bare()]);
      expect(thing.claimText).toMatch(
        /^IoTDisco;SN:394872348732948723;MAN:www\.ktc\.se;MODEL:IMC;#V:1\.2;KEY:[\w-]{27}$/,
      );
    });

    it("is not claimed by a text with another KEY", async () => {
      const wrong = thing.claimText.replace(/KEY:.*/, "KEY:4857402340298342");
      await expect(client(stranger).claim(wrong)).rejects.toMatchObject({ condition: "item-not-found" });
      expect(thing.state.ownership.is).toBe("registered");
    });

    it("is claimed with the scanned text, and delegates (D-3.9-1, D-3.12-1)", async () => {
      const scanned = thing.claimText;
      expect(await client(owner).claim(scanned)).toEqual({ jid: bare() });
      await thing.waitFor("provisioned", { timeout: 10_000 });
      expect(thing.state.ownership).toMatchObject({ is: "claimed", owner: owner.jid.bare, public: true });
      expect(thing.claimText).toBe("");
      await expect.poll(() => owner.friends.has(bare())?.from, { timeout: 5_000 }).toBe(true);
      await expect.poll(() => thing.state.ownership, { timeout: 5_000 }).toMatchObject({ keyEmptied: true });
      // Told again, the same owner is told the same (XEP-0347 3.9); anybody else nothing.
      expect(await client(owner).claim(scanned)).toEqual({ jid: bare() });
      await expect(client(stranger).claim(scanned)).rejects.toMatchObject({ condition: "item-not-found" });
    });

    it("refuses the stranger's friendship and readout (P-3.2.2-1, P-3.3.1-3)", async () => {
      await expect(client(stranger).befriend(bare(), { timeout: 10_000 })).rejects.toMatchObject({
        code: "ERR_STATE",
      });
      expect(await read(stranger, thing.jid)).toBe("forbidden");
    });

    it("accepts the friend, and shows what is allowed and nothing else (P-3.1.1-2, P-3.2.1-1, P-3.2.1-2, P-3.3.3-4)", async () => {
      allow({ fields: ["Temperature"] });
      await acknowledged();
      expect(await client(friend).befriend(bare(), { timeout: 10_000 })).toBe(thing.jid);
      expect(await read(friend, thing.jid)).toBe("Temperature 21.5");
      expect(await read(stranger, thing.jid)).toBe("forbidden");
    });

    it("asks nothing twice (P-5.2-1)", async () => {
      const before = site.provisioning.count();
      expect(await read(friend, thing.jid)).toBe("Temperature 21.5");
      expect(await read(stranger, thing.jid)).toBe("forbidden");
      expect(site.provisioning.count()).toBe(before);
    });

    it("lets what is allowed be set, and nothing else, also after a clearCache and a kill (P-3.4.1-2, P-3.4.3-4)", async () => {
      const rule = (allowed: boolean | { parameters: string[] }): void =>
        site.provisioning.setRules([{ jid: friend.jid.bare, friend: true, control: allowed }]);
      rule({ parameters: ["LED"] });
      await acknowledged();
      expect(await control(friend, { LED: true })).toBe("LED");
      expect(await control(friend, { Siren: true, LED: false })).toBe("LED");
      expect(await control(friend, { Siren: true })).toBe("forbidden");
      expect(await control(stranger, { LED: true })).toBe("forbidden");
      expect([...switches]).toEqual([["LED", false]]);
      const before = site.provisioning.count("canControl");
      await thing.rights.save(); // else a kill takes what was gathered in the last 30 s: it is asked again
      await kill();
      await boot();
      await thing.waitFor("online", { timeout: 10_000 });
      expect(await control(friend, { LED: true })).toBe("LED");
      expect(await control(friend, { Siren: true })).toBe("forbidden");
      expect(site.provisioning.count("canControl")).toBe(before);
      rule(false);
      await acknowledged();
      expect(await control(friend, { LED: false })).toBe("forbidden");
      expect([...switches]).toEqual([["LED", true]]);
    });

    it("refuses after the rules changed and the cache was cleared (P-3.5.1-1, P-3.5.1-5)", async () => {
      allow(false);
      await acknowledged();
      expect(await read(friend, thing.jid)).toBe("forbidden");
      allow(true);
      await acknowledged();
      expect(await read(friend, thing.jid)).toBe("Temperature 21.5, Door open false");
    });

    it("remembers after a kill: not one question for what it knew (P-5.2-8)", async () => {
      const jid = thing.jid;
      await read(stranger, jid);
      const before = site.provisioning.count();
      await thing.rights.save();
      await kill();
      await boot();
      expect(thing.state.ownership).toMatchObject({ is: "claimed", owner: owner.jid.bare });
      expect(thing.claimText).toBe("");
      await thing.waitFor("online", { timeout: 10_000 });
      expect(thing.jid).toBe(jid);
      expect(await read(friend, jid)).toBe("Temperature 21.5, Door open false");
      expect(await read(stranger, jid)).toBe("forbidden");
      expect(site.provisioning.count()).toBe(before);
    });

    it(`never answers from a grant that was taken back while it was away, in ${RESTARTS} restarts (P-3.5.1-2, P-5.2-6)`, async () => {
      const jid = thing.jid;
      const answers = new Map<string, number>();
      for (let i = 0; i < RESTARTS; i++) {
        const allowed = i % 2 === 1;
        await kill();
        allow(allowed);
        const told: string[] = [];
        let hammering = true;
        const hammer = (async () => {
          while (hammering) {
            // What was on its way to the Thing when it died is lost with it: not waited for.
            const answer = await read(friend, jid, 250).catch(() => "no answer");
            if (answer === "forbidden" || answer.startsWith("Temperature")) told.push(answer);
            await new Promise((resolve) => setImmediate(resolve));
          }
        })();
        await boot();
        await expect.poll(() => told.length, { interval: 5, timeout: 15_000 }).toBeGreaterThanOrEqual(3);
        hammering = false;
        await hammer;
        const right = allowed ? "Temperature 21.5, Door open false" : "forbidden";
        for (const answer of told) {
          const verdict = answer === right ? "right" : `stale: ${answer}, restart ${i}`;
          answers.set(verdict, (answers.get(verdict) ?? 0) + 1);
        }
      }
      expect([...answers.keys()]).toEqual(["right"]);
    }, 120_000);

    it("nor when a flood of requests takes all the room there is (P-3.5.1-2)", async () => {
      const jid = thing.jid;
      const flooder = await site.user("flooder");
      let shown = 0;
      flooder.channel.router.onMessage(ns.sensorData, "fields", () => {
        shown++;
      });
      let seqnr = 0;
      const ask = () => {
        seqnr++;
        const payload = buildReq({ seqnr, types: new Set(["momentary"]), nodes: [], fields: [], tokens: {} });
        return iq({ type: "get", id: `flood${seqnr}`, to: jid }, payload);
      };
      /** What was sent before has been answered, or has come back. */
      const drained = (): Promise<unknown> =>
        flooder.channel.request({ type: "get", to: jid, payload: buildInfoQuery() }).catch(() => undefined);
      const rule = (read: boolean): void => site.provisioning.setRules([{ jid: flooder.jid.bare, read }]);
      try {
        for (let i = 0; i < 5; i++) {
          rule(true);
          await acknowledged();
          await drained();
          const before = shown;
          await flooder.channel.send(ask());
          await expect.poll(() => shown).toBeGreaterThan(before);
          await kill();
          rule(false);
          await drained();
          const granted = shown;
          const booting = boot();
          for (let wave = 0; wave < 500 && (wave < 5 || site.provisioning.unacknowledged.length > 0); wave++) {
            await flooder.channel.send(...Array.from({ length: 100 }, ask));
            await new Promise((resolve) => setImmediate(resolve));
          }
          await booting;
          await acknowledged();
          await drained();
          expect(shown).toBe(granted);
        }
      } finally {
        await flooder.close();
      }
    }, 120_000);

    if (validate !== undefined) {
      it("sent nothing that the schemas do not allow", async () => {
        expect(site.sent.length).toBeGreaterThan(100);
        expect(await validate(site.sent)).toEqual([]);
      });
    }

    it("had no trouble on the way", () => {
      expect(faults).toEqual([]);
    });
  });
}
