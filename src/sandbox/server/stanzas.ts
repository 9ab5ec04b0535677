// RFC 6120 section 8: what a server does to the frame of a stanza.
import { tryParseJid, type Jid } from "../../core/jid.ts";
import { buildError } from "../../codec/stanza.ts";
import { ns } from "../../codec/namespaces.ts";
import { el, type Attributes, type XmlElement } from "../../codec/xml.ts";
import { MOST_DEPTH, MOST_STANZA_BYTES } from "./limits.ts";
import type { StanzaFault } from "./stanza-fault.ts";

/** The three kinds of stanza. */
export type StanzaKind = "iq" | "message" | "presence";

/** The kind of a stanza, `undefined` for any other element. A stanza made in memory may leave out its namespace. */
export function stanzaKind(stanza: XmlElement): StanzaKind | undefined {
  if ((stanza.getNS() ?? ns.client) !== ns.client) return undefined;
  return (["iq", "message", "presence"] as const).find((kind) => stanza.name === kind);
}

/** A stanza that nobody will be sent: too large or too deep. */
export class OversizedStanza extends Error {}

/**
 * A copy of a stanza with some attributes set anew (`undefined` takes one out). Every party gets a copy of its own:
 * over a wire nobody could change what another has received. Throws {@link OversizedStanza} beyond the limits.
 */
export function copyStanza(stanza: XmlElement, attributes: Attributes = {}): XmlElement {
  let size = 0;
  const count = (text: string): void => {
    size += text.length;
    if (size > MOST_STANZA_BYTES) throw new OversizedStanza();
  };
  const copy = (element: XmlElement, depth: number, changes: Attributes): XmlElement => {
    if (depth > MOST_DEPTH) throw new OversizedStanza();
    count(element.name);
    for (const [name, value] of Object.entries(element.attrs)) count(`${name}${value ?? ""}`);
    const children: (XmlElement | string)[] = [];
    for (const child of element.children) {
      if (typeof child === "string") count(child);
      children.push(typeof child === "string" ? child : copy(child, depth + 1, {}));
    }
    return el(element.name, { ...element.attrs, ...changes }, ...children);
  };
  return copy(stanza, 1, { xmlns: ns.client, ...attributes });
}

/** The result of an IQ request. `from` is what was asked, absent if nothing was (RFC 6120 section 8.1.2.1). */
export function resultOf(request: XmlElement, payload?: XmlElement): XmlElement {
  const { id, from, to } = request.attrs;
  return el("iq", { xmlns: ns.client, type: "result", id, from: to, to: from }, payload);
}

/** The error that a stanza comes back as. */
export function errorOf(stanza: XmlElement, fault: StanzaFault): XmlElement {
  const { id, from, to } = stanza.attrs;
  return el(stanza.name, { xmlns: ns.client, type: "error", id, from: to, to: from }, buildError(fault));
}

/**
 * Tells whether a stanza may be answered with an error: never an error or a result (RFC 6120 section 8.3.1), and not
 * what servers send on a client's behalf.
 */
export function mayBounce(stanza: XmlElement): boolean {
  const type = stanza.attrs["type"];
  if (type === "error") return false;
  if (stanza.name === "iq") return type !== "result";
  return stanza.name === "message" || (type !== "unavailable" && type !== "probe");
}

/** An address of a stanza that the server has stamped or checked before. */
export function addressOf(stanza: XmlElement, attribute: "from" | "to"): Jid {
  const jid = tryParseJid(stanza.attrs[attribute] ?? "");
  if (jid === undefined) throw new TypeError(`a stanza without a proper "${attribute}" inside the server`);
  return jid;
}
