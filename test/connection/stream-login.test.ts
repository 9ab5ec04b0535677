import { createSecureContext } from "node:tls";
import { describe, expect, it, vi } from "vitest";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import {
  BIND,
  HEADER,
  STARTTLS,
  base64,
  features,
  mechanisms,
  type FakeConnection,
  type FakeServer,
  type LoginOptions,
} from "../support/fake-server.ts";
import { certificate, context, eventually, open, rejection, serve } from "./harness.ts";

const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
const NOT_AUTHORIZED = `<failure ${SASL}><not-authorized/><text>no such user</text></failure>`;
const REGISTERING = { username: "user", password: "secret", resource: "r", register: true };

const BINDINGS = ["tls-unique", "tls-server-end-point", "tls-exporter"] as const;
/** What a server says that it can bind to (XEP-0440). */
const announced = (...types: readonly string[]): string =>
  types.length === 0
    ? ""
    : `<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>${types.map((type) => `<channel-binding type='${type}'/>`).join("")}<channel-binding/></sasl-channel-binding>`;

const server = (options?: LoginOptions): Promise<FakeServer> =>
  serve((connection) => connection.logIn(context, options));

/** A server that comes as far as the offer of SASL, and then follows the script. */
const atLogin = (script: (connection: FakeConnection, index: number) => Promise<void>): Promise<FakeServer> =>
  serve(async (connection, index) => {
    await connection.upToTls(context);
    connection.send(HEADER + features(mechanisms("SCRAM-SHA-1", "PLAIN")));
    await script(connection, index);
  });

/** The server's side of a registration: gives the form, and answers the set as told. */
async function takeRegistration(
  connection: FakeConnection,
  answer = (id: string) => `<iq type='result' id='${id}'/>`,
  form = "<username/><password/>",
): Promise<string> {
  const [, get] = await connection.read(/<iq [^>]*type="get" id="([^"]*)" to="localhost"><query [^>]*\/><\/iq>/);
  connection.send(
    `<iq type='result' id='${get}' from='localhost'><query xmlns='jabber:iq:register'>${form}</query></iq>`,
  );
  const [, set = "", fields = ""] = await connection.read(/<iq [^>]*type="set" id="([^"]*)"[^>]*>(.*)<\/iq>/);
  connection.send(answer(set));
  return fields;
}

