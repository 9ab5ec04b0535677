import { describe, expect, test } from "vitest";
import { buildGetForm, type GetForm } from "../../src/codec/control-form.ts";
import { parseSetResponse } from "../../src/codec/control.ts";
import { buildDataForm, parseDataForm, type DataForm, type FormField } from "../../src/codec/data-form.ts";
import { ns } from "../../src/codec/namespaces.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import { parseError } from "../../src/codec/stanza.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { ControlParameter } from "../../src/control/definition.ts";
import { canonical } from "../support/canonical.ts";
import { no, nodeSite, owner, reader, second, server, yes, type NodeDevice } from "../support/node-site.ts";
import { settled, type Outcome } from "../support/scripted-wire.ts";
import { validateStanzas } from "../support/schema.ts";

const refs = (...ids: readonly string[]): readonly NodeRef[] => ids.map((nodeId) => ({ nodeId }));
const getForm = (parts: Partial<GetForm> = {}): XmlElement => buildGetForm({ nodes: [], tokens: {}, ...parts });
const nothing = (): void => undefined;

/** The dimmer of XEP-0325 listing 15. */
function dimmer(values: Readonly<Record<string, boolean | number>> = {}, calls: string[] = []): ControlParameter[] {
  const set =
    (name: string) =>
    (value: unknown): void =>
      void calls.push(`${name} ${String(value)}`);
  const common = { page: "Output" };
  return [
    {
      ...common,
      name: "FadeTimeMilliseconds",
      type: "int",
      label: "Fade Time (ms):",
      description: "Time in milliseconds used to fade the light to the desired level.",
      min: 0,
      max: 4095,
      get: () => Number(values["FadeTimeMilliseconds"] ?? 300),
      set: set("FadeTimeMilliseconds"),
    },
    {
      ...common,
      name: "OutputPercent",
      type: "int",
      label: "Output (%):",
      description: "Dimmer output, in percent.",
      min: 0,
      max: 100,
      get: () => Number(values["OutputPercent"] ?? 100),
      set: set("OutputPercent"),
    },
    {
      ...common,
      name: "MainSwitch",
      label: "Main switch",
      description: "If the dimmer is turned on or off.",
      get: () => values["MainSwitch"] !== false,
      set: set("MainSwitch"),
    },
  ];
}

const lamp = (nodeId: string, parameter: Partial<ControlParameter> & object = {}): NodeDevice => ({
  node: { nodeId },
  control: [{ name: "Output", set: nothing, ...parameter }],
});

function formOf(outcome: Outcome): DataForm {
  if (outcome.payload === undefined) throw new Error(`no form: ${outcome.condition} ${outcome.text}`);
  return parseDataForm(outcome.payload);
}
const namesIn = (outcome: Outcome): readonly string[] => formOf(outcome).fields.map(({ name }) => name);
const field = (outcome: Outcome, name: string): FormField | undefined =>
  formOf(outcome).fields.find((one) => one.name === name);

/** A listing's answer, as the Thing would write it: types of booleans too (XEP-0325 3.3.1), and no session. */
const listing15 = parseXml(`<x type='form' xmlns='jabber:x:data' xmlns:xdv='${ns.formValidation}'
    xmlns:xdl='${ns.formLayout}' xmlns:xdd='${ns.dynamicForm}'>
  <title>Dimmer</title>
  <xdl:page label='Output'>
    <xdl:fieldref var='FadeTimeMilliseconds'/><xdl:fieldref var='OutputPercent'/><xdl:fieldref var='MainSwitch'/>
  </xdl:page>
  <field var='FadeTimeMilliseconds' type='text-single' label='Fade Time (ms):'>
    <desc>Time in milliseconds used to fade the light to the desired level.</desc>
    <value>300</value>
    <xdv:validate datatype='xs:int'><xdv:range min='0' max='4095'/></xdv:validate>
    <xdd:notSame/>
  </field>
  <field var='OutputPercent' type='text-single' label='Output (%):'>
    <desc>Dimmer output, in percent.</desc>
    <value>100</value>
    <xdv:validate datatype='xs:int'><xdv:range min='0' max='100'/></xdv:validate>
    <xdd:notSame/>
  </field>
  <field var='MainSwitch' type='boolean' label='Main switch'>
    <desc>If the dimmer is turned on or off.</desc>
    <value>true</value>
    <xdv:validate datatype='xs:boolean'><xdv:basic/></xdv:validate>
    <xdd:notSame/>
  </field>
</x>`);

