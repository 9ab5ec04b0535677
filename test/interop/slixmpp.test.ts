// A client that nobody here wrote reads and controls a Thing: slixmpp of Debian with its plugins for XEP-0323 and XEP-0325,
// over Prosody, the rights from the reference Provisioning Server. What it sees is asserted on its own side.
// docs/interoperability.md lists what its plugins do differently from the XEPs.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ControlContext, ControlParameter } from "../../src/control/definition.ts";
import { Refusal } from "../../src/core/refusal.ts";
import type { Rule } from "../../src/sandbox/rules.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { NodeDefinition } from "../../src/thing/node-definition.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import { startRealSite } from "../support/real-site.ts";
import type { RealXmppServer } from "../support/server-process.ts";
import type { Site } from "../support/site.ts";
import { noSlixmpp, Slixmpp, type Requested, type Sighting } from "../support/slixmpp.ts";

const SLIX = "slix@localhost";
const skipped = noProsody !== undefined || noSlixmpp !== undefined;

const every: readonly string[] = ["event", "name", "from_jid", "timestamp"];

/** What one call of the plugin's told, without what it tells each time. */
const told = (call: Sighting): object =>
  Object.fromEntries(Object.entries(call).filter(([key]) => !every.includes(key)));

describe.skipIf(skipped)("slixmpp over Prosody", () => {
  let server: RealXmppServer | undefined;
  let site: Site;
  let thing: Thing;
  let gateway: Thing;
  let slix: Slixmpp;
  const set: string[] = [];

  /** Other rights, known to the Things. */
  const allow = async (...rules: readonly Rule[]): Promise<void> => {
    site.provisioning.setRules(rules.map((rule) => ({ jid: SLIX, ...rule })));
    await expect.poll(() => site.provisioning.unacknowledged, { interval: 5, timeout: 15_000 }).toEqual([]);
  };
  const lamp = (where: string, name: string): NonNullable<NodeDefinition["control"]>[number] => ({
    name,
    type: "boolean",
    set: (value) => {
      if (name === "Stuck") throw new Refusal("resource-constraint", "The motor is too hot.");
      set.push(`${where}${name} ${value}`);
    },
  });
  /** Notes what was set, and how it was written. */
  const note = (name: string) => ({
    name,
    set: (value: unknown, { text }: ControlContext) =>
      void set.push(
        `${name}: ${typeof value} ${value instanceof Date ? value.toISOString() : String(value)} (${text})`,
      ),
  });
  const typed: readonly ControlParameter[] = [
    { ...note("Level"), type: "int", min: 0, max: 100 },
    { ...note("Counter"), type: "long" },
    { ...note("Setpoint"), type: "double", min: -40, max: 40.5 },
    { ...note("Sign"), type: "string", maxLength: 20 },
    { ...note("Mode"), type: "string", options: ["off", "eco"] },
    { ...note("Code"), type: "string", pattern: "[A-Z]{2}\\d{3}" },
    { ...note("Day"), type: "date" },
    { ...note("Wake"), type: "time" },
    { ...note("At"), type: "dateTime" },
    { ...note("For"), type: "duration" },
    { ...note("Colour"), type: "color" },
  ];
  const meter = (nodeId: string, power: number): NodeDefinition => ({
    nodeId,
    sensor: {
      fields: [{ name: "Power", unit: "W" }],
      read: () => {
        if (power < 0) throw new Refusal("resource-constraint", "The meter does not answer.");
        return [{ name: "Power", value: power }];
      },
    },
    control: [lamp(`${nodeId}: `, "On")],
  });

  beforeAll(async () => {
    server = await startProsody();
    if (server === undefined) throw new Error("Prosody did not start");
    site = await startRealSite(Promise.resolve(server));
    const common = { registry: site.registry.jid, provisioning: [site.provisioning.jid] };
    thing = site.thing(memoryStorage(), {
      ...common,
      sensor: {
        fields: [
          { name: "Temperature", unit: "°C", decimals: 3 },
          { name: "Door open", type: "boolean" },
          { name: "Model", type: "string", categories: ["identity"] },
          { name: "Since", type: "dateTime", categories: ["status"] },
          { name: "State", type: "enum", dataType: "BoilerState", categories: ["status"], writable: true },
          { name: "Errors", type: "int", categories: ["status"] },
          { name: "Energy", unit: "kWh", categories: ["historicalHour", "historicalDay"] },
        ],
        read: () => [
          { name: "Temperature", value: 123.2 },
          { name: "Door open", value: false },
          { name: "Model", value: "IMC <&> °C" },
          { name: "Since", value: new Date(Date.UTC(2026, 0, 1)) },
          { name: "State", value: "Idle", quality: ["manualReadout", "signed"] },
          { name: "Errors", value: 3 },
          ...[0, 1, 2].map((hour) => ({
            name: "Energy",
            value: `${hour}.50`,
            timestamp: Date.UTC(2026, 0, 1, hour),
            categories: hour === 0 ? (["historicalHour", "historicalDay"] as const) : (["historicalHour"] as const),
          })),
        ],
      },
      control: [lamp("", "LED"), lamp("", "Fan"), lamp("", "Stuck"), ...typed],
    });
    gateway = site.thing(memoryStorage(), {
      ...common,
      tags: { SN: "gateway" },
      nodes: [meter("M1", 100), meter("M2", 200), meter("broken", -1)],
    });
    for (const one of [thing, gateway]) {
      await one.start();
      await one.waitFor("registered", { timeout: 20_000 });
    }
    slix = await Slixmpp.start(server, "slix");
  }, 60_000);
  afterAll(async () => {
    await slix?.stop();
    await thing?.stop();
    await gateway?.stop();
    await site?.stop();
  }, 60_000);
  beforeEach(() => void set.splice(0));

  /** What the plugin told of a readout until it was over. */
  const readout = async (request: Requested): Promise<readonly object[]> =>
    (await slix.calledBack(request, "done", "failure", "rejected", "cancelled")).map(told);

  const temperature = {
    name: "Temperature",
    typename: "numeric",
    value: "123.200",
    unit: "°C",
    flags: { momentary: "true", automaticReadout: "true" },
  };
  const door = {
    name: "Door open",
    typename: "boolean",
    value: "false",
    flags: { momentary: "true", automaticReadout: "true" },
  };
  const model = {
    name: "Model",
    typename: "string",
    value: "IMC <&> °C",
    flags: { identity: "true", automaticReadout: "true" },
  };
  const read = (...fields: readonly object[]): readonly object[] => [
    { result: "accepted" },
    { result: "fields", nodeId: "", fields },
    { result: "done" },
  ];

  describe("reads a Thing", () => {
    it.each([
      ["what is momentary", {}, [temperature, door]],
      ["the union of two kinds", { flags: { momentary: "true", identity: "true" } }, [temperature, door, model]],
      ["the field that it names", { fields: ["Temperature"] }, [temperature]],
    ])("XEP-0323 3.1, 5.6: %s, with decimals, unit and flags, when it is granted", async (_, what, fields) => {
      await allow({ read: true });
      expect(await readout(await slix.read(thing.jid, what))).toEqual(read(...fields));
    });

    it("XEP-0323 5.4, 5.7: values of every type that its plugin knows, with what they are worth; those of later types it leaves out", async () => {
      await allow({ read: true });
      const request = await slix.read(thing.jid, { flags: { status: "true" } });
      expect(await readout(request)).toEqual(
        read(
          {
            ...{ name: "Since", typename: "dateTime", value: "2026-01-01T00:00:00.000Z" },
            flags: { status: "true", automaticReadout: "true" },
          },
          {
            ...{ name: "State", typename: "enum", value: "Idle", dataType: "BoilerState" },
            flags: { status: "true", manualReadout: "true", signed: "true" },
          },
        ),
      );
    });

    it.each([
      ["all of it", {}, ["0.50", "1.50", "2.50"]],
      ["from a moment", { from: "2026-01-01T01:00:00Z" }, ["1.50", "2.50"]],
      ["to a moment, in another zone", { to: "2026-01-01T02:00:00+01:00" }, ["0.50", "1.50"]],
      ["days only", { historical: "false", historicalDay: "true" }, ["0.50"]],
    ])("XEP-0323 3.1, 5.6: history, each value at its moment: %s", async (_, flags, values) => {
      await allow({ read: true });
      const request = await slix.read(thing.jid, { flags: { historical: "true", ...flags } });
      const calls = await slix.calledBack(request, "done");
      const fields = calls.filter(({ result }) => result === "fields");
      expect(fields.map(({ timestamp }) => timestamp)).toEqual(
        values.map((value) => `2026-01-01T0${value.slice(0, 1)}:00:00.000Z`),
      );
      expect(fields.map((call) => call["fields"])).toMatchObject(
        values.map((value) => [{ name: "Energy", value, unit: "kWh" }]),
      );
    });

    it("XEP-0323 3.4: later, which is queued, started when its time has come, and told", async () => {
      await allow({ read: true });
      const when = new Date(Date.now() + 5_000).toISOString();
      const request = await slix.read(thing.jid, { flags: { momentary: "true", when } });
      expect(await readout(request)).toEqual([
        { result: "queued" },
        { result: "started" },
        { result: "fields", nodeId: "", fields: [temperature, door] },
        { result: "done" },
      ]);
    });

    it("XEP-0323 3.7: and cancels what is queued, which is never started", async () => {
      await allow({ read: true });
      const when = new Date(Date.now() + 3_600_000).toISOString();
      const request = await slix.read(thing.jid, { flags: { momentary: "true", when } });
      await slix.calledBack(request, "queued");
      await slix.did({ do: "cancel", session: request.id }, "cancelling");
      expect(await readout(request)).toEqual([{ result: "queued" }, { result: "cancelled" }]);
    });

    it("XEP-0323 3.1, P-3.3.3-1: no more than is granted", async () => {
      await allow({ read: { fields: ["Temperature", "Model"], types: ["momentary"] } });
      expect(await readout(await slix.read(thing.jid, { flags: { all: "true" } }))).toEqual(read(temperature));
    });

    it("XEP-0323 3.3, P-3.3.1-3, P-E3: is refused with forbidden, and its plugin is called no more", async () => {
      await allow({ control: true });
      const request = await slix.read(thing.jid);
      expect(told(await slix.refused(request))).toEqual({
        id: request.id,
        condition: "forbidden",
        type: "cancel",
        text: "Access denied.",
        parameters: {},
      });
      expect(slix.calls(request)).toEqual([]);
    });

    it("XEP-0323 3.1, 5.6: is refused with bad-request where it names no kind of field", async () => {
      await allow({ read: true });
      expect(await slix.refused(await slix.read(thing.jid, { flags: {} }))).toMatchObject({ condition: "bad-request" });
    });
  });

  describe("reads nodes behind a Thing", () => {
    const power = (value: string): object => ({ ...temperature, name: "Power", value, unit: "W" });

    it("XEP-0323 3.3: several, each in its turn", async () => {
      await allow({ read: true });
      expect(await readout(await slix.read(gateway.jid, { nodes: ["M1", "M2"] }))).toEqual([
        { result: "accepted" },
        { result: "fields", nodeId: "M1", fields: [power("100")] },
        { result: "fields", nodeId: "M2", fields: [power("200")] },
        { result: "done" },
      ]);
    });

    it("XEP-0323 3.3, P-3.3.2-1: only those that are granted", async () => {
      await allow({ read: { nodes: [{ nodeId: "M2" }] } });
      expect(await readout(await slix.read(gateway.jid, { nodes: ["M1", "M2"] }))).toEqual([
        { result: "accepted" },
        { result: "fields", nodeId: "M2", fields: [power("200")] },
        { result: "done" },
      ]);
    });

    it("XEP-0323 3.2: is told the failure of one, in the words of the device", async () => {
      await allow({ read: true });
      expect(await readout(await slix.read(gateway.jid, { nodes: ["broken"] }))).toEqual([
        { result: "accepted" },
        { result: "failure", nodeId: "broken", error_msg: "The meter does not answer." },
      ]);
    });

    it("XEP-0323 3.3: is refused with item-not-found for one that is not there", async () => {
      await allow({ read: true });
      expect(await slix.refused(await slix.read(gateway.jid, { nodes: ["M9"] }))).toMatchObject({
        condition: "item-not-found",
      });
    });
  });

  describe("controls a Thing", () => {
    /** What its plugin told of a request to set. */
    const outcome = async (request: Requested): Promise<readonly object[]> =>
      (await slix.calledBack(request, "")).map(told);
    const done = { result: "", nodeIds: [], fields: [], error_msg: null };

    it("XEP-0325 3.1.2, 3.2.1: sets booleans, and is told so when it is done", async () => {
      await allow({ control: true });
      const request = await slix.set(thing.jid, [
        ["LED", "boolean", "true"],
        ["Fan", "boolean", "0"],
      ]);
      expect(await outcome(request)).toEqual([done]);
      expect(set).toEqual(["LED true", "Fan false"]);
    });

    it("XEP-0325 3.2.1 to 3.2.10: sets parameters of every type that its plugin knows, in one request and in its order", async () => {
      await allow({ control: true });
      const request = await slix.set(thing.jid, [
        ["Level", "int", "42"],
        ["Counter", "long", "9007199254740993"],
        ["Setpoint", "double", "-12.300"],
        ["Sign", "string", "a <b> & 'c' °C"],
        ["Mode", "string", "eco"],
        ["Code", "string", "AB123"],
        ["Day", "date", "2013-05-01"],
        ["Wake", "time", "08:00:00"],
        ["At", "dateTime", "2013-05-01T08:00:00Z"],
        ["For", "duration", "PT3M30S"],
        ["Colour", "color", "ff8000"],
        ["LED", "boolean", "1"],
      ]);
      expect(await outcome(request)).toEqual([done]);
      expect(set).toEqual([
        "Level: number 42 (42)",
        "Counter: bigint 9007199254740993 (9007199254740993)",
        "Setpoint: number -12.3 (-12.300)",
        "Sign: string a <b> & 'c' °C (a <b> & 'c' °C)",
        "Mode: string eco (eco)",
        "Code: string AB123 (AB123)",
        "Day: string 2013-05-01 (2013-05-01)",
        "Wake: string 08:00:00 (08:00:00)",
        "At: object 2013-05-01T08:00:00.000Z (2013-05-01T08:00:00Z)",
        "For: string PT3M30S (PT3M30S)",
        "Colour: string FF8000 (ff8000)",
        "LED true",
      ]);
    });

    it.each([
      ["Level", "int", "101"],
      ["Level", "int", "4.5"],
      ["Level", "double", "42"],
      ["Counter", "long", "9223372036854775808"],
      ["Setpoint", "double", "NaN"],
      ["Setpoint", "double", "-41"],
      ["Sign", "string", "x".repeat(21)],
      ["Mode", "string", "on"],
      ["Code", "string", "AB1234"],
      ["Day", "date", "2013-02-30"],
      ["Wake", "time", "25:00:00"],
      ["At", "dateTime", "yesterday"],
      ["For", "duration", "3 min"],
      ["Colour", "color", "red"],
    ])("XEP-0325 3.1.3, 5.2: %s is set to no %s %s, nor anything beside it", async (name, type, value) => {
      await allow({ control: true });
      const request = await slix.set(thing.jid, [
        ["LED", "boolean", "true"],
        [name, type, value],
      ]);
      expect(await slix.refused(request)).toMatchObject({
        condition: "bad-request",
        parameters: { [name]: expect.any(String) },
      });
      expect(set).toEqual([]);
    });

    it("P-3.4.2-7: sets what is granted, and is told which", async () => {
      await allow({ control: { parameters: ["Fan"] } });
      const request = await slix.set(thing.jid, [
        ["LED", "boolean", "true"],
        ["Fan", "boolean", "true"],
      ]);
      expect(await outcome(request)).toEqual([done]);
      expect(await slix.answered(request)).toMatchObject({ nodes: [], parameters: ["Fan"] });
      expect(set).toEqual(["Fan true"]);
    });

    it("P-3.4.3-5: sets the nodes that are granted", async () => {
      await allow({ control: { nodes: [{ nodeId: "M1" }] } });
      const request = await slix.set(gateway.jid, [["On", "boolean", "true"]], ["M1", "M2"]);
      expect(await outcome(request)).toEqual([done]);
      expect(await slix.answered(request)).toMatchObject({ nodes: ["M1"], parameters: [] });
      expect(set).toEqual(["M1: On true"]);
    });

    it.each([
      ["forbidden", "what it may not", [["LED", "boolean", "true"]], {}],
      [
        "item-not-found",
        "a parameter that is not there",
        [["Pump", "boolean", "true"]],
        { Pump: "No such parameter." },
      ],
      ["bad-request", "a value that is none", [["LED", "boolean", "on"]], {}],
      [
        "resource-constraint",
        "what the device refuses",
        [["Stuck", "boolean", "true"]],
        { Stuck: "The motor is too hot." },
      ],
    ])(
      "XEP-0325 3.1.3, 5.1, P-E4: is refused with %s for %s, and its plugin is not called",
      async (condition, _, fields, parameters) => {
        await allow(...(condition === "forbidden" ? [{ read: true }] : [{ control: true }]));
        const request = await slix.set(thing.jid, fields);
        expect(await slix.refused(request)).toMatchObject({ id: request.id, condition, parameters });
        expect(slix.calls(request)).toEqual([]);
        expect(set).toEqual([]);
      },
    );

    it("XEP-0325 3.1.1: sets by message what it may, all or nothing, and is never answered", async () => {
      await allow({ control: { parameters: ["LED", "Level"] } });
      const from = slix.seen.length;
      const command = (...fields: readonly (readonly string[])[]): Promise<Sighting> =>
        slix.did({ do: "command", to: thing.jid, fields }, "sent");
      await command(["Level", "int", "7"], ["LED", "boolean", "true"]);
      await expect.poll(() => set, { timeout: 10_000 }).toEqual(["Level: number 7 (7)", "LED true"]);
      await command(["Fan", "boolean", "true"]);
      await command(["LED", "boolean", "false"], ["Level", "int", "101"]);
      await command(["Pump", "boolean", "true"]);
      // What comes after them is done after them.
      await command(["LED", "boolean", "false"]);
      await expect.poll(() => set.slice(2), { timeout: 10_000 }).toEqual(["LED false"]);
      await slix.did({ do: "mark" }, "marked");
      expect(slix.seen.slice(from).filter(({ event }) => event !== "sent" && event !== "marked")).toEqual([]);
    });
  });

  it("nothing that a Thing has said was more than slixmpp could understand", () => {
    expect(slix.exceptions).toEqual([]);
  });
});
