// Asking: which answer counts (design: who may tell a Thing what, first row), and what ends the waiting.
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import { el } from "../../src/codec/xml.ts";
import { ConnectionError, StateError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { FakeWire } from "../support/fake-wire.ts";
import { outcome, settle, stanza, startChannel } from "./harness.ts";

const payload = el("ask", { xmlns: "urn:x" });
const own = "thing@example.org/r1";

/** An answer as it comes from the stream; `from` left out if undefined. */
const answer = (id: string, from: string | undefined, inside = "<told xmlns='urn:x'/>", type = "result") =>
  stanza(
    `<iq xmlns='jabber:client' type='${type}' id='${id}' to='${own}'${from === undefined ? "" : ` from='${from}'`}>${inside}</iq>`,
  );

const toOwnAccount = {
  allowed: [undefined, "", "thing@example.org", "Thing@Example.ORG", own, "example.org", "EXAMPLE.ORG"],
  refused: [
    "thing@example.org/r2",
    "thing@example.org/R1",
    "other@example.org",
    "registry.example.org",
    "example.org/x",
    "thing@example.com",
    "thing.example.org",
    "org",
    "@",
    "not a jid",
  ],
};

const table: readonly { to: string | undefined; allowed: (string | undefined)[]; refused: (string | undefined)[] }[] = [
  {
    to: "registry@example.org/desk",
    allowed: ["registry@example.org/desk", "Registry@EXAMPLE.org/desk", "registry@example.org./desk"],
    refused: [
      undefined,
      "",
      "registry@example.org",
      "registry@example.org/Desk",
      "registry@example.org/other",
      "example.org",
      "example.org/desk",
      own,
      "thing@example.org",
      "registry@example.com/desk",
    ],
  },
  {
    to: "owner@example.org",
    allowed: ["owner@example.org", "OWNER@example.org"],
    refused: [undefined, "", "owner@example.org/phone", "example.org", "thing@example.org", own],
  },
  {
    to: "discovery.example.org",
    allowed: ["discovery.example.org", "Discovery.Example.Org", "discovery.example.org."],
    refused: [
      undefined,
      "",
      "discovery.example.org/x",
      "x@discovery.example.org",
      "other.example.org",
      "example.org",
      "thing@example.org",
      own,
      "discovery.example.org.evil.example",
      "@",
    ],
  },
  {
    to: "example.org",
    allowed: ["example.org", "Example.Org"],
    refused: [undefined, "", "thing@example.org", own, "discovery.example.org", "example.org/x"],
  },
  { to: undefined, ...toOwnAccount },
  { to: "thing@example.org", ...toOwnAccount },
  { to: "Thing@Example.org", ...toOwnAccount },
  { to: own, ...toOwnAccount },
];

describe.each(table)("a request to $to", ({ to, allowed, refused }) => {
  it.each(allowed)("is answered by %j", async (from) => {
    const { channel, wire } = startChannel();
    const asked = channel.request({ type: "get", to, payload });
    await settle();
    channel.receive(answer(wire.last.attrs["id"] ?? "", from));
    const told = await asked;
    expect(told?.is("told", "urn:x")).toBe(true);
  });

  it.each(refused)("is not answered by %j, neither with a result nor with an error", async (from) => {
    const { channel, wire, clock, logged } = startChannel();
    const asked = channel.request({ type: "get", to, payload });
    await settle();
    const id = wire.last.attrs["id"] ?? "";
    channel.receive(answer(id, from, "<lie xmlns='urn:x'/>"));
    channel.receive(answer(id, from, "", "error"));
    expect(await outcome(asked)).toBe("pending");
    expect(logged).toHaveLength(2);
    // The false answer has spoilt nothing: the right one still counts.
    channel.receive(answer(id, to));
    expect((await asked)?.is("told")).toBe(true);
    expect(clock.pending).toBe(0);
  });
});

describe("what is sent", () => {
  it("is the payload in an IQ to whom it is for, or to nobody by name", async () => {
    const { channel, wire } = startChannel();
    void channel.request({ type: "set", to: "discovery.example.org", payload }).catch(() => undefined);
    void channel.request({ type: "get", payload }).catch(() => undefined);
    await settle();
    expect(wire.writes).toHaveLength(2);
    expect(wire.sent[0]?.attrs).toMatchObject({ type: "set", to: "discovery.example.org" });
    expect(wire.sent[0]?.getChildElements().map((child) => child.name)).toEqual(["ask"]);
    expect(wire.sent[1]?.attrs).not.toHaveProperty("to");
    expect(wire.sent[1]?.attrs).not.toHaveProperty("from");
    channel.detach(new ConnectionError("end"));
  });

  it("bears ids that cannot be guessed and never come twice", async () => {
    const { channel, wire } = startChannel();
    const asked = Array.from({ length: 1_000 }, () => channel.request({ type: "get", payload }).catch(() => undefined));
    await settle();
    const ids = wire.sent.map(({ attrs }) => attrs["id"]);
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/); // 128 bits
    channel.detach(new ConnectionError("end"));
    await Promise.all(asked);
  });

  it("bears ids that follow from the source of randomness and nothing else", async () => {
    const idsOf = async (seed: string): Promise<unknown> => {
      const channel = new StanzaChannel({
        clock: new SimulatedClock(),
        random: new SeededRandom(seed),
        logger: silentLogger,
      });
      const wire = new FakeWire();
      channel.attach(wire);
      const asked = channel.request({ type: "get", payload }).catch(() => undefined);
      await settle();
      channel.detach(new ConnectionError("end"));
      await asked;
      return wire.last.attrs["id"];
    };
    expect(await idsOf("a")).toBe(await idsOf("a"));
    expect(await idsOf("a")).not.toBe(await idsOf("b"));
  });
});

