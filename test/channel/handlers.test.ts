// Answering: who handles what comes in, how long it may take, and what goes back.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IncomingIq, IqHandler, IqReply } from "../../src/channel/router.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import { ConnectionError, ProtocolError, StanzaError, StateError } from "../../src/core/errors.ts";
import type { AbortNotice } from "../../src/core/light-abort.ts";
import { Refusal } from "../../src/core/refusal.ts";
import { FakeWire } from "../support/fake-wire.ts";
import { settle, stanza, startChannel } from "./harness.ts";

const asker = "owner@example.org/phone";
const ask = (id = "1", inside = "<ask xmlns='urn:x'/>", from: string | undefined = asker): XmlElement =>
  stanza(
    `<iq xmlns='jabber:client' type='get' id='${id}'${from === undefined ? "" : ` from='${from}'`}>${inside}</iq>`,
  );

/** The condition of the error in an answer. */
const conditionOf = (answer: XmlElement | undefined): string | undefined =>
  answer?.getChild("error")?.getChildElements()[0]?.name;

/** A channel with a handler for `ask`, which is put the question. */
async function askedWith(handler: IqHandler, question = ask()) {
  const parts = startChannel();
  parts.channel.router.onIq("urn:x", "ask", handler);
  parts.channel.receive(question);
  await settle();
  return parts;
}

describe("an IQ request", () => {
  it("reaches its handler with everything about it, and the answer goes to the asker", async () => {
    let seen: IncomingIq | undefined;
    const { wire, clock } = await askedWith((incoming) => {
      seen = incoming;
      return { payload: el("told", { xmlns: "urn:x" }) };
    });
    expect(seen?.type).toBe("get");
    expect(seen?.from.full).toBe(asker);
    expect(seen?.payload.is("ask", "urn:x")).toBe(true);
    expect(seen?.signal.aborted).toBe(false);
    expect(wire.last.attrs).toMatchObject({ type: "result", id: "1", to: asker });
    expect(wire.last.getChild("told", "urn:x")).toBeDefined();
    expect(clock.pending).toBe(0);
  });

  it("is not answered while more waits for the network than it takes; what is urgent is, and all of it afterwards", async () => {
    const { channel, wire } = startChannel();
    const handled: string[] = [];
    const handler =
      (name: string): IqHandler =>
      () => {
        handled.push(name);
        return {};
      };
    channel.router.onIq("urn:x", "ask", handler("ask"));
    channel.router.onIq("urn:x", "urgent", handler("urgent"), { urgent: true });
    const all = ["<ask xmlns='urn:x'/>", "<urgent xmlns='urn:x'/>", "<unknown xmlns='urn:x'/>"];
    const flood = async (): Promise<string[]> => {
      handled.length = 0;
      wire.writes.length = 0;
      all.forEach((inside, index) => channel.receive(ask(String(index), inside)));
      await settle();
      return wire.sent.map(({ attrs }) => attrs["id"] ?? "");
    };
    expect((await flood()).sort()).toEqual(["0", "1", "2"]);
    wire.backlog = 262_145;
    expect([await flood(), handled]).toEqual([["1"], ["urgent"]]);
    wire.backlog = 262_144;
    expect((await flood()).sort()).toEqual(["0", "1", "2"]);
  });

  it("may be answered by an empty result, at once or later", async () => {
    for (const handler of [() => ({}), () => Promise.resolve({})]) {
      const { wire } = await askedWith(handler);
      expect(wire.last.attrs).toMatchObject({ type: "result", id: "1", to: asker });
      expect(wire.last.children).toEqual([]);
    }
  });

  it("without a from is from the own account, and is answered to it (RFC 6120 8.1.2.1)", async () => {
    let seen: IncomingIq | undefined;
    const { wire } = await askedWith((incoming) => {
      seen = incoming;
      return {};
    }, stanza("<iq xmlns='jabber:client' type='set' id='1'><ask xmlns='urn:x'/></iq>"));
    expect(seen?.from.bare).toBe("thing@example.org");
    expect(seen?.type).toBe("set");
    expect(wire.last.attrs).not.toHaveProperty("to");
  });

  it("is answered to the address in the characters it came in", async () => {
    const { wire } = await askedWith(() => ({}), ask("1", undefined, "Owner@Example.org/phone"));
    expect(wire.last.attrs["to"]).toBe("Owner@Example.org/phone");
  });

  it("that nobody handles is service-unavailable", async () => {
    const { channel, wire } = startChannel();
    channel.receive(ask());
    await settle();
    expect(wire.last.attrs).toMatchObject({ type: "error", id: "1", to: asker });
    expect(wire.last.getChild("error")?.attrs["type"]).toBe("cancel");
    expect(conditionOf(wire.last)).toBe("service-unavailable");
  });

  it.each(["", "text", "<ask xmlns='urn:x'/><ask xmlns='urn:x'/>", "<ask xmlns='urn:x'/><other xmlns='urn:y'/>"])(
    "holds exactly one child: %j is a bad-request (RFC 6120 8.2.3)",
    async (inside) => {
      let called = false;
      const { wire } = await askedWith(
        () => {
          called = true;
          return {};
        },
        ask("1", inside),
      );
      expect(conditionOf(wire.last)).toBe("bad-request");
      expect(called).toBe(false);
    },
  );
});

