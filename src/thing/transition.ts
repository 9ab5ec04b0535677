// How a Thing lives, as a pure function (design, section 1): XEP-0347 3.5 to 3.12, XEP-0324 3.1.
import { isComponent, type BareJid } from "../core/jid.ts";
import {
  isFindable,
  leavingWith,
  needsRegistry,
  ownershipAfter,
  withoutRegistry,
  type OwnershipEvent,
} from "./ownership.ts";
import {
  ownerOf,
  registryOf,
  trustedServers,
  type Leaving,
  type Ownership,
  type Step,
  type ThingEffect,
  type ThingEvent,
  type ThingState,
  type TrustedServer,
} from "./state.ts";
import { trustIn, withAccepted, withConfigured, withPaired, withParting, withoutOwners } from "./trust.ts";

/** The state after an event, and what is to be done. The same state and no effects if the event means nothing now. */
export function transition(state: ThingState, event: ThingEvent): Step {
  switch (event.type) {
    case "loaded":
      return loaded(state, event);
    case "link":
      return link(state, event);
    case "moved":
      return nothing(moved(state));
    case "registered":
      return registered(state, event);
    case "ownerAsked":
      return nothing(owned(state, event));
    case "claimed":
      return claimed(state, event);
    case "removed":
    case "keyEmptied":
      return told(state, event);
    case "disowned":
      return disowned(state, event);
    case "tagsChanged":
      return { state, effects: online(state, updates) };
    case "nodesTold":
      // One that is not registered has something to say itself.
      return { state, effects: state.ownership.is === "unregistered" ? [] : online(state, farewell) };
    case "rightsCleared":
      return { state, effects: state.link.is === "online" ? review(state) : [] };
    case "serversFound":
      return serversFound(state, event.servers);
    case "accepted":
      return accepted(state, event.jid);
    case "examined":
      return examined(state, event);
    case "withdrawn":
      return nothing(withoutExamining(state, event.jid));
    case "unfriended":
      return unfriended(state, event.jid);
    case "parted":
      return nothing(withoutParting(state, event.jid));
    case "reset":
      return reset(state, event);
    case "friendsLeft":
      return left(state, (leaving) => leavingWith({ ...leaving, friends: false }));
    case "registryLeft":
      return left(state, withoutRegistry);
    case "accountLeft":
      return accountLeft(state, event.outcome);
  }
}

const nothing = (state: ThingState): Step => ({ state, effects: [] });

/** Whose it is after an event; the same state if nothing changes. */
function owned(state: ThingState, event: OwnershipEvent): ThingState {
  const ownership = ownershipAfter(state.ownership, event);
  return ownership === state.ownership ? state : { ...state, ownership };
}

/** What the options name comes before what was saved: another Registry, other servers only by configuration. */
function loaded(state: ThingState, event: Extract<ThingEvent, { type: "loaded" }>): Step {
  const ownership = withItself(withRegistry(event.ownership, event.registry), event.selfOwned === true);
  const trust = withConfigured(event.trust, event.servers);
  const next: ThingState = {
    ...state,
    // A Thing that nobody knows yet is what it was before: nothing has changed that would have to be told.
    ownership: ownership.is === "unregistered" && ownership.leaving === undefined ? state.ownership : ownership,
    trust: trust.is === "none" ? state.trust : trust,
    examining: event.examining.length === 0 ? state.examining : event.examining,
    parting: event.parting.length === 0 ? state.parting : event.parting,
  };
  const before = trustedServers({ ...state, trust: event.trust });
  // A new trust relationship starts with an empty cache (P-5.2-7).
  if (!sameServers(trustedServers(next), before)) return { state: next, effects: [{ do: "clearRights" }] };
  // The power may have gone before what they may do was forgotten.
  return { state: next, effects: next.parting.length === 0 ? [] : [{ do: "clearRights", of: next.parting }] };
}

function sameServers(some: readonly BareJid[], others: readonly BareJid[]): boolean {
  return some.length === others.length && some.every((jid) => others.includes(jid));
}

/** An owner stays the owner when another Registry is configured: it is then that one whose notices count. */
function withRegistry(ownership: Ownership, registry: BareJid | undefined): Ownership {
  if (registry === undefined) return ownership;
  if (ownership.is === "unregistered") {
    const { leaving } = ownership;
    if (leaving?.registry === undefined || leaving.registry === registry) return ownership;
    return withoutRegistry(leaving);
  }
  if (ownership.registry === registry) return ownership;
  return ownership.is === "claimed" ? { ...ownership, registry } : { is: "unregistered" };
}

