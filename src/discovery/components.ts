// Scanning a server's components for what they can do: XEP-0347 3.5 method 5 and 3.11 method 7, section 4; XEP-0324 3.1.2.
import type { CallOptions } from "../core/abort.ts";
import { DiscoveryError, messageOf } from "../core/errors.ts";
import { isComponent, type BareJid } from "../core/jid.ts";
import { buildInfoQuery, buildItemsQuery, parseInfo, parseItems } from "../codec/disco.ts";
import type { Channel } from "../channel/channel.ts";

// A server that lists thousands of components must not make a Thing ask thousands of questions.
const MOST_COMPONENTS = 50;
const AT_ONCE = 5;
const ANSWER_WITHIN = 5_000;

/** Asks whether somebody has a feature. Rejects when the answer is an error, cannot be understood, or none comes. */
export async function hasFeature(
  channel: Channel,
  jid: string,
  feature: string,
  options: CallOptions = {},
): Promise<boolean> {
  const info = await channel.request({ type: "get", to: jid, payload: buildInfoQuery() }, options);
  return parseInfo(info).features.includes(feature);
}

/**
 * The components of the own server that have a feature, in the server's order. Rejects with `ERR_DISCOVERY`, listing
 * what was asked and what it said, when there is none.
 */
export async function findComponents(
  channel: Channel,
  feature: string,
  signal?: AbortSignal,
): Promise<readonly BareJid[]> {
  const domain = channel.jid?.domain ?? "";
  const options: CallOptions = { signal, timeout: ANSWER_WITHIN };
  const listed = await channel.request({ type: "get", to: domain, payload: buildItemsQuery() }, options);
  // A server may list accounts and rooms as well: what is found here is trusted, so it must be a component (X-E5).
  const components = parseItems(listed).filter(isComponent).slice(0, MOST_COMPONENTS);
  const said = new Map<BareJid, string>();
  const found = new Set<BareJid>();
  const check = async (jid: BareJid): Promise<void> => {
    try {
      if (await hasFeature(channel, jid, feature, options)) found.add(jid);
      else said.set(jid, "does not have it");
    } catch (error) {
      signal?.throwIfAborted();
      said.set(jid, messageOf(error));
    }
  };
  for (let i = 0; i < components.length; i += AT_ONCE) await Promise.all(components.slice(i, i + AT_ONCE).map(check));
  if (found.size > 0) return components.filter((jid) => found.has(jid));
  const tried = components.map((jid) => `${jid}: ${said.get(jid) ?? ""}`).join("; ");
  throw new DiscoveryError(`no component of ${domain} has ${feature} (${tried === "" ? "it lists none" : tried})`);
}
