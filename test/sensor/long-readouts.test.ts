// Readouts in several parts, later, and not at all any more: XEP-0323 3.1, 3.4, 3.7, 5.3, 5.6.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bareJid } from "../../src/core/jid.ts";
import type { LightAbort } from "../../src/core/light-abort.ts";
import { fieldTypes } from "../../src/codec/field-types.ts";
import { buildCancel, buildReq, parseFailure, parseFields, type ReadRequest } from "../../src/codec/sensor-data.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import type { FieldDefinition, ReadContext, Reading, SensorDefinition } from "../../src/sensor/definition.ts";
import { no, nodeSite, owner, reader, server, told, yes } from "../support/node-site.ts";
import { settled } from "../support/scripted-wire.ts";

const HOUR = 3_600_000;
const start = Date.UTC(2026, 0, 1);
const meter: FieldDefinition = { name: "Energy", unit: "kWh", categories: ["momentary", "historicalHour"] };
const sensing = (read: SensorDefinition["read"], ...fields: FieldDefinition[]): SensorDefinition => ({
  fields: fields.length === 0 ? [meter] : fields,
  read,
});
const req = (parts: Partial<ReadRequest> = {}): XmlElement =>
  buildReq({ seqnr: 7, types: new Set(fieldTypes), nodes: [], fields: [], tokens: {}, ...parts });
const hour = (index: number): Reading => ({
  name: "Energy",
  value: index,
  timestamp: start - index * HOUR,
  categories: ["historicalHour"],
});

type Site = Awaited<ReturnType<typeof nodeSite>>;
const payloads = ({ wire }: Site): XmlElement[] => wire.messages.map((one) => one.getChildElements()[0] as XmlElement);
const fieldsOf = (site: Site) =>
  payloads(site)
    .filter((one) => one.is("fields"))
    .flatMap((one) =>
      parseFields(one).groups.flatMap(({ timestamp, fields }) => fields.map((f) => ({ ...f, timestamp }))),
    );

