// A domain with clients in memory, for tests of routing without a socket.
import { parseXml, type XmlElement } from "../../../src/codec/xml.ts";
import type { Logger } from "../../../src/core/logger.ts";
import { XmppDomain, type Session } from "../../../src/sandbox/server/domain.ts";
import { SeededRandom } from "../../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../../src/sandbox/simulated-clock.ts";
import type { StanzaService } from "../../../src/sandbox/stanza-service.ts";

/** One client: what it got, and how its stream ended. */
export class Client {
  readonly session: Session;
  /** The batches it was handed. */
  readonly batches: (readonly XmlElement[])[] = [];
  closed: string | undefined;
  /** How many stanzas had come by then. */
  closedAfter = 0;
  #inbox: XmlElement[] = [];

  constructor(domain: XmppDomain, username: string, resource: string | undefined) {
    this.session = domain.bind(
      username,
      resource,
      (stanzas) => {
        this.batches.push(stanzas);
        this.#inbox.push(...stanzas);
      },
      (condition) => {
        this.closed = condition;
        this.closedAfter = this.batches.flat().length;
      },
    );
  }

  get jid(): string {
    return this.session.jid.full;
  }

  send(...stanzas: string[]): this {
    for (const stanza of stanzas) this.session.receive(parseXml(stanza));
    return this;
  }

  /** What has come since the last look. */
  take(): XmlElement[] {
    return this.#inbox.splice(0);
  }

  /** The same in a few words each. */
  took(): string[] {
    return this.take().map(brief);
  }

  /** Asks and takes the answer. */
  ask(type: "get" | "set", payload: string, to?: string): XmlElement {
    this.take();
    this.send(`<iq type='${type}' id='q1'${to === undefined ? "" : ` to='${to}'`}>${payload}</iq>`);
    const answers = this.take().filter((stanza) => stanza.name === "iq" && stanza.attrs["id"] === "q1");
    if (answers.length !== 1) throw new Error(`${answers.length} answers`);
    return answers[0]!;
  }
}

/** A stanza in a few words: kind, type, from, and what it holds. */
export function brief(stanza: XmlElement): string {
  const children = stanza.getChildElements().map((child) => {
    const [inner] = child.getChildElements();
    if (child.name === "error") return `${child.attrs["type"]}/${inner?.name}`;
    if (inner?.name === "item") {
      const { jid, subscription, ask } = inner.attrs;
      return `${jid} ${subscription}${ask === undefined ? "" : ` ask=${ask}`}`;
    }
    return child.text() === "" ? child.name : child.text();
  });
  const type = stanza.attrs["type"] ?? (stanza.name === "presence" ? "available" : "normal");
  return [stanza.name, type, stanza.attrs["from"] ?? "-", ...children].join(" ");
}

/** The condition of an error answer, or what else it is. */
export function conditionOf(stanza: XmlElement): string {
  const error = stanza.getChild("error");
  return error === undefined ? stanza.attrs["type"]! : `${error.attrs["type"]}/${error.getChildElements()[0]!.name}`;
}

export class World {
  readonly clock = new SimulatedClock();
  readonly logged: string[] = [];
  readonly domain: XmppDomain;

  constructor(domain = "localhost") {
    const log = (message: string, fields?: object): unknown =>
      this.logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
    const logger: Logger = { debug: log, info: log, warn: log, error: log };
    this.domain = new XmppDomain({ domain, clock: this.clock, random: new SeededRandom("world"), logger });
    for (const name of ["alice", "bob", "carol"]) this.domain.register(name, `${name}'s secret`);
  }

  /** A client that has only bound its resource. */
  bind(username: string, resource?: string): Client {
    return new Client(this.domain, username, resource);
  }

  /** A client that has asked for its roster and is available; what came meanwhile is thrown away. */
  online(username: string, resource = "r", priority = 0): Client {
    const client = this.bind(username, resource);
    client.ask("get", "<query xmlns='jabber:iq:roster'/>");
    client.send(`<presence><priority>${priority}</priority></presence>`);
    client.take();
    return client;
  }

  /** Two accounts that see each other. */
  befriend(one: Client, other: Client): void {
    for (const [asking, asked] of [
      [one, other],
      [other, one],
    ] as const) {
      asking.send(`<presence type='subscribe' to='${asked.session.jid.bare}'/>`);
      asked.send(`<presence type='subscribed' to='${asking.session.jid.bare}'/>`);
    }
    one.take();
    other.take();
  }
}

/** A service that writes down what it gets and answers what it is told to. */
export class RecordingService implements StanzaService {
  readonly jid: string;
  readonly name: string;
  readonly received: XmlElement[] = [];
  answer: (stanza: XmlElement) => readonly XmlElement[] = () => [];
  #carry: (stanzas: readonly XmlElement[]) => void = () => undefined;

  constructor(jid = "service.localhost", name = "A service") {
    this.jid = jid;
    this.name = name;
  }

  receive(stanza: XmlElement): readonly XmlElement[] {
    this.received.push(stanza);
    return this.answer(stanza);
  }

  onOutput(carry: (stanzas: readonly XmlElement[]) => void): void {
    this.#carry = carry;
  }

  stop(): void {
    // no timers
  }

  send(...stanzas: string[]): void {
    this.#carry(stanzas.map((stanza) => parseXml(stanza)));
  }

  took(): string[] {
    return this.received.splice(0).map(brief);
  }
}