describe("what a handler throws", () => {
  const refusal = new Refusal("resource-constraint", "Warming up.");

  it.each<[string, IqHandler]>([
    [
      "at once",
      () => {
        throw refusal;
      },
    ],
    ["later", () => Promise.reject(refusal)],
  ])("as a Refusal, %s, is the error on the wire, and no fault", async (_, handler) => {
    const { wire, faults } = await askedWith(handler);
    const error = wire.last.getChild("error");
    expect(error?.attrs["type"]).toBe("wait");
    expect(conditionOf(wire.last)).toBe("resource-constraint");
    expect(error?.getChild("text")?.text()).toBe("Warming up.");
    expect(faults).toEqual([]);
  });

  it("as an ERR_PROTOCOL is a bad-request that says what was wrong, and no fault", async () => {
    const { wire, faults } = await askedWith(() => {
      throw new ProtocolError("not an xs:int", "req/@seqnr");
    });
    expect(conditionOf(wire.last)).toBe("bad-request");
    expect(wire.last.getChild("error")?.getChild("text")?.text()).toBe("not an xs:int (at req/@seqnr)");
    expect(faults).toEqual([]);
  });

  it("as an ERR_PROTOCOL says no more than 1,000 characters: it may repeat what was sent", async () => {
    const { wire } = await askedWith(() => {
      throw new ProtocolError(`no such thing as ${"x".repeat(5_000)}`, "req");
    });
    expect(wire.last.getChild("error")?.getChild("text")?.text()).toMatch(/^no such thing as x{983}…$/);
  });

  it.each<[string, unknown]>([
    ["an Error", new Error("password hunter2")],
    ["an error of the library", new StateError("password hunter2")],
    ["somebody's error answer", new StanzaError("forbidden", "cancel", "a@b.c", "password hunter2")],
    ["a text", "password hunter2"],
    ["nothing", undefined],
    ["something without words", Object.create(null)],
  ])("as %s is an internal-server-error without a word of it, and a fault", async (_, thrown) => {
    const { wire, faults } = await askedWith(() => {
      throw thrown;
    });
    expect(conditionOf(wire.last)).toBe("internal-server-error");
    expect(String(wire.last)).not.toContain("hunter2");
    expect(wire.last.getChild("error")?.getChild("text")).toBeUndefined();
    expect(faults).toHaveLength(1);
    expect(faults[0]?.code).toBe("handler-failed");
    expect(faults[0]?.message).toMatch(/^ask from owner@example\.org\/phone: /);
  });

  it("because the stream was lost is no fault: nobody is left to tell", async () => {
    const { wire, faults } = await askedWith(() => {
      throw new ConnectionError("link lost");
    });
    expect(conditionOf(wire.last)).toBe("internal-server-error");
    expect(faults).toEqual([]);
  });
});

