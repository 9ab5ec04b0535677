// Stream management (XEP-0198) on a real server: its counts are the judge. A client that acknowledges too much is thrown
// out; what it acknowledges too little of comes again at its next login.
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { iq, message, presence } from "../../src/codec/stanza.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import { connect } from "../../src/connection/connect.ts";
import { ConnectionManager, type LinkState } from "../../src/connection/connection-manager.ts";
import { openStream, type StreamOptions, type XmppStream } from "../../src/connection/stream.ts";
import { FreezingProxy } from "../support/freezing-proxy.ts";
import { eventually } from "./harness.ts";
import type { RealServer } from "./real-server.ts";

let users = 0;

/** The tests; they come after the server was started. */
export function managedLinks(server: () => RealServer): void {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  const link = async (): Promise<FreezingProxy> => {
    const proxy = await FreezingProxy.start(server().port);
    cleanups.push(() => proxy[Symbol.asyncDispose]());
    return proxy;
  };

  const base = { clock: systemClock, random: systemRandom, logger: silentLogger };

  /** A stream, available to others, and what has come on it. */
  const open = async (
    username = `managed${++users}`,
    options: Partial<StreamOptions> = {},
    port = server().port,
  ): Promise<{ stream: XmppStream; bodies: string[]; username: string }> => {
    const stream = await openStream({
      address: { host: "127.0.0.1", port, domain: "localhost" },
      tls: { ca: server().ca },
      account: { username, password: "secret", resource: "r", register: true },
      ...base,
      ...options,
    });
    cleanups.push(() => stream.close());
    const bodies: string[] = [];
    stream.start((stanza) => {
      if (stanza.name === "message") bodies.push(stanza.getChild("body")?.text() ?? "");
    });
    await stream.write([presence()]);
    return { stream, bodies, username };
  };

  const text = (to: XmppStream, body: string): XmlElement => message({ to: to.jid.full }, el("body", {}, body));
  const ping = (id: string): XmlElement => iq({ type: "get", id, to: "localhost" }, el("ping", { xmlns: ns.ping }));
  /** Long enough for everything to be acknowledged. */
  const settle = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 600));

  describe("with stream management", () => {
    it("counts as the server does, whatever comes: nothing comes twice", async () => {
      const proxy = await link();
      const other = await open();
      const one = await open(undefined, { maxStanzaBytes: 4_000 }, proxy.port);
      const { username } = one;
      for (let round = 0; round < 3; round++) {
        await one.stream.write([
          ping(`p${round}`),
          iq({ type: "set", id: `x${round}`, to: "localhost" }, el("unknown")),
        ]);
        await other.stream.write([
          text(one.stream, `before ${round}`),
          text(one.stream, "x".repeat(10_000)), // passed over
          iq({ type: "get", id: `a${round}`, to: one.stream.jid.full }, el("x", { xmlns: "urn:test" })),
          iq({ type: "result", id: `b${round}`, to: one.stream.jid.full }),
          presence({ to: one.stream.jid.full }),
          text(one.stream, `after ${round}`),
        ]);
        await eventually(() => one.bodies.at(-1) === `after ${round}`);
      }
      expect(one.bodies).toEqual([0, 1, 2].flatMap((round) => [`before ${round}`, `after ${round}`]));
      await settle();
      proxy.cut();
      expect((await one.stream.ended).undelivered).toEqual({ stanzas: [], more: 0 });
      const again = await open(username);
      await other.stream.write([text(again.stream, "the next")]);
      await eventually(() => again.bodies.includes("the next"));
      expect(again.bodies).toEqual(["the next"]);
    });

    it("reports exactly what was not acknowledged when a link freezes and is cut", async () => {
      const proxy = await link();
      const other = await open();
      const { stream } = await open(undefined, {}, proxy.port);
      await stream.write([text(other.stream, "1"), text(other.stream, "2")]);
      await eventually(() => other.bodies.length === 2);
      await settle();
      proxy.freeze();
      const result = iq({ type: "result", id: "r", to: other.stream.jid.full }, el("done", { xmlns: "urn:test" }));
      await stream.write([text(other.stream, "3"), ping("p"), presence()]);
      await stream.write([result, text(other.stream, "4")]);
      proxy.cut();
      const to = other.stream.jid.full;
      expect((await stream.ended).undelivered).toEqual({
        stanzas: [
          { kind: "message", payload: "body", to },
          { kind: "iq", payload: "done", to },
          { kind: "message", payload: "body", to },
        ],
        more: 0,
      });
      expect(other.bodies).toEqual(["1", "2"]);
    });

    it.each([
      ["that is idle", 0],
      ["on which something was written", 1],
    ])("notices a frozen link %s within the patience", async (_what, count) => {
      const proxy = await link();
      const { stream } = await open(undefined, { keepalive: { idle: 400, patience: 300 } }, proxy.port);
      await settle();
      proxy.freeze();
      if (count > 0) await stream.write([text(stream, "lost")]);
      const { reason, undelivered } = await stream.ended;
      expect(reason.message).toBe("no sign of life from the server within 300 ms");
      expect(undelivered.stanzas).toHaveLength(count);
    });

    it("loses nothing on a link that lives, however often it asks", async () => {
      const { stream } = await open(undefined, { keepalive: { idle: 30, patience: 5_000 } });
      let ended = false;
      void stream.ended.then(() => (ended = true));
      await settle();
      expect(ended).toBe(false);
    });

    it("reports nothing when it is closed, right after much was written, and all of it arrives", async () => {
      const other = await open();
      const { stream } = await open();
      const texts = Array.from({ length: 100 }, (_, index) => `${index}`);
      await Promise.all(texts.map((body) => stream.write([text(other.stream, body)])));
      await stream.close();
      expect(await stream.ended).toMatchObject({
        reason: { message: "closed" },
        undelivered: { stanzas: [], more: 0 },
      });
      await eventually(() => other.bodies.length === 100);
      expect(other.bodies).toEqual(texts);
    });

    it("has the manager say what may not have arrived, once", async () => {
      const proxy = await link();
      const username = `managed${++users}`;
      const ca = server().ca;
      const service = `xmpp://127.0.0.1:${server().port}`;
      await (
        await connect({ service, domain: "localhost", username, password: "secret", tls: { ca }, register: true })
      ).close();
      const account = { username, password: "secret", resource: "r", pending: false };
      const states: LinkState[] = [];
      const faults: string[] = [];
      const channel = new StanzaChannel(base);
      const manager = new ConnectionManager({
        ...base,
        channel,
        addresses: () => [{ host: "127.0.0.1", port: proxy.port, domain: "localhost" }],
        account: {
          load: () => Promise.resolve(account),
          keep: () => Promise.resolve(),
          made: () => Promise.resolve(),
          renew: () => Promise.reject(new Error("not in this test")),
          passwordChanged: () => Promise.resolve(),
        },
        tls: { ca },
        retry: { server: 20, link: 20, cap: 50 },
        onState: (state) => states.push(state),
        onFault: (code, words) => faults.push(`${code}: ${words}`),
      });
      cleanups.push(() => manager.stop());
      manager.start();
      await eventually(() => states.at(-1)?.is === "online");
      await channel.send(message({ to: "nobody@localhost" }, el("body", {}, "arrives")));
      await settle();
      proxy.freeze();
      await channel.send(message({ to: "anna@localhost/r" }, el("fields", { xmlns: ns.sensorData }, "21.5")));
      const pending = channel
        .request({ type: "get", payload: el("query", { xmlns: ns.roster }) })
        .catch(() => "rejected");
      proxy.cut();
      expect(await pending).toBe("rejected");
      await eventually(() => states.filter(({ is }) => is === "online").length === 2);
      await manager.stop();
      expect(faults).toEqual(["not-delivered: 1 stanza may not have arrived: message (fields) to anna@localhost/r"]);
    });
  });
}
