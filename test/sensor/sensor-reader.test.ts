import { describe, expect, test } from "vitest";
import { isSdkError } from "../../src/core/errors.ts";
import { buildAccepted, buildFailure, buildFields, type Field, type FieldGroup } from "../../src/codec/sensor-data.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { SensorReader } from "../../src/sensor/sensor-reader.ts";
import { scriptedChannel, settled, type Said } from "../support/scripted-wire.ts";

const thing = "thing@example.org/home";
const other = "other@example.org/home";

function field(name: string, value: string): Field {
  const text = { kind: "numeric", value: Number(value), text: value, unit: "°C" } as const;
  return { ...text, name, types: new Set(["momentary"]), quality: new Set(["automaticReadout"]) };
}
function group(name: string, value: string, timestamp = "2026-01-01T00:00:00Z"): FieldGroup {
  return { node: { nodeId: "" }, timestamp, fields: [field(name, value)] };
}

function site(answer: (seqnr: number) => Said | Promise<Said> = (seqnr) => buildAccepted({ seqnr })) {
  const parts = scriptedChannel({ jid: "reader@example.org/desk" });
  const reader = new SensorReader(parts.channel, parts.clock, { bytes: (count) => new Uint8Array(count) });
  for (const address of [thing, other]) {
    parts.wire.peer(address, (payload) => answer(Number(payload.attrs["seqnr"])));
  }
  /** The sequence number of the last request. */
  const seqnr = (): number => Number(parts.wire.sent.at(-1)?.getChild("req")?.attrs["seqnr"]);
  const fields = (done: boolean, groups: readonly FieldGroup[], from = thing, number = seqnr()): void =>
    parts.wire.tell(from, buildFields({ seqnr: number, done, groups }));
  const failure = (done: boolean, ...texts: string[]): void => {
    const errors = texts.map((text) => ({ node: { nodeId: "" }, timestamp: "2026-01-01T00:00:00Z", text }));
    parts.wire.tell(thing, buildFailure({ seqnr: seqnr(), done, errors }));
  };
  return { ...parts, reader, seqnr, fields, failure };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const reason = await promise.then(
    () => "resolved",
    (error: unknown) => error,
  );
  if (typeof reason === "string") return reason;
  return isSdkError(reason) ? reason.code : String(reason);
}

describe("reading a Thing", () => {
  test("XEP-0323 3.1: asks its full JID for all momentary fields unless told otherwise", async () => {
    const { reader, wire, fields } = site();
    const reading = reader.read(thing);
    await settled();
    expect(wire.sent[0]?.attrs).toMatchObject({ type: "get", to: thing });
    expect(String(wire.asked(thing)[0])).toBe(`<req xmlns="${ns.sensorData}" seqnr="1" momentary="true"/>`);
    fields(true, [group("Temperature", "21.50")]);
    expect(await reading).toEqual([group("Temperature", "21.50")]);
  });

  test("P-3.1.3-3, P-5.6-1, P-5.5-1: asks for what it is told to, and presents the service and user tokens it is given", async () => {
    const { reader, wire, fields } = site();
    const reading = reader.read(thing, {
      fields: ["Temperature"],
      types: ["peak", "status"],
      nodes: [{ nodeId: "1", sourceId: "s" }],
      tokens: { serviceToken: "S", userToken: "U" },
    });
    await settled();
    expect(String(wire.asked(thing)[0])).toBe(
      `<req xmlns="${ns.sensorData}" seqnr="1" peak="true" status="true" serviceToken="S" userToken="U">` +
        '<node nodeId="1" sourceId="s"/><field name="Temperature"/></req>',
    );
    fields(true, []);
    expect(await reading).toEqual([]);
  });

  test("collects several parts until the last says that it is", async () => {
    const { reader, fields, clock } = site();
    const reading = reader.read(thing);
    await settled();
    fields(false, [group("Temperature", "1")]);
    fields(false, [group("Temperature", "2"), group("Humidity", "3")]);
    fields(true, [group("Highest", "4")]);
    expect((await reading).map(({ fields: [first] }) => first?.name)).toEqual([
      "Temperature",
      "Temperature",
      "Humidity",
      "Highest",
    ]);
    expect(clock.pending).toBe(0);
  });

  test("collects several parts until an empty one says that it was all", async () => {
    const { reader, wire, fields, seqnr } = site();
    const reading = reader.read(thing);
    await settled();
    fields(false, [group("Temperature", "1")]);
    wire.tell(thing, el("done", { xmlns: ns.sensorData, seqnr: seqnr() }));
    expect(await reading).toEqual([group("Temperature", "1")]);
  });

  test("takes fields that come before the request is accepted", async () => {
    let accept: (said: Said) => void = () => undefined;
    const { reader, fields } = site(() => new Promise((resolve) => (accept = resolve)));
    const reading = reader.read(thing);
    await settled();
    fields(true, [group("Temperature", "1")]);
    accept(buildAccepted({ seqnr: 1 }));
    expect(await reading).toHaveLength(1);
  });

  test("waits also for a readout that is queued", async () => {
    const { reader, fields } = site((seqnr) => el("accepted", { xmlns: ns.sensorData, seqnr, queued: true }));
    const reading = reader.read(thing);
    await settled();
    fields(true, [group("Temperature", "1")]);
    expect(await reading).toHaveLength(1);
  });

  test("takes the address as it is normalised", async () => {
    const { reader, fields } = site();
    const reading = reader.read("Thing@EXAMPLE.org/home");
    await settled();
    fields(true, [group("Temperature", "1")]);
    expect(await reading).toHaveLength(1);
  });
});

