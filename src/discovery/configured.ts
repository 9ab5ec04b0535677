// The server of a domain that was configured: XEP-0347 3.1, by DNS (RFC 6120 section 3.2).
import { rank } from "./candidate.ts";
import type { Finder } from "./finder.ts";
import { resolveDomain, type Resolvers } from "./resolve.ts";

/**
 * Finds the servers of one domain. They are as trusted as the domain: what DNS says of it proves nothing, but what it
 * names has to prove the domain.
 *
 * @param domain an XMPP domain, as `tryDomain` gives it
 */
export function configured(domain: string, resolvers: Resolvers = {}): Finder {
  return {
    name: "configured",
    rank: rank.configured,
    async *find(search) {
      yield* await resolveDomain(domain, search, resolvers);
    },
  };
}
