// What a broken or hostile server can send (facts of the library below: each of these ended the process, or worse).
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { XmlElement } from "../../src/codec/xml.ts";
import type { Logger } from "../../src/core/logger.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { XmppStream } from "../../src/connection/stream.ts";
import type { StreamEnd } from "../../src/connection/stream-end.ts";
import { HEADER, type FakeConnection, type FakeServer } from "../support/fake-server.ts";
import { context, eventually, open, rejection, serve } from "./harness.ts";

const uncaught: unknown[] = [];
const note = (error: unknown): number => uncaught.push(error);
beforeEach(() => {
  uncaught.length = 0;
  process.on("uncaughtException", note).on("unhandledRejection", note);
});
afterEach(() => {
  process.off("uncaughtException", note).off("unhandledRejection", note);
  expect(uncaught).toEqual([]);
});

interface Setting {
  readonly server: FakeServer;
  readonly connection: FakeConnection;
  readonly stream: XmppStream;
  readonly received: XmlElement[];
}

async function online(options: Parameters<typeof open>[1] = {}): Promise<Setting> {
  const server = await serve((connection) => connection.logIn(context));
  const stream = await open(server, options);
  const received: XmlElement[] = [];
  stream.start((stanza) => received.push(stanza));
  return { server, connection: server.connections[0] as FakeConnection, stream, received };
}

const OK = "<message from='bob@localhost/x'><body>ok</body></message>";

