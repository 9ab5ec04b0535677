// Asking what somebody can do: XEP-0324 4, XEP-0347 4.
import type { CallOptions } from "../core/abort.ts";
import { DiscoveryError, ProtocolError, StanzaError, TimeoutError } from "../core/errors.ts";
import { isComponent, type BareJid } from "../core/jid.ts";
import { buildInfoQuery, parseInfo } from "../codec/disco.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";

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

/** What it takes to tell whether somebody is a service. */
export interface ServiceParts {
  /** How it is asked. */
  readonly channel: Channel;
  /** Where accounts are reached. */
  readonly whereabouts: Whereabouts;
}

/**
 * Resolves to the address of a service for IQs if it has the feature: a component is asked, an account is befriended, unless that is
 * not wanted, and looked for by its presence (XEP-0347 5.1). Rejects with `ERR_DISCOVERY` if it does not have it, and as `hasFeature` and
 * `addressOf` do.
 */
export async function serviceAddress(
  { channel, whereabouts }: ServiceParts,
  jid: BareJid,
  feature: string,
  options: CallOptions & { readonly befriend?: boolean },
): Promise<string> {
  if (!isComponent(jid)) return whereabouts.addressOf(jid, feature, options);
  if (await hasFeature(channel, jid, feature, options)) return jid;
  throw new DiscoveryError(`${jid} does not have ${feature}`);
}

/**
 * Why nothing was learnt from asking somebody, in words that are the same for everybody it happens to. Throws what says
 * nothing of whom was asked: the stream has ended.
 */
export function whyNot(error: unknown, within: number): string {
  if (error instanceof StanzaError) return `answered ${error.condition}`;
  if (error instanceof TimeoutError) return `gave no answer within ${within} ms`;
  if (error instanceof ProtocolError) return "gave an answer that cannot be understood";
  throw error;
}
