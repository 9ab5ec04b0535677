// Whose a Thing is, or a node behind it, and how that changes: XEP-0347 3.6 to 3.10, 3.13, 3.16, 3.17, as a pure function.
import { isComponent, type BareJid } from "../core/jid.ts";

/** Whose the Thing is (XEP-0347 3.6 to 3.17). Kept over restarts. */
export type Ownership =
  | {
      readonly is: "unregistered";
      /** After a factory reset: what is still to be taken back. Left out: nothing. */
      readonly leaving?: Leaving;
    }
  | {
      readonly is: "registered";
      /** The Registry that knows the Thing, and may say that it was claimed. */
      readonly registry: BareJid;
      /**
       * The owner who has disowned the Thing, until the Registry has answered a registration without that owner: it may
       * need a moment for it (D-E17). Left out: nobody.
       */
      readonly disownedBy?: BareJid;
    }
  | {
      readonly is: "selfOwned";
      /** The Registry where the Thing stands as its own owner (XEP-0347 3.7). */
      readonly registry: BareJid;
      /** False once the Registry has said that it was removed (XEP-0347 3.10). */
      readonly listed: boolean;
    }
  | {
      readonly is: "claimed";
      /** The Registry that said so. */
      readonly registry: BareJid;
      /** The owner. */
      readonly owner: BareJid;
      /** False if the owner keeps the Thing out of searches. */
      readonly public: boolean;
      /** False once the owner has removed the Thing from the Registry (XEP-0347 3.10): the owner stays, updates end. */
      readonly listed: boolean;
      /** True once KEY is emptied in the Registry (XEP-0347 6.5). */
      readonly keyEmptied: boolean;
      /** True once the owner was asked for friendship (XEP-0347 3.9): it is asked once. */
      readonly ownerAsked: boolean;
    };

/** What a Thing that was reset to factory settings has still to take back on the wire. */
export interface Leaving {
  /** The Registry that may know its owner still, and is to forget the Thing (XEP-0347 3.16). */
  readonly registry?: BareJid;
  /** True until the friends of before are out of the roster. */
  readonly friends: boolean;
  /** What is still to be done with the account on the server. Left out: nothing, it stays as it is. */
  readonly account?: AccountReset;
}

/** What a factory reset does with an account on the server: gives it another password, or removes it (XEP-0077 3.3, 3.2). */
export type AccountReset = "new-password" | "remove";

/** What changes an ownership. Each that comes from a Registry names it: whose word counts is part of the rule. */
export type OwnershipEvent =
  /** The Registry took a registration and named no owner; `selfOwned`: as one that owns itself (XEP-0347 3.6, 3.7). */
  | { readonly type: "registered"; readonly registry: BareJid; readonly selfOwned?: boolean }
  /** The Registry said that there is an owner, by notice or in answer to a registration (XEP-0347 3.9). */
  | { readonly type: "claimed"; readonly registry: BareJid; readonly owner: BareJid; readonly public: boolean }
  /** The Registry said that the Thing was removed, by notice or by `item-not-found` to an update (XEP-0347 3.10, 3.13). */
  | { readonly type: "removed"; readonly registry: BareJid }
  /** The Registry said that the owner is the owner no more, by notice or in answer to an update (XEP-0347 3.17, 3.13). */
  | { readonly type: "disowned"; readonly registry: BareJid }
  /** KEY is empty in the Registry (XEP-0347 6.5). */
  | { readonly type: "keyEmptied" }
  /** The owner was asked for friendship (XEP-0347 3.9). */
  | { readonly type: "ownerAsked" }
  /** Back to factory settings. */
  | { readonly type: "reset"; readonly account?: AccountReset | undefined };

/**
 * The ownership after an event: for a Thing, and the same for every node behind one. Pure; the same object if the event
 * means nothing now, so that `after === before` tells that there is nothing to keep and nothing to do.
 *
 * An owner comes by the word of a Registry, and goes by that of the Registry of the claim or by a reset, never by that of
 * another owner: a claimed Thing does not change hands without being disowned (see {@link oddClaim}).
 */
export function ownershipAfter(ownership: Ownership, event: OwnershipEvent): Ownership {
  switch (event.type) {
    case "registered":
      return registered(ownership, event);
    case "claimed":
      return claimed(ownership, event);
    case "removed":
      return removed(ownership, event.registry);
    case "disowned":
      if (ownership.is !== "claimed" || ownership.registry !== event.registry) return ownership;
      return { is: "registered", registry: event.registry, disownedBy: ownership.owner };
    case "keyEmptied":
    case "ownerAsked":
      if (ownership.is !== "claimed" || ownership[event.type]) return ownership;
      return { ...ownership, [event.type]: true };
    case "reset":
      return reset(ownership, event.account);
  }
}

/**
 * Tells whether a Registry says of a Thing that has an owner, or owns itself, that it is somebody else's. That is ignored:
 * it would have to be disowned first (XEP-0347 3.17). The people are told.
 */
function isOdd(ownership: Ownership, event: Extract<OwnershipEvent, { type: "claimed" }>): boolean {
  return ownership.is === "selfOwned" || (ownership.is === "claimed" && ownership.owner !== event.owner);
}

