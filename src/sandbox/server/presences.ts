// RFC 6121 section 4: exchanging presence.
import { presence, presenceType } from "../../codec/stanza.ts";
import type { XmlElement } from "../../codec/xml.ts";
import type { BareJid, Jid } from "../../core/jid.ts";
import { availableSessions, type Hub } from "./hub.ts";
import { MOST_DIRECTED } from "./limits.ts";
import type { BoundSession } from "./session.ts";
import { StanzaFault } from "./stanza-fault.ts";
import { copyStanza } from "./stanzas.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** Who is told that a client is there, changes, or is gone. */
export class Presences {
  readonly #hub: Hub;
  readonly #subscriptions: Subscriptions;

  constructor(hub: Hub, subscriptions: Subscriptions) {
    this.#hub = hub;
    this.#subscriptions = subscriptions;
  }

  /** A client sends presence. */
  outbound(session: BoundSession, stanza: XmlElement, to: Jid | undefined): void {
    const type = presenceType(stanza);
    if (to === undefined) {
      if (type === "available") return this.#becomeAvailable(session, stanza);
      if (type === "unavailable") return this.#becomeUnavailable(session, stanza);
      throw new StanzaFault("bad-request", "This type of presence needs an address.");
    }
    switch (type) {
      case "subscribe":
      case "subscribed":
      case "unsubscribe":
      case "unsubscribed":
        return this.#subscriptions.outbound(session.account, stanza, type, to);
      case "available": // RFC 6121 section 4.6.3: directed presence is remembered until the end
        if (!session.directed.has(to.full) && session.directed.size >= MOST_DIRECTED) {
          throw new StanzaFault("resource-constraint", "Too many entities were sent directed presence.");
        }
        session.directed.set(to.full, to);
        break;
      case "unavailable":
        session.directed.delete(to.full);
        break;
      case "probe":
      case "error":
    }
    this.#hub.route(stanza);
  }

  /** Presence comes for an address of this domain. */
  inbound(stanza: XmlElement, from: Jid, to: Jid): void {
    const type = presenceType(stanza);
    const account = this.#hub.accounts.at(to);
    switch (type) {
      case "subscribe":
      case "subscribed":
      case "unsubscribe":
      case "unsubscribed":
        if (account !== undefined) this.#subscriptions.inbound(account, stanza, type, from);
        return; // RFC 6121 section 8.5.1: nobody there, silence
      case "probe":
        return this.#answerProbe(from, to);
      case "available":
      case "unavailable":
      case "error":
    }
    if (account === undefined) return;
    if (to.resource === "") {
      // RFC 6121 section 8.5.2.1.2
      for (const session of availableSessions(account)) this.#hub.hand(session, stanza);
    } else {
      // RFC 6121 sections 8.5.3.1 and 8.5.3.2.2
      const session = account.sessions.get(to.resource);
      if (session !== undefined) this.#hub.hand(session, stanza);
    }
  }

  /** A client's stream has ended. */
  ended(session: BoundSession): void {
    this.#becomeUnavailable(session, presence({ type: "unavailable", from: session.jid.full }));
  }

  /** RFC 6121 sections 4.2 and 4.4: initial and subsequent presence. */
  #becomeAvailable(session: BoundSession, stanza: XmlElement): void {
    const { account } = session;
    const initial = session.presence === undefined;
    session.presence = stanza;
    session.priority = priorityOf(stanza);
    // RFC 6121 section 4.2.2: to all resources of the account, the one that sent it too
    for (const { jid } of availableSessions(account)) this.#hub.route(copyStanza(stanza, { to: jid.full }));
    this.#broadcast(session, stanza);
    if (!initial) return;
    for (const other of availableSessions(account)) {
      if (other === session || other.presence === undefined) continue;
      this.#hub.hand(session, copyStanza(other.presence, { to: session.jid.full }));
    }
    // RFC 6121 section 4.3.1: what the contacts are doing
    for (const { jid, state } of account.roster.all()) {
      if (state.to) this.#send(presence({ type: "probe", from: session.jid.full, to: jid }), jid);
    }
    this.#subscriptions.catchUp(session);
  }

  /** RFC 6121 section 4.5: the client says so, or its stream has ended. */
  #becomeUnavailable(session: BoundSession, stanza: XmlElement): void {
    const { account } = session;
    const told = new Set<BareJid>();
    if (session.presence !== undefined) {
      for (const { jid } of availableSessions(account)) this.#hub.route(copyStanza(stanza, { to: jid.full }));
      for (const jid of this.#broadcast(session, stanza)) told.add(jid);
      told.add(account.jid.bare);
      session.presence = undefined;
    }
    // RFC 6121 section 4.6.3: also to those who got directed presence, once
    const directed = [...session.directed.values()];
    session.directed.clear();
    for (const to of directed) if (!told.has(to.bare)) this.#send(copyStanza(stanza, { to: to.full }), to.bare);
  }

  /** To the contacts who may see it. Returns their JIDs. */
  #broadcast(session: BoundSession, stanza: XmlElement): BareJid[] {
    const contacts = session.account.roster.all().filter(({ state }) => state.from);
    for (const { jid } of contacts) this.#send(copyStanza(stanza, { to: jid }), jid);
    return contacts.map(({ jid }) => jid);
  }

  /** What the server sends of its own accord does not come back as an error to the client. */
  #send(stanza: XmlElement, to: BareJid): void {
    if (this.#hub.reaches(to)) this.#hub.route(stanza);
  }

  /** RFC 6121 section 4.3.2. */
  #answerProbe(from: Jid, to: Jid): void {
    const account = this.#hub.accounts.at(to);
    const own = account !== undefined && from.bare === account.jid.bare;
    if (account === undefined || !(own || account.roster.stateOf(from.bare).from)) {
      this.#hub.route(presence({ type: "unsubscribed", from: to.bare, to: from.bare }));
      return;
    }
    // A probe of a full JID asks for that resource only.
    const asked = availableSessions(account).filter(({ jid }) => to.resource === "" || jid.full === to.full);
    for (const { presence: last } of asked) if (last) this.#hub.route(copyStanza(last, { to: from.full }));
    if (asked.length === 0) this.#hub.route(presence({ type: "unavailable", from: to.full, to: from.full }));
  }
}

/** RFC 6121 section 4.7.2.3: from -128 to 127; what is no such number counts as 0. */
function priorityOf(stanza: XmlElement): number {
  const text = stanza.getChild("priority")?.text().trim() ?? "";
  if (!/^[+-]?\d{1,3}$/.test(text)) return 0;
  return Math.min(127, Math.max(-128, Number(text)));
}
