// RFC 6120 section 8: the frame of every stanza, and error elements. RFC 6121 section 4.7.1: presence types.
import { ProtocolError, StanzaError, type ParameterProblem, type StanzaErrorType } from "../core/errors.ts";
import { ns } from "./namespaces.ts";
import { oldRefusal } from "./old-refusals.ts";
import { at, el, localName, optional, own, required, type XmlElement } from "./xml.ts";

/** The four kinds of IQ (RFC 6120 section 8.2.3). */
export type IqType = "get" | "set" | "result" | "error";

/** Makes an IQ. `from` is left to the server by clients; components give it. */
export function iq(
  attributes: { type: IqType; id: string; to?: string | undefined; from?: string | undefined },
  ...children: readonly (XmlElement | undefined)[]
): XmlElement {
  const { type, id, to, from } = attributes;
  return el("iq", { xmlns: ns.client, type, id, to, from }, ...children);
}

/** Makes a message that carries a payload. */
export function message(
  attributes: { to: string; from?: string | undefined; id?: string | undefined },
  ...children: readonly XmlElement[]
): XmlElement {
  const { to, from, id } = attributes;
  return el("message", { xmlns: ns.client, to, from, id }, ...children);
}

/** The presence types of RFC 6121 section 4.7.1; `available` stands for none. */
export type PresenceType =
  "available" | "unavailable" | "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed" | "probe" | "error";

const presenceTypes: ReadonlySet<string> = new Set<PresenceType>([
  "unavailable",
  "subscribe",
  "subscribed",
  "unsubscribe",
  "unsubscribed",
  "probe",
  "error",
]);

/** Makes presence: without `to` broadcast, with it directed or a matter of subscription. */
export function presence(
  attributes: { type?: PresenceType; to?: string | undefined; from?: string | undefined } = {},
  ...children: readonly (XmlElement | undefined)[]
): XmlElement {
  const { type = "available", to, from } = attributes;
  return el("presence", { xmlns: ns.client, type: type === "available" ? undefined : type, to, from }, ...children);
}

/** The type of a presence stanza. */
export function presenceType(stanza: XmlElement): PresenceType {
  const type = optional(stanza, "type");
  if (type === undefined) return "available";
  if (!presenceTypes.has(type)) throw new ProtocolError("unknown presence type", at(stanza, "type"));
  return type as PresenceType;
}

/** The priority in a presence stanza (RFC 6121 section 4.7.2.3); 0 where there is none, or nonsense. */
export function presencePriority(stanza: XmlElement): number {
  const text = stanza.getChild("priority", ns.client)?.text().trim() ?? "";
  const priority = /^[+-]?\d{1,3}$/.test(text) ? Number(text) : 0;
  return priority >= -128 && priority <= 127 ? priority : 0;
}

/** The type of an IQ. */
export function iqType(stanza: XmlElement): IqType {
  const type = required(stanza, "type");
  if (type === "get" || type === "set" || type === "result" || type === "error") return type;
  throw new ProtocolError("unknown iq type", at(stanza, "type"));
}

/** What an error element says (RFC 6120 section 8.3.2). */
export interface StanzaErrorInfo {
  /** The defined condition. */
  readonly condition: string;
  /** What the asker may do about it. */
  readonly type: StanzaErrorType;
  /** Words for people; empty if none. */
  readonly text: string;
  /** What is wrong with single control parameters (XEP-0325 3.1.3); absent where nothing is said of them. */
  readonly parameters?: readonly ParameterProblem[];
}

const errorTypes: ReadonlySet<string> = new Set<StanzaErrorType>(["auth", "cancel", "continue", "modify", "wait"]);

/** Makes an error element. */
export function buildError(info: Omit<StanzaErrorInfo, "text"> & { readonly text?: string }): XmlElement {
  return el(
    "error",
    { type: info.type },
    el(info.condition, { xmlns: ns.stanzas }),
    info.text ? el("text", { xmlns: ns.stanzas, "xml:lang": "en" }, info.text) : undefined,
    ...(info.parameters ?? []).map(({ name, text }) => el("paramError", { xmlns: ns.control, var: name }, text)),
  );
}

/** Reads an error element. Anything odd in it is still an error: `undefined-condition`, `cancel`. */
export function parseError(element: XmlElement | undefined): StanzaErrorInfo {
  const conditions = element?.getChildElements().filter((child) => child.getNS() === ns.stanzas) ?? [];
  const type = element === undefined ? undefined : optional(element, "type");
  const condition = conditions.find((child) => !child.is("text"));
  return {
    condition: condition === undefined ? "undefined-condition" : own(localName(condition)),
    type: errorTypes.has(type ?? "") ? (type as StanzaErrorType) : "cancel",
    text: own(conditions.find((child) => child.is("text"))?.text() ?? ""),
    ...parseParamErrors(element),
  };
}

function parseParamErrors(element: XmlElement | undefined): { parameters?: readonly ParameterProblem[] } {
  const parameters = (element?.getChildren("paramError", ns.control) ?? []).flatMap((child) => {
    const name = optional(child, "var");
    return name === undefined ? [] : [{ name, text: own(child.text()) }];
  });
  return parameters.length === 0 ? {} : { parameters };
}

/**
 * The error that an answer holds, if it is one. Old peers put `<error/>` into a result: that is the error too, never
 * a success (P-E2). Nor is a refusal in words of before 2014 in the place of an error (P-E3, P-E4), nor one of a
 * concentrator (S-E7).
 */
export function stanzaErrorOf(stanza: XmlElement, from: string): StanzaError | undefined {
  // In the stanza's own namespace: jabber:client, on a component's stream jabber:component:accept, or none.
  const child = stanza.getChildElements().find((element) => element.is("error") && element.getNS() === stanza.getNS());
  if (child === undefined) {
    for (const element of stanza.getChildElements()) {
      const old = oldRefusal(element);
      if (old !== undefined) return new StanzaError(old.condition, "cancel", from, old.text, old.parameters);
    }
    if (optional(stanza, "type") !== "error") return undefined;
  }
  const { condition, type, text, parameters } = parseError(child);
  return new StanzaError(condition, type, from, text, parameters);
}
