import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { Refusal } from "../../src/core/refusal.ts";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { buildCanReadResponse, type CanReadResponse } from "../../src/codec/provisioning.ts";
import { buildReq, parseFailure, parseFields, type ReadRequest } from "../../src/codec/sensor-data.ts";
import { fieldTypes, type FieldType } from "../../src/codec/field-types.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { Barrier } from "../../src/provisioning/barrier.ts";
import { DeviceIndex } from "../../src/provisioning/devices.ts";
import { Guard, type Standing } from "../../src/provisioning/guard.ts";
import { RightsCache } from "../../src/provisioning/rights-cache.ts";
import type { Reading, SensorDefinition } from "../../src/sensor/definition.ts";
import { answerReadouts, type SensorDevice } from "../../src/sensor/sensor-responder.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { listeningLogger, ScriptedWire, scriptedChannel, settled, type Outcome } from "../support/scripted-wire.ts";

const server = bareJid("provisioning.example.org");
const second = bareJid("second.example.org");
const owner = bareJid("owner@example.org");
const reader = "reader@example.org/desk";

const thermometer: SensorDefinition = {
  fields: [
    { name: "Temperature", unit: "°C", decimals: 1 },
    { name: "Humidity", unit: "%" },
    { name: "Door open", type: "boolean", categories: ["status"] },
    { name: "Highest", unit: "°C", categories: ["peak", "historicalDay"] },
    { name: "Serial", type: "string", categories: ["identity"] },
  ],
  read: () => [
    { name: "Temperature", value: 21.5 },
    { name: "Humidity", value: 40 },
    { name: "Door open", value: true },
    { name: "Highest", value: 30 },
    { name: "Serial", value: "SN 1" },
  ],
};

const says = (result: boolean, parts: Partial<CanReadResponse> = {}): XmlElement =>
  buildCanReadResponse({ result, types: new Set(), nodes: [], fields: [], ...parts });

async function site(
  of: SensorDefinition | ((clock: Clock) => SensorDefinition) = thermometer,
  servers: readonly BareJid[] = [server],
) {
  const logger = listeningLogger();
  const parts = scriptedChannel({ logger });
  const sensor = typeof of === "function" ? of(parts.clock) : of;
  const storage = memoryStorage();
  await storage.open();
  const cache = new RightsCache({ storage, logger, onFault: () => undefined });
  await cache.load();
  const barrier = new Barrier();
  const now: { standing: Standing } = { standing: { owner, registry: undefined, servers } };
  const guard = new Guard({
    ...{ ...parts, cache, barrier, logger },
    standing: () => now.standing,
    onDecision: () => undefined,
  });
  const trouble: string[] = [];
  answerReadouts({
    ...parts,
    guard,
    devices: new DeviceIndex<SensorDevice>([{ sensor }]),
    onFault: (_, message) => void trouble.push(message),
  });
  parts.wire.peer(server, () => says(true));
  return { ...parts, barrier, cache, guard, now, trouble };
}
type Site = Awaited<ReturnType<typeof site>>;

function req(parts: Partial<ReadRequest> = {}): XmlElement {
  const whole = { seqnr: 7, types: new Set<FieldType>(["momentary"]), nodes: [], fields: [], tokens: {} };
  return buildReq({ ...whole, ...parts });
}
const everything = new Set(fieldTypes);

/** The names of the fields that went out with an answer. */
function sentFields(outcome: Outcome): string[] {
  const payload = outcome.write[1]?.getChildElements()[0];
  return parseFields(payload).groups.flatMap((group) => group.fields.map((field) => field.name));
}

const value = (value: number): Reading[] => [{ name: "Temperature", value }];
const oneField = (read: SensorDefinition["read"]): SensorDefinition => ({
  fields: [{ name: "Temperature", unit: "°C", decimals: 1 }],
  read,
});

