import type { Clock } from "../../core/clock.ts";
import type { BareJid, Jid } from "../../core/jid.ts";
import type { RandomSource } from "../../core/random.ts";
import type { XmlElement } from "../../codec/xml.ts";
import type { StanzaService } from "../stanza-service.ts";
import type { Accounts } from "./accounts.ts";
import type { AccountChanges } from "./kept-accounts.ts";
import type { Account, BoundSession } from "./session.ts";
import type { StreamCondition } from "./stream-fault.ts";

/**
 * Takes note of every stanza: `in` when the server takes it, `out` when it hands it over. `from` and `to` are full
 * JIDs or services' addresses; `to` is empty if the stanza bears none. Passwords in registration IQs are left out.
 */
export type StanzaListener = (direction: "in" | "out", from: string, to: string, stanza: XmlElement) => void;

/** One service with what is known of it. */
export interface Attachment {
  /** The service. */
  readonly service: StanzaService;
  /** Its address, normalised. */
  readonly domain: string;
  /** False once it was taken away. */
  attached: boolean;
}

/** Another domain in this process, in the place of a connection between servers (RFC 6120 section 10.4). */
export interface Peer {
  /** Tells whether addresses of a domain are its own, or of a service of its. */
  serves(domain: string): boolean;
  /** Takes a stanza for one of them. */
  receive(stanza: XmlElement): void;
}

/** What the parts of the domain ask of the whole. */
export interface Hub {
  /** The domain's own address. */
  readonly jid: Jid;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Who has an account. */
  readonly accounts: Accounts;
  /** Who is to be told of what changes of an account, so that it is kept. */
  readonly changes: AccountChanges;
  /** The services in their order. */
  services(): readonly StanzaService[];
  /** The service at a domain. */
  serviceAt(domain: string): Attachment | undefined;
  /** The other server for a domain. */
  peerAt(domain: string): Peer | undefined;
  /** Tells whether a stanza for this address can be handed on at all: to this domain, a service, another server. */
  reaches(address: BareJid): boolean;
  /** Brings a stanza (`from` and `to` are set) to where it belongs. What cannot be delivered comes back as an error. */
  route(stanza: XmlElement): void;
  /** Lays a stanza ready for one client. */
  hand(session: BoundSession, stanza: XmlElement): void;
  /** Tells the listeners. */
  note: StanzaListener;
  /** Does something that may fail in another party's hands; tells of it and goes on. */
  guard(what: string, action: () => void): void;
  /** Does something when what is being done is done. */
  later(job: () => void): void;
  /** Ends a client's stream with a stream error condition. */
  endStream(session: BoundSession, condition: StreamCondition): void;
  /** Removes an account with everything that hangs on it. */
  removeAccount(account: Account): void;
}

/** The client that sent a stanza; `undefined` if a service did. */
export function sessionOf(hub: Hub, from: Jid): BoundSession | undefined {
  return hub.accounts.at(from)?.sessions.get(from.resource);
}

/** The available resources of an account (RFC 6121 section 4.1). */
export function availableSessions(account: Account): BoundSession[] {
  return [...account.sessions.values()].filter((session) => session.presence !== undefined);
}
