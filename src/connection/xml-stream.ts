import type { ServerAddress } from "../discovery/address.ts";
import type { SecureContext } from "node:tls";
import { sleep, withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import {
  ConnectionError,
  ProtocolError,
  TlsPolicyError,
  isSdkError,
  messageOf,
  type SdkError,
} from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { el, isXmlText, xmlOf, type XmlElement } from "../codec/xml.ts";
import { ns } from "../codec/namespaces.ts";
import type { ChannelBindings } from "./channel-binding.ts";
import { streamNs } from "./namespaces.ts";
import { parseStreamError, streamEnd, type StreamEnd } from "./stream-end.ts";
import { MiscountError, StreamManagement } from "./stream-management.ts";
import { describe, isStanza, stanzaNames, unexpected } from "./top-level.ts";
import type { WireTrace } from "./wire-trace.ts";
import { tlsFailure, tlsOptions } from "./tls-policy.ts";
import { Link } from "./xmpp-parts.ts";

/** What an {@link XmlStream} needs. */
export interface XmlStreamOptions {
  /** Where the server is. */
  readonly address: ServerAddress;
  /** Time. */
  readonly clock: Clock;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** The largest stanza, both ways, in UTF-8 bytes. */
  readonly maxStanzaBytes: number;
  /** Shows what goes over the wire. */
  readonly trace?: WireTrace | undefined;
}

// A host that is there answers within a second or two, also on a slow link. Behind an address that was given up, or made
// up, nobody ever does: the next server is waiting. In milliseconds; names are looked up within it.
const CONNECT_WITHIN = 10_000;
/** How long the peer may take to close its side, in milliseconds. */
const CLOSING_TIME = 1_000;
// What may come before anybody takes it, while the stream is negotiated: before TLS it may be anybody who sends it.
const MOST_UNREAD = 256;
/** How long the peer may take to say whether it counts stanzas, in milliseconds. */
const ENABLING_TIME = 5_000;

/** Who wants to know what goes on, in order to ask in time. */
export interface Watcher {
  /** Stanzas were written that the server will acknowledge. */
  wrote(): void;
  /** The server has acknowledged something. */
  acknowledged(): void;
}

/**
 * One XML stream, from the socket up: what comes is first taken with {@link next}, element by element, while the
 * stream is negotiated, and is handed to a receiver from then on. Ends once, for one reason, and never comes back.
 */
export class XmlStream {
  readonly ended: Promise<StreamEnd>;
  readonly #options: XmlStreamOptions;
  readonly #link: Link;
  readonly #queue: XmlElement[] = [];
  #waiting: { resolve: (element: XmlElement) => void; reject: (reason: SdkError) => void } | undefined;
  #receive: ((stanza: XmlElement) => void) | undefined;
  #onEnd: (end: StreamEnd) => void = () => undefined;
  #end: StreamEnd | undefined;
  // Why it will have ended, once nothing but last words are written; and whether those were said.
  #closing: SdkError | undefined;
  #hasSaidEnd = false;
  // What an error of the socket means, by how far things are.
  #explain: (cause: Error | undefined) => SdkError;
  #lastHeard: number;
  readonly #management = new StreamManagement();
  // Called when something was answered: whether the server counts, and what has arrived.
  #onAnswer: () => void = () => undefined;
  #watcher: Watcher | undefined;

  constructor(options: XmlStreamOptions) {
    const { address, clock, maxStanzaBytes } = options;
    this.#options = options;
    this.#lastHeard = clock.monotonic();
    this.ended = new Promise((resolve) => (this.#onEnd = resolve));
    this.#explain = (cause) =>
      new ConnectionError(`cannot connect to ${address.host}:${address.port}: ${describe(cause)}`, { cause });
    this.#link = new Link(
      address,
      { maxBytes: maxStanzaBytes, maxDepth: 64, maxAttributes: 64, maxElements: 10_000, maxName: 256 },
      {
        onOpen: (header) => this.#checkHeader(header),
        onElement: (element) => this.#take(element),
        onEnd: () => this.#peerClosed(),
        onBroken: (error) => this.end(isSdkError(error) ? error : new ProtocolError(error.message, "stream")),
        onClosed: (error) => this.end(this.#explain(error)),
        onBytes: () => (this.#lastHeard = clock.monotonic()),
        onOversize: (why, name) => {
          options.logger.warn("a stanza was passed over", { why });
          // The server has counted it.
          if (stanzaNames.has(name)) this.#management.received();
        },
      },
    );
  }

  /** How many bytes the network has not taken yet. */
  get backlog(): number {
    return this.#link.backlog;
  }

  /** The own address of the socket. */
  get localAddress(): string | undefined {
    return this.#link.localAddress;
  }

  /** When the last bytes came, on the monotonic clock, in milliseconds. */
  get lastHeard(): number {
    return this.#lastHeard;
  }

  /** What a login can be bound to: nothing before TLS. */
  get bindings(): ChannelBindings {
    return this.#link.bindings;
  }

  /** True while the server acknowledges what it gets (XEP-0198). */
  get isManaged(): boolean {
    return this.#management.on;
  }

  /** Connects the socket. Rejects with `ERR_TIMEOUT` if nobody answers there. */
  async connect(): Promise<void> {
    const { address, clock } = this.#options;
    const what = `connecting to ${address.host}:${address.port}`;
    await withDeadline(clock, { timeout: CONNECT_WITHIN }, what, () => this.#orEnd(this.#link.connect()));
    this.#explain = (cause) => new ConnectionError(`the connection was lost: ${describe(cause)}`, { cause });
  }

  /** Puts TLS under the stream, verified unless `verify` is false. Nothing that came in the clear is kept. */
  async secure(context: SecureContext, verify = true): Promise<void> {
    const { address, clock } = this.#options;
    // What follows the go-ahead in the clear may be an attacker's, put in to be taken for what came under TLS.
    if (this.#queue.length > 0) this.end(new TlsPolicyError("the server sent more in the clear than it may"));
    this.throwIfEnded();
    const afterwards = this.#explain;
    this.#explain = (cause) => tlsFailure(cause ?? new Error("closed"), address, clock.now(), this.#link.validity);
    const options = { directTls: address.directTls === true, verify };
    await this.#orEnd(this.#link.secure(tlsOptions(context, address.domain, options)));
    this.#explain = afterwards;
  }

  /** Opens the stream, or opens it anew. Resolves to the features that the server offers. */
  async open(): Promise<XmlElement> {
    this.throwIfEnded();
    this.#link.open(this.#options.address.domain);
    const features = await this.next();
    if (!features.is("features", streamNs.streams)) throw unexpected(features);
    return features;
  }

  /** The next element. Rejects with the reason when the stream has ended. One call at a time. */
  next(): Promise<XmlElement> {
    const element = this.#queue.shift();
    if (element !== undefined) return Promise.resolve(element);
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end.reason);
      this.#waiting = { resolve, reject };
    });
  }

  /** Puts back elements that were taken too early, in their order. */
  unread(elements: readonly XmlElement[]): void {
    this.#queue.unshift(...elements);
  }

  /**
   * Asks the server to count stanzas (XEP-0198 section 3), and waits for its answer: a no is as good as a yes, and so is
   * none for 5 s. Rejects with the reason when the stream ends.
   */
  async manage(): Promise<void> {
    const answered = new AbortController();
    this.#onAnswer = () => answered.abort();
    this.#say(this.#management.ask());
    void this.ended.then(this.#onAnswer);
    await sleep(this.#options.clock, ENABLING_TIME, answered.signal).catch(() => undefined);
    this.throwIfEnded();
  }

  /** Has somebody watch what goes on. */
  watch(watcher: Watcher): void {
    this.#watcher = watcher;
  }

  /** Asks the server how many stanzas it has got (XEP-0198 section 4). */
  askCount(): void {
    this.#say(el("r", { xmlns: streamNs.management }));
  }

  /** From now on stanzas go to the receiver; those that wait already go first, in their order. */
  deliver(receive: (stanza: XmlElement) => void): void {
    this.#receive = receive;
    for (const element of this.#queue.splice(0)) this.#pass(element);
  }

  /** Writes elements in one go. What must not go out is refused with `ERR_PROTOCOL`, and the stream goes on. */
  async write(elements: readonly XmlElement[]): Promise<void> {
    let text = "";
    for (const element of elements) {
      const one = xmlOf(element);
      if (!isXmlText(one)) throw new ProtocolError("characters that XML forbids", element.name);
      if (Buffer.byteLength(one) > this.#options.maxStanzaBytes) {
        throw new ProtocolError(`larger than ${this.#options.maxStanzaBytes} bytes`, element.name);
      }
      text += one;
    }
    if (this.#closing !== undefined) throw this.#closing;
    this.throwIfEnded();
    for (const element of elements) this.#options.trace?.sent(element);
    const stanzas = elements.filter(isStanza);
    for (const stanza of stanzas) this.#management.sent(stanza);
    if (stanzas.length > 0 && this.isManaged) this.#watcher?.wrote();
    try {
      await this.#link.write(text);
    } catch (error) {
      this.end(this.#explain(error as Error));
      this.throwIfEnded();
    }
  }

  /** Closes the stream in good order, within a second. */
  async close(): Promise<void> {
    if (this.#end === undefined) {
      await this.#sayEnd(new ConnectionError("closed"), async (enough) => {
        await this.#settle(enough);
        // The server answers the end by an end.
        await this.#writeEnd();
        await this.ended;
      });
    }
    await this.ended;
  }

  /** Ends the stream, now. The first reason stands. */
  end(reason: SdkError): void {
    if (this.#end !== undefined) return;
    this.#end = streamEnd(this.#closing ?? reason, this.#management.undelivered());
    this.#link.destroy();
    this.#waiting?.reject(this.#end.reason);
    this.#waiting = undefined;
    this.#onEnd(this.#end);
  }

  /** Throws the reason if the stream has ended. */
  throwIfEnded(): void {
    if (this.#end !== undefined) throw this.#end.reason;
  }

  #checkHeader(header: XmlElement): void {
    // RFC 6120 sections 4.7.5 and 4.8. Without a version the peer is older than features, and would never send any.
    const lawful = header.is("stream", streamNs.streams) && header.attrs["xmlns"] === ns.client;
    if (!lawful || !/^1\.\d+$/.test(header.attrs["version"] ?? "")) {
      this.end(new ProtocolError("not an XMPP 1.0 stream", "stream"));
    }
  }

  #take(element: XmlElement): void {
    this.#options.trace?.received(element);
    if (element.is("error", streamNs.streams)) return this.end(parseStreamError(element));
    if (element.getNS() === streamNs.management) return this.#takeCount(element);
    // Now, and not when it is looked at: the next thing in this chunk may ask for the count. What comes after the own
    // end is handled by nobody, and the server may keep it for another time.
    if (isStanza(element) && this.#closing === undefined) this.#management.received();
    this.#pass(element);
  }

  /** To whoever is waiting, or will be. */
  #pass(element: XmlElement): void {
    if (this.#waiting !== undefined) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      return resolve(element);
    }
    if (this.#receive === undefined) {
      if (this.#queue.length >= MOST_UNREAD) return this.end(new ProtocolError("more than is due", element.name));
      this.#queue.push(element);
    } else if (this.#closing === undefined && isStanza(element)) this.#handOver(element, this.#receive);
  }

  /** XEP-0198 sections 3 and 4. What was not asked for means nothing. */
  #takeCount(element: XmlElement): void {
    const management = this.#management;
    if (element.is("r")) {
      if (management.on) this.#say(management.answer());
    } else if (element.is("a")) {
      if (management.on) this.#takeAnswer(element);
    } else if (element.is("enabled") || element.is("failed")) {
      if (element.is("enabled")) management.enabled();
      else management.failed();
      this.#onAnswer();
    }
  }

  #takeAnswer(answer: XmlElement): void {
    try {
      this.#management.acknowledge(answer);
    } catch (error) {
      return this.#refuse(error as MiscountError);
    }
    this.#onAnswer();
    this.#watcher?.acknowledged();
  }

  /** Ends the stream for a count that cannot be (XEP-0198 section 4), and says why. */
  #refuse(error: MiscountError): void {
    const condition = el("undefined-condition", { xmlns: streamNs.streamErrors });
    const text = el("text", { xmlns: streamNs.streamErrors, "xml:lang": "en" }, error.message);
    void this.#sayEnd(error, () => {
      this.#say(el("stream:error", {}, condition, text, error.report));
      return this.#writeEnd();
    });
  }

  /** Says last how many stanzas came, and waits until the server has said the same. */
  async #settle(enough: AbortSignal): Promise<void> {
    const management = this.#management;
    if (!management.on) return;
    this.#say(management.answer());
    if (!management.isWaiting) return;
    this.askCount();
    await new Promise<void>((resolve) => {
      enough.addEventListener("abort", () => resolve(), { once: true });
      this.#onAnswer = () => {
        if (!management.isWaiting) resolve();
      };
    });
  }

  /** Writes what is no stanza. */
  #say(element: XmlElement): void {
    if (this.#hasSaidEnd) return;
    this.#options.trace?.sent(element);
    // When the socket breaks, it says so itself.
    this.#link.write(element.toString()).catch(() => undefined);
  }

  #writeEnd(): Promise<void> {
    this.#hasSaidEnd = true;
    return this.#link.writeEnd();
  }

  #handOver(stanza: XmlElement, receive: (stanza: XmlElement) => void): void {
    try {
      receive(stanza);
    } catch (error) {
      this.#options.logger.error("a receiver of stanzas threw", { why: messageOf(error) });
    }
  }

  #peerClosed(): void {
    const reason = new ConnectionError("the server closed the stream");
    if (this.#closing !== undefined) return this.end(reason);
    // RFC 6120 section 4.4: the end is answered by an end.
    void this.#sayEnd(reason, () => this.#writeEnd());
  }

  /** Has the last words said, and ends the stream when that is done, or after a second. Nothing is written any more. */
  async #sayEnd(reason: SdkError, lastWords: (enough: AbortSignal) => Promise<unknown>): Promise<void> {
    if (this.#closing !== undefined) return;
    this.#closing = reason;
    const enough = new AbortController();
    const stop = (): void => enough.abort();
    lastWords(enough.signal).then(stop, stop);
    void this.ended.then(stop);
    await sleep(this.#options.clock, CLOSING_TIME, enough.signal).catch(() => undefined);
    enough.abort();
    this.end(reason);
  }

  /** Follows work of the link; when that fails, or the stream ends meanwhile, with the stream's reason. */
  async #orEnd(work: Promise<void>): Promise<void> {
    const ended = this.ended.then((end) => Promise.reject(end.reason));
    try {
      await Promise.race([work, ended]);
    } catch (error) {
      if (this.#end === undefined) this.end(this.#explain(error as Error));
      this.throwIfEnded();
    }
  }
}
