// What a Thing does on the wire, effect by effect.
import type { Clock } from "../core/clock.ts";
import { DiscoveryError } from "../core/errors.ts";
import { isComponent, type BareJid } from "../core/jid.ts";
import { ns } from "../codec/namespaces.ts";
import { presence } from "../codec/stanza.ts";
import type { Tag } from "../codec/tags.ts";
import type { Channel } from "../channel/channel.ts";
import type { Friends } from "../connection/friends.ts";
import { findComponents, hasFeature } from "../discovery/components.ts";
import type { Barrier } from "../provisioning/barrier.ts";
import { emptyKey, register } from "../registry/registry-client.ts";
import type { Perform } from "./runner.ts";
import type { ThingEvent } from "./state.ts";

/** What effects are done with. */
export interface EffectParts {
  readonly channel: Channel;
  readonly friends: Friends;
  readonly barrier: Barrier;
  readonly clock: Clock;
  /** The configured Registry. */
  readonly registry: BareJid | undefined;
  /** Told before a registration goes out: the notice of a claim may come as soon as the Registry has it. */
  readonly onRegistering: (registry: BareJid) => void;
  /** The tags to register, with KEY. */
  readonly tags: () => readonly Tag[];
}

/** How long Registry and servers have to answer, in milliseconds. */
const ANSWER_WITHIN = 10_000;

/** Does effects with these parts. */
export function performer(parts: EffectParts): Perform {
  const { channel, friends } = parts;
  return async (effect, signal) => {
    switch (effect.do) {
      case "greet":
        return greet(parts, effect.registry, effect.servers, signal);
      case "introduce":
        await channel.send(...directed(effect.servers));
        return undefined;
      case "register":
        return registerAt(parts, effect.registry, signal);
      case "emptyKey":
        await emptyKey(channel, effect.registry, { signal, timeout: ANSWER_WITHIN });
        return { type: "keyEmptied" };
      case "askOwner":
        await friends.ask(effect.owner);
        return { type: "ownerAsked" };
      case "findServers":
        return { type: "serversFound", servers: [await findServer(channel, effect.registry, signal)] };
    }
  };
}

/** Presence for those who cannot subscribe to it: components (P-5.1-2, D-E15). */
function directed(addresses: readonly (BareJid | undefined)[]): ReturnType<typeof presence>[] {
  const components = addresses.filter((jid): jid is BareJid => jid !== undefined && isComponent(jid));
  return [...new Set(components)].map((to) => presence({ to }));
}

/**
 * The first words on a new stream. The roster before presence, so that nobody is missed (RFC 6121 2.2); presence to
 * Registry and servers, who otherwise never learn that the Thing is back; then the barrier.
 */
async function greet(
  { channel, friends, barrier, clock }: EffectParts,
  registry: BareJid | undefined,
  servers: readonly BareJid[],
  signal: AbortSignal,
): Promise<undefined> {
  await friends.load({ signal, timeout: ANSWER_WITHIN });
  await channel.send(presence(), ...directed([registry, ...servers]));
  void barrier.settle(channel, servers, clock, signal);
  return undefined;
}

/** XEP-0347 3.5, then 3.6: the Registry of before, the configured one, or the first that the scan finds. */
async function registerAt(
  { channel, registry: configured, tags, onRegistering }: EffectParts,
  known: BareJid | undefined,
  signal: AbortSignal,
): Promise<ThingEvent> {
  const registry = known ?? configured ?? (await findComponents(channel, ns.discovery, signal))[0];
  if (registry === undefined) throw new DiscoveryError("no Thing Registry was found");
  onRegistering(registry);
  const claim = await register(channel, registry, tags(), { signal, timeout: ANSWER_WITHIN });
  if (claim === undefined) return { type: "registered", registry };
  return { type: "claimed", registry, owner: claim.jid, public: claim.public };
}

/** XEP-0347 3.11: the Registry itself if it is a provisioning server (method 5), else the first that the scan finds (method 7). */
async function findServer(channel: Channel, registry: BareJid, signal: AbortSignal): Promise<BareJid> {
  const options = { signal, timeout: ANSWER_WITHIN };
  if (await hasFeature(channel, registry, ns.provisioning, options).catch(() => false)) return registry;
  const [server] = await findComponents(channel, ns.provisioning, signal);
  if (server === undefined) throw new DiscoveryError("no provisioning server was found");
  return server;
}
