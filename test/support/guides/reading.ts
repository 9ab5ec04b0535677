// docs/sensor.md, docs/rights.md, docs/owner.md, docs/concentrator.md, docs/service.md: who reads, and who is read.
import { expect, vi } from "vitest";
import type { Connection } from "../../../src/connection/connect.ts";
import { Refusal } from "../../../src/core/refusal.ts";
import type { OwnerClient } from "../../../src/owner/owner-client.ts";
import type { SensorDefinition } from "../../../src/sensor/definition.ts";
import type { Tags } from "../../../src/codec/tags.ts";
import type { Thing } from "../../../src/thing/thing.ts";
import type { Scenes } from "./scenes.ts";
import type { World } from "./world.ts";

const thermometer: SensorDefinition = {
  fields: [{ name: "Temperature", unit: "°C", decimals: 1 }],
  read: () => [{ name: "Temperature", value: 21.5 }],
};

/** A Thing that waits for its owner, whose KEY stands in the claim text of a snippet; and that owner's password. */
async function waiting(world: World, text: string, tags: Tags): Promise<{ thing: Thing; text: string }> {
  const sandbox = await world.sandbox();
  vi.stubEnv("OWNER_PASSWORD", sandbox.addUser("anna").password);
  world.later(() => vi.unstubAllEnvs());
  const thing = await world.thing("thing", { tags, sensor: thermometer });
  const [key = ""] = /KEY:.*$/.exec(thing.claimText) ?? [];
  expect(text).toContain("KEY:…");
  return { thing, text: text.replace("KEY:…", key) };
}

