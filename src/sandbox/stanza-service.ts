import type { XmlElement } from "../codec/xml.ts";

/**
 * A service as "a stanza in, stanzas out": it knows no socket and no server. The sandbox routes to it in the same
 * process, `attachComponent` puts it behind a real server (XEP-0114).
 */
export interface StanzaService {
  /** The address it answers at, for instance `discovery.localhost`. */
  readonly jid: string;
  /** The name shown in a list of the server's components. */
  readonly name: string;
  /** Takes a stanza addressed to it (`from` and `to` are set) and returns what it sends at once. */
  receive(stanza: XmlElement): readonly XmlElement[];
  /** Who carries away what it sends by itself later. Set by whoever hosts the service. */
  onOutput(carry: (stanzas: readonly XmlElement[]) => void): void;
  /** Stops its timers. */
  stop(): void;
}
