import { describe, expect, test } from "vitest";
import { buildSetResponse, type SetResponse } from "../../src/codec/control.ts";
import { ns } from "../../src/codec/namespaces.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import {
  getControlForm,
  setParameters,
  type ControlOptions,
  type FormOptions,
  type ParameterValues,
} from "../../src/control/controller.ts";
import { canonical } from "../support/canonical.ts";
import { validateStanzas } from "../support/schema.ts";
import { scriptedChannel, settled, type Said } from "../support/scripted-wire.ts";

const thing = "thing@example.org/home";

function site(says: Said) {
  const parts = scriptedChannel({ jid: "owner@example.org/desk" });
  parts.wire.peer(thing, () => says);
  const control = (values: ParameterValues, options?: ControlOptions) =>
    setParameters(parts.channel, thing, values, options);
  return { ...parts, control };
}
const did = (parts: Partial<SetResponse> = {}): Said => buildSetResponse({ nodes: [], parameters: [], ...parts });

const dimmer = parseXml(`<x type='form' xmlns='jabber:x:data'>
  <title>Dimmer</title>
  <page xmlns='${ns.formLayout}' label='Output'><fieldref var='Fade'/><section><fieldref var='Scene'/></section></page>
  <field var='xdd session' type='hidden'><value>325ED0F3</value></field>
  <field type='fixed'><value>Words</value></field>
  <field var='Fade' type='text-single' label='Fade Time (ms):'>
    <desc>Time to fade.</desc><value>300</value>
    <validate xmlns='${ns.formValidation}' datatype='xs:int'><range min='0' max='4095'/></validate>
    <notSame xmlns='${ns.dynamicForm}'/><parameterGroup xmlns='${ns.control}' name='light'/>
  </field>
  <field var='Switch' type='boolean'><value>1</value></field>
  <field var='Scene' type='list-single'>
    <value>low</value><option label='Low'><value>low</value></option><option><value>high</value></option>
  </field>
  <field var='Serial' type='text-single'><value>x</value>
    <validate xmlns='${ns.formValidation}' datatype='xs:unsignedInt'><range min='-1' max='much'/></validate></field>
  <field var='Until' type='text-single'><value>2013-04-02T08:00:00Z</value>
    <validate xmlns='${ns.formValidation}' datatype='xs:dateTime'/></field>
  <field var='Colour' type='text-single'><value>3399FF</value>
    <validate xmlns='${ns.formValidation}' datatype='xdc:ColorAlpha'><regex>^[0-9a-fA-F]{8}$</regex></validate></field>
  <field var='Rows' type='text-multi'><value>one</value><value>two</value></field>
  <field var='Level' type='text-single'><value>1</value><value>2</value>
    <validate xmlns='${ns.formValidation}' datatype='xs:decimal'/></field>
</x>`);