export const readingScenes: Scenes = [
  [
    "The battery is being measured.",
    async (world, load) => {
      await load();
      await world.things[0]?.start();
      const { owner, jid } = await world.claimed("anna");
      const groups = await owner.read(jid, { types: ["momentary", "status", "identity"] });
      expect(groups.flatMap(({ fields }) => fields.map(({ name, value }) => [name, value]))).toEqual([
        ["Door open", false],
        ["Battery", 87],
        ["Serial", "394872348732948723"],
      ]);
    },
  ],
  [
    "export const meter: SensorDefinition",
    async (world, load) => {
      const { meter } = (await load()) as { meter: SensorDefinition };
      const { jid } = await world.thing("meter", { sensor: meter });
      const anna = await world.owner("anna");
      const values = async (options: Parameters<OwnerClient["read"]>[1]): Promise<readonly unknown[]> =>
        (await anna.read(jid, options)).flatMap(({ fields }) => fields.map(({ value }) => value));
      expect(await values({})).toEqual([813.2]);
      expect(await values({ types: ["historicalHour"] })).toEqual([812.4]);
      expect(await values({ types: ["historicalHour"], to: new Date("2025-01-01T00:00:00Z") })).toEqual([]);
    },
  ],
  [
    "export async function history(",
    async (world, load) => {
      const { meter } = (await world.other("export const meter: SensorDefinition")) as { meter: SensorDefinition };
      await world.thing("meter", { sensor: meter });
      const { history } = (await load()) as { history: (owner: OwnerClient) => Promise<void> };
      await history(await world.owner("anna"));
      expect(world.said).toEqual(["2026-01-01T12:00:00.000Z Energy 812.4 kWh"]);
    },
  ],
  [
    'waitFor("provisioned", { timeout: 600_000 })',
    async (world, load) => {
      const thing = await world.thing("thing", { sensor: thermometer });
      const { watch } = (await load()) as { watch: (thing: Thing) => Promise<void> };
      const watching = watch(thing);
      const owner = await world.owner("anna");
      const { jid = "" } = await owner.claim(thing.claimText);
      await watching;
      await owner.read(jid);
      await world.hears(/^anna@example\.org canRead granted$|^anna@example\.org read granted$/m);
      (await world.sandbox()).drop(thing.jid);
      await world.hears(/^no connection: /m);
    },
  ],
  [
    "export async function showRights(",
    async (world, load) => {
      const { provisioning } = await world.sandbox();
      const rule = { jid: "anna@example.org", friend: true, read: { fields: ["Temperature"] } };
      provisioning.setRules([rule, { friend: true, read: false }]);
      const fields = [{ name: "Temperature" }, { name: "Humidity" }];
      const thing = await world.thing("thing", { sensor: { ...thermometer, fields } });
      await (await world.owner("anna")).read(thing.jid);
      await expect((await world.owner("bob")).read(thing.jid)).rejects.toMatchObject({ condition: "forbidden" });
      const { showRights } = (await load()) as { showRights: (thing: Thing) => Promise<void> };
      await showRights(thing);
      expect(world.said.sort()).toEqual([
        "2 answers are remembered",
        "read anna@example.org provisioning.example.org: Temperature",
        "read bob@example.org refused",
      ]);
      expect(thing.rights.count).toBe(0);
    },
  ],
  [
    "asked for ${fields}: ${decision.outcome}",
    async (world, load) => {
      const { provisioning } = await world.sandbox();
      const thing = await world.thing("thing", { sensor: thermometer });
      const { log } = (await load()) as { log: (thing: Thing) => void };
      log(thing);
      const [bare = ""] = thing.jid.split("/");
      await (await world.owner("anna")).read(bare, { fields: ["Temperature"] });
      await world.hears(/^anna@example\.org asked for Temperature: granted \(server, \d+ ms\)$/m);
      await world.hears(/^anna@example\.org is a friend now$/m);
      provisioning.setRules([]);
      await world.hears(/^provisioning\.example\.org says that rights have changed$/m);
    },
  ],
  [
    "const { jid } = await owner.claim(",
    async (world, _, text) => {
      const its = await waiting(world, text, { SN: "394872348732948723", MAN: "example.org", V: 1.2 });
      await world.load(its);
      expect(world.said).toEqual(["Temperature 21.5"]);
      expect(its.thing.claimText).toBe("");
    },
  ],
  [
    "await owner.update(thing, {",
    async (world, _, text) => {
      const tags = { SN: "394872348732948723", MAN: "www.ktc.se", MODEL: "IMC", V: 1.2 };
      const its = await waiting(world, text, tags);
      await world.load(its);
      expect(world.said).toEqual(["thing@example.org 4", "Temperature 21.5"]);
    },
  ],
  [
    "const conditions = [",
    async (world, load) => {
      const thing = await world.thing("thing", { tags: { SN: "1", MAN: "www.ktc.se", V: 2, CLASS: "PLC" } });
      const other = await world.thing("other", { tags: { SN: "2", MAN: "www.ktc.se", V: 1.5 } });
      const anna = await world.owner("anna");
      for (const { claimText } of [thing, other]) await anna.claim(claimText);
      const { find } = (await load()) as { find: (owner: OwnerClient) => Promise<void> };
      await find(anna);
      expect(world.said).toEqual(["thing@example.org"]);
    },
  ],
  [
    "await thing.addNode(",
    async (world, load) => {
      const thing = await world.thing("cellar", { nodes: [] });
      world.give("thing", thing);
      await load();
      expect(world.said).toEqual([]); // it was added and removed
      await thing.addNode({ nodeId: "meter3" });
      await load();
      expect(world.said).toEqual([expect.stringMatching(/^meter3 (un)?registered/)]);
    },
  ],
  [
    "await owner.nodes(",
    async (world, load) => {
      const set: boolean[] = [];
      const broken = { fields: [{ name: "Power" }], read: () => Promise.reject(new Refusal("conflict", "It is out.")) };
      const control = [{ name: "LED", set: (value: boolean) => void set.push(value) }];
      const nodes = [
        { nodeId: "meter1", sensor: thermometer },
        { nodeId: "meter2", sensor: broken },
        { nodeId: "lamp", control },
      ];
      await world.thing("cellar", { nodes });
      world.give("connection", (await world.user("anna")) satisfies Connection);
      await load();
      expect(world.said.map((line) => /\S+/.exec(line)?.[0])).toEqual(["meter1", "meter2", "lamp", "["]);
      expect(world.said.at(-1)).toMatch(/meter2[^]*It is out\.[^]*meter1/);
      expect(set).toEqual([true]);
    },
  ],
  [
    'console.log("Not you.")',
    async (world, load) => {
      const sandbox = await world.sandbox();
      await world.thing("thermometer", { sensor: thermometer });
      vi.stubEnv("ENERGY_PASSWORD", sandbox.addUser("energy").password);
      world.later(() => vi.unstubAllEnvs());
      await load();
      expect(world.said.splice(0)).toEqual(["Not you."]);
      sandbox.provisioning.setRules([{ access: true, friend: true, read: true }]);
      await load();
      expect(world.said).toEqual([]); // the user may be there, and has no privilege
      const [service] = sandbox.provisioning.identities;
      const { fingerprint = "" } = service ?? {};
      sandbox.provisioning.setPrivileges([{ service: fingerprint, privileges: [{ include: "Sensors" }] }]);
      await load();
      expect(world.said).toEqual(["Temperature 21.5"]);
    },
  ],
  [
    "isPrivilegeGranted(list",
    async (world, load) => {
      await load();
      expect(world.said).toEqual(["true", "false", "false"]);
    },
  ],
  [
    'password: "on my desk"',
    async (world, load) => {
      await load();
      expect(world.said).toEqual(["true"]);
    },
  ],
];
