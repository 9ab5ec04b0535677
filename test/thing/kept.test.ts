// What a Thing keeps of what it is sent: the names, and not the chunks that they came in. A text that the parser hands out
// is a slice; kept as it is, it holds all of what came with it.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FULL, SELF } from "../support/hostile/cast.ts";
import { withoutNetwork } from "../support/hostile/memory-socket.ts";
import { heapInUse } from "../support/hostile/run.ts";
import { Subject } from "../support/hostile/subject.ts";

const KB = 1_024;

let restore: () => void;
let subject: Subject;
beforeEach(async () => {
  restore = withoutNetwork();
  subject = await Subject.make("kept", true, { rights: { maxEntries: 10_000, maxBytes: 50_000_000 } });
  await subject.connect();
  await subject.answer("query", "<query xmlns='jabber:iq:roster'/>");
  await subject.answer("ping", "");
});
afterEach(async () => {
  await subject.thing.stop();
  restore();
});

const name = (number: number): string => `somebody-with-a-long-name-${number}@example.org`;
const filler = (bytes: number): string => `<filler xmlns='urn:filler'>${"x".repeat(bytes)}</filler>`;

/** How much the heap has grown for each of so many stanzas. */
async function growth(count: number, stanza: (number: number) => string, after = async () => {}): Promise<number> {
  await subject.say(stanza(count + 1)); // what is made once
  await after();
  const before = heapInUse();
  for (let number = 0; number < count; number++) {
    await subject.say(stanza(number));
    await after();
    subject.sent = []; // what the test itself keeps
  }
  return (heapInUse() - before) / count;
}

describe("of a chunk of 16 KB nothing is kept but the name, for", () => {
  const push = (number: number): string =>
    `<iq type='set' id='push-with-a-long-id-${number}' to='${FULL}'><query xmlns='jabber:iq:roster'><item jid='${name(number)}' name='What people call the number ${number}' subscription='both'><group>A group of things, the ${number}th</group>${filler(16 * KB)}</item></query></iq>`;

  it("friends", { timeout: 60_000 }, async () => {
    expect(await growth(2_000, push)).toBeLessThan(3 * KB);
  });

  it("friends who are there", { timeout: 60_000 }, async () => {
    const items = Array.from({ length: 2_000 }, (_, number) => `<item jid='${name(number)}' subscription='both'/>`);
    for (const item of items) {
      await subject.say(`<iq type='set' id='1' to='${FULL}'><query xmlns='jabber:iq:roster'>${item}</query></iq>`);
    }
    const there = (number: number): string =>
      `<presence from='${name(number % 900)}/a-resource-of-some-length-${number}' to='${FULL}'><status>${"x".repeat(16 * KB)}</status></presence>`;
    expect(await growth(2_000, there)).toBeLessThan(3 * KB);
  });

  it("those who ask for friendship", { timeout: 60_000 }, async () => {
    const request = (number: number): string =>
      `<presence type='subscribe' from='${name(number)}' to='${SELF}'>${filler(160 * KB)}</presence>`;
    expect(await growth(90, request)).toBeLessThan(30 * KB);
  });

  it("remembered rights, their keys, and what was asked and granted", { timeout: 60_000 }, async () => {
    const asks = (number: number): string =>
      `<iq type='get' id='an-id-of-some-length-${number}' from='${name(number)}/a-resource' to='${FULL}'><req xmlns='urn:xmpp:iot:sensordata' seqnr='${number}' momentary='true' userToken='a-token-of-some-length-${number}'><node nodeId='a-node-of-some-length-${number}'/><field name='A field of the number ${number}'/>${filler(16 * KB)}</req></iq>`;
    const grants = async (): Promise<void> => {
      const { length } = subject.asked.filter(({ what }) => what === "canRead");
      expect(length).toBe(1);
      await subject.answer(
        "canRead",
        `<canReadResponse xmlns='urn:xmpp:iot:provisioning' jid='${name(1)}' result='true' momentary='true'/>${" ".repeat(16 * KB)}`,
      );
    };
    expect(await growth(500, asks, grants)).toBeLessThan(5 * KB);
    expect(subject.thing.rights.count).toBeGreaterThan(490);
  });

  it("answers that the server has not acknowledged", { timeout: 60_000 }, async () => {
    const asks = (number: number): string =>
      `<iq type='get' id='an-id-of-some-length-${number}' from='${name(number)}/a-resource' to='${FULL}'><a-question-of-some-length xmlns='urn:nobody-knows-${number}'/>${filler(16 * KB)}</iq>`;
    expect(await growth(250, asks)).toBeLessThan(5 * KB);
  });
});

describe("questions under way, nearly all of them padding,", () => {
  const asks = (number: number, padding: number): string =>
    `<iq type='get' id='an-id-of-some-length-${number}' from='${name(number)}/a-resource' to='${FULL}'><req xmlns='urn:xmpp:iot:sensordata' seqnr='${number}' momentary='true'><field name='A field of the number ${number}'/>${filler(padding)}</req></iq>`;

  it("hold 4 MB at most, and the others are told to come later", { timeout: 60_000 }, async () => {
    const perQuestion = await growth(200, (number) => asks(number, 200 * KB));
    expect(perQuestion * 200).toBeLessThan(8_000_000);
    expect(subject.asked.length).toBeLessThan(25);
    await subject.say(asks(999, 200 * KB));
    expect(subject.sent.at(-1)?.getChild("error")?.getChild("resource-constraint")).toBeDefined();
    // A question of the usual size still has room.
    const { length } = subject.asked;
    await subject.say(asks(1_000, 0));
    expect(subject.asked).toHaveLength(length + 1);
  });

  it("hold 1 MB of one asker's at most", async () => {
    for (let number = 0; number < 10; number++) {
      await subject.say(asks(number, 200 * KB).replace(name(number), name(7)));
    }
    expect(subject.asked).toHaveLength(5);
  });
});
