// XEP-0347 as the Thing sees it: registering (3.6), learning who claimed it (3.9), emptying KEY (3.13, 6.5),
// unregistering (3.16).
import type { CallOptions } from "../core/abort.ts";
import { StanzaError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import { buildRegister, buildUnregister, buildUpdate, parseClaimed, type Claimed } from "../codec/iot-discovery.ts";
import type { Tag } from "../codec/tags.ts";
import type { Channel } from "../channel/channel.ts";
import type { IqHandler, Router } from "../channel/router.ts";

/**
 * Registers the Thing with the Registry at that address (XEP-0347 3.6). Resolves to the claim, if the Registry says that there is an owner already:
 * it was missed while the Thing was away.
 */
export async function register(
  channel: Channel,
  registry: string,
  tags: readonly Tag[],
  options: CallOptions,
): Promise<Claimed | undefined> {
  const payload = buildRegister({ tags, selfOwned: false });
  const answer = await channel.request({ type: "set", to: registry, payload }, options);
  return answer?.is("claimed", ns.discovery) ? parseClaimed(answer) : undefined;
}

/**
 * Empties KEY in the Registry after a claim (XEP-0347 6.5), so that it cannot be learnt from there. A Registry that
 * does not know the Thing any more has no KEY to empty: that is well too (D-E19).
 */
export async function emptyKey(channel: Channel, registry: string, options: CallOptions): Promise<void> {
  const payload = buildUpdate({ tags: [{ name: "KEY", type: "str", value: "" }] });
  try {
    await channel.request({ type: "set", to: registry, payload }, options);
  } catch (error) {
    if (!(error instanceof StanzaError && error.condition === "item-not-found")) throw error;
  }
}

/**
 * Has the Registry forget the Thing and its owner (XEP-0347 3.16). One that does not know it has nothing to forget: that
 * is well too (D-E20).
 */
export async function unregister(channel: Channel, registry: string, options: CallOptions): Promise<void> {
  try {
    await channel.request({ type: "set", to: registry, payload: buildUnregister({}) }, options);
  } catch (error) {
    if (!(error instanceof StanzaError && error.condition === "item-not-found")) throw error;
  }
}

/**
 * Takes the Registry's notice that the Thing was claimed (XEP-0347 3.9). From anybody else it is `forbidden` (D-E29):
 * a forged one would hand the Thing to a stranger.
 */
export function answerClaimed(options: {
  readonly router: Router;
  /** The Registry the Thing registered with. */
  readonly registry: () => BareJid | undefined;
  /** Makes the claim durable, then resolves to what is to follow once it is acknowledged. */
  readonly accept: (registry: BareJid, claim: Claimed) => Promise<() => void>;
}): void {
  const { router, registry, accept } = options;
  const take: IqHandler = async ({ from, type, payload }) => {
    const expected = registry();
    if (expected === undefined || from.bare !== expected) throw new Refusal("forbidden");
    if (type !== "set") throw new Refusal("bad-request");
    const claim = parseClaimed(payload);
    // This Thing is no concentrator: it registered itself and no node.
    if (claim.node !== undefined) throw new Refusal("item-not-found");
    return { afterwards: await accept(expected, claim) };
  };
  router.onIq(ns.discovery, "claimed", take, { urgent: true });
}
