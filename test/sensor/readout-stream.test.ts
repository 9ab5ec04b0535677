// A readout as it is gone through: values as they come, and what it means to leave.
import { describe, expect, test } from "vitest";
import { buildAccepted, buildFailure, buildFields, type Field, type FieldGroup } from "../../src/codec/sensor-data.ts";
import type { FieldType } from "../../src/codec/field-types.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el } from "../../src/codec/xml.ts";
import type { FieldReading } from "../../src/sensor/field-reading.ts";
import type { ReadOptions } from "../../src/sensor/read-options.ts";
import { RemoteReadout } from "../../src/sensor/remote-readout.ts";
import { SensorReader } from "../../src/sensor/sensor-reader.ts";
import { scriptedChannel, settled, type Said } from "../support/scripted-wire.ts";

const thing = "thing@example.org/home";
const node = { nodeId: "" };

function field(name: string, text: string, types: readonly FieldType[] = ["momentary"]): Field {
  return {
    kind: "numeric",
    value: Number(text),
    text,
    unit: "°C",
    name,
    types: new Set(types),
    quality: new Set(["automaticReadout"]),
  };
}
function group(name: string, text: string, timestamp = "2026-01-01T00:00:00Z", types?: FieldType[]): FieldGroup {
  return { node, timestamp, fields: [field(name, text, types)] };
}

function site(answer: (seqnr: number) => Said = (seqnr) => buildAccepted({ seqnr })) {
  const parts = scriptedChannel({ jid: "reader@example.org/desk" });
  const reader = new SensorReader(parts.channel, parts.clock, { bytes: (count) => new Uint8Array(count) });
  parts.wire.peer(thing, (payload) => {
    const seqnr = Number(payload.attrs["seqnr"]);
    return payload.is("cancel") ? el("cancelled", { xmlns: ns.sensorData, seqnr }) : answer(seqnr);
  });
  const fields = (done: boolean, ...groups: FieldGroup[]): void =>
    parts.wire.tell(thing, buildFields({ seqnr: 1, done, groups }));
  const tell = (name: string): void => parts.wire.tell(thing, el(name, { xmlns: ns.sensorData, seqnr: 1 }));
  const names = (): string[] => parts.wire.asked(thing).map(({ name }) => name);
  return { ...parts, reader, fields, tell, names };
}

/** What somebody gets who goes through a readout, and how it ended. */
function through(reader: SensorReader, options: ReadOptions = {}) {
  const got: FieldReading[] = [];
  const taking = async (): Promise<unknown> => {
    for await (const reading of reader.read(thing, options)) got.push(reading);
    return "done";
  };
  return { got, ended: taking().catch((error: unknown) => error) };
}

