// XEP-0004 Data Forms, version 2.13: sections 3.1 to 3.3, one form; XEP-0068: what a form is for; XEP-0221: what a field
// shows beside words; XEP-0336 as XEP-0325 3.3.1 uses it (`notSame`); XEP-0325 5.4. Left aside: lists of results (section 3.4).
import { ProtocolError } from "../core/errors.ts";
import { buildPage, parsePages, type FormPage } from "./form-layout.ts";
import { buildValidation, parseValidation, type FormValidation } from "./form-validation.ts";
import { ns } from "./namespaces.ts";
import { at, el, optional, own, required as needed, type XmlElement } from "./xml.ts";

/** What a form is: to be filled in, filled in, taken back, or a result. */
export type DataFormType = "form" | "submit" | "cancel" | "result";

/** One of the values that a field can be given. */
export interface FormOption {
  /** Words for people; empty if none. */
  readonly label: string;
  /** The value. */
  readonly value: string;
}

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
  /** What it is for, in words. Left out: not said. */
  readonly desc?: string;
  /** What can be chosen from, in a field of a list. Left out: it is no list, or one of nothing. */
  readonly options?: readonly FormOption[];
  /** What its values have to be (XEP-0122). Left out: not said. */
  readonly validation?: FormValidation;
  /** What it holds need not be what the form says: it is sent back only if somebody has edited it (XEP-0336). Left out: no. */
  readonly notSame?: true;
  /** The name of those parameters that are to be written together (XEP-0325 5.4). Left out: by itself. */
  readonly group?: string;
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
  /** Its pages (XEP-0141), which name its fields. Left out: not laid out. */
  readonly pages?: readonly FormPage[];
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
  const known = new Set(names);
  if (known.size < names.length) throw new ProtocolError("a field twice", `${at(form)}/field`);
  const pages = parsePages(form, known);
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
    ...(pages.length > 0 && { pages }),
  };
}

function parseField(field: XmlElement): FormField {
  const type = optional(field, "type") ?? "";
  const name = optional(field, "var") ?? "";
  if (name === "" && type !== "fixed") throw new ProtocolError("missing attribute", at(field, "var"));
  const desc = textOf(field, "desc");
  const options = field.getChildren("option", ns.form).map(parseOption);
  const validation = parseValidation(field.getChild("validate", ns.formValidation));
  const groups = field.getChildren("parameterGroup", ns.control);
  // XEP-0325 5.4: nobody could tell which one counts.
  if (groups.length > 1) throw new ProtocolError("a parameter in two groups", `${at(field)}/parameterGroup`);
  return {
    name,
    type,
    label: optional(field, "label") ?? "",
    required: field.getChild("required", ns.form) !== undefined,
    values: field.getChildren("value", ns.form).map(valueOf),
    media: field.getChild("media", ns.media) !== undefined,
    ...(desc !== "" && { desc }),
    ...(options.length > 0 && { options }),
    ...(validation !== undefined && { validation }),
    ...(field.getChild("notSame", ns.dynamicForm) !== undefined && { notSame: true as const }),
    ...(groups[0] !== undefined && { group: needed(groups[0], "name") }),
  };
}

function parseOption(option: XmlElement): FormOption {
  const value = option.getChild("value", ns.form);
  if (value === undefined) throw new ProtocolError("an option without a value", at(option));
  return { label: optional(option, "label") ?? "", value: valueOf(value) };
}

/** Section 3.2: a value is text. With an element in it nobody could tell whether what is left without that is meant. */
function valueOf(value: XmlElement): string {
  if (value.getChildElements().length > 0) throw new ProtocolError("a value that is not text", at(value));
  return own(value.text());
}

function textOf(parent: XmlElement, name: string): string {
  return own(parent.getChild(name, ns.form)?.text().trim() ?? "");
}

/** Makes a form. */
export function buildDataForm({ type, title, instructions, fields, pages = [] }: DataForm): XmlElement {
  return el(
    "x",
    { xmlns: ns.form, type },
    title === "" ? undefined : el("title", {}, title),
    ...(instructions === "" ? [] : instructions.split("\n").map((line) => el("instructions", {}, line))),
    ...pages.map(buildPage),
    ...fields.map(buildField),
  );
}

function buildField(field: FormField): XmlElement {
  const { name, type, label, required, values, media, desc, options = [], validation, notSame, group } = field;
  const given = { type: type === "" ? undefined : type, var: name === "" ? undefined : name };
  return el(
    "field",
    { ...given, label: label === "" ? undefined : label },
    desc === undefined ? undefined : el("desc", {}, desc),
    required ? el("required") : undefined,
    media ? el("media", { xmlns: ns.media }) : undefined,
    ...values.map((value) => el("value", {}, value)),
    ...options.map((option) =>
      el("option", { label: option.label === "" ? undefined : option.label }, el("value", {}, option.value)),
    ),
    validation === undefined ? undefined : buildValidation(validation),
    notSame === true ? el("notSame", { xmlns: ns.dynamicForm }) : undefined,
    group === undefined ? undefined : el("parameterGroup", { xmlns: ns.control, name: group }),
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
