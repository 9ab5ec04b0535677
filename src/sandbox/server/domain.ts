// An XMPP domain without sockets: "stanzas in, stanzas out". RFC 6120 section 10 and RFC 6121 section 8: routing.
import type { Clock } from "../../core/clock.ts";
import { ConfigError, ProtocolError, RegistrationError, StateError, messageOf } from "../../core/errors.ts";
import { configJid, tryParseJid, type BareJid, type Jid } from "../../core/jid.ts";
import { silentLogger, type Logger } from "../../core/logger.ts";
import { randomToken, type RandomSource } from "../../core/random.ts";
import { ns } from "../../codec/namespaces.ts";
import { el, type XmlElement } from "../../codec/xml.ts";
import type { StanzaService } from "../stanza-service.ts";
import { Accounts } from "./accounts.ts";
import { AccountChanges, restoreAccounts } from "./kept-accounts.ts";
import { Upkeep, type Changes, type Keep } from "./upkeep.ts";
import type { Credentials } from "./credentials.ts";
import type { Attachment, Hub, Peer, StanzaListener } from "./hub.ts";
import { MOST_SESSIONS } from "./limits.ts";
import { Messages } from "./messages.ts";
import { Presences } from "./presences.ts";
import { registerUnauthenticated, type RegistrationOffer } from "./registration.ts";
import { StanzaRouter } from "./router.ts";
import { ServerIq } from "./server-iq.ts";
import { type Account, BoundSession, type CloseStream, type Deliver, type Session } from "./session.ts";
import { copyStanza } from "./stanzas.ts";
import type { StreamCondition } from "./stream-fault.ts";
import { Subscriptions } from "./subscriptions.ts";

export type { StanzaListener } from "./hub.ts";
export type { CloseStream, Deliver, Session } from "./session.ts";

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
  /** How clients can make accounts. Default: by plain fields. */
  readonly registration?: RegistrationOffer | undefined;
  /** Where accounts outlive the process, and what was kept there. Default: nowhere. */
  readonly kept?: KeptAccounts | undefined;
}

/** Accounts that outlive the process. */
export interface KeptAccounts {
  /** What was kept when it ended last. */
  readonly entries: Changes;
  /** Keeps what changes. */
  readonly keep: Keep;
}

/**
 * The server of one XMPP domain, without sockets. Everything happens at once, one stanza after another: when `receive`
 * returns, what follows from it has been delivered (inside a delivery it waits for its turn). Only where accounts are
 * kept does what goes to clients wait until a change that came before it is.
 */
export class XmppDomain {
  /** The domain, normalised. */
  readonly domain: string;
  readonly #jid: Jid;
  readonly #logger: Logger;
  readonly #random: RandomSource;
  readonly #accounts: Accounts;
  readonly #upkeep: Upkeep;
  readonly #changes: AccountChanges;
  readonly #registration: RegistrationOffer;
  readonly #services = new Map<string, Attachment>();
  /** The other servers, and how this one is taken from them again. */
  readonly #peers = new Map<Peer, () => void>();
  readonly #listeners = new Set<StanzaListener>();
  readonly #presences: Presences;
  readonly #subscriptions: Subscriptions;
  readonly #router: StanzaRouter;
  /** Jobs that wait for their turn, and sessions for whom stanzas lie ready. */
  readonly #jobs: (() => void)[] = [];
  readonly #ready = new Set<BoundSession>();
  #working = false;

