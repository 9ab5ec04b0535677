// Whom a Thing turns to: XEP-0347 3.5 (Thing Registry) and 3.11 (provisioning server), by the methods that the options name.
import { onAbort, sleep, withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { DiscoveryError, messageOf } from "../core/errors.ts";
import { isComponent, type BareJid } from "../core/jid.ts";
import { ns } from "../codec/namespaces.ts";
import { buildIsFriend, parseIsFriendResponse } from "../codec/provisioning.ts";
import type { Friends } from "../connection/friends.ts";
import type { ServiceHints } from "../discovery/components.ts";
import { serviceAddress } from "../discovery/features.ts";
import type { ProvisioningWays, RegistryWays } from "../discovery/service-options.ts";
import { completed, findRegistry, firstOf, named, type FindingParts, type Way } from "../discovery/services.ts";
import type { TrustOrigin, TrustedServer } from "./state.ts";

/** What a Thing finds services with. */
export interface FindServicesParts extends FindingParts {
  readonly clock: Clock;
  /** The ways that the options name. */
  readonly ways: { readonly registry: RegistryWays; readonly provisioning: ProvisioningWays };
  /**
   * Services that were named on the network by whoever announced the server: an order in which to ask what the server
   * itself lists, and nothing else (XEP-0347 6.2, D-E21).
   */
  readonly hints: () => ServiceHints;
  /** Who of the friends is there. */
  readonly friends: Pick<Friends, "has" | "presenceOf">;
}

/** How long an owner has to show up and answer, in milliseconds: most are no servers, and the others wait meanwhile. */
const OWNER_WITHIN = 5_000;
// How often it is looked whether an owner who is a friend is there at all, in milliseconds. The server says so at once.
const LOOK_EVERY = 500;

/** XEP-0347 3.5. Rejects with `ERR_DISCOVERY`, saying what was tried. */
export function findARegistry(parts: FindServicesParts, signal: AbortSignal): Promise<BareJid> {
  return findRegistry(parts, parts.ways.registry, parts.hints().registries, signal);
}

/** XEP-0347 3.11, in its order. Rejects with `ERR_DISCOVERY`, saying what was tried. */
export async function findAServer(
  parts: FindServicesParts,
  { registry, owner }: { readonly registry: BareJid; readonly owner: BareJid | undefined },
  signal: AbortSignal,
): Promise<TrustedServer> {
  const { servers, search, ...ways } = parts.ways.provisioning;
  const feature = ns.provisioning;
  const list = servers.map((jid) => as("found", named(parts, "server", jid, feature, signal)));
  list.push(...completed(parts, ways, feature, signal).map((way) => as("found", way)));
  // These two came with the owner, and go with the owner (X-E4). Without one the Registry is what the Thing has found.
  // One that is an account is not befriended for it: that would be for good, where nobody is found (XEP-0347 5.3, D-E14).
  if (ways.registry && (isComponent(registry) || parts.friends.has(registry)?.to === true))
    list.push(as(owner === undefined ? "found" : "owner", named(parts, "Registry", registry, feature, signal)));
  const searching = once(() => parts.components.find(feature, { signal, preferred: parts.hints().provisioning }));
  if (ways.owner && owner !== undefined) {
    const find = (): Promise<BareJid> => {
      // What comes of the search counts when the owner is none; it need not wait for that.
      if (search) searching().catch(() => undefined);
      return askOwner(parts, owner, signal);
    };
    list.push(as("owner", { name: "owner", find }));
  }
  if (search) list.push(as("found", { name: "search", find: searching }));
  return firstOf("provisioning server", list, signal);
}

/** What is begun when it is asked for first, and then is the same for everybody. */
function once<T>(begin: () => Promise<T>): () => Promise<T> {
  let begun: Promise<T> | undefined;
  return () => (begun ??= begin());
}

/** A way, with what is to be known of a server that is found by it. */
function as(origin: TrustOrigin, { name, find }: Way): Way<TrustedServer> {
  return { name, find: async () => ({ jid: await find(), origin }) };
}

/**
 * Method 6. Some client libraries advertise whatever they have ever heard of, so that an owner's chat program would be
 * trusted with everything: he is a server only if he answers a question as one does. He has been asked for friendship after
 * the claim, and is not asked again. One who is known to be away is not waited for.
 */
function askOwner(parts: FindServicesParts, owner: BareJid, signal: AbortSignal): Promise<BareJid> {
  const limits = { signal, timeout: OWNER_WITHIN };
  return withDeadline(parts.clock, limits, `asking ${owner}`, async (limited) => {
    const done = new AbortController();
    const forget = onAbort(limited, () => done.abort(limited.reason));
    try {
      return await Promise.race([answerOf(parts, owner, done.signal), unlessAway(parts, owner, done.signal)]);
    } finally {
      forget();
      done.abort(new Error("the owner was asked"));
    }
  });
}

/** Rejects when the owner is a friend, whose presence the Thing may see, and is not there. Resolves never. */
async function unlessAway({ friends, clock }: FindServicesParts, owner: BareJid, signal: AbortSignal): Promise<never> {
  for (let missed = 0; missed < 2;) {
    await sleep(clock, LOOK_EVERY, signal);
    const isMissed = friends.has(owner)?.to === true && friends.presenceOf(owner).length === 0;
    missed = isMissed ? missed + 1 : 0;
  }
  throw new DiscoveryError(`${owner} is not online`);
}

async function answerOf(parts: FindServicesParts, owner: BareJid, signal: AbortSignal): Promise<BareJid> {
  const to = await serviceAddress(parts, owner, ns.provisioning, { signal, befriend: false });
  const payload = buildIsFriend({ jid: owner });
  const about = await parts.channel
    .request({ type: "get", to, payload }, { signal })
    .then((answer) => parseIsFriendResponse(answer).jid)
    .catch((error: unknown) => {
      signal.throwIfAborted();
      const why = `${owner} advertises provisioning, but does not answer isFriend: ${messageOf(error)}`;
      throw new DiscoveryError(why, { cause: error });
    });
  if (about === owner) return owner;
  throw new DiscoveryError(`${owner} advertises provisioning, but does not answer what isFriend was asked`);
}
