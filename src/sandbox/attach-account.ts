// XEP-0324 5.1, XEP-0347 5.1: a service of the sandbox as an ordinary account of any XMPP server. The only file of the
// sandbox that uses the client's side: sockets, TLS and login, nothing of the IoT XEPs.
import { withDeadline, type CallOptions } from "../core/abort.ts";
import { Backoff } from "../core/backoff.ts";
import { systemClock, type Clock, type Timer } from "../core/clock.ts";
import { ConfigError, ConnectionError, messageOf } from "../core/errors.ts";
import { configJid, type Jid } from "../core/jid.ts";
import { silentLogger, type Logger } from "../core/logger.ts";
import { randomToken, systemRandom, type RandomSource } from "../core/random.ts";
import { parseService, type ServerAddress } from "../discovery/address.ts";
import type { StreamEnd } from "../connection/stream-end.ts";
import { openStream, type XmppStream } from "../connection/stream.ts";
import type { TlsPolicy } from "../connection/tls-policy.ts";
import { AccountSession } from "./account-session.ts";
import type { Attachment } from "./attach-component.ts";
import type { StanzaService } from "./stanza-service.ts";

export type { TlsPolicy } from "../connection/tls-policy.ts";

/** Where a service logs in. Signal and timeout (default 30,000 ms) are for the first time. */
export interface AttachAccountOptions extends CallOptions {
  /** The server: `xmpp://host:port` (STARTTLS) or `xmpps://host:port` (direct TLS). */
  readonly service: string;
  /** The password of the account. */
  readonly password: string;
  /** Make the account (XEP-0077) if the login is refused. Default false. */
  readonly register?: boolean | undefined;
  /** The resource of its full JID. Default: random, the same on every stream. */
  readonly resource?: string | undefined;
  /** What the server has to prove. Default: by the authorities that come with Node, TLS 1.2. */
  readonly tls?: TlsPolicy | undefined;
  /** Where it tells what happens to the connection. Silent by default. */
  readonly logger?: Logger | undefined;
  /** Time for connecting again. The machine's own by default. */
  readonly clock?: Clock | undefined;
  /** Randomness for connecting again, ids and resource. The system's own by default. */
  readonly random?: RandomSource | undefined;
}

/** A service that is logged in. */
export interface AccountAttachment extends Attachment {
  /** The full JID at which IQs reach it. */
  readonly jid: string;
}

/**
 * Runs a service as an account, which its `jid` names (`name@domain`), on any XMPP server. Resolves once it is
 * reachable: logged in, roster loaded, presence sent. A connection that is lost later is made again (first within
 * 1,000 ms, at most 30,000 ms apart) until `close()`, or until another session takes its full JID.
 *
 * Rejects with `ERR_CONFIG` for an address that is none, `ERR_AUTHENTICATION`, `ERR_REGISTRATION`, `ERR_TLS_POLICY`,
 * `ERR_CONNECTION`, `ERR_TIMEOUT`, and `ERR_STANZA` if the server gives no roster. The service is stopped then.
 *
 * @example
 * ```ts
 * const server = new ReferenceProvisioningServer({ jid: "provisioning@example.org" });
 * await attachAccount(server, { service: "xmpp://example.org", password, register: true });
 * await server.askFriendship("thing@example.org");
 * ```
 */
