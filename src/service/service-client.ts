import { EventEmitter } from "node:events";
import { checkCallAlone, timeLeft, withDeadline, type CallOptions } from "../core/abort.ts";
import { ConnectionError, StateError, isSdkError, messageOf } from "../core/errors.ts";
import { refuseEventsBut } from "../core/events.ts";
import { Fold, inWords } from "../core/fold.ts";
import { foldedLogger } from "../core/folded-logger.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { Credential } from "../codec/credentials.ts";
import { StanzaChannel } from "../channel/stanza-channel.ts";
import type { LinkState } from "../connection/connection-manager.ts";
import { Friends } from "../connection/friends.ts";
import { discreetCause, discreetLogger, hider, type Hide } from "../connection/secrets.ts";
import { FriendWhereabouts } from "../connection/whereabouts.ts";
import { traceIfWanted } from "../connection/wire-trace.ts";
import type { ControlForm, ControlOutcome, ParameterValues } from "../control/controller.ts";
import { Barrier } from "../provisioning/barrier.ts";
import { answerClearCache } from "../provisioning/clear-cache.ts";
import { OwnTokens } from "../provisioning/own-tokens.ts";
import { SentTokens } from "../provisioning/sent-tokens.ts";
import { answerTokenChallenges } from "../provisioning/token-challenge.ts";
import type { Readout } from "../sensor/remote-readout.ts";
import {
  ServiceActing,
  type ServiceControlOptions,
  type ServiceFormOptions,
  type ServiceReadOptions,
} from "./acting.ts";
import { ASK_TIMEOUT, Authorities } from "./authorities.ts";
import { toCredentials, type Credentials } from "./credentials.ts";
import type { ServiceFault, ServiceFaultCode } from "./faults.ts";
import { Greeting } from "./greeting.ts";
import { connectionLink, serviceLinkSeam, type ServiceLink, type WithServiceLink } from "./link.ts";
import { checkServiceOptions, type ServiceOptions, type ServiceSettings } from "./options.ts";
import { ServiceSession, askAccess, type SessionParts } from "./session.ts";

/** What a service tells the program. */
export interface ServiceEvents {
  /** Background trouble. */
  fault: [ServiceFault];
  /** A provisioning server has said that rights have changed: what was remembered is forgotten. */
  rightsCleared: [BareJid];
}

const CONNECT_WITHIN = 30_000;
// Things that were asked for something may ask for friendship; so many are remembered.
const MOST_THINGS = 1_000;

/**
 * A service with users (XEP-0324 3.6, 3.7): asks its provisioning servers whom to let in and what each may do there, and reads and controls
 * Things for them. Known to the servers by its certificate. Comes back by itself when the connection is lost; meanwhile nothing that it remembers
 * counts. Several servers: what one of them grants is granted (XEP-0324 5.3).
 *
 * @example
 * ```ts
 * import { fileStorage } from "xmpp-thing";
 * import { ServiceClient } from "xmpp-thing/service";
 *
 * const service = await ServiceClient.connect({
 *   service: "xmpp://example.org",
 *   account: { username: "energy", password },
 *   certificate: { make: true },
 *   storage: fileStorage("/var/lib/energy"),
 * });
 * const session = await service.canAccess({ ip: "10.0.0.1", protocol: "HTTP" });
 * if (session !== undefined && (await session.hasPrivilege("Sensors.View"))) {
 *   console.log(await session.read("thermometer@example.org"));
 * }
 * ```
 */
export class ServiceClient extends EventEmitter<ServiceEvents> implements AsyncDisposable {
  readonly #settings: ServiceSettings;
  readonly #hide: Hide;
  readonly #fold: Fold;
  readonly #channel: StanzaChannel;
  readonly #barrier = new Barrier();
  readonly #ownTokens: OwnTokens;
  readonly #authorities: Authorities;
  readonly #acting: ServiceActing;
  readonly #greeting: Greeting;
  readonly #link: ServiceLink;
  readonly #things = new Set<BareJid>();
  #epoch = 0;
  #stream: AbortController | undefined;
  #closed: Promise<void> | undefined;
  #begun: (failure?: Error) => void = () => undefined;

