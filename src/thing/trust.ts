// How trust comes about and changes (XEP-0324 3.1, 6.1; XEP-0347 3.11, 3.12; X-E2), as pure functions.
import type { BareJid } from "../core/jid.ts";
import type { ThingState, Trust, TrustedServer } from "./state.ts";

// Beyond that the friendships of the oldest are left to the review of friends, which asks about each of them.
const MOST_PARTING = 100;
// Each entry has cost somebody a press of the button. The oldest stay friends, and are asked no more.
const MOST_EXAMINED = 16;

/** Trust in these servers; none if there are none. */
export function trustIn(servers: readonly TrustedServer[], locked = false): Trust {
  return servers.length === 0 ? { is: "none" } : { is: "delegated", servers, locked };
}

/**
 * Trust at a start. The configured list is trusted whole and takes the place of what was found; taken out of the options
 * it is trusted no more. What somebody pressed the button for stays beside it. Locked trust stays as it is: only a factory
 * reset changes it (P-6.1-2).
 */
export function withConfigured(trust: Trust, configured: readonly BareJid[]): Trust {
  const before = trust.is === "delegated" ? trust : { servers: [], locked: false };
  if (before.locked) return trust;
  const paired = before.servers.filter(({ origin }) => origin === "paired");
  const named = configured
    .filter((jid) => !paired.some((one) => one.jid === jid))
    .map((jid): TrustedServer => ({ jid, origin: "configured" }));
  const isFound = ({ origin }: TrustedServer): boolean => origin === "found" || origin === "owner";
  const found = configured.length > 0 ? [] : before.servers.filter(isFound);
  const servers = [...named, ...found, ...paired];
  const same = servers.length === before.servers.length && servers.every((one) => before.servers.some(equals(one)));
  return same ? trust : trustIn(servers);
}

const equals =
  (one: TrustedServer) =>
  (other: TrustedServer): boolean =>
    one.jid === other.jid && one.origin === other.origin;

/** Trust with a server more, that somebody pressed the button for. The same trust if it is locked, or trusts it already. */
export function withPaired(trust: Trust, jid: BareJid): Trust {
  if (trust.is === "none") return trustIn([{ jid, origin: "paired" }]);
  if (trust.locked || trust.servers.some((server) => server.jid === jid)) return trust;
  return { ...trust, servers: [...trust.servers, { jid, origin: "paired" }] };
}

/**
 * Trust without what the owner brought, who is the owner no more: locked or not, since a Thing without an owner is not to
 * obey a server that the one of before has chosen (X-E4). The same trust if the owner brought nothing.
 */
export function withoutOwners(trust: Trust): Trust {
  if (trust.is === "none") return trust;
  const servers = trust.servers.filter(({ origin }) => origin !== "owner");
  return servers.length === trust.servers.length ? trust : trustIn(servers, trust.locked);
}

/** The same state with its trust locked, once there is any (P-6.1-2). */
export function withLock(state: ThingState): ThingState {
  if (state.trust.is === "none" || state.trust.locked) return state;
  return { ...state, trust: { ...state.trust, locked: true } };
}

/** Those whose friendship is to end, with one more. */
export function withParting(parting: readonly BareJid[], jid: BareJid): readonly BareJid[] {
  return parting.includes(jid) ? parting : [...parting, jid].slice(-MOST_PARTING);
}

/** Those to be examined, with one more. */
export function withAccepted(examining: readonly BareJid[], jid: BareJid): readonly BareJid[] {
  return examining.includes(jid) ? examining : [...examining, jid].slice(-MOST_EXAMINED);
}
