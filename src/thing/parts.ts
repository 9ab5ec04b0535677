// What a Thing is made of, put together: each part knows the others by what it needs of them only.
import { messageOf } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { StanzaChannel } from "../channel/stanza-channel.ts";
import { Friends } from "../connection/friends.ts";
import { FriendWhereabouts } from "../connection/whereabouts.ts";
import { DeviceIndex } from "../provisioning/devices.ts";
import { Barrier } from "../provisioning/barrier.ts";
import { Guard, type Standing } from "../provisioning/guard.ts";
import { OwnTokens } from "../provisioning/own-tokens.ts";
import { withoutTokens } from "../provisioning/questions.ts";
import { RightsCache } from "../provisioning/rights-cache.ts";
import { SentTokens } from "../provisioning/sent-tokens.ts";
import { answerTokenChallenges } from "../provisioning/token-challenge.ts";
import { Acting } from "./acting.ts";
import { answerRequests } from "./answers.ts";
import { Connecting } from "./connecting.ts";
import { abilitiesOf } from "./disco.ts";
import { performer } from "./effects.ts";
import type { ThingEvents } from "./events.ts";
import type { FaultCode } from "./faults.ts";
import type { ControlDevice } from "../control/control-responder.ts";
import type { SensorDevice } from "../sensor/sensor-responder.ts";
import { makeFriendships, type Friendships } from "./friendships.ts";
import { Identity } from "./identity.ts";
import type { MakeLink } from "./link.ts";
import { Nodes } from "./nodes.ts";
import type { ThingSettings } from "./options.ts";
import { OwnTags } from "./own-tags.ts";
import { registryLeft } from "./ownership.ts";
import { Runner, type Perform } from "./runner.ts";
import type { Hide } from "../connection/secrets.ts";
import { registryOf, standingOf, trustedServers, type ThingEvent, type ThingState } from "./state.ts";
import { withKey } from "./tags.ts";

/** What the parts need of the Thing itself. */
export interface PartsNeeds {
  readonly settings: ThingSettings;
  readonly makeLink: MakeLink;
  readonly hide: Hide;
  /** From now on this is hidden too. */
  readonly onSecret: (secret: string) => void;
  /** Tells the program. */
  readonly tell: <Name extends keyof ThingEvents>(name: Name, ...about: ThingEvents[Name]) => void;
  /** Whether the program listens to this. */
  readonly isHeard: (name: keyof ThingEvents) => boolean;
  /** Told of each new state, once it is durable. */
  readonly onState: (state: ThingState, before: ThingState, event: ThingEvent) => void;
  readonly onFault: (code: FaultCode, message: string, cause?: unknown) => void;
  readonly onHealed: (code: FaultCode) => void;
}

/** The parts that a Thing starts, stops and asks. */
export interface ThingParts {
  readonly channel: StanzaChannel;
  readonly cache: RightsCache;
  readonly identity: Identity;
  readonly ownTags: OwnTags;
  readonly ownTokens: OwnTokens;
  readonly friendships: Friendships;
  readonly runner: Runner;
  readonly connecting: Connecting;
  readonly acting: Acting;
  /** The nodes behind the Thing; `undefined`: it is no concentrator. */
  readonly nodes: Nodes | undefined;
  /** Lets an event happen; a state that could not be kept is a fault. */
  dispatch(event: ThingEvent): void;
}

