// XEP-0323 Internet of Things - Sensor Data 0.6: sections 3.1 to 3.7, the requests and the answers. Single fields: sensor-field.ts.
import { ProtocolError } from "../core/errors.ts";
import { fieldTypeAttributes, parseFieldTypes, type FieldTypeSet } from "./field-types.ts";
import { ns } from "./namespaces.ts";
import { nodeAttributes, nodeKey, parseNodeRef, type NodeRef } from "./node-ref.ts";
import { buildField, parseField, type Field } from "./sensor-field.ts";
import { parseTokens, tokenAttributes, type Tokens } from "./tokens.ts";
import { at, el, flag, nonEmpty, own, required, requiredInt, type XmlElement } from "./xml.ts";
import { parseXs } from "./xs-values.ts";

export type { Field, FieldValue, NumericValue } from "./sensor-field.ts";

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
  /** Where the interval begins that is wanted of the past, an xs:dateTime; without it there is no such bound. */
  readonly from?: string;
  /** Where it ends, an xs:dateTime. */
  readonly to?: string;
  /** When to read, an xs:dateTime; now if absent. */
  readonly when?: string;
}

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

function expect(element: XmlElement | undefined, name: string): XmlElement {
  if (element?.is(name, ns.sensorData)) return element;
  throw new ProtocolError(`not a ${name} of XEP-0323`, element?.name ?? "");
}

/** Makes `req`. */
export function buildReq(value: ReadRequest): XmlElement {
  const { seqnr, types, from, to, when, tokens } = value;
  return el(
    "req",
    { xmlns: ns.sensorData, seqnr, ...fieldTypeAttributes(types), from, to, when, ...tokenAttributes(tokens) },
    ...value.nodes.map((node) => el("node", nodeAttributes(node))),
    ...value.fields.map((name) => el("field", { name })),
  );
}

/** Reads `req`. */
export function parseReq(element: XmlElement): ReadRequest {
  const req = expect(element, "req");
  const from = moment(req, "from");
  const to = moment(req, "to");
  const when = moment(req, "when");
  return {
    seqnr: requiredInt(req, "seqnr"),
    types: parseFieldTypes(req),
    nodes: req.getChildren("node", ns.sensorData).map(parseNodeRef),
    fields: req.getChildren("field", ns.sensorData).map((field) => required(field, "name")),
    tokens: parseTokens(req),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(when !== undefined && { when }),
  };
}

function moment(element: XmlElement, name: string): string | undefined {
  const text = nonEmpty(element, name);
  return text === undefined ? undefined : parseXs("dateTime", text, at(element, name)).text;
}

/** Makes `accepted`; `queued` says that the readout starts later (XEP-0323 3.4). */
export function buildAccepted(value: { seqnr: number; queued?: boolean }): XmlElement {
  return el("accepted", { xmlns: ns.sensorData, seqnr: value.seqnr, queued: value.queued === true ? true : undefined });
}

/** Reads `accepted`; `queued` says that the readout starts later. */
export function parseAccepted(element: XmlElement | undefined): { seqnr: number; queued: boolean } {
  const accepted = expect(element, "accepted");
  return { seqnr: requiredInt(accepted, "seqnr"), queued: flag(accepted, "queued", false) };
}

/** Makes `fields`. Moments of the same node that follow each other stand in one element. */
export function buildFields(value: Fields): XmlElement {
  const nodes: { readonly node: NodeRef; readonly key: string; readonly moments: XmlElement[] }[] = [];
  for (const { node, timestamp, fields } of value.groups) {
    const key = nodeKey(node);
    const moment = el("timestamp", { value: timestamp }, ...fields.map(buildField));
    const last = nodes.at(-1);
    if (last?.key === key) last.moments.push(moment);
    else nodes.push({ node, key, moments: [moment] });
  }
  return el(
    "fields",
    { xmlns: ns.sensorData, seqnr: value.seqnr, done: value.done ? true : undefined },
    ...nodes.map(({ node, moments }) => el("node", { ...nodeAttributes(node), nodeId: node.nodeId }, ...moments)),
  );
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

// What says no more than which readout it is about.
type Word = "started" | "done" | "cancel" | "cancelled";

const buildWord =
  (name: Word) =>
  ({ seqnr }: { seqnr: number }): XmlElement =>
    el(name, { xmlns: ns.sensorData, seqnr });

const parseWord =
  (name: Word) =>
  (element: XmlElement | undefined): { seqnr: number } => ({ seqnr: requiredInt(expect(element, name), "seqnr") });

/** Makes `started`: a readout that was queued begins (XEP-0323 3.4). */
export const buildStarted = buildWord("started");

/** Reads `started`. */
export const parseStarted = parseWord("started");

/** Makes `done`, the end of a readout in several parts, where the last part does not say it. */
export const buildDone = buildWord("done");

/** Reads `done`. */
export const parseDone = parseWord("done");

/** Makes `cancel`: a readout that was queued or has begun is not wanted any more (XEP-0323 3.7). */
export const buildCancel = buildWord("cancel");

/** Reads `cancel`. */
export const parseCancel = parseWord("cancel");

/** Makes `cancelled`. */
export const buildCancelled = buildWord("cancelled");

/** Reads `cancelled`. */
export const parseCancelled = parseWord("cancelled");