/** A Thing that is not to be its own owner any more has to be unregistered first: nobody could claim it (XEP-0347 3.7). */
function withItself(ownership: Ownership, selfOwned: boolean): Ownership {
  if (ownership.is !== "selfOwned" || selfOwned) return ownership;
  return leavingWith({ friends: false, registry: ownership.registry });
}

function link(state: ThingState, event: Extract<ThingEvent, { type: "link" }>): Step {
  const next = { ...state, link: event.link };
  if (event.link.is === "stopped" && state.link.is === "stopped") return nothing(state);
  if (event.link.is !== "online") return nothing(next);
  return { state: next, effects: [greeting(next), ...due(next), ...review(next)] };
}

/**
 * On another domain, under another address, nobody knows the Thing: there is nothing to take back, and nobody who was
 * accepted is a friend of this address. Only a Thing that nobody knows gets there (XEP-0347 6.2).
 */
function moved(state: ThingState): ThingState {
  if (state.ownership.is !== "unregistered") return state;
  const { ownership, examining, parting } = state;
  if (ownership.leaving === undefined && examining.length === 0 && parting.length === 0) return state;
  return { ...state, ownership: { is: "unregistered" }, examining: [], parting: [] };
}

type Greeting = Extract<ThingEffect, { do: "greet" }>;

/** A component is told where the Thing is, whatever it has to say; an account is befriended while it is needed (D-E14, D-E15). */
function greeting(state: ThingState): Greeting {
  const leaving = leavingOf(state);
  const known = registryOf(state);
  const registry = known !== undefined && (isComponent(known) || needsRegistry(state.ownership)) ? known : undefined;
  const greet: Greeting = { do: "greet", registry, servers: trustedServers(state) };
  return leaving?.friends === true ? { ...greet, leaving } : greet;
}

function leavingOf({ ownership }: ThingState): Leaving | undefined {
  return ownership.is === "unregistered" ? ownership.leaving : undefined;
}

/** What is still to be done on the wire: all of it is derived from the state, so that nothing is lost with a stream. */
function due(state: ThingState): readonly ThingEffect[] {
  return [...dueFirst(state), ...tokensOf(state, trustedServers(state))];
}

function dueFirst(state: ThingState): readonly ThingEffect[] {
  const leaving = leavingOf(state);
  // One after the other: whoever is befriended, and whoever claims the Thing from now on, is to stay.
  if (leaving?.friends === true) return [];
  const friends: readonly ThingEffect[] = [
    ...state.examining.map((jid): ThingEffect => ({ do: "examine", jid })),
    ...state.parting.map((jid): ThingEffect => ({ do: "part", jid })),
  ];
  if (leaving?.registry !== undefined) return [{ do: "unregister", registry: leaving.registry }, ...friends];
  // Last: without it nobody could be told anything.
  if (leaving?.account !== undefined) return [{ do: "resetAccount", how: leaving.account }, ...friends];
  return [...friends, ...dueAt(state)];
}

/** What is to be said to the Registry and to the owner. */
function dueAt(state: ThingState): readonly ThingEffect[] {
  const { ownership } = state;
  // Not known to be claimed: register at each start; a claim that was missed comes with the answer (XEP-0347 3.6).
  if (ownership.is === "unregistered") return [{ do: "register", registry: undefined }];
  const { registry } = ownership;
  if (ownership.is === "registered") {
    const { disownedBy } = ownership;
    return [{ do: "register", registry, ...(disownedBy !== undefined && { disownedBy }) }];
  }
  const effects: ThingEffect[] = [];
  // Nobody claims it, so nobody is hurt when it registers again: a Registry that has forgotten it has it back (D-E26).
  if (ownership.is === "selfOwned" && ownership.listed) effects.push({ do: "register", registry });
  if (ownership.is === "claimed" && !ownership.keyEmptied) effects.push({ do: "emptyKey", registry });
  if (ownership.is === "claimed" && !ownership.ownerAsked) effects.push({ do: "askOwner", owner: ownership.owner });
  if (ownership.is === "claimed") effects.push(...updates(state));
  return [...effects, ...farewell(state), ...search(state)];
}

/** XEP-0347 3.13: what the Registry holds may be something else than what the program wants. */
function updates({ ownership }: ThingState): readonly ThingEffect[] {
  if (ownership.is === "unregistered" || !isFindable(ownership)) return [];
  return [{ do: "updateTags", registry: ownership.registry }];
}