describe("a readout", () => {
  test("XEP-0323 3.1: that is granted is accepted and answered in one write", async () => {
    const { wire, clock } = await site(oneField(() => value(21)));
    const answer = await wire.ask(reader, "get", req());
    expect(String(answer.payload)).toBe(`<accepted xmlns="${ns.sensorData}" seqnr="7"/>`);
    expect(answer.write.map((stanza) => stanza.name)).toEqual(["iq", "message"]);
    expect(answer.write[1]?.attrs["to"]).toBe(reader);
    expect(String(answer.write[1]?.getChildElements()[0])).toBe(
      `<fields xmlns="${ns.sensorData}" seqnr="7" done="true"><node nodeId=""><timestamp value="2026-01-01T00:00:00.000Z">` +
        '<numeric name="Temperature" momentary="true" automaticReadout="true" value="21.0" unit="°C"/></timestamp></node></fields>',
    );
    await settled();
    expect([wire.messages.length, clock.pending]).toEqual([1, 0]);
  });

  test("P-3.3.1-1, P-3.3.1-6, P-E9, P-5.5-1: is asked about as it was requested, by the reader's bare JID", async () => {
    const { wire } = await site();
    const nodes = [{ nodeId: "" }, { nodeId: "x", sourceId: "s", cacheType: "c" }];
    const tokens = { serviceToken: "S", deviceToken: "D", userToken: "U1 U2" };
    await wire.ask(reader, "get", req({ types: new Set(["momentary", "peak"]), nodes, fields: ["Humidity"], tokens }));
    expect(wire.asked(server).map(String)).toEqual([
      `<canRead xmlns="${ns.provisioning}" jid="reader@example.org" serviceToken="S" deviceToken="D" userToken="U1 U2" ` +
        'momentary="true" peak="true"><node nodeId=""/><node nodeId="x" sourceId="s" cacheType="c"/><field name="Humidity"/></canRead>',
    ]);
  });

  test.each<[string, SensorDefinition["read"]]>([
    ["a list", () => value(1)],
    ["the promise of a list", () => Promise.resolve(value(1))],
    [
      "a generator",
      function* () {
        yield* value(1);
      },
    ],
    [
      "an asynchronous generator",
      async function* () {
        await Promise.resolve();
        yield* value(1);
      },
    ],
    ["a set", () => new Set(value(1))],
  ])("takes what the sensor gives as %s", async (_, read) => {
    const { wire, trouble } = await site(oneField(read));
    expect(sentFields(await wire.ask(reader, "get", req()))).toEqual(["Temperature"]);
    expect(trouble).toEqual([]);
  });

  test("bears the time at which it was read", async () => {
    const { wire, clock } = await site(oneField(() => value(1)));
    await clock.advance(61_500);
    const answer = await wire.ask(reader, "get", req());
    expect(parseFields(answer.write[1]?.getChildElements()[0]).groups[0]?.timestamp).toBe("2026-01-01T00:01:01.500Z");
  });

  test("tells the sensor what is worth measuring", async () => {
    const asked: string[][] = [];
    const { wire } = await site({
      ...thermometer,
      read: (context) => {
        asked.push([...context.fields]);
        return [];
      },
    });
    await wire.ask(reader, "get", req({ types: everything, fields: ["Humidity", "Serial", "unknown"] }));
    wire.peer(server, () => says(true, { fields: ["Temperature"] }));
    await wire.ask(reader, "get", req());
    expect(asked).toEqual([["Humidity", "Serial"], ["Temperature"]]);
  });

  test("that means no field of this Thing is accepted and empty, without a measurement", async () => {
    let measured = 0;
    const { wire } = await site({ ...thermometer, read: () => (measured++, []) });
    for (const request of [req({ fields: ["unknown"] }), req({ types: new Set(["historicalYear"]) })]) {
      const answer = await wire.ask(reader, "get", request);
      expect([answer.type, sentFields(answer)]).toEqual(["result", []]);
    }
    expect(measured).toBe(0);
  });

  test("without a provisioning server is answered to the owner, and to nobody else", async () => {
    const { wire } = await site(thermometer, []);
    expect(sentFields(await wire.ask(`${owner}/phone`, "get", req()))).toEqual(["Temperature", "Humidity"]);
    expect((await wire.ask(reader, "get", req())).condition).toBe("forbidden");
  });
});

