// XEP-0326 on the Thing: command -> guard -> response. Only what the asker may read is there for them (7.1, 7.2).
import { Refusal } from "../core/refusal.ts";
import {
  buildCapabilities,
  buildContains,
  buildContainsNodes,
  buildDataSources,
  buildNode,
  buildNodes,
  buildNotDone,
  commandOf,
  concentratorCommands,
  parseConcentratorRequest,
  type ConcentratorRequest,
} from "../codec/concentrator.ts";
import { fieldTypes } from "../codec/field-types.ts";
import { ns } from "../codec/namespaces.ts";
import { parseTokens, type Tokens } from "../codec/tokens.ts";
import { localName, type XmlElement } from "../codec/xml.ts";
import type { Router } from "../channel/router.ts";
import type { Jid } from "../core/jid.ts";
import type { Decision } from "../provisioning/decision.ts";
import { grantsByNode } from "../provisioning/grants.ts";
import type { Guard } from "../provisioning/guard.ts";
import { VisibleNodes, type NodeView } from "./visible-nodes.ts";

/** What answers the commands of XEP-0326 is made of. */
export interface ConcentratorResponderOptions {
  /** Where requests come in. */
  readonly router: Router;
  /** Who may read. */
  readonly guard: Guard;
  /** The nodes behind the Thing at the moment. */
  readonly nodes: () => Iterable<NodeView>;
}

// As for readouts: what may be named in one request.
const MOST_NAMES = 1_000;
const MOST_CHARACTERS = 16_384;
// XMPP servers end the stream of who sends more than 256 KiB in a stanza; the envelope has the rest.
const MOST_BYTES = 240_000;

/** Answers the commands of XEP-0326 on the Thing, also those that are not built (5.4). */
export function answerConcentrator({ router, guard, nodes }: ConcentratorResponderOptions): void {
  router.onOtherIq(ns.concentrators, async ({ from, payload, signal }) => {
    const command = commandOf(payload);
    const request = command === undefined ? undefined : understood(payload);
    const decision = await guard.decide(question(from, request?.tokens ?? parseTokens(payload)), signal, from);
    if (decision.outcome === "unanswered") {
      throw new Refusal("resource-constraint", "Nobody could be asked whether you may read. Try again later.");
    }
    const name = localName(payload);
    if (decision.outcome === "refused") return { payload: buildNotDone(name, "InsufficientPrivileges") };
    if (request === undefined) return { payload: buildNotDone(name, "NotImplemented") };
    const answer = responseTo(request, visible(nodes(), decision));
    const isTooLong = Buffer.byteLength(String(answer)) > MOST_BYTES;
    return { payload: isTooLong ? buildNotDone(name, "OtherError") : answer };
  });
}

function understood(payload: XmlElement): ConcentratorRequest {
  const request = parseConcentratorRequest(payload);
  const { nodes, onlyIfDerivedFrom, tokens } = request;
  const characters = JSON.stringify([tokens, nodes, onlyIfDerivedFrom]).length;
  if (nodes.length + onlyIfDerivedFrom.length > MOST_NAMES || characters > MOST_CHARACTERS) {
    throw new Refusal("not-acceptable", "Name fewer nodes.");
  }
  return request;
}

/**
 * What may they read at all? One question for all commands, so that it is remembered; the answer says of which nodes. It
 * does not name the nodes of the command: a server would be asked about nodes that there are not.
 */
const question = ({ bare }: Jid, tokens: Tokens) =>
  ({ kind: "read", jid: bare, tokens, types: new Set(fieldTypes), nodes: [], fields: [] }) as const;

function visible(nodes: Iterable<NodeView>, { grants }: Extract<Decision, { outcome: "granted" }>): VisibleNodes {
  const granted = grantsByNode(grants);
  return new VisibleNodes([...nodes].filter(({ node }) => granted(node).length > 0));
}

function responseTo(request: ConcentratorRequest, all: VisibleNodes): XmlElement {
  const { command, sourceId, nodes } = request;
  const named = nodes.map((reference) => all.fitting(reference));
  const first = named[0]?.[0];
  const list = (found: readonly NodeView[]): XmlElement =>
    buildNodes(
      command,
      found.map((view) => all.information(view)),
    );
  const notFound = buildNotDone(command, "NotFound");
  const hasSource = all.sources().some((source) => source.sourceId === sourceId);
  switch (command) {
    case "getCapabilities":
      return buildCapabilities(concentratorCommands);
    case "getAllDataSources":
    case "getRootDataSources":
      return buildDataSources(command, all.sources());
    case "getChildDataSources":
      return hasSource ? buildDataSources(command, []) : notFound;
    case "getAllNodes":
      return hasSource ? list(all.ofSource(request)) : notFound;
    case "getRootNodes":
      return hasSource ? list(all.rootsOf(sourceId)) : notFound;
    case "containsNode":
      return buildContains(first !== undefined);
    case "containsNodes":
      return buildContainsNodes(named.map(({ length }) => length > 0));
    case "getNodes":
      // A reference can mean several (P-5.5-3); each is told once.
      return named.some(({ length }) => length === 0) ? notFound : list([...new Set(named.flat())]);
    default:
      return first === undefined ? notFound : ofNode(command, first, all, list);
  }
}

function ofNode(
  command: "getNode" | "getChildNodes" | "getAncestors",
  node: NodeView,
  all: VisibleNodes,
  list: (found: readonly NodeView[]) => XmlElement,
): XmlElement {
  if (command === "getNode") return buildNode(all.information(node));
  return list(command === "getChildNodes" ? all.childrenOf(node) : all.ancestorsOf(node));
}