describe("a request for a control form", () => {
  test("XEP-0325 3.3.1: is answered as in listing 15: title, page, types, ranges, values, notSame, in the order of the device", async () => {
    const { wire, trouble } = await nodeSite([{ control: dimmer() }]);
    const answer = await wire.ask(reader, "get", getForm());
    expect(canonical(answer.payload as XmlElement)).toEqual(canonical(listing15));
    expect([answer.write.length, trouble]).toEqual([1, []]);
    expect(await validateStanzas(answer.write)).toEqual([]);
  });

  test("XEP-0325 5.6, P-E9: is asked about as it came, with its nodes and tokens, for all parameters", async () => {
    const { wire } = await nodeSite([lamp("a")]);
    const tokens = { serviceToken: "S", deviceToken: "D", userToken: "U" };
    await wire.ask(reader, "get", getForm({ nodes: refs("a"), tokens, lang: "en" }));
    expect(wire.asked(server).map(String)).toEqual([
      `<canControl xmlns="${ns.provisioning}" jid="reader@example.org" serviceToken="S" deviceToken="D" userToken="U"><node nodeId="a"/></canControl>`,
    ]);
  });

  test("XEP-0325 3.3.2, 5.1: is refused to whoever may control nothing, as in listing 16, before anything is looked at", async () => {
    const asked: string[] = [];
    const { wire } = await nodeSite([
      { control: [{ name: "LED", get: () => (asked.push("LED"), true), set: nothing }] },
      lamp("a"),
    ]);
    wire.peer(server, no);
    for (const nodes of [[], refs("a"), refs("absent")]) {
      expect(await wire.ask(reader, "get", getForm({ nodes }))).toMatchObject({
        condition: "forbidden",
        errorType: "cancel",
        text: "Access denied.",
      });
    }
    expect(asked).toEqual([]);
  });

  test("P-E28: when nobody can be asked, is to be tried again later", async () => {
    const { wire, clock } = await nodeSite([{ control: dimmer() }], [second]);
    const asking = wire.ask(reader, "get", getForm());
    await clock.advance(60_000);
    expect(await asking).toMatchObject({ condition: "resource-constraint", errorType: "wait" });
  });

  test("XEP-0324 3.4.3: shows just what the caller may control", async () => {
    const { wire } = await nodeSite([{ control: dimmer() }]);
    wire.peer(server, (question) => yes(question, [], ["MainSwitch", "FadeTimeMilliseconds", "Absent"]));
    const answer = await wire.ask(reader, "get", getForm());
    expect(namesIn(answer)).toEqual(["FadeTimeMilliseconds", "MainSwitch"]);
    expect(formOf(answer).pages).toEqual([
      { label: "Output", parts: [{ field: "FadeTimeMilliseconds" }, { field: "MainSwitch" }] },
    ]);
    wire.peer(server, (question) => yes(question, [], ["Absent"]));
    expect(await wire.ask("other@example.org/x", "get", getForm())).toMatchObject({ condition: "forbidden" });
  });

  test("without a provisioning server is answered to the owner, and to nobody else", async () => {
    const { wire } = await nodeSite([{ control: dimmer() }], []);
    expect(namesIn(await wire.ask(`${owner}/phone`, "get", getForm()))).toHaveLength(3);
    expect(await wire.ask(reader, "get", getForm())).toMatchObject({ condition: "forbidden" });
  });

  test("XEP-0325 3.3.1, 5.2.3: says of each type what the device takes, by XEP-0122; a list says its options", async () => {
    const { wire } = await nodeSite([
      {
        control: [
          { name: "b", set: nothing },
          { name: "i", type: "int", max: 5, unit: "%", set: nothing },
          { name: "l", type: "long", min: -(2n ** 63n), set: nothing },
          { name: "d", type: "double", options: [0.5, 1], set: nothing },
          { name: "s", type: "string", pattern: "[A-Z]|\\d", set: nothing },
          { name: "o", type: "string", options: ["low", "high"], set: nothing },
          { name: "t", type: "dateTime", min: new Date(0), set: nothing },
          { name: "c", type: "color", set: nothing },
          { name: "p", type: "duration", min: "PT1S", max: "PT1M", set: nothing },
        ],
      },
    ]);
    const answer = await wire.ask(reader, "get", getForm());
    const said = formOf(answer).fields.map(({ name, type, label, validation, options }) => [
      [name, type, label],
      validation?.datatype,
      validation?.method,
      options?.map(({ value }) => value),
    ]);
    expect(said).toEqual([
      [["b", "boolean", "b"], "xs:boolean", { is: "basic" }, undefined],
      [["i", "text-single", "i (%)"], "xs:int", { is: "range", max: "5" }, undefined],
      [["l", "text-single", "l"], "xs:long", { is: "range", min: "-9223372036854775808" }, undefined],
      [["d", "list-single", "d"], "xs:double", { is: "basic" }, ["0.5", "1"]],
      [["s", "text-single", "s"], "xs:string", { is: "regex", pattern: "^([A-Z]|\\d)$" }, undefined],
      [["o", "list-single", "o"], "xs:string", { is: "basic" }, ["low", "high"]],
      [["t", "text-single", "t"], "xs:dateTime", { is: "range", min: "1970-01-01T00:00:00.000Z" }, undefined],
      [
        ["c", "text-single", "c"],
        "xdc:Color",
        { is: "regex", pattern: "^([0-9a-fA-F]{6}|[0-9a-fA-F]{8})$" },
        undefined,
      ],
      [["p", "text-single", "p"], "xs:duration", { is: "range", min: "PT1S", max: "PT1M" }, undefined],
    ]);
    expect(formOf(answer).fields.every(({ notSame, values }) => notSame === true && values.length === 0)).toBe(true);
    expect(formOf(answer)).not.toHaveProperty("pages");
    expect(await validateStanzas(answer.write)).toEqual([]);
  });

  test("XEP-0325 5.4: tells the groups, and lays them out; what has no page stands on one without a name", async () => {
    const control: ControlParameter[] = [
      { name: "MainSwitch", set: nothing },
      { name: "HorizontalAngle", type: "double", min: -180, max: 180, group: "direction", set: nothing },
      { name: "Lamp", page: "More", set: nothing },
      { name: "ElevationAngle", type: "double", min: -90, max: 90, group: "direction", set: nothing },
    ];
    const { wire } = await nodeSite([{ control }]);
    const { fields, pages } = formOf(await wire.ask(reader, "get", getForm()));
    expect(fields.map(({ name, group }) => [name, group])).toEqual([
      ["MainSwitch", undefined],
      ["HorizontalAngle", "direction"],
      ["Lamp", undefined],
      ["ElevationAngle", "direction"],
    ]);
    expect(pages).toEqual([
      { label: "", parts: [{ field: "MainSwitch" }] },
      { label: "direction", parts: [{ field: "HorizontalAngle" }, { field: "ElevationAngle" }] },
      { label: "More", parts: [{ field: "Lamp" }] },
    ]);
  });

  test("XEP-0325 5.2.1: has the values there are; one that is not known, wrong or not to be had is left out, with a fault", async () => {
    const { wire, trouble } = await nodeSite([
      {
        control: [
          { name: "known", type: "long", get: () => Promise.resolve(2n ** 60n), set: nothing },
          { name: "moment", type: "dateTime", get: () => new Date(0), set: nothing },
          { name: "lines", type: "string", get: () => "one\ntwo", set: nothing },
          { name: "silent", get: () => undefined, set: nothing },
          { name: "mute", set: nothing },
          { name: "wrong", type: "int", get: () => 1.5, set: nothing },
          { name: "broken", get: () => Promise.reject(new Error("wire cut")), set: nothing },
        ],
      },
    ]);
    const answer = await wire.ask(reader, "get", getForm());
    expect(formOf(answer).fields.map(({ name, type, values }) => [name, type, ...values])).toEqual([
      ["known", "text-single", "1152921504606846976"],
      ["moment", "text-single", "1970-01-01T00:00:00.000Z"],
      ["lines", "text-multi", "one", "two"],
      ["silent", "boolean"],
      ["mute", "boolean"],
      ["wrong", "text-single"],
      ["broken", "boolean"],
    ]);
    expect(trouble).toEqual([
      'the value of "wrong" is not known: not an xs:int',
      'the value of "broken" is not known: wire cut',
    ]);
  });

  test("waits for no device longer than 2 s, nor for all of them longer than 4 s, and asks none twice at the same time", async () => {
    let asked = 0;
    const hanging = Array.from({ length: 40 }, (_, index): ControlParameter => ({
      name: `p${index}`,
      type: "int",
      get: () => (asked++, new Promise<number>(nothing)),
      set: nothing,
    }));
    const { wire, clock, trouble } = await nodeSite([{ control: [...hanging, ...dimmer()] }]);
    const asking = wire.ask(reader, "get", getForm());
    await clock.advance(4_000);
    expect(namesIn(await asking)).toHaveLength(43);
    expect(trouble.filter((line) => line === 'the value of "p0" is not known: it took too long')).toHaveLength(1);
    expect(trouble.length).toBeLessThan(40);
    const before = asked;
    const again = wire.ask(reader, "get", getForm());
    await clock.advance(4_000);
    await again;
    // Those that hang are not asked again beside it.
    expect(asked).toBe(before);
    expect(clock.pending).toBe(0);
  });

  test("P-3.5.1-5: what was taken back while the devices were asked is not shown any more", async () => {
    let go: () => void = nothing;
    const slow = new Promise<boolean>((resolve) => (go = () => resolve(true)));
    const { wire, cache, guard } = await nodeSite([
      { control: [{ name: "LED", get: () => slow, set: nothing }, ...dimmer()] },
    ]);
    const asking = wire.ask(reader, "get", getForm());
    await settled();
    wire.peer(server, (question) => yes(question, [], ["MainSwitch"]));
    await cache.clear();
    guard.running.recheck();
    go();
    expect(namesIn(await asking)).toEqual(["MainSwitch"]);
  });

  test("XEP-0324 3.2.3: whose friendship ends while it is answered is told no more", async () => {
    const { wire, guard } = await nodeSite([
      { control: [{ name: "LED", get: () => new Promise(nothing), set: nothing }] },
    ]);
    const asking = wire.ask(reader, "get", getForm());
    await settled();
    guard.running.end("reader@example.org" as never);
    expect(await asking).toMatchObject({ condition: "forbidden" });
    expect(guard.running.count).toBe(0);
  });

  test.each<[string, "get" | "set", XmlElement, object]>([
    ["is a set", "set", getForm(), { condition: "bad-request", errorType: "modify" }],
    [
      "names a node without an id",
      "get",
      el("getForm", { xmlns: ns.control }, el("node")),
      { condition: "bad-request" },
    ],
    [
      "names very many nodes",
      "get",
      getForm({ nodes: Array.from({ length: 1_001 }, () => ({ nodeId: "a" })) }),
      { condition: "not-acceptable", errorType: "modify" },
    ],
    ["is very long", "get", getForm({ tokens: { userToken: "t".repeat(20_000) } }), { condition: "not-acceptable" }],
    ["names a node that is not there", "get", getForm({ nodes: refs("b") }), { condition: "item-not-found" }],
    ["names one beside one that is", "get", getForm({ nodes: refs("a", "b") }), { condition: "item-not-found" }],
    ["names none at a concentrator without parameters", "get", getForm(), { condition: "bad-request" }],
  ])("XEP-0325 5.1: is refused when it %s", async (_, type, request, error) => {
    const { wire } = await nodeSite([{}, lamp("a")]);
    expect(await wire.ask(reader, type, request)).toMatchObject(error);
  });

  test("is refused where the form would be larger than servers let through", async () => {
    const control = Array.from({ length: 300 }, (_, index): ControlParameter => ({
      name: `p${index}`,
      description: "d".repeat(1_000),
      set: nothing,
    }));
    const { wire } = await nodeSite([{ control }]);
    expect(await wire.ask(reader, "get", getForm())).toMatchObject({ condition: "not-acceptable" });
  });
});

