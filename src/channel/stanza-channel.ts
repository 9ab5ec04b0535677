import { withLimit, type CallLimits } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { ConnectionError, ProtocolError, isSdkError, messageOf } from "../core/errors.ts";
import { parseJid, tryParseJid, type Jid } from "../core/jid.ts";
import { LightAbort, type AbortNotice } from "../core/light-abort.ts";
import type { Logger } from "../core/logger.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { Refusal } from "../core/refusal.ts";
import { shortened } from "../core/shortened.ts";
import { parseCaps } from "../codec/caps.ts";
import { ns } from "../codec/namespaces.ts";
import { buildError, iq, iqType, presencePriority, presenceType, stanzaErrorOf } from "../codec/stanza.ts";
import { nonEmpty, required, type XmlElement } from "../codec/xml.ts";
import type { Channel, IqRequest, Wire } from "./channel.ts";
import { Load } from "./load.ts";
import { Router, type IqReply } from "./router.ts";

/** What a {@link StanzaChannel} is made of. */
export interface StanzaChannelOptions {
  /** Time. */
  readonly clock: Clock;
  /** Randomness for the ids of requests. */
  readonly random: RandomSource;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** Background trouble, for the `fault` event: a handler that failed or took too long. */
  readonly onFault?: ((code: "handler-failed" | "handler-slow", message: string) => void) | undefined;
}

const DEFAULT_TIMEOUT = 30_000;
// A handler that takes longer is told of; one that takes much longer is answered for, so that the asker is not left
// waiting for its own timeout.
const SLOW_HANDLER = 3_000;
const LONGEST_HANDLER = 9_000;
// While more bytes than these wait for the network, what is asked is not answered.
const MOST_BACKLOG = 262_144;
// Nobody needs a longer one. It comes back in the answer: on a thin line out a stranger's, of hundreds of kilobytes each,
// would have so much wait to be sent that the stream is given up.
const LONGEST_ID = 1_024;
// What is said of a mistake may repeat what was sent.
const LONGEST_WORDS = 1_000;

interface Pending {
  readonly allowed: (from: string | undefined) => boolean;
  readonly to: string;
  resolve(payload: XmlElement | undefined): void;
  reject(reason: unknown): void;
}

/** A {@link Channel} over one stream after another: reply matching, routing, time budgets. Knows no socket. */
export class StanzaChannel implements Channel {
  readonly router = new Router();
  readonly #clock: Clock;
  readonly #random: RandomSource;
  readonly #logger: Logger;
  readonly #onFault: NonNullable<StanzaChannelOptions["onFault"]>;
  readonly #pending = new Map<string, Pending>();
  readonly #load = new Load();
  #stream: { readonly wire: Wire; readonly jid: Jid; readonly ended: LightAbort } | undefined;

  constructor(options: StanzaChannelOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#logger = options.logger;
    this.#onFault = options.onFault ?? (() => undefined);
  }

  get jid(): Jid | undefined {
    return this.#stream?.jid;
  }

  get stream(): AbortNotice | undefined {
    return this.#stream?.ended;
  }

  /** Takes a new stream into use. */
  attach(wire: Wire): void {
    this.detach(new ConnectionError("replaced by a new stream"));
    this.#stream = { wire, jid: { ...wire.jid }, ended: new LightAbort() };
  }

