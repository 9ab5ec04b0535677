// RFC 6121 section 8.5: messages to an account. XEP-0160: messages kept while nobody is there.
import { el, type XmlElement } from "../../codec/xml.ts";
import type { Jid } from "../../core/jid.ts";
import { availableSessions, type Hub } from "./hub.ts";
import { MOST_OFFLINE } from "./limits.ts";
import type { Account, BoundSession } from "./session.ts";
import { StanzaFault } from "./stanza-fault.ts";
import { copyStanza } from "./stanzas.ts";

/** Brings messages to the clients of an account. */
export class Messages {
  readonly #hub: Hub;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** A message comes for an address of this domain. Throws `service-unavailable` when it can be neither given nor kept. */
  inbound(stanza: XmlElement, to: Jid): void {
    const type = stanza.attrs["type"];
    const account = this.#hub.accounts.at(to);
    if (account === undefined) return refuse(type); // RFC 6121 section 8.5.1
    if (to.resource === "") return this.#toAccount(account, stanza, type);
    const session = account.sessions.get(to.resource);
    if (session !== undefined) return this.#hub.hand(session, stanza); // RFC 6121 section 8.5.3.1
    // RFC 6121 section 8.5.3.2.1: only a chat goes on wherever the other side is now
    if (type === "chat") return this.#toAccount(account, stanza, type);
    refuse(type);
  }

  /** Gives a client what was kept for the account. */
  release(session: BoundSession): void {
    const { account } = session;
    if (account.offline.length === 0) return;
    for (const stanza of account.offline.splice(0)) this.#hub.hand(session, stanza);
    this.#hub.changes.offline(account);
  }

  #toAccount(account: Account, stanza: XmlElement, type: string | undefined): void {
    const willing = availableSessions(account).filter(({ priority }) => priority >= 0);
    switch (type) {
      case "error": // RFC 6121 section 8.5.2.1.1
        return;
      case "groupchat":
        return refuse(type);
      case "headline": // RFC 6121 sections 8.5.2.1.1 and 8.5.2.2.1: to all of them, never kept
        for (const session of willing) this.#hub.hand(session, stanza);
        return;
      default: // normal (any unknown type counts as it, section 5.2.2) and chat
    }
    if (willing.length === 0) return this.#keep(account, stanza);
    const highest = Math.max(...willing.map(({ priority }) => priority));
    for (const session of willing) if (session.priority === highest) this.#hub.hand(session, stanza);
  }

  /** RFC 6121 section 8.5.2.2.1. */
  #keep(account: Account, stanza: XmlElement): void {
    if (account.offline.length >= MOST_OFFLINE) throw new StanzaFault("service-unavailable", "The mailbox is full.");
    // XEP-0203: when it came
    const stamp = new Date(this.#hub.clock.now()).toISOString();
    const delay = el("delay", { xmlns: "urn:xmpp:delay", from: this.#hub.jid.domain, stamp });
    const copy = copyStanza(stanza);
    account.offline.push(el("message", copy.attrs, ...copy.children, delay));
    this.#hub.changes.offline(account);
  }
}

/** RFC 6121 sections 8.5.1 and 8.5.3.2.1 leave the choice of silence or an error; a headline is not worth an error. */
function refuse(type: string | undefined): void {
  if (type !== "error" && type !== "headline") throw new StanzaFault("service-unavailable");
}
