import { tryParseJid, type Jid } from "../../core/jid.ts";
import type { XmlElement } from "../../codec/xml.ts";
import type { Credentials } from "./credentials.ts";
import type { Roster } from "./roster.ts";
import type { StreamCondition } from "./stream-fault.ts";

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

/**
 * Ends a client's stream: with a condition of RFC 6120 section 4.9.3, or with `dropped`, which is none: the link is
 * cut without a word.
 */
export type CloseStream = (condition: StreamCondition | "dropped") => void;

/** What a {@link BoundSession} hands to the domain. */
export interface SessionEvents {
  /** A stanza came. */
  receive(session: BoundSession, stanza: XmlElement): void;
  /** The stream ended. */
  end(session: BoundSession): void;
}

/** An account and all that the server keeps for it. */
export interface Account {
  /** Its bare JID. */
  readonly jid: Jid;
  /** What is kept of its password. */
  credentials: Credentials;
  /** Its contacts. */
  readonly roster: Roster;
  /** Its streams, by resource. */
  readonly sessions: Map<string, BoundSession>;
  /** Messages that wait for somebody to take them. */
  readonly offline: XmlElement[];
}

/** A session with what the server keeps for it. */
export class BoundSession implements Session {
  readonly jid: Jid;
  /** Whose it is. */
  readonly account: Account;
  /** False once the stream has ended. */
  alive = true;
  /** The last presence that was broadcast; `undefined` while not available. */
  presence: XmlElement | undefined;
  /** The priority in it. */
  priority = 0;
  /** Has asked for the roster, so it is told of changes (RFC 6121 section 2.2). */
  interested = false;
  /** Whom directed presence was sent to, by full address (RFC 6121 section 4.6.3). */
  readonly directed = new Map<string, Jid>();
  readonly #deliver: Deliver;
  readonly #close: CloseStream;
  readonly #events: SessionEvents;
  #outbox: XmlElement[] = [];

  constructor(account: Account, resource: string, deliver: Deliver, close: CloseStream, events: SessionEvents) {
    // Checked by the caller; the parsed form is the normalised one.
    this.jid = tryParseJid(`${account.jid.bare}/${resource}`) as Jid;
    this.account = account;
    this.#deliver = deliver;
    this.#close = close;
    this.#events = events;
  }

  receive(stanza: XmlElement): void {
    this.#events.receive(this, stanza);
  }

  end(): void {
    this.#events.end(this);
  }

  /** Lays a stanza ready for the client. */
  put(stanza: XmlElement): void {
    if (this.alive) this.#outbox.push(stanza);
  }

  /** What lies ready, as what hands it over. */
  flush(): () => void {
    const stanzas = this.#outbox;
    this.#outbox = [];
    return () => {
      if (stanzas.length > 0) this.#deliver(stanzas);
    };
  }

  /** What ends the client's stream, after what lies ready. */
  closeStream(condition: StreamCondition | "dropped"): () => void {
    const deliver = this.flush();
    return () => {
      deliver();
      this.#close(condition);
    };
  }
}
