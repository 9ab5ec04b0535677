// XEP-0325 Internet of Things - Control 0.5.1: sections 3.1.2 (set, setResponse), 3.1.3 (paramError), 3.2, 3.3.3, 5.6.
import { ProtocolError, type ParameterProblem } from "../core/errors.ts";
import { buildDataForm, parseDataForm, type DataForm } from "./data-form.ts";
import { ns } from "./namespaces.ts";
import { nodeAttributes, parseNodeRef, type NodeRef } from "./node-ref.ts";
import { parseTokens, tokenAttributes, type Tokens } from "./tokens.ts";
import { at, el, localName, nonEmpty, optional, required, type XmlElement } from "./xml.ts";
import { formatXs, parseXs, type XsValues } from "./xs-values.ts";

/** The kind of a control parameter. */
export type ParameterKind =
  "boolean" | "int" | "long" | "string" | "double" | "date" | "time" | "dateTime" | "duration" | "color";

/** The kinds of control parameter (XEP-0325 3.2.1 to 3.2.10). */
export const parameterKinds: readonly ParameterKind[] = [
  "boolean",
  "int",
  "long",
  "string",
  "double",
  "date",
  "time",
  "dateTime",
  "duration",
  "color",
];

/** A parameter of one kind, and the value it is to have. */
export interface SettingOf<K extends ParameterKind> {
  readonly kind: K;
  readonly name: string;
  /** A `dateTime` as it is written: with its zone, if it has one. */
  readonly value: K extends "dateTime" ? string : XsValues[K];
}

/** A parameter and the value it is to have. */
export type ParameterSetting =
  | { readonly [K in Exclude<ParameterKind, "double">]: SettingOf<K> }[Exclude<ParameterKind, "double">]
  | (SettingOf<"double"> & {
      /** The number as it is written, with all its decimals. Left out: with as few as it needs. */
      readonly text?: string;
    });

/** A request to set parameters (XEP-0325 3.1.2, 3.2). */
export interface SetRequest {
  /** The nodes to set them on; empty: all. */
  readonly nodes: readonly NodeRef[];
  /** What to set, in the order in which it is to be set (XEP-0325 3.2.11). */
  readonly parameters: readonly ParameterSetting[];
  /** The control form that was filled in (XEP-0325 3.3.3); left out if there is none. */
  readonly form?: DataForm;
  /** The tokens that the controller presents. */
  readonly tokens: Tokens;
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

/** Makes `set`. Throws `ERR_PROTOCOL` for a value that is none of its kind. */
export function buildSet(value: SetRequest): XmlElement {
  return el(
    "set",
    { xmlns: ns.control, ...tokenAttributes(value.tokens) },
    ...value.nodes.map((node) => el("node", nodeAttributes(node))),
    ...value.parameters.map((setting) => el(setting.kind, { name: setting.name, value: textOfSetting(setting) })),
    value.form === undefined ? undefined : buildDataForm(value.form),
  );
}

/** The value of a parameter as it is written. Throws `ERR_PROTOCOL` for one that is none of its kind. */
export function textOfSetting(setting: ParameterSetting): string {
  const written = formatXs(setting.kind, (setting.kind === "double" ? setting.text : undefined) ?? setting.value);
  if ("problem" in written) throw new ProtocolError(written.problem, `${setting.kind}/@value`);
  return written.text;
}

/**
 * Reads `set`. Everywhere else what is unknown is ignored; what is not understood here would be left out and yet
 * acknowledged, so it makes the whole request a bad one. So does a second form: which one counts cannot be known.
 */
export function parseSet(element: XmlElement): SetRequest {
  const set = expect(element, "set");
  const nodes: NodeRef[] = [];
  const parameters: ParameterSetting[] = [];
  const forms: DataForm[] = [];
  for (const child of set.getChildElements()) {
    if (child.is("node", ns.control)) nodes.push(parseNodeRef(child));
    else if (child.is("x", ns.form)) forms.push(parseDataForm(child));
    else parameters.push(parseParameter(child));
  }
  const [form, other] = forms;
  if (other !== undefined) throw new ProtocolError("a form twice", "set/x");
  return { nodes, parameters, tokens: parseTokens(set), ...(form !== undefined && { form }) };
}

function parseParameter(element: XmlElement): ParameterSetting {
  const kind = kindOf(element);
  if (kind === undefined) throw new ProtocolError(`an unknown kind of parameter, ${localName(element)}`, "set");
  return parseSetting(kind, required(element, "name"), required(element, "value"), at(element, "value"));
}

/**
 * Reads the value of a parameter. Throws `ERR_PROTOCOL` for one that is none of its kind.
 *
 * @param path where it stands in the stanza, for the error
 */
export function parseSetting(kind: ParameterKind, name: string, written: string, path = ""): ParameterSetting {
  const { value, text } = parseXs(kind, written, path);
  if (kind === "double") return { kind, name, value: value as number, text };
  return { kind, name, value: kind === "dateTime" ? text : value } as ParameterSetting;
}

const kindOf = (element: XmlElement): ParameterKind | undefined =>
  parameterKinds.find((name) => element.is(name, ns.control));

/** What is wrong with single values of a `set` that cannot be read, for `paramError` (XEP-0325 3.1.3): the first few. */
export function malformedSettings(element: XmlElement, most: number): readonly ParameterProblem[] {
  const problems: ParameterProblem[] = [];
  for (const child of element.getChildElements()) {
    const [kind, name, written] = [kindOf(child), optional(child, "name"), optional(child, "value")];
    if (problems.length === most || kind === undefined || name === undefined || written === undefined) continue;
    try {
      parseSetting(kind, name, written);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      problems.push({ name, text: `Invalid parameter value: ${error.message}.` });
    }
  }
  return problems;
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
