// XEP-0198 on plain bytes. What the shipped client does wrong here: docs/architecture.md, "The connection".
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { iq, message, presence } from "../../src/codec/stanza.ts";
import { MiscountError, StreamManagement } from "../../src/connection/stream-management.ts";
import { describeUndelivered } from "../../src/connection/undelivered.ts";
import type { StreamOptions, XmppStream } from "../../src/connection/stream.ts";
import { SM, type FakeConnection, type FakeServer } from "../support/fake-server.ts";
import { context, eventually, open, rejection, serve } from "./harness.ts";

const NS = "xmlns='urn:xmpp:sm:3'";
const ENABLE = /<enable xmlns="urn:xmpp:sm:3"\/>/;
const ASK = /<r xmlns="urn:xmpp:sm:3"\/>/;
const fields = (to = "x@y/z"): XmlElement => message({ to }, el("fields", { xmlns: "urn:xmpp:iot:sensordata" }));
const answer = (h: number | string): XmlElement => el("a", { xmlns: "urn:xmpp:sm:3", h });

describe("the counts", () => {
  const on = (begin = 0): StreamManagement => {
    const management = new StreamManagement(begin);
    management.ask();
    management.enabled();
    return management;
  };

  it("keep what was sent and not acknowledged, whatever is sent and acknowledged in whatever order", () => {
    const begins = fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 3, 2 ** 32 - 1);
    const steps = fc.array(fc.oneof(fc.constantFrom("message", "iq", "presence", "ask"), fc.nat(5)), { maxLength: 60 });
    fc.assert(
      fc.property(begins, steps, (begin, todo) => {
        const management = on(begin);
        const open: string[] = [];
        let acknowledged = begin;
        for (const [index, step] of todo.entries()) {
          if (typeof step === "number") {
            const some = Math.min(step, open.length);
            open.splice(0, some);
            acknowledged += some;
            management.acknowledge(answer(acknowledged % 2 ** 32));
          } else if (step === "message") {
            management.sent(fields(`${index}@x`));
            open.push(`${index}@x`);
          } else {
            management.sent(
              step === "presence"
                ? presence()
                : iq({ type: step === "iq" ? "result" : "get", id: "1", to: `${index}@x` }),
            );
            open.push(step === "iq" ? `${index}@x` : "");
          }
          expect(management.isWaiting).toBe(open.length > 0);
          const { stanzas, more } = management.undelivered();
          expect(stanzas.map(({ to }) => to)).toEqual(open.filter((to) => to !== ""));
          expect(more).toBe(0);
        }
      }),
    );
  });

  it("wrap at 2^32, both of them", () => {
    const management = on(2 ** 32 - 1);
    management.received();
    management.received();
    expect(management.answer().attrs["h"]).toBe("1");
    management.sent(fields());
    management.sent(fields());
    management.acknowledge(answer(0));
    expect(management.undelivered().stanzas).toHaveLength(1);
    management.acknowledge(answer(1));
    expect(management.isWaiting).toBe(false);
    expect(() => management.acknowledge(answer(2 ** 32 - 1))).toThrow("acknowledged 4294967295 stanzas, and 1 before");
  });

  it.each([
    ["more than was sent", "3", "the server acknowledged 3 stanzas of 2 (at a/@h)"],
    ["fewer than before", "0", "the server acknowledged 0 stanzas, and 1 before (at a/@h)"],
    ["no number", "one", "not a count of stanzas (at a/@h)"],
    ["a number below zero", "-1", "not a count of stanzas (at a/@h)"],
    ["a number beyond 2^32", "4294967296", "not a count of stanzas (at a/@h)"],
    ["nothing", "", "not a count of stanzas (at a/@h)"],
  ])("cannot be %s", (_what, h, text) => {
    const management = on();
    management.sent(fields());
    management.sent(fields());
    management.acknowledge(answer(1));
    expect(() => management.acknowledge(answer(h))).toThrow(MiscountError);
    expect(() => management.acknowledge(answer(h))).toThrow(text);
    expect(management.undelivered().stanzas).toHaveLength(1);
  });

  it("cannot be absent", () => {
    expect(() => on().acknowledge(el("a"))).toThrow("not a count");
  });

  it("are kept of 256 stanzas; more are counted, not kept, until they are acknowledged", () => {
    const management = on();
    for (let count = 0; count < 300; count++) management.sent(fields(`${count}@x`));
    expect(management.undelivered()).toMatchObject({ stanzas: { length: 256 }, more: 44 });
    management.acknowledge(answer(290));
    management.sent(fields("late@x"));
    expect(management.undelivered()).toEqual({ stanzas: [], more: 11 });
    management.acknowledge(answer(301));
    expect(management.isWaiting).toBe(false);
    management.sent(fields("again@x"));
    expect(management.undelivered()).toMatchObject({ stanzas: [{ to: "again@x" }], more: 0 });
  });

  it("are nothing before the server counts, or if it does not", () => {
    const management = new StreamManagement();
    management.sent(fields());
    management.received();
    management.enabled(); // nobody has asked
    management.failed();
    expect(management.on).toBe(false);
    management.ask();
    management.sent(fields());
    expect(management.undelivered().stanzas).toEqual([]);
    management.failed();
    expect(management.on).toBe(false);
    expect(management.isWaiting).toBe(false);
  });
});

