import { describe, expect, test } from "vitest";
import { TimeoutError } from "../../src/core/errors.ts";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { Refusal } from "../../src/core/refusal.ts";
import { buildCanControlResponse, type CanControlResponse } from "../../src/codec/can-control.ts";
import { buildSet, parseSetResponse, type ParameterSetting, type SetRequest } from "../../src/codec/control.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { parseError } from "../../src/codec/stanza.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { answerControl, type ControlDevice } from "../../src/control/control-responder.ts";
import type { ControlContext, ControlParameter } from "../../src/control/definition.ts";
import { Barrier } from "../../src/provisioning/barrier.ts";
import { DeviceIndex } from "../../src/provisioning/devices.ts";
import { Guard } from "../../src/provisioning/guard.ts";
import { RightsCache } from "../../src/provisioning/rights-cache.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { listeningLogger, scriptedChannel, settled, type Outcome } from "../support/scripted-wire.ts";

const server = bareJid("provisioning.example.org");
const second = bareJid("second.example.org");
const owner = bareJid("owner@example.org");
const caller = "caller@example.org/desk";

const says = (result: boolean, parts: Partial<CanControlResponse> = {}): XmlElement =>
  buildCanControlResponse({ result, nodes: [], parameters: [], ...parts });

/** A device with three switches, and what was done to them. */
function device(
  set: (name: string, value: boolean, context: ControlContext) => void | Promise<void> = () => undefined,
) {
  const calls: string[] = [];
  const parameters = ["LED", "Fan", "Pump"].map((name): ControlParameter => ({
    name,
    type: "boolean",
    set: (value, context) => {
      calls.push(`${name} ${value}`);
      return set(name, value, context);
    },
  }));
  return { calls, parameters };
}
type Device = ReturnType<typeof device>;

async function site(of: Device = device(), servers: readonly BareJid[] = [server]) {
  const logger = listeningLogger();
  const parts = scriptedChannel({ logger });
  const storage = memoryStorage();
  await storage.open();
  const cache = new RightsCache({ storage, logger, onFault: () => undefined });
  await cache.load();
  const barrier = new Barrier();
  const standing = { owner, registry: undefined, servers };
  const whereabouts = { addressOf: (jid: string) => Promise.resolve(jid) };
  const guard = new Guard({
    ...parts,
    whereabouts,
    cache,
    barrier,
    logger,
    standing: () => standing,
    onDecision: () => undefined,
  });
  const trouble: string[] = [];
  answerControl({
    ...parts,
    router: parts.channel.router,
    guard,
    devices: new DeviceIndex<ControlDevice>([{ control: of.parameters }]),
    onFault: (code, message) => void trouble.push(`${code}: ${message}`),
  });
  parts.wire.peer(server, () => says(true));
  return { ...parts, ...of, barrier, cache, guard, trouble };
}

const on = (...names: readonly string[]): readonly ParameterSetting[] =>
  names.map((name) => ({ kind: "boolean", name, value: true }));
const setting = (parameters: readonly ParameterSetting[], parts: Partial<SetRequest> = {}): XmlElement =>
  buildSet({ nodes: [], tokens: {}, parameters, ...parts });
const xml = (inside: string): XmlElement => parseXml(`<set xmlns='${ns.control}'>${inside}</set>`);

const filled = "<x xmlns='jabber:x:data' type='submit'><field var='LED'><value>1</value></field></x>";

/** What the caller is told, in short. */
function told(outcome: Outcome): unknown {
  if (outcome.type === "error") {
    const { condition, type, text, parameters = [] } = parseError(outcome.write[0]?.getChild("error"));
    return { condition, type, text, parameters: parameters.map(({ name, text }) => `${name}: ${text}`) };
  }
  const { nodes, parameters } = parseSetResponse(outcome.payload);
  return { nodes: nodes.map(({ nodeId }) => nodeId), parameters };
}

