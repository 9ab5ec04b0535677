// What the connection does on a real server: the same tests on Prosody and on the sandbox, which is judged by them.
import type { EventEmitter } from "node:events";
import { connect as connectSocket, createServer, type AddressInfo, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { message } from "../../src/codec/stanza.ts";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import type { Account } from "../../src/connection/account.ts";
import { connect, type Connection, type ConnectOptions } from "../../src/connection/connect.ts";
import { ConnectionManager, type LinkState } from "../../src/connection/connection-manager.ts";
import type { Friends } from "../../src/connection/friends.ts";
import { openStream } from "../../src/connection/stream.ts";
import { WireTrace } from "../../src/connection/wire-trace.ts";
import { eventually, rejection } from "./harness.ts";
import { managedLinks } from "./managed-links.ts";

const cleanups: (() => Promise<unknown>)[] = [];
let users = 0;

/** A server that the tests started, with the domain `localhost` and free registration. */
export interface RealServer {
  /** The port for clients, with STARTTLS. */
  readonly port: number;
  /** The port for clients with direct TLS, if it has one. */
  readonly tlsPort?: number;
  /** The authority that signed its certificate, PEM. */
  readonly ca: string;
  /** Ends it at once, as a power cut does. */
  kill(): Promise<void>;
  /** For how long it keeps what it has stored in memory only, in milliseconds. Default 0. */
  readonly writesAfter?: number;
  /** Starts it again after `kill`, on the same ports, with the accounts it had. */
  restart(): Promise<void>;
  /** Ends it. */
  stop(): Promise<void>;
}

/** What the servers differ in. */
export interface Peculiarities {
  /** Whether the server listens for TLS from the first byte. */
  readonly directTls: boolean;
  /** The strongest mechanism that both sides have. */
  readonly strongest: string;
  /** The stream error for an account that is removed. Default `not-authorized`. */
  readonly removed?: "not-authorized" | "conflict";
}

export function onARealServer(
  start: () => Promise<RealServer>,
  { directTls, strongest, removed = "not-authorized" }: Peculiarities,
): void {
  let server: RealServer;
  beforeAll(async () => {
    server = await start();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  afterAll(() => server.stop());
  managedLinks(() => server);

  const options = (more: Partial<ConnectOptions> = {}): ConnectOptions => ({
    service: `xmpp://127.0.0.1:${server.port}`,
    domain: "localhost",
    username: `user${++users}`,
    password: "päss=w,örd",
    tls: { ca: server.ca },
    register: true,
    ...more,
  });

  const online = async (more: Partial<ConnectOptions> = {}): Promise<Connection> => {
    const connection = await connect(options(more));
    cleanups.push(() => connection.close());
    return connection;
  };

  /** Waits until a push has made it so. */
  const until = (friends: Friends, what: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!what()) return;
        forget();
        resolve();
      };
      const forget = friends.onChange(check);
      check();
    });

  it(`logs in by ${strongest}, the strongest that both have`, async () => {
    const seen: string[] = [];
    const load = (): Promise<{ default: (emitter: EventEmitter) => void }> =>
      Promise.resolve({
        default: (emitter) =>
          void emitter.on("send", (element: XmlElement) => void seen.push(element.attrs["mechanism"] ?? "")),
      });
    const trace = new WireTrace(silentLogger, load);
    const { username, password } = options();
    const base = { clock: systemClock, random: systemRandom, logger: silentLogger };
    for (const register of [true, false]) {
      const stream = await openStream({
        ...{ ...base, trace, tls: { ca: server.ca } },
        address: { host: "127.0.0.1", port: server.port, domain: "localhost" },
        account: { username, password, resource: "r", register },
      });
      await stream.close();
    }
    // The first was refused: the account was not there yet.
    expect(seen.filter((name) => name !== "")).toEqual(Array.from({ length: 3 }, () => strongest));
  });

  it("makes an account, logs in by SCRAM, and finds it again", async () => {
    const given = options();
    const first = await connect(given);
    expect(first.jid.bare).toBe(`${given.username}@localhost`);
    await first.close();
    const second = await online({ ...given, register: false });
    expect(second.jid.bare).toBe(first.jid.bare);
  });

  if (directTls) {
    it("does the same with direct TLS", async () => {
      const connection = await online({ service: `xmpps://127.0.0.1:${server.tlsPort ?? 0}` });
      const ping = { type: "get", to: "localhost", payload: el("ping", { xmlns: "urn:xmpp:ping" }) } as const;
      expect(await connection.channel.request(ping)).toBeUndefined();
    });
  }

  it("tells a wrong password, and a name that is taken", async () => {
    const given = options();
    await (await connect(given)).close();
    const wrong = { ...given, password: "another" };
    expect(await rejection(connect({ ...wrong, register: false }))).toMatchObject({ code: "ERR_AUTHENTICATION" });
    expect(await rejection(connect(wrong))).toMatchObject({ code: "ERR_REGISTRATION", condition: "conflict" });
  });

  it("ends for good when another session takes the full JID", async () => {
    const given = options({ resource: "one" });
    const first = await online(given);
    await online(given);
    expect(await first.ended).toMatchObject({ final: true, reason: { condition: "conflict" } });
  });

  it("ends when the account is removed, and says so", async () => {
    const connection = await online();
    const payload = el("query", { xmlns: "jabber:iq:register" }, el("remove"));
    await connection.channel.request({ type: "set", payload }).catch(() => undefined);
    expect(await connection.ended).toMatchObject({
      final: removed === "conflict", // which is what it says of another session too
      reason: { condition: removed },
    });
  });

  it("delivers stanzas that hold more characters than fit into a chunk, and passes over none below the bound", async () => {
    const [one, other] = [await online(), await online()];
    const texts: string[] = [];
    other.channel.router.onMessage("urn:test", "t", ({ payload }) => void texts.push(payload.text()));
    for (const length of [1, 5_000, 20_000, 66_000]) {
      await one.channel.send(message({ to: other.jid.full }, el("t", { xmlns: "urn:test" }, "€".repeat(length))));
    }
    await eventually(() => texts.length === 4);
    expect(texts.map((text) => [text.length, text.includes("\uFFFD")])).toEqual([
      [1, false],
      [5_000, false],
      [20_000, false],
      [66_000, false],
    ]);
  });

  it("makes friends, sees them come and go, and ends friendship", async () => {
    const thing = await online();
    const anna = await online();
    const asked: BareJid[] = [];
    thing.friends.onRequest((jid) => asked.push(jid));
    await anna.friends.ask(thing.jid.bare);
    await eventually(() => asked.length === 1);
    expect(asked).toEqual([anna.jid.bare]);
    await until(anna.friends, () => anna.friends.has(thing.jid.bare)?.pendingOut === true);
    await thing.friends.accept(anna.jid.bare);
    await until(anna.friends, () => anna.friends.has(thing.jid.bare)?.to === true);
    await until(thing.friends, () => thing.friends.has(anna.jid.bare)?.from === true);
    await eventually(() => anna.friends.presenceOf(thing.jid.bare).length === 1);
    expect(anna.friends.presenceOf(thing.jid.bare)).toEqual([thing.jid.full]);
    expect(thing.friends.presenceOf(anna.jid.bare)).toEqual([]);

    await thing.friends.remove(anna.jid.bare);
    await until(anna.friends, () => anna.friends.has(thing.jid.bare)?.to === false);
    expect(anna.friends.presenceOf(thing.jid.bare)).toEqual([]);
    expect(thing.friends.has(anna.jid.bare)).toBeUndefined();
    await thing.friends.remove(bareJid("nobody@localhost"));
  });

  it("refuses a request, and gets it again at the next login if it was left alone", async () => {
    const given = options();
    const anna = await online();
    const first = await connect(given);
    const jid = first.jid.bare;
    const asked: BareJid[] = [];
    first.friends.onRequest((from) => asked.push(from));
    await anna.friends.ask(jid);
    await eventually(() => asked.length === 1);
    await first.close();
    const second = await online({ ...given, register: false });
    second.friends.onRequest((from) => asked.push(from));
    await eventually(() => asked.length === 2);
    expect(asked).toEqual([anna.jid.bare, anna.jid.bare]);
    await second.friends.refuse(anna.jid.bare);
    await until(anna.friends, () => anna.friends.has(jid)?.pendingOut === false);
    expect(anna.friends.has(jid)?.to).toBe(false);
  });

  describe("with somebody in the middle", () => {
    /** Talks TLS to the server and clear text to the client, and takes the offer of STARTTLS away. */
    async function strip(): Promise<{ port: number; seen: () => string }> {
      let seen = "";
      const sockets: Socket[] = [];
      const middle = createServer((client) => {
        const upstream = connectSocket(server.port, "127.0.0.1");
        let secure: TLSSocket | undefined;
        let opening: Buffer | undefined;
        let clear = "";
        sockets.push(client, upstream);
        for (const socket of [client, upstream]) socket.on("error", () => undefined);
        client.on("data", (data: Buffer) => {
          seen += data.toString();
          opening ??= data;
          (secure ?? upstream).write(new Uint8Array(data));
        });
        const negotiate = (data: Buffer): void => {
          clear += data.toString();
          if (clear.includes("<proceed")) {
            upstream.removeListener("data", negotiate);
            secure = connectTls({ socket: upstream, ca: server.ca, servername: "localhost" });
            secure.on("error", () => undefined);
            secure.once("secureConnect", () => secure?.write(new Uint8Array(opening as Buffer)));
            secure.on("data", (chunk: Buffer) => client.write(new Uint8Array(chunk)));
          } else if (clear.includes("</stream:features>")) {
            clear = "";
            upstream.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
          }
        };
        upstream.on("data", negotiate);
      });
      await new Promise<void>((resolve) => middle.listen(0, "127.0.0.1", resolve));
      cleanups.push(() => {
        for (const socket of sockets) socket.destroy();
        return new Promise((resolve) => middle.close(resolve));
      });
      return { port: (middle.address() as AddressInfo).port, seen: () => seen };
    }

    it("who strips STARTTLS, nobody gets credentials", async () => {
      const given = options();
      await (await connect(given)).close();
      const middle = await strip();
      for (const register of [false, true]) {
        const service = `xmpp://127.0.0.1:${middle.port}`;
        expect(await rejection(connect({ ...given, service, register }))).toMatchObject({ code: "ERR_TLS_POLICY" });
      }
      // The opening of the stream, twice, and nothing else.
      expect(middle.seen()).toMatch(/^(<\?xml version='1\.0'\?><stream:stream [^>]*>){2}$/);
      expect(middle.seen()).not.toContain(given.username);
    });

    it("whose authority is not ours, nobody gets credentials", async () => {
      expect(await rejection(connect(options({ tls: {} })))).toMatchObject({ code: "ERR_TLS_POLICY" });
      const elsewhere = options({ domain: "example.org" });
      expect(await rejection(connect(elsewhere))).toMatchObject({ condition: "host-unknown" });
    });
  });

  it(
    "has its link up again after the server was killed and started again, with the same account",
    { timeout: 90_000 },
    async () => {
      let account: Account = { username: "thing", password: "secret", resource: "r", pending: true };
      const states: LinkState[] = [];
      const faults: string[] = [];
      const base = { clock: systemClock, random: systemRandom, logger: silentLogger };
      const channel = new StanzaChannel(base);
      const manager = new ConnectionManager({
        ...base,
        channel,
        addresses: () => [{ host: "127.0.0.1", port: server.port, domain: "localhost" }],
        account: {
          load: () => Promise.resolve(account),
          keep: () => Promise.resolve(),
          made: () => Promise.resolve(void (account = { ...account, pending: false })),
          renew: () => Promise.reject(new Error("not in this test")),
          passwordChanged: () => Promise.resolve(),
        },
        tls: { ca: server.ca },
        retry: { server: 20, link: 20, cap: 50 },
        onState: (state) => states.push(state),
        onFault: (code, text) => faults.push(`${code}: ${text}`),
      });
      try {
        manager.start();
        await eventually(() => !account.pending);
        await new Promise((resolve) => setTimeout(resolve, server.writesAfter ?? 0));
        for (let round = 1; round <= 3; round++) {
          await eventually(() => states.at(-1)?.is === "online");
          expect(states.at(-1)).toMatchObject({ is: "online", jid: "thing@localhost/r" });
          expect(account.pending).toBe(false);
          const ping = { type: "get", to: "localhost", payload: el("ping", { xmlns: "urn:xmpp:ping" }) } as const;
          await channel.request(ping);
          await server.kill();
          await eventually(() => states.at(-1)?.is !== "online");
          await server.restart();
        }
        await eventually(() => states.at(-1)?.is === "online");
        await manager.stop();
        expect(states.at(-1)).toEqual({ is: "stopped" });
        expect(faults).toEqual([]);
      } finally {
        await manager.stop();
      }
    },
  );
}