describe("what is told of stanzas that may not have arrived", () => {
  const of = (...stanzas: XmlElement[]): string | undefined => {
    const management = new StreamManagement();
    management.ask();
    management.enabled();
    for (const stanza of stanzas) management.sent(stanza);
    return describeUndelivered(management.undelivered());
  };

  it("is what they were and whom they were for, never what was in them", () => {
    const secret = message({ to: "a@x/1" }, el("tokenChallenge", { token: "secret" }, "secret"));
    const result = iq({ type: "result", id: "secret", to: "b@x" }, el("x:y", { "xmlns:x": "secret" }));
    expect(of(secret, result, iq({ type: "result", id: "1" }))).toBe(
      "3 stanzas may not have arrived: message (tokenChallenge) to a@x/1, iq (y) to b@x, iq to the server",
    );
  });

  it("is nothing about requests and presence", () => {
    expect(
      of(presence(), iq({ type: "get", id: "1" }, el("x")), iq({ type: "set", id: "1" }, el("x"))),
    ).toBeUndefined();
  });

  it("is short when there are many", () => {
    expect(of(fields())).toBe("1 stanza may not have arrived: message (fields) to x@y/z");
    const many = of(...Array.from({ length: 400 }, () => fields("a@b")));
    expect(many).toMatch(/^400 stanzas may not have arrived: (message \(fields\) to a@b, ){5}395 more$/);
  });
});

