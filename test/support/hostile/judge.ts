// What a Thing may do while nobody lawful speaks, judged by what it says and holds. Knows the protocol, not the code.
import type { XmlElement } from "../../../src/codec/xml.ts";
import { DOMAIN, FULL, OWNER, READER, REGISTRY, SELF, SERVER } from "./cast.ts";

const bareOf = (jid: string): string => (jid.split("/")[0] ?? "").toLowerCase().replace(/\.$/, "");
const ownAccount = (to: string | undefined): boolean =>
  to === undefined || to === "" || [SELF, DOMAIN].includes(bareOf(to)) || to === FULL;

/** What is wrong with a stanza that the Thing sent; `undefined` if nothing is. */
export function wrongWith(stanza: XmlElement): string | undefined {
  return isRight(stanza) ? undefined : `the Thing sent ${stanza.toString().slice(0, 1_000)}`;
}

function isRight(stanza: XmlElement): boolean {
  const { to, type } = stanza.attrs;
  const peer = to === undefined ? undefined : bareOf(to);
  const others = [REGISTRY, SERVER, OWNER];
  if (stanza.is("presence")) {
    if (type === undefined || type === "unavailable") return peer === undefined || others.includes(peer);
    // Owner, Registry and servers are friends without a question; about everybody else nobody has answered.
    if (type === "subscribed") return peer !== undefined && others.includes(peer);
    return type === "subscribe" && peer === OWNER;
  }
  const child = stanza.getChildElements()[0];
  if (stanza.is("message")) {
    if (peer !== READER) return false;
    if (child?.is("failure")) return true;
    const fields = (child?.getChildElements() ?? [])
      .flatMap((node) => node.getChildElements())
      .flatMap((timestamp) => timestamp.getChildElements());
    return child?.is("fields") === true && fields.every((field) => field.attrs["name"] === "Temperature");
  }
  if (type === "error") return true;
  if (type === "get" || type === "set") return peer === undefined || peer === REGISTRY || peer === SERVER;
  // A result says that something was done, or tells something.
  if (child === undefined) return ownAccount(to);
  if (child.is("accepted", "urn:xmpp:iot:sensordata")) return peer === READER;
  return child.is("query", "http://jabber.org/protocol/disco#info");
}

/** Whether the Thing may have decided so: `kind jid source`. */
export function mayGrant(decision: string): boolean {
  const [kind, jid, source] = decision.split(" ");
  if (kind === "friend") return source === "owner" && [REGISTRY, SERVER, OWNER].includes(jid ?? "");
  return kind === "read" && jid === READER && source === "cache";
}
