// What the elements of XEP-0324 have in common.
import { ProtocolError } from "../core/errors.ts";
import { parseJid, type BareJid } from "../core/jid.ts";
import { ns } from "./namespaces.ts";
import { parseNodeRef, type NodeRef } from "./node-ref.ts";
import { at, optional, required, type XmlElement } from "./xml.ts";

/** The element, if it is the one of that name. */
export function expect(element: XmlElement | undefined, name: string): XmlElement {
  if (element?.is(name, ns.provisioning)) return element;
  throw new ProtocolError(`not a ${name} of XEP-0324`, element?.name ?? "");
}

/**
 * Refuses an answer that holds other children. Everywhere else what is unknown is ignored; here a list is a restriction,
 * and one that is not understood would widen what is granted.
 */
export function expectOnly(response: XmlElement, names: readonly string[]): void {
  for (const child of response.getChildElements()) {
    if (!names.some((name) => child.is(name, ns.provisioning))) {
      throw new ProtocolError(`an unknown restriction, ${child.name}`, response.name);
    }
  }
}

/** Reads `jid`, without its resource. */
export function requiredJid(element: XmlElement): BareJid {
  return parseJid(required(element, "jid"), at(element, "jid")).bare;
}

/** Reads `jid` of an answer, where a peer may leave it out (P-E29). */
export function optionalJid(element: XmlElement): { jid?: BareJid } {
  return optional(element, "jid") === undefined ? {} : { jid: requiredJid(element) };
}

/** Reads the names of all children of that name. */
export function parseNames(element: XmlElement, name: string): readonly string[] {
  return element.getChildren(name, ns.provisioning).map((child) => required(child, "name"));
}

/** Reads all nodes. */
export function parseNodes(element: XmlElement): readonly NodeRef[] {
  return element.getChildren("node", ns.provisioning).map(parseNodeRef);
}
