import { describe, expect, it, vi } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { ConfigError, DiscoveryError, StorageError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom, type RandomSource } from "../../src/core/random.ts";
import { el } from "../../src/codec/xml.ts";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import type { Account, AccountStore } from "../../src/connection/account.ts";
import {
  ConnectionManager,
  type ConnectionManagerOptions,
  type LinkState,
} from "../../src/connection/connection-manager.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { makeAuthority, makeCertificate } from "../support/certificates.ts";
import { HEADER, features, mechanisms, serverContext, type FakeConnection } from "../support/fake-server.ts";
import { addressOf, afterwards, authority, certificate, context, eventually, rejection, serve } from "./harness.ts";

const ACCOUNT: Account = { username: "user", password: "secret", resource: "r", pending: false };
const NOT_AUTHORIZED = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>";
const NO_DATA = "<iq type='result' id='${id}'/>";

function storeOf(account: Account = ACCOUNT): AccountStore & { log: string[]; kept: string[] } {
  const log: string[] = [];
  const kept: string[] = [];
  let current = account;
  return {
    log,
    kept,
    load: () => Promise.resolve(current),
    keep: () => {
      kept.push(current.username);
      return Promise.resolve();
    },
    made: () => {
      log.push(`made ${current.username}`);
      current = { ...current, pending: false };
      return Promise.resolve();
    },
    renew: () => {
      const { username, password, resource } = current;
      current = { username: `${username}x`, password, resource, pending: true };
      log.push(`renewed ${current.username}`);
      return Promise.resolve(current);
    },
    passwordChanged: () => {
      log.push("password changed");
      const { newPassword, ...others } = current;
      current = { ...others, password: newPassword ?? others.password };
      return Promise.resolve();
    },
  };
}

interface Setting {
  readonly manager: ConnectionManager;
  readonly channel: StanzaChannel;
  readonly states: LinkState[];
  readonly faults: string[];
  readonly clock: SimulatedClock;
  /** The names of the states, one after another. */
  path(): string;
}

// Draws the whole window: waits are the windows themselves.
const widest: RandomSource = {
  bytes: (count) => (count === 6 ? new Uint8Array(6).fill(255) : systemRandom.bytes(count)),
};

function manage(options: Partial<ConnectionManagerOptions> & Pick<ConnectionManagerOptions, "addresses">): Setting {
  const clock = new SimulatedClock();
  const states: LinkState[] = [];
  const faults: string[] = [];
  const base = { clock: clock as Clock, random: widest, logger: silentLogger };
  const channel = new StanzaChannel(base);
  const manager = new ConnectionManager({
    ...base,
    channel,
    account: storeOf(),
    tls: { ca: authority.cert },
    onState: (state) => states.push(state),
    onFault: (code, message) => faults.push(`${code}: ${message}`),
    ...options,
  });
  afterwards(() => Promise.resolve(void manager.stop()));
  return { manager, channel, states, faults, clock, path: () => states.map(({ is }) => is).join(" ") };
}

const online = (setting: Setting): Promise<void> => eventually(() => setting.states.at(-1)?.is === "online");
const waiting = (setting: Setting): Promise<void> => eventually(() => setting.states.at(-1)?.is === "waiting");
const loggingIn = () => serve((connection) => connection.logIn(context));

