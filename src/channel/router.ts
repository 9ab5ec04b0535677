// Who gets an incoming stanza: (kind, namespace, element) -> handler, and what becomes of what the handler returns.
import type { Caps } from "../codec/caps.ts";
import { localName, type XmlElement } from "../codec/xml.ts";
import type { IqType, PresenceType } from "../codec/stanza.ts";
import type { Jid } from "../core/jid.ts";
import type { AbortNotice } from "../core/light-abort.ts";

/** An IQ request from another party, as a handler sees it. */
export interface IncomingIq {
  /** `get` or `set`. */
  readonly type: Extract<IqType, "get" | "set">;
  /** Who asks, normalised; the own account if the stanza bears no `from` (RFC 6120 section 8.1.2.1). */
  readonly from: Jid;
  /** The one child element. */
  readonly payload: XmlElement;
  /** Fires when the stream ends or the time budget is used up: nobody waits for the answer any more. */
  readonly signal: AbortNotice;
  /** Fires when the stream ends, and not before: for what goes on after the answer. */
  readonly stream: AbortNotice;
}

/** The answer to an IQ that is a success. */
export interface IqReply {
  /** The child of the result; none for an empty result. */
  readonly payload?: XmlElement | undefined;
  /** Stanzas that follow the result in the same write (`accepted` and `fields`: one packet, not two). */
  readonly followedBy?: readonly XmlElement[];
  /** Runs once the result is on the wire: what must not come before the acknowledgement (D-E17). */
  readonly afterwards?: () => void;
}

/** Answers an IQ. Throw `Refusal` to answer with that error. */
export type IqHandler = (iq: IncomingIq) => IqReply | Promise<IqReply>;

/** A message that carries a payload, as a handler sees it. */
export interface IncomingMessage {
  /** Who sent it, normalised. */
  readonly from: Jid;
  /** The child element the handler was registered for. */
  readonly payload: XmlElement;
  /** Whether a server has kept it for later (XEP-0203): it was sent some time ago, perhaps days. */
  readonly delayed: boolean;
  /** Fires when the stream ends. */
  readonly stream: AbortNotice;
}

/** Takes a message. Nothing goes back, whatever happens; `Refusal` says why nothing has come of it. */
export type MessageHandler = (message: IncomingMessage) => void | Promise<void>;

/** Presence, as a handler sees it. */
export interface IncomingPresence {
  /** What kind. */
  readonly type: PresenceType;
  /** Who sent it, normalised. */
  readonly from: Jid;
  /** How much the connection wants to be the one that is written to, from -128 to 127 (RFC 6121 4.7.2.3). */
  readonly priority: number;
  /** What it says of what it can do (XEP-0115 4); left out where it says nothing that can be proved. */
  readonly caps?: Caps | undefined;
}

/** Takes presence. */
export type PresenceHandler = (presence: IncomingPresence) => void | Promise<void>;

const key = (namespace: string, name: string): string => `${namespace} ${name}`;

/** The handlers of one Thing, owner or service. They outlive streams. */
export class Router {
  readonly #iq = new Map<string, IqHandler>();
  readonly #otherIq = new Map<string, IqHandler>();
  readonly #urgent = new Set<IqHandler>();
  readonly #patient = new Set<IqHandler>();
  readonly #message = new Map<string, MessageHandler>();
  readonly #counted = new Set<MessageHandler>();
  readonly #presence = new Set<PresenceHandler>();

  /**
   * Registers the handler of IQ requests with that child. One for each: a second one is a mistake in the program.
   * An urgent one has room whatever else is running: for what decides at once whether its sender may, and must not be
   * kept out by a flood of others (`clearCache`, `claimed`). A patient one waits for others: that it takes long is no
   * trouble of its own, and not told of.
   */
  onIq(
    namespace: string,
    name: string,
    handler: IqHandler,
    { urgent = false, patient = false }: { urgent?: boolean; patient?: boolean } = {},
  ): void {
    if (this.#iq.has(key(namespace, name))) throw new TypeError(`two handlers for ${name} in ${namespace}`);
    this.#iq.set(key(namespace, name), handler);
    if (urgent) this.#urgent.add(handler);
    if (patient) this.#patient.add(handler);
  }

  /** Registers the handler of all other IQ requests of a namespace: some protocols say how what is unknown is answered. */
  onOtherIq(namespace: string, handler: IqHandler): void {
    if (this.#otherIq.has(namespace)) throw new TypeError(`two handlers for what is unknown in ${namespace}`);
    this.#otherIq.set(namespace, handler);
  }

  /**
   * Registers the handler of messages with that child. A counted one has room beside requests, and no more: for what
   * anybody may send, and what takes time or has others asked.
   */
  onMessage(
    namespace: string,
    name: string,
    handler: MessageHandler,
    { counted = false }: { counted?: boolean } = {},
  ): void {
    if (this.#message.has(key(namespace, name))) throw new TypeError(`two handlers for ${name} in ${namespace}`);
    this.#message.set(key(namespace, name), handler);
    if (counted) this.#counted.add(handler);
  }

  /** Registers a handler of presence; each gets all of it. Returns how to take it back. */
  onPresence(handler: PresenceHandler): () => void {
    this.#presence.add(handler);
    return () => this.#presence.delete(handler);
  }

  /** The handler of an IQ request, by its child. */
  iqHandler(payload: XmlElement): IqHandler | undefined {
    const namespace = payload.getNS() ?? "";
    return this.#iq.get(key(namespace, localName(payload))) ?? this.#otherIq.get(namespace);
  }

  /** Tells whether a handler has room whatever else is running. */
  isUrgent(handler: IqHandler): boolean {
    return this.#urgent.has(handler);
  }

  /** Tells whether a handler may take long without a word. */
  isPatient(handler: IqHandler): boolean {
    return this.#patient.has(handler);
  }

  /** The handler of a message, by one of its children. */
  messageHandler(payload: XmlElement): MessageHandler | undefined {
    return this.#message.get(key(payload.getNS() ?? "", localName(payload)));
  }

  /** Tells whether a handler of messages takes room that requests take too. */
  isCounted(handler: MessageHandler): boolean {
    return this.#counted.has(handler);
  }

  /** All handlers of presence. */
  presenceHandlers(): readonly PresenceHandler[] {
    return [...this.#presence];
  }
}