describe("an answer", () => {
  it("may be empty", async () => {
    const { channel, wire } = startChannel();
    const asked = channel.request({ type: "set", payload });
    await settle();
    channel.receive(answer(wire.last.attrs["id"] ?? "", undefined, ""));
    await expect(asked).resolves.toBeUndefined();
  });

  it("that is an error rejects with its condition, type and words, and says who was asked", async () => {
    const { channel, wire } = startChannel();
    const asked = channel.request({ type: "set", to: "discovery.example.org", payload });
    await settle();
    const inside = `<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
      <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Later.</text></error>`;
    channel.receive(answer(wire.last.attrs["id"] ?? "", "discovery.example.org", inside, "error"));
    await expect(asked).rejects.toMatchObject({
      code: "ERR_STANZA",
      condition: "resource-constraint",
      type: "wait",
      text: "Later.",
      from: "discovery.example.org",
    });
  });

  it("of type result with an error inside is no success (P-E2)", async () => {
    const { channel, wire } = startChannel();
    const asked = channel.request({ type: "set", payload });
    await settle();
    const inside = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    channel.receive(answer(wire.last.attrs["id"] ?? "", undefined, inside));
    await expect(asked).rejects.toMatchObject({ code: "ERR_STANZA", condition: "item-not-found" });
  });

  it("counts once; a second one, one to nothing and one without an id are dropped", async () => {
    const { channel, wire, faults } = startChannel();
    const asked = channel.request({ type: "get", payload });
    await settle();
    const id = wire.last.attrs["id"] ?? "";
    channel.receive(answer(id, undefined));
    channel.receive(answer(id, undefined, "", "error"));
    channel.receive(answer("__proto__", undefined));
    channel.receive(stanza("<iq xmlns='jabber:client' type='result'/>"));
    expect((await asked)?.is("told")).toBe(true);
    expect(wire.writes).toHaveLength(1);
    expect(faults).toEqual([]);
  });

  it("may come before the write has ended", async () => {
    const { channel, wire } = startChannel();
    const release = wire.hold();
    const asked = channel.request({ type: "get", payload });
    await settle();
    channel.receive(answer(wire.last.attrs["id"] ?? "", undefined));
    expect((await asked)?.is("told")).toBe(true);
    release();
  });

  it("finds its own question among many, in any order", async () => {
    const { channel, wire } = startChannel();
    const asked = Array.from({ length: 20 }, () => channel.request({ type: "get", payload }));
    await settle();
    const ids = wire.sent.map(({ attrs }) => attrs["id"] ?? "");
    [...ids].reverse().forEach((id) => channel.receive(answer(id, undefined, `<told xmlns='urn:x' id='${id}'/>`)));
    expect((await Promise.all(asked)).map((told) => told?.attrs["id"])).toEqual(ids);
  });
});

