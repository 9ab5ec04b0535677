// How a Thing lives, as a pure function (design, section 1): XEP-0347 3.5 to 3.12, XEP-0324 3.1.
import type { BareJid } from "../core/jid.ts";
import {
  registryOf,
  trustedServers,
  type AccountReset,
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
      return registered(state, event.registry);
    case "claimed":
      return claimed(state, event);
    case "disowned":
      return disowned(state, event.registry);
    case "keyEmptied":
      return remember(state, "keyEmptied");
    case "ownerAsked":
      return remember(state, "ownerAsked");
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
      return reset(state, event.account);
    case "friendsLeft":
      return left(state, (leaving) => ({ ...leaving, friends: false }));
    case "registryLeft":
      return left(state, withoutRegistry);
    case "accountLeft":
      return accountLeft(state, event.outcome);
  }
}

const nothing = (state: ThingState): Step => ({ state, effects: [] });

/** What the options name comes before what was saved: another Registry, other servers only by configuration. */
function loaded(state: ThingState, event: Extract<ThingEvent, { type: "loaded" }>): Step {
  const ownership = withRegistry(event.ownership, event.registry);
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
    return unregistered(withoutRegistry(leaving));
  }
  if (ownership.registry === registry) return ownership;
  return ownership.is === "claimed" ? { ...ownership, registry } : { is: "unregistered" };
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

function greeting(state: ThingState): ThingEffect {
  const leaving = leavingOf(state);
  const greet: ThingEffect = { do: "greet", registry: registryOf(state), servers: trustedServers(state) };
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
  const { ownership, trust } = state;
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
  // Not known to be claimed: register at each start; a claim that was missed comes with the answer (XEP-0347 3.6).
  if (ownership.is !== "claimed") return [{ do: "register", registry: registryOf(state) }, ...friends];
  const effects: ThingEffect[] = [...friends];
  if (!ownership.keyEmptied) effects.push({ do: "emptyKey", registry: ownership.registry });
  if (!ownership.ownerAsked) effects.push({ do: "askOwner", owner: ownership.owner });
  const { registry, owner } = ownership;
  if (trust.is === "none") effects.push({ do: "findServers", registry, owner });
  return effects;
}

/** Who is a friend, the trusted servers say; a Thing that has none is not told who is none. */
function review({ trust }: ThingState): readonly ThingEffect[] {
  return trust.is === "delegated" ? [{ do: "reviewFriends" }] : [];
}

function registered(state: ThingState, registry: BareJid): Step {
  // The notice of a claim may overtake the answer to the registration.
  if (state.ownership.is === "claimed" || registryOf(state) === registry) return nothing(state);
  // It forgets nobody, and was registered with instead: the account is still to come.
  if (leavingOf(state)?.account !== undefined) return left(state, withoutRegistry);
  return nothing({ ...state, ownership: { is: "registered", registry } });
}

function claimed(state: ThingState, event: Extract<ThingEvent, { type: "claimed" }>): Step {
  const { registry, owner } = event;
  const { ownership } = state;
  if (ownership.is === "claimed") {
    // Told again, or told anew that it is private; a claimed Thing does not change hands without being disowned.
    if (ownership.owner !== owner || ownership.public === event.public) return nothing(state);
    return nothing({ ...state, ownership: { ...ownership, public: event.public } });
  }
  // What a Registry says of the owner of before, until it has forgotten the Thing.
  if (leavingOf(state) !== undefined) return nothing(state);
  const next: ThingState = {
    ...state,
    ownership: { is: "claimed", registry, owner, public: event.public, keyEmptied: false, ownerAsked: false },
    // Whatever another owner may have brought is not this one's.
    trust: withoutOwners(state.trust),
  };
  return { state: next, effects: [...forgetIfOthers(next, state), ...(next.link.is === "online" ? due(next) : [])] };
}

/**
 * XEP-0347 3.17: the owner goes, and what the owner brought goes too, locked or not; what was configured, found among the
 * components of the own server or accepted by button stays (X-E4). The Thing registers anew.
 */
function disowned(state: ThingState, registry: BareJid): Step {
  if (state.ownership.is !== "claimed" || state.ownership.registry !== registry) return nothing(state);
  const next: ThingState = {
    ...state,
    ownership: { is: "registered", registry },
    trust: withoutOwners(state.trust),
  };
  const effects: ThingEffect[] = [{ do: "clearRights" }];
  if (next.link.is === "online") effects.push(...due(next), ...review(next));
  return { state: next, effects };
}

/** Who decides has changed: what the others said counts no more. */
function forgetIfOthers(next: ThingState, before: ThingState): readonly ThingEffect[] {
  return next.trust === before.trust ? [] : [{ do: "clearRights" }];
}

function remember(state: ThingState, fact: "keyEmptied" | "ownerAsked"): Step {
  if (state.ownership.is !== "claimed" || state.ownership[fact]) return nothing(state);
  return nothing({ ...state, ownership: { ...state.ownership, [fact]: true } });
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
  if (!state.parting.includes(jid)) return state;
  return { ...state, parting: state.parting.filter((one) => one !== jid) };
}

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

/** Back to factory settings (P-6.1-2, X-E4). What is to be taken back on the wire is kept until it is done. */
function reset(state: ThingState, wanted: AccountReset | undefined): Step {
  const registry = registryOf(state) ?? leavingOf(state)?.registry;
  const account = wanted ?? leavingOf(state)?.account;
  const leaving: Leaving = {
    friends: true,
    ...(registry !== undefined && { registry }),
    ...(account !== undefined && { account }),
  };
  const next: ThingState = {
    ...state,
    ownership: { is: "unregistered", leaving },
    trust: { is: "none" },
    examining: [],
    parting: [],
  };
  return { state: next, effects: [{ do: "clearRights" }, ...(next.link.is === "online" ? [greeting(next)] : [])] };
}

function left(state: ThingState, what: (leaving: Leaving) => Leaving): Step {
  const before = leavingOf(state);
  if (before === undefined) return nothing(state);
  const next: ThingState = { ...state, ownership: unregistered(what(before)) };
  return { state: next, effects: next.link.is === "online" ? due(next) : [] };
}

function unregistered(leaving: Leaving): Ownership {
  const { friends, registry, account } = leaving;
  return friends || registry !== undefined || account !== undefined
    ? { is: "unregistered", leaving }
    : { is: "unregistered" };
}

function withoutRegistry({ friends, account }: Leaving): Leaving {
  return { friends, ...(account !== undefined && { account }) };
}

function accountLeft(state: ThingState, outcome: "changed" | "removed" | "kept"): Step {
  const step = left(state, ({ friends, registry }) => ({ friends, ...(registry !== undefined && { registry }) }));
  // Without an account nothing can be said on this stream any more, and the server ends it (XEP-0077 section 3.2).
  return outcome === "removed" ? nothing(step.state) : step;
}
