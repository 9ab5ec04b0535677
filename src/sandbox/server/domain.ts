import type { Clock } from "../../core/clock.ts";
import { StateError } from "../../core/errors.ts";
import type { Jid } from "../../core/jid.ts";
import type { Logger } from "../../core/logger.ts";
import type { RandomSource } from "../../core/random.ts";
import type { XmlElement } from "../../codec/xml.ts";
import type { StanzaService } from "../stanza-service.ts";

/** What an {@link XmppDomain} is made of. */
export interface XmppDomainOptions {
  /** The XMPP domain it serves. */
  readonly domain: string;
  /** Time. */
  readonly clock: Clock;
  /** Randomness for salts, resources and ids. */
  readonly random: RandomSource;
  /** Where oddities are told. Silent by default. */
  readonly logger?: Logger | undefined;
}

/** One client's bound stream. */
export interface Session {
  /** The full JID that was bound. */
  readonly jid: Jid;
  /** Takes a stanza from the client. */
  receive(stanza: XmlElement): void;
  /** The stream ended, cleanly or not: sends `unavailable` to whom it is due. Harmless when repeated. */
  end(): void;
}

/** Takes what the server sends to a client: what belongs together comes together. */
export type Deliver = (stanzas: readonly XmlElement[]) => void;

/** Takes a note of every stanza: `in` when the server takes it, `out` when it hands it over. */
export type StanzaListener = (direction: "in" | "out", from: string, to: string, stanza: XmlElement) => void;

const absent = (): never => {
  throw new StateError("not built yet");
};

/** An XMPP domain without sockets: stanzas in, stanzas out. */
export class XmppDomain {
  /** The domain, normalised. */
  readonly domain: string;

  constructor(options: XmppDomainOptions) {
    this.domain = options.domain;
  }

  /** Makes an account. Throws `ERR_REGISTRATION` with condition `conflict` (taken) or `not-acceptable` (no user name). */
  register(_username: string, _password: string): void {
    absent();
  }

  /** Tells whether there is such an account. */
  hasAccount(_username: string): boolean {
    return absent();
  }

  /** Removes an account, ends its streams and its subscriptions. Tells whether there was one. */
  removeAccount(_username: string): boolean {
    return absent();
  }

  /** Compares a password in clear with what is kept (SASL PLAIN). */
  checkPassword(_username: string, _password: string): boolean {
    return absent();
  }

  /**
   * Binds a resource (a random one if none is named) for a client that has proved who it is.
   *
   * @param deliver takes what is sent to the client
   * @param close ends the client's stream with that condition of RFC 6120 section 4.9.3; `dropped` cuts it without a word
   */
  bind(
    _username: string,
    _resource: string | undefined,
    _deliver: Deliver,
    _close?: (condition: string) => void,
  ): Session {
    return absent();
  }

  /** Puts a service at its address and carries away what it sends. */
  attach(_service: StanzaService): void {
    absent();
  }

  /** Takes a service away; it is not stopped. */
  detach(_service: StanzaService): void {
    absent();
  }

  /** Cuts the link of a full JID, or of every resource of a bare one. Tells how many were cut. */
  drop(_jid: string): number {
    return absent();
  }

  /** Listens to every stanza. Returns how to take it back. */
  onStanza(_listener: StanzaListener): () => void {
    return absent();
  }
}