describe("a device without a clock battery", () => {
  const early = () => makeCertificate(authority, { from: new Date(Date.now() + 3.6e6) });
  const served = (shown: { cert: string; key: string }) =>
    serve(async (connection) => {
      await connection.logIn(serverContext(shown));
    });

  it("says that its clock is behind, and tries again every ten seconds, not ever more rarely", async () => {
    const server = await served(early());
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    for (let tries = 1; tries <= 8; tries++) {
      await waiting(setting);
      expect(server.connections).toHaveLength(tries);
      const state = setting.states.at(-1) as Extract<LinkState, { is: "waiting" }>;
      expect(Math.round(state.ms)).toBe(11_000); // the widest spread
      await setting.clock.advance(state.ms);
      await eventually(() => server.connections.length === tries + 1);
    }
    await waiting(setting);
    expect(setting.faults[0]).toMatch(
      /^clock-behind: the device's clock says 2026-01-01T00:00:00\.000Z, but the certificate/,
    );
    expect(server.everything).not.toMatch(/<auth|<response|<register|<iq|dXNlcg/);
  });

  it("tries again within a second when the clock is set, and goes by the growing waits from then on", async () => {
    let shown = early();
    const server = await serve(async (connection) => {
      await connection.logIn(serverContext(shown));
    });
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    await waiting(setting);
    await setting.clock.advance(10_000);
    expect(server.connections).toHaveLength(1);
    setting.clock.jump(10 * 365 * 86_400_000);
    shown = certificate; // what the jump does to the proof
    await setting.clock.advance(1_000);
    await online(setting);
    expect(server.connections).toHaveLength(2);
    expect(setting.path()).toBe("connecting waiting connecting online");
  });

  it("that is ahead waits as for anything else, but does not sleep through its clock being set back", async () => {
    const expired = makeCertificate(authority, { from: new Date(Date.now() - 9e6), until: new Date(Date.now() - 5e6) });
    const server = await served(expired);
    const setting = manage({ addresses: () => [addressOf(server)], retry: { server: 300_000 } });
    setting.manager.start();
    await waiting(setting);
    expect(setting.faults[0]).toMatch(/^tls-policy: .* has expired/);
    expect(setting.states.at(-1)).toMatchObject({ is: "waiting", ms: expect.closeTo(300_000, 0) as number });
    setting.clock.jump(-365 * 86_400_000);
    await setting.clock.advance(1_000);
    await eventually(() => server.connections.length === 2);
  });

  it("does not sleep through that either when it has tried several servers", async () => {
    const expired = makeCertificate(authority, { from: new Date(Date.now() - 9e6), until: new Date(Date.now() - 5e6) });
    const server = await served(expired);
    const closing = await serve((connection) => connection.socket.destroy());
    const addresses = () => [addressOf(server), addressOf(closing)];
    const setting = manage({ addresses, retry: { server: 300_000 } });
    setting.manager.start();
    await waiting(setting);
    setting.clock.jump(-365 * 86_400_000);
    await setting.clock.advance(1_000);
    await eventually(() => server.connections.length === 2);
  });

  it("can be stopped while it waits", async () => {
    const server = await served(early());
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    await waiting(setting);
    await setting.manager.stop();
    expect(setting.states.at(-1)).toEqual({ is: "stopped" });
    expect(setting.clock.pending).toBe(0);
  });
});

