// XEP-0077 In-Band Registration, version 2.4: sections 3.1 (an account) and 3.2 (its removal), the plain form.
import { ProtocolError } from "../core/errors.ts";
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
  );
}

/** Reads the form; elements of other namespaces (a data form, a URL) are left aside. Throws `ERR_PROTOCOL`. */
export function parseRegistrationForm(query: XmlElement): RegistrationForm {
  return {
    registered: children(query).some((child) => child.is("registered")),
    instructions: own(query.getChild("instructions", ns.register)?.text() ?? ""),
    fields: children(query)
      .map((child) => own(child.name))
      .filter((name) => !notFields.has(name)),
  };
}

/** Makes the request that makes the account. */
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
