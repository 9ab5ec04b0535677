// The seam between a Thing and its connection. In production the connection manager; in tests anything that can attach
// a stream to the channel.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { StanzaChannel } from "../channel/stanza-channel.ts";
import type { AccountStore } from "../connection/account.ts";
import type { ServerSource } from "../discovery/server-source.ts";
import { ConnectionManager, type ConnectionFault, type LinkState } from "../connection/connection-manager.ts";
import type { KeepaliveOptions } from "../connection/keepalive.ts";
import type { RetryOptions } from "../connection/loss.ts";
import type { TlsPolicy } from "../connection/tls-policy.ts";
import type { WireTrace } from "../connection/wire-trace.ts";
import type { Hide } from "../connection/secrets.ts";
import type { Link } from "./state.ts";

/** Keeps the channel supplied with streams. */
export interface ThingLink {
  /** Begins; returns at once. */
  start(): void;
  /** Ends, cleanly if that is quick. */
  stop(): Promise<void>;
}

/** What a link is made of. */
export interface LinkParts {
  readonly channel: StanzaChannel;
  readonly account: AccountStore;
  /** The servers to try. */
  readonly servers: ServerSource;
  readonly tls: TlsPolicy;
  readonly keepalive: KeepaliveOptions | undefined;
  /** The waits between two rounds. A Thing has the defaults. */
  readonly retry?: RetryOptions | undefined;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly trace: WireTrace | undefined;
  readonly onState: (state: LinkState) => void;
  readonly onFault: (code: ConnectionFault, message: string, cause?: unknown) => void;
}

/** The option under which a test hands a Thing another link. */
export const linkSeam = Symbol("link");

/** Options that may hold another link. */
export interface WithLink {
  readonly [linkSeam]?: MakeLink;
}

/** Makes a link. */
export type MakeLink = (parts: LinkParts) => ThingLink;

/** The connection manager. */
export const connectionLink: MakeLink = ({ servers, ...parts }) =>
  new ConnectionManager({
    ...parts,
    addresses: () => servers.addresses(),
    tried: (address, worked) => servers.tried(address, worked),
  });

/** How things stand with the connection, as the Thing's state says it. */
export function toLink(state: LinkState, hide: Hide = (text) => text): Link {
  switch (state.is) {
    case "stopped":
      return { is: "stopped" };
    case "connecting":
      return { is: "connecting", host: state.address.host, port: state.address.port };
    case "online":
      return { is: "online", jid: state.jid };
    case "waiting":
      return { is: "waiting", ms: Math.round(state.ms), why: hide(state.reason.message) };
  }
}