describe("the link", () => {
  it("comes up, and the channel works over it", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      const [, id] = await connection.read(/<iq [^>]*id="([^"]*)"[^>]*><q /);
      connection.send(`<iq type='result' id='${id}' from='peer@localhost/p'><a xmlns='q'/></iq>`);
    });
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    setting.manager.start(); // twice is once
    await online(setting);
    expect(setting.states).toEqual([
      { is: "connecting", address: addressOf(server) },
      { is: "online", jid: "user@localhost/r", address: addressOf(server) },
    ]);
    const asked = { type: "get", to: "peer@localhost/p", payload: el("q", { xmlns: "q" }) } as const;
    expect((await setting.channel.request(asked))?.name).toBe("a");
    expect(server.everything).not.toContain("<presence"); // that is for the layers above
  });

  it("has the channel ready when it says that it is online, and stanzas come after that", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      connection.send("<message from='peer@localhost/p'><m xmlns='m'/></message>");
    });
    const order: string[] = [];
    const setting = manage({
      addresses: () => [addressOf(server)],
      onState: (state) => order.push(`${state.is} ${setting.channel.jid?.full ?? "-"}`),
    });
    setting.channel.router.onMessage("m", "m", () => void order.push("message"));
    setting.manager.start();
    await eventually(() => order.length === 3);
    expect(order).toEqual(["connecting -", "online user@localhost/r", "message"]);
  });

  it("answers the server's pings", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      connection.send("<iq type='get' id='ping1' from='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
      await connection.read(/<iq [^>]*type="result" id="ping1" to="localhost"\/>/);
      connection.send("</stream:stream>");
    });
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    await waiting(setting);
    expect(server.failures).toEqual([]);
  });

  it("comes up again after the server has gone, and what was asked meanwhile is told", async () => {
    const server = await loggingIn();
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    await online(setting);
    const asked = rejection(
      setting.channel.request({ type: "get", to: "x@localhost", payload: el("q", { xmlns: "q" }) }),
    );
    server.connections[0]?.socket.destroy();
    expect(await asked).toMatchObject({ code: "ERR_CONNECTION" });
    await waiting(setting);
    expect(setting.channel.jid).toBeUndefined();
    expect(setting.states.at(-1)).toMatchObject({
      is: "waiting",
      ms: expect.closeTo(10_000, 3) as number,
      reason: { code: "ERR_CONNECTION" },
    });
    await setting.clock.advance(9_999);
    expect(server.connections).toHaveLength(1);
    await setting.clock.advance(1);
    await online(setting);
    expect(setting.path()).toBe("connecting online waiting connecting online");
    expect(setting.faults).toEqual([]);
  });

  it("waits longer each time, also when each stream comes up only to end at once", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      connection.send("</stream:stream>");
    });
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    for (const ms of [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
      await waiting(setting);
      expect(setting.states.at(-1)).toMatchObject({ ms: expect.closeTo(ms, 3) as number });
      await setting.clock.advance(ms);
      await eventually(() => setting.states.at(-1)?.is !== "connecting");
    }
  });

  it("begins with the short wait again after a stream that stayed up for a minute", async () => {
    const server = await loggingIn();
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    const waits: number[] = [];
    for (const up of [0, 59_999, 60_000]) {
      await online(setting);
      await setting.clock.advance(up);
      server.connections.at(-1)?.socket.destroy();
      await waiting(setting);
      const state = setting.states.at(-1);
      const ms = state?.is === "waiting" ? Math.round(state.ms) : 0;
      waits.push(ms);
      await setting.clock.advance(ms);
    }
    expect(waits).toEqual([10_000, 20_000, 10_000]);
  });

  it("tries the servers in their order, asks for them anew for each round, and waits only between rounds", async () => {
    const first = await serve((connection) => connection.socket.destroy());
    const second = await loggingIn();
    let rounds = 0;
    const setting = manage({
      addresses: () => {
        rounds++;
        return [addressOf(first), addressOf(second), addressOf(first)];
      },
    });
    setting.manager.start();
    await online(setting);
    expect(setting.path()).toBe("connecting connecting online");
    second.connections[0]?.socket.destroy();
    await waiting(setting);
    await setting.clock.advance(10_000);
    await online(setting);
    expect(rounds).toBe(2);
    expect(setting.path()).toBe("connecting connecting online waiting connecting connecting online");
    expect(first.connections).toHaveLength(2);
  });

  it("takes servers as they are found, and ends the search when one has served", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      connection.send("</stream:stream>");
    });
    let ended = false;
    const setting = manage({
      addresses: async function* () {
        try {
          await Promise.resolve();
          yield addressOf(server);
          yield addressOf(server);
        } finally {
          ended = true;
        }
      },
    });
    setting.manager.start();
    await waiting(setting);
    expect(ended).toBe(true);
    expect(server.connections).toHaveLength(1);
  });

  it.each([
    ["finds none", () => [], { code: "ERR_DISCOVERY" }],
    [
      "fails",
      () => {
        throw new DiscoveryError("no DHCP");
      },
      { code: "ERR_DISCOVERY", message: "no DHCP" },
    ],
    [
      "fails with anything",
      () => {
        throw new Error("broken");
      },
      { code: "ERR_CONNECTION", message: "broken" },
    ],
  ])("waits and searches again when the search for servers %s", async (_what, addresses, reason) => {
    let rounds = 0;
    const setting = manage({
      addresses: () => {
        rounds++;
        return addresses();
      },
    });
    setting.manager.start();
    await waiting(setting);
    expect(setting.states.at(-1)).toMatchObject({ reason });
    await setting.clock.advance(2_000);
    expect(rounds).toBe(2);
  });

  it("comes back sooner when it was the own link that was lost: what came next is as if nothing had been there", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
    });
    const setting = manage({ addresses: () => [addressOf(server)], keepalive: { idle: 1_000, patience: 500 } });
    setting.manager.start();
    await online(setting);
    await setting.clock.advance(1_500);
    await waiting(setting);
    expect(setting.states.at(-1)).toMatchObject({
      ms: expect.closeTo(1_000, 3) as number,
      reason: { code: "ERR_CONNECTION", message: "no sign of life from the server within 500 ms" },
    });
  });

  it("tells which servers were tried in a round, what came of each, and each as a fault, once the round has failed", async () => {
    const wrong = await serve((connection) => connection.logIn(serverContext(makeCertificate(makeAuthority()))));
    const refusing = await serve((connection) => connection.logIn(context, { password: "other" }));
    const tried: [number, boolean][] = [];
    const setting = manage({
      addresses: () => [addressOf(wrong), addressOf(refusing)],
      tried: ({ port }, worked) => tried.push([port, worked]),
    });
    setting.manager.start();
    await waiting(setting);
    const { port } = addressOf(wrong);
    expect(setting.states.at(-1)).toMatchObject({
      reason: {
        message: expect.stringContaining(`none of 2 servers could be used: localhost at 127.0.0.1:${port}: `) as string,
      },
    });
    expect(setting.faults.map((fault) => fault.split(":")[0])).toEqual(["tls-policy", "authentication"]);
    expect(tried).toEqual([
      [wrong.port, false],
      [refusing.port, false],
    ]);
  });

  it("is no fault at all when another server could be used", async () => {
    const wrong = await serve((connection) => connection.logIn(serverContext(makeCertificate(makeAuthority()))));
    const right = await loggingIn();
    const tried: [number, boolean][] = [];
    const setting = manage({
      addresses: () => [addressOf(wrong), addressOf(right)],
      tried: ({ port }, worked) => tried.push([port, worked]),
    });
    setting.manager.start();
    await online(setting);
    expect(setting.faults).toEqual([]);
    expect(tried).toEqual([
      [wrong.port, false],
      [right.port, true],
    ]);
  });

  it("gives a server that does not answer 30 s, and each further one of a round 10 s", async () => {
    const silent = await serve(() => undefined);
    const setting = manage({ addresses: () => [addressOf(silent), addressOf(silent), addressOf(silent)] });
    setting.manager.start();
    const passed = (count: number): Promise<void> =>
      eventually(
        () => silent.connections.length === count && setting.path() === Array(count).fill("connecting").join(" "),
      );
    await passed(1);
    await setting.clock.advance(29_999);
    expect(silent.connections).toHaveLength(1);
    await setting.clock.advance(1);
    await passed(2);
    await setting.clock.advance(10_000);
    await passed(3);
    await setting.clock.advance(10_000);
    await waiting(setting);
  });

  it("is not brought down by whoever listens to its state", async () => {
    const server = await loggingIn();
    const error = vi.fn();
    const setting = manage({
      addresses: () => [addressOf(server)],
      logger: { ...silentLogger, error },
      onState: () => {
        throw new Error("a mistake");
      },
    });
    setting.manager.start();
    await eventually(() => setting.channel.jid !== undefined);
    expect(error).toHaveBeenCalledWith("a listener to the link's state threw", { why: "a mistake" });
    await Promise.all([setting.manager.stop(), setting.clock.advance(1_000)]);
  });
});

