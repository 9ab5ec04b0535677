// The seam between a service and its connection. In production the connection manager; in tests anything that can attach a
// stream to the channel.
import type { StanzaChannel } from "../channel/stanza-channel.ts";
import type { Account, AccountStore } from "../connection/account.ts";
import { ConnectionManager, type ConnectionFault, type LinkState } from "../connection/connection-manager.ts";
import type { WireTrace } from "../connection/wire-trace.ts";
import type { ServiceSettings } from "./options.ts";

/** Keeps the channel supplied with streams. */
export interface ServiceLink {
  start(): void;
  stop(): Promise<void>;
}

/** What a link is made of. */
export interface ServiceLinkParts {
  readonly settings: ServiceSettings;
  readonly channel: StanzaChannel;
  readonly trace: WireTrace | undefined;
  readonly onState: (state: LinkState) => void;
  readonly onFault: (code: ConnectionFault, message: string, cause?: unknown) => void;
}

/** The option under which a test hands a service another link. */
export const serviceLinkSeam = Symbol("link");

/** Options that may hold another link. */
export interface WithServiceLink {
  readonly [serviceLinkSeam]?: (parts: ServiceLinkParts) => ServiceLink;
}

/** The connection manager, with the one account that the options name. */
export function connectionLink({ settings, ...parts }: ServiceLinkParts): ServiceLink {
  const { address, tls, keepalive, clock, random, logger } = settings;
  return new ConnectionManager({
    ...parts,
    ...{ tls, keepalive, clock, random, logger },
    account: givenAccount(settings),
    addresses: () => [address],
  });
}

/** An account that people have named: it is made where it is missing if they want that, and never changed. */
function givenAccount({ account }: ServiceSettings): AccountStore {
  const { username, password, resource } = account;
  let pending = account.register;
  const now = (): Promise<Account> => Promise.resolve({ username, password, resource, pending });
  const nothing = (): Promise<void> => Promise.resolve();
  const made = (): Promise<void> => {
    pending = false;
    return nothing();
  };
  return { load: now, renew: now, keep: nothing, passwordChanged: nothing, made };
}
