// XEP-0324 Internet of Things - Provisioning 0.5.1: sections 3.2.3 and 3.2.4, what a server says of friendships unasked.
import { ProtocolError } from "../core/errors.ts";
import { parseJid, type BareJid } from "../core/jid.ts";
import { ns } from "./namespaces.ts";
import { at, el, required, type XmlElement } from "./xml.ts";

/** With whom a friendship is to begin or to end (XEP-0324 3.2.3, 3.2.4). */
export interface Friendship {
  /** The other one; a resource is left out (P-E17). */
  readonly jid: BareJid;
}

function parse(element: XmlElement | undefined, name: string): Friendship {
  if (!element?.is(name, ns.provisioning)) throw new ProtocolError(`not a ${name} of XEP-0324`, element?.name ?? "");
  return { jid: parseJid(required(element, "jid"), at(element, "jid")).bare };
}

/** Makes `friend`, the recommendation of a friendship (XEP-0324 3.2.4). */
export function buildFriend({ jid }: Friendship): XmlElement {
  return el("friend", { xmlns: ns.provisioning, jid });
}

/** Reads `friend`. Throws `ERR_PROTOCOL`. */
export function parseFriend(element: XmlElement | undefined): Friendship {
  return parse(element, "friend");
}

/** Makes `unfriend`, the end of a friendship (XEP-0324 3.2.3). */
export function buildUnfriend({ jid }: Friendship): XmlElement {
  return el("unfriend", { xmlns: ns.provisioning, jid });
}

/** Reads `unfriend`. Throws `ERR_PROTOCOL`. */
export function parseUnfriend(element: XmlElement | undefined): Friendship {
  return parse(element, "unfriend");
}