describe("going through a readout", () => {
  test("XEP-0323 5.3: gives each value as its message comes, with node, moment, unit and decimals", async () => {
    const { reader, fields, names, clock } = site();
    const { got, ended } = through(reader);
    await settled();
    fields(false, group("Temperature", "123.200"));
    await settled();
    expect(got).toEqual([
      {
        node,
        timestamp: "2026-01-01T00:00:00Z",
        name: "Temperature",
        kind: "numeric",
        value: 123.2,
        text: "123.200",
        decimals: 3,
        unit: "°C",
        categories: ["momentary"],
        quality: new Set(["automaticReadout"]),
      },
    ]);
    fields(true, group("Energy", "12"), group("Power", "1e3"));
    expect(await ended).toBe("done");
    expect(got.map(({ name, decimals }) => [name, decimals])).toEqual([
      ["Temperature", 3],
      ["Energy", 0],
      ["Power", undefined],
    ]);
    expect(names()).toEqual(["req"]); // nothing to cancel
    expect(clock.pending).toBe(0);
  });

  test("XEP-0323 3.7: is cancelled when the loop is left, and nothing is waited for any more", async () => {
    const { reader, fields, names, clock, wire } = site();
    const leaving = (async () => {
      for await (const { name } of reader.read(thing)) return name;
      return "nothing";
    })();
    await settled();
    fields(false, group("A", "1"), group("B", "2"));
    expect(await leaving).toBe("A");
    expect(names()).toEqual(["req", "cancel"]);
    expect(String(wire.asked(thing)[1])).toBe(`<cancel xmlns="${ns.sensorData}" seqnr="1"/>`);
    await settled();
    expect(clock.pending).toBe(0);
  });

  test.each<[string, (going: AsyncIterator<FieldReading>) => Promise<unknown> | undefined]>([
    ["left", (going) => going.return?.()],
    ["broken off", (going) => going.throw?.(new Error("enough")).catch((error: unknown) => error)],
  ])("XEP-0323 3.7: is cancelled when it is %s before its first value is taken", async (_, leave) => {
    const { reader, names, clock } = site();
    const going = reader.read(thing)[Symbol.asyncIterator]();
    await settled();
    await leave(going);
    expect(await going.next()).toEqual({ done: true, value: undefined });
    await settled();
    expect([names(), clock.pending]).toEqual([["req", "cancel"], 0]);
  });

  test("XEP-0323 3.7: is cancelled when it is left while a value is waited for", async () => {
    const { reader, names, clock } = site();
    const going = reader.read(thing)[Symbol.asyncIterator]();
    const next = going.next();
    await settled();
    await going.return?.();
    expect(await next).toEqual({ done: true, value: undefined });
    expect([names(), clock.pending]).toEqual([["req", "cancel"], 0]);
  });

  test("XEP-0323 3.7: is not cancelled when the Thing has said already that it was all", async () => {
    const { reader, fields, names } = site();
    const leaving = (async () => {
      for await (const { name } of reader.read(thing)) {
        await settled();
        return name;
      }
      return "nothing";
    })();
    await settled();
    fields(true, group("A", "1"), group("B", "2"));
    expect(await leaving).toBe("A");
    expect(names()).toEqual(["req"]);
  });

  test("a Thing that answers nothing to a cancel does no harm", async () => {
    const { reader, fields, wire, clock } = site();
    const leaving = (async () => {
      for await (const { name } of reader.read(thing)) return name;
      return "nothing";
    })();
    await settled();
    wire.peer(thing, () => "silent");
    fields(false, group("A", "1"));
    expect(await leaving).toBe("A");
    await clock.advance(10_000);
    expect(clock.pending).toBe(0);
  });

  test("gives what came before it throws, and tells what failed", async () => {
    const { reader, fields, wire } = site();
    const { got, ended } = through(reader);
    await settled();
    fields(false, group("A", "1"));
    const errors = [{ node: { nodeId: "2" }, timestamp: "2026-01-01T00:00:00Z", text: "Timeout." }];
    wire.tell(thing, buildFailure({ seqnr: 1, done: false, errors }));
    fields(true, group("B", "2"));
    expect(await ended).toMatchObject({ name: "ReadoutError", failures: errors, groups: [] });
    expect(got.map(({ name }) => name)).toEqual(["A", "B"]);
  });

  test("ends at once with the signal's reason, whatever still waits, and is cancelled", async () => {
    const { reader, fields, names } = site();
    const enough = new AbortController();
    const { got, ended } = through(reader, { signal: enough.signal });
    await settled();
    fields(false, group("A", "1"), group("B", "2"));
    enough.abort(new Error("enough"));
    expect(await ended).toMatchObject({ message: "enough" });
    expect([got, names()]).toEqual([[], ["req", "cancel"]]);
    enough.abort();
    expect(await through(reader, { signal: enough.signal }).ended).toMatchObject({ message: "enough" });
    expect(names()).toEqual(["req", "cancel"]);
  });

  test("is done once: it cannot be awaited too, nor gone through twice", async () => {
    const { reader, fields } = site();
    const readout = reader.read(thing);
    const first = readout[Symbol.asyncIterator]();
    expect(() => readout[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: "ERR_STATE" }) as Error);
    await expect(readout).rejects.toMatchObject({ code: "ERR_STATE" });
    const next = first.next();
    await settled();
    fields(true, group("A", "1"));
    expect((await next).value).toMatchObject({ name: "A" });
    const awaited = reader.read(thing);
    void awaited.catch(() => undefined);
    expect(() => awaited[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: "ERR_STATE" }) as Error);
  });

  test("is a promise in all else", async () => {
    const { reader, fields } = site();
    const readout = reader.read(thing);
    const steps: string[] = [];
    const all = readout.finally(() => steps.push("finally"));
    await settled();
    fields(true, group("A", "1"));
    expect(await all).toHaveLength(1);
    expect(await readout).toHaveLength(1);
    expect(await readout.then((groups) => groups.length)).toBe(1);
    expect([steps, Object.prototype.toString.call(readout)]).toEqual([["finally"], "[object Readout]"]);
  });

  test("of which nobody wants anything fails without a word, whatever becomes of it", async () => {
    const { reader, clock } = site(() => ({ error: "forbidden" }));
    void reader.read(thing);
    await settled();
    expect(clock.pending).toBe(0);
  });
});

