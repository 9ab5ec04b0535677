// What is left of the faults in docs/robustness.md: peers that hang, come too late, or answer what nobody asked.
import { spawn } from "node:child_process";
import { connect as dial, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { ProtocolError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import { el, parseXml } from "../../src/codec/xml.ts";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import { ConnectionManager, type LinkState } from "../../src/connection/connection-manager.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import type { FakeConnection, FakeServer } from "../support/fake-server.ts";
import { thingOptions } from "../support/site.ts";
import { addressOf, afterwards, authority, context, eventually, open, rejection, serve } from "./harness.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

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

interface Asker {
  readonly channel: StanzaChannel;
  readonly connection: FakeConnection;
}

/** A channel over a stream to a server that the test plays. */
async function asker(): Promise<Asker> {
  const server = await serve((connection) => connection.logIn(context));
  const stream = await open(server);
  const channel = new StanzaChannel({ clock: systemClock, random: systemRandom, logger: silentLogger });
  channel.attach(stream);
  stream.start((stanza) => channel.receive(stanza));
  return { channel, connection: server.connections[0] as FakeConnection };
}

const asked = async (connection: FakeConnection): Promise<string> =>
  (await connection.read(/<iq [^>]*id="([^"]*)"[^>]*><ask /))[1] ?? "";
const ask = { type: "get", to: "peer@localhost/x", payload: el("ask", { xmlns: "urn:x" }) } as const;

describe("a question", () => {
  it.each([
    ["an error without <error/>", (id: string) => `<iq type='error' id='${id}' from='peer@localhost/x'/>`],
    ["an empty <error/>", (id: string) => `<iq type='error' id='${id}' from='peer@localhost/x'><error/></iq>`],
  ])("that is answered by %s is told at once, and not by its time limit", async (_what, answer) => {
    const { channel, connection } = await asker();
    const asking = rejection(channel.request(ask));
    connection.send(answer(await asked(connection)));
    expect(await asking).toMatchObject({ code: "ERR_STANZA", condition: "undefined-condition" });
  });

  it("gets the child of its answer whatever that is called", async () => {
    const { channel, connection } = await asker();
    const asking = channel.request(ask);
    const id = await asked(connection);
    connection.send(`<iq type='result' id='${id}' from='peer@localhost/x'><toldResponse xmlns='urn:x' n='1'/></iq>`);
    expect((await asking)?.is("toldResponse", "urn:x")).toBe(true);
  });

  it("is not answered by anybody else, nor once more after its time", async () => {
    const { channel, connection } = await asker();
    const asking = rejection(channel.request(ask, { timeout: 150 }));
    const id = await asked(connection);
    for (const from of ["from='other@localhost/x'", "from='peer@localhost/y'", "from='localhost'", "from='@'", ""]) {
      connection.send(`<iq type='result' id='${id}' ${from}><told xmlns='urn:x'/></iq>`);
    }
    expect(await asking).toMatchObject({
      code: "ERR_TIMEOUT",
      message: "ask to peer@localhost/x: no answer within 150 ms",
    });
    connection.send(`<iq type='result' id='${id}' from='peer@localhost/x'><told xmlns='urn:x'/></iq>`);
    const next = channel.request(ask);
    connection.send(`<iq type='result' id='${await asked(connection)}' from='peer@localhost/x'/>`);
    expect(await next).toBeUndefined();
  });

  it("with two children is refused, and the stream goes on", async () => {
    const { connection } = await asker();
    connection.send("<iq type='get' id='two' from='peer@localhost/x'><a xmlns='urn:x'/><b xmlns='urn:x'/></iq>");
    await connection.read(/<iq [^>]*type="error" id="two"[^>]*><error type="modify"><bad-request /);
  });
});

describe("a character that XML forbids", () => {
  const request = (text: string): string =>
    `<iq type='get' id='1' from='peer@localhost/x'><ask xmlns='urn:x' a='${text}'/></iq>`;
  const inText = (text: string): string => `<message from='peer@localhost/x'><body>${text}</body></message>`;
  const marks = [...Array.from({ length: 0x20 }, (_, code) => code), 0xfffe, 0xffff].filter(
    (code) => ![0x09, 0x0a, 0x0d].includes(code),
  );
  const ways: readonly [string, (code: number) => string][] = [
    ["raw", (code) => String.fromCharCode(code)],
    ["as a reference", (code) => `&#${code};`],
    ["as a hexadecimal reference", (code) => `&#x${code.toString(16)};`],
    ["as a reference with zeros in front", (code) => `&#x000${code.toString(16).toUpperCase()};`],
  ];

  // The keys of remembered rights rely on it: they are put together by characters that no stream can bring.
  it.each(ways)("ends the stream, wherever it comes (%s), and reaches nobody", async (_, written) => {
    for (const code of [...marks.filter((one) => one <= 0x1f && one % 5 === 1), 0xfffe]) {
      for (const stanza of [request, inText]) {
        const server = await serve((connection) => connection.logIn(context));
        const stream = await open(server);
        const received: string[] = [];
        stream.start((one) => received.push(one.name));
        server.connections[0]?.send(stanza(`a${written(code)}b`) + inText("later"));
        expect((await stream.ended).reason).toMatchObject({ code: "ERR_PROTOCOL" });
        expect(received).toEqual([]);
      }
    }
  });

  it("cannot be made by the parser, however it is written", () => {
    for (const code of [...marks, 0xd800, 0xdfff]) {
      for (const [, written] of ways.slice(1)) {
        for (const stanza of [request, inText]) {
          expect(() => parseXml(stanza(`a${written(code)}b`)), written(code)).toThrow(ProtocolError);
        }
      }
    }
  });
});

describe("characters of several bytes", () => {
  it("come whole wherever the chunk is cut, in every position", async () => {
    const { channel, connection } = await asker();
    const texts: string[] = [];
    channel.router.onMessage("urn:x", "text", ({ payload }) => void texts.push(payload.text()));
    const text = "°€𝄞é";
    const bytes = new Uint8Array(Buffer.from(`<message from='a@b'><text xmlns='urn:x'>${text}</text></message>`));
    for (let at = 1; at < bytes.length; at++) {
      connection.send(bytes.subarray(0, at));
      await new Promise((resolve) => setTimeout(resolve, 1));
      connection.send(bytes.subarray(at));
      await eventually(() => texts.length === at);
    }
    expect(new Set(texts)).toEqual(new Set([text]));
  });
});

describe("a link", () => {
  function link(server: FakeServer): { manager: ConnectionManager; states: LinkState[] } {
    const states: LinkState[] = [];
    const base = { clock: systemClock, random: systemRandom, logger: silentLogger };
    const account = { username: "user", password: "secret", resource: "r", pending: false };
    const manager = new ConnectionManager({
      ...base,
      channel: new StanzaChannel(base),
      addresses: () => [addressOf(server)],
      account: {
        load: () => Promise.resolve(account),
        keep: () => Promise.resolve(),
        made: () => Promise.resolve(),
        renew: () => Promise.resolve(account),
        passwordChanged: () => Promise.resolve(),
      },
      tls: { ca: authority.cert },
      timeout: 300,
      retry: { server: 20, link: 20 },
      onState: (state) => states.push(state),
      onFault: () => undefined,
    });
    afterwards(() => manager.stop());
    return { manager, states };
  }

  it("whose reconnects nobody answers, or only half, comes up again when somebody does", async () => {
    const logIn = (connection: FakeConnection): Promise<unknown> => connection.logIn(context);
    const scripts: ((connection: FakeConnection) => unknown)[] = [
      logIn,
      () => undefined, // accepted, and never a word
      (connection) => connection.upToTls(context),
      logIn,
    ];
    const server = await serve((connection, index) => scripts[index]?.(connection));
    const { manager, states } = link(server);
    manager.start();
    await eventually(() => states.at(-1)?.is === "online");
    server.connections[0]?.socket.destroy();
    await eventually(() => server.connections.length === 4 && states.at(-1)?.is === "online");
    expect(server.open).toBe(1);
  });

  it("that was stopped stays so, also when its socket closes later", async () => {
    const server = await serve((connection) => connection.logIn(context));
    const { manager, states } = link(server);
    manager.start();
    await eventually(() => states.at(-1)?.is === "online");
    const [connection] = server.connections;
    await manager.stop(); // the server says nothing to the goodbye, and closes a second later
    connection?.send("</stream:stream>");
    connection?.socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(states.at(-1)).toEqual({ is: "stopped" });
    expect(server.connections).toHaveLength(1);
  });
});

describe("a Thing to which nobody listens", () => {
  it("lives on when nobody listens at the server either", async () => {
    const server = await serve(() => undefined);
    const { port } = server;
    await server.close();
    const thing = new Thing(
      thingOptions(memoryStorage(), { service: `xmpp://127.0.0.1:${port}`, domain: "localhost" }),
    );
    afterwards(() => thing.stop());
    await thing.start();
    await thing.waitFor((state) => state.link.is === "waiting", { timeout: 5_000 });
  });
});

describe("a black hole", () => {
  it.skipIf(process.platform !== "linux")(
    "is given up after the time limit, not after that of the system",
    async () => {
      // A process that sleeps and whose queue is full: what is sent to it is dropped without a word.
      const child = spawn(process.execPath, [
        "-e",
        "const s = require('net').createServer(); s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port));",
      ]);
      const fillers: Socket[] = [];
      afterwards(() => {
        for (const socket of fillers) socket.destroy();
        child.kill("SIGKILL");
        return Promise.resolve();
      });
      const port = Number(await new Promise((resolve) => child.stdout.once("data", resolve)));
      child.kill("SIGSTOP");
      for (let count = 0; count < 8; count++) {
        const socket = dial(port, "127.0.0.1");
        socket.on("error", () => undefined);
        fillers.push(socket);
      }
      await eventually(() => fillers.filter(({ connecting }) => !connecting).length >= 2);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(fillers.some(({ connecting }) => connecting)).toBe(true); // it is one
      const error = await rejection(open({ port }, { timeout: 300 }));
      expect(error).toMatchObject({ code: "ERR_TIMEOUT" });
      // A host that does not answer at all does not get the time that a slow server gets.
      const clock = new SimulatedClock();
      const given = rejection(open({ port }, { clock }));
      await clock.advance(10_000);
      expect(await given).toMatchObject({ code: "ERR_TIMEOUT", message: expect.stringContaining("connecting to") });
      expect(clock.pending).toBe(0);
    },
  );
});
