import { withDeadline, type CallOptions } from "../core/abort.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { StateError } from "../core/errors.ts";
import { configJid, type BareJid } from "../core/jid.ts";
import { parseClaimText } from "../codec/claim-text.ts";
import { buildMine, parseClaimed } from "../codec/iot-discovery.ts";
import { ns } from "../codec/namespaces.ts";
import type { FieldGroup } from "../codec/sensor-data.ts";
import { toTags, type Tag, type Tags } from "../codec/tags.ts";
import type { Connection } from "../connection/connect.ts";
import {
  checkControlCall,
  setParameters,
  type ControlOptions,
  type ControlOutcome,
  type ParameterValues,
} from "../control/controller.ts";
import { FriendWhereabouts } from "../connection/whereabouts.ts";
import { Components } from "../discovery/components.ts";
import { checkRegistry, type RegistryMethods, type RegistryWays } from "../discovery/service-options.ts";
import { findRegistry, type FindingParts } from "../discovery/services.ts";
import { SensorReader, checkReadOptions, type ReadOptions } from "../sensor/sensor-reader.ts";

/** How an owner's client works. */
export interface OwnerClientOptions {
  /**
   * The address of the Thing Registry, a component or an account (a bare JID), or ways to find one. Default: found among the
   * components of the own server.
   */
  readonly registry?: string | RegistryMethods;
  /** Time. Default: the machine's. */
  readonly clock?: Clock;
}

/** How to claim. */
export interface ClaimOptions extends CallOptions {
  /** False to keep the Thing out of searches. Default true. */
  readonly public?: boolean;
}

/** A Thing that was claimed. */
export interface ClaimedThing {
  /** Its address; absent when the Registry does not say (D-E3): it will then ask for friendship itself. */
  readonly jid?: BareJid;
}

const ANSWER_WITHIN = 30_000;

/**
 * What an owner does: claim Things (XEP-0347 3.9), read them (XEP-0323) and control them (XEP-0325).
 *
 * @example
 * ```ts
 * import { OwnerClient, connect } from "xmpp-thing/owner";
 *
 * const connection = await connect({ service: "xmpp://example.org", username: "alice", password });
 * const owner = new OwnerClient(connection);
 * const { jid } = await owner.claim("IoTDisco;SN:394872348732948723;MAN:www.ktc.se;MODEL:IMC;#V:1.2;KEY:4857402340298342");
 * await connection.close();
 * ```
 */
export class OwnerClient {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #reader: SensorReader;
  readonly #things = new Set<BareJid>();
  readonly #finding: FindingParts;
  readonly #ways: RegistryWays;
  #registry: BareJid | undefined;

