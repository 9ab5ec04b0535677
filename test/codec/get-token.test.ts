import { describe, expect, it } from "vitest";
import * as codec from "../../src/codec/get-token.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { stanzaErrorOf } from "../../src/codec/stanza.ts";
import * as challenged from "../../src/codec/token-challenge.ts";
import { parseXml } from "../../src/codec/xml.ts";
import * as some from "./arbitraries.ts";
import { anyElement, isTotal, refuses, roundTrips, thrownBy } from "./laws.ts";

const inNamespace = (text: string): string => text.replace(/^<(\w+)/, `<$1 xmlns='${ns.provisioning}'`);
const of = (text: string) => parseXml(inNamespace(text));
const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

describe("the elements that get a token (XEP-0324 3.1.3.1), and those that challenge one (3.1.3.2)", () => {
  it("P-3.1.3-10, P-3.1.3-12, P-3.1.3-20: are read as they were written", () => {
    roundTrips(some.getToken, codec.buildGetToken, codec.parseGetToken);
    roundTrips(some.getTokenChallenge, codec.buildGetTokenChallenge, codec.parseGetTokenChallenge);
    roundTrips(
      some.getTokenChallengeResponse,
      codec.buildGetTokenChallengeResponse,
      codec.parseGetTokenChallengeResponse,
    );
    roundTrips(some.getTokenResponse, codec.buildGetTokenResponse, codec.parseGetTokenResponse);
    roundTrips(some.tokenChallenge, challenged.buildTokenChallenge, challenged.parseTokenChallenge);
    roundTrips(
      some.tokenChallengeResponse,
      challenged.buildTokenChallengeResponse,
      challenged.parseTokenChallengeResponse,
    );
  });

  it.each([
    ["getToken", codec.parseGetToken],
    ["getTokenChallenge", codec.parseGetTokenChallenge],
    ["getTokenChallengeResponse", codec.parseGetTokenChallengeResponse],
    ["tokenChallenge", challenged.parseTokenChallenge],
    ["tokenChallengeResponse", challenged.parseTokenChallengeResponse],
  ] as const)("are read whole or not at all: %s", (name, parse) => {
    const attributes = { seqnr: "7", token: "T" };
    const elements = anyElement(name, ns.provisioning).map((element) => {
      // Every other one has what it needs, so that something is read at all.
      if (element.children.length > 2) return element;
      return of(`<${name} seqnr='${attributes.seqnr}' token='${attributes.token}'>AAAA</${name}>`);
    });
    isTotal(elements, parse as (element: ReturnType<typeof of>) => unknown);
  });

  it("P-E12: base-64 is taken with white space in it, and written without", () => {
    const spread = of("<getToken>\n  AAEC\r\n\tAw=\n=\n</getToken>");
    expect(codec.parseGetToken(spread)).toEqual({ certificate: bytes(0, 1, 2, 3) });
    const long = codec.buildGetToken({ certificate: new Uint8Array(1_000) }).text();
    expect(long).toMatch(/^[A-Za-z0-9+/]+=*$/);
  });

  it("what was read is its own memory", () => {
    const { challenge } = codec.parseGetTokenChallenge(of("<getTokenChallenge seqnr='1'>AAEC</getTokenChallenge>"));
    expect(challenge.buffer.byteLength).toBe(3);
  });

  it.each([
    "A===",
    "AA=A",
    "AA",
    "AAA",
    "AAAAA",
    "AB==", // bits that say nothing
    "AAB=",
    "AA==AAAA",
    "AA-_",
    "AAA\u00a0A",
    "AAA\u2003A",
    "\u{1F321}",
    "BASE-64 ENCODED CHALLENGE",
  ])("is no base-64: %s", (text) => {
    refuses(
      challenged.parseTokenChallengeResponse,
      inNamespace(`<tokenChallengeResponse>${text}</tokenChallengeResponse>`),
      "tokenChallengeResponse",
    );
  });

  it.each([
    [codec.parseGetToken, "<getToken/>", "getToken"],
    [codec.parseGetToken, "<getToken> </getToken>", "getToken"],
    [codec.parseGetToken, "<getTokenChallenge seqnr='1'>AAAA</getTokenChallenge>", "getTokenChallenge"],
    [codec.parseGetTokenChallenge, "<getTokenChallenge>AAAA</getTokenChallenge>", "getTokenChallenge/@seqnr"],
    [
      codec.parseGetTokenChallenge,
      "<getTokenChallenge seqnr='one'>AAAA</getTokenChallenge>",
      "getTokenChallenge/@seqnr",
    ],
    [
      codec.parseGetTokenChallenge,
      "<getTokenChallenge seqnr='2147483648'>AAAA</getTokenChallenge>",
      "getTokenChallenge/@seqnr",
    ],
    [codec.parseGetTokenChallenge, "<getTokenChallenge seqnr='1'/>", "getTokenChallenge"],
    [
      codec.parseGetTokenChallengeResponse,
      "<getTokenChallengeResponse>AAAA</getTokenChallengeResponse>",
      "getTokenChallengeResponse/@seqnr",
    ],
    [codec.parseGetTokenResponse, "<getTokenResponse/>", "getTokenResponse/@token"],
    [challenged.parseTokenChallenge, "<tokenChallenge>AAAA</tokenChallenge>", "tokenChallenge/@token"],
    [challenged.parseTokenChallenge, "<tokenChallenge token='T'/>", "tokenChallenge"],
    [challenged.parseTokenChallengeResponse, "<tokenChallengeResponse/>", "tokenChallengeResponse"],
  ] as const)("P-3.1.3-26: is refused when it is broken: %#", (parse, xml, path) => {
    refuses(parse, inNamespace(xml), path);
  });

  it("P-3.1.3-14: a client refuses a token that is empty or holds white space", () => {
    for (const token of ["", " ", "A B", "A&#9;B", "A&#10;", "A\u00a0B"]) {
      refuses(
        codec.parseGetTokenResponse,
        inNamespace(`<getTokenResponse token='${token}'/>`),
        "getTokenResponse/@token",
      );
    }
  });

  it("are nothing without the element, or in another namespace", () => {
    expect(thrownBy(() => codec.parseGetTokenResponse(undefined))).toMatchObject({ code: "ERR_PROTOCOL", path: "" });
    refuses(codec.parseGetToken, "<getToken>AAAA</getToken>", "getToken");
  });

  it.each([
    ["modify", "bad-request", "<error type='modify'>"],
    ["cancel", "item-not-found", "<error type='cancel'>"],
    ["cancel", "item-not-found", "<error type='cancel' xmlns=''>"],
  ])("P-E2: an error in a result is that error, never a success: %s, %s, %s", (type, condition, error) => {
    for (const stanza of ["<iq xmlns='jabber:client' type='result' id='5'>", "<iq type='result' id='5'>"]) {
      const answer = parseXml(`${stanza}${error}<${condition} xmlns='${ns.stanzas}'/></error></iq>`);
      expect(stanzaErrorOf(answer, "p.example.org")).toMatchObject({ type, condition });
    }
  });
});