describe("the login", () => {
  it.each([
    ["SCRAM-SHA-1", {}],
    ["SCRAM-SHA-256", { mechanism: "SCRAM-SHA-256" }],
    ["SCRAM-SHA-1 with the server's proof in a challenge", { proofFirst: true }],
  ] as const)("succeeds by %s against a server that checks the proof", async (_what, options) => {
    const stream = await open(await server(options));
    expect(stream.jid.full).toBe("user@localhost/r");
  });

  it("is no login where the server binds an address of another domain than it has proved", async () => {
    const error = await rejection(open(await server({ jid: "user@example.org/r" })));
    expect(error).toMatchObject({ code: "ERR_PROTOCOL" });
    expect(error.message).toContain("an address of another domain than localhost");
  });

  it.each([
    ["SCRAM-SHA-256", "y", "TLSv1.3", ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"], []],
    ["SCRAM-SHA-512", "y", "TLSv1.3", ["SCRAM-SHA-512", "SCRAM-SHA-1", "SCRAM-SHA-256"], []],
    ["SCRAM-SHA-256-PLUS", "p=tls-exporter", "TLSv1.3", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], BINDINGS],
    ["SCRAM-SHA-256-PLUS", "p=tls-server-end-point", "TLSv1.2", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], BINDINGS],
    ["SCRAM-SHA-1", "n", "TLSv1.3", ["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"], []],
    ["SCRAM-SHA-1", "n", "TLSv1.3", ["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"], ["tls-unique"]],
    ["SCRAM-SHA-512-PLUS", "p=tls-exporter", "TLSv1.3", ["PLAIN", "SCRAM-SHA-512-PLUS"], []],
  ] as const)("takes %s and says %s on %s, where %j and the bindings %j are offered", async (...row) => {
    const [mechanism, flag, version, offered, bindings] = row;
    const fake = await serve(async (connection) => {
      await connection.upToTls(createSecureContext({ ...certificate, maxVersion: version }));
      connection.send(HEADER + features(mechanisms(...offered), announced(...bindings)));
      await connection.bind(await connection.scram({ mechanism, flag }));
    });
    await open(fake);
    expect(fake.failures).toEqual([]);
  });

  it("never sends the password", async () => {
    const fake = await server();
    await open(fake);
    expect(fake.everything).not.toContain("secret");
    expect(fake.everything).not.toContain(base64("secret"));
  });

  it("does not fall back to PLAIN", async () => {
    const fake = await serve(async (connection) => {
      await connection.upToTls(context);
      connection.send(HEADER + features(mechanisms("PLAIN", "ANONYMOUS")));
    });
    const error = await rejection(open(fake));
    expect(error).toMatchObject({ code: "ERR_AUTHENTICATION" });
    expect(error.message).toContain("it offers: PLAIN, ANONYMOUS");
    expect(fake.everything).not.toContain("<auth");
  });

  it("ends when no login is offered at all", async () => {
    for (const offers of [features(BIND), features(), "<stream:features/>"]) {
      const fake = await serve(async (connection) => {
        await connection.upToTls(context);
        connection.send(HEADER + offers);
      });
      expect((await rejection(open(fake))).message).toContain("it offers: none");
      await eventually(() => fake.open === 0);
    }
  });

  it.each([
    ["at once, without knowing the password", `<success ${SASL}/>`],
    ["at once, with a made-up proof", `<success ${SASL}>${base64("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")}</success>`],
    ["at once, with nothing that can be read", `<success ${SASL}>=</success>`],
  ])("refuses a server that says success %s", async (_what, success) => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(success);
    });
    const error = await rejection(open(fake));
    expect(error).toMatchObject({ code: "ERR_AUTHENTICATION" });
    expect(error.message).toContain("did not prove");
    expect(fake.everything.match(/<stream:stream/g)).toHaveLength(2); // it did not open the stream a third time
  });

  it.each([
    ["without a proof", ""],
    ["with a proof made from another password", base64("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")],
  ])("refuses a server that ends a whole exchange %s", async (_what, proof) => {
    const fake = await atLogin(async (connection) => {
      const [, first = ""] = await connection.read(/<auth [^>]*>([^<]*)<\/auth>/);
      const nonce = /r=(.*)$/.exec(Buffer.from(first, "base64").toString())?.[1] ?? "";
      connection.send(`<challenge ${SASL}>${base64(`r=${nonce}x,s=QSXCR+Q6sek8bf92,i=4096`)}</challenge>`);
      await connection.read(/<response [^>]*>[^<]*<\/response>/);
      connection.send(`<success ${SASL}>${proof}</success>`);
    });
    expect(await rejection(open(fake))).toMatchObject({ code: "ERR_AUTHENTICATION" });
  });

  it("refuses rounds that would keep a small device busy", async () => {
    const fake = await server({ rounds: 1_000_001 });
    expect((await rejection(open(fake))).message).toContain("iteration count");
  });

  it("tells a wrong password", async () => {
    const fake = await server({ password: "another" });
    expect(await rejection(open(fake))).toMatchObject({
      code: "ERR_AUTHENTICATION",
      message: "the login was refused: not-authorized",
    });
  });

  it("takes a temporary failure for one of the connection, with the server's words", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>/);
      connection.send(`<failure ${SASL}><temporary-auth-failure/><text>database down</text></failure>`);
    });
    expect(await rejection(open(fake))).toMatchObject({
      code: "ERR_CONNECTION",
      message: "the login was refused: temporary-auth-failure (database down)",
    });
  });

  it("takes a failure without a condition for a refusal", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>/);
      connection.send(`<failure ${SASL}/>`);
    });
    expect(await rejection(open(fake))).toMatchObject({ code: "ERR_AUTHENTICATION" });
  });

  it.each([
    ["of another namespace", "<message from='x@y'><body>hello</body></message>"],
    ["that SASL does not know", `<surprise ${SASL}/>`],
  ])("ends at an element %s", async (_what, element) => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>/);
      connection.send(element);
    });
    expect(await rejection(open(fake))).toMatchObject({ code: "ERR_PROTOCOL" });
  });

  it.each([
    ["an element in its middle", "<x/>"],
    ["a blank in its middle", " "],
    ["a character in its middle that is none of base64", "é"],
  ])("refuses the right proof with %s: what was not sent so is not proved", async (_what, odd) => {
    const fake = await serve(async (connection) => {
      await connection.upToTls(context);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
      const original = connection.send.bind(connection);
      connection.send = (data) => original(String(data).replace(/(<success[^>]*>.{8})/, `$1${odd}`));
      await connection.scram();
    });
    const error = await rejection(open(fake));
    expect(error).toMatchObject({ code: "ERR_AUTHENTICATION" });
    expect(error.message).toContain("base64");
  });

  it("takes nothing that comes between the success and the new stream", async () => {
    const fake = await serve(async (connection) => {
      await connection.upToTls(context);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
      const original = connection.send.bind(connection);
      connection.send = (data) => original(String(data).replace(/(<success.*)/, "$1<message from='x@y'/>"));
      await connection.scram();
    });
    expect(await rejection(open(fake))).toMatchObject({ code: "ERR_PROTOCOL" });
  });
});

