import { EventEmitter } from "node:events";
import { checkCallAlone, withDeadline, type CallOptions } from "../core/abort.ts";
import { ConfigError, StateError, messageOf } from "../core/errors.ts";
import { foldedLogger } from "../core/folded-logger.ts";
import { formatClaimText } from "../codec/claim-text.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Tags } from "../codec/tags.ts";
import { traceIfWanted, type WireTrace } from "../connection/wire-trace.ts";
import type { ControlForm, ControlOutcome, ParameterValues } from "../control/controller.ts";
import type { Readout } from "../sensor/remote-readout.ts";
import type { ThingControlOptions, ThingFormOptions, ThingReadOptions } from "./acting.ts";
import { announce } from "./announce.ts";
import { refuseUnknownEvents, type ThingEvents } from "./events.ts";
import { FaultLog } from "./fault-log.ts";
import { movedTo, type FaultCode } from "./faults.ts";
import { refuseNewer } from "./inspect.ts";
import { LastFault } from "./last-fault.ts";
import { KeyHider } from "./key-hider.ts";
import { connectionLink, linkSeam, type WithLink } from "./link.ts";
import { checkNode, type NodeDefinition } from "./node-definition.ts";
import type { Nodes, ThingNode } from "./nodes.ts";
import { checkOptions, type ThingOptions, type ThingSettings } from "./options.ts";
import { makeParts, type ThingParts } from "./parts.ts";
import type { PairingWindow } from "./pairing.ts";
import { toFactorySettings, type ResetOptions } from "./reset.ts";
import { Rights } from "./rights.ts";
import { satisfies, type ThingCondition, type ThingEvent, type ThingState } from "./state.ts";
import { discreetCause, discreetLogger, hider, type Hide } from "../connection/secrets.ts";
import { keysIn, toOwnChanges, withKey } from "./tags.ts";
import { tell } from "./tell.ts";
import { updateTags, type UpdateTagsOptions } from "./update-tags.ts";
import { Waiting, whyNot } from "./waiting.ts";

/**
 * A device on an XMPP server: makes itself an account, registers with a Thing Registry, is claimed by its owner
 * (XEP-0347), delegates to a provisioning server who may befriend and read it (XEP-0324), answers readouts (XEP-0323), and
 * remembers all of it across power cuts.
 *
 * @example
 * ```ts
 * import { Thing, fileStorage } from "xmpp-thing";
 *
 * const thing = new Thing({
 *   storage: fileStorage("/var/lib/thermometer"),
 *   server: { service: "xmpp://example.org" },
 *   tags: { SN: "394872348732948723", MAN: "example.org", MODEL: "Thermometer", V: 1.0 },
 *   sensor: {
 *     fields: [{ name: "Temperature", unit: "°C", decimals: 1 }],
 *     read: () => [{ name: "Temperature", value: 21.5 }],
 *   },
 * });
 * thing.on("claimText", (text) => console.log(text));
 * thing.on("fault", ({ code, message }) => console.error(code, message));
 * await thing.start();
 * ```
 */
export class Thing extends EventEmitter<ThingEvents> implements AsyncDisposable {
  /** What is remembered of who may do what. */
  readonly rights: Rights;
  readonly #settings: ThingSettings;
  readonly #parts: ThingParts;
  #phase: "new" | "starting" | "running" | "stopped" = "new";
  #claimText = "";
  readonly #waiting: Waiting;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  readonly #ended = new AbortController();
  #trace: WireTrace | undefined;
  readonly #lastFault: LastFault;
  readonly #faults: FaultLog;
  readonly #hide: Hide;