describe("asking what can be controlled of a Thing", () => {
  const asking = (says: Said) => {
    const parts = scriptedChannel({ jid: "owner@example.org/desk" });
    parts.wire.peer(thing, () => says);
    return { ...parts, ask: (options?: FormOptions) => getControlForm(parts.channel, thing, options) };
  };

  test("XEP-0325 3.3.1, 3.4.4, 5.6, 6.2: asks its full JID, for nodes, with tokens, in a language", async () => {
    const { ask, wire } = asking(dimmer);
    await ask();
    await ask({ nodes: [{ nodeId: "a" }, { nodeId: "b" }], tokens: { deviceToken: "D" }, language: "sv-SE" });
    expect(wire.sent[0]?.attrs).toMatchObject({ type: "get", to: thing });
    expect(wire.asked(thing).map(String)).toEqual([
      `<getForm xmlns="${ns.control}"/>`,
      `<getForm xmlns="${ns.control}" deviceToken="D" xml:lang="sv-SE"><node nodeId="a"/><node nodeId="b"/></getForm>`,
    ]);
  });

  test("XEP-0325 3.3.1, 5.4: gives names, types, limits, options, values, pages and groups, in the order of the form", async () => {
    expect(await asking(dimmer).ask()).toEqual({
      title: "Dimmer",
      hidden: new Map([["xdd session", ["325ED0F3"]]]),
      parameters: [
        {
          ...{ name: "Fade", label: "Fade Time (ms):", description: "Time to fade.", type: "int", value: 300 },
          ...{ min: 0, max: 4095, page: "Output", group: "light" },
        },
        { name: "Switch", label: "", type: "boolean", value: true },
        {
          ...{ name: "Scene", label: "", type: "string", value: "low", page: "Output" },
          options: [
            { label: "Low", value: "low" },
            { label: "", value: "high" },
          ],
        },
        // What is none of the type is not known.
        { name: "Serial", label: "", type: "long", min: -1n },
        { name: "Until", label: "", type: "dateTime", value: new Date("2013-04-02T08:00:00Z") },
        { name: "Colour", label: "", type: "color", value: "3399FF", pattern: "^[0-9a-fA-F]{8}$" },
        { name: "Rows", label: "", type: "string", value: "one\ntwo" },
        { name: "Level", label: "", type: "double" },
      ],
    });
  });

  test("XEP-0325 3.3.3: the form goes back with what is set, in its own order, with the types that it has, and what was hidden", async () => {
    const { ask, wire, channel } = asking(dimmer);
    const form = await ask();
    wire.peer(thing, () => did());
    const values = { Rows: "a\nb", Serial: 7n, Until: new Date(0), Level: "21.40", Fade: 500 };
    expect(await setParameters(channel, thing, values, { form })).toEqual({
      parameters: ["Rows", "Serial", "Until", "Level", "Fade"],
      nodes: [],
    });
    const [sent] = wire.asked(thing, "set");
    expect(canonical(sent as XmlElement)).toEqual(
      canonical(
        parseXml(`<set xmlns='${ns.control}'><x xmlns='jabber:x:data' type='submit'>
          <field var='xdd session' type='hidden'><value>325ED0F3</value></field>
          <field var='Fade'><value>500</value></field>
          <field var='Serial'><value>7</value></field>
          <field var='Until'><value>1970-01-01T00:00:00.000Z</value></field>
          <field var='Rows'><value>a</value><value>b</value></field>
          <field var='Level'><value>21.40</value></field>
        </x></set>`),
      ),
    );
  });

  test.each<[string, ParameterValues, object, string]>([
    ["a parameter that the form has not", { Lamp: true }, {}, 'values: the form has no parameter "Lamp"'],
    ["a value of another type than the form's", { Fade: true }, {}, "values.Fade: not an xs:int"],
    ["what is no form", { Fade: 1 }, { parameters: "all" }, "form: must be a control form"],
    ["a form with something else hidden", { Fade: 1 }, { hidden: {} }, "form: must be a control form"],
  ])("is refused before anything is sent: %s", async (_, values, change, message) => {
    const { ask, wire, channel } = asking(dimmer);
    const form = { ...(await ask()), ...change };
    const sent = wire.sent.length;
    await expect(setParameters(channel, thing, values, { form })).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining(message) as string,
    });
    expect(wire.sent).toHaveLength(sent);
  });

  test.each<[string, Said, object]>([
    ["forbidden", { error: "forbidden" }, { code: "ERR_STANZA", condition: "forbidden" }],
    ["a Thing without forms", { error: "feature-not-implemented" }, { condition: "feature-not-implemented" }],
    ["an empty answer", undefined, { code: "ERR_PROTOCOL" }],
    ["something else", did(), { code: "ERR_PROTOCOL", path: "setResponse" }],
    [
      "a form that was filled in",
      el("x", { xmlns: ns.form, type: "submit" }),
      { code: "ERR_PROTOCOL", path: "x/@type" },
    ],
  ])("rejects: %s", async (_, says, error) => {
    await expect(asking(says).ask()).rejects.toMatchObject(error);
  });

  test.each<[string, object, string]>([
    ["an unknown option", { lang: "en" }, "options"],
    ["a language that is none", { language: "en_GB!" }, 'language: must be a tag of a language, for instance "en"'],
    ["nodes that are none", { nodes: [{}] }, "nodes"],
  ])("is refused before anything is sent for %s", async (_, options, message) => {
    const { ask, wire } = asking(dimmer);
    await expect(ask(options)).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining(message) as string,
    });
    expect(wire.sent).toEqual([]);
  });
});

