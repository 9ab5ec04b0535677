// RFC 6121 section 2: the roster, as client and server exchange it.
import { ProtocolError } from "../core/errors.ts";
import { parseJid, type BareJid } from "../core/jid.ts";
import { ns } from "./namespaces.ts";
import { at, el, nonEmpty, optional, own, required, type XmlElement } from "./xml.ts";

/**
 * Who sees whose presence (RFC 6121 section 2.1.2.5): `to`: the owner of the roster sees the contact's; `from`: the
 * contact sees the owner's; `both`; `none`. `remove` stands only in a push and in the request that removes.
 */
export type Subscription = "none" | "to" | "from" | "both" | "remove";

/** One contact. */
export interface RosterItem {
  /** The contact. */
  readonly jid: BareJid;
  /** Who sees whose presence. */
  readonly subscription: Subscription;
  /** The owner of the roster has asked to see the contact's presence and has no answer yet (`ask='subscribe'`). */
  readonly pendingOut: boolean;
  /** A name for people; empty if none. */
  readonly name: string;
  /** Groups for people. */
  readonly groups: readonly string[];
}

const subscriptions: ReadonlySet<string> = new Set<Subscription>(["none", "to", "from", "both", "remove"]);

/** Reads the `query` of a roster result, push or set. Throws `ERR_PROTOCOL`. */
export function parseRoster(query: XmlElement): readonly RosterItem[] {
  if (!query.is("query", ns.roster)) throw new ProtocolError("not a roster", at(query));
  return query.getChildren("item", ns.roster).map(parseItem);
}

/** Reads a push or set, which names exactly one contact (RFC 6121 sections 2.1.5 and 2.1.6). Throws `ERR_PROTOCOL`. */
export function parseRosterPush(query: XmlElement): RosterItem {
  const [item, ...more] = parseRoster(query);
  if (item === undefined || more.length > 0) throw new ProtocolError("not exactly one item", at(query));
  return item;
}

function parseItem(item: XmlElement): RosterItem {
  const subscription = nonEmpty(item, "subscription") ?? "none";
  if (!subscriptions.has(subscription)) throw new ProtocolError("unknown subscription", at(item, "subscription"));
  return {
    jid: parseJid(required(item, "jid"), at(item, "jid")).bare,
    subscription: subscription as Subscription,
    pendingOut: optional(item, "ask") === "subscribe",
    name: optional(item, "name") ?? "",
    groups: item.getChildren("group", ns.roster).map((group) => own(group.text())),
  };
}

/** Makes a `query`: without items the request for the roster, with them a result, a push or a set. */
export function buildRoster(items: readonly RosterItem[] = []): XmlElement {
  return el("query", { xmlns: ns.roster }, ...items.map(buildItem));
}

/** Makes the request that removes a contact and ends both subscriptions (RFC 6121 section 2.5). */
export function buildRosterRemoval(jid: BareJid): XmlElement {
  return el("query", { xmlns: ns.roster }, el("item", { jid, subscription: "remove" }));
}

function buildItem(item: RosterItem): XmlElement {
  return el(
    "item",
    {
      jid: item.jid,
      subscription: item.subscription,
      ask: item.pendingOut ? "subscribe" : undefined,
      name: item.name === "" ? undefined : item.name,
    },
    ...item.groups.map((group) => el("group", {}, group)),
  );
}