describe("in-band registration", () => {
  it("makes the account when the login is refused, tells so, and logs in", async () => {
    const told: string[] = [];
    let fields = "";
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      fields = await takeRegistration(connection);
      told.push("registered");
      const username = await connection.scram();
      told.push("logged in");
      await connection.bind(username);
    });
    const stream = await open(fake, {
      account: REGISTERING,
      onAccountMade: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        told.push("kept");
      },
    });
    expect(stream.jid.bare).toBe("user@localhost");
    expect(fields).toBe(
      '<query xmlns="jabber:iq:register"><username>user</username><password>secret</password></query>',
    );
    // It was kept before anything else was done with it.
    expect(told).toEqual(["registered", "kept", "logged in"]);
  });

  it("makes none when the login succeeds", async () => {
    const made = vi.fn(() => Promise.resolve());
    const fake = await server();
    await open(fake, { account: REGISTERING, onAccountMade: made });
    expect(made).not.toHaveBeenCalled();
    expect(fake.everything).not.toContain("jabber:iq:register");
  });

  it("makes none unless it may", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
    });
    expect(await rejection(open(fake))).toMatchObject({
      code: "ERR_AUTHENTICATION",
      message: "the login was refused: not-authorized (no such user)",
    });
    await fake.connections[0]?.closed;
    expect(fake.everything).not.toContain("jabber:iq:register");
  });

  it("makes none for another refusal than not-authorized", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(`<failure ${SASL}><account-disabled/></failure>`);
    });
    expect(await rejection(open(fake, { account: REGISTERING }))).toMatchObject({ code: "ERR_AUTHENTICATION" });
    await fake.connections[0]?.closed;
    expect(fake.everything).not.toContain("jabber:iq:register");
  });

  const OFF =
    /^no accounts can be made on this server over XMPP, or not from here: switch registration on, or make the account by hand/;
  it.each([
    ["conflict", "cancel", /^$/],
    [
      "not-acceptable",
      "modify",
      /^the server has rules that this name or password does not meet, or takes no more accounts/,
    ],
    [
      "resource-constraint",
      "wait",
      /^too many accounts were made from here lately, or there are too many: it is tried again$/,
    ],
    ["policy-violation", "wait", /^too many accounts were made from here lately/],
    ["not-allowed", "cancel", OFF],
    ["forbidden", "auth", OFF],
    ["service-unavailable", "cancel", OFF],
    ["feature-not-implemented", "cancel", OFF],
    ["bad-request", "modify", /^$/],
  ])("tells that the server refused with %s, and what to do", async (condition, type, advice) => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      await takeRegistration(
        connection,
        (id) =>
          `<iq type='error' id='${id}'><error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>sorry</text></error></iq>`,
      );
    });
    const error = await rejection(open(fake, { account: REGISTERING }));
    expect(error).toMatchObject({ code: "ERR_REGISTRATION", condition });
    const [, said = ""] = /^the server made no account: [a-z-]+ \(sorry\)(?:: )?(.*)$/.exec(error.message) ?? [];
    expect(said).toMatch(advice);
  });

  const FORM = (fields: string, type = "jabber:iq:register"): string =>
    `<x xmlns='jabber:x:data' type='form'><instructions>Choose!</instructions><field type='hidden' var='FORM_TYPE'><value>${type}</value></field>${fields}</x>`;
  const BOTH = "<field var='username'><required/></field><field type='text-private' var='password'><required/></field>";
  const CAPTCHA =
    "<field type='hidden' var='challenge'><value>1</value></field><field label='Enter the text you see' var='ocr'><media xmlns='urn:xmpp:media-element'><uri type='image/png'>cid:sha1+f24@bob.xmpp.org</uri></media><required/></field>";
  const URL = "<x xmlns='jabber:x:oob'><url>https://example.org/new</url></x>";
  const HAND = "make the account by hand and give it in `account.username` and `account.password`";

  it.each([
    [
      "<username/><password/><email/>",
      `asks a new account for username, password, email, and a device gives a name and a password: have it ask for no more, or ${HAND}`,
    ],
    ["<username/>", "asks a new account for username, and a device"],
    [
      "<instructions>Give it all</instructions><nick/>",
      'asks a new account for nick, and a device gives a name and a password (it says: "Give it all")',
    ],
    ["<x xmlns='jabber:x:data' type='form'/>", "asks a new account for nothing that is understood, and"],
    [
      `<username/><password/>${FORM(`${BOTH}<field var='email' label='E-Mail'><required/></field>`)}`,
      'asks a new account for username, password, email (E-Mail), and a device gives a name and a password (it says: "Choose!")',
    ],
    [
      FORM("<field type='fixed'><value>x</value></field><field var='username'/><field var='pin'/>"),
      "asks a new account for username, pin, and",
    ],
    [FORM(BOTH, "urn:example:else"), "asks a new account for username, password, and"],
    [
      `<instructions>Look</instructions>${URL}${FORM(BOTH + CAPTCHA)}`,
      `asks whoever wants an account to read a picture or solve a riddle (CAPTCHA), which no device can (it says: "Choose! https://example.org/new"): switch that off for devices, or ${HAND}`,
    ],
    [FORM(CAPTCHA, "urn:xmpp:captcha"), "asks whoever wants an account to read a picture"],
    [
      FORM(`${BOTH}<field var='captcha-fallback-text'><required/></field>`),
      "asks whoever wants an account to read a picture",
    ],
    [
      `<instructions>To register, visit us</instructions>${URL}`,
      `makes no accounts over XMPP, and sends people to https://example.org/new (it says: "To register, visit us https://example.org/new"): ${HAND}`,
    ],
    [
      "<instructions>Ask\n the operator</instructions>",
      `makes no accounts over XMPP, and sends people elsewhere (it says: "Ask the operator"): ${HAND}`,
    ],
    [`<instructions>${"long ".repeat(100)}</instructions>`, `"${"long ".repeat(40)}…"`],
    ["", `does not say what it wants to know: ${HAND}`],
    [
      "<x xmlns='jabber:x:data' type='odd'/>",
      "sent a form for a new account that cannot be read: unknown type of form",
    ],
  ])("does not send a password to a server whose form is %s", async (form, words) => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      await takeRegistration(connection, undefined, form);
    });
    const error = await rejection(open(fake, { account: REGISTERING }));
    expect(error).toMatchObject({ code: "ERR_REGISTRATION", condition: "not-acceptable" });
    expect(error.message).toMatch(/^the server /);
    expect(error.message).toContain(words);
    expect(fake.everything).not.toContain("secret");
  });

  it("does not send a password to a server that says that there is an account already", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      await takeRegistration(connection, undefined, "<registered/><username>user</username><password/>");
    });
    expect(await rejection(open(fake, { account: REGISTERING }))).toMatchObject({
      code: "ERR_REGISTRATION",
      condition: "registered",
      message: `the server says that this connection has an account already: ${HAND}`,
    });
    expect(fake.everything).not.toContain("secret");
  });

  it.each([
    ["beside plain fields", `<username/><password/>${FORM(BOTH + "<field var='nick'/><field type='fixed'/>")}`],
    ["beside words only", `<instructions>x</instructions>${FORM(BOTH)}`],
    ["beside a page on the Web", FORM(BOTH) + URL],
    ["beside plain fields that ask for more", `<username/><password/><email/>${FORM(BOTH)}`],
  ])("fills in the data form %s, and nothing else (XEP-0077 section 6)", async (_what, form) => {
    let query = "";
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      query = await takeRegistration(connection, undefined, form);
      await connection.bind(await connection.scram());
    });
    await open(fake, { account: REGISTERING });
    const field = (name: string, value: string): string => `<field var="${name}"><value>${value}</value></field>`;
    const fields = `${field("FORM_TYPE", "jabber:iq:register")}${field("username", "user")}${field("password", "secret")}`;
    expect(query).toBe(
      `<query xmlns="jabber:iq:register"><x xmlns="jabber:x:data" type="submit">${fields}</x></query>`,
    );
  });

  it("fills in a form that does not say what it is for", async () => {
    let query = "";
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      query = await takeRegistration(connection, undefined, `<x xmlns='jabber:x:data' type='form'>${BOTH}</x>`);
      await connection.bind(await connection.scram());
    });
    await open(fake, { account: REGISTERING });
    expect(query).not.toContain("FORM_TYPE");
    expect(query).toContain('<field var="password"><value>secret</value></field>');
  });

  it("takes an empty form for one that asks for nothing it understands", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      const [, id] = await connection.read(/<iq [^>]*type="get" id="([^"]*)"/);
      connection.send(`<iq type='result' id='${id}'/>`);
    });
    expect(await rejection(open(fake, { account: REGISTERING }))).toMatchObject({ condition: "not-acceptable" });
  });

  it("ends at a stanza that is not the answer", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(`${NOT_AUTHORIZED}<iq type='result' id='guessed'/>`);
    });
    expect(await rejection(open(fake, { account: REGISTERING }))).toMatchObject({ code: "ERR_PROTOCOL" });
  });

  it("connects once more for it when the server closes after the refusal", async () => {
    const fake = await atLogin(async (connection, index) => {
      if (index === 0) {
        await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
        connection.send(`${NOT_AUTHORIZED}</stream:stream>`);
        connection.socket.end();
      } else {
        await takeRegistration(connection); // before any login
        await connection.bind(await connection.scram());
      }
    });
    const made = vi.fn(() => Promise.resolve());
    const stream = await open(fake, { account: REGISTERING, onAccountMade: made });
    expect(stream.jid.bare).toBe("user@localhost");
    expect(made).toHaveBeenCalledOnce();
    expect(fake.connections).toHaveLength(2);
  });

  it("logs in when the first stream has made the account after all", async () => {
    const conflict = (id: string): string =>
      `<iq type='error' id='${id}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;
    const fake = await atLogin(async (connection, index) => {
      if (index === 0) {
        await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
        connection.send(NOT_AUTHORIZED);
        await takeRegistration(connection, () => "</stream:stream>");
      } else {
        await takeRegistration(connection, conflict);
        await connection.bind(await connection.scram());
      }
    });
    await open(fake, { account: REGISTERING });
    expect(fake.connections).toHaveLength(2);
  });

  it("tells the conflict when the name is somebody else's, also on the second stream", async () => {
    const conflict = (id: string): string =>
      `<iq type='error' id='${id}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;
    const fake = await atLogin(async (connection, index) => {
      if (index > 0) await takeRegistration(connection, conflict);
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(`${NOT_AUTHORIZED}</stream:stream>`);
    });
    expect(await rejection(open(fake, { account: REGISTERING }))).toMatchObject({
      code: "ERR_REGISTRATION",
      condition: "conflict",
    });
    expect(fake.connections).toHaveLength(2);
  });

  it("tells what else the second stream refuses", async () => {
    const fake = await atLogin(async (connection, index) => {
      if (index > 0) {
        await takeRegistration(
          connection,
          (id) =>
            `<iq type='error' id='${id}'><error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
        );
      }
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(`${NOT_AUTHORIZED}</stream:stream>`);
    });
    expect(await rejection(open(fake, { account: REGISTERING }))).toMatchObject({ condition: "not-allowed" });
  });

  it("tells when the new account is refused", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      await takeRegistration(connection);
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
    });
    expect(await rejection(open(fake, { account: REGISTERING }))).toMatchObject({ code: "ERR_AUTHENTICATION" });
  });

  it("goes no further when the account could not be kept", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      await takeRegistration(connection);
    });
    const full = new Error("disk full");
    expect(await rejection(open(fake, { account: REGISTERING, onAccountMade: () => Promise.reject(full) }))).toBe(full);
    await eventually(() => fake.open === 0);
  });
});

describe("binding", () => {
  it("takes the full JID that the server gives", async () => {
    const stream = await open(await server({ jid: "user@localhost/given" }));
    expect(stream.jid).toMatchObject({ local: "user", domain: "localhost", resource: "given" });
  });

  it.each(["user@localhost", "@@", ""])("does not take %j for a full JID", async (jid) => {
    expect(await rejection(open(await server({ jid })))).toMatchObject({ code: "ERR_PROTOCOL" });
  });

  it("tells that the server bound no resource", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.scram();
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + features(BIND));
      const [, id] = await connection.read(/<iq [^>]*id="([^"]*)"/);
      connection.send(
        `<iq type='error' id='${id}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
      );
    });
    expect(await rejection(open(fake))).toMatchObject({
      code: "ERR_CONNECTION",
      message: "the server bound no resource: conflict",
    });
  });

  it("asks for a session where the server still wants one, and loses nothing that comes meanwhile", async () => {
    const session = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";
    const fake = await serve(async (connection) => {
      await connection.logIn(context, { offers: [session] });
      connection.send("<message from='a@b' id='1'/><iq type='get' id='2' from='a@b/c'><x xmlns='y'/></iq>");
      const [, id] = await connection.read(/<iq [^>]*id="([^"]*)"[^>]*><session /);
      connection.send(`<iq type='result' id='${id}'/><message from='a@b' id='3'/>`);
    });
    const stream = await open(fake);
    const ids: (string | undefined)[] = [];
    const receive = (stanza: XmlElement): number => ids.push(stanza.attrs["id"]);
    stream.start(receive);
    await eventually(() => ids.length === 3);
    expect(ids).toEqual(["1", "2", "3"]);
  });

  it("asks for none where it is optional", async () => {
    const session = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>";
    const fake = await server({ offers: [session] });
    const stream = await open(fake);
    await stream.write([el("presence")]);
    await eventually(() => fake.everything.includes("<presence"));
    expect(fake.everything).not.toContain("xmpp-session");
  });

  it("does not keep without end what comes before the session", async () => {
    const session = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";
    const fake = await serve(async (connection) => {
      await connection.logIn(context, { offers: [session] });
      await connection.read(/<session /);
      for (let sent = 0; sent < 300; sent += 10) {
        connection.send("<message from='a@b'/>".repeat(10));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    expect(await rejection(open(fake))).toMatchObject({ code: "ERR_PROTOCOL" });
  });
});

describe("a peer that sends without end while the stream is negotiated", () => {
  const flood = "<a/>".repeat(300);

  it("is left before TLS", async () => {
    const fake = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(HEADER + features(STARTTLS) + flood);
    });
    expect(await rejection(open(fake))).toMatchObject({ code: "ERR_PROTOCOL", message: "more than is due (at a)" });
  });

  it("is left before the login", async () => {
    const fake = await atLogin(async (connection) => {
      await connection.read(/<auth /);
      connection.send(flood);
    });
    expect(await rejection(open(fake))).toMatchObject({ code: "ERR_PROTOCOL" });
  });
});
