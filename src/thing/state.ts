// What a Thing is at a moment, what can happen to it, and what it then does: data only.
import { ConfigError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import type { Standing } from "../provisioning/guard.ts";

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

/** Whose the Thing is (XEP-0347 3.6, 3.9). Kept over restarts. */
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
    }
  | {
      readonly is: "claimed";
      /** The Registry that said so. */
      readonly registry: BareJid;
      /** The owner. */
      readonly owner: BareJid;
      /** False if the owner keeps the Thing out of searches. */
      readonly public: boolean;
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

/** What can be waited for: a step of the ladder (claimed satisfies registered), or anything that can be said of a state. */
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
    }
  /** The connection changed. */
  | { readonly type: "link"; readonly link: Link }
  /** A stream is up on another domain than before. */
  | { readonly type: "moved" }
  /** The Registry took the registration. */
  | { readonly type: "registered"; readonly registry: BareJid }
  /** The Registry said that there is an owner, by notice or in answer to a registration. */
  | { readonly type: "claimed"; readonly registry: BareJid; readonly owner: BareJid; readonly public: boolean }
  /** The Registry said that the owner is the owner no more (XEP-0347 3.17). */
  | { readonly type: "disowned"; readonly registry: BareJid }
  /** KEY is empty in the Registry. */
  | { readonly type: "keyEmptied" }
  /** The owner was asked for friendship. */
  | { readonly type: "ownerAsked" }
  /** A provisioning server had all rights forgotten. */
  | { readonly type: "rightsCleared" }
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
  /** Back to factory settings. */
  | { readonly type: "reset"; readonly account?: AccountReset | undefined }
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
    }
  /** Tell servers that are trusted from now on where the Thing is (P-E8). */
  | { readonly do: "introduce"; readonly servers: readonly BareJid[] }
  /** Register; find a Registry first if none is known. */
  | { readonly do: "register"; readonly registry: BareJid | undefined }
  /** Empty KEY in the Registry. */
  | { readonly do: "emptyKey"; readonly registry: BareJid }
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
  | { readonly do: "findServers"; readonly registry: BareJid; readonly owner: BareJid }
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
  return state.ownership.is === "unregistered" ? undefined : state.ownership.registry;
}

/** The owner, once claimed. */
export function ownerOf(state: ThingState): BareJid | undefined {
  return state.ownership.is === "claimed" ? state.ownership.owner : undefined;
}

/** Whom the Thing answers to. */
export function standingOf(state: ThingState): Standing {
  const { examining: accepted } = state;
  return { owner: ownerOf(state), registry: registryOf(state), servers: trustedServers(state), accepted };
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
      return state.ownership.is === "claimed";
    case "provisioned":
      return state.ownership.is === "claimed" && state.trust.is === "delegated";
    default:
      // People without a compiler would wait for ever.
      throw new ConfigError(
        `waitFor: there is no "${String(condition)}"; there are online, registered, claimed, provisioned`,
      );
  }
}