describe("a stream that a server breaks", () => {
  it.each([
    ["an unknown entity", "<message><body>&bogus;</body></message>", "ERR_PROTOCOL"],
    ["an unknown entity in an attribute", "<message id='&bogus;'/>", "ERR_PROTOCOL"],
    ["a character reference beyond Unicode", "<message><body>&#x110000;</body></message>", "ERR_PROTOCOL"],
    ["a reference to a surrogate", "<message><body>&#xD800;</body></message>", "ERR_PROTOCOL"],
    ["a reference to NUL", "<message><body>&#0;</body></message>", "ERR_PROTOCOL"],
    ["a tag that is not closed", "<message><body>x</message>", "ERR_PROTOCOL"],
    ["a DOCTYPE", `<!DOCTYPE x [<!ENTITY a "b">]>${OK}`, "ERR_PROTOCOL"],
    ["a comment", `<!-- x -->${OK}`, "ERR_PROTOCOL"],
    ["a processing instruction", `<?x y?>${OK}`, "ERR_PROTOCOL"],
    ["a NUL", "<message><body>a\0b</body></message>", "ERR_PROTOCOL"],
    ["text between stanzas", "HTTP/1.1 400 Bad Request\r\n\r\n", "ERR_PROTOCOL"],
    ["data after the end", `</stream:stream>${OK}`, "ERR_CONNECTION"],
    ["text after the end", "</stream:stream>hello", "ERR_CONNECTION"],
    ["a second end", "</stream:stream></stream:stream>", "ERR_CONNECTION"],
    ["an empty stream error", "<stream:error/>", "ERR_CONNECTION"],
  ])("ends with a reason at %s, and hands over nothing more", async (_what, bytes, code) => {
    const { connection, stream, received, server } = await online();
    connection.send(bytes);
    expect(await stream.ended).toMatchObject({ reason: { code }, final: false });
    connection.send(OK); // too late
    await connection.closed;
    expect(received).toEqual([]);
    expect(await rejection(stream.write([]))).toMatchObject({ code });
    expect(server.open).toBe(0);
  });

  it("ends when more data comes in a chunk of its own after the end", async () => {
    const { connection, stream, received } = await online();
    connection.send("</stream:stream>");
    connection.send(OK); // another record of TLS, and so another chunk, before the end is through
    await stream.ended;
    connection.send(" ");
    connection.send(OK);
    await connection.closed;
    expect(received).toEqual([]);
    // RFC 6120 section 4.4: the end was answered by an end.
    expect(connection.secret.endsWith("</stream:stream>")).toBe(true);
  });

  it("ends when the server closes the stream, and leaves no socket open that the server left open", async () => {
    const { connection, stream } = await online();
    connection.send("</stream:stream>");
    expect((await stream.ended).reason.message).toBe("the server closed the stream");
    await connection.closed;
  });

  it("ends when the socket goes away", async () => {
    for (const how of ["end", "destroy", "resetAndDestroy"] as const) {
      const { connection, stream } = await online();
      connection.socket[how === "resetAndDestroy" ? "destroy" : how]();
      expect(await stream.ended).toMatchObject({ reason: { code: "ERR_CONNECTION" }, final: false });
    }
  });

  it.each([
    ["conflict", "Replaced by new connection", true],
    ["system-shutdown", "", false],
    ["not-authorized", "Account deleted", false],
    ["host-unknown", "", false],
  ])("ends at the stream error %s, and knows whether to come back", async (condition, text, final) => {
    const { connection, stream } = await online();
    const words = text === "" ? "" : `<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>${text}</text>`;
    connection.send(
      `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>${words}</stream:error></stream:stream>`,
    );
    const end: StreamEnd = await stream.ended;
    expect(end).toMatchObject({ final, reason: { code: "ERR_CONNECTION", condition, text } });
    const advice = condition === "host-unknown" ? "; it does not serve that XMPP domain: check the domain" : "";
    const said = text === "" ? "" : ` (${text})`;
    expect(end.reason.message).toBe(`the server ended the stream: ${condition}${said}${advice}`);
  });

  it("does not follow the server elsewhere", async () => {
    const elsewhere = await serve(() => undefined);
    const { connection, stream } = await online();
    const host = `127.0.0.1:${elsewhere.port}`;
    connection.send(
      `<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>${host}</see-other-host></stream:error></stream:stream>`,
    );
    const { reason, final } = await stream.ended;
    expect(reason.message).toBe(`the server ended the stream: see-other-host (${host}, which is not followed)`);
    expect(final).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(elsewhere.connections).toHaveLength(0);
  });

  it("says no more of it than a person can read", async () => {
    const server = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      const long = "x".repeat(100_000);
      connection.send(
        `${HEADER}<stream:error><${long} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>${long}</text></stream:error>`,
      );
    });
    expect((await rejection(open(server))).message.length).toBeLessThan(500);
  });

  it("does not follow it before the login either", async () => {
    const elsewhere = await serve(() => undefined);
    const server = await serve(async (connection) => {
      await connection.read(/<stream:stream[^>]*>/);
      connection.send(
        `${HEADER}<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>127.0.0.1:${elsewhere.port}</see-other-host></stream:error>`,
      );
    });
    expect((await rejection(open(server))).message).toContain("which is not followed");
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(elsewhere.connections).toHaveLength(0);
  });

  it.each([
    ["no XMPP", "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["another root", "<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>"],
    ["another namespace", HEADER.replace("jabber:client", "jabber:server")],
    ["no version", HEADER.replace("id='x1' from='localhost' version='1.0'", "id='x1'")],
    ["a later major version", HEADER.replace(/version='1.0'>$/, "version='2.0'>")],
    ["a stanza in the place of features", `${HEADER}<message/>`],
  ])("is none with a server that speaks %s", async (_what, bytes) => {
    const server = await serve((connection) => connection.send(bytes));
    expect(await rejection(open(server))).toMatchObject({ code: "ERR_PROTOCOL" });
    await server.connections[0]?.closed;
    expect(server.everything).not.toContain("<starttls");
  });
});