  /** Checks the options; does nothing else. Throws `ERR_CONFIG` naming the option that is wrong. */
  constructor(options: ThingOptions) {
    super();
    refuseUnknownEvents(this);
    const checked = checkOptions(options);
    const keys = new KeyHider((key) => this.#trace?.hide(key));
    const hide = hider(() => [
      ...this.#parts.identity.secrets,
      ...this.#parts.ownTokens.secrets(),
      ...keysIn(checked.tags),
    ]);
    this.#hide = (text) => keys.hide(hide(text));
    const discreet = discreetLogger(checked.logger, this.#hide);
    this.#settings = { ...checked, logger: foldedLogger(discreet, checked.clock) };
    const { storage, clock, logger } = this.#settings;
    this.#lastFault = new LastFault({ storage, clock, logger });
    this.#faults = new FaultLog({
      clock,
      logger: discreet,
      last: this.#lastFault,
      onFault: (fault) => this.#tell("fault", fault),
      onHealed: (code) => this.#tell("healed", code),
    });
    this.#waiting = new Waiting(clock);
    this.#parts = makeParts({
      settings: this.#settings,
      makeLink: (options as WithLink)[linkSeam] ?? connectionLink,
      hide: this.#hide,
      onSecret: (secret) => keys.add(secret),
      tell: (name, ...about) => this.#tell(name, ...about),
      isHeard: (name) => this.listenerCount(name) > 0,
      onState: (state, before, event) => this.#stateChanged(state, before, event),
      onFault: (code, message, cause) => this.#fault(code, message, cause),
      onHealed: (code) => this.#faults.heal(code),
    });
    this.rights = new Rights(this.#parts.cache);
  }

  /** What the Thing is at this moment. Immutable: a change makes a new one. Before `start()` nothing is known. */
  get state(): ThingState {
    return this.#parts.runner.state;
  }

  /**
   * The text that the owner scans to claim the Thing (XEP-0347 3.9), for a QR code: `IoTDisco;SN:…;KEY:…`. Empty before
   * `start()` and once the Thing is claimed: whoever sees it can claim an unclaimed Thing.
   */
  get claimText(): string {
    return this.#claimText;
  }

  /** The Thing's own full JID; empty while it is not connected. */
  get jid(): string {
    return this.#parts.channel.jid?.full ?? "";
  }

  /**
   * Reads what is saved and begins to connect. Resolves then: it does not wait for the network, which may be away for
   * days; {@link waitFor} does. Rejects with `ERR_STORAGE` when what is saved is damaged, newer than this library, or
   * in use by another process, with `ERR_CONFIG` when it is another account's or the certificate cannot be used, with `ERR_STATE` when it was started
   * before or is stopped meanwhile, and with `ERR_TIMEOUT` or the signal's reason. Default: no time limit.
   */
  start(options: CallOptions = {}): Promise<void> {
    if (this.#phase !== "new") {
      return Promise.reject(new StateError(`the Thing is ${this.#phase}; make a new one to start again`));
    }
    this.#phase = "starting";
    this.#starting = this.#start(options);
    return this.#starting;
  }

  /**
   * Waits until the Thing has come so far. Resolves at once if it has. Rejects with `ERR_STATE` when the Thing is
   * stopped, with `ERR_TIMEOUT` or the signal's reason, and with `ERR_CONFIG` for a name that is no condition. Default: no
   * time limit.
   *
   * @example
   * ```ts
   * await thing.waitFor("claimed");
   * await thing.waitFor((state) => state.link.is === "online", { timeout: 10_000 });
   * ```
   */
  async waitFor(condition: ThingCondition, options: CallOptions = {}): Promise<ThingState> {
    if (satisfies(this.state, condition)) return this.state;
    this.#ended.signal.throwIfAborted();
    return this.#waiting.wait(condition, options, () => whyNot(this.state, this.#phase !== "new"));
  }

  /**
   * Reads another Thing (XEP-0323), at its full JID as it is, at its bare one where its presence says it is: it is asked
   * for friendship first if it must be. The Thing's own device tokens go along, all of them, and the tokens of the request
   * on whose behalf it reads (XEP-0324 3.1.3, 5.6). Awaited, it resolves to what the other has sent, by node and moment; `for await`
   * gives each value as it comes, and leaving the loop cancels the readout. Rejects with `ERR_STANZA` (`forbidden`: not allowed),
   * `ERR_TIMEOUT` (default 30,000 ms of silence, 300,000 in all), `ERR_CONNECTION` while offline, `ERR_DISCOVERY` for somebody who
   * cannot be read, `ERR_PROTOCOL` when it reports a failure or sends nonsense, and `ERR_CONFIG` for what is no JID, no request, no option.
   *
   * @example
   * ```ts
   * const groups = await thing.read("meter@example.org", { fields: ["Power"], onBehalfOf: request, signal });
   * ```
   */
  read(jid: string, options: ThingReadOptions = {}): Readout {
    return this.#parts.acting.read(jid, options);
  }

  /**
   * Sets parameters of another Thing (XEP-0325), in the order given; where, and with which tokens, as {@link read}.
   * Resolves to what was done of it. Rejects as `read` does, and with `ERR_CONFIG` for values that are none; `parameters` of
   * an `ERR_STANZA` says what is wrong with which. `ERR_TIMEOUT` and `ERR_CONNECTION` leave open whether it was done.
   */
  control(jid: string, values: ParameterValues, options: ThingControlOptions = {}): Promise<ControlOutcome> {
    return this.#parts.acting.control(jid, values, options);
  }

  /** What the Thing may control of another one, with types and limits (XEP-0325 3.3.1); where, and rejections, as {@link read}. */
  getForm(jid: string, options: ThingFormOptions = {}): Promise<ControlForm> {
    return this.#parts.acting.getForm(jid, options);
  }

  /**
   * Changes what the Registry says of the Thing (XEP-0347 3.13): tags that change, an empty text for one that is to be gone.
   * Only what differs from what the Registry has goes out, once the Thing is claimed and public; until then it is kept, so
   * that a claim text that was printed stays true, and it is kept over restarts until a factory reset. Resolves when it is on
   * disk and, where it goes out now, when the Registry has taken it. Rejects with `ERR_CONFIG` naming a tag that is wrong
   * (nothing has happened), `ERR_STORAGE` (nothing has happened), `ERR_STATE` unless the Thing runs, and with `ERR_TIMEOUT`
   * (default 30,000 ms), the signal's reason, or `ERR_STANZA` when the Registry refuses: it is told again all the same.
   * With {@link UpdateTagsOptions.node} the tags are those of that node.
   *
   * @example
   * ```ts
   * await thing.updateTags({ ROOM: "Kitchen", SN: "" });
   * ```
   */
  async updateTags(tags: Tags, options: UpdateTagsOptions = {}): Promise<void> {
    checkCallAlone(options, ["node"]);
    const { node, ...limits } = options;
    if (node !== undefined) return this.#concentrator().updateTags(node, toOwnChanges(tags, "updateTags"), limits);
    if (this.#phase !== "running") throw new StateError(`the Thing is ${this.#phase}`);
    const { ownTags, runner } = this.#parts;
    const { clock } = this.#settings;
    const dispatch = (event: ThingEvent): Promise<void> => runner.dispatch(event);
    return updateTags({ clock, ownTags, state: () => this.state, dispatch }, tags, limits);
  }

  /** The request that the LED shows, and that {@link pressButton} accepts; `undefined` while there is none. */
  get pairing(): PairingWindow | undefined {
    return this.#parts.friendships.button?.pairing.current;
  }

  /**
   * The button was pressed: accepts the request that the LED shows (XEP-0324 3.1.1). False if there is none, as in the
   * 3 s after a window, and in the first second of one: that press was meant for something else. What comes of it is
   * told by `pairingEnded`.
   */
  pressButton(): boolean {
    return this.#parts.friendships.button?.pairing.press() ?? false;
  }

  /**
   * Back to factory settings: no owner, trust, rights and friends, another KEY unless the tags give one; the account stays,
   * unless {@link ResetOptions.account} wants otherwise. Durable first; then the Registry forgets the Thing (XEP-0347 3.16),
   * which registers anew. Resolves when that is through, after the timeout (default 10,000 ms) or at once while offline: the rest is done later. Rejects with
   * `ERR_STATE` unless the Thing runs, with `ERR_CONFIG` for an account that the options give, and with `ERR_STORAGE` (nothing
   * has happened in any of these cases).
   */
  reset(options: ResetOptions = {}): Promise<void> {
    if (this.#phase !== "running") return Promise.reject(new StateError(`the Thing is ${this.#phase}`));
    return toFactorySettings((event) => this.#parts.runner.dispatch(event), this, this.#settings.account, options);
  }

  /** The nodes behind the Thing as they are at this moment, in the order in which they came; empty before `start()`. */
  get nodes(): readonly ThingNode[] {
    return this.#parts.nodes?.list() ?? [];
  }

  /**
   * Adds a node behind the Thing. Resolves when what is kept of it is read: it is registered in the background, like those
   * of the options. Rejects with `ERR_CONFIG` for a definition that is wrong, a node that is there already, and a Thing
   * without the option `nodes`; with `ERR_STATE` unless the Thing runs; with `ERR_STORAGE` when what is kept cannot be read.
   */
  async addNode(definition: NodeDefinition, options: CallOptions = {}): Promise<void> {
    const settings = checkNode(definition);
    checkCallAlone(options);
    const nodes = this.#concentrator();
    await withDeadline(this.#settings.clock, options, "addNode", () => nodes.add(settings));
  }

  /**
   * Takes a node out, with its owner and whatever is kept of it. Durable first; then the Registry forgets it (XEP-0347 3.16).
   * Resolves when that is through, after the timeout (default 10,000 ms) or at once while offline: the rest is done later.
   * Rejects with `ERR_CONFIG` for a node that is not there, with `ERR_STATE` unless the Thing runs, and with `ERR_STORAGE`.
   *
   * @param node the whole triple: what it leaves out the node does not have
   */
  async removeNode(node: NodeRef, options: CallOptions = {}): Promise<void> {
    checkCallAlone(options);
    await this.#concentrator().remove(node, options);
  }

  /** Disconnects and gives the storage back. What was acknowledged is on disk. Harmless when called again. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** As {@link stop}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #concentrator(): Nodes {
    const { nodes } = this.#parts;
    if (nodes === undefined)
      throw new ConfigError("nodes: this Thing is no concentrator; give the option `nodes`, `[]` is enough");
    if (this.#phase !== "running") throw new StateError(`the Thing is ${this.#phase}`);
    return nodes;
  }

  async #start(options: CallOptions): Promise<void> {
    const { clock, storage, logger, debug } = this.#settings;
    try {
      await storage.open();
    } catch (error) {
      this.#phase = "stopped";
      throw error;
    }
    this.#trace = traceIfWanted(debug, logger);
    try {
      await withDeadline(clock, options, "start", () => this.#load());
      this.#ended.signal.throwIfAborted();
    } catch (error) {
      this.#phase = "stopped";
      await storage.close();
      throw error;
    }
    this.#phase = "running";
    this.#parts.connecting.start(this.#trace);
  }

  async #stop(): Promise<void> {
    const reason = new StateError("the Thing is stopped");
    const wasRunning = this.#phase === "running";
    this.#phase = "stopped";
    this.#ended.abort(reason);
    this.#waiting.end(reason);
    // Who stops in the middle of the start is told when the storage is free.
    if (!wasRunning) {
      await this.#starting?.catch(() => undefined);
      return;
    }
    try {
      this.#parts.friendships.requests.stop();
      await this.#parts.connecting.stop();
      this.#parts.channel.detach(reason);
      await this.#parts.runner.dispatch({ type: "link", link: { is: "stopped" } });
      await this.#parts.runner.stop();
      await this.#parts.cache.stop();
      await this.#lastFault.stop();
    } finally {
      await this.#settings.storage.close();
    }
  }

  async #load(): Promise<void> {
    const { registry, provisioning } = this.#settings;
    await this.#lastFault.load();
    await refuseNewer(this.#settings.storage); // before anything there is touched
    await this.#parts.nodes?.read();
    const { saved, problem } = await this.#parts.identity.open();
    if (problem !== undefined) this.#fault("identity-restored", problem);
    await this.#parts.ownTokens.open();
    await this.#parts.ownTags.open();
    await this.#parts.cache.load();
    await this.#parts.connecting.load();
    for (const key of [saved.key, ...keysIn(this.#settings.tags)]) this.#trace?.hide(key);
    const { ownership, trust, examining, parting } = saved;
    const before = ownership.is === "unregistered" ? undefined : ownership.registry;
    const moved = registry !== undefined && before !== undefined && before !== registry;
    if (moved) this.#fault("registry-changed", movedTo(registry, before));
    await this.#parts.nodes?.load(ownership);
    await this.#parts.runner.dispatch({
      ...{ type: "loaded", ownership, trust, examining, parting },
      registry,
      servers: provisioning,
      selfOwned: this.#settings.selfOwned,
    });
    this.#showClaimText();
    this.#parts.nodes?.showClaimTexts();
  }

  #stateChanged(state: ThingState, before: ThingState, event: ThingEvent): void {
    this.#waiting.wake(state);
    this.#tell("state", state, before);
    if (event.type === "reset" || event.type === "disowned") this.#trace?.hide(this.#parts.identity.key);
    if (event.type === "reset") this.#parts.friendships.button?.pairing.reset();
    // Whom the Thing answers to has changed: who was not answered for may be now.
    if (event.type !== "link") this.#parts.friendships.requests.reconsider();
    if (event.type !== "loaded") this.#showClaimText();
    announce((name, ...about) => this.#tell(name, ...about), state, before, event);
  }

  #showClaimText(): void {
    const { is } = this.state.ownership;
    const text =
      is === "claimed" || this.#settings.selfOwned
        ? ""
        : formatClaimText(withKey(this.#settings.tags, this.#parts.identity.key));
    if (text === this.#claimText) return;
    this.#claimText = text;
    this.#tell("claimText", text);
  }

  #tell<Name extends keyof ThingEvents>(name: Name, ...about: ThingEvents[Name]): void {
    tell(this, name, about, (error) => {
      const message = `a listener of "${name}" threw: ${messageOf(error)}`;
      if (name !== "fault") this.#fault("listener-failed", message, error);
      else this.#settings.logger.error(message);
    });
  }

  #fault(code: FaultCode, message: string, cause?: unknown): void {
    const shown = this.#hide(message);
    this.#trace?.error(code, shown);
    this.#faults.tell(code, shown, discreetCause(cause, this.#hide));
  }
}