/** XEP-0347 5.3, D-E14: a Registry that is an account is a friend no longer than it has to be told something. */
function farewell(state: ThingState): readonly ThingEffect[] {
  const registry = registryOf(state);
  if (registry === undefined || isComponent(registry) || needsRegistry(state.ownership)) return [];
  return trustedServers(state).includes(registry) ? [] : [{ do: "leaveRegistry", registry }];
}

/** Who is a friend, the trusted servers say; a Thing that has none is not told who is none. */
function review({ trust }: ThingState): readonly ThingEffect[] {
  return trust.is === "delegated" ? [{ do: "reviewFriends" }] : [];
}

function registered(state: ThingState, event: OwnershipEvent): Step {
  const next = owned(state, event);
  if (next === state) return nothing(state);
  // A Registry that forgets nobody was registered with instead: the account is still to come.
  if (leavingOf(next) !== undefined) return { state: next, effects: online(next, due) };
  // What was wanted while that was on its way.
  return { state: next, effects: online(next, () => [...updates(next), ...search(next)]) };
}

/** XEP-0347 3.11: once it is clear whose the Thing is, its own too. */
function search(state: ThingState): readonly ThingEffect[] {
  const { ownership, trust } = state;
  if ((ownership.is !== "claimed" && ownership.is !== "selfOwned") || trust.is !== "none") return [];
  return [{ do: "findServers", registry: ownership.registry, owner: ownerOf(state) }];
}

function claimed(state: ThingState, event: Extract<ThingEvent, { type: "claimed" }>): Step {
  const next = owned(state, event);
  if (next === state) return nothing(state);
  // Told again: it is private now, or public, or in the Registry again.
  if (state.ownership.is === "claimed") return { state: next, effects: online(next, toldAgain) };
  const fresh: ThingState = {
    ...next,
    // Whatever another owner may have brought is not this one's.
    trust: withoutOwners(state.trust),
    // Who has disowned the Thing and claims it again is to be a friend.
    parting: withoutJid(state.parting, event.owner),
  };
  return { state: fresh, effects: [...forgetIfOthers(fresh, state), ...online(fresh, due)] };
}

/** The Registry has the Thing no more, or no KEY of it any more: there may be nothing left to say to it. */
function told(state: ThingState, event: OwnershipEvent): Step {
  const next = owned(state, event);
  return { state: next, effects: next === state ? [] : online(next, farewell) };
}

/** What a claim that is told again asks for, of what was done after the first. */
function toldAgain(state: ThingState): readonly ThingEffect[] {
  const { ownership } = state;
  const isOpen = ownership.is === "claimed" && !ownership.keyEmptied;
  const emptied = isOpen ? [{ do: "emptyKey", registry: ownership.registry } as const] : [];
  return [...emptied, ...updates(state), ...farewell(state)];
}

const online = (state: ThingState, what: (state: ThingState) => readonly ThingEffect[]): readonly ThingEffect[] =>
  state.link.is === "online" ? what(state) : [];

/**
 * XEP-0347 3.17: the owner goes, and is a friend no more; what the owner brought goes too, locked or not; what was
 * configured, found among the components of the own server or accepted by button stays (X-E4, D-E18). The Thing registers
 * anew.
 */
function disowned(state: ThingState, event: Extract<ThingEvent, { type: "disowned" }>): Step {
  const next = owned(state, event);
  const owner = ownerOf(state);
  if (next === state || owner === undefined) return nothing(state);
  const trust = withoutOwners(state.trust);
  // Who is trusted for another reason, or is the Registry, cannot be done without.
  const stays = owner === event.registry || trustedServers({ ...state, trust }).includes(owner);
  const left: ThingState = { ...next, trust, parting: stays ? state.parting : withParting(state.parting, owner) };
  const effects = online(left, () => [...due(left), ...review(left)]);
  return { state: left, effects: [{ do: "clearRights" }, ...effects] };
}

/** Who decides has changed: what the others said counts no more. */
function forgetIfOthers(next: ThingState, before: ThingState): readonly ThingEffect[] {
  return next.trust === before.trust ? [] : [{ do: "clearRights" }];
}

function serversFound(state: ThingState, servers: readonly TrustedServer[]): Step {
  // What was configured, or found first, stays.
  if (state.trust.is === "delegated" || servers.length === 0) return nothing(state);
  // Looked for before a reset.
  if (leavingOf(state) !== undefined) return nothing(state);
  // The owner who brought them has gone while they were looked for.
  const owners = state.ownership.is === "claimed" ? [state.ownership.owner, state.ownership.registry] : [];
  if (servers.some(({ jid, origin }) => origin === "owner" && !owners.includes(jid))) return nothing(state);
  const next = { ...state, trust: trustIn(servers) };
  return newTrust(next, trustedServers(next));
}

