import { raceSignal, sleep } from "../core/abort.ts";
import { Backoff, type BackoffOptions } from "../core/backoff.ts";
import { sleepUntilJump } from "../core/clock-jump.ts";
import {
  ConnectionError,
  DiscoveryError,
  RegistrationError,
  isSdkError,
  messageOf,
  type SdkError,
} from "../core/errors.ts";
import { randomFraction } from "../core/random.ts";
import type { StanzaChannel } from "../channel/stanza-channel.ts";
import { presence } from "../codec/stanza.ts";
import type { Account, AccountStore } from "./account.ts";
import type { ServerAddress } from "../discovery/address.ts";
import type { ServerSource } from "../discovery/server-source.ts";
import { CONFLICT, inFull, taken } from "./fault-words.ts";
import { answerPings } from "./ping.ts";
import { openStream, type StreamOptions, type XmppStream } from "./stream.ts";
import { streamEnd, type StreamEnd } from "./stream-end.ts";
import { CertificateTimeError } from "./tls-policy.ts";
import { describeUndelivered } from "./undelivered.ts";

/** How things stand with the link. */
export type LinkState =
  /** Not started, stopped, or given up for good. */
  | { readonly is: "stopped" }
  /** On the way to a server. */
  | { readonly is: "connecting"; readonly address: ServerAddress }
  /** A stream is up. */
  | {
      readonly is: "online";
      readonly jid: string;
      /** Which server it is; a test has none. */ readonly address?: ServerAddress;
    }
  /** Between two tries. */
  | { readonly is: "waiting"; /** How long, in milliseconds. */ readonly ms: number; readonly reason: SdkError };

/** What a {@link ConnectionManager} goes by. */
export interface ConnectionManagerOptions extends Pick<
  StreamOptions,
  "tls" | "clock" | "random" | "logger" | "trace" | "keepalive" | "timeout" | "maxStanzaBytes"
> {
  /** What the streams are attached to, one after another. */
  readonly channel: StanzaChannel;
  /** The servers to try, in their order; asked anew for each round. */
  readonly addresses: ServerSource["addresses"];
  /** Told whether a stream was up to one of them. */
  readonly tried?: ServerSource["tried"] | undefined;
  /** The account. */
  readonly account: AccountStore;
  /** The waits between two rounds. */
  readonly backoff?: BackoffOptions | undefined;
  /** Told of each change. */
  readonly onState: (state: LinkState) => void;
  /** Told of what does not heal by itself. */
  readonly onFault: (code: ConnectionFault, message: string, cause?: unknown) => void;
}

/**
 * What does not heal by itself. `conflict`: another session took the full JID (or
 * ejabberd removed the account), the link is given up. The others are
 * tried again, after growing waits, since people may have repaired the server meanwhile: `authentication` (name or
 * password refused, or the server proved nothing), `tls-policy` (no TLS, or no proof), `clock-behind` (the certificate
 * is not valid yet by the device's clock: tried again every 10 s, and when the clock jumps), `registration` (no account
 * made), `account` (the account could not be read or kept), `configuration` (an option that cannot be used). And what
 * nobody sends again by itself: `not-delivered` (the stream ended before the server acknowledged it, XEP-0198).
 */
export type ConnectionFault =
  | "conflict"
  | "authentication"
  | "tls-policy"
  | "clock-behind"
  | "registration"
  | "account"
  | "configuration"
  | "not-delivered";

const faults: ReadonlyMap<string, ConnectionFault> = new Map([
  ["ERR_AUTHENTICATION", "authentication"],
  ["ERR_TLS_POLICY", "tls-policy"],
  ["ERR_REGISTRATION", "registration"],
  ["ERR_STORAGE", "account"],
  ["ERR_CONFIG", "configuration"],
]);

// A server that takes a login and throws out again at once (overload, policy, a crash loop) must meet growing waits
// too. Half a minute is longer than any such loop, and short against what a working link lives.
const SETTLED = 30_000;
// A clock that is set by the network is right within seconds of that being there: waits that grow would miss it.
const CLOCK_RETRY = 10_000;
// How often a taken name is changed in one go. Random names do not clash twice; a server that says so is broken.
const MOST_NAMES = 3;