describe("what does not heal by itself", () => {
  it("is a conflict: a fault, and no new try, ever", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      connection.send(
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
          "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>User removed</text></stream:error></stream:stream>",
      );
    });
    const setting = manage({ addresses: () => [addressOf(server), addressOf(server)] });
    setting.manager.start();
    await eventually(() => setting.states.at(-1)?.is === "stopped");
    expect(setting.path()).toBe("connecting online stopped");
    expect(setting.faults).toEqual([
      "conflict: the server ended the stream: conflict (User removed): another device uses this account: was the card copied? Stop the copy; " +
        "`npx xmpp-thing reset --state DIR` on the copy, not on the original, gives it an identity of its own (ejabberd also says so when the account was removed)",
    ]);
    expect(setting.clock.pending).toBe(0);
    await setting.clock.advance(86_400_000);
    expect(server.connections).toHaveLength(1);
    // Started again by hand it tries again.
    setting.manager.start();
    await eventually(() => server.connections.length === 2);
  });

  it("is a wrong password: a fault each time, after growing waits", async () => {
    const server = await serve((connection) => connection.logIn(context, { password: "other" }));
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    for (const ms of [10_000, 20_000]) {
      await waiting(setting);
      expect(setting.states.at(-1)).toMatchObject({ reason: { code: "ERR_AUTHENTICATION" } });
      await setting.clock.advance(ms);
      await eventually(() => setting.states.at(-1)?.is !== "connecting");
    }
    const [fault = ""] = setting.faults;
    expect(setting.faults).toEqual([fault, fault, fault]);
    expect(fault).toMatch(
      /^authentication: the login was refused: not-authorized\. Either the account user@localhost is not/,
    );
    expect(fault).toContain("or its password was changed; no other account is made");
    expect(server.connections).toHaveLength(3);
    await eventually(() => server.open === 0);
  });

  it("is a server that does not prove its domain: a fault each time, after growing waits", async () => {
    const wrong = serverContext(makeCertificate(makeAuthority()));
    const server = await serve((connection) => connection.logIn(wrong));
    const setting = manage({ addresses: () => [addressOf(server)], account: storeOf({ ...ACCOUNT, pending: true }) });
    setting.manager.start();
    for (const ms of [10_000, 20_000]) {
      await waiting(setting);
      expect(setting.states.at(-1)).toMatchObject({ ms: expect.closeTo(ms, 3) as number });
      await setting.clock.advance(ms);
      await eventually(() => setting.states.at(-1)?.is !== "connecting");
    }
    const { host, port } = addressOf(server);
    const start = `tls-policy: the server ${host}:${port} does not prove to be localhost: `;
    const fault = expect.stringContaining(start) as string;
    expect(setting.faults).toEqual([fault, fault, fault]);
    await eventually(() => server.open === 0);
    expect(server.everything).not.toMatch(/<auth|secret|register/);
  });

  it("is a certificate that is not checked, since its domain is named: a fault at each connection", async () => {
    const foreign = serverContext(makeCertificate(makeAuthority()));
    const server = await serve((connection) => connection.logIn(foreign));
    const tls = { ca: authority.cert, unverified: ["localhost"] };
    const setting = manage({ addresses: () => [addressOf(server)], tls });
    const warning = /^tls-unverified: the certificate for localhost was not checked, since the option `tls.unverified`/;
    setting.manager.start();
    await online(setting);
    expect(setting.faults).toEqual([expect.stringMatching(warning)]);
    server.connections[0]?.socket.destroy();
    await waiting(setting);
    await setting.clock.advance(10_000);
    await eventually(() => setting.faults.length === 2);
    expect(setting.faults[1]).toMatch(warning);
  });

  it("is an account that cannot be read, or an option that cannot be used", async () => {
    const server = await loggingIn();
    const account = { ...storeOf(), load: () => Promise.reject(new StorageError("disk gone")) };
    const broken = manage({ addresses: () => [addressOf(server)], account });
    broken.manager.start();
    await waiting(broken);
    expect(broken.faults).toEqual(["account: disk gone"]);
    const misused = manage({ addresses: () => [addressOf(server)], tls: { ca: "none" } });
    misused.manager.start();
    await waiting(misused);
    expect(misused.faults).toEqual([expect.stringMatching(/^configuration: tls\.ca/)]);
    expect(new ConfigError("x").code).toBe("ERR_CONFIG");
  });
});

