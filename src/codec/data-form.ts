// XEP-0004 Data Forms, version 2.13: sections 3.1 to 3.3, one form; XEP-0068: what a form is for; XEP-0221: what a field
// shows beside words. Left aside: lists of results (section 3.4).
import { ProtocolError } from "../core/errors.ts";
import { ns } from "./namespaces.ts";
import { at, el, optional, own, type XmlElement } from "./xml.ts";

/** What a form is: to be filled in, filled in, taken back, or a result. */
export type DataFormType = "form" | "submit" | "cancel" | "result";

/** One field of a form. */
export interface FormField {
  /** Its name; empty for one that is only words for people (`fixed`). */
  readonly name: string;
  /** What can be in it, for instance `text-single`, `text-private`, `hidden`, `fixed`. Left out in answers. */
  readonly type: string;
  /** Words for people; empty if none. */
  readonly label: string;
  /** It must be filled in. */
  readonly required: boolean;
  /** What is in it. */
  readonly values: readonly string[];
  /** Whether a picture or a sound belongs to it, as for a CAPTCHA (XEP-0158). */
  readonly media: boolean;
}

/** A form. */
export interface DataForm {
  /** What it is. */
  readonly type: DataFormType;
  /** Its name, for people; empty if none. */
  readonly title: string;
  /** Words for people; empty if none. */
  readonly instructions: string;
  /** Its fields, in their order. */
  readonly fields: readonly FormField[];
}

const types: ReadonlySet<string> = new Set<DataFormType>(["form", "submit", "cancel", "result"]);
// XEP-0068 section 3
const FORM_TYPE = "FORM_TYPE";

/** The form inside an element; `undefined` if there is none. Throws `ERR_PROTOCOL`. */
export function formIn(parent: XmlElement): DataForm | undefined {
  const form = parent.getChild("x", ns.form);
  return form === undefined ? undefined : parseDataForm(form);
}

/** Reads a form. Throws `ERR_PROTOCOL`, also for a field that stands in it twice: nobody could tell which one counts. */
export function parseDataForm(form: XmlElement): DataForm {
  if (!form.is("x", ns.form)) throw new ProtocolError("not a data form", at(form));
  const type = optional(form, "type") ?? "";
  if (!types.has(type)) throw new ProtocolError("unknown type of form", at(form, "type"));
  const fields = form.getChildren("field", ns.form).map(parseField);
  const names = fields.map(({ name }) => name).filter((name) => name !== "");
  if (new Set(names).size < names.length) throw new ProtocolError("a field twice", `${at(form)}/field`);
  return {
    type: type as DataFormType,
    title: textOf(form, "title"),
    // Section 3.2: there may be several.
    instructions: form
      .getChildren("instructions", ns.form)
      .map((element) => own(element.text().trim()))
      .filter((text) => text !== "")
      .join("\n"),
    fields,
  };
}

function parseField(field: XmlElement): FormField {
  const type = optional(field, "type") ?? "";
  const name = optional(field, "var") ?? "";
  if (name === "" && type !== "fixed") throw new ProtocolError("missing attribute", at(field, "var"));
  return {
    name,
    type,
    label: optional(field, "label") ?? "",
    required: field.getChild("required", ns.form) !== undefined,
    values: field.getChildren("value", ns.form).map((value) => own(value.text())),
    media: field.getChild("media", ns.media) !== undefined,
  };
}

function textOf(form: XmlElement, name: string): string {
  return own(form.getChild(name, ns.form)?.text().trim() ?? "");
}

/** Makes a form. */
export function buildDataForm({ type, title, instructions, fields }: DataForm): XmlElement {
  return el(
    "x",
    { xmlns: ns.form, type },
    title === "" ? undefined : el("title", {}, title),
    ...(instructions === "" ? [] : instructions.split("\n").map((line) => el("instructions", {}, line))),
    ...fields.map(buildField),
  );
}

function buildField({ name, type, label, required, values, media }: FormField): XmlElement {
  const given = { type: type === "" ? undefined : type, var: name === "" ? undefined : name };
  return el(
    "field",
    { ...given, label: label === "" ? undefined : label },
    required ? el("required") : undefined,
    media ? el("media", { xmlns: ns.media }) : undefined,
    ...values.map((value) => el("value", {}, value)),
  );
}

/** What a form is for (XEP-0068), for instance `jabber:iq:register`; empty if it does not say. */
export function formTypeOf({ fields }: DataForm): string {
  return fields.find(({ name }) => name === FORM_TYPE)?.values[0] ?? "";
}

/** A field of an answer. */
export function answerField(name: string, ...values: readonly string[]): FormField {
  return { name, type: "", label: "", required: false, values, media: false };
}

/**
 * The answer to a form: what is given, and its hidden fields as they came (XEP-0004 section 3.3). Fields that need not
 * be filled in, and are not given, are left out (section 3.2).
 */
export function fillIn(form: DataForm, given: ReadonlyMap<string, string>): DataForm {
  const fields = form.fields.flatMap(({ name, type, values }) => {
    const value = given.get(name);
    if (value !== undefined) return [answerField(name, value)];
    return type === "hidden" ? [answerField(name, ...values)] : [];
  });
  return { type: "submit", title: "", instructions: "", fields };
}