describe("a request to set parameters", () => {
  test("XEP-0325 3.1.2: that is granted is done, then acknowledged without lists", async () => {
    const { wire, calls, clock, trouble } = await site();
    const answer = await wire.ask(caller, "set", setting([{ kind: "boolean", name: "LED", value: false }]));
    expect(String(answer.payload)).toBe(`<setResponse xmlns="${ns.control}"/>`);
    expect([calls, answer.write.length, clock.pending, trouble]).toEqual([["LED false"], 1, 0, []]);
  });

  test("XEP-0325 3.2.11: is done in the order in which it is asked, not in that of the definition", async () => {
    const { wire, calls } = await site();
    expect(told(await wire.ask(caller, "set", setting(on("Pump", "LED", "Fan"))))).toEqual({
      nodes: [],
      parameters: [],
    });
    expect(calls).toEqual(["Pump true", "LED true", "Fan true"]);
  });

  test("P-3.4.1-1, P-3.4.1-3, P-E9: is asked about as it was requested, by the caller's bare JID", async () => {
    const { wire } = await site();
    const nodes = [{ nodeId: "" }];
    const tokens = { serviceToken: "S", deviceToken: "D", userToken: "U1 U2" };
    await wire.ask(caller, "set", setting(on("LED", "Fan"), { nodes, tokens }));
    expect(wire.asked(server).map(String)).toEqual([
      `<canControl xmlns="${ns.provisioning}" jid="caller@example.org" serviceToken="S" deviceToken="D" userToken="U1 U2">` +
        '<node nodeId=""/><parameter name="LED"/><parameter name="Fan"/></canControl>',
    ]);
  });

  test("tells the device who sets it", async () => {
    const who: string[] = [];
    const { wire } = await site(device((_name, _value, { from }) => void who.push(from)));
    await wire.ask(caller, "set", setting(on("LED")));
    expect(who).toEqual(["caller@example.org"]);
  });

  test("without a provisioning server is done for the owner, and for nobody else", async () => {
    const { wire, calls } = await site(device(), []);
    expect(told(await wire.ask(`${owner}/phone`, "set", setting(on("LED"))))).toEqual({ nodes: [], parameters: [] });
    expect(await wire.ask(caller, "set", setting(on("LED")))).toMatchObject({
      condition: "forbidden",
      errorType: "cancel",
    });
    expect(calls).toEqual(["LED true"]);
  });

  test("is acknowledged only when the device has done it", async () => {
    let done: () => void = () => undefined;
    const { wire } = await site(device(() => new Promise((resolve) => (done = resolve))));
    let answered = false;
    const asking = wire.ask(caller, "set", setting(on("LED"))).then(() => (answered = true));
    await settled();
    expect(answered).toBe(false);
    done();
    await asking;
  });
});

describe("what is done", () => {
  test.each<[string, Partial<CanControlResponse>, readonly string[], unknown]>([
    [
      "P-3.4.2-2, P-3.4.2-4, P-3.4.3-2: everything, by an answer without lists",
      {},
      ["LED true", "Fan true"],
      { nodes: [], parameters: [] },
    ],
    [
      "P-3.4.3-4, P-3.4.2-7: parameters that are listed, and the caller is told which",
      { parameters: ["Fan"] },
      ["Fan true"],
      { nodes: [], parameters: ["Fan"] },
    ],
    [
      "P-E19: nothing that was not asked for",
      { parameters: ["Pump", "LED"] },
      ["LED true"],
      { nodes: [], parameters: ["LED"] },
    ],
    [
      "P-3.4.2-5: on nodes that are listed",
      { nodes: [{ nodeId: "" }] },
      ["LED true", "Fan true"],
      { nodes: [], parameters: [] },
    ],
  ])("is what was granted: %s", async (_, parts, done, answer) => {
    const { wire, calls } = await site();
    wire.peer(server, () => says(true, parts));
    expect(told(await wire.ask(caller, "set", setting(on("LED", "Fan"))))).toEqual(answer);
    expect(calls).toEqual(done);
  });

  test("P-E20: is what one of the servers grants as a whole", async () => {
    const { wire, calls } = await site(device(), [server, second]);
    wire.peer(server, () => says(true, { nodes: [{ nodeId: "" }], parameters: ["Fan"] }));
    wire.peer(second, () => says(true, { nodes: [{ nodeId: "other" }], parameters: ["LED"] }));
    expect(told(await wire.ask(caller, "set", setting(on("LED", "Fan"))))).toEqual({ nodes: [], parameters: ["Fan"] });
    expect(calls).toEqual(["Fan true"]);
  });

  test.each<[string, Partial<CanControlResponse>]>([
    ["another node", { nodes: [{ nodeId: "other" }] }],
    ["the node of a source that the Thing does not have", { nodes: [{ nodeId: "", sourceId: "s" }] }],
    ["parameters that were not asked for", { parameters: ["Pump"] }],
  ])("P-E19: is nothing, which is a refusal, when what is granted is %s", async (_, parts) => {
    const { wire, calls } = await site();
    wire.peer(server, () => says(true, parts));
    expect(await wire.ask(caller, "set", setting(on("LED")))).toMatchObject({
      condition: "forbidden",
      errorType: "cancel",
    });
    expect(calls).toEqual([]);
  });

  test("P-3.4.2-6, P-3.4.2-7: is done here only, and the caller is told so, when other nodes are not granted", async () => {
    const { wire, calls } = await site();
    wire.peer(server, () => says(true, { nodes: [{ nodeId: "" }] }));
    const answer = await wire.ask(caller, "set", setting(on("LED"), { nodes: [{ nodeId: "x" }, { nodeId: "" }] }));
    expect(String(answer.payload)).toBe(`<setResponse xmlns="${ns.control}"><node nodeId=""/></setResponse>`);
    expect(calls).toEqual(["LED true"]);
  });

  test("P-3.4.3-5, P-3.4.2-7: is told with both lists, when both are restricted", async () => {
    const { wire, calls } = await site();
    wire.peer(server, () => says(true, { nodes: [{ nodeId: "" }], parameters: ["Fan", "Pump"] }));
    const nodes = [{ nodeId: "x" }, { nodeId: "" }];
    expect(told(await wire.ask(caller, "set", setting(on("LED", "Fan", "Pump"), { nodes })))).toEqual({
      nodes: [""],
      parameters: ["Fan", "Pump"],
    });
    expect(calls).toEqual(["Fan true", "Pump true"]);
  });

  test.each([
    ["leaves out source and cache type", "<node nodeId=''/>"],
    ["has them empty", "<node nodeId='' sourceId='' cacheType=''/>"],
  ])("P-5.5-2, P-5.5-3, X-E6: is done to the Thing by a reference that %s", async (_, nodes) => {
    const { wire, calls } = await site();
    wire.peer(server, () =>
      parseXml(
        `<canControlResponse xmlns='${ns.provisioning}' result='true'><node nodeId='' cacheType=''/></canControlResponse>`,
      ),
    );
    const request = xml(`${nodes}<boolean name='LED' value='true'/>`);
    const answer = await wire.ask(caller, "set", request);
    expect([told(answer), calls]).toEqual([{ nodes: [], parameters: [] }, ["LED true"]]);
  });

  test("XEP-0324 Listing 19: is what is left, where parameters of other types are not granted", async () => {
    const { wire, calls } = await site();
    wire.peer(server, () => says(true, { parameters: ["LED"] }));
    const mixed = xml("<boolean name='LED' value='1'/><int name='Level' value='65535'/>");
    expect(told(await wire.ask(caller, "set", mixed))).toEqual({ nodes: [], parameters: ["LED"] });
    expect(calls).toEqual(["LED true"]);
  });
});

