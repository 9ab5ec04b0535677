// What a Thing is at a moment, what can happen to it, and what it then does: data only.
import { ConfigError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { Standing } from "../provisioning/guard.ts";
import {
  ownerIn,
  registryIn,
  type Leaving,
  type AccountReset,
  type Ownership,
  type OwnershipEvent,
} from "./ownership.ts";

export type { AccountReset, Leaving, Ownership } from "./ownership.ts";

/** The connection. Volatile: after a start it is always `stopped`. */
export type Link =
  | { readonly is: "stopped" }
  /** Listening on the network for servers (XEP-0347 3.3). */
  | { readonly is: "discovering" }
  | { readonly is: "connecting"; readonly host: string; readonly port: number }
  | { readonly is: "online"; readonly jid: string }
  | {
      readonly is: "waiting";
      /** How long until the next try, in milliseconds. */
      readonly ms: number;
      /** Why the last one failed. */
      readonly why: string;
    };

/** A provisioning server that is trusted, and why. */
export interface TrustedServer {
  /** Its bare JID. */
  readonly jid: BareJid;
  /**
   * `configured`: the options name it. `found`: by one of the methods of XEP-0347 3.11 that have nothing to do with the
   * owner. `owner`: it is the owner, or the Registry that the claim came from (methods 5 and 6), and goes with the owner
   * (X-E4). `paired`: somebody pressed the button for it (XEP-0324 3.1.1).
   */
  readonly origin: TrustOrigin;
}

/** Why a provisioning server is trusted. */
export type TrustOrigin = "configured" | "found" | "owner" | "paired";

/** Which provisioning servers decide for the Thing (XEP-0324 3.1, XEP-0347 3.12). Kept over restarts. */
export type Trust =
  | { readonly is: "none" }
  | {
      readonly is: "delegated";
      /** The trusted provisioning servers; there is no order among them (XEP-0324 5.3). */
      readonly servers: readonly TrustedServer[];
      /** True if nothing but a factory reset changes it any more (XEP-0324 6.1). */
      readonly locked: boolean;
    };

/** What a Thing is at a moment. Immutable: every change makes a new one. */
export interface ThingState {
  /** The connection. */
  readonly link: Link;
  /** Whose it is. */
  readonly ownership: Ownership;
  /** Who decides for it. */
  readonly trust: Trust;
  /**
   * Whom the button has accepted, and of whom is not known yet whether they are provisioning servers (XEP-0324 3.1.1).
   * Kept over restarts.
   */
  readonly examining: readonly BareJid[];
  /**
   * Whose friendship is to end, since a trusted server has said `unfriend`, and of whom the roster does not say so yet
   * (XEP-0324 3.2.3). Kept over restarts.
   */
  readonly parting: readonly BareJid[];
}

/**
 * What can be waited for: a step of the ladder (claimed satisfies registered), or anything that can be said of a state. A
 * Thing that owns itself satisfies `claimed`.
 */
export type ThingCondition = "online" | "registered" | "claimed" | "provisioned" | ((state: ThingState) => boolean);

/** What can happen to a Thing. */
export type ThingEvent =
  /** The saved state was read; with what the options name. */
  | {
      readonly type: "loaded";
      readonly ownership: Ownership;
      readonly trust: Trust;
      readonly examining: readonly BareJid[];
      readonly parting: readonly BareJid[];
      readonly registry: BareJid | undefined;
      readonly servers: readonly BareJid[];
      /** Whether the Thing is to be its own owner (XEP-0347 3.7). Left out: no. */
      readonly selfOwned?: boolean;
    }
  /** The connection changed. */
  | { readonly type: "link"; readonly link: Link }
  /** A stream is up on another domain than before. */
  | { readonly type: "moved" }
  /** What a Registry has said of the owner, what was done because of an owner, or a factory reset. */
  | OwnershipEvent
  /** The program wants the Registry to say something else of the Thing (XEP-0347 3.13). */
  | { readonly type: "tagsChanged" }
  /** A provisioning server had all rights forgotten. */
  | { readonly type: "rightsCleared" }
  /** There is nothing left to tell the Registry of the nodes behind the Thing. */
  | { readonly type: "nodesTold" }
  /** Provisioning servers were found. */
  | { readonly type: "serversFound"; readonly servers: readonly TrustedServer[] }
  /** The button was pressed for somebody. */
  | { readonly type: "accepted"; readonly jid: BareJid }
  /** Somebody whom the button has accepted has said what it is. */
  | { readonly type: "examined"; readonly jid: BareJid; readonly server: boolean }
  /** Somebody does not want to see the Thing any more. */
  | { readonly type: "withdrawn"; readonly jid: BareJid }
  /** A trusted server has said that somebody is to be a friend no more. */
  | { readonly type: "unfriended"; readonly jid: BareJid }
  /** The roster says so too; or somebody who may say so has allowed the friendship anew. */
  | { readonly type: "parted"; readonly jid: BareJid }
  /** The friends of before a reset are gone. */
  | { readonly type: "friendsLeft" }
  /** The Registry of before a reset has forgotten the Thing. */
  | { readonly type: "registryLeft" }
  /** The server has done with the account what a reset wanted, or has refused: `kept`. */
  | { readonly type: "accountLeft"; readonly domain: string; readonly outcome: "changed" | "removed" | "kept" };

/** What a Thing does because of an event. */
export type ThingEffect =
  /** Ask for the roster, send presence, tell Registry and trusted servers, let the barrier settle. */
  | {
      readonly do: "greet";
      readonly registry: BareJid | undefined;
      readonly servers: readonly BareJid[];
      /** Empty the roster before presence goes out, but for the Registry. */
      readonly leaving?: Leaving;
      /** True on a stream that was greeted before: nobody says a second time that they are there. */
      readonly again?: boolean;
    }
  /** Tell servers that are trusted from now on where the Thing is (P-E8). */
  | { readonly do: "introduce"; readonly servers: readonly BareJid[] }
  /** Register; find a Registry first if none is known. The owner who has disowned the Thing is not believed in at once (D-E17). */
  | { readonly do: "register"; readonly registry: BareJid | undefined; readonly disownedBy?: BareJid }
  /** Empty KEY in the Registry. */
  | { readonly do: "emptyKey"; readonly registry: BareJid }
  /** Tell the Registry which tags are others than it holds (XEP-0347 3.13). */
  | { readonly do: "updateTags"; readonly registry: BareJid }
  /** End the friendship with a Registry that has nothing to be told any more (XEP-0347 5.3, D-E14). */
  | { readonly do: "leaveRegistry"; readonly registry: BareJid }
  /** Ask the owner for friendship. */
  | { readonly do: "askOwner"; readonly owner: BareJid }
  /** Have the Registry of before a reset forget the Thing (XEP-0347 3.16). */
  | { readonly do: "unregister"; readonly registry: BareJid }
  /** Have the server change the password of the account, or remove it. */
  | { readonly do: "resetAccount"; readonly how: AccountReset }
  /** Ask somebody whom the button has accepted whether it is a provisioning server (P-3.1.1-9). */
  | { readonly do: "examine"; readonly jid: BareJid }
  /** End a friendship, in both directions (P-3.2.3-5). */
  | { readonly do: "part"; readonly jid: BareJid }
  /** Look for a provisioning server, also at the Registry and the owner. */
  | { readonly do: "findServers"; readonly registry: BareJid; readonly owner: BareJid | undefined }
  /** Get a token of a server that is trusted, if there is a certificate and no token yet (P-3.1.1-11). */
  | { readonly do: "getToken"; readonly jid: BareJid }
  /** Ask again about friends of whom nothing is remembered (XEP-0324 3.2). */
  | { readonly do: "reviewFriends" }
  /** Forget all rights, since other servers decide now (P-5.2-7); or those of these parties only. */
  | { readonly do: "clearRights"; readonly of?: readonly BareJid[] };

/** A state, and what is to be done because of how it came about. */
export interface Step {
  /** The new state; the same object if nothing changed. */
  readonly state: ThingState;
  /** What to do, in order, once the state is durable. */
  readonly effects: readonly ThingEffect[];
}

/** Before `start()`. */
export const initialState: ThingState = {
  link: { is: "stopped" },
  ownership: { is: "unregistered" },
  trust: { is: "none" },
  examining: [],
  parting: [],
};

/** The provisioning servers the Thing trusts. */
export function trustedServers(state: ThingState): readonly BareJid[] {
  return state.trust.is === "delegated" ? state.trust.servers.map(({ jid }) => jid) : [];
}

/** The Registry the Thing registered with. */
export function registryOf(state: ThingState): BareJid | undefined {
  return registryIn(state.ownership);
}

/** The owner, once claimed. */
export function ownerOf(state: ThingState): BareJid | undefined {
  return ownerIn(state.ownership);
}

/** Whom the Thing answers to. */
export function standingOf(state: ThingState): Standing {
  const { examining: accepted } = state;
  return { owner: ownerOf(state), registry: registryOf(state), servers: trustedServers(state), accepted };
}

/** Somebody's, or its own (XEP-0347 3.7): in both cases nobody can claim it. */
function hasOwner({ is }: Ownership): boolean {
  return is === "claimed" || is === "selfOwned";
}

/** Tells whether a state is what is waited for. */
export function satisfies(state: ThingState, condition: ThingCondition): boolean {
  if (typeof condition === "function") return condition(state);
  switch (condition) {
    case "online":
      return state.link.is === "online";
    case "registered":
      return state.ownership.is !== "unregistered";
    case "claimed":
      return hasOwner(state.ownership);
    case "provisioned":
      return hasOwner(state.ownership) && state.trust.is === "delegated";
    default:
      // People without a compiler would wait for ever.
      throw new ConfigError(
        `waitFor: there is no "${String(condition)}"; there are online, registered, claimed, provisioned`,
      );
  }
}
