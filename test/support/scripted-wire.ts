// A stream whose other end is the test: it keeps what is written and plays the peers. Nothing of the channel is faked.
import { setImmediate } from "node:timers/promises";
import type { Wire, Whereabouts } from "../../src/channel/channel.ts";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import type { Clock } from "../../src/core/clock.ts";
import { ConnectionError, type StanzaErrorType } from "../../src/core/errors.ts";
import { bareJid, parseJid, type Jid } from "../../src/core/jid.ts";
import type { LogFields, Logger } from "../../src/core/logger.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { buildError, iq, message, presence, type PresenceType } from "../../src/codec/stanza.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

/** What a peer says: a payload, `undefined` for an empty result, a condition for an error, `silent` for nothing. */
export type Said = XmlElement | undefined | "silent" | { readonly error: string; readonly type?: StanzaErrorType };

/** A peer of the Thing: what it says to an IQ. */
export type Peer = (payload: XmlElement, type: string, to: string) => Said | Promise<Said>;

/** What came of an IQ that the test asked. */
export interface Outcome {
  readonly type: "result" | "error";
  /** The child of the result. */
  readonly payload: XmlElement | undefined;
  /** The condition of the error; empty for a result. */
  readonly condition: string;
  /** The type of the error. */
  readonly errorType: string;
  /** The words of the error. */
  readonly text: string;
  /** Everything that went out in the same write, the answer first. */
  readonly write: readonly XmlElement[];
}

export class ScriptedWire implements Wire {
  readonly jid: Jid;
  /** Every write, as it would stand on the wire. */
  readonly writes: XmlElement[][] = [];
  /** Set to make writes fail. */
  broken = false;
  readonly #channel: StanzaChannel;
  readonly #peers = new Map<string, Peer>();
  readonly #asked = new Map<string, (outcome: Outcome) => void>();
  #ids = 0;

  constructor(channel: StanzaChannel, jid = "thing@example.org/home") {
    this.#channel = channel;
    this.jid = parseJid(jid);
  }

  /** All that was written, one after another. */
  get sent(): XmlElement[] {
    return this.writes.flat();
  }

  /** The payloads asked of somebody, by name of the child. */
  asked(to: string, name?: string): XmlElement[] {
    return this.sent
      .filter((stanza) => stanza.is("iq") && ["get", "set"].includes(stanza.attrs["type"] ?? ""))
      .filter((stanza) => (stanza.attrs["to"] ?? this.jid.bare) === to)
      .flatMap((stanza) => stanza.getChildElements())
      .filter((child) => name === undefined || child.is(name));
  }

  /** The messages written. */
  get messages(): XmlElement[] {
    return this.sent.filter((stanza) => stanza.is("message"));
  }

  /** The presence written, as `type to`. */
  get presences(): string[] {
    return this.sent
      .filter((stanza) => stanza.is("presence"))
      .map((stanza) => `${stanza.attrs["type"] ?? "available"} ${stanza.attrs["to"] ?? ""}`.trim());
  }

  /** Puts somebody there who answers. Nobody else does. */
  peer(address: string, peer: Peer): void {
    this.#peers.set(address, peer);
  }

  write(stanzas: readonly XmlElement[]): Promise<void> {
    if (this.broken) return Promise.reject(new ConnectionError("the wire is broken"));
    // As on a wire: what is sent is text.
    const written = stanzas.map((stanza) => parseXml(stanza.toString()));
    this.writes.push(written);
    for (const stanza of written) if (stanza.is("iq")) this.#route(stanza, written);
    return Promise.resolve();
  }

  #route(stanza: XmlElement, written: readonly XmlElement[]): void {
    const { type = "", id = "", to } = stanza.attrs;
    const payload = stanza.getChildElements()[0];
    if (type === "get" || type === "set") {
      const address = to ?? this.jid.bare;
      const peer = this.#peers.get(address);
      if (peer === undefined || payload === undefined) return;
      void this.#reply(id, address, Promise.resolve(peer(payload, type, address)));
      return;
    }
    const error = type === "error" ? stanza.getChild("error") : undefined;
    const words = error?.getChildElements() ?? [];
    this.#asked.get(id)?.({
      type: type as "result" | "error",
      payload: type === "result" ? payload : undefined,
      condition: words[0]?.name ?? "",
      errorType: error?.attrs["type"] ?? "",
      text: error?.getChild("text")?.text() ?? "",
      write: written,
    });
  }

  async #reply(id: string, from: string, saying: Promise<Said>): Promise<void> {
    const said = await saying;
    if (said === "silent") return;
    const to = this.jid.full;
    if (typeof said === "object" && "error" in said && typeof said.error === "string") {
      const error = buildError({ condition: said.error, type: said.type ?? "cancel" });
      this.receive(iq({ type: "error", id, from, to }, error));
      return;
    }
    this.receive(iq({ type: "result", id, from, to }, said as XmlElement | undefined));
  }

  /** A stanza from the network. */
  receive(stanza: XmlElement): void {
    this.#channel.receive(parseXml(stanza.toString()));
  }

  /** Somebody asks the Thing; resolves to what it answers. */
  ask(from: string, type: "get" | "set", payload: XmlElement): Promise<Outcome> {
    const id = `test-${++this.#ids}`;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      this.receive(iq({ type, id, from, to: this.jid.full }, payload));
    });
  }

  /** Somebody sends the Thing a message. */
  tell(from: string, payload: XmlElement): void {
    this.receive(message({ to: this.jid.full, from }, payload));
  }

  /** Somebody sends the Thing presence. */
  presence(from: string, type: PresenceType): void {
    this.receive(presence({ from, to: this.jid.bare, type }));
  }
}

/** A logger that keeps what it is told. */
export function listeningLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (text: string, fields: LogFields = {}): void =>
      void lines.push(`${level}: ${text} ${JSON.stringify(fields)}`);
  return { lines, debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** A channel with a stream, whose other end is the test. */
export function scriptedChannel(options: { clock?: Clock; logger?: Logger; jid?: string } = {}): {
  readonly clock: SimulatedClock;
  readonly channel: StanzaChannel;
  /** Of components, which are where they are. */
  readonly whereabouts: Whereabouts;
  readonly wire: ScriptedWire;
  readonly faults: string[];
} {
  const clock = (options.clock ?? new SimulatedClock()) as SimulatedClock;
  const faults: string[] = [];
  const channel = new StanzaChannel({
    clock,
    random: new SeededRandom("scripted wire"),
    logger: options.logger ?? silentLogger,
    onFault: (code, text) => void faults.push(`${code}: ${text}`),
  });
  const wire = new ScriptedWire(channel, options.jid);
  channel.attach(wire);
  const whereabouts: Whereabouts = { addressOf: (jid) => Promise.resolve(jid) };
  return { clock, channel, whereabouts, wire, faults };
}

/** Lets promises settle that wait for nothing but each other. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await setImmediate();
}

export const jid = bareJid;
