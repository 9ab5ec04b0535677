import { describe, expect, it } from "vitest";
import { el } from "../../src/codec/xml.ts";
import { bareJid } from "../../src/core/jid.ts";
import { connect, type ConnectOptions } from "../../src/connection/connect.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import type { FakeConnection, FakeServer } from "../support/fake-server.ts";
import { authority, context, eventually, rejection, serve } from "./harness.ts";

const options = (server: FakeServer): ConnectOptions => ({
  service: `xmpp://127.0.0.1:${server.port}`,
  domain: "localhost",
  username: "user",
  password: "secret",
  tls: { ca: authority.cert },
});

const ITEM = "<item jid='anna@localhost' subscription='both'/>";

async function greet(connection: FakeConnection): Promise<void> {
  await connection.logIn(context);
  const [, id] = await connection.read(
    /<iq [^>]*type="get" id="([^"]*)"[^>]*><query xmlns="jabber:iq:roster"\/><\/iq>/,
  );
  connection.send(`<iq type='result' id='${id}'><query xmlns='jabber:iq:roster'>${ITEM}</query></iq>`);
  await connection.read(/<presence xmlns="jabber:client"\/>/);
}

const polite = (then?: (connection: FakeConnection) => Promise<void>): Promise<FakeServer> =>
  serve(async (connection) => {
    await greet(connection);
    await then?.(connection);
    await connection.read(/<\/stream:stream>/);
    connection.send("</stream:stream>");
  });

describe("connect", () => {
  it.each<[string, unknown, string]>([
    ["nothing", undefined, "service: must be the address of the XMPP server, xmpp://host:port"],
    [
      "no service",
      { username: "u", password: "p" },
      "service: must be the address of the XMPP server, xmpp://host:port",
    ],
    ["no user name", { service: "xmpp://a", password: "p" }, "username: must be a text, not empty"],
    ["no password", { service: "xmpp://a", username: "u", password: "" }, "password: must be a text, not empty"],
    [
      "an address as user name",
      { service: "xmpp://a", username: "anna@localhost", password: "p" },
      'username: "anna@localhost" is an address; give only what is before the @, "anna"',
    ],
    ["no user name at all", { service: "xmpp://a", username: "a/b", password: "p" }, 'username: "a/b" is no user name'],
    ["a slip of the pen", { service: "xmpp://a", user: "anna", password: "p" }, "username: must be a text, not empty"],
    [
      "a time that is none",
      { service: "xmpp://a", username: "u", password: "p", timeout: "5s" },
      "timeout: must be a number of milliseconds",
    ],
  ])("refuses %s before anything is sent, and says what is wrong", async (_, given, message) => {
    const error = await rejection(connect(given as ConnectOptions));
    expect(error).toMatchObject({ code: "ERR_CONFIG" });
    expect(error.message).toContain(message);
  });

  it("says of a port without direct TLS that it wants xmpp:// and not xmpps://", async () => {
    const server = await serve(async (connection) => {
      connection.send("<?xml version='1.0'?>");
      await new Promise((resolve) => connection.socket.once("close", resolve));
    });
    const service = `xmpps://127.0.0.1:${server.port}`;
    const error = await rejection(connect({ ...options(server), service }));
    expect(error).toMatchObject({
      code: "ERR_TLS_POLICY",
      message: `127.0.0.1:${server.port} does not begin with TLS, as xmpps:// has it: try xmpp://127.0.0.1:${server.port}`,
    });
  });

  it("loads the roster, then sends presence (RFC 6121 2.2), and closes in good order", async () => {
    const server = await polite();
    const connection = await connect(options(server));
    expect(connection.jid.bare).toBe("user@localhost");
    expect(connection.jid.resource).toMatch(/^[\w-]{12}$/);
    expect(connection.friends.has(bareJid("anna@localhost"))).toMatchObject({ from: true, to: true });
    await connection.close();
    expect((await connection.ended).reason.message).toBe("closed");
    expect(server.failures).toEqual([]);
    await eventually(() => server.open === 0);
    expect(connection.channel.jid).toBeUndefined();
  });

  it("takes the resource that is given, and can be disposed of", async () => {
    const server = await polite();
    const connection = await connect({ ...options(server), resource: "here" });
    expect(connection.jid.full).toBe("user@localhost/here");
    await connection[Symbol.asyncDispose]();
    await eventually(() => server.open === 0);
  });

  it("answers the server's pings, and asks over its channel", async () => {
    const server = await polite(async (connection) => {
      const [, id] = await connection.read(/<iq [^>]*id="([^"]*)" to="anna@localhost\/x"/);
      connection.send("<iq type='get' id='p' from='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
      await connection.read(/<iq [^>]*type="result" id="p"/);
      connection.send(`<iq type='result' id='${id}' from='anna@localhost/x'><a xmlns='q'/></iq>`);
    });
    const connection = await connect(options(server));
    const payload = el("q", { xmlns: "q" });
    expect((await connection.channel.request({ type: "get", to: "anna@localhost/x", payload }))?.name).toBe("a");
    await connection.close();
    expect(server.failures).toEqual([]);
  });

  it("does not come back by itself", async () => {
    const server = await serve(greet);
    const connection = await connect(options(server));
    const asked = rejection(
      connection.channel.request({ type: "get", to: "x@localhost", payload: el("q", { xmlns: "q" }) }),
    );
    server.connections[0]?.socket.destroy();
    expect(await connection.ended).toMatchObject({ final: false, reason: { code: "ERR_CONNECTION" } });
    expect(await asked).toMatchObject({ code: "ERR_CONNECTION" });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(server.connections).toHaveLength(1);
  });

  it("makes no account unless told to", async () => {
    const server = await serve((connection) => connection.logIn(context, { password: "other" }));
    expect(await rejection(connect(options(server)))).toMatchObject({ code: "ERR_AUTHENTICATION" });
    await server.connections[0]?.closed;
    expect(server.everything).not.toContain("jabber:iq:register");
  });

  it("leaves nothing open when the roster cannot be had", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      const [, id] = await connection.read(/<iq [^>]*id="([^"]*)"[^>]*><query xmlns="jabber:iq:roster"\/><\/iq>/);
      connection.send(
        `<iq type='error' id='${id}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
      );
      await connection.read(/<\/stream:stream>/);
      connection.send("</stream:stream>");
    });
    expect(await rejection(connect(options(server)))).toMatchObject({
      code: "ERR_STANZA",
      condition: "service-unavailable",
    });
    await eventually(() => server.open === 0);
  });

  it("keeps to its time also when it is the roster that does not come", async () => {
    const server = await serve((connection) => connection.logIn(context));
    const clock = new SimulatedClock();
    const connecting = rejection(connect({ ...options(server), clock, timeout: 5_000 }));
    await eventually(() => server.everything.includes("jabber:iq:roster"));
    await clock.advance(5_000);
    expect(await connecting).toMatchObject({
      code: "ERR_TIMEOUT",
      message: "connecting to localhost: no answer within 5000 ms",
    });
    await clock.advance(1_000);
    await eventually(() => server.open === 0);
    expect(clock.pending).toBe(0);
  });

  it("refuses a service that is none", async () => {
    const server = await serve(() => undefined);
    expect(await rejection(connect({ ...options(server), service: "localhost" }))).toMatchObject({
      code: "ERR_CONFIG",
    });
    expect((await rejection(connect({ ...options(server), domain: undefined }))).message).toContain(
      "give the domain too",
    );
  });
});