describe("a request that is refused", () => {
  const forbidden = { condition: "forbidden", type: "cancel", text: "Access denied.", parameters: [] };

  test("P-3.4.1-2, P-E4: is answered with forbidden, and nothing is done", async () => {
    const { wire, calls } = await site();
    wire.peer(server, () => says(false));
    expect(told(await wire.ask(caller, "set", setting(on("LED"))))).toEqual(forbidden);
    expect(calls).toEqual([]);
  });

  test("P-E28: because nobody could be asked may be tried again later", async () => {
    const { wire, clock, calls } = await site();
    wire.peer(server, () => "silent");
    const asking = wire.ask(caller, "set", setting(on("LED")));
    await clock.advance(6_000);
    expect(await asking).toMatchObject({ condition: "resource-constraint", errorType: "wait" });
    expect(calls).toEqual([]);
  });

  test.each<[string, XmlElement]>([
    ["a parameter that is not there", setting(on("Nothing"))],
    ["a node that is not there", setting(on("LED"), { nodes: [{ nodeId: "x" }] })],
    ["a value of another type", xml("<int name='LED' value='1'/>")],
    ["all of that at once", xml("<node nodeId='x'/><color name='LED' value='000000'/><boolean name='No' value='1'/>")],
  ])("does not show a stranger what there is: %s is forbidden like everything else", async (_, request) => {
    const { wire } = await site();
    wire.peer(server, () => says(false));
    expect(told(await wire.ask("stranger@example.org/x", "set", request))).toEqual(forbidden);
  });

  test("does not show either what there is beyond that which was granted", async () => {
    const { wire } = await site();
    wire.peer(server, () => says(true, { parameters: ["LED"] }));
    for (const name of ["Fan", "Nothing"]) {
      expect(told(await wire.ask(caller, "set", setting(on("LED", name))))).toEqual({ nodes: [], parameters: ["LED"] });
    }
  });

  test.each<[string, XmlElement, object]>([
    [
      "names parameters that are not there",
      setting(on("LED", "Lamp", "__proto__")),
      {
        condition: "item-not-found",
        type: "cancel",
        text: "No such parameter.",
        parameters: ["Lamp: No such parameter.", "__proto__: No such parameter."],
      },
    ],
    [
      "Listing 3: has a value of another type",
      xml("<boolean name='Fan' value='1'/><int name='LED' value='1'/><string name='Pump' value='on'/>"),
      {
        condition: "bad-request",
        type: "modify",
        text: "Invalid parameter type: it is of type boolean.",
        parameters: ["LED", "Pump"].map((name) => `${name}: Invalid parameter type: it is of type boolean.`),
      },
    ],
    [
      "has what is wrong in several ways",
      xml("<string name='Fan' value=''/><color name='LED' value='000000'/><boolean name='Pump' value='1'/>"),
      {
        condition: "bad-request",
        type: "modify",
        text: "Invalid parameter type: it is of type boolean.",
        parameters: ["Fan", "LED"].map((name) => `${name}: Invalid parameter type: it is of type boolean.`),
      },
    ],
    [
      "names a node that is not there",
      setting(on("LED"), { nodes: [{ nodeId: "x" }] }),
      { condition: "item-not-found", type: "cancel", text: "No such node.", parameters: [] },
    ],
    [
      "names it beside one that is",
      setting(on("LED"), { nodes: [{ nodeId: "" }, { nodeId: "x" }] }),
      { condition: "item-not-found", type: "cancel", text: "No such node.", parameters: [] },
    ],
    [
      "X-E6: names the Thing's node in a source it does not have",
      setting(on("LED"), { nodes: [{ nodeId: "", sourceId: "s" }] }),
      { condition: "item-not-found", type: "cancel", text: "No such node.", parameters: [] },
    ],
  ])("XEP-0325 3.4.3: is refused as a whole when it %s", async (_, request, error) => {
    const { wire, calls, trouble } = await site();
    expect(told(await wire.ask(caller, "set", request))).toEqual(error);
    expect([calls, trouble]).toEqual([[], []]);
  });

  const long = (length: number): string => "n".repeat(length);
  test.each<[string, "get" | "set", XmlElement, object]>([
    ["only asks", "get", setting(on("LED")), { condition: "bad-request", errorType: "modify" }],
    ["sets nothing", "set", setting([]), { condition: "bad-request", errorType: "modify" }],
    ["cannot be understood", "set", xml("<bool name='LED' value='1'/>"), { condition: "bad-request" }],
    ["is half understood", "set", xml("<boolean name='LED' value='1'/><x/>"), { condition: "bad-request" }],
    ["has a value that is none", "set", xml("<boolean name='LED' value='on'/>"), { condition: "bad-request" }],
    ["has a number that is none", "set", xml("<double name='LED' value='NaN'/>"), { condition: "bad-request" }],
    ["is a second form", "set", xml(`${filled}${filled}`), { condition: "bad-request" }],
    [
      "holds a control form that nobody has filled in",
      "set",
      xml("<boolean name='LED' value='1'/><x xmlns='jabber:x:data' type='form'/>"),
      { condition: "bad-request", errorType: "modify" },
    ],
    [
      "names a parameter twice",
      "set",
      xml("<boolean name='LED' value='1'/><boolean name='Fan' value='1'/><boolean name='LED' value='0'/>"),
      { condition: "bad-request", errorType: "modify", text: "Named twice." },
    ],
    [
      "names very many parameters",
      "set",
      setting(on(...Array.from({ length: 1_001 }, (_, index) => String(index)))),
      { condition: "not-acceptable", errorType: "modify" },
    ],
    [
      "names very many nodes",
      "set",
      setting(on("LED"), { nodes: Array.from({ length: 1_000 }, () => ({ nodeId: "" })) }),
      { condition: "not-acceptable" },
    ],
    ["names a very long parameter", "set", setting(on(long(16_384))), { condition: "not-acceptable" }],
    [
      "has very long tokens",
      "set",
      setting(on("LED"), { tokens: { userToken: long(16_384) } }),
      { condition: "not-acceptable" },
    ],
  ])("that %s is not worth a question to the server", async (_, type, request, error) => {
    const { wire, calls } = await site();
    expect(await wire.ask(caller, type, request)).toMatchObject(error);
    expect([wire.asked(server), calls]).toEqual([[], []]);
  });

  test("XEP-0325 3.1.3: is told which values cannot be read, twenty of them at most", async () => {
    const { wire } = await site();
    const some = await wire.ask(
      caller,
      "set",
      xml("<int name='A' value='x'/><boolean name='B' value='1'/><date name='C' value='x'/>"),
    );
    expect(told(some)).toEqual({
      condition: "bad-request",
      type: "modify",
      text: "Several parameters are wrong.",
      parameters: ["A: Invalid parameter value: not an xs:int.", "C: Invalid parameter value: not an xs:date."],
    });
    const many = Array.from({ length: 2_000 }, (_, index) => `<int name='${index}' value='x'/>`).join("");
    const answer = await wire.ask("stranger@example.org/x", "set", xml(many));
    expect(parseError(answer.write[0]?.getChild("error")).parameters).toHaveLength(20);
    expect(wire.asked(server)).toEqual([]);
  });

  test("that is as large as one may be is asked about", async () => {
    const { wire } = await site();
    const names = Array.from({ length: 999 }, (_, index) => String(index));
    const answer = await wire.ask(caller, "set", setting(on(...names), { nodes: [{ nodeId: "" }] }));
    expect(answer.condition).toBe("item-not-found");
    expect(wire.asked(server)).toHaveLength(1);
  });
});

