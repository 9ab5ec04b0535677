// What somebody is whom the button has accepted: P-3.1.1-9, P-3.1.1-10.
import { DiscoveryError, StanzaError } from "../core/errors.ts";
import { isComponent, type BareJid } from "../core/jid.ts";
import { ns } from "../codec/namespaces.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import type { Friends } from "../connection/friends.ts";
import { hasFeature } from "../discovery/features.ts";
import type { ThingEvent } from "./state.ts";

/** What it takes to examine somebody. */
export interface ExamineParts {
  readonly channel: Channel;
  readonly friends: Friends;
  readonly whereabouts: Whereabouts;
}

/** How long somebody has to show up and say what it is, in milliseconds; then it is tried again. */
const ANSWER_WITHIN = 30_000;

/**
 * Tells somebody that it was accepted, befriends it in turn, and asks by disco#info whether it is a provisioning server.
 * Rejects while it does not say: only an answer makes it a server, or an ordinary friend.
 */
export async function examine(parts: ExamineParts, jid: BareJid, signal: AbortSignal): Promise<ThingEvent> {
  const { friends } = parts;
  if (friends.has(jid)?.from !== true) await friends.accept(jid);
  return { type: "examined", jid, server: await isServer(parts, jid, signal) };
}

async function isServer({ channel, whereabouts }: ExamineParts, jid: BareJid, signal: AbortSignal): Promise<boolean> {
  const options = { signal, timeout: ANSWER_WITHIN };
  try {
    if (isComponent(jid)) return await hasFeature(channel, jid, ns.provisioning, options);
    await whereabouts.addressOf(jid, ns.provisioning, options);
    return true;
  } catch (error) {
    // It is there, and none of its connections is a server; or it does not know disco#info at all.
    if (error instanceof DiscoveryError) return false;
    if (error instanceof StanzaError && error.condition === "feature-not-implemented") return false;
    throw error;
  }
}
