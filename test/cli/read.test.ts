// `xmpp-thing read` of a Thing that the test plays: histories, every kind of value, failures, and being left alone.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import type { FieldType } from "../../src/codec/field-types.ts";
import { ns } from "../../src/codec/namespaces.ts";
import {
  buildAccepted,
  buildFailure,
  buildFields,
  buildStarted,
  parseReq,
  type Field,
  type FieldGroup,
  type FieldValue,
  type ReadRequest,
} from "../../src/codec/sensor-data.ts";
import { message } from "../../src/codec/stanza.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { connect, type Connection } from "../../src/connection/connect.ts";
import { startSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { FakeIo } from "../support/fake-io.ts";

const at = "2026-03-07T16:24:30+01:00";

function field(name: string, value: FieldValue, types: readonly FieldType[] = ["momentary"]): Field {
  return { ...value, name, types: new Set(types), quality: new Set(["automaticReadout"]) };
}
const group = (fields: readonly Field[], timestamp = at, nodeId = ""): FieldGroup => ({
  node: { nodeId },
  timestamp,
  fields,
});
const degrees = (text: string): FieldValue => ({ kind: "numeric", value: Number(text), text, unit: "°C" });

describe("xmpp-thing read", () => {
  let sandbox: Sandbox;
  let thing: Connection;
  let reader: { username: string; password: string };
  // What the Thing that is played says behind `accepted`, and what it was asked.
  let parts: (request: ReadRequest, from: string) => readonly XmlElement[] = () => [];
  let queued = false;
  const requests: ReadRequest[] = [];
  const cancelled: string[] = [];

  const as = (): FakeIo => {
    const io = new FakeIo();
    io.env = {
      THING_SERVICE: sandbox.service,
      THING_DOMAIN: sandbox.domain,
      OWNER_USERNAME: reader.username,
      OWNER_PASSWORD: reader.password,
    };
    return io;
  };
  const read = async (...args: string[]): Promise<FakeIo & { code: number }> => {
    const io = as();
    const code = await main(["read", thing.jid.full, "--ca", `${folder}/ca.pem`, ...args], io);
    return Object.assign(io, { code });
  };
  const files = new FakeIo();
  let folder = "";

  beforeAll(async () => {
    sandbox = await startSandbox();
    folder = await files.makeFolder();
    await files.writeFile(`${folder}/ca.pem`, sandbox.ca);
    reader = sandbox.addUser("reader");
    const { username, password } = sandbox.addUser("meter");
    const { service, domain, ca } = sandbox;
    thing = await connect({ service, domain, username, password, tls: { ca } });
    thing.channel.router.onIq(ns.sensorData, "req", ({ from, payload }) => {
      const request = parseReq(payload);
      requests.push(request);
      const said = parts(request, from.full);
      const { seqnr } = request;
      return {
        payload: buildAccepted({ seqnr, queued }),
        followedBy: said.map((part) => message({ to: from.full }, part)),
      };
    });
    thing.channel.router.onIq(ns.sensorData, "cancel", ({ payload }) => {
      cancelled.push(payload.attrs["seqnr"] ?? "");
      return {};
    });
  }, 30_000);
  afterAll(async () => {
    await thing?.close();
    await sandbox?.stop();
    await files.removeFolder(folder);
  });
  beforeEach(() => {
    queued = false;
    requests.length = 0;
    cancelled.length = 0;
  });

  it("XEP-0323 5.4: shows every kind of value, for people and for programs", async () => {
    const fields = [
      field("Temperature", degrees("21.50")),
      field("Count", { kind: "numeric", value: 3, text: "3", unit: "" }),
      field("Pulses", { kind: "long", value: 9_223_372_036_854_775_807n }),
      field("Valve", { kind: "enum", value: "half", dataType: "ValveState" }),
      { ...field("Open", { kind: "boolean", value: true }), writable: true },
      field("Label", { kind: "string", value: "a\u202eb" }),
    ];
    parts = ({ seqnr }) => [
      buildFields({ seqnr, done: true, groups: [group(fields.slice(0, 5)), group(fields.slice(5), at, "n1")] }),
    ];
    const people = await read();
    expect([people.code, people.lines]).toEqual([
      0,
      [
        "Temperature: 21.50 °C",
        "Count: 3",
        "Pulses: 9223372036854775807",
        "Valve: half",
        "Open: true",
        "n1 Label: a?b",
      ],
    ]);
    const programs = await read("--json");
    expect(JSON.parse(programs.text)).toMatchObject([
      {
        timestamp: at,
        name: "Temperature",
        kind: "numeric",
        value: 21.5,
        text: "21.50",
        unit: "°C",
        types: ["momentary"],
      },
      { name: "Count", kind: "numeric", unit: "" },
      { name: "Pulses", kind: "long", value: "9223372036854775807", quality: ["automaticReadout"] },
      { name: "Valve", kind: "enum", value: "half", dataType: "ValveState" },
      { name: "Open", kind: "boolean", value: true, writable: true },
      { node: { nodeId: "n1" }, name: "Label", kind: "string", value: "a\u202eb" },
    ]);
  });

  it("XEP-0323 3.1: --history, --from and --to ask for stored values, and show when they were", async () => {
    parts = ({ seqnr }) => [
      buildFields({
        seqnr,
        done: false,
        groups: [group([field("T", degrees("1"), ["historicalHour"])], "2026-03-07T16:00:00Z")],
      }),
      buildFields({
        seqnr,
        done: true,
        groups: [group([field("T", degrees("2"), ["historicalHour"])], "2026-03-08T16:00:00Z")],
      }),
    ];
    const all = await read("--history");
    expect(all.lines).toEqual(["2026-03-07T16:00:00Z T: 1 °C", "2026-03-08T16:00:00Z T: 2 °C"]);
    const some = await read("--from", "2026-03-08T00:00:00Z", "--to", "2026-03-09");
    expect(some.lines).toEqual(["2026-03-08T16:00:00Z T: 2 °C"]);
    const types = requests.map((request) => [...request.types].every((type) => type.startsWith("historical")));
    expect(types).toEqual([true, true]);
    expect(requests[1]?.from).toBe("2026-03-08T00:00:00.000Z");
    // A day is the whole of it, where this machine is.
    expect(requests[1]?.to).toBe(new Date(2026, 2, 10).toISOString());
  });

  it("XEP-0323 3.2: shows what was read although something failed, and ends with 1", async () => {
    const errors = [{ node: { nodeId: "n2" }, timestamp: at, text: "Broken." }];
    parts = ({ seqnr }) => [
      buildFailure({ seqnr, done: false, errors }),
      buildFields({ seqnr, done: true, groups: [group([field("T", degrees("1"))], at, "n1")] }),
    ];
    const people = await read();
    expect([people.code, people.lines]).toEqual([1, ["n1 T: 1 °C"]]);
    expect(people.errors.join("\n")).toContain("n2: Broken.");
    const programs = await read("--json");
    expect([programs.code, JSON.parse(programs.text) as unknown]).toMatchObject([1, [{ name: "T" }]]);
    parts = ({ seqnr }) => [buildFailure({ seqnr, done: true, errors })];
    const none = await read("--json");
    expect([none.code, none.lines]).toEqual([1, []]);
  });

  it("XEP-0323 3.1: says that a Thing reads later, and waits for it", async () => {
    queued = true;
    parts = ({ seqnr }, to) => {
      const later = [
        buildStarted({ seqnr }),
        buildFields({ seqnr, done: true, groups: [group([field("T", degrees("1"))])] }),
      ];
      setTimeout(() => void thing.channel.send(...later.map((part) => message({ to }, part))), 50);
      return [];
    };
    const { lines, errors, code } = await read();
    expect([lines, errors, code]).toEqual([["T: 1 °C"], ["The Thing reads later: waiting."], 0]);
  });

  it("XEP-0323 3.7: tells the Thing when it is ended in the middle", async () => {
    parts = ({ seqnr }) => [buildFields({ seqnr, done: false, groups: [group([field("T", degrees("1"))])] })];
    const io = as();
    const reading = main(["read", thing.jid.full, "--ca", `${folder}/ca.pem`], io);
    await expect.poll(() => io.lines, { timeout: 10_000 }).toEqual(["T: 1 °C"]);
    io.interrupt();
    await reading;
    await expect.poll(() => cancelled.length, { timeout: 10_000 }).toBe(1);
  });
});