describe("a device that fails", () => {
  const secret = new Error("GPIO 4 is busy, password hunter2");

  test.each<[string, () => void | Promise<void>]>([
    [
      "when it is called",
      () => {
        throw secret;
      },
    ],
    ["later", () => Promise.reject(secret)],
  ])("%s is answered with an error that keeps the reason on the Thing", async (_, fail) => {
    const { wire, trouble } = await site(device(fail));
    const answer = await wire.ask(caller, "set", setting(on("LED")));
    expect(told(answer)).toEqual({
      condition: "internal-server-error",
      type: "cancel",
      text: "It could not be set.",
      parameters: ["LED: It could not be set."],
    });
    expect(String(answer.write)).not.toContain("hunter2");
    expect(trouble).toEqual(['control: "LED" could not be set: GPIO 4 is busy, password hunter2']);
  });

  test.each<[string, Refusal, object]>([
    [
      "words for the caller",
      new Refusal("conflict", "Locked by the key switch."),
      {
        condition: "conflict",
        type: "wait",
        text: "Locked by the key switch.",
        parameters: ["LED: Locked by the key switch."],
      },
    ],
    [
      "no words",
      new Refusal("not-allowed"),
      {
        condition: "not-allowed",
        type: "cancel",
        text: "It could not be set.",
        parameters: ["LED: It could not be set."],
      },
    ],
    [
      "words that XML cannot hold",
      new Refusal("not-allowed", "\u001b[31m"),
      {
        condition: "not-allowed",
        type: "cancel",
        text: "It could not be set.",
        parameters: ["LED: It could not be set."],
      },
    ],
  ])("by a refusal with %s is answered with that, and it is no fault", async (_, refusal, error) => {
    const { wire, trouble } = await site(device(() => Promise.reject(refusal)));
    expect(told(await wire.ask(caller, "set", setting(on("LED"))))).toEqual(error);
    expect(trouble).toEqual([]);
  });

  test("half-way: the caller is told what was set before, and what follows is not set", async () => {
    const { wire, calls } = await site(
      device((name) => {
        if (name === "Fan") throw new Refusal("resource-constraint", "Too hot.");
      }),
    );
    expect(told(await wire.ask(caller, "set", setting(on("LED", "Fan", "Pump"))))).toEqual({
      condition: "resource-constraint",
      type: "wait",
      text: "Too hot. Already set: LED.",
      parameters: ["Fan: Too hot."],
    });
    expect(calls).toEqual(["LED true", "Fan true"]);
  });

  test("is asked again by the next request", async () => {
    let broken = true;
    const { wire } = await site(device(() => (broken ? Promise.reject(secret) : undefined)));
    expect((await wire.ask(caller, "set", setting(on("LED")))).type).toBe("error");
    broken = false;
    expect((await wire.ask(caller, "set", setting(on("LED")))).type).toBe("result");
  });
});

