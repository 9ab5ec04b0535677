// XEP-0325 Internet of Things - Control 0.5.1: sections 3.3.1 and 3.4.4 (getForm), 5.6, 6.2. The answer is a form (data-form.ts).
import { ProtocolError } from "../core/errors.ts";
import { ns } from "./namespaces.ts";
import { nodeAttributes, parseNodeRef, type NodeRef } from "./node-ref.ts";
import { parseTokens, tokenAttributes, type Tokens } from "./tokens.ts";
import { el, nonEmpty, type XmlElement } from "./xml.ts";

/** A request for a control form (XEP-0325 3.3.1, 3.4.4). */
export interface GetForm {
  /** The nodes that it is to be about: what they have in common. Empty: the Thing itself. */
  readonly nodes: readonly NodeRef[];
  /** The tokens that the controller presents. */
  readonly tokens: Tokens;
  /** The language in which people are to read it (XEP-0325 6.2), for instance `en`. Left out: any. */
  readonly lang?: string;
}

/** Makes `getForm`. */
export function buildGetForm({ nodes, tokens, lang }: GetForm): XmlElement {
  return el(
    "getForm",
    { xmlns: ns.control, ...tokenAttributes(tokens), "xml:lang": lang },
    ...nodes.map((node) => el("node", nodeAttributes(node))),
  );
}

/** Reads `getForm`. */
export function parseGetForm(element: XmlElement): GetForm {
  if (!element.is("getForm", ns.control)) throw new ProtocolError("not a getForm of XEP-0325", element.name);
  const lang = nonEmpty(element, "xml:lang");
  return {
    nodes: element.getChildren("node", ns.control).map(parseNodeRef),
    tokens: parseTokens(element),
    ...(lang !== undefined && { lang }),
  };
}
