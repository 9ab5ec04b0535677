// What a Thing does on the wire, effect by effect.
import { sleep } from "../core/abort.ts";
import { Backoff } from "../core/backoff.ts";
import { DiscoveryError, StanzaError, messageOf } from "../core/errors.ts";
import { isComponent, type BareJid } from "../core/jid.ts";
import type { RandomSource } from "../core/random.ts";
import { ns } from "../codec/namespaces.ts";
import { presence } from "../codec/stanza.ts";
import type { Tag } from "../codec/tags.ts";
import type { Friends } from "../connection/friends.ts";
import { Components } from "../discovery/components.ts";
import { whoIsAway, type Barrier } from "../provisioning/barrier.ts";
import type { OwnTokens } from "../provisioning/own-tokens.ts";
import { emptyKey, register, unregister, update } from "../registry/registry-client.ts";
import { resetAccount, type AccountResetParts } from "./account-reset.ts";
import { ownCaps, type Abilities } from "./disco.ts";
import { examine } from "./examine.ts";
import { findARegistry, findAServer, type FindServicesParts } from "./find-services.ts";
import type { OwnTags } from "./own-tags.ts";
import { isFindable } from "./ownership.ts";
import type { Perform } from "./runner.ts";
import type { ThingEffect, ThingEvent, ThingState } from "./state.ts";

/** What effects are done with. */
export interface EffectParts extends Omit<FindServicesParts, "components"> {
  readonly friends: Friends;
  /** Asks again about friends of whom nothing is remembered. */
  readonly reviewFriends: (signal: AbortSignal) => Promise<void>;
  /** Ends the friendship with somebody of whom a server has said `unfriend`. */
  readonly part: (jid: BareJid, signal: AbortSignal) => Promise<void>;
  readonly barrier: Barrier;
  /** Gets tokens. */
  readonly ownTokens: Pick<OwnTokens, "get">;
  /** Randomness for the spread of tries. */
  readonly random: RandomSource;
  /** The Registry, if the options name its address. */
  readonly registry: BareJid | undefined;
  /** Told before a registration goes out: the notice of a claim may come as soon as the Registry has it. */
  readonly onRegistering: (registry: BareJid) => void;
  /** The accounts, for a factory reset. */
  readonly accounts: AccountResetParts["accounts"];
  /** Told that the server refuses to reset one. */
  readonly onFault: AccountResetParts["onFault"];
  /** The state now: what was to be done may be of no use any more. */
  readonly state: () => ThingState;
  /** What the Registry is to say of the Thing, and has been told. */
  readonly ownTags: OwnTags;
  /** Whether the Thing registers as its own owner (XEP-0347 3.7). */
  readonly selfOwned: boolean;
  /** The tags to register, with KEY. */
  readonly tags: () => readonly Tag[];
  /** What the presence of the Thing says it can do. */
  readonly can: Abilities;
}

/** How long Registry and servers have to answer, in milliseconds. */
const ANSWER_WITHIN = 10_000;
const AT_ONCE = 20;
// When a Registry is asked again that still names the owner of before (D-E17), in milliseconds.
const AGAIN_AFTER = [1_000, 2_000, 4_000, 8_000, 16_000];

/** The same, with what is kept from one effect to the next. */
type Parts = EffectParts & FindServicesParts;

/** Does effects with these parts. */
export function performer(given: EffectParts): Perform {
  const parts: Parts = { ...given, components: new Components(given) };
  const { friends } = parts;
  return async (effect, signal) => {
    switch (effect.do) {
      case "greet":
        return greet(parts, effect, signal);
      case "unregister":
        return unregisterAt(parts, effect.registry, signal);
      case "resetAccount":
        return resetAccount(parts, effect.how, signal);
      case "examine":
        return examine(parts, effect.jid, signal);
      case "introduce":
        return introduce(parts, effect.servers);
      case "register":
        return registerAt(parts, effect, signal);
      case "emptyKey":
        return emptyKeyAt(parts, effect.registry, signal);
      case "updateTags":
        return updateTagsAt(parts, effect.registry, signal);
      case "leaveRegistry":
        // At most what stands in the roster: whoever asks for friendship again later is answered as before.
        if (friends.has(effect.registry) !== undefined)
          await friends.remove(effect.registry, { signal, timeout: ANSWER_WITHIN });
        return undefined;
      case "askOwner":
        await friends.ask(effect.owner);
        return { type: "ownerAsked" };
      case "reviewFriends":
        await parts.reviewFriends(signal);
        return undefined;
      case "part":
        await parts.part(effect.jid, signal);
        return { type: "parted", jid: effect.jid };
      case "getToken":
        await parts.ownTokens.get(effect.jid, signal);
        return undefined;
      case "findServers":
        return { type: "serversFound", servers: [await findAServer(parts, effect, signal)] };
    }
  };
}

