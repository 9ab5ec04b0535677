// XEP-0326 Internet of Things - Concentrators 0.4: sections 3.1, 3.2.1 to 3.2.3, 3.3, 5.1, 5.3, 5.4; S-E7.
import { ProtocolError } from "../core/errors.ts";
import { ns } from "./namespaces.ts";
import { parseNodeRef, type NodeRef } from "./node-ref.ts";
import { parseTokens, tokenAttributes, type Tokens } from "./tokens.ts";
import { at, el, flag, localName, nonEmpty, optional, own, required, type XmlElement } from "./xml.ts";

/** The commands that are built; of the others the XEP says how they are answered (5.4). */
export const concentratorCommands = [
  "getCapabilities",
  "getAllDataSources",
  "getRootDataSources",
  "getChildDataSources",
  "containsNode",
  "containsNodes",
  "getNode",
  "getNodes",
  "getAllNodes",
  "getRootNodes",
  "getChildNodes",
  "getAncestors",
] as const;

/** A command of XEP-0326. */
export type ConcentratorCommand = (typeof concentratorCommands)[number];

/** What a response can say (XEP-0326 5.3). */
export const responseCodes = [
  "OK",
  "NotFound",
  "InsufficientPrivileges",
  "Locked",
  "NotImplemented",
  "FormError",
  "OtherError",
] as const;

/** What a response says. */
export type ResponseCode = (typeof responseCodes)[number];

/** A command. What it does not take is empty in it. */
export interface ConcentratorRequest {
  readonly command: ConcentratorCommand;
  /** The data source of `getChildDataSources`, `getAllNodes`, `getRootNodes`. Empty: the nodes that have none. */
  readonly sourceId: string;
  /** The nodes of `containsNodes`, `getNodes`; the one node of `containsNode`, `getNode`, `getChildNodes`, `getAncestors`. */
  readonly nodes: readonly NodeRef[];
  /** The types of node that `getAllNodes` is limited to (3.3.9). Empty: no limit. */
  readonly onlyIfDerivedFrom: readonly string[];
  /** The tokens of the asker. */
  readonly tokens: Tokens;
}

/** A data source (XEP-0326 3.2.1). */
export interface DataSource {
  /** Its id; empty for the nodes that name no source. */
  readonly sourceId: string;
  /** How people call it. */
  readonly name: string;
  /** Whether there are data sources below it. */
  readonly hasChildren: boolean;
  /** When it was last changed, as written; left out if nothing is said of it. */
  readonly lastChanged?: string;
}

/** How a node is (XEP-0326 5.6). */
export type NodeState = "None" | "Information" | "WarningSigned" | "WarningUnsigned" | "ErrorSigned" | "ErrorUnsigned";

const nodeStates: readonly NodeState[] = [
  "None",
  "Information",
  "WarningSigned",
  "WarningUnsigned",
  "ErrorSigned",
  "ErrorUnsigned",
];

/** What is said of a node (XEP-0326 5.1). Its parameters and messages are not read. */
export interface NodeInformation {
  /** Its id in the data source. */
  readonly nodeId: string;
  /** How people call it. */
  readonly displayName?: string;
  /** What kind of device it is. */
  readonly nodeType?: string;
  /** What tells it from others of the same id in its source. */
  readonly cacheType?: string;
  /** How it is. */
  readonly state: NodeState;
  /** Whether there are nodes below it. */
  readonly hasChildren: boolean;
  /** Whether it can be read (XEP-0323). */
  readonly isReadable: boolean;
  /** Whether it can be controlled (XEP-0325). */
  readonly isControllable: boolean;
  /** Whether it has commands. */
  readonly hasCommands: boolean;
  /** The id of the node above it; left out on a root node. */
  readonly parentId?: string;
  /** The kind of cache of the node above it. */
  readonly parentCacheType?: string;
  /** When it was last changed, as written. */
  readonly lastChanged?: string;
}

