// What a device developer says about a node behind the Thing (XEP-0347 3.8, XEP-0326 2), checked when it is added.
import { ConfigError } from "../core/errors.ts";
import { checkKnown } from "../core/options.ts";
import { nodeKey, nodeText, type NodeRef } from "../codec/node-ref.ts";
import { toTags, type Tag, type Tags } from "../codec/tags.ts";
import { toOwnChanges } from "./tags.ts";
import { isXmlText } from "../codec/xml.ts";
import { checkControl } from "../control/check-control.ts";
import type { ControlParameter } from "../control/definition.ts";
import { checkSensor, type SensorDefinition } from "../sensor/definition.ts";

/**
 * A node behind a Thing that is a concentrator: a device that has no address of its own, with an owner, a sensor and
 * control of its own. The triple of `nodeId`, `sourceId` and `cacheType` is its name, and stays: another one is another
 * node, without an owner.
 */
export interface NodeDefinition {
  /** Its id, not empty: unique among the nodes of the same source and cache type (XEP-0347 3.8). */
  readonly nodeId: string;
  /** The data source it belongs to. Empty is as good as left out. Default: none. */
  readonly sourceId?: string;
  /** The kind of node within its source. Empty is as good as left out. Default: none. */
  readonly cacheType?: string;
  /** What an owner must present to claim it (XEP-0347 5.2). A `KEY` is made if none is given. Default: the `KEY` alone. */
  readonly tags?: Tags;
  /**
   * What is told of it once it is claimed and public, in the place of the same tags (XEP-0347 6.4): an empty string hides a
   * tag. Default: what was registered, without `KEY`.
   */
  readonly tagsAfterClaim?: Tags;
  /** What can be read of it. Default: nothing. */
  readonly sensor?: SensorDefinition;
  /** What can be set of it. Default: nothing. */
  readonly control?: readonly ControlParameter[];
  /** True if nobody has to claim it (XEP-0347 3.7). Default: false. */
  readonly selfOwned?: boolean;
  /** How people call it (XEP-0326). Default: none. */
  readonly displayName?: string;
  /** What kind of device it is, a name of the maker's (XEP-0326). Default: none. */
  readonly nodeType?: string;
  /** The `nodeId` of the node that it stands under, in the same source (XEP-0326). Default: it stands under none. */
  readonly parentId?: string;
}

/** A definition, checked and completed. */
export interface NodeSettings {
  /** Its triple, without what is empty. Frozen. */
  readonly node: NodeRef;
  /** The triple as one text ({@link nodeKey}). */
  readonly key: string;
  readonly tags: readonly Tag[];
  readonly tagsAfterClaim: readonly Tag[];
  readonly sensor: SensorDefinition | undefined;
  readonly control: readonly ControlParameter[];
  readonly selfOwned: boolean;
  readonly displayName: string | undefined;
  readonly nodeType: string | undefined;
  readonly parentId: string | undefined;
}

const KNOWN: readonly (keyof NodeDefinition)[] = [
  "nodeId",
  "sourceId",
  "cacheType",
  "tags",
  "tagsAfterClaim",
  "sensor",
  "control",
  "selfOwned",
  "displayName",
  "nodeType",
  "parentId",
];

/** Checks a definition; throws `ERR_CONFIG` naming the part that is wrong. */
export function checkNode(definition: NodeDefinition, path = "node"): NodeSettings {
  checkKnown(definition, KNOWN, path);
  const { tags = {}, tagsAfterClaim = {}, sensor, control = [], selfOwned = false } = definition;
  const node = checkTriple(definition, path);
  if (sensor !== undefined) checkSensor(sensor, `${path}.sensor`);
  checkControl(control, `${path}.control`);
  if (typeof selfOwned !== "boolean") throw new ConfigError(`${path}.selfOwned: must be true or false`);
  return {
    node,
    key: nodeKey(node),
    tags: checkNodeTags(tags, `${path}.tags`),
    tagsAfterClaim: toOwnChanges(tagsAfterClaim, `${path}.tagsAfterClaim`),
    sensor,
    control: [...control],
    selfOwned,
    displayName: optionalText(definition, "displayName", path),
    nodeType: optionalText(definition, "nodeType", path),
    parentId: optionalText(definition, "parentId", path),
  };
}

/** Checks a list of definitions; a second node with the same triple is refused by name (XEP-0347 3.8). Throws `ERR_CONFIG`. */
export function checkNodeList(definitions: readonly NodeDefinition[], path = "nodes"): readonly NodeSettings[] {
  if (!Array.isArray(definitions)) throw new ConfigError(`${path}: must be a list, [{ nodeId: "meter1" }]`);
  const seen = new Set<string>();
  return (definitions as readonly NodeDefinition[]).map((definition, index) => {
    const node = checkNode(definition, `${path}[${index}]`);
    if (seen.has(node.key)) throw new ConfigError(`${path}[${index}]: ${definedTwice(node.node)}`);
    seen.add(node.key);
    return node;
  });
}

/** What is said of a second node with the same triple. */
export function definedTwice(node: NodeRef): string {
  return `there is a node ${nodeText(node)} already: nodeId, sourceId and cacheType together name one node (XEP-0347 3.8)`;
}

/** Checks the name of a node, and gives it without what is empty. Throws `ERR_CONFIG`. */
export function checkTriple(given: NodeRef, path: string): NodeRef {
  if (typeof given !== "object" || (given as unknown) === null) {
    throw new ConfigError(`${path}: must be an object, { nodeId: "meter1" }`);
  }
  const { nodeId } = given;
  checkName(nodeId, `${path}.nodeId`);
  if (nodeId === "") throw new ConfigError(`${path}.nodeId: must not be empty: that means the Thing itself`);
  const sourceId = optionalText(given, "sourceId", path);
  const cacheType = optionalText(given, "cacheType", path);
  return Object.freeze({
    nodeId,
    ...(sourceId !== undefined && { sourceId }),
    ...(cacheType !== undefined && { cacheType }),
  });
}

type TextPart = "sourceId" | "cacheType" | "displayName" | "nodeType" | "parentId";

function optionalText(given: Partial<Record<TextPart, string>>, part: TextPart, path: string): string | undefined {
  const text = given[part];
  if (text === undefined || text === "") return undefined;
  checkName(text, `${path}.${part}`);
  return text;
}

function checkName(text: unknown, path: string): void {
  if (typeof text !== "string" || !isXmlText(text)) throw new ConfigError(`${path}: must be a text that XML can hold`);
  // A reader of XML turns them into blanks (XML 1.0 section 3.3.3): the node would have another name at the others.
  if (/[\t\n\r]/.test(text)) throw new ConfigError(`${path}: must not hold a tab or a line break`);
}

function checkNodeTags(tags: Tags, path: string): readonly Tag[] {
  checkTagObject(tags, path);
  const checked = toTags(tags, path);
  // Whoever knows the other tags, and they stand on the label, could claim the node (XEP-0347 6.5).
  if (checked.some((tag) => tag.name === "KEY" && tag.value === "")) {
    throw new ConfigError(`${path}.KEY: must not be empty; leave it out and one is made`);
  }
  return checked;
}

function checkTagObject(tags: Tags, path: string): void {
  if (typeof tags !== "object" || (tags as unknown) === null || Array.isArray(tags)) {
    throw new ConfigError(`${path}: must be an object, { SN: "4711", V: 1 }`);
  }
}
