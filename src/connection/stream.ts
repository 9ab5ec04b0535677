import { withDeadline } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { ConnectionError, isSdkError, messageOf, type SdkError } from "../core/errors.ts";
import type { Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { Wire } from "../channel/channel.ts";
import type { ServerAddress } from "../discovery/address.ts";
import { keepAlive, type KeepaliveOptions } from "./keepalive.ts";
import { ClosedAfterRefusal, negotiate, type NegotiationOptions } from "./negotiation.ts";
import type { StreamEnd } from "./stream-end.ts";
import { isUnverified, secureContext, unverifiedWarning, type TlsPolicy } from "./tls-policy.ts";
import type { WireTrace } from "./wire-trace.ts";
import { XmlStream } from "./xml-stream.ts";

/** What {@link openStream} goes by. */
export interface StreamOptions {
  /** Where the server is, and which domain it has to prove. */
  readonly address: ServerAddress;
  /** What proves it. Default: the authorities that come with Node, TLS 1.2. */
  readonly tls?: TlsPolicy | undefined;
  /** Whom to log in as. */
  readonly account: {
    /** The user name. */
    readonly username: string;
    /** The password; never sent, except to make the account. */
    readonly password: string;
    /** The resource of the full JID. */
    readonly resource: string;
    /** Make the account by in-band registration (XEP-0077) if the login is refused. */
    readonly register: boolean;
  };
  /** Time. */
  readonly clock: Clock;
  /** Randomness for nonces and ids. */
  readonly random: RandomSource;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** Shows what goes over the wire, without its secrets. */
  readonly trace?: WireTrace | undefined;
  /** Gives up. */
  readonly signal?: AbortSignal | undefined;
  /** The time until the stream is up, in milliseconds. Default 30,000. */
  readonly timeout?: number | undefined;
  /** The largest stanza, both ways, in UTF-8 bytes. Larger ones that come are passed over. Default 262,144. */
  readonly maxStanzaBytes?: number | undefined;
  /** When a silent link is asked whether it lives. */
  readonly keepalive?: KeepaliveOptions | undefined;
  /** Told, with words for people, when the certificate of the server was not checked (`tls.unverified`). */
  readonly onUnverified?: ((warning: string) => void) | undefined;
  /** Awaited before the account is made: the moment to keep its password. The server has proved its domain by then. */
  readonly onMakingAccount?: (() => Promise<void>) | undefined;
  /** Awaited after the account was made, before anything else: the moment to remember it. */
  readonly onAccountMade?: (() => Promise<void>) | undefined;
}

/** A stream that is up: TLS verified, logged in, resource bound. */
export interface XmppStream extends Wire {
  /** The full JID that the server bound. */
  readonly jid: Jid;
  /**
   * Writes stanzas in one go; resolves when they were handed to the network. Rejects with `ERR_PROTOCOL`, and the
   * stream goes on, for a stanza that is too large or holds characters that XML forbids; with `ERR_CONNECTION` when
   * the stream has ended. It ends when more than 1 MiB waits for a server that does not read: write in turn.
   */
  write(stanzas: readonly XmlElement[]): Promise<void>;
  /** Hands over the stanzas that come; first, in their order, those that have come already. */
  start(receive: (stanza: XmlElement) => void): void;
  /** The own address, as the server's network sees it or not. */
  readonly localAddress: string | undefined;
  /** Asks the server now whether the link lives, in the place of after a while of silence. */
  check(): void;
  /** Ends the stream without a word: its link is known to be gone. */
  end(reason: SdkError): void;
  /** Resolves when the stream has ended, with the reason. Its socket is destroyed by then. */
  readonly ended: Promise<StreamEnd>;
  /** Closes the stream in good order, within a second, and destroys the socket. */
  close(): Promise<void>;
}

/**
 * Opens a stream: connect, TLS, login (making the account if need be), resource. Rejects with `ERR_TLS_POLICY` before
 * anything secret was sent, `ERR_AUTHENTICATION`, `ERR_REGISTRATION`, `ERR_CONNECTION`, `ERR_PROTOCOL`, `ERR_TIMEOUT`,
 * and `ERR_CONFIG` for a policy that cannot be used. No stanza is handed over before the stream is up, and on failure
 * no socket is left.
 */
export async function openStream(options: StreamOptions): Promise<XmppStream> {
  const { address, clock, random, logger, trace, signal, timeout = 30_000 } = options;
  trace?.hide(options.account.password);
  trace?.status("connecting", `to ${address.domain} at ${address.host}:${address.port}`);
  const negotiation: NegotiationOptions = {
    address,
    context: secureContext(options.tls),
    verify: !isUnverified(options.tls ?? {}, address.domain),
    onUnverified: () => options.onUnverified?.(unverifiedWarning(address.domain)),
    account: options.account,
    random,
    onMakingAccount: options.onMakingAccount ?? (() => Promise.resolve()),
    onAccountMade: options.onAccountMade ?? (() => Promise.resolve()),
  };
  let current: XmlStream | undefined;
  const attempt = async (registerFirst: boolean): Promise<XmppStream> => {
    const stream = new XmlStream({ address, clock, logger, trace, maxStanzaBytes: options.maxStanzaBytes ?? 262_144 });
    current = stream;
    const jid = await negotiate(stream, negotiation, registerFirst);
    trace?.status("online", jid.full);
    void stream.ended.then(({ reason }) => trace?.status("ended", `${reason.code}: ${reason.message}`));
    const watched = keepAlive(stream, address.domain, { clock, random }, options.keepalive);
    return {
      localAddress: stream.localAddress,
      check: () => watched.check(),
      end: (reason) => stream.end(reason),
      jid,
      ended: stream.ended,
      get backlog() {
        return stream.backlog;
      },
      write: (stanzas) => stream.write(stanzas),
      start: (receive) => stream.deliver(receive),
      close: () => stream.close(),
    };
  };
  const what = `the way to ${address.domain} at ${address.host}:${address.port}`;
  try {
    return await withDeadline(clock, { signal, timeout }, what, async (deadline) => {
      try {
        return await attempt(false);
      } catch (error) {
        if (!(error instanceof ClosedAfterRefusal) || deadline.aborted) throw error;
        current?.end(error);
        return await attempt(true);
      }
    });
  } catch (error) {
    // Also what was given up in the middle: whatever still runs there finds the stream ended.
    trace?.error(isSdkError(error) ? error.code : "given up", messageOf(error));
    current?.end(isSdkError(error) ? error : new ConnectionError(messageOf(error), { cause: error }));
    throw error;
  }
}