const ofSource: ReadonlySet<string> = new Set(["getChildDataSources", "getAllNodes", "getRootNodes"]);
const ofNode: ReadonlySet<string> = new Set(["containsNode", "getNode", "getChildNodes", "getAncestors"]);
const ofNodes: ReadonlySet<string> = new Set(["containsNodes", "getNodes"]);

/** The command of a request; `undefined` for one that is not built (XEP-0326 5.4). */
export function commandOf(element: XmlElement): ConcentratorCommand | undefined {
  return concentratorCommands.find((command) => element.is(command, ns.concentrators));
}

/** The schema wants a source where others leave an empty one out (X-E6). */
const reference = ({ nodeId, sourceId = "", cacheType }: NodeRef): Record<string, string | undefined> => ({
  sourceId,
  nodeId,
  cacheType: cacheType === "" ? undefined : cacheType,
});

/** Makes a command. */
export function buildConcentratorRequest(value: ConcentratorRequest): XmlElement {
  const { command, sourceId, nodes, onlyIfDerivedFrom, tokens } = value;
  const [node] = nodes;
  return el(
    command,
    {
      xmlns: ns.concentrators,
      ...(ofSource.has(command) && { sourceId }),
      ...(ofNode.has(command) && node !== undefined && reference(node)),
      ...tokenAttributes(tokens),
    },
    ...(ofNodes.has(command) ? nodes.map((one) => el("node", reference(one))) : []),
    ...(command === "getAllNodes" ? onlyIfDerivedFrom.map((type) => el("onlyIfDerivedFrom", {}, type)) : []),
  );
}

/** Reads a command. Wishes for parameters, messages and an order are not read. */
export function parseConcentratorRequest(element: XmlElement): ConcentratorRequest {
  const command = commandOf(element);
  if (command === undefined) throw new ProtocolError("not a command of XEP-0326", localName(element));
  const types = command === "getAllNodes" ? element.getChildren("onlyIfDerivedFrom", ns.concentrators) : [];
  return {
    command,
    sourceId: ofSource.has(command) ? (optional(element, "sourceId") ?? "") : "",
    nodes: nodesOf(command, element),
    onlyIfDerivedFrom: types.map((type) => own(type.text())),
    tokens: parseTokens(element),
  };
}

function nodesOf(command: ConcentratorCommand, element: XmlElement): readonly NodeRef[] {
  if (ofNode.has(command)) return [parseNodeRef(element)];
  return ofNodes.has(command) ? element.getChildren("node", ns.concentrators).map(parseNodeRef) : [];
}

const response = (command: string, ...children: readonly (XmlElement | string)[]): XmlElement =>
  el(`${command}Response`, { xmlns: ns.concentrators, result: "OK" }, ...children);

/** Makes the response to a command, known or not, that was not done (XEP-0326 5.3, 5.4). */
export function buildNotDone(command: string, result: Exclude<ResponseCode, "OK">): XmlElement {
  return el(`${command}Response`, { xmlns: ns.concentrators, result });
}

/** The code of a response that is a failure, whatever the stanza says (S-E7); `undefined` for every other element, and for success. */
export function notDoneCode(element: XmlElement): string | undefined {
  if (element.getNS() !== ns.concentrators || !localName(element).endsWith("Response")) return undefined;
  const code = nonEmpty(element, "result");
  return code === "OK" ? undefined : code;
}

/** A response that is a success; one without a code is none. */
function expect(element: XmlElement | undefined, command: ConcentratorCommand): XmlElement {
  if (!element?.is(`${command}Response`, ns.concentrators)) {
    throw new ProtocolError(`not a response to ${command} of XEP-0326`, element?.name ?? "");
  }
  if (required(element, "result") !== "OK") throw new ProtocolError("not done", at(element, "result"));
  return element;
}

/** Makes `getCapabilitiesResponse`. */
export function buildCapabilities(commands: readonly string[]): XmlElement {
  return response("getCapabilities", ...commands.map((command) => el("value", {}, command)));
}

