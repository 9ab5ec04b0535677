// A Thing that reads a Thing and passes on what it has read, as concentrators and gateways do: all that was said of a value
// goes along, the number of its decimals above all (XEP-0323 2, 5.4).
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { BareJid } from "../../src/core/jid.ts";
import { fieldTypes } from "../../src/codec/field-types.ts";
import type { FieldGroup } from "../../src/codec/sensor-data.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import type { FieldDefinition, Reading, SensorDefinition } from "../../src/sensor/definition.ts";
import type { FieldReading } from "../../src/sensor/field-reading.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { startMemorySite } from "../support/memory-site.ts";
import type { Site } from "../support/site.ts";

const soon = { timeout: 20_000 };

const fields: readonly FieldDefinition[] = [
  {
    name: "Energy",
    unit: "MWh",
    decimals: 3,
    categories: ["momentary", "historicalHour", "historicalDay"],
    writable: false,
    module: "Meters",
    stringIds: "1,2",
  },
  { name: "Temperature", unit: "°C" },
  { name: "Pulses", type: "long", categories: ["status"] },
  { name: "Errors", type: "int", categories: ["status"] },
  { name: "Valve", type: "enum", dataType: "ValveState" },
  { name: "Open", type: "boolean", writable: true },
  { name: "Label", type: "string", categories: ["identity"] },
  { name: "Installed", type: "date", categories: ["identity"] },
  { name: "Nightly", type: "time", categories: ["status"] },
  { name: "Since", type: "dateTime", categories: ["status"] },
  { name: "Runtime", type: "duration", categories: ["status"] },
];

const readings: readonly Reading[] = [
  { name: "Energy", value: 123.2, timestamp: "2013-03-07T16:24:30+01:00" },
  {
    name: "Energy",
    value: 100,
    timestamp: "2013-03-07T00:00:00+01:00",
    categories: ["historicalHour", "historicalDay"],
    quality: ["signed", "timeOffset"],
  },
  { name: "Temperature", value: "10.00", timestamp: 0, quality: ["automaticEstimate"] },
  { name: "Pulses", value: 9_223_372_036_854_775_807n, timestamp: 0 },
  { name: "Errors", value: -3, timestamp: 0 },
  { name: "Valve", value: "half", timestamp: 0 },
  { name: "Open", value: true, timestamp: 0 },
  { name: "Label", value: "<&\"' Ünïcode €😀", timestamp: 0 },
  { name: "Installed", value: "2013-03-07+01:00", timestamp: 0 },
  { name: "Nightly", value: "23:30:00.250Z", timestamp: 0 },
  { name: "Since", value: "2013-03-07T16:24:30+01:00", timestamp: 0 },
  { name: "Runtime", value: "PT3H12M", timestamp: 0 },
];

describe("a Thing that reads a Thing and passes it on", () => {
  let site: Site;
  let anna: Connection;
  let owner: OwnerClient;
  let meter: Thing;
  let gateway: Thing;

  const bare = (thing: Thing): BareJid => thing.jid.split("/")[0] as BareJid;
  const start = async (sensor: SensorDefinition, SN: string): Promise<Thing> => {
    const thing = site.thing(memoryStorage(), { sensor, tags: { SN, MAN: "www.ktc.se", MODEL: "IMC", V: 1.2 } });
    await thing.start();
    await thing.waitFor("registered", soon);
    await owner.claim(thing.claimText);
    await thing.waitFor("provisioned", soon);
    return thing;
  };

  beforeAll(async () => {
    site = await startMemorySite();
    anna = await site.user("anna");
    owner = new OwnerClient(anna);
    meter = await start({ fields, read: () => readings }, "1");
    gateway = await start(
      {
        fields,
        async *read({ types, signal, request }) {
          yield* gateway.read(bare(meter), { types: [...types], signal, onBehalfOf: request });
        },
      },
      "2",
    );
    const jids = [anna.jid.bare, bare(gateway)];
    site.provisioning.setRules(jids.map((jid) => ({ jid, friend: true, read: true })));
    await vi.waitFor(() => expect(site.provisioning.unacknowledged).toEqual([]), soon);
  }, 60_000);

  afterAll(async () => {
    await gateway?.stop();
    await meter?.stop();
    await anna?.close();
    await site?.stop();
  });

  it("XEP-0323 5.4: keeps every kind of value, its moment with the zone, its kinds, quality and the number of decimals", async () => {
    const of = async (thing: Thing): Promise<readonly FieldReading[]> => {
      const got: FieldReading[] = [];
      for await (const reading of owner.read(bare(thing), { types: fieldTypes, ...soon })) got.push(reading);
      return got;
    };
    const itself = await of(meter);
    expect(itself.map(({ name, kind }) => [name, kind])).toEqual(
      readings.map(({ name }) => [name, fields.find((field) => field.name === name)?.type ?? "numeric"]),
    );
    expect(itself.slice(0, 3)).toMatchObject([
      { text: "123.200", decimals: 3, timestamp: "2013-03-07T16:24:30+01:00", module: "Meters", stringIds: "1,2" },
      {
        text: "100.000",
        decimals: 3,
        categories: ["historicalHour", "historicalDay"],
        quality: new Set(["timeOffset", "signed"]),
      },
      { text: "10.00", decimals: 2, quality: new Set(["automaticEstimate"]) },
    ]);
    expect(await of(gateway)).toEqual(itself);
  });

  it("XEP-0323 3.1: takes out of a history what is not asked for, on the way and at its end", async () => {
    const from = new Date("2013-03-06T22:00:00Z");
    const to = "2013-03-07T00:30:00+01:00";
    const shown = (groups: readonly FieldGroup[]): readonly string[] =>
      groups.flatMap((group) => group.fields.map((field) => `${group.timestamp} ${field.name}`));
    for (const thing of [meter, gateway]) {
      const options = { types: ["historicalHour"] as const, ...soon };
      expect(shown(await owner.read(bare(thing), { ...options, from, to }))).toEqual([
        "2013-03-07T00:00:00+01:00 Energy",
      ]);
      expect(shown(await owner.read(bare(thing), { ...options, to: from }))).toEqual([]);
    }
  });
});
