// XEP-0325 3.1.1: a set that comes by message is obeyed like one that comes by IQ, and nobody hears what became of it.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { ConnectionError } from "../../src/core/errors.ts";
import { Refusal } from "../../src/core/refusal.ts";
import { buildSet, type ParameterSetting } from "../../src/codec/control.ts";
import { ns } from "../../src/codec/namespaces.ts";
import { message } from "../../src/codec/stanza.ts";
import { el, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { ControlContext, ControlParameter } from "../../src/control/definition.ts";
import { bareJid } from "../../src/core/jid.ts";
import type { LightAbort } from "../../src/core/light-abort.ts";
import { no, nodeSite, owner, reader, server, yes } from "../support/node-site.ts";
import { settled } from "../support/scripted-wire.ts";

type Act = (name: string, value: unknown, context: ControlContext) => void | Promise<void>;

/** A Thing with two switches and a level, and what was done to it. */
async function site(act: Act = () => undefined, servers?: Parameters<typeof nodeSite>[1]) {
  const calls: string[] = [];
  const doing =
    (name: string) =>
    (value: unknown, context: ControlContext): void | Promise<void> => {
      calls.push(`${name} ${String(value)}`);
      return act(name, value, context);
    };
  const control: readonly ControlParameter[] = [
    { name: "LED", set: doing("LED") },
    { name: "Fan", type: "boolean", set: doing("Fan") },
    { name: "Level", type: "int", min: 0, max: 100, set: doing("Level") },
  ];
  const here = await nodeSite([{ control }], servers);
  // What the Thing asks its server is not an answer to anybody.
  const answers = (): readonly XmlElement[] => here.wire.sent.filter(({ attrs }) => attrs["to"] !== server);
  return { ...here, calls, answers };
}

const on = (...names: readonly string[]): readonly ParameterSetting[] =>
  names.map((name) => ({ kind: "boolean", name, value: true }));
const setting = (parameters: readonly ParameterSetting[]): XmlElement =>
  buildSet({ nodes: [], tokens: {}, parameters });
const level = (value: number): XmlElement => setting([{ kind: "int", name: "Level", value }]);
const xml = (inside: string): XmlElement => parseXml(`<set xmlns='${ns.control}'>${inside}</set>`);

describe("a set that comes by message", () => {
  test("XEP-0325 3.1.1: is done, and not a word goes back", async () => {
    const { wire, calls, answers, clock, trouble, faults } = await site();
    wire.tell(reader, setting(on("LED", "Fan")));
    await settled();
    expect(calls).toEqual(["LED true", "Fan true"]);
    expect([answers(), trouble, faults, clock.pending]).toEqual([[], [], [], 0]);
  });

  test("P-3.4.1-1, P-3.4.1-3: is asked about like one that comes by IQ, by the caller's bare JID and with its tokens", async () => {
    const { wire } = await site();
    wire.tell(reader, buildSet({ nodes: [], tokens: { userToken: "U" }, parameters: on("LED") }));
    await settled();
    expect(wire.asked(server).map(String)).toEqual([
      `<canControl xmlns="${ns.provisioning}" jid="reader@example.org" userToken="U"><parameter name="LED"/></canControl>`,
    ]);
  });

  test("P-3.4.3-4: is done as far as it is granted", async () => {
    const { wire, calls, answers } = await site();
    wire.peer(server, (question) => yes(question, [], ["Fan"]));
    wire.tell(reader, setting(on("LED", "Fan")));
    await settled();
    expect([calls, answers()]).toEqual([["Fan true"], []]);
  });

  test("P-3.4.1-2: of somebody who may not is not done, and not answered either", async () => {
    const { wire, calls, answers, trouble, faults } = await site();
    wire.peer(server, no);
    wire.tell("stranger@example.org/x", setting(on("LED")));
    await settled();
    expect([calls, answers(), trouble, faults]).toEqual([[], [], [], []]);
  });

  test("without a provisioning server is done for the owner, and for nobody else", async () => {
    const { wire, calls, answers } = await site(undefined, []);
    wire.tell(reader, setting(on("LED")));
    wire.tell(`${owner}/phone`, setting(on("Fan")));
    await settled();
    expect([calls, answers()]).toEqual([["Fan true"], []]);
  });

  test.each<[string, XmlElement]>([
    ["a value out of bounds", xml("<boolean name='LED' value='1'/><int name='Level' value='101'/>")],
    ["a value of another type", xml("<boolean name='LED' value='1'/><long name='Level' value='1'/>")],
    ["a value that is none", xml("<boolean name='LED' value='1'/><int name='Level' value='NaN'/>")],
    ["a parameter that is not there", setting(on("LED", "__proto__"))],
    ["a parameter twice", setting(on("LED", "LED"))],
    ["a node that is not there", xml("<node nodeId='x'/><boolean name='LED' value='1'/>")],
    ["nothing to set", xml("")],
    ["something unknown", xml("<boolean name='LED' value='1'/><bool name='Fan' value='1'/>")],
  ])("XEP-0325 3.4.3: and holds %s, is not done at all, in silence", async (_, payload) => {
    const { wire, calls, answers, trouble, faults } = await site();
    wire.tell(reader, payload);
    await settled();
    expect([calls, answers(), trouble, faults]).toEqual([[], [], [], []]);
  });

  test("that the device cannot do is told to the program, that it refuses to nobody", async () => {
    const { wire, answers, trouble, faults } = await site((name) => {
      throw name === "LED" ? new Error("GPIO 4 is busy") : new Refusal("conflict", "Locked.");
    });
    wire.tell(reader, setting(on("LED")));
    wire.tell(reader, setting(on("Fan")));
    await settled();
    expect([answers(), faults]).toEqual([[], []]);
    expect(trouble).toEqual(['"LED" could not be set: GPIO 4 is busy']);
  });

  test.each([
    ["XEP-0203", el("delay", { xmlns: "urn:xmpp:delay", stamp: "2013-04-02T08:00:00Z" })],
    ["XEP-0091", el("x", { xmlns: "jabber:x:delay", stamp: "20130402T08:00:00" })],
  ])("that a server has kept (%s) is not done: nobody knows that it is to be done now", async (_, delay) => {
    const { wire, calls, answers } = await site();
    wire.receive(message({ to: wire.jid.full, from: reader }, setting(on("LED")), delay));
    await settled();
    expect([calls, wire.asked(server), answers()]).toEqual([[], [], []]);
    wire.tell(reader, setting(on("LED")));
    await settled();
    expect(calls).toEqual(["LED true"]);
  });

  test("that comes back as an error is none", async () => {
    const { wire, calls } = await site();
    const bounced = parseXml(String(message({ to: wire.jid.full, from: reader }, setting(on("LED")))));
    wire.receive(el("message", { ...bounced.attrs, type: "error" }, ...bounced.children));
    await settled();
    expect(calls).toEqual([]);
  });
});

describe("several that come by message", () => {
  test("of one sender are done in the order in which they come, also when the first has to be asked about", async () => {
    const { wire, calls } = await site();
    wire.tell(reader, setting(on("LED")));
    await settled();
    const answers: (() => void)[] = [];
    wire.peer(server, (question) => new Promise((resolve) => answers.push(() => resolve(yes(question)))));
    wire.tell(reader, setting(on("Fan")));
    wire.tell(reader, xml("<boolean name='LED' value='false'/>")); // remembered
    wire.tell(reader, xml("<bool/>")); // refused at once
    wire.tell(reader, setting(on("LED"))); // remembered
    await settled();
    expect(calls).toEqual(["LED true"]);
    for (const answer of answers) answer();
    await settled();
    expect(calls).toEqual(["LED true", "Fan true", "LED false", "LED true"]);
  });

  test("and by request are done in that order too, whichever has to be asked about", async () => {
    const { wire, calls } = await site();
    const off = xml("<boolean name='LED' value='false'/>");
    wire.tell(reader, setting(on("LED"))); // remembered from here on
    await settled();
    const answers: (() => void)[] = [];
    wire.peer(server, (question) => new Promise((resolve) => answers.push(() => resolve(yes(question)))));
    wire.tell(reader, setting(on("Fan")));
    const request = wire.ask(reader, "set", off);
    await settled();
    expect(calls).toEqual(["LED true"]);
    answers.shift()?.();
    expect((await request).type).toBe("result");
    expect(calls.splice(0)).toEqual(["LED true", "Fan true", "LED false"]);
    const first = wire.ask(reader, "set", level(7));
    wire.tell(reader, setting(on("LED")));
    const last = wire.ask(reader, "set", off);
    await settled();
    expect(calls).toEqual([]);
    answers.shift()?.();
    await Promise.all([first, last]);
    expect(calls).toEqual(["Level 7", "LED true", "LED false"]);
  });

  test("do not make requests of the same sender wait for one another, or for those of another address of theirs", async () => {
    const { wire, calls } = await site();
    wire.tell(reader, setting(on("LED")));
    await settled();
    wire.peer(server, () => "silent");
    void wire.ask(reader, "set", setting(on("Fan")));
    expect((await wire.ask(reader, "set", setting(on("LED")))).type).toBe("result");
    wire.tell(reader, level(7));
    wire.tell("reader@example.org/phone", setting(on("LED")));
    await settled();
    expect(calls).toEqual(["LED true", "LED true", "LED true"]);
  });

  test("and are refused at once leave nothing behind, however many come behind one that takes long", async () => {
    const { wire, calls, clock } = await site();
    wire.peer(server, () => "silent");
    wire.tell(reader, setting(on("LED")));
    for (let count = 0; count < 200; count++) {
      wire.tell(reader, xml("<bool/>"));
      expect((await wire.ask(reader, "set", xml("<bool/>"))).condition).toBe("bad-request");
    }
    wire.peer(server, (question) => yes(question));
    wire.tell("other@example.org/x", setting(on("Fan")));
    await settled();
    expect(calls).toEqual(["Fan true"]);
    await clock.advance(10_000);
    wire.tell(reader, setting(on("LED")));
    await settled();
    expect(calls).toEqual(["Fan true", "LED true"]);
  });

  test("of others do not wait for one that has to be asked about", async () => {
    const { wire, calls } = await site();
    wire.peer(server, (question) => (question.attrs["jid"] === "reader@example.org" ? "silent" : yes(question)));
    wire.tell(reader, setting(on("LED")));
    wire.tell("other@example.org/x", setting(on("Fan")));
    await settled();
    expect(calls).toEqual(["Fan true"]);
  });

  test("are not done later than 8.5 s after they came: who sent them has gone on", async () => {
    const ends: (() => void)[] = [];
    const { wire, calls, clock, trouble } = await site((_, value) =>
      value === 1 ? new Promise<void>((end) => ends.push(end)) : undefined,
    );
    wire.tell(reader, level(1));
    await clock.advance(4_000);
    wire.tell(reader, level(2));
    await clock.advance(4_500);
    expect(trouble).toEqual(['setting "Level" took too long']);
    await clock.advance(4_000);
    ends[0]?.();
    await settled();
    expect(calls).toEqual(["Level 1"]);
    wire.tell(reader, level(3));
    await settled();
    expect([calls, clock.pending]).toEqual([["Level 1", "Level 3"], 0]);
  });

  test("are held to the room that requests have: nobody alone takes that of others, or has servers asked without end", async () => {
    const { wire, calls, clock, faults } = await site();
    wire.peer(server, (question) => (question.attrs["jid"] === "flood@example.org" ? "silent" : yes(question)));
    for (let count = 0; count < 500; count++) {
      wire.tell(
        `flood@example.org/${count}`,
        buildSet({ nodes: [], tokens: { userToken: `${count}` }, parameters: on("LED") }),
      );
    }
    await settled();
    expect(wire.asked(server)).toHaveLength(64);
    wire.tell(reader, setting(on("LED")));
    await settled();
    expect(calls).toEqual(["LED true"]);
    await clock.advance(10_000);
    expect([faults, clock.pending]).toEqual([[], 0]);
    wire.tell("flood@example.org/0", setting(on("Fan")));
    await settled();
    expect(wire.asked(server)).toHaveLength(66);
  });
});

describe("one that came by message and is under way", () => {
  const held = () => {
    const signals: AbortSignal[] = [];
    const ends: (() => void)[] = [];
    const act: Act = (_, __, { signal }) =>
      new Promise((end) => {
        signals.push(signal);
        ends.push(end);
      });
    return { signals, ends, act };
  };

  test("P-3.5.1-5: is ended at once when a clearCache takes the right to it, without a word", async () => {
    const { signals, ends, act } = held();
    const { wire, cache, calls, answers, guard } = await site(act);
    wire.tell(reader, setting(on("LED", "Fan")));
    await settled();
    wire.peer(server, no);
    await cache.clear();
    await settled();
    expect(signals[0]?.aborted).toBe(true);
    ends[0]?.();
    await settled();
    expect([calls, answers(), guard.running.count]).toEqual([["LED true"], [], 0]);
  });

  test("P-3.5.1-5: and waits behind another is not begun by a right that was taken back while it waited", async () => {
    const { ends, act } = held();
    const { wire, cache, calls } = await site(act);
    wire.tell(reader, setting(on("LED")));
    wire.tell(reader, setting(on("Fan")));
    await settled();
    wire.peer(server, (question) => yes(question, [], ["LED"]));
    await cache.clear();
    await settled();
    ends[0]?.();
    await settled();
    expect(calls).toEqual(["LED true"]);
  });

  test("P-3.5.1-5: a request that waits behind it learns nothing by a right that is being asked about anew", async () => {
    const { ends, act } = held();
    const { wire, cache } = await site(act);
    wire.tell(reader, setting(on("LED")));
    await settled();
    const asking = wire.ask(reader, "set", setting(on("Nothing there")));
    await settled();
    const answers: (() => void)[] = [];
    wire.peer(server, (question) => new Promise((resolve) => answers.push(() => resolve(no(question)))));
    await cache.clear();
    await settled();
    ends[0]?.();
    await settled();
    for (const answer of answers) answer();
    expect(await asking).toMatchObject({ type: "error", condition: "forbidden" });
  });

  test("P-3.2.3-3: is ended with the friendship", async () => {
    const { signals, act } = held();
    const { wire, guard } = await site(act);
    wire.tell(reader, setting(on("LED")));
    await settled();
    guard.running.end(bareJid("reader@example.org"));
    expect(signals[0]?.aborted).toBe(true);
  });

  test("is told to stop when the stream ends, and nothing more is begun", async () => {
    const { signals, ends, act } = held();
    const { wire, channel, calls, clock, trouble, faults } = await site(act);
    wire.tell(reader, setting(on("LED", "Fan")));
    wire.tell(reader, setting(on("Fan")));
    await settled();
    channel.detach(new ConnectionError("gone"));
    expect(signals[0]?.aborted).toBe(true);
    ends[0]?.();
    await settled();
    expect([calls, trouble, faults, clock.pending]).toEqual([["LED true"], [], [], 0]);
  });

  test("leaves nothing behind of a sender who goes on and on", async () => {
    const ends: (() => void)[] = [];
    const names = Array.from({ length: 100 }, (_, index) => `P${index}`);
    const { wire } = await nodeSite([
      {
        control: [
          { name: "Slow", set: () => new Promise<void>((end) => ends.push(end)) },
          ...names.map((name): ControlParameter => ({ name, set: () => undefined })),
        ],
      },
    ]);
    // One is left out, so that what was done of each is a list.
    wire.peer(server, (question) => yes(question, [], ["Slow", ...names.slice(1)]));
    const many = setting(on("Slow", ...names));
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const growth = async (rounds: number): Promise<number> => {
      collect();
      const before = process.memoryUsage().heapUsed;
      for (let count = 0; count < rounds; count++) {
        // The next one is there before the last one is done.
        wire.tell(reader, many);
        await settled();
        ends.shift()?.();
        await settled();
      }
      collect();
      return process.memoryUsage().heapUsed - before;
    };
    wire.tell(reader, many);
    await growth(10);
    const grown = await growth(600);
    expect([ends.length, grown < 4_000_000 ? "little" : grown]).toEqual([1, "little"]);
  });

  test("leaves nobody listening to the end of the stream, least of all for a stranger", async () => {
    const { channel, wire, calls } = await site();
    wire.peer(server, (question) => (question.attrs["jid"] === "stranger@example.org" ? no(question) : yes(question)));
    const listening = (): number => (channel.stream as LightAbort).listeners;
    const before = listening();
    for (const who of ["stranger@example.org/x", reader]) {
      for (let count = 0; count < 20; count++) {
        wire.tell(who, setting(on("LED")));
        await settled();
      }
    }
    expect([calls.length, listening()]).toEqual([20, before]);
  });
});