describe("what leaves the Thing", () => {
  test.each<[string, Partial<ReadRequest>, string[]]>([
    ["by kind, momentary", { types: new Set(["momentary"]) }, ["Temperature", "Humidity"]],
    ["by kind, status", { types: new Set(["status"]) }, ["Door open"]],
    ["by kind, one of a field's several", { types: new Set(["historicalDay"]) }, ["Highest"]],
    ["by kind, all", { types: everything }, ["Temperature", "Humidity", "Door open", "Highest", "Serial"]],
    ["by name", { fields: ["Humidity", "Door open"] }, ["Humidity"]],
    ["by name, exactly", { fields: ["humidity", "Temperature "] }, []],
    ["by name twice", { fields: ["Humidity", "Humidity"] }, ["Humidity"]],
    ["by name and kind", { types: everything, fields: ["Serial", "Door open"] }, ["Door open", "Serial"]],
    ["by the Thing's own node", { nodes: [{ nodeId: "" }] }, ["Temperature", "Humidity"]],
    ["by its own among other nodes", { nodes: [{ nodeId: "x" }, { nodeId: "" }] }, ["Temperature", "Humidity"]],
  ])("is what was asked for: %s", async (_, parts, expected) => {
    const { wire } = await site();
    expect(sentFields(await wire.ask(reader, "get", req(parts)))).toEqual(expected);
  });

  test.each<[string, Partial<CanReadResponse>, string[]]>([
    ["P-3.3.3-2, P-3.3.2-2: everything, by an answer without lists", {}, ["Temperature", "Humidity", "Door open"]],
    ["P-3.3.3-4: fields that are listed", { fields: ["Humidity"] }, ["Humidity"]],
    ["P-3.3.3-4: nothing that was not asked for", { fields: ["Serial", "Humidity"] }, ["Humidity"]],
    ["P-E18: kinds that are listed", { types: new Set(["status"]) }, ["Door open"]],
    ["P-3.3.2-4: nodes that are listed", { nodes: [{ nodeId: "" }] }, ["Temperature", "Humidity", "Door open"]],
    [
      "P-3.3.3-6: fields and kinds together",
      { types: new Set(["momentary"]), fields: ["Humidity", "Door open"] },
      ["Humidity"],
    ],
  ])("is what was granted: %s", async (_, parts, expected) => {
    const { wire } = await site();
    wire.peer(server, () => says(true, parts));
    const answer = await wire.ask(reader, "get", req({ types: new Set(["momentary", "status"]) }));
    expect(sentFields(answer)).toEqual(expected);
  });

  test.each([
    ["its own node alone", [{ nodeId: "" }]],
    ["its own node and another one", [{ nodeId: "elsewhere" }, { nodeId: "" }]],
  ])(
    "P-3.3.2-4, P-3.3.2-5: is that of the node which is granted, when of several asked for it is %s",
    async (_, nodes) => {
      const { wire } = await site();
      wire.peer(server, () => says(true, { nodes }));
      const answer = await wire.ask(reader, "get", req({ nodes: [{ nodeId: "x" }, { nodeId: "" }, { nodeId: "y" }] }));
      expect(sentFields(answer)).toEqual(["Temperature", "Humidity"]);
      expect(parseFields(answer.write[1]?.getChildElements()[0]).groups.map(({ node }) => node)).toEqual([
        { nodeId: "" },
      ]);
    },
  );

  test.each([
    ["leaves out source and cache type", "<node nodeId=''/>"],
    ["has them empty", "<node nodeId='' sourceId='' cacheType=''/>"],
    [
      "stands beside others of the same id",
      "<node nodeId='' sourceId='s'/><node nodeId='' cacheType='c'/><node nodeId=''/>",
    ],
  ])("P-5.5-2, P-5.5-3, X-E6: is the Thing's by a reference that %s", async (_, nodes) => {
    const { wire } = await site();
    wire.peer(server, () =>
      parseXml(
        `<canReadResponse xmlns='${ns.provisioning}' result='true'><node nodeId='' sourceId=''/></canReadResponse>`,
      ),
    );
    const request = parseXml(`<req xmlns='${ns.sensorData}' seqnr='1' momentary='true'>${nodes}</req>`);
    expect(sentFields(await wire.ask(reader, "get", request))).toEqual(["Temperature", "Humidity"]);
    // An empty attribute is not passed on.
    expect(String(wire.asked(server))).not.toMatch(/(sourceId|cacheType)=""/);
  });

  test("P-E20: is what one of the servers grants as a whole", async () => {
    const { wire } = await site(thermometer, [server, second]);
    wire.peer(server, () => says(true, { nodes: [{ nodeId: "" }], fields: ["Humidity"] }));
    wire.peer(second, () => says(true, { nodes: [{ nodeId: "other" }], fields: ["Temperature"] }));
    expect(sentFields(await wire.ask(reader, "get", req()))).toEqual(["Humidity"]);
  });

  test.each<[string, Partial<CanReadResponse>]>([
    ["another node", { nodes: [{ nodeId: "other" }] }],
    ["the node of a source that the Thing does not have", { nodes: [{ nodeId: "", sourceId: "s" }] }],
    ["fields that this Thing does not have", { fields: ["Pressure"] }],
    ["fields that are not of the kind asked for", { fields: ["Door open"] }],
  ])("P-E19: is nothing, which is a refusal, when what is granted is %s", async (_, parts) => {
    const { wire } = await site();
    wire.peer(server, () => says(true, parts));
    expect(await wire.ask(reader, "get", req())).toMatchObject({ condition: "forbidden", errorType: "cancel" });
    expect(wire.messages).toEqual([]);
  });

  test("is not what the sensor yields beyond it; that it does is no mistake", async () => {
    const { wire, trouble } = await site();
    wire.peer(server, () => says(true, { fields: ["Humidity"] }));
    expect(sentFields(await wire.ask(reader, "get", req()))).toEqual(["Humidity"]);
    expect(trouble).toEqual([]);
  });

  test.each<[string, Reading, RegExp]>([
    ["of a field never defined", { name: "Pressure", value: 1 }, /"Pressure", which is not among its fields: \w/],
    ["without a name", { value: 1 } as never, /a reading without a name; it must be \{ name, value \}/],
    ["of a field with the name of something every object has", { name: "__proto__", value: 1 }, /"__proto__"/],
    ["of a field a second time", { name: "Temperature", value: 99 }, /"Temperature" twice/],
    ["of the wrong type", { name: "Humidity", value: "high" }, /^Humidity: /],
  ])("is not a reading %s; that is told of", async (_, reading, message) => {
    const { wire, trouble } = await site({
      ...thermometer,
      read: () => [{ name: "Temperature", value: 21.5 }, reading],
    });
    const answer = await wire.ask(reader, "get", req());
    expect(sentFields(answer)).toEqual(["Temperature"]);
    expect(String(answer.write[1])).toContain('value="21.5"');
    expect(trouble).toHaveLength(1);
    expect(trouble[0]).toMatch(message);
  });
});