/** Keeps a link up: servers in turn, account, stream, and again after a wait that grows. */
export class ConnectionManager {
  readonly #options: ConnectionManagerOptions;
  readonly #backoff: Backoff;
  #run: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;

  constructor(options: ConnectionManagerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random, options.backoff);
    answerPings(options.channel);
  }

  /** Starts; does nothing when it runs. After {@link stop} has resolved it can be started again. */
  start(): void {
    if (this.#run !== undefined) return;
    const stop = new AbortController();
    const run = {
      stop,
      done: this.#loop(stop.signal).finally(() => {
        this.#run = undefined;
        this.#tell({ is: "stopped" });
      }),
    };
    this.#run = run;
  }

  /** Stops, whatever it is at: says goodbye, closes the stream, within a second. */
  async stop(): Promise<void> {
    const run = this.#run;
    run?.stop.abort(new ConnectionError("stopped"));
    await run?.done;
  }

  async #loop(signal: AbortSignal): Promise<void> {
    this.#backoff.reset();
    while (!signal.aborted) {
      const reason = await this.#round(signal);
      if (reason === undefined) return;
      const ms = isClockBehind(reason) ? this.#clockRetry() : this.#backoff.next();
      this.#tell({ is: "waiting", ms, reason });
      const wait = reason instanceof CertificateTimeError ? sleepUntilJump : sleep;
      await wait(this.#options.clock, ms, signal).catch(() => undefined);
    }
  }

  /** A wait that does not grow; with a little spread, since a power cut ends for many Things at once. */
  #clockRetry(): number {
    return CLOCK_RETRY * (0.9 + 0.2 * randomFraction(this.#options.random));
  }

  /** Tries each server until one has had a stream up. Tells why it is down again, or nothing when that was the last. */
  async #round(signal: AbortSignal): Promise<SdkError | undefined> {
    let reason: SdkError = new DiscoveryError("no server to connect to is known");
    try {
      for await (const address of until(signal, this.#options.addresses())) {
        this.#tell({ is: "connecting", address });
        const { end, wasUp } = await this.#visit(address, signal);
        if (wasUp || !signal.aborted) this.#options.tried?.(address, wasUp);
        reason = end.reason;
        if (end.final) {
          // ejabberd says the same of an account that was removed: its own words, in the reason, tell which.
          this.#options.onFault("conflict", `${reason.message}: ${CONFLICT}`, reason);
          return undefined;
        }
        if (wasUp) break;
      }
    } catch (error) {
      reason = asSdkError(error); // the search for servers
    }
    return signal.aborted ? undefined : reason;
  }

  /** One server: from the way there to the end of the stream. */
  async #visit(address: ServerAddress, signal: AbortSignal): Promise<{ end: StreamEnd; wasUp: boolean }> {
    const { account: store } = this.#options;
    let stream: XmppStream;
    try {
      stream = await this.#open(address, signal);
    } catch (error) {
      const reason = asSdkError(error);
      const fault = isClockBehind(reason) ? "clock-behind" : faults.get(reason.code);
      if (fault !== undefined && !signal.aborted) {
        const { username, pending } = await store.load(address.domain).catch(() => ({ username: "", pending: true }));
        const message = pending ? reason.message : inFull(reason, `${username}@${address.domain}`);
        this.#options.onFault(fault, message, reason);
      }
      this.#options.logger.info("no connection", { domain: address.domain, why: reason.message });
      return { end: streamEnd(reason), wasUp: false };
    }
    return { end: await this.#live(stream, address, signal), wasUp: true };
  }

  async #open(address: ServerAddress, signal: AbortSignal): Promise<XmppStream> {
    const { account: store } = this.#options;
    let account = await store.load(address.domain);
    let again = true;
    for (let names = 1; ;) {
      try {
        return await this.#openAs(account, address, signal);
      } catch (error) {
        if (!(error instanceof RegistrationError) || error.condition !== "conflict") throw error;
        // A registration of a stream that was cut may have been obeyed after this login was refused: the name is ours
        // then, and the next login tells. Another name would leave an account behind.
        if (again) {
          again = false;
          continue;
        }
        if (names >= MOST_NAMES) throw error;
        names++;
        again = true;
        const renewed = await store.renew(address.domain);
        // The name is given, and somebody else's.
        if (renewed.username === account.username) throw taken(error, `${account.username}@${address.domain}`);
        account = renewed;
      }
    }
  }

  async #openAs(account: Account, address: ServerAddress, signal: AbortSignal): Promise<XmppStream> {
    const { clock, random, logger, trace, tls, timeout, keepalive, maxStanzaBytes } = this.#options;
    const { username, password, resource, pending } = account;
    const stream = await openStream({
      address,
      account: { username, password, resource, register: pending },
      onMakingAccount: () => this.#options.account.keep(address.domain),
      onAccountMade: () => this.#made(address.domain, signal),
      ...{ clock, random, logger, trace, tls, timeout, keepalive, maxStanzaBytes, signal },
    });
    // Also one that was on the server already, for instance because the power went before it was remembered: were it
    // still pending when people remove it, it would come back by itself.
    if (pending) void this.#made(address.domain, signal);
    return stream;
  }

  /**
   * The server has the account. That this cannot be kept is told, and keeps nobody offline: at the next start the login
   * comes first again.
   */
  async #made(domain: string, signal: AbortSignal): Promise<void> {
    const { account: store, onFault } = this.#options;
    try {
      if ((await store.load(domain)).pending) await store.made(domain);
    } catch (error) {
      if (!signal.aborted) onFault("account", messageOf(error), error);
    }
  }

  async #live(stream: XmppStream, address: ServerAddress, signal: AbortSignal): Promise<StreamEnd> {
    const { channel, clock, logger } = this.#options;
    const since = clock.monotonic();
    const stop = (): void => {
      stream.write([presence({ type: "unavailable" })]).catch(() => undefined);
      void stream.close();
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      signal.throwIfAborted();
      channel.attach(stream);
      this.#tell({ is: "online", jid: stream.jid.full, address });
      logger.info("online", { jid: stream.jid.full });
      stream.start((stanza) => channel.receive(stanza));
      const end = await stream.ended;
      logger.info("the stream has ended", { why: end.reason.message });
      const lost = describeUndelivered(end.undelivered);
      if (lost !== undefined) this.#options.onFault("not-delivered", lost, end.reason);
      return end;
    } finally {
      signal.removeEventListener("abort", stop);
      await stream.close();
      const { reason } = await stream.ended;
      channel.detach(reason);
      if (clock.monotonic() - since >= SETTLED) this.#backoff.reset();
    }
  }

  #tell(state: LinkState): void {
    const { trace } = this.#options;
    if (state.is === "stopped") trace?.status("stopped");
    if (state.is === "waiting") {
      trace?.status("waiting", `${Math.round(state.ms)} ms, after ${state.reason.code}: ${state.reason.message}`);
    }
    try {
      this.#options.onState(state);
    } catch (error) {
      // Whoever listens must not bring the link down.
      this.#options.logger.error("a listener to the link's state threw", { why: messageOf(error) });
    }
  }
}

/** What the source gives, until the signal fires, also in the middle of a search that does not end. */
async function* until<T>(signal: AbortSignal, source: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  try {
    for (;;) {
      const next = await raceSignal(Promise.resolve(iterator.next()), signal);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // Not waited for: a search that hangs would hang here too.
    Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

function isClockBehind(reason: SdkError): boolean {
  return reason instanceof CertificateTimeError && reason.clockBehind;
}

function asSdkError(error: unknown): SdkError {
  return isSdkError(error) ? error : new ConnectionError(messageOf(error), { cause: error });
}
