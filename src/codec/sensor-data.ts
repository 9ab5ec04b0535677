// XEP-0323 Internet of Things - Sensor Data 0.6: sections 3.1 to 3.3, momentary readout.
import { ProtocolError } from "../core/errors.ts";
import {
  fieldFlagAttributes,
  fieldTypeAttributes,
  parseFieldFlags,
  parseFieldTypes,
  type FieldTypeSet,
} from "./field-types.ts";
import { ns } from "./namespaces.ts";
import { nodeAttributes, parseNodeRef, type NodeRef } from "./node-ref.ts";
import { parseTokens, tokenAttributes, type Tokens } from "./tokens.ts";
import { at, el, flag, nonEmpty, optional, own, required, requiredFlag, requiredInt, type XmlElement } from "./xml.ts";

/** A request to read (XEP-0323 3.1). Empty lists mean everything. */
export interface ReadRequest {
  /** Chosen by the reader, repeated in every answer. */
  readonly seqnr: number;
  /** The kinds of field wanted. */
  readonly types: FieldTypeSet;
  /** The nodes wanted. */
  readonly nodes: readonly NodeRef[];
  /** The names of the fields wanted. */
  readonly fields: readonly string[];
  /** The tokens the reader presents. */
  readonly tokens: Tokens;
  /** When to read, as written; now if absent. */
  readonly when?: string;
}

/** A numeric value. The number of its decimals is part of what was measured (XEP-0323 5.4). */
export interface NumericValue {
  readonly kind: "numeric";
  /** The number. */
  readonly value: number;
  /** The number as it stands on the wire, with the decimals it was measured to. */
  readonly text: string;
  /** The unit, for instance `°C`; empty for none. */
  readonly unit: string;
}

/** What a field holds. */
export type FieldValue =
  | NumericValue
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "boolean"; readonly value: boolean };

/** A field that was read. */
export type Field = FieldValue & {
  /** Its name, for instance `Temperature`. */
  readonly name: string;
  /** The kinds it is of. */
  readonly types: FieldTypeSet;
  /** True if read by the machine itself, not estimated or typed in (`automaticReadout`, XEP-0323 5.7). */
  readonly automaticReadout: boolean;
};

/** Fields of one node at one moment. */
export interface FieldGroup {
  /** The node; a Thing that is no concentrator has one of an empty id. */
  readonly node: NodeRef;
  /** When, as xs:dateTime. */
  readonly timestamp: string;
  /** What was read. */
  readonly fields: readonly Field[];
}

/** A part of a readout (XEP-0323 3.1). */
export interface Fields {
  /** As in the request. */
  readonly seqnr: number;
  /** True on the last part. */
  readonly done: boolean;
  /** What was read. */
  readonly groups: readonly FieldGroup[];
}

/** A failed part of a readout (XEP-0323 3.2). */
export interface Failure {
  /** As in the request. */
  readonly seqnr: number;
  /** True on the last part. */
  readonly done: boolean;
  /** What went wrong, node by node. */
  readonly errors: readonly { readonly node: NodeRef; readonly timestamp: string; readonly text: string }[];
}

const double = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

function expect(element: XmlElement | undefined, name: string): XmlElement {
  if (element?.is(name, ns.sensorData)) return element;
  throw new ProtocolError(`not a ${name} of XEP-0323`, element?.name ?? "");
}

/** Makes `req`. */
export function buildReq(value: ReadRequest): XmlElement {
  const attributes = { ...fieldTypeAttributes(value.types), when: value.when, ...tokenAttributes(value.tokens) };
  return el(
    "req",
    { xmlns: ns.sensorData, seqnr: value.seqnr, ...attributes },
    ...value.nodes.map((node) => el("node", nodeAttributes(node))),
    ...value.fields.map((name) => el("field", { name })),
  );
}

/** Reads `req`. */
export function parseReq(element: XmlElement): ReadRequest {
  const req = expect(element, "req");
  const when = nonEmpty(req, "when");
  return {
    seqnr: requiredInt(req, "seqnr"),
    types: parseFieldTypes(req),
    nodes: req.getChildren("node", ns.sensorData).map(parseNodeRef),
    fields: req.getChildren("field", ns.sensorData).map((field) => required(field, "name")),
    tokens: parseTokens(req),
    ...(when !== undefined && { when }),
  };
}

