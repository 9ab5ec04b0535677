// RFC 6121 section 2: managing the roster.
import { ns } from "../../codec/namespaces.ts";
import { el, nonEmpty, optional, own, type XmlElement } from "../../codec/xml.ts";
import { tryParseJid } from "../../core/jid.ts";
import { MOST_GROUPS } from "./limits.ts";
import { rosterItem } from "./roster.ts";
import type { BoundSession } from "./session.ts";
import { StanzaFault } from "./stanza-fault.ts";
import type { Subscriptions } from "./subscriptions.ts";

const LONGEST_NAME = 1_023; // bytes: the bound that addresses have, for want of another

/** RFC 6121 section 2.2: gives the roster and tells the client of changes from now on. */
export function getRoster(session: BoundSession): XmlElement {
  session.interested = true;
  const contacts = session.account.roster.all().filter(({ listed }) => listed);
  return el("query", { xmlns: ns.roster }, ...contacts.map(rosterItem));
}

/** RFC 6121 sections 2.3 to 2.5: adds, changes or removes one contact. */
export function setRoster(session: BoundSession, query: XmlElement, subscriptions: Subscriptions): void {
  const { account } = session;
  const items = query.getChildElements();
  const item = items[0];
  // RFC 6121 section 2.1.5: exactly one item
  if (item === undefined || items.length > 1 || !item.is("item", ns.roster)) throw new StanzaFault("bad-request");
  const jid = tryParseJid(optional(item, "jid") ?? "");
  if (jid === undefined || jid.resource !== "") throw new StanzaFault("bad-request", "No bare JID.");
  if (jid.bare === account.jid.bare) throw new StanzaFault("not-allowed", "Nobody is a contact of oneself.");

  if (optional(item, "subscription") === "remove") {
    const contact = account.roster.get(jid.bare);
    if (!contact?.listed) throw new StanzaFault("item-not-found"); // section 2.5.3
    return subscriptions.removeContact(account, contact);
  }
  // Everything is checked before anything is changed. Other values of `subscription` are ignored (section 2.1.2.5).
  const name = nonEmpty(item, "name");
  const groups = groupsOf(item);
  if (tooLong(name ?? "")) throw new StanzaFault("not-acceptable", "Too long a name.");
  const contact = account.roster.obtain(jid.bare);
  contact.name = name;
  contact.groups = groups;
  contact.listed = true;
  subscriptions.push(account, contact);
}

/** RFC 6121 section 2.3.3. */
function groupsOf(item: XmlElement): readonly string[] {
  const groups = item.getChildren("group", ns.roster).map((group) => own(group.text()));
  if (new Set(groups).size !== groups.length) throw new StanzaFault("bad-request", "The same group twice.");
  if (groups.includes("")) throw new StanzaFault("not-acceptable", "A group without a name.");
  if (groups.length > MOST_GROUPS || groups.some(tooLong)) throw new StanzaFault("not-acceptable", "Too many groups.");
  return groups;
}

function tooLong(name: string): boolean {
  return Buffer.byteLength(name) > LONGEST_NAME;
}
