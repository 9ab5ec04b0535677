// A few of the hostile streams that `npm run hostile` (100,000) and `npm run soak` (5,000,000) let loose on a whole Thing,
// and a check that whoever obeys would be found out.
import { describe, expect, it } from "vitest";
import { Dice } from "../support/hostile/dice.ts";
import { record } from "../support/hostile/corpus.ts";
import { mayGrant, wrongWith } from "../support/hostile/judge.ts";
import { OWNER, READER, REGISTRY, SERVER } from "../support/hostile/cast.ts";
import { cut, mutateWildly } from "../support/hostile/mutate.ts";
import { run } from "../support/hostile/run.ts";
import { parseXml } from "../../src/codec/xml.ts";

describe("hostile streams", () => {
  it("end no process, leave memory flat, and are not obeyed", { timeout: 180_000 }, async () => {
    const seed = process.env["HOSTILE_SEED"] ?? String(Date.now());
    const corpus = await record();
    expect(corpus.stanzas.length).toBeGreaterThan(50);
    expect(corpus.stanzas.join("")).toMatch(
      /clearCache.*claimed.*canReadResponse|canReadResponse.*claimed.*clearCache/s,
    );
    const outcome = await run(corpus, { seed, from: 0, to: 2_000 });
    console.log(`hostile: ${outcome.streams} streams, seed ${seed}, ${outcome.readouts} lawful readouts in between`);
    // It was no deaf Thing that they met, and no login that never works.
    expect(outcome.readouts).toBeGreaterThan(10);
    expect(outcome.up).toBeGreaterThan(outcome.logins / 50);
    const [early = 0, , end = 0] = outcome.heap;
    expect(end - early).toBeLessThan(8_000_000);
  });

  it("are the same for the same seed and number, and others for others", () => {
    const text = "<iq type='get' id='1' from='a@b/c' xmlns=\"jabber:client\"><x xmlns=\"y\" a='1'/></iq>";
    const made = (seed: string, index: number): unknown => {
      const dice = new Dice(seed, index);
      const wild = mutateWildly(text, dice, [text]);
      return [wild, cut(new Uint8Array(Buffer.from(wild)), dice).map((chunk) => Buffer.from(chunk).toString())];
    };
    expect(made("s", 7)).toEqual(made("s", 7));
    const all = Array.from({ length: 50 }, (_, index) => JSON.stringify(made("s", index)));
    expect(new Set(all).size).toBeGreaterThan(40);
  });

  it.each([
    [
      "a cleared cache",
      `<iq type='result' to='mallory@example.net'><clearCacheResponse xmlns='urn:xmpp:iot:provisioning'/></iq>`,
    ],
    ["an acknowledged claim", `<iq type='result' id='1' to='${SERVER}'/>`],
    ["a readout for a stranger", `<iq type='result' to='${OWNER}'><accepted xmlns='urn:xmpp:iot:sensordata'/></iq>`],
    ["fields for a stranger", `<message to='${OWNER}'><fields xmlns='urn:xmpp:iot:sensordata'/></message>`],
    [
      "fields that the reader may not see",
      `<message to='${READER}/x'><fields xmlns='urn:xmpp:iot:sensordata'><node nodeId=''><timestamp value='x'><boolean name='Door open' value='true'/></timestamp></node></fields></message>`,
    ],
    ["a new friend", "<presence type='subscribed' to='mallory@example.net'/>"],
    ["a request for friendship", "<presence type='subscribe' to='mallory@example.net'/>"],
    ["presence for a stranger", "<presence to='mallory@example.net'/>"],
    ["a question to a stranger", "<iq type='get' to='mallory@example.net'><x xmlns='y'/></iq>"],
  ])("would be found out by %s", (_what, stanza) => {
    expect(wrongWith(parseXml(stanza))).toContain("the Thing sent");
  });

  it.each([
    "<iq type='error' to='mallory@example.net'/>",
    "<iq type='result' to='mallory@example.net'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    "<iq type='result' id='1'/>",
    `<iq type='get' to='${REGISTRY}'><x xmlns='y'/></iq>`,
    `<presence to='${SERVER}'/>`,
    `<presence type='subscribe' to='${OWNER}'/>`,
    `<presence type='subscribed' to='${REGISTRY}'/>`,
    `<iq type='result' to='${READER}/x'><accepted xmlns='urn:xmpp:iot:sensordata'/></iq>`,
    `<message to='${READER}/x'><failure xmlns='urn:xmpp:iot:sensordata'/></message>`,
  ])("do not find fault with %s", (stanza) => {
    expect(wrongWith(parseXml(stanza))).toBeUndefined();
  });

  it("know which decisions are lawful", () => {
    expect(mayGrant(`read ${READER} cache`)).toBe(true);
    expect(mayGrant(`friend ${OWNER} owner`)).toBe(true);
    expect(mayGrant(`read ${READER} server`)).toBe(false);
    expect(mayGrant("friend mallory@example.net server")).toBe(false);
    expect(mayGrant(`read ${OWNER} cache`)).toBe(false);
  });
});
