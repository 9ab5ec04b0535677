// A Thing that asks other Things: where, with which tokens, and what is noted of them.
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { sleep } from "../../src/core/abort.ts";
import { bareJid, parseJid } from "../../src/core/jid.ts";
import { buildSetResponse } from "../../src/codec/control.ts";
import { buildAccepted, buildFailure, buildFields, parseReq } from "../../src/codec/sensor-data.ts";
import { buildError } from "../../src/codec/stanza.ts";
import { parseTokens, type Tokens } from "../../src/codec/tokens.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { IncomingRequest, carried } from "../../src/provisioning/incoming-request.ts";
import { SentTokens } from "../../src/provisioning/sent-tokens.ts";
import { Acting } from "../../src/thing/acting.ts";
import { scriptedChannel, settled } from "../support/scripted-wire.ts";

const u2 = "u2@example.org/kitchen";
const caller = "caller@example.org/app";
const requestWith = (tokens: Tokens, from = caller): IncomingRequest => new IncomingRequest(parseJid(from), tokens);

function site(own: readonly string[] = [], findingTakes = 0) {
  const { channel, clock, wire } = scriptedChannel();
  const sent = new SentTokens(clock);
  const searched: string[] = [];
  const whereabouts = {
    addressOf: async (jid: string, feature: string) => {
      searched.push(`${jid} ${feature}`);
      if (findingTakes > 0) await sleep(clock, findingTakes);
      return `${jid}/found`;
    },
  };
  const asked: XmlElement[] = [];
  const peer = (payload: XmlElement, _: string, to: string): XmlElement => {
    asked.push(payload);
    if (payload.is("set")) return buildSetResponse({ nodes: [], parameters: [] });
    if (payload.is("getForm")) return parseXml("<x xmlns='jabber:x:data' type='form'><title>Lamp</title></x>");
    const { seqnr } = parseReq(payload);
    wire.tell(to, buildFields({ seqnr, done: true, groups: [] }));
    return buildAccepted({ seqnr });
  };
  for (const one of [u2, "u2@example.org/found"]) wire.peer(one, peer);
  const acting = new Acting({ channel, whereabouts, sent, clock, ownTokens: () => own });
  const origins = (token: string, to = "u2@example.org"): (string | undefined)[] =>
    sent.challenged(token, bareJid(to)).map(({ from }) => from);
  return { acting, sent, asked, searched, origins, wire, clock };
}