describe("how long a readout may take", () => {
  test("XEP-0323 3.1: the silence starts anew with each message, until all of it takes too long", async () => {
    const { reader, fields, clock, names } = site();
    const { got, ended } = through(reader, { timeout: 1_000, totalTimeout: 3_500 });
    await settled();
    for (let message = 0; message < 4; message++) {
      await clock.advance(800);
      fields(false, group(String(message), "1"));
      await settled();
    }
    expect(got).toHaveLength(4);
    await clock.advance(300);
    expect(await ended).toMatchObject({ code: "ERR_TIMEOUT", message: `reading ${thing}: not done within 3500 ms` });
    expect(names()).toEqual(["req", "cancel"]);
    await settled();
    expect(clock.pending).toBe(0);
  });

  test("XEP-0323 3.1: a Thing that falls silent in the middle is not waited for longer than that, and told", async () => {
    const { reader, fields, clock, names } = site();
    const { ended } = through(reader, { timeout: 1_000 });
    await settled();
    fields(false, group("A", "1"));
    await clock.advance(1_000);
    expect(await ended).toMatchObject({ code: "ERR_TIMEOUT", message: `reading ${thing}: no answer within 1000 ms` });
    expect(names()).toEqual(["req", "cancel"]);
  });

  test("a Thing that was never heard of is not bothered again", async () => {
    const { reader, clock, names } = site(() => "silent");
    const { ended } = through(reader, { timeout: 1_000 });
    await clock.advance(1_000);
    expect(await ended).toMatchObject({ code: "ERR_TIMEOUT" });
    expect(names()).toEqual(["req"]);
  });

  test("XEP-0323 3.1: one that is queued is waited for until it starts, and the reader is told of both", async () => {
    const queued = (seqnr: number): Said => el("accepted", { xmlns: ns.sensorData, seqnr, queued: true });
    const { reader, fields, tell, clock } = site(queued);
    const stages: string[] = [];
    const { got, ended } = through(reader, { timeout: 1_000, onStage: (stage) => stages.push(stage) });
    await clock.advance(60_000);
    expect(stages).toEqual(["queued"]);
    tell("started");
    expect(stages).toEqual(["queued", "started"]);
    await clock.advance(900);
    fields(true, group("A", "1"));
    expect([await ended, got.length]).toEqual(["done", 1]);
  });

  test("XEP-0323 3.1: that it has begun counts once: a Thing that goes on saying so is one that falls silent", async () => {
    const queued = (seqnr: number): Said => el("accepted", { xmlns: ns.sensorData, seqnr, queued: true });
    const { reader, tell, clock } = site(queued);
    const stages: string[] = [];
    const { ended } = through(reader, { timeout: 1_000, onStage: (stage) => stages.push(stage) });
    await settled();
    tell("started");
    await clock.advance(600);
    tell("started");
    await clock.advance(400);
    expect(await ended).toMatchObject({ code: "ERR_TIMEOUT" });
    expect(stages).toEqual(["queued", "started"]);
  });

  test("XEP-0323 3.1: that another readout is accepted is no answer, and this one is cancelled", async () => {
    const { reader, names } = site((seqnr) => buildAccepted({ seqnr: seqnr + 1 }));
    const { ended } = through(reader);
    expect(await ended).toMatchObject({ code: "ERR_PROTOCOL", path: "accepted/@seqnr" });
    expect(names()).toEqual(["req", "cancel"]);
  });

  test("XEP-0323 3.4: one that is to be later is waited for until then, and a silence longer", async () => {
    const queued = (seqnr: number): Said => el("accepted", { xmlns: ns.sensorData, seqnr, queued: true });
    const { reader, clock, wire, names } = site(queued);
    const when = new Date(clock.now() + 3_600_000);
    const { ended } = through(reader, { when, timeout: 1_000 });
    await settled();
    expect(wire.asked(thing)[0]?.attrs["when"]).toBe(when.toISOString());
    let over = false;
    void ended.then(() => (over = true));
    await clock.advance(3_600_999);
    expect(over).toBe(false);
    await clock.advance(1);
    expect(await ended).toMatchObject({ code: "ERR_TIMEOUT" });
    expect(names()).toEqual(["req", "cancel"]);
  });

  test("XEP-0323 3.4: one that was to be in the past is waited for as one that is to be now", async () => {
    const { reader, clock } = site(() => "silent");
    const { ended } = through(reader, { when: clock.now() - 3_600_000, timeout: 1_000 });
    await clock.advance(1_000);
    expect(await ended).toMatchObject({ code: "ERR_TIMEOUT" });
  });

  test("XEP-0323 3.1: `accepted` is told of, and may be left out by a Thing that is quick", async () => {
    const stages: string[] = [];
    const slow = site();
    const first = slow.reader.read(thing, { onStage: (stage) => stages.push(stage) });
    await settled();
    slow.fields(true);
    await first;
    const quick = site(() => "silent");
    const second = quick.reader.read(thing, { onStage: (stage) => stages.push(stage) });
    await settled();
    quick.fields(true, group("A", "1"));
    expect(await second).toHaveLength(1);
    expect([stages, quick.clock.pending]).toEqual([["accepted"], 0]);
  });

  test("what the program throws on being told ends the readout", async () => {
    const { reader, names } = site();
    const { ended } = through(reader, {
      onStage: () => {
        throw new Error("not now");
      },
    });
    expect(await ended).toMatchObject({ message: "not now" });
    expect(names()).toEqual(["req", "cancel"]);
  });

  test.each<[string, object]>([
    ["totalTimeout", { totalTimeout: "1h" }],
    ["totalTimeout", { totalTimeout: NaN }],
    ["onStage", { onStage: "log" }],
    ["until", { until: 5 }],
    ["from", { from: "yesterday" }],
    ["from", { from: new Date(NaN) }],
    ["to", { to: NaN }],
    ["when", { when: true }],
    ["from", { from: 2, to: 1 }],
  ])("what is no option is refused: %s", async (name, options) => {
    const { reader, names } = site();
    const { ended } = through(reader, options);
    expect(await ended).toMatchObject({ code: "ERR_CONFIG", message: expect.stringContaining(name) as string });
    expect(names()).toEqual([]);
  });
});

