// A Thing that asks other Things: where, with which tokens, and what is noted of them.
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { bareJid, parseJid } from "../../src/core/jid.ts";
import { buildSetResponse } from "../../src/codec/control.ts";
import { buildAccepted, buildFields, parseReq } from "../../src/codec/sensor-data.ts";
import { parseTokens, type Tokens } from "../../src/codec/tokens.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { IncomingRequest, carried } from "../../src/provisioning/incoming-request.ts";
import { SentTokens } from "../../src/provisioning/sent-tokens.ts";
import { Acting } from "../../src/thing/acting.ts";
import { scriptedChannel } from "../support/scripted-wire.ts";

const u2 = "u2@example.org/kitchen";
const caller = "caller@example.org/app";
const requestWith = (tokens: Tokens, from = caller): IncomingRequest => new IncomingRequest(parseJid(from), tokens);

function site(own: readonly string[] = []) {
  const { channel, clock, wire } = scriptedChannel();
  const sent = new SentTokens(clock);
  const searched: string[] = [];
  const whereabouts = {
    addressOf: (jid: string, feature: string) => {
      searched.push(`${jid} ${feature}`);
      return Promise.resolve(`${jid}/found`);
    },
  };
  const asked: XmlElement[] = [];
  const peer = (payload: XmlElement, _: string, to: string): XmlElement => {
    asked.push(payload);
    if (payload.is("set")) return buildSetResponse({ nodes: [], parameters: [] });
    const { seqnr } = parseReq(payload);
    wire.tell(to, buildFields({ seqnr, done: true, groups: [] }));
    return buildAccepted({ seqnr });
  };
  for (const one of [u2, "u2@example.org/found"]) wire.peer(one, peer);
  const acting = new Acting({ channel, whereabouts, sent, clock, ownTokens: () => own });
  const origins = (token: string, to = "u2@example.org"): (string | undefined)[] =>
    sent.challenged(token, bareJid(to)).map(({ from }) => from);
  return { acting, sent, asked, searched, origins };
}

describe.each(["read", "control"] as const)("a Thing that is to %s another one", (what) => {
  const act = (acting: Acting, to: string, options: { onBehalfOf?: IncomingRequest } = {}): Promise<unknown> =>
    what === "read" ? acting.read(to, options) : acting.control(to, { LED: true }, options);

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
    expect([asked, sent.size]).toEqual([[], 1]);
  });
});

it("a request says who sent it, and shows no token to whoever prints it", () => {
  const request = requestWith({ userToken: "secret" });
  expect(request.from).toBe(caller);
  expect(inspect(request, { showHidden: true, depth: 9 }) + JSON.stringify(request)).not.toContain("secret");
  expect(carried(request).tokens).toEqual({ userToken: "secret" });
});