export async function attachAccount(service: StanzaService, options: AttachAccountOptions): Promise<AccountAttachment> {
  const account = configJid(service.jid, "service.jid");
  if (account.local === "") throw new ConfigError(`service.jid: "${service.jid}" is a component: use attachComponent`);
  const link = new AccountLink(service, account, parseService(options.service, account.domain), options);
  try {
    await link.connect(options);
  } catch (error) {
    await link.close();
    throw error;
  }
  const close = (): Promise<void> => link.close();
  return {
    get jid() {
      return link.jid;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

const CONNECT_TIMEOUT = 30_000;

/** One stream after another. */
class AccountLink {
  readonly #service: StanzaService;
  readonly #account: Jid;
  readonly #address: ServerAddress;
  readonly #options: AttachAccountOptions;
  readonly #clock: Clock;
  readonly #random: RandomSource;
  readonly #logger: Logger;
  readonly #backoff: Backoff;
  readonly #resource: string;
  readonly #closing = new AbortController();
  #session: AccountSession | undefined;
  #stream: XmppStream | undefined;
  #retry: Timer | undefined;
  #jid: string;

  constructor(service: StanzaService, account: Jid, address: ServerAddress, options: AttachAccountOptions) {
    this.#service = service;
    this.#account = account;
    this.#address = address;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#logger = options.logger ?? silentLogger;
    this.#backoff = new Backoff(this.#random, { first: 1_000, cap: 30_000 });
    this.#resource = options.resource ?? randomToken(this.#random, 9);
    this.#jid = `${account.bare}/${this.#resource}`;
    service.onOutput((stanzas) => this.#session?.send(stanzas));
  }

  get jid(): string {
    return this.#jid;
  }

  /** Makes one stream. What ends it later is followed by another. */
  async connect({ signal, timeout = CONNECT_TIMEOUT }: CallOptions): Promise<void> {
    const what = `logging in as ${this.#account.bare}`;
    const stream = await withDeadline(this.#clock, { signal, timeout }, what, async (deadline) => {
      const opened = await this.#open(deadline, timeout);
      try {
        await this.#enter(opened, deadline);
      } catch (error) {
        await opened.close();
        throw error;
      }
      return opened;
    });
    this.#backoff.reset();
    this.#logger.info("attached", { account: this.#jid });
    void stream.ended.then((end) => this.#lost(end));
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new ConnectionError("closed"));
    this.#retry?.cancel();
    this.#service.onOutput(() => undefined);
    this.#service.stop();
    await this.#stream?.close();
  }

  #open(signal: AbortSignal, timeout: number): Promise<XmppStream> {
    const { password, register = false, tls } = this.#options;
    const account = { username: this.#account.local, password, resource: this.#resource, register };
    const [address, clock, random, logger] = [this.#address, this.#clock, this.#random, this.#logger];
    const onUnverified = (warning: string): void => logger.warn(warning);
    return openStream({ address, account, tls, clock, random, logger, signal, timeout, onUnverified });
  }

  /** Loads the roster and sends presence. */
  #enter(stream: XmppStream, deadline: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const session = new AccountSession({
        service: this.#service,
        jid: stream.jid,
        random: this.#random,
        logger: this.#logger,
        write: (stanzas) => {
          stream.write(stanzas).catch((error: unknown) => {
            this.#logger.debug("not sent", { account: this.#jid, why: messageOf(error) });
          });
        },
        onReady: resolve,
        onFailed: reject,
      });
      void stream.ended.then(({ reason }) => {
        session.end();
        reject(reason);
      });
      deadline.addEventListener("abort", () => reject(deadline.reason as Error), { once: true });
      this.#session = session;
      this.#stream = stream;
      this.#jid = stream.jid.full;
      stream.start((stanza) => session.receive(stanza));
      session.begin();
    });
  }

  #lost({ reason, final }: StreamEnd): void {
    if (this.#closing.signal.aborted) return;
    this.#logger.warn("detached", { account: this.#jid, why: messageOf(reason) });
    // Twins that throw each other out for ever help nobody.
    if (final) this.#logger.error("another session took this full JID: not attached again", { account: this.#jid });
    else this.#again();
  }

  #again(): void {
    this.#retry = this.#clock.schedule(this.#backoff.next(), () => {
      this.connect({ signal: this.#closing.signal }).catch((error: unknown) => {
        if (this.#closing.signal.aborted) return;
        this.#logger.warn("not attached", { account: this.#jid, why: messageOf(error) });
        this.#again();
      });
    });
  }
}