/** Presence for those who cannot subscribe to it: components (P-5.1-2, D-E15). Accounts see it as friends. */
function directed(can: Abilities, addresses: readonly (BareJid | undefined)[]): ReturnType<typeof presence>[] {
  const components = addresses.filter((jid): jid is BareJid => jid !== undefined && isComponent(jid));
  return [...new Set(components)].map((to) => presence({ to }, ownCaps(can)));
}

/**
 * The first words on a new stream. The roster before presence, so that nobody is missed (RFC 6121 2.2); presence to
 * Registry and servers, who otherwise never learn that the Thing is back; then the barrier.
 */
async function greet(
  parts: EffectParts,
  { registry, servers, leaving, again = false }: Extract<ThingEffect, { do: "greet" }>,
  signal: AbortSignal,
): Promise<ThingEvent | undefined> {
  const { channel, friends, barrier, can } = parts;
  await friends.load({ signal, timeout: ANSWER_WITHIN, again });
  if (leaving !== undefined) await leaveFriends(friends, leaving.registry, signal);
  await channel.send(presence({}, ownCaps(can)), ...directed(can, [registry, ...servers]));
  await askForFriendship(friends, [registry, ...servers]);
  const introduceAgain = introducer(parts, signal);
  barrier.onAway(introduceAgain);
  void barrier.settle(parts, servers, signal).then((away) => away.forEach(introduceAgain));
  return leaving && { type: "friendsLeft" };
}

/**
 * After a factory reset: nobody of before sees the Thing's presence any more. Not the Registry: one that is an account
 * can be reached as a friend only, and is still to forget the Thing.
 */
async function leaveFriends(friends: Friends, registry: BareJid | undefined, signal: AbortSignal): Promise<void> {
  const strangers = friends.list().filter((jid) => jid !== registry);
  for (let i = 0; i < strangers.length; i += AT_ONCE) {
    const options = { signal, timeout: ANSWER_WITHIN };
    const leaving = strangers.slice(i, i + AT_ONCE).map((jid) => friends.remove(jid, options).catch(unlessAnswered));
    await Promise.all(leaving);
  }
}

/** Tells servers that are trusted from now on where the Thing is. */
async function introduce({ channel, friends, can }: EffectParts, servers: readonly BareJid[]): Promise<undefined> {
  const stanzas = directed(can, servers);
  if (stanzas.length > 0) await channel.send(...stanzas);
  await askForFriendship(friends, servers);
  return undefined;
}

/**
 * A component that was away never had the presence, or has forgotten it, and does not know where to send that rules have
 * changed: a server that was started again is often up before its components are. It is told again until it is there
 * (P-3.5.1-2, P-5.1-2). That it is away shows at the start of a stream, or when it does not answer a question.
 */
function introducer(parts: EffectParts, signal: AbortSignal): (server: BareJid) => void {
  const { channel, clock, random, can } = parts;
  const away = new Set<BareJid>();
  const introduceAgain = async (server: BareJid): Promise<void> => {
    const backoff = new Backoff(random);
    while (away.has(server)) {
      await sleep(clock, backoff.next(), signal);
      await channel.send(...directed(can, [server]));
      const still = await whoIsAway(parts, [server], { signal, timeout: ANSWER_WITHIN });
      if (still.length === 0) away.delete(server);
    }
  };
  return (server) => {
    if (!isComponent(server) || away.has(server)) return;
    away.add(server);
    // Fails when the stream has ended; the next one begins anew.
    introduceAgain(server).catch(() => undefined);
  };
}

/** Services that are accounts are asked to be friends (P-3.1.1-13, XEP-0347 5.1): by their presence they can be reached. */
async function askForFriendship(friends: Friends, services: readonly (BareJid | undefined)[]): Promise<void> {
  for (const jid of services) {
    if (jid !== undefined && !isComponent(jid) && friends.has(jid)?.to !== true) await friends.ask(jid);
  }
}

/** XEP-0347 3.5, then 3.6: the Registry of before, the configured one, or the first that is found. */
async function registerAt(
  parts: Parts,
  { registry: known, disownedBy }: Omit<Extract<ThingEffect, { do: "register" }>, "do">,
  signal: AbortSignal,
): Promise<ThingEvent | undefined> {
  const { whereabouts, registry: configured, onRegistering } = parts;
  const registry = known ?? configured ?? (await findARegistry(parts, signal));
  onRegistering(registry);
  try {
    const address = await whereabouts.addressOf(registry, ns.discovery, { signal, timeout: ANSWER_WITHIN });
    const answer = await registration(parts, address, disownedBy, signal);
    return answer && { ...answer, registry };
  } catch (error) {
    if (known === undefined) parts.components.forget(registry);
    if (signal.aborted || known === undefined || configured !== undefined) throw error;
    throw new DiscoveryError(`${messageOf(error)} (${staysWith(known)})`, { cause: error });
  }
}

type Registration =
  | { readonly type: "registered"; readonly selfOwned?: boolean }
  | { readonly type: "claimed"; readonly owner: BareJid; readonly public: boolean };

