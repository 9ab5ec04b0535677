// Servers that were heard of, and how much each is to be trusted: XEP-0347 3.3.
import type { ServerAddress } from "./address.ts";

/**
 * How much is known of whoever named a server: the lower the earlier it is tried. On a network anybody can say anything,
 * so rank is an order and no proof: what proves a server is TLS, against its domain.
 */
export const rank = {
  /** Named in the options, or found by DNS under a domain that was. */
  configured: 0,
  /** Worked last time. */
  cached: 10,
  /** Said by a finder of the program's own. */
  own: 20,
  /** Heard by multicast DNS. */
  mdns: 30,
  /** In DHCP option 84. */
  dhcp: 40,
  /** In a site-specific DHCP option, which may mean anything elsewhere (D-E23): the lowest trust. */
  dhcpSiteSpecific: 50,
} as const;

/** A server that a finder has heard of. */
export interface FoundServer extends ServerAddress {
  /** The order among the servers of one finder, as by the priority of SRV records: lower ones first. Default 0. */
  readonly preference?: number | undefined;
  /** How much is known of whoever said so. Default: the finder's own. */
  readonly rank?: number | undefined;
  /**
   * Thing Registries that whoever announced the server names (TXT `regis`): bare JIDs or domains, and hints only. One
   * counts when the verified server lists it among its components, or when it is configured (XEP-0347 6.2, D-E21).
   */
  readonly registries?: readonly string[] | undefined;
  /** Provisioning servers, likewise (TXT `provis`). */
  readonly provisioning?: readonly string[] | undefined;
  /** For people: what was heard, and where from. */
  readonly heard: string;
}

/** A server to try: {@link FoundServer}, checked, and with nothing left out. */
export interface ServerCandidate extends FoundServer {
  readonly directTls: boolean;
  readonly preference: number;
  readonly rank: number;
  readonly registries: readonly string[];
  readonly provisioning: readonly string[];
  /** The name of the finder that has found it. */
  readonly finder: string;
}
