import { localName, type XmlElement } from "../../src/codec/xml.ts";

/** An element without what does not matter: prefixes, the order of attributes, blanks between elements. */
export interface Canonical {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly children: readonly (Canonical | string)[];
}

/** The form in which two elements that mean the same are equal. */
export function canonical(element: XmlElement): Canonical {
  const attributes = Object.entries(element.attrs).filter(([name]) => name !== "xmlns" && !name.startsWith("xmlns:"));
  return {
    name: localName(element),
    namespace: element.getNS(),
    attributes: Object.fromEntries(attributes.sort(([a], [b]) => (a < b ? -1 : 1))),
    children: element.children
      .filter((child) => typeof child !== "string" || child.trim() !== "")
      .map((child) => (typeof child === "string" ? child : canonical(child))),
  };
}