  constructor(connection: Connection, options: OwnerClientOptions = {}) {
    this.#connection = connection;
    this.#clock = options.clock ?? systemClock;
    this.#reader = new SensorReader(connection.channel, this.#clock);
    const { channel, friends } = connection;
    const whereabouts = new FriendWhereabouts({ channel, friends, clock: this.#clock });
    this.#finding = { channel, whereabouts, components: new Components({ channel, clock: this.#clock }) };
    const { address, ways } = checkRegistry(options.registry, true);
    this.#registry = address;
    this.#ways = ways;
    // A Thing asks its owner for friendship after the claim (XEP-0347 3.9). Others are left to the program.
    connection.friends.onRequest((jid) => {
      if (this.#things.has(jid)) void connection.friends.accept(jid).catch(() => undefined);
    });
  }

  /**
   * Claims a Thing by the text scanned from it, or by its tags. Rejects with `ERR_STANZA` (`item-not-found`) for any
   * claim that fails: the Registry does not say why. Also `ERR_PROTOCOL` for a text that is no claim text,
   * `ERR_DISCOVERY` without a Registry, `ERR_TIMEOUT` (default 30,000 ms).
   */
  async claim(scanned: string | Tags, options: ClaimOptions = {}): Promise<ClaimedThing> {
    const tags: readonly Tag[] = typeof scanned === "string" ? parseClaimText(scanned) : toTags(scanned);
    const { signal, timeout = ANSWER_WITHIN } = options;
    return withDeadline(this.#clock, { signal, timeout }, "the claim", async (limited) => {
      this.#registry ??= await findRegistry(this.#finding, this.#ways, [], limited);
      // An account is reached at its full JID, which its presence tells (XEP-0347 5.1).
      const to = await this.#finding.whereabouts.addressOf(this.#registry, ns.discovery, { signal: limited });
      const payload = buildMine({ tags, public: options.public ?? true });
      const answer = await this.#connection.channel.request({ type: "set", to, payload }, { signal: limited, timeout });
      if (answer === undefined) return {};
      const { jid } = parseClaimed(answer);
      this.#things.add(jid);
      return { jid };
    });
  }

  /**
   * Becomes a friend of a Thing, so that its presence tells where it can be asked. Resolves to its full JID once it is
   * online. Whether it accepts is its provisioning server's decision: `ERR_STATE` if that is a no, `ERR_TIMEOUT` if
   * nothing comes (default 30,000 ms), as from a Thing that is offline. `ERR_CONFIG` for a text that is no JID.
   */
  async befriend(thing: string, options: CallOptions = {}): Promise<string> {
    const { bare } = configJid(thing, "thing");
    const { friends } = this.#connection;
    const { signal, timeout = ANSWER_WITHIN } = options;
    this.#things.add(bare);
    return withDeadline(this.#clock, { signal, timeout }, `friendship with ${bare}`, async (limited) => {
      const present = (): string | undefined => friends.presenceOf(bare)[0];
      if (friends.has(bare)?.to !== true) await friends.ask(bare);
      return present() ?? this.#nextPresence(bare, present, limited);
    });
  }

  /**
   * Reads a Thing. A bare JID is befriended first, a full one asked as it is. Resolves to what it
   * sent, by node and moment. Rejects with `ERR_STANZA` (`forbidden`: not allowed), `ERR_STATE` when the friendship is
   * refused, `ERR_TIMEOUT` (default 30,000 ms), `ERR_PROTOCOL` when the Thing reports a failure or sends nonsense, and `ERR_CONFIG`
   * for a text that is no JID.
   */
  async read(thing: string, options: ReadOptions = {}): Promise<readonly FieldGroup[]> {
    const jid = configJid(thing, "thing");
    checkReadOptions(options);
    const full = jid.resource === "" ? await this.befriend(jid.bare, options) : jid.full;
    return this.#reader.read(full, options);
  }

  /**
   * Sets boolean parameters of a Thing, in the order given. A bare JID is befriended first, a full one told as it is.
   * Resolves to what was done: a provisioning server may allow less than was asked for. Rejects with `ERR_STANZA`:
   * `forbidden` (you may set nothing of it), `item-not-found` (no such parameter), `bad-request` (not a boolean one),
   * `resource-constraint` (try later) and whatever the device chooses; `parameters` of the error says what is wrong with
   * which. `ERR_STATE` when the friendship is refused. `ERR_TIMEOUT` (default 30,000 ms) and `ERR_CONNECTION` leave open
   * whether it was done. `ERR_CONFIG` for a text that is no JID, and for values that are none.
   *
   * @example
   * ```ts
   * const { parameters } = await owner.control("lamp@example.org", { LED: true });
   * ```
   */
  async control(thing: string, values: ParameterValues, options: ControlOptions = {}): Promise<ControlOutcome> {
    const jid = configJid(thing, "thing");
    checkControlCall(values, options);
    const full = jid.resource === "" ? await this.befriend(jid.bare, options) : jid.full;
    return setParameters(this.#connection.channel, full, values, options);
  }

  #nextPresence(bare: BareJid, present: () => string | undefined, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const stop = this.#connection.channel.router.onPresence(({ type, from }) => {
        if (from.bare !== bare) return;
        if (type === "unsubscribed") {
          stop();
          reject(new StateError(`${bare} does not accept your friendship: its provisioning server says no`));
        } else if (type === "available") {
          stop();
          resolve(present() ?? from.full);
        }
      });
      signal.addEventListener("abort", stop, { once: true });
    });
  }
}