describe("a stream with stream management", () => {
  /** A server that offers it and has logged a client in. What follows is up to the test. */
  const start = async (
    script: (connection: FakeConnection) => unknown,
    options: Partial<Omit<StreamOptions, "address">> = {},
  ): Promise<{ server: FakeServer; connection: FakeConnection; stream: XmppStream; received: XmlElement[] }> => {
    const server = await serve(async (connection) => {
      await connection.logIn(context, { offers: [SM] });
      await script(connection);
    });
    const stream = await open(server, options);
    const received: XmlElement[] = [];
    stream.start((stanza) => received.push(stanza));
    return { server, connection: server.connections[0] as FakeConnection, stream, received };
  };
  const enabled = async (connection: FakeConnection): Promise<void> => {
    await connection.read(ENABLE);
    connection.send(`<enabled ${NS}/>`);
  };
  /** The next count that the client says. */
  const count = async (connection: FakeConnection): Promise<string | undefined> =>
    (await connection.read(/<a xmlns="urn:xmpp:sm:3" h="(\d+)"\/>/))[1];

  it("asks for it before anything else is written, without resumption, and waits for the yes", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context, { offers: [SM] });
      await connection.read(ENABLE);
    });
    let isUp = false;
    const opening = open(server).then((stream) => {
      isUp = true;
      return stream;
    });
    await eventually(() => ENABLE.test(server.everything));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isUp).toBe(false);
    const connection = server.connections[0] as FakeConnection;
    connection.send(`<enabled ${NS}/>`);
    const stream = await opening;
    await stream.write([fields()]);
    await connection.read(/<fields/);
    connection.send(`<a ${NS} h='1'/>`);
    connection.send(`<r ${NS}/>`);
    expect(await count(connection)).toBe("0");
    connection.socket.destroy();
    expect((await stream.ended).undelivered.stanzas).toEqual([]);
  });

  it("counts what comes in one chunk with <enabled/>, and nothing from before", async () => {
    const { connection, received } = await start(async (fake) => {
      await fake.read(ENABLE);
      fake.send(
        `<message id='0'/><enabled ${NS}/><message id='1'/><presence id='2'/><r ${NS}/><iq id='3' type='get'/>`,
      );
    });
    expect(await count(connection)).toBe("2");
    connection.send(`<r ${NS}/>`);
    expect(await count(connection)).toBe("3");
    expect(received.map(({ attrs }) => attrs["id"])).toEqual(["0", "1", "2", "3"]);
  });

  it.each([
    ["answers to requests", "<iq type='result' id='1' from='localhost'/><iq type='error' id='2'><error/></iq>", "2"],
    ["requests that nobody can answer", "<iq type='get' id='1' from='a@b/c'><a/><b/></iq><iq/>", "2"],
    ["what is for nobody", "<presence/><message/><message type='error'/>", "3"],
    ["stanzas that are too large", `<message><body>${"x".repeat(2_000)}</body></message><message/>`, "2"],
    ["stanzas that are too large already in their first tag", `<message to='${"x".repeat(2_000)}'/><presence/>`, "2"],
    ["stanzas that nest too deeply", `<iq>${"<a>".repeat(70)}${"</a>".repeat(70)}</iq>`, "1"],
    ["stanzas with too many attributes", `<iq ${Array.from({ length: 70 }, (_, i) => `a${i}=''`).join(" ")}/>`, "1"],
    ["no elements that are no stanzas", `<x/><message xmlns='other'/><x><message/></x><x ${NS} h='7'/>`, "0"],
    ["no large elements that are no stanzas", `<x><message/>${"x".repeat(2_000)}</x>`, "0"],
  ])("counts %s", async (_what, text, expected) => {
    const { connection } = await start(enabled, { maxStanzaBytes: 1_000 });
    connection.send(`${text}<r ${NS}/>`);
    expect(await count(connection)).toBe(expected);
  });

  it("counts a stanza that comes in pieces when it is whole", async () => {
    const { connection, received } = await start(enabled);
    connection.send(`<r ${NS}/><mess`);
    expect(await count(connection)).toBe("0");
    connection.send(`age/><r ${NS}/>`);
    expect(await count(connection)).toBe("1");
    await eventually(() => received.length === 1);
  });

  it("does not answer for counts before it has asked for them", async () => {
    const { server, connection, received } = await start(async (fake) => {
      await fake.read(ENABLE);
      fake.send(`<r ${NS}/><a ${NS} h='17'/><enabled ${NS}/>`);
    });
    connection.send("<message/>");
    await eventually(() => received.length === 1);
    expect(server.everything).not.toContain("<a ");
  });

  it("goes on when the server refuses, and reports nothing then", async () => {
    const { server, connection, stream, received } = await start(async (fake) => {
      await fake.read(ENABLE);
      fake.send(`<failed ${NS}><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`);
    });
    connection.send(`<r ${NS}/><a ${NS} h='17'/><message/>`);
    await eventually(() => received.length === 1);
    await stream.write([fields()]);
    await connection.read(/<fields/);
    connection.socket.destroy();
    expect((await stream.ended).undelivered).toEqual({ stanzas: [], more: 0 });
    expect(server.everything).not.toMatch(ASK);
    expect(server.everything).not.toContain("<a ");
  });

  it("goes on when the server says nothing for 5 s, and counts from when it does", async () => {
    const clock = new SimulatedClock();
    const server = await serve(async (connection) => {
      await connection.logIn(context, { offers: [SM] });
    });
    const opening = open(server, { clock });
    await eventually(() => ENABLE.test(server.everything));
    await clock.advance(5_000);
    const stream = await opening;
    const connection = server.connections[0] as FakeConnection;
    stream.start(() => undefined);
    await stream.write([fields()]);
    connection.send(`<message/><enabled ${NS}/><message/><message/><r ${NS}/>`);
    expect(await count(connection)).toBe("2");
    connection.send(`<a ${NS} h='1'/><r ${NS}/>`);
    await count(connection);
    await stream.write([fields("lost@x")]);
    connection.socket.destroy();
    expect((await stream.ended).undelivered.stanzas).toEqual([{ kind: "message", payload: "fields", to: "lost@x" }]);
  });

  it("does not ask a server that does not offer it", async () => {
    const server = await serve((connection) => connection.logIn(context));
    const stream = await open(server);
    await stream.write([fields()]);
    const connection = server.connections[0] as FakeConnection;
    await connection.read(/<fields/);
    expect(server.everything).not.toMatch(ENABLE);
    connection.socket.destroy();
    expect((await stream.ended).undelivered.stanzas).toEqual([]);
  });

  it("does not wait for the answer when the stream ends meanwhile", async () => {
    const server = await serve(async (connection) => {
      await connection.logIn(context, { offers: [SM] });
      await connection.read(ENABLE);
      connection.socket.destroy();
    });
    expect(await rejection(open(server))).toMatchObject({ code: "ERR_CONNECTION" });
  });

  it.each([
    ["more than it was sent", "2", `<handled-count-too-high xmlns="urn:xmpp:sm:3" h="2" send-count="1"/>`],
    ["fewer than before", "0", ""],
    ["what is no number", "x", ""],
  ])("ends when the server acknowledges %s, and says why", async (_what, h, report) => {
    const { connection, stream } = await start(enabled);
    await stream.write([fields()]);
    await connection.read(/<fields/);
    connection.send(`<a ${NS} h='1'/><a ${NS} h='${h}'/><a ${NS} h='1'/>`);
    const { reason, final } = await stream.ended;
    expect(reason).toMatchObject({ code: "ERR_PROTOCOL", path: "a/@h" });
    expect(final).toBe(false);
    await connection.closed;
    const [, error = ""] = await connection.read(/(<stream:error>.*<\/stream:error>)<\/stream:stream>$/);
    const children = parseXml(error.replace("<stream:error", "$& xmlns:stream='s'")).getChildElements();
    expect(children[0]?.toString()).toBe(`<undefined-condition xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>`);
    expect(children[1]?.text()).toBe(reason.message);
    expect(children[2]?.toString() ?? "").toBe(report);
  });

  it("reports what was written and not acknowledged when the link is cut", async () => {
    const { connection, stream } = await start(enabled);
    await stream.write([fields("one@x"), presence(), iq({ type: "get", id: "1" }, el("x"))]);
    await connection.read(/<x\/>/);
    connection.send(`<a ${NS} h='1'/>`);
    await stream.write([iq({ type: "result", id: "1", to: "two@x" }), fields("three@x")]);
    await connection.read(/three@x/);
    connection.send(`<r ${NS}/>`);
    await count(connection); // so the acknowledgement has come, too
    connection.socket.destroy();
    expect((await stream.ended).undelivered).toEqual({
      stanzas: [
        { kind: "iq", payload: "", to: "two@x" },
        { kind: "message", payload: "fields", to: "three@x" },
      ],
      more: 0,
    });
  });

  describe("asks for acknowledgement", () => {
    const asked = ({ everything }: FakeServer): number => everything.match(/<r xmlns/g)?.length ?? 0;
    const ms = (time: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, time));
    const answering = (connection: FakeConnection): (() => Promise<void>) => {
      let sent = 0;
      return async () => {
        const [text] = await connection.read(/[^]*<r xmlns="urn:xmpp:sm:3"\/>/);
        sent += text.match(/<fields/g)?.length ?? 0;
        connection.send(`<a ${NS} h='${sent}'/>`);
        await ms(20);
      };
    };

    it("250 ms after the last stanza, once", async () => {
      const clock = new SimulatedClock();
      const { server, connection, stream } = await start(enabled, { clock });
      const respond = answering(connection);
      for (let written = 0; written < 10; written++) {
        await stream.write([fields(), fields()]);
        await clock.advance(200);
      }
      await clock.advance(49);
      await ms(20);
      expect(asked(server)).toBe(0);
      expect(clock.pending).toBe(1);
      await clock.advance(1);
      await respond();
      await clock.advance(59_000);
      expect(asked(server)).toBe(1);
      expect(clock.pending).toBe(1);
    });

    it("every 5 s while stanzas are written without a pause", async () => {
      const clock = new SimulatedClock();
      const { server, connection, stream } = await start(enabled, { clock });
      const respond = answering(connection);
      for (let round = 1; round <= 3; round++) {
        for (let written = 0; written < 50; written++) {
          await stream.write([fields()]);
          await clock.advance(100);
        }
        await respond();
        expect(asked(server)).toBe(round);
      }
    });

    it("on a silent link after 60 s, in the place of the ping", async () => {
      const clock = new SimulatedClock();
      const { server, connection } = await start(enabled, { clock });
      const respond = answering(connection);
      for (let round = 1; round <= 3; round++) {
        await clock.advance(59_999);
        expect(asked(server)).toBe(round - 1);
        await clock.advance(1);
        await respond();
      }
      expect(asked(server)).toBe(3);
      expect(server.everything).not.toContain("<ping");
    });

    it("and again on a silent link when the answer did not cover everything", async () => {
      const clock = new SimulatedClock();
      const { server, connection, stream } = await start(enabled, { clock });
      await stream.write([fields(), fields()]);
      await clock.advance(250);
      await connection.read(ASK);
      connection.send(`<a ${NS} h='1'/>`);
      await ms(20);
      await clock.advance(59_999);
      expect(asked(server)).toBe(1);
      await clock.advance(1);
      await connection.read(ASK);
    });

    it("and has ended 20 s later when nothing comes back, with what was lost", async () => {
      const clock = new SimulatedClock();
      const { server, connection, stream } = await start(enabled, { clock });
      await stream.write([fields()]);
      await clock.advance(250);
      await stream.write([fields("two@x")]); // is not asked about before the first answer
      await clock.advance(19_999);
      expect(asked(server)).toBe(1);
      expect(clock.pending).toBe(1);
      await clock.advance(1);
      expect(await stream.ended).toMatchObject({
        reason: { code: "ERR_CONNECTION", message: "no sign of life from the server within 20000 ms" },
        undelivered: { stanzas: [{ to: "x@y/z" }, { to: "two@x" }] },
      });
      expect(clock.pending).toBe(0);
      await connection.closed;
    });

    it("and waits up to 60 s for the answer on a link that is slow, not dead", async () => {
      const clock = new SimulatedClock();
      const { connection, stream, received } = await start(enabled, { clock });
      let ended = false;
      void stream.ended.then(() => (ended = true));
      await stream.write([fields()]);
      await clock.advance(250);
      for (let round = 1; round <= 3; round++) {
        await clock.advance(15_000);
        connection.send("<message/>");
        await eventually(() => received.length === round);
      }
      await clock.advance(14_999);
      expect(ended).toBe(false);
      await clock.advance(1);
      expect((await stream.ended).reason.message).toBe("the server has acknowledged nothing for 60000 ms");
    });
  });

  describe("is closed in good order:", () => {
    it("says how many came, asks how many arrived, and then says the end", async () => {
      const { connection, stream, received } = await start(enabled);
      connection.send("<message/><message/>");
      await eventually(() => received.length === 2);
      await stream.write([fields(), presence({ type: "unavailable" })]);
      const closing = stream.close();
      expect(await count(connection)).toBe("2");
      await connection.read(ASK);
      const stillOpen = async (): Promise<void> => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        expect(connection.secret).not.toContain("</stream:stream>");
      };
      await stillOpen();
      connection.send(`<a ${NS} h='1'/>`);
      await stillOpen(); // not yet the last
      connection.send(`<a ${NS} h='2'/>`);
      await connection.read(/^<\/stream:stream>/);
      connection.send(`<r ${NS}/></stream:stream>`); // too late: nothing follows the end
      await closing;
      expect(await stream.ended).toMatchObject({
        reason: { message: "closed" },
        undelivered: { stanzas: [], more: 0 },
      });
      await connection.closed;
      await expect(connection.read(/</)).rejects.toThrow("is gone");
    });

    it("waits for nothing when everything has arrived", async () => {
      const { connection, stream } = await start(enabled);
      const closing = stream.close();
      await connection.read(/<a [^>]*h="0"\/><\/stream:stream>/);
      connection.send("</stream:stream>");
      await closing;
    });

    it("takes no longer than a second when the server does not answer, and reports then", async () => {
      const clock = new SimulatedClock();
      const { connection, stream } = await start(enabled, { clock });
      await stream.write([fields()]);
      const closing = stream.close();
      await connection.read(ASK);
      await clock.advance(1_000);
      await closing;
      expect((await stream.ended).undelivered.stanzas).toHaveLength(1);
      expect(clock.pending).toBe(0);
      await connection.closed;
    });

    it("does not count what comes after the goodbye: nobody handles it", async () => {
      const { connection, stream, received } = await start(enabled);
      await stream.write([fields()]);
      const closing = stream.close();
      expect(await count(connection)).toBe("0");
      connection.send(`<message/><r ${NS}/>`);
      expect(await count(connection)).toBe("0");
      connection.send(`<a ${NS} h='1'/></stream:stream>`);
      await closing;
      expect(received).toEqual([]);
    });
  });
});