/** Reads `getCapabilitiesResponse`: the commands that there are. */
export function parseCapabilities(element: XmlElement | undefined): readonly string[] {
  return expect(element, "getCapabilities")
    .getChildren("value", ns.concentrators)
    .map((value) => own(value.text()));
}

/** Makes the response to one of the commands that list data sources. */
export function buildDataSources(command: ConcentratorCommand, sources: readonly DataSource[]): XmlElement {
  return response(command, ...sources.map((source) => el("dataSource", { ...source })));
}

/** Reads the response to one of the commands that list data sources. */
export function parseDataSources(command: ConcentratorCommand, element: XmlElement | undefined): readonly DataSource[] {
  return expect(element, command)
    .getChildren("dataSource", ns.concentrators)
    .map((source) => {
      const lastChanged = nonEmpty(source, "lastChanged");
      return {
        sourceId: required(source, "sourceId"),
        name: required(source, "name"),
        hasChildren: flag(source, "hasChildren", false),
        ...(lastChanged !== undefined && { lastChanged }),
      };
    });
}

/** Makes `containsNodeResponse`. */
export function buildContains(contains: boolean): XmlElement {
  return response("containsNode", String(contains));
}

/** Reads `containsNodeResponse`. */
export function parseContains(element: XmlElement | undefined): boolean {
  return truth(expect(element, "containsNode"));
}

/** Makes `containsNodesResponse`: one for each node of the request, in its order (XEP-0326 3.3.2). */
export function buildContainsNodes(contains: readonly boolean[]): XmlElement {
  return response("containsNodes", ...contains.map((one) => el("value", {}, String(one))));
}

/** Reads `containsNodesResponse`. */
export function parseContainsNodes(element: XmlElement | undefined): readonly boolean[] {
  return expect(element, "containsNodes").getChildren("value", ns.concentrators).map(truth);
}

function truth(element: XmlElement): boolean {
  const text = element.text().trim();
  if (!["true", "false", "1", "0"].includes(text)) throw new ProtocolError("not an xs:boolean", at(element));
  return text === "true" || text === "1";
}

/** Makes `getNodeResponse`. */
export function buildNode(node: NodeInformation): XmlElement {
  return el("getNodeResponse", { xmlns: ns.concentrators, result: "OK", ...nodeInformation(node) });
}

/** Reads `getNodeResponse`. */
export function parseNode(element: XmlElement | undefined): NodeInformation {
  return parseNodeInformation(expect(element, "getNode"));
}

/** Makes the response to one of the commands that list nodes. */
export function buildNodes(command: ConcentratorCommand, nodes: readonly NodeInformation[]): XmlElement {
  return response(command, ...nodes.map((node) => el("node", nodeInformation(node))));
}

/** Reads the response to one of the commands that list nodes. */
export function parseNodes(command: ConcentratorCommand, element: XmlElement | undefined): readonly NodeInformation[] {
  return expect(element, command).getChildren("node", ns.concentrators).map(parseNodeInformation);
}

function nodeInformation(node: NodeInformation): Record<string, string | boolean | undefined> {
  return { ...node, hasCommands: node.hasCommands ? true : undefined };
}

const optionalTexts = ["displayName", "nodeType", "cacheType", "parentId", "parentCacheType", "lastChanged"] as const;

function parseNodeInformation(element: XmlElement): NodeInformation {
  const texts = optionalTexts.flatMap((name) => {
    const text = nonEmpty(element, name);
    return text === undefined ? [] : [[name, text] as const];
  });
  const said = required(element, "state");
  const state = nodeStates.find((one) => one === said);
  if (state === undefined) throw new ProtocolError("an unknown state of a node", at(element, "state"));
  return {
    nodeId: required(element, "nodeId"),
    ...(Object.fromEntries(texts) as Partial<Record<(typeof optionalTexts)[number], string>>),
    state,
    hasChildren: flag(element, "hasChildren", false),
    isReadable: flag(element, "isReadable", false),
    isControllable: flag(element, "isControllable", false),
    hasCommands: flag(element, "hasCommands", false),
  };
}