describe("a handler that takes its time", () => {
  const slowly = async () => {
    let finish!: (reply: IqReply) => void;
    let signal: AbortNotice | undefined;
    const parts = await askedWith((incoming) => {
      signal = incoming.signal;
      return new Promise((resolve) => (finish = resolve));
    });
    return { ...parts, finish: (reply: IqReply) => finish(reply), signal: () => signal };
  };

  it("is told of after 3 s, and may still answer", async () => {
    const { clock, faults, wire, finish } = await slowly();
    await clock.advance(2_999);
    expect(faults).toEqual([]);
    await clock.advance(1);
    expect(faults).toEqual([{ code: "handler-slow", message: "the handler of ask has taken 3000 ms" }]);
    await clock.advance(5_000);
    finish({});
    await settle();
    expect(wire.last.attrs["type"]).toBe("result");
    expect(faults).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it("is answered for after 9 s; its signal fires, and what it comes to later is nobody's", async () => {
    const { clock, faults, wire, finish, signal } = await slowly();
    await clock.advance(8_999);
    expect(wire.writes).toEqual([]);
    expect(signal()?.aborted).toBe(false);
    await clock.advance(1);
    expect(conditionOf(wire.last)).toBe("resource-constraint");
    expect(signal()?.aborted).toBe(true);
    expect(faults.map(({ code }) => code)).toEqual(["handler-slow", "handler-failed"]);
    finish({ payload: el("late") });
    await settle();
    expect(wire.writes).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it("does not hold up the others", async () => {
    const { channel, wire } = await slowly();
    channel.router.onIq("urn:x", "quick", () => ({}));
    channel.receive(ask("2", "<quick xmlns='urn:x'/>"));
    await settle();
    expect(wire.last.attrs).toMatchObject({ type: "result", id: "2" });
  });

  it("hears of the end of the stream, and that is no fault whatever the reason", async () => {
    const { channel, faults, signal, wire } = await slowly();
    const reason = new StateError("stopped");
    channel.detach(reason);
    await settle();
    expect(signal()?.reason).toBe(reason);
    expect(faults).toEqual([]);
    expect(wire.writes).toEqual([]);
  });

  it("never has its answer sent on another stream than the one the question came on", async () => {
    const { channel, wire, finish } = await slowly();
    const next = new FakeWire();
    channel.attach(next);
    finish({ payload: el("secret") });
    await settle();
    expect(wire.writes).toEqual([]);
    expect(next.writes).toEqual([]);
  });

  it("never has its error sent there either", async () => {
    let fail!: (reason: unknown) => void;
    const { channel, wire } = await askedWith(() => new Promise((_, reject) => (fail = reject)));
    const next = new FakeWire();
    channel.attach(next);
    fail(new Refusal("forbidden"));
    await settle();
    expect([...wire.writes, ...next.writes]).toEqual([]);
  });
});

describe("256 handlers at once", () => {
  it("are the most: the next asker is told to come back later, and is heard once there is room", async () => {
    const { channel, wire } = startChannel();
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    const finish: ((reply: IqReply) => void)[] = [];
    channel.router.onIq("urn:x", "ask", () => new Promise((resolve) => finish.push(resolve)));
    for (let n = 0; n < 257; n++) channel.receive(ask(`${n}`, undefined, `asker${n % 10}@example.org/r`));
    await settle();
    expect(finish).toHaveLength(256);
    expect(wire.sent).toHaveLength(1);
    expect(wire.last.attrs["id"]).toBe("256");
    expect(wire.last.getChild("error")?.attrs["type"]).toBe("wait");
    expect(conditionOf(wire.last)).toBe("resource-constraint");
    finish[0]?.({});
    await settle();
    channel.receive(ask("again"));
    await settle();
    expect(finish).toHaveLength(257);
    expect(wire.sent).toHaveLength(2);
    process.off("warning", onWarning);
    expect(warnings).toEqual([]); // Node.js takes many listeners on one signal for a leak
  });

  it("are not for one sender alone: from any resource of his 64 are the most, and others are heard", async () => {
    const { channel, wire } = startChannel();
    const finish: (() => void)[] = [];
    channel.router.onIq("urn:x", "ask", () => new Promise((resolve) => finish.push(() => resolve({}))));
    for (let n = 0; n < 70; n++) channel.receive(ask(`${n}`, undefined, `flood@example.org/r${n}`));
    await settle();
    expect(finish).toHaveLength(64);
    expect(wire.sent.map(conditionOf)).toEqual(Array(6).fill("resource-constraint"));
    channel.receive(ask("other"));
    await settle();
    expect(finish).toHaveLength(65);
    for (const end of finish) end();
    await settle();
    channel.receive(ask("again", undefined, "flood@example.org/r1"));
    await settle();
    expect(finish).toHaveLength(66);
  });

  it("hold 4 MB of questions at most, 1 MB of one sender's, and are heard again when some are answered", async () => {
    const { channel, wire } = startChannel();
    const finish: (() => void)[] = [];
    channel.router.onIq("urn:x", "ask", () => new Promise((resolve) => finish.push(() => resolve({}))));
    const large = (id: string, sender: string): XmlElement =>
      stanza(
        `<iq xmlns='jabber:client' type='get' id='${id}' from='${sender}'><ask xmlns='urn:x' a='${"x".repeat(100_000)}'><pad>${"y".repeat(100_000)}</pad></ask></iq>`,
      );
    for (let n = 0; n < 6; n++) channel.receive(large(`own${n}`, `flood@example.org/r${n}`));
    await settle();
    expect(finish).toHaveLength(5);
    for (let n = 0; n < 20; n++) channel.receive(large(`all${n}`, `asker${n}@example.org/r`));
    await settle();
    expect(finish).toHaveLength(20);
    expect(wire.sent.map(conditionOf)).toEqual(Array(6).fill("resource-constraint"));
    channel.receive(ask("small"));
    await settle();
    expect(finish).toHaveLength(21);
    for (const end of finish) end();
    await settle();
    channel.receive(large("again", "flood@example.org/r1"));
    await settle();
    expect(finish).toHaveLength(22);
  });

  it("do not stay counted when they fail or are answered for", async () => {
    const { channel, clock, wire } = startChannel();
    let calls = 0;
    channel.router.onIq("urn:x", "ask", () => {
      calls++;
      return calls % 2 === 0 ? Promise.reject(new Error("failed")) : new Promise(() => undefined);
    });
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 256; n++) channel.receive(ask("1", undefined, `asker${n % 4}@example.org/r`));
      await clock.advance(9_000);
    }
    expect(calls).toBe(3 * 256);
    const texts = wire.sent.map((sent) => sent.getChild("error")?.getChild("text")?.text() ?? "");
    expect(texts).not.toContain("Too much is asked at once.");
  });
});

describe("what follows an answer", () => {
  const message = el("message", { to: asker });

  it("that cannot be sent is answered by an error, and told of, as long as the stream lives", async () => {
    const { channel, wire, faults } = startChannel();
    channel.router.onIq("urn:x", "ask", () => ({ payload: el("told", { xmlns: "urn:x" }) }));
    channel.receive(stanza(`<iq xmlns='jabber:client' type='get' id='1' from='${asker}'><ask xmlns='urn:x'/></iq>`));
    const write = wire.write.bind(wire);
    let tries = 0;
    wire.write = (stanzas) => (++tries === 1 ? Promise.reject(new ProtocolError("no XML", "")) : write(stanzas));
    await settle();
    expect(tries).toBe(2);
    expect(wire.last.attrs).toMatchObject({ type: "error", id: "1", to: asker });
    expect(wire.last.getChild("error")?.getChild("internal-server-error")).toBeDefined();
    expect(faults).toMatchObject([{ code: "handler-failed" }]);
  });

  it("goes out in the same write, behind it", async () => {
    const { wire } = await askedWith(() => ({ payload: el("accepted"), followedBy: [message, message] }));
    expect(wire.writes.map((write) => write.map(({ name }) => name))).toEqual([["iq", "message", "message"]]);
  });

  it("in the program runs once the answer is on the wire, not before (D-E17)", async () => {
    const parts = startChannel();
    const release = parts.wire.hold();
    let ran = 0;
    parts.channel.router.onIq("urn:x", "ask", () => ({ afterwards: () => ran++ }));
    parts.channel.receive(ask());
    await settle();
    expect(parts.wire.writes).toHaveLength(1);
    expect(ran).toBe(0);
    release();
    await settle();
    expect(ran).toBe(1);
  });

  it("does not run when the answer could not be written, nor when there is another stream by then", async () => {
    let ran = 0;
    const afterwards = () => ran++;
    const parts = startChannel();
    parts.wire.failure = new Error("EPIPE");
    parts.channel.router.onIq("urn:x", "ask", async () => {
      await settle();
      return { afterwards };
    });
    parts.channel.receive(ask());
    await settle();
    await settle();
    parts.wire.failure = undefined;
    parts.channel.receive(ask());
    parts.channel.attach(new FakeWire());
    await settle();
    await settle();
    expect(ran).toBe(0);
    expect(parts.faults).toEqual([]);
  });

  it.each<[string, () => void]>([
    [
      "throws",
      () => {
        throw new Error("after");
      },
    ],
    ["rejects", () => Promise.reject(new Error("after"))],
  ])("is a fault when it %s: the answer is out already", async (_, afterwards) => {
    const { wire, faults } = await askedWith(() => ({ afterwards }));
    expect(wire.writes).toHaveLength(1);
    expect(faults).toEqual([{ code: "handler-failed", message: "what follows the answer to ask: after" }]);
  });
});

describe("a message", () => {
  const tell = (inside: string, attributes = `from='${asker}'`): XmlElement =>
    stanza(`<message xmlns='jabber:client' ${attributes}>${inside}</message>`);

  it("reaches the handler of each of its children, with the sender", async () => {
    const { channel, wire } = startChannel();
    const seen: string[] = [];
    channel.router.onMessage("urn:x", "tell", ({ from, payload }) => {
      seen.push(`${from.full} ${payload.attrs["n"] ?? ""}`);
    });
    channel.receive(tell("<body>Hi</body><tell xmlns='urn:x' n='1'/><tell xmlns='urn:x' n='2'/>"));
    await settle();
    expect(seen).toEqual([`${asker} 1`, `${asker} 2`]);
    expect(wire.writes).toEqual([]);
  });

  it.each([`type='error' from='${asker}'`, "", "from=''", "from='@'", "from='not a jid'"])(
    "with %j is dropped in silence",
    async (attributes) => {
      const { channel, wire, faults } = startChannel();
      let called = false;
      channel.router.onMessage("urn:x", "tell", () => {
        called = true;
      });
      channel.receive(tell("<tell xmlns='urn:x'/>", attributes));
      await settle();
      expect(called).toBe(false);
      expect(wire.writes).toEqual([]);
      expect(faults).toEqual([]);
    },
  );

  it("whose handler fails is a fault; whose content is broken is not; nothing goes back in either case", async () => {
    const { channel, wire, faults, logged } = startChannel();
    channel.router.onMessage("urn:x", "tell", ({ payload }) => {
      if (payload.attrs["broken"] === "yes") throw new ProtocolError("missing attribute", "tell/@seqnr");
      if (payload.attrs["broken"] === "lost") return Promise.reject(new ConnectionError("link lost"));
      if (payload.attrs["broken"] === "refused") throw new Refusal("forbidden");
      return Promise.reject(new Error("disk full"));
    });
    channel.receive(tell("<tell xmlns='urn:x' broken='yes'/>"));
    channel.receive(tell("<tell xmlns='urn:x' broken='lost'/>"));
    channel.receive(tell("<tell xmlns='urn:x' broken='refused'/>"));
    channel.receive(tell("<tell xmlns='urn:x'/>"));
    await settle();
    expect(wire.writes).toEqual([]);
    expect(logged).toHaveLength(3);
    expect(faults).toEqual([{ code: "handler-failed", message: "the handler of tell: disk full" }]);
  });

  it.each([
    ["", false],
    ["<delay xmlns='urn:xmpp:delay' stamp='2013-04-02T08:00:00Z'/>", true],
    ["<x xmlns='jabber:x:delay' stamp='20130402T08:00:00'/>", true],
    ["<delay xmlns='urn:x'/>", false],
  ])("beside %j tells whether a server has kept it (XEP-0203)", async (beside, delayed) => {
    const { channel } = startChannel();
    const seen: boolean[] = [];
    channel.router.onMessage("urn:x", "tell", (message) => void seen.push(message.delayed));
    channel.receive(tell(`<tell xmlns='urn:x'/>${beside}`));
    await settle();
    expect(seen).toEqual([delayed]);
  });

  it("has handlers that hear of the end of its stream, and does not come from one that has ended", async () => {
    const { channel } = startChannel();
    const signals: AbortNotice[] = [];
    channel.router.onMessage("urn:x", "tell", ({ stream }) => void signals.push(stream));
    channel.receive(tell("<tell xmlns='urn:x'/>"));
    await settle();
    expect(signals[0]?.aborted).toBe(false);
    channel.detach(new ConnectionError("gone"));
    expect(signals[0]?.aborted).toBe(true);
    channel.receive(tell("<tell xmlns='urn:x'/>"));
    await settle();
    expect(signals).toHaveLength(1);
  });

  it("that is counted takes the room that requests of its sender have, and is dropped where there is none; others are not", async () => {
    const { channel, wire, faults } = startChannel();
    const running: (() => void)[] = [];
    const seen = { free: 0 };
    const wait = (): Promise<void> => new Promise((end) => running.push(end));
    channel.router.onMessage("urn:x", "tell", wait, { counted: true });
    channel.router.onMessage("urn:x", "free", () => {
      seen.free++;
    });
    channel.router.onIq("urn:x", "ask", () => ({}));
    for (let count = 0; count < 100; count++) channel.receive(tell("<tell xmlns='urn:x'/><free xmlns='urn:x'/>"));
    await settle();
    expect([running.length, seen.free]).toEqual([64, 100]);
    channel.receive(ask());
    await settle();
    expect(conditionOf(wire.last)).toBe("resource-constraint");
    channel.receive(tell("<tell xmlns='urn:x'/>", "from='other@example.org/x'"));
    await settle();
    expect(running).toHaveLength(65);
    running[0]?.();
    await settle();
    channel.receive(ask("2"));
    await settle();
    expect(wire.last.attrs).toMatchObject({ type: "result", id: "2" });
    expect(faults).toEqual([]);
  });

  it("that is counted is dropped while more waits for the network than it takes", async () => {
    const { channel, wire } = startChannel();
    const seen: string[] = [];
    channel.router.onMessage("urn:x", "tell", () => void seen.push("tell"), { counted: true });
    channel.router.onMessage("urn:x", "free", () => void seen.push("free"));
    wire.backlog = 262_145;
    channel.receive(tell("<tell xmlns='urn:x'/><free xmlns='urn:x'/>"));
    await settle();
    expect(seen).toEqual(["free"]);
    wire.backlog = 262_144;
    channel.receive(tell("<tell xmlns='urn:x'/>"));
    await settle();
    expect(seen).toEqual(["free", "tell"]);
  });
});

describe("presence", () => {
  const present = (attributes: string): XmlElement => stanza(`<presence xmlns='jabber:client' ${attributes}/>`);

  it("reaches every handler, even when one before it fails", async () => {
    const { channel, faults } = startChannel();
    const seen: string[] = [];
    channel.router.onPresence(() => {
      throw new Error("first");
    });
    channel.router.onPresence(() => Promise.reject(new Error("second")));
    const takeBack = channel.router.onPresence(({ type, from }) => {
      seen.push(`${type} ${from.full}`);
    });
    channel.receive(present(`from='${asker}'`));
    channel.receive(present("from='owner@example.org' type='subscribe'"));
    takeBack();
    channel.receive(present(`from='${asker}' type='unavailable'`));
    await settle();
    expect(seen).toEqual([`available ${asker}`, "subscribe owner@example.org"]);
    expect(faults.map(({ message }) => message).sort()).toEqual([
      ...Array<string>(3).fill("a handler of presence: first"),
      ...Array<string>(3).fill("a handler of presence: second"),
    ]);
  });

  it.each(["", "from='@'", `from='${asker}' type='rubbish'`, `from='${asker}' type=''`])(
    "with %j is dropped in silence",
    async (attributes) => {
      const { channel, faults, wire } = startChannel();
      let called = false;
      channel.router.onPresence(() => {
        called = true;
      });
      channel.receive(present(attributes));
      await settle();
      expect(called).toBe(false);
      expect([...faults, ...wire.writes]).toEqual([]);
    },
  );
});

describe("what is malformed", () => {
  it("is a request whose id is longer than 1,024 characters: it would come back in the answer", async () => {
    const { channel, wire } = startChannel();
    channel.receive(ask("i".repeat(1_025)));
    await settle();
    expect(wire.sent).toEqual([]);
    channel.receive(ask("i".repeat(1_024)));
    await settle();
    expect(wire.sent).toHaveLength(1);
  });

  it.each([
    "<iq xmlns='jabber:client'/>",
    "<iq xmlns='jabber:client' type='get' from='a@b.c'><ask xmlns='urn:x'/></iq>",
    "<iq xmlns='jabber:client' type='query' id='1' from='a@b.c'><ask xmlns='urn:x'/></iq>",
    "<iq xmlns='jabber:client' type='get' id='1' from='@'><ask xmlns='urn:x'/></iq>",
    "<iq xmlns='jabber:client' type='get' id='1' from='.'><ask xmlns='urn:x'/></iq>",
    "<stanza xmlns='jabber:client'/>",
    "<features xmlns='http://etherx.jabber.org/streams'/>",
  ])("is dropped in silence: %s", async (xml) => {
    const { channel, wire, faults } = startChannel();
    channel.router.onIq("urn:x", "ask", () => ({}));
    channel.receive(stanza(xml));
    await settle();
    expect([...wire.writes, ...faults]).toEqual([]);
  });

  it("never makes the channel throw, whatever comes", async () => {
    const name = fc.constantFrom("iq", "message", "presence", "x");
    const value = fc.constantFrom(
      "get",
      "set",
      "result",
      "error",
      "",
      "1",
      "a@b.c",
      "@",
      ".",
      "__proto__",
      "\u{1F321}",
    );
    const attributes = fc.dictionary(fc.constantFrom("type", "id", "from", "to", "xmlns"), value);
    const inside = fc.constantFrom("", "text", "<error/>", "<ask xmlns='urn:x'/>", "<a/><b/>");
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, attributes, inside), { maxLength: 5 }), async (stanzas) => {
        const { channel, faults } = startChannel();
        channel.router.onIq("urn:x", "ask", () => ({}));
        const asked = channel.request({ type: "get", payload: el("ask", { xmlns: "urn:x" }) });
        for (const [name, attributes, inside] of stanzas) {
          const given = Object.entries(attributes).map(([key, text]) => `${key}='${text}'`);
          channel.receive(stanza(`<${name} ${given.join(" ")}>${inside}</${name}>`));
        }
        await settle();
        expect(faults).toEqual([]);
        channel.detach(new ConnectionError("end"));
        await expect(asked).rejects.toMatchObject({ code: "ERR_CONNECTION" }); // nobody guessed the id
      }),
    );
  });
});