describe("what belongs to a readout", () => {
  test("XEP-0323 3.3: is not what another Thing sends, whatever its sequence number", async () => {
    const { reader, fields } = site();
    const reading = reader.read(thing);
    await settled();
    const number = 1;
    for (const from of [other, "thing@example.org/elsewhere", "thing@example.org", "example.org"]) {
      fields(true, [group("Temperature", "666")], from, number);
    }
    fields(true, [group("Temperature", "21")]);
    expect(await reading).toEqual([group("Temperature", "21")]);
  });

  test("is not what bears another sequence number, or none", async () => {
    const { reader, wire, fields } = site();
    const reading = reader.read(thing);
    await settled();
    fields(true, [group("Temperature", "666")], thing, 2);
    wire.tell(thing, el("fields", { xmlns: ns.sensorData, done: true }));
    wire.tell(thing, el("fields", { xmlns: ns.sensorData, seqnr: "NaN", done: true }));
    fields(true, [group("Temperature", "21")]);
    expect(await reading).toEqual([group("Temperature", "21")]);
  });

  test("is kept apart from other readouts at the same time, of the same Thing and of others", async () => {
    const { reader, fields } = site();
    const readings = [reader.read(thing), reader.read(thing), reader.read(other)];
    await settled();
    fields(true, [group("Temperature", "3")], other, 3);
    fields(true, [group("Temperature", "2")], thing, 2);
    fields(true, [group("Temperature", "1")], thing, 1);
    const values = (await Promise.all(readings)).map((groups) => groups[0]?.fields[0]?.value);
    expect(values).toEqual([1, 2, 3]);
  });

  test("is nothing that comes when it is over", async () => {
    const { reader, fields } = site();
    const reading = reader.read(thing);
    await settled();
    fields(true, [group("Temperature", "1")]);
    const groups = await reading;
    fields(true, [group("Temperature", "2")]);
    await settled();
    expect(groups).toHaveLength(1);
  });
});