  /** The stream is gone: everything that waits for an answer rejects, handlers are told. */
  detach(reason: Error): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.ended.abort(reason);
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) pending.reject(reason);
  }

  async send(...stanzas: readonly XmlElement[]): Promise<void> {
    if (this.#stream === undefined) throw new ConnectionError("not connected");
    try {
      await this.#stream.wire.write(stanzas);
    } catch (error) {
      throw isSdkError(error) ? error : new ConnectionError("nothing could be written", { cause: error });
    }
  }

  async request(request: IqRequest, options: CallLimits = {}): Promise<XmlElement | undefined> {
    const to = request.to ?? this.jid?.bare ?? "";
    const limits = { signal: options.signal, timeout: options.timeout ?? DEFAULT_TIMEOUT };
    // Unguessable, so that nobody can answer in another's place by guessing.
    const id = randomToken(this.#random);
    try {
      return await withLimit(this.#clock, limits, `${request.payload.name} to ${to}`, () => this.#ask(request, to, id));
    } finally {
      this.#pending.delete(id);
    }
  }

  #ask(request: IqRequest, to: string, id: string): Promise<XmlElement | undefined> {
    const own = this.jid;
    if (own === undefined) throw new ConnectionError("not connected");
    const asked = request.to === undefined ? undefined : parseJid(request.to, "iq/@to");
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { allowed: allowedResponder(own, asked), to, resolve, reject });
      // Not one after the other: a stream may end while a write hangs.
      this.send(iq({ type: request.type, id, to: request.to }, request.payload)).catch(reject);
    });
  }

  /** Takes a stanza from the stream. Never throws: what cannot be understood is dropped or answered as an error. */
  receive(stanza: XmlElement): void {
    try {
      if (stanza.is("iq")) this.#receiveIq(stanza);
      else if (stanza.is("message")) this.#receiveMessage(stanza);
      else if (stanza.is("presence")) this.#receivePresence(stanza);
    } catch (error) {
      this.#logger.debug("dropped a stanza", { why: messageOf(error) });
    }
  }

  #receiveIq(stanza: XmlElement): void {
    const type = iqType(stanza);
    const id = required(stanza, "id"); // RFC 6120 section 8.1.3: without it there is no answer
    const sender = nonEmpty(stanza, "from");
    if (type === "result" || type === "error") return this.#receiveReply(stanza, id, sender);
    const from = sender === undefined ? this.jid : tryParseJid(sender);
    if (from === undefined) return;
    if (id.length > LONGEST_ID) throw new ProtocolError(`longer than ${LONGEST_ID} characters`, "iq/@id");
    if (this.#isTooMuch(stanza)) return;
    void this.#answer(stanza, type, id, from);
  }

  /**
   * Whether a request is one of more than the line can carry answers to. None goes out then: they would pile up until the
   * stream must be given up, which any stranger could bring about. What is urgent is answered nevertheless.
   */
  #isTooMuch(stanza: XmlElement): boolean {
    if ((this.#stream?.wire.backlog ?? 0) <= MOST_BACKLOG) return false;
    const payload = stanza.getChildElements()[0];
    const handler = payload && this.router.iqHandler(payload);
    return handler === undefined || !this.router.isUrgent(handler);
  }

  #receiveReply(stanza: XmlElement, id: string, sender: string | undefined): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (!pending.allowed(sender)) {
      this.#logger.warn("an answer from somebody who was not asked", { from: sender, asked: pending.to });
      return;
    }
    this.#pending.delete(id);
    const error = stanzaErrorOf(stanza, pending.to);
    const children = stanza.getChildElements();
    if (error) pending.reject(error);
    // RFC 6120 section 8.2.3: a result holds one child at most. Of two, a yes and a no, neither counts.
    else if (children.length > 1) pending.reject(new ProtocolError("a result with more than one child", "iq"));
    else pending.resolve(children[0]);
  }

  async #answer(stanza: XmlElement, type: "get" | "set", id: string, from: Jid): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined) return;
    const frame = { id, to: stanza.attrs["from"] };
    const refuse = (refusal: Refusal): XmlElement => iq({ ...frame, type: "error" }, buildError(refusal));
    let stanzas: readonly XmlElement[];
    let afterwards: IqReply["afterwards"];
    try {
      const reply = await this.#handle(stanza, type, from, stream.ended);
      stanzas = [iq({ ...frame, type: "result" }, reply.payload), ...(reply.followedBy ?? [])];
      afterwards = reply.afterwards;
    } catch (error) {
      if (this.#stream !== stream) return; // a handler that was stopped has not failed
      stanzas = [refuse(this.#refusalFor(error, stanza, from))];
    }
    // A stream that ended takes its questions with it: the answer must not go out on the next one.
    if (this.#stream !== stream) return;
    try {
      await stream.wire.write(stanzas);
    } catch (error) {
      return this.#cannotSend(error, stanza, stream.wire, refuse);
    }
    if (afterwards) this.#run(`what follows the answer to ${nameOf(stanza)}`, afterwards);
  }

  /** The asker still gets an answer when what the handler made is no XML, or too large; not when the stream is gone. */
  async #cannotSend(
    error: unknown,
    stanza: XmlElement,
    wire: Wire,
    refuse: (refusal: Refusal) => XmlElement,
  ): Promise<void> {
    this.#logger.debug("an answer could not be sent", { why: messageOf(error) });
    if (!(error instanceof ProtocolError) || this.#stream?.wire !== wire) return;
    this.#onFault("handler-failed", `the answer to ${nameOf(stanza)} cannot be sent: ${messageOf(error)}`);
    await wire.write([refuse(new Refusal("internal-server-error"))]).catch(() => undefined);
  }

  async #handle(stanza: XmlElement, type: "get" | "set", from: Jid, ended: AbortNotice): Promise<IqReply> {
    const children = stanza.getChildElements();
    const payload = children[0];
    // RFC 6120 section 8.2.3: a request holds exactly one child.
    if (payload === undefined || children.length > 1) throw new Refusal("bad-request");
    const handler = this.router.iqHandler(payload);
    if (handler === undefined) throw new Refusal("service-unavailable");
    const giveBack = this.router.isUrgent(handler) ? () => undefined : this.#load.take(from.bare, stanza);
    if (giveBack === undefined) throw new Refusal("resource-constraint", "Too much is asked at once.");
    const what = `the handler of ${payload.name}`;
    const tellSlow = (): void => this.#onFault("handler-slow", `${what} has taken ${SLOW_HANDLER} ms`);
    const slow = this.router.isPatient(handler) ? undefined : this.#clock.schedule(SLOW_HANDLER, tellSlow);
    try {
      return await withLimit(this.#clock, { signal: ended, timeout: LONGEST_HANDLER }, what, (signal) =>
        handler({ type, from, payload, stream: ended, signal }),
      );
    } finally {
      slow?.cancel();
      giveBack();
    }
  }

  #refusalFor(error: unknown, stanza: XmlElement, from: Jid): Refusal {
    if (error instanceof Refusal) return error;
    if (error instanceof ProtocolError) return new Refusal("bad-request", shortened(error.message, LONGEST_WORDS));
    // The message of any other error may hold secrets: it stays here.
    if (!(error instanceof ConnectionError)) {
      this.#onFault("handler-failed", `${nameOf(stanza)} from ${from.full}: ${messageOf(error)}`);
    }
    // "Later": what took too long, and what the disk did not take, may work then.
    const later = isSdkError(error) && (error.code === "ERR_TIMEOUT" || error.code === "ERR_STORAGE");
    return new Refusal(later ? "resource-constraint" : "internal-server-error");
  }

  #receiveMessage(stanza: XmlElement): void {
    if (stanza.attrs["type"] === "error") return;
    const from = tryParseJid(stanza.attrs["from"] ?? "");
    if (from === undefined) return;
    const stream = this.#stream?.ended;
    if (stream === undefined) return;
    const delayed = wasDelayed(stanza);
    for (const payload of stanza.getChildElements()) {
      const handler = this.router.messageHandler(payload);
      if (handler === undefined) continue;
      const giveBack = this.router.isCounted(handler) ? this.#room(stanza, from) : () => undefined;
      if (giveBack === undefined) {
        this.#logger.debug("dropped a message: too much is asked at once", { from: from.bare });
        continue;
      }
      this.#run(`the handler of ${payload.name}`, async () => {
        try {
          await handler({ from, payload, delayed, stream });
        } finally {
          giveBack();
        }
      });
    }
  }

  /** Room for a message that is counted; none while the line is too thin for what may have to be asked because of it. */
  #room(stanza: XmlElement, from: Jid): (() => void) | undefined {
    return (this.#stream?.wire.backlog ?? 0) > MOST_BACKLOG ? undefined : this.#load.take(from.bare, stanza);
  }

  #receivePresence(stanza: XmlElement): void {
    const from = tryParseJid(stanza.attrs["from"] ?? "");
    if (from === undefined) return;
    const type = presenceType(stanza);
    const priority = presencePriority(stanza);
    const caps = parseCaps(stanza);
    for (const handler of this.router.presenceHandlers()) {
      this.#run("a handler of presence", () => handler({ type, from, priority, caps }));
    }
  }

  /** Runs what nobody waits for. What is malformed is dropped in silence, anything else is a fault. */
  #run(what: string, handler: () => void | Promise<void>): void {
    void (async () => handler())().catch((error: unknown) => {
      if (error instanceof ProtocolError || error instanceof ConnectionError || error instanceof Refusal) {
        this.#logger.debug(`${what}: dropped`, { why: messageOf(error) });
      } else {
        this.#onFault("handler-failed", `${what}: ${messageOf(error)}`);
      }
    });
  }
}

/** XEP-0203 2, and XEP-0091 before it: a server has kept it until we came. */
function wasDelayed(message: XmlElement): boolean {
  return message.getChild("delay", ns.delay) !== undefined || message.getChild("x", ns.oldDelay) !== undefined;
}

/** What an IQ is about, for messages. */
function nameOf(stanza: XmlElement): string {
  return stanza.getChildElements()[0]?.name ?? "iq";
}

/**
 * Who may answer: exactly the JID asked. For what was asked of the own account also the server in its name: no
 * `from`, the own bare or full JID, or the own domain (RFC 6120 section 8.1.2.1).
 */
function allowedResponder(own: Jid, asked: Jid | undefined): (from: string | undefined) => boolean {
  const ownAccount = asked === undefined || asked.full === own.bare || asked.full === own.full;
  return (from) => {
    if (asked !== undefined && from === asked.full) return true;
    const sender = from === undefined ? undefined : tryParseJid(from);
    if (ownAccount) {
      return from === undefined || (sender !== undefined && [own.bare, own.full, own.domain].includes(sender.full));
    }
    return sender?.full === asked.full;
  };
}
