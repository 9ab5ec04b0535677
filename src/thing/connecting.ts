// The way of a Thing to its servers: which ones it tries, what becomes of it when a stream is up, what people hear of it.
import { messageOf } from "../core/errors.ts";
import { CachedServer } from "../discovery/cached.ts";
import { fixedServer, type ServerSource } from "../discovery/server-source.ts";
import type { ServiceHints } from "../discovery/components.ts";
import { FoundServers } from "../discovery/servers.ts";
import type { LinkState } from "../connection/connection-manager.ts";
import type { WireTrace } from "../connection/wire-trace.ts";
import { connectionFaults, droppedPackets, type FaultCode } from "./faults.ts";
import type { Identity } from "./identity.ts";
import { toLink, type LinkParts, type MakeLink, type ThingLink } from "./link.ts";
import type { ThingSettings } from "./options.ts";
import type { Hide } from "../connection/secrets.ts";
import type { ThingEvent } from "./state.ts";

/** What a {@link Connecting} is made of. */
export interface ConnectingOptions {
  readonly settings: ThingSettings;
  readonly channel: LinkParts["channel"];
  readonly identity: Identity;
  readonly makeLink: MakeLink;
  readonly hide: Hide;
  /** A stream is up. Called before any stanza is handled. */
  readonly onUp: () => void;
  /** None is. */
  readonly onDown: () => void;
  readonly dispatch: (event: ThingEvent) => void;
  readonly onFault: (code: FaultCode, message: string, cause?: unknown) => void;
  readonly onHealed: (...codes: readonly FaultCode[]) => void;
}

/** The link of a Thing, and the servers behind it. */
export class Connecting {
  readonly #options: ConnectingOptions;
  readonly #cached: CachedServer;
  readonly #servers: ServerSource & { readonly hints?: ServiceHints };
  #link: ThingLink | undefined;
  #trace: WireTrace | undefined;

  constructor(options: ConnectingOptions) {
    this.#options = options;
    const { settings, identity } = options;
    const { storage, clock, random, logger } = settings;
    const { address, discovery } = settings.server;
    this.#cached = new CachedServer({ storage, logger });
    this.#servers =
      address !== undefined
        ? fixedServer(address)
        : new FoundServers({
            settings: discovery,
            cached: this.#cached,
            onlyDomain: () => identity.onlyDomain,
            onSearching: () => this.#searching(),
            onDropped: (dropped) => this.#dropped(dropped),
            ...{ clock, random, logger },
          });
  }

  /** What the server in use was announced with: an order in which to ask its components (XEP-0347 6.2, D-E21). */
  get hints(): ServiceHints {
    return this.#servers.hints ?? { registries: [], provisioning: [] };
  }

  /** Begins. */
  start(trace: WireTrace | undefined): void {
    const { settings, channel, identity, makeLink, onFault } = this.#options;
    this.#trace = trace;
    this.#link = makeLink({
      ...settings,
      ...{ channel, account: identity, servers: this.#servers, trace, onFault },
      onState: (state) => this.#changed(state),
    });
    this.#link.start();
  }

  /** Reads which server worked last. */
  load(): Promise<void> {
    return this.#cached.load();
  }

  /** After a factory reset any server counts again. */
  forget(): Promise<void> {
    return this.#cached.forget();
  }

  /** Ends, cleanly if that is quick. */
  async stop(): Promise<void> {
    await this.#link?.stop();
    await this.#cached.idle();
  }

  #changed(state: LinkState): void {
    const { hide, onUp, onDown, dispatch, onFault, onHealed } = this.#options;
    if (state.is === "online") {
      onHealed(...connectionFaults);
      onUp();
      if (state.address !== undefined) this.#settle(state.address.domain);
    } else onDown();
    if (state.is === "waiting" && state.reason.code === "ERR_DISCOVERY") {
      onFault("discovery", state.reason.message, state.reason);
    }
    dispatch({ type: "link", link: toLink(state, hide) });
  }

  #settle(domain: string): void {
    const { identity, dispatch, onFault } = this.#options;
    const { moved, kept } = identity.settle(domain);
    kept.catch((error: unknown) => onFault("account", messageOf(error), error));
    if (!moved) return;
    this.#trace?.hide(identity.key);
    dispatch({ type: "moved" });
  }

  #searching(): void {
    this.#trace?.status("discovering");
    this.#options.dispatch({ type: "link", link: { is: "discovering" } });
  }

  #dropped(dropped: ReadonlyMap<string, number>): void {
    const { onFault, onHealed } = this.#options;
    if (dropped.size === 0) onHealed("network-packets");
    else onFault("network-packets", droppedPackets(dropped));
  }
}
