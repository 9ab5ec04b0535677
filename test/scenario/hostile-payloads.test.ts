// Hostile sensor data and control, sent to a whole Thing through a real stream by those who may read and control it: an
// error or nothing comes of it, the Thing goes on, and memory stays flat.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { messageOf } from "../../src/core/errors.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { FULL, READER } from "../support/hostile/cast.ts";
import { withoutNetwork } from "../support/hostile/memory-socket.ts";
import {
  hostileAnswers,
  hostileControlRequests,
  hostileReadAnswers,
  hostileReadRequests,
  typesOfParameters,
  type Hostile,
} from "../support/hostile/payloads.ts";
import { heapInUse } from "../support/hostile/run.ts";
import { Subject, settled } from "../support/hostile/subject.ts";

const WHO = `${READER}/desk`;
const OTHER = "meter@example.net/x";
const STRANGER = "mallory@example.net/x";
// A bound of memory after so many hostile stanzas; one of them held is 10 MB.
const MOST_GROWTH = 4_000_000;

let restore = (): void => undefined;
let subject: Subject;
let done: string[];

beforeEach(async () => {
  restore = withoutNetwork();
  done = [];
  subject = await Subject.make("payloads", true, {
    control: [
      { name: "LED", type: "boolean", set: (value) => void done.push(`LED ${String(value)}`) },
      ...typesOfParameters.map((type) => ({ name: type, type, set: () => void done.push(type) })),
    ],
  });
  await online();
});

afterEach(async () => {
  await subject.thing.stop();
  restore();
});

/** A stream as it should be: what is remembered of rights counts, and the reader may control. */
async function online(): Promise<void> {
  if (!subject.isCut) return;
  await subject.connect();
  await subject.answer("query", `<query xmlns='jabber:iq:roster'><item jid='${READER}' subscription='from'/></query>`);
  await subject.answer("ping", "");
  await subject.clock.advance(2_500); // the barrier, whether or not it was answered
}

const around = (before: string, xml: string | Uint8Array, after: string): Uint8Array =>
  new Uint8Array(Buffer.concat([before, xml, after].map((part) => new Uint8Array(Buffer.from(part as string)))));

/** What the Thing answers to a request; it is told whatever it asks its provisioning server: all is allowed. */
async function asked(
  type: "get" | "set",
  xml: string | Uint8Array,
  from = WHO,
  isAllowed = true,
): Promise<XmlElement[]> {
  await online();
  subject.sent.length = 0;
  subject.asked.length = 0;
  await subject.feed([around(`<iq type='${type}' id='h' from='${from}' to='${FULL}'>`, xml, "</iq>")]);
  for (const kind of ["Read", "Control"]) {
    const list = kind === "Read" ? "<field name='Temperature'/>" : "";
    const grant = `<can${kind}Response xmlns='urn:xmpp:iot:provisioning' jid='${from.split("/")[0] ?? ""}' result='${String(isAllowed)}'>${list}</can${kind}Response>`;
    await subject.answer(
      `can${kind}`,
      grant.replace("result=", kind === "Read" ? "momentary='true' result=" : "result="),
    );
  }
  await settled();
  await subject.clock.advance(600);
  return subject.sent.filter((stanza) => stanza.attrs["to"] === from);
}

const req = "<req xmlns='urn:xmpp:iot:sensordata' seqnr='9' momentary='true'/>";
const set = "<set xmlns='urn:xmpp:iot:control'><boolean name='LED' value='true'/></set>";

/** What is right still works. */
async function stillWorks(): Promise<void> {
  const [accepted, fields] = await asked("get", req);
  expect(accepted?.getChild("accepted")).toBeDefined();
  expect(fields?.toString()).toContain('value="21.5"');
  done.length = 0;
  const [response] = await asked("set", set);
  expect(response?.attrs["type"]).toBe("result");
  expect(done).toEqual(["LED true"]);
  done.length = 0;
}

/** Whatever came: the stream has ended, or goes on as before. */
async function expectAlive({ what, isEndless }: Hostile): Promise<void> {
  if (isEndless === true) await subject.cut();
  if (subject.isCut) return;
  await subject.say(`<iq type='get' id='alive' from='${STRANGER}' to='${FULL}'><ping xmlns='urn:xmpp:ping'/></iq>`);
  const pong = subject.sent.find((stanza) => stanza.attrs["id"] === "alive");
  expect({ what, alive: pong?.attrs["type"] }).toEqual({ what, alive: expect.any(String) as string });
}

/** One error, or nothing at all. */
function expectNothing(what: string, answers: readonly XmlElement[]): void {
  const types = answers.map((stanza) => `${stanza.name} ${stanza.attrs["type"] ?? ""}`);
  expect({ what, types }).toEqual({ what, types: types.length === 0 ? [] : ["iq error"] });
}

/** Does it again and again, and tells by how much what is held has grown. */
async function growth(round: () => Promise<void>): Promise<number> {
  for (let warm = 0; warm < 2; warm++) await round();
  const before = heapInUse();
  for (let more = 0; more < 2; more++) await round();
  return heapInUse() - before;
}

