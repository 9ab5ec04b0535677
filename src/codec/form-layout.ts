// XEP-0141 Data Forms Layout, version 1.0: pages and sections, which name the fields of a form. Left aside: tables of results
// (`reportedref`).
import { ProtocolError } from "../core/errors.ts";
import { ns } from "./namespaces.ts";
import { at, el, optional, own, type XmlElement } from "./xml.ts";

/** What stands on a page or in a section, in its order: a field, words for people, a section of its own. */
export type LayoutPart =
  | { readonly field: string }
  | { readonly text: string }
  | { readonly section: string; readonly parts: readonly LayoutPart[] };

/** A page of a form. */
export interface FormPage {
  /** Its name, for people; empty if none. */
  readonly label: string;
  /** What stands on it. */
  readonly parts: readonly LayoutPart[];
}

// Sections may stand in sections; nobody shows more than a few.
const DEEPEST = 8;

/**
 * The pages of a form. What they name that is no field of it is left out (S-E6). Throws `ERR_PROTOCOL` for sections in
 * sections without end.
 */
export function parsePages(form: XmlElement, fields: ReadonlySet<string>): readonly FormPage[] {
  return form
    .getChildren("page", ns.formLayout)
    .map((page) => ({ label: optional(page, "label") ?? "", parts: partsOf(page, fields, 0) }));
}

function partsOf(parent: XmlElement, fields: ReadonlySet<string>, depth: number): readonly LayoutPart[] {
  if (depth > DEEPEST) throw new ProtocolError("sections in too many sections", at(parent));
  return parent.getChildElements().flatMap((child): readonly LayoutPart[] => {
    if (child.is("text", ns.formLayout)) return [{ text: own(child.text()) }];
    if (child.is("section", ns.formLayout)) {
      return [{ section: optional(child, "label") ?? "", parts: partsOf(child, fields, depth + 1) }];
    }
    const field = child.is("fieldref", ns.formLayout) ? optional(child, "var") : undefined;
    return field !== undefined && fields.has(field) ? [{ field }] : [];
  });
}

/** Makes a page. */
export function buildPage({ label, parts }: FormPage): XmlElement {
  return el("page", { xmlns: ns.formLayout, label: label === "" ? undefined : label }, ...parts.map(buildPart));
}

function buildPart(part: LayoutPart): XmlElement {
  if ("field" in part) return el("fieldref", { var: part.field });
  if ("text" in part) return el("text", {}, part.text);
  return el("section", { label: part.section === "" ? undefined : part.section }, ...part.parts.map(buildPart));
}

/** The names of the fields of a page, in their order, those of its sections too. */
export function fieldsOfPage({ parts }: FormPage): readonly string[] {
  return parts.flatMap((part) => {
    if ("field" in part) return [part.field];
    return "section" in part ? fieldsOfPage({ label: part.section, parts: part.parts }) : [];
  });
}