describe("the wait for an answer", () => {
  it("ends after 30 s unless told otherwise, and names the question", async () => {
    const { channel, clock } = startChannel();
    const asked = channel.request({ type: "get", to: "discovery.example.org", payload });
    const failed = expect(asked).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      message: "ask to discovery.example.org: no answer within 30000 ms",
    });
    await clock.advance(29_999);
    expect(await outcome(asked)).toBe("pending");
    await clock.advance(1);
    await failed;
  });

  it("ends when the caller says so, with the caller's reason, and leaves nothing behind", async () => {
    const { channel, clock, wire, logged } = startChannel();
    const controller = new AbortController();
    const reason = new Error("no longer needed");
    const asked = channel.request({ type: "get", payload }, { signal: controller.signal });
    await settle();
    controller.abort(reason);
    await expect(asked).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    channel.receive(answer(wire.last.attrs["id"] ?? "", undefined));
    expect(logged).toEqual([]);
  });

  it("does not begin when the caller has given up already: nothing is sent", async () => {
    const { channel, wire } = startChannel();
    const reason = new Error("no longer needed");
    await expect(channel.request({ type: "get", payload }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(wire.writes).toEqual([]);
  });

  it("ends in the answer when that comes in the same tick as the time limit, but first", async () => {
    const { channel, clock, wire } = startChannel();
    clock.schedule(100, () => channel.receive(answer(wire.last.attrs["id"] ?? "", undefined)));
    const asked = channel.request({ type: "get", payload }, { timeout: 100 });
    await clock.advance(100);
    expect((await asked)?.is("told")).toBe(true);
  });

  it("ends in the time limit when the answer comes in the same tick, but second", async () => {
    const { channel, clock, wire } = startChannel();
    const asked = channel.request({ type: "get", payload }, { timeout: 100 });
    const failed = expect(asked).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    clock.schedule(100, () => channel.receive(answer(wire.last.attrs["id"] ?? "", undefined)));
    await clock.advance(100);
    await failed;
  });

  it("ends when the stream ends, with the reason of that, for all who wait", async () => {
    const { channel, clock } = startChannel();
    const asked = ["discovery.example.org", undefined, "owner@example.org"].map((to) =>
      channel.request({ type: "get", to, payload }),
    );
    await settle();
    const reason = new StateError("stopped");
    channel.detach(reason);
    for (const each of asked) await expect(each).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
    expect(channel.jid).toBeUndefined();
  });

  it("ends when the stream ends even while the write hangs", async () => {
    const { channel, wire } = startChannel();
    wire.hold();
    const asked = channel.request({ type: "get", payload });
    await settle();
    const reason = new ConnectionError("link lost");
    channel.detach(reason);
    await expect(asked).rejects.toBe(reason);
  });

  it("ends when another stream takes the place: an answer to the old question means nothing there", async () => {
    const { channel, wire } = startChannel();
    const asked = channel.request({ type: "get", payload });
    await settle();
    const id = wire.last.attrs["id"] ?? "";
    const next = new FakeWire();
    channel.attach(next);
    await expect(asked).rejects.toMatchObject({ code: "ERR_CONNECTION" });
    channel.receive(answer(id, undefined));
    expect(next.writes).toEqual([]);
  });

  it("ends at once when the question cannot be written", async () => {
    const { channel, wire, clock } = startChannel();
    wire.failure = new Error("EPIPE");
    await expect(channel.request({ type: "get", payload })).rejects.toMatchObject({
      code: "ERR_CONNECTION",
      cause: wire.failure,
    });
    expect(clock.pending).toBe(0);
  });
});

describe("without a stream", () => {
  const detached = () => {
    const { channel, wire } = startChannel();
    channel.detach(new ConnectionError("link lost"));
    return { channel, wire };
  };

  it("nothing is asked or sent", async () => {
    const { channel, wire } = detached();
    await expect(channel.request({ type: "get", payload })).rejects.toMatchObject({ code: "ERR_CONNECTION" });
    await expect(channel.send(payload)).rejects.toMatchObject({ code: "ERR_CONNECTION" });
    expect(wire.writes).toEqual([]);
  });

  it("ending it again is harmless, and what still comes in is dropped", async () => {
    const { channel, wire } = detached();
    channel.detach(new ConnectionError("again"));
    channel.router.onIq("urn:x", "ask", () => ({}));
    channel.receive(stanza("<iq xmlns='jabber:client' type='get' id='1' from='a@b.c/d'><ask xmlns='urn:x'/></iq>"));
    channel.receive(stanza("<iq xmlns='jabber:client' type='get' id='1'><ask xmlns='urn:x'/></iq>"));
    await settle();
    expect(wire.writes).toEqual([]);
  });
});

describe("an address that is none", () => {
  it.each(["", "@", "a b@c.d", "."])("%j is not asked: no answer to it could be told from a false one", async (to) => {
    const { channel, wire } = startChannel();
    await expect(channel.request({ type: "get", to, payload })).rejects.toMatchObject({
      code: "ERR_PROTOCOL",
      path: "iq/@to",
    });
    expect(wire.writes).toEqual([]);
  });
});

describe("send", () => {
  it("puts everything into one write", async () => {
    const { channel, wire } = startChannel();
    await channel.send(el("presence"), el("message"), el("iq"));
    expect(wire.writes.map((stanzas) => stanzas.map(({ name }) => name))).toEqual([["presence", "message", "iq"]]);
  });

  it("passes on an error of the library as it is, any other as ERR_CONNECTION", async () => {
    const { channel, wire } = startChannel();
    wire.failure = new StateError("too large");
    await expect(channel.send(payload)).rejects.toBe(wire.failure);
    wire.failure = "EPIPE";
    await expect(channel.send(payload)).rejects.toMatchObject({ code: "ERR_CONNECTION", cause: "EPIPE" });
  });
});

describe("the own address", () => {
  it("is that of the stream there is", () => {
    const { channel } = startChannel();
    expect(channel.jid?.full).toBe(own);
    channel.attach(new FakeWire("thing@example.org/r2"));
    expect(channel.jid?.full).toBe("thing@example.org/r2");
  });
});

describe("the own address", () => {
  it("is another object on each stream, by which what belongs to the one before is known", () => {
    const { channel } = startChannel();
    const before = channel.jid;
    channel.attach(new FakeWire());
    expect(channel.jid).toEqual(before);
    expect(channel.jid).not.toBe(before);
    channel.detach(new ConnectionError("gone"));
    expect(channel.jid).toBeUndefined();
  });
});
