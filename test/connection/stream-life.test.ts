import { describe, expect, it } from "vitest";
import { systemClock, type Clock } from "../../src/core/clock.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { iq, message } from "../../src/codec/stanza.ts";
import type { XmppStream } from "../../src/connection/stream.ts";
import { HEADER, PROCEED, SM, STARTTLS, features, mechanisms, type FakeConnection } from "../support/fake-server.ts";
import { heapInUse } from "../support/hostile/run.ts";
import { context, eventually, open, rejection, serve } from "./harness.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const body = (text: string): XmlElement => message({ to: "anna@localhost" }, el("body", {}, text));

describe("what a stream writes", () => {
  it("goes out in one write", async () => {
    const server = await serve((connection) => connection.logIn(context));
    const stream = await open(server);
    const connection = server.connections[0] as FakeConnection;
    const chunks: string[] = [];
    connection.socket.on("data", (data: Buffer) => chunks.push(data.toString()));
    await stream.write([iq({ type: "result", id: "1" }), body("a < b & c")]);
    await eventually(() => chunks.length > 0);
    expect(chunks).toEqual([
      '<iq xmlns="jabber:client" type="result" id="1"/>' +
        '<message xmlns="jabber:client" to="anna@localhost"><body>a &lt; b &amp; c</body></message>',
    ]);
  });

  it.each([
    ["a control character", () => body("a\u0001b"), "characters that XML forbids (at message)"],
    ["a lone surrogate", () => body("a\uD800b"), "characters that XML forbids (at message)"],
    ["too much", () => body("x".repeat(262_144)), "larger than 262144 bytes (at message)"],
    ["too many bytes in few characters", () => body("€".repeat(90_000)), "larger than 262144 bytes (at message)"],
  ])("is refused with %s in it, and the stream goes on", async (_what, make, text) => {
    const server = await serve((connection) => connection.logIn(context));
    const stream = await open(server);
    const error = await rejection(stream.write([body("before"), make()]));
    expect(error).toMatchObject({ code: "ERR_PROTOCOL", message: text });
    await stream.write([body("after")]);
    await eventually(() => server.everything.includes("after"));
    // Of what belonged together nothing went out.
    expect(server.everything).not.toContain("before");
  });

  it("is bounded as the options say", async () => {
    const server = await serve((connection) => connection.logIn(context));
    const stream = await open(server, { maxStanzaBytes: 1_000 });
    expect(await rejection(stream.write([body("x".repeat(1_000))]))).toMatchObject({ code: "ERR_PROTOCOL" });
    await stream.write([body("x".repeat(800)), body("x".repeat(800))]); // each for itself
  });

  it("is refused after the end, with the reason", async () => {
    const server = await serve((connection) => connection.logIn(context));
    const stream = await open(server);
    server.connections[0]?.socket.destroy();
    const { reason } = await stream.ended;
    expect(await rejection(stream.write([body("x")]))).toBe(reason);
  });

  it("rejects when the socket breaks under it", async () => {
    const server = await serve((connection) => connection.logIn(context));
    const stream = await open(server);
    const connection = server.connections[0] as FakeConnection;
    connection.socket.pause();
    const writes = Promise.allSettled(Array.from({ length: 100 }, () => stream.write([body("x".repeat(200_000))])));
    connection.socket.destroy();
    expect((await writes).at(-1)).toMatchObject({ status: "rejected", reason: { code: "ERR_CONNECTION" } });
    await stream.ended;
  });
});

describe("what waits for a server that does not read", () => {
  const BOUND = 1_048_576;
  /** A stream to a server that counts stanzas, and has stopped to read. */
  const deaf = async (): Promise<{ stream: XmppStream; connection: FakeConnection }> => {
    const server = await serve(async (connection) => {
      await connection.logIn(context, { offers: [SM] });
      await connection.read(/<enable [^>]*>/);
      connection.send("<enabled xmlns='urn:xmpp:sm:3'/>");
    });
    const stream = await open(server);
    const connection = server.connections[0] as FakeConnection;
    connection.socket.pause();
    return { stream, connection };
  };
  const why = `the connection was lost: more than ${BOUND} bytes wait for a server that does not read`;

  it("is bounded, and ends the stream: the heap does not grow", { timeout: 60_000 }, async () => {
    const { stream } = await deaf();
    const stanza = body("x".repeat(10_000));
    const bytes = Buffer.byteLength(stanza.toString());
    let waiting = 0;
    let most = 0;
    let rejected = 0;
    const before = heapInUse();
    let inHeap = 0;
    // 200 MB, if nothing stopped it. The system itself takes some of it.
    for (let count = 0; count < 20_000; count++) {
      waiting += bytes;
      const settled = (): number => (waiting -= bytes);
      stream.write([stanza]).then(settled, () => {
        settled();
        rejected++;
      });
      await new Promise(setImmediate);
      if (rejected === 0) most = Math.max(most, waiting);
      if (count % 5_000 === 4_999) inHeap = Math.max(inHeap, heapInUse() - before);
    }
    expect(most).toBeGreaterThan(BOUND / 2);
    expect(most).toBeLessThanOrEqual(BOUND);
    expect(inHeap).toBeLessThan(4 * BOUND);
    expect((await stream.ended).reason).toMatchObject({ code: "ERR_CONNECTION", message: why });
    await eventually(() => waiting === 0);
  });

  it("can be told: so that what is asked meanwhile need not be answered", async () => {
    const { stream, connection } = await deaf();
    expect(stream.backlog).toBe(0);
    while (stream.backlog === 0) {
      stream.write([body("x".repeat(10_000))]).catch(() => undefined);
      await new Promise(setImmediate);
    }
    connection.socket.resume();
    await eventually(() => stream.backlog === 0);
    await stream.close();
  });

  it("is bounded also when the server wants to hear its count again and again", { timeout: 60_000 }, async () => {
    const { stream, connection } = await deaf();
    let ended = false;
    void stream.ended.then(() => (ended = true));
    const questions = "<r xmlns='urn:xmpp:sm:3'/>".repeat(1_000);
    for (let count = 0; count < 2_000 && !ended; count++) {
      await new Promise<void>((resolve) => connection.socket.write(questions, () => resolve()));
    }
    expect((await stream.ended).reason).toMatchObject({ code: "ERR_CONNECTION", message: why });
  });

  it("is not what one write holds, or what is written in turn, on a link that works", async () => {
    const server = await serve((connection) => connection.logIn(context));
    const stream = await open(server);
    const many = Array.from({ length: 8 }, (_, number) => body(`${number}${"x".repeat(200_000)}`));
    for (let count = 0; count < 3; count++) await stream.write(many);
    await stream.write([body("the last")]);
    await eventually(() => server.everything.includes("the last"));
  });
});