test("a mistake that a sensor makes over and over in one readout is told of once", async () => {
  const wrong: Reading = { name: "Pressure", value: 1 };
  const { wire, trouble } = await site(oneField(() => [...value(1), wrong, wrong, wrong, ...value(2), ...value(3)]));
  await wire.ask(reader, "get", req());
  expect(trouble).toHaveLength(2);
  await wire.ask(reader, "get", req());
  expect(trouble).toHaveLength(4);
});

describe("a request that is refused", () => {
  test("P-3.3.1-3, P-E3: is answered with forbidden, and no sensor is read", async () => {
    let measured = 0;
    const { wire } = await site({ ...thermometer, read: () => (measured++, []) });
    wire.peer(server, () => says(false));
    const answer = await wire.ask(reader, "get", req());
    expect(answer).toMatchObject({
      type: "error",
      condition: "forbidden",
      errorType: "cancel",
      text: "Access denied.",
    });
    await settled();
    expect([measured, wire.messages]).toEqual([0, []]);
  });

  test("P-E28: because nobody could be asked may be tried again later", async () => {
    const { wire, clock } = await site();
    wire.peer(server, () => "silent");
    const asking = wire.ask(reader, "get", req());
    await clock.advance(6_000);
    expect(await asking).toMatchObject({ condition: "resource-constraint", errorType: "wait" });
  });

  test("XEP-0323 5.6: for it names no kind of field is not worth a question to the server", async () => {
    const { wire } = await site();
    const answer = await wire.ask(reader, "get", req({ types: new Set() }));
    expect(answer).toMatchObject({ condition: "bad-request", errorType: "modify" });
    expect(wire.asked(server)).toEqual([]);
  });

  test("for it names a node that is not there: only those who may read are told so", async () => {
    const { wire } = await site();
    const request = req({ nodes: [{ nodeId: "x" }] });
    wire.peer(server, () => says(false));
    expect((await wire.ask("stranger@example.org/x", "get", request)).condition).toBe("forbidden");
    wire.peer(server, () => says(true));
    expect(await wire.ask(reader, "get", request)).toMatchObject({ condition: "item-not-found", errorType: "cancel" });
    expect(wire.asked(server)).toHaveLength(2);
  });

  test("X-E6: for it names the Thing's node in a source it does not have", async () => {
    const { wire } = await site();
    const answer = await wire.ask(reader, "get", req({ nodes: [{ nodeId: "", sourceId: "s" }] }));
    expect(answer.condition).toBe("item-not-found");
  });

  test.each<[string, XmlElement]>([
    ["has no sequence number", el("req", { xmlns: ns.sensorData, momentary: true })],
    ["has a sequence number that is none", el("req", { xmlns: ns.sensorData, seqnr: "x", momentary: true })],
    ["has a flag that is none", el("req", { xmlns: ns.sensorData, seqnr: 1, momentary: "yes" })],
    ["names a field without a name", el("req", { xmlns: ns.sensorData, seqnr: 1, momentary: true }, el("field"))],
    ["names a node without an id", el("req", { xmlns: ns.sensorData, seqnr: 1, momentary: true }, el("node"))],
  ])("for it %s is answered with bad-request", async (_, payload) => {
    const { wire } = await site();
    expect((await wire.ask(reader, "get", payload)).condition).toBe("bad-request");
    expect(wire.asked(server)).toEqual([]);
  });

  test("for it names more than can be compared", async () => {
    const { wire } = await site();
    const nodes = Array.from({ length: 100 }, (_, i) => ({ nodeId: "", sourceId: `s${i}` }));
    const fields = Array.from({ length: 901 }, (_, i) => `f${i}`);
    expect(await wire.ask(reader, "get", req({ nodes, fields }))).toMatchObject({ condition: "not-acceptable" });
    expect(wire.asked(server)).toEqual([]);
    expect((await wire.ask(reader, "get", req({ nodes, fields: fields.slice(1) }))).condition).toBe("item-not-found");
  });

  test("for it is so long that asking about it could end the stream on a server with a small bound", async () => {
    const { wire } = await site();
    const long = req({ fields: ['"'.repeat(20_000)] });
    expect(await wire.ask(reader, "get", long)).toMatchObject({ condition: "not-acceptable" });
    expect(await wire.ask(reader, "get", req({ tokens: { userToken: "t".repeat(20_000) } }))).toMatchObject({
      condition: "not-acceptable",
    });
    expect(wire.asked(server)).toEqual([]);
  });

  test("for a slow sensor is being read 32 times already may be tried again later", async () => {
    const { wire, clock } = await site(oneField(() => new Promise<never>(() => undefined)));
    const asking = Array.from({ length: 32 }, (_, seqnr) =>
      wire.ask(seqnr < 16 ? reader : "other@example.org/x", "get", req({ seqnr })),
    );
    await clock.advance(1_000);
    expect((await Promise.all(asking)).map(({ type }) => type)).toEqual(Array(32).fill("result"));
    const third = "third@example.org/x";
    expect(await wire.ask(third, "get", req())).toMatchObject({ condition: "resource-constraint", errorType: "wait" });
    await clock.advance(30_000); // they have all been given up
    const again = wire.ask(third, "get", req());
    await clock.advance(1_000);
    expect((await again).type).toBe("result");
  });
});

