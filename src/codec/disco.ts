// XEP-0030 Service Discovery 2.5: sections 3 (disco#info) and 4 (disco#items), as XEP-0324 4 and XEP-0347 4 use them.
import { ProtocolError } from "../core/errors.ts";
import { tryParseJid, type BareJid } from "../core/jid.ts";
import { ns } from "./namespaces.ts";
import { el, optional, type XmlElement } from "./xml.ts";

/** What an entity is and can do. */
export interface DiscoInfo {
  /** What it is: category and type of the XMPP registrar. */
  readonly identities: readonly { readonly category: string; readonly type: string; readonly name?: string }[];
  /** The namespaces it understands. */
  readonly features: readonly string[];
}

/**
 * Asks what an entity can do.
 *
 * @param node a part of it; default: the whole
 */
export function buildInfoQuery(node?: string): XmlElement {
  return el("query", { xmlns: ns.discoInfo, node });
}

/**
 * Answers what one can do.
 *
 * @param node the node that was asked about, as it was named; none if none was
 */
export function buildInfo(info: DiscoInfo, node?: string): XmlElement {
  return el(
    "query",
    { xmlns: ns.discoInfo, node },
    ...info.identities.map(({ category, type, name }) => el("identity", { category, type, name })),
    ...info.features.map((feature) => el("feature", { var: feature })),
  );
}

/** Reads what an entity can do. */
export function parseInfo(element: XmlElement | undefined): DiscoInfo {
  if (!element?.is("query", ns.discoInfo)) throw new ProtocolError("not a disco#info answer", element?.name ?? "");
  return {
    identities: element.getChildren("identity", ns.discoInfo).map((identity) => {
      const name = optional(identity, "name");
      return {
        category: optional(identity, "category") ?? "",
        type: optional(identity, "type") ?? "",
        ...(name !== undefined && { name }),
      };
    }),
    features: element.getChildren("feature", ns.discoInfo).flatMap((feature) => optional(feature, "var") ?? []),
  };
}

/** Asks which components a server has. */
export function buildItemsQuery(): XmlElement {
  return el("query", { xmlns: ns.discoItems });
}

/** Answers which components a server has. */
export function buildItems(items: readonly { jid: string; name?: string | undefined }[]): XmlElement {
  return el("query", { xmlns: ns.discoItems }, ...items.map(({ jid, name }) => el("item", { jid, name })));
}

/** Reads a server's components; addresses that are none are left out, doubles too. */
export function parseItems(element: XmlElement | undefined): readonly BareJid[] {
  if (!element?.is("query", ns.discoItems)) throw new ProtocolError("not a disco#items answer", element?.name ?? "");
  const found = element
    .getChildren("item", ns.discoItems)
    .flatMap((item) => tryParseJid(optional(item, "jid") ?? "")?.bare ?? []);
  return [...new Set(found)];
}
