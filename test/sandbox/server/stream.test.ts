import { createSecureContext, type SecureContext } from "node:tls";
import { setImmediate } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { makeCertificates, type Certificates } from "../../../src/sandbox/certificates.ts";
import { MOST_STANZA_BYTES } from "../../../src/sandbox/server/limits.ts";
import { ClientStream } from "../../../src/sandbox/server/stream.ts";
import { SeededRandom } from "../../../src/sandbox/seeded-random.ts";
import { duplexPair } from "./duplex-pair.ts";
import { RawClient, base64, plain } from "./raw-client.ts";
import { World } from "./world.ts";

const STREAMS = "urn:ietf:params:xml:ns:xmpp-streams";
const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
const BIND = "urn:ietf:params:xml:ns:xmpp-bind";
let certificates: Certificates;
let secureContext: SecureContext;

beforeAll(async () => {
  const world = new World();
  certificates = await makeCertificates("localhost", world.clock);
  secureContext = createSecureContext({ key: certificates.key, cert: certificates.certificate });
});

/** A domain and a client connected to it, in memory. */
class Connected extends World {
  readonly client: RawClient;
  readonly stream: ClientStream;
  ends = 0;

  constructor(pieces?: number) {
    super();
    const [near, far] = duplexPair(pieces);
    const random = new SeededRandom("stream");
    this.stream = new ClientStream(far, {
      domain: this.domain,
      secureContext,
      clock: this.clock,
      random,
      onClosed: () => this.ends++,
    });
    this.client = new RawClient(near);
  }

  static async secure(): Promise<Connected> {
    const connected = new Connected();
    await connected.client.startTls(certificates.ca);
    await connected.client.open();
    return connected;
  }

  static async online(user = "alice", resource = "r"): Promise<Connected> {
    const connected = new Connected();
    await connected.client.login(certificates.ca, user, `${user}'s secret`, resource);
    return connected;
  }

  /** The stream error that ends the connection. */
  async error(): Promise<string | undefined> {
    const [, condition] = await this.client.until(/<stream:error><([\w-]+) xmlns="[^"]*"[^]*<\/stream:stream>/);
    await this.client.untilClosed();
    expect(this.ends).toBe(1);
    return condition;
  }
}

const HEADER =
  "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>";

test("before TLS there is STARTTLS, required, and nothing else (RFC 6120 5.3.1)", async () => {
  const { client } = new Connected();
  const text = await client.open();
  expect(text).toMatch(
    /^<stream:stream xmlns="jabber:client" xmlns:stream="http:\/\/etherx.jabber.org\/streams" id="[\w-]{22}" from="localhost" version="1.0" xml:lang="en">/,
  );
  expect(text.slice(text.indexOf("<stream:features>"))).toBe(
    `<stream:features><starttls xmlns="urn:ietf:params:xml:ns:xmpp-tls"><required/></starttls></stream:features>`,
  );
  client.destroy();
});

test("inside TLS there are the mechanisms, what they can be bound to, and registration, and after them binding", async () => {
  const { client } = new Connected();
  await client.startTls(certificates.ca);
  expect(await client.open()).toContain(
    `<stream:features><mechanisms xmlns="${SASL}">${["SHA-512-PLUS", "SHA-256-PLUS", "SHA-1-PLUS", "SHA-512", "SHA-256", "SHA-1"].map((hash) => `<mechanism>SCRAM-${hash}</mechanism>`).join("")}<mechanism>PLAIN</mechanism></mechanisms><sasl-channel-binding xmlns="urn:xmpp:sasl-cb:0"><channel-binding type="tls-exporter"/><channel-binding type="tls-server-end-point"/></sasl-channel-binding><register xmlns="http://jabber.org/features/iq-register"/></stream:features>`,
  );
  expect(await client.scram("sha1", "alice", "alice's secret")).toMatch(/^<success/);
  expect(await client.open()).toContain(
    `<stream:features><bind xmlns="${BIND}"/><session xmlns="urn:ietf:params:xml:ns:xmpp-session"><optional/></session><sm xmlns="urn:xmpp:sm:3"/></stream:features>`,
  );
  client.destroy();
});