describe.each(["read", "control", "getForm"] as const)("a Thing that is to %s another one", (what) => {
  const act = (acting: Acting, to: string, options: { onBehalfOf?: IncomingRequest } = {}): Promise<unknown> =>
    what === "control" ? acting.control(to, { LED: true }, options) : Promise.resolve(acting[what](to, options));

  it("P-5.6-2, P-3.1.5-2, X-E7: sends its device tokens, all of them, divided by a blank; and notes them as its own", async () => {
    const { acting, asked, origins } = site(["one", "two"]);
    await act(acting, u2);
    expect(asked.map(parseTokens)).toEqual([{ deviceToken: "one two" }]);
    expect([origins("one"), origins("two"), origins("one two"), origins("one", "u3@example.org")]).toEqual([
      [undefined],
      [undefined],
      [],
      [],
    ]);
  });

  it("sends no token when it has none", async () => {
    const { acting, asked, sent } = site();
    await act(acting, u2);
    await act(acting, u2, { onBehalfOf: requestWith({}) });
    expect(asked.map(parseTokens)).toEqual([{}, {}]);
    expect(sent.size).toBe(0);
  });

  it("P-5.6-2, P-3.1.3-3, P-3.1.3-7: within somebody's action passes on the tokens of the request beside its own, and notes where they came from", async () => {
    const { acting, asked, origins } = site(["mine"]);
    const tokens = { serviceToken: "s1  s2", deviceToken: "d", userToken: " u\t" };
    await act(acting, u2, { onBehalfOf: requestWith(tokens) });
    expect(asked.map(parseTokens)).toEqual([{ serviceToken: "s1 s2", deviceToken: "mine d", userToken: "u" }]);
    expect(origins("mine")).toEqual([undefined]);
    for (const token of ["s1", "s2", "d", "u"]) expect(origins(token)).toEqual([caller]);
  });

  it("answers itself for a token of its own that somebody has sent it", async () => {
    const { acting, asked, origins } = site(["mine"]);
    await act(acting, u2, { onBehalfOf: requestWith({ userToken: "mine u", deviceToken: "mine" }) });
    expect(asked.map(parseTokens)).toEqual([{ deviceToken: "mine", userToken: "u" }]);
    expect([origins("mine"), origins("u")]).toEqual([[undefined], [caller]]);
  });

  it("finds a bare JID by its presence, and takes a full one as it is", async () => {
    const { acting, asked, searched } = site();
    await act(acting, "u2@example.org");
    await act(acting, u2);
    expect(searched).toEqual([`u2@example.org urn:xmpp:iot:${what === "read" ? "sensordata" : "control"}`]);
    expect(asked).toHaveLength(2);
  });

  it("says ERR_CONFIG for what is no JID, and for what is no request", async () => {
    const { acting, asked, sent } = site(["mine"]);
    await expect(act(acting, "no jid@@")).rejects.toMatchObject({ code: "ERR_CONFIG" });
    for (const wrong of [{ from: caller, tokens: { userToken: "u" } }, null, "request"]) {
      const onBehalfOf = wrong as unknown as IncomingRequest;
      await expect(act(acting, u2, { onBehalfOf })).rejects.toMatchObject({ code: "ERR_CONFIG" });
    }
    expect([asked, sent.size]).toEqual([[], 0]);
  });

  it.each<[string, object, string]>([
    ["a misspelt onBehalfOf", { onbehalfof: requestWith({}) }, '"onbehalfof"; there are onBehalfOf, '],
    ["an onBehalfOf that is there without a value", { onBehalfOf: undefined }, "onBehalfOf: must be the `request`"],
    ["tokens of its own choice", { tokens: { userToken: "u" } }, 'options: there is no option "tokens"'],
    ["a time that is none", { timeout: "30s" }, "timeout: must be a number of milliseconds"],
    ["a time that is no number", { timeout: NaN }, "timeout: must be a number of milliseconds"],
    ["a signal that is none", { signal: new AbortController() }, "signal: must be an AbortSignal"],
    ["one node", { nodes: { nodeId: "meter1" } }, "nodes: must be a list"],
    ["a text for a node", { nodes: [{ nodeId: "a" }, "meter1"] }, "nodes[1]: must be an object"],
    ["a node that is nothing", { nodes: [null] }, "nodes[0]: must be an object"],
    ["a source that is no text", { nodes: [{ nodeId: "a", sourceId: 7 }] }, "nodes[0]: must be an object"],
    ["no object for the options", ["LED"], "options: must be an object"],
  ])("says ERR_CONFIG for %s, and asks nobody", async (_, options, message) => {
    const { acting, asked, searched, sent } = site(["mine"]);
    const wrong = { code: "ERR_CONFIG", message: expect.stringContaining(message) as unknown };
    await expect(act(acting, "u2@example.org", options)).rejects.toMatchObject(wrong);
    expect([asked, searched, sent.size]).toEqual([[], [], 0]);
  });

  it("takes whatever a node may hold, a time and a signal", async () => {
    const { acting, asked } = site();
    const nodes = [{ nodeId: "a", sourceId: "s", cacheType: "c" }];
    await act(acting, u2, { nodes, timeout: 1_000, signal: new AbortController().signal } as object);
    expect(asked).toHaveLength(1);
  });
});

it.each<[string, object, string]>([
  ["a text for the fields", { fields: "Power" }, "fields: must be a list of texts"],
  ["a field without a name", { fields: ["Power", ""] }, "fields[1]: must be a text"],
  [
    "a kind of field that there is not",
    { types: ["momentary", "now"] },
    'types[1]: there is no "now"; there are momentary, ',
  ],
  ["a text for the kinds", { types: "momentary" }, 'types: must be a list, ["momentary"]'],
  ["no kind at all", { types: [] }, 'types: must be a list, ["momentary"]'],
  ["a misspelt option", { field: ["Power"] }, "; did you mean fields?"],
])("a Thing that is to read %s is told ERR_CONFIG", async (_, options, message) => {
  const { acting, asked } = site();
  const wrong = { code: "ERR_CONFIG", message: expect.stringContaining(message) as unknown };
  await expect(acting.read(u2, options)).rejects.toMatchObject(wrong);
  expect(asked).toEqual([]);
});