  constructor(options: XmppDomainOptions) {
    this.#jid = configJid(options.domain, "domain");
    if (this.#jid.full !== this.#jid.domain) throw new ConfigError(`domain: "${options.domain}" is not a domain`);
    this.domain = this.#jid.domain;
    this.#logger = options.logger ?? silentLogger;
    this.#random = options.random;
    this.#registration = options.registration ?? "fields";
    this.#accounts = new Accounts(this.domain, options.random);
    this.#upkeep = new Upkeep(options.kept?.keep, options.clock, this.#logger);
    restoreAccounts(options.kept?.entries ?? [], this.#accounts);
    this.#changes = new AccountChanges(this.#upkeep, this.#accounts);
    const changes = this.#changes;
    this.#accounts.onChange = (account) => changes.account(account);
    const hub: Hub = {
      jid: this.#jid,
      clock: options.clock,
      random: options.random,
      accounts: this.#accounts,
      changes,
      services: () => [...this.#services.values()].map(({ service }) => service),
      reaches: (address) => this.#reaches(address),
      serviceAt: (domain) => this.#services.get(domain),
      peerAt: (domain) => [...this.#peers.keys()].find((peer) => peer.serves(domain)),
      note: (direction, from, to, stanza) => this.#note(direction, from, to, stanza),
      guard: (what, action) => this.#guard(what, action),
      later: (job) => this.#run(job),
      route: (stanza) => this.#router.route(stanza),
      hand: (session, stanza) => this.#hand(session, stanza),
      endStream: (session, condition) => this.#endStream(session, condition),
      removeAccount: (account) => this.#removeAccount(account),
    };
    this.#subscriptions = new Subscriptions(hub);
    this.#presences = new Presences(hub, this.#subscriptions);
    const messages = new Messages(hub);
    const serverIq = new ServerIq(hub, this.#subscriptions);
    this.#router = new StanzaRouter(hub, { presences: this.#presences, messages, serverIq }, this.#logger);
  }

  /**
   * Makes an account. Throws `ERR_REGISTRATION` with the condition `conflict` (the name is taken), `not-acceptable`
   * (no proper name, or an empty password) or `resource-constraint` (10,000 accounts).
   */
  register(username: string, password: string): void {
    this.#accounts.register(username, password);
  }

  /** Gives an account another password. Throws `ERR_REGISTRATION` with the condition `not-acceptable` if there is none, or for an empty one. */
  setPassword(username: string, password: string): void {
    const account = this.#accounts.named(username);
    if (password === "") throw new RegistrationError("an empty password", "not-acceptable");
    if (account === undefined) throw new RegistrationError(`no account ${username}`, "not-acceptable");
    this.#accounts.setPassword(account, password);
  }

  /** Does something when all is kept that has changed until now: at once if it is, or nothing is kept at all. */
  whenKept(action: () => void): void {
    this.#upkeep.whenKept(action);
  }

  /** Resolves when all is kept. */
  async idle(): Promise<void> {
    await this.#upkeep.idle();
  }

  /** Resolves when all is kept, or a disk that takes nothing was asked once more in vain. Nobody may be connected. */
  async end(): Promise<void> {
    await this.#upkeep.end();
  }

  /** Tells whether there is such an account. */
  hasAccount(username: string): boolean {
    return this.#accounts.named(username) !== undefined;
  }

  /** Removes an account, ends its streams and its subscriptions. Tells whether there was one. */
  removeAccount(username: string): boolean {
    const account = this.#accounts.named(username);
    if (account !== undefined) this.#run(() => this.#removeAccount(account));
    return account !== undefined;
  }

  /** Compares a password in clear with what is kept of it (SASL PLAIN). */
  checkPassword(username: string, password: string): boolean {
    return this.#accounts.checkPassword(username, password);
  }

  /** What SCRAM needs of a user name; invented if there is no such account. */
  credentialsOf(username: string): Credentials {
    return this.#accounts.credentialsOf(username);
  }

  /** Answers an IQ of a client that has not logged in yet: it may register (XEP-0077), and nothing else. */
  answerUnauthenticated(stanza: XmlElement): XmlElement {
    return registerUnauthenticated(stanza, this.#accounts, this.#jid, this.#registration);
  }

  /**
   * Binds a resource (a random one if none is named) for a client that has proved who it is. A session that holds the
   * resource already is ended with `conflict`. Throws `ERR_STATE` if there is no such account, or too many sessions;
   * `ERR_PROTOCOL` for a resource that cannot be one.
   *
   * @param deliver takes what is sent to the client
   * @param close ends the client's stream; called once at most, and not for an end that the client itself began
   */
  bind(username: string, resource: string | undefined, deliver: Deliver, close?: CloseStream): Session {
    const account = this.#accounts.named(username);
    if (account === undefined) throw new StateError(`no account ${username}`);
    const jid = tryParseJid(`${account.jid.bare}/${resource ?? randomToken(this.#random)}`);
    if (jid === undefined) throw new ProtocolError("not a resource", "bind/resource");
    const old = account.sessions.get(jid.resource);
    if (old !== undefined) this.#endStream(old, "conflict"); // RFC 6120 section 7.7.2.2
    if (account.sessions.size >= MOST_SESSIONS) throw new StateError(`${account.jid.bare} has too many sessions`);
    const session = new BoundSession(account, jid.resource, deliver, close ?? (() => undefined), {
      receive: (from, stanza) => this.#run(() => this.#router.fromClient(from, stanza)),
      end: (ended) => this.#endSession(ended),
    });
    account.sessions.set(jid.resource, session);
    return session;
  }

  /** Puts a service at its address and carries away what it sends. Throws `ERR_CONFIG` if the address is taken. */
  attach(service: StanzaService): void {
    const { domain, full } = configJid(service.jid, "service.jid");
    if (full !== domain || domain === this.domain || this.#services.has(domain)) {
      throw new ConfigError(`service.jid: "${service.jid}" is no domain, or taken`);
    }
    const attachment: Attachment = { service, domain, attached: true };
    this.#services.set(domain, attachment);
    service.onOutput((stanzas) => this.#run(() => this.#router.fromService(attachment, stanzas)));
  }

  /** Takes a service away. It is not stopped, but what it still sends goes nowhere. */
  detach(service: StanzaService): void {
    for (const attachment of this.#services.values()) {
      if (attachment.service !== service) continue;
      attachment.attached = false;
      this.#services.delete(attachment.domain);
    }
  }

  /**
   * Lets this domain and another exchange stanzas, services included, as servers do (RFC 6120 section 10.4). Returns
   * how to cut them off from each other. Throws `ERR_CONFIG` if both serve the same domain.
   */
  federate(other: XmppDomain): () => void {
    if (other.domain === this.domain) throw new ConfigError(`${other.domain} cannot be federated with itself`);
    const sides = [this.#asPeer(), other.#asPeer()] as const;
    const cut = (): void => {
      this.#peers.delete(sides[1]);
      other.#peers.delete(sides[0]);
    };
    this.#peers.set(sides[1], cut);
    other.#peers.set(sides[0], cut);
    return cut;
  }

  /** Cuts it off from all other domains. */
  isolate(): void {
    for (const cut of [...this.#peers.values()]) cut();
  }

  /** Cuts the link of a full JID, or those of all resources of a bare one, without a word. Tells how many there were. */
  drop(jid: string): number {
    const address = tryParseJid(jid);
    const sessions = address === undefined ? [] : [...(this.#accounts.at(address)?.sessions.values() ?? [])];
    const meant = sessions.filter((session) => [session.jid.bare, session.jid.full].includes(address?.full ?? ""));
    for (const session of meant) this.#endStream(session, "dropped");
    return meant.length;
  }

  /** Listens to every stanza. Returns how to take it back. */
  onStanza(listener: StanzaListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** One job after another: whoever answers inside a delivery does not overtake those who are still to get theirs. */
  #run(job: () => void): void {
    this.#jobs.push(job);
    if (this.#working) return;
    this.#working = true;
    try {
      for (let next = this.#jobs.shift(); next !== undefined; next = this.#jobs.shift()) {
        this.#guard("a stanza", next);
        const ready = [...this.#ready];
        this.#ready.clear();
        for (const session of ready) this.#whenKept(session, session.flush());
      }
    } finally {
      this.#working = false;
    }
  }

  /** What fails in one party's hands must not take the server down. */
  #guard(what: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#logger.error(`${what}: failed`, { why: messageOf(error) });
    }
  }

  #whenKept(session: BoundSession, action: () => void): void {
    this.#upkeep.whenKept(() => this.#guard(`the client ${session.jid.full}`, action));
  }

  #serves(domain: string): boolean {
    return domain === this.domain || this.#services.has(domain);
  }

  #reaches(address: BareJid): boolean {
    const domain = address.slice(address.indexOf("@") + 1);
    return this.#serves(domain) || [...this.#peers.keys()].some((peer) => peer.serves(domain));
  }

  #asPeer(): Peer {
    return {
      serves: (domain) => this.#serves(domain),
      receive: (stanza) => this.#run(() => this.#router.fromPeer(stanza)),
    };
  }

  #hand(session: BoundSession, stanza: XmlElement): void {
    if (!session.alive) return;
    const copy = copyStanza(stanza);
    this.#note("out", copy.attrs["from"] ?? this.domain, session.jid.full, copy);
    session.put(copy);
    this.#ready.add(session);
  }

  /** The server ends a stream. */
  #endStream(session: BoundSession, condition: StreamCondition | "dropped"): void {
    if (!session.alive) return;
    this.#whenKept(session, session.closeStream(condition));
    this.#endSession(session);
  }

  /** A stream has ended. */
  #endSession(session: BoundSession): void {
    if (!session.alive) return;
    session.alive = false;
    session.account.sessions.delete(session.jid.resource);
    this.#run(() => this.#presences.ended(session));
  }

  #removeAccount(account: Account): void {
    for (const session of account.sessions.values()) session.interested = false; // it is no news to them
    for (const contact of account.roster.all()) this.#subscriptions.removeContact(account, contact);
    this.#accounts.remove(account);
    // Its messages go with it; what is kept of nobody could not be read again.
    this.#changes.offline(account);
    // XEP-0077 section 3.2: the streams of an account that is gone
    for (const session of [...account.sessions.values()]) this.#endStream(session, "not-authorized");
  }

  #note(direction: "in" | "out", from: string, to: string, stanza: XmlElement): void {
    if (this.#listeners.size === 0) return;
    const shown = stanza.getChild("query", ns.register) === undefined ? stanza : withoutSecrets(stanza);
    for (const listener of this.#listeners) this.#guard("a listener", () => listener(direction, from, to, shown));
  }
}

/** A registration IQ without what is in it. */
function withoutSecrets(stanza: XmlElement): XmlElement {
  return el(stanza.name, stanza.attrs, el("query", { xmlns: ns.register }));
}
