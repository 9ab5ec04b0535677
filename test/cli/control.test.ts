import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { Refusal } from "../../src/core/refusal.ts";
import type { ControlParameter } from "../../src/control/definition.ts";
import { startSandbox, type Sandbox, type SandboxUser } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { FakeIo } from "../support/fake-io.ts";
import { thingOptions } from "../support/site.ts";

describe("xmpp-thing control", () => {
  let sandbox: Sandbox;
  let owner: SandboxUser;
  let thing: Thing;
  let bare: string;
  let folder: string;
  const files = new FakeIo();
  const switches = new Map<string, boolean>();
  const values: unknown[] = [];
  const as = (user: SandboxUser): FakeIo => {
    const io = new FakeIo();
    io.env = {
      THING_SERVICE: sandbox.service,
      THING_DOMAIN: sandbox.domain,
      THING_CA: `${folder}/ca.pem`,
      OWNER_USERNAME: user.username,
      OWNER_PASSWORD: user.password,
    };
    return io;
  };

  beforeAll(async () => {
    sandbox = await startSandbox();
    folder = await files.makeFolder();
    await files.writeFile(`${folder}/ca.pem`, sandbox.ca);
    owner = sandbox.addUser("owner");
    const { service, domain, ca } = sandbox;
    const control = ["LED", "Fan", "Living room"].map((name) => ({
      name,
      type: "boolean" as const,
      set: (value: boolean) => void switches.set(name, value),
    }));
    const others: ControlParameter[] = [
      ...(["int", "double"] as const).map((type): ControlParameter => ({
        name: `Level ${type}`,
        type,
        min: 0,
        max: 100,
        unit: "%",
        page: "Light",
        get: () => 12,
        set: (value, { text }) => void values.push([`Level ${type}`, value, text]),
      })),
      {
        name: "Serial",
        type: "long",
        label: "Serial number",
        description: "On the label.",
        min: 1n,
        group: "id",
        get: () => 2n ** 60n,
        set: (value) => void values.push(["Serial", value]),
      },
      {
        name: "Scene",
        type: "string",
        options: ["day", "night"],
        set: (value) => void values.push(["Scene", value]),
      },
      { name: "Code", type: "string", pattern: "[0-9]+", set: (value) => void values.push(["Code", value]) },
      {
        name: "Until",
        type: "dateTime",
        max: new Date("2030-01-01T00:00:00Z"),
        get: () => new Date(0),
        set: (value, { text }) => void values.push(["Until", value.getTime(), text]),
      },
      { name: "Colour", type: "color", set: (value) => void values.push(["Colour", value]) },
      { name: "urn:fade", type: "int", set: (value) => void values.push(["urn:fade", value]) },
    ];
    const locked = () => Promise.reject(new Refusal("conflict", "Locked by the key switch."));
    thing = new Thing(
      thingOptions(
        memoryStorage(),
        { service, domain },
        {
          tls: { ca },
          provisioning: [sandbox.provisioning.jid],
          tags: { NAME: "Hall" },
          control: [...control, { name: "Gate", type: "boolean", set: locked }, ...others],
        },
      ),
    );
    await thing.start();
    await thing.waitFor("online", { timeout: 10_000 });
    bare = thing.jid.split("/")[0] ?? "";
    sandbox.provisioning.allowFriend(bare, owner.jid);
  }, 30_000);
  afterAll(async () => {
    await thing?.stop();
    await sandbox?.stop();
    await files.removeFolder(folder);
  });
  const allow = async (control: boolean | { parameters: string[] }): Promise<void> => {
    sandbox.provisioning.allowControl(bare, owner.jid, control);
    await expect.poll(() => sandbox.provisioning.unacknowledged, { timeout: 5_000 }).toEqual([]);
  };

  it("sets what it is told to, at the bare address too, for people and for programs", async () => {
    await allow(true);
    const people = as(owner);
    expect(await main(["control", bare, "LED=true", "Living room=true"], people)).toBe(0);
    expect([people.lines, people.errors]).toEqual([["LED: true", "Living room: true"], []]);
    expect([...switches]).toEqual([
      ["LED", true],
      ["Living room", true],
    ]);
    const programs = as(owner);
    expect(await main(["control", thing.jid, "LED=false", "--json"], programs)).toBe(0);
    expect(JSON.parse(programs.text)).toEqual({ set: ["LED"], notAllowed: [] });
    expect(switches.get("LED")).toBe(false);
  });

  it("looks the types of values up in the control form, unless they are named", async () => {
    await allow(true);
    const io = as(owner);
    const words = ["Level int=7", "Level double=21.40", "Serial=9007199254740993", "Code=0042", "Scene=night", "LED=1"];
    expect(await main(["control", thing.jid, ...words, "Until=2013-04-02T08:00:00Z", "Colour=3399ff"], io)).toBe(0);
    expect(io.lines).toContain("Serial: 9007199254740993");
    expect(values.splice(0)).toEqual([
      ["Level int", 7, "7"],
      ["Level double", 21.4, "21.40"],
      ["Serial", 9007199254740993n],
      ["Code", "0042"],
      ["Scene", "night"],
      ["Until", 1364889600000, "2013-04-02T08:00:00Z"],
      ["Colour", "3399FF"],
    ]);
    expect(await main(["control", thing.jid, "Level double:double=5", "Code:string=7"], as(owner))).toBe(0);
    expect(values.splice(0)).toEqual([
      ["Level double", 5, "5"],
      ["Code", "7"],
    ]);
  });

  it("of a value that is none of its type, or that the device does not take, says so", async () => {
    await allow(true);
    const odd = as(owner);
    expect(await main(["control", thing.jid, "Level int=much"], odd)).toBe(2);
    expect(odd.errors.join("\n")).toContain('Level int: "much" is not an xs:int, like 42');
    const far = as(owner);
    expect(await main(["control", thing.jid, "Level int=101"], far)).toBe(1);
    expect(far.errors.join("\n")).toContain("Level int: Invalid parameter value: it takes 0 to 100.");
    const strange = as(owner);
    expect(await main(["control", thing.jid, "Lamp=21.5", "Row=on", "Step=-3"], strange)).toBe(1);
    expect(strange.errors.join("\n")).toContain("Lamp: No such parameter.");
    expect(strange.errors.join("\n")).toContain("--form shows what you may control");
    expect(values).toEqual([]);
  });

  it("of a type that there is not says which there are, unless that is how a parameter is called: 2", async () => {
    await allow(true);
    for (const word of ["Level int:integer=4", "LED:bool=true"]) {
      const io = as(owner);
      expect(await main(["control", thing.jid, word], io)).toBe(2);
      expect(io.errors.join("\n")).toContain(
        `"${word.split("=")[0]}" is no parameter that you may control, and "${word.split(/[:=]/)[1]}" no type; ` +
          "there are boolean, int, long, string, double, date, time, dateTime, duration, color",
      );
    }
    expect(values).toEqual([]);
    const named = as(owner);
    expect(await main(["control", thing.jid, "urn:fade=4"], named)).toBe(0);
    expect(values.splice(0)).toEqual([["urn:fade", 4]]);
  });

  it("shows what may be controlled, for people and for programs", async () => {
    await allow(true);
    const people = as(owner);
    expect(await main(["control", bare, "--form"], people)).toBe(0);
    expect(people.lines).toEqual([
      "Hall",
      "LED (boolean)",
      "Fan (boolean)",
      "Living room (boolean)",
      "Gate (boolean)",
      "Scene (string, one of day, night)",
      "Code (string, like ^([0-9]+)$)",
      "Until = 1970-01-01T00:00:00.000Z (dateTime, 2030-01-01T00:00:00.000Z at most)",
      "Colour (color)",
      "urn:fade (int)",
      "[Light]",
      "Level int = 12 (int, 0 to 100) Level int (%)",
      "Level double = 12 (double, 0 to 100) Level double (%)",
      "[id]",
      "Serial = 1152921504606846976 (long, 1 at least) Serial number On the label. (with id)",
    ]);
    const programs = as(owner);
    expect(await main(["control", bare, "--form", "--json"], programs)).toBe(0);
    const { title, parameters } = JSON.parse(programs.text) as { title: string; parameters: { name: string }[] };
    expect([title, parameters.length]).toEqual(["Hall", 12]);
    const named = (name: string): object | undefined => parameters.find((one) => one.name === name);
    expect(named("Serial")).toEqual({
      ...{
        name: "Serial",
        label: "Serial number",
        description: "On the label.",
        type: "long",
        page: "id",
        group: "id",
      },
      ...{ value: "1152921504606846976", min: "1" },
    });
    expect(named("Level int")).toMatchObject({ value: 12, min: 0, max: 100, page: "Light" });
    expect(named("Scene")).toMatchObject({ options: [{ value: "day" }, { value: "night" }] });
    expect(programs.text).not.toContain('"label":""');
  });

  it("shows what the caller may control, and nothing else; what it is if that is nothing: 1", async () => {
    await allow({ parameters: ["Fan", "Absent"] });
    const io = as(owner);
    expect(await main(["control", bare, "--form"], io)).toBe(0);
    expect(io.lines).toEqual(["Hall", "Fan (boolean)"]);
    await allow(false);
    const refused = as(owner);
    expect(await main(["control", bare, "--form"], refused)).toBe(1);
    expect(refused.errors.join("\n")).toContain("you may not control this Thing");
    const asking = as(owner);
    expect(await main(["control", bare, "Level int=7"], asking)).toBe(1);
    expect(asking.errors.join("\n")).toContain("you may not control this Thing");
  });

  it("is a mistake in the call with words that set nothing, and with values beside --form: 2", async () => {
    for (const words of [["LED"], ["=true"], ["LED=true", "LED:boolean=false"], ["LED=true", "--form"], []]) {
      expect(await main(["control", thing.jid, ...words], as(owner))).toBe(2);
    }
  });

  it("tells what it was not allowed to set: 1", async () => {
    await allow({ parameters: ["LED"] });
    const io = as(owner);
    expect(await main(["control", thing.jid, "Fan=true", "LED=true"], io)).toBe(1);
    expect([io.lines, io.errors]).toEqual([["LED: true"], ["You may not set: Fan"]]);
    expect(switches.has("Fan")).toBe(false);
  });

  it("that is refused ends with 1, and says what to do", async () => {
    await allow(false);
    const io = as(owner);
    expect(await main(["control", thing.jid, "LED=true"], io)).toBe(1);
    expect(io.errors.join("\n")).toContain("you may not control this Thing: claim it first");
    expect(io.errors.join("\n")).toContain("names count upper and lower case");
  });

  it("of a parameter that is not there, or that the device refuses, says which, and why: 1", async () => {
    await allow(true);
    const io = as(owner);
    expect(await main(["control", thing.jid, "Lamp=true"], io)).toBe(1);
    expect(io.errors.join("\n")).toContain("item-not-found\nLamp: No such parameter.\nNames");
    const locked = as(owner);
    expect(await main(["control", thing.jid, "Gate=true"], locked)).toBe(1);
    expect(locked.errors.join("\n")).toContain("Gate: Locked by the key switch.");
  });

  it("of a Thing that is not there gives no answer, and says that it is not known whether it was set: 3", async () => {
    const io = as(owner);
    const absent = sandbox.addUser("absent");
    expect(await main(["control", absent.jid, "LED=true", "--timeout", "1"], io)).toBe(3);
    expect(io.errors.join("\n")).toContain("whether it was set is not known");
  });

  it("of a client that knows no control is an error like any other: 1", async () => {
    const io = as(owner);
    expect(await main(["control", `${bare}/elsewhere`, "LED=true"], io)).toBe(1);
    expect(io.errors.join("\n")).toContain(
      "service-unavailable: it is offline, or no Thing, or one of which nothing can",
    );
  });
});