describe("XEP-0323 5.3: a long readout", () => {
  test("comes in messages below 10,000 bytes, in order, done in the last alone", async () => {
    const site = await nodeSite([{ sensor: sensing(() => Array.from({ length: 1_000 }, (_, index) => hour(index))) }]);
    await site.wire.ask(reader, "get", req());
    await settled();
    expect(Math.max(...site.wire.messages.map((one) => Buffer.byteLength(String(one))))).toBeLessThan(10_000);
    expect(site.wire.messages.length).toBeGreaterThan(8); // more than go out with the first write
    expect(fieldsOf(site).map(({ value }) => value)).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
    const done = payloads(site).map((one) => parseFields(one).done);
    expect(done).toEqual([...Array<boolean>(done.length - 1).fill(false), true]);
    expect(site.trouble).toEqual([]);
  });

  test("comes in messages below 10,000 bytes also where the moments have long fractions", async () => {
    const nines = "9".repeat(900);
    const history = Array.from({ length: 60 }, (_, index) => ({
      ...hour(0),
      timestamp: `2026-01-01T00:00:00.${String(index).padStart(3, "0")}${nines}Z`,
    }));
    const site = await nodeSite([{ sensor: sensing(() => history) }]);
    await site.wire.ask(reader, "get", req());
    await settled();
    expect(Math.max(...site.wire.messages.map((one) => Buffer.byteLength(String(one))))).toBeLessThan(10_000);
    expect(fieldsOf(site)).toHaveLength(60);
  });

  test("is read no faster than it is sent", async () => {
    let read = 0;
    const site = await nodeSite([
      {
        sensor: sensing(async function* () {
          for (; read < 2_000; read++) yield await Promise.resolve(hour(read));
        }),
      },
    ]);
    const goOn: (() => void)[] = [];
    const whole = site.channel.send.bind(site.channel);
    site.channel.send = async (...stanzas) => {
      if (stanzas[0]?.is("message") === true) await new Promise<void>((resolve) => goOn.push(resolve));
      await whole(...stanzas);
    };
    await site.wire.ask(reader, "get", req());
    await settled();
    const before = read;
    await settled();
    expect([read, before < 400, goOn.length]).toEqual([before, true, 1]);
    for (let turn = 0; turn < 100 && fieldsOf(site).length < 2_000; turn++) {
      goOn.shift()?.();
      await settled();
    }
    expect(fieldsOf(site)).toHaveLength(2_000);
  });

  test("shows what there is after half a second, while the sensor takes its time", async () => {
    const site = await nodeSite((clock) => [
      {
        sensor: sensing(async function* () {
          for (let index = 0; index < 3; index++) {
            yield hour(index);
            await new Promise<void>((resolve) => clock.schedule(10_000, resolve));
          }
        }),
      },
    ]);
    const asking = site.wire.ask(reader, "get", req());
    await site.clock.advance(600);
    expect((await asking).write.map(({ name }) => name)).toEqual(["iq", "message"]);
    await site.clock.advance(31_000); // no single wait is longer than 30 s
    expect(told(site.wire.messages)).toEqual([": Energy", ": Energy", ": Energy", "done"]);
    expect([site.trouble, site.clock.pending]).toEqual([[], 0]);
  });

  test("of values that come late, each within 30 s, ends when one does not; what was read is told", async () => {
    const site = await nodeSite([
      {
        sensor: sensing(async function* () {
          yield hour(0);
          await new Promise(() => undefined);
        }),
      },
    ]);
    const asking = site.wire.ask(reader, "get", req());
    await site.clock.advance(600);
    await asking;
    await site.clock.advance(30_000);
    expect(told(site.wire.messages)).toEqual([": Energy", "! Timeout., done"]);
    expect(site.trouble).toHaveLength(1);
  });

  test("P-3.5.1-5: shows nothing more once the right is taken, and the sensor is stopped", async () => {
    let stopped = false;
    const site = await nodeSite((clock) => [
      {
        sensor: sensing(async function* () {
          try {
            for (let index = 0; ; index++) {
              yield hour(index);
              await new Promise<void>((resolve) => clock.schedule(1_000, resolve));
            }
          } finally {
            stopped = true;
          }
        }),
      },
    ]);
    const asking = site.wire.ask(reader, "get", req());
    await site.clock.advance(2_600);
    await asking;
    const before = site.wire.messages.length;
    site.wire.peer(server, no);
    await site.cache.clear();
    await site.clock.advance(2_000);
    expect([stopped, told(site.wire.messages).slice(before)]).toEqual([true, ["! Access denied., done"]]);
  });

  test("P-3.3.3-6: the past is shown only to whom it is granted", async () => {
    const site = await nodeSite([{ sensor: sensing(() => [{ name: "Energy", value: 1 }, hour(1), hour(2)]) }]);
    site.wire.peer(server, () => yesOf("momentary"));
    await site.wire.ask(reader, "get", req());
    expect(fieldsOf(site).map(({ value, types }) => [value, [...types]])).toEqual([[1, ["momentary"]]]);
  });

  test("a text as long as a message goes by itself; one that no server takes is left out and told of", async () => {
    const text: FieldDefinition = { name: "Log", type: "string" };
    const more: FieldDefinition = { name: "More", type: "string" };
    const site = await nodeSite([
      {
        sensor: sensing(
          () => [
            { name: "Energy", value: 1 },
            { name: "Log", value: "x".repeat(30_000) },
            { name: "More", value: "&".repeat(30_000) },
          ],
          ...[meter, text, more],
        ),
      },
    ]);
    await site.wire.ask(reader, "get", req());
    await settled();
    expect(told(site.wire.messages)).toEqual([": Energy", ": Log, done"]);
    expect(site.trouble).toEqual(["More: longer than a stanza may be"]);
  });

  test("whatever the fields are, every message is below 10,000 bytes", async () => {
    const reading = fc.record({ value: fc.string({ unit: "grapheme", maxLength: 300 }), hour: fc.nat({ max: 1_000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(reading, { maxLength: 120 }), async (readings) => {
        const text: FieldDefinition = { name: 'é&"', type: "string", categories: ["historicalOther"] };
        const given = readings.map(({ value, hour: index }) => ({ name: text.name, value, timestamp: index * HOUR }));
        const site = await nodeSite([{ sensor: sensing(() => given, text) }]);
        await site.wire.ask(reader, "get", req());
        await settled();
        for (const one of site.wire.messages) expect(Buffer.byteLength(String(one))).toBeLessThan(10_000);
        expect(fieldsOf(site)).toHaveLength(new Set(readings.map(({ hour: index }) => index)).size);
      }),
      { numRuns: 20 },
    );
  });
});

const yesOf = (type: (typeof fieldTypes)[number]): XmlElement => {
  const answer = yes({ is: () => true } as unknown as XmlElement);
  (answer.attrs as Record<string, string>)[type] = "true";
  return answer;
};

describe("XEP-0323 5.6: the past", () => {
  const history = (): SensorDefinition => sensing(() => Array.from({ length: 10 }, (_, index) => hour(index)));

  test("is shown within the interval that is asked for; the sensor is told it", async () => {
    const asked: ReadContext[] = [];
    const sensor = history();
    const site = await nodeSite([
      { sensor: { ...sensor, read: (context) => (asked.push(context), sensor.read(context)) } },
    ]);
    const [from, to] = [start - 4 * HOUR, start - 2 * HOUR].map((ms) => new Date(ms).toISOString()) as [string, string];
    await site.wire.ask(reader, "get", req({ from, to, types: new Set(["historicalHour"]) }));
    expect(fieldsOf(site).map(({ value }) => value)).toEqual([2, 3, 4]);
    expect(asked[0]).toMatchObject({
      from: start - 4 * HOUR,
      to: start - 2 * HOUR,
      types: new Set(["historicalHour"]),
    });
  });

  test("an hourly value is a value of a minute and a second too, not one of a day", async () => {
    const shown = async (type: (typeof fieldTypes)[number]): Promise<number> => {
      const site = await nodeSite([{ sensor: history() }]);
      await site.wire.ask(reader, "get", req({ types: new Set([type]) }));
      return fieldsOf(site).length;
    };
    expect(await Promise.all((["historicalSecond", "historicalMinute", "historicalHour"] as const).map(shown))).toEqual(
      [10, 10, 10],
    );
    expect(await Promise.all((["historicalDay", "historicalYear", "momentary", "status"] as const).map(shown))).toEqual(
      [0, 0, 0, 0],
    );
  });

  test("a value of now and a stored one of the same moment are one too many; a timestamp that is none is told of", async () => {
    const now: Reading = { name: "Energy", value: 1 };
    const same: Reading = { ...now, timestamp: start };
    const none: Reading = { ...now, timestamp: "yesterday" };
    for (const [readings, problem] of [
      [[now, same], /twice of the same moment/],
      [[same, now], /twice in one readout/],
      [[now, none], /^Energy: its timestamp is no moment$/],
    ] as const) {
      const site = await nodeSite([{ sensor: sensing(() => readings) }]);
      await site.wire.ask(reader, "get", req());
      expect([fieldsOf(site).length, site.trouble]).toEqual([1, [expect.stringMatching(problem)]]);
    }
  });

  test("each of a sensor's many mistakes is told of once, and no more than a hundred of them", async () => {
    const readings = Array.from({ length: 500 }, (_, index) => ({ name: `x${index}`, value: 1 }));
    const site = await nodeSite([{ sensor: sensing(() => readings) }]);
    await site.wire.ask(reader, "get", req());
    expect(site.trouble).toHaveLength(100);
  });

  test("XEP-0323 2: never holds a field twice at one moment: that is the sensor's mistake", async () => {
    const readings = [
      hour(1),
      { ...hour(1), value: 99 },
      hour(2),
      { ...hour(2), timestamp: "2025-12-31T23:00:00+01:00" },
    ];
    const site = await nodeSite([{ sensor: sensing(() => [...readings, ...readings]) }]);
    await site.wire.ask(reader, "get", req());
    expect(fieldsOf(site).map(({ value }) => value)).toEqual([1, 2]);
    expect(site.trouble).toEqual([
      'the sensor yielded "Energy" twice of the same moment, or out of order in a long history',
    ]);
  });

  test("XEP-0323 2: moments that are a microsecond apart are two, also at the end of the interval; what is nearer is told of", async () => {
    const at = (fraction: string): string => `2026-01-01T00:00:00.${fraction}Z`;
    const fractions = ["0001", "0005", "000501", "0005010001"];
    const readings = fractions.map((fraction, value) => ({ ...hour(0), value, timestamp: at(fraction) }));
    const site = await nodeSite([{ sensor: sensing(() => readings) }]);
    await site.wire.ask(reader, "get", req({ to: at("000"), types: new Set(["historicalHour"]) }));
    expect(fieldsOf(site).map(({ value }) => value)).toEqual([0, 1, 2]);
    expect(String(payloads(site)[0])).toContain(at("000501"));
    expect(site.trouble).toEqual([expect.stringMatching(/twice of the same moment/)]);
  });
});

describe("XEP-0323 3.4: a readout that is to be made later", () => {
  const at = (ms: number): string => new Date(start + ms).toISOString();
  const quick = sensing(() => [{ name: "Energy", value: 1 }]);

  test("is queued, started at its time, and told", async () => {
    const site = await nodeSite([{ sensor: quick }]);
    const answer = await site.wire.ask(reader, "get", req({ when: at(2 * HOUR) }));
    expect(String(answer.payload)).toContain('<accepted xmlns="urn:xmpp:iot:sensordata" seqnr="7" queued="true"/>');
    await site.clock.advance(2 * HOUR - 1);
    expect(site.wire.messages).toEqual([]);
    await site.clock.advance(1);
    expect(String(payloads(site)[0])).toBe('<started xmlns="urn:xmpp:iot:sensordata" seqnr="7"/>');
    expect(told(site.wire.messages.slice(1))).toEqual([": Energy, done"]);
    expect([site.clock.pending, site.guard.running.count]).toEqual([0, 0]);
  });

  test("leaves nobody listening to the end of the stream when it has been told", async () => {
    const site = await nodeSite([{ sensor: sensing(() => [hour(0)]) }]);
    const now = site.clock.now();
    for (let count = 1; count <= 5; count++) {
      await site.wire.ask(reader, "get", req({ seqnr: count, when: new Date(now + count * HOUR).toISOString() }));
    }
    await site.clock.advance(6 * HOUR);
    await settled();
    expect(fieldsOf(site)).toHaveLength(5);
    expect((site.channel.stream as LightAbort).listeners).toBe(0);
  });

  test("is made at once when that time has passed", async () => {
    const site = await nodeSite([{ sensor: quick }]);
    const answer = await site.wire.ask(reader, "get", req({ when: at(-HOUR) }));
    expect(String(answer.payload)).not.toContain("queued");
    expect(told(site.wire.messages)).toEqual([": Energy, done"]);
  });

  test("is refused at once to whom nothing is granted, and to a stranger where there is no server", async () => {
    const site = await nodeSite([{ sensor: quick }], []);
    expect((await site.wire.ask(reader, "get", req({ when: at(HOUR) }))).condition).toBe("forbidden");
    expect((await site.wire.ask(`${owner}/phone`, "get", req({ when: at(HOUR) }))).type).toBe("result");
  });

  test("P-3.5.1-5: is refused when the right to it is taken while it waits", async () => {
    const site = await nodeSite([{ sensor: quick }]);
    await site.wire.ask(reader, "get", req({ when: at(HOUR) }));
    site.wire.peer(server, no);
    await site.cache.clear();
    await settled();
    expect(told(site.wire.messages)).toEqual(["! Access denied., done"]);
    await site.clock.advance(HOUR);
    expect([site.wire.messages.length, site.clock.pending]).toEqual([1, 0]);
  });

  test("P-3.2.3-3: is refused when the friendship ends while it waits", async () => {
    const site = await nodeSite([{ sensor: quick }]);
    await site.wire.ask(reader, "get", req({ when: at(HOUR) }));
    site.guard.running.end(bareJid("reader@example.org"));
    await settled();
    expect(told(site.wire.messages)).toEqual(["! Access denied., done"]);
  });

  test("is decided about once more when it begins", async () => {
    const site = await nodeSite([{ sensor: quick }], []);
    await site.wire.ask(`${owner}/phone`, "get", req({ when: at(HOUR) }));
    site.now.standing = { ...site.now.standing, owner: undefined };
    await site.clock.advance(HOUR);
    expect(payloads(site).map((one) => parseFailure(one).errors[0]?.text)).toEqual(["Access denied."]);
  });

  test("is forgotten when there is no stream at its time", async () => {
    const site = await nodeSite([{ sensor: quick }]);
    await site.wire.ask(reader, "get", req({ when: at(HOUR) }));
    site.channel.detach(new Error("gone"));
    await site.clock.advance(HOUR);
    expect([site.wire.messages, site.clock.pending, site.guard.running.count]).toEqual([[], 0, 0]);
  });

  test("takes no room any more once the stream that asked for it has ended", async () => {
    const site = await nodeSite([{ sensor: quick }]);
    for (let stream = 0; stream < 3; stream++) {
      for (let seqnr = 0; seqnr < 8; seqnr++) {
        const answer = await site.wire.ask(reader, "get", req({ seqnr, when: "9999-12-31T23:59:59Z" }));
        expect(answer.condition).toBe("");
      }
      site.channel.attach(site.wire);
    }
    expect([site.clock.pending, site.guard.running.count]).toEqual([0, 0]);
  });

  test("has room for eight of one account, and 64 in all", async () => {
    const site = await nodeSite([{ sensor: quick }]);
    const ask = async (account: number, seqnr: number): Promise<string | undefined> =>
      (await site.wire.ask(`r${account}@example.org/x`, "get", req({ seqnr, when: at(HOUR) }))).condition;
    for (let account = 0; account < 8; account++) {
      for (let seqnr = 0; seqnr < 8; seqnr++) expect(await ask(account, seqnr)).toBe("");
    }
    expect(await ask(9, 0)).toBe("resource-constraint");
    await site.wire.ask("r0@example.org/x", "get", buildCancel({ seqnr: 3 }));
    expect(await ask(1, 8)).toBe("resource-constraint");
    expect(await ask(9, 0)).toBe("");
  });

  test("waits a little more while as many as can be are read already", async () => {
    let slow = true;
    const site = await nodeSite([
      { sensor: sensing(() => (slow ? new Promise<never>(() => undefined) : [{ name: "Energy", value: 1 }])) },
    ]);
    await site.wire.ask(reader, "get", req({ seqnr: 99, when: at(10_000) }));
    const asking = Array.from({ length: 16 }, (_, seqnr) => site.wire.ask(reader, "get", req({ seqnr })));
    await site.clock.advance(10_000);
    await Promise.all(asking);
    slow = false;
    expect(site.wire.messages).toEqual([]);
    await site.clock.advance(21_000); // the others have been given up by now
    expect(told(site.wire.messages.slice(-1))).toEqual([": Energy, done"]);
  });
});

describe("XEP-0323 3.7: a readout that is cancelled", () => {
  const never = (): { sensor: SensorDefinition; signals: AbortSignal[] } => {
    const signals: AbortSignal[] = [];
    const sensor = sensing(({ signal }) => {
      signals.push(signal);
      return new Promise<never>(() => undefined);
    });
    return { sensor, signals };
  };

  test("is said to be, its sensor is told to stop, and nothing more is told of it", async () => {
    const { sensor, signals } = never();
    const site = await nodeSite([{ sensor }]);
    const asking = site.wire.ask(reader, "get", req());
    await site.clock.advance(600);
    await asking;
    const answer = await site.wire.ask(reader, "get", buildCancel({ seqnr: 7 }));
    expect(String(answer.payload)).toBe('<cancelled xmlns="urn:xmpp:iot:sensordata" seqnr="7"/>');
    await settled();
    expect([signals[0]?.aborted, site.wire.messages, site.clock.pending, site.trouble]).toEqual([true, [], 0, []]);
    expect(site.guard.running.count).toBe(0);
    expect((await site.wire.ask(reader, "get", buildCancel({ seqnr: 7 }))).condition).toBe("item-not-found");
  });

  test("while it waits for its time is never made", async () => {
    const site = await nodeSite([{ sensor: sensing(() => [{ name: "Energy", value: 1 }]) }]);
    await site.wire.ask(reader, "get", req({ when: new Date(start + HOUR).toISOString() }));
    expect((await site.wire.ask(reader, "get", buildCancel({ seqnr: 7 }))).type).toBe("result");
    await site.clock.advance(2 * HOUR);
    expect([site.wire.messages, site.clock.pending, site.guard.running.count]).toEqual([[], 0, 0]);
  });

  test("can be by nobody but the very connection that asked for it", async () => {
    const { sensor, signals } = never();
    const site = await nodeSite([{ sensor }]);
    const asking = site.wire.ask(reader, "get", req());
    await site.clock.advance(600);
    await asking;
    for (const other of ["reader@example.org/other", "stranger@example.org/desk", String(owner)]) {
      expect((await site.wire.ask(other, "get", buildCancel({ seqnr: 7 }))).condition).toBe("item-not-found");
    }
    expect((await site.wire.ask(reader, "get", buildCancel({ seqnr: 8 }))).condition).toBe("item-not-found");
    expect(signals[0]?.aborted).toBe(false);
  });

  test("before it was decided about is accepted, and that is all", async () => {
    const site = await nodeSite([{ sensor: sensing(() => [{ name: "Energy", value: 1 }]) }]);
    let say: (answer: XmlElement) => void = () => undefined;
    site.wire.peer(server, () => new Promise<XmlElement>((resolve) => (say = resolve)));
    const asking = site.wire.ask(reader, "get", req());
    await settled();
    await site.wire.ask(reader, "get", buildCancel({ seqnr: 7 }));
    say(yesOf("momentary"));
    expect((await asking).write.map(({ name }) => name)).toEqual(["iq"]);
    await settled();
    expect(site.wire.messages).toEqual([]);
  });
});

describe("XEP-0323 3.7: a sequence number", () => {
  test("is its caller's own; while it is in use it is refused to the same one, and to no other", async () => {
    const site = await nodeSite([{ sensor: sensing(() => new Promise<never>(() => undefined)) }]);
    const first = site.wire.ask(reader, "get", req());
    const second = site.wire.ask("reader@example.org/other", "get", req());
    const again = site.wire.ask(reader, "get", req());
    await site.clock.advance(600);
    expect([(await first).type, (await second).type]).toEqual(["result", "result"]);
    expect(await again).toMatchObject({ condition: "bad-request", errorType: "modify" });
    await site.clock.advance(30_000);
    const free = site.wire.ask(reader, "get", req());
    await site.clock.advance(600);
    expect((await free).type).toBe("result");
  });

  test("is free again when a readout was refused, or has been told", async () => {
    const site = await nodeSite([{ sensor: sensing(() => [{ name: "Energy", value: 1 }]) }]);
    site.wire.peer(server, no);
    expect((await site.wire.ask(reader, "get", req())).condition).toBe("forbidden");
    await site.cache.clear();
    site.wire.peer(server, (question) => yes(question));
    for (let time = 0; time < 3; time++) expect((await site.wire.ask(reader, "get", req())).type).toBe("result");
  });

  test("slow readouts of one account are sixteen at most: others still find room", async () => {
    const site = await nodeSite([{ sensor: sensing(() => new Promise<never>(() => undefined)) }]);
    const asking = Array.from({ length: 20 }, (_, seqnr) => site.wire.ask(reader, "get", req({ seqnr })));
    await site.clock.advance(600);
    const conditions = (await Promise.all(asking)).map(({ condition }) => condition);
    expect(conditions.filter((one) => one === "resource-constraint")).toHaveLength(4);
    const other = site.wire.ask("other@example.org/x", "get", req());
    await site.clock.advance(600);
    expect((await other).type).toBe("result");
  });
});