it.each<[string, unknown, string]>([
  ["nothing", undefined, "values: must be an object, { LED: true }"],
  ["a list of names", ["LED"], "values[0]: must be an object, { name, type, value }"],
  ["no value", {}, "values: name at least one parameter"],
  ["a function", { LED: () => true }, "values.LED: must be true, false, a number"],
])("a Thing that is to set %s is told ERR_CONFIG before anybody is looked for", async (_, values, message) => {
  const { acting, searched } = site();
  const wrong = { code: "ERR_CONFIG", message: expect.stringContaining(message) as unknown };
  await expect(acting.control("u2@example.org", values as { LED: boolean }, {})).rejects.toMatchObject(wrong);
  expect(searched).toEqual([]);
});

it("a request says who sent it, and shows no token to whoever prints it", () => {
  const request = requestWith({ userToken: "secret" });
  expect(request.from).toBe(caller);
  expect(inspect(request, { showHidden: true, depth: 9 }) + JSON.stringify(request)).not.toContain("secret");
  expect(carried(request).tokens).toEqual({ userToken: "secret" });
});

describe("what another Thing says of the tokens that it was sent", () => {
  const secret = "callers-secret";
  const onBehalfOf = requestWith({ userToken: `${secret} another-one` });
  const failed = async (doing: Promise<unknown>): Promise<unknown> => {
    const error: unknown = await doing.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(inspect(error, { depth: 9 })).not.toMatch(/callers-secret|another-one|mine-own/);
    return error;
  };

  it("is not in the error that a program may log, or let come to a fault", async () => {
    const { acting, wire } = site(["mine-own"]);
    const text = `No ${secret}, no mine-own.`;
    const parameters = [{ name: "LED", text: "not for another-one" }];
    wire.peer(u2, () => buildError({ condition: "forbidden", type: "auth", text, parameters }));
    const hidden = { code: "ERR_STANZA", condition: "forbidden", type: "auth", text: "No (hidden), no (hidden)." };
    expect(await failed(acting.read(u2, { onBehalfOf }))).toMatchObject(hidden);
    expect(await failed(acting.getForm(u2, { onBehalfOf }))).toMatchObject(hidden);
    expect(await failed(acting.control(u2, { LED: true }, { onBehalfOf }))).toMatchObject({
      ...hidden,
      parameters: [{ name: "LED", text: "not for (hidden)" }],
    });
  });

  it("nor in that of a readout that fails", async () => {
    const { acting, wire } = site();
    wire.peer(u2, (payload) => {
      const { seqnr } = parseReq(payload);
      const problem = { node: { nodeId: "" }, timestamp: "2026-01-01T00:00:00Z", text: `token ${secret}` };
      wire.tell(u2, buildFailure({ seqnr, done: true, errors: [problem] }));
      return buildAccepted({ seqnr });
    });
    expect(await failed(acting.read(u2, { onBehalfOf }))).toMatchObject({
      code: "ERR_PROTOCOL",
      path: "failure",
      message: "the Thing could not read: token (hidden) (at failure)",
    });
  });

  it("is told as it is where no token is in it", async () => {
    const { acting, wire } = site();
    wire.peer(u2, () => buildError({ condition: "forbidden", type: "auth", text: "Not you." }));
    expect(await failed(acting.read(u2, { onBehalfOf }))).toMatchObject({ text: "Not you." });
    wire.peer(u2, () => "silent");
    const ended = AbortSignal.abort(new Error("ended"));
    expect(await failed(acting.read(u2, { onBehalfOf, signal: ended }))).toMatchObject({ message: "ended" });
  });
});

describe.each(["control", "getForm"] as const)("a Thing that is to %s another one in a limited time", (what) => {
  it("takes it for finding the Thing and for its answer together", async () => {
    const { acting, clock, asked, wire } = site([], 20_000);
    wire.peer("u2@example.org/found", (payload) => {
      asked.push(payload);
      return new Promise<never>(() => undefined); // it does not answer
    });
    const limit = { timeout: 30_000 };
    const acted =
      what === "control"
        ? acting.control("u2@example.org", { LED: true }, limit)
        : acting.getForm("u2@example.org", limit);
    let end: unknown;
    acted.catch((error: unknown) => (end = error));
    await clock.advance(20_000);
    await settled();
    expect(asked).toHaveLength(1);
    await clock.advance(9_999);
    await settled();
    expect(end).toBeUndefined();
    await clock.advance(1);
    await settled();
    expect(end).toMatchObject({ code: "ERR_TIMEOUT" });
  });
});
