import { onAbort, sleep, until } from "../core/abort.ts";
import { Backoff } from "../core/backoff.ts";
import { sleepUntilJump } from "../core/clock-jump.ts";
import { ConnectionError, isSdkError, messageOf, type SdkError } from "../core/errors.ts";
import { randomFraction } from "../core/random.ts";
import type { StanzaChannel } from "../channel/stanza-channel.ts";
import { presence } from "../codec/stanza.ts";
import type { ServerAddress } from "../discovery/address.ts";
import type { ServerSource } from "../discovery/server-source.ts";
import { CONFLICT, inFull } from "./fault-words.ts";
import { addressesIfTold, hostAddresses, watchHost, type HostChange } from "./host-watch.ts";
import { LinkLostError, isClockBehind, lossIn, lossOf, reasonOf, windowOf } from "./loss.ts";
import type { Failure, Loss, RetryOptions } from "./loss.ts";
import type { Account } from "./account.ts";
import { openWithAccount, type OpeningOptions } from "./opening.ts";
import { answerPings } from "./ping.ts";
import type { XmppStream } from "./stream.ts";
import { type StreamEnd } from "./stream-end.ts";
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
export interface ConnectionManagerOptions extends Omit<OpeningOptions, "onFault"> {
  /** What the streams are attached to, one after another. */
  readonly channel: StanzaChannel;
  /** The servers to try, in their order; asked anew for each round. */
  readonly addresses: ServerSource["addresses"];
  /** Told whether a stream was up to one of them. */
  readonly tried?: ServerSource["tried"] | undefined;
  /** The waits between two rounds. */
  readonly retry?: RetryOptions | undefined;
  /** The addresses of this host, but for loopback: they tell when it has moved to another network. Default: the system's. */
  readonly hostAddresses?: (() => ReadonlySet<string>) | undefined;
  /** Told of each change. */
  readonly onState: (state: LinkState) => void;
  /** Told of what does not heal by itself. */
  readonly onFault: (code: ConnectionFault, message: string, cause?: unknown) => void;
}

/**
 * What does not heal by itself. `conflict`: another session took the full JID (or
 * ejabberd removed the account), the link is given up. The others are
 * tried again, after growing waits, since people may have repaired the server meanwhile: `authentication` (name or
 * password refused, or the server proved nothing), `tls-policy` (no TLS, or no proof), `tls-unverified` (no proof, and none wanted: told at each connection), `clock-behind` (the certificate
 * is not valid yet by the device's clock: tried again every 10 s, and when the clock jumps), `registration` (no account
 * made), `account` (the account could not be read or kept), `configuration` (an option that cannot be used). And what
 * nobody sends again by itself: `not-delivered` (the stream ended before the server acknowledged it, XEP-0198).
 */
export type ConnectionFault =
  | "conflict"
  | "authentication"
  | "tls-policy"
  | "tls-unverified"
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
// too. A minute is longer than any such loop, and short against what a working link lives.
const SETTLED = 60_000;
// A clock that is set by the network is right within seconds of that being there: waits that grow would miss it.
const CLOCK_RETRY = 10_000;
// Of several servers the first gets all the time it may need; whoever announces others that do not answer costs less.
const FURTHER_TRY = 10_000;
// Addresses that come and go all the time, since a host runs containers or somebody plays router, are no reason to try all
// the time.
const WOKEN_EVERY = 60_000;
// A round over many servers is a fault of each; so many are told.
const MOST_FAULTS = 5;

interface FaultToTell {
  readonly code: ConnectionFault;
  readonly message: string;
  readonly reason: SdkError;
}

/** Why a round has ended, and what follows. */
interface Round {
  readonly reason: SdkError;
  readonly loss: Loss;
  /** What the device's clock has to do with it, if anything: it is behind, or contradicts a certificate otherwise. */
  readonly clock: "behind" | "odd" | undefined;
}

