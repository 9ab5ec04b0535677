// A Registry with its Things on disk as a process of its own, to be killed. Things register, are claimed, updated,
// removed and disowned, and unregister, each on its own, many at once. Before each step and after its answer it says so.
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { iq } from "../../src/codec/stanza.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { levelKeeper } from "../../src/sandbox/registry-level.ts";
import type { RecordKeeper, RegistryRecord } from "../../src/sandbox/registry-records.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";

const given = (name: string): string => process.env[name] ?? "";
const [things, seed] = [Number(given("KILLED_THINGS")), given("KILLED_SEED")];
const say = (...words: readonly unknown[]): void => console.log(words.join(" "));

/** A keeper that says too soon that it has kept: what the kills must show. */
function hasty(keeper: RecordKeeper): RecordKeeper {
  const late: Promise<void>[] = [];
  const later = (write: () => Promise<void>): Promise<void> => {
    late.push(setTimeout(40).then(write));
    return Promise.resolve();
  };
  return {
    load: () => keeper.load(),
    put: (records) => later(() => keeper.put(records)),
    delete: (keys) => later(() => keeper.delete(keys)),
    close: () => Promise.all(late).then(() => keeper.close()),
  };
}

const kept = await levelKeeper(given("KILLED_FOLDER"));
const registry = await ReferenceRegistry.open({
  ...{ jid: "discovery.localhost", keeper: given("KILLED_FAULT") === "hasty" ? hasty(kept) : kept },
  mostThingsPerAccount: things + 1,
});
const random = new SeededRandom(seed);
const draw = (below: number): number => (random.bytes(4).reduce((sum, byte) => sum * 256 + byte, 0) % below) | 0;

const answers = new Map<string, (stanza: XmlElement) => void>();
/** What goes to the Things they acknowledge; what answers a request is handed to who waits for it. */
function carry(stanzas: readonly XmlElement[]): void {
  for (const stanza of stanzas) {
    const { id = "", type, to = "" } = stanza.attrs;
    if (type === "set") setImmediate(() => send(iq({ type: "result", id, from: to, to: registry.jid })));
    else answers.get(id)?.(stanza);
  }
}
registry.onOutput(carry);
const send = (stanza: XmlElement): void => carry(registry.receive(parseXml(stanza.toString())));

let count = 0;
async function ask(from: string, payload: string): Promise<string> {
  const id = `q${count++}`;
  const answer = new Promise<XmlElement>((resolve) => answers.set(id, resolve));
  send(parseXml(`<iq type='set' id='${id}' from='${from}' to='${registry.jid}'>${payload}</iq>`));
  const stanza = await answer;
  answers.delete(id);
  return stanza.attrs["type"] === "error" ? "error" : (stanza.getChildElements()[0]?.name ?? "");
}

const ns = "xmlns='urn:xmpp:iot:discovery'";
const tags = (name: string, key: string): string => `<str name='SN' value='${name}'/><str name='KEY' value='${key}'/>`;

/** One Thing's life, step by step; each step says what is so when it is answered. */
async function live(name: string, from: string): Promise<void> {
  const [jid, owner] = [`${name}@localhost/r`, "owner@localhost/r"];
  const step = async (becomes: string, asker: string, payload: string): Promise<void> => {
    say("try", name, becomes);
    let answer = await ask(asker, payload);
    // A Thing that was removed before it knew of its owner is told of both first.
    while (becomes.startsWith("registered") && answer === "claimed") {
      await setTimeout(5);
      answer = await ask(asker, payload);
    }
    if (!["", "claimed"].includes(answer)) throw new Error(`${name}: ${becomes} was answered by ${answer}`);
    say("ack", name, becomes);
  };
  let state = from;
  for (;;) {
    const key = `k${draw(1e9)}`;
    const chance = draw(10);
    if (state.startsWith("registered:") && chance < 7) {
      await step("claimed", owner, `<mine ${ns} public='true'>${tags(name, state.slice(11))}</mine>`);
      state = "claimed";
    } else if (state.startsWith("claimed") && chance < 3) {
      await step("unclaimed", owner, `<disown ${ns} jid='${name}@localhost'/>`);
      state = "unclaimed";
    } else if (state.startsWith("claimed") && chance < 5) {
      await step("removed", owner, `<remove ${ns} jid='${name}@localhost'/>`);
      state = "removed";
    } else if (state.startsWith("claimed") && chance < 9) {
      await step(`claimed:${key}`, jid, `<update ${ns}><str name='ROOM' value='${key}'/></update>`);
      state = `claimed:${key}`;
    } else if (chance < 2) {
      await step("none", jid, `<unregister ${ns}/>`);
      state = "none";
    } else if (!state.startsWith("claimed")) {
      await step(`registered:${key}`, jid, `<register ${ns}>${tags(name, key)}</register>`);
      state = `registered:${key}`;
    }
  }
}

/** What is so of a Thing by its record. */
function stateOf(record: RegistryRecord | undefined): string {
  const value = (name: string): unknown => record?.tags.find((tag) => tag.name === name)?.value;
  if (record === undefined) return "none";
  if (record.removed !== undefined) return "removed";
  if (record.claim === undefined) {
    // The KEY of a Thing that was disowned is the Registry's: the Thing does not know it, and registers with another.
    const key = String(value("KEY"));
    return /^k\d+$/.test(key) ? `registered:${key}` : "unclaimed";
  }
  const room = value("ROOM");
  return typeof room === "string" ? `claimed:${room}` : "claimed";
}

// What was kept is said first, from the keeper itself: a second look, not by way of the Registry's own reading.
const found = new Map<string, RegistryRecord>();
for await (const record of kept.load()) found.set(record.jid.slice(0, record.jid.indexOf("@")), record);
const names = Array.from({ length: things }, (_, at) => `thing${at}`);
for (const name of names) say("found", name, stateOf(found.get(name)));
say("begin", registry.things.length);

const lives = names.map((name) => live(name, stateOf(found.get(name))));
for await (const line of createInterface({ input: process.stdin })) if (line === "stop") break;
await Promise.race(lives);
