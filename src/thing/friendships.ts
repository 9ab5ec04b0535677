// What a Thing does about friends: requests, the LED and its button, what its servers say, what is asked about again.
import type { BareJid } from "../core/jid.ts";
import type { StanzaChannel } from "../channel/stanza-channel.ts";
import type { Friends } from "../connection/friends.ts";
import type { Guard, Standing } from "../provisioning/guard.ts";
import type { RightsCache } from "../provisioning/rights-cache.ts";
import { makeButton } from "./button.ts";
import type { ThingEvents } from "./events.ts";
import type { FaultCode } from "./faults.ts";
import { FriendRequests, type Button } from "./friend-requests.ts";
import { part, reviewFriends } from "./friend-review.ts";
import type { ThingSettings } from "./options.ts";
import { followRecommendations } from "./recommendations.ts";
import type { ThingEvent, ThingState } from "./state.ts";

/** What friendships are made of. */
export interface FriendshipsOptions {
  readonly channel: StanzaChannel;
  readonly friends: Friends;
  readonly guard: Guard;
  readonly cache: RightsCache;
  readonly settings: ThingSettings;
  /** Whom the Thing answers to. */
  readonly standing: () => Standing;
  /** The state now. */
  readonly state: () => ThingState;
  /** Whether the disk may hold another one, which could not be kept. */
  readonly isDiskUnsure: () => boolean;
  /** Makes an event durable; resolves to what starts its effects. */
  readonly apply: (event: ThingEvent) => Promise<() => void>;
  /** Lets an event happen. */
  readonly dispatch: (event: ThingEvent) => void;
  /** Tells the program. */
  readonly tell: <Name extends keyof ThingEvents>(name: Name, ...about: ThingEvents[Name]) => void;
  readonly onFault: (code: FaultCode, message: string, cause?: unknown) => void;
}

/** The friendships of a Thing. */
export interface Friendships {
  /** Requests for friendship. */
  readonly requests: FriendRequests;
  /** The button; `undefined` for a Thing that has none. */
  readonly button: Button | undefined;
  /** Asks again about friends of whom nothing is remembered. */
  review(signal: AbortSignal): Promise<void>;
  /** Ends the friendship with somebody of whom a trusted server has said `unfriend`. */
  part(jid: BareJid, signal: AbortSignal): Promise<void>;
}

/** Puts them together. */
export function makeFriendships(options: FriendshipsOptions): Friendships {
  const { channel, friends, guard, cache, settings, standing, state, isDiskUnsure, apply, dispatch, tell, onFault } =
    options;
  const { clock, random, logger } = settings;
  const isParting = (jid: BareJid): boolean => state().parting.includes(jid);
  const hasDisowned = (jid: BareJid): boolean => {
    const { ownership } = state();
    return ownership.is === "registered" && ownership.disownedBy === jid;
  };
  const onUnfriended = (jid: BareJid): void => tell("unfriended", jid);
  const parts = { friends, guard, cache, standing, isParting, hasDisowned, onUnfriended };
  /** Who may say so has allowed a friendship that was to end, be it by what the disk alone says. */
  const onAllowed = async (jid: BareJid): Promise<void> => {
    if (isParting(jid) || isDiskUnsure()) (await apply({ type: "parted", jid }))();
  };
  const review = (): void => dispatch({ type: "rightsCleared" });
  followRecommendations({ ...parts, router: channel.router, clock, apply, onAllowed, review, onFault });
  const button = makeButton({
    settings: settings.pairing,
    clock,
    state,
    apply,
    onOpened: (window) => tell("pairing", window),
    onEnded: (ended) => tell("pairingEnded", ended),
    onFault,
  });
  friends.onWithdrawn((jid) => dispatch({ type: "withdrawn", jid }));
  const onFriended = (jid: BareJid): void => tell("friended", jid);
  const requests = new FriendRequests({ button, friends, guard, clock, random, logger, onAllowed, onFriended });
  return {
    requests,
    button,
    review: (signal) => reviewFriends(parts, signal),
    part: (jid, signal) => part(parts, jid, signal),
  };
}
