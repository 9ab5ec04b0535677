// Which finders a search has: one line for each that comes with the library.
import { rank } from "./candidate.ts";
import type { DhcpSettings } from "./dhcp-options.ts";
import { configured } from "./configured.ts";
import type { DiscoverySettings } from "./options.ts";
import type { Finder } from "./finder.ts";
import type { MdnsSettings } from "./mdns-options.ts";
import { resolveDomain, type Resolvers } from "./resolve.ts";

/** The finders that options switch on, the most trusted first; those of the program last. */
export function findersOf(settings: DiscoverySettings): readonly Finder[] {
  const resolvers = resolversOf(settings);
  return [
    ...(settings.domain === undefined ? [] : [configured(settings.domain, resolvers)]),
    ...(settings.mdns === undefined ? [] : [mdns(settings.mdns)]),
    ...(settings.dhcp === undefined ? [] : [dhcp(settings.dhcp, resolvers)]),
    ...settings.finders,
  ];
}

function dhcp(settings: DhcpSettings, resolvers: Resolvers): Finder {
  return {
    name: "dhcp",
    rank: rank.dhcp,
    async *find(search) {
      const { findByDhcp, machine } = await import("./dhcp.ts");
      const expand: typeof machine.expand = (domain, within) => resolveDomain(domain, within, resolvers);
      yield* findByDhcp(settings, search, { ...machine, expand });
    },
  };
}

function mdns(settings: MdnsSettings): Finder {
  return {
    name: "mdns",
    rank: rank.mdns,
    // It has bounds of its own, for each sender (`mdns.ts`): were it ended by the many, it would not hear the others.
    most: 1_024,
    async *find(search) {
      const { findByMdns } = await import("./mdns.ts");
      yield* findByMdns(settings, search);
    },
  };
}

/** Names in `.local` are asked for where servers are: on the same interfaces, and nowhere without multicast DNS. */
function resolversOf({ mdns: settings }: DiscoverySettings): Resolvers {
  return {
    async lookupLocal(host, search) {
      if (settings === undefined) return [];
      const { lookupLocal } = await import("./mdns-lookup.ts");
      return lookupLocal(host, search, settings);
    },
  };
}
