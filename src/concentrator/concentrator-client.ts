// XEP-0326 as a reader sees it: which nodes are there behind a concentrator?
import { checkCall, type CallOptions } from "../core/abort.ts";
import { ConfigError, ProtocolError, StanzaError } from "../core/errors.ts";
import { parseJid } from "../core/jid.ts";
import { checkKnown } from "../core/options.ts";
import {
  buildConcentratorRequest,
  parseCapabilities,
  parseContainsNodes,
  parseDataSources,
  parseNode,
  parseNodes,
  type ConcentratorCommand,
  type ConcentratorRequest,
  type DataSource,
  type NodeInformation,
} from "../codec/concentrator.ts";
import { checkNodes, type NodeRef } from "../codec/node-ref.ts";
import type { Tokens } from "../codec/tokens.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { Channel } from "../channel/channel.ts";

/** How to ask a concentrator. */
export interface ConcentratorOptions extends CallOptions {
  /** Tokens to present. Default none. */
  readonly tokens?: Tokens;
}

/** Which nodes to list. */
export interface NodeListOptions extends ConcentratorOptions {
  /** The data source whose nodes are listed; an empty text: the nodes that have none. Default all data sources. */
  readonly sourceId?: string;
}

/** A node behind a concentrator. */
export interface ConcentratorNode extends Omit<NodeInformation, "nodeId" | "cacheType"> {
  /** How to name it when it is read or controlled. */
  readonly node: NodeRef;
}

/** Refuses what is no way to list nodes. Throws `ERR_CONFIG`. */
export function checkNodeListOptions(options: NodeListOptions): void {
  checkKnown(options, ["sourceId", "tokens", "timeout", "signal"], "options");
  const { sourceId } = options;
  if (sourceId !== undefined && typeof sourceId !== "string") throw new ConfigError("sourceId: must be a text");
  checkCall(options);
}

// What one concentrator may fill a reader's memory with, and how long it may be asked for it.
const MOST_NODES = 100_000;
const MOST_SOURCES = 1_000;

/**
 * Asks concentrators for their nodes. Each call takes the concentrator's full JID, as it is known from its presence. It
 * shows only what the asker may read. Rejects with `ERR_STANZA`: `forbidden` (you may read nothing of it),
 * `item-not-found` (no such node or data source, or you may not know of it), `feature-not-implemented`,
 * `service-unavailable` (it is no concentrator), `resource-constraint` (try later); `ERR_TIMEOUT` (default 30,000 ms),
 * `ERR_PROTOCOL` for an answer that is none, and `ERR_CONFIG` for options that are none.
 */