/** A device whose every call the test ends by hand. */
function heldDevice() {
  const held: { name: string; signal: AbortSignal; end: () => void; fail: (reason: unknown) => void }[] = [];
  const of = device(
    (name, _value, { signal }) =>
      new Promise<void>((end, fail) => {
        held.push({ name, signal, end, fail });
      }),
  );
  return { ...of, held };
}

describe("one request", () => {
  test("has one answer and never two, however it ends, and whatever the device does afterwards", async () => {
    const { held, ...of } = heldDevice();
    const { wire, cache, clock, channel } = await site(of);
    const answers = (): number => wire.sent.filter(({ attrs }) => /^(result|error)$/.test(attrs["type"] ?? "")).length;
    const late = wire.ask(caller, "set", setting(on("LED")));
    await clock.advance(20_000); // past the time of the responder and that of the handler
    await late;
    held[0]?.end();
    const revoked = wire.ask(caller, "set", setting(on("LED")));
    await settled();
    wire.peer(server, () => says(false));
    await cache.clear();
    await revoked;
    held[1]?.fail(new Error("stopped"));
    await clock.advance(20_000);
    wire.peer(server, () => says(true));
    await cache.clear();
    const refused = wire.ask(caller, "set", setting(on("LED", "Fan")));
    await settled();
    held[2]?.fail(new Refusal("conflict", "Locked."));
    await refused;
    await clock.advance(20_000);
    expect(answers()).toBe(3);
    void wire.ask(caller, "set", setting(on("LED")));
    await settled();
    channel.detach(new Error("gone"));
    held[3]?.end();
    await clock.advance(20_000);
    expect([answers(), held.length]).toEqual([3, 4]);
  });
});