describe("what was not asked for", () => {
  test("XEP-0323 3.1, 3.6: is taken out by the reader: other fields and other kinds; what says nothing of its kind stays", async () => {
    const { reader, fields } = site();
    const reading = reader.read(thing, { fields: ["A", "B", "C"], types: ["momentary", "peak"] });
    await settled();
    const at = "2026-01-01T00:00:00Z";
    fields(
      false,
      { node, timestamp: at, fields: [field("A", "1"), field("Z", "2"), field("B", "3", ["status"])] },
      group("Y", "4"),
    );
    fields(true, group("B", "5", at, ["status", "peak"]), group("C", "6", at, []));
    const names = (await reading).map((one) => one.fields.map(({ name, value }) => `${name} ${String(value)}`));
    expect(names).toEqual([["A 1"], ["B 5"], ["C 6"]]);
  });

  test("XEP-0323 3.1: from and to go along, and historical values beyond them are taken out; what is now, is now", async () => {
    const { reader, fields, wire } = site();
    const [from, to] = [new Date("2026-01-02T00:00:00Z"), "2026-01-03T01:00:00+01:00"];
    const reading = reader.read(thing, { types: ["momentary", "historicalSecond"], from, to });
    await settled();
    expect(wire.asked(thing)[0]?.attrs).toMatchObject({ from: "2026-01-02T00:00:00.000Z", to });
    fields(
      true,
      group("early", "1", "2026-01-01T23:59:59.999Z", ["historicalSecond"]),
      group("first", "1", "2026-01-02T00:00:00Z", ["historicalSecond"]),
      group("an hourly value is one of seconds too", "1", "2026-01-02T06:00:00+05:00", ["historicalHour"]),
      group("last", "1", "2026-01-03T00:00:00Z", ["historicalSecond"]),
      group("late", "1", "2026-01-03T00:00:00.001Z", ["historicalSecond"]),
      group("now", "1", "2026-06-01T00:00:00Z", ["momentary"]),
      group("both", "1", "2026-06-01T00:00:00Z", ["momentary", "historicalSecond"]),
    );
    const names = (await reading).flatMap((one) => one.fields.map(({ name }) => name));
    expect(names).toEqual(["first", "an hourly value is one of seconds too", "last", "now", "both"]);
  });

  test("XEP-0323 3.1: one bound is enough, and a moment that is none makes the readout fail where it matters", async () => {
    const { reader, fields } = site();
    const reading = reader.read(thing, { types: ["historicalDay"], to: Date.UTC(2026, 0, 2) });
    await settled();
    fields(false, group("A", "1", "2026-01-01T00:00:00Z", ["historicalDay"]));
    fields(false, group("B", "1", "2026-01-03T00:00:00Z", ["historicalDay"]));
    fields(true, group("C", "1", "yesterday", ["historicalDay"]));
    await expect(reading).rejects.toMatchObject({ code: "ERR_PROTOCOL" });
  });

  test("XEP-0323 5.8: nodes below one that was named belong to it", async () => {
    const { reader, fields } = site();
    const reading = reader.read(thing, { nodes: [{ nodeId: "house" }] });
    await settled();
    fields(true, { ...group("A", "1"), node: { nodeId: "cellar" } });
    expect(await reading).toHaveLength(1);
  });
});

