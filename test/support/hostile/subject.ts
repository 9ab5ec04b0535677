// The Thing that hostile streams are let loose on: all of it from the socket up, without a network. It was claimed or
// registered, given a provisioning server and a reader by stanzas, as any Thing is.
import { setImmediate } from "node:timers/promises";
import { ConnectionError } from "../../../src/core/errors.ts";
import { parseJid } from "../../../src/core/jid.ts";
import { silentLogger, type Logger } from "../../../src/core/logger.ts";
import type { ServerAddress } from "../../../src/discovery/address.ts";
import type { XmlElement } from "../../../src/codec/xml.ts";
import { answerPings } from "../../../src/connection/ping.ts";
import { XmlStream } from "../../../src/connection/xml-stream.ts";
import { SeededRandom } from "../../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../../src/sandbox/simulated-clock.ts";
import { memoryStorage } from "../../../src/storage/memory-storage.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { linkSeam, type LinkParts, type MakeLink } from "../../../src/thing/link.ts";
import type { ThingOptions } from "../../../src/thing/options.ts";
import { Thing } from "../../../src/thing/thing.ts";
import { HEADER, BIND, features } from "../fake-server.ts";
import { thingOptions } from "../site.ts";
import { DOMAIN, FULL, OWNER, READER, REGISTRY, SELF, SERVER } from "./cast.ts";
import { MemorySocket } from "./memory-socket.ts";

/** XEP-0198, which every stream here has. */
export const MANAGEMENT = "urn:xmpp:sm:3";
// A server that does not answer is trouble, and told of; an exception would be more.
const EXPECTED = /^handler-failed: the handler of (un)?friend: .*no answer within \d+ ms/;

/** A question of the Thing's that nobody has answered yet. */
export interface Asked {
  readonly id: string;
  /** Empty: the own account. */
  readonly to: string;
  /** The name of the child. */
  readonly what: string;
}

