// docs/control.md and docs/acting.md.
import { expect } from "vitest";
import type { ControlParameter } from "../../../src/control/definition.ts";
import type { Connection } from "../../../src/connection/connect.ts";
import type { Sandbox } from "../../../src/sandbox/sandbox.ts";
import type { Scenes } from "./scenes.ts";

type Using<T> = (given: T) => Promise<void>;

/** The dimmer of the guide, and what it does. */
const lampOf = (): { fade: number; percent: number; name: string } => ({ fade: 0, percent: 0, name: "" });
type Dimmer = (lamp: ReturnType<typeof lampOf>) => readonly ControlParameter[];

export const controlScenes: Scenes = [
  [
    'thing.read("meter@example.org"',
    async (world, load) => {
      const set: unknown[] = [];
      await world.thing("meter", {
        sensor: { fields: [{ name: "Power", unit: "W" }], read: () => [{ name: "Power", value: 230 }] },
      });
      await world.thing("lamp", { control: [{ name: "LED", set: (value: boolean) => void set.push(value) }] });
      await load();
      const gateway = await world.claimed("anna");
      expect((await gateway.owner.read(gateway.jid))[0]?.fields).toMatchObject([{ name: "Power", value: 230 }]);
      await gateway.owner.control(gateway.jid, { LED: true });
      expect(set).toEqual([true]);
    },
  ],
  [
    'lamp.keySwitch !== "remote"',
    async (world, load) => {
      await load();
      const { owner, jid } = await world.claimed("anna");
      await owner.control(jid, { LED: true });
      await world.hears(/^anna@example\.org has switched it on$/m);
    },
  ],
  [
    "export function dimmer(",
    async (world, load) => {
      const lamp = lampOf();
      const { dimmer } = (await load()) as { dimmer: Dimmer };
      const { jid } = await world.thing("dimmer", { control: dimmer(lamp) });
      const anna = await world.owner("anna");
      const form = await anna.getForm(jid);
      await anna.control(jid, { FadeTime: 500, Output: 40, Label: "Desk lamp", Wake: "06:30:00" }, { form });
      expect(lamp).toEqual({ fade: 500, percent: 40, name: "Desk lamp" });
      expect(world.said).toEqual(["tomorrow at 06:30:00"]);
      for (const wrong of [{ FadeTime: 4096 }, { Output: -1 }, { Label: "Lamp 2" }, { Wake: "04:59:59" }])
        await expect(anna.control(jid, wrong, { form }), JSON.stringify(wrong)).rejects.toMatchObject({
          condition: "bad-request",
        });
      expect((await anna.getForm(jid)).parameters.map(({ value }) => value)).toEqual([500, 40, undefined, undefined]);
    },
  ],
  [
    'allowControl("boiler@localhost", "bob@localhost"); // everything',
    async (world, load) => {
      const set: string[] = [];
      const control = ["LED", "Fan"].map((name) => ({ name, set: () => void set.push(name) }));
      const { jid } = await world.thing("boiler", { control }, "localhost");
      const { rules } = (await load()) as { rules: (sandbox: Sandbox) => void };
      rules(await world.sandbox("localhost"));
      const [anna, bob] = [await world.owner("anna", "localhost"), await world.owner("bob", "localhost")];
      expect((await anna.control(jid, { LED: true, Fan: true })).parameters).toEqual(["LED"]);
      expect((await bob.control(jid, { LED: true, Fan: true })).parameters).toEqual(["LED", "Fan"]);
    },
  ],
  [
    "export async function switchOn(",
    async (world, load) => {
      const set: string[] = [];
      const control = ["LED", "Fan"].map((name) => ({ name, set: () => void set.push(name) }));
      await world.thing("lamp", { control });
      (await world.sandbox()).provisioning.setRules([{ friend: true, control: { parameters: ["LED"] } }]);
      const { switchOn } = (await load()) as { switchOn: Using<Connection> };
      await switchOn(await world.user("anna"));
      expect(world.said).toEqual(["only these may I set: LED"]);
      expect(set).toEqual(["LED"]);
    },
  ],
  [
    "export async function dim(",
    async (world, load) => {
      const lamp = lampOf();
      const { dimmer } = (await world.other("export function dimmer(")) as { dimmer: Dimmer };
      await world.thing("dimmer", { control: dimmer(lamp) });
      const { dim } = (await load()) as { dim: Using<Connection> };
      await dim(await world.user("anna"));
      expect(lamp).toEqual({ fade: 500, percent: 10, name: "" });
      expect(world.said).toContain("FadeTime int 500 0 4095");
      expect(world.said).toContain("tomorrow at 07:00:00");
    },
  ],
];
