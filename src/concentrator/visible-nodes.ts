// What one asker may know of the nodes behind a concentrator: XEP-0326 5.1, 7.1, 7.2. What they may not read is not there.
import type { ConcentratorRequest, DataSource, NodeInformation } from "../codec/concentrator.ts";
import { refersTo, type NodeRef } from "../codec/node-ref.ts";

/** A node, as a concentrator shows it. */
export interface NodeView {
  /** Its triple. */
  readonly node: NodeRef;
  /** How people call it. */
  readonly displayName?: string | undefined;
  /** What kind of device it is. */
  readonly nodeType?: string | undefined;
  /** The id of the node above it, in the same source. */
  readonly parentId?: string | undefined;
  /** Whether it has a sensor. */
  readonly isReadable: boolean;
  /** Whether it has control parameters. */
  readonly isControllable: boolean;
}

/** What people are shown in the place of an id that is empty: the nodes that name no data source are in one of that id. */
const NO_SOURCE_NAME = "Nodes";

/** The nodes that one asker may know of. */
export class VisibleNodes {
  readonly #nodes: readonly NodeView[];
  readonly #byId = new Map<string, NodeView[]>();
  readonly #byParent = new Map<string, NodeView[]>();

  constructor(nodes: readonly NodeView[]) {
    this.#nodes = nodes;
    for (const view of nodes) append(this.#byId, keyOf(view, view.node.nodeId), view);
    for (const view of nodes) {
      const parent = this.#parentOf(view);
      if (parent !== undefined) append(this.#byParent, keyOf(view, parent.node.nodeId), view);
    }
  }

  /** The data sources, which are all at the root: those of the nodes that can be seen. */
  sources(): readonly DataSource[] {
    return [...new Set(this.#nodes.map(sourceOf))].map((sourceId) => ({
      sourceId,
      name: sourceId === "" ? NO_SOURCE_NAME : sourceId,
      hasChildren: false,
    }));
  }

  /** The nodes that a reference means (P-5.5-3). */
  fitting(reference: NodeRef): readonly NodeView[] {
    const sources =
      reference.sourceId === undefined ? this.sources().map(({ sourceId }) => sourceId) : [reference.sourceId];
    return sources
      .flatMap((sourceId) => this.#byId.get(JSON.stringify([sourceId, reference.nodeId])) ?? [])
      .filter(({ node }) => refersTo(reference, node));
  }

  /** The nodes of a source; of these types only, if any are named (XEP-0326 3.3.9: types have no other types here). */
  ofSource({
    sourceId,
    onlyIfDerivedFrom,
  }: Pick<ConcentratorRequest, "sourceId" | "onlyIfDerivedFrom">): readonly NodeView[] {
    const types = new Set(onlyIfDerivedFrom);
    return this.#nodes.filter(
      (view) => sourceOf(view) === sourceId && (types.size === 0 || types.has(view.nodeType ?? "")),
    );
  }

  /** Those of a source that have no node above them. One above that cannot be seen is none. */
  rootsOf(sourceId: string): readonly NodeView[] {
    return this.ofSource({ sourceId, onlyIfDerivedFrom: [] }).filter((view) => this.#parentOf(view) === undefined);
  }

  /** The nodes right below one. */
  childrenOf(view: NodeView): readonly NodeView[] {
    return this.#byParent.get(keyOf(view, view.node.nodeId)) ?? [];
  }

  /** A node and those above it, the nearest first (XEP-0326 3.3.22). */
  ancestorsOf(view: NodeView): readonly NodeView[] {
    const met = new Set<NodeView>();
    for (let at: NodeView | undefined = view; at !== undefined && !met.has(at); at = this.#parentOf(at)) met.add(at);
    return [...met];
  }

  /** What is said of a node. */
  information(view: NodeView): NodeInformation {
    const { node, displayName, nodeType, isReadable, isControllable } = view;
    const parent = this.#parentOf(view)?.node;
    return {
      nodeId: node.nodeId,
      ...(displayName !== undefined && displayName !== "" && { displayName }),
      ...(nodeType !== undefined && nodeType !== "" && { nodeType }),
      ...(node.cacheType !== undefined && { cacheType: node.cacheType }),
      state: "None",
      hasChildren: this.childrenOf(view).length > 0,
      isReadable,
      isControllable,
      hasCommands: false,
      ...(parent !== undefined && { parentId: parent.nodeId }),
      ...(parent?.cacheType !== undefined && { parentCacheType: parent.cacheType }),
    };
  }

  #parentOf(view: NodeView): NodeView | undefined {
    return view.parentId === undefined ? undefined : this.#byId.get(keyOf(view, view.parentId))?.[0];
  }
}

const sourceOf = ({ node }: NodeView): string => node.sourceId ?? "";
const keyOf = (view: NodeView, nodeId: string): string => JSON.stringify([sourceOf(view), nodeId]);

function append(lists: Map<string, NodeView[]>, key: string, view: NodeView): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [view]);
  else list.push(view);
}