describe("what a stream hands over", () => {
  it("comes in order, first what came before anybody listened", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      connection.send("<message id='1'/><iq id='2' type='get'><x xmlns='y'/></iq><presence id='3'/>");
    });
    const stream = await open(server);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const ids: unknown[] = [];
    stream.start((stanza) => ids.push(stanza.attrs["id"]));
    expect(ids).toEqual(["1", "2", "3"]);
    server.connections[0]?.send("<message id='4'/>");
    await eventually(() => ids.length === 4);
  });
});

describe("the end of a stream", () => {
  it("is said to the server, and answered by it", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      await connection.read(/<\/stream:stream>/);
      connection.send("</stream:stream>");
    });
    const clock = new SimulatedClock();
    const stream = await open(server, { clock });
    const closing = stream.close();
    expect(await rejection(stream.write([body("x")]))).toMatchObject({ code: "ERR_CONNECTION" });
    await closing;
    expect(await stream.ended).toMatchObject({ reason: { code: "ERR_CONNECTION", message: "closed" }, final: false });
    await server.connections[0]?.closed;
    expect(clock.pending).toBe(0);
    await stream.close(); // again: nothing
  });

  it("takes no longer than a second when the server does not answer", async () => {
    const server = await serve((connection) => connection.logIn(context));
    const clock = new SimulatedClock();
    const stream = await open(server, { clock });
    const received: XmlElement[] = [];
    stream.start((stanza) => received.push(stanza));
    let closed = false;
    const closing = stream.close().then(() => (closed = true));
    server.connections[0]?.send("<message/>"); // after the end was said, nobody listens
    await clock.advance(999);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(closed).toBe(false);
    await clock.advance(1);
    await closing;
    expect(received).toEqual([]);
    await server.connections[0]?.closed;
    expect(clock.pending).toBe(0);
  });
});

