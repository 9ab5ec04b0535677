// XEP-0347 3.9, 3.10, 3.14, 3.15, 3.17: asking a Registry, and what its refusals mean.
import { withDeadline, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { RegistryError, StanzaError, type RegistryRequest } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { ns } from "../codec/namespaces.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { IqRequest } from "../channel/channel.ts";
import { FriendWhereabouts } from "../connection/whereabouts.ts";
import type { Connection } from "../connection/connect.ts";
import { Components } from "../discovery/components.ts";
import { checkRegistry, type RegistryMethods, type RegistryWays } from "../discovery/service-options.ts";
import { findRegistry, type FindingParts } from "../discovery/services.ts";

/** How long a Registry has to answer, to be found and to become a friend, in milliseconds, unless the program says otherwise. */
export const ANSWER_WITHIN = 30_000;

/** One Registry, found and befriended when it is first asked. */
export class RegistryAccess {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #finding: FindingParts;
  readonly #ways: RegistryWays;
  #registry: BareJid | undefined;

  constructor(connection: Connection, clock: Clock, registry: string | RegistryMethods | undefined) {
    this.#connection = connection;
    this.#clock = clock;
    const { channel, friends } = connection;
    const whereabouts = new FriendWhereabouts({ channel, friends, clock });
    this.#finding = { channel, whereabouts, components: new Components({ channel, clock }) };
    const { address, ways } = checkRegistry(registry, true);
    this.#registry = address;
    this.#ways = ways;
  }

  /** Asks, and resolves to the child of the answer. Rejects with a {@link RegistryError} when the Registry refuses. */
  ask(
    request: RegistryRequest,
    { type, payload }: Pick<IqRequest, "type" | "payload">,
    { signal, timeout = ANSWER_WITHIN }: CallOptions,
  ): Promise<XmlElement | undefined> {
    return withDeadline(this.#clock, { signal, timeout }, `asking the Registry to ${request}`, async (limited) => {
      this.#registry ??= await findRegistry(this.#finding, this.#ways, [], limited);
      // An account is befriended, and reached at its full JID, which its presence tells (XEP-0347 5.1).
      const to = await this.#finding.whereabouts.addressOf(this.#registry, ns.discovery, { signal: limited });
      try {
        const answer = await this.#connection.channel.request({ type, to, payload }, { signal: limited, timeout });
        // The payload of every answer is looked at (D-E4): that the Thing has no owner any more is no success.
        if (!answer?.is("disowned", ns.discovery)) return answer;
        throw new StanzaError("item-not-found", "cancel", to, "the Thing has no owner");
      } catch (error) {
        throw error instanceof StanzaError ? refused(request, error) : error;
      }
    });
  }
}

/** A refusal with what it means for what was asked. */
function refused(request: RegistryRequest, error: StanzaError): RegistryError {
  const advice = meanings[request].get(error.condition) ?? general.get(error.condition);
  return new RegistryError(request, error, advice ?? (error.type === "wait" ? LATER : "the Registry says no more"));
}

const LATER = "try again later";
const notYours = "it knows no such Thing of yours: is the address right, and the node if there is one?";
const goneFromIt = "Of a Thing that you removed it knows nothing any more";

const meanings: Readonly<Record<RegistryRequest, ReadonlyMap<string, string>>> = {
  claim: new Map([
    [
      "item-not-found",
      "no unclaimed Thing has exactly these tags: is the text complete, and is the Thing yours to claim?",
    ],
  ]),
  search: new Map(),
  update: new Map([["item-not-found", `${notYours} ${goneFromIt}`]]),
  remove: new Map([["item-not-found", `${notYours} Or was it removed before?`]]),
  disown: new Map([
    ["item-not-found", `${notYours} ${goneFromIt}: a factory reset at the device makes it one without owner`],
    // XEP-0347 3.17: a Thing that does not learn of it could not be claimed again.
    [
      "not-allowed",
      "the Thing is offline, and has to hear of it: switch it on and try again, or reset it to factory settings at the device",
    ],
  ]),
};

const notARegistry = "it does not know such requests: is it a Thing Registry, and is it running?";
const general: ReadonlyMap<string, string> = new Map([
  ["bad-request", "it does not take these tags or conditions"],
  ["feature-not-implemented", notARegistry],
  ["forbidden", "you may not use this Registry: ask who runs it"],
  ["not-authorized", "you may not use this Registry: ask who runs it"],
  ["remote-server-not-found", "there is no such server: is the Registry's address right?"],
  ["remote-server-timeout", "its server cannot be reached: try again later"],
  ["resource-constraint", LATER],
  ["service-unavailable", notARegistry],
]);