  private constructor(options: ServiceOptions & WithServiceLink) {
    super();
    refuseEventsBut(this, ["fault", "rightsCleared"]);
    const { [serviceLinkSeam]: makeLink = connectionLink, ...given } =
      (options as (ServiceOptions & WithServiceLink) | undefined) ?? ({} as ServiceOptions & WithServiceLink);
    const checked = checkServiceOptions(given);
    this.#hide = hider(() => [checked.account.password, ...this.#ownTokens.secrets()]);
    const logger = discreetLogger(foldedLogger(checked.logger, checked.clock), this.#hide);
    this.#settings = { ...checked, logger };
    const { clock, random, storage, certificate, provisioning } = checked;
    this.#fold = new Fold(clock);
    const onFault = (code: ServiceFaultCode, message: string, cause?: unknown): void =>
      this.#fault(code, message, cause);
    const channel = new StanzaChannel({ clock, random, logger, onFault });
    const friends = new Friends(channel);
    const whereabouts = new FriendWhereabouts({ channel, friends, clock });
    const sent = new SentTokens(clock);
    const trusted = (): readonly BareJid[] => this.#authorities.trusted;
    const barrier = this.#barrier;
    this.#channel = channel;
    this.#ownTokens = new OwnTokens({
      ...{ channel, whereabouts, storage, clock, random, logger, certificate, trusted, onFault },
    });
    const ownTokens = this.#ownTokens;
    this.#authorities = new Authorities({ channel, whereabouts, clock, sent, ownTokens }, provisioning);
    this.#acting = new ServiceActing({
      ...{ channel, whereabouts, sent, clock },
      ownTokens: () => ownTokens.ownTokens(),
      onAsked: (jid) => this.#asked(jid),
    });
    this.#greeting = new Greeting({
      ...{ channel, friends, whereabouts, barrier, ownTokens, clock, random, onFault },
      authorities: this.#authorities,
      onHealed: (code) => this.#fold.forget(code),
    });
    answerClearCache({
      ...{ router: channel.router, servers: trusted, onFault: () => undefined },
      // In memory only, so that it is over at once: a session asks anew from now on.
      cache: {
        clear: () => {
          this.#epoch++;
          return Promise.resolve();
        },
      },
      onCleared: (server) => this.#tell("rightsCleared", server),
    });
    answerTokenChallenges({
      ...{ channel, sent, clock, logger, servers: trusted },
      decryptChallenge: (token, challenge) => ownTokens.decryptChallenge(token, challenge),
    });
    friends.onRequest((jid) => {
      // Servers that are accounts, and Things that were asked for something; nobody else has business with a service.
      if (trusted().includes(jid) || this.#things.has(jid)) friends.accept(jid).catch(() => undefined);
    });
    this.#link = makeLink({
      settings: this.#settings,
      channel,
      trace: traceIfWanted(checked.debug, logger),
      onState: (state) => this.#changed(state),
      onFault,
    });
  }

  /**
   * Connects. Resolves when the stream is up and presence is sent; tokens are got in the background, and waited for by the calls that
   * need them. Rejects when the first try fails: as `connect` of `xmpp-thing/owner`, with `ERR_STORAGE` when the storage cannot be used, with
   * `ERR_CONFIG` for options that are wrong (also a certificate that cannot be used), and with `ERR_TIMEOUT` (default 30,000 ms).
   */
  static async connect(options: ServiceOptions): Promise<ServiceClient> {
    const client = new ServiceClient(options);
    await client.#start();
    return client;
  }

  /** The own full JID while there is a connection. */
  get jid(): Jid | undefined {
    return this.#channel.jid;
  }

  /** The provisioning servers that are trusted. Empty while none was found. */
  get servers(): readonly BareJid[] {
    return this.#authorities.trusted;
  }

  /**
   * The fingerprint (SHA-256, `4F:11:…`) of the service's certificate: by it the operator of a provisioning server knows which service
   * it is, and names it in rules and lists of privileges. `undefined` while none was made, or what was made cannot be read.
   */
  get fingerprint(): string | undefined {
    return this.#ownTokens.fingerprint;
  }

  /**
   * Asks whether a user may use the service (XEP-0324 3.6.2), by what is known of the user. Resolves to a session, or to `undefined`: no.
   * Whether that is enough, or the user has to log in first, is for the service to decide. Rejects with `ERR_TIMEOUT` (default 30,000 ms; also while there is
   * no token yet), `ERR_CONNECTION`, `ERR_STANZA` or `ERR_PROTOCOL` when nobody says yes and not every server has answered, and with
   * `ERR_CONFIG` for credentials that are none.
   *
   * @example
   * ```ts
   * const session = await service.canAccess({ ip: request.socket.remoteAddress, protocol: "HTTP" });
   * ```
   */
  async canAccess(
    credentials: Credentials | readonly Credential[],
    options: CallOptions = {},
  ): Promise<ServiceSession | undefined> {
    checkCallAlone(options);
    const list = toCredentials(credentials);
    if (this.#closed !== undefined) throw closed();
    const epoch = this.#epoch;
    const access = await askAccess(this.#authorities, list, timeLeft(this.#settings.clock, options, ASK_TIMEOUT));
    return access && new ServiceSession(this.#sessionParts(), list, access, epoch);
  }

  /**
   * Reads a Thing of the service's own accord: its tokens go along (P-5.6-1). For a user: {@link ServiceSession.read}. A bare JID is asked for
   * friendship first. As `read` of `xmpp-thing/owner`: awaited it gives all, gone through it gives each value as it comes.
   */
  read(jid: string, options: ServiceReadOptions = {}): Readout {
    return this.#acting.read(jid, options);
  }

  /** Sets parameters of a Thing of the service's own accord. As `control` of `xmpp-thing/owner`; for a user: {@link ServiceSession.control}. */
  control(jid: string, values: ParameterValues, options: ServiceControlOptions = {}): Promise<ControlOutcome> {
    return this.#acting.control(jid, values, options);
  }

  /**
   * Asks what the service may control of a Thing of its own accord (XEP-0325 3.3.1). As `getForm` of `xmpp-thing/owner`; for a user:
   * {@link ServiceSession.getForm}.
   */
  getForm(jid: string, options: ServiceFormOptions = {}): Promise<ControlForm> {
    return this.#acting.getForm(jid, options);
  }

  /** Ends the connection, and gives the storage back. Sessions are of no use any more. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    const { storage, clock, signal, timeout = CONNECT_WITHIN, address } = this.#settings;
    await storage.open();
    try {
      await this.#ownTokens.open();
      await withDeadline(clock, { signal, timeout }, `connecting to ${address.domain}`, () => {
        const up = new Promise<void>((resolve, reject) => {
          this.#begun = (failure) => (failure === undefined ? resolve() : reject(failure));
        });
        up.catch(() => undefined); // nobody waits any more
        this.#barrier.raise();
        this.#link.start();
        return up;
      });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #end(): Promise<void> {
    this.#stream?.abort(closed());
    await this.#link.stop();
    await this.#settings.storage.close();
  }

  #sessionParts(): SessionParts {
    return {
      authorities: this.#authorities,
      acting: this.#acting,
      barrier: this.#barrier,
      clock: this.#settings.clock,
      epoch: () => this.#epoch,
      stream: () => this.#stream, // a new one each time, under the same address
    };
  }

  #changed(state: LinkState): void {
    this.#stream?.abort(new ConnectionError("the connection was lost"));
    this.#stream = undefined;
    // Before any stanza is handled, and as long as there is none: a clearCache could not come.
    this.#barrier.raise();
    if (state.is === "waiting") this.#begun(state.reason);
    if (state.is !== "online") return;
    const stream = new AbortController();
    this.#stream = stream;
    this.#greeting.greet(stream.signal).then(
      () => this.#begun(),
      () => undefined,
    );
  }

  /** A Thing that was asked for something: it may ask for friendship. */
  #asked(jid: BareJid): void {
    this.#things.delete(jid);
    this.#things.add(jid);
    const [oldest] = this.#things;
    if (oldest !== undefined && this.#things.size > MOST_THINGS) this.#things.delete(oldest);
  }

  #fault(code: ServiceFaultCode, given: string, cause?: unknown): void {
    const message = this.#hide(given);
    const repeats = this.#fold.note(code, message.replace(/\d+/g, "0"));
    if (repeats === undefined) return;
    const again = inWords(repeats);
    this.#settings.logger.warn(again === "" ? message : `${message} (${again})`, { fault: code });
    const why = discreetCause(cause, this.#hide);
    this.#tell("fault", { code, message, repeated: repeats.repeated, ...(why !== undefined && { cause: why }) });
  }

  /** One listener's failure is nobody else's. */
  #tell<Name extends keyof ServiceEvents>(name: Name, ...about: ServiceEvents[Name]): void {
    for (const listener of this.rawListeners(name)) {
      try {
        (listener as (...about: ServiceEvents[Name]) => void).apply(this, about);
      } catch (error) {
        if (name !== "fault") this.#fault("listener-failed", messageOf(error), isSdkError(error) ? error : undefined);
      }
    }
  }
}

const closed = (): StateError => new StateError("the service is closed");