/** Keeps a link up: servers in turn, account, stream, and again after a wait that grows. */
export class ConnectionManager {
  readonly #options: ConnectionManagerOptions;
  readonly #backoff: Backoff;
  #run: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  // What is done when the host has slept or moved: by what the manager is at.
  #onHostChange: (change: HostChange) => void = () => undefined;
  #wokenAt = Number.NEGATIVE_INFINITY;

  constructor(options: ConnectionManagerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
    answerPings(options.channel);
  }

  /** Starts; does nothing when it runs. After {@link stop} has resolved it can be started again. */
  start(): void {
    if (this.#run !== undefined) return;
    const { clock, hostAddresses: addresses } = this.#options;
    const stop = new AbortController();
    const unwatch = watchHost({ clock, addresses, onChange: (change) => this.#onHostChange(change) });
    const run = {
      stop,
      done: this.#loop(stop.signal).finally(() => {
        unwatch();
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
      const round = await this.#round(signal);
      if (round === undefined) return;
      await this.#pause(round, signal);
    }
  }

  /** The wait between two rounds. A host that has slept, or come to another network, begins anew, with a short one. */
  async #pause({ reason, loss, clock: trouble }: Round, signal: AbortSignal): Promise<void> {
    const { clock, retry } = this.#options;
    const { first, cap } = windowOf(loss, retry);
    const ms = trouble === "behind" ? this.#clockRetry() : this.#backoff.next(first, cap);
    this.#tell({ is: "waiting", ms, reason });
    const wait = trouble === undefined ? sleep : sleepUntilJump;
    const woken = await this.#unlessHostChanges(signal, (wake) => wait(clock, ms, wake).catch(() => undefined));
    if (!woken || signal.aborted) return;
    this.#backoff.reset();
    // All Things of a house see the network come back in the same second.
    const { first: short } = windowOf("link", retry);
    const spread = this.#backoff.next(short);
    this.#tell({ is: "waiting", ms: spread, reason });
    await sleep(clock, spread, signal).catch(() => undefined);
  }

  /** Does something that ends early when the host has slept or moved, once a minute at most; tells whether it did. */
  async #unlessHostChanges(signal: AbortSignal, run: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    const early = new AbortController();
    let changed = false;
    const forget = onAbort(signal, () => early.abort(signal.reason));
    this.#onHostChange = (): void => {
      const now = this.#options.clock.monotonic();
      if (now - this.#wokenAt < WOKEN_EVERY) return;
      this.#wokenAt = now;
      changed = true;
      early.abort(new LinkLostError("the network has changed, or the host has slept"));
    };
    try {
      await run(early.signal);
      return changed;
    } finally {
      this.#onHostChange = () => undefined;
      forget();
    }
  }

  /** A wait that does not grow; with a little spread, since a power cut ends for many Things at once. */
  #clockRetry(): number {
    return CLOCK_RETRY * (0.9 + 0.2 * randomFraction(this.#options.random));
  }

  /** Tries each server until one has had a stream up. Tells why it is down again, or nothing when that was the last. */
  async #round(signal: AbortSignal): Promise<Round | undefined> {
    const failures: Failure[] = [];
    const faultsToTell: FaultToTell[] = [];
    try {
      for await (const address of until(signal, this.#options.addresses())) {
        this.#tell({ is: "connecting", address });
        const opened = await this.#open(address, failures.length > 0, signal);
        if ("reason" in opened) {
          if (!signal.aborted) this.#options.tried?.(address, false);
          failures.push({ address, reason: opened.reason });
          if (opened.fault !== undefined) faultsToTell.push(opened.fault);
          continue;
        }
        const as = await this.#accountOn(address);
        const { reason, final } = await this.#live(opened.stream, address, signal);
        if (!final || isGone(as, await this.#accountOn(address)))
          return signal.aborted ? undefined : { reason, loss: lossOf(reason), clock: undefined };
        // ejabberd says the same of an account that was removed: its own words, in the reason, tell which.
        this.#options.onFault("conflict", `${reason.message}: ${CONFLICT}`, reason);
        return undefined;
      }
    } catch (error) {
      const reason = asSdkError(error); // the search for servers
      if (failures.length === 0) return signal.aborted ? undefined : { reason, loss: "search", clock: undefined };
    }
    if (signal.aborted) return undefined;
    for (const { code, message, reason } of faultsToTell.slice(0, MOST_FAULTS)) {
      this.#options.onFault(code, message, reason);
    }
    const behind = failures.some(({ reason }) => isClockBehind(reason));
    const odd = failures.some(({ reason }) => reason instanceof CertificateTimeError);
    const clock = behind ? "behind" : odd ? "odd" : undefined;
    return { reason: reasonOf(failures), loss: lossIn(failures), clock };
  }

  #accountOn({ domain }: ServerAddress): Promise<Account | undefined> {
    return this.#options.account.load(domain).catch(() => undefined);
  }

  /** The way to one server. */
  async #open(
    address: ServerAddress,
    further: boolean,
    signal: AbortSignal,
  ): Promise<{ stream: XmppStream } | { reason: SdkError; fault: FaultToTell | undefined }> {
    const { timeout = further ? FURTHER_TRY : undefined, account: store } = this.#options;
    let stream: XmppStream | undefined;
    let failure: unknown;
    await this.#unlessHostChanges(signal, async (attempt) => {
      try {
        stream = await openWithAccount({ ...this.#options, timeout }, address, attempt);
      } catch (error) {
        failure = error;
      }
    });
    if (stream !== undefined) return { stream };
    const reason = asSdkError(failure);
    this.#options.logger.info("no connection", { domain: address.domain, why: reason.message });
    const code = isClockBehind(reason) ? "clock-behind" : faults.get(reason.code);
    if (code === undefined) return { reason, fault: undefined };
    const { username, pending } = await store.load(address.domain).catch(() => ({ username: "", pending: true }));
    const message = pending ? reason.message : inFull(reason, `${username}@${address.domain}`);
    return { reason, fault: { code, message, reason } };
  }

  async #live(stream: XmppStream, address: ServerAddress, signal: AbortSignal): Promise<StreamEnd> {
    const { channel, clock, logger, tried } = this.#options;
    const since = clock.monotonic();
    const forget = onAbort(signal, () => {
      stream.write([presence({ type: "unavailable" })]).catch(() => undefined);
      void stream.close();
    });
    this.#watch(stream);
    try {
      signal.throwIfAborted();
      channel.attach(stream);
      tried?.(address, true);
      this.#tell({ is: "online", jid: stream.jid.full, address });
      logger.info("online", { jid: stream.jid.full });
      stream.start((stanza) => channel.receive(stanza));
      const end = await stream.ended;
      logger.info("the stream has ended", { why: end.reason.message });
      const lost = describeUndelivered(end.undelivered);
      if (lost !== undefined) this.#options.onFault("not-delivered", lost, end.reason);
      return end;
    } finally {
      forget();
      this.#onHostChange = () => undefined;
      await stream.close();
      const { reason } = await stream.ended;
      channel.detach(reason);
      if (clock.monotonic() - since >= SETTLED) this.#backoff.reset();
    }
  }

  /** A stream whose own address is gone is dead, though nobody says so; whoever has slept asks. */
  #watch(stream: XmppStream): void {
    const { hostAddresses: addresses = hostAddresses } = this.#options;
    const own = stream.localAddress;
    const known = own !== undefined && addressesIfTold(addresses)?.has(own) === true;
    this.#onHostChange = (): void => {
      if (known && addressesIfTold(addresses)?.has(own) === false) {
        stream.end(new LinkLostError(`the network has changed: this device has the address ${own} no longer`));
      } else stream.check();
    };
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

/** A factory reset has the account removed (XEP-0077 section 3.2): ejabberd says `conflict` then. There is another one. */
function isGone(before: Account | undefined, now: Account | undefined): boolean {
  return now?.leaving === true || before?.username !== now?.username;
}

function asSdkError(error: unknown): SdkError {
  return isSdkError(error) ? error : new ConnectionError(messageOf(error), { cause: error });
}