function newTrust(state: ThingState, servers: readonly BareJid[]): Step {
  const effects: ThingEffect[] = [{ do: "clearRights" }];
  if (state.link.is === "online")
    effects.push({ do: "introduce", servers }, ...review(state), ...tokensOf(state, servers));
  return { state, effects };
}

/** XEP-0324 3.1.1: kept first, so that no power cut loses what somebody pressed the button for. */
function accepted(state: ThingState, jid: BareJid): Step {
  // Locked trust is not added to (P-6.1-2), and who is trusted needs no button.
  if ((state.trust.is === "delegated" && state.trust.locked) || trustedServers(state).includes(jid))
    return nothing(state);
  // Not while the roster is emptied: it would be gone with the others.
  if (leavingOf(state)?.friends === true) return nothing(state);
  const examining = withAccepted(state.examining, jid);
  if (examining === state.examining) return nothing(state);
  return { state: { ...state, examining }, effects: state.link.is === "online" ? [{ do: "examine", jid }] : [] };
}

/** P-3.1.1-10: a provisioning server is trusted from now on, anybody else is an ordinary friend. */
function examined(state: ThingState, { jid, server }: Extract<ThingEvent, { type: "examined" }>): Step {
  const next = withoutExamining(state, jid);
  if (next === state || !server) return nothing(next);
  const trust = withPaired(next.trust, jid);
  return trust === next.trust ? nothing(next) : newTrust({ ...next, trust }, [jid]);
}

/**
 * XEP-0324 3.2.3: kept first, so that no power cut leaves a friend who is none. Who was accepted by button a moment ago is
 * examined no more.
 */
function unfriended(state: ThingState, jid: BareJid): Step {
  // The roster is being emptied.
  if (leavingOf(state)?.friends === true) return nothing(state);
  const parting = withParting(state.parting, jid);
  const next = withoutExamining(state, jid);
  if (parting === state.parting) return nothing(next);
  return { state: { ...next, parting }, effects: state.link.is === "online" ? [{ do: "part", jid }] : [] };
}

function withoutParting(state: ThingState, jid: BareJid): ThingState {
  const parting = withoutJid(state.parting, jid);
  return parting === state.parting ? state : { ...state, parting };
}

const withoutJid = (jids: readonly BareJid[], jid: BareJid): readonly BareJid[] =>
  jids.includes(jid) ? jids.filter((one) => one !== jid) : jids;

/**
 * The last step of figures 1, 2 and 4 (P-3.1.1-11, P-3.1.4-5); at each start, for who could not be reached before
 * (P-3.1.1-13). Not while the roster is emptied: a server that is an account has to be a friend first.
 */
function tokensOf(state: ThingState, servers: readonly BareJid[]): readonly ThingEffect[] {
  return leavingOf(state)?.friends === true ? [] : servers.map((jid) => ({ do: "getToken", jid }));
}

function withoutExamining(state: ThingState, jid: BareJid): ThingState {
  if (!state.examining.includes(jid)) return state;
  return { ...state, examining: state.examining.filter((one) => one !== jid) };
}

/** Back to factory settings (P-6.1-2, X-E4). */
function reset(state: ThingState, event: Extract<ThingEvent, { type: "reset" }>): Step {
  const next: ThingState = { ...owned(state, event), trust: { is: "none" }, examining: [], parting: [] };
  return { state: next, effects: [{ do: "clearRights" }, ...online(next, () => [{ ...greeting(next), again: true }])] };
}

function left(state: ThingState, what: (leaving: Leaving) => Ownership): Step {
  const before = leavingOf(state);
  if (before === undefined) return nothing(state);
  const next: ThingState = { ...state, ownership: what(before) };
  return { state: next, effects: next.link.is === "online" ? due(next) : [] };
}

function accountLeft(state: ThingState, outcome: "changed" | "removed" | "kept"): Step {
  const step = left(state, ({ friends, registry }) =>
    leavingWith({ friends, ...(registry !== undefined && { registry }) }),
  );
  // Without an account nothing can be said on this stream any more, and the server ends it (XEP-0077 section 3.2).
  return outcome === "removed" ? nothing(step.state) : step;
}
