// What is said to a concentrator about its nodes, and to the Registry about somebody's Thing, as data: whom it counts from, and
// what anybody else gets.
import {
  buildConcentratorRequest,
  notDoneCode,
  parseContains,
  parseNode,
  parseNodes,
  type ConcentratorRequest,
} from "../../src/codec/concentrator.ts";
import { buildSet } from "../../src/codec/control.ts";
import {
  buildClaimed,
  buildDisown,
  buildDisowned,
  buildRemove,
  buildRemoved,
  buildUpdate,
} from "../../src/codec/iot-discovery.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import { buildReq } from "../../src/codec/sensor-data.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { THIEF, type Who } from "./spoofing-rows.ts";

/** The node of the one owner. */
export const METER: NodeRef = { nodeId: "meter", sourceId: "cellar" };
/** A node of the other owner. */
export const LAMP: NodeRef = { nodeId: "lamp", sourceId: "cellar" };
/** Another one of the other owner. */
export const FAN: NodeRef = { nodeId: "fan", sourceId: "cellar" };
const NOWHERE: NodeRef = { nodeId: "nowhere", sourceId: "cellar" };

/** Whose is what. */
export interface Addresses {
  readonly thing: BareJid;
  readonly nodeOwner: BareJid;
}

/** One row of the matrix. */
export interface NodeRow {
  readonly name: string;
  readonly type: "get" | "set";
  /** What is said, by those who may and by those who may not. */
  readonly payload: (may: boolean, addresses: Addresses) => XmlElement;
  /** What an answer that is no error comes to. Left out: `result`. */
  readonly tells?: (answer: XmlElement) => string;
  /** Those who may, and what they get. */
  readonly right: Partial<Record<Who, string>>;
  /** What others get. */
  readonly others: string;
  readonly except?: Partial<Record<Who, string>>;
  /** Not tried. */
  readonly skip?: readonly Who[];
}

const all = (outcome: string, ...who: readonly Who[]): Partial<Record<Who, string>> =>
  Object.fromEntries(who.map((one) => [one, outcome]));

const REGISTRY: readonly Who[] = ["registry", "REGISTRY", "registry/resource"];
const OWNER: readonly Who[] = ["owner", "OWNER", "owner, elsewhere"];
const NODE_OWNER: readonly Who[] = ["node owner", "NODE OWNER"];
const OTHERS: readonly Who[] = ["other node's owner"];

const reading = (...nodes: readonly NodeRef[]): XmlElement =>
  buildReq({ seqnr: 1, types: new Set(["momentary"]), nodes, fields: [], tokens: {} });
const setting = (name: string, ...nodes: readonly NodeRef[]): XmlElement =>
  buildSet({ nodes, parameters: [{ kind: "boolean", name, value: true }], tokens: {} });
const asking = (
  command: ConcentratorRequest["command"],
  more: Partial<ConcentratorRequest>,
): Pick<NodeRow, "type" | "payload"> => ({
  type: "get",
  payload: () =>
    buildConcentratorRequest({ command, sourceId: "", nodes: [], onlyIfDerivedFrom: [], tokens: {}, ...more }),
});
/** What a response of XEP-0326 says, or why it says nothing. */
const saying =
  (says: (payload: XmlElement) => string) =>
  (answer: XmlElement): string => {
    const [payload] = answer.getChildElements();
    return payload === undefined ? "nothing" : (notDoneCode(payload) ?? says(payload));
  };