describe("a readout that comes to nothing", () => {
  test("XEP-0323 3.2: because the Thing could not read says why", async () => {
    const { reader, fields, failure } = site();
    const reading = reader.read(thing);
    await settled();
    fields(false, [group("Temperature", "1")]);
    failure(false, "Sensor 2 is broken.");
    failure(true, "Sensor 3 too.");
    await expect(reading).rejects.toMatchObject({ code: "ERR_PROTOCOL" });
    await expect(reading).rejects.toThrow("Sensor 2 is broken. Sensor 3 too.");
  });

  test("because the Thing could not read, and does not say why, is a failure too", async () => {
    const { reader, failure } = site();
    const reading = reader.read(thing);
    await settled();
    failure(true);
    expect(await codeOf(reading)).toBe("ERR_PROTOCOL");
  });

  test("is a failure also when fields are the last part", async () => {
    const { reader, fields, failure } = site();
    const reading = reader.read(thing);
    await settled();
    failure(false, "Sensor 2 is broken.");
    fields(true, [group("Temperature", "1")]);
    expect(await codeOf(reading)).toBe("ERR_PROTOCOL");
  });

  test("P-E3: because it is forbidden", async () => {
    const { reader, clock } = site(() => ({ error: "forbidden" }));
    await expect(reader.read(thing)).rejects.toMatchObject({ code: "ERR_STANZA", condition: "forbidden", from: thing });
    expect(clock.pending).toBe(0);
  });

  test("P-E3: because it is rejected in a result, as before 2014", async () => {
    const { reader } = site((seqnr) =>
      el("rejected", { xmlns: ns.sensorData, seqnr }, el("error", {}, "Access denied."), el("error", {}, "Really.")),
    );
    await expect(reader.read(thing)).rejects.toMatchObject({
      code: "ERR_STANZA",
      condition: "forbidden",
      type: "cancel",
      text: "Access denied. Really.",
    });
  });

  test("because the Thing does not answer ends after 30 s, or when the caller wants it", async () => {
    const { reader, clock } = site(() => "silent");
    const patient = reader.read(thing).catch((reason: unknown) => reason);
    const hasty = reader.read(other, { timeout: 100 }).catch((reason: unknown) => reason);
    await clock.advance(99);
    expect(clock.pending).toBeGreaterThan(0);
    await clock.advance(1);
    expect(await hasty).toMatchObject({ code: "ERR_TIMEOUT" });
    await clock.advance(29_900);
    expect(await patient).toMatchObject({ code: "ERR_TIMEOUT", message: expect.stringContaining(thing) as string });
    expect(clock.pending).toBe(0);
  });

  test("because the Thing accepts and then falls silent ends too", async () => {
    const { reader, clock, fields } = site();
    const reading = reader.read(thing).catch((reason: unknown) => reason);
    await settled();
    fields(false, [group("Temperature", "1")]);
    await clock.advance(30_000);
    expect(await reading).toMatchObject({ code: "ERR_TIMEOUT" });
  });

  test("because the caller does not want it any more ends with the caller's reason", async () => {
    const { reader, clock } = site();
    const leaving = new AbortController();
    const reading = reader.read(thing, { signal: leaving.signal });
    await settled();
    leaving.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
    expect(clock.pending).toBe(0);
    await expect(reader.read(thing, { signal: leaving.signal })).rejects.toThrow("enough");
  });

  test("because the connection is lost", async () => {
    const { reader, channel } = site(() => "silent");
    const reading = reader.read(thing);
    await settled();
    channel.detach(new Error("gone"));
    await expect(reading).rejects.toThrow("gone");
    expect(await codeOf(reader.read(thing))).toBe("ERR_CONNECTION");
  });

  test("because the address is none", async () => {
    const { reader } = site();
    expect(await codeOf(reader.read("@"))).toBe("ERR_PROTOCOL");
  });

  test.each<[string, Said]>([
    ["nothing", undefined],
    ["something else", el("fields", { xmlns: ns.sensorData, seqnr: 1 })],
    ["an acceptance in another namespace", el("accepted", { xmlns: ns.provisioning, seqnr: 1 })],
    ["an acceptance without a sequence number", el("accepted", { xmlns: ns.sensorData })],
  ])("because the answer is %s", async (_, said) => {
    expect(await codeOf(site(() => said).reader.read(thing))).toBe("ERR_PROTOCOL");
  });

  const nonsense = (...children: XmlElement[]): XmlElement =>
    el("fields", { xmlns: ns.sensorData, seqnr: 1, done: true }, ...children);
  test.each<[string, XmlElement]>([
    ["node without an id", nonsense(el("node", {}, el("timestamp", { value: "x" })))],
    ["group without a time", nonsense(el("node", { nodeId: "" }, el("timestamp")))],
    [
      "number that is none",
      nonsense(
        el("node", { nodeId: "" }, el("timestamp", { value: "x" }, el("numeric", { name: "T", value: "many" }))),
      ),
    ],
    ["end that is none", el("fields", { xmlns: ns.sensorData, seqnr: 1, done: "perhaps" })],
    ["failure without a time", el("failure", { xmlns: ns.sensorData, seqnr: 1 }, el("error", { nodeId: "" }, "x"))],
  ])("because the Thing sends a %s", async (_, payload) => {
    const { reader, wire } = site();
    const reading = reader.read(thing);
    await settled();
    wire.tell(thing, payload);
    expect(await codeOf(reading)).toBe("ERR_PROTOCOL");
  });

  test.each(["groups", "fields", "errors"] as const)(
    "because the Thing never stops sending %s, before it fills the memory",
    async (what) => {
      const { reader, wire, failure, fields } = site();
      let ended = false;
      const reading = codeOf(reader.read(thing)).finally(() => (ended = true));
      await settled();
      const many = <T>(one: T): T[] => Array<T>(5_000).fill(one);
      const crowded = { ...group("T", "1"), fields: many(field("T", "1")) };
      for (let part = 0; part < 30 && !ended; part++) {
        if (what === "groups") fields(false, many({ ...group("T", "1"), fields: [] }), thing, 1);
        else if (what === "fields") fields(false, [crowded], thing, 1);
        else failure(false, ...many("No."));
        await settled();
      }
      expect(wire.asked(thing).map(({ name }) => name)).toEqual(["req", "cancel"]);
      expect(ended && (await reading)).toBe("ERR_PROTOCOL");
    },
  );
});