/**
 * XEP-0347 3.6, 3.7. A Registry that still names the owner who has disowned the Thing has not finished with that: it is
 * asked again a little later, and taken at its word in the end (D-E17). `undefined`: the Thing was claimed meanwhile, and
 * does not register any more (D-3.6-11).
 */
async function registration(
  parts: Parts,
  address: string,
  disownedBy: BareJid | undefined,
  signal: AbortSignal,
): Promise<Registration | undefined> {
  const { channel, clock, state, selfOwned, ownTags } = parts;
  const options = { signal, timeout: ANSWER_WITHIN };
  for (const wait of [...AGAIN_AFTER, undefined]) {
    if (state().ownership.is === "claimed") return undefined;
    const tags = selfOwned ? ownTags.all : parts.tags();
    await ownTags.registering(tags);
    const claim = await register(channel, address, { tags, selfOwned }, options);
    if (claim === undefined) {
      await ownTags.registered(tags);
      return { type: "registered", ...(selfOwned && { selfOwned }) };
    }
    // Its own address: it is its own owner there (D-E26).
    const isOwn = claim.jid === channel.jid?.bare;
    if (isOwn && selfOwned) return { type: "registered", selfOwned };
    if (isOwn) {
      // From before a reset, or before `selfOwned` was taken out of the options: nobody could claim it so.
      await unregister(channel, address, {}, options);
      continue;
    }
    if (claim.jid !== disownedBy || wait === undefined) {
      return { type: "claimed", owner: claim.jid, public: claim.public };
    }
    await sleep(clock, wait, signal);
  }
  throw new DiscoveryError("the Registry has the Thing as its own owner, and does not unregister it");
}

/** A server that does not let go of a friend keeps the Thing from nothing else. */
function unlessAnswered(error: unknown): void {
  if (!(error instanceof StanzaError)) throw error;
}

/**
 * XEP-0347 3.16. A Registry that cannot unregister anybody is one to register with nevertheless, if it does not answer
 * with an owner of before: whoever holds the Thing now has reset it to be rid of that one.
 */
async function unregisterAt(parts: Parts, registry: BareJid, signal: AbortSignal): Promise<ThingEvent | undefined> {
  const { channel, whereabouts } = parts;
  const options = { signal, timeout: ANSWER_WITHIN };
  try {
    await unregister(channel, await whereabouts.addressOf(registry, ns.discovery, options), {}, options);
    return { type: "registryLeft" };
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    const outcome = await registerAt(parts, { registry: undefined }, signal);
    if (outcome?.type !== "claimed") return outcome;
    const why = `the Registry still says that the Thing belongs to somebody, and does not unregister it`;
    throw new DiscoveryError(`${why}: ${error.message}`, { cause: error });
  }
}

// Another one would let whoever runs it take over a Thing whose Registry is away for a day.
const staysWith = (registry: BareJid): string =>
  `the Thing stays with ${registry}, where it was registered; another one only if the option \`registry\` names it`;

/**
 * XEP-0347 3.13: what the Registry has otherwise than it is wanted, until there is nothing of that. What has changed in the
 * middle goes out next. An owner who has gone or has removed the Thing shows in the answer (D-E4, D-E19); a Thing that is its
 * own was forgotten, and registers again.
 */
async function updateTagsAt(parts: Parts, registry: BareJid, signal: AbortSignal): Promise<ThingEvent | undefined> {
  const { channel, whereabouts, state, ownTags } = parts;
  const options = { signal, timeout: ANSWER_WITHIN };
  for (;;) {
    const { ownership } = state();
    const tags = ownTags.differences();
    if (!isFindable(ownership) || tags.length === 0) return undefined;
    const address = await whereabouts.addressOf(registry, ns.discovery, options);
    await ownTags.telling(tags);
    const outcome = await update(channel, address, { tags }, options).catch((error: unknown) => {
      if (error instanceof StanzaError) ownTags.refused(error);
      throw error;
    });
    if (outcome === "updated") await ownTags.told(tags);
    else if (ownership.is === "selfOwned") return registerAt(parts, { registry }, signal);
    else return { type: outcome, registry };
  }
}

/** XEP-0347 6.5. An owner who has gone meanwhile, or has removed the Thing, shows in the answer (D-E4, D-E19). */
async function emptyKeyAt(
  { channel, whereabouts, state }: EffectParts,
  registry: BareJid,
  signal: AbortSignal,
): Promise<ThingEvent | undefined> {
  const options = { signal, timeout: ANSWER_WITHIN };
  const { ownership } = state();
  if (ownership.is !== "claimed" || ownership.keyEmptied) return undefined;
  const outcome = await emptyKey(channel, await whereabouts.addressOf(registry, ns.discovery, options), options);
  return outcome === "updated" ? { type: "keyEmptied" } : { type: outcome, registry };
}