describe("the account of the link", () => {
  /** A server that knows no user, and lets some names be registered. */
  const registering = (taken: (username: string) => boolean) =>
    serve(async (connection) => {
      await connection.upToTls(context);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      const [, get] = await connection.read(/<iq [^>]*type="get" id="([^"]*)"/);
      connection.send(
        `<iq type='result' id='${get}'><query xmlns='jabber:iq:register'><username/><password/></query></iq>`,
      );
      const [, set = "", name = ""] = await connection.read(
        /<iq [^>]*type="set" id="([^"]*)"[^>]*>.*<username>(.*)<\/username>.*<\/iq>/,
      );
      if (taken(name)) {
        connection.send(
          `<iq type='error' id='${set}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
        );
        return;
      }
      connection.send(NO_DATA.replace("${id}", set));
      await connection.bind(await connection.scram());
    });

  it("is made while it is pending, and that is kept", async () => {
    const server = await registering(() => false);
    const account = storeOf({ ...ACCOUNT, pending: true });
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await online(setting);
    expect(account.log).toEqual(["made user"]);
    expect(account.kept).toEqual(["user"]);
  });

  it("is not made before it is kept: a password that is nowhere else would be lost with the power", async () => {
    const server = await registering(() => false);
    const account = storeOf({ ...ACCOUNT, pending: true });
    const setting = manage({
      addresses: () => [addressOf(server)],
      account: { ...account, keep: () => Promise.reject(new StorageError("the disk is full")) },
    });
    setting.manager.start();
    await waiting(setting);
    expect(setting.faults).toEqual(["account: the disk is full"]);
    expect(server.everything).not.toContain("jabber:iq:register");
  });

  it("is not made once it is not pending: a refusal is a fault then", async () => {
    const server = await registering(() => false);
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    await waiting(setting);
    expect(setting.faults).toEqual([expect.stringContaining("no other account is made")]);
    expect(server.everything).not.toContain("jabber:iq:register");
  });

  /** A server that knows one name and one password. */
  const knowing = (name: string, password: string) =>
    serve(async (connection) => {
      await connection.upToTls(context);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
      await connection.bind(await connection.scram({ password }));
      expect(connection.secret).toContain(name);
    });

  it("is logged in to by its old password while the server has not taken the new one, and both are kept", async () => {
    const server = await knowing("user", "secret");
    const account = storeOf({ ...ACCOUNT, newPassword: "another" });
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await online(setting);
    expect(account.log).toEqual([]);
    expect(server.connections).toHaveLength(1);
  });

  it("is logged in to by its new password where the old one is refused, and that one is forgotten", async () => {
    const server = await knowing("user", "another");
    const account = storeOf({ ...ACCOUNT, newPassword: "another" });
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await online(setting);
    await eventually(() => account.log.length > 0);
    expect(account.log).toEqual(["password changed"]);
    expect(await account.load("localhost")).toEqual({ ...ACCOUNT, password: "another" });
    expect(setting.faults).toEqual([]);
  });

  it("goes online by its new password although the disk does not take that it counts, and says so", async () => {
    const server = await knowing("user", "another");
    const account = storeOf({ ...ACCOUNT, newPassword: "another" });
    const full = { ...account, passwordChanged: () => Promise.reject(new StorageError("the disk is full")) };
    const setting = manage({ addresses: () => [addressOf(server)], account: full });
    setting.manager.start();
    await online(setting);
    await eventually(() => setting.faults.length > 0);
    expect(setting.faults).toEqual(["account: the disk is full"]);
  });

  it("has no third password: where both are refused there is a fault, and both are kept", async () => {
    const server = await knowing("user", "a third");
    const account = storeOf({ ...ACCOUNT, newPassword: "another" });
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await waiting(setting);
    expect(setting.faults).toEqual([expect.stringContaining("authentication: the login was refused")]);
    expect(server.connections).toHaveLength(2);
    expect(account.log).toEqual([]);
    expect(server.everything).not.toContain("jabber:iq:register");
  });

  it("is another one where a factory reset had it removed, and the login is refused", async () => {
    const server = await registering((name) => name !== "userx");
    const account = storeOf({ ...ACCOUNT, leaving: true });
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await online(setting);
    expect(account.log).toEqual(["renewed userx", "made userx"]);
    expect(setting.channel.jid?.bare).toBe("userx@localhost");
  });

  it("that was to be removed stays a refusal where its name is given", async () => {
    const server = await registering(() => false);
    const given: Account = { ...ACCOUNT, leaving: true };
    const account = { ...storeOf(given), renew: () => Promise.resolve(given) };
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await waiting(setting);
    expect(setting.faults).toEqual([expect.stringContaining("authentication: the login was refused")]);
  });

  it("that was removed is no conflict, whatever the server calls it (ejabberd)", async () => {
    const conflict =
      "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>";
    const server = await loggingIn();
    const account = storeOf({ ...ACCOUNT, leaving: true });
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await online(setting);
    server.connections[0]?.send(conflict);
    await waiting(setting);
    expect(setting.faults).toEqual([]);
  });

  it("gets another name when its own is taken", async () => {
    const server = await registering((name) => name !== "userxx");
    const account = storeOf({ ...ACCOUNT, pending: true });
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await online(setting);
    expect(account.log).toEqual(["renewed userx", "renewed userxx", "made userxx"]);
    expect(setting.path()).toBe("connecting online");
    expect(setting.channel.jid?.full).toBe("userxx@localhost/r");
  });

  it("does not try names for ever", async () => {
    const server = await registering(() => true);
    const account = storeOf({ ...ACCOUNT, pending: true });
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await waiting(setting);
    expect(account.log).toEqual(["renewed userx", "renewed userxx"]);
    expect(setting.faults).toEqual(["registration: the server made no account: conflict"]);
  });

  it("D-3.4: is made on the next server where one asks for a CAPTCHA, and that is told", async () => {
    const captcha = await serve(async (connection) => {
      await connection.upToTls(context);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
      await connection.read(/<auth /);
      connection.send(NOT_AUTHORIZED);
      const [, id] = await connection.read(/<iq [^>]*type="get" id="([^"]*)"/);
      connection.send(
        `<iq type='result' id='${id}'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='form'><field var='ocr'><required/></field></x></query></iq>`,
      );
    });
    const next = await loggingIn();
    const setting = manage({
      account: storeOf({ ...ACCOUNT, pending: true }),
      addresses: () => [addressOf(captcha), addressOf(next)],
    });
    setting.manager.start();
    await online(setting);
    expect(captcha.everything).not.toContain("secret");
    expect(setting.states.at(-1)).toMatchObject({ address: { port: next.port } });
  });

  it("keeps a name that is given, even if it is taken", async () => {
    const server = await registering(() => true);
    const given = { ...ACCOUNT, pending: true };
    const account = { ...storeOf(given), renew: () => Promise.resolve(given) };
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await waiting(setting);
    expect(server.connections).toHaveLength(2);
    expect(setting.faults).toEqual([
      "registration: the server made no account: conflict: the account user@localhost is there, with another password: " +
        "correct `account.password`, or, if it is somebody else's, choose another `account.username`",
    ]);
  });

  it("is known to be its own when the registration of a stream before was obeyed late", async () => {
    let tries = 0;
    // The login is refused, then the name is taken, then the login succeeds.
    const server = await serve(async (connection) => {
      await connection.upToTls(context);
      connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
      if (++tries > 1) return connection.bind(await connection.scram());
      await connection.read(/<auth [^>]*>[^<]*<\/auth>/);
      connection.send(NOT_AUTHORIZED);
      const [, get] = await connection.read(/<iq [^>]*type="get" id="([^"]*)"/);
      connection.send(
        `<iq type='error' id='${get}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
      );
    });
    const account = storeOf({ ...ACCOUNT, pending: true });
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await online(setting);
    await eventually(() => account.log.length > 0);
    expect(account.log).toEqual(["made user"]);
    expect(setting.channel.jid?.full).toBe("user@localhost/r");
  });

  it("that was there already is pending no more after the first login, so that it never comes back by itself", async () => {
    const server = await loggingIn();
    const account = storeOf({ ...ACCOUNT, pending: true });
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await online(setting);
    await eventually(() => account.log.length > 0);
    expect(account.log).toEqual(["made user"]);
  });

  it("goes online although the disk does not take that it was made, and says so", async () => {
    const server = await registering(() => false);
    const account = {
      ...storeOf({ ...ACCOUNT, pending: true }),
      made: () => Promise.reject(new StorageError("the disk is full")),
    };
    const setting = manage({ addresses: () => [addressOf(server)], account });
    setting.manager.start();
    await online(setting);
    await eventually(() => setting.faults.length === 2);
    expect(setting.faults).toEqual(["account: the disk is full", "account: the disk is full"]);
  });
});