test("every stream has an id of its own, and knows whom it is for (RFC 6120 4.7.2, 4.7.3)", async () => {
  const connected = new Connected();
  const { client } = connected;
  const first = await client.open();
  client.destroy();
  const other = new Connected();
  other.client.send(HEADER.replace("to=", "from='alice@localhost/&quot;x' to="));
  const [second] = await other.client.until(/<stream:stream [^>]*>/);
  expect(second).toContain(`to="alice@localhost"`);
  expect(/ id="([^"]*)"/.exec(first)![1]).toMatch(/^[\w-]{22}$/);
  other.client.destroy();
});

test.each([
  ["host-unknown", HEADER.replace("localhost", "elsewhere.example")],
  ["host-unknown", HEADER.replace("localhost", "alice@localhost")],
  ["improper-addressing", HEADER.replace("to='localhost'", "")],
  ["improper-addressing", HEADER.replace("localhost", "")],
  ["invalid-namespace", HEADER.replace("jabber:client", "jabber:server")],
  ["invalid-namespace", HEADER.replace("etherx", "other")],
  ["invalid-namespace", "<iq xmlns='jabber:client'>"],
  ["unsupported-version", HEADER.replace("version='1.0'", "")],
  ["unsupported-version", HEADER.replace("1.0", "0.9")],
  ["not-well-formed", "<stream:stream>"],
  ["bad-format", "GET / HTTP/1.1\r\n\r\n"],
  ["restricted-xml", "<!DOCTYPE x>"],
  ["policy-violation", "<x " + "y".repeat(MOST_STANZA_BYTES)],
])(
  "a beginning that is wrong ends with %s, inside a stream of the server (RFC 6120 4.9.1.2)",
  async (condition, text) => {
    const connected = new Connected();
    connected.client.send(text);
    expect(await connected.error()).toBe(condition);
    expect(connected.client.all).toMatch(/^<\?xml version="1.0"\?><stream:stream [^>]* id="[^"]+"[^>]*><stream:error>/);
    expect(connected.client.all).toContain(`<${condition} xmlns="${STREAMS}"/>`);
  },
);

test.each([
  ["not-authorized", "<message to='bob@localhost'/>"],
  ["not-authorized", "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>"],
  ["unsupported-stanza-type", "<what xmlns='urn:example'/>"],
  ["not-well-formed", "<a></b>"],
])("before TLS nothing is worked on: %s", async (condition, text) => {
  const connected = new Connected();
  await connected.client.open();
  connected.client.send(text);
  expect(await connected.error()).toBe(condition);
});

test("credentials in clear are refused with encryption-required, even right ones (RFC 6120 6.5.4)", async () => {
  const connected = new Connected();
  await connected.client.open();
  for (const mechanism of ["PLAIN", "SCRAM-SHA-1"]) {
    expect(await connected.client.auth(mechanism, plain("alice", "alice's secret"))).toBe(
      `<failure xmlns="${SASL}"><encryption-required/></failure>`,
    );
  }
  connected.client.destroy();
});

test("what somebody put in clear behind the request for TLS is thrown away", async () => {
  const registration =
    "<iq type='set' id='1'><query xmlns='jabber:iq:register'><username>mallory</username><password>x</password></query></iq>";
  for (const injected of [registration, HEADER + registration]) {
    const connected = new Connected();
    const { client } = connected;
    await client.open();
    client.send(`<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>${injected}`);
    await client.until(/<proceed [^>]*\/>$/);
    await client.secure(certificates.ca);
    await client.open();
    expect(connected.domain.hasAccount("mallory")).toBe(false);
    client.destroy();
  }
});

