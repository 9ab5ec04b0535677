import { describe, expect, test } from "vitest";
import { buildSetResponse, type SetResponse } from "../../src/codec/control.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { setParameters, type ControlOptions, type ParameterValues } from "../../src/control/controller.ts";
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
    ["of what was asked only", did({ parameters: ["Pump", "LED"] }), { parameters: ["LED"], nodes: [] }],
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
    ["nothing of what was asked", did({ parameters: ["Pump"] }), { code: "ERR_PROTOCOL" }],
  ])("rejects: %s", async (_, says, error) => {
    await expect(site(says).control({ LED: true })).rejects.toMatchObject(error);
  });

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
    ["a value that is neither true nor false", { LED: 1 }, "values.LED: must be true or false"],
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
