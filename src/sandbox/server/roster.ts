import type { BareJid } from "../../core/jid.ts";
import { el, type XmlElement } from "../../codec/xml.ts";
import { MOST_CONTACTS } from "./limits.ts";
import { StanzaFault } from "./stanza-fault.ts";
import { noSubscription, subscriptionAttribute, type SubscriptionState } from "./subscription.ts";

/** One contact. */
export interface Contact {
  /** Its bare JID. */
  readonly jid: BareJid;
  /** The name the account's owner gave it. */
  name: string | undefined;
  /** The groups the owner put it in. */
  groups: readonly string[];
  /** Who sees whom. */
  state: SubscriptionState;
  /** The request that waits for an answer, as it came. */
  request: XmlElement | undefined;
  /** Whether clients see it. One who only waits for an answer is not in the roster (RFC 6121 section 2.1.2.5). */
  listed: boolean;
}

/** The contacts of an account. */
export class Roster {
  readonly #contacts = new Map<BareJid, Contact>();

  /** One contact. */
  get(jid: BareJid): Contact | undefined {
    return this.#contacts.get(jid);
  }

  /** One contact, made if need be. Throws `resource-constraint` when there are too many. */
  obtain(jid: BareJid): Contact {
    const known = this.#contacts.get(jid);
    if (known !== undefined) return known;
    if (this.#contacts.size >= MOST_CONTACTS) throw new StanzaFault("resource-constraint", "too many contacts");
    const contact: Contact = {
      jid,
      name: undefined,
      groups: [],
      state: noSubscription,
      request: undefined,
      listed: false,
    };
    this.#contacts.set(jid, contact);
    return contact;
  }

  /** Forgets a contact. */
  delete(jid: BareJid): void {
    this.#contacts.delete(jid);
  }

  /** All of them, those who only wait for an answer too. */
  all(): readonly Contact[] {
    return [...this.#contacts.values()];
  }

  /** The state of a contact; none if there is no such contact. */
  stateOf(jid: BareJid): SubscriptionState {
    return this.#contacts.get(jid)?.state ?? noSubscription;
  }
}

/** A contact as clients see it (RFC 6121 section 2.1.2). */
export function rosterItem(contact: Contact): XmlElement {
  return el(
    "item",
    {
      jid: contact.jid,
      name: contact.name,
      subscription: subscriptionAttribute(contact.state),
      ask: contact.state.pendingOut ? "subscribe" : undefined,
    },
    ...contact.groups.map((group) => el("group", {}, group)),
  );
}