/** Makes `accepted`. */
export function buildAccepted(value: { seqnr: number }): XmlElement {
  return el("accepted", { xmlns: ns.sensorData, seqnr: value.seqnr });
}

/** Reads `accepted`; `queued` says that the readout starts later. */
export function parseAccepted(element: XmlElement | undefined): { seqnr: number; queued: boolean } {
  const accepted = expect(element, "accepted");
  return { seqnr: requiredInt(accepted, "seqnr"), queued: flag(accepted, "queued", false) };
}

/** Makes `fields`. */
export function buildFields(value: Fields): XmlElement {
  return el(
    "fields",
    { xmlns: ns.sensorData, seqnr: value.seqnr, done: value.done ? true : undefined },
    ...value.groups.map(({ node, timestamp, fields }) =>
      el(
        "node",
        { ...nodeAttributes(node), nodeId: node.nodeId },
        el("timestamp", { value: timestamp }, ...fields.map(buildField)),
      ),
    ),
  );
}

function buildField(field: Field): XmlElement {
  const automaticReadout = field.automaticReadout ? true : undefined;
  const common = { name: field.name, ...fieldFlagAttributes(field.types), automaticReadout };
  if (field.kind === "numeric") return el("numeric", { ...common, value: field.text, unit: field.unit });
  return el(field.kind, { ...common, value: field.value });
}

/** Reads `fields`. Kinds of value that this library does not know are left out. */
export function parseFields(element: XmlElement | undefined): Fields {
  const fields = expect(element, "fields");
  const groups = fields.getChildren("node", ns.sensorData).flatMap((node) =>
    node.getChildren("timestamp", ns.sensorData).map((timestamp) => ({
      node: parseNodeRef(node),
      timestamp: required(timestamp, "value"),
      fields: timestamp.getChildElements().flatMap((field) => parseField(field) ?? []),
    })),
  );
  return { seqnr: requiredInt(fields, "seqnr"), done: flag(fields, "done", false), groups };
}

function parseField(element: XmlElement): Field | undefined {
  const value = element.getNS() === ns.sensorData ? parseValue(element) : undefined;
  if (value === undefined) return undefined;
  return {
    ...value,
    name: required(element, "name"),
    types: parseFieldFlags(element),
    automaticReadout: flag(element, "automaticReadout", false),
  };
}

function parseValue(element: XmlElement): FieldValue | undefined {
  if (element.is("string")) return { kind: "string", value: required(element, "value") };
  if (element.is("boolean")) return { kind: "boolean", value: requiredFlag(element, "value") };
  if (!element.is("numeric")) return undefined;
  const text = required(element, "value").trim();
  const value = Number(text);
  if (!double.test(text) || !Number.isFinite(value)) {
    throw new ProtocolError("not a finite xs:double", at(element, "value"));
  }
  return { kind: "numeric", value, text, unit: optional(element, "unit") ?? "" };
}

/** Makes `failure`. */
export function buildFailure(value: Failure): XmlElement {
  return el(
    "failure",
    { xmlns: ns.sensorData, seqnr: value.seqnr, done: value.done ? true : undefined },
    ...value.errors.map(({ node, timestamp, text }) =>
      el("error", { ...nodeAttributes(node), nodeId: node.nodeId, timestamp }, text),
    ),
  );
}

/** Reads `failure`. */
export function parseFailure(element: XmlElement): Failure {
  const failure = expect(element, "failure");
  return {
    seqnr: requiredInt(failure, "seqnr"),
    done: flag(failure, "done", false),
    errors: failure.getChildren("error", ns.sensorData).map((error) => ({
      node: parseNodeRef(error),
      timestamp: required(error, "timestamp"),
      text: own(error.text()),
    })),
  };
}

/** Reads `done`, the end of a readout in several parts. */
export function parseDone(element: XmlElement): { seqnr: number } {
  return { seqnr: requiredInt(expect(element, "done"), "seqnr") };
}