describe("controlling a Thing", () => {
  test("XEP-0325 3.1.2, 3.2.11: tells its full JID what to set, in the order given", async () => {
    const { control, wire } = site(did());
    await control({ LED: true, Fan: false });
    expect(wire.sent[0]?.attrs).toMatchObject({ type: "set", to: thing });
    await control(
      new Map([
        ["2", true],
        ["1", false],
      ]),
    );
    expect(wire.asked(thing).map(String)).toEqual([
      `<set xmlns="${ns.control}"><boolean name="LED" value="true"/><boolean name="Fan" value="false"/></set>`,
      `<set xmlns="${ns.control}"><boolean name="2" value="true"/><boolean name="1" value="false"/></set>`,
    ]);
  });

  test("XEP-0325 3.2.1 to 3.2.10: takes the type of a value from the value, or as it is named", async () => {
    const { control, wire } = site(did());
    await control({ b: false, i: -(2 ** 31), d: 2 ** 31, f: 21.5, l: 5n, t: new Date(0), s: "3" });
    await control([
      { name: "l", type: "long", value: 5 },
      { name: "d", type: "double", value: "123.200" },
      { name: "day", type: "date", value: "2013-05-01" },
      { name: "hour", type: "time", value: "08:00:00" },
      { name: "until", type: "dateTime", value: "2013-04-02T08:00:00" },
      { name: "span", type: "duration", value: "PT3M30S" },
      { name: "colour", type: "color", value: "3399FF" },
      { name: "guessed", value: 7 },
    ]);
    const told = wire
      .asked(thing)
      .map((set) => set.getChildElements().map((one) => [one.name, one.attrs["name"], one.attrs["value"]]));
    expect(told).toEqual([
      [
        ["boolean", "b", "false"],
        ["int", "i", "-2147483648"],
        ["double", "d", "2147483648"],
        ["double", "f", "21.5"],
        ["long", "l", "5"],
        ["dateTime", "t", "1970-01-01T00:00:00.000Z"],
        ["string", "s", "3"],
      ],
      [
        ["long", "l", "5"],
        ["double", "d", "123.200"],
        ["date", "day", "2013-05-01"],
        ["time", "hour", "08:00:00"],
        ["dateTime", "until", "2013-04-02T08:00:00"],
        ["duration", "span", "PT3M30S"],
        ["color", "colour", "3399FF"],
        ["int", "guessed", "7"],
      ],
    ]);
    expect(await validateStanzas(wire.sent)).toEqual([]);
  });

  test("XEP-0325 5.6, 3.4.1, P-3.1.3-3, P-5.6-1, P-5.5-1: names the nodes and presents the service and user tokens it is given", async () => {
    const { control, wire } = site(did());
    await control(
      { LED: true },
      { nodes: [{ nodeId: "n", sourceId: "s" }], tokens: { serviceToken: "S", userToken: "U" } },
    );
    expect(String(wire.asked(thing)[0])).toBe(
      `<set xmlns="${ns.control}" serviceToken="S" userToken="U"><node nodeId="n" sourceId="s"/><boolean name="LED" value="true"/></set>`,
    );
  });

  test.each<[string, Said, object]>([
    ["everything, by an answer without lists", did(), { parameters: ["LED", "Fan"], nodes: [] }],
    ["P-3.4.2-7: the parameters listed", did({ parameters: ["Fan"] }), { parameters: ["Fan"], nodes: [] }],
    [
      "P-3.4.3-5: on the nodes listed",
      did({ nodes: [{ nodeId: "n" }] }),
      { parameters: ["LED", "Fan"], nodes: [{ nodeId: "n" }] },
    ],
    ["each once", did({ parameters: ["LED", "LED"] }), { parameters: ["LED"], nodes: [] }],
    [
      "P-E4: as an old Thing says it",
      parseXml(`<setResponse xmlns='${ns.control}' responseCode='OK'><parameter name='LED'/></setResponse>`),
      { parameters: ["LED"], nodes: [] },
    ],
  ])("resolves to what was done: %s", async (_, says, outcome) => {
    expect(await site(says).control({ LED: true, Fan: true })).toEqual(outcome);
  });

  test.each<[string, Said, object]>([
    ["forbidden", { error: "forbidden" }, { code: "ERR_STANZA", condition: "forbidden", from: thing }],
    [
      "P-E4: the same from an old Thing",
      el("setResponse", { xmlns: ns.control, responseCode: "InsufficientPrivileges" }),
      { code: "ERR_STANZA", condition: "forbidden" },
    ],
    [
      "P-E4: any other old code",
      el("setResponse", { xmlns: ns.control, responseCode: "Locked" }),
      { code: "ERR_STANZA", condition: "conflict", text: "Locked" },
    ],
    ["an empty answer", undefined, { code: "ERR_PROTOCOL" }],
    ["an answer of another name", el("set", { xmlns: ns.control }), { code: "ERR_PROTOCOL", path: "set" }],
    [
      "a parameter that was not asked for",
      did({ parameters: ["Pump"] }),
      { code: "ERR_PROTOCOL", path: "setResponse/parameter" },
    ],
    ["one beside one that was", did({ parameters: ["LED", "Pump"] }), { path: "setResponse/parameter" }],
  ])("rejects: %s", async (_, says, error) => {
    await expect(site(says).control({ LED: true })).rejects.toMatchObject(error);
  });

  test.each<[string, NodeRef, boolean]>([
    ["it", { nodeId: "a" }, true],
    ["it, in the source that it is in", { nodeId: "a", sourceId: "s" }, true],
    ["one that was asked for by its source", { nodeId: "b", sourceId: "s" }, true],
    ["that without its source", { nodeId: "b" }, true],
    ["that in another source", { nodeId: "b", sourceId: "t" }, false],
    ["another one", { nodeId: "c" }, false],
    ["itself", { nodeId: "" }, false],
  ])(
    "XEP-0325 3.4.2, P-5.5-3: is told of nodes that were asked for, and of no others: %s",
    async (_, node, isAsked) => {
      const { control } = site(did({ nodes: [{ nodeId: "a" }, node] }));
      const controlling = control({ LED: true }, { nodes: [{ nodeId: "a" }, { nodeId: "b", sourceId: "s" }] });
      if (isAsked) expect((await controlling).nodes).toEqual([{ nodeId: "a" }, node]);
      else await expect(controlling).rejects.toMatchObject({ code: "ERR_PROTOCOL", path: "setResponse/node" });
    },
  );

  test("XEP-0325 3.1.3: tells what is wrong with which parameter", async () => {
    const { control, wire, channel } = site("silent");
    const controlling = control({ Output: true });
    await settled();
    const { id = "" } = wire.sent[0]?.attrs ?? {};
    channel.receive(
      parseXml(`<iq xmlns='jabber:client' type='error' from='${thing}' id='${id}'><error type='modify'>
        <bad-request xmlns='${ns.stanzas}'/><paramError xmlns='${ns.control}' var='Output'>Invalid parameter type.</paramError>
        </error></iq>`),
    );
    await expect(controlling).rejects.toMatchObject({
      condition: "bad-request",
      parameters: [{ name: "Output", text: "Invalid parameter type." }],
    });
  });

  test.each<[string, unknown, string]>([
    ["nothing", {}, "values: name at least one parameter"],
    ["no name", { "": true }, "values: a parameter needs a name"],
    ["a name that XML cannot hold", new Map([["\u0000", true]]), "values: a parameter needs a name"],
    ["a value that is none", { LED: null }, "values.LED: must be true, false, a number, a bigint, a text or a Date"],
    ["no values", null, "values: must be an object"],
    ["a list of something else", ["LED"], "values[0]: must be an object, { name, type, value }"],
    [
      "a name twice",
      [
        { name: "LED", value: true },
        { name: "LED", value: false },
      ],
      "values.LED: is there twice",
    ],
    [
      "an unknown type",
      [{ name: "LED", type: "bool", value: true }],
      'values.LED: unknown type "bool"; there are boolean',
    ],
    ["a value of another type", [{ name: "Level", type: "int", value: 1.5 }], "values.Level: not an xs:int"],
    ["a number that is none", { Level: Number.NaN }, "values.Level: not"],
    ["a bigint that does not fit", { Level: 2n ** 63n }, "values.Level: not an xs:long"],
    ["a text that XML cannot hold", { Row: "\uD800" }, "values.Row: not"],
  ])("is refused before anything is sent: %s", async (_, values, message) => {
    const { control, wire } = site(did());
    await expect(control(values as ParameterValues)).rejects.toMatchObject({
      code: "ERR_CONFIG",
      message: expect.stringContaining(message) as string,
    });
    expect(wire.sent).toEqual([]);
  });

  test("gives up when told to, or after its time", async () => {
    const { control, clock } = site("silent");
    const late = control({ LED: true }, { timeout: 1_000 }).catch((error: unknown) => error);
    await clock.advance(1_000);
    expect(await late).toMatchObject({ code: "ERR_TIMEOUT" });
    const ended = new AbortController();
    const stopped = control({ LED: true }, { signal: ended.signal });
    ended.abort(new Error("enough"));
    await expect(stopped).rejects.toThrow("enough");
  });
});