/** Makes the parts of a Thing. Nothing is read, written or connected yet. */
export function makeParts(needs: PartsNeeds): ThingParts {
  const { settings, makeLink, hide, onSecret, tell, isHeard, onState, onFault, onHealed } = needs;
  const { storage, clock, random, logger } = settings;
  let registering: BareJid | undefined;
  const state = (): ThingState => runner.state;
  // Looked at for every request: made anew only when the state has changed.
  let stood: { readonly in: ThingState; readonly standing: Standing } | undefined;
  const standing = (): Standing => {
    const now = state();
    const owners = nodes?.owners;
    if (stood?.in !== now || stood.standing.nodes !== owners) {
      stood = { in: now, standing: { ...standingOf(now), ...(owners !== undefined && { nodes: owners }) } };
    }
    return stood.standing;
  };
  const dispatch = (event: ThingEvent): void => {
    runner.dispatch(event).catch((error: unknown) => onFault("state-not-saved", messageOf(error), error));
  };

  const channel = new StanzaChannel({ clock, random, logger, onFault });
  const friends = new Friends(channel);
  const whereabouts = new FriendWhereabouts({ channel, friends, clock });
  const barrier = new Barrier();
  const cache = new RightsCache({ storage, logger, clock, onFault, onHealed, ...settings.rights });
  const identity = new Identity({ storage, random, account: settings.account, domain: settings.server.domain });
  const { tags, tagsAfterClaim: afterClaim } = settings;
  const ownTags = new OwnTags({ storage, tags, afterClaim, onFault });
  const sent = new SentTokens(clock);
  const guard = new Guard({
    ...{ channel, whereabouts, cache, barrier, clock, logger, standing, sent },
    isHeard: () => isHeard("decision"),
    onDecision: (question, decision, ms) => tell("decision", { question: withoutTokens(question), decision, ms }),
  });
  const ownTokens = new OwnTokens({
    ...{ channel, whereabouts, storage, clock, random, logger, onFault },
    certificate: settings.certificate,
    trusted: () => trustedServers(state()),
  });
  const connecting = new Connecting({
    ...{ settings, channel, identity, makeLink, hide, onFault },
    dispatch: (event) => {
      dispatch(event);
      if (event.type === "moved")
        nodes?.moved().catch((error: unknown) => onFault("state-not-saved", messageOf(error), error));
    },
    onUp: () => {
      // Before any stanza is handled: what is remembered does not count until the servers have had their say.
      barrier.raise();
      friendships.requests.restart();
    },
    onDown: () => friendships.requests.stop(),
    onHealed: (...codes) => codes.forEach(onHealed),
  });
  const friendships = makeFriendships({
    ...{ channel, friends, guard, cache, settings, standing, state, dispatch, tell, onFault },
    isDiskUnsure: () => runner.isDiskUnsure,
    apply: (event) => runner.apply(event),
  });
  const perform = performer({
    ...{ channel, friends, whereabouts, barrier, ownTokens, clock, random, onFault },
    reviewFriends: (signal) => friendships.review(signal),
    part: (jid, signal) => friendships.part(jid, signal),
    registry: settings.registry,
    ways: settings.ways,
    hints: () => connecting.hints,
    accounts: identity,
    onRegistering: (registry) => (registering = registry),
    state,
    ownTags,
    selfOwned: settings.selfOwned,
    tags: () => withKey(settings.tags, identity.key),
    can: abilitiesOf(settings),
  });
  const runner: Runner = new Runner({
    ...{ clock, random, onFault, onHealed },
    onState: (next, before, event) => {
      if (event.type === "reset") nodes?.reset(registryLeft(next.ownership));
      nodes?.follow(next);
      onState(next, before, event);
      // Who answers for what goes on may be another now, also where nothing had to be forgotten: an owner who is none any more.
      guard.running.recheck();
      ownTags.wake();
    },
    locked: settings.pairing?.locked === true,
    save: async (next, event) => {
      // First: whoever has the Thing next must not be taken for what it was (X-E4), nor its token be shown to whom it
      // trusts no more.
      if (event.type === "reset") await ownTags.clear();
      await (event.type === "reset" ? ownTokens.clear() : ownTokens.retain(trustedServers(next)));
      await identity.keepAfter(next, event);
      if (event.type !== "reset") return;
      sent.clear();
      await connecting.forget();
    },
    clearRights: async (of) => {
      if (of === undefined) return cache.clear();
      for (const jid of of) await cache.forget(jid);
    },
    perform: withNodes(() => nodes, perform),
  });
  const devices = new DeviceIndex<SensorDevice & ControlDevice>();
  devices.add({ ...(settings.sensor !== undefined && { sensor: settings.sensor }), control: settings.control });
  const nodes: Nodes | undefined =
    settings.nodes &&
    new Nodes({
      ...{ channel, whereabouts, friends, storage, clock, random, devices, state, onFault, onHealed },
      settings: settings.nodes,
      secret: () => identity.nodeSecret,
      onLost: (owner) => cache.forget(owner),
      onRemoving: (node) => cache.forgetNode(node),
      onParting: (owner) => runner.apply({ type: "unfriended", jid: owner }),
      // A Registry that is an account may be a friend for the nodes alone (XEP-0347 5.3, D-E14).
      onSettled: () => dispatch({ type: "nodesTold" }),
      onKey: onSecret,
      onOwnership: (...about) => {
        tell("node", ...about);
        guard.running.recheck();
        friendships.requests.reconsider();
      },
      onClaimText: (...about) => tell("nodeClaimText", ...about),
    });
  answerRequests({
    ...{ channel, settings, guard, cache, devices, nodes, state, onFault },
    registry: () => registryOf(state()) ?? registering,
    apply: (event) => runner.applyNotice(event),
    onCleared: (server) => {
      tell("rightsCleared", server);
      dispatch({ type: "rightsCleared" });
      friendships.requests.reconsider();
    },
  });
  answerTokenChallenges({
    ...{ channel, sent, clock, logger },
    servers: () => standing().servers,
    decryptChallenge: (token, challenge) => ownTokens.decryptChallenge(token, challenge),
  });
  const acting = new Acting({ channel, whereabouts, sent, clock, ownTokens: () => ownTokens.ownTokens() });
  return { acting, channel, cache, identity, ownTags, ownTokens, friendships, runner, connecting, nodes, dispatch };
}

/** What a Thing does on the wire, and when in between it has time for its nodes. */
function withNodes(nodesNow: () => Nodes | undefined, perform: Perform): Perform {
  return async (effect, signal) => {
    const nodes = nodesNow();
    // Before the Thing itself: who has claimed a node of before is known nowhere else.
    if (effect.do === "unregister") await nodes?.leave(effect.registry, signal);
    if (effect.do === "leaveRegistry" && nodes?.needRegistry === true) return undefined;
    const event = await perform(effect, signal);
    if (effect.do === "greet" || effect.do === "register") nodes?.done(effect.do, signal);
    return event;
  };
}
