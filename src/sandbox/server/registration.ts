// XEP-0077 2.4: in-band registration, as the server sees it.
import { ns } from "../../codec/namespaces.ts";
import { el, type XmlElement } from "../../codec/xml.ts";
import type { FormField } from "../../codec/data-form.ts";
import { buildRegistrationForm, parseRegistration, type Registration } from "../../codec/registration.ts";
import { ProtocolError, RegistrationError } from "../../core/errors.ts";
import type { Jid } from "../../core/jid.ts";
import type { Accounts } from "./accounts.ts";
import { StanzaFault, type FaultCondition } from "./stanza-fault.ts";
import { errorOf, resultOf } from "./stanzas.ts";
import type { Account } from "./session.ts";

/**
 * How accounts can be made: by plain fields, by a data form beside them, as Prosody does (XEP-0077 section 4), or not at
 * all.
 */
export type RegistrationOffer = "fields" | "form" | "closed";

/**
 * Answers an IQ that came before authentication: it may ask for the form and fill it in (XEP-0077 section 3.1), and
 * nothing else.
 */
export function registerUnauthenticated(
  stanza: XmlElement,
  accounts: Accounts,
  domain: Jid,
  offer: RegistrationOffer,
): XmlElement {
  try {
    const [query, ...more] = stanza.getChildElements();
    if (query === undefined || more.length > 0) throw new StanzaFault("bad-request");
    const to = stanza.attrs["to"];
    const isTo = to === undefined || to === domain.domain;
    if (!query.is("query", ns.register) || !isTo || offer === "closed") {
      throw new StanzaFault("service-unavailable");
    }
    if (stanza.attrs["type"] === "get") return resultOf(stanza, registrationForm(offer));
    if (stanza.attrs["type"] !== "set") throw new StanzaFault("bad-request");
    makeAccount(query, accounts);
    return resultOf(stanza);
  } catch (error) {
    if (error instanceof StanzaFault) return errorOf(stanza, error);
    throw error;
  }
}

/** XEP-0077 section 3.1, example 2: what is to be filled in. Section 6: with a data form beside the plain fields. */
function registrationForm(offer: RegistrationOffer): XmlElement {
  const instructions = "Choose a user name and a password.";
  const field = (name: string, type: string, ...values: string[]): FormField => {
    return { name, type, label: "", required: type !== "hidden", values, media: false };
  };
  const fields = [
    field("FORM_TYPE", "hidden", ns.register),
    field("username", "text-single"),
    field("password", "text-private"),
  ];
  return buildRegistrationForm({
    ...{ registered: false, instructions, fields: ["username", "password"], url: "" },
    ...(offer === "form" && { form: { type: "form", title: "", instructions, fields } }),
  });
}

function makeAccount(query: XmlElement, accounts: Accounts): void {
  const { username, password } = filledIn(query);
  try {
    accounts.register(username, password);
  } catch (error) {
    if (error instanceof RegistrationError) throw new StanzaFault(error.condition as FaultCondition);
    throw error;
  }
}

function filledIn(query: XmlElement): Registration {
  try {
    const registration = parseRegistration(query);
    if (registration !== "remove") return registration;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  // XEP-0077 section 3.1, example 7
  throw new StanzaFault("not-acceptable", "A user name and a password are needed.");
}

/** What a client that is logged in asks (XEP-0077 sections 3.2 and 3.3): who am I, change my password, remove me. */
export function registeredAccount(
  type: "get" | "set",
  query: XmlElement,
  account: Account,
  accounts: Accounts,
): { payload?: XmlElement; remove?: boolean } {
  const { local } = account.jid;
  if (type === "get") {
    const payload = el("query", { xmlns: ns.register }, el("registered"), el("username", {}, local), el("password"));
    return { payload };
  }
  if (query.getChild("remove", ns.register) !== undefined) {
    if (query.getChildElements().length > 1) throw new StanzaFault("bad-request"); // XEP-0077 section 3.2, table 1
    return { remove: true };
  }
  const username = textOf(query, "username");
  const password = textOf(query, "password");
  // XEP-0077 section 3.3, table 2. Nobody changes another's password.
  if (!username || !password) throw new StanzaFault("bad-request");
  if (accounts.jidOf(username)?.bare !== account.jid.bare) throw new StanzaFault("not-allowed");
  accounts.setPassword(account, password);
  return {};
}

function textOf(query: XmlElement, name: string): string | undefined {
  return query.getChild(name, ns.register)?.text();
}