describe("a Thing that sends more than is taken", () => {
  const many = (name: string, count: number): FieldGroup => ({
    node,
    timestamp: "2026-01-01T00:00:00Z",
    fields: Array<Field>(count).fill(field(name, "1")),
  });

  test("is told to stop, and what waited is given before it throws", async () => {
    const { reader, fields, names } = site();
    const stream = reader.read(thing)[Symbol.asyncIterator]();
    const first = stream.next();
    await settled();
    fields(false, group("A", "1"));
    await first; // and nothing more is taken
    for (let message = 0; message < 21; message++) fields(false, many("B", 5_000));
    expect(names()).toEqual(["req", "cancel"]);
    let taken = 0;
    const rest = (async () => {
      for (;;) {
        if ((await stream.next()).done === true) return "done";
        taken++;
      }
    })();
    await expect(rest).rejects.toMatchObject({ code: "ERR_PROTOCOL" });
    expect(taken).toBeGreaterThan(90_000);
  });

  const million = "x".repeat(1_000_000);

  test("may send as much as it likes to who keeps up", async () => {
    const readout = new RemoteReadout();
    const stream = readout[Symbol.asyncIterator]();
    for (let message = 0; message < 40; message++) {
      // Of 5,000 fields one was wanted.
      readout.add(
        [{ ...group("A", "1"), fields: [{ ...field("A", "1"), kind: "numeric", unit: million } as Field] }],
        5_000,
      );
      expect(await stream.next()).toMatchObject({ done: false, value: { name: "A" } });
    }
    readout.finish();
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test.each<[string, FieldGroup]>([
    ["texts", { ...group("A", "1"), fields: [{ ...field("A", "1"), kind: "string", value: million }] }],
    ["units", { ...group("A", "1"), fields: [{ ...field("A", "1"), kind: "numeric", unit: million } as Field] }],
    ["names", group(million, "1")],
    ["nodes", { ...group("A", "1"), node: { nodeId: "n", sourceId: million } }],
    ["timestamps", group("A", "1", million)],
    ["modules", { ...group("A", "1"), fields: [{ ...field("A", "1"), module: million }] }],
    [
      "types of an enum",
      { ...group("A", "1"), fields: [{ ...field("A", "1"), kind: "enum", value: "", dataType: million }] },
    ],
  ])("is stopped by the length of its %s too", async (_, long) => {
    const { reader, wire } = site();
    const reading = reader.read(thing).catch((error: unknown) => error);
    await settled();
    for (let message = 0; message < 17; message++)
      wire.tell(thing, buildFields({ seqnr: 1, done: message === 16, groups: [long] }));
    expect(await reading).toMatchObject({ code: "ERR_PROTOCOL", message: /more than can be taken/ });
  });
});

test("two readers at the same address do not count from the same number", async () => {
  const { channel, clock, wire } = scriptedChannel({ jid: "reader@example.org/desk" });
  void new SensorReader(channel, clock).read(thing).catch(() => undefined);
  const other = scriptedChannel({ jid: "reader@example.org/desk" });
  void new SensorReader(other.channel, other.clock).read(thing).catch(() => undefined);
  await settled();
  const [first, second] = [wire, other.wire].map((one) => Number(one.asked(thing)[0]?.attrs["seqnr"]));
  expect(first).not.toBe(second);
});