describe("a silent link", () => {
  const serving = (answering: boolean) =>
    serve(async (connection) => {
      await connection.logIn(context);
      while (answering) {
        const [, id] = await connection.read(/<iq [^>]*id="([^"]*)" to="localhost"><ping [^>]*\/><\/iq>/);
        connection.send(
          `<iq type='error' id='${id}' from='localhost'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
        );
      }
    });

  it("is asked after 60 s, and lives on if anything at all comes back", async () => {
    const server = await serving(true);
    const clock = new SimulatedClock();
    const stream = await open(server, { clock });
    let ended = false;
    void stream.ended.then(() => (ended = true));
    const pings = (): number => server.everything.match(/<ping /g)?.length ?? 0;
    await clock.advance(59_999);
    expect(pings()).toBe(0);
    for (let count = 1; count <= 3; count++) {
      await clock.advance(1);
      await eventually(() => pings() === count);
      await new Promise((resolve) => setTimeout(resolve, 10));
      await clock.advance(59_999);
    }
    expect(ended).toBe(false);
  });

  it("is not asked while something comes", async () => {
    const server = await serving(true);
    const clock = new SimulatedClock();
    const stream = await open(server, { clock });
    const received: XmlElement[] = [];
    stream.start((stanza) => received.push(stanza));
    for (let count = 1; count <= 5; count++) {
      await clock.advance(50_000);
      server.connections[0]?.send("<message/>");
      await eventually(() => received.length === count);
    }
    expect(server.everything).not.toContain("<ping");
  });

  it("has ended when nothing comes within 20 s", async () => {
    const server = await serving(false);
    const clock = new SimulatedClock();
    const stream = await open(server, { clock });
    await clock.advance(79_999);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect(await stream.ended).toMatchObject({
      reason: { code: "ERR_CONNECTION", message: "no sign of life from the server within 20000 ms" },
    });
    expect(clock.pending).toBe(0);
    await server.connections[0]?.closed;
  });

  it("is asked when the options say", async () => {
    const server = await serving(false);
    const clock = new SimulatedClock();
    const stream = await open(server, { clock, keepalive: { idle: 100, patience: 10 } });
    await clock.advance(110);
    expect((await stream.ended).reason.message).toContain("within 10 ms");
  });
});

describe("the way to a stream", () => {
  it("tells that nobody listens there", async () => {
    const server = await serve(() => undefined);
    const { port } = server;
    await server.close();
    const error = await rejection(open({ port }));
    expect(error).toMatchObject({ code: "ERR_CONNECTION" });
    expect(error.message).toBe(`cannot connect to 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`);
  });

  it("tells that a host with several addresses has nobody listening", async () => {
    const server = await serve(() => undefined);
    const { port } = server;
    await server.close();
    const error = await rejection(open({ port }, { address: { host: "localhost" } }));
    expect(error.message).toMatch(/^cannot connect to localhost:\d+: .*ECONNREFUSED/);
  });

  // Where the server falls silent, and how it is told where it is.
  const silences: [string, (connection: FakeConnection) => unknown][] = [
    ["after the connect", () => undefined],
    ["after the header", (connection) => connection.read(/<stream/).then(() => connection.send(HEADER))],
    [
      "after the offer of TLS was taken",
      (connection) => connection.read(/<stream/).then(() => connection.send(HEADER + features(STARTTLS))),
    ],
    [
      "in the handshake",
      (connection) =>
        connection.read(/<stream/).then(async () => {
          connection.send(HEADER + features(STARTTLS));
          await connection.read(/<starttls[^>]*>/);
          connection.send(PROCEED);
        }),
    ],
    ["after the handshake", (connection) => connection.upToTls(context)],
    [
      "in the login",
      (connection) =>
        connection.upToTls(context).then(() => connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")))),
    ],
    [
      "after the login",
      async (connection) => {
        await connection.upToTls(context);
        connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
        await connection.scram();
      },
    ],
  ];

  it.each(silences)("has a time limit: a server that falls silent %s", async (_where, script) => {
    let silent = false;
    const server = await serve((connection) => Promise.resolve(script(connection)).then(() => void (silent = true)));
    const clock = new SimulatedClock();
    const opening = rejection(open(server, { clock }));
    await eventually(() => silent);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await clock.advance(29_999);
    expect(server.open).toBe(1);
    await clock.advance(1);
    const error = await opening;
    expect(error).toMatchObject({ code: "ERR_TIMEOUT" });
    expect(error.message).toContain("the way to localhost");
    await server.connections[0]?.closed;
    expect(clock.pending).toBe(0);
  });

  it.each(silences)("can be given up while the server is silent %s", async (_where, script) => {
    let silent = false;
    const server = await serve((connection) => Promise.resolve(script(connection)).then(() => void (silent = true)));
    const giveUp = new AbortController();
    const clock = new SimulatedClock();
    const opening = rejection(open(server, { clock, signal: giveUp.signal }));
    await eventually(() => silent);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const reason = new Error("no longer wanted");
    giveUp.abort(reason);
    expect(await opening).toBe(reason);
    await server.connections[0]?.closed;
    expect(clock.pending).toBe(0);
  });

  it("is not begun when it is given up already", async () => {
    const server = await serve(() => undefined);
    const reason = new Error("no longer wanted");
    expect(await rejection(open(server, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(server.connections).toHaveLength(0);
  });

  it("leaves no stream behind when it is given up at the last moment", async () => {
    const giveUp = new AbortController();
    const server = await serve(async (connection) => {
      await connection.logIn(context);
    });
    const random = { bytes: (count: number) => new Uint8Array(count).fill(7) };
    // The clock is asked for the keepalive's first timer when everything else is done.
    const clock: Mutable<Clock> = { ...systemClock };
    const scheduled: number[] = [];
    clock.schedule = (ms, callback) => {
      scheduled.push(ms);
      if (scheduled.length === 2) giveUp.abort(new Error("at the last moment"));
      return systemClock.schedule(ms, callback);
    };
    expect((await rejection(open(server, { clock, random, signal: giveUp.signal }))).message).toBe(
      "at the last moment",
    );
    expect(scheduled).toHaveLength(2);
    await server.connections[0]?.closed;
  });

  it("is refused when no second try is wanted any more", async () => {
    const giveUp = new AbortController();
    const server = await serve(async (connection) => {
      await connection.upToTls(context);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
      await connection.read(/<iq /);
      giveUp.abort(new Error("no longer wanted"));
    });
    const account = { username: "user", password: "secret", resource: "r", register: true };
    expect((await rejection(open(server, { account, signal: giveUp.signal }))).message).toBe("no longer wanted");
    await server.connections[0]?.closed;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.connections).toHaveLength(1);
  });
});