describe("stopping", () => {
  async function stopped(setting: Setting): Promise<void> {
    const from = setting.states.length;
    await Promise.all([setting.manager.stop(), setting.manager.stop()]);
    expect(setting.states.slice(from)).toEqual([{ is: "stopped" }]);
    expect(setting.clock.pending).toBe(0);
    expect(setting.channel.jid).toBeUndefined();
    await setting.clock.advance(86_400_000); // nothing comes back to life
    expect(setting.states.length).toBe(from + 1);
    expect(setting.faults).toEqual([]);
  }

  const silences: [string, (connection: FakeConnection) => unknown][] = [
    ["the connect", () => undefined],
    ["the header", (connection) => connection.read(/<stream/).then(() => connection.send(HEADER))],
    ["the handshake", (connection) => connection.upToTls(context)],
    [
      "the login",
      async (connection) => {
        await connection.upToTls(context);
        connection.send(HEADER + features(mechanisms("SCRAM-SHA-1")));
        await connection.scram();
      },
    ],
  ];

  it.each(silences)("after %s leaves no socket and no timer", async (_what, script) => {
    let there = false;
    const server = await serve((connection) => Promise.resolve(script(connection)).then(() => void (there = true)));
    const setting = manage({ addresses: () => [addressOf(server), addressOf(server)] });
    setting.manager.start();
    await eventually(() => there);
    await stopped(setting);
    await eventually(() => server.open === 0);
    expect(server.connections).toHaveLength(1);
  });

  it("says goodbye when the link is up", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
      await connection.read(/<presence xmlns="jabber:client" type="unavailable"\/><\/stream:stream>$/);
      connection.send("</stream:stream>");
    });
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    await online(setting);
    await stopped(setting);
    await eventually(() => server.open === 0);
    expect(server.failures).toEqual([]);
  });

  it("takes no longer than a second when the server does not answer the goodbye", async () => {
    const server = await loggingIn();
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    await online(setting);
    const stopping = setting.manager.stop();
    await setting.clock.advance(1_000);
    await stopping;
    expect(setting.clock.pending).toBe(0);
    await eventually(() => server.open === 0);
  });

  it("right when the link comes up leaves none", async () => {
    const server = await loggingIn();
    const setting = manage({
      addresses: () => [addressOf(server)],
      onState: (state) => {
        setting.states.push(state);
        if (state.is === "online") void setting.manager.stop();
      },
    });
    setting.manager.start();
    await online(setting);
    await setting.clock.advance(1_000);
    await eventually(() => setting.states.at(-1)?.is === "stopped");
    await eventually(() => server.open === 0);
    expect(setting.clock.pending).toBe(0);
  });

  it("between two tries ends the wait", async () => {
    const server = await serve((connection) => connection.socket.destroy());
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    await waiting(setting);
    await stopped(setting);
    expect(server.connections).toHaveLength(1);
  });

  it("in a search that never ends ends it", async () => {
    const setting = manage({
      addresses: async function* () {
        await new Promise(() => undefined);
        yield* [];
      },
    });
    setting.manager.start();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await stopped(setting);
  });

  it("does nothing when nothing runs", async () => {
    const setting = manage({ addresses: () => [] });
    await setting.manager.stop();
    expect(setting.states).toEqual([]);
  });

  it("is not for ever", async () => {
    const server = await serve((connection) => connection.socket.destroy());
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    await waiting(setting);
    await setting.clock.advance(10_000);
    await waiting(setting);
    await setting.manager.stop();
    setting.manager.start();
    await waiting(setting);
    // A new start is a new beginning.
    expect(setting.states.at(-1)).toMatchObject({ ms: expect.closeTo(10_000, 3) as number });
  });
});

