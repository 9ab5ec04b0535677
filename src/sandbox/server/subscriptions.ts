// RFC 6121 section 3: managing presence subscriptions.
import { iq, presence } from "../../codec/stanza.ts";
import { ns } from "../../codec/namespaces.ts";
import { el, type XmlElement } from "../../codec/xml.ts";
import type { Jid } from "../../core/jid.ts";
import { randomToken } from "../../core/random.ts";
import { availableSessions, type Hub } from "./hub.ts";
import { rosterItem, type Contact } from "./roster.ts";
import type { Account, BoundSession } from "./session.ts";
import { copyStanza } from "./stanzas.ts";
import { inbound, outbound, type SubscriptionState, type SubscriptionType } from "./subscription.ts";

/** Applies the state machine to the rosters, and tells those who are to know. */
export class Subscriptions {
  readonly #hub: Hub;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** The account's client sends one of the four stanzas. Throws `resource-constraint` for a contact too many. */
  outbound(account: Account, stanza: XmlElement, type: SubscriptionType, to: Jid): void {
    if (to.bare === account.jid.bare) return; // nobody subscribes to oneself: one sees one's own presence anyway
    const before = account.roster.stateOf(to.bare);
    const { next, pass } = outbound(before, type);
    // RFC 6121 section 3.1.2: a request makes the contact an item of the roster.
    const contact = type === "subscribe" ? account.roster.obtain(to.bare) : account.roster.get(to.bare);
    // RFC 6121 section 3.2.2: while the contact is still subscribed.
    if (type === "unsubscribed" && before.from) this.sendUnavailable(account, to.bare);
    if (contact !== undefined) {
      const list = type === "subscribe" || (type === "subscribed" && pass);
      this.#settle(account, contact, next, list);
    }
    // RFC 6121 section 3.1.2: from bare JID to bare JID.
    if (pass) this.#hub.route(copyStanza(stanza, { from: account.jid.bare, to: to.bare }));
    // RFC 6121 section 3.1.5
    if (type === "subscribed" && pass) this.sendPresence(account, to.bare);
  }

  /** The contact sends one of the four stanzas to the account. */
  inbound(account: Account, stanza: XmlElement, type: SubscriptionType, from: Jid): void {
    const before = account.roster.stateOf(from.bare);
    const { next, pass } = inbound(before, type);
    const copy = copyStanza(stanza, { from: from.bare, to: account.jid.bare });
    if (type === "subscribe") return this.#inboundRequest(account, copy, from, before, pass);
    const contact = account.roster.get(from.bare);
    if (!pass || contact === undefined) return;
    // RFC 6121 sections 3.1.6, 3.2.3, 3.3.3: the stanza first, the roster push after it.
    for (const session of account.sessions.values()) if (session.interested) this.#hub.hand(session, copy);
    this.#settle(account, contact, next);
    if (type === "unsubscribe" && before.from) this.sendUnavailable(account, from.bare);
  }

  /** RFC 6121 section 3.1.3. */
  #inboundRequest(account: Account, copy: XmlElement, from: Jid, before: SubscriptionState, pass: boolean): void {
    const reply = (type: "subscribed" | "unavailable"): void =>
      this.#hub.route(presence({ type, from: account.jid.bare, to: from.bare }));
    if (before.from) {
      reply("subscribed");
      if (this.sendPresence(account, from.bare) === 0) reply("unavailable");
      return;
    }
    reply("unavailable"); // tells that the request has come
    if (!pass) return;
    const contact = account.roster.obtain(from.bare);
    contact.request = copy;
    this.#settle(account, contact, inbound(before, "subscribe").next);
    for (const session of availableSessions(account)) this.#hub.hand(session, copy);
  }

  /** What a client gets to know when it becomes available, and what is asked again for it. */
  catchUp(session: BoundSession): void {
    const { account } = session;
    for (const { jid, state, request } of account.roster.all()) {
      // RFC 6121 section 3.1.3 (4): whenever there is a new available resource, until it is answered.
      if (request !== undefined) this.#hub.hand(session, request);
      const address = { from: account.jid.bare, to: jid };
      // A request may have been lost with the contact's server, as after its restart.
      if (state.pendingOut) this.#hub.route(presence({ type: "subscribe", ...address }));
    }
  }

  /** RFC 6121 section 2.5.2: the contact leaves the roster, the subscriptions end both ways. */
  removeContact(account: Account, contact: Contact): void {
    const { to, from, pendingIn, pendingOut } = contact.state;
    const address = { from: account.jid.bare, to: contact.jid };
    if (from) this.sendUnavailable(account, contact.jid);
    account.roster.delete(contact.jid);
    this.#hub.changes.contact(account, contact.jid);
    if (contact.listed) this.#pushItem(account, el("item", { jid: contact.jid, subscription: "remove" }));
    if (to || pendingOut) this.#hub.route(presence({ type: "unsubscribe", ...address }));
    if (from || pendingIn) this.#hub.route(presence({ type: "unsubscribed", ...address }));
  }

  /** A contact has changed. RFC 6121 section 2.1.6: the interested clients are told what has become of it. */
  push(account: Account, contact: Contact): void {
    this.#hub.changes.contact(account, contact.jid);
    if (contact.listed) this.#pushItem(account, rosterItem(contact));
  }

  /** The presence of all available resources goes to one contact. Tells how many there are. */
  sendPresence(account: Account, to: string): number {
    const available = availableSessions(account);
    for (const { presence: last } of available) if (last !== undefined) this.#hub.route(copyStanza(last, { to }));
    return available.length;
  }

  /** All available resources are gone, for one contact. */
  sendUnavailable(account: Account, to: string): void {
    for (const { jid } of availableSessions(account)) {
      this.#hub.route(presence({ type: "unavailable", from: jid.full, to }));
    }
  }

  /** Enters a new state, and tells the clients if they can see a difference. */
  #settle(account: Account, contact: Contact, next: SubscriptionState, list = contact.listed): void {
    const before = contact.listed ? rosterItem(contact).toString() : "";
    contact.state = next;
    contact.listed ||= list;
    this.#hub.changes.contact(account, contact.jid);
    if (!next.pendingIn) contact.request = undefined;
    // Whoever was never more than a request is forgotten with it.
    if (!contact.listed && !next.pendingIn) account.roster.delete(contact.jid);
    if (contact.listed && rosterItem(contact).toString() !== before) this.push(account, contact);
  }

  #pushItem(account: Account, item: XmlElement): void {
    for (const session of account.sessions.values()) {
      if (!session.interested) continue;
      const query = el("query", { xmlns: ns.roster }, item);
      this.#hub.hand(session, iq({ type: "set", id: randomToken(this.#hub.random), to: session.jid.full }, query));
    }
  }
}
