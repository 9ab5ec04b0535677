import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { HIDDEN, redact, redactText } from "../../src/connection/redact.ts";

const shown = (xml: string, secrets: string[] = []): string => redact(parseXml(xml), secrets).toString();

describe("a copy for people to see", () => {
  const sasl = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
  const iot = "xmlns='urn:xmpp:iot:provisioning'";
  it.each([
    ["SASL auth", `<auth ${sasl} mechanism='SCRAM-SHA-1'>S3CRET</auth>`, "SCRAM-SHA-1"],
    ["a challenge", `<challenge ${sasl}>S3CRET</challenge>`, "challenge"],
    ["a response", `<response ${sasl}>S3CRET</response>`, "response"],
    ["a success", `<success ${sasl}>S3CRET</success>`, "success"],
    ["a failure's text", `<failure ${sasl}><not-authorized/><text>S3CRET</text></failure>`, "not-authorized"],
    ["SASL under a prefix", `<x:auth xmlns:x='urn:ietf:params:xml:ns:xmpp-sasl'>S3CRET</x:auth>`, "auth"],
    ["SASL2", `<whatever xmlns='urn:xmpp:sasl:2' data='S3CRET'><a><b>S3CRET</b></a></whatever>`, "whatever"],
    [
      "an account's fields",
      "<iq type='set' id='1'><query xmlns='jabber:iq:register'><username>S3CRET</username><password>S3CRET</password><x>S3CRET</x></query></iq>",
      "username",
    ],
    [
      "an account's data form",
      "<iq type='set'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field var='secret-question'><value>S3CRET</value></field><field label='S3CRET'/></x></query></iq>",
      "secret-question",
    ],
    ["a data form's password elsewhere", "<x><field var='PassWord'><value>S3CRET</value></field></x>", "PassWord"],
    [
      "legacy logins",
      "<query xmlns='jabber:iq:auth'><password>S3CRET</password><digest>S3CRET</digest></query>",
      "digest",
    ],
    [
      "tokens of a request",
      "<req xmlns='urn:xmpp:iot:sensordata' seqnr='1' deviceToken='S3CRET' serviceToken='S3CRET' userToken='S3CRET'/>",
      'seqnr="1"',
    ],
    ["a token that is given", `<getTokenResponse ${iot} token='S3CRET'/>`, "getTokenResponse"],
    ["a certificate", `<getToken ${iot}>S3CRET</getToken>`, "getToken"],
    ["a challenge to get a token", `<getTokenChallenge ${iot} seqnr='1'>S3CRET</getTokenChallenge>`, "seqnr"],
    ["its response", `<getTokenChallengeResponse ${iot} seqnr='1'>S3CRET</getTokenChallengeResponse>`, "seqnr"],
    ["a challenge of a token", `<tokenChallenge ${iot} token='S3CRET'>S3CRET</tokenChallenge>`, "tokenChallenge"],
    ["the response to it", `<tokenChallengeResponse ${iot}>S3CRET</tokenChallengeResponse>`, "tokenChallengeResponse"],
    [
      "KEY",
      "<register xmlns='urn:xmpp:iot:discovery'><str name='SN' value='1'/><str name='KEY' value='S3CRET'/></register>",
      'value="1"',
    ],
    ["KEY as a number", "<mine><num name='key' value='S3CRET'/></mine>", "num"],
    [
      "KEY in odd clothes",
      "<mine><str name=' kEy ' value='S3CRET'>S3CRET</str><str value='S3CRET' name='Key'/></mine>",
      "str",
    ],
    [
      "KEY in a search",
      "<search><strEq name='KEY' value='S3CRET'/><strRange name='KEY' min='S3CRET' max='S3CRET'/></search>",
      "strRange",
    ],
    ["a claim text that somebody sends", "<message><body>IoTDisco;SN:1;KEY:S3CRET</body></message>", "body"],
    ["a claim text in an attribute", "<message><x url='http://x/?KEY=S3CRET'/></message>", "url"],
    [
      "what is named like a secret",
      "<a><apiKey>S3CRET</apiKey><b my-Secret='S3CRET'/><string name='WiFi password' value='S3CRET'/><c><credentials><d e='S3CRET'>S3CRET</d></credentials></c></a>",
      "WiFi password",
    ],
    ["the hash of what is known", "<c xmlns='x' hash='S3CRET' ver='1'/>", "ver"],
    ["an id inside what is secret", "<token id='S3CRET' to='S3CRET'/>", "token"],
  ])("hides %s, and shows the rest", (_what, xml, rest) => {
    expect(xml).toContain("S3CRET");
    expect(shown(xml)).not.toContain("S3CRET");
    expect(shown(xml)).toContain(HIDDEN);
    expect(shown(xml)).toContain(rest);
  });

  it.each([
    "<message to='a@b/c'><fields xmlns='urn:xmpp:iot:sensordata' seqnr='1' done='true'><node nodeId='x'><timestamp value='2013'><numeric name='Temperature' value='21.5'/></timestamp></node></fields></message>",
    "<iq type='result' id='1' from='a@b'><canReadResponse xmlns='urn:xmpp:iot:provisioning' jid='a@b' result='true'/></iq>",
    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism></mechanisms>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>",
    "<register xmlns='urn:xmpp:iot:discovery'><str name='MAN' value='example.org'/><num name='V' value='1'/></register>",
    "<message><body>\n  hello\n</body></message>",
  ])("shows what is no secret: %s", (xml) => {
    expect(redact(parseXml(xml)).toString()).toBe(parseXml(xml).toString());
  });

  it("hides what it was told of, wherever it stands", () => {
    const xml = "<message to='a@b/hunter2' x='1 hunter2 &amp; 2'><body>it is hunter2, and p&lt;q</body></message>";
    expect(shown(xml, ["hunter2", "p<q", ""])).toBe(
      `<message to="a@b/${HIDDEN}" x="1 ${HIDDEN} &amp; 2"><body>it is ${HIDDEN}, and ${HIDDEN}</body></message>`,
    );
    expect(redactText("not hunter2", ["hunter2"])).toBe(`not ${HIDDEN}`);
    expect(redactText("SN:1;KEY:x")).toBe(HIDDEN);
  });

  it("takes whatever a stanza may be, changes nothing in it, and shows nothing secret", () => {
    const secret = "S3CRET-4711";
    const name = fc.constantFrom(
      "iq",
      "str",
      "auth",
      "token",
      "x:key",
      "query",
      "field",
      "__proto__",
      "constructor",
      "a",
    );
    const attributes = fc.dictionary(
      fc.oneof(fc.constantFrom("name", "var", "value", "xmlns", "type", "token", "__proto__", "xmlns:x"), fc.string()),
      fc.oneof(
        fc.string(),
        fc.constantFrom("KEY", "password", "jabber:iq:register", "urn:ietf:params:xml:ns:xmpp-sasl", secret),
      ),
    );
    const { tree } = fc.letrec<{ tree: XmlElement }>((tie) => ({
      tree: fc
        .tuple(
          name,
          attributes,
          fc.array(fc.oneof({ depthSize: "small" }, fc.string(), fc.constant(secret), tie("tree")), { maxLength: 4 }),
        )
        .map(([tag, attrs, children]) => el(tag, attrs, ...children)),
    }));
    fc.assert(
      fc.property(tree, (element) => {
        const before = element.toString();
        const copy = redact(element, [secret]);
        expect(element.toString()).toBe(before);
        expect(copy).not.toBe(element);
        // Names are not values; what is in them nobody but their maker has put there.
        const values = (one: XmlElement): string[] => [
          ...Object.values(one.attrs).map(String),
          ...one.children.flatMap((child) => (typeof child === "string" ? [child] : values(child))),
        ];
        expect(values(copy).filter((value) => value.includes(secret))).toEqual([]);
      }),
    );
  });

  it("takes what nests deeply, and what is broken inside", () => {
    let deep = el("a", {}, "S3CRET");
    for (let depth = 0; depth < 20_000; depth++) deep = el("a", {}, deep);
    expect(redact(deep).toString()).not.toContain("S3CRET");
    const broken = el("a");
    Object.defineProperty(broken, "children", {
      get: () => {
        throw new Error("S3CRET");
      },
    });
    expect(redact(broken).toString()).toBe("<unreadable/>");
  });
});