test("a client that does not trust the CA is told nothing", async () => {
  const connected = new Connected();
  const other = await makeCertificates("localhost", connected.clock);
  await expect(connected.client.startTls(other.ca)).rejects.toMatchObject({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  await connected.client.untilClosed();
  expect(connected.client.all).not.toContain("mechanism");
});

test("what is no TLS inside TLS ends the connection", async () => {
  const connected = new Connected();
  await connected.client.open();
  connected.client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  await connected.client.until(/<proceed [^>]*\/>/);
  connected.client.send(HEADER);
  await connected.client.untilClosed();
  expect(connected.ends).toBe(1);
});

test.each(["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"] as const)("%s leads to a bound resource", async (mechanism) => {
  const connected = await Connected.secure();
  const { client } = connected;
  const answer =
    mechanism === "PLAIN"
      ? await client.auth("PLAIN", plain("alice", "alice's secret"))
      : await client.scram(mechanism === "SCRAM-SHA-1" ? "sha1" : "sha256", "alice", "alice's secret");
  expect(answer).toMatch(/^<success/);
  await client.open();
  client.send(`<iq type='set' id='b'><bind xmlns='${BIND}'><resource>device</resource></bind></iq>`);
  const [bound] = await client.until(/<iq [^]*?<\/iq>/);
  expect(bound).toBe(
    `<iq xmlns="jabber:client" type="result" id="b"><bind xmlns="${BIND}"><jid>alice@localhost/device</jid></bind></iq>`,
  );
  client.send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
  expect((await client.until(/<iq [^>]*>/))[0]).toContain(
    `type="result" id="p" from="localhost" to="alice@localhost/device"`,
  );
  client.destroy();
});

test("without a resource the server makes one; what cannot be one is a bad request (RFC 6120 7.6, 7.7)", async () => {
  const connected = await Connected.secure();
  const { client } = connected;
  await client.scram("sha256", "alice", "alice's secret");
  await client.open();
  client.send(`<iq type='set' id='1'><bind xmlns='${BIND}'><resource>${"x".repeat(2_000)}</resource></bind></iq>`);
  await client.until(/id="1"[^]*<bad-request /);
  client.send(`<iq type='set' id='2'><bind xmlns='${BIND}'/></iq>`);
  expect((await client.until(/<jid>(.*)<\/jid>/))[1]).toMatch(/^alice@localhost\/[\w-]{22}$/);
  client.destroy();
});

test("too many sessions of an account are refused (RFC 6120 7.6.2.1)", async () => {
  const connected = await Connected.secure();
  for (let count = 0; count < 100; count++) connected.bind("alice");
  await connected.client.scram("sha256", "alice", "alice's secret");
  await connected.client.open();
  connected.client.send(`<iq type='set' id='1'><bind xmlns='${BIND}'/></iq>`);
  await connected.client.until(/type="error"[^]*<resource-constraint /);
  connected.client.destroy();
});

test.each([
  ["a message", "<message to='bob@localhost'/>"],
  ["another IQ", "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"],
  ["a question about binding", `<iq type='get' id='1'><bind xmlns='${BIND}'/></iq>`],
])("before binding %s ends the stream (RFC 6120 7.1)", async (_, stanza) => {
  const connected = await Connected.secure();
  await connected.client.scram("sha256", "alice", "alice's secret");
  await connected.client.open();
  connected.client.send(stanza);
  expect(await connected.error()).toBe("not-authorized");
});

test("what is no stanza before binding ends the stream too", async () => {
  const connected = await Connected.secure();
  await connected.client.scram("sha256", "alice", "alice's secret");
  await connected.client.open();
  connected.client.send(`<auth xmlns='${SASL}' mechanism='PLAIN'/>`);
  expect(await connected.error()).toBe("unsupported-stanza-type");
});

test("an account that is gone by the time of binding is not authorized", async () => {
  const connected = await Connected.secure();
  await connected.client.scram("sha256", "alice", "alice's secret");
  await connected.client.open();
  connected.domain.removeAccount("alice");
  connected.client.send(`<iq type='set' id='1'><bind xmlns='${BIND}'/></iq>`);
  expect(await connected.error()).toBe("not-authorized");
});

test("after a failure there is room to register on the same stream and to try again", async () => {
  const { client } = await Connected.secure();
  expect(await client.scram("sha256", "dave", "fresh")).toBe(`<failure xmlns="${SASL}"><not-authorized/></failure>`);
  client.send("<iq type='get' id='f' to='localhost'><query xmlns='jabber:iq:register'/></iq>");
  await client.until(/id="f"[^]*<username\/><password\/><\/query><\/iq>/);
  const set =
    "<iq type='set' id='s'><query xmlns='jabber:iq:register'><username>dave</username><password>fresh</password></query></iq>";
  client.send(set);
  await client.until(/<iq [^>]*type="result"[^>]*id="s"[^>]*\/>/);
  client.send(set);
  await client.until(/<iq [^>]*type="error"[^]*<conflict /);
  expect(await client.scram("sha256", "dave", "fresh")).toMatch(/^<success/);
  client.destroy();
});

test("after five failures the stream ends", async () => {
  const connected = await Connected.secure();
  for (let tries = 0; tries < 5; tries++) {
    expect(await connected.client.auth("PLAIN", plain("alice", "wrong"))).toContain("not-authorized");
  }
  expect(await connected.error()).toBe("policy-violation");
});

test("failures of SASL say what is wrong (RFC 6120 6.5)", async () => {
  const cases: readonly (readonly [string, string])[] = [
    [`<auth xmlns='${SASL}' mechanism='ANONYMOUS'/>`, "invalid-mechanism"],
    [`<auth xmlns='${SASL}'/>`, "invalid-mechanism"],
    [`<auth xmlns='${SASL}' mechanism='PLAIN'>???</auth>`, "incorrect-encoding"],
    [`<auth xmlns='${SASL}' mechanism='PLAIN'>=</auth>`, "malformed-request"],
    [`<response xmlns='${SASL}'/>`, "malformed-request"],
    [`<what xmlns='${SASL}'/>`, "malformed-request"],
    [`<abort xmlns='${SASL}'/>`, "aborted"],
  ];
  for (const [sent, condition] of cases) {
    const { client } = await Connected.secure();
    client.send(sent);
    expect([sent, await client.saslAnswer()]).toEqual([sent, `<failure xmlns="${SASL}"><${condition}/></failure>`]);
    client.destroy();
  }
});

test("a mechanism without an initial response is asked for it (RFC 6120 6.4.2)", async () => {
  const { client } = await Connected.secure();
  expect(await client.auth("PLAIN", "")).toBe(`<challenge xmlns="${SASL}"/>`);
  client.send(`<response xmlns='${SASL}'>${plain("alice", "alice's secret")}</response>`);
  expect(await client.saslAnswer()).toBe(`<success xmlns="${SASL}"/>`);
  client.destroy();
});

test("a try that was aborted is over", async () => {
  const { client } = await Connected.secure();
  expect(await client.auth("SCRAM-SHA-1", base64("n,,n=alice,r=abc"))).toMatch(/^<challenge/);
  client.send(`<abort xmlns='${SASL}'/>`);
  expect(await client.saslAnswer()).toContain("aborted");
  client.send(`<response xmlns='${SASL}'>${base64("c=biws,r=x,p=AAAA")}</response>`);
  expect(await client.saslAnswer()).toContain("malformed-request");
  client.destroy();
});

test.each([
  ["unsupported-stanza-type", "<what xmlns='urn:example'/>"],
  ["not-authorized", "<message to='bob@localhost'/>"],
  ["not-authorized", "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"],
  ["not-authorized", "<iq type='result' id='1'><query xmlns='jabber:iq:register'/></iq>"],
  ["bad-format", "<stream:features/>"],
])("before authentication, inside TLS: %s for %s", async (condition, text) => {
  const connected = await Connected.secure();
  connected.client.send(text);
  expect(await connected.error()).toBe(condition);
});

test("a client may write the next stream's header without waiting for the success", async () => {
  const { client } = await Connected.secure();
  client.send(`<auth xmlns='${SASL}' mechanism='PLAIN'>${plain("alice", "alice's secret")}</auth>${HEADER}`);
  await client.until(/<success [^]*<stream:features><bind /);
  client.destroy();
});

test("stanzas go in and out, in pieces of any size", async () => {
  for (const pieces of [1, 7, 100]) {
    const connected = new Connected(pieces);
    const { client } = connected;
    await client.login(certificates.ca, "alice", "alice's secret", "r");
    const bob = connected.online("bob");
    const text = "Grüße, 世界 😀 & <Dinge>".repeat(20);
    const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    client.send(`<message to='bob@localhost/r'><body>${escaped}</body></message>`);
    while (bob.batches.length < 3) await setImmediate();
    expect(bob.take()[0]!.getChild("body")!.text()).toBe(text);
    bob.send(`<message to='alice@localhost/r'><body>${escaped}</body></message>`);
    const [, body] = await client.until(/<body>([^]*)<\/body>/);
    expect(body).toBe(escaped.replaceAll(">", "&gt;"));
    client.destroy();
  }
});

test("a stream that the client closes is closed by the server too, and the client is gone (RFC 6120 4.4)", async () => {
  const connected = await Connected.online();
  const { client } = connected;
  const bob = connected.online("bob");
  client.send("<presence to='bob@localhost/r'/></stream:stream>");
  await client.until(/<\/stream:stream>$/);
  await client.untilClosed();
  expect(bob.took()).toEqual(["presence available alice@localhost/r", "presence unavailable alice@localhost/r"]);
  expect(connected.ends).toBe(1);
  expect(client.all).not.toContain("stream:error");
  expect(connected.clock.pending).toBe(0);
});

test("a client that ends with an error is answered with a close", async () => {
  const connected = await Connected.online();
  connected.client.send(`<stream:error><conflict xmlns='${STREAMS}'/></stream:error>`);
  await connected.client.until(/<\/stream:stream>$/);
  await connected.client.untilClosed();
  expect(connected.client.all).not.toContain("stream:error");
});

test.each(["end", "destroy"] as const)("a link that is lost (%s) makes the client unavailable", async (how) => {
  const connected = await Connected.online();
  const bob = connected.online("bob");
  connected.client.send("<presence to='bob@localhost/r'/>");
  while (bob.take().length === 0) await setImmediate();
  connected.client[how]();
  await connected.client.untilClosed();
  while (connected.ends === 0) await setImmediate();
  expect(bob.took()).toEqual(["presence unavailable alice@localhost/r"]);
  expect(connected.ends).toBe(1);
});

test("a link that the server drops is cut without a word", async () => {
  const connected = await Connected.online();
  expect(connected.domain.drop("alice@localhost")).toBe(1);
  await connected.client.untilClosed();
  expect(connected.client.text).toBe("");
  expect(connected.client.all).not.toContain("</stream:stream>");
});

test("the same resource bound again ends the old stream with conflict", async () => {
  const connected = await Connected.online();
  connected.bind("alice", "r");
  expect(await connected.error()).toBe("conflict");
});

test("an account that removes itself hears so, then its stream ends (XEP-0077 3.2)", async () => {
  const connected = await Connected.online();
  connected.client.send("<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>");
  await connected.client.until(/<iq [^>]*type="result"[^>]*id="r"/);
  expect(await connected.error()).toBe("not-authorized");
});

test.each([
  ["not-well-formed", "<message><body>x</message>"],
  ["not-well-formed", "<message>\u0001</message>"],
  ["restricted-xml", "<message><!-- x --></message>"],
  ["bad-format", "between"],
  ["policy-violation", `<message><body>${"x".repeat(MOST_STANZA_BYTES)}</body></message>`],
  ["policy-violation", "<a>".repeat(100)],
  ["unsupported-stanza-type", "<what xmlns='urn:example'/>"],
])("an online client ends with %s for what it should not send", async (condition, text) => {
  const connected = await Connected.online();
  connected.client.send(text);
  expect(await connected.error()).toBe(condition);
  expect(connected.domain.drop("alice@localhost")).toBe(0);
});

test("blanks between stanzas keep a link alive and mean nothing (RFC 6120 4.6.1)", async () => {
  const connected = await Connected.online();
  connected.client.send(" \n ");
  connected.client.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
  await connected.client.until(/id="p"/);
  connected.client.destroy();
});

test("a client that does not close its side is cut off after a while", async () => {
  const world = new World();
  const [near, far] = duplexPair();
  near.allowHalfOpen = true;
  let ended = 0;
  new ClientStream(far, {
    domain: world.domain,
    secureContext,
    clock: world.clock,
    random: new SeededRandom(1),
    onClosed: () => ended++,
  });
  const client = new RawClient(near);
  client.send("<wrong/>");
  await client.until(/<\/stream:stream>$/);
  await world.clock.advance(4_999);
  expect([ended, client.closed]).toEqual([0, false]);
  await world.clock.advance(1);
  await client.untilClosed();
  expect([ended, world.clock.pending]).toEqual([1, 0]);
});

test("a client that does not read is cut off before it costs much", async () => {
  const connected = await Connected.online();
  connected.client.raw.pause();
  const bob = connected.online("bob");
  const large = `<message to='alice@localhost/r'><body>${"x".repeat(200_000)}</body></message>`;
  let sent = 0;
  while (connected.ends === 0 && sent < 200) {
    bob.send(large);
    sent++;
  }
  expect(connected.ends).toBe(1);
  expect(sent).toBeLessThan(60);
});

test("a fault in the server ends one stream, not the process, and says nothing of itself", async () => {
  const connected = await Connected.secure();
  connected.domain.answerUnauthenticated = () => {
    throw new Error("a secret");
  };
  connected.client.send("<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>");
  expect(await connected.error()).toBe("internal-server-error");
  expect(connected.client.all).not.toContain("a secret");
});
