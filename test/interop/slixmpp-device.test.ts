// The other way round: a sensor and an actuator that nobody here wrote. slixmpp's plugins for XEP-0323 and XEP-0325 as a
// device, read and set over Prosody by this library. docs/interoperability.md lists what they do differently from the XEPs.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ns } from "../../src/codec/namespaces.ts";
import { el } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { ReadoutError } from "../../src/sensor/readout-error.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import type { RealXmppServer } from "../support/server-process.ts";
import { connect } from "../../src/connection/connect.ts";
import { noSlixmpp, Slixmpp } from "../support/slixmpp.ts";

const skipped = noProsody !== undefined || noSlixmpp !== undefined;

describe.skipIf(skipped)("a device of slixmpp's over Prosody", () => {
  let server: RealXmppServer | undefined;
  let slix: Slixmpp;
  let connection: Connection;
  let owner: OwnerClient;

  const sensor = (nodeId: string, fields: readonly object[], how: object = {}): Promise<unknown> =>
    slix.did({ do: "sensor", nodeId, fields, ...how }, "registered");
  const actuator = (nodeId: string, fields: readonly (readonly string[])[], how: object = {}): Promise<unknown> =>
    slix.did({ do: "actuator", nodeId, fields, ...how }, "registered");
  /** What its actuators were set to since then. */
  const setSince = async (from: number): Promise<readonly string[]> => {
    await slix.did({ do: "mark" }, "marked");
    const sets = slix.seen.slice(from).filter(({ event }) => event === "device set");
    return sets.map(({ nodeId, name, value }) => `${String(nodeId)}: ${String(name)} ${String(value)}`);
  };

  beforeAll(async () => {
    server = await startProsody();
    if (server === undefined) throw new Error("Prosody did not start");
    const { port, ca } = server;
    slix = await Slixmpp.start(server, "slix");
    connection = await connect({
      service: `xmpp://127.0.0.1:${port}`,
      domain: "localhost",
      username: "anna",
      password: "secret",
      register: true,
      tls: { ca },
    });
    owner = new OwnerClient(connection);
    await sensor("D1", [
      { name: "Temperature", type: "numeric", unit: "°C", value: "21.50" },
      { name: "Model", type: "string", value: "IMC <&> °C" },
      { name: "On", type: "boolean", value: "true" },
      { name: "Since", type: "dateTime", value: "2026-01-01T00:00:00Z" },
      { name: "For", type: "timeSpan", value: "PT3H12M" },
      {
        name: "State",
        type: "enum",
        dataType: "BoilerState",
        value: "Idle",
        flags: { manualEstimate: "true", signed: "true" },
      },
      ...["12:00:00", "13:00:00"].map((time, index) => ({
        name: "Temperature",
        type: "numeric",
        unit: "°C",
        value: `2${index}.0`,
        timestamp: `2026-01-01T${time}`,
        flags: { historicalHour: "true", automaticReadout: "true" },
      })),
    ]);
    await sensor("D2", [{ name: "Power", type: "numeric", unit: "W", value: "100" }]);
    await actuator("D1", [["Output", "boolean", "false"]]);
    await actuator("D2", [["Output", "boolean", "false"]]);
  }, 60_000);
  afterAll(async () => {
    await connection?.close();
    await slix?.stop();
    await server?.stop();
  }, 60_000);

  const momentary = new Set(["momentary"]);
  const automatic = new Set(["automaticReadout"]);
  const temperature = {
    ...{ kind: "numeric", name: "Temperature", value: 21.5, text: "21.50", unit: "°C" },
    ...{ types: momentary, quality: automatic },
  };
  const model = { kind: "string", name: "Model", value: "IMC <&> °C", types: momentary, quality: automatic };
  const on = { kind: "boolean", name: "On", value: true, types: momentary, quality: automatic };
  const since = { kind: "dateTime", name: "Since", value: "2026-01-01T00:00:00Z", ms: Date.UTC(2026, 0, 1) };
  const span = { kind: "duration", name: "For", value: "PT3H12M" };
  const state = {
    ...{ kind: "enum", name: "State", value: "Idle", dataType: "BoilerState" },
    quality: new Set(["manualEstimate", "signed"]),
  };
  const all = [temperature, model, on, since, span, state];
  const power = { ...temperature, name: "Power", value: 100, text: "100", unit: "W" };

  describe("that is a sensor", () => {
    it("XEP-0323 3.1, 5.4: is read, values of all its kinds, what was called timeSpan too, numbers with their decimals", async () => {
      expect(await owner.read(slix.jid, { nodes: [{ nodeId: "D1" }] })).toMatchObject([
        { node: { nodeId: "D1" }, fields: all },
      ]);
    });

    it("XEP-0323 3.3: several nodes, each in its own message", async () => {
      expect(await owner.read(slix.jid)).toMatchObject([
        { node: { nodeId: "D1" }, fields: all },
        { node: { nodeId: "D2" }, fields: [power] },
      ]);
    });

    it("XEP-0323 5.6: what is historical, moment by moment", async () => {
      const historical = { types: new Set(["historicalHour"]), unit: "°C" };
      expect(await owner.read(slix.jid, { nodes: [{ nodeId: "D1" }], types: ["historicalHour"] })).toMatchObject([
        { timestamp: "2026-01-01T12:00:00", fields: [{ ...historical, text: "20.0" }] },
        { timestamp: "2026-01-01T13:00:00", fields: [{ ...historical, text: "21.0" }] },
      ]);
    });

    it("XEP-0323 3.1: of a time of the past it gives too much, of which the reader keeps what it has asked for", async () => {
      const groups = await owner.read(slix.jid, {
        nodes: [{ nodeId: "D1" }],
        types: ["historicalHour"],
        from: new Date("2026-01-01T12:30:00"),
      });
      expect(groups.map(({ timestamp }) => timestamp)).toEqual(["2026-01-01T13:00:00"]);
    });

    it("XEP-0323 3.4, 6.1: schedules a readout for a local time without a zone only", async () => {
      const soon = new Date(Date.now() + 4_000);
      const read = (when: Date | string) =>
        owner.read(slix.jid, { nodes: [{ nodeId: "D2" }], when, onStage: (stage) => stages.push(stage) });
      const stages: string[] = [];
      await expect(read(soon)).rejects.toMatchObject({
        ...{ code: "ERR_STANZA", condition: "forbidden" },
        text: expect.stringContaining("Invalid datetime in 'when' flag"),
      });
      const two = (part: number): string => String(part).padStart(2, "0");
      const [year, month, day] = [soon.getFullYear(), soon.getMonth() + 1, soon.getDate()];
      const time = [soon.getHours(), soon.getMinutes(), soon.getSeconds()].map(two).join(":");
      const groups = await read(`${year}-${two(month)}-${two(day)}T${time}`);
      expect(stages).toEqual(["queued", "started"]);
      expect(groups).toMatchObject([{ node: { nodeId: "D2" }, fields: [power] }]);
    });

    it("P-E3: rejects what it does not have as before 2014, and the reader is told why", async () => {
      const reads = [{ nodes: [{ nodeId: "D9" }] }, { fields: ["Pressure"] }];
      const outcomes = await Promise.all(
        reads.map((what) => owner.read(slix.jid, what).catch((error: unknown) => error)),
      );
      expect(outcomes).toMatchObject([
        { code: "ERR_STANZA", condition: "forbidden", text: "Invalid nodeId D9", from: slix.jid },
        { code: "ERR_STANZA", condition: "forbidden", text: "Invalid field Pressure", from: slix.jid },
      ]);
    });

    it("XEP-0323 3.2: a node that does not answer in time is a failure, and what others gave is there", async () => {
      await sensor("D3", [{ name: "Power", type: "numeric", value: "1" }], { silent: true, seconds: 0.2 });
      const nodes = ["D2", "D3"].map((nodeId) => ({ nodeId }));
      const error = await owner.read(slix.jid, { nodes }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ReadoutError);
      expect(error).toMatchObject({
        code: "ERR_PROTOCOL",
        failures: [{ node: { nodeId: "D3" }, text: "Timeout" }],
        groups: [{ node: { nodeId: "D2" }, fields: [power] }],
      });
    });

    it("XEP-0323 3.7: is told to stop when nobody wants the rest", async () => {
      await sensor("D3", [{ name: "Power", type: "numeric", value: "1" }], { silent: true, seconds: 60 });
      const sessions = async (): Promise<unknown> => (await slix.did({ do: "sessions" }, "sessions"))["count"];
      const before = await sessions();
      for await (const reading of owner.read(slix.jid, { nodes: ["D2", "D3"].map((nodeId) => ({ nodeId })) })) {
        expect(reading).toMatchObject({ node: { nodeId: "D2" }, text: "100" });
        expect(await sessions()).toBe(Number(before) + 1);
        break;
      }
      await expect.poll(sessions, { timeout: 10_000 }).toBe(before);
    });
  });

  describe("that is an actuator", () => {
    it("XEP-0325 3.1.2, P-E4: is set, which it tells by the code of before 2014", async () => {
      const from = slix.seen.length;
      expect(await owner.control(slix.jid, { Output: true })).toEqual({ parameters: ["Output"], nodes: [] });
      expect(await setSince(from)).toEqual(["D1: Output true", "D2: Output true"]);
    });

    it("XEP-0325 3.4.1: at the node that is named", async () => {
      const from = slix.seen.length;
      await owner.control(slix.jid, { Output: false }, { nodes: [{ nodeId: "D2" }] });
      expect(await setSince(from)).toEqual(["D2: Output false"]);
    });

    it("XEP-0325 5.1, P-E4: says of a parameter and of a node that they are not there, and sets nothing", async () => {
      const from = slix.seen.length;
      const controls = [
        owner.control(slix.jid, { Output: true, Pump: true }),
        owner.control(slix.jid, { Output: true }, { nodes: [{ nodeId: "D9" }] }),
      ];
      const [parameter, node] = await Promise.all(controls.map((control) => control.catch((error: unknown) => error)));
      expect(parameter).toMatchObject({
        ...{ code: "ERR_STANZA", condition: "item-not-found", text: "Invalid field Pump" },
        parameters: [{ name: "Pump", text: "Invalid field Pump" }],
      });
      expect(node).toMatchObject({ condition: "item-not-found", text: "Invalid nodeId D9", parameters: [] });
      expect(await setSince(from)).toEqual([]);
    });

    it("XEP-0325 3.3.1: has no control form", async () => {
      const payload = el("getForm", { xmlns: ns.control });
      await expect(connection.channel.request({ type: "get", to: slix.jid, payload })).rejects.toMatchObject({
        ...{ code: "ERR_STANZA", condition: "feature-not-implemented", type: "cancel" },
      });
    });

    it("XEP-0325 3.1.2: one that never answers leaves open what was done", async () => {
      await actuator("D3", [["Output", "boolean", "false"]], { silent: true, seconds: 0.1 });
      const from = slix.seen.length;
      await expect(owner.control(slix.jid, { Output: true }, { timeout: 1_000 })).rejects.toMatchObject({
        code: "ERR_TIMEOUT",
      });
      // Its plugin fails at its own time-out, so the one that was set is not told of.
      expect(await setSince(from)).toEqual(["D1: Output true", "D2: Output true"]);
      await expect.poll(() => slix.said).toContain("unexpected keyword argument 'args'");
    });
  });

  it("that obeys another refuses: a readout as forbidden, a set as not found", async () => {
    await slix.did({ do: "admit", jid: "x@localhost" }, "admits");
    const from = slix.seen.length;
    await expect(owner.read(slix.jid)).rejects.toMatchObject({ condition: "forbidden", text: "Access denied" });
    await expect(owner.control(slix.jid, { Output: false })).rejects.toMatchObject({
      ...{ condition: "item-not-found", text: "Access denied", parameters: [] },
    });
    expect(await setSince(from)).toEqual([]);
    await slix.did({ do: "admit", jid: "" }, "admits");
  });

  it("nothing that it was asked was more than slixmpp could understand", () => {
    expect(slix.exceptions).toEqual([]);
  });
});