/** To the concentrator, which has no provisioning server: what an owner may do with what is theirs, and nobody else. */
export const nodeRows: readonly NodeRow[] = [
  {
    name: "claimed, node",
    type: "set",
    payload: (may, { nodeOwner }) => buildClaimed({ jid: may ? nodeOwner : bareJid(THIEF), public: true, node: METER }),
    right: all("result", ...REGISTRY),
    others: "forbidden",
  },
  // Nobody but the Registry gets to know which nodes there are not.
  ...[
    buildClaimed({ jid: bareJid(THIEF), public: true, node: NOWHERE }),
    buildRemoved({ node: NOWHERE }),
    buildDisowned({ node: NOWHERE }),
  ].map((payload): NodeRow => {
    const name = `${payload.name}, no node`;
    const right = all("item-not-found", ...REGISTRY);
    return { name, type: "set", payload: () => payload, right, others: "forbidden" };
  }),
  {
    name: "req, node",
    type: "get",
    payload: () => reading(METER),
    right: all("result", ...NODE_OWNER),
    others: "forbidden",
  },
  {
    name: "req, other node",
    type: "get",
    payload: () => reading(LAMP),
    right: all("result", ...OTHERS),
    others: "forbidden",
  },
  { name: "req, Thing", type: "get", payload: () => reading(), right: all("result", ...OWNER), others: "forbidden" },
  {
    name: "set, node",
    type: "set",
    payload: () => setting("Valve", METER),
    right: all("result", ...NODE_OWNER),
    others: "forbidden",
  },
  {
    name: "set, other node",
    type: "set",
    payload: () => setting("Valve", LAMP),
    right: all("result", ...OTHERS),
    others: "forbidden",
  },
  {
    name: "set, Thing",
    type: "set",
    payload: () => setting("Output"),
    right: all("result", ...OWNER),
    others: "forbidden",
  },
  {
    name: "getNode",
    ...asking("getNode", { nodes: [METER] }),
    tells: saying((payload) => parseNode(payload).nodeId),
    right: all("meter", ...NODE_OWNER),
    others: "InsufficientPrivileges",
    except: all("NotFound", ...OWNER, ...OTHERS),
  },
  {
    name: "containsNode",
    ...asking("containsNode", { nodes: [METER] }),
    tells: saying((payload) => String(parseContains(payload))),
    right: all("true", ...NODE_OWNER),
    others: "InsufficientPrivileges",
    except: all("false", ...OWNER, ...OTHERS),
  },
  {
    name: "getAllNodes",
    ...asking("getAllNodes", { sourceId: "cellar" }),
    tells: saying((payload) =>
      parseNodes("getAllNodes", payload)
        .map(({ nodeId }) => nodeId)
        .join(" "),
    ),
    right: { ...all("meter", ...NODE_OWNER), ...all("lamp fan", ...OTHERS) },
    others: "InsufficientPrivileges",
    except: all("NotFound", ...OWNER),
  },
];

/** To the concentrator, of the end of a claim: only the Registry. At the end: owners are none any more. */
export const endingRows: readonly NodeRow[] = [
  {
    name: "removed, node",
    type: "set",
    payload: () => buildRemoved({ node: LAMP }),
    right: all("result", ...REGISTRY),
    others: "forbidden",
  },
  {
    name: "disowned, node",
    type: "set",
    payload: () => buildDisowned({ node: FAN }),
    right: all("result", ...REGISTRY),
    others: "forbidden",
  },
];

// A Thing may change its own tags (XEP-0347 3.13); the Registry does not ask itself; whom nobody names is answered by nobody.
const ITSELF: readonly Who[] = ["own bare", "own full"];
// Another client of the Thing's account is the Thing to the Registry, which would tell it there from then on.
const skip: readonly Who[] = [...REGISTRY, "nobody named", "own account, elsewhere"];
const NOT_YOURS = "item-not-found";

/** To the Registry: what only the owner of a Thing, or of a node, may say of it (XEP-0347 3.10, 3.14, 3.17). */
export const registryRows: readonly NodeRow[] = [
  {
    name: "update, node",
    type: "set",
    payload: (may, { thing }) =>
      buildUpdate({ jid: thing, tags: [{ name: "ROOM", type: "str", value: may ? "Cellar" : "Lair" }], node: METER }),
    right: all("result", ...NODE_OWNER, ...ITSELF),
    others: NOT_YOURS,
    skip,
  },
  {
    name: "update, Thing",
    type: "set",
    payload: (may, { thing }) =>
      buildUpdate({ jid: thing, tags: [{ name: "ROOM", type: "str", value: may ? "Hall" : "Lair" }] }),
    right: all("result", ...OWNER, ...ITSELF),
    others: NOT_YOURS,
    skip,
  },
  // What counts once ends the claim: one of those who may.
  {
    name: "disown, node",
    type: "set",
    payload: (_, { thing }) => buildDisown({ jid: thing, node: METER }),
    right: { "node owner": "result" },
    others: NOT_YOURS,
    skip: [...skip, "NODE OWNER"],
  },
  {
    name: "remove, node",
    type: "set",
    payload: (_, { thing }) => buildRemove({ jid: thing, node: LAMP }),
    right: { "other node's owner": "result" },
    others: NOT_YOURS,
    skip,
  },
  {
    name: "disown, Thing",
    type: "set",
    payload: (_, { thing }) => buildDisown({ jid: thing }),
    right: { owner: "result" },
    others: NOT_YOURS,
    skip: [...skip, "OWNER", "owner, elsewhere"],
  },
  {
    name: "remove, Thing",
    type: "set",
    payload: (_, { thing }) => buildRemove({ jid: thing }),
    right: { owner: "result" },
    others: NOT_YOURS,
    skip: [...skip, "OWNER", "owner, elsewhere"],
  },
];
