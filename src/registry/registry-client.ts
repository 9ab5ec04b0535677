// XEP-0347 as the Thing sees it: registering (3.6 to 3.8), changing what the Registry holds (3.13, 6.5), unregistering
// (3.16), and the notices of the Registry: claimed (3.9), removed (3.10), disowned (3.17).
import type { CallOptions } from "../core/abort.ts";
import { StanzaError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { ns } from "../codec/namespaces.ts";
import {
  buildRegister,
  buildUnregister,
  buildUpdate,
  parseClaimed,
  parseDisowned,
  parseRemoved,
  type Claimed,
  type Register,
  type Unregister,
  type Update,
} from "../codec/iot-discovery.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { Channel } from "../channel/channel.ts";
import type { IqHandler, Router } from "../channel/router.ts";

/**
 * Registers a Thing or node with the Registry at that address (XEP-0347 3.6 to 3.8). Resolves to the claim, if the Registry
 * says that there is an owner already: it was missed while the Thing was away.
 */
export async function register(
  channel: Channel,
  registry: string,
  registration: Register,
  options: CallOptions,
): Promise<Claimed | undefined> {
  const answer = await channel.request({ type: "set", to: registry, payload: buildRegister(registration) }, options);
  return answer?.is("claimed", ns.discovery) ? parseClaimed(answer) : undefined;
}

/**
 * What a Registry has to say to a change of tags (XEP-0347 3.13): it has taken it; it does not know the Thing, which the
 * owner has removed then; or the Thing has no owner any more.
 */
export type UpdateOutcome = "updated" | "removed" | "disowned";

/** Changes tags in the Registry at that address (XEP-0347 3.13). A notice that was missed comes with the answer (D-E4). */
export async function update(
  channel: Channel,
  registry: string,
  { tags, node }: Pick<Update, "tags" | "node">,
  options: CallOptions,
): Promise<UpdateOutcome> {
  const payload = buildUpdate({ tags, ...(node !== undefined && { node }) });
  try {
    const answer = await channel.request({ type: "set", to: registry, payload }, options);
    return answer?.is("disowned", ns.discovery) ? "disowned" : "updated";
  } catch (error) {
    if (error instanceof StanzaError && error.condition === "item-not-found") return "removed";
    throw error;
  }
}

/**
 * Empties KEY in the Registry after a claim (XEP-0347 6.5), so that it cannot be learnt from there; an {@link update} like
 * others.
 */
export function emptyKey(
  channel: Channel,
  registry: string,
  options: CallOptions,
  node?: NodeRef,
): Promise<UpdateOutcome> {
  const tags = [{ name: "KEY", type: "str", value: "" }] as const;
  return update(channel, registry, { tags, ...(node !== undefined && { node }) }, options);
}

/**
 * Has the Registry forget a Thing or node and its owner (XEP-0347 3.16). One that does not know it has nothing to forget:
 * that is well too (D-E20).
 */
export async function unregister(
  channel: Channel,
  registry: string,
  what: Unregister,
  options: CallOptions,
): Promise<void> {
  try {
    await channel.request({ type: "set", to: registry, payload: buildUnregister(what) }, options);
  } catch (error) {
    if (!(error instanceof StanzaError && error.condition === "item-not-found")) throw error;
  }
}

/**
 * What a Registry tells of its own accord: that somebody has claimed a Thing (XEP-0347 3.9), that the owner has removed it
 * from the Registry (3.10), or has disowned it (3.17).
 */
export type Notice =
  | {
      readonly type: "claimed";
      /** The owner. */
      readonly owner: BareJid;
      /** False if the Thing is kept out of searches. */
      readonly public: boolean;
      /** The node, if it is about one behind a concentrator. */
      readonly node?: NodeRef;
    }
  | {
      readonly type: "removed" | "disowned";
      /** The node, if it is about one behind a concentrator. */
      readonly node?: NodeRef;
    };

/** What notices are answered with. */
export interface NoticeOptions {
  /** Where they come in. */
  readonly router: Router;
  /** The Registry the Thing registered with; `undefined`: none yet. */
  readonly registry: () => BareJid | undefined;
  /**
   * Makes what the Registry has said durable, then resolves to what is to follow once it is acknowledged (D-E17). Throws
   * `Refusal("item-not-found")` if the notice is about a node that is not here (D-E29); whatever it throws, nothing is
   * acknowledged.
   */
  readonly accept: (registry: BareJid, notice: Notice) => Promise<() => void>;
}

/**
 * Takes the notices of the Registry: `claimed`, `removed` and `disowned` (XEP-0347 3.9, 3.10, 3.17), for the Thing and for
 * nodes behind it. From anybody else they are `forbidden` (D-E29): a forged one would hand the Thing to a stranger, or free
 * it. The sender is looked at before anything else of it.
 */
export function answerNotices({ router, registry, accept }: NoticeOptions): void {
  const take =
    (parse: (payload: XmlElement) => Notice): IqHandler =>
    async ({ from, type, payload }) => {
      const expected = registry();
      if (expected === undefined || from.bare !== expected) throw new Refusal("forbidden");
      if (type !== "set") throw new Refusal("bad-request");
      return { afterwards: await accept(expected, parse(payload)) };
    };
  const urgent = { urgent: true };
  const claimed = take((payload) => {
    const { jid, ...claim } = parseClaimed(payload);
    return { type: "claimed", owner: jid, ...claim };
  });
  router.onIq(ns.discovery, "claimed", claimed, urgent);
  const removed = take((payload) => ({ type: "removed", ...parseRemoved(payload) }));
  router.onIq(ns.discovery, "removed", removed, urgent);
  const disowned = take((payload) => ({ type: "disowned", ...parseDisowned(payload) }));
  router.onIq(ns.discovery, "disowned", disowned, urgent);
}
