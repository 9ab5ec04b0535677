// XEP-0325 3.1.2 as the controller sees it: for owners, services, and Things that control Things.
import { checkCall, type CallOptions } from "../core/abort.ts";
import { ConfigError, ProtocolError } from "../core/errors.ts";
import { parseJid } from "../core/jid.ts";
import { checkKnown } from "../core/options.ts";
import { buildSet, parseSetResponse, type ParameterSetting } from "../codec/control.ts";
import { checkNodes, type NodeRef } from "../codec/node-ref.ts";
import type { Tokens } from "../codec/tokens.ts";
import { isXmlText } from "../codec/xml.ts";
import type { Channel } from "../channel/channel.ts";

/** What to set: values by the names of the parameters. A `Map` keeps any order; an object that of JavaScript. */
export type ParameterValues = Readonly<Record<string, boolean>> | ReadonlyMap<string, boolean>;

/** How to control. */
export interface ControlOptions extends CallOptions {
  /** Nodes of a concentrator. Default: the Thing itself. */
  readonly nodes?: readonly NodeRef[];
  /** Tokens to present. Default none. */
  readonly tokens?: Tokens;
}

/** Refuses what cannot be set. Throws `ERR_CONFIG`. */
export function checkControlCall(values: ParameterValues, options: ControlOptions): void {
  settingsOf(values);
  checkKnown(options, ["nodes", "tokens", "timeout", "signal"], "options");
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
 * `forbidden` if you may set none of it, `item-not-found` for a parameter that is not there, `bad-request` for one that
 * is not boolean, `resource-constraint` when it is to be tried later; `parameters` of the error says what is wrong with
 * which. `ERR_TIMEOUT` (default 30,000 ms) and `ERR_CONNECTION` leave open whether it was done. `ERR_CONFIG` for values
 * and options that are none, `ERR_PROTOCOL` for an answer that is none.
 */
export async function setParameters(
  channel: Channel,
  jid: string,
  values: ParameterValues,
  options: ControlOptions = {},
): Promise<ControlOutcome> {
  checkControlCall(values, options);
  const { nodes = [], tokens = {}, signal, timeout } = options;
  const to = parseJid(jid).full;
  const parameters = settingsOf(values);
  const payload = buildSet({ nodes, parameters, tokens });
  const answer = await channel.request({ type: "set", to, payload }, { signal, timeout });
  const response = parseSetResponse(answer);
  const asked = parameters.map(({ name }) => name);
  if (response.parameters.length === 0) return { parameters: asked, nodes: response.nodes };
  const done = new Set(response.parameters);
  const set = asked.filter((name) => done.has(name));
  if (set.length === 0) throw new ProtocolError("the Thing has set what it was not asked for", "setResponse/parameter");
  return { parameters: set, nodes: response.nodes };
}

function settingsOf(values: ParameterValues): readonly ParameterSetting[] {
  if (typeof values !== "object" || (values as unknown) === null || Array.isArray(values)) {
    throw new ConfigError("values: must be an object, { LED: true }, or a Map");
  }
  const entries: readonly (readonly [string, unknown])[] = [
    ...(values instanceof Map ? (values as ReadonlyMap<string, boolean>) : Object.entries(values)),
  ];
  if (entries.length === 0) throw new ConfigError("values: name at least one parameter");
  return entries.map(([name, value]) => {
    if (name === "" || !isXmlText(name)) throw new ConfigError("values: a parameter needs a name that XML can hold");
    if (typeof value !== "boolean") throw new ConfigError(`values.${name}: must be true or false`);
    return { kind: "boolean", name, value };
  });
}
