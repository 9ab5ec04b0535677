// XEP-0122 Data Forms Validation, version 1.0.2: sections 3.1 to 3.3. What it says is for whoever fills a form in; whoever gets
// it back checks for himself (section 5).
import { ProtocolError } from "../core/errors.ts";
import { ns } from "./namespaces.ts";
import { at, el, optional, own, type XmlElement } from "./xml.ts";

/** Ends of a range, both of them in it, in the words of the type. Left out: no end. */
export interface FormRange {
  /** The lowest value. */
  readonly min?: string;
  /** The highest one. */
  readonly max?: string;
}

/** How a value is checked (section 3.2): by its type alone, also beside the options, in a range, by a regular expression. */
export type ValidationMethod =
  | { readonly is: "basic" }
  | { readonly is: "open" }
  | ({ readonly is: "range" } & FormRange)
  | { readonly is: "regex"; readonly pattern: string };

/** What the values of a field have to be. */
export interface FormValidation {
  /** Their type, with its prefix, for instance `xs:int`; `xs:string` if none is said. */
  readonly datatype: string;
  /** How a value is checked. */
  readonly method: ValidationMethod;
  /** How many are to be chosen of a list (section 3.3). Left out: not said. */
  readonly listRange?: FormRange;
}

/** Reads `validate`; `undefined` for none. Throws `ERR_PROTOCOL` for more than one method (section 3.2). */
export function parseValidation(validate: XmlElement | undefined): FormValidation | undefined {
  if (validate === undefined) return undefined;
  const methods = validate.getChildElements().flatMap((child) => methodOf(child) ?? []);
  if (methods.length > 1) throw new ProtocolError("more than one way of validation", at(validate));
  const listRange = validate.getChild("list-range", ns.formValidation);
  return {
    datatype: optional(validate, "datatype") ?? "xs:string",
    // Section 3.2: basic if none is said.
    method: methods[0] ?? { is: "basic" },
    ...(listRange !== undefined && { listRange: rangeOf(listRange) }),
  };
}

function methodOf(child: XmlElement): ValidationMethod | undefined {
  if (child.is("basic", ns.formValidation)) return { is: "basic" };
  if (child.is("open", ns.formValidation)) return { is: "open" };
  if (child.is("range", ns.formValidation)) return { is: "range", ...rangeOf(child) };
  return child.is("regex", ns.formValidation) ? { is: "regex", pattern: own(child.text()) } : undefined;
}

function rangeOf(range: XmlElement): FormRange {
  const min = optional(range, "min");
  const max = optional(range, "max");
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

/** Makes `validate`. */
export function buildValidation({ datatype, method, listRange }: FormValidation): XmlElement {
  // The prefix of colours is not known by itself (section 4.2; XEP-0331).
  const color = datatype.startsWith("xdc:") ? { "xmlns:xdc": ns.formColor } : {};
  return el(
    "validate",
    { xmlns: ns.formValidation, ...color, datatype },
    buildMethod(method),
    listRange === undefined ? undefined : el("list-range", { min: listRange.min, max: listRange.max }),
  );
}

function buildMethod(method: ValidationMethod): XmlElement {
  if (method.is === "range") return el("range", { min: method.min, max: method.max });
  return method.is === "regex" ? el("regex", {}, method.pattern) : el(method.is);
}
