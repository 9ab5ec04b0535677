import { systemClock, type Clock } from "../core/clock.ts";
import { checkCall, withDeadline, type CallOptions } from "../core/abort.ts";
import { ConfigError } from "../core/errors.ts";
import { configUser, type Jid } from "../core/jid.ts";
import { silentLogger, type Logger } from "../core/logger.ts";
import { randomToken, systemRandom, type RandomSource } from "../core/random.ts";
import { StanzaChannel, type StanzaChannelOptions } from "../channel/stanza-channel.ts";
import { presence } from "../codec/stanza.ts";
import { parseService } from "../discovery/address.ts";
import { Friends } from "./friends.ts";
import type { KeepaliveOptions } from "./keepalive.ts";
import { answerPings } from "./ping.ts";
import { openStream, type XmppStream } from "./stream.ts";
import type { StreamEnd } from "./stream-end.ts";
import type { TlsPolicy } from "./tls-policy.ts";
import { traceIfWanted } from "./wire-trace.ts";

/** What {@link connect} goes by. */
export interface ConnectOptions extends CallOptions {
  /** The server: `xmpp://host:port` (STARTTLS, port 5222 if none is given) or `xmpps://host:port` (direct TLS, 5223). */
  readonly service: string;
  /** The XMPP domain, which the server's certificate must prove. Default: the host of the service. */
  readonly domain?: string | undefined;
  /** The user name: the part of the JID before the `@`. */
  readonly username: string;
  /** The password. */
  readonly password: string;
  /** The resource of the full JID. Default: random. */
  readonly resource?: string | undefined;
  /** What the server has to prove. Default: by the authorities that come with Node, TLS 1.2. */
  readonly tls?: TlsPolicy | undefined;
  /** Make the account (XEP-0077) if the login is refused. Default false. */
  readonly register?: boolean | undefined;
  /** When a silent link is asked whether it lives. */
  readonly keepalive?: KeepaliveOptions | undefined;
  /**
   * Background trouble: a handler that failed or took too long.
   * @internal
   */
  readonly onFault?: StanzaChannelOptions["onFault"];
  /** Time. Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Randomness. Default: the operating system's. */
  readonly random?: RandomSource | undefined;
  /** Where oddities are told. Default: nowhere. */
  readonly logger?: Logger | undefined;
  /**
   * Shows on the console what goes over the wire, without passwords, tokens, KEY and challenges. Default: only with
   * `THING_DEBUG=1` in the environment.
   */
  readonly debug?: boolean | undefined;
}

/** One stream with all that belongs to it. When it ends it has ended: it does not come back by itself. */
export interface Connection extends AsyncDisposable {
  /**
   * Asking, answering and telling.
   * @internal
   */
  readonly channel: StanzaChannel;
  /**
   * The roster, loaded, and who of it is there.
   * @internal
   */
  readonly friends: Friends;
  /** The own full JID. */
  readonly jid: Jid;
  /** Resolves when the stream has ended, with the reason. */
  readonly ended: Promise<StreamEnd>;
  /** Closes the stream, within a second. */
  close(): Promise<void>;
}

/**
 * Connects once: for owners, services and tools. Resolves when the stream is up, the roster is loaded and presence is
 * sent; all that within the timeout (default 30,000 ms). Requests for friendship are left to the caller. Rejects like `openStream`, with `ERR_CONFIG` for
 * options that are wrong or missing, and with `ERR_STANZA` if the server gives no roster.
 *
 * @example
 * ```ts
 * const owner = await connect({ service: "xmpp://example.org", username: "anna", password });
 * ```
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  checkOptions(options);
  const { clock = systemClock, random = systemRandom, logger = silentLogger, signal, timeout = 30_000 } = options;
  const { service, domain, username, password, register = false } = options;
  const address = parseService(service, domain);
  const account = { username, password, resource: options.resource ?? randomToken(random, 9), register };
  const trace = traceIfWanted(options.debug, logger);
  let stream: XmppStream | undefined;
  try {
    return await withDeadline(clock, { signal, timeout }, `connecting to ${address.domain}`, async (deadline) => {
      const { tls, keepalive } = options;
      const means = { clock, random, logger, trace, timeout };
      const onUnverified = (warning: string): void => logger.warn(warning);
      stream = await openStream({ address, account, tls, keepalive, ...means, signal: deadline, onUnverified });
      const connection = wire(stream, new StanzaChannel({ clock, random, logger, onFault: options.onFault }));
      await connection.friends.load({ signal: deadline });
      await connection.channel.send(presence());
      return connection;
    });
  } catch (error) {
    void stream?.close();
    throw error;
  }
}

/** Refuses options that are wrong or missing, with `ERR_CONFIG`. Certificates and the service's address are looked at where they are used. */
function checkOptions(options: ConnectOptions): void {
  // More than the options may be there: an account of the sandbox is given as it is, with its address.
  const given = (options as Partial<ConnectOptions> | undefined) ?? {};
  if (typeof given.service !== "string") {
    throw new ConfigError("service: must be the address of the XMPP server, xmpp://host:port");
  }
  for (const name of ["username", "password"] as const) {
    const text: unknown = given[name];
    if (typeof text !== "string" || text === "") throw new ConfigError(`${name}: must be a text, not empty`);
  }
  configUser(options.username, "username");
  checkCall(options);
}

function wire(stream: XmppStream, channel: StanzaChannel): Connection {
  const friends = new Friends(channel);
  answerPings(channel);
  channel.attach(stream);
  void stream.ended.then(({ reason }) => channel.detach(reason));
  stream.start((stanza) => channel.receive(stanza));
  const close = (): Promise<void> => stream.close();
  return { channel, friends, jid: stream.jid, ended: stream.ended, close, [Symbol.asyncDispose]: close };
}