describe("a request for the control form of several nodes", () => {
  const digital = (nodeId: string, on = true): NodeDevice =>
    lamp(nodeId, { label: "Output", page: "Output", get: () => on });

  test("XEP-0325 3.4.4: is answered as in listing 22: what they have in common, under their names, always notSame", async () => {
    const { wire } = await nodeSite([1, 2, 3, 4].map((index) => digital(`DigitalOutput${index}`)));
    const nodes = refs("DigitalOutput1", "DigitalOutput2", "DigitalOutput3", "DigitalOutput4");
    const answer = await wire.ask(reader, "get", getForm({ nodes }));
    expect(formOf(answer).title).toBe("DigitalOutput1, DigitalOutput2, ...");
    expect(formOf(answer).pages).toEqual([{ label: "Output", parts: [{ field: "Output" }] }]);
    expect(formOf(answer).fields).toMatchObject([{ name: "Output", type: "boolean", values: ["true"], notSame: true }]);
  });

  test("XEP-0325 3.4.4: has no value where they differ, and no parameter that one of them lacks or means otherwise", async () => {
    const { wire } = await nodeSite([
      { ...digital("a"), control: [...(digital("a").control ?? []), { name: "Extra", set: nothing }] },
      digital("b", false),
      lamp("c", { type: "int" }),
    ]);
    const two = await wire.ask(reader, "get", getForm({ nodes: refs("a", "b") }));
    expect(formOf(two).title).toBe("a, b");
    expect(formOf(two).fields).toMatchObject([{ name: "Output", values: [] }]);
    const three = await wire.ask(reader, "get", getForm({ nodes: refs("a", "b", "c") }));
    expect(formOf(three)).toMatchObject({ title: "a, b, ...", fields: [] });
    expect(formOf(three)).not.toHaveProperty("pages");
  });

  test("says no more than the type where they take different values", async () => {
    const ranged = (nodeId: string, max: number, group: string): NodeDevice =>
      lamp(nodeId, { type: "int", max, group });
    const listed = (nodeId: string, ...options: string[]): NodeDevice => lamp(nodeId, { type: "string", options });
    const { wire } = await nodeSite([
      ranged("a", 10, "x"),
      ranged("b", 10, "x"),
      ranged("c", 20, "y"),
      listed("d", "low", "high"),
      listed("e", "low", "high"),
      listed("f", "low"),
    ]);
    const ask = async (...ids: string[]): Promise<FormField | undefined> =>
      field(await wire.ask(reader, "get", getForm({ nodes: refs(...ids) })), "Output");
    expect(await ask("a", "b")).toMatchObject({ group: "x", validation: { method: { is: "range", max: "10" } } });
    const wide = await ask("a", "c");
    expect(wide).toMatchObject({ type: "text-single", validation: { datatype: "xs:int", method: { is: "basic" } } });
    expect(wide).not.toHaveProperty("group");
    expect((await ask("d", "e"))?.options).toHaveLength(2);
    const text = await ask("d", "f");
    expect(text).toMatchObject({ type: "text-single", validation: { datatype: "xs:string" } });
    expect(text).not.toHaveProperty("options");
  });

  test("XEP-0324 3.4.2: leaves out nodes of which the caller may control nothing", async () => {
    const { wire } = await nodeSite([digital("a"), lamp("b", { type: "int" })]);
    wire.peer(server, (question) => yes(question, refs("a")));
    const answer = await wire.ask(reader, "get", getForm({ nodes: refs("a", "b") }));
    expect(formOf(answer)).toMatchObject({ title: "a", fields: [{ name: "Output", type: "boolean" }] });
    // Nor is a node that is not there told apart from one that may not be controlled.
    expect(namesIn(await wire.ask(reader, "get", getForm({ nodes: refs("a", "absent") })))).toEqual(["Output"]);
  });
});

