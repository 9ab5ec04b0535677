// What a Thing says to its Registry and to owners about the nodes behind it (XEP-0347 3.6 to 3.9, 3.13, 3.16).
import { sleep } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { DiscoveryError, StanzaError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { ns } from "../codec/namespaces.ts";
import type { Tag } from "../codec/tags.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import type { Friends } from "../connection/friends.ts";
import { emptyKey, register, unregister, update } from "../registry/registry-client.ts";
import type { NodeEntry } from "./node-entry.ts";
import type { NodeEvent, NodeTask } from "./node-life.ts";

/** What it is said with. */
export interface NodeWireParts {
  readonly channel: Channel;
  readonly whereabouts: Whereabouts;
  readonly friends: Friends;
  readonly clock: Clock;
}

/** The Registry goes on saying whose a node is, where it is nobody's: the matter of this node alone, the others need not wait. */
export class NodeKeptError extends DiscoveryError {}

/** How long the Registry has to answer, in milliseconds. */
const ANSWER_WITHIN = 10_000;
// When a Registry is asked again that still names the owner of before (D-E17), in milliseconds.
const AGAIN_AFTER = [1_000, 2_000, 4_000, 8_000, 16_000];

/** The same for every node: who says it where, until when. */
interface Place extends NodeWireParts {
  readonly address: string;
  readonly registry: BareJid;
  readonly signal: AbortSignal;
}

/** Does what is to be done about a node, at the Registry; resolves to what has come of it. */
export async function doTask(
  parts: NodeWireParts,
  entry: NodeEntry,
  task: Exclude<NodeTask, { do: "unregister" }>,
  registry: BareJid,
  signal: AbortSignal,
): Promise<readonly NodeEvent[]> {
  if (task.do === "askOwner") {
    await askForFriendship(parts.friends, task.owner);
    return [{ type: "ownerAsked" }];
  }
  const address = await addressOf(parts, registry, signal);
  const place: Place = { ...parts, address, registry, signal };
  if (task.do === "register") return [await registration(place, entry, task.disownedBy)];
  return changes(place, entry.settings.node, task.tags);
}

/** XEP-0347 3.13. Also a Registry that does not take the other tags has no KEY any more (6.5). */
async function changes(
  { channel, address, registry, signal }: Place,
  node: NodeRef,
  tags: readonly Tag[],
): Promise<readonly NodeEvent[]> {
  const options = { signal, timeout: ANSWER_WITHIN };
  const others = tags.filter(({ name }) => name !== "KEY");
  const hasKey = others.length < tags.length;
  let told = others;
  const outcome = await update(channel, address, { tags, node }, options).catch((error: unknown) => {
    if (!(error instanceof StanzaError) || !hasKey || others.length === 0) throw error;
    told = [];
    return emptyKey(channel, address, options, node);
  });
  if (outcome !== "updated") return [{ type: outcome, registry }];
  return [...(hasKey ? [{ type: "keyEmptied" } as const] : []), { type: "told", tags: told }];
}

/**
 * Has the Registry forget a node and its owner (XEP-0347 3.16). One that cannot unregister is one to register with
 * nevertheless, if it does not answer with an owner of before.
 *
 * @param entry what is known of the node; left out: it was removed, and is not registered again
 */
export async function leaveRegistry(
  parts: NodeWireParts,
  node: NodeRef,
  registry: BareJid,
  signal: AbortSignal,
  entry?: NodeEntry,
): Promise<void> {
  const options = { signal, timeout: ANSWER_WITHIN };
  const address = await addressOf(parts, registry, signal);
  try {
    await unregister(parts.channel, address, { node }, options);
  } catch (error) {
    if (!(error instanceof StanzaError) || entry === undefined) throw error;
    const outcome = await registration({ ...parts, address, registry, signal }, entry, undefined);
    if (outcome.type !== "claimed") return;
    throw new NodeKeptError(
      `the Registry still says that the node belongs to somebody, and does not unregister it: ${error.message}`,
      { cause: error },
    );
  }
}

/**
 * XEP-0347 3.6 to 3.8. A Registry that still names the owner who has disowned the node has not finished with that: it is asked
 * again a little later, and taken at its word in the end (D-E17).
 */
async function registration(
  { channel, clock, address, registry, signal }: Place,
  entry: NodeEntry,
  disownedBy: BareJid | undefined,
): Promise<NodeEvent> {
  const { node, selfOwned } = entry.settings;
  const options = { signal, timeout: ANSWER_WITHIN };
  for (const wait of [...AGAIN_AFTER, undefined]) {
    const claim = await register(channel, address, { tags: entry.tags, node, selfOwned }, options);
    // Its own address: it is its own owner there (D-E26).
    const isOwn = claim !== undefined && claim.jid === channel.jid?.bare;
    if (claim === undefined || (isOwn && selfOwned)) {
      return { type: "registered", registry, ...(selfOwned && { selfOwned }) };
    }
    if (isOwn) {
      // From before `selfOwned` was taken out of its definition: nobody could claim it so.
      await unregister(channel, address, { node }, options);
      continue;
    }
    if (claim.jid !== disownedBy || wait === undefined) {
      return { type: "claimed", registry, owner: claim.jid, public: claim.public };
    }
    await sleep(clock, wait, signal);
  }
  throw new NodeKeptError("the Registry has the node as its own owner, and does not unregister it");
}

function addressOf({ whereabouts }: NodeWireParts, registry: BareJid, signal: AbortSignal): Promise<string> {
  return whereabouts.addressOf(registry, ns.discovery, { signal, timeout: ANSWER_WITHIN });
}

/** XEP-0347 3.9. Somebody with a thousand nodes here is not asked a thousand times. */
async function askForFriendship(friends: Friends, owner: BareJid): Promise<void> {
  const standing = friends.has(owner);
  if (standing?.to === true || standing?.pendingOut === true) return;
  await friends.ask(owner);
}
