import type { RosterItem } from "../codec/roster.ts";
import type { XmlElement } from "../codec/xml.ts";

/**
 * A service as "a stanza in, stanzas out": it knows no socket and no server. The sandbox routes to it in the same
 * process, `attachComponent` puts it behind a real server (XEP-0114), `attachAccount` logs it in as an account.
 */
export interface StanzaService {
  /** The address it answers at, for instance `discovery.localhost`; as an account a bare JID. */
  readonly jid: string;
  /** The name shown in a list of the server's components. */
  readonly name: string;
  /** Takes a stanza addressed to it (`from` and `to` are set) and returns what it sends at once. */
  receive(stanza: XmlElement): readonly XmlElement[];
  /** Who carries away what it sends by itself later. Set by whoever hosts the service. */
  onOutput(carry: (stanzas: readonly XmlElement[]) => void): void;
  /** As a component: told when a stream to the server is up. What it says from then on goes out. */
  onAttached?(): void;
  /**
   * As an account: told when a stream is up, before anything comes in over it, and without an argument when it has
   * ended. Whom it saw on the stream before may be gone.
   */
  onAccount?(account?: HostedAccount): void;
  /** Stops its timers. */
  stop(): void;
}

/** A service's account at the start of a stream. */
export interface HostedAccount {
  /** The full JID that the server bound: where IQs reach it (P-E8). */
  readonly jid: string;
  /** Its friends. */
  readonly roster: readonly RosterItem[];
}