export class Subject {
  readonly thing: Thing;
  readonly clock = new SimulatedClock();
  /** What went out on the present stream. */
  sent: XmlElement[] = [];
  asked: Asked[] = [];
  /** Whom the Thing said yes to, where it did not need to be asked about. */
  readonly granted: string[] = [];
  /** What must never happen, whatever comes. */
  readonly trouble: string[] = [];
  writesToDisk = 0;
  #parts: LinkParts | undefined;
  #stream: XmlStream | undefined;
  #socket: MemorySocket | undefined;
  readonly #logger: Logger = {
    ...silentLogger,
    error: (text, fields) => void this.trouble.push(`${text} ${JSON.stringify(fields)}`),
  };

  private constructor(seed: string, overrides: Partial<ThingOptions>) {
    const link: MakeLink = (parts) => {
      this.#parts = parts;
      answerPings(parts.channel);
      return { start: () => undefined, stop: () => this.cut() };
    };
    const server = { service: "xmpp://127.0.0.1:1", domain: DOMAIN };
    this.thing = new Thing({
      ...thingOptions(this.#counting(memoryStorage()), server, { registry: REGISTRY, provisioning: [SERVER] }),
      ...overrides,
      account: { username: "thing", password: "the password of the thing" },
      clock: this.clock,
      random: new SeededRandom(seed),
      logger: this.#logger,
      [linkSeam]: link,
    } as ThingOptions);
    this.thing.on("fault", ({ code, message }) => {
      // The name of an exception that nobody expected.
      if (!["handler-failed", "listener-failed"].includes(code)) return;
      if (!EXPECTED.test(`${code}: ${message}`)) this.trouble.push(`${code}: ${message}`);
    });
    this.thing.on("decision", ({ question, decision }) => {
      if (decision.outcome === "granted") this.granted.push(`${question.kind} ${question.jid} ${decision.source}`);
    });
  }

  /** A Thing that is claimed, has a friend who may read its temperature, and is offline; or one that is only registered. */
  static async make(seed: string, claimed: boolean, overrides: Partial<ThingOptions> = {}): Promise<Subject> {
    const subject = new Subject(seed, overrides);
    await subject.thing.start();
    await subject.connect();
    const claim = `<claimed xmlns='urn:xmpp:iot:discovery' jid='${OWNER}' public='true'/>`;
    await subject.answer("query", "<query xmlns='jabber:iq:roster'/>");
    await subject.answer("register", claimed ? claim : "");
    await subject.answer("ping", "");
    if (claimed) {
      await subject.answer("update", "");
      const req = "<req xmlns='urn:xmpp:iot:sensordata' seqnr='1' momentary='true'/>";
      await subject.say(`<iq type='get' id='r' from='${READER}/desk' to='${FULL}'>${req}</iq>`);
      const grant = `<canReadResponse xmlns='urn:xmpp:iot:provisioning' jid='${READER}' result='true' momentary='true'><field name='Temperature'/></canReadResponse>`;
      await subject.answer("canRead", grant);
      await settled();
      if (!subject.sent.some((stanza) => stanza.is("message"))) throw new Error("the reader was not let in");
    }
    const { ownership } = subject.thing.state;
    if (ownership.is !== (claimed ? "claimed" : "registered")) throw new Error(`the Thing is ${ownership.is}`);
    await subject.cut();
    // What was granted goes to disk when it is gathered (30 s): before anybody hostile speaks.
    await subject.clock.advance(31_000);
    return subject;
  }

  /** Everything that no impostor may change. */
  get standing(): string {
    const { ownership, trust } = this.thing.state;
    const rights = this.thing.rights.entries().map((right) => JSON.stringify(right));
    return JSON.stringify({
      ownership,
      trust,
      rights: rights.sort(),
      claimText: this.thing.claimText,
      writesToDisk: this.writesToDisk,
    });
  }

  /** The stream has ended, by what came or by {@link cut}. */
  get isCut(): boolean {
    return this.#parts?.channel.jid === undefined;
  }

  async connect(): Promise<void> {
    const parts = this.#parts as LinkParts;
    const { clock, servers, channel } = parts;
    const [address] = servers.addresses() as readonly [ServerAddress];
    this.sent = [];
    this.asked = [];
    this.granted.length = 0;
    const stream = new XmlStream({ address, clock, logger: this.#logger, maxStanzaBytes: 262_144 });
    this.#stream = stream;
    await stream.connect();
    const socket = MemorySocket.latest as MemorySocket;
    this.#socket = socket;
    const opened = stream.open();
    socket.feed(HEADER + features(BIND));
    await opened;
    const managed = stream.manage();
    socket.feed(`<enabled xmlns='${MANAGEMENT}'/>`);
    await managed;
    channel.attach({
      jid: parseJid(FULL),
      write: (stanzas) => {
        for (const stanza of stanzas) this.#note(stanza);
        return stream.write(stanzas);
      },
    });
    parts.onState({ is: "online", jid: FULL });
    stream.deliver((stanza) => {
      if (!isBounded(stanza)) this.trouble.push("a stanza beyond all bounds was handed over");
      channel.receive(stanza);
    });
    void stream.ended.then(({ reason }) => channel.detach(reason));
    await settled();
  }

  /** The link goes, as by a broken cable. */
  async cut(): Promise<void> {
    const reason = new ConnectionError("cut");
    this.#stream?.end(reason);
    await settled();
    this.#parts?.onState({ is: "waiting", ms: 1, reason });
    await settled();
  }

  /** Bytes from the server, and time to act on them. */
  async feed(chunks: readonly (Uint8Array | string)[]): Promise<void> {
    for (const chunk of chunks) this.#socket?.feed(chunk);
    await settled();
  }

  say(text: string): Promise<void> {
    return this.feed([text]);
  }

  /** A result for the oldest question of that name, from who was asked. */
  async answer(what: string, payload: string): Promise<void> {
    const at = this.asked.findIndex((one) => one.what === what);
    const one = this.asked[at];
    if (one === undefined) return;
    this.asked.splice(at, 1);
    const from = one.to === "" ? SELF : one.to;
    await this.say(`<iq type='result' id='${one.id}' from='${from}' to='${FULL}'>${payload}</iq>`);
  }

  #note(stanza: XmlElement): void {
    this.sent.push(stanza);
    const { type, id = "", to = "" } = stanza.attrs;
    if (!stanza.is("iq") || (type !== "get" && type !== "set")) return;
    this.asked.push({ id, to, what: stanza.getChildElements()[0]?.name ?? "" });
  }

  #counting(storage: Storage): Storage {
    // Faults are remembered too, and strangers may cause some.
    const counted = (name: string, work: Promise<void>): Promise<void> => {
      if (/^(thing|rights)/.test(name)) this.writesToDisk++;
      return work;
    };
    return {
      open: () => storage.open(),
      close: () => storage.close(),
      read: (name) => storage.read(name),
      replace: (name, content) => counted(name, storage.replace(name, content)),
      append: (name, content) => counted(name, storage.append(name, content)),
      delete: (name) => counted(name, storage.delete(name)),
    };
  }
}

/** No deeper, no wider and no larger than a small device can take (docs/architecture.md, the connection). */
function isBounded(stanza: XmlElement): boolean {
  let level: readonly XmlElement[] = [stanza];
  let elements = 0;
  for (let depth = 1; level.length > 0; depth++) {
    elements += level.length;
    if (depth > 64 || elements > 10_000) return false;
    if (level.some((element) => Object.keys(element.attrs).length > 64)) return false;
    level = level.flatMap((element) => element.getChildElements());
  }
  return true;
}

/** Lets everything happen that waits for nothing but promises. */
export async function settled(): Promise<void> {
  await setImmediate();
}
