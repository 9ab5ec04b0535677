// XEP-0077 In-Band Registration, version 2.4: sections 3.1 (an account), 3.2 (its removal), 3.3 (another password), 4 (data
// forms), 5 (a page on the Web in their place).
import { ProtocolError } from "../core/errors.ts";
import { formIn, formTypeOf, buildDataForm, type DataForm } from "./data-form.ts";
import { ns } from "./namespaces.ts";
import { at, el, own, type XmlElement } from "./xml.ts";

/** What a server asks of whoever wants an account. */
export interface RegistrationForm {
  /** The asker has an account already. */
  readonly registered: boolean;
  /** Words for people; empty if none. */
  readonly instructions: string;
  /** The plain fields that are asked for, by name: `username`, `password`, perhaps `email` and others. */
  readonly fields: readonly string[];
  /** A data form (section 4), which comes before the plain fields. */
  readonly form?: DataForm;
  /** Where on the Web accounts are made (section 5, XEP-0066); empty if nothing is said of it. */
  readonly url: string;
}

/** The name and password of an account to be made. */
export interface Registration {
  /** The user name: the part of the JID before the `@`. */
  readonly username: string;
  /** The password. */
  readonly password: string;
}

const notFields: ReadonlySet<string> = new Set(["registered", "instructions", "remove"]);

/** Makes the request for the form. */
export function buildRegistrationRequest(): XmlElement {
  return el("query", { xmlns: ns.register });
}

/** Makes the form. */
export function buildRegistrationForm(form: RegistrationForm): XmlElement {
  return el(
    "query",
    { xmlns: ns.register },
    form.registered ? el("registered") : undefined,
    form.instructions === "" ? undefined : el("instructions", {}, form.instructions),
    ...form.fields.map((name) => el(name)),
    form.form === undefined ? undefined : buildDataForm(form.form),
    form.url === "" ? undefined : el("x", { xmlns: ns.oob }, el("url", {}, form.url)),
  );
}

/** Reads the form; elements of other namespaces are left aside. Throws `ERR_PROTOCOL`. */
export function parseRegistrationForm(query: XmlElement): RegistrationForm {
  const form = formIn(query);
  return {
    registered: children(query).some((child) => child.is("registered")),
    instructions: own(query.getChild("instructions", ns.register)?.text() ?? ""),
    fields: children(query)
      .map((child) => own(child.name))
      .filter((name) => !notFields.has(name)),
    ...(form !== undefined && { form }),
    url: own(query.getChild("x", ns.oob)?.getChild("url", ns.oob)?.text().trim() ?? ""),
  };
}

/** Makes the request that makes the account, by the data form that was filled in (section 4, rule 5). */
export function buildFormAnswer(form: DataForm): XmlElement {
  return el("query", { xmlns: ns.register }, buildDataForm(form));
}

/** Makes the request that removes the asker's own account (section 3.2). */
export function buildRemoval(): XmlElement {
  return el("query", { xmlns: ns.register }, el("remove"));
}

/** Makes the request that makes the account, or, of one who is logged in, changes its password (section 3.3). */
export function buildRegistration(registration: Registration): XmlElement {
  return el(
    "query",
    { xmlns: ns.register },
    el("username", {}, registration.username),
    el("password", {}, registration.password),
  );
}

/** Reads the request that makes an account, or removes the asker's own. Throws `ERR_PROTOCOL`. */
export function parseRegistration(query: XmlElement): Registration | "remove" {
  if (children(query).some((child) => child.is("remove"))) return "remove";
  const form = formIn(query);
  if (form !== undefined) {
    const purpose = formTypeOf(form);
    if (form.type !== "submit" || (purpose !== "" && purpose !== ns.register)) {
      throw new ProtocolError("not a form that was filled in for an account", `${at(query)}/x`);
    }
    return { username: answerIn(form, "username"), password: answerIn(form, "password") };
  }
  return { username: field(query, "username"), password: field(query, "password") };
}

function children(query: XmlElement): readonly XmlElement[] {
  if (!query.is("query", ns.register)) throw new ProtocolError("not a registration", at(query));
  return query.getChildElements().filter((child) => child.getNS() === ns.register);
}

function field(query: XmlElement, name: string): string {
  const text = query.getChild(name, ns.register)?.text() ?? "";
  if (text === "") throw new ProtocolError("missing or empty field", `${at(query)}/${name}`);
  return own(text);
}

function answerIn({ fields }: DataForm, name: string): string {
  const [value = ""] = fields.find((field) => field.name === name)?.values ?? [];
  if (value === "") throw new ProtocolError("missing or empty field", `query/x/field/${name}`);
  return value;
}