/** What people are told of that; `undefined`: nothing is odd. `what`: the Thing, or which node. */
export function oddClaim(
  what: string,
  ownership: Ownership,
  event: Extract<OwnershipEvent, { type: "claimed" }>,
): string | undefined {
  if (!isOdd(ownership, event)) return undefined;
  const whose = ownership.is === "claimed" ? `belongs to ${ownership.owner}` : "is its own owner";
  return `${event.registry} says that ${what} belongs to ${event.owner}, but it ${whose}, and was not disowned: it stays so`;
}

/** The Registry that a Thing or node is registered with. */
export function registryIn(ownership: Ownership): BareJid | undefined {
  return ownership.is === "unregistered" ? undefined : ownership.registry;
}

/** The Registry that is still to forget an owner of before (XEP-0347 3.16). */
export function registryLeft(ownership: Ownership): BareJid | undefined {
  return ownership.is === "unregistered" ? ownership.leaving?.registry : undefined;
}

/** The owner, once claimed. */
export function ownerIn(ownership: Ownership): BareJid | undefined {
  return ownership.is === "claimed" ? ownership.owner : undefined;
}

/**
 * Tells whether what is told of the Thing may be found by others, so that changes of its tags go out (XEP-0347 3.13): it is
 * public, and was not removed. Nothing goes out of one that is unclaimed, private or removed (D-E19).
 */
export function isFindable(ownership: Ownership): boolean {
  if (ownership.is === "selfOwned") return ownership.listed;
  return ownership.is === "claimed" && ownership.public && ownership.listed;
}

/**
 * Tells whether a Registry that is an account is to be a friend (XEP-0347 5.3, D-E14): until the Thing is claimed, until KEY
 * is emptied, and while updates go out. One that is a component is never befriended; for that the answer is no.
 */
export function needsRegistry(ownership: Ownership): boolean {
  if (ownership.is === "unregistered" || isComponent(ownership.registry)) return false;
  if (ownership.is === "registered" || isFindable(ownership)) return true;
  return ownership.is === "claimed" && ownership.listed && !ownership.keyEmptied;
}

function registered(ownership: Ownership, event: Extract<OwnershipEvent, { type: "registered" }>): Ownership {
  const { registry, selfOwned = false } = event;
  // The notice of a claim may overtake the answer to the registration.
  if (ownership.is === "claimed") return ownership;
  // It forgets nobody, and was registered with instead: the account is still to come.
  if (ownership.is === "unregistered" && ownership.leaving?.account !== undefined)
    return withoutRegistry(ownership.leaving);
  if (selfOwned) {
    // An answer from before it was removed: it registers no more after that.
    const isSame = ownership.is === "selfOwned" && ownership.registry === registry;
    return isSame ? ownership : { is: "selfOwned", registry, listed: true };
  }
  const isSame = ownership.is === "registered" && ownership.registry === registry;
  return isSame && ownership.disownedBy === undefined ? ownership : { is: "registered", registry };
}

function claimed(ownership: Ownership, event: Extract<OwnershipEvent, { type: "claimed" }>): Ownership {
  const { registry, owner, public: isPublic } = event;
  // What a Registry says of the owner of before, until it has forgotten the Thing.
  if (ownership.is === "unregistered" && ownership.leaving !== undefined) return ownership;
  if (isOdd(ownership, event)) return ownership;
  if (ownership.is !== "claimed") {
    return { is: "claimed", registry, owner, public: isPublic, listed: true, keyEmptied: false, ownerAsked: false };
  }
  // Told again, or told anew that it is private.
  if (ownership.listed) return ownership.public === isPublic ? ownership : { ...ownership, public: isPublic };
  // The Registry has the Thing again: what it holds of KEY is not known.
  return { ...ownership, public: isPublic, listed: true, keyEmptied: false };
}

function removed(ownership: Ownership, registry: BareJid): Ownership {
  if (ownership.is !== "claimed" && ownership.is !== "selfOwned") return ownership;
  if (ownership.registry !== registry || !ownership.listed) return ownership;
  // With its record KEY is gone too.
  return ownership.is === "claimed"
    ? { ...ownership, listed: false, keyEmptied: true }
    : { ...ownership, listed: false };
}

/** What is to be taken back on the wire is kept until it is done. */
function reset(ownership: Ownership, wanted: AccountReset | undefined): Ownership {
  const before = ownership.is === "unregistered" ? ownership.leaving : undefined;
  const registry = registryIn(ownership) ?? before?.registry;
  const account = wanted ?? before?.account;
  return leavingWith({
    friends: true,
    ...(registry !== undefined && { registry }),
    ...(account !== undefined && { account }),
  });
}

/** Unregistered, with what is still to be taken back, if anything is. */
export function leavingWith(leaving: Leaving): Ownership {
  const { friends, registry, account } = leaving;
  return friends || registry !== undefined || account !== undefined
    ? { is: "unregistered", leaving }
    : { is: "unregistered" };
}

/** The same with nothing to take back at a Registry any more. */
export function withoutRegistry({ friends, account }: Leaving): Ownership {
  return leavingWith({ friends, ...(account !== undefined && { account }) });
}
