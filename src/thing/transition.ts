// How a Thing lives, as a pure function (design, section 1): XEP-0347 3.5 to 3.12.
import type { BareJid } from "../core/jid.ts";
import {
  registryOf,
  trustedServers,
  type Ownership,
  type Step,
  type ThingEffect,
  type ThingEvent,
  type ThingState,
  type Trust,
} from "./state.ts";

/** The state after an event, and what is to be done. The same state and no effects if the event means nothing now. */
export function transition(state: ThingState, event: ThingEvent): Step {
  switch (event.type) {
    case "loaded":
      return loaded(state, event);
    case "link":
      return link(state, event);
    case "registered":
      return registered(state, event.registry);
    case "claimed":
      return claimed(state, event);
    case "keyEmptied":
      return remember(state, "keyEmptied");
    case "ownerAsked":
      return remember(state, "ownerAsked");
    case "rightsCleared":
      return { state, effects: state.link.is === "online" ? review(state) : [] };
    case "serversFound":
      return serversFound(state, event.servers);
  }
}

const nothing = (state: ThingState): Step => ({ state, effects: [] });

/** What the options name comes before what was saved: another Registry, other servers only by configuration. */
function loaded(state: ThingState, event: Extract<ThingEvent, { type: "loaded" }>): Step {
  const ownership = withRegistry(event.ownership, event.registry);
  const trust = withServers(event.trust, event.servers);
  const sameServers = JSON.stringify(serversOf(trust)) === JSON.stringify(serversOf(event.trust));
  // A new trust relationship starts with an empty cache (P-5.2-7).
  const next: ThingState = {
    ...state,
    // A Thing that nobody knows yet is what it was before: nothing has changed that would have to be told.
    ownership: ownership.is === state.ownership.is && ownership.is === "unregistered" ? state.ownership : ownership,
    trust: trust.is === state.trust.is && trust.is === "none" ? state.trust : trust,
  };
  return { state: next, effects: sameServers ? [] : [{ do: "clearRights" }] };
}

/** An owner stays the owner when another Registry is configured: it is then that one whose notices count. */
function withRegistry(ownership: Ownership, registry: BareJid | undefined): Ownership {
  if (registry === undefined || ownership.is === "unregistered" || ownership.registry === registry) return ownership;
  return ownership.is === "claimed" ? { ...ownership, registry } : { is: "unregistered" };
}

/** A configured list is trusted whole and never overridden by what was found; taken out of the options it is trusted no more. */
function withServers(trust: Trust, configured: readonly BareJid[]): Trust {
  if (configured.length > 0) return { is: "delegated", servers: configured, origin: "configured" };
  return trust.is === "delegated" && trust.origin === "configured" ? { is: "none" } : trust;
}

const serversOf = (trust: Trust): readonly BareJid[] => (trust.is === "delegated" ? trust.servers : []);

function link(state: ThingState, event: Extract<ThingEvent, { type: "link" }>): Step {
  const next = { ...state, link: event.link };
  if (event.link.is === "stopped" && state.link.is === "stopped") return nothing(state);
  if (event.link.is !== "online") return nothing(next);
  const registry = registryOf(next);
  return {
    state: next,
    effects: [{ do: "greet", registry, servers: trustedServers(next) }, ...due(next), ...review(next)],
  };
}

/** What is still to be done on the wire: all of it is derived from the state, so that nothing is lost with a stream. */
function due(state: ThingState): readonly ThingEffect[] {
  const { ownership, trust } = state;
  // Not known to be claimed: register at each start; a claim that was missed comes with the answer (XEP-0347 3.6).
  if (ownership.is !== "claimed") return [{ do: "register", registry: registryOf(state) }];
  const effects: ThingEffect[] = [];
  if (!ownership.keyEmptied) effects.push({ do: "emptyKey", registry: ownership.registry });
  if (!ownership.ownerAsked) effects.push({ do: "askOwner", owner: ownership.owner });
  if (trust.is === "none") effects.push({ do: "findServers", registry: ownership.registry });
  return effects;
}

/** Who is a friend, the trusted servers say; a Thing that has none is not told who is none. */
function review({ trust }: ThingState): readonly ThingEffect[] {
  return trust.is === "delegated" ? [{ do: "reviewFriends" }] : [];
}

function registered(state: ThingState, registry: BareJid): Step {
  // The notice of a claim may overtake the answer to the registration.
  if (state.ownership.is === "claimed" || registryOf(state) === registry) return nothing(state);
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
  const next: ThingState = {
    ...state,
    ownership: { is: "claimed", registry, owner, public: event.public, keyEmptied: false, ownerAsked: false },
  };
  return { state: next, effects: next.link.is === "online" ? due(next) : [] };
}

function remember(state: ThingState, fact: "keyEmptied" | "ownerAsked"): Step {
  if (state.ownership.is !== "claimed" || state.ownership[fact]) return nothing(state);
  return nothing({ ...state, ownership: { ...state.ownership, [fact]: true } });
}

function serversFound(state: ThingState, servers: readonly BareJid[]): Step {
  // What was configured, or found first, stays.
  if (state.trust.is === "delegated" || servers.length === 0) return nothing(state);
  const next: ThingState = { ...state, trust: { is: "delegated", servers, origin: "found" } };
  const effects: ThingEffect[] = [{ do: "clearRights" }];
  if (next.link.is === "online") effects.push({ do: "introduce", servers }, ...review(next));
  return { state: next, effects };
}