describe.each<[string, "get" | "set", readonly Hostile[]]>([
  ["reads", "get", hostileReadRequests],
  ["controls", "set", hostileControlRequests],
])("whoever %s by hostile XML", (_, type, payloads) => {
  test.each([
    ["who may", WHO, true],
    ["who may not", STRANGER, false],
  ])("gets an error or nothing: %s", { timeout: 120_000 }, async (_who, from, isAllowed) => {
    for (const one of payloads) {
      const { what, xml } = one;
      const kind = typeof xml === "string" && xml.startsWith("<getForm") ? "get" : type;
      expectNothing(what, await asked(kind, xml, from, isAllowed));
      expect({ what, done }).toEqual({ what, done: [] });
      await expectAlive(one);
    }
    expect(subject.trouble).toEqual([]);
    await stillWorks();
  });

  test("takes no memory", { timeout: 240_000 }, async () => {
    const grown = await growth(async () => {
      for (const one of payloads) {
        await asked(type, one.xml);
        await expectAlive(one);
      }
    });
    expect(grown).toBeLessThan(MOST_GROWTH);
    await stillWorks();
  });
});

/** Waits for the question of that name, and gives its sequence number. */
function seqnrOf(name: string): string {
  const asked = subject.sent.filter((stanza) => stanza.getChild(name) !== undefined).at(-1);
  return asked?.getChild(name)?.attrs["seqnr"] ?? "";
}

/** What comes of a call whose answer is hostile: the code of its error. */
async function outcome(one: Hostile, call: Promise<unknown>, feed: () => Promise<void>): Promise<string> {
  const result = call.then(
    () => "resolved",
    (error: unknown) => (error as { code?: string }).code ?? messageOf(error),
  );
  await settled();
  await feed();
  await expectAlive(one);
  await subject.clock.advance(31_000);
  return result;
}

const withSeqnr = (xml: string | Uint8Array, seqnr: string): string | Uint8Array =>
  typeof xml === "string" ? xml.replace("{seqnr}", seqnr) : xml;

const failed = /^(ERR_PROTOCOL|ERR_CONNECTION|ERR_TIMEOUT)$/;

async function readAnswered(one: Hostile): Promise<string> {
  await online();
  return outcome(one, subject.thing.read(OTHER), async () => {
    await subject.answer("req", `<accepted xmlns='urn:xmpp:iot:sensordata' seqnr='${seqnrOf("req")}'/>`);
    await subject.feed([
      around(`<message from='${OTHER}' to='${FULL}'>`, withSeqnr(one.xml, seqnrOf("req")), "</message>"),
    ]);
  });
}

async function answered(name: "req" | "set", call: () => Promise<unknown>, one: Hostile): Promise<string> {
  await online();
  return outcome(one, call(), async () => {
    const id = subject.asked.filter(({ what }) => what === name).at(-1)?.id ?? "";
    await subject.feed([around(`<iq type='result' id='${id}' from='${OTHER}' to='${FULL}'>`, one.xml, "</iq>")]);
  });
}

describe("a Thing that reads and controls another, which sends hostile XML", () => {
  test("makes nothing of what it is sent: an error, or a time-out", { timeout: 120_000 }, async () => {
    for (const one of hostileReadAnswers) {
      const code = await readAnswered(one);
      expect({ what: one.what, code }).toEqual({ what: one.what, code: expect.stringMatching(failed) as string });
    }
    for (const one of hostileAnswers) {
      const set = await answered("set", () => subject.thing.control(OTHER, { LED: true }), one);
      expect({ what: one.what, set }).toEqual({ what: one.what, set: expect.stringMatching(failed) as string });
      const read = await answered("req", async () => subject.thing.read(OTHER), one);
      expect({ what: one.what, read }).toEqual({ what: one.what, read: expect.stringMatching(failed) as string });
    }
    expect(subject.trouble).toEqual([]);
    await stillWorks();
  });

  test("keeps none of it in memory", { timeout: 240_000 }, async () => {
    const grown = await growth(async () => {
      for (const one of hostileReadAnswers) await readAnswered(one);
      for (const one of hostileAnswers) {
        await answered("req", async () => subject.thing.read(OTHER), one);
        await answered("set", () => subject.thing.control(OTHER, { LED: true }), one);
      }
    });
    expect(grown).toBeLessThan(MOST_GROWTH);
    await stillWorks();
  });

  test("takes names of objects' own parts for names like any other", async () => {
    const reading = subject.thing.read(OTHER, { types: ["momentary"] });
    await settled();
    const names = ["__proto__", "constructor", "toString"];
    const values = names
      .map((name) => `<string name='${name}' momentary='true' value='${name}' __proto__='x'/>`)
      .join("");
    const node = `<node nodeId='__proto__'><timestamp value='2026-01-01T00:00:00Z'>${values}</timestamp></node>`;
    const fields = `<fields xmlns='urn:xmpp:iot:sensordata' seqnr='${seqnrOf("req")}' done='true'>${node}</fields>`;
    await subject.say(`<message from='${OTHER}' to='${FULL}'>${fields}</message>`);
    const [group] = await reading;
    expect(group?.node).toEqual({ nodeId: "__proto__" });
    expect(group?.fields.map(({ name, value }) => [name, value])).toEqual(names.map((name) => [name, name]));
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
