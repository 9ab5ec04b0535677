import { checkCall, checkCallAlone, sleep, timeLeft, withDeadline, type CallOptions } from "../core/abort.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { ConfigError, ConnectionError, RegistryError, StateError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { checkKnown } from "../core/options.ts";
import { parseClaimText } from "../codec/claim-text.ts";
import { buildDisown, buildMine, buildRemove, buildUpdate, parseClaimed } from "../codec/iot-discovery.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import { buildSearch, parseFound, type Found, type Search } from "../codec/search.ts";
import { toTags, type Tag, type Tags } from "../codec/tags.ts";
import {
  ConcentratorClient,
  checkNodeListOptions,
  type ConcentratorNode,
  type NodeListOptions,
} from "../concentrator/concentrator-client.ts";
import type { Connection } from "../connection/connect.ts";
import {
  checkControlCall,
  checkFormCall,
  getControlForm,
  setParameters,
  type ControlForm,
  type ControlOptions,
  type ControlOutcome,
  type FormOptions,
  type ParameterValues,
} from "../control/controller.ts";
import type { RegistryMethods } from "../discovery/service-options.ts";
import { checkReadOptions, type ReadOptions } from "../sensor/read-options.ts";
import type { Readout } from "../sensor/remote-readout.ts";
import { SensorReader } from "../sensor/sensor-reader.ts";
import { PAGE_SIZE, findThings, type ThingFound } from "./found-things.ts";
import { searchesFor, type SearchCondition } from "./predicates.ts";
import { ANSWER_WITHIN, RegistryAccess } from "./registry-access.ts";
import { checkReference, type CheckedReference, type ThingReference } from "./thing-reference.ts";
import { changedTags } from "./update-tags.ts";

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

/**
 * A Thing that was claimed: its address, and its node when it is one behind a concentrator. Without an address when the
 * Registry does not say (D-E3): the Thing will then ask for friendship itself.
 */
export type ClaimedThing =
  | {
      /** Its JID, or that of the concentrator it is behind. */
      readonly jid: BareJid;
      /** The node, when the Thing is one behind a concentrator. */
      readonly node?: NodeRef;
    }
  | {
      /** Not told. */
      readonly jid?: undefined;
      /** Not told. */
      readonly node?: undefined;
    };

/** How to search. */
export interface SearchOptions {
  /** The most Things to be asked for at once. The Registry may give fewer. Default 50. */
  readonly pageSize?: number;
  /** Ends the search; it rejects with the signal's own reason. */
  readonly signal?: AbortSignal | undefined;
  /** The longest wait for one page, in milliseconds; then `ERR_TIMEOUT`. Default 30,000. */
  readonly timeout?: number | undefined;
}

// How long a Registry that has too much to do is left alone, in milliseconds, before a page is asked for once more.
const BUSY_WAITS: readonly number[] = [250, 500, 1_000, 2_000, 4_000];