/** A sensor that the test lets go on. */
function heldSensor(): {
  sensor: SensorDefinition;
  give: (readings: Reading[]) => void;
  fail: (reason: unknown) => void;
} {
  const calls: { resolve: (readings: Reading[]) => void; reject: (reason: unknown) => void }[] = [];
  return {
    sensor: oneField(() => new Promise<Reading[]>((resolve, reject) => calls.push({ resolve, reject }))),
    give: (readings) => calls.forEach((call) => call.resolve(readings)),
    fail: (reason) => calls.forEach((call) => call.reject(reason)),
  };
}

/** A sensor that reads what it is asked for in two seconds of the clock. */
const takingTwoSeconds = (clock: Clock): SensorDefinition => ({
  ...thermometer,
  read: async ({ fields }) => {
    await new Promise<void>((resolve) => clock.schedule(2_000, resolve));
    return [...fields].map((name) => ({ name, value: 21.5 }));
  },
});

async function askSlow({ wire, clock }: Site): Promise<Outcome> {
  const asking = wire.ask(reader, "get", req());
  await clock.advance(1_000);
  return asking;
}

describe("a sensor that is quick", () => {
  test("P-3.5.1-5: shows nothing either when clearCache has come while it measured and the answer is another one now", async () => {
    const { sensor, give } = heldSensor();
    const here = await site(sensor);
    const asking = here.wire.ask(reader, "get", req());
    await here.clock.advance(100);
    here.wire.peer(server, () => says(false));
    await here.cache.clear();
    give(value(21.5));
    await asking;
    await settled();
    expect(String(here.wire.sent)).not.toContain("21.5");
    expect(here.wire.messages.map(String)).toEqual([expect.stringContaining("Access denied.")]);
  });
});

describe("what was measured before a clearCache", () => {
  test("is not shown, and is no fault, when the stream ends while it is asked about again", async () => {
    const { sensor, give } = heldSensor();
    const here = await site(sensor);
    await askSlow(here);
    here.wire.peer(server, () => "silent");
    await here.cache.clear();
    give(value(21.5));
    await settled();
    expect(here.wire.asked(server)).toHaveLength(2);
    here.channel.detach(new Error("gone"));
    await settled();
    expect([here.wire.messages, here.trouble, here.faults, here.clock.pending]).toEqual([[], [], [], 0]);
  });

  test("P-3.5.1-5, P-3.3.3-6: is shown as far as it is granted still", async () => {
    const { wire, clock, cache } = await site(takingTwoSeconds);
    const asking = wire.ask(reader, "get", req());
    await clock.advance(1_000);
    await asking;
    wire.peer(server, () => says(true, { fields: ["Humidity"] }));
    await cache.clear();
    await clock.advance(1_000);
    expect(wire.messages).toHaveLength(1);
    expect(String(wire.messages[0])).toContain('name="Humidity"');
    expect(String(wire.messages[0])).not.toContain("Temperature");
  });

  test("P-3.5.1-5: is asked about for as long as rights go on changing", async () => {
    const { wire, clock, cache } = await site(takingTwoSeconds);
    const asking = wire.ask(reader, "get", req());
    await clock.advance(1_000);
    await asking;
    let clears = 0;
    wire.peer(server, async () => {
      // The second one takes back what the first answer gives.
      if (++clears === 1) await cache.clear();
      return clears === 1 ? says(true) : says(true, { fields: ["Humidity"] });
    });
    await cache.clear();
    await clock.advance(1_000);
    expect(clears).toBe(2);
    expect(String(wire.messages[0])).not.toContain("Temperature");
  });
});

