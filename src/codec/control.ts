// XEP-0325 Internet of Things - Control 0.5.1: sections 3.1.2 (set, setResponse), 3.1.3 (paramError), 3.2, 5.6.
import { ProtocolError } from "../core/errors.ts";
import { ns } from "./namespaces.ts";
import { nodeAttributes, parseNodeRef, type NodeRef } from "./node-ref.ts";
import { parseTokens, tokenAttributes, type Tokens } from "./tokens.ts";
import { el, localName, nonEmpty, required, requiredFlag, type XmlElement } from "./xml.ts";

/** The kinds of parameter of XEP-0325 3.2 that are read as they are written: what they mean is not looked at. */
const otherKinds = ["int", "long", "string", "double", "date", "time", "dateTime", "duration", "color"] as const;

/** The kind of a control parameter. */
export type ParameterKind = "boolean" | (typeof otherKinds)[number];

/** A parameter and the value it is to have. */
export type ParameterSetting =
  | { readonly kind: "boolean"; readonly name: string; readonly value: boolean }
  | { readonly kind: Exclude<ParameterKind, "boolean">; readonly name: string; readonly value: string };

/** A request to set parameters (XEP-0325 3.1.2, 3.2). */
export interface SetRequest {
  /** The nodes to set them on; empty: all. */
  readonly nodes: readonly NodeRef[];
  /** What to set, in the order in which it is to be set (XEP-0325 3.2.11). */
  readonly parameters: readonly ParameterSetting[];
  /** The tokens that the controller presents. */
  readonly tokens: Tokens;
  /** True if it holds a control form too (XEP-0325 3.3.3), whose fields are not read. */
  readonly hasForm: boolean;
}

/** What was set (XEP-0325 3.1.2). Empty lists mean: all that was asked for. */
export interface SetResponse {
  /** The nodes that were controlled. */
  readonly nodes: readonly NodeRef[];
  /** The names of the parameters that were set. */
  readonly parameters: readonly string[];
  /** What peers of before 2014 say of success and failure (P-E4). */
  readonly responseCode?: string;
}

function expect(element: XmlElement | undefined, name: string): XmlElement {
  if (element?.is(name, ns.control)) return element;
  throw new ProtocolError(`not a ${name} of XEP-0325`, element?.name ?? "");
}

/** Makes `set`. */
export function buildSet(value: Omit<SetRequest, "hasForm">): XmlElement {
  return el(
    "set",
    { xmlns: ns.control, ...tokenAttributes(value.tokens) },
    ...value.nodes.map((node) => el("node", nodeAttributes(node))),
    ...value.parameters.map(({ kind, name, value: wanted }) => el(kind, { name, value: wanted })),
  );
}

/**
 * Reads `set`. Everywhere else what is unknown is ignored; what is not understood here would be left out and yet
 * acknowledged, so it makes the whole request a bad one.
 */
export function parseSet(element: XmlElement): SetRequest {
  const set = expect(element, "set");
  const nodes: NodeRef[] = [];
  const parameters: ParameterSetting[] = [];
  let hasForm = false;
  for (const child of set.getChildElements()) {
    if (child.is("node", ns.control)) nodes.push(parseNodeRef(child));
    else if (child.is("x", ns.form)) hasForm = true;
    else parameters.push(parseParameter(child));
  }
  return { nodes, parameters, tokens: parseTokens(set), hasForm };
}

function parseParameter(element: XmlElement): ParameterSetting {
  if (element.is("boolean", ns.control)) {
    return { kind: "boolean", name: required(element, "name"), value: requiredFlag(element, "value") };
  }
  const kind = otherKinds.find((name) => element.is(name, ns.control));
  if (kind === undefined) throw new ProtocolError(`an unknown kind of parameter, ${localName(element)}`, "set");
  return { kind, name: required(element, "name"), value: required(element, "value") };
}

/** Makes `setResponse`. Without lists it says that all was done as asked. */
export function buildSetResponse(value: Omit<SetResponse, "responseCode">): XmlElement {
  return el(
    "setResponse",
    { xmlns: ns.control },
    ...value.nodes.map((node) => el("node", nodeAttributes(node))),
    ...value.parameters.map((name) => el("parameter", { name })),
  );
}

/** Reads `setResponse`. Whether an old `responseCode` means success is for {@link refusalCode} to say. */
export function parseSetResponse(element: XmlElement | undefined): SetResponse {
  const response = expect(element, "setResponse");
  const responseCode = nonEmpty(response, "responseCode");
  return {
    nodes: response.getChildren("node", ns.control).map(parseNodeRef),
    parameters: response.getChildren("parameter", ns.control).map((parameter) => required(parameter, "name")),
    ...(responseCode !== undefined && { responseCode }),
  };
}

/**
 * The code with which a peer of before 2014 refuses, in a result or an error (P-E4); `undefined` for every other
 * element, and for success.
 */
export function refusalCode(element: XmlElement): string | undefined {
  const code = element.is("setResponse", ns.control) ? nonEmpty(element, "responseCode") : undefined;
  return code === "OK" ? undefined : code;
}
