// What src/connection/xmpp-parts.ts relies on inside the @xmpp packages. If one of these fails after an update, that
// file is where to look.
import { readFileSync } from "node:fs";
import { createServer, Socket, type AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import XmppConnection from "@xmpp/tcp/lib/Connection.js";
import TlsSocket from "@xmpp/tls/lib/Socket.js";
import { Parser, type Element } from "@xmpp/xml";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Link, type LinkListener } from "../../src/connection/xmpp-parts.ts";
import type { FakeConnection } from "../support/fake-server.ts";
import { addressOf, afterwards, authority, context, eventually, rejection, serve } from "./harness.ts";

class Probe extends XmppConnection {
  readonly data: string[] = [];
  readonly parsers: unknown[] = [];
  readonly services: string[] = [];
  readonly #port: number;

  constructor(port: number) {
    super({ domain: "localhost" });
    this.timeout = 0;
    this.#port = port;
  }

  override socketParameters(service: string): { host: string; port: number } {
    this.services.push(service);
    return { host: "127.0.0.1", port: this.#port };
  }

  override _onData(data: Buffer): void {
    this.data.push(data.toString());
  }

  override _attachParser(parser: Parser): void {
    this.parsers.push(parser);
    this.parser = parser;
  }

  override _detachParser(): void {
    this.parser = null;
  }
}

async function connected(): Promise<{ probe: Probe; connection: FakeConnection }> {
  const server = await serve(() => undefined);
  const probe = new Probe(server.port);
  probe.on("error", () => undefined);
  await probe.connect("anything");
  await eventually(() => server.connections.length === 1);
  return { probe, connection: server.connections[0] as FakeConnection };
}

afterEach(() => vi.restoreAllMocks());

describe("@xmpp 0.14.0", () => {
  it("is the version that was read", () => {
    for (const name of ["tcp", "tls", "xml", "connection", "connection-tcp", "events"]) {
      const file = new URL(`../../node_modules/@xmpp/${name}/package.json`, import.meta.url);
      expect((JSON.parse(readFileSync(file, "utf8")) as { version: string }).version).toBe("0.14.0");
    }
  });
});

describe("Connection of @xmpp/tcp", () => {
  it("connects a plain net.Socket to what socketParameters says, and has it at hand at once", async () => {
    const server = await serve(() => undefined);
    const probe = new Probe(server.port);
    const connecting = probe.connect("anything");
    expect(probe.socket).toBeInstanceOf(Socket);
    await connecting;
    expect(probe.services).toEqual(["anything"]);
    (probe.socket as Socket).destroy();
  });

  it("rejects and emits `error` when nobody listens there", async () => {
    const free = createServer();
    const port = await new Promise<number>((resolve) =>
      free.listen(0, "127.0.0.1", () => resolve((free.address() as AddressInfo).port)),
    );
    await new Promise((resolve) => free.close(resolve));
    const probe = new Probe(port);
    const errors: unknown[] = [];
    probe.on("error", (error) => errors.push(error));
    const error = await rejection(probe.connect(""));
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
    expect(errors).toEqual([error]);
  });

  it("opens a stream by giving a new Parser to _attachParser and writing the header, without any timer", async () => {
    const { probe, connection } = await connected();
    const timers = vi.spyOn(globalThis, "setTimeout");
    const opening = probe.open({ domain: "localhost", lang: "en" });
    expect(probe.parsers).toEqual([expect.any(Parser)]);
    await connection.read(
      /^<\?xml version='1\.0'\?><stream:stream version="1\.0" xmlns="jabber:client" xmlns:stream="http:\/\/etherx\.jabber\.org\/streams" to="localhost" xml:lang="en">$/,
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(timers).not.toHaveBeenCalled();
    probe._status("open", "the header");
    expect(await opening).toBe("the header");
    (probe.socket as Socket).destroy();
  });

  it("hands all bytes to _onData", async () => {
    const { probe, connection } = await connected();
    connection.send("hello");
    await eventually(() => probe.data.join("") === "hello");
    (probe.socket as Socket).destroy();
  });

  it("writes text, and resolves when it was handed over", async () => {
    const { probe, connection } = await connected();
    await probe.write("<a/>");
    await connection.read(/<a\/>/);
    expect(probe.footer()).toBe("</stream:stream>");
    (probe.socket as Socket).destroy();
  });

  it("emits `disconnect` and drops the socket when it closes; writing then rejects", async () => {
    const { probe, connection } = await connected();
    const gone = new Promise((resolve) => probe.once("disconnect", resolve));
    connection.socket.destroy();
    await gone;
    expect(probe.socket).toBeNull();
    expect(await rejection(probe.write("x"))).toBeInstanceOf(TypeError);
  });

  it("listens to a socket from _attachSocket to _detachSocket", async () => {
    const { probe, connection } = await connected();
    const socket = probe.socket as Socket;
    probe._detachSocket();
    expect(socket.listenerCount("data")).toBe(0);
    probe._attachSocket(socket);
    socket.resume();
    connection.send("again");
    await eventually(() => probe.data.join("") === "again");
    socket.destroy();
  });
});

describe("Socket of @xmpp/tls", () => {
  it("puts TLS over a socket, passes the options on, and emits `connect` after the handshake", async () => {
    const server = await serve(async (connection) => {
      await connection.startTls(context);
      connection.send("under TLS");
    });
    const plain = new Socket();
    await new Promise<void>((resolve) => plain.connect(server.port, "127.0.0.1", resolve));
    const socket = new TlsSocket();
    const data: string[] = [];
    socket.on("data", (chunk: Buffer) => data.push(chunk.toString()));
    socket.connect({ socket: plain, ca: authority.cert, servername: "localhost" });
    expect(socket.socket).toBeInstanceOf(TLSSocket);
    await new Promise((resolve) => socket.once("connect", resolve));
    expect(socket.socket?.authorized).toBe(true);
    await new Promise<void>((resolve, reject) => socket.write("hello", (error) => (error ? reject(error) : resolve())));
    await server.connections[0]?.read(/hello/);
    await eventually(() => data.join("") === "under TLS");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.socket?.destroy();
    await closed;
    expect(socket.socket).toBeNull();
  });

  it("emits `error`, and no `connect`, when the proof fails", async () => {
    const server = await serve((connection) => connection.startTls(context));
    const plain = new Socket();
    await new Promise<void>((resolve) => plain.connect(server.port, "127.0.0.1", resolve));
    const socket = new TlsSocket();
    const connect = vi.fn();
    socket.on("connect", connect);
    socket.connect({ socket: plain, servername: "localhost" });
    const error = await new Promise((resolve) => socket.once("error", resolve));
    expect(error).toMatchObject({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
    expect(connect).not.toHaveBeenCalled();
  });
});

describe("Parser of @xmpp/xml", () => {
  const parse = (...frames: string[]): unknown[] => {
    const told: unknown[] = [];
    const parser = new Parser();
    parser.on("start", (element: Element) => told.push(["start", element.name, element.children.length]));
    parser.on("element", (element: Element) => told.push(["element", element.toString(), element.getNS()]));
    parser.on("end", () => told.push(["end"]));
    parser.on("error", (error: Error) => told.push(["error", error.message]));
    for (const frame of frames) parser.write(frame);
    return told;
  };

  it("tells the root, each child with the namespace it inherits, and the end", () => {
    expect(
      parse("<s:s xmlns='jabber:client' xmlns:s='urn:s'>", "<a><b>x &lt; &#228;</b></a>", "<c/>", "</s:s>"),
    ).toEqual([
      ["start", "s:s", 0],
      ["element", "<a><b>x &lt; ä</b></a>", "jabber:client"],
      ["element", "<c/>", "jabber:client"],
      ["end"],
    ]);
  });

  it("does not collect the children of the root", () => {
    const parser = new Parser();
    parser.write("<s>");
    for (let i = 0; i < 10; i++) parser.write("<a/>");
    expect(parser.root?.children).toEqual([]);
  });

  it("throws at what it cannot read", () => {
    expect(() => parse("<s>", "<a>&bogus;</a>")).toThrow("Illegal XML entity");
    expect(() => parse("<s>", "<a>&#xD800;</a>")).toThrow("Illegal XML character");
  });

  it("tells an end that does not fit", () => {
    expect(parse("<s>", "<a></b>")).toEqual([
      ["start", "s", 0],
      ["error", "a must be closed."],
    ]);
  });
});

describe("a link", () => {
  it("tells nothing any more once it was destroyed", async () => {
    const server = await serve(() => undefined);
    const told: string[] = [];
    const listener = new Proxy({} as LinkListener, {
      get: (_target, name) => () => told.push(String(name)),
    });
    const link = new Link(
      addressOf(server),
      { maxBytes: 1_000, maxDepth: 9, maxAttributes: 9, maxElements: 9, maxName: 99 },
      listener,
    );
    await link.connect();
    const timers = vi.spyOn(globalThis, "setTimeout");
    link.open("localhost");
    await eventually(() => server.everything.includes("<stream:stream"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(timers.mock.calls.map(([, ms]) => ms)).not.toContain(2_000); // time is watched on the injected clock
    server.connections[0]?.send("<stream:stream><a/>");
    await eventually(() => told.includes("onElement"));
    told.length = 0;
    link.destroy();
    server.connections[0]?.send("<b/></stream:stream>");
    await server.connections[0]?.closed;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(told).toEqual([]);
    await rejection(link.write("x"));
  });

  it("writes in one piece what is written in one turn, also by promises that wait for nothing else, in its order", async () => {
    const server = await serve(() => undefined);
    const link = new Link(
      addressOf(server),
      { maxBytes: 1_000, maxDepth: 9, maxAttributes: 9, maxElements: 9, maxName: 99 },
      new Proxy({} as LinkListener, { get: () => () => undefined }),
    );
    afterwards(() => {
      link.destroy();
      return Promise.resolve();
    });
    await link.connect();
    const written = vi.spyOn(Socket.prototype, "write");
    const later = async (): Promise<void> => {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      expect(written).not.toHaveBeenCalled();
      const last = link.write("<b/>");
      expect(link.backlog).toBe(8);
      await last;
    };
    await Promise.all([link.write("<a/>"), later()]);
    expect(link.backlog).toBe(0);
    await link.write("<c/>");
    expect(written.mock.calls.map(([text]) => text)).toEqual(["<a/><b/>", "<c/>"]);
    await eventually(() => server.everything === "<a/><b/><c/>");
    const [lost, end] = [link.write("<d/>"), link.writeEnd()];
    link.destroy();
    await Promise.all([rejection(lost), rejection(end)]);
    expect(link.backlog).toBe(0);
  });

  it("tells a mistake of the parser's that the framer has let through", async () => {
    const server = await serve((connection) =>
      connection.send("<s:s xmlns='jabber:client' xmlns:s='urn:s'><a>&bogus;</a><b/>"),
    );
    const broken: string[] = [];
    const elements: string[] = [];
    const nothing = (): void => undefined;
    const link = new Link(
      addressOf(server),
      { maxBytes: 1_000, maxDepth: 9, maxAttributes: 9, maxElements: 9, maxName: 99 },
      {
        ...{ onOpen: nothing, onEnd: nothing, onClosed: nothing, onBytes: nothing, onOversize: nothing },
        onElement: (element) => elements.push(element.name),
        onBroken: (error) => broken.push(error.message),
      },
    );
    afterwards(() => {
      link.destroy();
      return Promise.resolve();
    });
    await link.connect();
    link.open("localhost");
    await eventually(() => broken.length === 1);
    expect(broken[0]).toContain("Illegal XML entity");
    server.connections[0]?.send("<c/>");
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(elements).toEqual([]);
  });
});