describe("a readout under way", () => {
  const begin = async (servers?: readonly BareJid[]) => {
    const signals: AbortSignal[] = [];
    const sensor = oneField(({ signal }) => {
      signals.push(signal);
      return new Promise<never>(() => undefined);
    });
    const here = await site(sensor, servers);
    await askSlow(here);
    return { ...here, signals };
  };
  const end = (here: Site): string | undefined => {
    const [last, ...more] = here.wire.messages.map((message) => message.getChildElements()[0] as XmlElement);
    expect(more).toEqual([]);
    return last === undefined ? undefined : parseFailure(last).errors[0]?.text;
  };

  test("P-3.5.1-5: is ended at once when a clearCache takes the right to it, and the sensor is told to stop", async () => {
    const here = await begin();
    here.wire.peer(server, () => says(false));
    await here.cache.clear();
    await settled();
    expect(here.signals[0]?.aborted).toBe(true);
    expect(end(here)).toBe("Access denied.");
    expect([here.trouble, here.clock.pending]).toEqual([[], 0]);
  });

  test("P-3.5.1-5: goes on after a clearCache that leaves the right to it", async () => {
    const here = await begin();
    await here.cache.clear();
    await settled();
    expect([here.signals[0]?.aborted, end(here)]).toEqual([false, undefined]);
    expect(here.wire.asked(server)).toHaveLength(2);
  });

  test("P-E28: is ended when nobody can be asked whether it may go on, in other words than a no", async () => {
    const here = await begin();
    here.wire.peer(server, () => "silent");
    await here.cache.clear();
    await here.clock.advance(5_999);
    expect(end(here)).toBeUndefined();
    await here.clock.advance(1);
    expect(end(here)).toBe("Nobody could be asked whether you may read. Try again later.");
  });

  test("P-5.3-2: goes on if one of several servers still allows it, whatever becomes of the others", async () => {
    const here = await begin([server, second]);
    here.wire.peer(server, () => says(false));
    here.wire.peer(second, () => says(true));
    await here.cache.clear();
    await here.clock.advance(6_000);
    expect([here.signals[0]?.aborted, end(here)]).toEqual([false, undefined]);
  });

  test("P-3.5.1-5: is ended at once also by a clearCache that comes while it is asked about again", async () => {
    const here = await begin();
    let asked = 0;
    here.wire.peer(server, async () => {
      if (++asked === 1) await here.cache.clear();
      return says(asked === 1);
    });
    await here.cache.clear();
    await settled();
    expect([asked, here.signals[0]?.aborted, end(here)]).toEqual([2, true, "Access denied."]);
  });

  test("P-5.2-7: is asked about anew when the Thing answers to other servers", async () => {
    const here = await begin();
    here.wire.peer(second, () => says(false));
    here.now.standing = { ...here.now.standing, servers: [second] };
    here.guard.running.recheck();
    await settled();
    expect([here.signals[0]?.aborted, end(here)]).toEqual([true, "Access denied."]);
  });

  test("of the owner, who may read without a server, is ended when it is the owner no more", async () => {
    const here = await site(heldSensor().sensor, []);
    const asking = here.wire.ask(`${owner}/phone`, "get", req());
    await here.clock.advance(1_000);
    await asking;
    here.now.standing = { ...here.now.standing, owner: undefined };
    here.guard.running.recheck();
    await settled();
    expect(end(here)).toBe("Access denied.");
  });

  test("P-3.2.3-3: is ended with the friendship, although the server would let it go on; those of others go on", async () => {
    const here = await begin();
    const other = here.wire.ask("other@example.org/desk", "get", req());
    await here.clock.advance(1_000);
    await other;
    here.guard.running.end(bareJid("reader@example.org"));
    await settled();
    expect(here.signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(here.wire.messages.map(({ attrs }) => attrs["to"])).toEqual([reader]);
    expect(end(here)).toBe("Access denied.");
    here.guard.running.end(bareJid("reader@example.org"));
    await settled();
    expect(here.wire.messages).toHaveLength(1);
  });

  test("is ended also within the time in which its answer would be in the same write", async () => {
    const { sensor } = heldSensor();
    const here = await site(sensor);
    const asking = here.wire.ask(reader, "get", req());
    await here.clock.advance(100);
    here.wire.peer(server, () => says(false));
    await here.cache.clear();
    const answer = await asking;
    expect(answer.write.map((stanza) => stanza.name)).toEqual(["iq", "message"]);
    expect(end(here)).toBe("Access denied.");
  });

  test("P-3.5.1-5: is ended when the right was taken back while it was asked for", async () => {
    const { sensor } = heldSensor();
    const here = await site(sensor);
    const answers: ((said: XmlElement) => void)[] = [];
    here.wire.peer(server, () => new Promise<XmlElement>((resolve) => answers.push(resolve)));
    const asking = here.wire.ask(reader, "get", req());
    await settled();
    await here.cache.clear();
    answers[0]?.(says(true));
    await settled();
    expect(answers).toHaveLength(2);
    answers[1]?.(says(false));
    await asking;
    expect(end(here)).toBe("Access denied.");
    expect(here.cache.entries().map(({ grants }) => grants)).toEqual([[]]);
  });
});

describe("a slow sensor", () => {
  test("XEP-0323 3.1: is not waited for: the request is accepted, the fields follow", async () => {
    const { sensor, give } = heldSensor();
    const here = await site(sensor);
    const answer = await askSlow(here);
    expect(answer.write.map((stanza) => stanza.name)).toEqual(["iq"]);
    expect(answer.payload?.is("accepted", ns.sensorData)).toBe(true);
    give(value(21.5));
    await settled();
    expect(here.wire.messages).toHaveLength(1);
    const fields = here.wire.messages[0]?.getChildElements()[0];
    expect(parseFields(fields)).toMatchObject({ seqnr: 7, done: true, groups: [{ fields: [{ text: "21.5" }] }] });
  });

  test("is given up after 30 s: the reader is told so, the sensor is told to stop, and so is the program", async () => {
    const signals: AbortSignal[] = [];
    const here = await site(
      oneField(({ signal }) => {
        signals.push(signal);
        return new Promise<never>(() => undefined);
      }),
    );
    await askSlow(here);
    await here.clock.advance(28_999);
    expect([here.wire.messages.length, signals[0]?.aborted]).toEqual([0, false]);
    await here.clock.advance(1);
    expect(signals[0]?.aborted).toBe(true);
    const failure = here.wire.messages[0]?.getChildElements()[0] as XmlElement;
    expect(parseFailure(failure)).toEqual({
      seqnr: 7,
      done: true,
      errors: [{ node: { nodeId: "" }, timestamp: "2026-01-01T00:00:30.000Z", text: "Timeout." }],
    });
    expect(here.trouble).toHaveLength(1);
    expect(here.clock.pending).toBe(0);
  });

  test("P-3.5.1-5: shows nothing when clearCache has come meanwhile and the answer is another one now", async () => {
    const { sensor, give } = heldSensor();
    const here = await site(sensor);
    await askSlow(here);
    here.wire.peer(server, () => says(false));
    await here.cache.clear();
    give(value(21.5));
    await settled();
    const [end] = here.wire.messages.map((message) => message.getChildElements()[0] as XmlElement);
    expect(parseFailure(end as XmlElement)).toMatchObject({
      seqnr: 7,
      done: true,
      errors: [{ text: "Access denied." }],
    });
  });

  test("P-3.5.1-5: is shown when clearCache has come meanwhile and the answer is the same", async () => {
    const { sensor, give } = heldSensor();
    const here = await site(sensor);
    await askSlow(here);
    await here.cache.clear();
    give(value(21.5));
    await settled();
    expect(parseFields(here.wire.messages[0]?.getChildElements()[0]).groups).toMatchObject([
      { fields: [{ text: "21.5" }] },
    ]);
    expect(here.wire.asked(server)).toHaveLength(2);
  });

  test("is told to stop when the stream ends: nobody waits any more, and no timer is left", async () => {
    const signals: AbortSignal[] = [];
    const here = await site(
      oneField(({ signal }) => {
        signals.push(signal);
        return new Promise<never>(() => undefined);
      }),
    );
    await askSlow(here);
    here.channel.detach(new Error("gone"));
    await settled();
    expect([signals[0]?.aborted, here.clock.pending, here.trouble]).toEqual([true, 0, []]);
  });

  test("that yields for ever without waiting is ended all the same, and told of", async () => {
    const here = await site(
      oneField(function* () {
        for (;;) yield { name: "Temperature", value: 1 };
      }),
    );
    const answer = await here.wire.ask(reader, "get", req());
    expect(sentFields(answer)).toEqual(["Temperature"]);
    expect(parseFailure(answer.write[2]?.getChildElements()[0] as XmlElement)).toMatchObject({
      done: true,
      errors: [{ text: "The readout failed." }],
    });
    expect(here.trouble.at(-1)).toContain("the sensor has yielded 100001 readings");
  });

  test("that yields after it was given up is stopped, and nothing goes out", async () => {
    let stopped = false;
    let measured = 0;
    let go: () => void = () => undefined;
    const here = await site(
      oneField(async function* () {
        try {
          await new Promise<void>((resolve) => (go = resolve));
          for (;;) yield { name: "Temperature", value: measured++ };
        } finally {
          stopped = true;
        }
      }),
    );
    await askSlow(here);
    await here.clock.advance(30_000);
    expect(here.wire.messages).toHaveLength(1);
    go();
    await settled();
    expect([stopped, measured, here.wire.messages.length]).toEqual([true, 1, 1]);
  });

  test("is answered after all that the guard may take, and still from within the handler's time", async () => {
    const { sensor } = heldSensor();
    const here = await site(sensor, [server, second]);
    here.wire.peer(server, () => says(true, { fields: ["Temperature"] }));
    here.wire.peer(second, () => says(true, { fields: ["Temperature"] }));
    await askSlow(here);

    here.barrier.raise();
    const asking = here.wire.ask(reader, "get", req({ seqnr: 8 })); // remembered: waits for the barrier
    await here.clock.advance(2_000);
    await here.cache.clear();
    here.wire.peer(second, () => "silent");
    await here.barrier.settle(here, [], new AbortController().signal);
    await here.clock.advance(6_999); // forgotten: waits for the silent server, then for the sensor
    expect((await asking).type).toBe("result");
    expect(here.faults.filter((fault) => fault.startsWith("handler-failed"))).toEqual([]);
  });
});

describe("a sensor that fails", () => {
  test.each<[string, SensorDefinition["read"]]>([
    [
      "when it is called",
      () => {
        throw new Error("GPIO 4 is busy, password hunter2");
      },
    ],
    ["by a promise", () => Promise.reject(new Error("GPIO 4 is busy, password hunter2"))],
    [
      "half-way",
      function* () {
        yield* value(1);
        throw new Error("GPIO 4 is busy, password hunter2");
      },
    ],
    ["by giving what cannot be gone through", () => 5 as unknown as Reading[]],
  ])("%s is answered with a failure that keeps the reason on the Thing", async (_, read) => {
    const { wire, trouble } = await site(oneField(read));
    const answer = await wire.ask(reader, "get", req());
    expect(answer.type).toBe("result");
    // XEP-0323 3.2: what was read before is told too.
    const failure = answer.write.at(-1)?.getChildElements()[0] as XmlElement;
    expect(parseFailure(failure)).toMatchObject({ seqnr: 7, done: true, errors: [{ text: "The readout failed." }] });
    for (const part of answer.write.slice(1, -1))
      expect(String(part)).toContain('<fields xmlns="urn:xmpp:iot:sensordata" seqnr="7"><node');
    expect(String(answer.write)).not.toContain("hunter2");
    expect(trouble).toHaveLength(1);
  });

  test.each([
    [
      "gives a number",
      21.5,
      "sensor.read gave a value of type number; it must give a list of readings: [{ name, value }]",
    ],
    [
      "gives a text",
      "21.5",
      "sensor.read gave a value of type string; it must give a list of readings: [{ name, value }]",
    ],
    ["forgets to return", undefined, "sensor.read gave undefined; it must give a list of readings: [{ name, value }]"],
    ["gives null", null, "sensor.read gave null; it must give a list of readings: [{ name, value }]"],
    [
      "gives one reading",
      { name: "T", value: 1 },
      "sensor.read gave a value of type object; it must give a list of readings: [{ name, value }]",
    ],
    ["yields nothing", [undefined], "sensor.read yielded undefined, not a reading: { name, value }"],
    ["yields null", [null], "sensor.read yielded null, not a reading: { name, value }"],
    ["yields a number", [21.5], "sensor.read yielded a value of type number, not a reading: { name, value }"],
  ])("that %s is told of in a sentence, on the Thing", async (_, given, sentence) => {
    const { wire, trouble } = await site(oneField(() => given as unknown as Reading[]));
    const answer = await wire.ask(reader, "get", req());
    expect(String(answer.write)).toContain("The readout failed.");
    expect(trouble).toEqual([expect.stringContaining(sentence)]);
  });

  test.each([
    ["with words for the reader", new Refusal("resource-constraint", "Warming up."), "Warming up."],
    ["without words", new Refusal("resource-constraint"), "The readout failed."],
    ["with words that XML cannot hold", new Refusal("not-allowed", "\u001b[31m"), "The readout failed."],
  ])("by a refusal %s is answered with them, and that is no fault", async (_, refusal, text) => {
    const { wire, trouble } = await site(oneField(() => Promise.reject(refusal)));
    const answer = await wire.ask(reader, "get", req());
    expect(parseFailure(answer.write[1]?.getChildElements()[0] as XmlElement).errors[0]?.text).toBe(text);
    expect(trouble).toEqual([]);
  });

  test("late is answered with a failure that follows", async () => {
    const { sensor, fail } = heldSensor();
    const here = await site(sensor);
    await askSlow(here);
    fail(new Refusal("resource-constraint", "Warming up."));
    await settled();
    expect(String(here.wire.messages[0])).toContain("Warming up.");
  });
});

describe("a stream that ends before a slow sensor has answered", () => {
  test("takes the answer with it: it does not go out on the next one", async () => {
    const { sensor, give } = heldSensor();
    const here = await site(sensor);
    await askSlow(here);
    const next = new ScriptedWire(here.channel, "thing@example.org/home");
    here.channel.attach(next);
    give(value(21.5));
    await settled();
    expect([here.wire.messages, next.writes]).toEqual([[], []]);
  });

  test("leaves nobody to answer, and that is no fault", async () => {
    const { sensor, give } = heldSensor();
    const here = await site(sensor);
    await askSlow(here);
    here.channel.detach(new Error("gone"));
    give(value(21.5));
    await settled();
    expect([here.trouble, here.faults]).toEqual([[], []]);
  });

  test("and cannot be written to is no fault either", async () => {
    const { sensor, give } = heldSensor();
    const here = await site(sensor);
    await askSlow(here);
    here.wire.broken = true;
    give(value(21.5));
    await settled();
    expect([here.trouble, here.faults]).toEqual([[], []]);
  });
});
