/**
 * Finding XMPP servers on the network: XEP-0347 section 3.3.
 *
 * @packageDocumentation
 */
export { discover, type DiscoverOptions } from "./discover.ts";
export type { DiscoveryOptions } from "./options.ts";
export type { DhcpOptions } from "./dhcp-options.ts";
export type { MdnsOptions } from "./mdns-options.ts";
export type { Finder, Search } from "./finder.ts";
export type { FoundServer, ServerCandidate } from "./candidate.ts";
export type { ServerAddress } from "./address.ts";
export { NothingFoundError, type Tried } from "./search.ts";