/**
 * What an owner does: claim Things (XEP-0347 3.9), find them (3.15), tell the Registry about them (3.14), take them out of
 * searches (3.10) and give them up (3.17), read them (XEP-0323) and control them (XEP-0325).
 *
 * A Registry that refuses makes a call reject with a {@link RegistryError}: code `ERR_STANZA`, its `condition`, and what to do in the message. Calls to it
 * reject with `ERR_DISCOVERY` when none is found, `ERR_TIMEOUT` without an answer (default 30,000 ms), `ERR_CONNECTION` without a stream,
 * `ERR_PROTOCOL` for an answer that is none, and `ERR_CONFIG` for what is wrong in the call itself.
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
  readonly #registry: RegistryAccess;

  constructor(connection: Connection, options: OwnerClientOptions = {}) {
    // Without `await` it is a promise, and everything would fail later, in words that help nobody.
    if (!(connection as Partial<Connection> | undefined)?.channel) {
      throw new ConfigError("connection: must be what connect resolves to: new OwnerClient(await connect({ … }))");
    }
    this.#connection = connection;
    this.#clock = options.clock ?? systemClock;
    this.#reader = new SensorReader(connection.channel, this.#clock);
    this.#registry = new RegistryAccess(connection, this.#clock, options.registry);
    // A Thing asks its owner for friendship after the claim (XEP-0347 3.9). Others are left to the program.
    connection.friends.onRequest((jid) => {
      if (this.#things.has(jid)) void connection.friends.accept(jid).catch(() => undefined);
    });
  }

  /**
   * Claims a Thing by the text scanned from it, or by its tags (XEP-0347 3.9). The Registry does not say why a claim fails: always
   * `item-not-found`. To claim once more what is yours already does no harm, so a claim that got no answer can be repeated. `ERR_PROTOCOL`
   * also for a text that is no claim text.
   */
  async claim(scanned: string | Tags, options: ClaimOptions = {}): Promise<ClaimedThing> {
    const given: unknown = scanned;
    if (typeof given !== "string" && (typeof given !== "object" || given === null)) {
      throw new ConfigError('scanned: must be the claim text, "IoTDisco;…", or tags such as { SN: "1", KEY: "…" }');
    }
    const tags: readonly Tag[] = typeof scanned === "string" ? parseClaimText(scanned) : toTags(scanned);
    checkKnown(options, ["public", "signal", "timeout"], "options");
    const payload = buildMine({ tags, public: options.public ?? true });
    const answer = await this.#registry.ask("claim", { type: "set", payload }, options);
    if (answer === undefined) return {};
    const { jid, node } = parseClaimed(answer);
    this.#things.add(jid);
    return { jid, ...(node !== undefined && { node }) };
  }

  /**
   * Searches for public Things, also those of others (XEP-0347 3.15). All conditions must hold; {@link anyOf} makes
   * alternatives. Gives each Thing once, page by page: the next page is asked for when the Things of the one before are
   * taken, so a search over very many takes no more memory than a page (with alternatives it remembers a digest of
   * each Thing, of the last 200,000). What comes and goes meanwhile may be missed. Leave the loop to end it. Throws `ERR_CONFIG` at once; the loop rejects
   * like every call to the Registry, with `ERR_PROTOCOL` also when the Registry goes on without anything new.
   *
   * @example
   * ```ts
   * import { tag, type OwnerClient } from "xmpp-thing/owner";
   *
   * async function coldRooms(owner: OwnerClient): Promise<void> {
   *   for await (const thing of owner.search([tag("CLASS").is("Thermometer"), tag("CITY").is("Kiruna")])) {
   *     console.log(thing.jid, thing.tags.get("ROOM"), await owner.read(thing));
   *   }
   * }
   * ```
   */
  search(
    conditions: SearchCondition | readonly SearchCondition[],
    options: SearchOptions = {},
  ): AsyncIterable<ThingFound> {
    const searches = searchesFor(conditions);
    checkKnown(options, ["pageSize", "signal", "timeout"], "options");
    checkCall(options);
    const { pageSize = PAGE_SIZE, signal, timeout } = options;
    if (!Number.isSafeInteger(pageSize) || pageSize < 1)
      throw new ConfigError("pageSize: must be a whole number above 0");
    const ask = (search: Search): Promise<Found> => this.#page(search, { signal, timeout });
    return { [Symbol.asyncIterator]: () => findThings(searches, pageSize, signal, ask) };
  }

  /** One page. A Registry that has too much to do is asked again a little later: who takes many pages asks often. */
  async #page(search: Search, limits: CallOptions): Promise<Found> {
    const request = { type: "get", payload: buildSearch(search) } as const;
    for (let turn = 0; ; turn++) {
      const wait = BUSY_WAITS[turn];
      try {
        return parseFound(await this.#registry.ask("search", request, limits));
      } catch (error) {
        const isBusy = error instanceof RegistryError && error.condition === "resource-constraint";
        if (!isBusy || wait === undefined) throw error;
        await sleep(this.#clock, wait, limits.signal);
      }
    }
  }

  /**
   * Changes tags of a Thing of yours in the Registry (XEP-0347 3.14): those that are named, the others stay. An empty text takes a tag away. Rejects with
   * `item-not-found` when the Thing is not yours, was removed, or does not exist.
   */
  async update(thing: ThingReference, tags: Tags, options: CallOptions = {}): Promise<void> {
    const { jid, ...rest } = checkReference(thing);
    checkCallAlone(options);
    const payload = buildUpdate({ jid: jid.bare, tags: changedTags(tags), ...rest });
    await this.#registry.ask("update", { type: "set", payload }, options);
  }

  /**
   * Takes a Thing of yours out of searches (XEP-0347 3.10). It stays yours; the Registry tells it, if it can. It does not come back by itself: only a
   * factory reset, and a new claim, brings it into searches again. Rejects with `item-not-found` when the Thing is not yours or does not exist.
   */
  async remove(thing: ThingReference, options: CallOptions = {}): Promise<void> {
    const { jid, ...rest } = checkReference(thing);
    checkCallAlone(options);
    await this.#registry.ask("remove", { type: "set", payload: buildRemove({ jid: jid.bare, ...rest }) }, options);
  }

  /**
   * Gives a Thing up (XEP-0347 3.17): it has no owner any more, and can be claimed with a new claim text. Rejects with
   * `not-allowed` when the Thing is offline, for it must hear of it, and with `item-not-found` when the Thing is not yours or does not exist.
   */
  async disown(thing: ThingReference, options: CallOptions = {}): Promise<void> {
    const { jid, ...rest } = checkReference(thing);
    checkCallAlone(options);
    await this.#registry.ask("disown", { type: "set", payload: buildDisown({ jid: jid.bare, ...rest }) }, options);
    // Another node of the same concentrator may still be ours.
    if (rest.node === undefined) this.#things.delete(jid.bare);
  }

  /**
   * Becomes a friend of a Thing, so that its presence tells where it can be asked. Resolves to its full JID once it is
   * online. Whether it accepts is its provisioning server's decision: `ERR_STATE` if that is a no, `ERR_TIMEOUT` if
   * nothing comes (default 30,000 ms), as from a Thing that is offline. `ERR_CONNECTION` when the connection has ended. `ERR_CONFIG` for a
   * text that is no JID.
   */
  async befriend(thing: ThingReference, options: CallOptions = {}): Promise<string> {
    const { bare } = checkReference(thing).jid;
    const { friends, channel } = this.#connection;
    const { signal, timeout = ANSWER_WITHIN } = options;
    // A connection that has ended does not come back: no presence would.
    if (channel.jid === undefined) throw new ConnectionError("not connected: the connection has ended; connect again");
    this.#things.add(bare);
    return withDeadline(this.#clock, { signal, timeout }, `friendship with ${bare}`, async (limited) => {
      const present = (): string | undefined => friends.presenceOf(bare)[0];
      if (friends.has(bare)?.to !== true) await friends.ask(bare);
      return present() ?? this.#nextPresence(bare, present, limited);
    });
  }

  /**
   * Reads a Thing, also one that a search found. A bare JID is befriended first, a full one asked as it is. Of a Thing behind a concentrator its node is
   * read, unless `nodes` says otherwise. Awaited, it resolves to what the Thing sent, by node and moment; `for await` gives each value as it comes, and
   * leaving the loop cancels the readout. Rejects with `ERR_STANZA` (`forbidden`: not allowed), `ERR_STATE` when the friendship is
   * refused, `ERR_TIMEOUT` (default 30,000 ms of silence, 300,000 ms in all), `ERR_PROTOCOL` when the Thing reports a failure, sends nonsense or more
   * than is taken, and `ERR_CONFIG` for a text that is no JID.
   */
  read(thing: ThingReference, options: ReadOptions = {}): Readout {
    return this.#reader.readWhere(async () => {
      const reference = checkReference(thing);
      checkReadOptions(options);
      return {
        jid: await this.#fullJid(reference, options),
        options: { ...nodesOf(reference), ...options },
      };
    });
  }

  /**
   * Sets parameters of a Thing, in the order given. A bare JID is befriended first, a full one told as it is. The type of a
   * value is that of its parameter in `form`, if it is given, else what {@link ParameterValue} says.
   * Resolves to what was done: a provisioning server may allow less than was asked for. Rejects with `ERR_STANZA`:
   * `forbidden` (you may set nothing of it), `item-not-found` (no such parameter), `bad-request` (another type, or a value that
   * it does not take), `resource-constraint` (try later) and whatever the device chooses; `parameters` of the error says what is wrong with
   * which. `ERR_STATE` when the friendship is refused. `ERR_TIMEOUT` (default 30,000 ms) and `ERR_CONNECTION` leave open
   * whether it was done. `ERR_CONFIG` for a text that is no JID, and for values that are none.
   *
   * @example
   * ```ts
   * const { parameters } = await owner.control("lamp@example.org", { LED: true, Level: 12 });
   * ```
   */
  async control(thing: ThingReference, values: ParameterValues, options: ControlOptions = {}): Promise<ControlOutcome> {
    const reference = checkReference(thing);
    checkControlCall(values, options);
    const left = timeLeft(this.#clock, options);
    const full = await this.#fullJid(reference, left());
    return setParameters(this.#connection.channel, full, values, { ...nodesOf(reference), ...options, ...left() });
  }

  /**
   * What you may control of a Thing, with types, limits and the values now (XEP-0325 3.3.1); of several `nodes` what they have
   * in common. A bare JID is befriended first, a full one asked as it is. Rejects with `ERR_STANZA`: `forbidden` if that is nothing,
   * `feature-not-implemented` or `service-unavailable` from a Thing without control forms; else as {@link read} does.
   *
   * @example
   * ```ts
   * const form = await owner.getForm("dimmer@example.org");
   * for (const { name, type, min, max, value } of form.parameters) console.log(name, type, min, max, value);
   * await owner.control("dimmer@example.org", { OutputPercent: 10 }, { form });
   * ```
   */
  async getForm(thing: ThingReference, options: FormOptions = {}): Promise<ControlForm> {
    const reference = checkReference(thing);
    checkFormCall(options);
    const left = timeLeft(this.#clock, options);
    const full = await this.#fullJid(reference, left());
    return getControlForm(this.#connection.channel, full, { ...nodesOf(reference), ...options, ...left() });
  }

  /**
   * Lists the nodes behind a concentrator, of all its data sources or of one (XEP-0326): those that you may read, each named as
   * {@link read} and {@link control} take it. A bare JID is befriended first, a full one asked as it is. Rejects as `read` does:
   * with `service-unavailable` for a Thing that is no concentrator, with `forbidden` if you may read none of them.
   */
  async nodes(thing: ThingReference, options: NodeListOptions = {}): Promise<readonly ConcentratorNode[]> {
    const reference = checkReference(thing);
    checkNodeListOptions(options);
    const left = timeLeft(this.#clock, options);
    const full = await this.#fullJid(reference, left());
    return new ConcentratorClient(this.#connection.channel).nodes(full, { ...options, ...left() });
  }

  async #fullJid({ jid }: CheckedReference, options: CallOptions): Promise<string> {
    return jid.resource === "" ? this.befriend(jid.bare, options) : jid.full;
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

/** Of a Thing behind a concentrator its own node is meant. */
function nodesOf({ node }: CheckedReference): { readonly nodes?: readonly NodeRef[] } {
  return node === undefined ? {} : { nodes: [node] };
}