describe("a host that sleeps, or moves to another network", () => {
  it("tries again within a second, however long it would have waited", async () => {
    const server = await serve((connection, index) =>
      index < 6 ? connection.socket.destroy() : connection.logIn(context),
    );
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    for (let round = 0; round < 5; round++) {
      await waiting(setting);
      const state = setting.states.at(-1);
      await setting.clock.advance(state?.is === "waiting" ? state.ms : 0);
      await eventually(() => setting.states.at(-1) !== state && setting.states.at(-1)?.is !== "connecting");
    }
    expect(setting.states.at(-1)).toMatchObject({ is: "waiting", ms: expect.closeTo(300_000, 2) as number });
    setting.clock.jump(3_600_000);
    const before = setting.states.length;
    for (let ms = 0; ms < 5_000 && setting.states.length === before; ms += 500) await setting.clock.advance(500);
    // All Things of a house wake up together.
    expect(setting.states.at(-1)).toMatchObject({ is: "waiting", ms: expect.closeTo(1_000, 3) as number });
    await setting.clock.advance(1_000);
    await online(setting);
  });

  it("asks at once whether the link lives, and gives it up if nothing answers", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context);
    });
    const setting = manage({ addresses: () => [addressOf(server)] });
    setting.manager.start();
    await online(setting);
    setting.clock.jump(3_600_000);
    await setting.clock.advance(5_000);
    await eventually(() => server.everything.includes("urn:xmpp:ping"));
    await setting.clock.advance(20_000);
    await waiting(setting);
    expect(setting.states.at(-1)).toMatchObject({ ms: expect.closeTo(1_000, 3) as number });
  });

  it("leaves a link whose own address is gone, and a try that is under way", async () => {
    // The address of the link itself, as that of an interface that goes away.
    let addresses = new Set(["127.0.0.1"]);
    const server = await serve((connection, index) => (index === 1 ? undefined : connection.logIn(context)));
    const setting = manage({ addresses: () => [addressOf(server)], hostAddresses: () => addresses });
    setting.manager.start();
    await online(setting);
    addresses = new Set(["192.0.2.1"]);
    await setting.clock.advance(5_000);
    await waiting(setting);
    expect(setting.states.at(-1)).toMatchObject({
      ms: expect.closeTo(1_000, 3) as number,
      reason: { message: "the network has changed: this device has the address 127.0.0.1 no longer" },
    });
    await setting.clock.advance(1_000);
    await eventually(() => server.connections.length === 2);
    addresses = new Set(["192.0.2.2"]);
    await setting.clock.advance(5_000);
    await waiting(setting);
    expect(setting.states.at(-1)).toMatchObject({ ms: expect.closeTo(2_000, 3) as number });
    await setting.clock.advance(2_000);
    await online(setting);
    await eventually(() => server.open === 1);
  });

  it("is woken once a minute at most: addresses that come and go all the time do not make it try all the time", async () => {
    let addresses = new Set(["192.0.2.1"]);
    const server = await serve((connection) => connection.socket.destroy());
    const setting = manage({ addresses: () => [addressOf(server)], hostAddresses: () => addresses });
    setting.manager.start();
    await waiting(setting);
    const count = (): number => setting.states.filter(({ is }) => is === "connecting").length;
    for (let second = 0; second < 55; second++) {
      addresses = new Set([`192.0.2.${second}`]);
      await setting.clock.advance(1_000);
      await eventually(() => setting.states.at(-1)?.is === "waiting");
    }
    // The first, one after the change, and those that were due after 2 s, 20 s, 40 s, at the widest.
    expect(count()).toBeLessThanOrEqual(5);
    expect(count()).toBeGreaterThanOrEqual(3);
  });

  it("keeps a link whose own address is still there", async () => {
    let addresses = new Set(["127.0.0.1", "192.0.2.1"]);
    const server = await loggingIn();
    const setting = manage({ addresses: () => [addressOf(server)], hostAddresses: () => addresses });
    setting.manager.start();
    await online(setting);
    addresses = new Set(["127.0.0.1"]);
    await setting.clock.advance(5_000);
    expect(setting.path()).toBe("connecting online");
    expect(server.connections).toHaveLength(1);
  });
});