describe("a control form that comes back", () => {
  const submit = (values: Readonly<Record<string, string | readonly string[]>>, type = ""): XmlElement =>
    buildDataForm({
      type: "submit",
      title: "",
      instructions: "",
      fields: [
        { name: "xdd session", type: "hidden", label: "", required: false, values: ["325E"], media: false },
        ...Object.entries(values).map(([name, value]) => ({
          ...{ name, type, label: "", required: false, media: false },
          values: typeof value === "string" ? [value] : value,
        })),
      ],
    });
  const set = (form: XmlElement, nodes: readonly NodeRef[] = []): XmlElement =>
    el("set", { xmlns: ns.control }, ...nodes.map(({ nodeId }) => el("node", { nodeId })), form);
  const told = (outcome: Outcome): unknown => {
    if (outcome.type === "result") return parseSetResponse(outcome.payload);
    const { condition, parameters = [] } = parseError(outcome.write[0]?.getChild("error"));
    return [condition, ...parameters.map(({ name, text }) => `${name}: ${text}`)];
  };
  const all = { nodes: [], parameters: [] };

  test("XEP-0325 3.3.3: sets just what it holds, in the order of the device, as in listing 17", async () => {
    const calls: string[] = [];
    const { wire } = await nodeSite([{ control: dimmer({}, calls) }]);
    const form = submit({ OutputPercent: "10", FadeTimeMilliseconds: "500" }, "text-single");
    expect(told(await wire.ask(reader, "set", set(form)))).toEqual(all);
    expect(calls).toEqual(["FadeTimeMilliseconds 500", "OutputPercent 10"]);
    expect(wire.asked(server).map(String)).toEqual([
      `<canControl xmlns="${ns.provisioning}" jid="reader@example.org"><parameter name="OutputPercent"/><parameter name="FadeTimeMilliseconds"/></canControl>`,
    ]);
  });

  test("XEP-0325 3.3.4: is refused as a whole, with the field that is wrong, as in listing 18", async () => {
    const calls: string[] = [];
    const { wire } = await nodeSite([{ control: dimmer({}, calls) }]);
    const ask = async (values: Readonly<Record<string, string | string[]>>): Promise<unknown> =>
      told(await wire.ask(reader, "set", set(submit({ FadeTimeMilliseconds: "500", ...values }))));
    expect(await ask({ OutputPercent: "200" })).toEqual([
      "bad-request",
      "OutputPercent: Invalid parameter value: it takes 0 to 100.",
    ]);
    expect(await ask({ OutputPercent: "NaN" })).toEqual([
      "bad-request",
      "OutputPercent: Invalid parameter value: not an xs:int.",
    ]);
    expect(await ask({ OutputPercent: ["1", "2"] })).toEqual([
      "bad-request",
      "OutputPercent: Invalid parameter value: more than one.",
    ]);
    expect(await ask({ __proto__x: "1", constructor: "1" })).toEqual([
      "item-not-found",
      "__proto__x: No such parameter.",
      "constructor: No such parameter.",
    ]);
    expect(calls).toEqual([]);
  });

  test("XEP-0325 3.3.1, 3.3.3: of which nothing was edited does nothing; a field without a value was not edited", async () => {
    const calls: string[] = [];
    const { wire } = await nodeSite([{ control: dimmer({}, calls) }]);
    expect(told(await wire.ask(reader, "set", set(submit({}))))).toEqual(["bad-request"]);
    expect(told(await wire.ask(reader, "set", set(submit({ OutputPercent: [] }))))).toEqual(["bad-request"]);
    expect(told(await wire.ask(reader, "set", set(submit({ OutputPercent: [], MainSwitch: "0" }))))).toEqual(all);
    expect(calls).toEqual(["MainSwitch false"]);
    expect(told(await wire.ask(reader, "set", set(el("x", { xmlns: ns.form, type: "cancel" }))))).toEqual([
      "bad-request",
    ]);
  });

  test("XEP-0004 3.2: is refused as a whole where a value is not text alone: what is meant cannot be known", async () => {
    const calls: string[] = [];
    const { wire } = await nodeSite([{ control: dimmer({}, calls) }]);
    const filled = (value: string): XmlElement =>
      parseXml(`<set xmlns='${ns.control}'><x xmlns='${ns.form}' type='submit'>
        <field var='FadeTimeMilliseconds'><value>500</value></field>
        <field var='OutputPercent'><value>${value}</value></field></x></set>`);
    for (const value of ["1<b>0</b>", "10<n xmlns='urn:other'>5</n>", "<value>10</value>"]) {
      expect(told(await wire.ask(reader, "set", filled(value)))).toEqual(["bad-request"]);
    }
    expect(calls).toEqual([]);
    expect(told(await wire.ask(reader, "set", filled("10")))).toEqual(all);
  });

  test("P-3.4.3-4: sets of it what the caller may set, and says so", async () => {
    const calls: string[] = [];
    const { wire } = await nodeSite([{ control: dimmer({}, calls) }]);
    wire.peer(server, (question) => yes(question, [], ["MainSwitch"]));
    const answer = await wire.ask(reader, "set", set(submit({ OutputPercent: "x", MainSwitch: "true" })));
    expect([told(answer), calls]).toEqual([{ nodes: [], parameters: ["MainSwitch"] }, ["MainSwitch true"]]);
  });

  test("hands a text on with its lines, and typed commands beside it first", async () => {
    const calls: string[] = [];
    const control: ControlParameter[] = [
      { name: "Row", type: "string", set: (value) => void calls.push(value) },
      { name: "LED", set: (value) => void calls.push(`LED ${value}`) },
    ];
    const { wire } = await nodeSite([{ control }]);
    const both = set(submit({ Row: ["one", "two"] }));
    await wire.ask(
      reader,
      "set",
      el("set", { xmlns: ns.control }, ...both.getChildElements(), el("boolean", { name: "LED", value: "1" })),
    );
    expect(calls).toEqual(["LED true", "one\ntwo"]);
  });

  test("XEP-0325 3.4.6: is done on all nodes that are named, as in listing 24", async () => {
    const calls: string[] = [];
    const ids = ["DigitalOutput1", "DigitalOutput2"];
    const { wire } = await nodeSite(
      ids.map((nodeId) => lamp(nodeId, { set: (value: boolean) => void calls.push(`${nodeId} ${value}`) })),
    );
    expect(told(await wire.ask(reader, "set", set(submit({ Output: "true" }, "boolean"), refs(...ids))))).toEqual(all);
    expect(calls).toEqual(["DigitalOutput1 true", "DigitalOutput2 true"]);
  });

  test("XEP-0325 3.4.7: is refused where a parameter is not of that type on all nodes, as in listing 25", async () => {
    const calls: string[] = [];
    const { wire } = await nodeSite([
      lamp("DigitalOutput1", { set: () => void calls.push("digital") }),
      lamp("AnalogOutput1", { type: "int", set: () => void calls.push("analog") } as never),
    ]);
    const nodes = refs("DigitalOutput1", "AnalogOutput1");
    for (const [value, type, text] of [
      ["1", "boolean", "Invalid parameter type: it is of type int."],
      ["true", "", "Invalid parameter value: not an xs:int."],
    ] as const) {
      expect(told(await wire.ask(reader, "set", set(submit({ Output: value }, type), nodes)))).toEqual([
        "bad-request",
        `Output: ${text}`,
      ]);
    }
    expect(calls).toEqual([]);
  });
});

test("a form is refused of so many nodes that more than 10,000 parameters would have to be compared", async () => {
  const names = Array.from({ length: 100 }, (_, index) => `P${index}`);
  const ids = Array.from({ length: 101 }, (_, index) => `n${index}`);
  const control = names.map((name): ControlParameter => ({ name, set: nothing }));
  const { wire } = await nodeSite(ids.map((nodeId) => ({ node: { nodeId }, control })));
  expect(await wire.ask(reader, "get", getForm({ nodes: refs(...ids) }))).toMatchObject({
    ...{ condition: "not-acceptable", text: "Name fewer nodes." },
  });
  expect(namesIn(await wire.ask(reader, "get", getForm({ nodes: refs(...ids.slice(1)) })))).toEqual(names);
});