describe("a stream that a stranger tries to break through a lawful server", () => {
  it.each([
    ["a JID without user", "<message from='@/x'><body>x</body></message>"],
    ["a JID without domain", "<message from='a@'><body>x</body></message>"],
    ["a bad `to`", "<message to='/' from='bob@localhost/x'><body>x</body></message>"],
    ["an empty `from`", "<message from=''><body>x</body></message>"],
    ["an error without <error/>", "<iq type='error' id='1' from='localhost'/>"],
    ["an error with an empty <error/>", "<iq type='error' id='1' from='localhost'><error/></iq>"],
  ])("hands over %s as it is", async (_what, stanza) => {
    const { connection, received } = await online();
    connection.send(stanza + OK);
    await eventually(() => received.length === 2);
  });

  it.each([
    ["20 MB", `<message><body>${"x".repeat(20_000_000)}</body></message>`],
    ["100,000 elements in each other", `<message>${"<a>".repeat(100_000)}${"</a>".repeat(100_000)}</message>`],
    ["65 elements in each other", `<message>${"<a>".repeat(64)}${"</a>".repeat(64)}</message>`],
    ["65 attributes", `<message ${Array.from({ length: 65 }, (_, i) => `a${i}=''`).join(" ")}/>`],
  ])("passes over a stanza of %s, says so, and goes on", async (_what, stanza) => {
    const warnings: unknown[] = [];
    const logger: Logger = { ...silentLogger, warn: (message, fields) => warnings.push([message, fields?.["why"]]) };
    const { connection, received } = await online({ logger });
    const before = process.memoryUsage().rss;
    connection.send(stanza + OK);
    await eventually(() => received.length === 1);
    expect(received[0]?.getChild("body")?.text()).toBe("ok");
    expect(warnings).toEqual([["a stanza was passed over", expect.any(String)]]);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });

  it("takes a stanza just below the bound, and passes over one just above", async () => {
    for (const [bound, options] of [[262_144], [1_000, { maxStanzaBytes: 1_000 }]] as const) {
      const { connection, received } = await online(options);
      const of = (bytes: number): string => `<message><body>${"x".repeat(bytes - 32)}</body></message>`;
      expect(of(bound)).toHaveLength(bound);
      connection.send(of(bound + 1) + of(bound) + OK);
      await eventually(() => received.length === 2);
      expect(received.map((stanza) => stanza.toString().length)).toEqual([bound, OK.length]);
    }
  });

  it("takes nothing of another namespace for a stanza", async () => {
    const { connection, received } = await online();
    connection.send(`<x:message xmlns:x='jabber:client'/><message xmlns='urn:other'/><foo/><iq xmlns='a'/>${OK}`);
    await eventually(() => received.length > 0);
    expect(received).toHaveLength(1);
  });

  it("reads characters that are cut by the border of a chunk", async () => {
    const { connection, received } = await online();
    const text = "21,5 °C € 𝄞 ".repeat(3);
    const bytes = Buffer.from(`<message from='bob@localhost/x'><body>${text}</body></message>`);
    for (const byte of bytes) {
      connection.send(new Uint8Array([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => received.length === 1);
    expect(received[0]?.getChild("body")?.text()).toBe(text);
  });

  it("reads 200 kB of them, however they are cut", async () => {
    const { connection, received } = await online();
    connection.send(`<message><body>${"€".repeat(66_000)}</body></message>`);
    await eventually(() => received.length === 1);
    expect(received[0]?.getChild("body")?.text()).toBe("€".repeat(66_000));
  });

  it("goes on when a receiver throws, and tells the logger", async () => {
    const errors: unknown[] = [];
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      connection.send("<message id='1'/><message id='2'/>");
    });
    const stream = await open(server, {
      logger: { ...silentLogger, error: (message, fields) => errors.push([message, fields?.["why"]]) },
    });
    const ids: unknown[] = [];
    stream.start((stanza) => {
      ids.push(stanza.attrs["id"]);
      throw new Error("a mistake");
    });
    await eventually(() => ids.length === 2);
    expect(errors).toEqual(Array.from({ length: 2 }, () => ["a receiver of stanzas threw", "a mistake"]));
  });
});
