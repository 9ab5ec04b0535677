// XEP-0325 3.1.2, 3.3 and 3.4 as the controller sees it: for owners, services, and Things that control Things.
import { checkCall, type CallOptions } from "../core/abort.ts";
import { ConfigError, ProtocolError } from "../core/errors.ts";
import { parseJid } from "../core/jid.ts";
import { checkKnown } from "../core/options.ts";
import { buildSet, parseSetResponse } from "../codec/control.ts";
import { buildGetForm } from "../codec/control-form.ts";
import { parseDataForm } from "../codec/data-form.ts";
import { checkNodes, refersTo, type NodeRef } from "../codec/node-ref.ts";
import type { Tokens } from "../codec/tokens.ts";
import type { Channel } from "../channel/channel.ts";
import { controlFormOf, filledIn, type ControlForm } from "./control-form.ts";
import { wishesOf, type ParameterValues } from "./control-values.ts";

export type { ControlForm, ParameterValues };

/** What is controlled, and with which tokens. */
interface ControlTarget extends CallOptions {
  /** Nodes of a concentrator. Default: the Thing itself. */
  readonly nodes?: readonly NodeRef[];
  /** Tokens to present. Default none. */
  readonly tokens?: Tokens;
}

/** How to control. */
export interface ControlOptions extends ControlTarget {
  /**
   * The control form of the Thing, as it came: types are taken from it, and it is sent back with the values in its own
   * order (XEP-0325 3.3.3). Default: none, the values go as typed commands.
   */
  readonly form?: ControlForm;
}

/** How to ask what can be controlled. */
export interface FormOptions extends ControlTarget {
  /** The language in which people are to read it, for instance `en` (XEP-0325 6.2). Default: that of the Thing. */
  readonly language?: string;
}

/** Refuses what cannot be set. Throws `ERR_CONFIG`. */
export function checkControlCall(values: ParameterValues, options: ControlOptions): void {
  checkTarget(options, ["nodes", "tokens", "form", "timeout", "signal"]);
  const { form } = options;
  if (form !== undefined && !(Array.isArray(form.parameters) && form.hidden instanceof Map)) {
    throw new ConfigError("form: must be a control form, as getForm gives it");
  }
  const wishes = wishesOf(values, form);
  if (form !== undefined) filledIn(form, wishes);
}

/** Refuses what cannot be asked for. Throws `ERR_CONFIG`. */
export function checkFormCall(options: FormOptions): void {
  checkTarget(options, ["nodes", "tokens", "language", "timeout", "signal"]);
  const { language } = options;
  if (
    language !== undefined &&
    !(typeof language === "string" && /^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$/.test(language))
  ) {
    throw new ConfigError('language: must be a tag of a language, for instance "en"');
  }
}

function checkTarget(options: ControlTarget, known: readonly string[]): void {
  checkKnown(options, known, "options");
  if (options.nodes !== undefined) checkNodes(options.nodes, "nodes");
  checkCall(options);
}

/** What a Thing has done of what it was told to. */
export interface ControlOutcome {
  /** The names of the parameters that were set; fewer than asked for if you may not set them all. */
  readonly parameters: readonly string[];
  /** The nodes on which they were set, if those are fewer than asked for; empty otherwise. */
  readonly nodes: readonly NodeRef[];
}

/**
 * Sets parameters of a Thing at its full JID. Resolves to what was done of it (P-3.4.2-7). Rejects with `ERR_STANZA`:
 * `forbidden` if you may set none of it, `item-not-found` for a parameter that is not there, `bad-request` for one of another
 * type or a value that it does not take, `resource-constraint` when it is to be tried later; `parameters` of the error says
 * what is wrong with which. `ERR_TIMEOUT` (default 30,000 ms) and `ERR_CONNECTION` leave open whether it was done.
 * `ERR_CONFIG` for values and options that are none, `ERR_PROTOCOL` for an answer that is none, or that names what was not
 * asked for.
 */
export async function setParameters(
  channel: Channel,
  jid: string,
  values: ParameterValues,
  options: ControlOptions = {},
): Promise<ControlOutcome> {
  checkControlCall(values, options);
  const { nodes = [], tokens = {}, form, signal, timeout } = options;
  const to = parseJid(jid).full;
  const wishes = wishesOf(values, form);
  const what =
    form === undefined
      ? { parameters: wishes.map(({ setting }) => setting) }
      : { parameters: [], form: filledIn(form, wishes) };
  const payload = buildSet({ nodes, tokens, ...what });
  const answer = await channel.request({ type: "set", to, payload }, { signal, timeout });
  const response = parseSetResponse(answer);
  const asked = wishes.map(({ setting }) => setting.name);
  const done = new Set(response.parameters);
  const set = asked.filter((name) => done.has(name));
  if (set.length < done.size) throw lie("parameter");
  if (!response.nodes.every(meantBy(nodes))) throw lie("node");
  return { parameters: done.size === 0 ? asked : set, nodes: response.nodes };
}

const lie = (what: "node" | "parameter"): ProtocolError =>
  new ProtocolError(`the Thing says that it has set a ${what} that it was not asked for`, `setResponse/${what}`);

/** Tells whether a node was asked for. Who names none may be told of any: what the Thing has, nobody else can know. */
function meantBy(asked: readonly NodeRef[]): (node: NodeRef) => boolean {
  const byId = new Map<string, NodeRef[]>();
  for (const node of asked) byId.set(node.nodeId, [...(byId.get(node.nodeId) ?? []), node]);
  // What one of the two leaves out may be anything (P-5.5-3).
  return (node) =>
    asked.length === 0 || (byId.get(node.nodeId) ?? []).some((one) => refersTo(one, node) || refersTo(node, one));
}

/**
 * Asks a Thing at its full JID what you may control of it (XEP-0325 3.3.1); of several nodes what they have in common
 * (3.4.4). Rejects with `ERR_STANZA`: `forbidden` if that is nothing, `item-not-found` for a node that is not there,
 * `feature-not-implemented` or `service-unavailable` from a Thing without control forms. `ERR_TIMEOUT` (default 30,000 ms),
 * `ERR_CONNECTION`, `ERR_CONFIG` for options that are none, `ERR_PROTOCOL` for an answer that is none.
 */
export async function getControlForm(channel: Channel, jid: string, options: FormOptions = {}): Promise<ControlForm> {
  checkFormCall(options);
  const { nodes = [], tokens = {}, language, signal, timeout } = options;
  const to = parseJid(jid).full;
  const payload = buildGetForm({ nodes, tokens, ...(language !== undefined && { lang: language }) });
  const answer = await channel.request({ type: "get", to, payload }, { signal, timeout });
  if (answer === undefined) throw new ProtocolError("an answer without a form", "");
  return controlFormOf(parseDataForm(answer));
}