export class ConcentratorClient {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** The commands that it understands (XEP-0326 3.1). */
  async capabilities(jid: string, options: ConcentratorOptions = {}): Promise<readonly string[]> {
    return parseCapabilities(await this.#ask(jid, { command: "getCapabilities" }, options));
  }

  /** Its data sources, also those below others (XEP-0326 3.2.1). */
  async dataSources(jid: string, options: ConcentratorOptions = {}): Promise<readonly DataSource[]> {
    const command = "getAllDataSources";
    const sources = parseDataSources(command, await this.#ask(jid, { command }, options));
    if (sources.length > MOST_SOURCES) throw new ProtocolError("more data sources than can be taken", "dataSource");
    return sources;
  }

  /**
   * Its nodes, of all data sources or of one. Where it does not list all at once, because it cannot or they are too many
   * for one answer, the tree is gone through node by node.
   */
  async nodes(jid: string, options: NodeListOptions = {}): Promise<readonly ConcentratorNode[]> {
    checkNodeListOptions(options);
    const { sourceId, ...rest } = options;
    const sources = sourceId === undefined ? await this.dataSources(jid, rest) : [{ sourceId }];
    const nodes: ConcentratorNode[] = [];
    for (const source of sources) nodes.push(...(await this.#nodesOf(jid, source.sourceId, rest)));
    return nodes;
  }

  /** One node (XEP-0326 3.3.3). */
  async node(jid: string, node: NodeRef, options: ConcentratorOptions = {}): Promise<ConcentratorNode> {
    const information = parseNode(await this.#ask(jid, { command: "getNode", nodes: [node] }, options));
    return found(information, node.sourceId);
  }

  /** Which of some nodes are there (XEP-0326 3.3.2), in the order of the question. */
  async contains(
    jid: string,
    nodes: readonly NodeRef[],
    options: ConcentratorOptions = {},
  ): Promise<readonly boolean[]> {
    const answer = parseContainsNodes(await this.#ask(jid, { command: "containsNodes", nodes }, options));
    if (answer.length !== nodes.length)
      throw new ProtocolError("one for each node was asked for", "containsNodesResponse");
    return answer;
  }

  /** The nodes right below a node (XEP-0326 3.3.14). */
  async children(jid: string, node: NodeRef, options: ConcentratorOptions = {}): Promise<readonly ConcentratorNode[]> {
    return this.#list(jid, { command: "getChildNodes", nodes: [node] }, node.sourceId, options);
  }

  /** A node and those above it, the nearest first (XEP-0326 3.3.22). */
  async ancestors(jid: string, node: NodeRef, options: ConcentratorOptions = {}): Promise<readonly ConcentratorNode[]> {
    return this.#list(jid, { command: "getAncestors", nodes: [node] }, node.sourceId, options);
  }

  async #nodesOf(jid: string, sourceId: string, options: ConcentratorOptions): Promise<readonly ConcentratorNode[]> {
    try {
      return await this.#list(jid, { command: "getAllNodes", sourceId }, sourceId, options);
    } catch (error) {
      const cannot = ["feature-not-implemented", "undefined-condition"];
      if (!(error instanceof StanzaError) || !cannot.includes(error.condition)) throw error;
    }
    const nodes = [...(await this.#list(jid, { command: "getRootNodes", sourceId }, sourceId, options))];
    const met = new Set(nodes.map(({ node }) => JSON.stringify(node)));
    // An array is gone through to its end also while it grows.
    for (const { node, hasChildren } of nodes) {
      for (const child of hasChildren ? await this.children(jid, node, options) : []) {
        const key = JSON.stringify(child.node);
        if (met.size < MOST_NODES && met.size < met.add(key).size) nodes.push(child);
      }
    }
    return nodes;
  }

  async #list(
    jid: string,
    request: Partial<ConcentratorRequest> & { readonly command: ConcentratorCommand },
    sourceId: string | undefined,
    options: ConcentratorOptions,
  ): Promise<readonly ConcentratorNode[]> {
    return parseNodes(request.command, await this.#ask(jid, request, options)).map((one) => found(one, sourceId));
  }

  async #ask(
    jid: string,
    request: Partial<ConcentratorRequest> & { readonly command: ConcentratorCommand },
    options: ConcentratorOptions,
  ): Promise<XmlElement | undefined> {
    checkKnown(options, ["tokens", "timeout", "signal"], "options");
    checkCall(options);
    const { nodes = [] } = request;
    checkNodes(nodes, "nodes");
    const { tokens = {}, signal, timeout } = options;
    const payload = buildConcentratorRequest({ sourceId: "", onlyIfDerivedFrom: [], ...request, nodes, tokens });
    return this.#channel.request({ type: "get", to: parseJid(jid).full, payload }, { signal, timeout });
  }
}

/** Responses do not repeat the source (XEP-0326 5.1): a node is of the one that was asked about. */
function found({ nodeId, cacheType, ...said }: NodeInformation, sourceId: string | undefined): ConcentratorNode {
  const node = {
    nodeId,
    ...(sourceId !== undefined && sourceId !== "" && { sourceId }),
    ...(cacheType !== undefined && { cacheType }),
  };
  return { ...said, node };
}