describe("a device that takes its time", () => {
  test("is never given two calls at once, and does one request after the other", async () => {
    const { held, ...of } = heldDevice();
    const { wire, calls } = await site(of);
    const first = wire.ask(caller, "set", setting(on("LED", "Fan")));
    const other = wire.ask("other@example.org/x", "set", setting(on("Pump")));
    await settled();
    expect(calls).toEqual(["LED true"]);
    held[0]?.end();
    await settled();
    expect(calls).toEqual(["LED true", "Fan true"]);
    held[1]?.end();
    await first;
    await settled();
    expect(calls).toEqual(["LED true", "Fan true", "Pump true"]);
    held[2]?.end();
    expect((await other).type).toBe("result");
  });

  test("is given up after 8.5 s: the device is told to stop, the caller that it may be set or not, the program too", async () => {
    const { held, ...of } = heldDevice();
    const { wire, clock, calls, trouble, faults } = await site(of);
    const asking = wire.ask(caller, "set", setting(on("LED", "Fan")));
    await clock.advance(8_499);
    expect(held[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(held[0]?.signal.aborted).toBe(true);
    expect(told(await asking)).toEqual({
      condition: "internal-server-error",
      type: "cancel",
      text: "It took too long: it may be set, or not.",
      parameters: ["LED: It took too long: it may be set, or not."],
    });
    held[0]?.end();
    await settled();
    expect(calls).toEqual(["LED true"]); // and what was to follow is not done
    expect(trouble).toEqual(['control: setting "LED" took too long']);
    expect(faults.filter((fault) => fault.startsWith("handler-failed"))).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("that fails after it was given up is no second fault", async () => {
    const { held, ...of } = heldDevice();
    const { wire, clock, trouble } = await site(of);
    const asking = wire.ask(caller, "set", setting(on("LED")));
    await clock.advance(8_500);
    await asking;
    held[0]?.fail(new Error("aborted"));
    await settled();
    expect(trouble).toEqual(['control: setting "LED" took too long']);
  });

  test("half-way: the caller is told what was set before", async () => {
    const { held, ...of } = heldDevice();
    const { wire, clock } = await site(of);
    const asking = wire.ask(caller, "set", setting(on("LED", "Fan")));
    await settled();
    held[0]?.end();
    await clock.advance(8_500);
    expect(told(await asking)).toMatchObject({
      text: "It took too long: it may be set, or not. Already set: LED.",
      parameters: ["Fan: It took too long: it may be set, or not."],
    });
  });

  test("does not do later what it had no time for: who was told so can rely on it", async () => {
    const { held, ...of } = heldDevice();
    const { wire, clock, calls } = await site(of);
    const first = wire.ask(caller, "set", setting(on("LED")));
    await clock.advance(1_000);
    const other = wire.ask("other@example.org/x", "set", setting(on("Pump")));
    await clock.advance(7_500);
    await first;
    await clock.advance(1_000);
    expect(told(await other)).toEqual({
      condition: "resource-constraint",
      type: "wait",
      text: "There was no time left for it; nothing was set. Try again later.",
      parameters: [],
    });
    held[0]?.end();
    await settled();
    expect(calls).toEqual(["LED true"]);
    const again = wire.ask(caller, "set", setting(on("Fan")));
    await settled();
    held[1]?.end();
    expect((await again).type).toBe("result");
  });

  test("does not gather callers without end behind a call that never ends", async () => {
    const { wire, clock } = await site(heldDevice());
    const asking = Array.from({ length: 33 }, (_, index) =>
      wire.ask(`c${index}@example.org/x`, "set", setting(on("LED"))),
    );
    const refused = await asking[32];
    expect(refused).toMatchObject({ condition: "resource-constraint", errorType: "wait" });
    await clock.advance(8_500);
    await Promise.all(asking);
    expect(await wire.ask(caller, "set", setting(on("LED")))).toMatchObject({ condition: "resource-constraint" });
  });

  test("that never ends is given up after 30 s: its place is free, the program is told, and what comes of it later counts no more", async () => {
    const { held, ...of } = heldDevice();
    const { wire, clock, calls, trouble } = await site(of);
    const asking = Array.from({ length: 32 }, (_, index) =>
      wire.ask(`c${index}@example.org/x`, "set", setting(on("LED", "Fan"))),
    );
    await clock.advance(8_500);
    await Promise.all(asking);
    await clock.advance(21_499);
    expect(await wire.ask(caller, "set", setting(on("Pump")))).toMatchObject({ condition: "resource-constraint" });
    await clock.advance(1);
    const next = wire.ask(caller, "set", setting(on("Pump")));
    await settled();
    expect(calls).toEqual(["LED true", "Pump true"]); // and nothing of those whose time was up
    held[0]?.end();
    held[1]?.end();
    expect(told(await next)).toEqual({ nodes: [], parameters: [] });
    expect(calls).toEqual(["LED true", "Pump true"]);
    expect(trouble).toEqual([
      'control: setting "LED" took too long',
      'control: setting "LED" has not ended within 30000 ms: others are set again',
    ]);
    expect(wire.sent.filter(({ attrs }) => /^(result|error)$/.test(attrs["type"] ?? ""))).toHaveLength(34);
    expect(clock.pending).toBe(0);
  });

  test("is given up after the time that its parameter allows: one answer, and the failure that follows is no second fault", async () => {
    const { held, calls, parameters } = heldDevice();
    const { wire, clock, trouble } = await site({
      ...{ calls, parameters: parameters.map((parameter) => ({ ...parameter, timeout: 2_000 })) },
    });
    const asking = wire.ask(caller, "set", setting(on("LED", "Fan", "Pump")));
    await settled();
    held[0]?.end();
    await clock.advance(1_999);
    expect(held[1]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(held[1]?.signal.aborted).toBe(true);
    expect(told(await asking)).toEqual({
      condition: "internal-server-error",
      type: "cancel",
      text: "It took too long: it may be set, or not. Already set: LED.",
      parameters: ["Fan: It took too long: it may be set, or not."],
    });
    const next = wire.ask(caller, "set", setting(on("LED")));
    await settled();
    held[1]?.fail(new Error("stopped"));
    held[2]?.end();
    expect((await next).type).toBe("result");
    await clock.advance(20_000);
    expect([calls, clock.pending]).toEqual([["LED true", "Fan true", "LED true"], 0]);
    expect(trouble).toEqual(['control: setting "Fan" has not ended within 2000 ms: others are set again']);
  });

  test("that tells of a time-out of its own has failed, and is not given up", async () => {
    const { wire, trouble } = await site(device(() => Promise.reject(new TimeoutError("the relay: no answer"))));
    const answer = await wire.ask(caller, "set", setting(on("LED")));
    expect(told(answer)).toMatchObject({ text: "It could not be set." });
    expect(trouble).toEqual(['control: "LED" could not be set: the relay: no answer']);
  });

  test("is told to stop when the stream ends, which is no fault, and nothing more is begun", async () => {
    const { held, ...of } = heldDevice();
    const { wire, channel, clock, calls, trouble, faults } = await site(of);
    void wire.ask(caller, "set", setting(on("LED", "Fan")));
    void wire.ask("other@example.org/x", "set", setting(on("Pump")));
    await settled();
    channel.detach(new Error("gone"));
    await settled();
    expect(held[0]?.signal.aborted).toBe(true);
    held[0]?.fail(new Error("stopped"));
    await settled();
    expect([calls, trouble, faults, clock.pending]).toEqual([["LED true"], [], [], 0]);
  });

  test("is answered for although the guard has taken most of the time", async () => {
    const { held, ...of } = heldDevice();
    const { wire, clock, calls } = await site(of, [server, second]);
    wire.peer(server, () => says(true, { parameters: ["LED"] }));
    wire.peer(second, () => "silent");
    const asking = wire.ask(caller, "set", setting(on("LED", "Fan")));
    await clock.advance(6_000);
    expect(calls).toEqual(["LED true"]);
    held[0]?.end();
    expect(told(await asking)).toEqual({ nodes: [], parameters: ["LED"] });
  });
});

describe("a clearCache that comes before it is set (P-3.5.1-5)", () => {
  test("takes the right back: it is asked about again, and not set", async () => {
    const { held, ...of } = heldDevice();
    const { wire, cache, calls } = await site(of);
    const first = wire.ask(caller, "set", setting(on("LED")));
    const waiting = wire.ask("other@example.org/x", "set", setting(on("Pump")));
    await settled();
    wire.peer(server, ({ attrs }) => says(attrs["jid"] === "caller@example.org"));
    await cache.clear();
    expect((await waiting).condition).toBe("forbidden"); // at once: it does not wait for its turn
    held[0]?.end();
    expect((await first).type).toBe("result");
    expect(calls).toEqual(["LED true"]);
    expect(wire.asked(server)).toHaveLength(4);
  });

  test("between two settings of one request: the first is told as done, the second is not done", async () => {
    const { held, ...of } = heldDevice();
    const { wire, cache, calls } = await site(of);
    const asking = wire.ask(caller, "set", setting(on("LED", "Fan")));
    await settled();
    wire.peer(server, () => says(true, { parameters: ["LED"] }));
    await cache.clear();
    held[0]?.end();
    expect(told(await asking)).toEqual({ nodes: [], parameters: ["LED"] });
    expect(calls).toEqual(["LED true"]);
  });

  test("narrows what is left to what is granted now", async () => {
    const { held, ...of } = heldDevice();
    const { wire, cache, calls } = await site(of);
    const asking = wire.ask(caller, "set", setting(on("LED", "Fan", "Pump")));
    await settled();
    wire.peer(server, () => says(true, { parameters: ["LED", "Pump"] }));
    await cache.clear();
    held[0]?.end();
    await settled();
    held[1]?.end();
    expect(told(await asking)).toEqual({ nodes: [], parameters: ["LED", "Pump"] });
    expect(calls).toEqual(["LED true", "Pump true"]);
  });

  test("leaves nothing of a request that waited, when all it wanted is not granted any more", async () => {
    const { held, ...of } = heldDevice();
    const { wire, cache, calls } = await site(of);
    void wire.ask(caller, "set", setting(on("LED")));
    const waiting = wire.ask("other@example.org/x", "set", setting(on("Pump")));
    await settled();
    wire.peer(server, ({ attrs }) =>
      says(true, attrs["jid"] === "caller@example.org" ? {} : { nodes: [{ nodeId: "other" }] }),
    );
    await cache.clear();
    held[0]?.end();
    expect((await waiting).condition).toBe("forbidden");
    expect(calls).toEqual(["LED true"]);
  });

  test("and changes nothing: it is set", async () => {
    const { held, ...of } = heldDevice();
    const { wire, cache } = await site(of);
    const asking = wire.ask(caller, "set", setting(on("LED", "Fan")));
    await settled();
    await cache.clear();
    held[0]?.end();
    await settled();
    held[1]?.end();
    expect(told(await asking)).toEqual({ nodes: [], parameters: [] });
    expect(wire.asked(server)).toHaveLength(2);
  });

  test("again and again while it is asked about is waited for", async () => {
    const { held, ...of } = heldDevice();
    const { wire, cache, calls } = await site(of);
    let clears = 0;
    wire.peer(server, async () => {
      if (++clears <= 3) await cache.clear();
      return says(clears <= 3);
    });
    const asking = wire.ask(caller, "set", setting(on("LED")));
    expect((await asking).condition).toBe("forbidden");
    expect([calls, held, clears]).toEqual([[], [], 4]);
  });

  test("while nobody can be asked: what was done by the end of the time is told as done", async () => {
    const { held, ...of } = heldDevice();
    const { wire, cache, calls, clock, trouble } = await site(of);
    const asking = wire.ask(caller, "set", setting(on("LED", "Fan")));
    await clock.advance(4_000);
    wire.peer(server, () => "silent");
    await cache.clear();
    held[0]?.end();
    await clock.advance(4_500);
    expect(told(await asking)).toEqual({ nodes: [], parameters: ["LED"] });
    await clock.advance(10_000);
    expect([calls, trouble]).toEqual([["LED true"], []]);
  });
});

describe("a control under way", () => {
  async function begin(servers?: readonly BareJid[], set?: Parameters<typeof device>[0]) {
    const { held, ...of } = set === undefined ? heldDevice() : { held: [], ...device(set) };
    const here = await site(of, servers);
    const asking = here.wire.ask(caller, "set", setting(on("LED", "Fan")));
    await settled();
    return { ...here, held, asking };
  }
  const ended = {
    condition: "forbidden",
    type: "cancel",
    text: "Access denied. It may be set, or not.",
    parameters: ["LED: Access denied. It may be set, or not."],
  };

  test("P-3.5.1-5: is ended at once when a clearCache takes the right to it: the device is told to stop, and nothing more is begun", async () => {
    const { wire, cache, clock, calls, held, asking, trouble } = await begin();
    wire.peer(server, () => says(false));
    await cache.clear();
    expect(told(await asking)).toEqual(ended);
    expect(held[0]?.signal.aborted).toBe(true);
    held[0]?.fail(new Error("stopped"));
    await settled();
    expect([calls, trouble, clock.pending]).toEqual([["LED true"], [], 0]);
  });

  test("P-3.5.1-5, P-3.4.3-4: is ended when it is that parameter which is not granted any more", async () => {
    const { wire, cache, calls, asking } = await begin();
    wire.peer(server, () => says(true, { parameters: ["Fan"] }));
    await cache.clear();
    expect(told(await asking)).toEqual(ended);
    expect(calls).toEqual(["LED true"]);
  });

  test("P-3.5.1-5: goes on after a clearCache that leaves the right to it", async () => {
    const { cache, held, asking } = await begin();
    await cache.clear();
    await settled();
    expect(held[0]?.signal.aborted).toBe(false);
    held[0]?.end();
    await settled();
    held[1]?.end();
    expect(told(await asking)).toEqual({ nodes: [], parameters: [] });
  });

  test("P-5.3-2: goes on if one of several servers still allows it", async () => {
    const { wire, cache, clock, held, asking } = await begin([server, second]);
    wire.peer(server, () => says(false));
    wire.peer(second, () => says(true));
    await cache.clear();
    await clock.advance(6_000);
    expect(held[0]?.signal.aborted).toBe(false);
    held[0]?.end();
    await settled();
    held[1]?.end();
    expect((await asking).type).toBe("result");
  });

  test("P-E28: is ended when nobody can be asked whether it may go on", async () => {
    const { wire, cache, clock, asking } = await begin();
    wire.peer(server, () => "silent");
    await cache.clear();
    await clock.advance(6_000);
    expect(told(await asking)).toMatchObject({
      condition: "resource-constraint",
      type: "wait",
      text: "Nobody could be asked whether you may control. Try again later. It may be set, or not.",
    });
  });

  test("P-3.2.3-3: is ended with the friendship; what was set before is told", async () => {
    const { guard, calls, held, asking } = await begin();
    held[0]?.end();
    await settled();
    guard.running.end(bareJid("other@example.org"));
    await settled();
    expect(held[1]?.signal.aborted).toBe(false);
    guard.running.end(bareJid("caller@example.org"));
    expect(told(await asking)).toMatchObject({
      condition: "forbidden",
      text: expect.stringContaining("Already set: LED.") as string,
    });
    expect([calls, guard.running.count]).toEqual([["LED true", "Fan true"], 0]);
  });

  test("is not said not to have been begun, if the device stops as it is told to", async () => {
    const obeys = (_name: string, _value: boolean, { signal }: ControlContext): Promise<void> =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
    const taken = await begin(undefined, obeys);
    taken.wire.peer(server, () => says(false));
    await taken.cache.clear();
    expect(told(await taken.asking)).toEqual(ended);
    const late = await begin(undefined, obeys);
    await late.clock.advance(8_500);
    expect(told(await late.asking)).toMatchObject({ text: "It took too long: it may be set, or not." });
  });

  test("P-3.5.1-5: is not begun by a right that was taken back while it was asked for", async () => {
    const { wire, cache, calls } = await site();
    const answers: ((said: XmlElement) => void)[] = [];
    wire.peer(server, () => new Promise<XmlElement>((resolve) => answers.push(resolve)));
    const asking = wire.ask(caller, "set", setting(on("LED")));
    await settled();
    await cache.clear();
    answers[0]?.(says(true));
    await settled();
    answers[1]?.(says(false));
    expect((await asking).condition).toBe("forbidden");
    expect(calls).toEqual([]);
  });
});

test("a request of another name in the namespace is not for us", async () => {
  const { wire } = await site();
  const answer = await wire.ask(caller, "get", el("getForm", { xmlns: ns.control }));
  expect(answer.condition).toBe("service-unavailable");
});
